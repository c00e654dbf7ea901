"""The retention rate, from counts and period by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import activity, subscriptions
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Moment, Period, PeriodUnit, date_of, moment, period_of
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Proportion, TableResult, result

LOG_START = (
    "The log's first period has no period before it: its customers may be new or old, so `new` is null. "
    "Give since= or joined= to tell them apart."
)
_SOURCE = "Share of the customers at the start who are still there at the end; new customers do not count."


@result
class RetentionRate(Proportion):
    """Share of the customers at the start who are left at the end.

    Attributes
    ----------
    start, end, new : int
        Customers at the start, at the end, and those at the end who joined in between.
    """

    kind: ClassVar[str] = "retention.rate"

    start: int
    end: int
    new: int

    def explain(self) -> Explanation:
        """(end - new) / start, step by step."""
        return Explanation(
            formula="retention rate = (end - new) / start",
            values={"start": self.start, "end": self.end, "new": self.new},
            steps=(Step(name="retained", expression="end - new"), Step(name="rate", expression="retained / start")),
            source=_SOURCE,
        )


def rate(
    *, start: int, end: int, new: int = 0, level: float | None = 0.95, method: stats.ProportionMethod = "wilson"
) -> RetentionRate:
    """Retention rate from three counts, with its interval.

    Parameters
    ----------
    start : int
        Customers at the start of the period.
    end : int
        Customers at its end.
    new : int, default 0
        Those of ``end`` who joined in the period and are still there at its end.
    level : float or None, default 0.95
        Probability content of the interval, in (0, 1); None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    RetentionRate
        ``estimate`` as a share from 0 to 1; None, with a note, where nobody was there at the start.

    Raises
    ------
    InputError
        If a count is negative or not whole, or end - new lies outside 0..start.

    Notes
    -----
    rate = (end - new) / start. From ids (``by_period``, ``from_subscriptions``) a customer who left and came
    back within the period is retained, and one who joined and left again is in none of the counts. From counts
    the two agree as long as ``new`` counts the joiners who are still there. They part when it counts all who
    joined: of 100 customers 12 leave and 2 of those return, 20 join and 2 of them leave again. By id 90 are
    retained of 100, with 108 at the end and 18 new: 0.90. Counting all 20 joiners as new gives
    (108 - 20) / 100 = 0.88, too low by those who joined and left.

    The customers of a whole company are no sample. The interval then speaks of the rate behind them: what the
    same process would show in another period of the same kind.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal
       of the American Statistical Association* 22(158), 209-212.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> result = rm.retention.rate(start=100, end=90)
    >>> result.estimate
    0.9
    >>> round(result.interval.low, 4), round(result.interval.high, 4)
    (0.8256, 0.9448)
    """
    at_start, at_end = _checks.count(start, name="start"), _checks.count(end, name="end")
    joined = _checks.count(new, name="new")
    level = _checks.level(level)
    method = _checks.choice(method, stats.PROPORTION_METHODS, name="method")
    retained = at_end - joined
    if not 0 <= retained <= at_start:
        raise InputError(
            f"end - new is from 0 to start; got end={at_end}, new={joined}, start={at_start}.",
            argument="new",
            fix="new counts the joiners who are still there at the end.",
        )

    low, high = stats.share_interval(retained, at_start, level=level or 0.95, method=method)
    known = at_start > 0

    return RetentionRate(
        estimate=retained / at_start if known else None,
        interval=Interval(low=float(low), high=float(high), level=level, method=method) if known and level else None,
        unit="share",
        definition="retention.rate/start-cohort",
        notes=() if known else ("Nobody was there at the start, so the rate is undefined.",),
        status="ok" if known else "no_customers",
        numerator=retained,
        denominator=at_start,
        start=at_start,
        end=at_end,
        new=joined,
    )


@result
class PeriodTable(TableResult):
    """Retention period by period.

    Attributes
    ----------
    columns : Columns
        ``period, start_customers, retained, lost, new, returned, end_customers, rate, low, high, status``, after
        ``group`` with ``by=``.
    period : str
        Unit of the periods.
    as_of : date
        End of observation.
    level : float or None
        Probability content of the intervals.
    method : str
        How the intervals are computed.
    """

    kind: ClassVar[str] = "retention.by_period"

    period: str
    as_of: dt.date
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """The rate of the last period that is complete."""
        complete = [row for row in self.rows() if row["status"] == "ok"]
        values: dict[str, Any] = {"start_customers": None, "retained": None}
        if complete:
            values = {name: complete[-1][name] for name in ("start_customers", "retained")}
        return Explanation(
            formula="rate = retained / start_customers, for each period; here the last complete one",
            values=values,
            steps=(Step(name="rate", expression="retained / start_customers"),),
            source=_SOURCE,
        )


def by_period(
    events: NativeFrame,
    *,
    customer: str,
    time: str,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    since: str | dt.date | None = None,
    joined: str | None = None,
    by: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> PeriodTable:
    """Retention rate of every calendar period, from an event log.

    Parameters
    ----------
    events : dataframe
        A row per event (an order, a visit): pandas, Polars, PyArrow or a DuckDB relation.
    customer, time : str
        Columns of the customer and of the time.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods; a customer with an event in one was active in it.
    as_of : date, optional
        End of observation, through the end of that day; by default the last day of the log.
    since : date, optional
        Customers first seen before it are old: their first appearance is not ``new``.
    joined : str, optional
        Column of the date on which the customer really joined.
    by : str, optional
        Column of a group; each group is counted on its own rows, and rows without one are counted in ``excluded``.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    PeriodTable
        A row per period. ``rate = retained / start_customers``: of the customers active in the period before,
        the share active in this one. Always start = retained + lost, and end = retained + returned + new.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or holds no dates.
    InputError
        If a date is unreadable, or nothing is left to count.

    Notes
    -----
    A period that was not observed to its end has status ``"incomplete"``, one with nobody at its start
    ``"no_customers"``, and the log's first period ``"log_start"``; their rates are null.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> visits = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "a", "c", "a", "b"],
    ...         "day": pd.to_datetime(
    ...             ["2024-01-03", "2024-01-09", "2024-02-01", "2024-02-05", "2024-03-09", "2024-03-31"]
    ...         ),
    ...     }
    ... )
    >>> table = rm.retention.by_period(visits, customer="who", time="day", since="2024-01-01")
    >>> table.to_frame()[["start_customers", "retained", "lost", "new", "returned", "end_customers"]].values.tolist()
    [[0, 0, 0, 2, 0, 2], [2, 1, 1, 1, 0, 2], [2, 1, 1, 0, 1, 2]]
    """
    calendar = period_of(period)
    first_seen = _since(since, calendar)
    level = _checks.level(level)
    method = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    log = activity.read(
        events, customer=customer, time=time, joined=joined, by=by, period=calendar, as_of=as_of, since=first_seen
    )
    if joined is not None:
        activity.refuse_late_joiners(log)
    counts = activity.period_counts(log, since=first_seen, joined=joined is not None)
    known_start = first_seen is not None and first_seen.day <= log.first_day
    rows, notes = _period_rows(counts, log, known_start=known_start, known_new=known_start or joined is not None)

    return _period_table(
        rows,
        calendar,
        log.as_of,
        level=level,
        method=method,
        definition="retention.by_period/active-in-period",
        excluded=log.excluded,
        notes=notes,
        grouped=log.grouped,
        backend=log.backend,
    )


def _since(since: str | dt.date | None, period: Period) -> Moment | None:
    return None if since is None else moment(since, name="since", tz=period.tz)


Row = dict[str, Cell]


def _period_rows(
    counts: Mapping[str, Sequence[Any]], log: activity.Activity, *, known_start: bool, known_new: bool
) -> tuple[list[Row], tuple[str, ...]]:
    """One row per group and period from the log's first to that of ``as_of``, empty periods included."""
    calendar = log.period
    opening, closing = calendar.index_of(np.array([log.first_day, log.as_of.day])).tolist()
    cells = {
        (group, index): (active, retained, new)
        for group, index, active, retained, new in zip(
            *(counts[name] for name in ("by", "period", "active", "retained", "new")), strict=True
        )
    }
    rows: list[Row] = []
    for group in activity.in_order(group for group, _ in cells):
        before = 0
        for index in range(opening, closing + 1):
            active, retained, new = cells.get((group, index), (0, 0, 0))
            row = _period_row(index, calendar, log.as_of, before, int(active), int(retained), int(new))
            if index == opening and not known_start:
                row |= {"status": "log_start" if row["status"] != "incomplete" else "incomplete"}
                row |= {"new": int(new) if known_new else None, "returned": int(active) - int(new) if known_new else 0}
            rows.append({"group": group, **row})
            before = int(active)
    return rows, () if known_start or known_new else (LOG_START,)


