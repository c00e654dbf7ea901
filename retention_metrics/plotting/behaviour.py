"""How customers differ, and how one of them fares: what a purchase model says, drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics.clv import AlivePath, Fit, Regression
    from retention_metrics.clv.purchase_model import PurchaseModel

Floats = NDArray[np.float64]
_POINTS = 400


def alive_path(result: AlivePath, ax: Axes | None = None) -> Axes:
    """A customer's probability of being alive through time, purchases marked.

    Parameters
    ----------
    result : AlivePath
        What ``clv.alive_path`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot; a tick below the line is a day with a purchase.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> log = pd.DataFrame({"who": ["a", "a"], "day": pd.to_datetime(["2024-01-01", "2024-01-15"])})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> path = rm.clv.alive_path(model, log, customer="who", time="day", who="a", as_of="2024-03-31")
    >>> rm.plotting.alive_path(path).get_title(loc="left")
    'customer a'
    """
    ax = canvas.axes(ax)
    time, alive = (np.array(result.columns[name], dtype=float) for name in ("since_first", "probability_alive"))
    bought = np.array(result.columns["purchase"], dtype=bool)
    ax.plot(time, alive, color=canvas.PRIMARY, linewidth=1.6)
    ax.vlines(time[bought], 0.0, 0.06, color=canvas.SECONDARY, linewidth=1.6, label="purchase")
    ax.set_ylim(0.0, 1.02)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(
        ax,
        title=f"customer {result.who}",
        x=f"{result.unit}s from the first purchase",
        y="probability of still being a customer",
    )


def heterogeneity(
    model: PurchaseModel | Regression[Any] | Fit[Any],
    ax: Axes | None = None,
    *,
    of: str = "purchase",
    covariates: Mapping[str, Any] | NativeFrame | None = None,
) -> Axes:
    """How customers differ in a model, as a density or as lifetimes.

    Parameters
    ----------
    model : BGNBD, Regression or Fit
        Any model of purchases, or its fit.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    of : {"purchase", "dropout", "lifetime"}, default "purchase"
        The density of the purchase rate (of the probability of a purchase at an opportunity); that of the dropout
        probability or rate; or the share of new customers still alive after a time.
    covariates : mapping of str to float or str, or dataframe of one row, optional
        Those of the customers whom a model with covariates is of.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot. A density that has no end at 0 or 1 is drawn as far as its 99 % interval.

    Raises
    ------
    InputError
        If customers do not differ in it in this model, or a covariate is not given.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> rm.plotting.heterogeneity(model, of="dropout").get_xlabel()
    'dropout probability'
    """
    one: PurchaseModel = canvas.one_model(model, "probability_alive", covariates)
    chosen = _checks.choice(of, ("purchase", "dropout", "lifetime"), name="of")
    if chosen == "lifetime":
        return _lifetimes(one, ax)
    words, distribution = _distribution(one, chosen)
    low, high = (float(distribution.ppf(share)) for share in (0.005, 0.995))
    at = np.linspace(low, high, _POINTS)

    ax = canvas.axes(ax)
    density = distribution.pdf(at)
    ax.plot(at, density, color=canvas.PRIMARY, linewidth=1.6)
    ax.fill_between(at, 0.0, density, color=canvas.PRIMARY, alpha=0.15, linewidth=0)
    mean = float(distribution.mean())
    ax.axvline(mean, color=canvas.SECONDARY, linestyle="--", linewidth=1.2)
    top = float(density.max())
    # A density without bound at an end would flatten the rest of it.
    shown = min(top, 1.5 * float(distribution.pdf(distribution.ppf(np.linspace(0.4, 0.9, 51))).max()))
    ax.annotate(f"mean {mean:.3g}", (mean, shown), color=canvas.INK, xytext=(4, -4), textcoords="offset points")
    ax.set_ylim(0.0, 1.05 * shown)
    return canvas.finish(ax, x=words, y="density across customers")


def _distribution(model: PurchaseModel, of: str) -> tuple[str, Any]:
    """What customers differ in, in words, and how."""
    from scipy import stats

    unit = model.unit or "unit of time"
    given = {name: getattr(model, name) for name in model.parameters}
    kinds: dict[tuple[str, ...], tuple[str, Callable[..., Any]]]
    if of == "purchase":
        kinds = {
            ("alpha", "beta", "gamma", "delta"): ("probability of a purchase at an opportunity", _first_beta),
            ("r", "alpha"): (f"purchases a {unit} while a customer", lambda r, alpha: stats.gamma(r, scale=1 / alpha)),
        }
    else:
        kinds = {
            ("alpha", "beta", "gamma", "delta"): ("dropout probability at an opportunity", _second_beta),
            ("b", "s", "beta"): ("", lambda b, s, beta: None),
            ("s", "beta"): (f"dropouts a {unit}", lambda s, beta: stats.gamma(s, scale=1 / beta)),
            ("a", "b"): ("dropout probability", stats.beta),
        }
    for names, (words, make) in kinds.items():
        if set(names) <= set(given):
            found = make(*(given[name] for name in names))
            if found is not None:
                return words, found
            break
    raise InputError(
        f"of={of!r}: {type(model).__name__} has no density of its own for it.", argument="of", fix='Try of="lifetime".'
    )


def _first_beta(alpha: float, beta: float, gamma: float, delta: float) -> Any:
    from scipy import stats

    return stats.beta(alpha, beta)


def _second_beta(alpha: float, beta: float, gamma: float, delta: float) -> Any:
    from scipy import stats

    return stats.beta(gamma, delta)


def _lifetimes(model: PurchaseModel, ax: Axes | None) -> Axes:
    """The share of new customers who are alive after a time, until a tenth is left or doubling it changes little."""
    reach, left, before = 1.0, 1.0, 1.0
    while left > 0.1 and reach < 1e6 and (left > 0.6 or before - left > 0.05):
        reach *= 2
        left, before = float(model.probability_alive(0, 0.0, 0.0, after=reach)), left
    discrete = not (model.time_scales or model.time_rates)
    time = np.arange(0.0, reach + 1) if discrete else np.linspace(0.0, reach, _POINTS)
    alive = np.asarray(model.probability_alive(0, 0.0, 0.0, after=time))

    ax = canvas.axes(ax)
    ax.plot(time, alive, color=canvas.PRIMARY, linewidth=1.6, drawstyle="steps-post" if discrete else "default")
    ax.set_ylim(0.0, 1.02)
    canvas.percent_axis(ax.yaxis)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    return canvas.finish(ax, x=f"{model.unit or 'time unit'}s from the first purchase", y="still a customer")
