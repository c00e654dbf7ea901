"""Ratios of two sums over the same customers, with the intervals of the ratio estimator and of BCa.

References
----------
.. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.
.. [2] Efron, B. (1987). Better bootstrap confidence intervals. *Journal of the American Statistical Association*
   82(397), 171-185.
.. [3] Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion.
   *Statistical Science* 16, 101-133.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from retention_metrics._stats import proportions

Floats = NDArray[np.float64]
_BLOCK = 2_000_000
# Below this share of the squares a sum of squared residuals is what rounding leaves of nothing.
_NOISE = 1e-13


@dataclass(frozen=True)
class PairSums:
    """Sums over customers of an amount before (x) and after (y): all that the ratio and its error need."""

    n: int
    x: float
    y: float
    xx: float
    xy: float
    yy: float

    @property
    def ratio(self) -> float:
        """The ratio of the sums."""
        return self.y / self.x

    @property
    def standard_error(self) -> float | None:
        """Of the ratio, linearised, with n / (n - 1) [1]_; None below two customers."""
        if self.n < 2:
            return None
        residual = self.yy - 2 * self.ratio * self.xy + self.ratio**2 * self.xx
        if residual < _NOISE * (self.yy + self.ratio**2 * self.xx):
            return 0.0
        return math.sqrt(residual * self.n / (self.n - 1)) / self.x

    @property
    def effective(self) -> float:
        """Customers of equal size that would be as many: (sum of x)^2 / sum of x^2 (Kish)."""
        return self.x**2 / self.xx


def pair_sums(x: Floats, y: Floats) -> PairSums:
    """The sums of two arrays."""
    return PairSums(x.size, float(x.sum()), float(y.sum()), float(x @ x), float(x @ y), float(y @ y))


def ratio_interval(sums: PairSums, *, level: float, most: float) -> tuple[float, float] | None:
    """Student's interval on the scale without bounds: the log, or the logit where the ratio cannot pass ``most``.

    At a bound itself the error is zero and says nothing: there Wilson's interval at the effective number of customers
    answers, where the ratio is a share. None where there is no answer.
    """
    ratio, error = sums.ratio, sums.standard_error
    if error is None:
        return None
    t = float(stats.t.ppf((1 + level) / 2, sums.n - 1))
    if most == 1.0:
        if ratio <= 0.0 or ratio >= 1.0 or error == 0.0:
            share = min(1.0, max(0.0, ratio))
            low, high = proportions.share_interval(share * sums.effective, sums.effective, level=level)
            return float(low), float(high)
        centre, width = float(special.logit(ratio)), t * error / (ratio * (1 - ratio))
        return float(special.expit(centre - width)), float(special.expit(centre + width))
    if ratio == 0.0 or error == 0.0:
        return None
    return ratio * math.exp(-t * error / ratio), ratio * math.exp(t * error / ratio)


def bca_interval(
    x: Floats, y: Floats, *, level: float, resamples: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated bootstrap of a ratio of sums [2]_; its jackknife takes one pass.

    None where every resample gives the same ratio, or the correction has no value.
    """
    total, n = y.sum() / x.sum(), x.size
    if n < 2:
        return None
    draws = resampled(n, lambda rows: y[rows].sum(axis=1) / x[rows].sum(axis=1), resamples=resamples, rng=rng)
    left_out = (y.sum() - y) / np.where(x.sum() > x, x.sum() - x, np.nan)
    return bca_ends(float(total), draws, left_out, level=level)


def resampled(
    n: int, statistic: Callable[[NDArray[np.int64]], Floats], *, resamples: int, rng: np.random.Generator
) -> Floats:
    """A statistic of rows drawn with replacement, in blocks that fit the cache."""
    rows = max(1, _BLOCK // n)
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = [
            statistic(rng.integers(0, n, size=(min(rows, resamples - start), n))) for start in range(0, resamples, rows)
        ]
    return np.concatenate(blocks)


def bca_ends(estimate: float, draws: Floats, left_out: Floats, *, level: float) -> tuple[float, float] | None:
    """Both ends of the BCa interval from bootstrap draws and jackknife values [2]_."""
    draws, left_out = draws[np.isfinite(draws)], left_out[np.isfinite(left_out)]
    below = (np.mean(draws < estimate) + np.mean(draws <= estimate)) / 2 if draws.size else 0.0
    away = left_out.mean() - left_out if left_out.size else left_out
    spread = float((away**2).sum())
    if not 0.0 < below < 1.0 or spread == 0.0:
        return None
    bias, acceleration = float(special.ndtri(below)), float((away**3).sum()) / (6 * spread**1.5)
    z = special.ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    corrected = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(draws, corrected)
    return float(low), float(high)
