"""Rates of events per unit of time watched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


def rate_interval(events: Floats, exposure: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Exact limits of events per unit of exposure (Garwood 1936); with exposure 0 nothing is known: 0 to infinity.

    The lower limit is the gamma quantile of the events at (1 - level)/2, the upper that of one event more at
    (1 + level)/2, each divided by the exposure.
    """
    d, t = np.asarray(events, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    tail = (1 - level) / 2
    # The inverse of the upper tail keeps its digits where the level is near 1.
    low, high = np.where(d > 0, special.gammaincinv(np.maximum(d, 1.0), tail), 0.0), special.gammainccinv(d + 1, tail)
    known = t > 0
    return np.divide(low, t, out=np.zeros_like(t), where=known), np.divide(
        high, t, out=np.full_like(t, np.inf), where=known
    )
