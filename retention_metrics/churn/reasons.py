"""Why customers left: lost customers by reason and period, with what they paid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import activity, spells
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._engine.membership import Shared
from retention_metrics._engine.subscriptions import refuse_twins_of
from retention_metrics._stats import proportions as stats
from retention_metrics._stats import ratios
from retention_metrics.churn.windows import Day, period_grid, status_of, table_notes
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, PeriodUnit, date_of, period_of
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

SharesMethod = Literal["goodman", "wilson"]
METHODS: tuple[SharesMethod, ...] = ("goodman", "wilson")
_TYPES: dict[str, ColumnType] = {
    "period": "date",
    "reason": "string",
    "customers": "integer",
    "lost": "integer",
    "start_customers": "integer",
    **dict.fromkeys(("share", "low", "high", "rate", "rate_low", "rate_high"), "number"),
    **dict.fromkeys(("revenue_lost", "revenue_lost_low", "revenue_lost_high"), "number"),
    "status": "string",
}


@result
class ChurnReasons(TableResult):
    """Customers lost, by period and reason.

    Attributes
    ----------
    columns : Columns
        ``period, reason, customers, lost, start_customers, share, low, high, rate, rate_low, rate_high, status``, after
        ``group`` with ``by=``, and ``revenue_lost, revenue_lost_low, revenue_lost_high`` where there is a column of
        it. ``share`` is ``customers / lost`` with its interval, ``rate`` is ``customers / start_customers`` with
        Wilson's, ``revenue_lost`` has the jackknife's; ``reason`` is null where none was given.
    period : str
        Unit of the periods.
    as_of : date
        End of observation.
    level : float or None
        Probability content of the intervals.
    method : str
        Of the shares. ``"goodman"``: simultaneous for the reasons of a period; ``"wilson"``: each for itself.
    """

    kind: ClassVar[str] = "churn.reasons"

    period: str
    as_of: dt.date
    level: float | None
    method: str

    def explain(self) -> Explanation:
        """Share and rate of the most frequent reason of the last period with losses."""
        known = [row for row in self.rows() if row["share"] is not None]
        last = [row for row in known if all(row[key] == known[-1][key] for key in ("group", "period") if key in row)]
        most: dict[str, Any] = max(last, key=lambda row: row["customers"]) if last else {}
        return Explanation(
            formula="share = customers lost for a reason / customers lost; here the most frequent of the last period",
            values={name: most.get(name) for name in ("customers", "lost", "start_customers")},
            steps=(
                Step(name="rate", expression="customers / start_customers"),
                Step(name="share", expression="customers / lost"),
            ),
            source="Goodman, L. A. (1965), Technometrics 7(2), 247-254, for the simultaneous intervals.",
        )


def reasons(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    reason: str,
    revenue: str | None = None,
    period: PeriodUnit | Period = "month",
    as_of: Day | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    level: float | None = 0.95,
    method: SharesMethod = "goodman",
) -> ChurnReasons:
    """Why the customers at the start of each period were gone at its end.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``by_period``.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    reason : str
        Column of words: why the subscription ended, such as ``"price"`` or ``"card expired"``. A missing one is
        counted in a row whose ``reason`` is null.
    revenue : str, optional
        Column of what the subscription paid per month, at least 0; what ends together is added.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods.
    as_of : date, optional
        End of observation, as for ``by_period``.
    by : str, optional
        Column of a group; each is counted on its own rows.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"goodman", "wilson"}, default "goodman"
        Intervals of the shares: simultaneous, so that all of a period hold together with probability ``level`` [1]_,
        or each for itself.

    Returns
    -------
    ChurnReasons
        A row per period and reason, or per group, period and reason. The customers of a period add up to the ``lost``
        of ``by_period``, whose ``standard`` definition this is, and their rates to its rate.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an interval ends before it starts, the revenue of what ended is missing, negative or more than 9 * 10^15 in
        all, rows with revenue repeat another in full, or nothing is left to count.

    Notes
    -----
    The last ending before the end of the period tells the reason; of several on that day the first by name does.
    With k reasons the simultaneous intervals are Wilson's at the level 1 - (1 - level) / k, which is Goodman's score
    interval with Bonferroni's chi-squared quantile.

    The interval of the revenue lost is for what so many customers would lose on average: Student's on the log scale
    with the jackknife's error by customer and Satterthwaite's degrees of freedom [2]_, whoever stayed having lost 0.
    It is missing where nothing was lost; who pays much and leaves seldom makes it too short.

    References
    ----------
    .. [1] Goodman, L. A. (1965). On simultaneous confidence intervals for multinomial proportions.
       *Technometrics* 7(2), 247-254.
    .. [2] Pan, W. and Wall, M. M. (2002). Small-sample adjustments in using the sandwich variance estimator in
       generalized estimating equations. *Statistics in Medicine* 21(10), 1429-1441.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "c", "d"],
    ...         "from": pd.to_datetime(["2024-01-01"] * 4),
    ...         "until": pd.to_datetime(["2024-02-10", "2024-02-14", "2024-02-20", None]),
    ...         "why": ["price", "price", None, None],
    ...         "mrr": [20.0, 30.0, 10.0, 50.0],
    ...     }
    ... )
    >>> table = rm.churn.reasons(
    ...     plans, customer="who", start="from", end="until", reason="why", revenue="mrr", as_of="2024-02-29"
    ... )
    >>> [(row["reason"], row["customers"], row["rate"], row["revenue_lost"]) for row in table.rows()[2:]]
    [('price', 2, 0.5, 50.0), (None, 1, 0.25, 10.0)]
    """
    calendar = period_of(period)
    level, method = _checks.level(level), _checks.choice(method, METHODS, name="method")

    roles = {"customer": customer, "start": start, "end": end, "by": by, "kind": reason, "amount": revenue}
    named = {"kind": "reason", "amount": "revenue"}
    log = spells.read(once(subscriptions, roles, named), roles, period=calendar, as_of=as_of, arguments=named)
    log = spells.settle_groups(log, shared)
    if revenue is not None:
        refuse_twins_of(log.source)
    grid = period_grid(log, calendar)
    rows = _rows(spells.window_counts(log, grid), grid, log, level)
    _add_shares(rows, level, method)
    _add_rates(rows, level)
    shown = [name for name in _TYPES if revenue is not None or not name.startswith("revenue")]
    names = ["group", *shown] if log.grouped else shown
    missing = sum(int(str(row["customers"])) for row in rows if row["reason"] is None)

    return ChurnReasons(
        columns=Columns({name: [row[name] for row in rows] for name in names}, _TYPES),
        unit="share",
        definition="churn.reasons/standard",
        excluded=log.excluded,
        notes=(*table_notes(log), *((f"{missing} lost customers gave no reason.",) if missing else ())),
        period=calendar.unit,
        as_of=log.as_of.date,
        level=level,
        method=method,
        backend=log.backend,
    )


def _rows(
    groups: Mapping[Any, spells.WindowCounts], grid: spells.Windows, log: spells.Spells, level: float | None
) -> list[dict[str, Cell]]:
    ended = {reason for found in groups.values() for reason, counts in found.ended.items() if counts["gone"].any()}
    given = sorted(reason for reason in ended if reason is not None)
    listed = [*given, *([None] if not given or None in ended else [])]
    return [
        row
        for group in activity.in_order(groups)
        for place in range(len(grid.first))
        for row in _period_rows(group, groups[group], place, grid, log, listed, level)
    ]


def _period_rows(
    group: Any,
    found: spells.WindowCounts,
    place: int,
    grid: spells.Windows,
    log: spells.Spells,
    listed: Sequence[str | None],
    level: float | None,
) -> list[dict[str, Cell]]:
    lost, there, none = int(found.total("gone")[place]), int(found.start[place]), np.zeros((4, len(grid.first)))
    status = status_of(int(grid.after[place]), log.as_of, there)
    rows: list[dict[str, Cell]] = []
    for reason in listed:
        customers = int(found.ended[reason]["gone"][place]) if reason in found.ended else 0
        rows.append(
            {
                "group": group,
                "period": date_of(grid.first[place]),
                "reason": reason,
                "customers": customers,
                "lost": lost,
                "start_customers": there,
                "rate": customers / there if status == "ok" else None,
                **_revenue(found.amounts.get(reason, none)[:, place].tolist(), there, level),
                "status": "no_losses" if status == "ok" and not lost else status,
            }
        )
    return rows


def _revenue(powers: Sequence[float], there: int, level: float | None) -> dict[str, Cell]:
    """The revenue lost of so many customers, from the sums of its powers, with both ends."""
    n, (y, squares, cubes, fourths) = float(there), powers
    pair = ratios.PairSums(there, n, y, n, y, squares, n, y, squares, n, y, squares, cubes, fourths)
    ends = ratios.ratio_interval(pair, level=level, most=np.inf) if level and there else None
    return {
        "revenue_lost": y,
        "revenue_lost_low": there * ends.low if ends else None,
        "revenue_lost_high": there * ends.high if ends else None,
    }


def _add_rates(rows: list[dict[str, Cell]], level: float | None) -> None:
    """Put the ends of the rates' intervals on the rows."""
    known = np.array([row["rate"] is not None for row in rows], dtype=bool)
    x, n = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("customers", "start_customers"))
    ends = stats.share_interval(np.where(known, x, 0.0), np.where(known, n, 1.0), level=level or 0.95)
    for place, row in enumerate(rows):
        for name, end in zip(("rate_low", "rate_high"), ends, strict=True):
            row[name] = float(end[place]) if known[place] and level else None


def _add_shares(rows: list[dict[str, Cell]], level: float | None, method: SharesMethod) -> None:
    """Put ``share, low, high`` on the rows of periods in which customers were lost."""
    known = np.array([row["status"] == "ok" for row in rows], dtype=bool)
    x = np.array([row["customers"] for row in rows], dtype=np.float64)
    n = np.where(known, np.array([row["lost"] for row in rows], dtype=np.float64), 1.0)
    k = len({row["reason"] for row in rows}) if method == "goodman" else 1
    low, high = stats.share_interval(np.where(known, x, 0.0), n, level=1 - (1 - (level or 0.95)) / max(k, 1))
    for place, row in enumerate(rows):
        answer = bool(known[place])
        row["share"] = float(x[place] / n[place]) if answer else None
        row["low"] = float(low[place]) if answer and level else None
        row["high"] = float(high[place]) if answer and level else None
