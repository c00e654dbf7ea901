"""Lifetime value of every customer over twelve months. Run: python speed/clv_value.py --customers 1000000

In months and with purchases discounted from the month's end the two conventions agree to the last digits; the
convention that does not depend on the unit is timed beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import PURCHASES, SPEND, Job, main, simulated_customers

from retention_metrics import clv

WEEKS = 365.25 / 84  # in a month
MONTHLY = clv.BGNBD(r=PURCHASES.r, alpha=PURCHASES.alpha / WEEKS, a=PURCHASES.a, b=PURCHASES.b)
BUYING, SPENDING = clv.to_lifetimes(MONTHLY), clv.to_lifetimes(SPEND)


def monthly(customers: int) -> pd.DataFrame:
    frame = simulated_customers(customers)
    return frame.assign(recency=frame["recency"] / WEEKS, T=frame["T"] / WEEKS)


def at_month_ends(frame: pd.DataFrame) -> pd.DataFrame:
    return clv.lifetime_value(MONTHLY, SPEND, frame, horizon=12, discount_rate=0.01, timing="end_of_period").to_frame()


def continuous(frame: pd.DataFrame) -> pd.DataFrame:
    return clv.lifetime_value(MONTHLY, SPEND, frame, horizon=12, discount_rate=0.01).to_frame()


def theirs(frame: pd.DataFrame) -> pd.Series:
    history = frame["frequency"], frame["recency"], frame["T"], frame["monetary_value"]
    return SPENDING.customer_lifetime_value(BUYING, *history, time=12, discount_rate=0.01, freq="M")


def difference(frame: pd.DataFrame, mine: pd.DataFrame, other: pd.Series) -> float:
    """Largest relative difference of a customer's value."""
    return float(np.max(np.abs(other.to_numpy() / mine["clv"].to_numpy() - 1)))


if __name__ == "__main__":
    main(Job("lifetime value, discounted from month ends", monthly, at_month_ends, theirs, difference, 1e-9, target=20))
    # Half a month's discount apart, on the whole.
    main(Job("lifetime value, continuous discounting", monthly, continuous, theirs, difference, 0.01, target=20))
