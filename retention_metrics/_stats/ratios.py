"""Ratios of two sums over the same customers, with the intervals of the jackknife and of BCa.

References
----------
.. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.
.. [2] Efron, B. (1987). Better bootstrap confidence intervals. *Journal of the American Statistical Association*
   82(397), 171-185.
.. [3] Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion.
   *Statistical Science* 16, 101-133.
.. [4] Royall, R. M. and Cumberland, W. G. (1981). An empirical study of the ratio estimator and estimators of its
   variance. *Journal of the American Statistical Association* 76(373), 66-77.
.. [5] Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. *Biometrics
   Bulletin* 2(6), 110-114.
.. [6] Pan, W. and Wall, M. M. (2002). Small-sample adjustments in using the sandwich variance estimator in
   generalized estimating equations. *Statistics in Medicine* 21(10), 1429-1441.
.. [7] Hall, P. (1992). On the removal of skewness by transformation. *Journal of the Royal Statistical Society B*
   54(1), 221-228.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from retention_metrics._stats import proportions

Floats = NDArray[np.float64]
_BLOCK = 2_000_000
# Below this share of the squares a sum of squared residuals is what rounding leaves of nothing.
_NOISE = 1e-13
# A bend of Student's t below which none is left of its rounding.
_STRAIGHT = 1e-8
# The largest power of e that a float holds.
_LARGEST = 709.0
JACKKNIFE = "jackknife"


class Ends(NamedTuple):
    """Both ends of an interval, and the method that gave them."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class PairSums:
    """Sums over customers of an amount before (x) and after (y), and of their products.

    They are all that the ratio, its error and the trust in that error need.
    """

    n: int
    x: float
    y: float
    xx: float
    xy: float
    yy: float
    xxx: float
    xxy: float
    xyy: float
    xxxx: float
    xxxy: float
    xxyy: float
    xyyy: float
    yyyy: float
    yyy: float | None = None  # where the skewness of the residuals counts

    @property
    def ratio(self) -> float:
        """The ratio of the sums."""
        return self.y / self.x

    @property
    def _squares(self) -> float:
        """Sum of the squared residuals y - R x; 0 where rounding alone makes any."""
        residual = self.yy - 2 * self.ratio * self.xy + self.ratio**2 * self.xx
        return 0.0 if residual < _NOISE * (self.yy + self.ratio**2 * self.xx) else residual

    @property
    def standard_error(self) -> float | None:
        """Of the ratio, linearised, with n / (n - 1) [1]_; None below two customers."""
        if self.n < 2:
            return None
        return math.sqrt(self._squares * self.n / (self.n - 1)) / self.x

    @property
    def jackknife_error(self) -> float:
        """Of the ratio, from leaving out each customer [4]_, to second order in its share h of the sum of x.

        Without a customer of residual e the ratio moves by e / (1 - h) / sum x, whose square is e^2 (1 + 2 h + 3 h^2)
        / (sum x)^2 but for the third order.
        """
        r = self.ratio
        first = max(self.xyy - 2 * r * self.xxy + r**2 * self.xxx, 0.0) / self.x
        second = max(self.xxyy - 2 * r * self.xxxy + r**2 * self.xxxx, 0.0) / self.x**2
        return math.sqrt(self._squares + 2 * first + 3 * second) / self.x

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error: fewer than n - 1 where a few large residuals make it [5]_ [6]_."""
        r = self.ratio
        parts = (self.yyyy, -4 * r * self.xyyy, 6 * r**2 * self.xxyy, -4 * r**3 * self.xxxy, r**4 * self.xxxx)
        fourths = sum(parts)
        known = fourths > _NOISE * sum(map(abs, parts))
        return float(degrees_of_freedom(self.n, self._squares, fourths)) if known else self.n - 1.0

    @property
    def skewness(self) -> tuple[float, float]:
        """That of the residuals, and how the square of Student's t of the log bends it: 0 if y^3 is not summed.

        The bend is less by what the residuals and x have in common, which moves the error of the ratio, and by the
        error itself, which the log moves.
        """
        r, squares = self.ratio, self._squares
        if self.yyy is None or squares == 0.0:
            return 0.0, 0.0
        parts = (self.yyy, -3 * r * self.xyy, 3 * r**2 * self.xxy, -(r**3) * self.xxx)
        cubes = sum(parts)
        known = abs(cubes) > _NOISE * sum(map(abs, parts))
        skewness = math.sqrt(self.n) * cubes / squares**1.5 if known else 0.0
        common = (self.xy - r * self.xx) / self.x * math.sqrt(self.n / squares)
        return skewness, bend(skewness - 3 * common, self.jackknife_error / r, self.n)

    @property
    def effective(self) -> float:
        """Customers of equal size that would be as many: (sum of x)^2 / sum of x^2 (Kish)."""
        return self.x**2 / self.xx


PRODUCTS = tuple(field.name for field in fields(PairSums))[1:-1]
"""The sums of ``PairSums`` after the number of customers, each named by what is multiplied, but for y^3."""


def products(x: Any, y: Any) -> dict[str, Any]:
    """What ``PairSums`` adds up, by name: of arrays, or of columns of an engine."""
    found = {"x": x, "y": y}
    for name in PRODUCTS[2:]:
        half = (len(name) + 1) // 2
        found[name] = found[name[:half]] * found[name[half:]]
    return found


def degrees_of_freedom(n: float, squares: Any, fourths: Any) -> Any:
    """Those of the sum of n squares, 2 V^2 / Var(V), where ``fourths`` add up the squares' own squares.

    From 1 to n - 1, which it is where the kurtosis is a normal's.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.maximum(n * fourths / np.square(squares) - 1, 0.0)
        return np.where(squares > 0, np.clip(2 * (n - 1) / spread, 1.0, n - 1), n - 1)


