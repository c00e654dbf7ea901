"""How unequally a total is spread: Gini, Herfindahl-Hirschman, shares of the largest, and the Lorenz curve.

References
----------
.. [1] Gini, C. (1912). *Variabilità e mutabilità*. Cuppini, Bologna.
.. [2] Lorenz, M. O. (1905). Methods of measuring the concentration of wealth. *Publications of the American
   Statistical Association* 9(70), 209-219.
.. [3] Herfindahl, O. C. (1950). *Concentration in the steel industry*. Dissertation, Columbia University.
.. [4] Beach, C. M. and Davidson, R. (1983). Distribution-free statistical inference with Lorenz curves and income
   shares. *Review of Economic Studies* 50(4), 723-735.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def gini(values: Floats, counts: Floats) -> Floats:
    """Mean absolute difference over twice the mean; ``values`` ascend."""
    n, total = counts.sum(), counts @ values
    upto = np.cumsum(counts) - counts / 2
    return np.asarray(2 * ((counts * values) @ upto) / (n * total) - 1)


def hhi(values: Floats, counts: Floats) -> Floats:
    """Sum of squared shares."""
    return np.asarray((counts @ values**2) / (counts @ values) ** 2)


def linearised_errors(values: Floats, counts: Floats, shares: Floats) -> tuple[float, float, Floats]:
    """Standard errors of the Gini, of the HHI and of the Lorenz curve at ``shares``, from what each customer moves.

    Influence functions; the curve's is Beach and Davidson's [4]_, whose squares add up from cumulative sums, so one
    pass over the distinct amounts does for all shares.
    """
    n = counts.sum()
    weight = counts / n
    below = np.stack([np.cumsum(weight * values**power) for power in (0, 1, 2)])
    mean, square = below[1:, -1]
    spread = values * (2 * below[0] - 1) + mean - 2 * below[1]
    coefficient = float(gini(values, counts))
    moved = (spread - coefficient * (values + mean)) / mean
    index = (values**2 - square) / mean**2 - 2 * square * (values - mean) / mean**3
    place = np.minimum(np.searchsorted(below[0], shares, side="left"), values.size - 1)
    edge = values[place]
    # The amount at the edge counts as far as the share reaches; its own term is zero either way.
    part = np.where(place > 0, below[:, np.maximum(place - 1, 0)], 0.0)
    held = (part[1] + edge * (shares - part[0])) / mean
    near = part[2] - 2 * edge * part[1] + edge**2 * part[0]
    crossed = part[2] - edge * part[1]
    centre = part[1] - edge * part[0] - held * mean
    variance = near - 2 * held * crossed + held**2 * square - centre**2
    return (
        float(np.sqrt(weight @ moved**2 / n)),
        float(np.sqrt(weight @ index**2 / n) / n),
        np.sqrt(np.maximum(variance, 0.0) / n) / mean,
    )


def lorenz_top(values: Floats, counts: Floats, shares: Floats) -> Floats:
    """Share of the total that the largest ``shares`` of the customers hold; a customer may count in part."""
    people = np.concatenate([[0.0], np.cumsum(counts[::-1])])
    money = np.concatenate([[0.0], np.cumsum((counts * values)[::-1])])
    return np.asarray(np.interp(shares * people[-1], people, money) / money[-1])
