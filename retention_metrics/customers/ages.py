"""Spend with age: whether those who stay spend more, or those who spend little leave."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import customers as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.periods import Period, PeriodUnit, period_of
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
    level: float | None = 0.95,
) -> SpendByAge:
    """Spend per customer by age, with the growth of those who stay told apart.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money; returns are taken off.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "quarter"
        Age is counted in calendar periods since that of the first purchase.
    as_of : date, optional
        End of observation; by default the last day of the log. Periods not observed to their end are left out.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    SpendByAge
        A row per age: ``age, customers`` (observed to its end), ``active, spend_per_customer, spend_per_active``, and
        against the age before ``stayers`` (active at both), ``stayer_growth, low, high`` and ``leaving_effect``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If no period has been observed to its end.

    Notes
    -----
    Spend per active customer can rise with age though nobody spends more, where small customers leave.
    ``stayer_growth`` is a ratio of sums over the customers active at both ages, with the ratio estimator's interval;
    ``leaving_effect`` is what they spent at the age before over what all who were active then spent, per head: above
    1 where small customers leave. In the first period a customer has had only the days after the first purchase, so
    its spend is not that of a whole period.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> row = rm.customers.spend_by_age(rm.datasets.cdnow(), **roles).rows()[2]
    >>> row["age"], row["stayers"], round(row["stayer_growth"], 2), round(row["leaving_effect"], 2)
    (2, 214, 0.97, 1.24)
    """
    content, steps = _checks.level(level), period_of(period)

    people = engine.with_period(transactions, customer=customer, time=time, value=value, as_of=as_of, period=steps)
    found = engine.age_sums(people, steps)
    rows = _rows(found, content)
    if not rows:
        raise InputError("no period has been observed to its end.", argument="as_of", count=0)

    integers = ("age", "customers", "active", "stayers")
    types: dict[str, ColumnType] = {name: "integer" if name in integers else "number" for name in rows[0]}
    return SpendByAge(
        columns=Columns({name: [row[name] for row in rows] for name in types}, types),
        unit="money",
        definition=f"customers.spend_by_age/{steps.unit}",
        excluded=people.excluded or {},
        notes=("The first period counts from the first purchase, so it is not a whole one.",),
        backend=people.source.backend,
    )


def _rows(found: dict[str, list[Any]], level: float | None) -> list[dict[str, Any]]:
    until = found["until"][0]
    starts = dict(zip(found["start_start"], found["start_customers"], strict=True))
    pairs = {age: place for place, age in enumerate(found["pair_age"])}
    rows = []
    for age, active, spent in sorted(zip(found["age"], found["active"], found["spent"], strict=True)):
        customers = int(sum(count for start, count in starts.items() if start + age < until))
        row: dict[str, Any] = {
            "age": int(age),
            "customers": customers,
            "active": int(active),
            "spend_per_customer": spent / customers,
            "spend_per_active": spent / active,
            **dict.fromkeys(("stayers", "stayer_growth", "low", "high", "leaving_effect")),
        }
        if age in pairs:
            row |= _against_before({name: found[f"pair_{name}"][pairs[age]] for name in _SUMS}, level)
        rows.append(row)
    return rows


_SUMS = ("active_before", "spent_before", "n", "x", "y", "xx", "xy", "yy")


def _against_before(sums: dict[str, float], level: float | None) -> dict[str, Any]:
    stayers = int(sums["n"])
    answer: dict[str, Any] = {"stayers": stayers}
    if not stayers or not sums["x"] > 0:
        return answer
    pair = ratios.PairSums(stayers, *(float(sums[name]) for name in ("x", "y", "xx", "xy", "yy")))
    answer["stayer_growth"] = pair.ratio
    ends = ratios.ratio_interval(pair, level=level, most=math.inf) if level and pair.ratio > 0 else None
    if ends and np.isfinite(ends).all():
        answer["low"], answer["high"] = ends
    if sums["spent_before"] > 0:
        answer["leaving_effect"] = (sums["x"] / stayers) / (sums["spent_before"] / sums["active_before"])
    return answer
