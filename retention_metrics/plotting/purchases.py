"""Models of purchases drawn: what they expected beside what came, and who is still a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.errors import InputError
from retention_metrics.plotting import canvas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics.clv import Fit, Regression

Floats = NDArray[np.float64]


class AliveModel(Protocol):
    """A model that gives the probability of being alive."""

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Any:
        """Probability that a customer is alive at T."""
        ...


class PurchasesModel(Protocol):
    """A model that gives expected purchases."""

    def expected_purchases(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike) -> Any:
        """Expected purchases in the time ahead."""
        ...


def expected_against_actual(
    predicted: object,
    ax: Axes | None = None,
    *,
    frequency: str = "frequency",
    actual: str = "frequency_holdout",
    expected: str = "expected_purchases",
    most: int = 7,
) -> Axes:
    """Purchases that a model expected beside those that came, by purchases before.

    Parameters
    ----------
    predicted : CustomerTable or eager dataframe
        What ``predict`` made of a history with a holdout, over a horizon as long as the holdout.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    frequency, actual, expected : str
        Columns of the repeat purchases before, of the purchases that came, and of those expected.
    most : int, default 7
        Customers with this many repeat purchases or more make one class.

    Returns
    -------
    matplotlib.axes.Axes
        Mean purchases per customer in each class; the bars on what came are 95 % intervals of the mean, where
        a class has at least two customers.

    Raises
    ------
    ColumnError
        If a column is missing.
    InputError
        If there is no row to draw.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> table = pd.DataFrame(
    ...     {"frequency": [0, 0, 1, 2], "frequency_holdout": [0, 1, 1, 3], "expected_purchases": [0.3, 0.3, 0.9, 2.1]}
    ... )
    >>> axes = rm.plotting.expected_against_actual(table)
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['0', '1', '2']
    """
    frame: Any = getattr(predicted, "frame", predicted)
    # A lazy Polars frame and a DuckDB relation.
    if hasattr(frame, "collect") or hasattr(frame, "fetchall"):
        raise InputError("predicted is an eager frame.", argument="predicted", fix="Collect the lazy one first.")
    most = _checks.count(most, name="most", low=1)
    x, came, hoped = (
        _column(frame, name, role=role)
        for role, name in (("frequency", frequency), ("actual", actual), ("expected", expected))
    )
    known = np.isfinite(x) & np.isfinite(came) & np.isfinite(hoped)
    if not known.any():
        raise InputError("predicted has no customer with all three numbers.", argument="predicted")
    x, came, hoped = np.minimum(x[known], most), came[known], hoped[known]

    ax = canvas.axes(ax)
    classes = np.unique(x)
    means = [(float(came[x == k].mean()), float(hoped[x == k].mean()), _half_width(came[x == k])) for k in classes]
    where = np.arange(classes.size)
    real, model, half = (np.array(part, dtype=float) for part in zip(*means, strict=True))
    ax.bar(where - 0.2, real, 0.38, color=canvas.PRIMARY, alpha=0.8, label="actual")
    shown = np.isfinite(half)
    ends = np.stack([np.minimum(half, real), half])[:, shown]
    ax.errorbar(where[shown] - 0.2, real[shown], yerr=ends, fmt="none", ecolor=canvas.INK, elinewidth=1.2, capsize=3)
    ax.plot(where + 0.2, model, "D", color=canvas.SECONDARY, markersize=6, label="expected by the model")
    ax.vlines(where + 0.2, 0, model, color=canvas.SECONDARY, linewidth=1.4)
    ax.set_xticks(where, labels=[f"{k:.0f}" if k < most else f"{most}+" for k in classes])
    ax.set_ylim(bottom=0.0)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    legend = ax.legend(frameon=False, loc="upper left")
    for text in legend.get_texts():
        text.set_color(canvas.INK)
    return canvas.finish(ax, x="repeat purchases before", y="purchases per customer after")


def _half_width(values: Floats) -> float:
    from scipy import stats

    if values.size < 2:
        return np.nan
    return float(stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size))


def _column(frame: Any, name: str, *, role: str) -> Floats:
    named = frame.column_names if hasattr(frame, "column_names") else getattr(frame, "columns", ())
    column = frame[_checks.column(name, [str(known) for known in named], role=role)]
    # PyArrow's name for it, and that of pandas and Polars.
    listed = getattr(column, "to_pylist", None) or column.to_list
    return np.array([np.nan if cell is None or cell != cell else float(cell) for cell in listed()], dtype=np.float64)


def probability_alive_matrix(
    model: AliveModel | Regression[Any] | Fit[Any],
    ax: Axes | None = None,
    *,
    T: float,
    frequency_max: int = 20,
    steps: int = 40,
    covariates: Mapping[str, Any] | NativeFrame | None = None,
) -> Axes:
    """Probability of being alive, by purchases and by the time of the last one.

    Parameters
    ----------
    model : BGNBD, Regression or Fit
        Any model with ``probability_alive``, or its fit.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    T : float
        Time since the first purchase, in the model's unit.
    frequency_max : int, default 20
        Most repeat purchases shown.
    steps : int, default 40
        Cells along the time of the last purchase.
    covariates : mapping of str to float or str, or dataframe of one row, optional
        Those of the customer whom a model with covariates is of.

    Returns
    -------
    matplotlib.axes.Axes
        Recent buyers on the right, frequent buyers on top; whoever bought often and then fell silent is lost,
        whoever buys seldom may just be between two purchases.

    Raises
    ------
    InputError
        If T is not above zero, there is nothing to draw, or a covariate is not given.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> axes = rm.plotting.probability_alive_matrix(model, T=39.0, frequency_max=10)
    >>> axes.get_ylabel()
    'repeat purchases'
    """
    chosen = canvas.one_model(model, "probability_alive", covariates)
    frequency, recency, edges = _grid(T, frequency_max, steps)
    alive = np.asarray(chosen.probability_alive(frequency[:, None], recency[None, :], T), dtype=np.float64)

    ax, bar = _matrix(chosen, ax, frequency, edges, alive, levels=(0.1, 0.5, 0.9), most=1.0)
    canvas.percent_axis(bar.ax.yaxis)
    bar.set_label("probability of still being a customer", color=canvas.INK)
    return ax


def expected_purchases_matrix(
    model: PurchasesModel | Regression[Any] | Fit[Any],
    ax: Axes | None = None,
    *,
    T: float,
    horizon: float,
    frequency_max: int = 20,
    steps: int = 40,
    covariates: Mapping[str, Any] | NativeFrame | None = None,
) -> Axes:
    """Expected purchases ahead, by purchases so far and by the time of the last one.

    Parameters
    ----------
    model : BGNBD, Regression or Fit
        Any model with ``expected_purchases``, or its fit.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    T : float
        Time since the first purchase, in the model's unit.
    horizon : float
        Time ahead, in the model's unit.
    frequency_max : int, default 20
        Most repeat purchases shown.
    steps : int, default 40
        Cells along the time of the last purchase.
    covariates : mapping of str to float or str, or dataframe of one row, optional
        Those of the customer whom a model with covariates is of.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot.

    Raises
    ------
    InputError
        If T or the horizon is not above zero, there is nothing to draw, or a covariate is not given.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> axes = rm.plotting.expected_purchases_matrix(model, T=39.0, horizon=39.0, frequency_max=10)
    >>> axes.get_ylabel()
    'repeat purchases'
    """
    chosen = canvas.one_model(model, "expected_purchases", covariates)
    ahead = _checks.positive(horizon, name="horizon")
    frequency, recency, edges = _grid(T, frequency_max, steps)
    expected = np.asarray(
        chosen.expected_purchases(frequency[:, None], recency[None, :], T, horizon=ahead), dtype=np.float64
    )

    ax, bar = _matrix(chosen, ax, frequency, edges, expected, levels=(1.0, 2.0, 5.0, 10.0, 20.0), most=None)
    bar.set_label(f"expected purchases in the next {ahead:g}", color=canvas.INK)
    return ax


def _grid(T: float, frequency_max: int, steps: int) -> tuple[Floats, Floats, Floats]:
    """Frequencies from 1, the middles of the cells of recency and their edges."""
    age = _checks.positive(T, name="T")
    most = _checks.count(frequency_max, name="frequency_max", low=1)
    edges = np.linspace(0.0, age, _checks.count(steps, name="steps", low=2) + 1)
    return np.arange(1, most + 1, dtype=float), (edges[:-1] + edges[1:]) / 2, edges


def _matrix(
    model: object,
    ax: Axes | None,
    frequency: Floats,
    edges: Floats,
    cells: Floats,
    *,
    levels: tuple[float, ...],
    most: float | None,
) -> tuple[Axes, Any]:
    """The matrix with contours, and its bar of colours."""
    ax = canvas.axes(ax, width=6.4, height=4.2)
    rows = np.arange(frequency.size + 1) + 0.5
    mesh = ax.pcolormesh(edges, rows, cells, cmap=canvas.SEQUENTIAL, vmin=0.0, vmax=most, rasterized=True)
    within = [level for level in levels if cells.min() < level < cells.max()]
    if within and frequency.size > 1:
        recency = (edges[:-1] + edges[1:]) / 2
        lines = ax.contour(recency, frequency, cells, levels=within, colors="white", linewidths=1.0)
        shares = most == 1.0
        ax.clabel(
            lines,
            fmt=lambda level: canvas.percent(level, digits=0) if shares else f"{level:g}",
            fontsize="small",
        )
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=0.05, pad=0.02)
    bar.ax.tick_params(colors=canvas.INK)
    bar.outline.set_visible(False)
    unit = getattr(model, "unit", None) or "time unit"
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    canvas.finish(ax, x=f"{unit}s from the first purchase to the last (of {edges[-1]:.0f})", y="repeat purchases")
    return ax, bar
