"""BG/NBD by maximum likelihood, from a frame of customers. Run: python speed/clv_fit.py --customers 1000000"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import Job, main, simulated_customers
from lifetimes import BetaGeoFitter

from retention_metrics import clv


def ours(frame: pd.DataFrame) -> clv.Fit[clv.BGNBD]:
    return clv.BGNBD.fit(frame)


def theirs(frame: pd.DataFrame) -> BetaGeoFitter:
    return BetaGeoFitter().fit(frame["frequency"], frame["recency"], frame["T"])


def difference(frame: pd.DataFrame, fit: clv.Fit[clv.BGNBD], fitter: BetaGeoFitter) -> float:
    """Largest relative difference of a parameter; ours must not be the lower maximum."""
    other = clv.from_lifetimes(fitter)
    reached = float(np.sum(other.log_likelihood(frame["frequency"], frame["recency"], frame["T"])))
    if fit.log_likelihood < reached - 1e-6:
        return float("inf")
    return float(np.max(np.abs(other.theta / fit.model.theta - 1)))


if __name__ == "__main__":
    main(Job("BG/NBD fit", simulated_customers, ours, theirs, difference, tolerance=2e-3, target=75))
