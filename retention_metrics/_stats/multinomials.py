"""Intervals for a difference of two shares of one multinomial, such as promoters less detractors.

Shares are fractions, so a net share runs from -1 to 1. Sizes may be fractional: with survey weights they are
Kish's effective sizes. ``z`` is the normal quantile of the level, and ``finite`` the finite-population factor
(N - n) / (N - 1) on the variance.

References
----------
.. [1] Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the
   paired-sample design. *Statistics in Medicine* 17, 891-908.
.. [2] Rocks, B. (2016). Interval estimation for the "Net Promoter Score". *The American Statistician* 70(4),
   365-372.
.. [3] Kish, L. (1965). *Survey Sampling*. Wiley, section 8.2.
.. [4] Cochran, W. G. (1977). *Sampling Techniques*, 3rd edition. Wiley, section 2.6.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from retention_metrics._stats import proportions

Floats = NDArray[np.float64]

ADJUSTMENT = (0.75, 1.5, 0.75)
"""Answers that the adjusted Wald interval adds to promoters, passives and detractors."""
PRIOR = 0.5
"""The Dirichlet prior's weight on each of the three groups."""

# Weighted bootstrap draws are made in blocks of at most this many cells.
_BLOCK = 2_000_000


def net_variance(promoters: float, detractors: float) -> float:
    """Variance of one answer, +1, 0 or -1, from the shares of promoters and detractors."""
    return max(0.0, promoters + detractors - (promoters - detractors) ** 2)


def effective_size(weights: float, squared_weights: float) -> float:
    """Kish's effective sample size from the sum of weights and the sum of their squares [3]_."""
    return weights**2 / squared_weights


def finite_factor(n: float, population: float | None) -> float:
    """The finite-population factor (N - n) / (N - 1); 1 without a population [4]_."""
    if population is None:
        return 1.0
    return 0.0 if n >= population else (population - n) / (population - 1)


def wald_interval(estimate: float, variance: float, *, z: float) -> tuple[float, float]:
    """Estimate and normal quantile times standard error, inside [-1, 1]."""
    half = z * math.sqrt(variance)
    return max(-1.0, estimate - half), min(1.0, estimate + half)


def adjusted_shares(promoters: float, detractors: float, n: float) -> tuple[float, float, float]:
    """Shares of promoters and detractors, and the size, after the adjusted Wald's three more answers."""
    p, s, d = ADJUSTMENT
    size = n + p + s + d
    return (promoters * n + p) / size, (detractors * n + d) / size, size


def adjusted_wald_interval(
    promoters: float, detractors: float, n: float, *, z: float, finite: float = 1.0
) -> tuple[float, float]:
    """The Wald interval about the adjusted score."""
    p, d, size = adjusted_shares(promoters, detractors, n)
    return wald_interval(p - d, finite * net_variance(p, d) / size, z=z)


def score_interval(
    promoters: float, detractors: float, n: float, *, z: float, finite: float = 1.0
) -> tuple[float, float]:
    """Net shares that a score test does not reject, by Tango's restricted maximum likelihood [1]_ [2]_."""
    estimate = promoters - detractors
    reach = z**2 * finite / n

    def accepted(net: float) -> bool:
        return (estimate - net) ** 2 <= reach * restricted_variance(net, promoters, detractors)

    return _boundary(accepted, estimate, -1.0), _boundary(accepted, estimate, 1.0)


def restricted_variance(net: float, promoters: float, detractors: float) -> float:
    """Variance of one answer where the shares are the likeliest ones that differ by ``net``."""
    b = (2 - promoters + detractors) * net - detractors - promoters
    c = -detractors * net * (1 - net)
    root = math.sqrt(max(0.0, b * b - 8 * c))
    q = (root - b) / 4 if b <= 0 else (-2 * c / (root + b) if root + b > 0 else 0.0)
    # With a share of detractors q, promoters have q + net; neither may be negative.
    q = max(q, 0.0, -net)
    return max(0.0, 2 * q + net * (1 - net))


def _boundary(accepted: Callable[[float], bool], inside: float, end: float) -> float:
    """The last accepted value on the way from ``inside`` to ``end``, to the last bit."""
    if accepted(end):
        return end
    outside = end
    while True:
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            return inside
        if accepted(middle):
            inside = middle
        else:
            outside = middle


