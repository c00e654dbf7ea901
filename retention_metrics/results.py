"""The frozen values that every public function returns."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import importlib
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._stored import Frozen, Stored
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from matplotlib.axes import Axes

__all__ = [
    "Columns",
    "Explanation",
    "FrozenDict",
    "Interval",
    "Proportion",
    "Result",
    "Step",
    "TableResult",
    "from_dict",
]

Cell = str | int | float | bool | dt.date | dt.datetime | None
ColumnType = Literal["integer", "number", "string", "boolean", "date", "datetime"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Backend = Literal["pandas", "polars", "pyarrow"]
BACKENDS: tuple[Backend, ...] = ("pandas", "polars", "pyarrow")

# The one upward edge of this module besides plots: a dictionary names its class by kind, and the class
# lives in the package of its metric. Resolved by import path, only when called; a test resolves every entry.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "benchmarks.band_table": "retention_metrics.benchmarks:BandTable",
        "benchmarks.claim": "retention_metrics.benchmarks:Claim",
        "benchmarks.claim_comparison": "retention_metrics.benchmarks:ClaimComparison",
        "benchmarks.placement": "retention_metrics.benchmarks:Placement",
        "churn.by_group": "retention_metrics.churn:ChurnTable",
        "churn.by_period": "retention_metrics.churn:PeriodChurn",
        "churn.converted_rate": "retention_metrics.churn:ConvertedRate",
        "churn.from_lifetime": "retention_metrics.churn:LifetimeChurn",
        "churn.in_window": "retention_metrics.churn:WindowChurn",
        "churn.lifetime": "retention_metrics.churn:Lifetime",
        "churn.reasons": "retention_metrics.churn:ChurnReasons",
        "churn.reconciliation": "retention_metrics.churn:ChurnReconciliation",
        "churn.trend": "retention_metrics.churn:ChurnTrend",
        "clv.alive_path": "retention_metrics.clv:AlivePath",
        "clv.bernoulli": "retention_metrics.clv.opportunity_limits:Bernoulli",
        "clv.beta_bernoulli": "retention_metrics.clv.opportunity_limits:BetaBernoulli",
        "clv.beta_discrete_weibull": "retention_metrics.clv:BetaDiscreteWeibull",
        "clv.bg_bb": "retention_metrics.clv:BGBB",
        "clv.bg_bernoulli": "retention_metrics.clv.opportunity_limits:BGBernoulli",
        "clv.bg_certain": "retention_metrics.clv.opportunity_limits:BGCertain",
        "clv.bg_cnbd": "retention_metrics.clv:BGCNBD",
        "clv.bg_condensed_poisson": "retention_metrics.clv.bg_cnbd:BGCondensedPoisson",
        "clv.bg_nbd": "retention_metrics.clv:BGNBD",
        "clv.bg_poisson": "retention_metrics.clv.limits:BGPoisson",
        "clv.bg_two_kinds": "retention_metrics.clv.opportunity_limits:BGTwoKinds",
        "clv.comparison": "retention_metrics.clv:ModelComparison",
        "clv.condensed_poisson": "retention_metrics.clv.bg_cnbd:CondensedPoisson",
        "clv.coefficients": "retention_metrics.clv:CoefficientTable",
        "clv.cross_check": "retention_metrics.clv:CrossCheck",
        "clv.cnbd": "retention_metrics.clv.bg_cnbd:CNBD",
        "clv.delayed_exponential_nbd": "retention_metrics.clv.onset_limits:DelayedExponentialNBD",
        "clv.delayed_exponential_poisson": "retention_metrics.clv.onset_limits:DelayedExponentialPoisson",
        "clv.delayed_pareto_churn": "retention_metrics.clv.churn_onsets:DelayedParetoChurn",
        "clv.discrete_weibull": "retention_metrics.clv.contract_limits:DiscreteWeibull",
        "clv.early_bg_poisson": "retention_metrics.clv.early_limits:EarlyBGPoisson",
        "clv.early_exponential_nbd": "retention_metrics.clv.onset_limits:EarlyExponentialNBD",
        "clv.early_exponential_poisson": "retention_metrics.clv.onset_limits:EarlyExponentialPoisson",
        "clv.early_geometric_nbd": "retention_metrics.clv.early_limits:EarlyGeometricNBD",
        "clv.early_geometric_poisson": "retention_metrics.clv.early_limits:EarlyGeometricPoisson",
        "clv.early_two_type_nbd": "retention_metrics.clv.early_limits:EarlyTwoTypeNBD",
        "clv.early_two_type_poisson": "retention_metrics.clv.early_limits:EarlyTwoTypePoisson",
        "clv.exponential_nbd": "retention_metrics.clv.lifetime_limits:ExponentialNBD",
        "clv.exponential_poisson": "retention_metrics.clv.lifetime_limits:ExponentialPoisson",
        "clv.fit": "retention_metrics.clv:Fit",
        "clv.fixed_lifetime_nbd": "retention_metrics.clv.onset_limits:FixedLifetimeNBD",
        "clv.fixed_lifetime_poisson": "retention_metrics.clv.onset_limits:FixedLifetimePoisson",
        "clv.frequency_fit": "retention_metrics.clv:FrequencyFit",
        "clv.gamma_gamma": "retention_metrics.clv:GammaGamma",
        "clv.gamma_spend": "retention_metrics.clv.spend_limits:GammaSpend",
        "clv.geometric_bb": "retention_metrics.clv.opportunity_limits:GeometricBB",
        "clv.geometric_bernoulli": "retention_metrics.clv.opportunity_limits:GeometricBernoulli",
        "clv.geometric_certain": "retention_metrics.clv.opportunity_limits:GeometricCertain",
        "clv.geometric_churn": "retention_metrics.clv.contract_limits:GeometricChurn",
        "clv.geometric_cnbd": "retention_metrics.clv.bg_cnbd:GeometricCNBD",
        "clv.geometric_condensed_poisson": "retention_metrics.clv.bg_cnbd:GeometricCondensedPoisson",
        "clv.geometric_nbd": "retention_metrics.clv.limits:GeometricNBD",
        "clv.geometric_poisson": "retention_metrics.clv.limits:GeometricPoisson",
        "clv.geometric_two_kinds": "retention_metrics.clv.opportunity_limits:GeometricTwoKinds",
        "clv.ggompertz_nbd": "retention_metrics.clv:GGompertzNBD",
        "clv.ggompertz_poisson": "retention_metrics.clv.lifetime_limits:GGompertzPoisson",
        "clv.gompertz_nbd": "retention_metrics.clv.lifetime_limits:GompertzNBD",
        "clv.gompertz_poisson": "retention_metrics.clv.lifetime_limits:GompertzPoisson",
        "clv.holdout": "retention_metrics.clv:Holdout",
        "clv.inverse_gamma_spend": "retention_metrics.clv.spend_limits:InverseGammaSpend",
        "clv.likelihood_ratio": "retention_metrics.clv:LikelihoodRatio",
        "clv.mbg_nbd": "retention_metrics.clv:MBGNBD",
        "clv.nbd": "retention_metrics.clv.limits:NBD",
        "clv.new_customer_value": "retention_metrics.clv:NewCustomerValue",
        "clv.one_repeat_cnbd": "retention_metrics.clv.bg_cnbd:OneRepeatCNBD",
        "clv.one_repeat_condensed_poisson": "retention_metrics.clv.bg_cnbd:OneRepeatCondensedPoisson",
        "clv.one_repeat_nbd": "retention_metrics.clv.limits:OneRepeatNBD",
        "clv.one_repeat_poisson": "retention_metrics.clv.limits:OneRepeatPoisson",
        "clv.nobody_leaves": "retention_metrics.clv.opportunity_limits:NobodyLeaves",
        "clv.pareto_churn": "retention_metrics.clv.churn_onsets:ParetoChurn",
        "clv.pareto_nbd": "retention_metrics.clv:ParetoNBD",
        "clv.pareto_poisson": "retention_metrics.clv.lifetime_limits:ParetoPoisson",
        "clv.poisson": "retention_metrics.clv.limits:Poisson",
        "clv.posterior": "retention_metrics.clv:Posterior",
        "clv.ranking": "retention_metrics.clv:Ranking",
        "clv.regression": "retention_metrics.clv:Regression",
        "clv.shifted_beta_geometric": "retention_metrics.clv:ShiftedBetaGeometric",
        "clv.simple_value": "retention_metrics.clv:SimpleValue",
        "clv.spend_frequency_correlation": "retention_metrics.clv:SpendCorrelation",
        "clv.sudden_churn": "retention_metrics.clv.churn_onsets:SuddenChurn",
        "clv.total_value": "retention_metrics.clv:TotalValue",
        "clv.tracking": "retention_metrics.clv:Tracking",
        "clv.two_kinds": "retention_metrics.clv.opportunity_limits:TwoKinds",
        "clv.two_type_bb": "retention_metrics.clv.opportunity_limits:TwoTypeBB",
        "clv.two_type_bernoulli": "retention_metrics.clv.opportunity_limits:TwoTypeBernoulli",
        "clv.two_type_churn": "retention_metrics.clv.contract_limits:TwoTypeChurn",
        "clv.two_type_cnbd": "retention_metrics.clv.bg_cnbd:TwoTypeCNBD",
        "clv.two_type_condensed_poisson": "retention_metrics.clv.bg_cnbd:TwoTypeCondensedPoisson",
        "clv.two_type_nbd": "retention_metrics.clv.limits:TwoTypeNBD",
        "clv.two_type_poisson": "retention_metrics.clv.limits:TwoTypePoisson",
        "contracts.bonus_payouts": "retention_metrics.contracts:BonusPayouts",
        "contracts.capped_bonus": "retention_metrics.contracts:CappedBonus",
        "contracts.break_even": "retention_metrics.contracts:BreakEven",
        "contracts.break_even_churn_ratio": "retention_metrics.contracts:BreakEvenChurnRatio",
        "contracts.break_even_fee": "retention_metrics.contracts:BreakEvenFee",
        "contracts.cash_flow": "retention_metrics.contracts:CashFlow",
        "contracts.churn_rate_ratio": "retention_metrics.contracts:ChurnRateRatio",
        "contracts.compare": "retention_metrics.contracts:TermComparison",
        "contracts.dropped_term": "retention_metrics.contracts:DroppedTerm",
        "contracts.estimate": "retention_metrics.contracts:TermEstimates",
        "contracts.fee_flat": "retention_metrics.contracts:FeeFlat",
        "contracts.fee_share": "retention_metrics.contracts:FeeShare",
        "contracts.fee_tiers": "retention_metrics.contracts:FeeTiers",
        "contracts.longevity_bonus": "retention_metrics.contracts:LongevityBonus",
        "contracts.loyalty_programme": "retention_metrics.contracts:LoyaltyProgramme",
        "contracts.minimum_spend": "retention_metrics.contracts:MinimumSpend",
        "contracts.monthly_churn": "retention_metrics.contracts:MonthlyChurn",
        "contracts.portfolio": "retention_metrics.contracts:Portfolio",
        "contracts.probability_better": "retention_metrics.contracts:ProbabilityBetter",
        "contracts.qualify": "retention_metrics.contracts:ProspectCounts",
        "contracts.retention_offer": "retention_metrics.contracts:RetentionOffer",
        "contracts.sensitivity": "retention_metrics.contracts:TermSensitivity",
        "contracts.sensitivity_grid": "retention_metrics.contracts:SensitivityGrid",
        "contracts.term": "retention_metrics.contracts:Term",
        "growth.expectation_gap": "retention_metrics.growth:ExpectationGaps",
        "growth.hire": "retention_metrics.growth:Hire",
        "growth.levers": "retention_metrics.growth:LeverTable",
        "drivers.cross": "retention_metrics.drivers:DriverCross",
        "drivers.rank": "retention_metrics.drivers:DriverRanking",
        "growth.plateau": "retention_metrics.growth:RevenuePlateau",
        "nps.by_group": "retention_metrics.nps:GroupScores",
        "nps.change": "retention_metrics.nps:ScoreChange",
        "growth.reps": "retention_metrics.growth:RepRanking",
        "growth.upmarket": "retention_metrics.growth:Upmarket",
        "nps.closed_loop": "retention_metrics.nps:LoopTable",
        "nps.concordance": "retention_metrics.nps:Concordance",
        "nps.difference": "retention_metrics.nps:ScoreDifference",
        "nps.group_ranks": "retention_metrics.nps:GroupRanks",
        "nps.hazard_ratio": "retention_metrics.nps:HazardRatio",
        "nps.nonresponse": "retention_metrics.nps:Nonresponse",
        "nps.ordering": "retention_metrics.nps:LeavingOrder",
        "nps.promoter_score": "retention_metrics.nps:PromoterScore",
        "nps.response_rates": "retention_metrics.nps:ResponseRates",
        "nps.sample_size": "retention_metrics.nps:SampleSize",
        "nps.staying": "retention_metrics.nps:StayingTable",
        "nps.trend": "retention_metrics.nps:ScoreTrend",
        "proportion": "retention_metrics.results:Proportion",
        "customers.by_group": "retention_metrics.customers:CustomerRates",
        "customers.demand": "retention_metrics.customers:Demand",
        "customers.mean": "retention_metrics.customers:CustomerMean",
        "customers.message_response": "retention_metrics.customers:MessageResponse",
        "customers.migrations": "retention_metrics.customers:SegmentMoves",
        "customers.onboarding": "retention_metrics.customers:Onboarding",
        "customers.repeat_rate": "retention_metrics.customers:RepeatRate",
        "customers.retention_cost": "retention_metrics.customers:RetentionCost",
        "customers.segment_sizes": "retention_metrics.customers:SegmentSizes",
        "customers.spend_by_age": "retention_metrics.customers:SpendByAge",
        "customers.totals": "retention_metrics._engine.tables:Totals",
        "retention.average": "retention_metrics.retention:RetentionCurve",
        "retention.by_period": "retention_metrics.retention:PeriodTable",
        "retention.cohorts": "retention_metrics.retention:CohortTable",
        "retention.day_n": "retention_metrics.retention:DayTable",
        "retention.rate": "retention_metrics.retention:RetentionRate",
        "revenue.budget_split": "retention_metrics.revenue:BudgetSplit",
        "revenue.by_cohort": "retention_metrics.revenue:RevenueCohorts",
        "revenue.concentration": "retention_metrics.revenue:Concentration",
        "revenue.cost_ratio": "retention_metrics.revenue:CostRatio",
        "revenue.expansion": "retention_metrics.revenue:ExpansionTable",
        "revenue.logo_retention": "retention_metrics.revenue:LogoRetention",
        "revenue.loyal_core": "retention_metrics.revenue:LoyalCore",
        "revenue.movements": "retention_metrics.revenue:MovementTable",
        "revenue.payback": "retention_metrics.revenue:Payback",
        "revenue.quick_ratio": "retention_metrics.revenue:QuickRatio",
        "revenue.retention": "retention_metrics.revenue:RevenueRetention",
        "revenue.retention_curve": "retention_metrics.revenue:RevenueRetentionCurve",
        "revenue.share": "retention_metrics.revenue:RevenueShare",
        "revenue.spend_ratio": "retention_metrics.revenue:SpendRatio",
        "revenue.spread": "retention_metrics.revenue:Spread",
        "revenue.unit_economics": "retention_metrics.revenue:UnitEconomics",
        "surveys.crosstab": "retention_metrics.surveys:SegmentAnswers",
        "surveys.item": "retention_metrics.surveys:SurveyItem",
        "surveys.response_rate": "retention_metrics.surveys:ResponseTable",
        "survival.constant_churn": "retention_metrics.survival:ConstantChurn",
        "survival.curve": "retention_metrics.survival:SurvivalCurve",
        "survival.hazard": "retention_metrics.survival:HazardTable",
        "survival.log_rank": "retention_metrics.survival:LogRank",
        "survival.quantile": "retention_metrics.survival:LifetimeQuantile",
        "survival.restricted_mean": "retention_metrics.survival:RestrictedMean",
        "survival.restricted_mean_difference": "retention_metrics.survival:RestrictedMeanDifference",
        "survival.share": "retention_metrics.survival:SurvivalShare",
        "survival.table": "retention_metrics.survival:SurvivalTable",
        "proportions.difference": "retention_metrics.proportions:ProportionDifference",
        "proportions.ratio": "retention_metrics.proportions:ProportionRatio",
    }
)


class FrozenDict(Mapping[str, typing.Any]):
    """A read-only mapping that can be pickled and compared.

    Parameters
    ----------
    items : mapping of str to object, optional
        What it holds; a copy is taken.

    Examples
    --------
    >>> from retention_metrics.results import FrozenDict
    >>> FrozenDict({"null_rating": 3})["null_rating"]
    3
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, object] | None = None) -> None:
        self._items: dict[str, typing.Any]
        object.__setattr__(self, "_items", dict(items or {}))

    def __getitem__(self, key: str) -> typing.Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __reduce__(self) -> tuple[object, ...]:
        return (FrozenDict, (self._items,))

    def __repr__(self) -> str:
        return repr(self._items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval(Frozen):
    """An interval estimate, with its level and its method.

    Parameters
    ----------
    low, high : float
        Ends of the interval, in the unit of the estimate; an unbounded end is infinite.
    level : float
        Probability content, in (0, 1).
    method : str
        How the interval was computed, for instance ``"wilson"``.

    Examples
    --------
    >>> from retention_metrics.results import Interval
    >>> interval = Interval(low=0.83, high=0.94, level=0.95, method="wilson")
    >>> 0.9 in interval
    True
    """

    low: float
    high: float
    level: float
    method: str

    def __post_init__(self) -> None:
        low, high = float(self.low), float(self.high)
        if math.isnan(low) or math.isnan(high) or low > high:
            raise InputError(f"an interval runs from low to high; got {low!r} to {high!r}.", argument="interval")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "level", float(self.level))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def to_dict(self) -> dict[str, Json]:
        """The interval as JSON builtins.

        Returns
        -------
        dict
            An unbounded end is null.
        """
        return {
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "level": self.level,
            "method": self.method,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> Self:
        """The interval that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        Interval
            Equal to the one that was stored.
        """
        return cls(
            low=-math.inf if data["low"] is None else data["low"],
            high=math.inf if data["high"] is None else data["high"],
            level=data["level"],
            method=data["method"],
        )


class Columns(Mapping[str, tuple[Cell, ...]]):
    """Read-only named columns of equal length: the cells of a table result.

    Parameters
    ----------
    values : mapping of str to sequence
        The cells of each column. NaN is read as missing.
    types : mapping of str to str, optional
        ``"integer"``, ``"number"``, ``"string"``, ``"boolean"``, ``"date"`` or ``"datetime"`` for the
        columns whose type the cells alone do not tell, such as one that is all missing.
    """

    __slots__ = ("_types", "_values")

    def __init__(
        self, values: Mapping[str, Sequence[typing.Any]], types: Mapping[str, ColumnType] | None = None
    ) -> None:
        cells = {name: tuple(_cell(value) for value in column) for name, column in values.items()}
        if len({len(column) for column in cells.values()}) > 1:
            raise ValueError("columns have one length")
        given = types or {}
        self._values = cells
        self._types: dict[str, ColumnType] = {
            name: given[name] if name in given else _column_type(column) for name, column in cells.items()
        }
        for name, kind in self._types.items():
            if kind == "number":
                cells[name] = tuple(None if cell is None else float(typing.cast(float, cell)) for cell in cells[name])

    def __getitem__(self, name: str) -> tuple[Cell, ...]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def types(self) -> Mapping[str, ColumnType]:
        """The type of each column."""
        return MappingProxyType(self._types)

    @property
    def height(self) -> int:
        """The number of rows."""
        return len(next(iter(self._values.values()), ()))

    def rows(self) -> tuple[dict[str, Cell], ...]:
        """The rows, each as a dictionary.

        Returns
        -------
        tuple of dict
            In order, by column name.
        """
        names = list(self._values)
        return tuple(dict(zip(names, row, strict=True)) for row in zip(*self._values.values(), strict=True))

    def __repr__(self) -> str:
        return f"<{self.height} rows: {', '.join(self)}>"

    def to_dict(self) -> list[Json]:
        """The columns as JSON builtins.

        Returns
        -------
        list of dict
            The columns in their order, each with its name, its type and its values.
        """
        return [
            {"name": name, "type": self._types[name], "values": [_encode(cell) for cell in cells]}
            for name, cells in self._values.items()
        ]

    @classmethod
    def from_dict(cls, data: Sequence[Mapping[str, typing.Any]]) -> Self:
        """The columns that ``to_dict`` described.

        Parameters
        ----------
        data : sequence of mapping
            As returned by ``to_dict``.

        Returns
        -------
        Columns
            Equal to those that were stored.
        """
        types: dict[str, ColumnType] = {column["name"]: column["type"] for column in data}
        return cls(
            {
                column["name"]: [_decode_cell(cell, types[column["name"]]) for cell in column["values"]]
                for column in data
            },
            types,
        )


_ResultType = TypeVar("_ResultType", bound="Result")


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False, field_specifiers=(field,))
def result(cls: type[_ResultType]) -> type[_ResultType]:
    """Declare a result class: frozen, keyword-only, slotted, compared by ``to_dict``."""
    return dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)(cls)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Result(Stored):
    """A number or a table with its uncertainty, its definition and what was left out.

    Attributes
    ----------
    estimate : float or None
        The value; None where it is undefined, and then ``notes`` says why.
    interval : Interval or None
        Its uncertainty; None for a deterministic calculation or with ``level=None``.
    unit : str
        Unit of the estimate.
    definition : str
        A stable name of what was computed.
    excluded : mapping of str to int
        Rows left out, by reason.
    notes : tuple of str
        What a careful reader should know about this number.
    status : str
        ``"ok"``, or why the estimate is missing.
    backend : str
        The library whose frame ``to_frame`` gives; not part of the value, so not part of ``to_dict``.
    """

    estimate: float | None = None
    interval: Interval | None = None
    unit: str = ""
    definition: str = ""
    excluded: Mapping[str, int] = field(default_factory=FrozenDict)
    notes: tuple[str, ...] = ()
    status: str = "ok"
    backend: str = field(default="pandas", metadata={"json": False})

    def __post_init__(self) -> None:
        for declared in dataclasses.fields(self):
            object.__setattr__(self, declared.name, _frozen(getattr(self, declared.name), declared.name))

    def __float__(self) -> float:
        if self.estimate is None:
            reason = " ".join(self.notes) or self.status
            raise InputError(f"{self.definition or self.kind} has no estimate: {reason}", argument="estimate")
        return self.estimate

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.metadata.get("json", True)}
        # By type, for arrays have no truth value.
        empty = {n for n, v in shown.items() if v is None or (isinstance(v, (str, tuple, Mapping)) and not v)}
        kept = {name: value for name, value in shown.items() if name not in empty}
        body = ", ".join(f"{name}={_brief(value)}" for name, value in kept.items() if name != "status" or value != "ok")
        return f"{type(self).__name__}({body})"

    def to_dict(self) -> dict[str, Json]:
        """The result as JSON builtins, with its ``kind`` and the version of its schema.

        Returns
        -------
        dict
            Readable by ``from_dict`` of the class and by ``retention_metrics.from_dict``.
        """
        stored = {
            declared.name: _encode(getattr(self, declared.name))
            for declared in dataclasses.fields(self)
            if declared.metadata.get("json", True)
        }
        return {"kind": self.kind, "schema": self.schema, **stored}

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> Self:
        """The result that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``, possibly by way of JSON.

        Returns
        -------
        Result
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes another kind of result, or a newer schema.
        """
        hints = typing.get_type_hints(cls)
        return cls(**{name: _decode(hints[name], value) for name, value in cls._stored_fields(data).items()})

    def to_frame(self, backend: Backend | None = None) -> pd.DataFrame | pl.DataFrame | pa.Table:
        """The result as a tidy eager frame.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            The library of the frame; by default that of the input (pandas for arrays and for DuckDB).

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            One row per cell of the result.
        """
        return build_frame(self._table(), backend or self.backend)

    def _table(self) -> Columns:
        """One row: the estimate, its interval and the numbers behind it."""
        interval = self.interval
        cells: dict[str, list[Cell]] = {
            "estimate": [self.estimate],
            "low": [interval.low if interval else None],
            "high": [interval.high if interval else None],
            "level": [interval.level if interval else None],
            "method": [interval.method if interval else None],
        }
        own = {declared.name for declared in dataclasses.fields(self)} - {f.name for f in dataclasses.fields(Result)}
        for declared in dataclasses.fields(self):
            value = getattr(self, declared.name)
            if declared.name in own and isinstance(value, (str, int, float, bool, dt.date, type(None))):
                cells[declared.name] = [value]
        cells |= {"unit": [self.unit], "status": [self.status]}
        types: dict[str, ColumnType] = {"estimate": "number", "low": "number", "high": "number", "level": "number"}
        return Columns(cells, {**types, "method": "string"})

    def explain(self) -> Explanation:
        """The formula, the values and the working behind the estimate.

        Returns
        -------
        Explanation
            Renders as text, Markdown and LaTeX.
        """
        raise NotImplementedError(f"{type(self).__name__} has no explanation")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure's axes.

        Returns
        -------
        matplotlib.axes.Axes
            The axes that hold the plot.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        drawn: Axes = importlib.import_module("retention_metrics.plotting").draw(self, ax=ax)
        return drawn

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        title = html.escape(self.definition or self.kind)
        lines = [f"<caption>{title}</caption>", _html_table(self._table())]
        lines += [f"<tr><td>{html.escape(str(note))}</td></tr>" for note in self.notes]
        lines += [f"<tr><td>excluded: {html.escape(k)}: {v}</td></tr>" for k, v in self.excluded.items()]
        return f"<table class='retention-metrics'>{''.join(lines)}</table>"


