"""What every model of purchases keeps to, the limits among them: laws that tie its answers together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_metrics import clv
from retention_metrics.clv import (
    bg_cnbd,
    early_limits,
    lifetime_limits,
    limits,
    onset_limits,
    opportunity_limits,
    predictive,
)
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.errors import InputError

RATES = {"r": 0.6, "alpha": 7.0}
TIMED = [
    clv.BGNBD(**RATES, a=0.8, b=2.4),
    clv.MBGNBD(**RATES, a=0.8, b=2.4),
    clv.ParetoNBD(**RATES, s=0.6, beta=12.0),
    clv.GGompertzNBD(**RATES, b=0.15, s=1.0, beta=20.0),
    *(clv.BGCNBD(k=k, r=0.9, alpha=2.5, a=0.8, b=2.4) for k in (1, 2, 5)),
    bg_cnbd.CNBD(k=3, **RATES),
    bg_cnbd.GeometricCNBD(k=3, **RATES, p=0.2),
    limits.NBD(**RATES),
    limits.GeometricNBD(**RATES, p=0.25),
    limits.TwoTypeNBD(**RATES, share=0.3),
    limits.BGPoisson(rate=0.1, a=0.8, b=2.4),
    limits.GeometricPoisson(rate=0.1, p=0.25),
    limits.TwoTypePoisson(rate=0.1, share=0.3),
    limits.Poisson(rate=0.1),
    early_limits.EarlyGeometricNBD(**RATES, p=0.25),
    early_limits.EarlyTwoTypeNBD(**RATES, share=0.3),
    early_limits.EarlyBGPoisson(rate=0.1, a=0.8, b=2.4),
    early_limits.EarlyGeometricPoisson(rate=0.1, p=0.25),
    early_limits.EarlyTwoTypePoisson(rate=0.1, share=0.3),
    lifetime_limits.ExponentialPoisson(rate=0.1, mu=0.05),
    lifetime_limits.ExponentialNBD(**RATES, mu=0.05),
    lifetime_limits.ParetoPoisson(rate=0.1, s=0.6, beta=12.0),
    lifetime_limits.GompertzPoisson(rate=0.1, b=0.8, eta=1e-3),
    lifetime_limits.GompertzNBD(**RATES, b=0.8, eta=1e-3),
    lifetime_limits.GGompertzPoisson(rate=0.1, b=0.8, s=3.0, beta=500.0),
    onset_limits.EarlyExponentialNBD(**RATES, mu=0.05, share=0.3),
    onset_limits.EarlyExponentialPoisson(rate=0.1, mu=0.05, share=0.3),
    onset_limits.DelayedExponentialNBD(**RATES, mu=0.05, delay=4.0),
    onset_limits.DelayedExponentialPoisson(rate=0.1, mu=0.05, delay=4.0),
]
COUNTED = [
    clv.BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8),
    opportunity_limits.BetaBernoulli(alpha=1.2, beta=0.75),
    opportunity_limits.GeometricBB(alpha=1.2, beta=0.75, dropout=0.2),
    opportunity_limits.GeometricBernoulli(p=0.5, dropout=0.2),
    opportunity_limits.BGBernoulli(p=0.5, gamma=0.66, delta=2.8),
]
MODELS = TIMED + COUNTED


def named(model: PurchaseModel) -> str:
    return type(model).__name__ + str(getattr(model, "k", ""))


of_every_model = pytest.mark.parametrize("model", MODELS, ids=named)
x, t_x, age = np.array([0, 1, 2, 7]), np.array([0.0, 3.0, 6.0, 15.0]), np.array([4.0, 16.0, 16.0, 16.0])


@of_every_model
def test_the_chance_of_silence_is_what_the_likelihood_loses_by_it(model):
    before = model.log_likelihood(x, t_x, age)
    for wait in (1.0, 8.0, 60.0):
        silence = model.probability_of_purchases(x, t_x, age, n=0, horizon=wait)
        assert silence == pytest.approx(np.exp(model.log_likelihood(x, t_x, age + wait) - before), rel=1e-10)


@of_every_model
def test_probabilities_add_up_to_1_and_to_the_expected_purchases(model):
    n = np.arange(1000)[:, None]
    for given in ((x, t_x, age), (0, 0.0, 0.0)):
        mass = model.probability_of_purchases(*given, n=n, horizon=15.0)
        assert mass.sum(axis=0) == pytest.approx(1, abs=1e-11)
        expected = model.expected_purchases(*given, horizon=15.0)
        assert (n * mass).sum(axis=0) == pytest.approx(expected, rel=1e-8)


@of_every_model
def test_whoever_is_alive_later_was_alive_before(model):
    waits = np.array([0.0, 1.0, 5.0, 50.0])
    later = model.probability_alive(x[:, None], t_x[:, None], age[:, None], after=waits)
    assert later[:, 0] == pytest.approx(model.probability_alive(x, t_x, age), rel=1e-14)
    assert (np.diff(later) <= 1e-14).all()
    # Those who wait in silence and are there then are some of those who are there.
    silent = model.probability_of_purchases(x, t_x, age, n=0, horizon=5.0) * model.probability_alive(x, t_x, age + 5)
    assert (silent <= later[:, 2] * (1 + 1e-12)).all()


def answers(model, frequency, recency, T):
    """Every answer about a customer with a history, by name."""
    given = (frequency, recency, T)
    return {
        "log_likelihood": model.log_likelihood(*given),
        "probability_alive": model.probability_alive(*given, after=2),
        "expected_purchases": model.expected_purchases(*given, horizon=10),
        "probability_of_purchases": model.probability_of_purchases(*given, n=1, horizon=10),
        "discounted": model.discounted_expected_purchases(*given, discount_rate=0.01, horizon=10),
        "endless": model.discounted_expected_purchases(*given, force=0.01),
    }


@of_every_model
def test_numbers_come_in_any_type_and_any_shape(model):
    one = answers(model, 2, 6.0, 16.0)
    assert all(np.ndim(answer) == 0 for answer in one.values())
    kinds = {
        "float32": np.float32,
        "whole": int,
        "list": lambda value: [value] * 2,
        "pandas": lambda value: pd.Series([value] * 2, index=[7, 5]),
        "nullable": lambda value: pd.Series([value] * 2, dtype="Float64"),
        "polars": lambda value: pl.Series([value] * 2),
        "matrix": lambda value: np.full((2, 3), value),
    }
    for cast in kinds.values():
        for name, answer in answers(model, *map(cast, (2, 6.0, 16.0))).items():
            assert np.shape(answer) == np.shape(cast(2))
            assert answer == pytest.approx(float(one[name]), rel=1e-12)
    for name, answer in answers(model, np.full((2, 1), 2), 6.0, np.full(3, 16.0)).items():
        assert answer.shape == (2, 3)
        assert answer == pytest.approx(float(one[name]), rel=1e-12)


@of_every_model
def test_nobody_has_no_answers(model):
    for shape in ((0,), (0, 3)):
        none = np.zeros(shape)
        assert all(answer.shape == shape for answer in answers(model, none, none, none).values())
    assert model.expected_purchases_new(horizon=[]).shape == (0,)
    assert model.probability_of_purchases_new(n=[], horizon=2).shape == (0,)


@of_every_model
def test_without_time_ahead_nothing_happens(model):
    assert model.expected_purchases(x, t_x, age, horizon=0) == pytest.approx(0, abs=1e-300)
    mass = model.probability_of_purchases(x, t_x, age, n=[[0], [1]], horizon=0)
    assert mass == pytest.approx(np.array([[1.0] * 4, [0.0] * 4]), abs=1e-15)
    assert (model.discounted_expected_purchases(x, t_x, age, discount_rate=0.1, horizon=0) == 0).all()


@of_every_model
def test_a_vanishing_discount_leaves_the_expected_purchases(model):
    expected = model.expected_purchases(x, t_x, age, horizon=20)
    for rate, accuracy in ((0.0, 1e-14), (1e-10, 1e-8)):
        found = model.discounted_expected_purchases(x, t_x, age, discount_rate=rate, horizon=20)
        assert found == pytest.approx(expected, rel=accuracy)


@pytest.mark.parametrize("model", TIMED, ids=named)
@pytest.mark.parametrize("unit", ["hour", "day", "month"])
def test_another_unit_of_time_changes_no_answer(model, unit):
    weeks = type(model).from_dict(model.to_dict() | {"unit": "week"})
    other = weeks.rescale(to=unit)
    factor = {"hour": 168.0, "day": 7.0, "month": 7 / (365.25 / 12)}[unit]
    there = (x, np.minimum(t_x * factor, age * factor), age * factor)
    assert other.probability_alive(*there) == pytest.approx(weeks.probability_alive(x, t_x, age), rel=1e-10)
    for n in (0, 3):
        here = weeks.probability_of_purchases(x, t_x, age, n=n, horizon=20)
        assert other.probability_of_purchases(*there, n=n, horizon=20 * factor) == pytest.approx(here, rel=1e-9)
    value = weeks.discounted_expected_purchases(x, t_x, age, discount_rate=0.01)
    rate = 1.01 ** (1 / factor) - 1
    assert other.discounted_expected_purchases(*there, discount_rate=rate) == pytest.approx(value, rel=1e-9)
    moved = other.log_likelihood(*there) - weeks.log_likelihood(x, t_x, age)
    assert moved == pytest.approx(-x * np.log(factor), abs=1e-9)


@of_every_model
@pytest.mark.parametrize("given", [{"horizon": -1}, {"horizon": np.nan}, {"horizon": np.inf}])
def test_a_horizon_is_a_time_ahead(model, given):
    with pytest.raises(InputError, match="horizon"):
        model.expected_purchases(2, 6.0, 16.0, **given)


@of_every_model
@pytest.mark.parametrize("n", [0.5, -1, np.nan])
def test_purchases_are_counted_in_whole_numbers(model, n):
    with pytest.raises(InputError, match="n "):
        model.probability_of_purchases(2, 6.0, 16.0, n=n, horizon=5)


@of_every_model
def test_drawn_purchases_follow_their_probabilities(model):
    """Of customers with one history, as many make n purchases as the probability of n says."""
    size, generator = 20_000, np.random.default_rng(2005)
    for given in ((0, 0.0, 6.0), (3, 9.0, 12.0)):
        columns = [np.full(size, float(part)) for part in given]
        drawn = predictive.purchases(model, generator, model._alive(*columns), *columns, 15.0)
        for n in range(4):
            share = float(model.probability_of_purchases(*given, n=n, horizon=15.0))
            assert np.mean(drawn == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / size) + 1e-12)
        expected = float(model.expected_purchases(*given, horizon=15.0))
        spread = max(drawn.std(), np.sqrt(expected))
        assert drawn.mean() == pytest.approx(expected, abs=4.5 * spread / np.sqrt(size))
