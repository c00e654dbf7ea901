"""BG/NBD: published numbers, laws of the model, and two ways to every number."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from printed import rounds_to
from retention_metrics.clv import BGNBD
from retention_metrics.clv.limits import (
    NBD,
    BGPoisson,
    GeometricNBD,
    GeometricPoisson,
    OneRepeatNBD,
    OneRepeatPoisson,
    Poisson,
    TwoTypeNBD,
    TwoTypePoisson,
)
from retention_metrics.errors import InputError

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
FAMILY = [
    CDNOW,
    NBD(r=0.5, alpha=10.0),
    GeometricNBD(r=0.4, alpha=6.0, p=0.2),
    TwoTypeNBD(r=0.4, alpha=6.0, share=0.3),
    OneRepeatNBD(r=0.4, alpha=6.0),
    BGPoisson(rate=0.1, a=0.8, b=2.4),
    GeometricPoisson(rate=0.1, p=0.2),
    TwoTypePoisson(rate=0.1, share=0.3),
    OneRepeatPoisson(rate=0.1),
    Poisson(rate=0.1),
]
by_name = [type(model).__name__ for model in FAMILY]

shapes = st.floats(0.05, 20.0)
models = st.builds(BGNBD, r=shapes, alpha=st.floats(0.1, 200.0), a=shapes, b=shapes)


@st.composite
def histories(draw):
    """(frequency, recency, T) that can have happened."""
    age = draw(st.floats(0.1, 500.0))
    frequency = draw(st.integers(0, 60))
    return frequency, age * draw(st.floats(0.01, 1.0)) if frequency else 0.0, age


# ---------------------------------------------------------------- published numbers


def test_new_customers_buy_as_in_hardies_spreadsheet(reference):
    table = reference("bg_nbd_predictions").new_customer
    model = BGNBD(**table["theta"])
    assert model.expected_purchases_new(horizon=table["weeks"]) == pytest.approx(np.array(table["expected"]), abs=5e-5)
    none = CDNOW.probability_of_purchases_new(n=0, horizon=39)
    assert none == pytest.approx(table["no_purchase_in_39_weeks"], abs=5e-8)


def test_probabilities_of_purchases_are_those_of_btyd(reference):
    table = reference("bg_nbd_predictions").probability_of_purchases_in_30_weeks
    found = BGNBD(**table["theta"]).probability_of_purchases_new(n=table["n"], horizon=30)
    assert found == pytest.approx(np.array(table["probability"]), abs=5e-11)
    ten = BGNBD(**table["theta"]).probability_of_purchases_new(n=10, horizon=2)
    assert rounds_to(ten, table["ten_in_2_weeks"], digits=6)


def test_single_customers_are_those_of_the_spreadsheet(reference):
    for row in reference("bg_nbd_predictions").customers:
        assert CDNOW.expected_purchases(*row["history"], horizon=row["horizon"]) == pytest.approx(
            row["expected"], abs=5e-8
        )
        if "alive" in row:
            assert CDNOW.probability_alive(*row["history"]) == pytest.approx(row["alive"], abs=5e-9)


def test_answers_where_the_printed_formulas_break(reference):
    edges = reference("bg_nbd_predictions").edges
    at_a_1 = BGNBD(r=0.243, alpha=4.414, a=1.0, b=2.426)
    at_b_1 = BGNBD(r=0.243, alpha=4.414, a=0.793, b=1.0)
    assert at_a_1.expected_purchases(2, 30.43, 38.86, horizon=39) == pytest.approx(edges["a_is_1"], rel=1e-12)
    assert at_b_1.expected_purchases(0, 0, 38.86, horizon=39) == pytest.approx(
        edges["b_is_1_without_repeat"], rel=1e-12
    )
    assert CDNOW.probability_of_purchases_new(n=171, horizon=365) == pytest.approx(edges["n_171_in_365"], rel=1e-10)
    assert CDNOW.probability_of_purchases_new(n=100, horizon=1) == pytest.approx(edges["n_100_in_1"], rel=1e-10)
    endless = CDNOW.discounted_expected_purchases(2, 30.43, 38.86, force=edges["force"])
    assert endless == pytest.approx(edges["discounted"], abs=5e-6)


def test_heavy_silent_buyers_are_expected_to_buy_less_than_light_ones(reference):
    """The increasing-frequency paradox: the same silence says more about a customer who used to buy often."""
    tables = reference("bg_nbd_predictions")
    table, model = tables.frequency_paradox, BGNBD(**tables.walkthrough["theta"])
    expected = model.expected_purchases(table["frequency"], table["recency"], table["T"], horizon=table["horizon"])
    assert rounds_to(expected, table["expected"])


def test_the_walkthrough_s_year_and_customer_are_its_last_fit_s(reference):
    table = reference("bg_nbd_predictions").walkthrough
    model, who = BGNBD(**table["theta"]), table["customer_1516"]
    assert rounds_to(model.theta, list(table["printed"].values()))
    assert rounds_to(model.expected_purchases_new(horizon=52), table["new_in_52_weeks"])
    history = who["frequency"], who["T"] - who["weeks_from_last_purchase"], who["T"]
    assert rounds_to(model.expected_purchases(*history, horizon=52), who["expected_in_52_weeks"])
    assert rounds_to(model.probability_alive(*history), who["alive"])


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("history", [(0, 0.0, 20.0), (1, 3.0, 20.0), (7, 18.0, 20.0)])
def test_likelihood_is_the_mean_over_rates_and_dropout_probabilities(history):
    x, t_x, age = history
    r, alpha, a, b = (mp.mpf(float(v)) for v in CDNOW.theta)

    def given_p(p):
        silent = (1 - p) ** x / (alpha + age) ** (r + x)
        gone = p * (1 - p) ** (x - 1) / (alpha + t_x) ** (r + x) if x else 0
        return p ** (a - 1) * (1 - p) ** (b - 1) * (silent + gone)

    mean = mp.quad(given_p, [0, 0.01, 0.5, 0.99, 1]) / mp.beta(a, b) * alpha**r * mp.gamma(r + x) / mp.gamma(r)
    assert CDNOW.log_likelihood(*history) == pytest.approx(float(mp.log(mean)), abs=1e-8)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_simulated_customers_behave_as_expected(model):
    drawn = model.simulate(np.full(200_000, 30.0), rng=2005)
    frequency = drawn["frequency"].to_numpy()
    error = frequency.std() / np.sqrt(frequency.size)
    assert frequency.mean() == pytest.approx(float(model.expected_purchases_new(horizon=30)), abs=4.5 * error)
    for n in (0, 1, 2):
        share = float(model.probability_of_purchases_new(n=n, horizon=30))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 200_000) + 1e-12)
    # P(alive) is calibrated: its mean over customers is the share who are.
    alive = model.probability_alive(frequency, drawn["recency"].to_numpy(), 30.0)
    assert drawn["alive"].mean() == pytest.approx(alive.mean(), abs=4.5 * np.sqrt(0.25 / 200_000))


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_what_was_expected_of_customers_with_a_history_happens(model):
    drawn = model.simulate_transactions(np.full(60_000, 40.0), rng=1978)
    early = drawn[(drawn["time"] > 0) & (drawn["time"] <= 25)].groupby("customer")["time"].agg(["size", "max"])
    customers = np.arange(60_000)
    frequency = early["size"].reindex(customers, fill_value=0).to_numpy()
    recency = early["max"].reindex(customers, fill_value=0.0).to_numpy()
    late = drawn[drawn["time"] > 25].groupby("customer").size().reindex(customers, fill_value=0).to_numpy()
    expected = model.expected_purchases(frequency, recency, 25.0, horizon=15)
    for x in (0, 1, 2):
        rows = frequency == x
        if rows.sum() > 500:
            spread = max(late[rows].std(), 0.02) / np.sqrt(rows.sum())
            assert late[rows].mean() == pytest.approx(expected[rows].mean(), abs=4.5 * spread)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_expected_purchases_is_the_mean_of_the_probabilities(model):
    x = 1 if isinstance(model, (OneRepeatNBD, OneRepeatPoisson)) else 3
    n = np.arange(600)
    mass = model.probability_of_purchases(x, 12.0, 20.0, n=n, horizon=9.0)
    assert mass.sum() == pytest.approx(1.0, abs=1e-9)
    assert float(mass @ n) == pytest.approx(
        float(model.expected_purchases(x, 12.0, 20.0, horizon=9.0)), rel=1e-8, abs=1e-12
    )


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_purchases_come_at_the_rate_of_those_alive(model):
    """dE/dt at the start of the horizon is P(alive) times the mean rate; E is the integral of the living's rates."""
    x, t_x, age = (0, 0.0, 20.0) if isinstance(model, (OneRepeatNBD, OneRepeatPoisson)) else (2, 15.0, 20.0)
    step = 1e-6
    slope = float(model.expected_purchases(x, t_x, age, horizon=step)) / step
    rate = model.rate if hasattr(model, "rate") else (model.r + x) / (model.alpha + age)
    assert slope == pytest.approx(float(model.probability_alive(x, t_x, age)) * rate, rel=1e-5)


