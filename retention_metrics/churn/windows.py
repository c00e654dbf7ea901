"""Churn by period and in a window, under any of the definitions in use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import activity, membership, spells
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._engine.membership import Shared
from retention_metrics._stats import proportions as stats
from retention_metrics._stats import rates
from retention_metrics.churn.definitions import DENOMINATORS, Definition, DefinitionName, definition_of
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Moment, Period, PeriodUnit, date_of, moment, period_of
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Result, TableResult, result

Day = str | dt.date
CUT = "The log ends with ends alone on {date}: it was cut there, and what runs to that day has not ended."
BEYOND = "The last date of the log is {date}; the window is taken to be observed to its end."
NO_SUBSET = (
    "The churned are not all among those of the denominator, so the rate may exceed 1; its interval is the exact "
    "Poisson one of the count, with the denominator taken as fixed."
)
NOBODY = "The churn rate is undefined: its denominator is 0."
INCOMPLETE = "The window was not observed to its end."


@result
class PeriodChurn(TableResult):
    """Churn period by period, under one definition.

    Attributes
    ----------
    columns : Columns
        ``period, until, start_customers, end_customers, joined, lost, numerator, denominator, rate, low, high,
        status``, after ``group`` with ``by=`` and ``kind`` with ``kind=``. A period is [period, until); ``lost`` are
        the customers at the start who are gone at the end.
    churn_definition : str
        The definition of the numerator and the denominator.
    period : str
        Unit of the periods, or ``"window"``.
    as_of : date
        End of observation.
    level : float or None
        Probability content of the intervals.
    method : str
        ``"wilson"``, ``"clopper_pearson"`` or ``"jeffreys"`` for proportions, ``"exact_poisson"`` for other rates.
    """

    kind: ClassVar[str] = "churn.by_period"

    churn_definition: DefinitionName
    period: str
    as_of: dt.date
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """The rate of the last period that is complete."""
        chosen = definition_of(self.churn_definition)
        rows = [row for row in self.rows() if row["status"] == "ok"]
        last: Mapping[str, Any] = rows[-1] if rows else {}
        return _explanation(chosen, last, words=", for each period; here the last complete one")


@result
class WindowChurn(Result):
    """Churn in one window, under one definition.

    Attributes
    ----------
    churn_definition : str
        The definition of the numerator and the denominator.
    numerator : int
        What churned.
    denominator : int or float
        What it is set against; a whole number but for ``"midpoint"``.
    start_customers, end_customers : int
        Customers at the last instant before the window, and at its own last instant.
    joined, lost, endings : int
        Customers whose first subscription began in the window, those at the start who are gone at the end, and all
        endings.
    window_start, window_end : date
        The window [window_start, window_end).
    """

    kind: ClassVar[str] = "churn.in_window"

    churn_definition: DefinitionName
    numerator: int
    denominator: int | float
    start_customers: int
    end_customers: int
    joined: int
    lost: int
    endings: int
    window_start: dt.date
    window_end: dt.date

    def explain(self) -> Explanation:
        """The quotient that the definition names."""
        counts = {name: getattr(self, name) for name in ("start_customers", "end_customers", "joined", "numerator")}
        return _explanation(definition_of(self.churn_definition), counts if self.estimate is not None else {})


def _explanation(chosen: Definition, counts: Mapping[str, Any], *, words: str = "") -> Explanation:
    return Explanation(
        formula=f"rate = {chosen.formula}{words}",
        values={name: counts.get(name) for name in ("start_customers", "end_customers", "joined", "numerator")},
        steps=(
            Step(name="denominator", expression=DENOMINATORS[chosen.denominator]),
            Step(name="rate", expression="numerator / denominator"),
        ),
        source=chosen.source,
    )


def by_period(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    period: PeriodUnit | Period = "month",
    definition: DefinitionName = "standard",
    as_of: Day | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    kind: str | None = None,
    rolling_days: int | None = None,
    windows: Sequence[tuple[Day, Day]] | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> PeriodChurn:
    """Churn rate of every period, from subscription intervals.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription; a customer may have several. Those that overlap or abut are one, so that a change of
        plan is no churn; so is one that begins on the day on which another ends.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods.
    definition : str, default "standard"
        ``"standard"``, ``"gross"``, ``"midpoint"``, ``"all_over_start"``, or the published definition of
        ``"chartmogul"``, ``"stripe"``, ``"baremetrics"``, ``"profitwell"`` or ``"recurly"``; see Notes.
    as_of : date, optional
        End of observation, through the end of that day; ends after it have not happened yet. By default the last date
        in either column. A log that then ends with ends alone was cut there: they are no churn, and a note says so.
    by : str, optional
        Column of a group; each group is counted on its own rows, and rows without one are counted in ``excluded``.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    kind : str, optional
        Column that names the kind of a subscription's ending, such as voluntary and involuntary: a row per period
        and kind, whose numerators add up to the whole. A customer with several endings in a window counts under the
        kind of the last, and endings of one day under the first of their kinds by name.
    rolling_days : int, optional
        Instead of the period itself, the days up to its end: 30 for what is shown as a trailing month.
    windows : sequence of (from, to), optional
        Instead of periods, half-open windows of dates; they may overlap.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval where the rate is a proportion; elsewhere it is the exact Poisson interval [2]_, and a note says so.

    Returns
    -------
    PeriodChurn
        A row per period (and group, and kind). Rates are null where a period was not observed to its end
        (``"incomplete"``) and where the denominator is 0 (``"no_customers"``).

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an interval ends before it starts, a window is empty, or nothing is left to count.

    Notes
    -----
    S are the customers subscribed at the last instant before the window, E those at its own last instant, and L the
    endings in it, so an end on the first day of a period is churn of that period. A customer with two endings counts
    twice in L.

    ==================  ====================================================================
    ``standard``        those of S who are not in E, over S
    ``chartmogul``      L less all endings of who joined or came back in the window, over S
    ``stripe``          L over S and first-time joiners
    ``gross``           those of S with an ending, back or not, over S
    ``midpoint``        L over (S + E) / 2
    ``all_over_start``  L over S
    ``baremetrics``     customers with an ending, joiners too, over S
    ``profitwell``      customers with an ending who did not join in the window, over S
    ``recurly``         customers with an ending who are not in E, joiners too, over S
    ==================  ====================================================================

    Where publishers leave a case open, this is our reading of their words; ``reconcile`` sets all beside each other.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal
       of the American Statistical Association* 22(158), 209-212.
    .. [2] Garwood, F. (1936). Fiducial limits for the Poisson distribution. *Biometrika* 28(3/4), 437-442.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "b", "c", "d"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-20", "2024-01-15", "2024-02-05"]),
    ...         "until": pd.to_datetime([None, "2024-02-10", None, "2024-02-14", "2024-02-25"]),
    ...     }
    ... )
    >>> roles = {"customer": "who", "start": "from", "end": "until", "as_of": "2024-02-29"}
    >>> february = rm.churn.by_period(plans, **roles).rows()[-1]
    >>> february["start_customers"], february["numerator"], round(february["rate"], 3)
    (3, 1, 0.333)
    >>> rm.churn.by_period(plans, **roles, definition="stripe").rows()[-1]["rate"]
    0.75
    """
    calendar = period_of(period)
    chosen = definition_of(definition)
    level, method = _checks.level(level), _checks.choice(method, stats.PROPORTION_METHODS, name="method")
    listed = _listed(windows, calendar)
    trailing = None if rolling_days is None else _checks.count(rolling_days, name="rolling_days", low=1)
    if listed is not None and trailing is not None:
        raise InputError("windows= and rolling_days= exclude each other.", argument="windows")

    roles = {"customer": customer, "start": start, "end": end, "by": by, "kind": kind}
    horizon = None if listed is None else int(listed.after.max()) - 1
    log = spells.read(once(subscriptions, roles), roles, period=calendar, as_of=as_of, horizon=horizon)
    log = spells.settle_groups(log, shared)
    grid = listed or period_grid(log, calendar, trailing)
    counts = spells.window_counts(log, grid)
    labels = grid.first if trailing is None else period_grid(log, calendar).first
    columns = _columns(counts, log, grid, labels, chosen, level, method, kinds=kind is not None)

    return PeriodChurn(
        columns=Columns(columns, _TYPES),
        unit="share" if chosen.proportion else "endings per customer",
        definition=f"churn.by_period/{chosen.name}",
        excluded=log.excluded,
        notes=(*table_notes(log, horizon if as_of is None else None), *(() if chosen.proportion else (NO_SUBSET,))),
        churn_definition=chosen.name,
        period=calendar.unit if listed is None else "window",
        as_of=log.as_of.date,
        level=level,
        method=method if chosen.proportion else "exact_poisson",
        backend=log.backend,
    )


_TYPES: Mapping[str, ColumnType] = {
    "kind": "string",
    "period": "date",
    "until": "date",
    **dict.fromkeys(("start_customers", "end_customers", "joined", "lost", "numerator"), "integer"),
    **dict.fromkeys(("denominator", "rate", "low", "high"), "number"),
    "status": "string",
}


def period_grid(log: spells.Spells, calendar: Period, trailing: int | None = None) -> spells.Windows:
    """All periods from the log's first to that of ``as_of``, or the days up to the end of each."""
    opening, closing = calendar.index_of(np.array([log.first_day, log.as_of.day])).tolist()
    days = calendar.first_day(np.arange(opening, closing + 2))
    first, after = days[:-1], days[1:]
    return spells.Windows(first if trailing is None else after - trailing, after)


