"""Retention drawn: cohorts by age, and rates over time with their band."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.results import Cell, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ANNOTATED = 20  # cells a side up to which each is written out


def cohort_heat_map(table: TableResult, ax: Axes | None = None, *, annotate: bool | None = None) -> Axes:
    """Retention by cohort and age as a heat map.

    Parameters
    ----------
    table : CohortTable
        What ``retention.cohorts`` returned, of one group.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    annotate : bool, optional
        Write the rate, in per cent, into each cell; by default up to 20 cohorts and ages.

    Returns
    -------
    matplotlib.axes.Axes
        A row per cohort, a column per age. Incomplete cells are hatched, cells not begun are blank.

    Raises
    ------
    InputError
        If the table holds several groups.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = ["2024-01-03", "2024-01-09", "2024-02-01", "2024-03-05"]
    >>> visits = pd.DataFrame({"who": ["a", "b", "a", "c"], "day": days})
    >>> axes = rm.retention.cohorts(visits, customer="who", time="day", since="2024-01-01").plot()
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['2024-01  (2)', '2024-03  (1)']
    """
    _refuse_groups(table)
    rows = table.rows()
    cohorts = list(dict.fromkeys(row["cohort"] for row in rows))
    sizes = {row["cohort"]: row["size"] for row in rows if row["age"] == 0}
    ages = sorted({int(str(row["age"])) for row in rows})
    period = str(getattr(table, "period", "period"))
    cells = np.full((len(cohorts), len(ages)), np.nan)
    incomplete = []
    for row in rows:
        place = cohorts.index(row["cohort"]), ages.index(int(str(row["age"])))
        if row["rate"] is not None:
            cells[place] = _float(row["rate"])
        elif row["status"] == "incomplete":
            incomplete.append(place)

    ax = canvas.axes(ax, width=max(4.5, 1.9 + 0.47 * len(ages)), height=max(2.2, 1.3 + 0.31 * len(cohorts)))
    from matplotlib.patches import Rectangle

    later = cells[:, [age > 0 for age in ages]]
    top = float(np.nanmax(later)) if np.isfinite(later).any() else 1.0
    mesh = ax.pcolormesh(
        np.arange(len(ages) + 1) - 0.5,
        np.arange(len(cohorts) + 1) - 0.5,
        np.ma.masked_invalid(cells),
        cmap=canvas.SEQUENTIAL,
        vmin=0.0,
        vmax=max(top, 1e-9),
        edgecolors="white",
        linewidth=0.6,
    )
    for down, across in incomplete:
        ax.add_patch(
            Rectangle(
                (across - 0.5, down - 0.5),
                1,
                1,
                fill=False,
                hatch="////",
                edgecolor=canvas.MUTED,
                linewidth=0.0,
                alpha=0.7,
            )
        )
    small = max(len(cohorts), len(ages)) <= _ANNOTATED
    if small if annotate is None else annotate:
        for (down, across), rate in np.ndenumerate(cells):
            if np.isfinite(rate):
                # Cividis runs from dark blue to light yellow: black text past the middle of it.
                dark = min(rate / max(top, 1e-9), 1.0) < 0.55
                ink = "white" if dark else "black"
                ax.text(across, down, f"{100 * rate:.0f}", ha="center", va="center", fontsize="x-small", color=ink)

    ax.set_yticks(
        range(len(cohorts)),
        labels=[f"{_period_name(cohort, period)}  ({sizes.get(cohort, '–')})" for cohort in cohorts],
        fontsize="small",
        parse_math=False,
    )
    step = max(1, len(ages) // 18)
    ax.set_xticks(range(0, len(ages), step), labels=[str(age) for age in ages[::step]], fontsize="small")
    ax.set_xlim(-0.5, len(ages) - 0.5)
    ax.set_ylim(len(cohorts) - 0.5, -0.5)
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=0.04, pad=0.02, aspect=30)
    canvas.percent_axis(bar.ax.yaxis)
    bar.ax.tick_params(colors=canvas.INK, labelsize="small")
    bar.outline.set_visible(False)
    canvas.finish(ax, x=f"{period}s since the first", y="cohort (customers)")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    return ax


def retention_curve(table: TableResult, ax: Axes | None = None) -> Axes:
    """A retention rate over periods, ages or days, with the band of its intervals.

    Parameters
    ----------
    table : TableResult
        A pooled average of cohorts, day-N retention, or retention by period. With ``by=`` a line per group.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The rate against time; rows without a rate leave a gap.

    Raises
    ------
    InputError
        If no row has a rate, or the table has neither periods, ages nor days.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = ["2024-01-03", "2024-01-09", "2024-02-01", "2024-03-31"]
    >>> visits = pd.DataFrame({"who": ["a", "b", "a", "b"], "day": days})
    >>> axes = rm.retention.by_period(visits, customer="who", time="day").plot()
    >>> axes.get_ylabel()
    'customers retained'
    """
    along = next((name for name in ("period", "age", "day") if name in table.columns), None)
    if along is None or "rate" not in table.columns:
        raise InputError(
            f"retention_curve draws a rate over period, age or day; the columns are {list(table.columns)}.",
            argument="table",
        )
    rows = table.rows()
    if not any(row["rate"] is not None for row in rows):
        raise InputError("the table has no rate to draw: no row is complete.", argument="table")
    unit = str(getattr(table, "period", "period"))

    ax = canvas.axes(ax)
    groups: list[Cell] = list(dict.fromkeys(row.get("group") for row in rows))
    for place, group in enumerate(groups):
        own = [row for row in rows if row.get("group") == group]
        _line(ax, own, along, place=place, label=canvas.name(group) if len(groups) > 1 else None)
    if len(groups) > 1:
        canvas.legend(ax)
    ax.set_ylim(bottom=0.0)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    if along == "period":
        _date_axis(ax)
    words = {"period": unit, "age": f"{unit}s since the first", "day": "days since the first"}
    return canvas.finish(ax, x=words[along], y="customers retained")


def _line(ax: Axes, rows: list[dict[str, Cell]], along: str, *, place: int, label: str | None) -> None:
    colour = canvas.SERIES[place % len(canvas.SERIES)]
    marker = canvas.MARKERS[place // len(canvas.SERIES) % len(canvas.MARKERS)]
    # A pooled curve begins at age 0 with everybody, which would flatten the rest.
    if along == "age" and any(_float(row["age"]) > 0 for row in rows):
        rows = [row for row in rows if row["age"] != 0 or row["rate"] not in (None, 1.0)]
    x = np.array([np.datetime64(str(row[along])) for row in rows]) if along == "period" else None
    where = x if x is not None else np.array([_float(row[along]) for row in rows])
    rate, low, high = (
        np.array([np.nan if row[name] is None else _float(row[name]) for row in rows])
        for name in ("rate", "low", "high")
    )
    if np.isfinite(low).any():
        ax.fill_between(where, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(where, rate, color=colour, marker=marker, markersize=4, linewidth=1.6, label=label)
    alone = np.isfinite(low)
    ax.vlines(where[alone], low[alone], high[alone], color=colour, linewidth=0.9, alpha=0.6)


def _date_axis(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter
    from matplotlib.ticker import FixedLocator

    first, last = ax.get_xlim()
    points = np.concatenate([line.get_xydata() for line in ax.get_lines()])
    days = np.unique(points[np.isfinite(points[:, 1]), 0]).tolist()
    # Around a single day the scale would run over years.
    alone = len(days) == 1
    locator = FixedLocator(days) if alone else AutoDateLocator(minticks=2, maxticks=7)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    pattern = "%Y-%m" if last - first > 120 and not alone else "%Y-%m-%d"
    ax.xaxis.set_major_formatter(DateFormatter(pattern))  # type: ignore[no-untyped-call]


def _refuse_groups(table: TableResult) -> None:
    if len(set(table.columns.get("group", ()))) > 1:
        raise InputError("a heat map shows one group; this table holds several.", argument="table")


def _period_name(start: Cell, unit: str) -> str:
    if not isinstance(start, dt.date):
        return str(start)
    if unit == "year":
        return f"{start:%Y}"
    if unit == "quarter" and start.month % 3 == 1:
        return f"{start.year} Q{start.month // 3 + 1}"
    return f"{start:%Y-%m}" if unit in ("month", "quarter") else start.isoformat()


def _float(cell: Cell) -> float:
    return float(str(cell))
