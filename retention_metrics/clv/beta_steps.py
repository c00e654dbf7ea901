"""Differences of gamma and beta functions between near arguments, without cancellation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics.clv import special

Floats = NDArray[np.float64]

_SHIFT = 10  # from here on the asymptotic series of the digamma function is exact to the last bit
_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_CANCELS = 4.0  # a difference below a quarter of its parts together loses bits, and so does one far below 1
_BLOCK = 4096  # numbers that are integrated at once
_PANEL = 3.0  # in units of log z: the integrand's poles are at a distance of pi


def digamma_step(z: ArrayLike, a: ArrayLike) -> Floats:
    """Rise of the digamma function from z to z + a.

    Parameters
    ----------
    z : array_like of float
        Positive.
    a : array_like of float
        At least 0. Both arguments broadcast.

    Returns
    -------
    ndarray of float
        ``digamma(z + a) - digamma(z)`` to full relative accuracy, however small ``a / z`` is.

    Notes
    -----
    Ten steps of the recurrence lead to arguments where the asymptotic series holds [1]_; the difference of each of
    its terms is written so that nothing cancels.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions (2024), equations 5.5.2 and 5.11.2.

    Examples
    --------
    >>> round(float(digamma_step(1.0, 2.0)), 12)
    1.5
    """
    start, rise = np.broadcast_arrays(np.asarray(z, dtype=float), np.asarray(a, dtype=float))
    total = np.zeros(start.shape)
    for passed in range(_SHIFT):
        total = total + rise / (start + passed) / (start + passed + rise)
    low = start + _SHIFT
    growth = np.log1p(rise / low)
    total = total + growth + 0.5 * rise / low / (low + rise)
    for order, coefficient in enumerate(_SERIES, start=1):
        total = total - coefficient * low ** (-2.0 * order) * np.expm1(-2 * order * growth)
    return np.asarray(total)


def trigamma_step(z: ArrayLike, a: ArrayLike) -> Floats:
    """Fall of the trigamma function from z to z + a, times z squared.

    Parameters
    ----------
    z : array_like of float
        Positive.
    a : array_like of float
        At least 0. Both arguments broadcast.

    Returns
    -------
    ndarray of float
        ``z**2 * (trigamma(z) - trigamma(z + a))`` to full relative accuracy, however small ``a / z`` is. About a for
        a large z, where the fall itself is too small for a float.

    Notes
    -----
    The derivative of ``digamma_step`` in z, with the sign changed, term by term.

    Examples
    --------
    >>> round(float(trigamma_step(1.0, 2.0)), 12)
    1.25
    """
    start, rise = np.broadcast_arrays(np.asarray(z, dtype=float), np.asarray(a, dtype=float))
    total = np.zeros(start.shape)
    for passed in range(_SHIFT):
        near, far = start / (start + passed), start / (start + passed + rise)
        total = total + rise * near * far * (near + far) / start
    low = start + _SHIFT
    near, far, growth = start / low, start / (low + rise), np.log1p(rise / low)
    total = total + rise * near * far * (1 + 0.5 * (1 / low + 1 / (low + rise)))
    for order, coefficient in enumerate(_SERIES, start=1):
        falls = -np.expm1(-(2 * order + 1) * growth)
        total = total + 2 * order * coefficient * near**2 * low ** (1.0 - 2 * order) * falls
    return np.asarray(total)


def log_beta_step(a: ArrayLike, b: ArrayLike, step: ArrayLike) -> Floats:
    """Change of log B(a, b) as b rises by a step.

    Parameters
    ----------
    a, b : array_like of float
        Positive.
    step : array_like of float
        At least 0; all arguments broadcast.

    Returns
    -------
    ndarray of float
        ``log B(a, b + step) - log B(a, b)``, at most 0, to full relative accuracy, however near 0.

    Notes
    -----
    The difference itself where it is not small beside its parts. Elsewhere the integral over the step of
    ``digamma(b + u) - digamma(a + b + u)``, which has one sign, by Gauss-Legendre panels in the logarithm of
    ``b + u``. The answer does not change if a and the step trade places, so the integral is over the shorter of them.

    Examples
    --------
    >>> round(float(np.exp(log_beta_step(1.0, 1.0, 1.0))), 12)
    0.5
    """
    first, low, rise = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (a, b, step)))
    before, after = special.log_beta(first, low), special.log_beta(first, low + rise)
    answer = np.atleast_1d(after - before)
    near = np.abs(answer) * _CANCELS < np.abs(after) + np.abs(before) + 1
    if near.any():
        answer[near] = _integral(*(np.atleast_1d(value)[near] for value in (first, low, rise)))
    return answer.reshape(first.shape)


def _integral(a: Floats, low: Floats, step: Floats) -> Floats:
    answer = np.empty(low.size)
    for start in range(0, low.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        answer[rows] = _panels(np.maximum(a[rows], step[rows]), low[rows], np.minimum(a[rows], step[rows]))
    return answer


def _panels(a: Floats, low: Floats, step: Floats) -> Floats:
    width = np.log1p(step / low)
    panels = max(1, int(np.ceil(float(width.max()) / _PANEL)))
    total = np.zeros(low.shape)
    for panel in range(panels):
        point = low * np.exp(width * ((panel + 0.5 * (1 + _NODES[:, None])) / panels))
        total = total + _WEIGHTS @ (point * digamma_step(point, a))
    return np.asarray(-total * width / (2 * panels))