def _listed(windows: Sequence[tuple[Day, Day]] | None, calendar: Period) -> spells.Windows | None:
    if windows is None:
        return None
    days = [window_days(window, tz=calendar.tz, name="windows") for window in windows]
    if not days:
        raise InputError("windows holds at least one window; got none.", argument="windows")
    return spells.Windows(*np.array(days, dtype=np.int64).T)


def window_days(window: object, *, tz: str | None, name: str = "window") -> tuple[int, int]:
    """First day of a window and the first day after it."""
    if not isinstance(window, (tuple, list)) or len(window) != 2:
        raise InputError(f"{name} is a pair of dates (from, to); got {window!r}.", argument=name)
    first, after = (moment(value, name=name, tz=tz) for value in window)
    if first.instant is not None or after.instant is not None:
        raise InputError(f"{name} begins and ends with a whole day; got {window!r}.", argument=name)
    if first.day >= after.day:
        raise InputError(f"{name} ends after it begins; got {window!r}.", argument=name)
    return first.day, after.day


def table_notes(log: spells.Spells, horizon: int | None = None) -> tuple[str, ...]:
    """What a reader should know about the log, up to the last day ``horizon`` of the windows."""
    notes: tuple[str, ...] = (CUT.format(date=log.as_of.date),) if log.cut else ()
    if horizon is not None and log.last_day < horizon:
        notes += (BEYOND.format(date=date_of(log.last_day)),)
    several = membership.number_in_several(log.rows) if log.grouped else 0
    if several:
        notes += (f"{several} customers are in more than one group; each group counts them on its own rows.",)
    return notes


