"""Where GGompertz/NBD's hazard grows at once: the models at that edge, each approached, fitted, used and named."""

from __future__ import annotations

import dataclasses
import json

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from retention_metrics.clv import GGompertzNBD, purchase_fit
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_limits import ExponentialNBD, ExponentialPoisson
from retention_metrics.clv.limits import NBD
from retention_metrics.clv.onset_limits import (
    ONSET_LIMITS,
    DelayedExponentialNBD,
    DelayedExponentialPoisson,
    EarlyExponentialNBD,
    EarlyExponentialPoisson,
    FixedLifetimeNBD,
    FixedLifetimePoisson,
)
from retention_metrics.errors import FitError, InputError

EARLY = EarlyExponentialNBD(r=0.8, alpha=4.0, mu=0.03, share=0.3)
LATE = DelayedExponentialNBD(r=0.8, alpha=4.0, mu=0.05, delay=12.0)
FIXED = FixedLifetimeNBD(r=0.8, alpha=4.0, lifetime=18.0)
FAMILY = [
    EARLY,
    LATE,
    FIXED,
    EarlyExponentialPoisson(rate=0.2, mu=0.03, share=0.3),
    DelayedExponentialPoisson(rate=0.2, mu=0.05, delay=12.0),
    FixedLifetimePoisson(rate=0.2, lifetime=18.0),
]
over_family = pytest.mark.parametrize("model", FAMILY, ids=[type(model).__name__ for model in FAMILY])
# Seen last before and after the delay of 12, at the end of the lifetime of 18; too young to leave; never seen again.
HISTORIES = [(0, 0.0, 20.0), (0, 0.0, 5.0), (1, 3.0, 20.0), (2, 3.0, 9.0), (7, 18.0, 20.0), (3, 12.0, 12.0)]


def arrays(frame):
    return Histories(*(frame[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))


def drawn(model, size=3_000, rng=1):
    return model.simulate(np.linspace(25, 45, size), rng=rng)[["frequency", "recency", "T"]]


def test_every_onset_limit_is_tested():
    assert {type(model) for model in FAMILY} == set(ONSET_LIMITS)


# ---------------------------------------------------------------- two ways to one number


def stays(model, age):
    """The share of customers who are there after an age above 0."""
    if hasattr(model, "lifetime"):
        return mp.mpf(age <= model.lifetime)
    share = mp.mpf(getattr(model, "share", 0.0))
    return (1 - share) * mp.exp(-mp.mpf(model.mu) * max(mp.mpf(age) - mp.mpf(getattr(model, "delay", 0.0)), 0))


def likelihood(model, x, t_x, age):
    """Arrivals until T of those who stay, and until they leave of the others, by multiple precision."""

    def arrivals(time):
        if hasattr(model, "rate"):
            return mp.mpf(model.rate) ** x * mp.exp(-mp.mpf(model.rate) * time)
        r, alpha = mp.mpf(model.r), mp.mpf(model.alpha)
        return mp.gamma(r + x) / mp.gamma(r) * alpha**r / (alpha + time) ** (r + x)

    alive = arrivals(mp.mpf(age)) * stays(model, age)
    if hasattr(model, "lifetime"):
        return alive, arrivals(mp.mpf(model.lifetime)) if t_x <= model.lifetime < age else mp.mpf(0)
    start = max(mp.mpf(t_x), mp.mpf(getattr(model, "delay", 0.0)))
    left = mp.mpf(0)
    if start < age:
        left = mp.quad(lambda u: arrivals(u) * model.mu * stays(model, u), [start, age])
    return alive, left + (mp.mpf(getattr(model, "share", 0.0)) if x == 0 else 0)


@over_family
@pytest.mark.parametrize("history", HISTORIES)
def test_likelihood_and_probability_alive_are_those_of_their_story(model, history):
    alive, left = likelihood(model, *history)
    assert model.log_likelihood(*history) == pytest.approx(float(mp.log(alive + left)), abs=1e-12)
    assert model.probability_alive(*history) == pytest.approx(float(alive / (alive + left)), rel=1e-12)
    later = stays(model, history[2] + 7) and alive / (alive + left) * stays(model, history[2] + 7) / stays(
        model, history[2]
    )
    assert model.probability_alive(*history, after=7.0) == pytest.approx(float(later), rel=1e-12)


@over_family
def test_gradient_and_hessian_are_derivatives_of_the_likelihood(model):
    data = arrays(drawn(model, 300, 3))
    objective = model._objective(data, threads=1)
    odds = model.to_odds(model.theta)

    def value(point):
        moved = model.with_theta(model.from_odds(point))
        return float(moved.log_likelihood(data.frequency, data.recency, data.T).sum())

    height, gradient, hessian = objective.evaluate(odds)
    assert height == pytest.approx(value(odds), rel=1e-12)
    steps = np.diag(1e-5 * odds)
    slopes = [(value(odds + h) - value(odds - h)) / (2 * h.sum()) for h in steps]
    assert gradient == pytest.approx(slopes, rel=1e-5, abs=1e-3)
    curves = [(objective.evaluate(odds + h)[1] - objective.evaluate(odds - h)[1]) / (2 * h.sum()) for h in steps]
    assert hessian == pytest.approx(np.array(curves), rel=1e-6, abs=1e-6 * np.abs(hessian).max())


@over_family
def test_simulated_customers_behave_as_expected(model):
    customers = model.simulate(np.full(200_000, 30.0), rng=2005)
    frequency = customers["frequency"].to_numpy()
    error = frequency.std() / np.sqrt(frequency.size)
    assert frequency.mean() == pytest.approx(float(model.expected_purchases_new(horizon=30)), abs=4.5 * error)
    for n in (0, 1, 2):
        share = float(model.probability_of_purchases_new(n=n, horizon=30))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 200_000))
    alive = model.probability_alive(frequency, customers["recency"].to_numpy(), 30.0)
    assert customers["alive"].mean() == pytest.approx(alive.mean(), abs=4.5 * np.sqrt(0.25 / 200_000))


