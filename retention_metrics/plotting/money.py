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
        Revenue by month, with its band where the churn is uncertain, and the plateau as a dashed line.

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
    if "revenue_low" in plateau.columns:
        low, high = ([_float(row[f"revenue_{end}"]) for row in rows] for end in ("low", "high"))
        ax.fill_between(months, low, high, color=canvas.PRIMARY, alpha=0.2, linewidth=0)
        revenue = [*revenue, *high]
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


def cash_flow(flow: TableResult, ax: Axes | None = None) -> Axes:
    """What a signed client has brought, less what it has cost, month by month.

    Parameters
    ----------
    flow : CashFlow
        What ``cash_flow`` of a ``TermComparison`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The cumulative cash by month, with its band where the churn is uncertain, and the month of recovery.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> term = rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05, acquisition_cost=8_000)
    >>> table = rm.contracts.compare(term, monthly_spend=50_000, horizon_months=24)
    >>> table.cash_flow("yearly").plot().get_ylabel()
    'cumulative cash per client'
    """
    rows = flow.rows()
    months = [_float(row["month"]) for row in rows]
    running = [_float(row["cumulative_cash"]) for row in rows]

    ax = canvas.axes(ax)
    ax.plot(months, running, color=canvas.PRIMARY, linewidth=1.8)
    if all(row["cumulative_cash_low"] is not None for row in rows):
        low, high = ([_float(row[f"cumulative_cash_{end}"]) for row in rows] for end in ("low", "high"))
        ax.fill_between(months, low, high, color=canvas.PRIMARY, alpha=0.2, linewidth=0)
    ax.axhline(0, color=canvas.MUTED, linewidth=0.8)
    back = getattr(flow, "recovery_month", None)
    if back:
        ax.axvline(back, color=canvas.SECONDARY, linestyle="--", linewidth=1.2)
        ax.annotate(
            f"recovered in month {back}",
            (back, min(running)),
            xytext=(5, 2),
            textcoords="offset points",
            color=canvas.INK,
        )
    _thousands(ax, "y")
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, title=str(getattr(flow, "term", "")), x="month", y="cumulative cash per client")


def tornado(sensitivity: TableResult, ax: Axes | None = None) -> Axes:
    """How far each input alone moves a value, the widest on top.

    Parameters
    ----------
    sensitivity : TermSensitivity
        What ``sensitivity`` of a ``TermComparison`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per input from the value at its low end to that at its high end, around the value as it stands.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> term = rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> table = rm.contracts.compare(term, monthly_spend=50_000, horizon_months=24)
    >>> table.sensitivity("yearly").plot().get_xlabel()
    'present value of yearly'
    """
    rows = sensitivity.rows()
    base = _float(getattr(sensitivity, "base", 0.0))

    ax = canvas.axes(ax, height=max(2.2, 1.2 + 0.45 * len(rows)))
    for place, row in enumerate(rows):
        for end, colour in (("low", canvas.SECONDARY), ("high", canvas.PRIMARY)):
            value = _float(row[f"value_{end}"])
            words = f"input {end}" if place == 0 else None
            ax.barh(place, value - base, left=base, height=0.6, color=colour, alpha=0.85, label=words)
    labels = [
        f"{str(row['input']).replace('_', ' ')}{'' if row['of'] == 'all' else ' of ' + str(row['of'])}\n"
        f"{_short(_float(row['input_low']))} to {_short(_float(row['input_high']))}"
        for row in rows
    ]
    ax.set_yticks(range(len(rows)), labels=labels, fontsize="small", parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axvline(base, color=canvas.INK, linewidth=0.8)
    _thousands(ax, "x")
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    ax.legend(frameon=False, fontsize="small", loc="best")
    return canvas.finish(ax, x=_value_of(sensitivity))


def iso_value_map(grid: TableResult, ax: Axes | None = None) -> Axes:
    """A value over two inputs, with lines along which it stays the same.

    Parameters
    ----------
    grid : SensitivityGrid
        What ``sensitivity_grid`` of a ``TermComparison`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Filled contours with labelled lines; the line of value 0 is dashed.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> term = rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> table = rm.contracts.compare(term, monthly_spend=50_000, horizon_months=24)
    >>> grid = table.sensitivity_grid("yearly", x=("monthly_churn", [0.02, 0.1]), y=("monthly_spend", [20_000, 50_000]))
    >>> grid.plot().get_xlabel()
    'monthly churn of yearly'
    """
    rows = grid.rows()
    x, y = (sorted({_float(row[axis]) for row in rows}) for axis in ("x", "y"))
    values = {(_float(row["x"]), _float(row["y"])): _float(row["value"]) for row in rows}
    height = np.array([[values[across, up] for across in x] for up in y])

    ax = canvas.axes(ax)
    if np.ptp(height) > 0:
        filled = ax.contourf(x, y, height, levels=12, cmap=canvas.SEQUENTIAL, alpha=0.9)
        lines = ax.contour(x, y, height, levels=filled.levels, colors="white", linewidths=0.6)
        ax.clabel(lines, fontsize="x-small", fmt=lambda value: f"{value:,.0f}")
        if height.min() < 0 < height.max():
            ax.contour(x, y, height, levels=[0.0], colors=canvas.SECONDARY, linewidths=1.8, linestyles="--")
    names = {axis: str(getattr(grid, f"{axis}_input", axis)) for axis in ("x", "y")}
    for axis, name in names.items():
        if "rate" in name or "churn" in name:
            canvas.percent_axis(getattr(ax, f"{axis}axis"))
    term = str(getattr(grid, "term", ""))
    words = {
        axis: name.replace("_", " ") + (f" of {term}" if name in {"monthly_churn", "fee_rate"} else "")
        for axis, name in names.items()
    }
    return canvas.finish(ax, title=_value_of(grid), x=words["x"], y=words["y"])


def churn_by_term(estimates: TableResult, ax: Axes | None = None) -> Axes:
    """Monthly churn of contract terms, with intervals.

    Parameters
    ----------
    estimates : TermEstimates
        What ``contracts.estimate`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point and an interval per term, and per group within it; a term without an estimate has none.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"term": ["monthly"] * 50, "stayed": [10] * 50, "left": [True] * 20 + [False] * 30})
    >>> table = rm.contracts.estimate(clients, term="term", duration="stayed", churned="left", months={"monthly": 1})
    >>> table.plot().get_xlabel()
    'churn a month'
    """
    rows = estimates.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.0 + 0.4 * len(rows)))
    for place, row in enumerate(rows):
        if row["monthly_churn"] is None:
            continue
        rate = _float(row["monthly_churn"])
        if row["low"] is not None and row["high"] is not None:
            ends = [[rate - _float(row["low"])], [_float(row["high"]) - rate]]
            ax.errorbar([rate], [place], xerr=ends, fmt="none", ecolor=canvas.INK, elinewidth=1.5, capsize=4)
        pooled = row.get("group") is None
        ax.plot([rate], [place], marker="o", markersize=8 if pooled else 5, color=canvas.PRIMARY)
    labels = [str(row["term"]) if row.get("group") is None else f"{row['term']}, {row['group']}" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(left=0.0)
    canvas.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="churn a month")


