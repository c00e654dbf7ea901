"""Orders to expect of today's customers with their intervals, beside the simulation of every customer in every draw.

Run: python speed/customers_demand.py --customers 100000. Each end of an interval may lie as far from the simulation's
as two simulations lie apart, by chance, once in a hundred thousand times.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _compare import PURCHASES, Job, main, simulated_customers

from retention_metrics import clv, customers
from retention_metrics.customers import futures

PERIODS, LENGTH, DRAWS = 4, 13.0, 500
# The standard error of a sample's 2.5 % quantile in standard deviations of a normal, of two samples, times 4.4.
TOLERANCE = 4.4 * np.sqrt(2 * 0.025 * 0.975 / DRAWS) / 0.0584
FITS: dict[int, clv.Fit[clv.BGNBD]] = {}


def fit(frame: pd.DataFrame) -> clv.Fit[clv.BGNBD]:
    """The model of the first 2,357 customers, as many as the CDNOW sample has."""
    return FITS.setdefault(len(frame), clv.BGNBD.fit(frame[:2357]))


def ours(frame: pd.DataFrame, model: clv.BGNBD | clv.Fit[clv.BGNBD] = PURCHASES) -> np.ndarray:
    rows = customers.demand(model, frame, length=LENGTH, periods=PERIODS, draws=DRAWS, rng=1).rows()
    return np.array([[row["orders_low"], row["orders_high"]] for row in rows])


def everyone(frame: pd.DataFrame, model: clv.BGNBD | clv.Fit[clv.BGNBD] = PURCHASES) -> np.ndarray:
    rng = np.random.default_rng(2)
    history = tuple(frame[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    sums = []
    for _ in range(DRAWS):
        drawn = model
        if isinstance(model, clv.Fit):
            centre = np.log(model.model.theta)
            drawn = model.model.with_theta(np.exp(rng.multivariate_normal(centre, model.log_covariance)))
        alive = drawn.probability_alive(*history)
        bought = futures.future(drawn, alive, *history, LENGTH, PERIODS, rng).sum(axis=0)
        sums.append([*bought, bought.sum()])
    return np.quantile(sums, [0.025, 0.975], axis=0, method="weibull").T


def difference(frame: pd.DataFrame, mine: np.ndarray, other: np.ndarray) -> float:
    """Furthest that two ends are apart, in standard deviations."""
    return float(np.max(np.abs(mine - other) / ((other[:, 1] - other[:, 0]) / 3.92)[:, None]))


if __name__ == "__main__":
    main(
        Job(
            "orders of four quarters, 500 draws, a model taken for certain",
            simulated_customers,
            ours,
            everyone,
            difference,
            TOLERANCE,
            target=10,
            peer="everyone",
            sizes=(10_000, 100_000),
        ),
        Job(
            "the same with a fit, whose parameters are drawn",
            simulated_customers,
            lambda frame: ours(frame, fit(frame)),
            lambda frame: everyone(frame, fit(frame)),
            difference,
            TOLERANCE,
            target=10,
            peer="everyone",
            sizes=(10_000, 100_000),
        ),
    )
