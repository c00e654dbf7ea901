"""Lifetime value: what customers will buy, times what they spend, discounted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import frames, predictive
from retention_metrics.clv.fitting import Fit, Spread
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.posterior import Posterior
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import Regression, at_rows, base_of, columns_of, matrix_of
from retention_metrics.clv.spend_model import Money, SpendModel
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]
Timing = Literal["continuous", "end_of_period"]
Purchases = PurchaseModel | Regression[PurchaseModel] | Fit[PurchaseModel] | Fit[Regression[PurchaseModel]]
"""A model of purchases, with covariates or without, or its fit."""
Spend = SpendModel | Regression[GammaGamma] | Fit[SpendModel] | Fit[Regression[GammaGamma]]
"""A model of spend, with covariates or without, or its fit."""
PurchasePosterior = Posterior[PurchaseModel] | Posterior[Regression[PurchaseModel]]
"""A posterior of a model of purchases, with covariates or without."""
SpendPosterior = Posterior[GammaGamma] | Posterior[Regression[GammaGamma]]
"""A posterior of a model of spend, with covariates or without."""


def lifetime_value(
    purchases: Purchases | PurchasePosterior,
    spend: Spend | SpendPosterior,
    history: PurchaseHistory | object,
    *,
    horizon: float | Sequence[float] | Floats,
    discount_rate: float = 0.0,
    margin: float | str = 1.0,
    timing: Timing = "continuous",
    level: float | None = None,
    split: bool = False,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
) -> CustomerTable:
    """Expected discounted value of what each customer will buy.

    Parameters
    ----------
    purchases : BGNBD, Regression, Fit or Posterior
        Model of purchases, one of its kind, with covariates or without.
    spend : GammaGamma, Regression, Fit or Posterior
        Model of spend per purchase, with covariates or without; a Posterior with a Posterior.
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` or ``history``, or any frame with the columns named below; with the columns of the models'
        covariates beside them.
    horizon : float or array_like of float
        Time ahead of each customer's T, in the unit of the history, at least 0; infinite only with a discount. Several
        horizons give a column each.
    discount_rate : float, default 0
        Effective rate per unit of the history: for a yearly rate d and weeks, ``(1 + d)**(7 / 365.25) - 1``.
    margin : float or str, default 1
        Share of spend that is kept, at least 0, or the column that holds each customer's.
    timing : {"continuous", "end_of_period"}, default "continuous"
        ``"continuous"`` discounts each purchase from its own time, so that the value does not depend on the unit;
        ``"end_of_period"`` discounts all purchases of a unit of time from the unit's end, the convention of the
        lifetimes package.
    level : float, optional
        Probability content of intervals ``clv_low, clv_high``, in (0, 1); needs two Fits or two Posteriors.
    split : bool, default False
        Add ``expected_purchases`` (discounted like the value) and ``expected_value`` (spend per purchase), whose
        product with the margin is the value; each with its interval where a level is given.
    frequency, recency, T, monetary_value : str
        Columns of a plain frame.

    Returns
    -------
    CustomerTable
        The history's columns with ``clv``, in money, in the caller's kind of frame. With several horizons the columns
        are ``clv_12``, ``clv_52`` and so on, and a split's ``expected_purchases_12``, ``expected_purchases_52``.

    Raises
    ------
    InputError
        If a history cannot have happened, an argument is out of range, the unit of the model is not that of the
        history, or the mean spend of a customer is infinite (without repeat purchase it is for q of at most 1), or a
        covariate is missing or at a level that was not there when the model was fitted.
    ColumnError
        If a column is not there, a covariate among them.

    Notes
    -----
    ``margin * E[spend per purchase] * integral of (1 + discount_rate)**-t dE[purchases by T + t]``, with purchases
    and spend independent; a fit of spend says in the table's ``notes`` how far they were found to be. Intervals carry
    the uncertainty of both models' parameters by the delta method on the log scale; they are for the expectation, not
    for what a single customer will do. Two Posteriors are taken for independent: the value is the product of the means
    over their draws, of which 500 are used, and intervals are between quantiles.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
       base analysis. *Journal of Marketing Research* 42(4), 415-430.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> history = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86], "monetary_value": [22.35]})
    >>> purchases = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> spend = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> rm.clv.lifetime_value(purchases, spend, history, horizon=39).to_frame()["clv"].round(2).tolist()
    [30.24]
    """
    horizons = _horizons(horizon)
    force = float(np.log1p(_checks.non_negative(discount_rate, name="discount_rate")))
    by_column, content = isinstance(margin, str), _checks.level(level)
    kept = 1.0 if by_column else _checks.non_negative(margin, name="margin")
    when: Timing = _checks.choice(timing, ("continuous", "end_of_period"), name="timing")
    models = _models(purchases, spend, content)
    if when == "end_of_period" and np.isinf(max(horizons.values())):
        raise InputError("horizon is finite with timing='end_of_period'; got inf.", argument="horizon")
    roles = {"frequency": frequency, "recency": recency, "T": T, "monetary_value": monetary_value}
    covariates = columns_of(models.purchases, models.spend)
    table = frames.adopt(
        history, roles | ({"margin": margin} if isinstance(margin, str) else {}), covariates=covariates
    )
    table.needs_money()
    table.check_margin()
    base_of(models.purchases).check_unit(table.unit)

    posteriors = posteriors_of(purchases, spend)
    options: dict[str, Any] = {"horizons": horizons, "force": force, "timing": when, "margin": kept, "split": split}
    definition = f"clv.lifetime_value/{when}"
    found: _PointValue | predictive.PosteriorValue
    if posteriors is None:
        found = _PointValue(models, **options)
    else:
        found, definition = predictive.PosteriorValue(*posteriors, level=content, **options), f"{definition}/posterior"

    def formula(by: Mapping[str, Any]) -> dict[str, Any]:
        values = found.values(by)
        scaled = {name: cells * by["margin"] for name, cells in values.items()} if by_column else values
        return found.spend(by) | scaled

    notes = (*base_of(models.purchases).notes, *notes_of(spend))
    return table.with_answers_by(found.parts, definition=definition, notes=notes, formula=formula)


@dataclass(frozen=True, slots=True, eq=False)
class _Models:
    """Two models with the uncertainty of their parameters, where it is asked for."""

    purchases: PurchaseModel | Regression[PurchaseModel]
    spend: SpendModel | Regression[GammaGamma]
    purchases_spread: Spread[Any] | None
    spend_spread: Spread[Any] | None


@dataclass(frozen=True, slots=True, eq=False)
class _PointValue:
    """Value at one set of parameters, with intervals by the delta method."""

    models: _Models
    horizons: Mapping[str, float]
    force: float
    timing: Timing
    margin: float
    split: bool

    @property
    def money(self) -> Money:
        """Expected spend."""
        return Money(self.models.spend, self.models.spend_spread)

    def parts(self, x: Floats, t_x: Floats, age: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
        """What the formulas need of each history, and the purchases of a split."""
        matrix, spread = matrix_of(self.models.purchases, cells, x.size), self.models.purchases_spread
        own: PurchaseModel = at_rows(self.models.purchases, matrix)
        alive, found = own._alive(x, t_x, age), self.money.parts(x, cells)
        for suffix, horizon in self.horizons.items():
            how = (x, t_x, age, horizon, self.force, self.timing)
            bought = alive * own._ahead(*how)
            found[f"_worth{suffix}"] = self.margin * bought * found["_share"]
            if self.split:
                found[f"expected_purchases{suffix}"] = bought
            if spread is not None:
                found[f"_variance{suffix}"] = variance = spread.variance(partial(_log_expected, matrix=matrix, how=how))
                if self.split:
                    ends = spread.around_log(bought, variance)
                    found |= {
                        f"expected_purchases{suffix}_{end}": cells
                        for end, cells in zip(predictive.ENDS, ends, strict=True)
                    }
        return found

    def spend(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """The spend per purchase of a split."""
        return self.money.columns("expected_value", by, by["_share"], 0.0) if self.split else {}

    def values(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """Value over each horizon."""
        columns: dict[str, Any] = {}
        for suffix in self.horizons:
            columns |= self.money.columns(f"clv{suffix}", by, by[f"_worth{suffix}"], by.get(f"_variance{suffix}"))
        return columns


def _log_expected(model: Any, *, matrix: Floats, how: tuple[Any, ...]) -> Floats:
    """Log of the discounted expected purchases of customers with these covariates."""
    found: Floats = at_rows(model, matrix)._log_expected(*how)
    return found


def _horizons(horizon: object) -> dict[str, float]:
    """Horizons by the suffix of their columns: none for a single one."""
    if np.ndim(horizon) == 0:  # type: ignore[arg-type]
        return {"": _checks.number(horizon, name="horizon", low=0.0, allow_infinite=True)}
    listed = _checks.floats(horizon, name="horizon", low=0.0, allow_infinite=True)  # type: ignore[arg-type]
    found = {f"_{ahead:.12g}": float(ahead) for ahead in listed.reshape(-1)}
    if not found or len(found) < listed.size:
        raise InputError(f"horizon holds different lengths of time, at least one; got {horizon!r}.", argument="horizon")
    return found


def _models(purchases: object, spend: object, level: float | None) -> _Models:
    """The models of purchases and of spend, with their spread where a level asks for it."""
    buying, spending = models_of(purchases, spend)
    spreads = [_spread(given, level, name=name) for name, given in (("purchases", purchases), ("spend", spend))]
    return _Models(buying, spending, *spreads)


def models_of(purchases: object, spend: object) -> tuple[Any, Any]:
    """The models of purchases and of spend, from models, fits or posteriors."""
    found = []
    # The draws of a posterior are those of a Gamma-Gamma model; its limits serve as models and fits.
    kinds = PurchaseModel, GammaGamma if isinstance(spend, Posterior) else SpendModel
    for name, given, kind, words in zip(
        ("purchases", "spend"), (purchases, spend), kinds, ("PurchaseModel", "GammaGamma"), strict=True
    ):
        model: Any = given.model if isinstance(given, (Fit, Posterior)) else given
        if not isinstance(base_of(model), kind):
            raise InputError(f"{name} is a {words} or its Fit; got {type(model).__name__}.", argument=name)
        found.append(model)
    return found[0], found[1]


def notes_of(spend: object) -> tuple[str, ...]:
    """What a fit of spend says of its data: how far spend goes with frequency, which the value takes it not to."""
    return spend.notes if isinstance(spend, (Fit, Posterior)) else ()


def posteriors_of(purchases: object, spend: object) -> tuple[Posterior[Any], Posterior[Any]] | None:
    """Both where both are posteriors, none where none is."""
    given = [isinstance(one, Posterior) for one in (purchases, spend)]
    if not any(given):
        return None
    if not (isinstance(purchases, Posterior) and isinstance(spend, Posterior)):
        name = "spend" if given[0] else "purchases"
        raise InputError(f"{name} is a Posterior where the other model is one.", argument=name)
    return purchases, spend


def _spread(given: object, level: float | None, *, name: str) -> Spread[Any] | None:
    if level is None or isinstance(given, Posterior):
        return None
    if not isinstance(given, Fit):
        raise InputError(
            f"level={level} needs the uncertainty of a Fit; {name} is a {type(given).__name__} alone.", argument=name
        )
    return Spread(given.model, given.log_covariance, level)


@result
class SimpleValue(Result):
    """Value of a customer by the textbook formula.

    Attributes
    ----------
    margin : float
        Margin per period, in money.
    retention_rate : float
        Share of customers kept from one period to the next.
    discount_rate : float
        Effective rate per period.
    """

    kind = "clv.simple_value"

    margin: float
    retention_rate: float
    discount_rate: float

    def explain(self) -> Explanation:
        """The geometric sum and its value."""
        return Explanation(
            formula="value = margin * (1 + discount_rate) / (1 + discount_rate - retention_rate)",
            values={
                "margin": self.margin,
                "retention_rate": self.retention_rate,
                "discount_rate": self.discount_rate,
            },
            steps=(
                Step(name="kept_present", expression="retention_rate / (1 + discount_rate)"),
                Step(name="value", expression="margin / (1 - kept_present)"),
            ),
            source="Gupta & Lehmann (2003), Customers as assets, Journal of Interactive Marketing 17(1).",
        )


def simple_value(*, margin: float, retention_rate: float, discount_rate: float) -> SimpleValue:
    """Value of a customer with a constant margin and a constant retention rate.

    Parameters
    ----------
    margin : float
        Margin per period, in money, the first one now.
    retention_rate : float
        Share of customers kept from one period to the next, from 0 to 1.
    discount_rate : float
        Effective rate per period, at least 0.

    Returns
    -------
    SimpleValue
        ``estimate`` in money; None when nobody ever leaves and nothing is discounted, for then it is infinite.

    Raises
    ------
    InputError
        If the retention rate is no share or the discount rate is negative.

    Notes
    -----
    ``margin * sum over t = 0, 1, … of (retention_rate / (1 + discount_rate))**t``. A single retention rate for all
    customers understates the value of a mixed base, whose retention rises as those who leave easily have left [1]_.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils of
       ignoring heterogeneity. *Marketing Science* 29(1), 85-93.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> round(rm.clv.simple_value(margin=100, retention_rate=0.8, discount_rate=0.1).estimate, 2)
    366.67
    """
    gain = _checks.number(margin, name="margin")
    kept = _checks.share(retention_rate, name="retention_rate")
    rate = _checks.non_negative(discount_rate, name="discount_rate")

    endless = kept == 1 and rate == 0
    estimate = None if endless else gain / (1 - kept / (1 + rate))

    return SimpleValue(
        estimate=estimate,
        definition="clv.simple_value/constant-retention",
        notes=("Nobody leaves and nothing is discounted: the sum has no end.",) if endless else (),
        margin=gain,
        retention_rate=kept,
        discount_rate=rate,
    )
