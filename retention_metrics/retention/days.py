"""Day-N retention: who is back N days after the first event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

from retention_metrics import _checks
from retention_metrics._engine import activity
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.periods import Period, moment
from retention_metrics.results import Columns, ColumnType, TableResult, result
from retention_metrics.retention.cohorts import KINDS, SURVIVORS, Kind, _explain_cells
from retention_metrics.retention.rates import rates

LOG_START = "Customers who were there before the log starts count from their first event in it; give since= or joined=."
BIASED = "Unbounded returns are counted up to as_of, so older customers have had more time to come back."


@result
class DayTable(TableResult):
    """Day-N retention: D1, D7, ….

    Attributes
    ----------
    columns : Columns
        ``day, size, retained, rate, low, high, status``, after ``group`` with ``by=``; ``size`` counts the
        customers old enough to be observed on that day.
    retention_kind : str
        ``"classic"``, ``"unbounded"`` or ``"cumulative"``.
    as_of : date
        End of observation.
    level : float or None
        Probability content of the intervals.
    method : str
        How the intervals are computed.
    """

    kind: ClassVar[str] = "retention.day_n"

    retention_kind: str
    as_of: dt.date
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """The rate of the last day."""
        return _explain_cells(self.rows(), "rate = retained / size, among customers old enough")


def day_n(
    events: NativeFrame,
    *,
    customer: str,
    time: str,
    days: Sequence[int] = (1, 7, 30),
    kind: Kind = "classic",
    as_of: str | dt.date | None = None,
    since: str | dt.date | None = None,
    joined: str | None = None,
    by: str | None = None,
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> DayTable:
    """Day-N retention from an event log: D1, D7, D30.

    Parameters
    ----------
    events : dataframe
        A row per event (an order, a visit): pandas, Polars, PyArrow or a DuckDB relation.
    customer, time : str
        Columns of the customer and of the time.
    days : sequence of int, default (1, 7, 30)
        Calendar days after the first event, which is day 0.
    kind : {"classic", "unbounded", "cumulative"}, default "classic"
        Back on day N itself; on day N or later; at least once on days 1 to N.
    as_of : date, optional
        End of observation, through the end of that day; by default the last day of the log.
    since : date, optional
        Customers first seen before it are old and not counted; their rows are in ``excluded``.
    joined : str, optional
        Column of the date from which days are counted, in place of the first event.
    by : str, optional
        Column of a group; each group is counted on its own rows, and rows without one are counted in ``excluded``.
    tz : str, optional
        Time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    DayTable
        A row per day: of the customers for whom day N is over, the share retained.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or holds no dates.
    InputError
        If a day is negative or not whole, a date is unreadable, or nothing is left to count.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> visits = pd.DataFrame(
    ...     {"who": ["a", "a", "b"], "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01"])}
    ... )
    >>> table = rm.retention.day_n(visits, customer="who", time="day", days=[1], since="2024-01-01", as_of="2024-01-31")
    >>> table.rows()[0]["rate"]
    0.5
    """
    wanted = _checks.choice(kind, KINDS, name="kind")
    numbers = [_checks.count(day, name="days") for day in days]
    if not numbers or len(set(numbers)) < len(numbers):
        raise InputError(f"days holds different whole numbers; got {list(days)!r}.", argument="days")
    calendar = Period("day", tz=tz)
    first_seen = None if since is None else moment(since, name="since", tz=tz)
    level = _checks.level(level)
    method = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    log = activity.read(
        events,
        customer=customer,
        time=time,
        joined=joined,
        by=by,
        period=calendar,
        as_of=as_of,
        since=first_seen,
        drop_old=True,
    )
    if joined is not None:
        activity.refuse_late_joiners(log)
    counts = activity.day_counts(log, kind=wanted, days=numbers, joined=joined is not None)
    if not counts["by"]:
        raise InputError("no customer is left: all were first seen before since.", argument="since")
    order = [counts["by"].index(group) for group in activity.in_order(counts["by"])]
    columns: dict[str, list[Any]] = {"group": [], "day": [], "size": [], "retained": []}
    for at in order:
        for day in numbers:
            cells = (counts["by"][at], day, int(counts[f"size{day}"][at]), int(counts[f"back{day}"][at]))
            for name, cell in zip(columns, cells, strict=True):
                columns[name].append(cell)
    if by is None:
        del columns["group"]
    statuses = ["ok" if size else "no_customers" for size in columns["size"]]

    notes: tuple[str, ...] = (LOG_START,) if since is None and joined is None else ()
    notes += (BIASED,) if wanted == "unbounded" else ()
    notes += (SURVIVORS,) if joined is not None else ()
    measured = rates(columns["retained"], columns["size"], statuses, level=level, method=method)
    types: dict[str, ColumnType] = {"rate": "number", "low": "number", "high": "number"}
    return DayTable(
        columns=Columns({**columns, **measured, "status": statuses}, types),
        unit="share",
        definition=f"retention.day_n/{wanted}",
        excluded=log.excluded,
        notes=notes,
        retention_kind=wanted,
        as_of=log.as_of.date,
        level=level,
        method=method,
        backend=log.backend,
    )
