"""Net Promoter Scores of groups and periods: bars, shares of answers, funnel and control chart."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np

from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.results import Cell, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PASSIVE = "#bfc4cb"


def scores_by_group(table: TableResult, ax: Axes | None = None) -> Axes:
    """Net Promoter Scores of groups with their intervals, and the shrunk scores.

    Parameters
    ----------
    table : GroupScores
        What ``nps.by_group`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per row, in the table's order, from top to bottom; a diamond marks the shrunk score.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana", "Ana", "Bo", "Bo"], "score": [10, 9, 7, 3]})
    >>> axes = rm.nps.by_group(answers, rating="score", group="rep").plot()
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['Ana  (2)', 'Bo  (2)']
    """
    rows = table.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.1 + 0.42 * len(rows)))
    for place, row in enumerate(rows):
        if row["nps"] is None:
            ax.annotate(str(row["status"]), (0, place), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        score = _float(row["nps"])
        ax.barh(place, score, height=0.62, color=canvas.PRIMARY if score >= 0 else canvas.SECONDARY, alpha=0.75)
        if row["low"] is not None and row["high"] is not None:
            _whisker(ax, place, score, _float(row["low"]), _float(row["high"]))
        ax.plot([_float(row["shrunk"])], [place], marker="D", markersize=5, color=canvas.TERTIARY, linestyle="none")
    _label_rows(ax, rows)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    ax.set_xlim(-100, 100)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="Net Promoter Score (points; ◆ shrunk)")


def answer_shares(table: TableResult, ax: Axes | None = None) -> Axes:
    """Detractors, passives and promoters of groups as diverging stacked bars.

    Parameters
    ----------
    table : GroupScores
        What ``nps.by_group`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per row with passives about the middle, so that its lean is the score.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana", "Ana", "Bo", "Bo"], "score": [10, 9, 7, 3]})
    >>> axes = rm.plotting.answer_shares(rm.nps.by_group(answers, rating="score", group="rep"))
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['detractors', 'passives', 'promoters']
    """
    rows = table.rows()
    shares = np.array([_shares(row) for row in rows]).reshape(-1, 3)

    ax = canvas.axes(ax, height=max(2.0, 1.3 + 0.42 * len(rows)))
    left = -100 * (shares[:, 0] + shares[:, 1] / 2)
    for place, (name, colour) in enumerate(
        zip(("detractors", "passives", "promoters"), (canvas.SECONDARY, _PASSIVE, canvas.PRIMARY), strict=True)
    ):
        ax.barh(range(len(rows)), 100 * shares[:, place], left=left, height=0.62, color=colour, label=name)
        left = left + 100 * shares[:, place]
    _label_rows(ax, rows)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    ax.set_xlim(-100, 100)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")
    return canvas.finish(ax, x="% of answers, passives about the middle")


def score_funnel(table: TableResult, ax: Axes | None = None, *, level: float = 0.95, outer: float = 0.998) -> Axes:
    """Scores against the numbers of answers, inside the limits that chance keeps to.

    Parameters
    ----------
    table : GroupScores
        What ``nps.by_group`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    level, outer : float, default 0.95 and 0.998
        Probability content of the inner and the outer limits about the score of all answers.

    Returns
    -------
    matplotlib.axes.Axes
        A point per row; those outside the outer limits carry their name.

    Raises
    ------
    InputError
        If no group has an answer.
    MissingDependencyError
        If matplotlib is not installed.

    Notes
    -----
    The limits are those of a group of n answers whose true score is that of all, as in Spiegelhalter, D. J. (2005),
    Funnel plots for comparing institutional performance, *Statistics in Medicine* 24, 1185-1202.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana"] * 30 + ["Bo"] * 70, "score": [10] * 30 + [10] * 20 + [2] * 50})
    >>> axes = rm.plotting.score_funnel(rm.nps.by_group(answers, rating="score", group="rep"))
    >>> [text.get_text() for text in axes.texts]
    ['Ana', 'Bo']
    """
    rows = [row for row in table.rows() if row["nps"] is not None]
    if not rows:
        raise InputError("no group has an answer to draw.", argument="table")
    sizes = np.array([_float(row.get("effective_n", row["responses"])) for row in rows])
    nets = np.array([_float(row["nps"]) for row in rows])
    shares = np.array([_shares(row) for row in rows])
    detract, _, promote = np.average(shares, axis=0, weights=sizes)
    centre, spread = 100 * (promote - detract), 100 * math.sqrt(multinomials.net_variance(promote, detract))

    ax = canvas.axes(ax)
    along = np.geomspace(max(1.0, 0.8 * float(sizes.min())), 1.2 * float(sizes.max()), 200)
    for content, style in ((level, "--"), (outer, "-")):
        half = proportions.normal_quantile(content) * spread / np.sqrt(along)
        for sign in (-1, 1):
            ends = np.clip(centre + sign * half, -100, 100)
            ax.plot(along, ends, color=canvas.MUTED, linewidth=0.9, linestyle=style)
    ax.axhline(centre, color=canvas.INK, linewidth=0.9)
    ax.plot(sizes, nets, marker="o", markersize=5, linestyle="none", color=canvas.PRIMARY)
    limit = proportions.normal_quantile(outer) * spread
    for row, n, net in zip(rows, sizes.tolist(), nets.tolist(), strict=True):
        if abs(net - centre) * math.sqrt(n) > limit:
            ax.annotate(_name(row), (n, net), xytext=(5, 3), textcoords="offset points", parse_math=False)
    ax.set_ylim(-103, 103)
    return canvas.finish(ax, x="answers", y="Net Promoter Score (points)")


def score_trend(table: TableResult, ax: Axes | None = None) -> Axes:
    """Scores of successive periods with centre line and control limits.

    Parameters
    ----------
    table : ScoreTrend
        What ``nps.trend`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point per period; those outside the limits are squares, incomplete periods are hollow.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90), "score": [10, 7, 3] * 30})
    >>> axes = rm.nps.trend(answers, rating="score", time="day").plot()
    >>> axes.get_ylabel()
    'Net Promoter Score (points)'
    """
    rows = [row for row in table.rows() if row["nps"] is not None]
    days = [dt.datetime.combine(_date(row["period"]), dt.time()) for row in rows]
    nets = np.array([_float(row["nps"]) for row in rows])

    ax = canvas.axes(ax)
    for name in ("lower_limit", "upper_limit"):
        limits = [_float(row[name]) for row in rows]
        ax.step(days, limits, where="mid", color=canvas.MUTED, linewidth=0.9, linestyle="--")  # type: ignore[arg-type]
    ax.axhline(_float(getattr(table, "centre", None)), color=canvas.INK, linewidth=0.9)
    if all(row["low"] is not None for row in rows):
        ends = np.array([[_float(row["low"]), _float(row["high"])] for row in rows]).T
        errors = np.maximum(np.stack([nets - ends[0], ends[1] - nets]), 0.0)
        ax.errorbar(days, nets, yerr=errors, fmt="none", ecolor=canvas.INK, elinewidth=1.0, capsize=3)  # type: ignore[arg-type]
    ax.plot(days, nets, color=canvas.PRIMARY, linewidth=1.0)  # type: ignore[arg-type]
    for day, net, row in zip(days, nets.tolist(), rows, strict=True):
        colour = canvas.SECONDARY if row["signal"] else canvas.PRIMARY
        face = "white" if row["status"] == "incomplete" else colour
        shape = "s" if row["signal"] else "o"
        ax.plot([day], [net], marker=shape, markersize=6, markeredgecolor=colour, markerfacecolor=face)  # type: ignore[arg-type]
    ax.tick_params(axis="x", rotation=30)
    return canvas.finish(ax, y="Net Promoter Score (points)")


def staying_by_group(table: TableResult, ax: Axes | None = None) -> Axes:
    """Shares of customers who stayed as bars with their intervals.

    Parameters
    ----------
    table : StayingTable
        What ``nps.retention`` or ``nps.recovery`` returned.
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
    >>> clients = pd.DataFrame({"score": [10, 9, 7, 3], "left": [0, 0, 0, 1]})
    >>> axes = rm.nps.retention(clients, rating="score", churned="left").plot()
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['promoters  (2 of 2)', 'passives  (1 of 1)', 'detractors  (0 of 1)']
    """
    rows = table.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.1 + 0.42 * len(rows)))
    for place, row in enumerate(rows):
        if row["rate"] is None:
            ax.annotate(str(row["status"]), (0, place), xytext=(4, 0), textcoords="offset points", va="center")
            continue
        ax.barh(place, _float(row["rate"]), height=0.62, color=canvas.PRIMARY, alpha=0.75)
        if row["low"] is not None and row["high"] is not None:
            _whisker(ax, place, _float(row["rate"]), _float(row["low"]), _float(row["high"]))
    stayed = [int(_float(row["customers"]) - _float(row["churned"])) for row in rows]
    labels = [f"{row['group']}  ({kept} of {row['customers']})" for row, kept in zip(rows, stayed, strict=True)]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    canvas.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="customers who stayed")


def _label_rows(ax: Axes, rows: tuple[dict[str, Cell], ...]) -> None:
    labels = [f"{_name(row)}  ({row['responses']})" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)


def _name(row: dict[str, Cell]) -> str:
    period = row.get("period")
    return str(row["group"]) if period is None else f"{row['group']}, {period}"


def _shares(row: dict[str, Cell]) -> tuple[float, float, float]:
    """Detractors, passives and promoters as shares; zeros without answers."""
    names = ("detractor", "passive", "promoter")
    if "promoter_share" in row:
        shares = [_float(row[f"{name}_share"]) if row["nps"] is not None else 0.0 for name in names]
    else:
        n = max(1.0, _float(row["responses"]))
        shares = [_float(row[f"{name}s"]) / n for name in names]
    return shares[0], shares[1], shares[2]


def _whisker(ax: Axes, place: float, estimate: float, low: float, high: float) -> None:
    ends = np.array([[max(estimate - low, 0.0)], [max(high - estimate, 0.0)]])
    ax.errorbar([estimate], [place], xerr=ends, fmt="none", ecolor=canvas.INK, elinewidth=1.5, capsize=4)


def _date(cell: Cell) -> dt.date:
    return cell if isinstance(cell, dt.date) else dt.date.fromisoformat(str(cell))


def _float(cell: object) -> float:
    return float(str(cell))
