"""BG/BB: published numbers, laws of the model, and two ways to every number."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import as_sorted_rows
from places import lifetimes_file
from printed import rounds_to
from retention_metrics.clv import BGBB, Fit
from retention_metrics.clv.opportunity_limits import (
    OPPORTUNITY_LIMITS,
    Bernoulli,
    BetaBernoulli,
    BGBernoulli,
    BGCertain,
    BGTwoKinds,
    GeometricBB,
    GeometricBernoulli,
    GeometricCertain,
    GeometricTwoKinds,
    TwoKinds,
    TwoTypeBB,
    TwoTypeBernoulli,
)
from retention_metrics.errors import FitError, InputError

DONORS = BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
FAMILY = [
    DONORS,
    BetaBernoulli(alpha=1.2, beta=0.8),
    GeometricBB(alpha=1.2, beta=0.8, dropout=0.1),
    GeometricBernoulli(p=0.5, dropout=0.2),
    BGBernoulli(p=0.5, gamma=0.5, delta=2.0),
    Bernoulli(p=0.4),
    TwoKinds(buyers=0.4),
    GeometricCertain(dropout=0.2),
    TwoTypeBernoulli(p=0.4, share=0.3),
    GeometricTwoKinds(buyers=0.4, dropout=0.2),
    BGCertain(gamma=0.5, delta=2.0),
    TwoTypeBB(alpha=1.2, beta=0.8, share=0.3),
    BGTwoKinds(buyers=0.4, gamma=0.5, delta=2.0),
]
by_name = [type(model).__name__ for model in FAMILY]
over_family = pytest.mark.parametrize("model", FAMILY, ids=by_name)
COLUMNS = {"T": "periods", "counts": "weights"}
HISTORY = ("frequency", "recency", "periods")

shapes = st.floats(0.05, 30.0)
models = st.builds(BGBB, alpha=shapes, beta=shapes, gamma=shapes, delta=shapes)


@st.composite
def histories(draw):
    """(frequency, recency, T) that can have happened."""
    n = draw(st.integers(1, 30))
    t_x = draw(st.integers(0, n))
    return draw(st.integers(1, t_x)) if t_x else 0, t_x, n


@pytest.fixture(scope="module")
def donations() -> pd.DataFrame:
    return pd.read_csv(lifetimes_file("donations.csv"))


@pytest.fixture(scope="module")
def fit(donations) -> Fit:
    return BGBB.fit(donations, **COLUMNS)


# ---------------------------------------------------------------- published numbers


def test_the_donations_give_the_published_fit(fit, reference):
    table = reference("bg_bb")
    for name, published in table.theta.items():
        assert getattr(fit.model, name) == pytest.approx(published, abs=0.5 * 10**-table.digits)
    assert fit.log_likelihood == pytest.approx(table.log_likelihood, abs=0.005)
    assert fit.customers == 11_104


def test_the_donations_to_come_are_the_papers(fit, donations, reference):
    table = reference("bg_bb")
    ahead = fit.model.expected_purchases(donations["frequency"], donations["recency"], 6, horizon=5)
    assert (donations["weights"] * ahead).sum() == pytest.approx(table.expected_in_five_years, abs=0.05)
    none, six = 11_104 * fit.model.probability_of_purchases_new(n=[0, 6], horizon=6)
    assert none == pytest.approx(table.expected_donors["none"], abs=0.05)
    assert six == pytest.approx(table.expected_donors["all_six"], abs=0.05)
    alive = table.alive_at_the_next_opportunity
    found = fit.model.probability_alive(alive["frequency"], alive["recency"], 6, after=1)
    assert found == pytest.approx(np.array(alive["probability"]), abs=0.005)


def test_btyd_gives_the_same_expectations(fit, reference):
    table = reference("bg_bb").btyd
    theirs = BGBB(**table["theta"])
    assert rounds_to(theirs.theta, list(table["printed"].values()))
    assert rounds_to(theirs.expected_purchases_new(horizon=10), table["new_in_ten_years"])
    assert rounds_to(theirs.expected_purchases(table["frequency"], table["recency"], 6, horizon=10), table["expected"])
    assert rounds_to(11_104 * np.diff(theirs.expected_purchases_new(horizon=np.arange(12))), table["annual"])
    # The maximum itself is further on, by the sixth digit of alpha and the fourth of delta.
    assert fit.model.expected_purchases_new(horizon=10) == pytest.approx(table["new_in_ten_years"], abs=5e-5)
    found = fit.model.expected_purchases(table["frequency"], table["recency"], 6, horizon=10)
    assert found == pytest.approx(np.array(table["expected"]), rel=5e-5)
    yearly = 11_104 * np.diff(fit.model.expected_purchases_new(horizon=np.arange(12)))
    assert yearly == pytest.approx(np.array(table["annual"]), rel=5e-5)


def test_discounted_donations_are_exact(reference):
    table = reference("bg_bb").discounted
    found = BGBB(**table["theta"]).discounted_expected_purchases(3, 4, 6, discount_rate=0.1)
    assert found == pytest.approx(table["value"], abs=5e-10)


def test_long_histories_are_right_where_lifetimes_is_not(reference):
    for case in reference("bg_bb").where_lifetimes_fails:
        assert DONORS.log_likelihood(*case["history"]) == pytest.approx(case["log_likelihood"], abs=1e-10)
        assert DONORS.probability_alive(*case["history"]) == pytest.approx(case["alive"], rel=1e-10)


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("history", [(0, 0, 4), (1, 1, 1), (2, 3, 6), (3, 3, 9), (5, 7, 7)])
def test_likelihood_is_the_mean_over_both_probabilities(history):
    x, t_x, n = history
    a, b, g, d = (mp.mpf(float(value)) for value in DONORS.theta)

    def mean(first, second, function):
        # q = u^(1/first) takes the pole at 0 out of the integrand
        def inner(u):
            q = u ** (1 / first)
            return (1 - q) ** (second - 1) * function(q) / first

        return mp.quad(inner, [0, 0.5, 1]) / mp.beta(first, second)

    def part(last, end):
        bought = mean(a, b, lambda p: p**x * (1 - p) ** (last - x))
        return bought * mean(g, d, lambda theta: (1 - theta) ** last * (theta if last < end else 1))

    total = mp.fsum(part(last, n) for last in range(t_x, n + 1))
    assert DONORS.log_likelihood(*history) == pytest.approx(float(mp.log(total)), abs=1e-6)


@over_family
def test_the_histories_of_a_few_opportunities_have_total_probability_one(model):
    """Each (x, t_x) stands for the orders in which x purchases end at t_x."""
    n, total = 7, 0.0
    for t_x in range(n + 1):
        for x in range(1, t_x + 1) if t_x else [0]:
            orders = mp.binomial(t_x - 1, x - 1) if t_x else 1
            total += float(orders) * np.exp(float(model.log_likelihood(x, t_x, n)))
    assert total == pytest.approx(1.0, abs=1e-12)


def exact_log_likelihood(x, t_x, n, a, b, g, d):
    def part(last, gone):
        return mp.beta(a + x, b + last - x) * mp.beta(g + gone, d + last) / mp.beta(a, b) / mp.beta(g, d)

    return mp.log(part(n, 0) + mp.fsum(part(last, 1) for last in range(t_x, n)))


@pytest.mark.parametrize("history", [(0, 0, 6), (2, 4, 6), (6, 6, 6), (3, 5, 40)])
def test_gradient_and_hessian_are_those_of_multiple_precision(history):
    row = pd.DataFrame([history], columns=["frequency", "recency", "T"])
    data = BGBB._read(row, {})
    value, gradient, hessian = BGBB._objective(data, threads=None).evaluate(DONORS.theta)
    point = [mp.mpf(float(parameter)) for parameter in DONORS.theta]

    def function(*theta):
        return exact_log_likelihood(*history, *theta)

    with mp.workdps(40):
        assert value == pytest.approx(float(function(*point)), rel=1e-12)
        for i in range(4):
            assert gradient[i] == pytest.approx(
                float(mp.diff(function, point, tuple(int(i == k) for k in range(4)))), rel=1e-9, abs=1e-12
            )
            for j in range(4):
                both = tuple(int(i == k) + int(j == k) for k in range(4))
                assert hessian[i, j] == pytest.approx(float(mp.diff(function, point, both)), rel=1e-7, abs=1e-10)


@over_family
def test_gradients_of_the_family_are_differences_of_its_likelihood(model, donations):
    possible = donations[np.isfinite(model.log_likelihood(*(donations[name] for name in HISTORY)))]
    objective = type(model)._objective(type(model)._read(possible, COLUMNS), threads=None)
    odds = type(model).to_odds(model.theta)
    _, gradient, hessian = objective.evaluate(odds)
    for index in range(odds.size):
        step = 1e-5 * odds[index] * np.eye(odds.size)[index]
        ahead, behind = objective.evaluate(odds + step), objective.evaluate(odds - step)
        width = 2 * step[index]
        assert (ahead[0] - behind[0]) / width == pytest.approx(gradient[index], rel=1e-5, abs=1e-3)
        assert (ahead[1] - behind[1]) / width == pytest.approx(hessian[index], rel=1e-5, abs=1e-2)


@over_family
def test_simulated_customers_behave_as_expected(model):
    drawn = model.simulate(np.full(100_000, 8), rng=2010)
    frequency, recency = drawn["frequency"].to_numpy(), drawn["recency"].to_numpy()
    expected = float(model.expected_purchases_new(horizon=8))
    assert frequency.mean() == pytest.approx(expected, abs=4.5 * frequency.std() / 316)
    for n in (0, 1, 4, 8):
        share = float(model.probability_of_purchases_new(n=n, horizon=8))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 100_000))
    # P(alive) is calibrated: its mean over customers is the share who are.
    alive = model.probability_alive(frequency, recency, 8)
    assert drawn["alive"].mean() == pytest.approx(alive.mean(), abs=4.5 * np.sqrt(0.25 / 100_000))


@over_family
def test_what_was_expected_of_customers_with_a_history_happens(model):
    drawn = model.simulate_transactions(np.full(60_000, 10), rng=1995)
    bought = drawn[drawn["time"] > 0]
    early, customers = bought[bought["time"] <= 6].groupby("customer")["time"].agg(["size", "max"]), np.arange(60_000)
    x = early["size"].reindex(customers, fill_value=0).to_numpy()
    t_x = early["max"].reindex(customers, fill_value=0).to_numpy()
    late = bought[bought["time"] > 6].groupby("customer").size().reindex(customers, fill_value=0).to_numpy()
    expected = model.expected_purchases(x, t_x, 6, horizon=4)
    nothing = model.probability_of_purchases(x, t_x, 6, n=0, horizon=4)
    for history in ((0, 0), (2, 4), (3, 6), (6, 6)):
        rows = (x == history[0]) & (t_x == history[1])
        if rows.sum() > 300:
            spread = max(late[rows].std(), 0.02) / np.sqrt(rows.sum())
            assert late[rows].mean() == pytest.approx(expected[rows].mean(), abs=4.5 * spread)
            share = nothing[rows].mean()
            error = np.sqrt(max(share * (1 - share), 1e-4) / rows.sum())
            assert (late[rows] == 0).mean() == pytest.approx(share, abs=4.5 * error)


@given(model=models, history=histories(), horizon=st.integers(1, 25))
def test_expected_purchases_is_the_mean_of_the_probabilities(model, history, horizon):
    n = np.arange(horizon + 2)
    mass = model.probability_of_purchases(*history, n=n, horizon=horizon)
    assert mass.sum() == pytest.approx(1.0, abs=1e-10)
    assert mass[-1] == 0
    assert mass @ n == pytest.approx(float(model.expected_purchases(*history, horizon=horizon)), rel=1e-9, abs=1e-14)


@over_family
def test_discounted_purchases_are_the_sum_over_opportunities(model):
    horizons = np.arange(301)
    steps = np.diff(model.expected_purchases(2, 3, 5, horizon=horizons))
    for rate in (0.02, 0.5):
        total = float(steps @ (1 + rate) ** -np.arange(1.0, 301))
        found = model.discounted_expected_purchases(2, 3, 5, discount_rate=rate, horizon=300)
        assert found == pytest.approx(total, rel=1e-10)
    far = model.discounted_expected_purchases(2, 3, 5, discount_rate=0.5)
    assert far == pytest.approx(total, rel=1e-10)


def test_endless_purchases_exist_where_customers_leave_soon_enough():
    leaving = BGBB(alpha=1.2, beta=0.75, gamma=1.5, delta=3.0)
    # given alive at T = 6: E[p] E[(1 - theta) / theta], theta ~ Beta(gamma, delta + 6)
    alive = float(leaving.probability_alive(3, 4, 6))
    ever = alive * 4.2 / 7.95 * (9.0 / 0.5)
    assert leaving.discounted_expected_purchases(3, 4, 6, discount_rate=0.0) == pytest.approx(ever, rel=1e-10)
    with pytest.raises(InputError, match="infinite"):
        DONORS.discounted_expected_purchases(3, 4, 6, discount_rate=0.0)


# ---------------------------------------------------------------- laws


@given(model=models, history=histories(), wait=st.integers(0, 30))
def test_silence_never_makes_a_customer_more_alive(model, history, wait):
    x, t_x, n = history
    now, later = model.probability_alive(x, t_x, [n, n + wait])
    assert 0 <= later <= now + 1e-12
    after = model.probability_alive(x, t_x, n, after=[0, wait])
    assert 0 <= after[1] <= after[0] <= 1


@given(model=models, history=histories())
def test_a_purchase_at_the_last_opportunity_proves_life(model, history):
    x, t_x, _ = history
    if x:
        assert model.probability_alive(x, t_x, t_x) == 1


@given(model=models, history=histories(), first=st.integers(0, 10), second=st.integers(0, 10))
def test_expectations_add_up_over_horizons(model, history, first, second):
    whole, part = model.expected_purchases(*history, horizon=[first + second, first])
    # after the first stretch: the mean chance times the share alive then, opportunity by opportunity
    alive = model.probability_alive(*history, after=np.arange(first + 1, first + second + 1))
    chance = (model.alpha + history[0]) / (model.alpha + model.beta + history[2])
    assert whole - part == pytest.approx(chance * float(np.sum(alive)), rel=1e-7, abs=1e-10)


def test_ten_thousand_opportunities_are_finite():
    x = np.array([0, 1, 100, 5000, 10_000])
    with np.errstate(all="raise", under="ignore"):
        t_x = np.where(x > 0, np.maximum(x, 9000), 0)
        alive = DONORS.probability_alive(x, t_x, 10_000)
        ahead = DONORS.expected_purchases(x, t_x, 10_000, horizon=1000)
        likelihood = DONORS.log_likelihood(x, t_x, 10_000)
    assert np.isfinite(likelihood).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (np.isfinite(ahead) & (ahead >= 0)).all()
    with mp.workdps(30):
        exact = exact_log_likelihood(100, 9000, 10_000, *(mp.mpf(float(v)) for v in DONORS.theta))
    assert likelihood[2] == pytest.approx(float(exact), abs=1e-8)


# ---------------------------------------------------------------- any data


def test_a_fit_does_not_depend_on_how_donors_are_given(frame, fit, donations):
    rows = donations.sample(frac=1, random_state=2)
    assert BGBB.fit(frame(rows), **COLUMNS).model.theta == pytest.approx(fit.model.theta, rel=1e-9)
    few = donations.assign(weights=donations["weights"] // 20)
    repeated = few.loc[few.index.repeat(few["weights"])]
    counted, listed = BGBB.fit(frame(few), **COLUMNS), BGBB.fit(frame(repeated), T="periods")
    assert listed.log_likelihood == pytest.approx(counted.log_likelihood, rel=1e-13)
    assert listed.customers == counted.customers


def test_predictions_come_in_the_callers_frame(frame, fit, donations):
    rows = as_sorted_rows(fit.predict(frame(donations), horizon=5, level=0.9, T="periods").to_frame())
    assert len(rows) == len(donations)
    for x, t_x, n, _, alive, low, high, expected, least, most in rows:
        assert alive == pytest.approx(float(fit.model.probability_alive(x, t_x, n)), abs=1e-8)
        assert expected == pytest.approx(float(fit.model.expected_purchases(x, t_x, n, horizon=5)), abs=1e-8)
        assert low <= alive <= high
        assert least < expected < most


def test_parameters_are_recovered():
    drawn = DONORS.simulate(np.full(40_000, 8), rng=11)
    fit = BGBB.fit(drawn)
    for name in BGBB.parameters:
        assert getattr(fit.model, name) == pytest.approx(getattr(DONORS, name), abs=3.5 * fit.standard_errors[name])
    assert not fit.diagnostics


def in_proportion(model, customers: float, n: int = 5) -> pd.DataFrame:
    """Histories at n opportunities as often as a model expects them."""
    rows = []
    for t_x in range(n + 1):
        for x in range(1, t_x + 1) if t_x else [0]:
            orders = float(mp.binomial(t_x - 1, x - 1)) if t_x else 1.0
            share = orders * np.exp(float(model.log_likelihood(x, t_x, n)))
            rows.append({"frequency": x, "recency": t_x, "T": n, "counts": round(customers * share)})
    return pd.DataFrame(rows)


def near(model) -> BGBB:
    """The BG/BB whose shapes are all but at the edge where it turns into this model."""
    at, tiny, huge = dict(zip(model.parameters, map(float, model.theta), strict=True)), 1e-9, 1e9
    p, buyers = at.get("p"), at.get("buyers")
    buying = [(at[one] for one in ("alpha", "beta"))] if "alpha" in at else []
    buying += [(huge * p, huge * (1 - p))] if p else []
    buying += [(tiny * buyers, tiny * (1 - buyers))] if buyers else []
    dropout, share = at.get("dropout"), at.get("share")
    leaving = [(at[one] for one in ("gamma", "delta"))] if "gamma" in at else []
    leaving += [(huge * dropout, huge * (1 - dropout))] if dropout else []
    leaving += [(tiny * share, tiny * (1 - share))] if share else []
    alpha, beta = [*buying, (2.0, 1e-12)][0]
    gamma, delta = [*leaving, (1e-12, 1.0)][0]
    return BGBB(alpha=alpha, beta=beta, gamma=gamma, delta=delta)


@pytest.mark.parametrize("model", FAMILY[1:], ids=by_name[1:])
def test_each_limit_is_the_model_at_the_edge_of_its_parameters(model):
    x, t_x, n = np.array([(0, 0, 0), (0, 0, 1), (0, 0, 4), (1, 1, 4), (2, 2, 4), (2, 3, 4), (3, 4, 4), (4, 4, 4)]).T
    larger, likely = near(model), np.isfinite(model.log_likelihood(x, t_x, n))
    assert np.exp(larger.log_likelihood(x, t_x, n)) == pytest.approx(np.exp(model.log_likelihood(x, t_x, n)), abs=1e-7)
    given = (x[likely], t_x[likely], n[likely])
    for one, other in ((model, larger),):
        assert one.probability_alive(*given, after=2) == pytest.approx(
            other.probability_alive(*given, after=2), abs=1e-6
        )
        ahead = other.expected_purchases(*given, horizon=5)
        assert one.expected_purchases(*given, horizon=5) == pytest.approx(ahead, abs=1e-6)
        value = other.discounted_expected_purchases(*given, discount_rate=0.1)
        assert one.discounted_expected_purchases(*given, discount_rate=0.1) == pytest.approx(value, abs=1e-5)
        for bought in (0, 1, 3):
            mass = other.probability_of_purchases(*given, n=bought, horizon=3)
            assert one.probability_of_purchases(*given, n=bought, horizon=3) == pytest.approx(mass, abs=1e-6)


def test_who_has_a_history_that_a_limit_rules_out_is_not_there():
    for model in (GeometricCertain(dropout=0.2), TwoKinds(buyers=0.4), BGTwoKinds(buyers=0.4, gamma=0.5, delta=2.0)):
        assert model.log_likelihood(1, 3, 4) == -np.inf
        assert model.probability_alive(1, 3, 4) == 0
        assert model.expected_purchases(1, 3, 4, horizon=5) == 0
        assert model.probability_of_purchases(1, 3, 4, n=[0, 1], horizon=5).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("model", "customers"),
    [
        (FAMILY[2], 2e5),
        (FAMILY[3], 2e5),
        *((model, 1e4 if isinstance(model, TwoTypeBB) else 2e3) for model in FAMILY[4:]),
    ],
    ids=by_name[2:],
)
def test_customers_who_are_alike_in_a_respect_are_given_the_simpler_model(model, customers):
    data = in_proportion(model, customers)
    with pytest.raises(FitError, match=f"towards {type(model).__name__}") as caught:
        BGBB.fit(data, counts="counts")
    limit = caught.value.limit
    assert limit.model.theta == pytest.approx(model.theta, rel=0.01)
    assert any("Limit of BGBB" in note for note in limit.notes)
    assert BGBB.fit(data, counts="counts", penalty=0.01).log_likelihood < limit.log_likelihood + 1e-3


def test_the_limits_come_in_the_order_of_their_parameters():
    assert [len(limit.parameters) for limit in OPPORTUNITY_LIMITS] == sorted(
        len(limit.parameters) for limit in OPPORTUNITY_LIMITS
    )
    assert set(OPPORTUNITY_LIMITS) == {type(model) for model in FAMILY[1:]}


@pytest.mark.parametrize("model", FAMILY[5:], ids=by_name[5:])
def test_a_limits_fit_goes_to_json_predicts_and_has_intervals(model):
    data = in_proportion(model, 500)
    with pytest.raises(FitError) as caught:
        BGBB.fit(data, counts="counts")
    limit = caught.value.limit
    again = Fit.from_dict(limit.to_dict())
    assert again.model == limit.model
    table = limit.predict(data, horizon=5, level=0.9).to_frame()
    expected = limit.model.expected_purchases(data["frequency"], data["recency"], 5, horizon=5)
    assert table["expected_purchases"].to_numpy() == pytest.approx(expected, abs=1e-12)
    assert (table["expected_purchases_low"] <= table["expected_purchases_high"]).all()
    for method in ("wald", "sandwich", "profile"):
        for name, interval in limit.intervals(0.95, method).items():
            assert interval.low < getattr(limit.model, name) < interval.high


def test_customers_who_never_pause_have_not_dropped_out():
    recent = {"frequency": [0, 1, 2, 3, 4, 5], "recency": [0, 5, 5, 5, 5, 5], "counts": [2, 9, 20, 22, 15, 9]}
    with pytest.raises(FitError, match="nobody drops out") as caught:
        BGBB.fit(pd.DataFrame(recent | {"T": 5}), counts="counts")
    assert isinstance(caught.value.limit.model, BetaBernoulli)


def test_data_that_say_nothing_are_refused_in_words():
    silent = pd.DataFrame({"frequency": [0, 0], "recency": [0, 0], "T": [6, 5]})
    with pytest.raises(FitError, match="none of 2 customers made a repeat purchase"):
        BGBB.fit(silent)
    eager = pd.DataFrame({"frequency": [6, 4, 0], "recency": [6, 4, 0], "T": [6, 4, 0]})
    with pytest.raises(FitError, match="each of 3 customers bought at every opportunity") as caught:
        BGBB.fit(eager)
    assert caught.value.limit is None


def test_one_opportunity_tells_the_share_who_buy():
    drawn = DONORS.simulate(np.full(29, 1), rng=22)
    with pytest.raises(FitError) as caught:
        BGBB.fit(drawn)
    assert type(caught.value.limit.model) is Bernoulli
    assert caught.value.limit.model.p == pytest.approx(drawn["frequency"].mean(), rel=1e-9)


def test_the_fit_has_profile_intervals_and_goes_through_json(fit, donations):
    profile = fit.intervals(0.95, "profile")
    assert profile["beta"].low < fit.model.beta < profile["beta"].high
    again = Fit.from_dict(fit.to_dict()).attach(donations, **COLUMNS)
    assert again == fit


def test_simulation_repeats_with_its_seed():
    n = np.array([6, 0, 3, 6] * 20)
    drawn, bought = DONORS.simulate(n, rng=7), DONORS.simulate_transactions(n, rng=7)
    assert drawn.equals(DONORS.simulate(n, rng=7))
    repeat = bought[bought["time"] > 0].groupby("customer")["time"].agg(["size", "max"])
    assert (repeat["size"].reindex(range(80), fill_value=0).to_numpy() == drawn["frequency"]).all()
    assert (repeat["max"].reindex(range(80), fill_value=0).to_numpy() == drawn["recency"]).all()
    assert (drawn["recency"] <= n).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: BGBB(alpha=1, beta=1, gamma=1, delta=-1), "delta is above 0"),
        (lambda: BGBB(alpha=np.array([1.0, 2.0]), beta=1, gamma=1, delta=1), "one number for each parameter"),
        (lambda: DONORS.log_likelihood(4, 3, 6), "frequency is at most recency"),
        (lambda: DONORS.log_likelihood(2, 7, 6), "recency exceeds T"),
        (lambda: DONORS.log_likelihood(2, 3.5, 6), "recency holds whole numbers"),
        (lambda: DONORS.log_likelihood(2, 3, 6.5), "T holds whole numbers"),
        (lambda: DONORS.log_likelihood(1.5, 3, 6), "frequency holds whole numbers"),
        (lambda: DONORS.expected_purchases(2, 3, 6, horizon=1.5), "horizon holds whole numbers"),
        (lambda: DONORS.probability_alive(2, 3, 6, after=0.5), "after holds whole numbers"),
        (lambda: DONORS.discounted_expected_purchases(2, 3, 6, discount_rate=0.1, horizon=2.5), "horizon is a whole"),
        (lambda: DONORS.simulate([2.5]), "T holds whole numbers"),
        (lambda: DONORS.rescale(to="day"), "counts opportunities"),
        (lambda: BGBB.fit(pd.DataFrame({"frequency": [3], "recency": [2], "T": [6]})), "1 customer"),
        (lambda: BGBB.fit(pd.DataFrame({"frequency": [3, 1], "recency": [2, 1], "T": [6, 6]})), "at most recency"),
        (
            lambda: BGBB.fit(pd.DataFrame({"frequency": [1], "recency": [2], "T": [6]}), dropout_covariates=["age"]),
            "takes no covariates",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises((InputError, FitError), match=words):
        call()


@pytest.mark.parametrize("seed", range(4))
def test_two_opportunities_tell_little_and_still_give_a_fit(seed):
    """Four patterns for four parameters: some direction is all but flat, and its standard error says so."""
    model = BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
    fit = BGBB.fit(model.simulate(np.full(200, 2), rng=seed))
    assert fit.gradient_norm < 1e-4
    assert max(np.sqrt(np.diag(fit.log_covariance))) > 5
    assert np.isfinite(fit.robust_covariance).all()
