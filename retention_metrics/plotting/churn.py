"""Churn drawn: its rate by period with a band, its definitions side by side, and its reasons stacked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas
from retention_metrics.plotting.retention import _date_axis, _float, _line
from retention_metrics.results import Cell, Result, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 7
_HATCHES = (None, "////", "....", "xxxx")


def churn_by_period(table: TableResult, ax: Axes | None = None) -> Axes:
    """Churn by period, a line with its band per group and kind.

    Parameters
    ----------
    table : PeriodChurn
        What ``churn.by_period`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The rate over the first day of each period; periods without a rate are left out.

    Raises
    ------
    InputError
        If no period has a rate.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end"}
    >>> axes = rm.churn.by_period(plans, **roles, as_of="2022-06-30").plot()
    >>> axes.get_ylabel()
    'churn (standard)'
    """
    rows = table.rows()
    if not any(row["rate"] is not None for row in rows):
        raise InputError("the table has no rate to draw: no period is complete.", argument="table")
    lines = list(dict.fromkeys(tuple(row[name] for name in ("group", "kind") if name in row) for row in rows))

    ax = canvas.axes(ax)
    for place, line in enumerate(lines):
        own = [row for row in rows if tuple(row[name] for name in ("group", "kind") if name in row) == line]
        label = ", ".join(canvas.name(part) for part in line) or None
        _line(ax, own, "period", place=place, label=label)
    if any(lines):
        canvas.legend(ax)
    ax.set_ylim(bottom=0.0)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    _date_axis(ax)
    definition = str(getattr(table, "churn_definition", ""))
    return canvas.finish(ax, x=str(getattr(table, "period", "period")), y=f"churn ({definition})")


def churn_definitions(table: TableResult, ax: Axes | None = None) -> Axes:
    """One window's churn under every definition, a point with its interval each.

    Parameters
    ----------
    table : ChurnReconciliation
        What ``churn.reconcile`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A row per definition, or per group and definition, in the order of the table.

    Raises
    ------
    InputError
        If no definition has a rate.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=200, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end"}
    >>> axes = rm.churn.reconcile(plans, **roles, window=("2022-03-01", "2022-04-01")).plot()
    >>> axes.get_yticklabels()[0].get_text()
    'standard'
    """
    rows = [row for row in table.rows() if row["rate"] is not None]
    if not rows:
        raise InputError("the table has no rate to draw: no definition has one.", argument="table")

    ax = canvas.axes(ax, height=max(3.8, 1.0 + 0.24 * len(rows)))
    places = np.arange(len(rows))
    for place, row in zip(places, rows, strict=True):
        if row["low"] is not None:
            ax.hlines(place, _float(row["low"]), _float(row["high"]), color=canvas.PRIMARY, linewidth=1.4)
    ax.plot([_float(row["rate"]) for row in rows], places, "o", color=canvas.PRIMARY)
    ax.set_yticks(places, labels=[_case(row) for row in rows], fontsize="small")
    for tick in ax.get_yticklabels():
        tick.set_parse_math(False)
    ax.invert_yaxis()
    ax.set_xlim(left=0.0)
    canvas.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x=f"churn from {_edge(table, 'window_start')} up to {_edge(table, 'window_end')}")


def churn_reasons(table: TableResult, ax: Axes | None = None) -> Axes:
    """Customers lost by period, stacked by reason.

    Parameters
    ----------
    table : ChurnReasons
        What ``churn.reasons`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per complete period, its parts in the order of the table; groups are added. From the eighth reason on
        colours come again, hatched.

    Raises
    ------
    InputError
        If nobody was lost in a complete period.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = pd.to_datetime(["2024-01-01", "2024-02-10", "2024-02-14"])
    >>> plans = pd.DataFrame({"who": ["a", "b"], "from": days[0], "until": days[1:], "why": ["price", None]})
    >>> roles = {"customer": "who", "start": "from", "end": "until", "reason": "why"}
    >>> axes = rm.churn.reasons(plans, **roles, as_of="2024-02-29").plot()
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['price', '(missing)']
    """
    rows = [row for row in table.rows() if row["status"] == "ok"]
    if not rows:
        raise InputError("the table has nobody to draw: no customer was lost in a complete period.", argument="table")
    periods = list(dict.fromkeys(row["period"] for row in table.rows() if row["status"] in ("ok", "no_losses")))
    counts: dict[tuple[Cell, Cell], float] = {}
    for row in rows:
        cell = (row["period"], row["reason"])
        counts[cell] = counts.get(cell, 0.0) + _float(row["customers"])

    ax = canvas.axes(ax)
    bottom = np.zeros(len(periods))
    for place, reason in enumerate(dict.fromkeys(row["reason"] for row in rows)):
        heights = np.array([counts.get((period, reason), 0.0) for period in periods])
        colour = canvas.NEUTRAL if reason is None else canvas.SERIES[place % len(canvas.SERIES)]
        hatch = None if reason is None else _HATCHES[place // len(canvas.SERIES) % len(_HATCHES)]
        where = np.arange(len(periods))
        ax.bar(
            where,
            heights,
            bottom=bottom,
            color=colour,
            width=0.75,
            label=canvas.name(reason),
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
        )
        bottom += heights
    canvas.legend(ax, outside=True)
    step = -(-len(periods) // _MOST_TICKS)
    ax.set_xticks(range(0, len(periods), step), labels=[str(p)[:10] for p in periods[::step]], fontsize="small")
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x=str(getattr(table, "period", "period")), y="customers lost")


def _case(row: Mapping[str, Cell]) -> str:
    return f"{canvas.name(row['group'])}: {row['definition']}" if "group" in row else str(row["definition"])


def _edge(table: Result, name: str) -> str:
    return str(getattr(table, name, ""))