def test_alive_after_is_a_mean_over_dropout_probabilities():
    r, alpha, a, b = CDNOW.theta
    x, age, after = 3, 20.0, 15.0
    scale = alpha + age
    mean = mp.quad(
        lambda p: p ** (a - 1) * (1 - p) ** (b + x - 1) * (scale / (scale + p * after)) ** (r + x), [0, 0.01, 0.5, 1]
    ) / mp.beta(a, b + x)
    now, later = CDNOW.probability_alive(x, 12.0, age, after=[0, after])
    assert later / now == pytest.approx(float(mean), rel=1e-9)


@pytest.mark.parametrize(("rate", "horizon"), [(0.002, 52.0), (0.1, 400.0), (1e-6, 3.0)])
def test_discounting_integrates_the_expectation(rate, horizon):
    force = np.log1p(rate)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    time = horizon * (nodes + 1) / 2
    expected = CDNOW.expected_purchases(2, 30.43, 38.86, horizon=time)
    by_parts = force * np.sum(weights * np.exp(-force * time) * expected) * horizon / 2
    by_parts += np.exp(-force * horizon) * CDNOW.expected_purchases(2, 30.43, 38.86, horizon=horizon)
    found = CDNOW.discounted_expected_purchases(2, 30.43, 38.86, discount_rate=rate, horizon=horizon)
    assert found == pytest.approx(by_parts, rel=1e-9)


