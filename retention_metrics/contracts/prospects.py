"""Which prospects qualify, and by how much the others fall short: the list to nurture until it qualifies."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from retention_metrics import _checks
from retention_metrics._engine import prospects as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.prospects import SIGNS, Criterion
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, Result, TableResult, result

__all__ = ["ProspectCounts", "QualifiedProspects", "qualify"]

Rule = tuple[str, float | str | Sequence[str]]


@result
class ProspectCounts(TableResult):
    """How many prospects qualify, and how many miss each criterion.

    The columns: ``criterion``, the column; ``rule``; ``met``; ``falls_short``; ``unknown``, where the value is missing;
    ``total_shortfall``, summed over those who fall short, null where the rule is no order.

    Attributes
    ----------
    estimate : float
        Share of the prospects that meet every criterion.
    prospects, qualified, falls_short, unknown : int
        All of them, and how many meet all criteria, fail one, or cannot be judged.
    borderline : int
        Prospects whose spend lies within the interval of the least spend.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> leads = pd.DataFrame({"who": list("abc"), "budget": [5_000, 1_000, None]})
    >>> counts = contracts.qualify(leads, spend="budget", minimum_spend=3_000).counts
    >>> counts.qualified, counts.falls_short, counts.unknown
    (1, 1, 1)
    """

    kind: ClassVar[str] = "contracts.qualify"

    prospects: int
    qualified: int
    falls_short: int
    unknown: int
    borderline: int

    def explain(self) -> Explanation:
        """The share that qualifies.

        Returns
        -------
        Explanation
            The last step gives the share.
        """
        return Explanation(
            formula="share qualified = prospects who meet every criterion / prospects",
            values={"qualified": self.qualified, "prospects": self.prospects},
            steps=(Step(name="share_qualified", expression="qualified / prospects"),),
            source="Definition of a proportion.",
        )


@dataclass(frozen=True, kw_only=True)
class QualifiedProspects(CustomerTable):
    """The prospects with what each falls short of.

    Attributes
    ----------
    counts : ProspectCounts
        How many qualify, and how many miss each criterion.
    """

    counts: ProspectCounts


def qualify(
    prospects: NativeFrame,
    *,
    spend: str,
    minimum_spend: float | Result,
    criteria: Mapping[str, Rule] | None = None,
) -> QualifiedProspects:
    """Which prospects spend enough and meet any further criteria.

    Parameters
    ----------
    prospects : dataframe
        One row per prospect: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    spend : str
        Column of the monthly spend.
    minimum_spend : float or Result
        The least monthly spend, at least 0, such as what ``contracts.minimum_spend`` gives.
    criteria : mapping of str to tuple, optional
        Further rules by column: a sign among ``">=", ">", "<=", "<", "==", "in"``, and a number, a value or a list of
        values. For instance ``{"visits": (">=", 1_000), "country": ("in", ["SA", "AE"])}``.

    Returns
    -------
    QualifiedProspects
        All rows and columns of the prospects, in their kind of frame, with ``status`` (``"qualified"``,
        ``"falls_short"``, or ``"unknown"`` where a value is missing and nothing else fails), ``reasons`` (the columns
        that fail or are missing, null for the qualified), ``<column>_shortfall`` for every rule that is an order, and,
        where the least spend has an interval, ``borderline``: the spend lies within it. ``.counts`` sums up.

    Raises
    ------
    InputError
        If there is no prospect, a rule is not one, or the frame has a column of a name that would be added.
    ColumnError
        If a column is missing, or holds no numbers where it must.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> least = contracts.minimum_spend(
    ...     fee_rate=0.10, monthly_churn=0.10, acquisition_cost=2_000, monthly_service_cost=100, horizon_months=24
    ... )
    >>> leads = pd.DataFrame({"who": ["a", "b", "c"], "budget": [9_000, 2_000, 1_500], "visits": [50, 900, 20]})
    >>> table = contracts.qualify(leads, spend="budget", minimum_spend=least, criteria={"visits": (">=", 40)})
    >>> table.frame[["who", "status", "reasons"]].values.tolist()[1:]
    [['b', 'falls_short', 'budget'], ['c', 'falls_short', 'budget; visits']]
    >>> table.frame["budget_shortfall"].round().tolist()
    [0.0, 1173.0, 1673.0]
    """
    given = minimum_spend if isinstance(minimum_spend, Result) else None
    least = _checks.non_negative(float(given) if given is not None else minimum_spend, name="minimum_spend")
    rules = [Criterion(_named(spend), ">=", least), *_criteria(criteria)]
    interval = given.interval if given is not None else None

    found = engine.qualify(prospects, rules, borderline=None if interval is None else (interval.low, interval.high))

    counts = _counted(found, rules)
    return QualifiedProspects(
        frame=found.frame,
        definition="contracts.qualify/every-criterion",
        excluded={},
        notes=counts.notes,
        counts=counts,
    )


def _named(spend: object) -> str:
    if not isinstance(spend, str):
        raise InputError(f"spend= holds a column name; got {spend!r}.", argument="spend")
    return spend


def _criteria(criteria: object) -> list[Criterion]:
    if criteria is None:
        return []
    if not isinstance(criteria, Mapping):
        raise InputError(
            f"criteria maps columns to rules; got {criteria!r}.",
            argument="criteria",
            fix="For instance {'visits': ('>=', 1_000)}.",
        )
    return [_criterion(column, rule) for column, rule in criteria.items()]


def _criterion(column: object, rule: object) -> Criterion:
    if not isinstance(column, str) or not isinstance(rule, tuple) or len(rule) != 2:
        raise InputError(
            f"a rule is a sign and a limit, such as ('>=', 1_000); got {rule!r} for {column!r}.", argument="criteria"
        )
    sign = _checks.choice(rule[0], SIGNS, name=f"the sign of {column!r}")
    limit = rule[1]
    if sign == "in":
        if isinstance(limit, str) or not isinstance(limit, Sequence) or not limit:
            raise InputError(f"'in' takes a list of values; got {limit!r} for {column!r}.", argument="criteria")
        return Criterion(column, sign, tuple(limit))
    if sign == "==":
        if isinstance(limit, numbers.Real) and not math.isfinite(float(limit)):
            raise InputError(f"the limit of {column!r} is finite; got {limit!r}.", argument="criteria")
        return Criterion(column, sign, limit)
    return Criterion(column, sign, _checks.number(limit, name=f"the limit of {column!r}"))


def _counted(found: engine.Qualified, rules: Sequence[Criterion]) -> ProspectCounts:
    short = [found.prospects - met - gone for met, gone in zip(found.met, found.missing, strict=True)]
    notes = []
    if found.borderline:
        notes.append(f"The spend of {found.borderline} of {found.prospects} lies within the least spend's interval.")
    return ProspectCounts(
        estimate=found.qualified / found.prospects,
        unit="share",
        definition="contracts.qualify/every-criterion",
        notes=tuple(notes),
        backend=found.backend,
        columns=Columns(
            {
                "criterion": [rule.column for rule in rules],
                "rule": [rule.words for rule in rules],
                "met": found.met,
                "falls_short": short,
                "unknown": found.missing,
                "total_shortfall": [
                    total if rule.ordered else None for rule, total in zip(rules, found.shortfall, strict=True)
                ],
            },
            {"total_shortfall": "number"},
        ),
        prospects=found.prospects,
        qualified=found.qualified,
        falls_short=found.prospects - found.qualified - found.unknown,
        unknown=found.unknown,
        borderline=found.borderline,
    )