@result
class Proportion(Result):
    """A share of counts, such as a retention rate or a churn rate.

    Attributes
    ----------
    numerator, denominator : int
        The counts: the share is ``numerator / denominator``.
    """

    kind: ClassVar[str] = "proportion"

    numerator: int
    denominator: int

    def explain(self) -> Explanation:
        """The share as a quotient of two counts."""
        return Explanation(
            formula="share = numerator / denominator",
            values={"numerator": self.numerator, "denominator": self.denominator},
            steps=(Step(name="share", expression="numerator / denominator"),),
            source="Definition of a proportion.",
        )


@result
class TableResult(Result):
    """A table with one row per period, cohort cell or group.

    Attributes
    ----------
    columns : Columns
        The cells, by column.
    """

    columns: Columns

    def _table(self) -> Columns:
        return self.columns

    def rows(self) -> tuple[dict[str, Cell], ...]:
        """The rows, each as a dictionary.

        Returns
        -------
        tuple of dict
            In order, by column name.
        """
        return self.columns.rows()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        title = html.escape(self.definition or self.kind)
        below = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        below += "".join(f"<p>excluded: {html.escape(k)}: {v}</p>" for k, v in self.excluded.items())
        return f"<table class='retention-metrics'><caption>{title}</caption>{_html_table(self.columns)}</table>{below}"