def test_many_customers_get_the_answers_of_single_ones():
    """Tables above a few rows go through interpolated curves; single customers do not."""
    rng = np.random.default_rng(7)
    age = rng.uniform(0.0, 3_000.0, 4_000)
    frequency = rng.choice([0, 1, 2, 40, 3_000], 4_000)
    recency = np.where(frequency > 0, age * rng.uniform(0, 1, 4_000), 0.0)
    many = {
        "expected": CDNOW.expected_purchases(frequency, recency, age, horizon=365),
        "after": CDNOW.probability_alive(frequency, recency, age, after=30),
        "discounted": CDNOW.discounted_expected_purchases(frequency, recency, age, discount_rate=0.001, horizon=365),
    }
    for row in range(0, 4_000, 401):
        history = frequency[row], recency[row], age[row]
        single = {
            "expected": CDNOW.expected_purchases(*history, horizon=365),
            "after": CDNOW.probability_alive(*history, after=30),
            "discounted": CDNOW.discounted_expected_purchases(*history, discount_rate=0.001, horizon=365),
        }
        for name, value in single.items():
            assert many[name][row] == pytest.approx(value, rel=1e-11), name


def test_answers_are_those_of_lifetimes():
    from retention_metrics.clv import to_lifetimes

    fitter = to_lifetimes(CDNOW)
    drawn = CDNOW.simulate(np.linspace(27, 39, 500), rng=1)
    history = tuple(drawn[name].to_numpy() for name in ("frequency", "recency", "T"))
    theirs = fitter.conditional_expected_number_of_purchases_up_to_time(39, *history)
    assert CDNOW.expected_purchases(*history, horizon=39) == pytest.approx(theirs, rel=1e-9)
    assert CDNOW.probability_alive(*history) == pytest.approx(fitter.conditional_probability_alive(*history), rel=1e-12)


# ---------------------------------------------------------------- laws


@given(model=models, history=histories(), wait=st.floats(0.0, 300.0))
def test_silence_never_makes_a_customer_more_alive(model, history, wait):
    frequency, recency, age = history
    now, later = model.probability_alive(frequency, recency, [age, age + wait])
    assert 0 <= later <= now + 1e-12 <= 1 + 1e-12


