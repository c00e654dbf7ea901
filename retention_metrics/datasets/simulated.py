"""Simulated data whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retention_metrics import _checks
from retention_metrics.results import BACKENDS, Backend, Columns, ColumnType, build_frame

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["simulate_subscriptions"]

_PRICES = np.array([20.0, 50.0, 200.0])
_TYPES: dict[str, ColumnType] = {
    "customer_id": "integer",
    "start": "datetime",
    "end": "datetime",
    "amount": "number",
    "plan": "string",
}
_PLANS = np.array(["basic", "plus", "pro"])
_FIRST_MONTH = np.datetime64("2022-01")


def simulate_subscriptions(
    *,
    customers: int = 1000,
    months: int = 24,
    monthly_churn: float = 0.04,
    monthly_upgrade: float = 0.02,
    monthly_downgrade: float = 0.01,
    monthly_return: float = 0.05,
    rng: np.random.Generator | int | None = None,
    backend: Backend = "pandas",
) -> pd.DataFrame | pl.DataFrame | pa.Table:
    """Simulated subscriptions, whose churn and plan changes are the arguments.

    Parameters
    ----------
    customers : int, default 1000
        Customers in all; half start in the first month, the others evenly over the months after it.
    months : int, default 24
        Months simulated, from 2022-01.
    monthly_churn, monthly_upgrade, monthly_downgrade : float
        Chance of a subscriber to leave, to move a plan up and to move a plan down, at the start of each month after
        the first; who is on the highest plan cannot move up, nor the lowest down. They add up to 1 at most.
    monthly_return : float, default 0.05
        Chance of one who left to come back, each month after the one of leaving, on the plan left.
    rng : Generator, int or None
        Randomness.
    backend : {"pandas", "polars", "pyarrow"}, default "pandas"
        The library of the frame.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or pyarrow.Table
        A row per stretch at one price: ``customer_id``, ``start``, ``end`` (null where it runs on), ``amount`` (20,
        50 or 200 a month) and ``plan`` (basic, plus, pro), by customer and start.

    Raises
    ------
    InputError
        If a number is outside its range, or the chances add up to more than 1.

    Notes
    -----
    SIMULATED: no customer, price or rate in it is real. The truth is the arguments: each month is an independent draw
    (a Markov chain over none, three plans), so the expected share of subscribers lost a month is ``monthly_churn``.

    Examples
    --------
    >>> from retention_metrics import datasets
    >>> plans = datasets.simulate_subscriptions(customers=3, months=12, monthly_upgrade=0.2, rng=2005)
    >>> plans["customer_id"].nunique(), bool((plans["amount"] > 0).all())
    (3, True)
    """
    people = _checks.count(customers, name="customers", low=1)
    length = _checks.count(months, name="months", low=1)
    leave, up, down = (
        _checks.share(value, name=name)
        for name, value in (
            ("monthly_churn", monthly_churn),
            ("monthly_upgrade", monthly_upgrade),
            ("monthly_downgrade", monthly_downgrade),
        )
    )
    _checks.share(leave + up + down, name="monthly_churn + monthly_upgrade + monthly_downgrade")
    back = _checks.share(monthly_return, name="monthly_return")
    kind = _checks.choice(backend, BACKENDS, name="backend")

    states = _states(people, length, (leave, up, down, back), np.random.default_rng(rng))
    who, start, end, plan = _stretches(states)

    first = _FIRST_MONTH + start
    until = [None if stop == length else day for stop, day in zip(end, _dates(_FIRST_MONTH + end), strict=True)]
    cells = {
        "customer_id": (who + 1).tolist(),
        "start": _dates(first),
        "end": until,
        "amount": _PRICES[plan].tolist(),
        "plan": _PLANS[plan].tolist(),
    }
    return build_frame(Columns(cells, _TYPES), kind)


def _states(
    people: int, length: int, chances: tuple[float, float, float, float], rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The plan of every customer in every month; -1 before the first, -2 after leaving."""
    leave, up, down, back = chances
    joined = np.where(np.arange(people) < (people + 1) // 2, 0, rng.integers(min(1, length - 1), length, people))
    plan, gone = rng.choice(3, size=people, p=[0.5, 0.35, 0.15]), np.zeros(people, dtype=bool)
    states = np.full((people, length), -1, dtype=np.int64)
    for month in range(length):
        draw, there = rng.random(people), joined < month
        returns = there & gone & (draw < back)
        active = there & ~gone
        gone = (gone & ~returns) | (active & (draw < leave))
        plan = plan + (active & (draw >= leave) & (draw < leave + up) & (plan < 2))
        plan = plan - (active & (draw >= leave + up) & (draw < leave + up + down) & (plan > 0))
        states[:, month] = np.where(joined > month, -1, np.where(gone, -2, plan))
    return states


def _stretches(
    states: np.ndarray[tuple[int, int], np.dtype[np.int64]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of one plan: customer, first month, month after the last, plan."""
    people, length = states.shape
    edge = np.ones((people, length), dtype=bool)
    edge[:, 1:] = states[:, 1:] != states[:, :-1]
    who, start = np.nonzero(edge)
    end = np.where(np.append(who[1:] == who[:-1], False), np.append(start[1:], 0), length)
    kept = states[who, start] >= 0
    return who[kept], start[kept], end[kept], states[who, start][kept]


def _dates(months: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> list[object]:
    found: list[object] = months.astype("datetime64[us]").tolist()
    return found
