"""How well a score orders who leaves first: the share of pairs in the right order, where time is censored.

References
----------
.. [1] Harrell, F. E., Lee, K. L. and Mark, D. B. (1996). Multivariable prognostic models. *Statistics in Medicine* 15,
   361-387.
.. [2] Therneau, T. M. and Atkinson, E. (2024). Concordance. Vignette of the R package survival.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """Infinitesimal jackknife: the root of the sum over customers of the squared derivative by their weight [2]_."""
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

    change = (won - found.share * met) / found.all
    return float(np.sqrt(exits.customers @ change**2))


def _later(counts: Floats) -> Floats:
    """Sums over the groups after each."""
    return np.asarray(counts.sum(axis=0) - counts.cumsum(axis=0), dtype=np.float64)


def _summed(counts: Floats) -> Floats:
    """Sums over the earlier times, before the first and after each."""
    return np.concatenate([np.zeros((counts.shape[0], 1)), counts.cumsum(axis=1)], axis=1)
