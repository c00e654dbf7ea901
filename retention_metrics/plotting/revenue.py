"""Recurring revenue drawn: its bridge, its cohorts, and in how few hands it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.plotting import canvas
from retention_metrics.plotting.money import _float, _thousands
from retention_metrics.results import TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics.revenue import RevenueCohorts

_MOVES = ("new", "reactivation", "expansion", "contraction", "churn", "fx")


def revenue_bridge(bridge: TableResult, ax: Axes | None = None) -> Axes:
    """Monthly recurring revenue from its start to its end, as a waterfall.

    Parameters
    ----------
    bridge : MovementTable
        What ``revenue.movements`` returned; the movements of its complete periods are added.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for the start, one per movement hanging where the one before it ends, and one for the end.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount"}
    >>> axes = rm.revenue.movements(plans, **roles, as_of="2022-06-30").plot()
    >>> axes.get_ylabel()
    'revenue per month'
    """
    rows = [row for row in bridge.rows() if row["status"] == "ok"]
    groups = dict.fromkeys(row.get("group") for row in rows)
    firsts = [next(row for row in rows if row.get("group") == group) for group in groups]
    start = sum(_float(row["start_mrr"]) for row in firsts)
    moves = [name for name in _MOVES if name in bridge.columns]
    steps = [sum(_float(row[name]) for row in rows) for name in moves]
    levels = np.cumsum([start, *steps])
    bottoms = [0.0, *np.minimum(levels[:-1], levels[1:]), 0.0]
    heights = [start, *np.abs(steps), levels[-1]]
    gains = [canvas.TERTIARY if step >= 0 else canvas.SECONDARY for step in steps]

    ax = canvas.axes(ax)
    labels = ("start", *moves, "end")
    ax.bar(range(len(labels)), heights, bottom=bottoms, color=[canvas.PRIMARY, *gains, canvas.PRIMARY], width=0.7)
    for place, (bottom, height, value) in enumerate(zip(bottoms, heights, [start, *steps, levels[-1]], strict=True)):
        ax.annotate(
            f"{value:,.0f}",
            (place, bottom + height),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            color=canvas.INK,
        )
    ax.set_xticks(range(len(labels)), labels=labels, fontsize="small")
    ax.margins(y=0.12)
    _thousands(ax, "y")
    return canvas.finish(ax, y="revenue per month")


def revenue_layers(cohorts: TableResult, ax: Axes | None = None) -> Axes:
    """Recurring revenue as a layer cake: a layer per cohort, oldest at the bottom.

    Parameters
    ----------
    cohorts : RevenueCohorts
        What ``revenue.by_cohort`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Revenue by period, stacked; the top edge is all of it.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount"}
    >>> axes = rm.revenue.by_cohort(plans, **roles, as_of="2022-06-30").plot()
    >>> axes.get_xlabel()
    'period'
    """
    import matplotlib as mpl

    rows = [row for row in cohorts.rows() if row["status"] == "ok"]
    periods = sorted({str(row["period"]) for row in rows})
    names = sorted({str(row["cohort"]) for row in rows})
    layers = np.zeros((len(names), len(periods)))
    for row in rows:
        layers[names.index(str(row["cohort"])), periods.index(str(row["period"]))] = _float(row["mrr"])

    ax = canvas.axes(ax)
    colours = mpl.colormaps[canvas.SEQUENTIAL](np.linspace(0.05, 0.95, len(names)))
    where = np.arange(len(periods))
    ax.stackplot(where, layers, colors=colours, edgecolor="white", linewidth=0.3)
    shown = where[:: max(1, len(periods) // 8)]
    ax.set_xticks(shown, labels=[periods[place][:10] for place in shown], fontsize="small")
    _thousands(ax, "y")
    return canvas.finish(ax, title="a layer per cohort, oldest below", x="period", y="revenue per month")


def net_retention_by_cohort(cohorts: RevenueCohorts, ax: Axes | None = None) -> Axes:
    """Net revenue retention by age, a line per cohort and the pooled line.

    Parameters
    ----------
    cohorts : RevenueCohorts
        What ``revenue.by_cohort`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Each cohort's revenue as a share of its first, and that of all cohorts old enough, added, with its band.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount"}
    >>> table = rm.revenue.by_cohort(plans, **roles, as_of="2022-06-30")
    >>> rm.plotting.net_retention_by_cohort(table).get_ylabel()
    'net revenue retention'
    """
    rows = [row for row in cohorts.rows() if row["status"] == "ok"]

    ax = canvas.axes(ax)
    for name in sorted({str(row["cohort"]) for row in rows}):
        mine = [row for row in rows if str(row["cohort"]) == name]
        line = [_float(row["net_retention"]) for row in mine]
        ax.plot([_float(row["age"]) for row in mine], line, color=canvas.NEUTRAL, linewidth=0.8, alpha=0.7)
    pooled = cohorts.average().rows()
    ages, line = ([_float(row[name]) for row in pooled] for name in ("age", "net_retention"))
    ax.plot(ages, line, color=canvas.PRIMARY, linewidth=2.0, label="all cohorts old enough")
    known = [row for row in pooled if row["low"] is not None]
    low, high = ([_float(row[name]) for row in known] for name in ("low", "high"))
    ax.fill_between([_float(row["age"]) for row in known], low, high, color=canvas.PRIMARY, alpha=0.15, linewidth=0)
    ax.axhline(1.0, color=canvas.MUTED, linewidth=0.8, linestyle=":")
    canvas.percent_axis(ax.yaxis)
    for text in ax.legend(frameon=False, fontsize="small").get_texts():
        text.set_color(canvas.INK)
    return canvas.finish(ax, x="periods since the first payment", y="net revenue retention")


def lorenz_curve(concentration: TableResult, ax: Axes | None = None) -> Axes:
    """Share of revenue by share of the customers, smallest first.

    Parameters
    ----------
    concentration : Concentration
        What ``revenue.concentration`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The Lorenz curve with its band, and the line of equal amounts.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.revenue.concentration([100, 200, 50, 1000, 300, 80, 120, 400], rng=2005).plot()
    >>> axes.get_ylabel()
    'share of revenue'
    """
    rows = concentration.rows()
    x, y = ([_float(row[name]) for row in rows] for name in ("customers", "revenue"))

    ax = canvas.axes(ax, width=4.6, height=4.4)
    ax.plot([0, 1], [0, 1], color=canvas.MUTED, linewidth=0.8, linestyle=":", label="all alike")
    ax.plot(x, y, color=canvas.PRIMARY, linewidth=1.8, label="customers")
    if all(row["low"] is not None for row in rows):
        low, high = ([_float(row[name]) for row in rows] for name in ("low", "high"))
        ax.fill_between(x, low, high, color=canvas.PRIMARY, alpha=0.15, linewidth=0)
    for axis in (ax.xaxis, ax.yaxis):
        canvas.percent_axis(axis)
    for text in ax.legend(frameon=False, fontsize="small").get_texts():
        text.set_color(canvas.INK)
    return canvas.finish(ax, x="share of customers, smallest first", y="share of revenue")