def _columns(
    counts: Mapping[Any, spells.WindowCounts],
    log: spells.Spells,
    grid: spells.Windows,
    labels: NDArray[np.int64],
    chosen: Definition,
    level: float | None,
    method: stats.ProportionMethod,
    *,
    kinds: bool,
) -> dict[str, list[Any]]:
    rows: list[dict[str, Cell]] = []
    # Where nothing ended, one row without a kind says so.
    listed = sorted({kind for each in counts.values() for kind in each.ended}, key=_missing_last) or [None]
    for group in activity.in_order(counts):
        found = counts[group]
        for place, (label, after) in enumerate(zip(labels, grid.after, strict=True)):
            for kind in listed:
                ended = found.ended.get(kind, {}) if kinds else None
                row = _row(found, ended, place, chosen)
                row |= {"period": date_of(label), "until": date_of(after)}
                row["status"] = status_of(int(after), log.as_of, row["denominator"])
                rows.append({"group": group, "kind": kind, **row})
    add_rates(rows, chosen, level, method)
    keys = [name for name, named in (("group", log.grouped), ("kind", kinds)) if named]
    names = [*keys, *(name for name in _TYPES if name != "kind")]
    return {name: [row[name] for row in rows] for name in names}


def _missing_last(kind: str | None) -> tuple[bool, str]:
    return kind is None, kind or ""


