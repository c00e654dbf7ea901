"""Large bases: the customers who are drawn, and the sum of the others, whose law follows from those drawn.

References
----------
.. [1] Särndal, C.-E., Swensson, B. and Wretman, J. (1992). *Model Assisted Survey Sampling*, sections 3.6 and 7.3.
   Springer.
.. [2] Johnson, N. L., Kotz, S. and Balakrishnan, N. (1994). *Continuous Univariate Distributions*, vol. 1, 2nd ed.,
   section 17.1. Wiley.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST = 3_000
"""Customers of a group who are all drawn; of a larger one so many are."""
_NOTHING = float(np.finfo(np.float64).tiny)
_NORMAL = 1e-4  # skewness below which a gamma is a normal


@dataclass(frozen=True, slots=True)
class Sample:
    """Places of the customers who are drawn, ascending, and how many others each of them stands for."""

    rows: NDArray[np.int64]
    others: Floats


def sample(
    size: Floats,
    order: NDArray[np.int64],
    codes: NDArray[np.int64],
    certain: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Sample:
    """All customers of small groups, and of others the ``certain`` ones and ``MOST`` by systematic sampling [1]_.

    Half of a chance goes by ``size``, so that who matters much is drawn for certain. Neighbours in ``order`` are alike.
    """
    chance = np.ones(size.size)
    open_to_chance = np.bincount(codes[~certain], minlength=1)
    for group in np.flatnonzero(open_to_chance > MOST):
        rows = np.flatnonzero((codes == group) & ~certain)
        chance[rows] = _chances(size[rows])
    drawn, doubtful = chance >= 1, order[chance[order] < 1]
    if doubtful.size:
        ends = np.floor(np.cumsum(chance[doubtful]) + rng.random())
        drawn[doubtful[np.diff(ends, prepend=0.0) > 0]] = True
    rows = np.flatnonzero(drawn)
    return Sample(rows, 1 / chance[rows] - 1)


def _chances(size: Floats) -> Floats:
    """Chances that add up to ``MOST``, half of each by size and half the same for all, none above 1."""
    share = (1 / size.size + size / max(float(size.sum()), _NOTHING)) / 2
    sure = np.zeros(size.size, dtype=np.bool_)
    while True:
        chance = np.where(sure, 1.0, (MOST - sure.sum()) * share / share[~sure].sum())
        if not (found := (chance >= 1) & ~sure).any():
            return np.asarray(chance)
        sure |= found


class Rest:
    """The amounts of customers who are not drawn, watched on those who stand for them: a column of ``mean`` per sum.

    Around the exact mean of each, their squares and cubes are the variance and the third cumulant of what happens; by
    how uncertain parameters move that mean they are a little larger, which is nothing beside how they move the sum.
    """

    def __init__(self, mean: Floats) -> None:
        self._mean, self._scale = mean, float(mean.max(initial=0.0)) or 1.0
        self._squares, self._cubes, self._times = np.zeros(mean.shape), np.zeros(mean.shape), 0

    def watch(self, amounts: Floats) -> None:
        """Take in what happened once."""
        away = (amounts - self._mean) / self._scale
        square = away**2
        self._squares += square
        self._cubes += square * away
        self._times += 1

    def drawn(self, mean: Floats, added: Callable[[Floats], Floats], rng: np.random.Generator) -> Floats:
        """Sums around ``mean``, where ``added`` adds up what those watched stand for: of the mean's shape after draws.

        The law is Pearson's third type [2]_, a gamma moved to the mean: a normal but for its skewness.
        """
        variance, third = added(self._squares / self._times), added(self._cubes / self._times)
        skewness = np.divide(third, variance**1.5, out=np.zeros(third.shape), where=variance > 0)
        shape = 4 / np.maximum(np.abs(skewness), _NORMAL) ** 2
        away = np.where(skewness < 0, -1, 1) * (rng.gamma(shape, size=mean.shape) - shape) / np.sqrt(shape)
        return np.asarray(np.maximum(mean + self._scale * np.sqrt(variance) * away, 0.0))
