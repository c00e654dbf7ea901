"""Pareto/NBD: published numbers, laws of the model, and two ways to every number."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from places import lifetimes_file
from printed import rounds_to
from retention_metrics.clv import ParetoNBD, to_lifetimes
from retention_metrics.clv.early_limits import EarlyTwoTypeNBD
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_limits import ExponentialNBD, ExponentialPoisson, ParetoPoisson
from retention_metrics.clv.limits import NBD
from retention_metrics.errors import FitError, InputError

CDNOW = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)
FAMILY = [
    CDNOW,
    ExponentialNBD(r=0.5, alpha=8.0, mu=0.03),
    ParetoPoisson(rate=0.1, s=0.6, beta=11.0),
    ExponentialPoisson(rate=0.1, mu=0.03),
]
by_name = [type(model).__name__ for model in FAMILY]

shapes = st.floats(0.05, 20.0)
scales = st.floats(0.1, 200.0)
models = st.builds(ParetoNBD, r=shapes, alpha=scales, s=shapes, beta=scales)


@st.composite
def histories(draw):
    """(frequency, recency, T) that can have happened."""
    age = draw(st.floats(0.1, 500.0))
    frequency = draw(st.integers(0, 60))
    return frequency, age * draw(st.floats(0.01, 1.0)) if frequency else 0.0, age


@pytest.fixture(scope="module")
def cdnow_summary():
    return pd.read_csv(lifetimes_file("cdnow_customers_summary.csv"))


def arrays(frame):
    return Histories(*(frame[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))


# ---------------------------------------------------------------- published numbers


def test_the_published_fit_of_cdnow_is_the_maximum(reference, cdnow_summary):
    """Of the table with recency in two digits; test_clv_published.py has the raw transactions and every digit."""
    table = reference("pareto_nbd").cdnow
    fit = ParetoNBD.fit(cdnow_summary)
    assert fit.log_likelihood == pytest.approx(table["log_likelihood"], abs=5e-5)
    for name, published in table["theta"].items():
        # The published beta is 11.669 and the maximum is at 11.668: the likelihood is flat there.
        assert getattr(fit.model, name) == pytest.approx(published, abs=0.5e-3 if name != "beta" else 1.5e-3)
    for name, exact in table["maximum"].items():
        assert getattr(fit.model, name) == pytest.approx(exact, rel=1e-5)
    for name, error in table["standard_errors"].items():
        assert fit.standard_errors[name] == pytest.approx(error, rel=2e-4)


def test_new_customers_buy_as_in_btyd(reference):
    table = reference("pareto_nbd").new_customer
    expected = ParetoNBD(**table["theta"]).expected_purchases_new(horizon=np.arange(10))
    assert expected == pytest.approx(np.array(table["expected"]), abs=5e-9)


def test_the_walkthrough_s_year_and_customer_are_its_last_fit_s(reference):
    """Its parameters are printed to three digits; the theta that gives every figure to seven rounds to them."""
    table = reference("pareto_nbd").walkthrough
    model, who = ParetoNBD(**table["theta"]), table["customer_1516"]
    assert model.theta == pytest.approx(list(table["printed"].values()), abs=5e-4)
    assert rounds_to(model.expected_purchases_new(horizon=52), table["new_in_52_weeks"])
    history = who["frequency"], who["T"] - who["weeks_from_last_purchase"], who["T"]
    assert rounds_to(model.expected_purchases(*history, horizon=52), who["expected_in_52_weeks"])
    assert rounds_to(model.probability_alive(*history), who["alive"])


def test_single_customers_are_those_of_btyd(reference):
    table = reference("pareto_nbd").alive
    assert ParetoNBD(**table["theta"]).probability_alive(*table["history"]) == pytest.approx(table["alive"], abs=5e-8)
    table = reference("pareto_nbd").customer_1516
    model = ParetoNBD(**table["theta"])
    assert model.probability_alive(*table["history"]) == pytest.approx(table["alive"], abs=5e-9)
    ahead = model.expected_purchases(*table["history"], horizon=table["horizon"])
    assert ahead == pytest.approx(table["expected"], abs=1e-7)


def test_heavy_silent_buyers_are_expected_to_buy_less_than_light_ones(reference):
    """The increasing-frequency paradox: the same silence says more about a customer who used to buy often."""
    tables = reference("pareto_nbd")
    table, model = tables.frequency_paradox, ParetoNBD(**tables.walkthrough["theta"])
    expected = model.expected_purchases(table["frequency"], table["recency"], table["T"], horizon=table["horizon"])
    assert rounds_to(expected, table["expected"])


def test_discounted_purchases_are_those_of_btyd(reference):
    table = reference("pareto_nbd").discounted
    model = ParetoNBD(**table["theta"])
    by_force = model.discounted_expected_purchases(*table["history"], force=table["force"])
    by_rate = model.discounted_expected_purchases(*table["history"], discount_rate=table["force"])
    assert by_force == pytest.approx(table["by_force"], abs=5e-10)
    assert by_rate == pytest.approx(table["by_rate"], abs=5e-7)


def test_answers_where_lifetimes_fails(reference):
    tables = reference("pareto_nbd")
    heavy = tables.heavy_buyers
    alive = ParetoNBD(**heavy["theta"]).probability_alive(heavy["frequency"], heavy["recency"], heavy["T"])
    assert alive == pytest.approx(np.array(heavy["alive"]), rel=1e-12)
    for row in tables.last_day_buyers:
        assert CDNOW.log_likelihood(*row["history"]) == pytest.approx(row["log_likelihood"], abs=1e-10)
        assert CDNOW.probability_alive(*row["history"]) == 1.0
        ahead = CDNOW.expected_purchases(*row["history"], horizon=30)
        assert ahead == pytest.approx(row["expected_in_30"], rel=1e-12)
    edge = tables.s_is_1
    ahead = ParetoNBD(**edge["theta"]).expected_purchases(*edge["history"], horizon=edge["horizon"])
    assert ahead == pytest.approx(edge["expected"], rel=1e-12)
    mass = tables.probability_of_purchases
    found = ParetoNBD(**mass["theta"]).probability_of_purchases(*mass["history"], n=mass["n"], horizon=mass["horizon"])
    assert found == pytest.approx(np.array(mass["probability"]), rel=1e-11)


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("history", [(0, 0.0, 20.0), (1, 3.0, 20.0), (7, 18.0, 20.0)])
def test_likelihood_is_the_mean_over_purchase_and_dropout_rates(history):
    x, t_x, age = history
    r, alpha, s, beta = CDNOW.theta
    # With rate = u**8 the densities' singularities at 0 are gone.
    nodes, weights = np.polynomial.legendre.leggauss(300)
    u = 0.75 * (nodes + 1)
    step = 0.75 * weights * 8 * u**7
    rate, leave = (u**8)[:, None], (u**8)[None]
    total = rate + leave
    # Schmittlein, Morrison & Colombo 1987: the likelihood of a customer whose two rates are known.
    known = rate**x * (leave * np.exp(-total * t_x) + rate * np.exp(-total * age)) / total
    weight = np.outer(step * stats.gamma.pdf(u**8, r, scale=1 / alpha), step * stats.gamma.pdf(u**8, s, scale=1 / beta))
    assert CDNOW.log_likelihood(*history) == pytest.approx(np.log(np.sum(weight * known)), abs=1e-10)


def exact_log_likelihood(model, x, t_x, age):
    """The likelihood by multiple precision, on the logarithm of the time since the last purchase."""
    with mp.workdps(30):
        r, alpha, s, beta = (mp.mpf(float(v)) for v in model.theta)
        start, span = mp.mpf(t_x), mp.mpf(age) - mp.mpf(t_x)
        stay = lambda u: ((alpha + start) / (alpha + u)) ** (r + x) * ((beta + start) / (beta + u)) ** s  # noqa: E731
        total = stay(start + span)
        if span > 0:
            top = mp.log(span)
            leave = lambda w: stay(start + mp.exp(w)) * s / (beta + start + mp.exp(w)) * mp.exp(w)  # noqa: E731
            total += mp.quad(leave, [top - 200, *(top - k for k in range(110, 0, -1)), top], maxdegree=6)
        before = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) - (r + x) * mp.log(alpha + start)
        return float(mp.log(total) + before + s * mp.log(beta / (beta + start)))


def test_likelihood_is_right_to_the_last_digits_over_the_whole_box():
    rng = np.random.default_rng(1987)
    for _ in range(12):
        model = ParetoNBD(**dict(zip(ParetoNBD.parameters, 10 ** rng.uniform(-3, 3, 4), strict=True)))
        x, age = int(rng.choice([0, 1, 10, 1_000, 10_000])), float(10 ** rng.uniform(-2, 5))
        t_x = age * float(rng.choice([rng.uniform(), 10 ** rng.uniform(-4, 0), 1.0])) if x else 0.0
        exact = exact_log_likelihood(model, x, t_x, age)
        assert abs(model.log_likelihood(x, t_x, age) - exact) <= 1e-10 + 16 * 2**-52 * abs(exact), (model, x, t_x, age)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_gradient_and_hessian_are_those_of_the_likelihood(model):
    data = arrays(model.simulate(np.linspace(5, 60, 200), rng=3))
    objective = type(model)._objective(data, threads=1)
    theta = model.theta
    value, gradient, hessian = objective.evaluate(theta)
    assert value == pytest.approx(model.log_likelihood(data.frequency, data.recency, data.T).sum(), rel=1e-12)

    def total(at):
        return float(model.with_theta(at).log_likelihood(data.frequency, data.recency, data.T).sum())

    for index in range(theta.size):
        step = np.zeros(theta.size)
        step[index] = 1e-4 * theta[index]
        # Fourth-order central differences.
        slope = (
            8 * (total(theta + step) - total(theta - step)) - total(theta + 2 * step) + total(theta - 2 * step)
        ) / (12 * step[index])
        assert gradient[index] == pytest.approx(slope, rel=1e-6, abs=1e-6 / theta[index])
        ahead, behind = objective.evaluate(theta + step)[1], objective.evaluate(theta - step)[1]
        size = np.sqrt(np.abs(np.diag(hessian) * hessian[index, index]))
        assert np.abs(hessian[index] - (ahead - behind) / (2 * step[index])) == pytest.approx(
            0 * size, abs=1e-6 * size.max()
        )


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_simulated_customers_behave_as_expected(model):
    drawn = model.simulate(np.full(200_000, 30.0), rng=2005)
    frequency = drawn["frequency"].to_numpy()
    error = frequency.std() / np.sqrt(frequency.size)
    assert frequency.mean() == pytest.approx(float(model.expected_purchases_new(horizon=30)), abs=4.5 * error)
    for n in (0, 1, 2):
        share = float(model.probability_of_purchases_new(n=n, horizon=30))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 200_000))
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
    silent = model.probability_of_purchases(frequency, recency, 25.0, n=0, horizon=15)
    for x in (0, 1, 2):
        rows = frequency == x
        spread = late[rows].std() / np.sqrt(rows.sum())
        assert late[rows].mean() == pytest.approx(expected[rows].mean(), abs=4.5 * spread)
        assert np.mean(late[rows] == 0) == pytest.approx(silent[rows].mean(), abs=4.5 * 0.5 / np.sqrt(rows.sum()))


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_expected_purchases_is_the_mean_of_the_probabilities(model):
    n = np.arange(600)
    mass = model.probability_of_purchases(3, 12.0, 20.0, n=n, horizon=9.0)
    assert mass.sum() == pytest.approx(1.0, abs=1e-12)
    assert float(mass @ n) == pytest.approx(float(model.expected_purchases(3, 12.0, 20.0, horizon=9.0)), rel=1e-11)


def test_probabilities_far_in_the_tail_keep_their_digits():
    r, alpha, s, beta = (mp.mpf(float(v)) for v in CDNOW.theta)
    with mp.workdps(30):
        scale, power, left = alpha + 20, r + 3, beta + 20

        def purchases(n, u):
            return (
                mp.exp(mp.loggamma(power + n) - mp.loggamma(power) - mp.loggamma(n + 1))
                * (scale / (scale + u)) ** power
                * (u / (scale + u)) ** n
            )

        for n in (40, 400, 5_000):
            leave = lambda u, n=n: purchases(n, u) * s / left * (left / (left + u)) ** (s + 1)  # noqa: E731
            exact = purchases(n, 9) * (left / (left + 9)) ** s + mp.quad(leave, [0, 4, 7, 8, 8.5, 8.9, 8.99, 9])
            alive = float(CDNOW.probability_alive(3, 12.0, 20.0))
            found = CDNOW.probability_of_purchases(3, 12.0, 20.0, n=n, horizon=9.0)
            assert (
                mp.mpf(float(found)) / (alive * exact) == pytest.approx(1, rel=1e-9) if exact > 1e-300 else found == 0
            )


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_discounting_integrates_the_expectation(model):
    for force, horizon in ((0.002, 52.0), (0.1, 400.0), (1e-6, 3.0)):
        nodes, weights = np.polynomial.legendre.leggauss(200)
        time = horizon * (nodes + 1) / 2
        expected = model.expected_purchases(2, 30.43, 38.86, horizon=time)
        by_parts = force * np.sum(weights * np.exp(-force * time) * expected) * horizon / 2
        by_parts += np.exp(-force * horizon) * model.expected_purchases(2, 30.43, 38.86, horizon=horizon)
        found = model.discounted_expected_purchases(2, 30.43, 38.86, force=force, horizon=horizon)
        assert found == pytest.approx(by_parts, rel=1e-9)


def test_an_endless_sum_without_discount_exists_only_where_s_exceeds_1():
    with pytest.raises(InputError, match="infinite"):
        CDNOW.discounted_expected_purchases(2, 30.43, 38.86, force=0.0)
    steady = ParetoNBD(r=0.5, alpha=10.0, s=2.5, beta=12.0)
    endless = steady.discounted_expected_purchases(2, 30.43, 38.86, force=0.0)
    assert endless == pytest.approx(float(steady.expected_purchases(2, 30.43, 38.86, horizon=1e12)), rel=1e-9)


def test_many_customers_get_the_answers_of_single_ones():
    """Tables above a few rows go through interpolated curves; single customers do not."""
    rng = np.random.default_rng(7)
    age = rng.uniform(0.0, 3_000.0, 4_000)
    frequency = rng.choice([0, 1, 2, 40, 3_000], 4_000)
    recency = np.where(frequency > 0, age * rng.uniform(0, 1, 4_000), 0.0)

    def answers(*history):
        return {
            "alive": CDNOW.probability_alive(*history, after=30),
            "expected": CDNOW.expected_purchases(*history, horizon=365),
            "discounted": CDNOW.discounted_expected_purchases(*history, discount_rate=0.001, horizon=365),
        }

    many = answers(frequency, recency, age)
    for row in range(0, 4_000, 401):
        for name, value in answers(frequency[row], recency[row], age[row]).items():
            assert many[name][row] == pytest.approx(value, rel=1e-11), name


def test_parameters_may_differ_between_customers():
    r, beta = np.array([0.3, 0.5, 0.9]), np.array([5.0, 11.0, 30.0])
    together = ParetoNBD(r=r, alpha=10.0, s=0.6, beta=beta)
    history = [0, 2, 7], [0.0, 12.0, 19.0], [20.0, 20.0, 20.0]
    for row in range(3):
        alone = ParetoNBD(r=r[row], alpha=10.0, s=0.6, beta=beta[row])
        single = tuple(column[row] for column in history)
        for answer in (
            lambda model, *h: model.log_likelihood(*h),
            lambda model, *h: model.probability_alive(*h, after=3.0),
            lambda model, *h: model.expected_purchases(*h, horizon=9.0),
            lambda model, *h: model.discounted_expected_purchases(*h, discount_rate=0.01),
            lambda model, *h: model.probability_of_purchases(*h, n=2, horizon=9.0),
        ):
            assert answer(together, *history)[row] == pytest.approx(float(answer(alone, *single)), rel=1e-12)


def test_answers_are_those_of_lifetimes():
    fitter = to_lifetimes(CDNOW)
    drawn = CDNOW.simulate(np.linspace(27, 39, 500), rng=1)
    history = tuple(drawn[name].to_numpy() for name in ("frequency", "recency", "T"))
    theirs = fitter.conditional_expected_number_of_purchases_up_to_time(39, *history)
    assert CDNOW.expected_purchases(*history, horizon=39) == pytest.approx(theirs, rel=1e-8)
    assert CDNOW.probability_alive(*history) == pytest.approx(fitter.conditional_probability_alive(*history), rel=1e-8)


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
    """Whoever stays for the first part buys in the second at an unchanged mean rate."""
    frequency, _, age = history
    whole = float(model.expected_purchases(*history, horizon=first + second))
    start = float(model.expected_purchases(*history, horizon=first))
    stays = model.probability_alive(*history, after=first)
    rate = (model.r + frequency) / (model.alpha + age)
    time = float(model.expected_purchases(0, 0.0, age + first, horizon=second)) / (
        float(model.probability_alive(0, 0.0, age + first)) * model.r / (model.alpha + age + first)
    )
    assert whole == pytest.approx(start + float(stays) * rate * time, rel=1e-9)


@given(model=models, history=histories(), factor=st.floats(1e-3, 1e3))
def test_answers_do_not_depend_on_the_unit_of_time(model, history, factor):
    frequency, recency, age = history
    other = ParetoNBD(r=model.r, alpha=model.alpha * factor, s=model.s, beta=model.beta * factor)
    # Rounding may carry recency past T.
    scaled = frequency, min(recency * factor, age * factor), age * factor
    alive = float(model.probability_alive(*history))
    assert other.probability_alive(*scaled) == pytest.approx(alive, rel=1e-7, abs=1e-300)
    here = float(model.expected_purchases(*history, horizon=10.0))
    assert other.expected_purchases(*scaled, horizon=10.0 * factor) == pytest.approx(here, rel=1e-7, abs=1e-300)


@given(model=models, history=histories(), force=st.floats(1e-6, 1.0))
def test_a_discount_lowers_the_value_of_the_future(model, history, force):
    plain = float(model.expected_purchases(*history, horizon=50))
    lower = float(model.discounted_expected_purchases(*history, force=force, horizon=50))
    assert plain * np.exp(-50 * force) * (1 - 1e-9) <= lower <= plain * (1 + 1e-9)


def test_nothing_overflows_where_customers_buy_ten_thousand_times():
    x = np.array([0, 1, 10, 100, 1_000, 10_000])
    for model in FAMILY:
        for age in (0.5, 39.0, 3_000.0, 100_000.0):
            for share in (0.1, 0.9, 1.0):
                recency = np.where(x > 0, share * age, 0.0)
                with np.errstate(all="raise", under="ignore"):
                    alive = model.probability_alive(x, recency, age)
                    ahead = model.expected_purchases(x, recency, age, horizon=age)
                    present = model.discounted_expected_purchases(x, recency, age, discount_rate=0.01, horizon=age)
                    mass = model.probability_of_purchases(x, recency, age, n=[0, 1, 2, 3, 50, 9_000], horizon=age)
                assert ((alive >= 0) & (alive <= 1) & (mass >= 0) & (mass <= 1 + 1e-12)).all()
                assert (np.isfinite(ahead) & (ahead >= 0) & np.isfinite(present) & (present >= 0)).all()


def test_arguments_broadcast_and_scalars_stay_scalars():
    assert CDNOW.probability_alive(np.arange(3)[:, None], [0.0, 0.0], 10.0).shape == (3, 2)
    for scalar in (
        CDNOW.log_likelihood(2, 30.43, 38.86),
        CDNOW.probability_alive(2, 30.43, 38.86),
        CDNOW.expected_purchases(2, 30.43, 38.86, horizon=39),
        CDNOW.discounted_expected_purchases(2, 30.43, 38.86, force=0.01),
        CDNOW.probability_of_purchases(2, 30.43, 38.86, n=2, horizon=39),
    ):
        assert np.ndim(scalar) == 0
    assert CDNOW.probability_of_purchases_new(n=[[0], [1]], horizon=[10, 39]).shape == (2, 2)
    assert CDNOW.expected_purchases_new(horizon=0.0) == 0.0
    with pytest.raises(InputError, match="recency exceeds T"):
        CDNOW.probability_alive(2, 60.0, 39.0)


# ---------------------------------------------------------------- fitting


def test_a_fit_does_not_depend_on_the_unit_of_time(cdnow_summary):
    weeks = ParetoNBD.fit(cdnow_summary)
    for factor in (7.0, 168.0, 1 / 52):
        scaled = cdnow_summary.assign(recency=cdnow_summary["recency"] * factor, T=cdnow_summary["T"] * factor)
        fit = ParetoNBD.fit(scaled)
        assert (fit.model.r, fit.model.s) == pytest.approx((weeks.model.r, weeks.model.s), rel=1e-6)
        lengths = fit.model.alpha / factor, fit.model.beta / factor
        assert lengths == pytest.approx((weeks.model.alpha, weeks.model.beta), rel=1e-6)


def test_counts_are_repetitions(cdnow_summary):
    rows = cdnow_summary.groupby(["frequency", "recency", "T"]).size().rename("customers").reset_index()
    whole, counted = ParetoNBD.fit(cdnow_summary), ParetoNBD.fit(rows, counts="customers")
    assert counted.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-7)
    assert counted.model.theta == pytest.approx(whole.model.theta, rel=1e-7)
    assert counted.customers == whole.customers == 2357


def test_a_fit_has_the_same_bits_for_any_number_of_threads():
    drawn = CDNOW.simulate(np.random.default_rng(5).uniform(10, 60, 120_000), rng=5)
    one = ParetoNBD.fit(drawn, threads=1)
    assert ParetoNBD.fit(drawn, threads=3) == one
    for name, value in zip(CDNOW.parameters, CDNOW.theta, strict=True):
        assert getattr(one.model, name) == pytest.approx(value, abs=4 * one.standard_errors[name])


@pytest.mark.parametrize(
    ("truth", "rng"),
    [
        (NBD(r=0.5, alpha=10.0), 6),
        (ExponentialNBD(r=0.5, alpha=8.0, mu=0.03), 5),
        (EarlyTwoTypeNBD(r=2.0, alpha=8.0, share=0.3), 5),
    ],
    ids=["NBD", "ExponentialNBD", "EarlyTwoTypeNBD"],
)
def test_a_likelihood_without_maximum_names_its_limit(truth, rng):
    drawn = truth.simulate(np.linspace(30, 60, 3_000), rng=rng)
    with pytest.raises(FitError, match="has no maximum") as caught:
        ParetoNBD.fit(drawn)
    found = caught.value.limit
    assert type(found.model) is type(truth)
    for name in found.model.parameters:
        assert getattr(found.model, name) == pytest.approx(getattr(truth, name), abs=4 * found.standard_errors[name])
    assert ParetoNBD.fit(drawn, penalty=0.1).log_likelihood <= found.log_likelihood


def test_data_that_identify_nothing_are_refused():
    frame = pd.DataFrame({"frequency": 0, "recency": 0.0, "T": np.linspace(27, 39, 50)})
    with pytest.raises(FitError, match="repeat purchase"):
        ParetoNBD.fit(frame)
    with pytest.raises(InputError, match="recency"):
        ParetoNBD.fit(pd.DataFrame({"frequency": [1, 2], "recency": [1.0, np.nan], "T": [5.0, 5.0]}))


def test_predictions_of_a_fit_carry_intervals(cdnow_summary):
    fit = ParetoNBD.fit(cdnow_summary)
    table = fit.predict(cdnow_summary, horizon=39, level=0.9).to_frame()
    for name in ("probability_alive", "expected_purchases"):
        inside = (table[f"{name}_low"] <= table[name]) & (table[name] <= table[f"{name}_high"])
        assert inside.all()
    alone = fit.model.expected_purchases(*(cdnow_summary[name] for name in ("frequency", "recency", "T")), horizon=39)
    assert table["expected_purchases"].to_numpy() == pytest.approx(alone, rel=1e-11)


def test_covariates_move_purchases_and_dropout():
    """A covariate multiplies the mean purchase rate and the mean rate of leaving by exp(coefficient * value)."""
    groups = [
        ParetoNBD(r=0.6, alpha=10.0 * np.exp(-0.5 * w), s=0.7, beta=12.0 * np.exp(0.4 * w))
        .simulate(np.full(3_000, 40.0), rng=w)
        .assign(w=w)
        for w in (0, 1)
    ]
    fit = ParetoNBD.fit(pd.concat(groups, ignore_index=True), purchase_covariates=["w"], dropout_covariates=["w"])
    assert fit.model.coefficients["purchase.w"] == pytest.approx(0.5, abs=0.2)
    assert fit.model.coefficients["dropout.w"] == pytest.approx(-0.4, abs=0.3)