def _row(
    found: spells.WindowCounts, ended: Mapping[str, NDArray[np.int64]] | None, place: int, chosen: Definition
) -> dict[str, Cell]:
    """The counts of one window; of one kind of ending where ``ended`` is given."""

    def counted(name: str) -> int:
        if ended is None:
            return int(found.total(name)[place])
        return int(ended[name][place]) if ended else 0

    start, end, joined = (int(column[place]) for column in (found.start, found.end, found.joined))
    return {
        "start_customers": start,
        "end_customers": end,
        "joined": joined,
        "lost": counted("gone"),
        "numerator": counted(chosen.numerator),
        "denominator": denominator_of(chosen, start, end, joined),
    }


def denominator_of(chosen: Definition, start: int, end: int, joined: int) -> int | float:
    """What a definition sets the churned against."""
    if chosen.denominator == "midpoint":
        return (start + end) / 2
    return start + joined if chosen.denominator == "start_and_joined" else start


def status_of(after: int, as_of: Moment, denominator: Cell) -> str:
    """Whether a window up to the day ``after`` has an answer."""
    return "incomplete" if after > as_of.observed_until else "ok" if denominator else "no_customers"


def add_rates(
    rows: Sequence[dict[str, Cell]], chosen: Definition, level: float | None, method: stats.ProportionMethod
) -> None:
    """Put ``rate, low, high`` on rows with counts and a status."""
    known = [row["status"] == "ok" for row in rows]
    x = np.array([row["numerator"] if ok else 0 for row, ok in zip(rows, known, strict=True)], dtype=np.float64)
    n = np.array([row["denominator"] if ok else 1 for row, ok in zip(rows, known, strict=True)], dtype=np.float64)
    low, high = interval(x, n, chosen, level or 0.95, method)
    for place, row in enumerate(rows):
        row["rate"] = float(x[place] / n[place]) if known[place] else None
        row["low"] = float(low[place]) if known[place] and level else None
        row["high"] = float(high[place]) if known[place] and level else None


