"""Gauss hypergeometric terms in logarithms, as means over a beta distribution.

Every expectation of the purchase models is a mean over the dropout probability p ~ Beta(a, b) of a function of
``1 + p tau``. Written that way nothing cancels, nothing overflows, and the removable singularities of the printed
formulas (a = 1; b = 1 without repeat purchases) do not exist. The means are computed by Gauss–Legendre panels on
``y = log(p / (1 - p))``, where the integrands have one peak and exponential tails that are integrated exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

_DEPTH = 38.0  # e**-38 is below the last bit of a double
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 3.0  # in units of y: the integrands' poles are at a distance of pi/2 or more
_LARGE = 1e3  # where gamma functions are their asymptotic series, and their differences would cancel
_BATCH = 256  # rows at a time, so that the nodes stay in the cache


def log_beta(a: ArrayLike, b: ArrayLike) -> Floats:
    """Log of the beta function without cancellation between large arguments.

    Parameters
    ----------
    a, b : array_like of float
        Positive; they broadcast.

    Returns
    -------
    ndarray of float
        ``log B(a, b)``.

    Notes
    -----
    With an argument of at least 10 the gamma functions are replaced by Stirling's series, whose large terms
    are combined by hand [1]_.

    References
    ----------
    .. [1] Didonato, A. R. & Morris, A. H. (1992). Algorithm 708: significant digit computation of the incomplete
       beta function ratios. *ACM Transactions on Mathematical Software* 18(3), 360-373.

    Examples
    --------
    >>> round(float(log_beta(2.0, 3.0)), 12) == round(float(np.log(1 / 12)), 12)
    True
    """
    first, second = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    small, large = np.minimum(first, second), np.maximum(first, second)
    safe = np.maximum(large, 10.0)
    tail = _stirling(safe) - _stirling(safe + small) - (safe - 0.5) * np.log1p(small / safe)
    one_large = special.gammaln(small) + tail + small - small * np.log(safe + small)
    middle = np.maximum(small, 10.0)
    both_large = (
        _stirling(middle)
        + tail
        + 0.5 * np.log(2 * np.pi)
        + (middle - 0.5) * np.log(middle / (safe + middle))
        - 0.5 * np.log(safe + middle)
    )
    direct = special.gammaln(small) + special.gammaln(large) - special.gammaln(small + large)
    answer: Floats = np.where(large < 10, direct, np.where(small < 10, one_large, both_large))
    return answer


def log_gauss(a: ArrayLike, b: ArrayLike, c: ArrayLike, z: ArrayLike) -> Floats:
    """Log of the Gauss hypergeometric function 2F1(a, b; c; z) for z below 1.

    Parameters
    ----------
    a : array_like of float
        At least 0.
    b, c : array_like of float
        ``0 < b < c``.
    z : array_like of float
        Below 1. All arguments broadcast.

    Returns
    -------
    ndarray of float
        ``log 2F1(a, b; c; z)``, which is real: the function is positive here.

    Notes
    -----
    Euler's integral makes 2F1 the mean of ``(1 - z q)**-a`` over q ~ Beta(b, c - b). For positive z Pfaff's
    transformation moves the argument to ``-z / (1 - z)`` first. The error is at most
    ``1e-10 + 16 * 2**-52 * |log F|`` for parameters from 1e-3 to 1e4.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions (2024), equations 15.6.1 and 15.8.1.

    Examples
    --------
    >>> from scipy.special import hyp2f1
    >>> round(float(log_gauss(2.5, 0.7, 3.1, -4.0) - np.log(hyp2f1(2.5, 0.7, 3.1, -4.0))), 12)
    0.0
    """
    power, first, third, point = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (a, b, c, z)))
    positive = point > 0
    left = np.where(positive, third - first, first)
    right = np.where(positive, first, third - first)
    distance = np.where(positive, point / (1 - np.where(positive, point, 0.0)), -point)
    shift = np.where(positive, -power * np.log1p(-np.where(positive, point, 0.0)), 0.0)
    return log_mean_survival(power, left, right, distance) + shift


def log_mean_survival(power: ArrayLike, a: ArrayLike, b: ArrayLike, tau: ArrayLike) -> Floats:
    """Log of the mean of (1 + p tau)**-power over p ~ Beta(a, b).

    This is ``log 2F1(power, a; a + b; -tau)``: the probability that a customer whose purchase rate is
    Gamma(power, 1), and who drops out after each purchase with probability p, is still alive after time tau.

    Parameters
    ----------
    power : array_like of float
        At least 0; infinite for the mean of exp(-p tau).
    a, b : array_like of float
        Positive shapes of the beta distribution.
    tau : array_like of float
        At least 0. All arguments broadcast.

    Returns
    -------
    ndarray of float
        At most 0.

    Examples
    --------
    >>> round(float(np.exp(log_mean_survival(1.0, 1.0, 1.0, 1.0))), 12) == round(float(np.log(2.0)), 12)
    True
    """
    return _mean(_survival, power, a, b, tau)


def log_mean_purchases(power: ArrayLike, a: ArrayLike, b: ArrayLike, tau: ArrayLike) -> Floats:
    """Log of the mean of (1 - (1 + p tau)**-power) / p over p ~ Beta(a, b).

    The expected number of purchases in time tau of a customer who is alive, whose purchase rate is
    Gamma(power, 1) and who drops out after each purchase with probability p.

    Parameters
    ----------
    power : array_like of float
        Positive; infinite for the mean of (1 - exp(-p tau)) / p.
    a, b : array_like of float
        Positive shapes of the beta distribution.
    tau : array_like of float
        Positive. All arguments broadcast.

    Returns
    -------
    ndarray of float
        The log of the expected purchases.

    Notes
    -----
    For a ≠ 1 this is ``(a + b - 1) / (a - 1) * (1 - 2F1(power, a - 1; a + b - 1; -tau))``, which loses every
    digit as a nears 1 and whose factors change sign with a + b; the mean does neither.

    Examples
    --------
    With p uniform and power 1, the mean of ``tau / (1 + p tau)`` is ``log(1 + tau)``:

    >>> round(float(np.exp(log_mean_purchases(1.0, 1.0, 1.0, 1.0))), 12) == round(float(np.log(2.0)), 12)
    True
    """
    return _mean(_purchases, power, a, b, tau)


# An integrand gives its log and the log's slope at y, with a factor e**y (1 - p) for dp already in it.
_Integrand = Callable[[Floats, Floats, Floats, Floats, Floats], tuple[Floats, Floats]]


def gamma_excess(a: Floats) -> tuple[Floats, Floats, Floats]:
    """``a log(a) - a - log Gamma(a)`` with its first two derivatives, without cancellation for a large a."""
    small, large = np.minimum(a, _LARGE), np.maximum(a, _LARGE)
    near = (
        special.xlogy(small, small) - small - special.gammaln(small),
        np.log(small) - special.digamma(small),
        1 / small - special.polygamma(1, small),
    )
    far = (
        0.5 * np.log(large / (2 * np.pi)) - 1 / (12 * large) + 1 / (360 * large**3),
        1 / (2 * large) + 1 / (12 * large**2) - 1 / (120 * large**4),
        -1 / (2 * large**2) - 1 / (6 * large**3) + 1 / (30 * large**5),
    )
    value, slope, curve = (np.where(a < _LARGE, here, there) for here, there in zip(near, far, strict=True))
    return value, slope, curve


def log_ratio(off: Floats, above: Floats | float, below: Floats | float) -> Floats:
    """Log of ``above / below``, which is ``1 + off``, without cancellation near 1."""
    near = np.abs(off) < 0.5
    answer: Floats = np.where(near, np.log1p(np.where(near, off, 0.0)), np.log(above) - np.log(below))
    return answer


def _survival(y: Floats, power: Floats, a: Floats, b: Floats, tau: Floats) -> tuple[Floats, Floats]:
    p, not_p, log_p, log_not_p = _shares(y)
    exponent, rise = _exponent(power, tau, p, not_p)
    return a * log_p + b * log_not_p - exponent, a * not_p - b * p - rise


def _purchases(y: Floats, power: Floats, a: Floats, b: Floats, tau: Floats) -> tuple[Floats, Floats]:
    p, not_p, log_p, log_not_p = _shares(y)
    exponent, rise = _exponent(power, tau, p, not_p)
    gone = -np.expm1(-exponent)
    value = (a - 1) * log_p + b * log_not_p + np.log(gone)
    slope = (a - 1) * not_p - b * p + rise * (1 - gone) / gone
    return value, slope


def _exponent(power: Floats, tau: Floats, p: Floats, not_p: Floats) -> tuple[Floats, Floats]:
    """Minus the log of (1 + p tau)**-power and its slope in y; of exp(-p tau) for infinite power."""
    if np.isfinite(power).all():
        return power * np.log1p(tau * p), power * tau * p * not_p / (1 + tau * p)
    endless = np.isinf(power)
    finite = np.where(endless, 1.0, power)
    value = np.where(endless, tau * p, finite * np.log1p(tau * p))
    return value, np.where(endless, tau * p * not_p, finite * tau * p * not_p / (1 + tau * p))


def _shares(y: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """p, 1 - p and their logs, each to full relative precision."""
    small = np.exp(-np.abs(y))
    log_term = np.log1p(small)
    larger, smaller = 1 / (1 + small), small / (1 + small)
    right = y > 0
    p, not_p = np.where(right, larger, smaller), np.where(right, smaller, larger)
    return p, not_p, np.minimum(y, 0) - log_term, -np.maximum(y, 0) - log_term


def _mean(integrand: _Integrand, power: ArrayLike, a: ArrayLike, b: ArrayLike, tau: ArrayLike) -> Floats:
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (power, a, b, tau)))
    shape = arrays[0].shape
    flat = [array.reshape(-1) for array in arrays]
    answer = np.empty(flat[0].size)
    for start in range(0, answer.size, _BATCH):
        rows = slice(start, start + _BATCH)
        answer[rows] = _log_integral(integrand, *(column[rows, None] for column in flat))
    return (answer - log_beta(flat[1], flat[2])).reshape(shape)


def _log_integral(integrand: _Integrand, power: Floats, a: Floats, b: Floats, tau: Floats) -> Floats:
    # Beyond these points the integrand is exponential in y, with slopes a and -b.
    endless = np.isinf(power)
    finite = np.where(endless, 1.0, power)
    left = -_DEPTH - np.log1p(a + b + finite * tau)
    right = _DEPTH + np.log1p(a + b + np.where(endless, tau, finite))
    peak = _bisect(lambda y: integrand(y, power, a, b, tau)[1] > 0, left, right, steps=22)
    top = integrand(peak, power, a, b, tau)[0]

    def above(y: Floats) -> NDArray[np.bool_]:
        return integrand(y, power, a, b, tau)[0] > top - _DEPTH

    low = _bisect(lambda y: ~above(y), left, peak, steps=12)
    high = _bisect(above, peak, right, steps=12)
    panels = max(12, int(np.ceil(np.max(high - low) / _PANEL)))
    half = (high - low) / (2 * panels)
    middles = low + half * (2 * np.arange(panels) + 1)
    nodes = (middles[:, :, None] + half[:, :, None] * _NODES).reshape(middles.shape[0], -1)
    heights = np.exp(integrand(nodes, power, a, b, tau)[0] - top).reshape(*middles.shape, _NODES.size)
    body = (heights @ _WEIGHTS).sum(axis=1, keepdims=True) * half
    # The tails matter only where the panels had to stop at an end point; elsewhere they are below e**-38.
    tail_left = np.exp(integrand(left, power, a, b, tau)[0] - top) / a
    tail_right = np.exp(integrand(right, power, a, b, tau)[0] - top) / b
    total: Floats = (top + np.log(body + tail_left + tail_right))[:, 0]
    return total


def _bisect(before: Callable[[Floats], NDArray[np.bool_]], low: Floats, high: Floats, *, steps: int) -> Floats:
    """The point where ``before`` turns from true to false, to 2**-steps; an end point where it does not.

    Few rows are cut into many parts at a time, since an array of a few numbers costs as much as one of hundreds.
    """
    low, high = np.broadcast_arrays(low, high)
    ends = before(high), ~before(low)
    start, stop = low, high
    bits = max(1, int(np.log2(_BATCH / low.size)))
    inner = np.arange(1, 2**bits) / 2**bits
    for _ in range(math.ceil(steps / bits)):
        width = high - low
        passed = np.count_nonzero(before(low + width * inner), axis=1, keepdims=True)
        low, high = low + width * (passed / 2**bits), low + width * ((passed + 1) / 2**bits)
    return np.where(ends[0], stop, np.where(ends[1], start, 0.5 * (low + high)))


def _stirling(x: Floats) -> Floats:
    """Remainder of Stirling's formula for log gamma, for x of at least 10."""
    inverse = 1 / x
    square = inverse * inverse
    series = -1 / 1680 + square * (1 / 1188 - square * (691 / 360360 - square / 156))
    answer: Floats = inverse * (1 / 12 + square * (-1 / 360 + square * (1 / 1260 + square * series)))
    return answer