def portfolio_shares(portfolio: TableResult, ax: Axes | None = None) -> Axes:
    """What each term brings to the value of a prospect.

    Parameters
    ----------
    portfolio : Portfolio
        What ``portfolio`` of a ``TermComparison`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per term: the share of the prospects who sign it, times what one who does is worth.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> term = rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> table = rm.contracts.compare(term, monthly_spend=50_000, horizon_months=24)
    >>> table.portfolio(shares={"yearly": 0.25}).plot().get_xlabel()
    'present value per prospect'
    """
    rows = portfolio.rows()

    ax = canvas.axes(ax, height=max(1.8, 1.0 + 0.5 * len(rows)))
    for place, row in enumerate(rows):
        ax.barh(place, _float(row["contribution"]), height=0.6, color=canvas.PRIMARY, alpha=0.85)
    labels = [f"{row['term']}\n{canvas.percent(_float(row['share']))} sign it" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    _thousands(ax, "x")
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    total = "" if portfolio.estimate is None else f"{portfolio.estimate:,.0f} in all"
    return canvas.finish(ax, title=total, x="present value per prospect")


def dropped_term(dropped: TableResult, ax: Axes | None = None) -> Axes:
    """What share of a term's clients must sign another for dropping it to pay.

    Parameters
    ----------
    dropped : DroppedTerm
        What ``drop`` of a ``TermComparison`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point and an interval per term and case; where no share is enough, or none is needed, the words.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> terms = [
    ...     rm.contracts.Term("monthly", 1, fee_rate=0.10, monthly_churn=0.10),
    ...     rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05),
    ... ]
    >>> table = rm.contracts.compare(terms, monthly_spend=50_000, horizon_months=24)
    >>> table.drop("monthly").plot().get_xlabel()
    'share of its clients who sign the other term'
    """
    rows = dropped.rows()

    ax = canvas.axes(ax, height=max(2.2, 1.0 + 0.4 * len(rows)))
    for place, row in enumerate(rows):
        if row["break_even_share"] is None:
            words = "never pays" if row["status"] == "never" else "always pays"
            ax.text(0.01, place, words, va="center", fontsize="small", color=canvas.MUTED)
            continue
        share = _float(row["break_even_share"])
        if row["low"] is not None and row["high"] is not None:
            ax.hlines(place, _float(row["low"]), _float(row["high"]), color=canvas.INK, linewidth=1.5)
        ax.plot([share], [place], marker="o", markersize=7, color=canvas.PRIMARY, clip_on=False)
    labels = [f"{row['term']}, {str(row['case']).replace('_', ' ')}" for row in rows]
    ax.set_yticks(range(len(rows)), labels=labels, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0.0, 1.0)
    canvas.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)
    title = f"dropping {getattr(dropped, 'dropped', '')} pays from"
    return canvas.finish(ax, title=title, x="share of its clients who sign the other term")


def _value_of(result: TableResult) -> str:
    against = getattr(result, "against", None)
    return f"present value of {getattr(result, 'term', '')}" + ("" if against is None else f" less that of {against}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _thousands(ax: Axes, name: str) -> None:
    from matplotlib.ticker import FuncFormatter

    axis = ax.xaxis if name == "x" else ax.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))


def _tick(value: float) -> str:
    """A whole number with its thousands; of small amounts the decimals too."""
    whole = round(value)
    return f"{whole:,}" if abs(value) >= 10_000 or abs(value - whole) < 1e-6 * max(1.0, abs(value)) else f"{value:,.6g}"


def _float(cell: Cell) -> float:
    return float(str(cell))
