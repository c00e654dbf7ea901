"""Estimates beside one another, each with its interval: groups, scores, single rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.results import Cell, Result, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def churn_by_group(table: TableResult, ax: Axes | None = None) -> Axes:
    """Churn rates of groups as bars with their intervals.

    Parameters
    ----------
    table : ChurnTable
        What ``churn.by_group`` or ``churn.by_quantile`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per group, in the table's order, from top to bottom.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"rep": ["Ana", "Ana", "Bo", "Bo"], "left": [True, False, False, False]})
    >>> axes = rm.churn.by_group(clients, churned="left", group="rep").plot()
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['Ana  (1 of 2)', 'Bo  (0 of 2)']
    """
    rows = table.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.1 + 0.42 * len(rows)))
    for place, row in enumerate(rows):
        if row["rate"] is None:
            ax.annotate(str(row["status"]), (0, place), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        rate = _float(row["rate"])
        ax.barh(place, rate, height=0.62, color=canvas.PRIMARY, alpha=0.75)
        if row["low"] is not None and row["high"] is not None:
            _whisker(ax, place, rate, _float(row["low"]), _float(row["high"]))
    labels = [f"{canvas.name(row['group'])}  ({row['churned']} of {row['customers']})" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(left=0.0)
    canvas.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="customers lost")


def promoter_score(score: Result, ax: Axes | None = None) -> Axes:
    """Detractors, passives and promoters as one bar, and the score with its interval.

    Parameters
    ----------
    score : PromoterScore
        What ``nps.score`` or ``nps.from_counts`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Both bars on one scale of points, -100 to 100, with passives around the middle.

    Raises
    ------
    InputError
        If the score has no estimate.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.nps.from_counts(promoters=60, passives=25, detractors=15).plot()
    >>> [float(end) for end in axes.get_xlim()]
    [-100.0, 100.0]
    """
    estimate = _estimate(score)
    shares = [getattr(score, f"{name}_share") for name in ("detractor", "passive", "promoter")]

    ax = canvas.axes(ax, height=2.2)
    left = -100 * (shares[0] + shares[1] / 2)
    for name, share, colour, ink in zip(
        ("detractors", "passives", "promoters"),
        shares,
        (canvas.SECONDARY, "#bfc4cb", canvas.PRIMARY),
        ("black", "black", "white"),
        strict=True,
    ):
        ax.barh(1, 100 * share, left=left, height=0.5, color=colour)
        if share >= 0.06:
            said = f"{name}\n{canvas.percent(share)}" if share >= 0.18 else canvas.percent(share, digits=0)
            ax.text(left + 50 * share, 1, said, ha="center", va="center", fontsize="small", color=ink)
        left += 100 * share
    interval = score.interval
    if interval is not None:
        _whisker(ax, 0, estimate, interval.low, interval.high)
    ax.plot([estimate], [0], marker="o", markersize=7, color=canvas.INK)
    said = f"{estimate:.1f}" if interval is None else f"{estimate:.1f}  ({interval.low:.1f} to {interval.high:.1f})"
    ax.annotate(said, (estimate, 0), xytext=(0, -15), textcoords="offset points", ha="center", color=canvas.INK)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    ax.set_yticks([0, 1], labels=["score", "answers"])
    ax.set_ylim(-0.75, 1.4)
    ax.set_xlim(-100, 100)
    return canvas.finish(ax, x="Net Promoter Score (points)")


def estimate_with_interval(result: Result, ax: Axes | None = None) -> Axes:
    """One estimate and its interval on its own scale.

    Parameters
    ----------
    result : Result
        A rate, a difference or a ratio.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point and its interval. An end that is infinite, or ten thousand times as far, runs to the edge.

    Raises
    ------
    InputError
        If the result has no estimate.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.plotting.estimate_with_interval(rm.retention.rate(start=100, end=90))
    >>> axes.get_xlabel()
    'retention.rate (share)'
    """
    estimate = _estimate(result)
    share = result.unit == "share"

    ax = canvas.axes(ax, height=1.6)
    interval = result.interval
    if interval is not None:
        low = interval.low if _near(interval.low, estimate) else estimate - abs(estimate)
        high = interval.high if _near(interval.high, estimate) else 3 * abs(estimate)
        _whisker(ax, 0, estimate, min(low, estimate), max(high, estimate))
    ax.plot([estimate], [0], marker="o", markersize=8, color=canvas.PRIMARY)
    written = canvas.percent(estimate) if share else f"{estimate:.4g}"
    ax.annotate(written, (estimate, 0), xytext=(0, 10), textcoords="offset points", ha="center", color=canvas.INK)
    ax.set_yticks([])
    ax.set_ylim(-0.6, 0.9)
    ax.spines["left"].set_visible(False)
    if share:
        canvas.percent_axis(ax.xaxis)
    what = result.definition or result.kind
    # What was measured, without how; a spread's own name is all that tells it from the others.
    what = what if result.kind == "revenue.spread" else what.split("/")[0]
    return canvas.finish(ax, x=f"{what} ({result.unit})" if result.unit else what)


def _near(end: float, estimate: float) -> bool:
    """Whether an end leaves the estimate a place of its own on the scale."""
    return math.isfinite(end) and (estimate == 0.0 or abs(end) <= 1e4 * abs(estimate))


def _estimate(result: Result) -> float:
    if result.estimate is None:
        reason = " ".join(result.notes) or result.status
        raise InputError(f"{result.kind} has no estimate to draw: {reason}", argument="result")
    return result.estimate


def _whisker(ax: Axes, place: float, estimate: float, low: float, high: float) -> None:
    ends = np.array([[max(estimate - low, 0.0)], [max(high - estimate, 0.0)]])
    ax.errorbar([estimate], [place], xerr=ends, fmt="none", ecolor=canvas.INK, elinewidth=1.5, capsize=4)


def _float(cell: Cell) -> float:
    return float(str(cell))