def from_dict(data: Mapping[str, typing.Any]) -> Result:
    """Read any result or model back from its dictionary.

    Parameters
    ----------
    data : mapping
        As returned by ``to_dict`` of a result, possibly by way of JSON.

    Returns
    -------
    Result
        Of the class that ``data["kind"]`` names.

    Raises
    ------
    InputError
        If the kind is not one of the library's.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rate = rm.retention.rate(start=100, end=90)
    >>> rm.from_dict(rate.to_dict()) == rate
    True
    """
    kind = str(data.get("kind"))
    if kind not in KINDS:
        raise InputError(f"kind names one of the library's results; got {kind!r}.", argument="kind")
    module, name = KINDS[kind].split(":")
    restored: Result = getattr(importlib.import_module(module), name).from_dict(data)
    return restored


def _cell(value: typing.Any) -> Cell:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dt.datetime):
        # pandas.Timestamp is a datetime of its own; a cell is the builtin.
        return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    return value if isinstance(value, dt.date) else str(value)


def _column_type(cells: Sequence[Cell]) -> ColumnType:
    present = [cell for cell in cells if cell is not None]
    for kind, name in ((bool, "boolean"), (int, "integer"), (str, "string"), (dt.datetime, "datetime")):
        if present and all(isinstance(cell, kind) for cell in present):
            return typing.cast(ColumnType, name)
    if present and all(isinstance(cell, dt.date) for cell in present):
        return "date"
    if all(isinstance(cell, (int, float)) for cell in present):
        return "number"
    raise ValueError("a column holds cells of one type")


