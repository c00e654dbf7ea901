"""BG/CNBD-k: the BG/NBD at k = 1, two ways to every number, and regularity found again."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_metrics.clv import BGCNBD, BGNBD, Fit
from retention_metrics.clv.bg_cnbd import (
    CNBD,
    BGCondensedPoisson,
    CondensedPoisson,
    GeometricCNBD,
    GeometricCondensedPoisson,
    OneRepeatCNBD,
    OneRepeatCondensedPoisson,
    TwoTypeCNBD,
    TwoTypeCondensedPoisson,
)
from retention_metrics.clv.limits import NBD, BGPoisson, GeometricNBD, GeometricPoisson, Poisson
from retention_metrics.errors import FitError, InputError

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
REGULAR = BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4)
FAMILY = [
    REGULAR,
    CNBD(k=2, r=0.9, alpha=2.5),
    GeometricCNBD(k=4, r=0.9, alpha=2.0, p=0.2),
    CondensedPoisson(k=3, rate=0.4),
    GeometricCondensedPoisson(k=4, rate=0.5, p=0.2),
    BGCondensedPoisson(k=2, rate=0.4, a=0.8, b=2.4),
]
by_name = [type(model).__name__ for model in FAMILY]
over_family = pytest.mark.parametrize("model", FAMILY, ids=by_name)

shapes = st.floats(0.1, 10.0)
models = st.builds(BGCNBD, k=st.integers(1, 6), r=shapes, alpha=st.floats(0.5, 20.0), a=shapes, b=shapes)

X = np.array([0, 1, 2, 7, 26, 300])
T_X = np.array([0.0, 3.0, 30.43, 20.0, 30.86, 38.0])
AGE = np.array([38.86, 5.0, 38.86, 39.0, 31.0, 39.0])


@st.composite
def histories(draw):
    """(frequency, recency, T) that can have happened."""
    age = draw(st.floats(1.0, 100.0))
    frequency = draw(st.integers(0, 30))
    return frequency, age * draw(st.floats(0.05, 1.0)) if frequency else 0.0, age


# ---------------------------------------------------------------- k = 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BGNBD(**CDNOW), BGCNBD(k=1, **CDNOW)),
        (GeometricNBD(r=0.4, alpha=6.0, p=0.2), GeometricCNBD(k=1, r=0.4, alpha=6.0, p=0.2)),
        (NBD(r=0.4, alpha=6.0), CNBD(k=1, r=0.4, alpha=6.0)),
        (BGPoisson(rate=0.1, a=0.8, b=2.4), BGCondensedPoisson(k=1, rate=0.1, a=0.8, b=2.4)),
        (GeometricPoisson(rate=0.1, p=0.2), GeometricCondensedPoisson(k=1, rate=0.1, p=0.2)),
        (Poisson(rate=0.1), CondensedPoisson(k=1, rate=0.1)),
    ],
    ids=[
        *("beta dropout", "one dropout probability", "no dropout"),
        *("beta dropout at one rate", "one rate and one dropout probability", "one rate"),
    ],
)
@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("log_likelihood", {}),
        ("probability_alive", {}),
        ("probability_alive", {"after": 10.0}),
        ("expected_purchases", {"horizon": 39.0}),
        ("expected_purchases", {"horizon": 4000.0}),
        ("probability_of_purchases", {"n": 3, "horizon": 20.0}),
        ("probability_of_purchases", {"n": 0, "horizon": 20.0}),
        ("discounted_expected_purchases", {"discount_rate": 0.02}),
        ("discounted_expected_purchases", {"discount_rate": 0.02, "horizon": 50.0}),
    ],
)
def test_with_one_stage_it_is_the_model_without_regularity(one, other, question, arguments):
    expected = getattr(one, question)(X, T_X, AGE, **arguments)
    found = getattr(other, question)(X, T_X, AGE, **arguments)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-14)


def test_with_one_stage_it_fits_like_the_model_without_regularity():
    drawn = BGNBD(**CDNOW).simulate(np.linspace(27, 39, 3000), rng=2005)
    one, other = BGNBD.fit(drawn), BGCNBD.fit(drawn, k=1)
    assert other.model.theta == pytest.approx(one.model.theta, rel=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)
    assert other.covariance == pytest.approx(one.covariance, rel=1e-5)


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("history", [(0, 0.0, 6.0), (1, 3.0, 8.0), (4, 7.0, 8.0), (4, 3.0, 12.0)])
def test_likelihood_is_the_mean_over_rates_and_dropout_probabilities(k, history):
    x, t_x, age = (mp.mpf(value) for value in history)
    model = BGCNBD(k=k, r=0.9, alpha=2.5, a=0.8, b=2.4)
    r, alpha, a, b = (mp.mpf(float(value)) for value in model.theta)

    def stages(rate, alive):
        """Density of t_x, the time of stage k x, and silence after it, at a rate of stages."""
        density = rate ** (k * x) * t_x ** (k * x - 1) * mp.exp(-rate * t_x) / mp.gamma(k * x) if x else 1
        silent = mp.fsum((rate * (age - t_x)) ** j * mp.exp(-rate * (age - t_x)) / mp.factorial(j) for j in range(k))
        return density * (silent if alive else 1)

    def over_rates(alive):
        def at(u):
            rate = u ** (1 / r)  # takes the pole at 0 out of the integrand
            return stages(rate, alive) * mp.exp(-alpha * rate) * alpha**r / mp.gamma(r) / r

        return mp.quad(at, [0, 0.5, 1, 2, 4, 8, 16, 40])

    total = mp.beta(a, b + x) / mp.beta(a, b) * over_rates(True)
    if x:
        total += mp.beta(a + 1, b + x - 1) / mp.beta(a, b) * over_rates(False)
        total /= t_x ** (x - 1) / mp.gamma(x)  # the constant that k = 1 leaves out too
    assert model.log_likelihood(*history) == pytest.approx(float(mp.log(total)), abs=1e-8)


@over_family
@pytest.mark.parametrize("history", [(0, 0.0, 20.0), (1, 3.0, 20.0), (7, 18.0, 20.0), (3, 9.0, 9.0)])
def test_gradient_and_hessian_are_those_of_multiple_precision(model, history):
    x, t_x, age = (mp.mpf(value) for value in history)
    k = model.k

    def function(*parameters):
        at_one_rate = hasattr(model, "rate")
        dropout = parameters[1:] if at_one_rate else parameters[2:]
        if len(dropout) == 2:
            a, b = dropout
            stay, leave = mp.beta(a, b + x) / mp.beta(a, b), mp.beta(a + 1, b + x - 1) / mp.beta(a, b) if x else 0
        else:
            p = dropout[0] / (1 + dropout[0]) if dropout else mp.mpf(0)
            stay, leave = (1 - p) ** x, p * (1 - p) ** (x - 1) if x else 0
        if at_one_rate:
            wait = parameters[0] * (age - t_x)
            silent = mp.exp(-wait) * mp.fsum(wait**j / mp.factorial(j) for j in range(k))
            return mp.log(parameters[0] ** (k * x) * mp.exp(-parameters[0] * t_x) * (stay * silent + leave))
        r, alpha = parameters[:2]
        bought = mp.rf(r, k * x) * alpha**r / (alpha + t_x) ** (r + k * x)
        still = ((alpha + t_x) / (alpha + age)) ** (r + k * x)
        q = (age - t_x) / (alpha + age)
        silent = still * mp.fsum(mp.rf(r + k * x, j) * q**j / mp.factorial(j) for j in range(k))
        return mp.log(bought * (stay * silent + leave))

    row = pd.DataFrame([history], columns=["frequency", "recency", "T"])
    odds = type(model).to_odds(model.theta)
    value, gradient, hessian = model._objective(model._read(row, {}), threads=None).evaluate(odds)
    point = [mp.mpf(float(parameter)) for parameter in odds]
    assert value == pytest.approx(float(model.log_likelihood(*history)), rel=1e-12)
    with mp.workdps(40):
        for i in range(odds.size):
            one = tuple(int(i == place) for place in range(odds.size))
            assert gradient[i] == pytest.approx(float(mp.diff(function, point, one)), rel=1e-9, abs=1e-11)
            for j in range(odds.size):
                both = tuple(int(i == place) + int(j == place) for place in range(odds.size))
                assert hessian[i, j] == pytest.approx(float(mp.diff(function, point, both)), rel=1e-7, abs=1e-9)


@over_family
def test_simulated_customers_behave_as_expected(model):
    drawn = model.simulate(np.full(100_000, 30.0), rng=2016)
    frequency = drawn["frequency"].to_numpy()
    expected = float(model.expected_purchases_new(horizon=30.0))
    assert frequency.mean() == pytest.approx(expected, abs=4.5 * frequency.std() / 316)
    for n in (0, 1, 2, 6):
        share = float(model.probability_of_purchases_new(n=n, horizon=30.0))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 100_000))
    # P(alive) is calibrated: its mean over customers is the share who are.
    alive = model.probability_alive(frequency, drawn["recency"].to_numpy(), 30.0)
    assert drawn["alive"].mean() == pytest.approx(alive.mean(), abs=4.5 * np.sqrt(0.25 / 100_000))


@over_family
def test_what_was_expected_of_customers_with_a_history_happens(model):
    drawn = model.simulate_transactions(np.full(40_000, 40.0), rng=1978)
    early = drawn[(drawn["time"] > 0) & (drawn["time"] <= 25)].groupby("customer")["time"].agg(["size", "max"])
    customers = np.arange(40_000)
    frequency = early["size"].reindex(customers, fill_value=0).to_numpy()
    recency = early["max"].reindex(customers, fill_value=0.0).to_numpy()
    late = drawn[drawn["time"] > 25].groupby("customer").size().reindex(customers, fill_value=0).to_numpy()
    # every stage of the wait for the next purchase occurs: those just seen and those due
    for x in (0, 1, 2, 4):
        for part in (recency > 20, recency <= 20):
            rows = np.flatnonzero((frequency == x) & part)[:1500]
            if rows.size > 300:
                expected = model.expected_purchases(x, recency[rows], 25.0, horizon=15.0)
                nothing = model.probability_of_purchases(x, recency[rows], 25.0, n=0, horizon=15.0).mean()
                spread = late[rows].std() / np.sqrt(rows.size)
                assert late[rows].mean() == pytest.approx(expected.mean(), abs=4.5 * spread)
                error = np.sqrt(max(nothing * (1 - nothing), 1e-4) / rows.size)
                assert (late[rows] == 0).mean() == pytest.approx(nothing, abs=4.5 * error)


@over_family
@pytest.mark.parametrize("history", [(0, 0.0, 12.0), (3, 9.0, 12.0), (3, 12.0, 12.0)])
def test_expected_purchases_is_the_mean_of_the_probabilities(model, history):
    n = np.arange(800)
    mass = model.probability_of_purchases(*history, n=n, horizon=9.0)
    assert mass.sum() == pytest.approx(1.0, abs=1e-9)
    assert float(mass @ n) == pytest.approx(float(model.expected_purchases(*history, horizon=9.0)), rel=1e-8)


def test_being_alive_later_is_surviving_every_purchase_until_then():
    history, later = (3, 9.0, 12.0), 9.0
    n = np.arange(800)
    # with no dropout the same rates give the number of chances to drop out, each customer's own
    stages = CNBD(k=3, r=0.9, alpha=2.5).probability_of_purchases(*history, n=n, horizon=later)
    stays = np.exp(REGULAR._log_stay(np.full(800, 3.0), n.astype(float)))
    alive = float(REGULAR.probability_alive(*history)) * float(stages @ stays)
    assert REGULAR.probability_alive(*history, after=later) == pytest.approx(alive, rel=1e-9)


@over_family
def test_discounted_purchases_are_an_integral(model):
    times = np.linspace(0, 80, 8001)
    bought = model.expected_purchases(2, 8.0, 10.0, horizon=times)
    middles = np.exp(-0.03 * 0.5 * (times[1:] + times[:-1]))
    found = model.discounted_expected_purchases(2, 8.0, 10.0, force=0.03, horizon=80.0)
    assert found == pytest.approx(float(np.diff(bought) @ middles), rel=1e-6)


def test_endless_purchases_exist_where_customers_drop_out_soon_enough():
    soon = BGCNBD(k=3, r=0.9, alpha=2.5, a=1.5, b=2.4)
    ever = float(soon.probability_alive(2, 8.0, 10.0)) * (1.5 + 2.4 + 2 - 1) / 0.5
    assert soon.discounted_expected_purchases(2, 8.0, 10.0, force=0.0) == pytest.approx(ever, rel=1e-12)
    # what is bought after a very long time falls like time^(1 - a): four times the horizon halves it
    lacking = ever - soon.expected_purchases(2, 8.0, 10.0, horizon=[1e8, 4e8])
    assert lacking[0] / lacking[1] == pytest.approx(2.0, rel=0.03)
    with pytest.raises(InputError, match="infinite"):
        REGULAR.discounted_expected_purchases(2, 8.0, 10.0, force=0.0)


# ---------------------------------------------------------------- laws


@given(model=models, history=histories(), wait=st.floats(0, 50))
def test_silence_never_makes_a_customer_more_alive(model, history, wait):
    x, t_x, age = history
    now, later = model.probability_alive(x, t_x, [age, age + wait])
    assert 0 <= later <= now + 1e-12


@settings(max_examples=25)
@given(model=models, history=histories(), horizon=st.floats(0.1, 60), factor=st.sampled_from([7.0, 1 / 52]))
def test_answers_do_not_depend_on_the_unit_of_time(model, history, horizon, factor):
    x, t_x, age = history
    scaled = BGCNBD(k=model.k, r=model.r, alpha=model.alpha * factor, a=model.a, b=model.b)
    there = scaled.expected_purchases(x, t_x * factor, age * factor, horizon=horizon * factor)
    assert there == pytest.approx(float(model.expected_purchases(*history, horizon=horizon)), rel=1e-10)
    ours, theirs = model.probability_alive(*history), scaled.probability_alive(x, t_x * factor, age * factor)
    assert theirs == pytest.approx(float(ours), rel=1e-9, abs=1e-300)


def test_regular_buyers_are_missed_sooner():
    overdue = [BGCNBD(k=k, r=0.9, alpha=7.5 / k, a=0.8, b=2.4).probability_alive(10, 30.0, 39.0) for k in (1, 2, 4, 8)]
    on_time = [BGCNBD(k=k, r=0.9, alpha=7.5 / k, a=0.8, b=2.4).probability_alive(10, 30.0, 31.0) for k in (1, 2, 4, 8)]
    assert (np.diff(overdue) < 0).all()
    assert (np.diff(on_time) > 0).all()


def test_heavy_and_old_customers_are_finite():
    x = np.array([0, 1, 10, 1000, 10_000])
    with np.errstate(all="raise", under="ignore"):
        for age in (0.5, 39.0, 100_000.0):
            t_x = np.where(x > 0, 0.9 * age, 0.0)
            alive = REGULAR.probability_alive(x, t_x, age)
            ahead = REGULAR.expected_purchases(x, t_x, age, horizon=age)
            assert (np.isfinite(ahead) & (ahead >= 0)).all()
            assert ((alive >= 0) & (alive <= 1)).all()


# ---------------------------------------------------------------- fits


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return REGULAR.simulate(np.full(4000, 52.0), rng=2021)


def test_regularity_and_parameters_are_found_again(drawn):
    fit = BGCNBD.fit(drawn)
    assert fit.model.k == 3
    assert any("k = 3 has the highest likelihood" in note for note in fit.notes)
    for name in BGCNBD.parameters:
        assert getattr(fit.model, name) == pytest.approx(getattr(REGULAR, name), abs=3.5 * fit.standard_errors[name])
    assert fit.log_likelihood > max(BGCNBD.fit(drawn, k=k).log_likelihood for k in (1, 2, 4))


def test_counts_are_repetitions_and_order_does_not_matter(drawn, frame):
    some = drawn.head(400)[["frequency", "recency", "T"]]
    twice = pd.concat([some, some]).sample(frac=1, random_state=1)
    fit = BGCNBD.fit(frame(twice), k=2)
    counted = BGCNBD.fit(frame(some.assign(many=2)), k=2, counts="many")
    assert counted.model.theta == pytest.approx(fit.model.theta, rel=1e-8)
    assert counted.customers == fit.customers == 800


def test_the_fit_keeps_its_k_through_json_profiles_and_predictions(drawn):
    fit = BGCNBD.fit(drawn.head(1500), k=3)
    again = Fit.from_dict(fit.to_dict()).attach(drawn.head(1500))
    assert again == fit
    assert again.model.k == 3
    assert again.intervals(0.9, "profile")["r"].low < fit.model.r < again.intervals(0.9, "profile")["r"].high
    table = fit.predict(drawn.head(5), horizon=10.0, level=0.9).to_frame()
    assert (table["expected_purchases_low"] < table["expected_purchases"]).all()


def test_without_dropout_the_limit_is_given():
    faithful = CNBD(k=3, r=0.9, alpha=2.5).simulate(np.full(3000, 20.0), rng=6)
    with pytest.raises(FitError, match=r"nobody drops out|share one dropout|or never") as caught:
        BGCNBD.fit(faithful, k=3)
    for simpler in (CNBD, TwoTypeCNBD):
        assert caught.value.limit.log_likelihood >= simpler.fit(faithful, k=3).log_likelihood - 1e-4
    assert caught.value.limit.model.k == 3
    assert caught.value.limit.model.r == pytest.approx(0.9, abs=0.1)
    with pytest.raises(FitError, match="none of 2 customers"):
        BGCNBD.fit(pd.DataFrame({"frequency": [0, 0], "recency": [0, 0], "T": [5.0, 6.0]}))


def test_the_likeliest_regularity_may_be_that_of_a_limit():
    data = CNBD(k=3, r=0.9, alpha=2.5).simulate(np.full(2000, 20.0), rng=6)
    heights = {}
    for k in (1, 2, 3, 4):
        try:
            heights[k] = BGCNBD.fit(data, k=k).log_likelihood
        except FitError as error:
            heights[k] = error.limit.log_likelihood
    assert max(heights, key=heights.__getitem__) == 3
    with pytest.raises(FitError, match=r"has no maximum.*k = 3") as caught:
        BGCNBD.fit(data)
    assert caught.value.limit.log_likelihood == heights[3]


FAR = 1e8


def alike(rate: float) -> dict[str, float]:
    """Gamma rates that are nearly one, and not so nearly that the rounding of gamma functions shows."""
    return {"r": rate * 1e7, "alpha": 1e7}


EDGES = [
    (TwoTypeCNBD(k=3, r=0.9, alpha=2.5, share=0.3), BGCNBD(k=3, r=0.9, alpha=2.5, a=0.3 / FAR, b=0.7 / FAR)),
    (OneRepeatCNBD(k=3, r=0.9, alpha=2.5), BGCNBD(k=3, r=0.9, alpha=2.5, a=1.0, b=1 / FAR)),
    (BGCondensedPoisson(k=3, rate=0.4, a=0.8, b=2.4), BGCNBD(k=3, **alike(0.4), a=0.8, b=2.4)),
    (GeometricCondensedPoisson(k=3, rate=0.4, p=0.2), BGCNBD(k=3, **alike(0.4), a=0.2 * FAR, b=0.8 * FAR)),
    (TwoTypeCondensedPoisson(k=3, rate=0.4, share=0.3), BGCNBD(k=3, **alike(0.4), a=0.3 / FAR, b=0.7 / FAR)),
    (OneRepeatCondensedPoisson(k=3, rate=0.4), BGCNBD(k=3, **alike(0.4), a=1.0, b=1 / FAR)),
    (CondensedPoisson(k=3, rate=0.4), BGCNBD(k=3, **alike(0.4), a=1 / FAR, b=1.0)),
]
over_edges = pytest.mark.parametrize(("limit", "near"), EDGES, ids=[type(limit).__name__ for limit, _ in EDGES])


@over_edges
def test_near_an_edge_the_bg_cnbd_is_nearly_the_model_there(limit, near):
    x = np.arange(2.0 if isinstance(limit, OneRepeatCNBD | OneRepeatCondensedPoisson) else 6.0)
    history = x, np.where(x > 0, 12.0 + x, 0.0), np.full(x.shape, 20.0)
    # Rates spread by one in r**0.5 move the log-likelihood of 18 stages by as much as 18**2 / r.
    off = 1e-6 if limit.parameters[0] == "r" else 1e-4
    assert near.log_likelihood(*history) == pytest.approx(limit.log_likelihood(*history), abs=off)
    alive = limit.probability_alive(*history, after=5.0)
    assert near.probability_alive(*history, after=5.0) == pytest.approx(alive, abs=off)
    ahead = limit.expected_purchases(*history, horizon=30.0)
    assert near.expected_purchases(*history, horizon=30.0) == pytest.approx(ahead, abs=off)
    columns = tuple(column[:, None] for column in history)
    mass = limit.probability_of_purchases(*columns, n=np.arange(5), horizon=30.0)
    assert near.probability_of_purchases(*columns, n=np.arange(5), horizon=30.0) == pytest.approx(mass, abs=off)


@over_edges
def test_the_model_at_an_edge_is_named_and_found_again(limit, near):
    # One sample in two of customers who are alike shows no spread: seeds of such samples.
    seed = 8 if isinstance(limit, GeometricCondensedPoisson) else 2
    data = limit.simulate(np.linspace(10, 40, 2_000), rng=seed)[["frequency", "recency", "T"]]
    with pytest.raises(FitError, match="has no maximum on these data") as caught:
        BGCNBD.fit(data, k=3)
    fit = caught.value.limit
    assert type(fit.model) is type(limit)
    assert fit.model.k == 3
    for name, error in fit.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(limit, name), abs=3.5 * error)
    at_near = float(near.log_likelihood(*(data[name] for name in data)).sum())
    assert fit.log_likelihood > at_near
    assert Fit.from_dict(fit.to_dict()) == fit
    table = fit.predict(data.head(50), horizon=10.0, level=0.9).to_frame()
    assert np.isfinite(table[["expected_purchases_low", "expected_purchases_high"]]).all(axis=None)


def test_simulation_repeats_with_its_seed():
    drawn, bought = REGULAR.simulate([39.0] * 80, rng=3), REGULAR.simulate_transactions([39.0] * 80, rng=3)
    assert drawn.equals(REGULAR.simulate([39.0] * 80, rng=3))
    repeat = bought[bought["time"] > 0].groupby("customer")["time"].agg(["size", "max"])
    assert (repeat["size"].reindex(range(80), fill_value=0).to_numpy() == drawn["frequency"]).all()
    assert repeat["max"].reindex(range(80), fill_value=0.0).to_numpy() == pytest.approx(drawn["recency"].to_numpy())


def test_the_times_between_purchases_are_as_regular_as_k_says():
    steady = CNBD(k=4, r=500.0, alpha=500.0)  # hardly any difference between customers
    bought = steady.simulate_transactions(np.full(300, 400.0), rng=8)
    gaps = bought.groupby("customer")["time"].diff().dropna()
    assert gaps.mean() == pytest.approx(4.0, rel=0.02)
    assert (gaps.std() / gaps.mean()) ** 2 == pytest.approx(1 / 4, rel=0.05)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: BGCNBD(k=0, r=1, alpha=1, a=1, b=1), "k is a whole number of at least 1"),
        (lambda: BGCNBD(k=1.5, r=1, alpha=1, a=1, b=1), "k is a whole number"),
        (lambda: BGCNBD(k=2, r=1, alpha=1, a=-1, b=1), "a is above 0"),
        (lambda: REGULAR.probability_alive(2, 60, 39), "recency exceeds T"),
        (lambda: BGCNBD.fit(pd.DataFrame({"frequency": [1, 2], "recency": [0.0, 1.0], "T": [5, 5]}), k=2), "above 0"),
        (lambda: BGCNBD.fit(pd.DataFrame({"frequency": [1], "recency": [1], "T": [5]}), k=0), "k is a whole number"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises(InputError, match=words):
        call()
