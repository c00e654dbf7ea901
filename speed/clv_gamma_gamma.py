"""Gamma-Gamma by maximum likelihood. Run: python speed/clv_gamma_gamma.py --customers 1000000"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import Job, main, simulated_customers
from lifetimes import GammaGammaFitter

from retention_metrics import clv


def ours(frame: pd.DataFrame) -> clv.Fit[clv.GammaGamma]:
    return clv.GammaGamma.fit(frame)


def theirs(frame: pd.DataFrame) -> GammaGammaFitter:
    repeat = frame[frame["frequency"] > 0]
    return GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"])


def difference(frame: pd.DataFrame, fit: clv.Fit[clv.GammaGamma], fitter: GammaGammaFitter) -> float:
    """Largest relative difference of a parameter."""
    return float(np.max(np.abs(clv.from_lifetimes(fitter).theta / fit.model.theta - 1)))


if __name__ == "__main__":
    main(Job("Gamma-Gamma fit", simulated_customers, ours, theirs, difference, tolerance=5e-3, target=10))
