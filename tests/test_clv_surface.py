"""Heights read off a polynomial: right where the surface is smooth, computed where it is not."""

from __future__ import annotations

import numpy as np
import pytest

import retention_metrics as rm
from retention_metrics.clv import posterior, surface


@pytest.fixture
def places():
    return np.random.default_rng(2009).standard_normal((4_000, 3)) @ [[1.0, 0.5, 0.0], [0.0, 0.3, 0.2], [0.0, 0.0, 9.0]]


class Counted:
    """A surface that knows how many of its heights were asked for."""

    def __init__(self, height):
        self.height, self.asked = height, 0

    def __call__(self, places):
        self.asked += len(places)
        return self.height(places)


def test_a_polynomial_is_itself_and_a_smooth_surface_as_close_as_said(places):
    for height, tolerance in (
        (lambda at: 3 - at[:, 0] ** 2 + at[:, 0] * at[:, 1] ** 3 * at[:, 2] - at[:, 2] ** 5 / 9, 1e-7),
        (lambda at: -np.log1p(0.02 * np.square(at[:, :2]).sum(axis=1)) - np.cos(at[:, 2] / 30), None),
    ):
        exact = Counted(height)
        found = surface.heights(exact, places)
        assert found.computed == exact.asked < 300
        # A hundred judges do not see the very worst place.
        assert np.abs(found.values - height(places)).max() < (tolerance or 10 * found.error) < surface.CLOSE


@pytest.mark.parametrize(
    "height",
    [
        lambda at: np.sign(at[:, 0]),
        lambda at: np.where(at[:, 1] > 1.5, -np.inf, at[:, 0]),
        lambda at: np.where(at[:, 1] > 1.5, np.nan, at[:, 0]),
    ],
    ids=["a step", "an end", "no number"],
)
def test_where_no_polynomial_is_close_every_height_is_computed(places, height):
    found = surface.heights(height, places)
    np.testing.assert_array_equal(found.values, height(places))
    assert (found.computed, found.error) == (len(places), 0.0)


def test_few_places_are_not_worth_it(places):
    exact = Counted(lambda at: at[:, 0])
    assert surface.heights(exact, places[:300]).computed == exact.asked == 300


@pytest.mark.parametrize("cls", [rm.clv.BGNBD, rm.clv.ParetoNBD])
def test_a_posterior_read_off_is_the_computed_one(monkeypatch, cls):
    shapes = {"a": 0.8, "b": 3.0} if cls is rm.clv.BGNBD else {"s": 0.6, "beta": 10.0}
    ages = np.random.default_rng(1).uniform(20, 100, 3_000)
    fit = cls.fit(cls(r=0.5, alpha=8.0, unit="week", **shapes).simulate(ages, rng=2))
    computed = fit.posterior(draws=2_000, rng=3)
    monkeypatch.setattr(posterior, "_MANY", 0)
    read_off = fit.posterior(draws=2_000, rng=3)
    assert not any("polynomial" in note for note in computed.notes)
    assert "of 2000 draws is computed" in read_off.notes[0]
    assert read_off.khat == pytest.approx(computed.khat, abs=0.02)
    assert read_off.effective_draws == pytest.approx(computed.effective_draws, rel=1e-3)
    for name, draws in computed.draws.items():
        means = [each.draws[name].mean() for each in (read_off, computed)]
        assert means[0] == pytest.approx(means[1], abs=0.33 * draws.std() / np.sqrt(computed.effective_draws))


def test_the_heights_of_a_posterior_are_as_close_as_said(monkeypatch):
    ages = np.random.default_rng(1).uniform(20, 100, 3_000)
    model = rm.clv.ParetoNBD(r=0.5, alpha=8.0, s=0.6, beta=10.0, unit="week")
    fit = type(model).fit(model.simulate(ages, rng=2))
    density = posterior.LogPosterior(fit, (), None)
    drawn = np.random.default_rng(4).multivariate_normal(np.log(fit.model.theta), fit.log_covariance, 2_000)
    exact = density._likelihoods(drawn)
    monkeypatch.setattr(posterior, "_MANY", 0)
    read_off = density._likelihoods(drawn)
    assert 0 < np.abs(read_off - exact).max() < 2 * surface.CLOSE