@over_family
@pytest.mark.parametrize("age", [8.0, 25.0])
def test_what_was_expected_of_customers_with_a_history_happens(model, age):
    log = model.simulate_transactions(np.full(60_000, 40.0), rng=1978)
    early = log[(log["time"] > 0) & (log["time"] <= age)].groupby("customer")["time"].agg(["size", "max"])
    who = np.arange(60_000)
    frequency = early["size"].reindex(who, fill_value=0).to_numpy()
    recency = early["max"].reindex(who, fill_value=0.0).to_numpy()
    late = log[(log["time"] > age) & (log["time"] <= age + 15)].groupby("customer").size()
    late = late.reindex(who, fill_value=0).to_numpy()
    expected = model.expected_purchases(frequency, recency, age, horizon=15)
    silent = model.probability_of_purchases(frequency, recency, age, n=0, horizon=15)
    for x in (0, 1, 2):
        rows = frequency == x
        spread = late[rows].std() / np.sqrt(rows.sum())
        assert late[rows].mean() == pytest.approx(expected[rows].mean(), abs=4.5 * spread)
        assert np.mean(late[rows] == 0) == pytest.approx(silent[rows].mean(), abs=4.5 * 0.5 / np.sqrt(rows.sum()))


@over_family
@pytest.mark.parametrize("history", HISTORIES)
def test_expected_purchases_is_the_mean_of_the_probabilities(model, history):
    n = np.arange(600)
    for horizon in (0.0, 3.0, 9.0):
        mass = model.probability_of_purchases(*history, n=n, horizon=horizon)
        assert mass.sum() == pytest.approx(1.0, abs=1e-11)
        ahead = float(model.expected_purchases(*history, horizon=horizon))
        assert float(mass @ n) == pytest.approx(ahead, rel=1e-10, abs=1e-15)


@over_family
@pytest.mark.parametrize("history", HISTORIES)
def test_discounting_integrates_the_expectation(model, history):
    for force, horizon in ((0.002, 52.0), (0.1, 300.0)):
        turn = min(max(getattr(model, getattr(model, "held", ""), 0.0) - history[2], 0.0), horizon)
        nodes, weights = np.polynomial.legendre.leggauss(200)
        total = np.exp(-force * horizon) * model.expected_purchases(*history, horizon=horizon)
        for start, end in ((0.0, turn), (turn, horizon)):
            time = start + (end - start) * (nodes + 1) / 2
            expected = model.expected_purchases(*history, horizon=time)
            total += force * np.sum(weights * np.exp(-force * time) * expected) * (end - start) / 2
        found = model.discounted_expected_purchases(*history, force=force, horizon=horizon)
        assert found == pytest.approx(total, rel=1e-9)
    endless = model.discounted_expected_purchases(*history, force=0.0)
    assert endless == pytest.approx(float(model.expected_purchases(*history, horizon=1e5)), rel=1e-12)