@given(model=models, history=histories(), horizon=st.floats(0.1, 300.0))
def test_expected_purchases_grow_with_the_horizon_ever_more_slowly(model, history, horizon):
    half, whole = model.expected_purchases(*history, horizon=[horizon / 2, horizon])
    assert half <= whole * (1 + 1e-12)
    assert whole <= 2 * half * (1 + 1e-10)


@given(model=models, history=histories(), first=st.floats(0.1, 50.0), second=st.floats(0.1, 50.0))
def test_horizons_add_up(model, history, first, second):
    """Purchases in a horizon are those of its first part, and of the second by whoever is still alive then."""
    frequency, _, age = history
    whole = float(model.expected_purchases(*history, horizon=first + second))
    start = float(model.expected_purchases(*history, horizon=first))
    # The posterior of the rates after `first` depends on what happened in it: sum over the number of purchases.
    n = np.arange(0, 400)
    mass = model._log_stay(np.full(n.size, float(frequency)), n.astype(float)) + model._log_mass(
        np.full(n.size, float(frequency)), np.full(n.size, age), n.astype(float), np.full(n.size, first)
    )
    stayed = np.exp(mass) * float(model.probability_alive(*history))
    later, silent = np.full(n.size, age + first), np.zeros(n.size)
    ahead = model._ahead(frequency + n.astype(float), silent, later, second, 0.0, "continuous")
    alive_then = float(model.probability_alive(*history, after=first))
    left_out = alive_then - stayed.sum(), n.size * stayed[-1] * ahead[-1]  # in probability, and in purchases
    if left_out[0] < 1e-12 and left_out[1] < 1e-10 * whole:
        assert whole == pytest.approx(start + float(stayed @ ahead), rel=1e-8)


@given(model=models, history=histories(), factor=st.floats(1e-3, 1e3))
def test_answers_do_not_depend_on_the_unit_of_time(model, history, factor):
    frequency, recency, age = history
    other = BGNBD(r=model.r, alpha=model.alpha * factor, a=model.a, b=model.b)
    scaled = frequency, recency * factor, age * factor
    # Rounding may carry recency past T.
    scaled = (scaled[0], min(scaled[1], scaled[2]), scaled[2])
    assert other.probability_alive(*scaled) == pytest.approx(
        float(model.probability_alive(*history)), rel=1e-7, abs=1e-300
    )
    here = float(model.expected_purchases(*history, horizon=10.0))
    assert other.expected_purchases(*scaled, horizon=10.0 * factor) == pytest.approx(here, rel=1e-7, abs=1e-300)


@given(model=models, history=histories())
def test_a_discount_lowers_the_value_of_the_future(model, history):
    plain = float(model.expected_purchases(*history, horizon=50))
    lower = float(model.discounted_expected_purchases(*history, discount_rate=0.01, horizon=50))
    assert plain * 1.01**-50 * (1 - 1e-9) <= lower <= plain * (1 + 1e-9)


def test_nothing_overflows_where_customers_buy_ten_thousand_times():
    x = np.array([0, 1, 10, 100, 1_000, 10_000])
    for model in FAMILY:
        for age in (0.5, 39.0, 3_000.0, 100_000.0):
            for share in (0.1, 0.9, 1.0):
                recency = np.where(x > 0, share * age, 0.0)
                with np.errstate(all="raise", under="ignore"):
                    alive = model.probability_alive(x, recency, age)
                    ahead = model.expected_purchases(x, recency, age, horizon=age)
                    model.discounted_expected_purchases(x, recency, age, discount_rate=0.01, horizon=age)
                    model.probability_of_purchases(x, recency, age, n=[0, 1, 2, 3, 50, 9_000], horizon=age)
                assert ((alive >= 0) & (alive <= 1)).all()
                assert (np.isfinite(ahead) & (ahead >= 0)).all()


def test_arguments_broadcast_and_scalars_stay_scalars():
    grid = CDNOW.probability_alive(np.arange(3)[:, None], [0.0, 0.0], 10.0)
    assert grid.shape == (3, 2)
    assert np.ndim(CDNOW.expected_purchases(2, 30.43, 38.86, horizon=39)) == 0
    assert CDNOW.expected_purchases(2, 30.43, 38.86, horizon=[1, 2, 3]).shape == (3,)
    assert CDNOW.probability_of_purchases_new(n=[[0], [1]], horizon=[10, 39]).shape == (2, 2)
    assert CDNOW.expected_purchases_new(horizon=0.0) == 0.0


