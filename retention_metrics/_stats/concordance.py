"""How well a score orders who leaves first: the share of pairs in the right order, where time is censored.

References
----------
.. [1] Harrell, F. E., Lee, K. L. and Mark, D. B. (1996). Multivariable prognostic models. *Statistics in Medicine* 15,
   361-387.
.. [2] Tukey, J. W. (1958). Bias and confidence in not-quite large samples. *Annals of Mathematical Statistics* 29, 614.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics._stats import roc
from retention_metrics._stats.product_limit import RiskSets

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Exits(NamedTuple):
    """Distinct rows of customers: which group, from when and until when each was watched, and whether it left."""

    group: Integers
    entry: Floats
    duration: Floats
    churned: NDArray[np.bool_]
    customers: Floats


class Pairs(NamedTuple):
    """Pairs of a customer who left and one who was still there and watched: all, in order, and of one score."""

    all: float
    ordered: float
    tied: float

    @property
    def share(self) -> float:
        """Share in order, ties half."""
        return (self.ordered + self.tied / 2) / self.all


def pairs(sets: RiskSets) -> Pairs:
    """Pairs in which the one who left is in an earlier group than the one who stayed on; groups in rising order."""
    stay = sets.at_risk - sets.lost
    ordered, tied = float((sets.lost * _later(stay)).sum()), float((sets.lost * stay).sum())
    return Pairs(float(sets.lost.sum(axis=0) @ stay.sum(axis=0)), ordered, tied)


def standard_error(sets: RiskSets, exits: Exits, found: Pairs) -> float:
    """The jackknife's: from the shares that are left when each customer in turn is left out [2]_.

    It is 0 where the pairs are those of one customer, so that none are left without.
    """
    stay, times = sets.at_risk - sets.lost, sets.time
    won, met = np.zeros(exits.duration.size), np.zeros(exits.duration.size)

    # As the one who left.
    own, at = exits.group[exits.churned], np.searchsorted(times, exits.duration[exits.churned])
    won[exits.churned] = (_later(stay) + stay / 2)[own, at]
    met[exits.churned] = stay.sum(axis=0)[at]

    # As the one who stayed on: at every time of loss while watched, but for one's own.
    wins = _summed(sets.lost.cumsum(axis=0) - sets.lost / 2)
    lost = _summed(sets.lost.sum(axis=0)[None, :])
    start = np.where(exits.entry > 0, np.searchsorted(times, exits.entry, side="right"), 0)
    end = np.where(exits.churned, np.searchsorted(times, exits.duration), times.searchsorted(exits.duration, "right"))
    end = np.maximum(end, start)
    won += wins[exits.group, end] - wins[exits.group, start]
    met += lost[0, end] - lost[0, start]

    rest = found.all - met
    if rest.min() <= 0:
        return 0.0
    change = (found.ordered + found.tied / 2 - won) / rest - found.share
    n = exits.customers.sum()
    return float(np.sqrt((n - 1) / n * (exits.customers @ change**2)))


def interval(sets: RiskSets, exits: Exits, found: Pairs, *, z: float) -> tuple[float, float, str]:
    """Ends inside [0, 1] and the method: the jackknife's on the logit scale, Newcombe's where that has no width."""
    customers = float(exits.customers.sum())
    # Whoever left first is one side of a pair, and at most half of all customers are.
    first = min(float(sets.lost.sum()), customers / 2)
    error = standard_error(sets, exits, found)
    low, high, method = roc.area_interval(found.share, error, first, customers - first, z=z)
    return low, high, "jackknife" if method == "delong" else method


def _later(counts: Floats) -> Floats:
    """Sums over the groups after each."""
    return np.asarray(counts.sum(axis=0) - counts.cumsum(axis=0), dtype=np.float64)


def _summed(counts: Floats) -> Floats:
    """Sums over the earlier times, before the first and after each."""
    return np.concatenate([np.zeros((counts.shape[0], 1)), counts.cumsum(axis=1)], axis=1)