def test_many_customers_get_the_answers_of_single_ones():
    rng = np.random.default_rng(7)
    age = rng.uniform(0.0, 300.0, 2_000)
    frequency = rng.choice([0, 1, 2, 40, 3_000], 2_000)
    recency = np.where(frequency > 0, age * rng.uniform(0, 1, 2_000), 0.0)
    for model in (EARLY, LATE):

        def answers(*history, model=model):
            return {
                "alive": model.probability_alive(*history, after=30),
                "expected": model.expected_purchases(*history, horizon=365),
                "discounted": model.discounted_expected_purchases(*history, discount_rate=0.001, horizon=365),
                "silent": model.probability_of_purchases(*history, n=0, horizon=20),
            }

        many = answers(frequency, recency, age)
        for row in range(0, 2_000, 201):
            for name, value in answers(frequency[row], recency[row], age[row]).items():
                assert many[name][row] == pytest.approx(value, rel=1e-10), name


def test_nothing_overflows_where_customers_buy_ten_thousand_times():
    x = np.array([0, 1, 10, 100, 1_000, 10_000])
    for model in FAMILY:
        for age in (0.0, 0.5, 39.0, 3_000.0, 100_000.0):
            for share in (0.1, 0.9, 1.0):
                recency = np.where(x > 0, share * age, 0.0)
                with np.errstate(all="raise", under="ignore"):
                    alive = model.probability_alive(x, recency, age)
                    ahead = model.expected_purchases(x, recency, age, horizon=age)
                    present = model.discounted_expected_purchases(x, recency, age, discount_rate=0.01, horizon=age)
                    mass = model.probability_of_purchases(x, recency, age, n=[0, 1, 2, 3, 50, 9_000], horizon=age)
                assert ((alive >= 0) & (alive <= 1) & (mass >= 0) & (mass <= 1 + 1e-12)).all()
                assert (np.isfinite(ahead) & (ahead >= 0) & np.isfinite(present) & (present >= 0)).all()


# ---------------------------------------------------------------- neighbours


def test_an_ever_faster_hazard_comes_ever_closer():
    """s b is the rate of leaving, log(beta) / b the age at which it begins; without end it leaves nobody."""
    history = tuple(np.array(column) for column in zip(*HISTORIES, strict=True))
    for model, onset, s in (
        (EARLY, np.log(1 - EARLY.share) / EARLY.mu, lambda b: EARLY.mu / b),
        (LATE, LATE.delay, lambda b: LATE.mu / b),
        (FixedLifetimeNBD(r=0.8, alpha=4.0, lifetime=19.0), 19.0, lambda b: 1.0),
    ):
        off = []
        for b in (1.0, 3.0, 9.0):
            near = GGompertzNBD(r=model.r, alpha=model.alpha, b=b, s=s(b), beta=np.exp(b * onset))
            off.append(np.abs(near.log_likelihood(*history) - model.log_likelihood(*history)).max())
        assert off[0] > 2.5 * off[1] > 6.25 * off[2]
        assert off[2] < 5e-3


def test_at_their_own_edges_they_are_exponential():
    history = tuple(np.array(column) for column in zip(*HISTORIES, strict=True))
    plain = ExponentialNBD(r=0.8, alpha=4.0, mu=0.03)
    for near in (
        EarlyExponentialNBD(r=0.8, alpha=4.0, mu=0.03, share=1e-12),
        DelayedExponentialNBD(r=0.8, alpha=4.0, mu=0.03, delay=1e-12),
    ):
        assert near.log_likelihood(*history) == pytest.approx(plain.log_likelihood(*history), abs=1e-10)
        found = near.expected_purchases(*history, horizon=39.0)
        assert found == pytest.approx(plain.expected_purchases(*history, horizon=39.0), rel=1e-10)


# ---------------------------------------------------------------- fits


@over_family
def test_its_own_fit_finds_it_again(model):
    fit = type(model).fit(drawn(model))
    for name, error in fit.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(model, name), abs=3.5 * error)
    if hasattr(model, "held"):
        assert getattr(fit.model, model.held) == pytest.approx(getattr(model, model.held), rel=0.1)


@pytest.mark.parametrize(
    ("truth", "customers", "rng", "cls"),
    [
        (EARLY, 500, 2, EarlyExponentialNBD),
        (FAMILY[3], 500, 1, EarlyExponentialPoisson),
        # Where by chance none of a few customers leaves early, the likelihood has leaving begin late.
        (ExponentialNBD(r=0.5, alpha=5.0, mu=0.03), 60, 7, DelayedExponentialNBD),
        (ExponentialPoisson(rate=0.2, mu=0.03), 60, 4, DelayedExponentialPoisson),
        (FIXED, 100, 1, FixedLifetimeNBD),
        (FAMILY[-1], 100, 2, FixedLifetimePoisson),
    ],
)
def test_data_without_a_maximum_name_it_as_the_limit(truth, customers, rng, cls):
    data = drawn(truth, customers, rng)
    with pytest.raises(FitError, match="has no maximum on these data") as caught:
        GGompertzNBD.fit(data)
    limit = caught.value.limit
    assert type(limit.model) is cls
    assert cls.limit_of in limit.notes[-1]
    at_truth = truth.log_likelihood(*(data[name] for name in data)).sum()
    assert limit.log_likelihood > at_truth
    again = rm.from_dict(json.loads(json.dumps(limit.to_dict(), allow_nan=False)))
    assert again == limit
    ahead = again.predict(data, horizon=10).to_frame()["expected_purchases"]
    assert (ahead.gt(0) == (data["T"] < getattr(limit.model, "lifetime", np.inf))).all()