def test_an_endless_sum_without_discount_exists_only_where_customers_surely_drop_out():
    with pytest.raises(InputError, match="infinite"):
        CDNOW.discounted_expected_purchases(2, 30.43, 38.86, discount_rate=0.0)
    mortal = BGNBD(r=0.243, alpha=4.414, a=3.0, b=2.426)
    endless = mortal.discounted_expected_purchases(2, 30.43, 38.86, discount_rate=0.0)
    assert endless == pytest.approx(float(mortal.expected_purchases(2, 30.43, 38.86, horizon=1e9)), rel=1e-6)


# ---------------------------------------------------------------- a model is its parameters


def test_a_model_is_frozen_and_goes_to_json_and_back():
    import dataclasses
    import json
    import pickle

    import retention_metrics as rm

    for model in FAMILY:
        stored = json.loads(json.dumps(model.to_dict(), allow_nan=False))
        assert type(model).from_dict(stored) == model
        assert rm.from_dict(stored) == model
        assert pickle.loads(pickle.dumps(model)) == model
        with pytest.raises(dataclasses.FrozenInstanceError):
            model.unit = "week"
        found = model.explain().evaluate()
        assert all(value is not None and value >= 0 for value in found.values())
    with pytest.raises(InputError, match="kind"):
        BGNBD.from_dict(FAMILY[1].to_dict())


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_a_model_changes_its_unit_and_not_its_answers(model):
    import dataclasses

    weekly = dataclasses.replace(model, unit="week")
    daily = weekly.rescale(to="day")
    assert daily.unit == "day"
    x = 1
    assert daily.expected_purchases(x, 70.0, 140.0, horizon=70.0) == pytest.approx(
        float(weekly.expected_purchases(x, 10.0, 20.0, horizon=10.0)), rel=1e-12, abs=1e-300
    )
    with pytest.raises(InputError, match="unit"):
        model.rescale(to="day")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: BGNBD(r=-1, alpha=4, a=1, b=1), "r is above 0; got -1"),
        (lambda: BGNBD(r=float("nan"), alpha=4, a=1, b=1), "r is a finite number"),
        (lambda: BGNBD(r=1, alpha=4, a=1, b="2"), "b is a number"),
        (lambda: BGNBD(r=1, alpha=4, a=1, b=2, unit="weeks"), "week"),
        (lambda: GeometricNBD(r=1, alpha=4, p=1.5), "p is in"),
        (lambda: CDNOW.probability_alive(2, 60, 39), "recency exceeds T"),
        (lambda: CDNOW.probability_alive(2.5, 6, 39), "frequency holds whole numbers"),
        (lambda: CDNOW.probability_alive(-1, 0, 39), "frequency is at least 0"),
        (lambda: CDNOW.probability_alive([2, np.nan], 6, 39), "row 1"),
        (lambda: CDNOW.probability_alive(0, 6, 39), "recency is 0 where frequency is 0"),
        (lambda: CDNOW.probability_alive(1, 6, np.inf), "T holds finite numbers"),
        (lambda: CDNOW.probability_alive([1, 2], [1, 2, 3], 39), "broadcast"),
        (lambda: CDNOW.probability_alive(1, 6, 39, after=-1), "after"),
        (lambda: CDNOW.expected_purchases(2, 30, 39, horizon=-10), "horizon is at least 0"),
        (lambda: CDNOW.expected_purchases([2, 3], 30, 39, horizon=[1, 2, 3]), "horizon"),
        (lambda: CDNOW.probability_of_purchases_new(n=1.5, horizon=3), "n holds whole numbers"),
        (lambda: CDNOW.discounted_expected_purchases(2, 30, 39), "one of the two"),
        (lambda: CDNOW.discounted_expected_purchases(2, 30, 39, discount_rate=0.1, force=0.1), "one of the two"),
        (lambda: CDNOW.discounted_expected_purchases(2, 30, 39, discount_rate=-0.1), "discount_rate"),
        (lambda: CDNOW.simulate([-1.0]), "T is at least 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_simulation_repeats_with_its_seed():
    first, second = (CDNOW.simulate([39.0] * 50, rng=3) for _ in range(2))
    assert first.equals(second)
    bought = CDNOW.simulate_transactions([39.0] * 50, rng=np.random.default_rng(3))
    assert (bought.groupby("customer")["time"].min() == 0).all()
    assert bought["time"].max() <= 39
