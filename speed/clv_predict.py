"""P(alive) and expected purchases of every customer. Run: python speed/clv_predict.py --customers 1000000"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import PURCHASES, Job, main, simulated_customers

from retention_metrics import clv

FITTER = clv.to_lifetimes(PURCHASES)


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    return PURCHASES.predict(frame, horizon=39).to_frame()


def theirs(frame: pd.DataFrame) -> pd.DataFrame:
    history = frame["frequency"], frame["recency"], frame["T"]
    return frame.assign(
        probability_alive=FITTER.conditional_probability_alive(*history),
        expected_purchases=FITTER.conditional_expected_number_of_purchases_up_to_time(39, *history),
    )


def difference(frame: pd.DataFrame, mine: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest relative difference of an answer."""
    names = ["probability_alive", "expected_purchases"]
    return float(np.max(np.abs(other[names].to_numpy() / mine[names].to_numpy() - 1)))


if __name__ == "__main__":
    main(Job("P(alive) and 39-week expectation", simulated_customers, ours, theirs, difference, 1e-9, target=3))