def score_difference_interval(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float], *, z: float
) -> tuple[float, float]:
    """Limits for a difference of two net shares, recovered from the score interval of each.

    Each group is promoters' share, detractors' share, size and finite-population factor.
    """
    groups = (first, second)
    ends = [score_interval(p, d, n, z=z, finite=finite) for p, d, n, finite in groups]
    _, low, high = proportions.weighted_sum_interval(
        np.array([p - d for p, d, _, _ in groups]),
        np.array([low for low, _ in ends]),
        np.array([high for _, high in ends]),
        weights=np.array([1.0, -1.0]),
    )
    return low, high


def score_difference_p_value(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> float:
    """Twice the tail of the z whose interval for the difference just touches zero."""
    gap = (first[0] - first[1]) - (second[0] - second[1])
    if gap == 0:
        return 1.0

    def nearer_end(z: float) -> float:
        low, high = score_difference_interval(first, second, z=z)
        return low if gap > 0 else -high

    # Beyond 38 standard errors the normal tail is below the smallest float.
    largest = 38.0
    if nearer_end(largest) > 0:
        return 0.0
    return proportions.two_sided_p_value(optimize.brentq(nearer_end, 0.0, largest, xtol=1e-12))


def size_for_margin(
    promoters: float, detractors: float, margin: float, *, z: float, added: float = 0.0, population: int | None = None
) -> float:
    """Answers, not yet rounded, whose normal interval is ``margin`` wide on either side.

    ``added`` answers come from the method itself.
    """
    size = z**2 * net_variance(promoters, detractors) / margin**2
    if population is None or size == 0:
        return size - added
    return (size * population - added * (population - 1)) / (population - 1 + size)


def posterior_moments(promoters: float, passives: float, detractors: float) -> tuple[float, float]:
    """Mean and standard deviation of the net share under the Dirichlet posterior, from counts."""
    a, b, total = promoters + PRIOR, detractors + PRIOR, promoters + passives + detractors + 3 * PRIOR
    mean = (a - b) / total
    return mean, math.sqrt(((a + b) / total - mean**2) / (total + 1))


def posterior_cdf(net: float, promoters: float, passives: float, detractors: float) -> float:
    """Posterior probability that the net share is at most ``net``, from counts.

    The share that is not passive is a beta variable, and so is the promoters' part of it, independently.
    """
    if net < 0:
        return 1.0 - posterior_cdf(-net, detractors, passives, promoters)
    a, b, s = promoters + PRIOR, detractors + PRIOR, passives + PRIOR
    below = float(special.betainc(a + b, s, net))
    place, density = _crowded_nodes()
    active = special.betaincinv(a + b, s, below + (1 - below) * place)
    part = np.clip((1 + net / np.maximum(active, net or 1e-300)) / 2, 0.0, 1.0)
    return below + (1 - below) * float(density @ special.betainc(a, b, part))


@functools.cache
def _crowded_nodes() -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes on [0, 1] that crowd towards both ends, where an integrand may bend sharply."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    unit = (nodes + 1) / 2
    return unit**2 * (3 - 2 * unit), 3 * unit * (1 - unit) * weights


def posterior_interval(promoters: float, passives: float, detractors: float, *, z: float) -> tuple[float, float]:
    """Equal tails of the posterior; an end is the bound where all answers are promoters, or detractors.

    Without the last rule the interval could not hold a true score of 1 or -1.
    """
    tail = proportions.two_sided_p_value(z) / 2

    def quantile(probability: float) -> float:
        return optimize.brentq(
            lambda net: posterior_cdf(net, promoters, passives, detractors) - probability, -1.0, 1.0, xtol=1e-12
        )

    low = -1.0 if promoters == passives == 0 else quantile(tail)
    high = 1.0 if detractors == passives == 0 else quantile(1 - tail)
    return low, high


def bootstrap_interval(
    values: Floats,
    weights: Floats,
    counts: NDArray[np.int64],
    *,
    level: float,
    resamples: int,
    rng: np.random.Generator,
    finite: float = 1.0,
) -> tuple[float, float]:
    """Percentiles of the weighted mean of resampled answers.

    ``values`` (+1, 0 or -1), ``weights`` and ``counts`` describe the distinct answers. Deviations from the
    estimate shrink by the root of the finite-population factor.
    """
    n, shares = int(counts.sum()), counts / counts.sum()
    estimate = float((counts * weights) @ values / (counts @ weights))
    rows = max(1, _BLOCK // counts.size)
    blocks = []
    for start in range(0, resamples, rows):
        drawn = rng.multinomial(n, shares, size=min(rows, resamples - start)) * weights
        blocks.append(drawn @ values / drawn.sum(axis=1))
    draws = estimate + math.sqrt(finite) * (np.concatenate(blocks) - estimate)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return max(-1.0, float(low)), min(1.0, float(high))
