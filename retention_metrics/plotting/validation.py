"""Purchase models drawn beside what came: through time, by frequency and by recency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.plotting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics.clv import FrequencyFit, Holdout, Tracking

Floats = NDArray[np.float64]
_MODELS = (canvas.SECONDARY, canvas.TERTIARY, "#cc79a7", "#e69f00", "#56b4e9")
_MARKS = ("D", "s", "^", "v", "o")


def tracking(result: Tracking, ax: Axes | None = None, *, cumulative: bool = True) -> Axes:
    """Repeat purchases through time, those that came and those that models expected.

    Parameters
    ----------
    result : Tracking
        What ``clv.tracking`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    cumulative : bool, default True
        All purchases so far, or those of each period.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot; a dotted line is the end of calibration.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = ["2024-01-01", "2024-01-10", "2024-01-03", "2024-01-21"]
    >>> log = pd.DataFrame({"who": ["a", "a", "b", "b"], "day": pd.to_datetime(days)})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> axes = rm.plotting.tracking(rm.clv.tracking(model, log, customer="who", time="day"))
    >>> axes.get_ylabel()
    'repeat purchases so far'
    """
    ax = canvas.axes(ax)
    kind = "cumulative_" if cumulative else ""
    by_model = _by_model(result.columns)
    first = next(iter(by_model.values()))
    period = np.array(first["period"], dtype=float)
    ax.plot(period, first[f"{kind}actual"], color=canvas.PRIMARY, linewidth=1.8, label="actual")
    for place, (name, cells) in enumerate(by_model.items()):
        ax.plot(period, cells[f"{kind}expected"], color=_colour(place), linestyle="--", linewidth=1.4, label=name)
    held = np.array(first["holdout"], dtype=bool)
    if held.any() and not held.all():
        ax.axvline(float(period[held][0]) - 0.5, color=canvas.MUTED, linestyle=":", linewidth=1.0)
    ax.set_ylim(bottom=0.0)
    _legend(ax)
    words = "repeat purchases so far" if cumulative else f"repeat purchases a {result.unit}"
    return canvas.finish(ax, x=f"{result.unit}s from the first purchase of all", y=words)


def frequency_histogram(result: FrequencyFit, ax: Axes | None = None) -> Axes:
    """Customers by number of repeat purchases, beside what the model expects.

    Parameters
    ----------
    result : FrequencyFit
        What ``clv.frequency_fit`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(500, 39.0), rng=2005)
    >>> axes = rm.plotting.frequency_histogram(rm.clv.frequency_fit(rm.clv.BGNBD.fit(drawn)))
    >>> axes.get_ylabel()
    'customers'
    """
    ax = canvas.axes(ax)
    where = np.arange(result.columns.height)
    ax.bar(where - 0.2, _numbers(result.columns["actual"]), 0.38, color=canvas.PRIMARY, alpha=0.8, label="actual")
    ax.bar(
        where + 0.2, _numbers(result.columns["expected"]), 0.38, color=canvas.SECONDARY, alpha=0.8, label=result.model
    )
    ax.set_xticks(where, labels=[str(label) for label in result.columns["frequency"]])
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    _legend(ax)
    return canvas.finish(ax, x="repeat purchases", y="customers")


def conditional_expectation(result: Holdout, ax: Axes | None = None, *, by: str = "frequency") -> Axes:
    """Purchases per customer in the holdout, actual and expected.

    Parameters
    ----------
    result : Holdout
        What ``clv.holdout`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.
    by : {"frequency", "recency"}, default "frequency"
        Customers by their repeat purchases before, or by the time of the last of them.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot.

    Raises
    ------
    InputError
        If ``by`` is neither.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> before = {"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86]}
    >>> history = pd.DataFrame({**before, "frequency_holdout": [1, 0], "duration_holdout": 39.0})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> axes = rm.plotting.conditional_expectation(rm.clv.holdout(model, history))
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['0', '2']
    """
    chosen = _checks.choice(by, ("frequency", "recency"), name="by")
    ax = canvas.axes(ax)
    by_model = _by_model(result.by_frequency if chosen == "frequency" else result.by_recency)
    first = next(iter(by_model.values()))
    where = np.arange(len(first["actual"]))
    ax.plot(where, first["actual"], "o-", color=canvas.PRIMARY, markersize=6, label="actual")
    for place, (name, cells) in enumerate(by_model.items()):
        mark = _MARKS[place % len(_MARKS)]
        ax.plot(where, cells["expected"], mark, linestyle="--", color=_colour(place), markersize=5, label=name)
    ax.set_xticks(where, labels=_labels(first, chosen))
    ax.set_ylim(bottom=0.0)
    ax.grid(axis="y", color=canvas.GRID, linewidth=0.6)
    _legend(ax)
    last = f"last repeat purchase by, in {result.unit}s" if result.unit else "last repeat purchase by"
    return canvas.finish(
        ax, x="repeat purchases before" if chosen == "frequency" else last, y="purchases per customer after"
    )


def _labels(cells: dict[str, list[Any]], by: str) -> list[str]:
    if by == "frequency":
        return [str(label) for label in cells["frequency"]]
    return ["none" if end == 0 else f"{end:.3g}" for end in cells["recency_to"]]


def _by_model(columns: Any) -> dict[str, dict[str, list[Any]]]:
    """The columns of each model, in order."""
    found: dict[str, dict[str, list[Any]]] = {}
    for row in columns.rows():
        cells = found.setdefault(str(row["model"]), {})
        for name, cell in row.items():
            cells.setdefault(name, []).append(cell)
    return found


def _numbers(cells: Sequence[Any]) -> Floats:
    return np.array(cells, dtype=np.float64)


def _colour(place: int) -> str:
    return _MODELS[place % len(_MODELS)]


def _legend(ax: Axes) -> None:
    for text in ax.legend(frameon=False, loc="best").get_texts():
        text.set_color(canvas.INK)
        text.set_parse_math(False)