def _period_row(index: int, calendar: Period, as_of: Moment, start: int, end: int, retained: int, new: int) -> Row:
    first, after = calendar.first_day(np.array([index, index + 1])).tolist()
    status = "incomplete" if after > as_of.observed_until else "ok" if start else "no_customers"
    return {
        "period": date_of(first),
        "start_customers": start,
        "retained": retained,
        "lost": start - retained,
        "new": new,
        "returned": end - retained - new,
        "end_customers": end,
        "status": status,
    }


_PERIOD_TYPES: dict[str, ColumnType] = {
    "period": "date",
    "start_customers": "integer",
    "retained": "integer",
    "lost": "integer",
    "new": "integer",
    "returned": "integer",
    "end_customers": "integer",
    "rate": "number",
    "low": "number",
    "high": "number",
    "status": "string",
}


def _period_table(
    rows: list[Row],
    calendar: Period,
    as_of: Moment,
    *,
    level: float | None,
    method: stats.ProportionMethod,
    definition: str,
    excluded: Mapping[str, int],
    notes: tuple[str, ...],
    grouped: bool,
    backend: str,
    extra: tuple[str, ...] = (),
) -> PeriodTable:
    names = [name for name in _PERIOD_TYPES if name not in ("rate", "low", "high", "status")]
    columns: dict[str, Sequence[Any]] = {"group": [row["group"] for row in rows]} if grouped else {}
    columns |= {name: [row[name] for row in rows] for name in (*names, *extra)}
    columns |= rates(
        columns["retained"],
        columns["start_customers"],
        [str(row["status"]) for row in rows],
        level=level,
        method=method,
    )
    columns["status"] = [row["status"] for row in rows]
    return PeriodTable(
        columns=Columns(columns, {**_PERIOD_TYPES, **dict.fromkeys(extra, "integer")}),
        unit="share",
        definition=definition,
        excluded=excluded,
        notes=notes,
        period=calendar.unit,
        as_of=as_of.date,
        level=level,
        method=method,
        backend=backend,
    )


