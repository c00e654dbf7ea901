"""Cox's model of one covariate: the partial likelihood of its slope, from risk sets by value of the covariate.

References
----------
.. [1] Cox, D. R. (1972). Regression models and life-tables. *Journal of the Royal Statistical Society B* 34, 187-220.
.. [2] Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. *Journal of the American
   Statistical Association* 72, 557-565.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from retention_metrics._stats.product_limit import RiskSets

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A hazard that changes by more than exp(60) per unit is endless in effect.
_FARTHEST = 60.0


class Derivatives(NamedTuple):
    """A log-likelihood with its first derivative, as observed less expected, and its second, negated."""

    value: float
    expected: float
    information: float


@dataclass(frozen=True)
class PartialLikelihood:
    """Efron's partial likelihood [2]_ of a slope: the hazard is exp(slope * value) times one that all share [1]_.

    ``values`` are the covariate's, of shape (groups,), and ``sets`` the risk sets of customers who have each of them.
    At a time at which d leave together, a share of 0, 1/d, ..., (d - 1)/d of them is taken out of the risk set in turn:
    ``time`` and ``out`` are the time and that share of each loss.
    """

    values: Floats
    sets: RiskSets
    time: Integers
    out: Floats

    @classmethod
    def of(cls, values: Floats, sets: RiskSets) -> PartialLikelihood:
        """The likelihood of some risk sets."""
        d = sets.lost.sum(axis=0).astype(np.int64)
        time = np.repeat(np.arange(d.size), d)
        before = np.repeat(np.cumsum(d) - d, d)
        return cls(values, sets, time, (np.arange(time.size) - before) / np.maximum(d[time], 1))

    @property
    def observed(self) -> float:
        """Sum of the values of those who left."""
        return float(self.values @ self.sets.lost.sum(axis=1))

    def at(self, slope: float) -> Derivatives:
        """The log-likelihood, the values expected of those who left, and the information."""
        line = slope * self.values
        top = float(line.max())
        weight = np.exp(line - top)
        total, first, second = (
            (power @ self.sets.at_risk)[self.time] - self.out * (power @ self.sets.lost)[self.time]
            for power in (weight, weight * self.values, weight * self.values**2)
        )
        mean = first / total
        value = slope * self.observed - top * self.time.size - float(np.log(total).sum())
        return Derivatives(value, float(mean.sum()), float(np.maximum(second / total - mean**2, 0.0).sum()))

    def score(self, slope: float) -> float:
        """The first derivative: values observed less those expected."""
        return self.observed - self.at(slope).expected

    def limits(self) -> tuple[bool, bool]:
        """Whether the likelihood never falls towards minus, and towards plus infinity.

        It does not where all who left had the least value at risk, or the greatest; both hold where no value differs.
        """
        there = self.sets.at_risk > 0
        d = self.sets.lost.sum(axis=0)
        least = np.where(there, self.values[:, None], np.inf).min(axis=0)
        most = np.where(there, self.values[:, None], -np.inf).max(axis=0)
        return self.observed <= float(d @ least), self.observed >= float(d @ most)


def slope(likelihood: PartialLikelihood) -> float:
    """Where the likelihood is greatest; infinite where it never falls, NaN where it is flat."""
    down, up = likelihood.limits()
    if down or up:
        return math.nan if down and up else -math.inf if down else math.inf
    # The likelihood is concave: its derivative falls through 0 once.
    return float(optimize.brentq(likelihood.score, -_FARTHEST, _FARTHEST, xtol=1e-13, rtol=1e-14))


def slope_interval(likelihood: PartialLikelihood, best: float, *, z: float) -> tuple[float, float]:
    """Slopes whose likelihood ratio against the best does not exceed the square of ``z``; an end may be infinite."""
    start = min(max(best, -_FARTHEST), _FARTHEST)
    least = likelihood.at(start).value - z**2 / 2

    def excess(at: float) -> float:
        return likelihood.at(at).value - least

    low, high = -math.inf, math.inf
    if excess(-_FARTHEST) < 0:
        low = float(optimize.brentq(excess, -_FARTHEST, start, xtol=1e-12))
    if excess(_FARTHEST) < 0:
        high = float(optimize.brentq(excess, start, _FARTHEST, xtol=1e-12))
    return low, high
