"""Where Gamma-Gamma has no maximum: customers who do not differ, and customers whose purchases do not."""

from __future__ import annotations

import json

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv import BGNBD, GammaGamma, lifetime_value
from retention_metrics.clv.spend_limits import SPEND_LIMITS, GammaSpend, InverseGammaSpend
from retention_metrics.errors import FitError, InputError

FAR = 1e7
ONE = GammaSpend(p=2.5, mu=35.0)
FIRM = InverseGammaSpend(q=3.0, s=70.0)
EDGES = [
    (ONE, GammaGamma(p=2.5, q=FAR, v=35.0 * FAR / 2.5)),
    (FIRM, GammaGamma(p=FAR, q=3.0, v=70.0 / FAR)),
]
FAMILY = [limit for limit, _ in EDGES]
over_edges = pytest.mark.parametrize(("limit", "near"), EDGES, ids=[type(limit).__name__ for limit in FAMILY])
over_family = pytest.mark.parametrize("limit", FAMILY, ids=[type(limit).__name__ for limit in FAMILY])
HISTORIES = np.array([1, 2, 7, 40]), np.array([12.0, 90.0, 33.0, 36.0])


def drawn(limit, size=400, rng=6) -> pd.DataFrame:
    frequency = np.random.default_rng(rng).integers(0, 7, size)
    return pd.DataFrame({"frequency": frequency, "monetary_value": limit.simulate(frequency, rng=rng)})


def refused(table, **how) -> FitError:
    with pytest.raises(FitError, match="has no maximum on these data") as caught:
        GammaGamma.fit(table, **how)
    assert caught.value.limit is not None
    return caught.value


def total(model, table) -> float:
    """Log-likelihood of the repeat buyers by the model's public formula."""
    repeat = table[table["frequency"] > 0]
    return float(model.log_likelihood(repeat["frequency"], repeat["monetary_value"]).sum())


def test_every_limit_is_tested():
    assert {type(limit) for limit in FAMILY} == set(SPEND_LIMITS)


# ---------------------------------------------------------------- a limit is one


@over_edges
def test_gamma_gamma_comes_ever_closer(limit, near):
    x, m = HISTORIES
    assert near.log_likelihood(x, m) == pytest.approx(limit.log_likelihood(x, m), abs=1e-4)
    expected = limit.expected_value([0, *x], [0.0, *m])
    assert near.expected_value([0, *x], [0.0, *m]) == pytest.approx(expected, rel=1e-5)


@over_family
def test_density_is_that_of_the_story(limit):
    """The mean of x gamma purchases is gamma; a spend that never varies is inverse-gamma."""
    for x, m in zip(*HISTORIES, strict=True):
        if isinstance(limit, GammaSpend):
            shape, rate = mp.mpf(limit.p) * x, mp.mpf(limit.p) * x / limit.mu
            density = rate**shape / mp.gamma(shape) * mp.mpf(m) ** (shape - 1) * mp.exp(-rate * m)
        else:
            q, s = mp.mpf(limit.q), mp.mpf(limit.s)
            density = s**q / mp.gamma(q) * mp.mpf(m) ** (-q - 1) * mp.exp(-s / m)
        assert limit.log_likelihood(x, m) == pytest.approx(float(mp.log(density)), abs=1e-12)


@pytest.mark.parametrize("shape", [1e2, 999.0, 1e3, 1e5, 1e9, 1e12])
def test_density_of_spends_that_hardly_vary_keeps_its_digits(shape):
    with mp.workdps(40):
        rate = mp.mpf(shape) / 35
        away = mp.mpf(35) * (1 + mp.sqrt(1 / mp.mpf(shape)))
        m = mp.mpf(float(away))
        of_gamma = shape * mp.log(rate) - mp.loggamma(shape) + (shape - 1) * mp.log(m) - rate * m
        s = mp.mpf(shape) * 35
        of_inverse = shape * mp.log(s) - mp.loggamma(shape) - (shape + 1) * mp.log(m) - s / m
    one, firm = GammaSpend(p=shape, mu=35.0), InverseGammaSpend(q=shape, s=shape * 35)
    assert one.log_likelihood(1, float(m)) == pytest.approx(float(of_gamma), abs=1e-8)
    assert firm.log_likelihood(1, float(m)) == pytest.approx(float(of_inverse), abs=1e-8)


@over_family
def test_simulated_spend_has_the_mean_that_is_expected(limit):
    spent = limit.simulate(np.full(200_000, 3), rng=2013)
    assert spent.mean() == pytest.approx(float(limit.expected_value(0, None)), abs=4.5 * spent.std() / 447)
    assert np.isnan(limit.simulate([0], rng=1)).all()


