"""Regressions reach the maximum of their likelihood, and the limits of a spread are those of an ellipsoid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from retention_metrics._stats import cox, regression

approx = pytest.approx


def partial_likelihood(beta, design, duration, churned) -> float:
    """Efron's, customer by customer."""
    weight, found = np.exp(design @ beta), 0.0
    for time in np.unique(duration[churned]):
        gone, risk = churned & (duration == time), duration >= time
        d = int(gone.sum())
        found += float((design[gone] @ beta).sum())
        found -= sum(math.log(weight[risk].sum() - k / d * weight[gone].sum()) for k in range(d))
    return found


def lifetimes(n=120, size=3, seed=1977):
    """Whole months, so that many customers leave together."""
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(n, size))
    stay = rng.exponential(6 * np.exp(-design @ np.linspace(-0.5, 0.8, size)))
    watched = rng.uniform(0, 12, n)
    return design, np.ceil(np.minimum(stay, watched)), stay <= watched


def test_the_slopes_of_many_covariates_are_at_the_top_of_the_partial_likelihood():
    design, duration, churned = lifetimes()
    slopes, covariance = cox.slopes(design, duration, churned)
    best = optimize.minimize(
        lambda beta: -partial_likelihood(beta, design, duration, churned), np.zeros(3), method="BFGS"
    )
    assert slopes == approx(best.x, abs=1e-5)
    step = 1e-4
    shifts = step * np.eye(3)

    def bend(a, b):
        corners = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
        moved = [s * partial_likelihood(slopes + i * a + j * b, design, duration, churned) for i, j, s in corners]
        return -sum(moved) / (4 * step**2)

    information = np.array([[bend(a, b) for b in shifts] for a in shifts])
    assert np.linalg.inv(covariance) == approx(information, rel=1e-3, abs=1e-3)


def test_trials_of_one_row_are_rows_of_their_own():
    rng = np.random.default_rng(1958)
    design, trials = rng.normal(size=(9_000, 2)), rng.integers(1, 4, 9_000)
    hits = rng.binomial(trials, 1 / (1 + np.exp(-design[:, 0])))
    each = np.repeat(np.arange(9_000), trials)
    outcome = np.arange(each.size) - np.repeat(np.cumsum(trials) - trials, trials) < hits[each]
    for together, apart in zip(
        regression.logistic(design, hits, trials.astype(float)), regression.logistic(design[each], outcome), strict=True
    ):
        assert together == approx(apart, rel=1e-9)


def test_a_covariate_that_orders_who_leaves_has_no_slope():
    duration, churned = np.arange(1.0, 21.0), np.ones(20, dtype=bool)
    assert cox.slopes(duration[:, None], duration, churned) is None


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("rank", ["full", "short"])
def test_the_limits_of_a_spread_are_the_ends_over_the_ellipsoid(size, rank):
    rng = np.random.default_rng(size)
    for far in (0.0, 0.3, 3.0):
        root = rng.normal(size=(size, size)) + 0.5 * np.eye(size)
        half = rng.normal(size=(size, size if rank == "full" else max(1, size - 1)))
        covariance, shape, beta = root @ root.T, half @ half.T, far * rng.normal(size=size)
        low, high = regression.spread_limits(beta, covariance, shape, reach=2.0)
        greatest = 0.0
        for _ in range(30):  # a convex function on a ball grows along its own gradient to a corner
            point = rng.normal(size=size)
            for _ in range(500):
                slope = root.T @ shape @ (beta + root @ point)
                point = 2.0 * slope / np.linalg.norm(slope)
            greatest = max(greatest, regression.spread(beta + root @ point, shape))
        assert high == approx(greatest, rel=1e-7)
        least = optimize.minimize(
            lambda u, b=beta, r=root, s=shape: (b + r @ u) @ s @ (b + r @ u),
            np.zeros(size),
            method="SLSQP",
            constraints={"type": "ineq", "fun": lambda u: 4.0 - u @ u},
            options={"ftol": 1e-14},
        ).fun
        assert low == approx(math.sqrt(max(0.0, least)), abs=2e-5)