def _decode_cell(value: Json, kind: ColumnType) -> Cell:
    if value is None:
        return None
    if kind == "date":
        return dt.date.fromisoformat(str(value))
    if kind == "datetime":
        return dt.datetime.fromisoformat(str(value))
    return float(typing.cast(float, value)) if kind == "number" else typing.cast(Cell, value)


def _frozen(value: typing.Any, name: str) -> typing.Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} is NaN; a result says None where a value is undefined")
    if isinstance(value, np.ndarray):
        copy = value.copy()
        copy.flags.writeable = False
        return copy
    if isinstance(value, dict):
        return FrozenDict({key: _frozen(entry, name) for key, entry in value.items()})
    return tuple(_frozen(entry, name) for entry in value) if isinstance(value, list) else value


def _encode(value: typing.Any) -> Json:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # JSON has no infinity; float() reads these words back.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if hasattr(value, "to_dict"):
        return typing.cast(Json, value.to_dict())
    if isinstance(value, Mapping):
        return {str(key): _encode(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return [_encode(entry) for entry in value.tolist()]
    if isinstance(value, (tuple, list)):
        return [_encode(entry) for entry in value]
    raise TypeError(f"a result holds builtins; got {type(value).__name__}")


def _decode(hint: typing.Any, value: typing.Any) -> typing.Any:
    """Read a JSON value as the type that its field declares."""
    if value is None:
        return None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode(next(option for option in arguments if option is not type(None)), value)
    if isinstance(value, Mapping) and "kind" in value:
        return from_dict(value)
    if hint in (Interval, Columns):
        return hint.from_dict(value)
    if hint in (dt.date, dt.datetime):
        return hint.fromisoformat(value)
    if hint is float:
        return float(value)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return FrozenDict({key: _decode(arguments[1], entry) for key, entry in value.items()})
    if origin is tuple:
        inner = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_decode(part, entry) for part, entry in zip(inner, value, strict=True))
    # From NumPy 2.5 on NDArray is an alias of its own.
    if hint is np.ndarray or origin in (np.ndarray, NDArray):
        array = np.array([math.nan if entry is None else entry for entry in value] if value else [], dtype=float)
        return _frozen(array, "array")
    return value


def build_frame(columns: Columns, backend: str) -> pd.DataFrame | pl.DataFrame | pa.Table:
    name = _checks.choice(backend, BACKENDS, name="backend")
    if name == "pandas":
        return _pandas_frame(columns)
    try:
        module = importlib.import_module(name)
    except ImportError:
        raise _checks.missing_dependency(name, extra=name, purpose=f"to_frame(backend={name!r})") from None
    if name == "polars":
        dtypes = {
            "integer": module.Int64,
            "number": module.Float64,
            "string": module.String,
            "boolean": module.Boolean,
            "date": module.Date,
            "datetime": module.Datetime,
        }
        schema = {column: dtypes[kind] for column, kind in columns.types.items()}
        frame: pl.DataFrame = module.DataFrame({key: list(cells) for key, cells in columns.items()}, schema=schema)
        return frame
    arrow = {
        "integer": module.int64(),
        "number": module.float64(),
        "string": module.string(),
        "boolean": module.bool_(),
        "date": module.date32(),
        "datetime": module.timestamp("us"),
    }
    table: pa.Table = module.table(
        {key: module.array(list(cells), type=arrow[columns.types[key]]) for key, cells in columns.items()}
    )
    return table


def _pandas_frame(columns: Columns) -> pd.DataFrame:
    import pandas as pd

    series = {}
    for name, cells in columns.items():
        kind, complete = columns.types[name], None not in cells
        dtype = {
            "integer": "int64" if complete else "Int64",
            "number": "float64",
            "string": "str",
            "boolean": "bool" if complete else "boolean",
            "date": "datetime64[s]",
            "datetime": "datetime64[us]",
        }[kind]
        series[name] = pd.Series(list(cells), dtype=dtype)
    return pd.DataFrame(series)


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Interval):
        return f"[{value.low:.6g}, {value.high:.6g}] ({value.level:g}, {value.method})"
    if isinstance(value, np.ndarray):
        return f"<array of shape {value.shape}>"
    if isinstance(value, Mapping) and any(isinstance(entry, np.ndarray) for entry in value.values()):
        return "{" + ", ".join(f"{key!r}: {_brief(entry)}" for key, entry in value.items()) + "}"
    return repr(value)


def _html_table(columns: Columns, most: int = 200) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell_text(cell))}</td>" for cell in row.values()) + "</tr>"
        for row in columns.rows()[:most]
    )
    more = f"<tr><td>… {columns.height - most} more rows</td></tr>" if columns.height > most else ""
    return f"<tr>{head}</tr>{body}{more}"


def _cell_text(cell: Cell) -> str:
    if cell is None:
        return "–"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
