"""Growth and offers drawn: reps and their clients, hires, levers, bonuses, prospects and offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retention_metrics.plotting import canvas
from retention_metrics.plotting.money import _float, _thousands
from retention_metrics.results import Cell, Result, TableResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def hire_path(hire: TableResult, ax: Axes | None = None) -> Axes:
    """What another rep has brought less what the rep has cost, month by month.

    Parameters
    ----------
    hire : Hire
        What ``growth.hire`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The cumulative cash, with the months in which the cost is covered and all of it recovered.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rep = rm.growth.hire(monthly_cost=8_000, monthly_fee=10_000, new_clients_per_month=1 / 6, lifetime_months=12)
    >>> rep.plot().get_ylabel()
    'cumulative cash of the rep'
    """
    rows = hire.rows()
    running = [_float(row["cumulative_cash"]) for row in rows]

    ax = canvas.axes(ax)
    ax.plot([_float(row["month"]) for row in rows], running, color=canvas.PRIMARY, linewidth=1.8)
    ax.axhline(0, color=canvas.MUTED, linewidth=0.8)
    for name, words, colour in (
        ("months_to_cover", "cost covered", canvas.TERTIARY),
        ("months_to_recover", "all recovered", canvas.SECONDARY),
    ):
        month = getattr(hire, name, None)
        if month is not None and month <= len(rows):
            ax.axvline(month, color=colour, linestyle="--", linewidth=1.2, label=f"{words} in month {month}")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small", loc="best")
    _thousands(ax, "y")
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x="month", y="cumulative cash of the rep")


def lever_bars(levers: TableResult, ax: Axes | None = None) -> Axes:
    """What each lever alone adds to the plateau.

    Parameters
    ----------
    levers : LeverTable
        What ``levers`` of a ``RevenuePlateau`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per lever, with the months to 90 % of the plateau beside it.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> level = rm.growth.plateau(new_clients_per_month=2, monthly_fee=500, monthly_churn=0.05)
    >>> level.levers().plot().get_xlabel()
    'change of the plateau'
    """
    rows = levers.rows()
    labels = [
        str(row["lever"]).replace("_", " ")
        + ("" if row["months_to_90_percent"] is None else f"\n90 % in {row['months_to_90_percent']} months")
        for row in rows
    ]
    ax = _bars(labels, [_float(row["change"]) for row in rows], ax)
    title = f"each lever moved by {canvas.percent(float(getattr(levers, 'by', 0.0)))}"
    return canvas.finish(ax, title=title, x="change of the plateau")


def rep_lifetimes(ranking: TableResult, ax: Axes | None = None) -> Axes:
    """How long the clients of each rep stay.

    Parameters
    ----------
    ranking : RepRanking
        What ``growth.reps`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point and an interval per rep, longest on top, and a hollow point where the lifetime was observed as such.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"rep": list("aabb"), "months": [5, 6, 20, 30], "left": [1, 1, 1, 0]})
    >>> table = rm.growth.reps(clients, rep="rep", duration="months", churned="left", monthly_fee=100)
    >>> table.plot().get_xlabel()
    'lifetime of a client (months)'
    """
    rows = ranking.rows()
    longest = max((_float(row["lifetime_months"]) for row in rows if row["lifetime_months"] is not None), default=1.0)

    ax = canvas.axes(ax, height=max(2.2, 1.0 + 0.4 * len(rows)))
    for place, row in enumerate(rows):
        if row["low"] is not None and row["high"] is not None:
            ax.hlines(place, _float(row["low"]), _float(row["high"]), color=canvas.INK, linewidth=1.5)
        for name, face, size in (("observed_lifetime", "none", 6), ("lifetime_months", canvas.PRIMARY, 7)):
            if row[name] is not None:
                ax.plot(
                    [_float(row[name])],
                    [place],
                    marker="o",
                    markersize=size,
                    markerfacecolor=face,
                    markeredgecolor=canvas.PRIMARY,
                    linestyle="none",
                )
    _rows_of(ax, [f"{row['rep']}\n{row['clients']} clients" for row in rows])
    ax.set_xlim(0.0, 4 * longest)
    return canvas.finish(ax, x="lifetime of a client (months)")


def expectation_rates(gaps: TableResult, ax: Axes | None = None) -> Axes:
    """Retention by whether what was promised was met, exceeded or missed.

    Parameters
    ----------
    gaps : ExpectationGaps
        What ``growth.expectation_gap`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A point and an interval per row that has clients.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"said": [5] * 8, "got": [4, 6] * 4, "left": [1, 0] * 4})
    >>> gaps = rm.growth.expectation_gap(clients, promised="said", delivered="got", churned="left")
    >>> gaps.plot().get_xlabel()
    'clients retained'
    """
    rows = [row for row in gaps.rows() if row["rate"] is not None]

    ax = canvas.axes(ax, height=max(2.2, 1.0 + 0.4 * len(rows)))
    for place, row in enumerate(rows):
        if row["low"] is not None:
            ax.hlines(place, _float(row["low"]), _float(row["high"]), color=canvas.INK, linewidth=1.5)
        ax.plot([_float(row["rate"])], [place], marker="o", markersize=7, color=canvas.PRIMARY, clip_on=False)
    of = ["" if row.get("rep") is None else f", {row['rep']}" for row in rows]
    labels = [f"{row['expectation']}{rep}\n{row['clients']} clients" for row, rep in zip(rows, of, strict=True)]
    _rows_of(ax, labels)
    ax.set_xlim(0.0, 1.0)
    canvas.percent_axis(ax.xaxis)
    return canvas.finish(ax, x="clients retained")


def offer_gain(offer: Result, ax: Axes | None = None) -> Axes:
    """What an offer brings at every acceptance.

    Parameters
    ----------
    offer : RetentionOffer
        What ``contracts.save_offer`` or ``contracts.win_back`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The gain as a line, with the acceptance assumed and that from which the offer pays.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> offer = rm.contracts.save_offer(
    ...     monthly_fee=100, acceptance=0.3, monthly_churn=0.1, free_months=2, horizon_months=24
    ... )
    >>> offer.plot().get_xlabel()
    'share who accept'
    """
    need, saved = float(getattr(offer, "need", 1.0)), float(getattr(offer, "value_if_accepted", 0.0))
    accepted, at = float(getattr(offer, "acceptance", 0.0)), float(offer)
    shares = np.linspace(0.0, 1.0, 2)

    ax = canvas.axes(ax)
    ax.plot(shares, at + need * saved * (shares - accepted), color=canvas.PRIMARY, linewidth=1.8)
    ax.plot([accepted], [at], marker="o", markersize=8, color=canvas.PRIMARY, linestyle="none", label="as assumed")
    if offer.interval is not None:
        ax.vlines(accepted, offer.interval.low, offer.interval.high, color=canvas.INK, linewidth=1.5)
    least = getattr(offer, "break_even_acceptance", None)
    if least is not None:
        words = f"pays from {canvas.percent(least)}"
        ax.axvline(least, color=canvas.SECONDARY, linestyle="--", linewidth=1.2, label=words)
    ax.axhline(0, color=canvas.MUTED, linewidth=0.8)
    ax.legend(frameon=False, fontsize="small", loc="best")
    canvas.percent_axis(ax.xaxis)
    _thousands(ax, "y")
    return canvas.finish(ax, x="share who accept", y="gain per client offered")


def bonus_costs(bonus: TableResult, ax: Axes | None = None) -> Axes:
    """What each bonus of a schedule is expected to cost per client.

    Parameters
    ----------
    bonus : LongevityBonus
        What ``contracts.longevity_bonus`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per bonus, by month of service.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.contracts.longevity_bonus(every_months=6, amount=100, monthly_churn=1 / 12).plot().get_ylabel()
    'expected cost per client'
    """
    rows = bonus.rows()
    months = [_float(row["month"]) for row in rows]

    ax = canvas.axes(ax)
    width = 0.7 * min(np.diff(months), default=1.0)
    ax.bar(months, [_float(row["expected_cost"]) for row in rows], width=width, color=canvas.PRIMARY, alpha=0.85)
    _thousands_or_less(ax, rows, "expected_cost")
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    total = "" if bonus.estimate is None else f"{bonus.estimate:,.4g} per client in all"
    return canvas.finish(ax, title=total, x="months of service", y="expected cost per client")


def bonus_payouts(payouts: TableResult, ax: Axes | None = None) -> Axes:
    """What a longevity bonus pays each rep.

    Parameters
    ----------
    payouts : BonusPayouts
        What ``payouts`` of a ``LongevityBonus`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar per rep, and a tick at what was earned before the cap.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> bonus = rm.contracts.longevity_bonus(every_months=6, amount=300, monthly_churn=1 / 12)
    >>> clients = pd.DataFrame({"rep": ["A", "A", "B"], "months": [13, 5, 30]})
    >>> bonus.payouts(clients, rep="rep", duration="months").plot().get_xlabel()
    'bonus paid'
    """
    rows = payouts.rows()
    states = ["" if row["status"] == "ok" else str(row["status"]).replace("_", " ") for row in rows]
    labels = [f"{row['rep']}\n{state}".strip() for row, state in zip(rows, states, strict=True)]
    ax = _bars(labels, [0.0 if row["paid"] is None else _float(row["paid"]) for row in rows], ax)
    for place, row in enumerate(rows):
        ax.plot([_float(row["earned"])], [place], marker="|", markersize=14, color=canvas.INK, linestyle="none")
    return canvas.finish(ax, x="bonus paid")


def capped_bonus(bonus: TableResult, ax: Axes | None = None) -> Axes:
    """Bonuses due and paid by month, under a cap.

    Parameters
    ----------
    bonus : CappedBonus
        What ``capped`` of a ``LongevityBonus`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        Steps of both by month, and a line at the cap of a month where each month has its own.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> bonus = rm.contracts.longevity_bonus(every_months=6, amount=300, monthly_churn=1 / 12)
    >>> bonus.capped(signed=4, months=24, monthly_salary=4_000).plot().get_ylabel()
    'expected bonuses'
    """
    rows = bonus.rows()
    months = [_float(row["month"]) for row in rows]

    ax = canvas.axes(ax)
    ax.step(months, [_float(row["due"]) for row in rows], where="mid", color=canvas.MUTED, label="due")
    ax.step(months, [_float(row["paid"]) for row in rows], where="mid", color=canvas.PRIMARY, label="paid")
    if getattr(bonus, "salary_months", 1) == 1:
        ax.axhline(_float(getattr(bonus, "cap")), color=canvas.INK, linestyle="--", linewidth=1, label="cap")  # noqa: B009
    _thousands_or_less(ax, rows, "due")
    ax.legend(frameon=False)
    return canvas.finish(ax, x="month", y="expected bonuses")


def prospect_counts(counts: TableResult, ax: Axes | None = None) -> Axes:
    """How many prospects meet each criterion, fall short of it, or cannot be judged.

    Parameters
    ----------
    counts : ProspectCounts
        The ``counts`` of what ``contracts.qualify`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        A stacked bar per criterion.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> leads = pd.DataFrame({"budget": [5_000, 1_000, None]})
    >>> rm.contracts.qualify(leads, spend="budget", minimum_spend=3_000).counts.plot().get_xlabel()
    'prospects'
    """
    rows = counts.rows()

    ax = canvas.axes(ax, height=max(2.0, 1.0 + 0.5 * len(rows)))
    for place, row in enumerate(rows):
        left = 0.0
        for name, colour in (("met", canvas.PRIMARY), ("falls_short", canvas.SECONDARY), ("unknown", canvas.NEUTRAL)):
            words = name.replace("_", " ") if place == 0 else None
            ax.barh(place, _float(row[name]), left=left, height=0.6, color=colour, alpha=0.85, label=words)
            left += _float(row[name])
    _rows_of(ax, [f"{row['criterion']}\n{row['rule']}" for row in rows])
    ax.legend(frameon=False, fontsize="small", loc="best")
    share = "" if counts.estimate is None else f"{canvas.percent(counts.estimate)} qualify"
    return canvas.finish(ax, title=share, x="prospects")


def _bars(labels: Sequence[str], values: Sequence[float], ax: Axes | None) -> Axes:
    """A horizontal bar per label, the first on top."""
    ax = canvas.axes(ax, height=max(2.0, 1.0 + 0.5 * len(labels)))
    ax.barh(range(len(labels)), values, height=0.6, color=canvas.PRIMARY, alpha=0.85)
    ax.axvline(0, color=canvas.MUTED, linewidth=0.8)
    _rows_of(ax, labels)
    _thousands(ax, "x")
    return ax


def _rows_of(ax: Axes, labels: Sequence[str]) -> None:
    ax.set_yticks(range(len(labels)), labels=labels, fontsize="small", parse_math=False)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="x", color=canvas.GRID, linewidth=0.6)


def _thousands_or_less(ax: Axes, rows: Sequence[dict[str, Cell]], name: str) -> None:
    if max((_float(row[name]) for row in rows), default=0.0) >= 10:
        _thousands(ax, "y")
