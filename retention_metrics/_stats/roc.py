"""How well a score orders two kinds of customers: the area under the ROC curve with its interval.

References
----------
.. [1] DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more correlated
   receiver operating characteristic curves. *Biometrics* 44, 837-845.
.. [2] Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney statistic,
   part 2. *Statistics in Medicine* 25, 559-573, method 5.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]


def area(cases: Floats, others: Floats) -> tuple[float, float]:
    """Probability that a case scores above another, ties half, and DeLong's standard error [1]_.

    Both are counts at the distinct scores, in rising order.
    """
    m, n = float(cases.sum()), float(others.sum())
    below = (np.cumsum(others) - others / 2) / n
    above = 1 - (np.cumsum(cases) - cases / 2) / m
    share = float(cases @ below) / m
    variance = 0.0
    for counts, placed, size in ((cases, below, m), (others, above, n)):
        if size > 1:
            variance += float(counts @ (placed - share) ** 2) / (size - 1) / size
    return share, math.sqrt(variance)


def area_interval(share: float, error: float, cases: float, others: float, *, z: float) -> tuple[float, float, str]:
    """Ends inside [0, 1] and the method: DeLong's on the logit scale, Newcombe's where that has no width [2]_."""
    if error > 0 and 0 < share < 1:
        place, half = math.log(share / (1 - share)), z * error / (share * (1 - share))
        low, high = (1 / (1 + math.exp(-end)) for end in (place - half, place + half))
        return low, high, "delong"
    half_sizes = (cases + others) / 2 - 1

    def excess(theta: float) -> float:
        variance = theta * (1 - theta) * (1 + half_sizes * ((1 - theta) / (2 - theta) + theta / (1 + theta)))
        return (share - theta) ** 2 - z**2 * variance / (cases * others)

    low = 0.0 if excess(1e-12) <= 0 or share == 0 else optimize.brentq(excess, 1e-12, share - 1e-12)
    high = 1.0 if excess(1 - 1e-12) <= 0 or share == 1 else optimize.brentq(excess, share + 1e-12, 1 - 1e-12)
    return low, high, "newcombe"