def test_a_spend_without_a_mean_is_said_to_have_none():
    endless = InverseGammaSpend(q=0.9, s=70.0)
    assert endless.expected_value([0, 2], [None, 22.0]).tolist() == [np.inf, 22.0]
    history = pd.DataFrame({"frequency": [0, 2], "recency": [0.0, 3.0], "T": [9.0, 9.0], "monetary_value": [0.0, 22.0]})
    with pytest.raises(InputError, match=r"q is above 1 .* got q = 0.9.* 1 of 2 histories is infinite"):
        lifetime_value(BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426), endless, history, horizon=9)


# ---------------------------------------------------------------- a limit is fitted


@over_family
@pytest.mark.parametrize("counted", [False, True])
def test_gradient_and_hessian_are_derivatives_of_the_likelihood(limit, counted):
    table = drawn(limit).assign(customers=np.random.default_rng(7).integers(0, 4, 400))
    columns = {"counts": "customers"} if counted else {}
    objective = type(limit)._objective(type(limit)._read(table, columns), threads=None)
    repeat = table[table["frequency"] > 0]
    weights = repeat["customers"].to_numpy() if counted else np.ones(len(repeat))
    at = limit.theta * [1.1, 0.9]

    def value(point):
        return float(weights @ limit.with_theta(point).log_likelihood(repeat["frequency"], repeat["monetary_value"]))

    height, gradient, hessian = objective.evaluate(at)
    assert height == pytest.approx(value(at), rel=1e-12)
    steps = np.diag(1e-5 * at)
    assert gradient == pytest.approx([(value(at + h) - value(at - h)) / (2 * h.sum()) for h in steps], rel=1e-6)
    curves = [(objective.evaluate(at + h)[1] - objective.evaluate(at - h)[1]) / (2 * h.sum()) for h in steps]
    assert hessian == pytest.approx(np.array(curves), rel=1e-6, abs=1e-8 * np.abs(hessian).max())


@over_family
def test_its_own_fit_finds_it_again(limit):
    fit = type(limit).fit(drawn(limit, 4_000))
    for name, error in fit.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(limit, name), abs=3.5 * error)


def test_estimates_solve_their_equations():
    """The equations of the docstrings, by multiple precision."""
    repeat = drawn(ONE).query("frequency > 0")
    x, m = repeat["frequency"].to_numpy(), repeat["monetary_value"].to_numpy()
    one = GammaSpend.fit(repeat).model
    assert one.mu == pytest.approx((x @ m) / x.sum(), rel=1e-10)
    left = mp.fsum(k * (mp.log(one.p * k) - mp.digamma(one.p * k)) for k in x)
    assert float(left) == pytest.approx(float(x @ (m / one.mu - 1 - np.log(m / one.mu))), rel=1e-8)
    firm = InverseGammaSpend.fit(repeat).model
    assert firm.s == pytest.approx(firm.q / np.mean(1 / m), rel=1e-8)
    assert float(mp.log(firm.q) - mp.digamma(firm.q)) == pytest.approx(
        np.log(np.mean(1 / m)) + np.mean(np.log(m)), rel=1e-8
    )


@over_family
@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_data_without_a_maximum_name_the_model_they_came_from(limit, unit):
    table = drawn(limit)
    here = table.assign(monetary_value=table["monetary_value"] * unit)
    error = refused(here)
    assert type(error.limit.model) is type(limit)
    assert limit.limit_of in error.limit.notes[-1]
    assert error.limit.log_likelihood == pytest.approx(total(error.limit.model, here), rel=1e-10)
    assert error.limit.model.theta == pytest.approx(refused(table).limit.model.theta * [1, unit], rel=1e-8)


@over_family
def test_no_gamma_gamma_climbs_above_its_limit(limit):
    table = drawn(limit)
    found = refused(table).limit
    first, second = found.model.theta
    heights = []
    for far in (10.0, 1e2, 1e4, 1e6):
        if isinstance(limit, GammaSpend):
            near = GammaGamma(p=first, q=far, v=second * far / first)
        else:
            near = GammaGamma(p=far, q=first, v=second / far)
        heights.append(total(near, table))
    assert (np.diff(heights) > 0).all()
    assert heights[-1] < found.log_likelihood
    assert heights[-1] == pytest.approx(found.log_likelihood, abs=0.02)


def test_spends_that_are_all_equal_identify_neither_limit():
    table = pd.DataFrame({"frequency": [3, 2, 5], "monetary_value": [9.0, 9.0 + 1e-12, 9.0]})
    with pytest.raises(FitError, match=r"3 repeat buyers show no difference in spend, each with a mean of 9") as caught:
        GammaGamma.fit(table)
    assert caught.value.limit is None


@over_family
def test_a_penalty_always_gives_an_answer(limit):
    for penalty in (1e-6, 0.1):
        fit = GammaGamma.fit(drawn(limit), penalty=penalty)
        assert fit.gradient_norm < 1e-5


