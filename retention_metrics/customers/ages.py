"""Spend with age: whether those who stay spend more, or those who spend little leave."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import activity
from retention_metrics._engine import ages as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import Duplicates
from retention_metrics._stats import ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.periods import Period, PeriodUnit, date_of, period_of
from retention_metrics.results import Columns, ColumnType, TableResult, result

__all__ = ["SpendByAge", "spend_by_age"]


@result
class SpendByAge(TableResult):
    """Spend per customer by age, taken apart into growth and leaving."""

    kind: ClassVar[str] = "customers.spend_by_age"

    def explain(self) -> Explanation:
        """Why spend per active customer moves from one age to the next."""
        return Explanation(
            formula="stayer growth = spend of those active at both ages, now / then; "
            "leaving effect = mean spend then of those who stayed / of all who were active",
            values={"ages": len(self.rows())},
            steps=(),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


def spend_by_age(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    period: PeriodUnit | Period = "quarter",
    as_of: str | dt.date | None = None,
    by: str | None = None,
    cohorts: bool = False,
    category: str | None = None,
    discount: str | None = None,
    duplicates: Duplicates = "keep",
    level: float | None = 0.95,
) -> SpendByAge:
    """Spend per customer by age, with the growth of those who stay told apart.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money; returns are taken off, and who only gave back is left out.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "quarter"
        Age is counted in calendar periods since that of the first purchase.
    as_of : date, optional
        End of observation; by default the last day of the log. Periods not observed to their end are left out.
    by : str, optional
        Column of a group of purchases, such as their category: a row per group and age, the age that of the customer.
        The ``spend_per_customer`` of the groups add up to that of all.
    cohorts : bool, default False
        A row per period of the first purchase and age, under ``cohort``; in place of ``by``.
    category : str, optional
        Column of what was bought; adds the mean number of distinct ones per active customer.
    discount : str, optional
        Column of true and false, or of the discount's amount; adds the share of spend bought at a discount.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    SpendByAge
        A row per age: ``age, customers`` (observed to its end), ``active`` (with a purchase or a return),
        ``spend_per_customer, spend_per_active``, each of the two with ``_low`` and ``_high``, and against the age
        before ``stayers`` (active at both),
        ``stayer_growth, low, high`` and ``leaving_effect``; with ``category`` also ``categories, categories_low,
        categories_high``, and with ``discount`` ``discount_share, discount_low, discount_high``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If no period has been observed to its end, or ``by`` and ``cohorts`` are both given.

    Notes
    -----
    Spend per active customer can rise with age though nobody spends more, where small customers leave.
    ``stayer_growth`` is a ratio of sums over the customers active at both ages; its interval, like all here, is
    Student's on the log scale with the jackknife's error by customer and Satterthwaite's degrees of freedom [1]_;
    ``leaving_effect`` is what they spent at the age before over what all who were active then spent, per head: above
    1 where small customers leave. In the first period a customer has had only the days after the first purchase, so
    its spend is not that of a whole period. Categories and the share at a discount are ratios of sums over the active
    customers; returns count in neither.

    References
    ----------
    .. [1] Pan, W. and Wall, M. M. (2002). Small-sample adjustments in using the sandwich variance estimator in
       generalized estimating equations. *Statistics in Medicine* 21(10), 1429-1441.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> row = rm.customers.spend_by_age(rm.datasets.cdnow(), **roles).rows()[2]
    >>> row["age"], row["stayers"], round(row["stayer_growth"], 2), round(row["leaving_effect"], 2)
    (2, 214, 0.97, 1.24)
    >>> log = rm.datasets.cdnow().assign(cheap=lambda rows: rows["amount"] / rows["quantity"] < 12)
    >>> first, second = rm.customers.spend_by_age(log, **roles, discount="cheap").rows()[:2]
    >>> round(first["discount_share"], 2), round(second["discount_share"], 2), round(second["discount_high"], 2)
    (0.14, 0.12, 0.16)
    """
    content, steps = _checks.level(level), period_of(period)
    if by is not None and cohorts:
        raise InputError("by= and cohorts= exclude each other.", argument="by")

    roles = {"customer": customer, "time": time, "value": value, "by": by, "category": category, "discount": discount}
    log = engine.read(transactions, roles, as_of=as_of, period=steps, cohorts=cohorts, duplicates=duplicates)
    rows = _rows(engine.age_sums(log), log, content)
    if not rows:
        raise InputError("no period has been observed to its end.", argument="as_of", count=0)

    integers = ("age", "customers", "active", "stayers")
    types: dict[str, ColumnType] = {name: "integer" if name in integers else "number" for name in rows[0]}
    types |= {"cohort": "date"} if cohorts else {}
    names = list(types)
    if by is not None:
        del types["group"]
    return SpendByAge(
        columns=Columns({name: [row[name] for row in rows] for name in names}, types),
        unit="money",
        definition=f"customers.spend_by_age/{steps.unit}",
        excluded=log.excluded,
        notes=("The first period counts from the first purchase, so it is not a whole one.", *log.notes),
        backend=log.source.backend,
    )


def _rows(found: engine.AgeSums, log: engine.Purchases, level: float | None) -> list[dict[str, Any]]:
    groups = activity.in_order([group for group, _ in found.here])
    ages = sorted({age for _, age in found.here})
    return [
        {**_name_of(group, log), **_row(age, group, found, log, level)}
        for group in groups
        for age in ages
        if (group, age) in found.here
    ]


def _name_of(group: Any, log: engine.Purchases) -> dict[str, Any]:
    if log.by == "start":
        return {"cohort": date_of(int(log.period.first_day(np.array([group]))[0]))}
    return {"group": group} if log.by else {}


def _row(age: int, group: Any, found: engine.AgeSums, log: engine.Purchases, level: float | None) -> dict[str, Any]:
    here = found.here[group, age]
    mine = [group] if log.by == "start" else list(found.starts)
    customers = sum(found.starts[start] for start in mine if start + age < found.until)
    row: dict[str, Any] = {
        "age": age,
        "customers": customers,
        "active": int(here["active"]),
        **_spend("spend_per_customer", here, customers, level),
        **_spend("spend_per_active", here, int(here["active"]), level),
        **dict.fromkeys(("stayers", "stayer_growth", "low", "high", "leaving_effect")),
    }
    if (group, age) in found.pairs:
        row |= _against_before(found.pairs[group, age], level)
    if log.source.has("category"):
        row |= _ratio("categories", "categories", [here[f"category_{name}"] for name in engine.SUMS], math.inf, level)
    if log.source.has("discount"):
        row |= _ratio("discount_share", "discount", [here[f"discount_{name}"] for name in engine.SUMS], 1.0, level)
    return row


def _ratio(name: str, ends_of: str, sums: list[float], most: float, level: float | None) -> dict[str, Any]:
    """A ratio of sums under its name, with both ends of its interval."""
    answer: dict[str, Any] = {name: None, f"{ends_of}_low": None, f"{ends_of}_high": None}
    pair = ratios.PairSums(int(sums[0]), *sums[1:])
    if not pair.x > 0:
        return answer
    ends = ratios.ratio_interval(pair, level=level, most=most) if level and pair.ratio >= 0 else None
    answer[name] = pair.ratio
    if ends and math.isfinite(ends.high):
        answer |= {f"{ends_of}_low": ends.low, f"{ends_of}_high": ends.high}
    return answer


def _spend(name: str, here: Mapping[str, float], customers: int, level: float | None) -> dict[str, Any]:
    """Spend per customer, of whom those who were not active spent nothing."""
    sums = [here[f"spend_{each}"] if "y" in each else customers for each in engine.SUMS[1:]]
    return _ratio(name, name, [customers, *sums], math.inf, level)


def _against_before(sums: Mapping[str, float], level: float | None) -> dict[str, Any]:
    stayers = int(sums["n"])
    answer: dict[str, Any] = {"stayers": stayers}
    if not stayers or not sums["x"] > 0:
        return answer
    pair = ratios.PairSums(stayers, *(sums[name] for name in engine.SUMS[1:]))
    answer["stayer_growth"] = pair.ratio
    ends = ratios.ratio_interval(pair, level=level, most=math.inf) if level and pair.ratio > 0 else None
    if ends and math.isfinite(ends.high):
        answer["low"], answer["high"] = ends.low, ends.high
    if sums["spent_before"] > 0:
        answer["leaving_effect"] = (sums["x"] / stayers) / (sums["spent_before"] / sums["active_before"])
    return answer