def test_nobody_climbs_above_the_likeliest_delay():
    """The search is of a likelihood with a corner at every customer: no delay of a fine grid does better."""
    data = drawn(LATE, 400)
    top = DelayedExponentialNBD.fit(data).log_likelihood
    heights = [
        purchase_fit.fit_histories(
            DelayedExponentialNBD._at(delay), arrays(data), purchase_fit.Origin(), penalty=0.0, threads=1
        ).log_likelihood
        for delay in np.linspace(1.0, 38.0, 150)
    ]
    assert max(heights) <= top + 1e-6
    assert max(heights) > top - 0.5


def test_among_a_few_customers_the_likeliest_delay_is_where_one_was_seen_last():
    """The corners of the likelihood are its tops here, and lie between the delays of any even grid."""
    truth = rm.clv.BGNBD(r=0.25, alpha=4.0, a=0.8, b=2.4)
    data = truth.simulate(np.full(50, 39.0), rng=4)[["frequency", "recency", "T"]]
    with pytest.raises(FitError) as caught:
        GGompertzNBD.fit(data)
    limit = caught.value.limit
    assert limit.model.delay in set(data["recency"])
    for delay in data["recency"][data["recency"] > 0]:
        other = dataclasses.replace(limit.model, delay=delay)
        assert other.log_likelihood(*(data[name] for name in data)).sum() <= limit.log_likelihood + 1e-10


def test_one_lifetime_is_a_purchase_model_of_the_time_until_its_end():
    """Its fit is that of purchases without dropout in T or in the longest recency, whichever is shorter."""
    data = drawn(FIXED, 300).assign(customers=1)
    # A row that nobody is behind says nothing of how long customers stay.
    data.loc[len(data)] = [9, 24.0, 40.0, 0]
    fit = FixedLifetimeNBD.fit(data, counts="customers")
    seen = data["recency"][:-1].max()
    assert fit.model.lifetime == seen
    plain = NBD.fit(data.assign(T=data["T"].clip(upper=seen))[:-1])
    for name, error in plain.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(plain.model, name), abs=1e-6 * error)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    assert fit.covariance == pytest.approx(plain.covariance, rel=1e-6)
    for late in (1.001, 1.1):
        longer = FixedLifetimeNBD(r=fit.model.r, alpha=fit.model.alpha, lifetime=late * seen)
        assert longer.log_likelihood(*(data[name][:-1] for name in ("frequency", "recency", "T"))).sum() < (
            fit.log_likelihood
        )


def test_nobody_outlives_the_one_lifetime():
    assert FIXED.log_likelihood(2, 19.0, 25.0) == -np.inf
    assert FIXED.probability_alive(3, 18.0, 18.0) == 1.0
    assert FIXED.probability_alive(3, 18.0, 18.0, after=1e-9) == 0.0
    assert FIXED.expected_purchases(3, 18.0, 18.0, horizon=52.0) == 0.0
    with pytest.raises(FitError, match="nobody was seen after the first purchase"):
        FixedLifetimeNBD.fit(pd.DataFrame({"frequency": [1, 2, 0], "recency": [0.0] * 3, "T": [4.0, 5.0, 6.0]}))


def test_a_delay_goes_with_the_unit_of_time():
    weekly = DelayedExponentialNBD(r=0.8, alpha=4.0, mu=0.05, delay=12.0, unit="week")
    daily = weekly.rescale(to="day")
    assert (daily.delay, daily.alpha, daily.mu) == pytest.approx((84.0, 28.0, 0.05 / 7))
    here = weekly.expected_purchases(2, 3.0, 20.0, horizon=9.0)
    assert daily.expected_purchases(2, 21.0, 140.0, horizon=63.0) == pytest.approx(here, rel=1e-12)


def test_a_delay_is_a_length_of_time():
    with pytest.raises(InputError, match="delay"):
        DelayedExponentialNBD(r=0.8, alpha=4.0, mu=0.05, delay=0.0)
