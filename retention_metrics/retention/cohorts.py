"""Cohorts: customers by the period of their first event, and how many come back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy import stats as distributions

from retention_metrics import _checks
from retention_metrics._engine import activity
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import Duplicates
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Moment, Period, PeriodUnit, date_of, moment, period_of
from retention_metrics.results import Backend, Cell, Columns, ColumnType, TableResult, build_frame, result
from retention_metrics.retention.rates import rates

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Kind = Literal["classic", "unbounded", "cumulative"]
KINDS: tuple[Kind, ...] = ("classic", "unbounded", "cumulative")
COMPLETE = ("ok", "log_start")
LOG_START = (
    "The first cohort is that of the log's first period, which may hold older customers too. "
    "Give since= or joined= to tell them apart."
)
BIASED = "Without window= later cohorts have had less time to come back: compare their unbounded rates with care."
SURVIVORS = "Cohorts by joined= hold only those customers who have an event in the log."
_DEFINITIONS = {
    "classic": "retained: seen in the period of that age",
    "unbounded": "retained: seen in the period of that age or a later one",
    "cumulative": "retained: seen at least once in the periods of ages 1 to that age",
}


@result
class RetentionCurve(TableResult):
    """Retention by age, pooled over the complete cells of all cohorts.

    Attributes
    ----------
    columns : Columns
        ``age, size, retained, rate, low, high, status``, after ``group`` with ``by=``.
    period : str
        Unit of age.
    retention_kind : str
        ``"classic"``, ``"unbounded"`` or ``"cumulative"``.
    level : float or None
        Probability content of the intervals.
    method : str
        How the intervals are computed.
    """

    kind: ClassVar[str] = "retention.average"

    period: str
    retention_kind: str
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """The pooled rate of the last age."""
        return _explain_cells(self.rows(), "pooled rate = sum of retained / sum of size over complete cells")


@result
class CohortTable(TableResult):
    """Customers by cohort and age.

    Attributes
    ----------
    columns : Columns
        ``cohort, age, size, retained, rate, low, high, status``, after ``group`` with ``by=``; with ``value=``
        also ``opening_revenue`` and ``revenue``, and the rate is theirs.
    period : str
        Unit of the cohorts and of age.
    retention_kind : str
        ``"classic"``, ``"unbounded"`` or ``"cumulative"``.
    as_of : date
        End of observation.
    level : float or None
        Probability content of the intervals.
    method : str
        How the intervals are computed.
    """

    kind: ClassVar[str] = "retention.cohorts"

    period: str
    retention_kind: str
    as_of: dt.date
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """The rate of the last complete cell."""
        if "revenue" in self.columns:
            return _explain_cells(self.rows(), "rate = revenue / opening_revenue", "revenue", "opening_revenue")
        return _explain_cells(self.rows(), f"rate = retained / size; {_DEFINITIONS[self.retention_kind]}")

    def matrix(self, backend: Backend | None = None) -> pd.DataFrame | pl.DataFrame | pa.Table:
        """The rates as a wide frame: a row per cohort, a column per age.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            The library of the frame; by default that of the input.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            ``cohort``, ``size`` and a column per age, named ``"0"``, ``"1"``, …; incomplete cells are null.
        """
        rows = self.rows()
        keys = ("group", "cohort") if "group" in self.columns else ("cohort",)
        opened = [row for row in rows if row["age"] == 0]
        ages = sorted({int(str(row["age"])) for row in rows})
        rates_by_cell = {(*(row[key] for key in keys), row["age"]): row["rate"] for row in rows}
        wide: dict[str, Sequence[Any]] = {key: [row[key] for row in opened] for key in (*keys, "size")}
        for age in ages:
            wide[str(age)] = [rates_by_cell.get((*(row[key] for key in keys), age)) for row in opened]
        types: dict[str, ColumnType] = {"cohort": "date", "size": "integer", **{str(age): "number" for age in ages}}
        return build_frame(Columns(wide, types), backend or self.backend)

    def average(self) -> RetentionCurve:
        """Retention by age, pooled over complete cells: every customer counts once.

        Returns
        -------
        RetentionCurve
            A row per age that at least one cohort has completed.

        Raises
        ------
        InputError
            If the table holds revenue, whose pooled interval the cells alone do not give.
        """
        if "revenue" in self.columns:
            raise InputError("average() pools customers; this table holds revenue.", argument="value")
        groups: list[Cell] = list(dict.fromkeys(row.get("group") for row in self.rows()))
        pooled: list[dict[str, Cell]] = []
        for group in groups:
            cells = [row for row in self.rows() if row.get("group") == group and row["status"] in COMPLETE]
            for age in sorted({int(str(row["age"])) for row in cells}):
                at_age = [row for row in cells if row["age"] == age]
                size, retained = (sum(int(str(row[name])) for row in at_age) for name in ("size", "retained"))
                pooled.append({"group": group, "age": age, "size": size, "retained": retained, "status": "ok"})
        columns: dict[str, Sequence[Any]] = (
            {"group": [row["group"] for row in pooled]} if "group" in self.columns else {}
        )
        columns |= {name: [row[name] for row in pooled] for name in ("age", "size", "retained")}
        method = _checks.choice(self.method, stats.PROPORTION_METHODS, name="method")
        columns |= rates(columns["retained"], columns["size"], ["ok"] * len(pooled), level=self.level, method=method)
        columns["status"] = [row["status"] for row in pooled]
        return RetentionCurve(
            columns=Columns(columns, {name: kind for name, kind in _TYPES.items() if name != "cohort"}),
            unit="share",
            definition=f"{self.definition}/average",
            excluded=self.excluded,
            notes=self.notes,
            period=self.period,
            retention_kind=self.retention_kind,
            level=self.level,
            method=self.method,
            backend=self.backend,
        )


def _explain_cells(
    rows: Sequence[Mapping[str, Cell]], formula: str, top: str = "retained", bottom: str = "size"
) -> Explanation:
    complete = [row for row in rows if row["status"] in COMPLETE]
    values: dict[str, Any] = {bottom: None, top: None}
    if complete:
        values = {name: complete[-1][name] for name in (bottom, top)}
    return Explanation(
        formula=f"{formula}; here the last complete cell",
        values=values,
        steps=(Step(name="rate", expression=f"{top} / {bottom}"),),
        source="Cohort retention; incomplete cells are null.",
    )


def cohorts(
    events: NativeFrame,
    *,
    customer: str,
    time: str,
    period: PeriodUnit | Period = "month",
    kind: Kind = "classic",
    value: str | None = None,
    window: int | None = None,
    as_of: str | dt.date | None = None,
    since: str | dt.date | None = None,
    joined: str | None = None,
    by: str | None = None,
    duplicates: Duplicates = "keep",
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> CohortTable:
    """Retention by cohort and age, from an event log.

    Parameters
    ----------
    events : dataframe
        A row per event (an order, a visit): pandas, Polars, PyArrow or a DuckDB relation.
    customer, time : str
        Columns of the customer and of the time.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar period of the cohorts and of age.
    kind : {"classic", "unbounded", "cumulative"}, default "classic"
        Who counts as retained at an age: seen in that period; seen then or later; seen at least once in the
        periods of ages 1 to that age (so nobody at age 0).
    value : str, optional
        Column of money: the rate is then the cohort's revenue at that age over that at age 0 (classic only).
    window : int, optional
        With ``kind="unbounded"``: periods after the age in which a return still counts. It gives every cohort
        the same time; a cell is complete once the window has passed.
    as_of : date, optional
        End of observation, through the end of that day; by default the last day of the log.
    since : date, optional
        Customers first seen before it are old and in no cohort; their rows are counted in ``excluded``.
    joined : str, optional
        Column of the date on which the customer really joined, which then makes the cohort.
    by : str, optional
        Column of a group; each group is counted on its own rows, and rows without one are counted in ``excluded``.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        With ``value``: what a row is that repeats another one in all columns named here. One more purchase, with a
        note of how many there are; a copy, left out and counted; or an error. Presence is not counted twice anyway.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    CohortTable
        A row per cohort and age. Cells not observed to their end have status ``"incomplete"`` and no rate.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or holds no dates.
    InputError
        If a date is unreadable, nothing is left to count, or options contradict each other.

    Notes
    -----
    rate = retained / size, with a binomial interval. Revenue retention is a ratio of sums over the cohort's
    customers; its interval is that of the linearised ratio, R ± t·sqrt(n/(n − 1)·Σ(y − R·x)²)/Σx, with n − 1
    degrees of freedom, and not below 0 unless refunds make it so.

    References
    ----------
    .. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4 (ratio estimator).

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
    >>> table = rm.retention.cohorts(visits, customer="who", time="day", since="2024-01-01")
    >>> table.matrix()[["size", "0", "1", "2"]].values.tolist()
    [[2.0, 1.0, 0.5, 1.0], [1.0, 1.0, 0.0, nan]]
    """
    calendar = period_of(period)
    wanted = _checks.choice(kind, KINDS, name="kind")
    _check_options(wanted, value=value, window=window)
    first_seen = None if since is None else moment(since, name="since", tz=calendar.tz)
    level = _checks.level(level)
    method = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    log = activity.read(
        events,
        customer=customer,
        time=time,
        value=value,
        joined=joined,
        by=by,
        period=calendar,
        as_of=as_of,
        since=first_seen,
        drop_old=True,
        duplicates=duplicates,
    )
    if joined is not None:
        activity.refuse_late_joiners(log)
    sizes, counts = activity.cohort_counts(
        log, kind=wanted, joined=joined is not None, window=window, valued=value is not None
    )
    known = first_seen is not None or joined is not None
    rows = _cells(sizes, counts, log, wanted, window=window or 0, known=known, joined=joined is not None)
    if not rows:
        raise InputError("no customer is left for a cohort: all were first seen before since.", argument="since")

    notes: tuple[str, ...] = () if known else (LOG_START,)
    notes += (BIASED,) if wanted == "unbounded" and window is None else ()
    notes += (SURVIVORS,) if joined is not None else ()
    measured = _revenue_rates(rows, level) if value is not None else _customer_rates(rows, level, method)
    columns: dict[str, Sequence[Any]] = {"group": [row["group"] for row in rows]} if by else {}
    columns |= {name: [row[name] for row in rows] for name in ("cohort", "age", "size", "retained")}
    columns |= {**measured, "status": [row["status"] for row in rows]}
    return CohortTable(
        columns=Columns(columns, _TYPES),
        unit="share",
        definition=f"retention.cohorts/{wanted}" + ("/revenue" if value is not None else ""),
        excluded=log.excluded,
        notes=(*notes, *log.notes),
        period=calendar.unit,
        retention_kind=wanted,
        as_of=log.as_of.date,
        level=level,
        method="linearised_ratio" if value is not None else method,
        backend=log.backend,
    )


_TYPES: dict[str, ColumnType] = {
    "cohort": "date",
    "age": "integer",
    "size": "integer",
    "retained": "integer",
    "opening_revenue": "number",
    "revenue": "number",
    "rate": "number",
    "low": "number",
    "high": "number",
    "status": "string",
}


def _check_options(kind: Kind, *, value: str | None, window: int | None) -> None:
    if value is not None and kind != "classic":
        raise InputError(f"value= goes with kind='classic'; got kind={kind!r}.", argument="kind")
    if window is not None:
        if kind != "unbounded":
            raise InputError(f"window= goes with kind='unbounded'; got kind={kind!r}.", argument="window")
        _checks.count(window, name="window", low=0)


Row = dict[str, Any]


def _cells(
    sizes: Mapping[str, Sequence[Any]],
    counts: Mapping[str, Sequence[Any]],
    log: activity.Activity,
    kind: Kind,
    *,
    window: int,
    known: bool,
    joined: bool,
) -> list[Row]:
    """A row for every cohort with customers and every age that has begun."""
    calendar = log.period
    opening, closing = log.periods.start, log.periods.stop - 1
    money = {name: counts[name] for name in ("y", "yy", "xy") if name in counts}
    found: dict[tuple[Any, int], dict[int, tuple[Any, ...]]] = {}
    for position, (group, cohort, age) in enumerate(zip(counts["by"], counts["cohort"], counts["age"], strict=True)):
        cell = (counts["customers"][position], *(values[position] for values in money.values()))
        found.setdefault((group, int(cohort)), {})[int(age)] = cell
    rows: list[Row] = []
    place = {group: at for at, group in enumerate(activity.in_order(sizes["by"]))}
    order = sorted(range(len(sizes["cohort"])), key=lambda at: (place[sizes["by"][at]], sizes["cohort"][at]))
    for at in order:
        group, cohort, size = sizes["by"][at], int(sizes["cohort"][at]), int(sizes["customers"][at])
        ages = range(closing - cohort + 1)
        retained = _running({age: cell[0] for age, cell in found.get((group, cohort), {}).items()}, ages, kind, window)
        for age in ages:
            unseen = joined and cohort + age < opening
            status = _status(cohort + age + window, calendar, log.as_of, unseen=unseen)
            if status == "ok" and not known and cohort == opening:
                status = "log_start"
            row: Row = {"group": group, "cohort": _date(calendar, cohort), "age": age, "size": size, "status": status}
            row["retained"] = None if unseen else retained[age]
            if money:
                y, yy, xy = found.get((group, cohort), {}).get(age, (0, 0.0, 0.0, 0.0))[1:]
                row |= {"x": sizes["x"][at], "xx": sizes["xx"][at], "y": y, "yy": yy, "xy": xy}
            rows.append(row)
    return rows


def _date(calendar: Period, index: int) -> dt.date:
    return date_of(int(calendar.first_day(np.array([index]))[0]))


def _status(index: int, calendar: Period, as_of: Moment, *, unseen: bool) -> str:
    after = int(calendar.first_day(np.array([index + 1]))[0])
    return "incomplete" if unseen or after > as_of.observed_until else "ok"


def _running(by_age: Mapping[int, int], ages: range, kind: Kind, window: int) -> list[int]:
    exact = [int(by_age.get(age, 0)) for age in ages]
    if kind == "classic" or (kind == "unbounded" and window):
        return exact
    if kind == "cumulative":
        return np.cumsum(exact).tolist() if exact else []
    return np.cumsum(exact[::-1])[::-1].tolist() if exact else []


def _customer_rates(rows: Sequence[Row], level: float | None, method: stats.ProportionMethod) -> dict[str, list[Any]]:
    return dict(
        rates(
            [row["retained"] for row in rows],
            [row["size"] for row in rows],
            [row["status"] for row in rows],
            level=level,
            method=method,
            answered=COMPLETE,
        )
    )


def _revenue_rates(rows: Sequence[Row], level: float | None) -> dict[str, list[Any]]:
    """Ratio of a cohort's revenue to its opening revenue, with the linearised interval."""
    columns: dict[str, list[Any]] = {name: [] for name in ("opening_revenue", "revenue", "rate", "low", "high")}
    for row in rows:
        x, y, n = row["x"], row["y"], row["size"]
        answered = row["status"] in COMPLETE and x > 0
        if row["status"] in COMPLETE and not answered:
            row["status"] = "no_customers"
        ratio = y / x if answered else None
        low = high = None
        if ratio is not None and level is not None and n > 1:
            squares = row["yy"] - 2 * ratio * row["xy"] + ratio**2 * row["xx"]
            # Where every customer has the same ratio only rounding is left of the difference.
            squares = squares if squares > 1e-12 * (row["yy"] + ratio**2 * row["xx"]) else 0.0
            half = float(distributions.t.ppf((1 + level) / 2, n - 1)) * np.sqrt(n / (n - 1) * squares) / x
            low, high = (min(ratio, max(0.0, ratio - half)) if ratio >= 0 else ratio - half), ratio + half
        incomplete = row["status"] == "incomplete"
        for name, cell in zip(columns, (x, None if incomplete else y, ratio, low, high), strict=True):
            columns[name].append(cell)
    return columns
