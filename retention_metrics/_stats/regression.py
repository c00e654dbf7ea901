"""Concave likelihoods by Newton's method, the logistic regression among them, and what their coefficients spread."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Derivatives = Callable[[Floats], tuple[float, Floats, Floats]]


# Rows that are summed at once: few enough to stay in a processor's cache.
_BLOCK = 8192


def logistic(design: Floats, outcome: Floats | Flags, trials: Floats | None = None) -> tuple[Floats, Floats] | None:
    """Coefficients and their covariance, the intercept left out; None where the likelihood has no maximum.

    ``outcome`` is true or false, or how often it was true in the ``trials`` of a row.
    """
    true = outcome.astype(np.float64)
    many = np.ones(true.size) if trials is None else trials
    size = design.shape[1] + 1

    def derivatives(beta: Floats) -> tuple[float, Floats, Floats]:
        value, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
        for start in range(0, true.size, _BLOCK):
            held = slice(start, start + _BLOCK)
            rows, hits, tried = np.insert(design[held], 0, 1.0, axis=1), true[held], many[held]
            line = rows @ beta
            share = special.expit(line)
            value += float(hits @ line - tried @ np.logaddexp(0.0, line))
            gradient += rows.T @ (hits - tried * share)
            information += rows.T @ (rows * (tried * share * (1 - share))[:, None])
        return value, gradient, information

    found = newton(derivatives, size)
    return None if found is None else (found[0][1:], found[1][1:, 1:])


def newton(derivatives: Derivatives, size: int, *, steps: int = 50) -> tuple[Floats, Floats] | None:
    """Maximum of a concave log-likelihood and the inverse of its information; None where it runs away."""
    beta = np.zeros(size)
    value, gradient, information = derivatives(beta)
    for _ in range(steps):
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        # Twice what is still to gain, in units of the log-likelihood.
        if float(gradient @ step) < 1e-16 * (1 + abs(value)):
            break
        scale = 1.0
        while (ahead := derivatives(beta + scale * step))[0] < value and scale > 1e-6:
            scale /= 2
        beta, (value, gradient, information) = beta + scale * step, ahead
        if float(np.abs(beta).max()) > 30:
            return None
    else:
        return None
    if float(np.linalg.cond(information)) > 1e12:
        return None
    return beta, np.asarray(np.linalg.inv(information), dtype=np.float64)


def spread(beta: Floats, shape: Floats) -> float:
    """Root of the quadratic form of ``shape``: the standard deviation of what coefficients add, by their columns'."""
    return math.sqrt(max(0.0, float(beta @ shape @ beta)))


def spread_limits(beta: Floats, covariance: Floats, shape: Floats, *, reach: float) -> tuple[float, float]:
    """The least and the greatest spread of the coefficients within ``reach`` standard errors, in Wald's ellipsoid.

    With ``reach`` the root of a quantile of the chi-squared distribution with as many degrees of freedom as
    coefficients these are projections of their joint confidence region: they hold the spread at least as often.
    """
    # Where the ellipsoid is the unit ball the spread is a weighted length: of all points the Lagrange condition
    # leaves one, (1 + m d) u = place, with one unknown m.
    root = np.linalg.cholesky(covariance)
    weights, axes = np.linalg.eigh(root.T @ shape @ root)
    weights, place = np.maximum(weights, 0.0), axes.T @ np.linalg.solve(root, beta)

    def end(multiplier: float) -> Floats:
        return np.asarray(place / (1 + multiplier * weights), dtype=np.float64)

    def away(multiplier: float) -> float:
        return float(np.linalg.norm(end(multiplier) - place)) - reach

    def length(point: Floats) -> float:
        return math.sqrt(float(weights @ point**2))

    low = 0.0
    moved = weights > 1e-12 * weights.max()
    if float(np.linalg.norm(place[moved])) > reach:
        most = 1.0
        while away(most / weights.max()) < 0:
            most *= 4
        low = length(end(optimize.brentq(away, 0.0, most / weights.max(), xtol=1e-14)))
    return low, _farthest(weights, place, reach)


def _farthest(weights: Floats, place: Floats, reach: float) -> float:
    """The greatest weighted length within ``reach`` of a place: at a multiplier beyond the greatest weight."""
    top = float(weights.max())
    if top == 0:
        return 0.0

    # u = m place / (m - w) for m > top runs from the place to infinity, unless the place has no part at the top.
    def away(m: float) -> float:
        return float(np.linalg.norm(place * weights / (m - weights))) - reach

    close = top * (1 + 1e-12)
    if away(close) <= 0:
        others = weights < top * (1 - 1e-9)
        moved = np.where(others, place * weights / np.where(others, top - weights, 1.0), 0.0)
        rest = max(0.0, reach**2 - float(moved @ moved))
        return math.sqrt(float(weights @ (place + moved) ** 2) + top * rest)
    far = 2 * top
    while away(far) > 0:
        far *= 4
    m = optimize.brentq(away, close, far, xtol=1e-14 * top)
    return math.sqrt(float(weights @ (m * place / (m - weights)) ** 2))
