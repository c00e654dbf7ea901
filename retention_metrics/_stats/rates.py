"""Intervals for a count over what it is counted from.

References
----------
.. [1] Garwood, F. (1936). Fiducial limits for the Poisson distribution. *Biometrika* 28(3/4), 437-442.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def exact_poisson(count: ArrayLike, exposure: ArrayLike, *, level: float) -> tuple[Floats, Floats]:
    """Both ends of the exact interval [1]_ for the mean of a Poisson count, over an exposure taken as fixed."""
    x, n = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(exposure, np.float64))
    tail = (1 - level) / 2
    # Half the chi-squared quantile with 2x degrees of freedom is the gamma quantile of shape x.
    low = np.where(x > 0, special.gammaincinv(np.maximum(x, 1.0), tail), 0.0)
    return low / n, np.asarray(special.gammaincinv(x + 1, 1 - tail), np.float64) / n
