"""Sums over renewals still to come, discounted or not, over any horizon."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LogTerm = Callable[[Floats], Floats]
"""Log of a term at real times ahead: shape (n_rows, n_times) in and out."""

_ONE_BY_ONE = 256  # terms that are added one by one before an integral takes over
_STRIDE = 32
_NOTHING = 1e-25
_BATCH = 64
_DEPTH = 45.0  # e**-45 is below the last bit
_PANEL = 0.25  # in units of log time
_NARROWINGS = 4  # each finds the integrand's reach to a 64th of the one before
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_GREGORY = (1 / 12, -1 / 24, 19 / 720, -3 / 160, 863 / 60480, -275 / 24192)


def sum_ahead(
    log_kept: Callable[[slice], LogTerm], tenure: Floats, horizon: float, force: float, power: Floats, settled: Floats
) -> Floats:
    """Sum over t = 1, ..., horizon of ``kept(t) exp(-force (t - 1))``.

    The first terms are added one by one. From then on ``kept`` is smooth over many terms, and the rest is an integral
    with Gregory's end corrections to sixth order.

    Parameters
    ----------
    log_kept : callable
        Gives for a slice of the rows the log of the share kept as a function of the time ahead.
    tenure : ndarray of float, shape (n_rows,)
        Renewals already passed.
    horizon : float
        Whole number of at least 0, or infinite.
    force : float
        Continuous discount rate, at least 0.
    power : ndarray of float, shape (n_rows,)
        The share kept falls like ``t**-power`` in the end; infinite where it falls faster than any power.
    settled : ndarray of float, shape (n_rows,)
        Tenure from which it does to the last bit.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        The sums; infinite where they are.
    """
    answer = np.empty(tenure.size)
    for start in range(0, tenure.size, _BATCH):
        rows = slice(start, min(start + _BATCH, tenure.size))
        log_term = _discounted(log_kept(rows), force)
        origin, fall, flat = (column[rows, None] for column in (tenure, power, settled))
        answer[rows] = _sum(log_term, origin, fall, flat, horizon, force)
    return answer


def _discounted(log_kept: LogTerm, force: float) -> LogTerm:
    return lambda ahead: log_kept(ahead) - force * (ahead - 1)


def _sum(
    log_term: LogTerm, tenure: Floats, power: Floats, settled: Floats, horizon: float, force: float
) -> NDArray[np.float64]:
    total: Floats = np.zeros(tenure.size)
    for start in range(0, int(min(horizon, _ONE_BY_ONE)), _STRIDE):
        numbers = np.arange(start + 1.0, min(horizon, start + _STRIDE) + 1)
        terms = np.exp(log_term(np.broadcast_to(numbers, (tenure.size, numbers.size))))
        total = total + terms.sum(axis=1)
        # A term this small has no sum behind it that is seen: where terms fall slowly they stay large for long.
        if (terms[:, -1] <= _NOTHING * total).all():
            return total
    if horizon <= _ONE_BY_ONE:
        return total
    if np.isinf(horizon) and force == 0:
        with np.errstate(over="ignore"):
            total = np.where(power[:, 0] > 1, total, np.inf)
    first = _ONE_BY_ONE + 1.0
    total = total + _ends(log_term, tenure.size, first, horizon)
    return total + _integral(log_term, tenure, power, settled, first, horizon, force)


def _ends(log_term: LogTerm, rows: int, first: float, last: float) -> Floats:
    """What a sum from ``first`` to ``last`` has over the integral."""
    steps = np.arange(len(_GREGORY) + 1.0)
    total = np.zeros(rows)
    for end, direction in ((first, 1.0), (last, -1.0)):
        if np.isfinite(end):
            values = np.exp(log_term(np.broadcast_to(end + direction * steps, (rows, steps.size))))
            total = total + 0.5 * values[:, 0]
            for order, weight in enumerate(_GREGORY, start=1):
                total = total - weight * np.diff(values, n=order, axis=1)[:, 0]
    return total


def _integral(
    log_term: LogTerm, tenure: Floats, power: Floats, settled: Floats, first: float, last: float, force: float
) -> Floats:
    """Integral of the terms by Gauss-Legendre panels in the log of the tenure to come."""
    origin = tenure + first

    def log_height(y: Floats) -> Floats:
        return log_term(origin * np.exp(y) - tenure) + y

    end = np.log((tenure + last) / origin) if np.isfinite(last) else np.log(np.maximum(settled / origin, 3.0))
    if force > 0:
        end = np.minimum(end, np.log1p(_DEPTH / (force * origin)) + 1)
    reach = end
    for _ in range(_NARROWINGS):
        reach = _reach(log_height, reach)
    panels = max(32, int(np.ceil(float(reach.max()) / _PANEL)))
    half = reach / (2 * panels)
    total = np.zeros(tenure.size)
    for panel in range(panels):
        nodes = half * (2 * panel + 1 + _NODES)
        total = total + (np.exp(log_height(nodes)) @ _WEIGHTS)
    body = total * (half * origin)[:, 0]
    if np.isfinite(last) or force > 0:
        return np.asarray(body)
    # An endless sum without discount is cut where the terms are a power of time, whose integral is known.
    falls = np.where(power > 1, power - 1, np.inf)
    rest = np.where(reach < end, 0.0, np.exp(log_height(reach)) * origin / falls)
    return np.asarray(body + rest[:, 0])


def _reach(log_height: LogTerm, end: Floats) -> Floats:
    """Where the integrand has fallen below the last bit of its peak, or the end if it does not."""
    grid = end * np.linspace(0.0, 1.0, 65)
    heights = log_height(grid)
    kept = heights > heights.max(axis=1, keepdims=True) - _DEPTH
    last = grid.shape[1] - np.argmax(kept[:, ::-1], axis=1)
    return np.take_along_axis(grid, np.minimum(last, grid.shape[1] - 1)[:, None], axis=1)
