"""Resamples of measures through the influence of each customer."""

from __future__ import annotations

import numpy as np
import pytest

from retention_metrics._stats import association


@pytest.mark.parametrize("n", [2_000, 40_000])
def test_resamples_spread_as_the_influences_do(n):
    rng = np.random.default_rng(22)
    base = rng.normal(size=n)
    influences = np.stack([base, 0.6 * base + 0.8 * rng.normal(size=n), rng.exponential(size=n) - 1], axis=1) / n
    influences -= influences.mean(axis=0)
    drawn = association.resampled(np.array([0.5, 0.6, 0.7]), influences, draws=4000, rng=rng)
    assert drawn.shape == (4000, 3)
    expected = influences.T @ influences
    scale = np.sqrt(np.diag(expected))
    # Five standard errors of 4,000 draws.
    assert np.abs(drawn.mean(axis=0) - [0.5, 0.6, 0.7]).max() < 5 * scale.max() / np.sqrt(4000)
    assert np.abs((np.cov(drawn.T) - expected) / np.outer(scale, scale)).max() < 5 * np.sqrt(2 / 4000)


def test_the_influences_of_a_measure_add_up_to_nothing():
    rng = np.random.default_rng(23)
    values, levels = rng.integers(0, 9, 200).astype(float), rng.integers(0, 5, 200)
    outcome, times = rng.random(200) < 0.4, np.ceil(rng.exponential(9, 200))
    for _, influence in (
        association.area(values, outcome),
        association.level_area(levels, outcome),
        association.concordance(values, times, outcome),
        association.level_concordance(levels, times, outcome),
    ):
        assert abs(influence.sum()) < 1e-12


def test_an_influence_is_the_derivative_in_the_weight_of_a_customer():
    rng = np.random.default_rng(24)
    values, outcome, times = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.5, np.ceil(rng.exponential(9, 60))
    held = np.repeat(np.arange(60), 200)
    for row in (0, 17, 41):
        more = np.append(held, row)
        for measure in (
            lambda rows: association.area(values[rows], outcome[rows]),
            lambda rows: association.concordance(values[rows], times[rows], outcome[rows]),
        ):
            (before, influence), (after, _) = measure(np.arange(60)), measure(more)
            assert (after - before) * 200 == pytest.approx(influence[row], abs=0.05 * np.abs(influence).max())
