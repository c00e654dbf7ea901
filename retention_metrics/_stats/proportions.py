"""Intervals for one proportion, for the difference and the ratio of two, and for a slope across several.

References
----------
.. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
   *Journal of the American Statistical Association* 22, 209-212.
.. [2] Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the
   case of the binomial. *Biometrika* 26, 404-413.
.. [3] Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion.
   *Statistical Science* 16, 101-133.
.. [4] Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
   comparison of eleven methods. *Statistics in Medicine* 17, 873-890, method 10.
.. [5] Koopman, P. A. R. (1984). Confidence intervals for the ratio of two binomial proportions.
   *Biometrics* 40, 513-517.
.. [6] Katz, D., Baptista, J., Azen, S. P. and Pike, M. C. (1978). Obtaining confidence intervals for the risk
   ratio in cohort studies. *Biometrics* 34, 469-474, method C.
.. [7] Armitage, P. (1955). Tests for linear trends in proportions and frequencies. *Biometrics* 11, 375-386.
.. [8] Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
   approach. *Statistics in Medicine* 27, 1693-1702.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]
ProportionMethod = Literal["wilson", "clopper_pearson", "jeffreys"]
DifferenceMethod = Literal["newcombe"]
RatioMethod = Literal["koopman", "katz"]

PROPORTION_METHODS: tuple[ProportionMethod, ...] = ("wilson", "clopper_pearson", "jeffreys")
DIFFERENCE_METHODS: tuple[DifferenceMethod, ...] = ("newcombe",)
RATIO_METHODS: tuple[RatioMethod, ...] = ("koopman", "katz")


def normal_quantile(level: float) -> float:
    """The normal quantile at (1 + level) / 2: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + level) / 2)


def share_interval(
    numerator: ArrayLike, denominator: ArrayLike, *, level: float, method: ProportionMethod = "wilson"
) -> tuple[Floats, Floats]:
    """Both ends of the interval for shares of counts, inside [0, 1]; NaN where nobody is counted."""
    x, n = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    counted = n > 0
    safe = np.where(counted, n, 1.0)
    hits = np.where(counted, x, 0.0)
    low, high = {"wilson": _wilson, "clopper_pearson": _clopper_pearson, "jeffreys": _jeffreys}[method](
        hits, safe, level
    )
    # Nobody lost, or everybody: the end is the bound itself, free of rounding.
    low = np.where(hits == 0, 0.0, np.clip(low, 0.0, 1.0))
    high = np.where(hits == safe, 1.0, np.clip(high, 0.0, 1.0))
    return np.where(counted, low, np.nan), np.where(counted, high, np.nan)


