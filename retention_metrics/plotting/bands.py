"""A value against published bands."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from retention_metrics.benchmarks import Placement
from retention_metrics.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHADES = ("#c9ced6", "#dde1e7", "#eceff3", "#f6f7f9")


def placement_bullet(placement: Placement, ax: Axes | None = None) -> Axes:
    """Bullet chart: a value with its interval over the bands of a table.

    Parameters
    ----------
    placement : Placement
        What ``classify`` of a band table returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The bands from left to right, named in English, under the bar of the value.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.benchmarks.get("nps.agency").classify(25).plot()
    >>> axes.get_xlabel()
    'nps (points); bands: Customers.ai (2019)'
    """
    table, value, interval = placement.table, float(placement), placement.interval
    ends = [] if interval is None else [end for end in (interval.low, interval.high) if math.isfinite(end)]
    low, high = _reach(table.low, table.high, [value, *ends, *(edge.value for edge in table.edges)])

    ax = canvas.axes(ax, height=1.9)
    cuts = [low, *(edge.value for edge in table.edges), high]
    labels = list(table.labels("en").values())
    narrow = any(end - start < 0.15 * (high - low) for start, end in itertools.pairwise(cuts))
    for place, ((start, end), label) in enumerate(zip(itertools.pairwise(cuts), labels, strict=True)):
        shade = _SHADES[min(place, len(_SHADES) - 1)]
        ax.barh(0, end - start, left=start, height=0.9, color=shade)
        # Names of narrow bands would meet on one line.
        line = 0.72 if narrow and place % 2 else 0.5
        ax.text((start + end) / 2, line, label, ha="center", va="bottom", fontsize="small", parse_math=False)
    start = min(max(0.0, low), high)
    ax.barh(0, value - start, left=start, height=0.28, color=canvas.PRIMARY)
    if interval is not None:
        shown = max(low, interval.low), min(high, interval.high)
        ax.plot(shown, [0, 0], color=canvas.INK, linewidth=1.5, marker="|", markersize=9)
    ax.plot([value], [0], marker="o", markersize=6, color=canvas.INK)
    ax.set_xlim(low, high)
    ax.set_ylim(-0.6, 1.0 if narrow else 0.8)
    ax.set_yticks([])
    if table.unit == "share":
        canvas.percent_axis(ax.xaxis)
    return canvas.finish(ax, x=f"{table.metric} ({table.unit}); bands: {table.source.publisher} ({table.source.year})")


def _reach(low: float, high: float, points: list[float]) -> tuple[float, float]:
    """Ends of the axis: those of the metric's range where it has some, else a little past all points."""
    known = [*points, *(end for end in (low, high) if math.isfinite(end))]
    room = 0.25 * (max(known) - min(known) or abs(points[0]) or 1.0)
    return (
        low if math.isfinite(low) else min(points) - room,
        high if math.isfinite(high) else max(points) + room,
    )
