"""Money drawn: contract terms beside one another, and the way to a plateau of revenue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.plotting import canvas
from retention_metrics.results import Cell, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def contract_comparison(comparison: TableResult, ax: Axes | None = None) -> Axes:
    """What a client is worth under each contract term.

    Parameters
    ----------
    comparison : TermComparison
        What ``contracts.compare`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Two bars per term: expected fees, and the present value after service and acquisition cost.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> terms = [
    ...     rm.contracts.Term(name="month-to-month", months=1, fee_rate=0.10, monthly_churn=0.10),
    ...     rm.contracts.Term(name="12 months", months=12, fee_rate=0.06, monthly_churn=0.05),
    ... ]
    >>> axes = rm.contracts.compare(terms, monthly_spend=50_000, horizon_months=24).plot()
    >>> axes.get_xlabel()
    'money per client'
    """
    rows = comparison.rows()
    where = np.arange(len(rows), dtype=float)

    ax = canvas.axes(ax, height=max(2.2, 1.3 + 0.7 * len(rows)))
    bars = (
        ("expected_fees", "expected fees", canvas.PRIMARY, -0.19),
        ("present_value", "present value after costs", canvas.SECONDARY, 0.19),
    )
    widest = max((abs(_float(row[name])) for row in rows for name, *_ in bars if row[name] is not None), default=1.0)
    for name, words, colour, shift in bars:
        values = np.array([np.nan if row[name] is None else _float(row[name]) for row in rows])
        ax.barh(where + shift, np.nan_to_num(values), height=0.36, color=colour, alpha=0.85, label=words)
        for place, value in zip(where + shift, values, strict=True):
            said = f"{value:,.0f}" if np.isfinite(value) else "none"
            ax.text(
                max(np.nan_to_num(value), 0.0) + 0.01 * widest,
                place,
                said,
                va="center",
                fontsize="small",
                color=canvas.INK,
            )
    labels = [
        str(row["term"])
        if row["expected_months"] is None
        else f"{row['term']}\n{_float(row['expected_months']):.1f} months expected"
        for row in rows
    ]
    ax.set_yticks(where, labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    ax.margins(x=0.14)
    _thousands(ax, "x")
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    for text in ax.legend(frameon=False, fontsize="small", loc="best").get_texts():
        text.set_color(canvas.INK)
    return canvas.finish(ax, x="money per client")


def plateau_path(plateau: TableResult, ax: Axes | None = None) -> Axes:
    """Monthly revenue on its way to the plateau.

    Parameters
    ----------
    plateau : Plateau
        What ``growth.plateau`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Revenue by month, with the plateau as a dashed line.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12).plot()
    >>> axes.get_ylabel()
    'revenue per month'
    """
    rows = [row for row in plateau.rows() if row["revenue"] is not None]
    months = [_float(row["month"]) for row in rows]
    revenue = [_float(row["revenue"]) for row in rows]

    ax = canvas.axes(ax)
    ax.plot(months, revenue, color=canvas.PRIMARY, linewidth=1.8, marker="o", markersize=3)
    if plateau.estimate is not None:
        ax.axhline(plateau.estimate, color=canvas.SECONDARY, linestyle="--", linewidth=1.4)
        ax.annotate(
            f"plateau {plateau.estimate:,.0f}",
            (months[0], plateau.estimate) if months else (0.0, plateau.estimate),
            xytext=(0, 5),
            textcoords="offset points",
            color=canvas.INK,
        )
        ax.set_ylim(0.0, 1.12 * max([plateau.estimate, *revenue, 1e-9]))
    _thousands(ax, "y")
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="month", y="revenue per month")


def _thousands(ax: Axes, name: str) -> None:
    from matplotlib.ticker import StrMethodFormatter

    axis = ax.xaxis if name == "x" else ax.yaxis
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _float(cell: Cell) -> float:
    return float(str(cell))