def test_small_sets_end_on_a_maximum_or_in_a_limit_that_nothing_exceeds():
    """60 sets of 2 to 60 customers at odd parameters and in odd currencies; rivals are 200 points of each."""
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng([2013, seed])
        unit, size = 10 ** rng.uniform(-3, 6), int(rng.integers(2, 61))
        truth = GammaGamma(p=np.exp(rng.uniform(-2, 4)), q=np.exp(rng.uniform(-1, 4)), v=unit)
        frequency = rng.integers(1, rng.integers(2, 12), size)
        table = pd.DataFrame({"frequency": frequency, "monetary_value": truth.simulate(frequency, rng=rng)})
        scaled = table.assign(monetary_value=table["monetary_value"] / unit)
        try:
            found, again = GammaGamma.fit(table), GammaGamma.fit(scaled)
        except FitError as error:
            found = error.limit
            again = refused(scaled).limit
        assert type(again.model) is type(found.model)
        assert again.log_likelihood == pytest.approx(
            found.log_likelihood + len(table) * np.log(unit), abs=1e-6 * abs(found.log_likelihood) + 1e-6
        )
        mean = table["monetary_value"].mean()
        points = np.exp(rng.normal(0, 3, (200, 3))) * [1, 1, mean]
        points = np.concatenate([points, truth.theta[None]])
        rivals = [total(GammaGamma(p=p, q=q, v=v), table) for p, q, v in points]
        assert found.log_likelihood >= max(rivals) - 1e-6 * abs(found.log_likelihood)
        seen.add(type(found.model))
    assert seen == {GammaGamma, GammaSpend, InverseGammaSpend}


# ---------------------------------------------------------------- a limit serves like any fit


@over_family
def test_a_limits_fit_goes_to_json_and_predicts_the_same(limit):
    table = drawn(limit)
    fit = refused(table).limit
    again = rm.from_dict(json.loads(json.dumps(fit.to_dict(), allow_nan=False)))
    assert again == fit
    found = fit.predict(table, level=0.9).to_frame()
    assert again.predict(table, level=0.9).to_frame().equals(found)
    assert found["expected_value"].to_numpy() == pytest.approx(
        fit.model.expected_value(table["frequency"], table["monetary_value"]), rel=1e-12
    )
    assert (found["expected_value_low"] <= found["expected_value"] * (1 + 1e-12)).all()
    assert (found["expected_value_high"] >= found["expected_value"] * (1 - 1e-12)).all()


@over_family
def test_intervals_of_the_expected_spend_are_those_of_differences(limit):
    """The delta method by hand: the slope of the log in each log-parameter."""
    fit = type(limit).fit(drawn(limit))
    table = pd.DataFrame({"frequency": [0, 3], "monetary_value": [0.0, 20.0]})
    found = fit.predict(table, level=0.9).to_frame()

    def logs(theta):
        return np.log(fit.model.with_theta(theta).expected_value(table["frequency"], table["monetary_value"]))

    steps = np.eye(2) * 1e-5
    theta = fit.model.theta
    slopes = np.stack([(logs(theta * np.exp(h)) - logs(theta * np.exp(-h))) / 2e-5 for h in steps])
    half = 1.6448536269514722 * np.sqrt(np.einsum("in,ij,jn->n", slopes, fit.log_covariance, slopes))
    high = np.log(found["expected_value_high"] / found["expected_value"])
    assert high.to_numpy() == pytest.approx(half, rel=1e-6, abs=1e-9)


@over_family
def test_intervals_hold_the_truth_as_often_as_they_say(limit):
    held = 0
    for seed in range(300):
        fit = type(limit).fit(drawn(limit, 150, seed))
        held += all(getattr(limit, name) in fit.intervals(level=0.9)[name] for name in limit.parameters[1:])
    assert held / 300 == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 300))


@over_family
def test_lifetime_value_takes_it_in_every_kind_of_frame(frame, limit):
    purchases = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    history = purchases.simulate(np.linspace(20, 40, 300), rng=1)[["frequency", "recency", "T"]]
    history["monetary_value"] = limit.simulate(history["frequency"].to_numpy(), rng=2)
    buying, spend = BGNBD.fit(history, penalty=0.1), type(limit).fit(history)
    found = pd.DataFrame(as_rows(lifetime_value(buying, spend, frame(history), horizon=20, level=0.9)))
    counts = buying.model.expected_purchases(history["frequency"], history["recency"], history["T"], horizon=20)
    spent = spend.model.expected_value(history["frequency"], history["monetary_value"])
    assert np.sort(found["clv"].to_numpy(float)) == pytest.approx(np.sort(counts * spent), rel=1e-9)
    assert (found["clv_low"].astype(float) <= found["clv"].astype(float)).all()
    assert (found["clv_high"].astype(float) >= found["clv"].astype(float)).all()


@over_family
def test_a_base_and_a_new_customer_have_a_value(limit):
    purchases = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    new = rm.clv.new_customer_value(purchases, limit, horizon=39)
    bought = float(purchases.expected_purchases_new(horizon=39))
    assert new.estimate == pytest.approx(bought * float(limit.expected_value(0, None)), rel=1e-9)
