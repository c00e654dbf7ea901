"""Smooth functions of one variable per purchase frequency, evaluated for many customers.

Given that a customer is alive, what to expect of them depends on their frequency and on one continuous number. For
every frequency that many customers share the function is interpolated at Chebyshev points; the few customers of rare
frequencies are computed one by one. Discounted sums are built on the same curves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats, Floats], Floats]  # (frequency, variable), same shape -> values
Bend = Callable[[Floats], Floats]

_FEW = 24  # customers of a frequency from which a curve pays
_DEGREES = (8, 16, 32, 64, 128, 256)
_CLOSE = 2e-14  # last coefficients against the first: a curve this close is taken
_BRIEF = 1e-150  # scaled time below which expectations are a straight line in doubles
_BLOCK = 16_384
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def by_frequency(function: Function, frequency: Floats, variable: Floats) -> Floats:
    """``function(frequency, variable)`` for 1-D arrays, by one curve per common frequency.

    ``function`` is analytic in the variable, which is laid out so that a polynomial follows it well
    (a logarithm, in most cases).
    """
    answer = np.empty(variable.size)
    if variable.size == 0:
        return answer
    if variable.size <= _FEW:
        answer[:] = function(frequency, variable)
        return answer
    order = _stable_order(frequency)
    levels, points = frequency[order], variable[order]
    starts = np.flatnonzero(np.concatenate(([True], levels[1:] != levels[:-1])))
    sizes = np.diff(np.append(starts, levels.size))
    common = sizes > _FEW
    values = np.empty(points.size)
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    fitted = _fit(function, levels[starts[common]], low[common], high[common])
    for start, size, least, most, curve in zip(
        starts[common], sizes[common], low[common], high[common], fitted, strict=True
    ):
        rows = slice(start, start + size)
        if curve is None:
            values[rows] = function(levels[rows], points[rows])
        else:
            _evaluate(curve, points[rows], float(least), float(most), values[rows])
    rest = np.repeat(~common, sizes)
    if rest.any():
        values[rest] = function(levels[rest], points[rest])
    answer[order] = values
    return answer


def _stable_order(frequency: Floats) -> NDArray[np.intp]:
    # Radix sort of 16-bit whole numbers is several times faster than sorting floats.
    if float(frequency.max()) < 65_536:
        return np.argsort(frequency.astype(np.uint16), kind="stable")
    return np.argsort(frequency, kind="stable")


def _fit(function: Function, levels: Floats, low: Floats, high: Floats) -> list[Floats | None]:
    """Chebyshev coefficients of each level, or None where 256 do not suffice."""
    curves: list[Floats | None] = [None] * levels.size
    open_levels = np.arange(levels.size)
    for degree in _DEGREES:
        if open_levels.size == 0:
            break
        points = np.cos(np.pi * (np.arange(degree) + 0.5) / degree)
        centre, half = (0.5 * (f(high[open_levels], low[open_levels])) for f in (np.add, np.subtract))
        where = centre[:, None] + half[:, None] * points
        height = function(np.repeat(levels[open_levels], degree), where.reshape(-1)).reshape(where.shape)
        basis = np.cos(np.arange(degree)[:, None] * np.arccos(points)) * (2 / degree)
        coefficients = height @ basis.T
        coefficients[:, 0] *= 0.5
        size = np.abs(coefficients[:, : degree - 2]).max(axis=1, initial=0.0)
        close = np.abs(coefficients[:, degree - 2 :]).max(axis=1) <= _CLOSE * np.maximum(size, 1.0)
        for row in np.flatnonzero(close):
            curves[open_levels[row]] = coefficients[row]
        open_levels = open_levels[~close]
    return curves


def _evaluate(curve: Floats, points: Floats, low: float, high: float, out: Floats) -> None:
    """Clenshaw's recurrence in blocks that stay in the cache."""
    keep = np.flatnonzero(np.abs(curve) > 1e-17 * np.abs(curve).max(initial=0.0))
    used = curve[: int(keep[-1]) + 1 if keep.size else 1]
    scale = 2 / (high - low) if high > low else 0.0
    for start in range(0, points.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        doubled = (points[rows] - 0.5 * (low + high)) * (2 * scale)
        ahead, current = np.zeros_like(doubled), np.zeros_like(doubled)
        for coefficient in used[:0:-1]:
            following = doubled * current
            following -= ahead
            following += coefficient
            ahead, current = current, following
        out[rows] = 0.5 * doubled * current - ahead + used[0]


def expected(log_expected: Function, frequency: Floats, tau: Floats, bend: Bend) -> Floats:
    """Expected purchases in scaled time ``tau`` of customers who are alive.

    ``log_expected(frequency, tau)`` is the log of the expectation; ``bend(frequency)`` is the rate at which it
    departs from a straight line, so that ``log1p(bend * tau)`` is the variable in which it is smooth.
    """
    answer = np.zeros(tau.size)
    positive = tau > 0
    if not positive.any():
        return answer
    levels, times = (frequency, tau) if positive.all() else (frequency[positive], tau[positive])

    def per_time(level: Floats, variable: Floats) -> Floats:
        time = np.maximum(np.expm1(variable) / bend(level), _BRIEF)
        return log_expected(level, time) - np.log(time)

    answer[positive] = times * np.exp(by_frequency(per_time, levels, np.log1p(bend(levels) * times)))
    return answer


def log_survival(log_share_alive: Function, frequency: Floats, tau: Floats, bend: Bend) -> Floats:
    """Log-probability of being alive after scaled time ``tau`` of customers who are alive at its start."""

    def log_share(level: Floats, variable: Floats) -> Floats:
        return log_share_alive(level, np.expm1(variable) / bend(level))

    return by_frequency(log_share, frequency, np.log1p(bend(frequency) * tau))


def discounted(
    log_expected: Function, frequency: Floats, age: Floats, bend: Bend, horizon: float, force: float
) -> Floats:
    """Integral over ``horizon`` of exp(-force t) over the expected purchases, given that customers are alive.

    By parts it is a sum of positive terms, ``exp(-force H) E(H) + force * integral of exp(-force t) E(t) dt``.
    The customers' scale is their ``age`` (the purchase rate's posterior scale): E depends on t / age alone.
    """

    def log_sum(levels: Floats, log_age: Floats) -> Floats:
        return np.log(_discounted_rows(log_expected, levels, np.exp(log_age), bend, horizon, force))

    return np.exp(by_frequency(log_sum, frequency, np.log(age)))


def _discounted_rows(
    log_expected: Function, frequency: Floats, age: Floats, bend: Bend, horizon: float, force: float
) -> Floats:
    reach = min(horizon, 45 / force)  # exp(-45) is below the last bit
    scale = age / bend(frequency)
    width = np.log1p(reach / scale)
    fractions, weights = panels(float(width.max()))
    variable = width[:, None] * fractions
    time = np.expm1(variable) * scale[:, None]
    stretch = np.exp(variable) * (width * scale)[:, None]  # dt for d(fraction)
    nodes = np.concatenate([time, np.full((age.size, 1), reach)], axis=1)
    shape = nodes.shape
    levels, tau = np.repeat(frequency, shape[1]), (nodes / age[:, None]).reshape(-1)
    purchases = expected(log_expected, levels, tau, bend).reshape(shape)
    integral = (np.exp(-force * time) * stretch * purchases[:, :-1]) @ weights
    answer: Floats = force * integral + np.exp(-force * reach) * purchases[:, -1]
    return answer


def panels(width: float) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights of Gauss-Legendre panels for an integrand smooth over an interval of this width."""
    count = max(2, int(np.ceil(width / 1.5)))
    fractions = ((np.arange(count)[:, None] + 0.5 + 0.5 * _NODES) / count).reshape(-1)
    return fractions, np.tile(_WEIGHTS, count) / (2 * count)


def in_steps(
    log_expected: Function, frequency: Floats, age: Floats, bend: Bend, horizon: float, force: float
) -> Floats:
    """Expected purchases with those of each unit of time discounted to the unit's end."""
    ends = np.append(np.arange(1.0, horizon), horizon)
    # Abel's summation: each E(end) times the fall of the discount factor, all terms positive.
    factors = np.exp(-force * np.ceil(ends))
    weights = factors - np.append(factors[1:], 0.0)

    def log_sum(levels: Floats, log_age: Floats) -> Floats:
        rows = np.empty(levels.size)
        block = max(1, 2_000_000 // ends.size)
        for start in range(0, levels.size, block):
            part = slice(start, start + block)
            tau = ends / np.exp(log_age[part])[:, None]
            level = np.repeat(levels[part], ends.size)
            purchases = expected(log_expected, level, tau.reshape(-1), bend).reshape(tau.shape)
            rows[part] = np.log(purchases @ weights)
        return rows

    return np.exp(by_frequency(log_sum, frequency, np.log(age)))
