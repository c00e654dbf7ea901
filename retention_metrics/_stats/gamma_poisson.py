"""Rates of several groups that share a gamma distribution: its fit, and which rate is the lowest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]

# Shapes beyond these tell no more: rates that have nothing in common, or are all the same.
_SHAPES = (1e-2, 1e6)
_EDGES = 4_000
_NEGLIGIBLE = 1e-10


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

    The chance is the integral of the product of the others' survival functions over the distribution of one, by the
    trapezoidal rule on one grid for all. Entries whose scale is not above 0 are never the lowest.
    """
    found = np.zeros(shape.size)
    running = np.flatnonzero(scale > 0)
    if running.size == 0:
        return found
    laws = stats.gamma(shape[running, np.newaxis], scale=1 / (rate * scale)[running, np.newaxis])
    # Past the least of the upper ends another one is the lowest, all but surely.
    ends = float(np.min(laws.ppf(_NEGLIGIBLE))), float(np.min(laws.isf(_NEGLIGIBLE)))
    edges = np.concatenate([[0.0], np.linspace(*ends, _EDGES)])
    mass = np.diff(laws.cdf(edges), axis=1)
    kept = np.log(np.maximum(laws.sf(edges), 1e-300))
    others = np.exp(kept.sum(axis=0) - kept)
    found[running] = (mass * (others[:, 1:] + others[:, :-1]) / 2).sum(axis=1)
    return np.asarray(found / found.sum())
