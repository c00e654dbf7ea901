"""Shares of many groups drawn together: empirical Bayes for multinomial counts.

The shares of each group are a draw from one Dirichlet distribution, and its parameters are the likeliest ones for the
counts of all groups [1]_ [2]_. A group with few answers is then drawn towards the mean of all.

References
----------
.. [1] Mosimann, J. E. (1962). On the compound multinomial distribution. *Biometrika* 49, 65-82.
.. [2] Morris, C. N. (1983). Parametric empirical Bayes inference. *Journal of the American Statistical Association*
   78, 47-55.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

# Groups that differ less than this allows are one: their Dirichlet has no finite size.
_LARGEST = 1e7
_SMALLEST = 1e-3


@dataclass(frozen=True)
class Prior:
    """The Dirichlet distribution of the groups' shares: its mean and its size, infinite where groups are alike."""

    mean: Floats
    size: float

    @property
    def parameters(self) -> Floats:
        """The parameters, one per class; infinite where groups are alike."""
        return self.mean * self.size if math.isfinite(self.size) else np.where(self.mean > 0, math.inf, 0.0)

    def keeps(self, n: Floats) -> Floats:
        """The share of each group's own answers in its shrunk estimate, n / (n + size)."""
        return n / (n + self.size) if math.isfinite(self.size) else np.zeros_like(n)


def fit(counts: Floats) -> Prior:
    """The likeliest Dirichlet for counts of shape (groups, classes); weighted counts may be fractional."""
    totals = counts.sum(axis=0)
    pooled = totals / totals.sum()
    seen = totals > 0
    held = counts[:, seen]
    if held.shape[1] < 2 or _excess(held, pooled[seen]) <= 0:
        return Prior(pooled, math.inf)
    classes, sizes = [_distinct(column) for column in held.T], _distinct(held.sum(axis=1))
    logs = np.log(pooled[seen] * _moment_size(held))
    value, slope, curvature = _likelihood(logs, classes, sizes)
    for _ in range(200):
        # Away from the maximum the curvature may point uphill: its size is kept and its sign set.
        roots, axes = np.linalg.eigh(curvature)
        step = axes @ ((axes.T @ slope) / np.maximum(np.abs(roots), 1e-8))
        step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-300))
        # What the step could still gain is lost in the rounding of the likelihood.
        if float(slope @ step) < 1e-12 * max(1.0, abs(value)):
            break
        tried = _likelihood(logs + step, classes, sizes)
        while tried[0] < value and float(np.abs(step).max()) > 1e-9:
            step /= 2
            tried = _likelihood(logs + step, classes, sizes)
        logs, (value, slope, curvature) = logs + step, tried
        if not math.log(_SMALLEST) < special.logsumexp(logs) < math.log(_LARGEST):
            break
    alpha = np.zeros(seen.size)
    alpha[seen] = np.exp(logs)
    size = float(alpha.sum())
    return Prior(alpha / size, size) if size < _LARGEST else Prior(pooled, math.inf)


def _excess(counts: Floats, pooled: Floats) -> float:
    """The slope of the likelihood in 1 / size where groups are alike: above 0 they differ by more than chance."""
    n = counts.sum(axis=1)
    return float((counts * (counts - 1)).sum(axis=0) @ (1 / pooled) - (n * (n - 1)).sum())


def _moment_size(counts: Floats) -> float:
    """A first guess of the size, from the spread of the groups' shares about the pooled ones."""
    n = counts.sum(axis=1)
    held = n > 0
    shares, pooled = counts[held] / n[held, None], counts.sum(axis=0) / n.sum()
    spread = float(np.average(((shares - pooled) ** 2).sum(axis=1), weights=n[held]))
    within = float((pooled * (1 - pooled)).sum())
    excess = spread - within * np.count_nonzero(held) / float(n.sum())
    return float(np.clip(within / excess - 1, 0.5, 1e4)) if excess > 0 else 1e4


_Distinct = tuple[Floats, Floats]


