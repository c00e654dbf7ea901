"""Cox's model by Efron's partial likelihood: the slope of one covariate from risk sets by its values, or of many.

References
----------
.. [1] Cox, D. R. (1972). Regression models and life-tables. *Journal of the Royal Statistical Society B* 34, 187-220.
.. [2] Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. *Journal of the American
   Statistical Association* 72, 557-565.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics._stats import regression
from retention_metrics._stats.product_limit import RiskSets

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# A hazard that changes by more than exp(60) per unit is endless in effect.
_FARTHEST = 60.0
_MOST_STEPS = 200
# Newton doubles the digits: the step after one this small is below rounding.
_EXACT = 1e-10


class Derivatives(NamedTuple):
    """A log-likelihood with its first derivative, as observed less expected, and its second, negated."""

    value: float
    expected: float
    information: float


@dataclass(frozen=True)
class PartialLikelihood:
    """Efron's partial likelihood [2]_ of a slope: the hazard is exp(slope * value) times one that all share [1]_.

    ``values`` are the covariate's, of shape (groups,), and ``sets`` the risk sets of customers who have each of them.
    At a time at which d of ``lost`` leave together, a share of 0, 1/d, ..., (d - 1)/d of them is taken out of the risk
    set in turn: ``out`` is that share for each.
    """

    values: Floats
    sets: RiskSets
    lost: Integers
    out: Floats

    @classmethod
    def of(cls, values: Floats, sets: RiskSets) -> PartialLikelihood:
        """The likelihood of some risk sets."""
        d = sets.lost.sum(axis=0).astype(np.int64)
        return cls(values, sets, d, _taken_out(d))

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
            np.repeat(power @ self.sets.at_risk, self.lost) - self.out * np.repeat(power @ self.sets.lost, self.lost)
            for power in (weight, weight * self.values, weight * self.values**2)
        )
        mean = first / total
        value = slope * self.observed - top * self.out.size - float(np.log(total).sum())
        return Derivatives(value, float(mean.sum()), float(np.maximum(second / total - mean**2, 0.0).sum()))

    def limits(self) -> tuple[bool, bool]:
        """Whether the likelihood never falls towards minus, and towards plus infinity.

        It does not where all who left had the least value at risk, or the greatest; both hold where no value differs.
        """
        there = self.sets.at_risk > 0
        d = self.sets.lost.sum(axis=0)
        least = np.where(there, self.values[:, None], np.inf).min(axis=0)
        most = np.where(there, self.values[:, None], -np.inf).max(axis=0)
        return self.observed <= float(d @ least), self.observed >= float(d @ most)


def _taken_out(lost: Integers) -> Floats:
    """Where d leave together, the shares 0, 1/d, ..., (d - 1)/d of them that are no longer at risk for each [2]_."""
    place = np.arange(lost.sum()) - np.repeat(np.cumsum(lost) - lost, lost)
    return np.asarray(place / np.repeat(lost, lost), dtype=np.float64)


def slopes(design: Floats, duration: Floats, churned: Flags) -> tuple[Floats, Floats] | None:
    """Log hazard ratios of many covariates and their covariance; None where the likelihood has no maximum.

    All customers are watched from 0. Rows are summed from the latest time on, so that each sum is a risk set.
    """
    order = np.argsort(-duration, kind="stable")
    rows, gone = design[order], churned[order]
    starts = np.flatnonzero(np.append(True, np.diff(duration[order]) != 0))
    lost = np.add.reduceat(gone.astype(np.int64), starts)
    ends, out = np.append(starts[1:], gone.size) - 1, _taken_out(lost)
    block, each = np.repeat(np.arange(starts.size), np.diff(np.append(starts, gone.size))), np.arange(starts.size)
    event, observed = np.repeat(each, lost), rows[gone].sum(axis=0)

    def derivatives(beta: Floats) -> tuple[float, Floats, Floats]:
        line = rows @ beta
        weight = np.exp(line - line.max())
        leaving = np.where(gone, weight, 0.0)
        total = np.cumsum(weight)[ends][event] - out * np.add.reduceat(leaving, starts)[event]
        mean = (rows * weight[:, None]).cumsum(axis=0)[ends][event]
        mean -= out[:, None] * np.add.reduceat(rows * leaving[:, None], starts, axis=0)[event]
        mean /= total[:, None]
        value = float((line[gone] - line.max()).sum() - np.log(total).sum())
        # Second moments of all risk sets at once: each row by the sum of 1 / total over the events it is at risk in.
        share = np.bincount(event, weights=1 / total, minlength=starts.size)
        short = np.bincount(event, weights=out / total, minlength=starts.size)
        at_risk = share[::-1].cumsum()[::-1][block]
        spread = weight * at_risk - leaving * short[block]
        return value, observed - mean.sum(axis=0), rows.T @ (rows * spread[:, None]) - mean.T @ mean

    return regression.newton(derivatives, rows.shape[1])


def slope(likelihood: PartialLikelihood) -> float:
    """Where the likelihood is greatest; infinite where it never falls, NaN where it is flat."""
    down, up = likelihood.limits()
    if down or up:
        return math.nan if down and up else -math.inf if down else math.inf

    def score(at: float) -> tuple[float, float]:
        here = likelihood.at(at)
        return likelihood.observed - here.expected, -here.information

    # The likelihood is concave: its derivative falls through 0 once.
    return _root(score, -_FARTHEST, _FARTHEST, start=0.0)


def slope_interval(likelihood: PartialLikelihood, best: float, *, z: float) -> tuple[float, float]:
    """Slopes whose likelihood ratio against the best does not exceed the square of ``z``; an end may be infinite."""
    top = min(max(best, -_FARTHEST), _FARTHEST)
    greatest = likelihood.at(top)
    least = greatest.value - z**2 / 2
    guess = z / math.sqrt(greatest.information) if math.isfinite(best) else _FARTHEST

    def end(side: float) -> float:
        def excess(at: float) -> tuple[float, float]:
            here = likelihood.at(top + side * at)
            return here.value - least, side * (likelihood.observed - here.expected)

        if best == side * math.inf:
            return best
        farthest = _FARTHEST - side * top
        return top + side * _root(excess, 0.0, farthest, start=min(guess, farthest / 2))

    return end(-1.0), end(1.0)


def _root(function: Callable[[float], tuple[float, float]], low: float, high: float, *, start: float) -> float:
    """Where a function, given with its derivative, falls through 0: Newton's steps, halves where they leave."""
    at = start
    for _ in range(_MOST_STEPS):
        value, change = function(at)
        step = -value / change if change < 0 else math.inf
        if abs(step) <= _EXACT * (1 + abs(at)):
            return at + step
        low, high = (at, high) if value > 0 else (low, at)
        at = at + step if low < at + step < high else (low + high) / 2
        if high - low <= _EXACT * (1 + abs(at)):
            break
    return at
