"""What every model of purchases keeps to, the limits among them: laws that tie its answers together."""

from __future__ import annotations

import mpmath as mp
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
    bg_cnbd.CondensedPoisson(k=3, rate=0.3),
    bg_cnbd.GeometricCondensedPoisson(k=3, rate=0.3, p=0.2),
    bg_cnbd.TwoTypeCondensedPoisson(k=2, rate=0.3, share=0.2),
    bg_cnbd.BGCondensedPoisson(k=2, rate=0.3, a=0.8, b=2.4),
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
    onset_limits.FixedLifetimeNBD(**RATES, lifetime=18.0),
    onset_limits.FixedLifetimePoisson(rate=0.1, lifetime=18.0),
]
COUNTED = [
    clv.BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8),
    opportunity_limits.BetaBernoulli(alpha=1.2, beta=0.75),
    opportunity_limits.GeometricBB(alpha=1.2, beta=0.75, dropout=0.2),
    opportunity_limits.GeometricBernoulli(p=0.5, dropout=0.2),
    opportunity_limits.BGBernoulli(p=0.5, gamma=0.66, delta=2.8),
    opportunity_limits.Bernoulli(p=0.5),
    opportunity_limits.TwoTypeBB(alpha=1.2, beta=0.75, share=0.2),
    opportunity_limits.TwoTypeBernoulli(p=0.5, share=0.2),
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
def test_its_explanation_ends_in_numbers(model):
    for name, value in model.explain().evaluate().items():
        assert 0 <= value < np.inf, name


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


# ---------------------------------------------------------------- the box: x to 10,000, T to 100,000, 1e-3 to 1e3


def parameter(generator: np.random.Generator) -> float:
    """Between 1e-3 and 1e3, at either end as often as not."""
    return float(generator.choice([1e-3, 1e3, 1.0, *10 ** generator.uniform(-3, 3, size=4)]))


def history(generator: np.random.Generator, *, counted: bool) -> tuple[float, float, float]:
    """(frequency, recency, T) of anybody, those who bought at once, at the end and 10,000 times among them."""
    x = float(generator.choice([0, 1, 10_000, *np.floor(10 ** generator.uniform(0, 4, size=4))]))
    if counted:
        age = float(generator.choice([0, 1, 2_000, *np.floor(10 ** generator.uniform(0, 3.3, size=4))]))
        x = min(x, age)
        return x, (float(generator.choice([x, age])) if x else 0.0), age
    age = float(generator.choice([1e5, *10 ** generator.uniform(-3, 5, size=4)]))
    return x, (age * float(generator.choice([1.0, 1e-6, generator.uniform(), 1 - 1e-9])) if x else 0.0), age


BOX = {
    "BGNBD": (clv.BGNBD, {}, 150),
    "MBGNBD": (clv.MBGNBD, {}, 150),
    "ParetoNBD": (clv.ParetoNBD, {}, 200),
    "GGompertzNBD": (clv.GGompertzNBD, {}, 200),
    "BGCNBD": (clv.BGCNBD, {"k": 2}, 15),
    "BGBB": (clv.BGBB, {}, 60),
}


@pytest.mark.parametrize("name", BOX)
def test_nothing_overflows_warns_or_leaves_its_range_in_the_box(name):
    cls, fixed, points = BOX[name]
    generator = np.random.default_rng(2026)
    for _ in range(points):
        model = cls(**{one: parameter(generator) for one in cls.parameters}, **fixed)
        given = history(generator, counted=cls is clv.BGBB)
        horizon = float(generator.choice([0.0, 1.0, 1e5, 10 ** generator.uniform(-3, 5)]))
        if cls is clv.BGBB:
            horizon = float(np.floor(min(horizon, 2e3)))
        n, force = int(generator.choice([0, 1, 500, 10_000])), float(10 ** generator.uniform(-6, 1))
        with np.errstate(all="raise", under="ignore"):
            shares = [
                model.probability_alive(*given, after=[0.0, horizon]),
                model.probability_of_purchases(*given, n=n, horizon=horizon),
                model.probability_of_purchases_new(n=n, horizon=horizon),
            ]
            numbers = [
                model.expected_purchases(*given, horizon=horizon),
                model.expected_purchases_new(horizon=horizon),
                model.discounted_expected_purchases(*given, force=force),
                model.discounted_expected_purchases(*given, force=force, horizon=horizon),
            ]
            likelihood = model.log_likelihood(*given)
        told = f"{model}, {given}, horizon={horizon}, n={n}, force={force}"
        assert np.isfinite(likelihood), told
        assert all(np.isfinite(number) and number >= 0 for number in numbers), told
        assert all(((share >= 0) & (share <= 1 + 1e-12)).all() for share in shares), told
        assert numbers[3] <= min(numbers[0], numbers[2]) * (1 + 1e-9), told


