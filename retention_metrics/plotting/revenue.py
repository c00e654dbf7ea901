"""Recurring revenue drawn: its bridge, its cohorts, and in how few hands it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.plotting.money import _float, _short, _thousands
from retention_metrics.results import Cell, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics.revenue import RevenueCohorts, RevenueRetentionCurve

_MOST_TICKS = 7
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
        A bar for the start, one per movement hanging where the one before it ends, and one for the end. The title
        says which periods.

    Raises
    ------
    InputError
        If no period is complete.
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
    rows = _complete(bridge)
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
    ax.hlines(levels, np.arange(levels.size) + 0.35, np.arange(levels.size) + 0.65, color=canvas.MUTED, linewidth=0.8)
    for place, (bottom, height, value) in enumerate(zip(bottoms, heights, [start, *steps, levels[-1]], strict=True)):
        ax.annotate(
            _short(round(value, 2) + 0.0),
            (place, bottom + height),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            color=canvas.INK,
        )
    ax.set_xticks(range(len(labels)), labels=labels, fontsize="small")
    ax.set_ylim(0.0, 1.12 * max(levels.max(), start, 0.01))
    _thousands(ax, "y")
    days = sorted(str(row["period"])[:10] for row in rows)
    unit = str(getattr(bridge, "period", "period"))
    title = f"{unit} of {days[0]}" if days[0] == days[-1] else f"{unit}s from {days[0]} to {days[-1]}"
    return canvas.finish(ax, title=title, y="revenue per month")


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
        Revenue by period, stacked; the top edge is all of it. The legend names the oldest cohort and the newest.

    Raises
    ------
    InputError
        If no period is complete.
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
    rows = _complete(cohorts)
    periods = sorted({str(row["period"]) for row in rows})
    names = sorted({str(row["cohort"]) for row in rows})
    layers = np.zeros((len(names), len(periods)))
    for row in rows:
        layers[names.index(str(row["cohort"])), periods.index(str(row["period"]))] = _float(row["mrr"])

    ax = canvas.axes(ax)
    import matplotlib as mpl

    colours = mpl.colormaps[canvas.SEQUENTIAL](np.linspace(0.05, 0.95, len(names)))
    where = np.arange(len(periods))
    named = [f"cohort of {name[:10]}" if name in (names[0], names[-1]) else "" for name in names]
    if len(periods) > 1:
        ax.stackplot(where, layers, colors=colours, labels=named, edgecolor="white", linewidth=0.3)
    else:
        bottoms = np.cumsum(layers, axis=0) - layers
        for layer, bottom, colour, name in zip(layers, bottoms, colours, named, strict=True):
            ax.bar(where, layer, bottom=bottom, color=colour, width=0.4, label=name)
        ax.set_xlim(-1.0, 1.0)
    shown = where[:: -(-len(periods) // _MOST_TICKS)]
    ax.set_xticks(shown, labels=[periods[place][:10] for place in shown], fontsize="small")
    ax.set_ylim(0.0, 1.12 * max(layers.sum(axis=0).max(), 0.01))
    _thousands(ax, "y")
    handles, words = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], words[::-1], frameon=False, fontsize="small", loc="upper left", labelcolor=canvas.INK)
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
    InputError
        If no period is complete.
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
    rows = _complete(cohorts)

    ax = canvas.axes(ax)
    for name in sorted({str(row["cohort"]) for row in rows}):
        mine = [row for row in rows if str(row["cohort"]) == name]
        line = [_float(row["net_retention"]) for row in mine]
        ax.plot([_float(row["age"]) for row in mine], line, color=canvas.NEUTRAL, linewidth=0.8, alpha=0.7)
    highest = max(_float(row["net_retention"]) for row in rows)
    return _pooled(cohorts.average(), ax, highest=highest)


def net_retention_curve(curve: RevenueRetentionCurve, ax: Axes | None = None) -> Axes:
    """Net revenue retention by age, of all cohorts that are old enough.

    Parameters
    ----------
    curve : RevenueRetentionCurve
        What ``average`` of a ``RevenueCohorts`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The pooled retention with its band, which is cut where it would leave no room for the curve.

    Raises
    ------
    InputError
        If no period is complete.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount"}
    >>> axes = rm.revenue.by_cohort(plans, **roles, as_of="2022-06-30").average().plot()
    >>> axes.get_xlabel()
    'months since the first payment'
    """
    if not curve.rows():
        raise InputError("the table has nothing to draw: no period is complete.", argument="curve")
    return _pooled(curve, canvas.axes(ax))


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


def _complete(table: TableResult) -> list[dict[str, Cell]]:
    """The rows of the periods that were observed to their end."""
    rows = [row for row in table.rows() if row["status"] == "ok"]
    if not rows:
        raise InputError("the table has nothing to draw: no period is complete.", argument="table")
    return rows


def _pooled(curve: RevenueRetentionCurve, ax: Axes, *, highest: float = 1.0) -> Axes:
    """The pooled line with its band, on an axis that holds ``highest`` too."""
    from matplotlib.ticker import MaxNLocator

    rows = curve.rows()
    ages, line = ([_float(row[name]) for row in rows] for name in ("age", "net_retention"))
    known = [row for row in rows if row["low"] is not None]
    low, high = ([_float(row[name]) for row in known] for name in ("low", "high"))

    marker = "o" if len(rows) == 1 else None
    ax.plot(ages, line, color=canvas.PRIMARY, linewidth=2.0, marker=marker, label="all cohorts old enough")
    top = max(highest, *line, 1.0)
    high = [min(end, 2.0 * top) for end in high]
    ax.fill_between([_float(row["age"]) for row in known], low, high, color=canvas.PRIMARY, alpha=0.15, linewidth=0)
    ax.axhline(1.0, color=canvas.MUTED, linewidth=0.8, linestyle=":")
    ax.set_ylim(0.0, min(1.05 * max([top, *high]), 1.5 * top))
    ax.set_xlim(right=max(ages[-1], 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    canvas.percent_axis(ax.yaxis)
    ax.legend(frameon=False, fontsize="small", labelcolor=canvas.INK)
    return canvas.finish(ax, x=f"{curve.period}s since the first payment", y="net revenue retention")
