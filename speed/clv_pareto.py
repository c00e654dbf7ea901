"""Pareto/NBD by maximum likelihood, and its answers. Run: python speed/clv_pareto.py --customers 100000"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from _compare import Job, main
from lifetimes import ParetoNBDFitter

from retention_metrics import clv

MODEL = clv.ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)  # CDNOW, in weeks
FITTER = ParetoNBDFitter()
FITTER.params_ = pd.Series(MODEL.theta, index=list(MODEL.parameters))


def customers(size: int) -> pd.DataFrame:
    """Customers like CDNOW's, acquired over twelve weeks and watched for 27 to 39, on a grid of days."""
    rng = np.random.default_rng(1987)
    ages = rng.integers(27 * 7, 39 * 7 + 1, size) / 7
    frame = MODEL.simulate(ages, rng=rng)[["frequency", "recency", "T"]].copy()
    days = np.ceil(frame["recency"].to_numpy() * 7) / 7
    # lifetimes gives NaN where the last purchase is on the last day; a day earlier it does not.
    frame["recency"] = np.where(frame["frequency"] > 0, np.minimum(days, ages - 1 / 7), 0.0)
    return frame


def fit(frame: pd.DataFrame) -> clv.Fit[clv.ParetoNBD]:
    return clv.ParetoNBD.fit(frame)


def their_fit(frame: pd.DataFrame) -> ParetoNBDFitter:
    np.random.seed(1)  # noqa: NPY002  lifetimes draws its start from NumPy's global state
    return ParetoNBDFitter().fit(frame["frequency"], frame["recency"], frame["T"])


def fit_difference(frame: pd.DataFrame, mine: clv.Fit[clv.ParetoNBD], other: ParetoNBDFitter) -> float:
    """Largest relative difference of a parameter; ours must not be the lower maximum."""
    found = clv.ParetoNBD(**other.params_.to_dict())
    reached = float(np.sum(found.log_likelihood(frame["frequency"], frame["recency"], frame["T"])))
    if mine.log_likelihood < reached - 1e-6:
        return float("inf")
    return float(np.max(np.abs(found.theta / mine.model.theta - 1)))


def answers(frame: pd.DataFrame) -> pd.DataFrame:
    return MODEL.predict(frame, horizon=39).to_frame()


def their_answers(frame: pd.DataFrame) -> pd.DataFrame:
    history = frame["frequency"], frame["recency"], frame["T"]
    return frame.assign(
        probability_alive=FITTER.conditional_probability_alive(*history),
        expected_purchases=FITTER.conditional_expected_number_of_purchases_up_to_time(39, *history),
    )


def difference(frame: pd.DataFrame, mine: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest relative difference of an answer."""
    names = ["probability_alive", "expected_purchases"]
    return float(np.max(np.abs(other[names].to_numpy() / mine[names].to_numpy() - 1)))


def alone(size: int) -> None:
    """Our time where lifetimes does not finish."""
    data = customers(size)
    start = time.perf_counter()
    found = fit(data)
    print(f"Pareto/NBD fit of {size:,} customers: {time.perf_counter() - start:.2f} s, r = {found.model.r:.4f}")


FIT = Job(
    "Pareto/NBD fit",
    customers,
    fit,
    their_fit,
    fit_difference,
    tolerance=2e-2,
    target=50,
    sizes=(10_000, 100_000),
)
ANSWERS = Job(
    "Pareto/NBD P(alive) and 39-week expectation", customers, answers, their_answers, difference, 1e-7, target=3
)

if __name__ == "__main__":
    main(FIT, ANSWERS)
    alone(1_000_000)