def _distinct(counts: Floats) -> _Distinct:
    """The distinct counts but 0, which adds nothing, and in how many groups each is found."""
    values, groups = np.unique(counts[counts > 0], return_counts=True)
    return values, groups.astype(np.float64)


def _rising(start: float, distinct: _Distinct) -> tuple[float, float, float]:
    """Sum over the groups of log gamma(start + count) - log gamma(start), with two derivatives in ``start``."""
    values, groups = distinct
    above = start + values
    value = groups @ (special.gammaln(above) - special.gammaln(start))
    first = groups @ (special.digamma(above) - special.digamma(start))
    # The trigamma function is the Hurwitz zeta function at 2.
    return float(value), float(first), float(groups @ (special.zeta(2, above) - special.zeta(2, start)))


def _likelihood(logs: Floats, classes: list[_Distinct], sizes: _Distinct) -> tuple[float, Floats, Floats]:
    """Log-likelihood of the counts, its slope and its curvature, in the logs of the parameters."""
    alpha = np.exp(logs)
    each = np.array([_rising(one, distinct) for one, distinct in zip(alpha, classes, strict=True)])
    whole = np.array(_rising(float(alpha.sum()), sizes))
    slope = alpha * (each[:, 1] - whole[1])
    curvature = np.diag(alpha**2 * each[:, 2] + slope) - whole[2] * np.outer(alpha, alpha)
    return float(each[:, 0].sum() - whole[0]), slope, curvature


def net_moments(prior: Prior, counts: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each group's first share less its last one, given its counts.

    The variance adds to the posterior's the uncertainty of the prior's mean, which weighs most where a group has few
    answers [2]_; that of the prior's size it does not hold.
    """
    n = counts.sum(axis=1)
    keep = prior.keeps(n)
    shares = np.divide(counts, n[:, None], out=np.zeros_like(counts), where=n[:, None] > 0)
    posterior = keep[:, None] * shares + (1 - keep)[:, None] * prior.mean
    net = posterior[:, 0] - posterior[:, -1]
    within = np.maximum(0.0, posterior[:, 0] + posterior[:, -1] - net**2)
    own = within / (n + prior.size + 1)
    middle = float(prior.mean[0] + prior.mean[-1] - (prior.mean[0] - prior.mean[-1]) ** 2)
    # A group's score varies by within / n among its answers, and by within / (size + 1) among groups.
    ratio = (prior.size + 1) / (prior.size + n) if math.isfinite(prior.size) else np.ones_like(n)
    precision = float((n * ratio).sum())
    return net, own + (1 - keep) ** 2 * middle / precision


def net_interval(mean: Floats, variance: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Equal tails of the beta distribution on -1 to 1 with these means and variances."""
    place = (mean + 1) / 2
    spread = np.maximum(variance / 4, 1e-300)
    size = np.maximum(place * (1 - place) / spread - 1, 1e-12)
    a, b = np.maximum(place * size, 1e-12), np.maximum((1 - place) * size, 1e-12)
    low, high = (special.betaincinv(a, b, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    sure = variance <= 0
    return np.where(sure, mean, 2 * low - 1), np.where(sure, mean, 2 * high - 1)


def chances_of_extremes(counts: Floats, prior: Prior, *, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Probabilities that each group's net share is the highest, and the lowest, of all, from posterior draws."""
    groups = counts.shape[0]
    mean, variance = net_moments(prior, counts)
    best, worst = np.zeros(groups), np.zeros(groups)
    if not math.isfinite(prior.size):
        return np.full(groups, 1 / groups), np.full(groups, 1 / groups)
    place = (mean + 1) / 2
    size = np.maximum(place * (1 - place) / (variance / 4) - 1, 1e-12)
    block = max(1, 2_000_000 // groups)
    for start in range(0, draws, block):
        drawn = rng.beta(place * size, (1 - place) * size, size=(min(block, draws - start), groups))
        best += np.bincount(drawn.argmax(axis=1), minlength=groups)
        worst += np.bincount(drawn.argmin(axis=1), minlength=groups)
    return best / draws, worst / draws