def _wilson(x: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    z = normal_quantile(level)
    centre = (x + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
    return centre - half, centre + half


def _clopper_pearson(x: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    tail = (1 - level) / 2
    # The bounds at x = 0 and x = n are set by the caller; these keep the beta's shapes above zero.
    low = special.betaincinv(np.maximum(x, 1.0), n - np.maximum(x, 1.0) + 1, tail)
    top = np.minimum(x, n - 1)
    high = special.betaincinv(np.maximum(top, 0.0) + 1, n - top, 1 - tail)
    return _doubles(low, high)


def _jeffreys(x: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    tail = (1 - level) / 2
    a, b = x + 0.5, n - x + 0.5
    return _doubles(special.betaincinv(a, b, tail), special.betaincinv(a, b, 1 - tail))


def _doubles(low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats]:
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def difference_interval(x1: float, n1: float, x2: float, n2: float, *, level: float) -> tuple[float, float]:
    """Newcombe's hybrid score interval for x1/n1 - x2/n2, inside [-1, 1]."""
    low, high = share_interval([x1, x2], [n1, n2], level=level)
    slope, below, above = weighted_sum_interval(np.array([x1 / n1, x2 / n2]), low, high, weights=np.array([1.0, -1.0]))
    return max(-1.0, min(slope, below)), min(1.0, max(slope, above))


def weighted_sum_interval(
    estimates: Floats, low: Floats, high: Floats, *, weights: Floats
) -> tuple[float, float, float]:
    """A weighted sum of independent estimates, with limits recovered from each one's own (MOVER)."""
    total = float(weights @ estimates)
    down = np.where(weights > 0, estimates - low, high - estimates)
    up = np.where(weights > 0, high - estimates, estimates - low)
    return total, total - float(np.linalg.norm(weights * down)), total + float(np.linalg.norm(weights * up))


def ratio_interval(
    x1: float, n1: float, x2: float, n2: float, *, level: float, method: RatioMethod = "koopman"
) -> tuple[float, float] | None:
    """An interval for (x1/n1) / (x2/n2); None where the method has none for these counts."""
    if method == "katz":
        return _katz(x1, n1, x2, n2, level)
    if x1 == 0 and x2 == 0:
        return 0.0, math.inf
    critical = normal_quantile(level) ** 2

    def excess(log_ratio: float) -> float:
        return koopman_statistic(math.exp(log_ratio), x1, n1, x2, n2) - critical

    # An empty cell puts one end at the bound; half a customer there only says where to start looking for the other.
    centre = math.log((x1 or 0.5) / n1) - math.log((x2 or 0.5) / n2)
    low = 0.0 if x1 == 0 else math.exp(_crossing(excess, centre, -1.0))
    high = math.inf if x2 == 0 else math.exp(_crossing(excess, centre, 1.0))
    return low, high


def koopman_statistic(ratio: float, x1: float, n1: float, x2: float, n2: float) -> float:
    """The score statistic, chi-squared with one degree of freedom, that p1 / p2 is ``ratio`` [5]_."""
    # The root below 1 of a*p2^2 - b*p2 + c = 0, written so that nothing cancels.
    a, b, c = (n1 + n2) * ratio, x1 + n2 + (x2 + n1) * ratio, x1 + x2
    p2 = min(1.0, 2 * c / (b + math.sqrt(max(0.0, b * b - 4 * a * c))))
    p1 = min(1.0, ratio * p2)
    variance = p1 * (1 - p1) / n1 + ratio**2 * p2 * (1 - p2) / n2
    gap = x1 / n1 - ratio * x2 / n2
    return gap * gap / variance if variance > 0 else (0.0 if gap == 0 else math.inf)


def _crossing(excess: Callable[[float], float], centre: float, direction: float) -> float:
    """Where ``excess`` turns positive, going from ``centre`` outwards."""
    step = 0.5
    inner = centre
    while excess(inner) > 0:
        inner -= direction * step
        step *= 2
    step = 0.5
    outer = inner
    while excess(outer) <= 0:
        inner, outer = outer, outer + direction * step
        step *= 2
    return float(optimize.brentq(excess, inner, outer, xtol=1e-13, rtol=1e-13))


def _katz(x1: float, n1: float, x2: float, n2: float, level: float) -> tuple[float, float] | None:
    if x1 == 0 or x2 == 0:
        return None
    log_ratio = math.log(x1 / n1) - math.log(x2 / n2)
    half = normal_quantile(level) * math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
    return math.exp(log_ratio - half), math.exp(log_ratio + half)


def trend_weights(n: Floats, scores: Floats) -> Floats:
    """The weights with which the shares of ordered groups add up to their slope per unit of score."""
    centred = scores - float(n @ scores) / float(n.sum())
    return n * centred / float(n @ centred**2)


def trend_statistic(x: Floats, n: Floats, scores: Floats) -> float | None:
    """The Cochran-Armitage z statistic [7]_; None where every customer, or none, is counted."""
    pooled = float(x.sum() / n.sum())
    if pooled in (0.0, 1.0):
        return None
    centred = scores - float(n @ scores) / float(n.sum())
    return float(x @ centred) / math.sqrt(pooled * (1 - pooled) * float(n @ centred**2))


def two_sided_p_value(z: float) -> float:
    """The probability of a standard normal at least as far from zero as ``z``."""
    return math.erfc(abs(z) / math.sqrt(2))


def two_sided_p_values(z: Floats) -> Floats:
    """The same for an array; NaN stays NaN."""
    return np.asarray(special.erfc(np.abs(z) / math.sqrt(2)), dtype=np.float64)
