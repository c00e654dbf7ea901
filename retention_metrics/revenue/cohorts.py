"""Recurring revenue by the period in which customers began to pay."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from retention_metrics import _checks
from retention_metrics._engine import money
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import ratios
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, PeriodUnit, date_of
from retention_metrics.results import Columns, ColumnType, TableResult, result
from retention_metrics.revenue.movements import CUT, pricing_of, read_ledger

_TYPES: dict[str, ColumnType] = {
    "cohort": "date",
    "period": "date",
    "age": "integer",
    "customers": "integer",
    "opening": "number",
    "mrr": "number",
    **dict.fromkeys(("net_retention", "standard_error", "low", "high", "degrees_of_freedom"), "number"),
    "status": "string",
}
_AVERAGED: dict[str, ColumnType] = {
    **dict.fromkeys(("age", "cohorts", "customers"), "integer"),
    **dict.fromkeys(("opening", "mrr", "net_retention", "low", "high"), "number"),
}


@result
class RevenueRetentionCurve(TableResult):
    """Net revenue retention by age, of all cohorts that are old enough.

    Attributes
    ----------
    columns : Columns
        ``age, cohorts, customers, opening, mrr, net_retention, low, high``.
    period : str
        Unit of the ages.
    level : float or None
        Probability content of the intervals.
    """

    kind: ClassVar[str] = "revenue.retention_curve"

    period: str
    level: float | None

    def explain(self) -> Explanation:
        """The net retention at the last age."""
        last: dict[str, Any] = self.rows()[-1] if self.rows() else {}
        return Explanation(
            formula="net retention = revenue of the cohorts now / at age 0; here at the last age",
            values={name: last.get(name) for name in ("mrr", "opening")},
            steps=(Step(name="net_retention", expression="mrr / opening"),),
            source="Cochran, W. G. (1977). Sampling Techniques, sections 6.4 and 6.11: a stratum per cohort.",
        )


@result
class RevenueCohorts(TableResult):
    """Recurring revenue of every cohort in every period.

    Attributes
    ----------
    columns : Columns
        ``cohort, period, age, customers, opening, mrr, net_retention, standard_error, low, high, degrees_of_freedom,
        status``: customers and their revenue at age 0, the revenue now, and its share of the opening with the error of
        the ratio estimator and the interval of ``net_retention``, whose t has so many degrees of freedom.
    level : float or None
        Probability content of the intervals.
    period : str
        Unit of the periods.
    as_of : date
        End of observation.
    """

    kind: ClassVar[str] = "revenue.by_cohort"

    period: str
    as_of: dt.date
    level: float | None

    def average(self) -> RevenueRetentionCurve:
        """Net revenue retention by age, pooled over complete cells: every unit of revenue counts once.

        Returns
        -------
        RevenueRetentionCurve
            A row per age that at least one cohort has completed. The intervals take the cohorts' revenue at age 0 as
            given, and add up the errors of the cells; they are missing at age 0, where a cohort has one customer, and
            where the low end of a cell is 0.
        """
        cells = [row for row in self.rows() if row["status"] == "ok"]
        rows = [
            _pooled(age, [row for row in cells if row["age"] == age], self.level)
            for age in sorted({int(str(row["age"])) for row in cells})
        ]
        return RevenueRetentionCurve(
            columns=Columns({name: [row[name] for row in rows] for name in _AVERAGED}, _AVERAGED),
            unit="share",
            definition="revenue.by_cohort/average",
            excluded=self.excluded,
            notes=self.notes,
            period=self.period,
            level=self.level,
            backend=self.backend,
        )

    def explain(self) -> Explanation:
        """The net retention of the last complete cell."""
        complete = [row for row in self.rows() if row["status"] == "ok"]
        values: dict[str, Any] = {name: complete[-1][name] if complete else None for name in ("mrr", "opening")}
        return Explanation(
            formula="net retention = revenue of the cohort now / at age 0; here the last complete cell",
            values=values,
            steps=(Step(name="net_retention", expression="mrr / opening"),),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


def by_cohort(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    amount: str,
    every: str | float = "month",
    billing: str | None = None,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    subscription: str | None = None,
    currency: str | None = None,
    rates: Mapping[str, float] | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
    level: float | None = 0.95,
) -> RevenueCohorts:
    """Recurring revenue and net retention by cohort of first payment.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``movements``.
    customer, start, end, amount : str
        Columns of the customer, of the half-open interval [start, end) and of the price.
    every : str or float, default "month"
        What one price pays for.
    billing : str, optional
        Column of the same, where it differs from row to row.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods of cohorts and ages.
    as_of : date, optional
        End of observation, as for ``movements``.
    subscription : str, optional
        Column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, optional
        What one unit of each currency is worth in the currency of the answer.
    tax, discount, recurring, past_due : str, optional
        Columns as for ``movements``.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    RevenueCohorts
        A row per cohort and period from its first; a customer who comes back is in the first cohort still, so the
        cohorts of one period add up to the bridge's ``end_mrr``. An interval is missing at age 0, where the share is
        1 for certain, and where the customers do not vary, all have left, or there is one alone.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        As ``movements`` does.

    Notes
    -----
    The interval is that of ``net_retention``, on the log scale, with the customer as what varies [1]_. It holds for
    each cell alone: cells of one cohort are about the same customers, and rise and fall together.

    References
    ----------
    .. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=400, months=6, rng=2005)
    >>> table = rm.revenue.by_cohort(
    ...     plans, customer="customer_id", start="start", end="end", amount="amount", as_of="2022-06-30"
    ... )
    >>> first = [row for row in table.rows() if row["age"] == 5]
    >>> first[0]["customers"], round(first[0]["net_retention"], 3)
    (200, 0.931)
    >>> round(first[0]["low"], 3), round(first[0]["high"], 3)
    (0.82, 1.057)
    >>> pooled = table.average().rows()[2]
    >>> round(pooled["net_retention"], 3), round(pooled["low"], 3), round(pooled["high"], 3)
    (0.959, 0.903, 1.019)
    """
    content = _checks.level(level)
    roles = {
        "customer": customer,
        "start": start,
        "end": end,
        "amount": amount,
        "billing": billing,
        "subscription": subscription,
        "currency": currency,
        "tax": tax,
        "discount": discount,
        "recurring": recurring,
        "past_due": past_due,
    }
    pricing = pricing_of(every, rates, grace_days)
    ledger = read_ledger(subscriptions, roles, pricing=pricing, period=period, as_of=as_of)
    columns = _columns(money.cohort_sums(ledger, products=content is not None), ledger, content)
    return RevenueCohorts(
        columns=Columns(columns, _TYPES),
        unit="money per month",
        definition="revenue.by_cohort/first-payment",
        excluded=ledger.excluded,
        notes=(CUT.format(date=ledger.as_of.date),) if ledger.cut else (),
        period=ledger.period.unit,
        as_of=ledger.as_of.date,
        level=content,
        backend=ledger.backend,
    )


def _columns(sums: Mapping[str, Sequence[Any]], ledger: money.Ledger, level: float | None) -> dict[str, list[Any]]:
    names = ("delta", "customers", *(ratios.PRODUCTS[2:] if level else ()))
    cells = {
        (cohort, index): np.array(cell, dtype=np.float64)
        for cohort, index, *cell in zip(*(sums[name] for name in ("cohort", "period", *names)), strict=True)
    }
    rows = []
    for cohort in sorted({cohort for cohort, _ in cells}):
        opening, customers = cells[cohort, cohort][:2]
        now = np.zeros(len(names))
        for index in range(cohort, ledger.last_index + 1):
            now = now + cells.get((cohort, index), np.zeros(len(names)))
            day, first, after = ledger.period.first_day(np.array([cohort, index, index + 1])).tolist()
            status = "incomplete" if after > ledger.as_of.observed_until else "ok"
            products = now[2:].tolist() if level else [0.0] * len(ratios.PRODUCTS[2:])
            pair = ratios.PairSums(int(customers), opening / money.UNITS, now[0] / money.UNITS, *products)
            later = level is not None and index > cohort
            ends = ratios.ratio_interval(pair, level=level, most=np.inf) if level and later else None
            rows.append(
                (
                    date_of(day),
                    date_of(first),
                    index - cohort,
                    int(customers),
                    pair.x,
                    pair.y,
                    pair.ratio,
                    pair.standard_error if later else None,
                    ends.low if ends else None,
                    ends.high if ends else None,
                    pair.freedom if ends else None,
                    status,
                )
            )
    return {name: [row[place] for row in rows] for place, name in enumerate(_TYPES)}


def _added(cells: Sequence[Mapping[str, Any]], level: float) -> tuple[float, float]:
    """The error of the sum of what cells pay, and Satterthwaite's degrees of freedom of it."""
    low, mean, freedom, opening = (
        np.array([row[name] for row in cells], dtype=np.float64)
        for name in ("low", "net_retention", "degrees_of_freedom", "opening")
    )
    variance = (opening * mean * np.log(mean / low) / stats.t.ppf((1 + level) / 2, freedom)) ** 2
    return math.sqrt(variance.sum()), float(variance.sum() ** 2 / (variance**2 / freedom).sum())


def _pooled(age: int, cells: Sequence[Mapping[str, Any]], level: float | None) -> dict[str, Any]:
    opening, mrr = (sum(row[name] for row in cells) for name in ("opening", "mrr"))
    customers = sum(row["customers"] for row in cells)
    ratio = mrr / opening
    low = high = None
    moved = [row for row in cells if row["low"] is not None]
    # A low end of 0 is one too small to write, which does not tell the error that it came from.
    told = all(row["standard_error"] is not None and row["low"] != 0.0 for row in cells)
    if level is not None and moved and told:
        error, freedom = _added(moved, level)
        reach = float(stats.t.ppf((1 + level) / 2, freedom)) * error / mrr
        low, high = ratios.log_ends(ratio, reach, reach)
    return {
        "age": age,
        "cohorts": len(cells),
        "customers": customers,
        "opening": opening,
        "mrr": mrr,
        "net_retention": ratio,
        "low": low,
        "high": high,
    }
