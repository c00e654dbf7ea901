"""Five transactions per customer to histories, from pandas. Run: python speed/rfm_summary.py --customers 1000000"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import Job, main
from lifetimes.utils import summary_data_from_transaction_data

from retention_metrics import clv

COLUMNS = ["frequency", "recency", "T", "monetary_value"]
LAST_DAY = pd.Timestamp("2025-12-31")


def log(customers: int) -> pd.DataFrame:
    """Transactions of two years in no order, five per customer on average; whole numbers name the customers."""
    rng = np.random.default_rng(2005)
    rows = 5 * customers
    who = np.concatenate([np.arange(customers), rng.integers(0, customers, rows - customers)])
    days = rng.integers(0, 730, rows).astype("timedelta64[D]")
    paid = np.round(rng.gamma(2.0, 15.0, rows), 2)
    frame = pd.DataFrame({"customer": who, "day": LAST_DAY - days, "paid": paid})
    return frame.iloc[rng.permutation(rows)].reset_index(drop=True)


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    return clv.rfm_summary(frame, customer="customer", time="day", value="paid", as_of="2025-12-31").to_frame()


def theirs(frame: pd.DataFrame) -> pd.DataFrame:
    return summary_data_from_transaction_data(
        frame, "customer", "day", monetary_value_col="paid", observation_period_end=LAST_DAY
    )


def difference(frame: pd.DataFrame, mine: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest difference of a cell, over the customers of both."""
    if mine["customer"].tolist() != other.index.tolist():
        return float("inf")
    # lifetimes writes 0 for the money of a customer without repeat purchase, we leave it missing.
    return float(np.max(np.abs(mine[COLUMNS].fillna(0.0).to_numpy() - other[COLUMNS].to_numpy())))


if __name__ == "__main__":
    main(Job("histories from transactions", log, ours, theirs, difference, tolerance=1e-9, target=3))
