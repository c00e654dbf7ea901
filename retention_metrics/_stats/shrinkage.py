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
from scipy import optimize, special

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
    if held.shape[0] < 2 or held.shape[1] < 2:
        return Prior(pooled, math.inf)
    alike = float(totals[seen] @ np.log(pooled[seen]))
    start = np.append(np.log(pooled[seen][:-1] / pooled[seen][-1]), math.log(_moment_size(held)))
    bounds = [(-30.0, 30.0)] * (held.shape[1] - 1) + [(math.log(_SMALLEST), math.log(_LARGEST))]
    found = optimize.minimize(
        _loss, start, args=(held,), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    # The likelihood of the limit, where the groups are alike, is nearly reached at the largest size.
    if -found.fun - alike < 1e-6 or found.x[-1] > math.log(_LARGEST) - 1e-6:
        return Prior(pooled, math.inf)
    mean = np.zeros(seen.size)
    mean[seen] = special.softmax(np.append(found.x[:-1], 0.0))
    return Prior(mean, math.exp(found.x[-1]))


def _moment_size(counts: Floats) -> float:
    """A first guess of the size, from the spread of the groups' shares about the pooled ones."""
    n = counts.sum(axis=1)
    held = n > 0
    shares, pooled = counts[held] / n[held, None], counts.sum(axis=0) / n.sum()
    spread = float(np.average(((shares - pooled) ** 2).sum(axis=1), weights=n[held]))
    within = float((pooled * (1 - pooled)).sum())
    excess = spread - within * np.count_nonzero(held) / float(n.sum())
    return float(np.clip(within / excess - 1, 0.5, 1e4)) if excess > 0 else 1e4


def _loss(parameters: Floats, counts: Floats) -> tuple[float, Floats]:
    """Minus the log-likelihood of the counts, and its gradient by the logits of the mean and the log size."""
    mean, size = special.softmax(np.append(parameters[:-1], 0.0)), math.exp(parameters[-1])
    alpha, n = mean * size, counts.sum(axis=1)
    value = float(
        np.sum(special.gammaln(size) - special.gammaln(size + n))
        + np.sum(special.gammaln(counts + alpha) - special.gammaln(alpha))
    )
    by_size = float(np.sum(special.digamma(size) - special.digamma(size + n)))
    by_alpha = np.sum(special.digamma(counts + alpha) - special.digamma(alpha), axis=0)
    slope = by_alpha * alpha
    logits = slope - mean * slope.sum()
    return -value, -np.append(logits[:-1], slope.sum() + by_size * size)


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


def chances_of_extremes(
    counts: Floats, prior: Prior, *, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
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
