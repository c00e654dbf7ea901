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
from numpy.typing import ArrayLike, NDArray
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


def adjusted_shares(promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Shares of promoters and detractors, and the size, after the adjusted Wald's three more answers."""
    p, d, given = (np.asarray(part, dtype=np.float64) for part in (promoters, detractors, n))
    up, passive, down = ADJUSTMENT
    size = given + up + passive + down
    return (p * given + up) / size, (d * given + down) / size, size


def adjusted_wald_interval(
    promoters: float, detractors: float, n: float, *, z: float, finite: float = 1.0
) -> tuple[float, float]:
    """The Wald interval about the adjusted score."""
    p, d, size = (float(part) for part in adjusted_shares(promoters, detractors, n))
    return wald_interval(p - d, finite * net_variance(p, d) / size, z=z)


def score_interval(
    promoters: float, detractors: float, n: float, *, z: float, finite: float = 1.0
) -> tuple[float, float]:
    """Net shares that a score test does not reject, by Tango's restricted maximum likelihood [1]_ [2]_."""
    low, high = score_limits(promoters, detractors, n, z=z, finite=finite)
    return float(low), float(high)


def score_limits(
    promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike, *, z: float, finite: ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """The score interval of every group of an array, both ends to the last bit."""
    p, d, size, factor = np.broadcast_arrays(*(np.asarray(part, float) for part in (promoters, detractors, n, finite)))
    estimate, reach = p - d, z**2 * factor / size

    def accepted(net: Floats) -> NDArray[np.bool_]:
        return np.asarray((estimate - net) ** 2 <= reach * restricted_variance(net, p, d))

    ends = np.stack([np.full(estimate.shape, -1.0), np.ones(estimate.shape)])
    inside = np.where(accepted(ends), ends, np.broadcast_to(estimate, ends.shape))
    outside = ends
    # Halving a width of at most 2 so often leaves the last bit.
    for _ in range(54):
        middle = (inside + outside) / 2
        kept = accepted(middle)
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return inside[0], inside[1]


def restricted_variance(net: ArrayLike, promoters: ArrayLike, detractors: ArrayLike) -> Floats:
    """Variance of one answer where the shares are the likeliest ones that differ by ``net``."""
    gap, p, d = (np.asarray(part, dtype=np.float64) for part in (net, promoters, detractors))
    b = (2 - p + d) * gap - d - p
    # Minus c of the quadratic 2 q^2 + b q + c = 0; of the two ways to write its root, the one without cancellation.
    rest = d * gap * (1 - gap)
    sum_of_parts = np.maximum(np.sqrt(np.maximum(0.0, b * b + 8 * rest)) + np.abs(b), 1e-300)
    q = np.where(b <= 0, sum_of_parts / 4, 2 * rest / sum_of_parts)
    # With a share of detractors q, promoters have q + net; neither may be negative.
    q = np.maximum(np.maximum(q, 0.0), -gap)
    return np.asarray(np.maximum(0.0, 2 * q + gap * (1 - gap)))


Group = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
"""Promoters' share, detractors' share, size and finite-population factor: of one group, or arrays of many."""


def score_difference_limits(first: Group, second: Group, *, z: float) -> tuple[Floats, Floats]:
    """Limits for differences of two net shares, recovered from the score interval of each."""
    limits = [score_limits(p, d, n, z=z, finite=finite) for p, d, n, finite in (first, second)]
    return joined_limits(first, second, *limits)


def joined_limits(
    first: Group, second: Group, limits_a: tuple[Floats, Floats], limits_b: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Limits for differences of two net shares, recovered from those of each."""
    (low_a, high_a), (low_b, high_b) = limits_a, limits_b
    a, b = np.subtract(first[0], first[1]), np.subtract(second[0], second[1])
    return (
        np.asarray(a - b - np.hypot(a - low_a, high_b - b)),
        np.asarray(a - b + np.hypot(high_a - a, b - low_b)),
    )


def score_difference_z(first: Group, second: Group) -> Floats:
    """The normal quantile at which the interval for the difference just touches zero, with the difference's sign.

    There the two distances to the limits are gap * cos(t) and gap * sin(t), and both score statistics are equal:
    one falls and the other rises with t.
    """
    parts = [np.asarray(part, dtype=np.float64) for part in (*first, *second)]
    p_a, d_a, n_a, finite_a, p_b, d_b, n_b, finite_b = np.broadcast_arrays(*parts)
    a, b = p_a - d_a, p_b - d_b
    gap = a - b
    low, high = np.zeros(gap.shape), np.full(gap.shape, math.pi / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(60):
            middle = (low + high) / 2
            z_a = _statistic(a - gap * np.cos(middle), p_a, d_a, n_a, finite_a)
            z_b = _statistic(b + gap * np.sin(middle), p_b, d_b, n_b, finite_b)
            low, high = np.where(z_a > z_b, middle, low), np.where(z_a > z_b, high, middle)
    return np.asarray(np.where(gap == 0, 0.0, np.copysign(np.fmin(z_a, z_b), gap)))


def _statistic(net: Floats, p: Floats, d: Floats, n: Floats, finite: Floats) -> Floats:
    return np.asarray(np.abs(p - d - net) / np.sqrt(finite * restricted_variance(net, p, d) / n))


def score_difference_interval(first: Group, second: Group, *, z: float) -> tuple[float, float]:
    """Limits for one difference of two net shares."""
    low, high = score_difference_limits(first, second, z=z)
    return float(low), float(high)


def score_difference_p_value(first: Group, second: Group) -> float:
    """Twice the tail of the z whose interval for the difference just touches zero."""
    return proportions.two_sided_p_value(float(score_difference_z(first, second)))


def wald_difference(first: Group, second: Group, *, adjusted: bool) -> tuple[Floats, Floats]:
    """Differences of two net shares and their standard errors, after the adjusted Wald's answers where asked."""
    gap, variance = np.zeros(()), np.zeros(())
    for sign, (promoters, detractors, size, finite) in ((1, first), (-1, second)):
        if adjusted:
            p, d, n = adjusted_shares(promoters, detractors, size)
        else:
            p, d, n = (np.asarray(part, dtype=np.float64) for part in (promoters, detractors, size))
        gap = gap + sign * (p - d)
        variance = variance + np.asarray(finite) * np.maximum(0.0, p + d - (p - d) ** 2) / n
    return gap, np.sqrt(variance)


def mean_score_interval(scores: Floats, counts: Floats, *, z: float) -> tuple[float, float]:
    """Means of a score that a score test does not reject, where every answer is one of ``scores``.

    The likeliest shares with a given mean may put answers on the outermost scores though none was seen there:
    with the scores 1, 0 and -1 this is Tango's interval [1]_.
    """
    n, low, high = float(counts.sum()), float(scores.min()), float(scores.max())
    estimate = float(counts @ scores) / n

    def accepted(mean: float) -> bool:
        return (estimate - mean) ** 2 <= z**2 / n * restricted_mean_variance(mean, scores, counts)

    return _last_accepted(accepted, estimate, low), _last_accepted(accepted, estimate, high)


def restricted_mean_variance(mean: float, scores: Floats, counts: Floats) -> float:
    """Variance of one answer where the shares of the scores are the likeliest ones with this mean."""
    seen = counts > 0
    s, c, n = scores[seen], counts[seen], float(counts.sum())
    above, below = float(scores.max()) - mean, mean - float(scores.min())
    if min(above, below) <= 0:
        return 0.0

    def off(multiplier: float) -> float:
        return float((c * (s - mean)) @ (1 / (n + multiplier * (s - mean))))

    lowest, highest = -n / above * (1 - 1e-15), n / below * (1 - 1e-15)
    if off(lowest) <= 0:
        multiplier = lowest
    elif off(highest) >= 0:
        multiplier = highest
    else:
        multiplier = optimize.brentq(off, lowest, highest, xtol=1e-14 * n, rtol=1e-14)
    shares = c / (n + multiplier * (s - mean))
    # What the seen scores leave goes to the outermost score on the side where mass is short.
    rest, end = max(0.0, 1 - float(shares.sum())), above if multiplier < 0 else below
    return float(shares @ (s - mean) ** 2) + rest * end**2


def _last_accepted(accepted: Callable[[float], bool], inside: float, end: float) -> float:
    if accepted(end):
        return end
    outside = end
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if accepted(middle) else (inside, middle)
    return inside


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
