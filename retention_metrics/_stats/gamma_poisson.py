"""Rates of several groups that share a gamma distribution: its fit, what is left open, and which rate is the lowest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

# Shapes beyond these tell no more: rates that have nothing in common, or are all the same.
_SHAPES = (1e-2, 1e6)
_EDGES = 4_000
_NEGLIGIBLE = 1e-10
# The grid of distributions that are possible, and how many of them stand for all where each takes an integral.
_SPREADS, _MEANS, _REACH, _UNLIKELY = 32, 17, 5.0, 1e-6
_SAMPLED, _FEWER_EDGES = 24, 500
_WIDEST, _HALVINGS = 60.0, 48


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


class Possible(NamedTuple):
    """Gamma distributions that the events leave possible, each of shape (n,): shapes, rates, and their weights."""

    shape: Floats
    rate: Floats
    weight: Floats


def possible(events: Floats, exposure: Floats) -> Possible:
    """The posterior of Gamma(a, b), on a grid: what a fit by maximum likelihood leaves open.

    Uniform beforehand are the coefficient of variation of the rates, 1 / sqrt(a), from 0, where all are the same, to
    sqrt(2), where a is the 1/2 of Jeffreys' prior, and the logarithm of their mean a / b [1]_.

    References
    ----------
    .. [1] Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis*
       1(3), 515-533: a uniform prior on the spread between groups.
    """
    watched = exposure > 0
    d, t = events[watched], exposure[watched]
    spread = np.sqrt(2) * (np.arange(_SPREADS) + 0.5) / _SPREADS
    width = _REACH * np.sqrt(1 / (d.sum() + 0.5) + spread**2 / d.size)
    means = np.exp(np.log((d.sum() + 0.5) / t.sum()) + np.outer(width, np.linspace(-1, 1, _MEANS)))
    a = np.repeat(spread**-2.0, _MEANS)
    b = a / means.ravel()
    own = np.array([np.sum(special.gammaln(shape + d) - special.gammaln(shape)) for shape in spread**-2.0])
    log_likelihood = np.repeat(own, _MEANS) + np.array(
        [np.sum(shape * -np.log1p(t / rate) - d * np.log(rate + t)) for shape, rate in zip(a, b, strict=True)]
    )
    # Each spread has a grid of means of its own width.
    weight = np.exp(log_likelihood - log_likelihood.max()) * np.repeat(width, _MEANS)
    kept = weight > _UNLIKELY * weight.max()
    return Possible(a[kept], b[kept], weight[kept] / weight[kept].sum())


def quantiles(found: Possible, events: Floats, exposure: Floats, tail: float) -> Floats:
    """Quantile of each group's rate given its events, over all distributions that are possible, by bisection."""
    shape = found.shape[:, np.newaxis] + events
    rate = found.rate[:, np.newaxis] + exposure
    low, high = np.full(events.size, -_WIDEST), np.full(events.size, _WIDEST)
    middle = np.log(((shape / rate) * found.weight[:, np.newaxis]).sum(axis=0))
    for _ in range(_HALVINGS):
        tried = (low + high) / 2
        with np.errstate(over="ignore"):
            below = found.weight @ special.gammainc(shape, rate * np.exp(middle + tried))
        low, high = np.where(below < tail, tried, low), np.where(below < tail, high, tried)
    return np.asarray(np.exp(middle + (low + high) / 2))


def probability_lowest_of(found: Possible, events: Floats, exposure: Floats, scale: Floats) -> Floats:
    """The chance that rate / scale is the lowest, over a systematic sample of the distributions that are possible."""
    points = (np.arange(_SAMPLED) + 0.5) / _SAMPLED
    nodes, times = np.unique(np.searchsorted(np.cumsum(found.weight), points * (1 - 1e-12)), return_counts=True)
    chances = [
        probability_lowest(found.shape[node] + events, found.rate[node] + exposure, scale, edges=_FEWER_EDGES)
        for node in nodes
    ]
    return np.asarray(np.average(chances, axis=0, weights=times))


def probability_lowest(shape: Floats, rate: Floats, scale: Floats, *, edges: int = _EDGES) -> Floats:
    """For each of independent rates Gamma(shape, rate), the chance that rate / scale is the lowest.

    The chance is the integral of the product of the others' survival functions over the distribution of one, by the
    trapezoidal rule on one grid for all. Entries whose scale is not above 0 are never the lowest.
    """
    found = np.zeros(shape.size)
    running = np.flatnonzero(scale > 0)
    if running.size == 0:
        return found
    own, speed = shape[running, np.newaxis], (rate * scale)[running, np.newaxis]
    # Past the least of the upper ends another one is the lowest, all but surely.
    start, end = (np.min(inverse(own, _NEGLIGIBLE) / speed) for inverse in (special.gammaincinv, special.gammainccinv))
    grid = np.concatenate([[0.0], np.linspace(float(start), float(end), edges)])
    mass = np.diff(special.gammainc(own, speed * grid), axis=1)
    kept = np.log(np.maximum(special.gammaincc(own, speed * grid), 1e-300))
    others = np.exp(kept.sum(axis=0) - kept)
    found[running] = (mass * (others[:, 1:] + others[:, :-1]) / 2).sum(axis=1)
    return np.asarray(found / found.sum())