def bend(skewness: Any, relative_error: Any, n: float) -> Any:
    """What the square of Student's t of a log is to that of its amounts: skewness less 3/2 of their variation."""
    return skewness - 1.5 * math.sqrt(n) * relative_error


def upward(reach: Any, skewness: Any, bent: Any, n: float, *, level: float) -> Any:
    """Errors of a log up to the end of its interval: Student's ``reach``, or Hall's where that is further.

    Amounts skewed to the right lack some of their tail in a sample, and their mean and its error with it. Hall's cubic
    [7]_ of Student's t has no skewness: ``t + b t^2 / 3 + b^2 t^3 / 27 + g / 6``, with g and b the skewness and the
    bend over the root of n; its inverse is exact. It is taken at n - 1 degrees of freedom and no further than where it
    turns, for where one customer makes the error it goes astray.
    """
    shift = stats.t.ppf((1 + level) / 2, n - 1) + skewness / (6 * math.sqrt(n))
    b = np.asarray(bent) / math.sqrt(n)
    some = np.abs(b) > _STRAIGHT
    curved = 3 * (1 - np.cbrt(np.maximum(1 - b * shift, 0.0))) / np.where(some, b, 1.0)
    return np.maximum(reach, np.where(some, curved, shift))


def pair_sums(x: Floats, y: Floats) -> PairSums:
    """The sums of two arrays."""
    return PairSums(x.size, **{name: float(each.sum()) for name, each in products(x, y).items()})


def ratio_interval(sums: PairSums, *, level: float, most: float) -> Ends | None:
    """Student's interval with the jackknife's error, on the log scale, or the logit where the ratio cannot pass 1.

    Where the sum of y^3 is known the upper end is Hall's if that is further (see ``upward``). At a bound itself the
    error is zero and says nothing: there Wilson's interval at the effective number of customers answers, where the
    ratio is a share. None where there is no answer.
    """
    ratio, error = sums.ratio, sums.standard_error
    if error is None:
        return None
    if most == 1.0 and (ratio <= 0.0 or ratio >= 1.0 or error == 0.0):
        share = min(1.0, max(0.0, ratio))
        low, high = proportions.share_interval(share * sums.effective, sums.effective, level=level)
        return Ends(float(low), float(high), "wilson")
    if ratio == 0.0 or error == 0.0:
        return None
    student, error = float(stats.t.ppf((1 + level) / 2, sums.freedom)), sums.jackknife_error
    reach = student * error
    if most == 1.0:
        centre, width = float(special.logit(ratio)), reach / (ratio * (1 - ratio))
        return Ends(float(special.expit(centre - width)), float(special.expit(centre + width)), JACKKNIFE)
    above = float(upward(student, *sums.skewness, sums.n, level=level)) * error if sums.yyy is not None else reach
    return Ends(*log_ends(ratio, reach / ratio, above / ratio), JACKKNIFE)


def log_ends(ratio: float, below: float, above: float) -> tuple[float, float]:
    """Both ends of an interval that reaches so far down and up on the log scale; the largest number bounds it."""
    centre = math.log(ratio)
    return math.exp(centre - below), math.exp(min(centre + above, _LARGEST))


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
