"""How unequally a total is spread: Gini, Herfindahl-Hirschman, shares of the largest, and the Lorenz curve.

References
----------
.. [1] Gini, C. (1912). *Variabilità e mutabilità*. Cuppini, Bologna.
.. [2] Lorenz, M. O. (1905). Methods of measuring the concentration of wealth. *Publications of the American
   Statistical Association* 9(70), 209-219.
.. [3] Herfindahl, O. C. (1950). *Concentration in the steel industry*. Dissertation, Columbia University.
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


def lorenz_top(values: Floats, counts: Floats, shares: Floats) -> Floats:
    """Share of the total that the largest ``shares`` of the customers hold; a customer may count in part."""
    people = np.concatenate([[0.0], np.cumsum(counts[::-1])])
    money = np.concatenate([[0.0], np.cumsum((counts * values)[::-1])])
    return np.asarray(np.interp(shares * people[-1], people, money) / money[-1])
