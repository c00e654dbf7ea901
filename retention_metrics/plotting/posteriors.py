"""Posterior distributions drawn: each parameter, and each pair of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from retention_metrics.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
_MOST_POINTS = 1_000


class Drawn(Protocol):
    """What holds draws of parameters by name."""

    @property
    def draws(self) -> Mapping[str, Floats]:
        """Equally likely draws, of one length."""
        ...


def posterior_pairs(posterior: Drawn, ax: Axes | None = None) -> Axes:
    """Histograms of a posterior's parameters, and every pair of them as points.

    Parameters
    ----------
    posterior : Posterior
        From ``Fit.posterior``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the panels, ``child_axes``: a row and a column per parameter, in the lower triangle. Scales
        are logarithmic for positive parameters that vary by more than a factor of two; lines mark the median.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
    >>> axes = rm.plotting.posterior_pairs(fit.posterior(draws=500, rng=2005))
    >>> len(axes.child_axes)
    10
    """
    names = list(posterior.draws)
    size = 1.9 * len(names) + 0.6
    ax = canvas.axes(ax, width=size, height=size)
    ax.set_axis_off()
    step, gap = 1 / len(names), 0.06 / len(names)
    for row, below in enumerate(names):
        for column, across in enumerate(names[: row + 1]):
            box = (column * step + gap, 1 - (row + 1) * step + gap, step - 2 * gap, step - 2 * gap)
            panel = ax.inset_axes(box)
            if row == column:
                _histogram(panel, posterior.draws[across])
            else:
                _points(panel, posterior.draws[across], posterior.draws[below])
            _edges(panel, x=across if row == len(names) - 1 else None, y=below if column == 0 < row else None)
    return ax


def _histogram(panel: Axes, values: Floats) -> None:
    low, high = float(values.min()), float(values.max())
    bins = np.geomspace(low, high, 31) if _on_logs(values) else np.linspace(low, high, 31)
    panel.hist(values, bins=bins.tolist(), color=canvas.PRIMARY, alpha=0.8)
    panel.axvline(float(np.median(values)), color=canvas.SECONDARY, linewidth=1.2)
    _scale(panel, values, "x")
    panel.set_yticks([])


def _points(panel: Axes, x: Floats, y: Floats) -> None:
    every = max(1, x.size // _MOST_POINTS)
    panel.plot(x[::every], y[::every], ".", color=canvas.PRIMARY, alpha=0.3, markersize=2.5, rasterized=True)
    panel.axvline(float(np.median(x)), color=canvas.SECONDARY, linewidth=0.8)
    panel.axhline(float(np.median(y)), color=canvas.SECONDARY, linewidth=0.8)
    _scale(panel, x, "x")
    _scale(panel, y, "y")


def _on_logs(values: Floats) -> bool:
    return bool(values.min() > 0 and values.max() > 2 * values.min())


def _scale(panel: Axes, values: Floats, side: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axis = panel.xaxis if side == "x" else panel.yaxis
    if _on_logs(values):
        getattr(panel, f"set_{side}scale")("log")
        wide = values.max() > 30 * values.min()
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_locator(MaxNLocator(3))
    axis.set_minor_locator(NullLocator())
    # One range per parameter, in every panel.
    getattr(panel, f"set_{side}lim")(float(values.min()), float(values.max()))


def _edges(panel: Axes, *, x: str | None, y: str | None) -> None:
    canvas.finish(panel, x=x, y=y)
    panel.tick_params(labelsize="x-small", labelbottom=x is not None, labelleft=y is not None)
