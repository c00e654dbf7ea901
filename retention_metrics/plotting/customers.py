"""Segments drawn: how large they are and what they bring, and who moves between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.plotting import canvas
from retention_metrics.results import TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEWCOMER = "not_yet_a_customer"
_LINE = 0.042  # height of a line of words, as a share of a column


def segment_map(sizes: TableResult, ax: Axes | None = None) -> Axes:
    """Segments by their share of customers, with intervals, and of revenue.

    Parameters
    ----------
    sizes : SegmentSizes
        What ``customers.segment_sizes`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per segment, the largest on top; a diamond for its share of revenue where there is money. Segments too
        small to tell apart are pale.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> axes = rm.customers.segment_sizes(rm.customers.segments(rm.datasets.cdnow(), **roles)).plot()
    >>> axes.get_xlabel()
    'share of customers'
    """
    rows = list(reversed(sizes.rows()))
    places = np.arange(len(rows))
    shares = np.array([float(str(row["share"])) for row in rows])

    ax = canvas.axes(ax)
    bars = ax.barh(places, shares, color=canvas.PRIMARY, height=0.7)
    for bar, row in zip(bars, rows, strict=True):
        bar.set_alpha(1.0 if row["large_enough"] else 0.45)
    for place, row in zip(places, rows, strict=True):
        if row["low"] is not None and row["high"] is not None:
            ax.plot([float(str(row["low"])), float(str(row["high"]))], [place, place], color=canvas.INK, linewidth=1.2)
    if "revenue" in sizes.columns:
        revenue = np.array([float(str(row["revenue"])) for row in rows])
        if revenue.sum() > 0:
            ax.scatter(
                revenue / revenue.sum(), places, marker="D", color=canvas.SECONDARY, zorder=3, label="share of revenue"
            )
            # Above the axes, where its diamond is not taken for a segment's.
            ax.legend(frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1.0, 1.0))
    ax.set_yticks(places, labels=[str(row["segment"]).replace("_", " ") for row in rows], fontsize="small")
    ax.set_ylim(min(len(rows) - 4, 0) - 0.6, len(rows) - 0.4)
    canvas.percent_axis(ax.xaxis)
    pale = not all(row["large_enough"] for row in rows)
    return canvas.finish(ax, title="pale: too small to tell apart" if pale else None, x="share of customers")


def migration_flow(moves: TableResult, ax: Axes | None = None) -> Axes:
    """Customers between two dates as a flow from segment to segment.

    Parameters
    ----------
    moves : SegmentMoves
        What ``customers.migrations`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A column of segments for each date, as tall as their customers, whose number stands beside the name, and a band
        for each move.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> moves = rm.customers.migrations(rm.datasets.cdnow(), **roles, before="1997-09-30", after="1998-06-30")
    >>> [label.get_text() for label in moves.plot().get_xticklabels()]
    ['before', 'after']
    """
    rows = [(str(row["before"]), str(row["after"]), int(str(row["customers"]))) for row in moves.rows()]
    sides = [_stacked(rows, side) for side in (0, 1)]
    colours = {name: canvas.SERIES[place % len(canvas.SERIES)] for place, name in enumerate(sides[0])} | {
        _NEWCOMER: canvas.NEUTRAL
    }
    filled = [dict.fromkeys(side, 0.0) for side in sides]
    across = np.linspace(0.0, 1.0, 40)
    ease = across**2 * (3 - 2 * across)

    ax = canvas.axes(ax, height=4.6)
    for before, after, customers in rows:
        left = sides[0][before][0] + filled[0][before]
        right = sides[1][after][0] + filled[1][after]
        filled[0][before] += customers
        filled[1][after] += customers
        floor = left + (right - left) * ease
        ax.fill_between(0.06 + 0.88 * across, floor, floor + customers, color=colours[before], alpha=0.45, linewidth=0)
    for place, side in enumerate(sides):
        for (name, (bottom, height)), line in zip(side.items(), _apart(side), strict=True):
            ax.bar(place, height, bottom=bottom, width=0.1, color=canvas.MUTED)
            ax.annotate(
                f"{name.replace('_', ' ')}  {height:,.0f}",
                (place + (0.08 if place else -0.08), line),
                ha="left" if place else "right",
                va="center",
                fontsize="x-small",
                color=canvas.INK,
            )
    ax.set_xlim(-0.7, 1.7)
    ax.set_xticks([0, 1], labels=["before", "after"])
    # Gaps part the segments, so a scale along the columns would not count customers.
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return canvas.finish(ax, title=f"{sum(customers for *_, customers in rows):,} customers")


def _stacked(rows: list[tuple[str, str, int]], side: int) -> dict[str, tuple[float, float]]:
    """Where each segment stands in its column, and how tall it is; a gap keeps neighbours apart."""
    heights: dict[str, int] = {}
    for row in rows:
        heights[str(row[side])] = heights.get(str(row[side]), 0) + row[2]
    gap, found, top = 0.02 * sum(heights.values()), {}, 0.0
    for name, height in heights.items():
        found[name] = (top, float(height))
        top += height + gap
    return found


def _apart(side: dict[str, tuple[float, float]]) -> list[float]:
    """Where each name is written: beside the middle of its segment, or moved so far that no two overlap."""
    last, height = list(side.values())[-1]
    line = _LINE * (last + height)
    places: list[float] = []
    for bottom, height in side.values():
        middle = bottom + height / 2
        places.append(max(middle, places[-1] + line) if places else middle)
    for place in range(len(places) - 1, -1, -1):
        room = last + height if place == len(places) - 1 else places[place + 1] - line
        places[place] = min(places[place], room)
    return places
