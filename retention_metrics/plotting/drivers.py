"""Indicators and an outcome: associations as a forest, and shares by two indicators at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.plotting import canvas
from retention_metrics.results import TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def driver_forest(ranking: TableResult, ax: Axes | None = None) -> Axes:
    """Associations of indicators with an outcome, each with its interval.

    Parameters
    ----------
    ranking : DriverRanking
        What ``drivers.rank`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point per indicator, strongest at the top; a square for categories, which have no direction.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"liking": [5, 4, 4, 2, 1, 2], "kept": [1, 1, 1, 1, 0, 0]})
    >>> axes = rm.drivers.rank(clients, outcome="kept", indicators=["liking"], rng=1).plot()
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['liking  (6)']
    """
    rows = ranking.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.2 + 0.36 * len(rows)))
    for place, row in enumerate(rows):
        if row["association"] is None:
            ax.annotate(str(row["status"]), (0, place), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        found = float(str(row["association"]))
        if row["low"] is not None and row["high"] is not None:
            ends = np.array([[found - float(str(row["low"]))], [float(str(row["high"])) - found]])
            ax.errorbar([found], [place], xerr=np.maximum(ends, 0.0), fmt="none", ecolor=canvas.INK, capsize=3)
        marker = "s" if row["kind"] == "categorical" else "o"
        ax.plot([found], [place], marker=marker, markersize=7, color=canvas.PRIMARY)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    labels = [f"{row['indicator']}  ({row['n']})" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x=f"association with {getattr(ranking, 'outcome', 'the outcome')} (-1 to 1), not effect")


def driver_cross(table: TableResult, ax: Axes | None = None) -> Axes:
    """Shares with an outcome by two indicators at once.

    Parameters
    ----------
    table : DriverCross
        What ``drivers.cross`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A line per group of the column, over the groups of the row, with intervals.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"a": ["x", "y"] * 4, "b": ["u", "u", "v", "v"] * 2, "lost": [1, 0] * 4})
    >>> axes = rm.drivers.cross(clients, outcome="lost", row="a", column="b").plot()
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['x', 'y']
    """
    rows = table.rows()
    groups, lines = (list(dict.fromkeys(str(row[name]) for row in rows)) for name in ("row", "column"))

    ax = canvas.axes(ax)
    colours = (canvas.PRIMARY, canvas.SECONDARY, canvas.TERTIARY, canvas.NEUTRAL)
    for number, line in enumerate(lines):
        held = [row for row in rows if str(row["column"]) == line]
        shift = 0.08 * (number - (len(lines) - 1) / 2)
        x = [groups.index(str(row["row"])) + shift for row in held]
        y = [float(str(row["rate"])) for row in held]
        colour = colours[number % len(colours)]
        ax.plot(x, y, marker="o", color=colour)
        if table.columns["low"][0] is not None:
            low, high = ([float(str(row[name])) for row in held] for name in ("low", "high"))
            ax.vlines(x, low, high, color=colour, linewidth=1.5)
        words = f"{getattr(table, 'column', '')}: {line}"
        ax.annotate(
            words,
            (x[-1], y[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            parse_math=False,
        )
    ax.set_xticks(range(len(groups)), labels=groups, parse_math=False)
    ax.set_xlim(-0.5, len(groups) - 0.2)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x=getattr(table, "row", None), y=getattr(table, "outcome", None))
