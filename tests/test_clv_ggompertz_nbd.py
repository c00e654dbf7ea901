"""GGompertz/NBD: its neighbours, laws of the model, and two ways to every number."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from places import lifetimes_file
from retention_metrics.clv import GGompertzNBD, ParetoNBD
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_limits import ExponentialNBD, GGompertzPoisson, GompertzNBD, GompertzPoisson
from retention_metrics.errors import FitError

RISING = GGompertzNBD(r=0.55, alpha=10.0, b=0.15, s=1.0, beta=20.0)
FALLING = GGompertzNBD(r=0.55, alpha=10.6, b=0.02, s=0.6, beta=0.25)
FAMILY = [
    RISING,
    FALLING,
    GompertzNBD(r=0.5, alpha=8.0, b=0.05, eta=0.5),
    GGompertzPoisson(rate=0.1, b=0.1, s=0.7, beta=3.0),
    GompertzPoisson(rate=0.1, b=0.05, eta=0.5),
]
by_name = ["rising", "falling", *(type(model).__name__ for model in FAMILY[2:])]

shapes = st.floats(0.05, 20.0)
models = st.builds(
    GGompertzNBD, r=shapes, alpha=st.floats(0.1, 200.0), b=st.floats(1e-3, 2.0), s=shapes, beta=st.floats(0.01, 100.0)
)


@st.composite
def histories(draw):
    """(frequency, recency, T) that can have happened."""
    age = draw(st.floats(0.1, 200.0))
    frequency = draw(st.integers(0, 60))
    return frequency, age * draw(st.floats(0.01, 1.0)) if frequency else 0.0, age


def arrays(frame):
    return Histories(*(frame[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))


# ---------------------------------------------------------------- neighbours


def test_on_cdnow_the_likelihood_rises_to_that_of_pareto_nbd():
    cdnow = pd.read_csv(lifetimes_file("cdnow_customers_summary.csv"))
    with pytest.raises(FitError, match="towards ParetoNBD") as caught:
        GGompertzNBD.fit(cdnow)
    limit, pareto = caught.value.limit, ParetoNBD.fit(cdnow)
    assert limit.log_likelihood == pytest.approx(-9594.9739, abs=5e-5)
    assert limit.model.theta == pytest.approx(pareto.model.theta, rel=1e-9)
    # At the limit's other parameters and its ratio of beta to b the likelihood rises all the way down in b.
    columns = [cdnow[name] for name in ("frequency", "recency", "T")]
    near = [
        float(GGompertzNBD(**_near(limit.model, b)).log_likelihood(*columns).sum()) for b in (1e-3, 1e-4, 1e-5, 1e-6)
    ]
    assert near == sorted(near)
    assert near[-1] == pytest.approx(limit.log_likelihood, abs=1e-3)


def _near(pareto, b):
    return {"r": pareto.r, "alpha": pareto.alpha, "b": b, "s": pareto.s, "beta": b * pareto.beta}


@given(history=histories())
def test_with_b_near_0_it_is_pareto_nbd(history):
    pareto = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)
    near = GGompertzNBD(**_near(pareto, 1e-12))
    for answer in (
        lambda model: model.log_likelihood(*history),
        lambda model: model.probability_alive(*history, after=7.0),
        lambda model: model.expected_purchases(*history, horizon=39.0),
        lambda model: model.probability_of_purchases(*history, n=2, horizon=39.0),
    ):
        assert float(answer(near)) == pytest.approx(float(answer(pareto)), rel=1e-8)


@given(history=histories())
def test_with_beta_1_lifetimes_are_exponential(history):
    gompertz = GGompertzNBD(r=0.5, alpha=8.0, b=0.06, s=0.5, beta=1.0)
    exponential = ExponentialNBD(r=0.5, alpha=8.0, mu=0.03)
    for answer in (
        lambda model: model.log_likelihood(*history),
        lambda model: model.probability_alive(*history, after=7.0),
        lambda model: model.expected_purchases(*history, horizon=39.0),
        lambda model: model.discounted_expected_purchases(*history, force=0.0),
        lambda model: model.probability_of_purchases(*history, n=2, horizon=39.0),
    ):
        assert float(answer(gompertz)) == pytest.approx(float(answer(exponential)), rel=1e-10)


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("history", [(0, 0.0, 20.0), (1, 3.0, 20.0), (7, 18.0, 20.0)])
@pytest.mark.parametrize("model", [RISING, FALLING], ids=["rising", "falling"])
def test_likelihood_is_the_mean_over_purchase_rates_and_frailties(model, history):
    x, t_x, age = history
    r, alpha, b, s, beta = model.theta
    nodes, weights = np.polynomial.legendre.leggauss(400)
    place = (nodes + 1) / 2

    def mean(shape, rate, function):
        """Over Gamma(shape, rate), on the eighth root of the variable: there the density has no singularity."""
        top = stats.gamma.isf(1e-25, shape, scale=1 / rate) ** (1 / 8)
        u = top * place
        weight = top / 2 * weights * 8 * u**7 * stats.gamma.pdf(u**8, shape, scale=1 / rate)
        return function(u**8) @ weight

    def purchases(time):
        return mean(r, alpha, lambda rate: rate**x * np.exp(-rate * time[:, None]))

    def stays(time):
        return mean(s, beta, lambda frailty: np.exp(-frailty * np.expm1(b * time)[:, None]))

    def leaves(time):
        growth = np.exp(b * time)[:, None]
        return mean(s, beta, lambda frailty: frailty * b * growth * np.exp(-frailty * np.expm1(b * time)[:, None]))

    time, end = t_x + (age - t_x) * place, np.array([age])
    on_the_way = (age - t_x) / 2 * weights @ (purchases(time) * leaves(time))
    total = float((purchases(end) * stays(end))[0] + on_the_way)
    assert model.log_likelihood(*history) == pytest.approx(np.log(total), abs=1e-9)


def exact_log_likelihood(model, x, t_x, age):
    """The likelihood by multiple precision, on the logarithm of the time since the last purchase."""
    with mp.workdps(30):
        r, alpha, b, s, beta = (mp.mpf(float(v)) for v in model.theta)
        start, span = mp.mpf(t_x), mp.mpf(age) - mp.mpf(t_x)
        grown = lambda u: beta + mp.expm1(b * u)  # noqa: E731
        stay = lambda u: ((alpha + start) / (alpha + u)) ** (r + x) * (grown(start) / grown(u)) ** s  # noqa: E731
        total = stay(start + span)
        if span > 0:
            top = mp.log(span)

            def leave(w):
                age_then = start + mp.exp(w)
                return stay(age_then) * s * b * mp.exp(b * age_then + w) / grown(age_then)

            turn = mp.log(max(mp.log(beta) / b - start, span * mp.mpf("1e-9"))) if beta > 1 else top
            points = [
                top - 200,
                *(top - k for k in range(110, 0, -1)),
                *(turn + k / mp.mpf(10) for k in range(-10, 11)),
            ]
            total += mp.quad(leave, [*sorted(p for p in points if p < top), top], maxdegree=6)
        before = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) - (r + x) * mp.log(alpha + start)
        return float(mp.log(total) + before + s * mp.log(beta / grown(start)))


def test_likelihood_is_right_to_the_last_digits_over_the_whole_box():
    rng = np.random.default_rng(2012)
    for _ in range(10):
        model = GGompertzNBD(**dict(zip(GGompertzNBD.parameters, 10 ** rng.uniform(-3, 3, 5), strict=True)))
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

    def total(at):
        return float(model.with_theta(at).log_likelihood(data.frequency, data.recency, data.T).sum())

    assert value == pytest.approx(total(theta), rel=1e-12)
    scale = np.sqrt(np.abs(np.diag(hessian)))
    for index in range(theta.size):
        step = np.zeros(theta.size)
        step[index] = 1e-4 * theta[index]
        # Fourth-order central differences.
        near, far = total(theta + step) - total(theta - step), total(theta + 2 * step) - total(theta - 2 * step)
        assert gradient[index] == pytest.approx(
            (8 * near - far) / (12 * step[index]), rel=1e-6, abs=1e-6 / theta[index]
        )
        change = objective.evaluate(theta + step)[1] - objective.evaluate(theta - step)[1]
        assert np.all(np.abs(hessian[index] - change / (2 * step[index])) <= 1e-6 * scale[index] * scale)


def test_the_conditional_expectation_is_the_rate_times_the_expected_time_alive():
    """Adler 2022: the printed formula of the paper is corrected to this."""
    x, age, horizon = 3, 20.0, 39.0
    for model in (RISING, FALLING):
        r, alpha, b, s, beta = (mp.mpf(float(v)) for v in model.theta)
        grown = lambda u, b=b, beta=beta: beta + mp.expm1(b * u)  # noqa: E731
        time = mp.quad(lambda u, s=s, grown=grown: (grown(age) / grown(age + u)) ** s, [0, 10, 20, horizon])
        exact = float((r + x) / (alpha + age) * time)
        alive = float(model.probability_alive(x, 12.0, age))
        assert model.expected_purchases(x, 12.0, age, horizon=horizon) == pytest.approx(alive * exact, rel=1e-12)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_simulated_customers_behave_as_expected(model):
    drawn = model.simulate(np.full(200_000, 30.0), rng=2005)
    frequency = drawn["frequency"].to_numpy()
    error = frequency.std() / np.sqrt(frequency.size)
    assert frequency.mean() == pytest.approx(float(model.expected_purchases_new(horizon=30)), abs=4.5 * error)
    for n in (0, 1, 2):
        share = float(model.probability_of_purchases_new(n=n, horizon=30))
        assert np.mean(frequency == n) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 200_000))
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
        spread = late[rows].std() / np.sqrt(rows.sum())
        assert late[rows].mean() == pytest.approx(expected[rows].mean(), abs=4.5 * spread)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_expected_purchases_is_the_mean_of_the_probabilities(model):
    n = np.arange(600)
    mass = model.probability_of_purchases(3, 12.0, 20.0, n=n, horizon=9.0)
    assert mass.sum() == pytest.approx(1.0, abs=1e-11)
    assert float(mass @ n) == pytest.approx(float(model.expected_purchases(3, 12.0, 20.0, horizon=9.0)), rel=1e-10)


def exact_mass(model, n, horizon):
    """Probability of n purchases of a new customer: of those who stay, and of those who leave on the way."""
    r, alpha, b = (mp.mpf(getattr(model, name)) for name in ("r", "alpha", "b"))

    def bought(time):
        ways = mp.gammaprod([r + n], [r, n + 1])
        return ways * (alpha / (alpha + time)) ** r * (time / (alpha + time)) ** n

    def stays(time):
        if hasattr(model, "eta"):
            return mp.exp(-model.eta * mp.expm1(b * time))
        return (model.beta / (mp.mpf(model.beta) - 1 + mp.exp(b * time))) ** model.s

    def leaves(time):
        if hasattr(model, "eta"):
            return model.eta * b * mp.exp(b * time)
        return model.s * b * mp.exp(b * time) / (mp.mpf(model.beta) - 1 + mp.exp(b * time))

    with mp.workdps(20):
        panels = [mp.mpf(horizon) * step / 100 for step in range(101)]
        gone = mp.quad(lambda time: bought(time) * stays(time) * leaves(time), panels)
        return bought(mp.mpf(horizon)) * stays(mp.mpf(horizon)) + gone


@pytest.mark.parametrize(
    ("model", "horizon"),
    [
        (GGompertzNBD(r=0.25, alpha=4.4, b=1.0, s=100.0, beta=1_000.0), 40.0),
        (GGompertzNBD(r=0.25, alpha=4.4, b=0.2, s=0.5, beta=1e-3), 100.0),
        (GompertzNBD(r=0.25, alpha=4.4, b=2.0, eta=1e-3), 30.0),
        (GompertzNBD(r=0.25, alpha=4.4, b=0.5, eta=1e-6), 100.0),
    ],
)
@pytest.mark.parametrize("n", [0, 50])
def test_probabilities_are_right_where_everybody_leaves_at_once(model, horizon, n):
    found = model.probability_of_purchases_new(n=n, horizon=horizon)
    assert found == pytest.approx(float(exact_mass(model, n, horizon)), rel=1e-11)


@pytest.mark.parametrize("model", FAMILY, ids=by_name)
def test_discounting_integrates_the_expectation(model):
    for force, horizon in ((0.002, 52.0), (0.1, 400.0), (1e-6, 3.0)):
        nodes, weights = np.polynomial.legendre.leggauss(300)
        time = horizon * (nodes + 1) / 2
        expected = model.expected_purchases(2, 30.43, 38.86, horizon=time)
        by_parts = force * np.sum(weights * np.exp(-force * time) * expected) * horizon / 2
        by_parts += np.exp(-force * horizon) * model.expected_purchases(2, 30.43, 38.86, horizon=horizon)
        found = model.discounted_expected_purchases(2, 30.43, 38.86, force=force, horizon=horizon)
        assert found == pytest.approx(by_parts, rel=1e-9)
    endless = model.discounted_expected_purchases(2, 30.43, 38.86, force=0.0)
    assert endless == pytest.approx(float(model.expected_purchases(2, 30.43, 38.86, horizon=1e6)), rel=1e-12)


def test_many_customers_get_the_answers_of_single_ones():
    """Tables above a few rows go through interpolated curves; single customers do not."""
    rng = np.random.default_rng(7)
    age = rng.uniform(0.0, 300.0, 2_000)
    frequency = rng.choice([0, 1, 2, 40, 3_000], 2_000)
    recency = np.where(frequency > 0, age * rng.uniform(0, 1, 2_000), 0.0)
    for model in (RISING, FALLING):

        def answers(*history, model=model):
            return {
                "alive": model.probability_alive(*history, after=30),
                "expected": model.expected_purchases(*history, horizon=365),
                "discounted": model.discounted_expected_purchases(*history, discount_rate=0.001, horizon=365),
            }

        many = answers(frequency, recency, age)
        for row in range(0, 2_000, 201):
            for name, value in answers(frequency[row], recency[row], age[row]).items():
                assert many[name][row] == pytest.approx(value, rel=1e-10), name


def test_parameters_may_differ_between_customers():
    r, beta = np.array([0.3, 0.5, 0.9]), np.array([0.2, 1.0, 30.0])
    together = GGompertzNBD(r=r, alpha=10.0, b=0.1, s=0.6, beta=beta)
    history = [0, 2, 7], [0.0, 12.0, 19.0], [20.0, 20.0, 20.0]
    for row in range(3):
        alone = GGompertzNBD(r=r[row], alpha=10.0, b=0.1, s=0.6, beta=beta[row])
        single = tuple(column[row] for column in history)
        for answer in (
            lambda model, *h: model.log_likelihood(*h),
            lambda model, *h: model.probability_alive(*h, after=3.0),
            lambda model, *h: model.expected_purchases(*h, horizon=9.0),
            lambda model, *h: model.discounted_expected_purchases(*h, discount_rate=0.01),
            lambda model, *h: model.probability_of_purchases(*h, n=2, horizon=9.0),
        ):
            assert answer(together, *history)[row] == pytest.approx(float(answer(alone, *single)), rel=1e-12)


# ---------------------------------------------------------------- laws


@given(model=models, history=histories(), wait=st.floats(0.0, 100.0))
def test_silence_never_makes_a_customer_more_alive(model, history, wait):
    frequency, recency, age = history
    now, later = model.probability_alive(frequency, recency, [age, age + wait])
    assert 0 <= later <= now + 1e-12 <= 1 + 1e-12


@given(model=models, history=histories(), horizon=st.floats(0.1, 100.0))
def test_expected_purchases_grow_with_the_horizon_ever_more_slowly(model, history, horizon):
    half, whole = model.expected_purchases(*history, horizon=[horizon / 2, horizon])
    assert half <= whole * (1 + 1e-12)
    assert whole <= 2 * half * (1 + 1e-10)


@given(model=models, history=histories(), factor=st.floats(1e-3, 1e3))
def test_answers_do_not_depend_on_the_unit_of_time(model, history, factor):
    frequency, recency, age = history
    other = GGompertzNBD(r=model.r, alpha=model.alpha * factor, b=model.b / factor, s=model.s, beta=model.beta)
    # Rounding may carry recency past T.
    scaled = frequency, min(recency * factor, age * factor), age * factor
    alive = float(model.probability_alive(*history))
    assert other.probability_alive(*scaled) == pytest.approx(alive, rel=1e-7, abs=1e-300)
    here = float(model.expected_purchases(*history, horizon=10.0))
    assert other.expected_purchases(*scaled, horizon=10.0 * factor) == pytest.approx(here, rel=1e-7, abs=1e-300)


def test_nothing_overflows_where_customers_buy_ten_thousand_times():
    x = np.array([0, 1, 10, 100, 1_000, 10_000])
    for model in (*FAMILY, GGompertzNBD(r=0.5, alpha=10.0, b=1_000.0, s=0.001, beta=1_000.0)):
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


# ---------------------------------------------------------------- fitting


def test_where_leaving_grows_likelier_with_age_it_beats_pareto_nbd_and_finds_b():
    drawn = RISING.simulate(np.full(5_000, 60.0), rng=1)
    fit = GGompertzNBD.fit(drawn)
    for name, true in zip(RISING.parameters, RISING.theta, strict=True):
        assert getattr(fit.model, name) == pytest.approx(true, abs=2 * fit.standard_errors[name])
    with pytest.raises(FitError) as caught:  # Pareto lifetimes cannot bend that way: the best have one rate of leaving
        ParetoNBD.fit(drawn)
    assert fit.log_likelihood > caught.value.limit.log_likelihood + 10


def test_a_fit_does_not_depend_on_the_unit_of_time():
    weeks = RISING.simulate(np.linspace(40, 60, 2_000), rng=4)
    days = weeks.assign(recency=np.minimum(weeks["recency"] * 7, weeks["T"] * 7), T=weeks["T"] * 7)
    one, other = GGompertzNBD.fit(weeks).model, GGompertzNBD.fit(days).model
    expected = [one.r, one.alpha * 7, one.b / 7, one.s, one.beta]
    assert other.theta == pytest.approx(np.array(expected), rel=1e-6)


def test_counts_are_repetitions():
    drawn = RISING.simulate(np.linspace(40, 60, 500), rng=4)
    twice = pd.concat([drawn, drawn])
    counted = GGompertzNBD.fit(drawn.assign(customers=2), counts="customers", penalty=0.01)
    whole = GGompertzNBD.fit(twice, penalty=0.01)
    assert counted.model.theta == pytest.approx(whole.model.theta, rel=1e-6)
    assert counted.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-7)


def test_one_gompertz_law_for_all_is_named_as_the_limit():
    truth = GompertzNBD(r=0.5, alpha=8.0, b=0.08, eta=0.1)
    drawn = truth.simulate(np.linspace(30, 60, 2_000), rng=5)
    with pytest.raises(FitError, match="all customers share one Gompertz law") as caught:
        GGompertzNBD.fit(drawn)
    found = caught.value.limit
    for name in truth.parameters:
        assert getattr(found.model, name) == pytest.approx(getattr(truth, name), abs=4 * found.standard_errors[name])
