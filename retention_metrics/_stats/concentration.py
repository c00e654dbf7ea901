"""How unequally a total is spread: Gini, Herfindahl-Hirschman, shares of the largest, and the Lorenz curve.

References
----------
.. [1] Gini, C. (1912). *Variabilità e mutabilità*. Cuppini, Bologna.
.. [2] Lorenz, M. O. (1905). Methods of measuring the concentration of wealth. *Publications of the American
   Statistical Association* 9(70), 209-219.
.. [3] Herfindahl, O. C. (1950). *Concentration in the steel industry*. Dissertation, Columbia University.
.. [4] Beach, C. M. and Davidson, R. (1983). Distribution-free statistical inference with Lorenz curves and income
   shares. *Review of Economic Studies* 50(4), 723-735.
.. [5] Karagiannis, E. and Kovacevic, M. (2000). A method to calculate the jackknife variance estimator for the Gini
   coefficient. *Oxford Bulletin of Economics and Statistics* 62(1), 119-122.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retention_metrics._stats.ratios import degrees_of_freedom

Floats = NDArray[np.float64]


def gini(values: Floats, counts: Floats) -> Floats:
    """Mean absolute difference over twice the mean; ``values`` ascend."""
    n, total = counts.sum(), counts @ values
    upto = np.cumsum(counts) - counts / 2
    return np.asarray(2 * ((counts * values) @ upto) / (n * total) - 1)


def hhi(values: Floats, counts: Floats) -> Floats:
    """Sum of squared shares."""
    return np.asarray((counts @ values**2) / (counts @ values) ** 2)


@dataclass(frozen=True)
class Spread:
    """A statistic (or several) with its jackknife error, the freedom of that error, and what skews it.

    The skewness is that of what each customer moves.
    """

    error: Floats
    freedom: Floats
    skewness: Floats


def gini_jackknife(values: Floats, counts: Floats) -> Spread:
    """Of n/(n - 1) times the Gini, from leaving out each customer [5]_: one pass, for ``values`` ascend."""
    n, total = counts.sum(), counts @ values
    upto = np.cumsum(counts)
    ranked = (counts * values) @ (upto - (counts - 1) / 2)
    above = total - np.cumsum(counts * values)
    # Of equal amounts the last is left out: no rank but those of larger ones moves.
    left = 2 * (ranked - upto * values - above) / np.where(total > values, (n - 2) * (total - values), np.nan)
    return _spread(left - n / (n - 2), counts, n)


def hhi_jackknife(values: Floats, counts: Floats) -> Spread:
    """Of the squared coefficient of variation, n/(n - 1) * (n HHI - 1), from leaving out each customer."""
    n, total, squares = counts.sum(), counts @ values, counts @ values**2
    left = (squares - values**2) / np.where(total > values, total - values, np.nan) ** 2
    return _spread((n - 1) / (n - 2) * ((n - 1) * left - 1), counts, n)


def _spread(left: Floats, counts: Floats, n: float) -> Spread:
    known = np.isfinite(left)
    left, weight = left[known], counts[known]
    away = left - weight @ left / weight.sum()
    squares = weight @ away**2
    error = np.sqrt((n - 1) / n * squares)
    skewness = -np.sqrt(n) * (weight @ away**3) / squares**1.5 if squares > 0 else 0.0
    freedom = degrees_of_freedom(n, squares, weight @ away**4)
    return Spread(np.asarray(error), np.asarray(freedom), np.asarray(skewness))


def lorenz_jackknife(values: Floats, counts: Floats, shares: Floats) -> Spread:
    """Of the Lorenz curve at ``shares``, from what each customer moves [4]_ at its share h of the total.

    Their squares, with 1 + 2 h + 3 h^2 for the leaving out, and their fourth powers are polynomials of the amounts
    below the edge and above it, so cumulative sums of five powers do for all shares. Their cubes, which would skew it,
    are left out.
    """
    n = counts.sum()
    scaled = values * n / (counts @ values)
    below = np.stack([np.cumsum(counts / n * scaled**power) for power in range(5)])
    place = np.minimum(np.searchsorted(below[0], shares, side="left"), values.size - 1)
    edge = scaled[place]
    # The amount at the edge counts as far as the share reaches; its own term is the same on both sides.
    part = np.where(place > 0, below[:, np.maximum(place - 1, 0)], 0.0)
    held = part[1] + edge * (shares - part[0])
    sides = ((part, 1 - held, -(1 - shares) * edge), (below[:, -1:] - part, -held, shares * edge))
    moments = np.zeros((4, shares.size))
    for sums, slope, start in sides:
        square = _product((start**2, 2 * slope * start, slope**2), (1.0,))
        for row, factor in enumerate(((1.0,), (0.0, 1.0), (0.0, 0.0, 1.0), square)):
            moments[row] += sum(c * each for c, each in zip(_product(square, factor), sums, strict=False))
    second, once, twice, fourth = np.maximum(moments, 0.0)
    variance = (second + 2 * once / n + 3 * twice / n**2) / n
    freedom = degrees_of_freedom(n, n * second, n * fourth)
    return Spread(np.sqrt(variance), np.asarray(freedom), np.zeros(shares.size))


def _product(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    """Coefficients of the product of two polynomials, lowest power first."""
    found: list[Any] = [0.0] * (len(a) + len(b) - 1)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            found[i + j] = found[i + j] + one * other
    return tuple(found)


def lorenz_top(values: Floats, counts: Floats, shares: Floats) -> Floats:
    """Share of the total that the largest ``shares`` of the customers hold; a customer may count in part."""
    people = np.concatenate([[0.0], np.cumsum(counts[::-1])])
    money = np.concatenate([[0.0], np.cumsum((counts * values)[::-1])])
    return np.asarray(np.interp(shares * people[-1], people, money) / money[-1])