def rates(
    numerators: Sequence[Any],
    denominators: Sequence[Any],
    statuses: Sequence[str],
    *,
    level: float | None,
    method: stats.ProportionMethod,
    answered: tuple[str, ...] = ("ok",),
) -> dict[str, list[float | None]]:
    """The columns ``rate, low, high``: null where the status says that there is no answer."""
    known = np.array([status in answered for status in statuses], dtype=bool)
    x = np.where(known, np.array([cell or 0 for cell in numerators], dtype=np.float64), 0.0)
    n = np.where(known, np.array([cell or 0 for cell in denominators], dtype=np.float64), 1.0)
    low, high = stats.share_interval(x, n, level=level or 0.95, method=method)
    columns = {"rate": x / n, "low": low, "high": high}
    return {
        name: [
            float(value) if answer and (level or name == "rate") else None
            for value, answer in zip(values, known, strict=True)
        ]
        for name, values in columns.items()
    }


def from_subscriptions(
    subscriptions_frame: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    by: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> PeriodTable:
    """Retention rate of every calendar period, from subscription intervals.

    Parameters
    ----------
    subscriptions_frame : dataframe
        A row per subscription; a customer may have several.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods.
    as_of : date, optional
        End of observation; by default the last date in either column. Ends after it have not happened yet.
    by : str, optional
        Column of a group; each group is counted on its own rows, and rows without one are counted in ``excluded``.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    PeriodTable
        As ``by_period`` gives, with ``joined_and_left``: customers who joined in the period and were gone at
        its last instant. ``start_customers`` are those subscribed at the last instant of the period before; who
        left and came back within the period is retained.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or holds no dates.
    InputError
        If an interval ends before it starts, or nothing is left to count.

    Notes
    -----
    A customer is in the end state of a period when subscribed at its last instant, so an end on the first day
    of a period is churn of that period. Intervals of no length are excluded and counted.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "c"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-02-05"]),
    ...         "until": pd.to_datetime([None, "2024-02-10", "2024-02-20"]),
    ...     }
    ... )
    >>> table = rm.retention.from_subscriptions(plans, customer="who", start="from", end="until", as_of="2024-02-29")
    >>> table.rows()[-1]["retained"], table.rows()[-1]["lost"], table.rows()[-1]["joined_and_left"]
    (1, 1, 1)
    """
    calendar = period_of(period)
    level = _checks.level(level)
    method = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    columns = {"customer": customer, "start": start, "end": end, "by": by}
    log = subscriptions.read(
        once(subscriptions_frame, columns), customer=customer, start=start, end=end, by=by, period=calendar, as_of=as_of
    )
    rows = _subscription_rows(subscriptions.state_counts(log), log, calendar)

    return _period_table(
        rows,
        calendar,
        log.as_of,
        level=level,
        method=method,
        definition="retention.by_period/subscribed-at-end",
        excluded=log.excluded,
        notes=(),
        grouped=by is not None,
        backend=log.backend,
        extra=("joined_and_left",),
    )


def _subscription_rows(
    counts: Mapping[tuple[Any, int], tuple[int, int, int, int]], log: subscriptions.Subscriptions, calendar: Period
) -> list[Row]:
    rows: list[Row] = []
    for group in activity.in_order(group for group, _ in counts):
        before = 0
        for index in range(log.first_index, log.last_index + 1):
            active, retained, new, brief = counts.get((group, index), (0, 0, 0, 0))
            row = _period_row(index, calendar, log.as_of, before, active, retained, new)
            rows.append({"group": group, **row, "joined_and_left": brief})
            before = active
    return rows
