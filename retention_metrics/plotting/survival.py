"""Retention curves and rates of loss drawn against time since the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.results import Cell, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics.survival import LogRank, SurvivalCurve

Floats = NDArray[np.float64]

_COLOURS = (canvas.PRIMARY, canvas.SECONDARY, canvas.TERTIARY, "#cc79a7", "#56b4e9", "#e69f00")
# Steps that a picture can show; a curve with more of them is thinned.
_MOST_STEPS = 4000


def survival_curve(curve: SurvivalCurve, ax: Axes | None = None) -> Axes:
    """Retention curves as steps, with the bands of their intervals.

    Parameters
    ----------
    curve : SurvivalCurve
        What ``survival.kaplan_meier`` returned. With ``by=`` a line per group.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The share still there against months. Short strokes mark customers last seen, up to 100 of them.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.survival.kaplan_meier([3, 5, 5, 8], [True, True, False, False]).plot()
    >>> axes.get_ylabel()
    'customers still there'
    """
    names = curve.groups["group"]

    ax = canvas.axes(ax)
    for place, name in enumerate(names):
        own = curve if len(names) == 1 else curve.group(name)
        _steps(ax, own, colour=_COLOURS[place % len(_COLOURS)], label=None if name is None else str(name))
    if names != (None,):
        for text in ax.legend(frameon=False, fontsize="small").get_texts():
            text.set_parse_math(False)
    ax.set_ylim(0.0, 1.03)
    ax.set_xlim(left=0.0)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="months since the start", y="customers still there")


def losses_by_group(test: LogRank, ax: Axes | None = None) -> Axes:
    """Customers lost in each group, beside those expected if all groups left alike.

    Parameters
    ----------
    test : LogRank
        What ``survival.log_rank`` or ``.log_rank()`` of a curve returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar of the losses per group, and a tick at those expected.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> curve = rm.survival.kaplan_meier([3, 5, 5, 8], [True] * 4, by=["a", "a", "b", "b"])
    >>> curve.log_rank().plot().get_xlabel()
    'customers lost, and expected (ticks)'
    """
    groups = test.groups
    lost, expected = (np.array(groups[name], dtype=np.float64) for name in ("observed", "expected"))
    places = np.arange(lost.size)[::-1]

    ax = canvas.axes(ax, height=1.2 + 0.4 * lost.size)
    ax.barh(places, lost, height=0.6, color=canvas.PRIMARY, alpha=0.85)
    ax.plot(expected, places, marker="|", markersize=16, color=canvas.INK, linestyle="none")
    ax.set_yticks(places, [str(name) for name in groups["group"]])
    for text in ax.get_yticklabels():
        text.set_parse_math(False)
    ax.set_xlim(left=0.0)
    found = "" if test.p_value is None else f"log-rank p = {test.p_value:.3g}"
    return canvas.finish(ax, title=found, x="customers lost, and expected (ticks)")


def _steps(ax: Axes, curve: SurvivalCurve, *, colour: str, label: str | None) -> None:
    shown = np.unique(np.linspace(0, curve.time.size - 1, min(curve.time.size, _MOST_STEPS)).round().astype(np.int64))
    time = np.concatenate([[0.0], curve.time[shown]])
    if curve.low.size:
        start = curve.at(0.0).interval if curve.time[0] > 0 else None
        low = np.concatenate([[1.0 if start is None else start.low], curve.low[shown]])
        ax.fill_between(
            time, low, np.concatenate([[1.0], curve.high[shown]]), step="post", color=colour, alpha=0.18, linewidth=0
        )
    ax.step(time, np.concatenate([[1.0], curve.share[shown]]), where="post", color=colour, linewidth=1.6, label=label)
    censored = curve.censored > 0
    if curve.censored.sum() <= 100:
        ax.plot(curve.time[censored], curve.share[censored], linestyle="none", marker="|", color=colour, markersize=6)


def hazard_rates(table: TableResult, ax: Axes | None = None) -> Axes:
    """Customers lost per month of service, by month since the start.

    Parameters
    ----------
    table : HazardTable
        ``.hazard`` of a curve. With groups a series per group.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The rate against the month; months in which nobody was watched leave a gap.

    Raises
    ------
    InputError
        If no month has a rate.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.survival.kaplan_meier([1, 1, 2, 2, 2], [True, False, True, False, False]).hazard.plot()
    >>> axes.get_xlabel()
    'month since the start'
    """
    rows = table.rows()
    if not any(row["rate"] is not None for row in rows):
        raise InputError("the table has no rate to draw: nobody was watched.", argument="table")

    ax = canvas.axes(ax)
    groups: list[Cell] = list(dict.fromkeys(row.get("group") for row in rows))
    top = 0.0
    for place, group in enumerate(groups):
        own = [row for row in rows if row.get("group") == group and row["rate"] is not None]
        month, rate, low, high = (_numbers([row[name] for row in own]) for name in ("month", "rate", "low", "high"))
        # Beside one another, so that intervals of the same month do not hide each other.
        where = month - 0.5 + 0.5 * (place - (len(groups) - 1) / 2) / len(groups)
        colour = _COLOURS[place % len(_COLOURS)]
        ax.plot(
            where,
            rate,
            linestyle="none",
            marker="o",
            markersize=4,
            color=colour,
            label=None if group is None else str(group),
        )
        ax.vlines(where, low, high, color=colour, linewidth=1.0, alpha=0.6)
        top = max(top, float(rate.max()))
    if groups != [None]:
        for text in ax.legend(frameon=False, fontsize="small").get_texts():
            text.set_parse_math(False)
    # A month with hardly anybody in it has an interval that would flatten the rest.
    ax.set_ylim(0.0, 2.5 * top if top else None)
    ax.set_xlim(left=0.0)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="month since the start", y="lost per month of service")


def _numbers(cells: list[Cell]) -> Floats:
    return np.array([np.nan if cell is None else cast(float, cell) for cell in cells], dtype=np.float64)