def interval(
    x: NDArray[np.float64], n: NDArray[np.float64], chosen: Definition, level: float, method: stats.ProportionMethod
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends: of a proportion by ``method``, of another rate by the exact Poisson interval of its count."""
    if chosen.proportion:
        return stats.share_interval(x, n, level=level, method=method)
    return rates.exact_poisson(x, n, level=level)


@overload
def in_window(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    window: tuple[Day, Day],
    definition: DefinitionName = "standard",
    as_of: Day | None = None,
    by: None = None,
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> WindowChurn: ...


@overload
def in_window(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    window: tuple[Day, Day],
    definition: DefinitionName = "standard",
    as_of: Day | None = None,
    by: str,
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> PeriodChurn: ...


def in_window(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    window: tuple[Day, Day],
    definition: DefinitionName = "standard",
    as_of: Day | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> WindowChurn | PeriodChurn:
    """Churn rate in one window, from subscription intervals.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``by_period``.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    window : (from, to)
        Two dates; the window is half-open, so March is ``("2024-03-01", "2024-04-01")``.
    definition : str, default "standard"
        One of the definitions of ``by_period``.
    as_of : date, optional
        End of observation, through the end of that day; by default the end of the window.
    by : str, optional
        Column of a group; then the answer has a row per group, each counted on its own rows.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval where the rate is a proportion; elsewhere it is the exact Poisson interval, and a note says so.

    Returns
    -------
    WindowChurn or PeriodChurn
        The rate with its counts; None where the denominator is 0, or ``as_of`` lies before the window's end. With
        ``by`` a table of these; a group of which nobody had begun by the end of the window has no row.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an interval ends before it starts, the window is empty, or nothing is left to count.

    Notes
    -----
    rate = numerator / denominator, as ``by_period`` defines both. The Poisson limits of a count x are half the
    chi-squared quantiles with 2x and 2x + 2 degrees of freedom [1]_.

    References
    ----------
    .. [1] Garwood, F. (1936). Fiducial limits for the Poisson distribution. *Biometrika* 28(3/4), 437-442.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "b", "c"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-20", "2024-02-05"]),
    ...         "until": pd.to_datetime([None, "2024-02-10", None, "2024-02-25"]),
    ...     }
    ... )
    >>> roles = {"customer": "who", "start": "from", "end": "until", "window": ("2024-02-01", "2024-03-01")}
    >>> [rm.churn.in_window(plans, **roles, definition=name).estimate for name in ("standard", "gross", "midpoint")]
    [0.0, 0.5, 1.0]
    """
    first, after = window_days(window, tz=tz)
    chosen = definition_of(definition)
    level, method = _checks.level(level), _checks.choice(method, stats.PROPORTION_METHODS, name="method")
    if by is not None:
        return by_period(
            subscriptions,
            customer=customer,
            start=start,
            end=end,
            period=Period("day", tz=tz),
            definition=definition,
            as_of=as_of,
            by=by,
            shared=shared,
            windows=[window],
            level=level,
            method=method,
        )

    roles = {"customer": customer, "start": start, "end": end}
    log = spells.read(once(subscriptions, roles), roles, period=Period("day", tz=tz), as_of=as_of, horizon=after - 1)
    found = counts_in_window(log, first, after)
    row: dict[str, Any] = {**_row(found, None, 0, chosen)}
    row["status"] = status_of(after, log.as_of, row["denominator"])
    add_rates([row], chosen, level, method)

    return WindowChurn(
        estimate=row["rate"],
        interval=_interval(row, level, method if chosen.proportion else "exact_poisson"),
        unit="share" if chosen.proportion else "endings per customer",
        definition=f"churn.in_window/{chosen.name}",
        excluded=log.excluded,
        notes=window_notes(log, after, as_of, str(row["status"]), chosen),
        status=str(row["status"]),
        churn_definition=chosen.name,
        numerator=row["numerator"],
        denominator=row["denominator"],
        **{name: row[name] for name in ("start_customers", "end_customers", "joined", "lost")},
        endings=int(found.total("endings")[0]),
        window_start=date_of(first),
        window_end=date_of(after),
        backend=log.backend,
    )


def counts_in_window(log: spells.Spells, first: int, after: int) -> spells.WindowCounts:
    """The counts of one window, all 0 where nobody has begun yet."""
    return spells.window_counts(log, spells.Windows(np.array([first]), np.array([after])))[None]


def window_notes(
    log: spells.Spells, after: int, as_of: Day | None, status: str, chosen: Definition | None = None
) -> tuple[str, ...]:
    """What a reader should know about one window."""
    notes = table_notes(log, after - 1 if as_of is None else None)
    notes += {"incomplete": (INCOMPLETE,), "no_customers": (NOBODY,)}.get(status, ())
    return notes + ((NO_SUBSET,) if chosen is not None and not chosen.proportion else ())


def _interval(row: Mapping[str, Any], level: float | None, method: str) -> Interval | None:
    if level is None or row["low"] is None:
        return None
    return Interval(low=row["low"], high=row["high"], level=level, method=method)