@pytest.mark.parametrize("early", [0, 1])
def test_dropout_models_are_right_in_the_box(early):
    """Fader, Hardie & Lee (2005), equations 7, 8 and 10, in multiple precision."""
    generator, cls = np.random.default_rng(2005), (clv.BGNBD, clv.MBGNBD)[early]
    for _ in range(25):
        model = cls(**{one: parameter(generator) for one in cls.parameters})
        frequency, recency, T = history(generator, counted=False)
        x, n, horizon = int(min(frequency, 500)), int(generator.choice([0, 1, 5, 500])), 10 ** generator.uniform(-2, 5)
        recency = recency if x else 0.0
        with mp.workdps(40):
            r, alpha, a, b = (mp.mpf(value) + (mp.mpf(10) ** -25 if value == 1 else 0) for value in model.theta)
            stayed, power, scale = b + early + x, r + x, alpha + T
            odds = a / (stayed - 1) * (scale / (alpha + recency)) ** power if x + early else mp.mpf(0)
            alive, share = 1 / (1 + odds), horizon / (scale + horizon)
            expected = (a + stayed - 1) / (a - 1)
            expected *= 1 - mp.hyp2f1(power, a - 1, a + stayed - 1, -horizon / scale)
            mass = mp.beta(a, stayed + n) / mp.beta(a, stayed) * mp.gammaprod([power + n], [power, n + 1])
            mass *= (1 - share) ** power * share**n
            if n:
                left = mp.beta(a + 1, stayed + n - 1) / mp.beta(a, stayed)
                mass += left * mp.betainc(n, power, 0, share, regularized=True)
            exact = (alive, alive * expected, alive * mass + (odds * alive if n == 0 else 0))
        found = (
            model.probability_alive(x, recency, T),
            model.expected_purchases(x, recency, T, horizon=horizon),
            model.probability_of_purchases(x, recency, T, n=n, horizon=horizon),
        )
        assert found == pytest.approx([float(value) for value in exact], rel=1e-10, abs=1e-300), (model, x, recency, T)


def test_an_endless_discount_of_pareto_nbd_is_right_in_the_box():
    """Fader, Hardie & Lee (2005), RFM and CLV, equation 2, as an exponential integral."""
    generator = np.random.default_rng(2007)
    for _ in range(60):
        model = clv.ParetoNBD(**{one: parameter(generator) for one in clv.ParetoNBD.parameters})
        T, force = float(10 ** generator.uniform(-2, 5)), float(10 ** generator.uniform(-5, 1))
        with mp.workdps(30):
            point = force * (mp.mpf(model.beta) + T)
            time = (model.beta + mp.mpf(T)) * mp.exp(point) * mp.expint(model.s, point)
            exact = float((mp.mpf(model.r) + 1) / (mp.mpf(model.alpha) + T) * time)
        found = model.discounted_expected_purchases(1, T, T, force=force)
        assert found == pytest.approx(exact, rel=1e-10), (model, T, force)


def test_a_long_silence_of_customers_with_one_rate_is_right():
    """Of exponential lifetimes and one purchase rate the odds are mu (exp((rate + mu) silence) - 1) / (rate + mu)."""
    generator = np.random.default_rng(2009)
    for _ in range(200):
        model = lifetime_limits.ExponentialPoisson(rate=parameter(generator) / 10, mu=parameter(generator) / 10)
        x, recency, T = history(generator, counted=False)
        total = (model.rate + model.mu) * (T - recency)
        if total < 600:
            odds = model.mu * np.expm1(total) / (model.rate + model.mu)
            assert model.probability_alive(x, recency, T) == pytest.approx(1 / (1 + odds), rel=1e-10), (
                model,
                recency,
                T,
            )
