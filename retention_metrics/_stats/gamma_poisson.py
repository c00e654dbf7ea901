"""Rates of several groups that share a gamma distribution: its fit, and which rate is the lowest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]

# Shapes beyond these tell no more: rates that have nothing in common, or are all the same.
_SHAPES = (1e-2, 1e6)
_NODES = 400


def fit(events: Floats, exposure: Floats) -> tuple[float, float] | None:
    """Shape a and rate b of Gamma(a, b) by maximum likelihood of the events; None where they identify none.

    Given its rate, the events of a group are Poisson with mean rate x exposure, so that they are negative binomial
    (Robbins 1956; Gelman et al. 2013, section 2.6). Without events, or with one group, nothing is identified.
    """
    watched = exposure > 0
    d, t = events[watched], exposure[watched]
    if d.size < 2 or d.sum() == 0:
        return None
    common = np.log(d.sum() / t.sum())

    def loss(theta: Floats) -> float:
        a = np.exp(theta[0])
        b = a / np.exp(theta[1])
        return -float(
            np.sum(special.gammaln(a + d) - special.gammaln(a) + a * np.log(b / (b + t)) + d * np.log(t / (b + t)))
        )

    starts = [
        optimize.minimize(
            loss,
            np.array([start, common]),
            method="L-BFGS-B",
            bounds=[tuple(np.log(_SHAPES)), (common - 12, common + 12)],
        )
        for start in (0.0, 3.0)
    ]
    best = min(starts, key=lambda found: float(found.fun))
    shape, mean = np.exp(best.x)
    return float(shape), float(shape / mean)


def probability_lowest(shape: Floats, rate: Floats, scale: Floats) -> Floats:
    """For each of independent rates Gamma(shape, rate), the chance that rate / scale is the lowest.

    The chance is the mean, over the distribution of one, of the product of the others' survival functions, by
    Gauss-Legendre quadrature over its quantiles. Entries whose scale is not above 0 are never the lowest.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    quantiles = (nodes + 1) / 2
    running = np.flatnonzero(scale > 0)
    found = np.zeros(shape.size)
    for own in running:
        draws = stats.gamma.ppf(quantiles, shape[own], scale=1 / rate[own])
        others = running[running != own]
        beaten = stats.gamma.sf(
            draws[:, np.newaxis] * scale[others] / scale[own], shape[others], scale=1 / rate[others]
        )
        found[own] = float(np.sum(weights / 2 * beaten.prod(axis=1)))
    return found / found.sum() if found.sum() > 0 else found
