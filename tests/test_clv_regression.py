"""Covariates: what multiplies a customer's parameters, how it is found, and what it says of single customers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics.clv.regression import RegressionObjective
from retention_metrics.errors import FitError, InputError

ENCODING = rm.clv.Encoding(columns=("age", "plan"), levels=((), ("basic", "pro", "team")))
BASES = {
    "BGNBD": rm.clv.BGNBD(r=0.5, alpha=6.0, a=0.8, b=2.4, unit="week"),
    "MBGNBD": rm.clv.MBGNBD(r=0.5, alpha=6.0, a=0.8, b=2.4, unit="week"),
    "ParetoNBD": rm.clv.ParetoNBD(r=0.6, alpha=8.0, s=0.6, beta=12.0, unit="week"),
}
COEFFICIENTS = {"purchase.age": 0.4, "purchase.plan[pro]": 0.5, "purchase.plan[team]": -0.3, "dropout.age": -0.5}
LISTS = {"purchase_covariates": ["age", "plan"], "dropout_covariates": ["age"]}
by_base = pytest.mark.parametrize("name", BASES)


def regression(name: str, coefficients: dict[str, float] | None = None) -> rm.clv.Regression:
    return rm.clv.Regression(base=BASES[name], coefficients=coefficients or COEFFICIENTS, encoding=ENCODING)


def customers(model: rm.clv.Regression, size: int, *, rng: int) -> pd.DataFrame:
    """Simulated histories of customers of all ages and plans, with their covariates."""
    generator = np.random.default_rng(rng)
    age, plan = generator.normal(size=size), generator.choice(["basic", "pro", "team"], size=size)
    drawn = model.at({"age": age, "plan": plan}).simulate(generator.uniform(20, 60, size=size), rng=generator)
    return drawn[["frequency", "recency", "T"]].assign(age=age, plan=plan)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return customers(regression("BGNBD"), 3000, rng=2007)


@pytest.fixture(scope="module")
def fit(table):
    return rm.clv.BGNBD.fit(table, **LISTS)


# ---------------------------------------------------------------- the model


@by_base
def test_a_customer_s_parameters_are_the_base_ones_times_the_effects(name):
    base, model = BASES[name], regression(name).at({"age": [0.0, 2.0], "plan": ["basic", "pro"]})
    assert model.alpha == pytest.approx([base.alpha, base.alpha * np.exp(-(0.4 * 2 + 0.5))])
    scale, sign = ("beta", 1.0) if name == "ParetoNBD" else ("a", -1.0)
    assert getattr(model, scale) == pytest.approx([getattr(base, scale), getattr(base, scale) * np.exp(sign * 0.5 * 2)])
    assert model.r == base.r


@by_base
def test_customers_with_arrays_of_parameters_are_those_of_one_model_each(name):
    covariates = {"age": np.array([-1.0, 0.0, 1.5]), "plan": np.array(["team", "basic", "pro"])}
    together = regression(name).at(covariates)
    history = np.array([0, 2, 9]), np.array([0.0, 30.0, 38.0]), np.array([39.0, 39.0, 39.0])
    answers = {
        "log_likelihood": {},
        "probability_alive": {"after": 5.0},
        "expected_purchases": {"horizon": 39.0},
        "probability_of_purchases": {"n": 2, "horizon": 20.0},
        "discounted_expected_purchases": {"force": 0.003, "horizon": 52.0},
    }
    for method, given_too in answers.items():
        found = getattr(together, method)(*history, **given_too)
        for row in range(3):
            alone = regression(name).at({key: column[[row]] for key, column in covariates.items()})
            one = BASES[name].with_theta(np.array([np.ravel(getattr(alone, p))[0] for p in alone.parameters]))
            expected = getattr(one, method)(*(column[row] for column in history), **given_too)
            assert found[row] == pytest.approx(float(expected), rel=1e-9), method


def test_the_likelihood_is_the_sum_over_customers_of_their_own_models(table, fit):
    own = fit.model.at(table[["age", "plan"]])
    each = own.log_likelihood(table["frequency"], table["recency"], table["T"])
    assert fit.log_likelihood == pytest.approx(each.sum(), rel=1e-12)


# ---------------------------------------------------------------- the climb


@by_base
def test_gradient_and_hessian_are_those_of_differences(name):
    drawn = customers(regression(name), 60, rng=1)
    data = type(BASES[name]).fit(drawn, penalty=1.0, **LISTS).data
    objective = RegressionObjective(type(BASES[name]), data, threads=1)
    at = np.concatenate([BASES[name].theta, np.exp([0.3, 0.2, -0.1, -0.4])])
    _, gradient, hessian = objective.evaluate(at)
    for place, value in enumerate(at):
        step = 1e-5 * value * np.eye(at.size)[place]
        (up, slopes_up, _), (down, slopes_down, _) = (objective.evaluate(at + sign * step) for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / (2e-5 * value), rel=2e-6, abs=1e-6)
        assert hessian[place] == pytest.approx((slopes_up - slopes_down) / (2e-5 * value), rel=2e-5, abs=1e-5)


def test_spend_terms_have_the_derivatives_of_the_likelihood():
    enc = rm.clv.Encoding(columns=("age",), levels=((),))
    true = rm.clv.Regression(
        base=rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0), coefficients={"purchase.age": 0.3}, encoding=enc
    )
    generator = np.random.default_rng(3)
    age, x = generator.normal(size=50), generator.poisson(2, size=50) + 1
    spent = pd.DataFrame({"frequency": x, "monetary_value": true.at({"age": age}).simulate(x, rng=4), "age": age})
    data = rm.clv.GammaGamma.fit(spent, penalty=1.0, purchase_covariates=["age"]).data
    objective, at = RegressionObjective(rm.clv.GammaGamma, data, threads=1), np.array([5.0, 3.0, 14.0, np.exp(0.2)])
    _, gradient, hessian = objective.evaluate(at)
    for place, value in enumerate(at):
        step = 1e-5 * value * np.eye(4)[place]
        (up, slopes_up, _), (down, slopes_down, _) = (objective.evaluate(at + sign * step) for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / (2e-5 * value), rel=2e-6, abs=1e-6)
        assert hessian[place] == pytest.approx((slopes_up - slopes_down) / (2e-5 * value), rel=2e-5, abs=1e-5)


@by_base
def test_a_fit_finds_the_coefficients_that_made_the_data(name):
    found = type(BASES[name]).fit(customers(regression(name), 20_000, rng=5), **LISTS)
    for coefficient, truth in COEFFICIENTS.items():
        error = found.standard_errors[coefficient]
        assert abs(found.model.coefficients[coefficient] - truth) < 4 * error
        assert 0.005 < error < 0.1


def test_a_fit_of_spend_finds_the_coefficient_that_made_the_data():
    enc = rm.clv.Encoding(columns=("age",), levels=((),))
    true = rm.clv.Regression(
        base=rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0), coefficients={"purchase.age": 0.3}, encoding=enc
    )
    generator = np.random.default_rng(6)
    age, x = generator.normal(size=10_000), generator.poisson(2, size=10_000)
    money = true.at({"age": age}).simulate(x, rng=7)
    spent = pd.DataFrame({"frequency": x, "monetary_value": money, "age": age})
    found = rm.clv.GammaGamma.fit(spent, purchase_covariates=["age"])
    assert abs(found.model.coefficients["purchase.age"] - 0.3) < 4 * found.standard_errors["purchase.age"]
    assert found.excluded == {"no_repeat_purchase": int((x == 0).sum())}
    answers = found.model.predict(spent).to_frame()["expected_value"]
    assert answers.to_numpy() == pytest.approx(found.model.at(spent).expected_value(x, money), rel=1e-12)


def test_intervals_of_a_coefficient_hold_the_truth_as_often_as_they_say():
    encoding = rm.clv.Encoding(columns=("age",), levels=((),))
    true = rm.clv.Regression(base=BASES["BGNBD"], coefficients={"purchase.age": 0.3}, encoding=encoding)
    generator, held = np.random.default_rng(2007), 0
    for _ in range(100):
        age = generator.normal(size=300)
        drawn = true.at({"age": age}).simulate(np.full(300, 50.0), rng=generator)
        found = rm.clv.BGNBD.fit(drawn.assign(age=age), purchase_covariates=["age"], penalty=0.01)
        held += 0.3 in found.intervals(level=0.9)["purchase.age"]
    assert abs(held - 90) <= 3 * np.sqrt(100 * 0.09)


def test_intervals_of_spend_given_covariates_hold_the_truth_as_often_as_they_say():
    """200 data sets, three customers; within 3.5 standard errors of 90 %."""
    encoding = rm.clv.Encoding(columns=("age",), levels=((),))
    base = rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0)
    true = rm.clv.Regression(base=base, coefficients={"purchase.age": 0.3}, encoding=encoding)
    three = pd.DataFrame({"frequency": [0, 1, 6], "monetary_value": [None, 80.0, 20.0], "age": [2.0, -1.0, 0.5]})
    truth = true.predict(three).to_frame()["expected_value"]
    generator, held = np.random.default_rng(2013), np.zeros(3)
    for _ in range(200):
        age, x = generator.normal(size=900), generator.poisson(2, size=900) + 1
        money = true.at({"age": age}).simulate(x, rng=generator)
        spent = pd.DataFrame({"frequency": x, "monetary_value": money, "age": age})
        found = rm.clv.GammaGamma.fit(spent, purchase_covariates=["age"]).predict(three, level=0.9).to_frame()
        held += ((found["expected_value_low"] <= truth) & (truth <= found["expected_value_high"])).to_numpy()
    assert held / 200 == pytest.approx(np.full(3, 0.9), abs=3.5 * np.sqrt(0.09 / 200))


def test_intervals_of_renewals_given_covariates_hold_the_truth_as_often_as_they_say():
    """100 data sets, three customers, three answers each; within 3.5 standard errors of 90 %."""
    encoding = rm.clv.Encoding(columns=("plan",), levels=(("basic", "pro"),))
    base = rm.clv.ShiftedBetaGeometric(alpha=0.8, beta=3.0)
    true = rm.clv.Regression(base=base, coefficients={"dropout.plan[pro]": -0.6}, encoding=encoding)
    three = pd.DataFrame({"tenure": [0, 4, 2], "plan": ["basic", "pro", "pro"]})
    names = ["retention_rate", "survival", "residual_lifetime"]
    truth = true.predict(three, horizon=6).to_frame()[names].to_numpy()
    generator, held = np.random.default_rng(2007), np.zeros((3, 3))
    for _ in range(100):
        parts = []
        for plan in ("basic", "pro"):
            own = rm.clv.ShiftedBetaGeometric(alpha=0.8, beta=float(np.ravel(true.at({"plan": plan}).beta)[0]))
            parts.append(own.simulate(500, horizon=8, rng=generator).assign(plan=plan))
        fit = rm.clv.ShiftedBetaGeometric.fit(
            pd.concat(parts), duration="duration", churned="churned", dropout_covariates=["plan"]
        )
        found = fit.predict(three, horizon=6, level=0.9).to_frame()
        low, high = (found[[f"{name}_{end}" for name in names]].to_numpy() for end in ("low", "high"))
        held += (low <= truth) & (truth <= high)
    assert held / 100 == pytest.approx(np.full((3, 3), 0.9), abs=3.5 * np.sqrt(0.09 / 100))


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("factor", [0.01, 3.0, 1000.0])
def test_a_covariate_in_another_unit_has_a_coefficient_in_another_unit(factor):
    drawn = customers(regression("BGNBD"), 500, rng=11)
    plain = rm.clv.BGNBD.fit(drawn, purchase_covariates=["age"])
    scaled = rm.clv.BGNBD.fit(drawn.assign(age=drawn["age"] * factor), purchase_covariates=["age"])
    assert scaled.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-10)
    coefficients = (found.model.coefficients["purchase.age"] for found in (plain, scaled))
    assert factor * list(coefficients)[1] == pytest.approx(plain.model.coefficients["purchase.age"], rel=1e-4)


def test_another_reference_level_changes_names_and_no_answer(table):
    renamed = table.assign(plan=table["plan"].replace({"basic": "z-basic"}))
    plain = rm.clv.BGNBD.fit(table, purchase_covariates=["plan"])
    other = rm.clv.BGNBD.fit(renamed, purchase_covariates=["plan"])
    assert other.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    assert set(other.model.coefficients) == {"purchase.plan[team]", "purchase.plan[z-basic]"}
    one, two = (found.predict(frame, horizon=10) for found, frame in ((plain, table), (other, renamed)))
    expected = (answers.to_frame()["expected_purchases"].to_numpy() for answers in (one, two))
    np.testing.assert_allclose(*expected, rtol=1e-6)


def test_counts_are_repetitions(table):
    few = table.head(300)
    counted = few.assign(customers=1 + np.arange(300) % 3)
    repeated = few.loc[few.index.repeat(counted["customers"])]
    one, two = rm.clv.BGNBD.fit(counted, counts="customers", **LISTS), rm.clv.BGNBD.fit(repeated, **LISTS)
    assert one.model.theta == pytest.approx(two.model.theta, rel=1e-6)
    assert one.covariance == pytest.approx(two.covariance, rel=1e-5)


def test_time_in_another_unit_leaves_the_coefficients(table):
    days = table.assign(recency=7 * table["recency"], T=7 * table["T"])
    one, two = rm.clv.BGNBD.fit(table, **LISTS), rm.clv.BGNBD.fit(days, **LISTS)
    assert list(one.model.coefficients.values()) == pytest.approx(list(two.model.coefficients.values()), abs=1e-6)
    assert two.model.base.alpha == pytest.approx(7 * one.model.base.alpha, rel=1e-6)


def test_a_penalty_pulls_the_coefficients_to_nothing(table):
    plain, pulled = (
        rm.clv.BGNBD.fit(table, penalty=penalty, **LISTS).model.coefficients["purchase.age"] for penalty in (0.0, 1e6)
    )
    assert abs(pulled) < 0.01 * plain


def test_equal_coefficients_are_one(table):
    both = {"purchase_covariates": ["age", "plan"], "dropout_covariates": ["age"], "equal_coefficients": ["age"]}
    held, free = rm.clv.BGNBD.fit(table, **both), rm.clv.BGNBD.fit(table, **LISTS)
    assert list(held.model.coefficients) == ["purchase.plan[pro]", "purchase.plan[team]", "both.age"]
    assert held.log_likelihood < free.log_likelihood
    model, factor = held.model.at({"age": 1.0, "plan": "basic"}), np.exp(held.model.coefficients["both.age"])
    assert model.alpha == pytest.approx(held.model.base.alpha / factor)
    assert model.a == pytest.approx(held.model.base.a * factor)


def test_a_covariate_without_effect_is_found_to_have_none(table):
    noise = table.assign(noise=np.random.default_rng(8).normal(size=len(table)))
    cells = {
        row["coefficient"]: row
        for row in rm.clv.coefficients(rm.clv.BGNBD.fit(noise, purchase_covariates=["noise", "age"])).rows()
    }
    assert cells["purchase.noise"]["p_value"] > 0.01
    assert cells["purchase.age"]["p_value"] < 1e-10
    assert cells["purchase.age"]["factor"] == pytest.approx(np.exp(cells["purchase.age"]["estimate"]))


# ---------------------------------------------------------------- tables


def test_every_kind_of_frame_gives_the_same_fit_and_the_same_answers(frame, table, fit):
    native = frame(table.head(400).reset_index(names="who"))
    here = rm.clv.BGNBD.fit(native, **LISTS)
    reference = rm.clv.BGNBD.fit(table.head(400), **LISTS)
    assert here.model.theta == pytest.approx(reference.model.theta, rel=1e-6)
    found = as_sorted_rows(fit.predict(native, horizon=10, level=0.9), by=["who", "expected_purchases_high"], digits=7)
    wanted = fit.predict(table.head(400).reset_index(names="who"), horizon=10, level=0.9)
    assert found == as_sorted_rows(wanted, by=["who", "expected_purchases_high"], digits=7)


def test_every_kind_of_frame_gives_the_same_intervals_of_renewals(frame):
    drawn = rm.clv.ShiftedBetaGeometric(alpha=0.8, beta=3.0).simulate(300, horizon=8, rng=9)
    drawn = drawn.assign(plan=np.where(np.arange(300) % 3, "basic", "pro"), who=np.arange(300))
    fit = rm.clv.ShiftedBetaGeometric.fit(drawn, duration="duration", churned="churned", dropout_covariates=["plan"])
    ours, theirs = (fit.predict(table, horizon=6, level=0.9, tenure="duration") for table in (drawn, frame(drawn)))
    names = ["who", "retention_rate_low", "survival_high", "residual_lifetime", "residual_lifetime_low"]
    assert as_sorted_rows(theirs, by=names, digits=7) == as_sorted_rows(ours, by=names, digits=7)
    plain = rm.clv.ShiftedBetaGeometric.fit(drawn, duration="duration", churned="churned")
    zero = rm.clv.Regression(base=plain.model, coefficients={"dropout.plan[pro]": 0.0}, encoding=fit.model.encoding)
    one, two = (model.predict(drawn, horizon=6, tenure="duration").to_frame() for model in (plain.model, zero))
    pd.testing.assert_frame_equal(one, two, rtol=1e-12)


def test_a_fit_goes_to_json_and_back(fit):
    again = rm.from_dict(json.loads(json.dumps(fit.to_dict(), allow_nan=False)))
    assert again == fit
    assert again.model.at({"age": 1.0, "plan": "pro"}).alpha == fit.model.at({"age": 1.0, "plan": "pro"}).alpha


def test_a_fit_read_from_json_takes_its_data_back(table, fit):
    detached = rm.from_dict(json.loads(json.dumps(fit.to_dict())))
    refused(lambda: detached.intervals(method="profile"), "attach")
    again = detached.attach(table)
    assert again.robust_covariance == pytest.approx(fit.robust_covariance, rel=1e-12)
    assert again.posterior(200, rng=1) == fit.posterior(200, rng=1)
    refused(lambda: detached.attach(table.head(500)), "history is what the model was fitted to")
    refused(lambda: detached.attach(table.drop(columns="plan")), "plan")


def test_fits_of_spend_and_of_renewals_take_their_data_back():
    generator = np.random.default_rng(2010)
    member = generator.integers(0, 2, size=800)
    base = rm.clv.GammaGamma(p=6.0, q=4.0, v=15.0)
    encoding = rm.clv.Encoding(columns=("member",), levels=((),))
    spend = rm.clv.Regression(base=base, coefficients={"purchase.member": 0.3}, encoding=encoding)
    frequency = generator.integers(0, 5, size=800)
    money = spend.at({"member": member}).simulate(frequency, rng=generator)
    spent = pd.DataFrame({"frequency": frequency, "monetary_value": money, "member": member})
    renewing = rm.clv.ShiftedBetaGeometric(alpha=0.7, beta=1.2).simulate(800, rng=generator)["duration"].to_numpy()
    left = pd.DataFrame({"terms": np.minimum(renewing, 6), "gone": renewing <= 6, "member": member})
    fits = {
        (): rm.clv.GammaGamma.fit(spent, purchase_covariates=["member"]),
        (("duration", "terms"), ("churned", "gone")): rm.clv.ShiftedBetaGeometric.fit(
            left, duration="terms", churned="gone", dropout_covariates=["member"]
        ),
    }
    for (columns, fit), data in zip(fits.items(), (spent, left), strict=True):
        again = rm.from_dict(fit.to_dict()).attach(data, **dict(columns))
        assert again.robust_covariance == pytest.approx(fit.robust_covariance, rel=1e-12)


def test_a_notebook_shows_the_parameters_and_the_coefficients(fit):
    shown = fit.model._repr_html_()
    for words in ("Regression of BGNBD", "alpha", "purchase.plan[pro]", f"{fit.model.coefficients['dropout.age']:.6g}"):
        assert words in shown


def test_the_sandwich_is_close_to_the_information_where_the_model_is_right(fit):
    for name, error in fit.standard_errors.items():
        assert fit.robust_standard_errors[name] == pytest.approx(error, rel=0.25)


# ---------------------------------------------------------------- refusals


def refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_a_level_that_was_not_there_is_refused(table, fit):
    strange = table.assign(plan=["enterprise", *table["plan"].iloc[1:]])
    refused(lambda: fit.predict(strange, horizon=10), "'enterprise'", "1 of 3000", "row 0", "'basic', 'pro', 'team'")
    refused(lambda: fit.model.at({"age": 1.0, "plan": "enterprise"}), "'enterprise'")


def test_a_missing_covariate_is_refused_by_row(table, fit):
    holes = table.assign(age=table["age"].where(table.index != 7), plan=table["plan"].where(table.index != 9))
    refused(lambda: rm.clv.BGNBD.fit(holes, purchase_covariates=["age"]), "'age'", "1 of 3000", "row 7")
    refused(lambda: rm.clv.BGNBD.fit(holes, purchase_covariates=["plan"]), "'plan'", "row 9")
    refused(lambda: fit.model.at({"age": 1.0}), "'plan' is not given")


def test_a_covariate_that_is_the_same_for_all_is_refused(table):
    refused(lambda: rm.clv.BGNBD.fit(table.assign(one=1.0), purchase_covariates=["one"]), "'one'", "every customer")


def test_a_column_that_is_not_there_is_refused_with_the_nearest_name(table):
    refused(lambda: rm.clv.BGNBD.fit(table, purchase_covariates=["agee"]), "agee", "'age'")


def test_equal_coefficients_belong_to_both_parts(table):
    wrong = {"purchase_covariates": ["age"], "equal_coefficients": ["age"]}
    refused(lambda: rm.clv.BGNBD.fit(table, **wrong), "'age' is not in both")


def test_a_coefficient_without_its_column_is_refused():
    refused(lambda: regression("BGNBD", {"purchase.height": 1.0}), "'purchase.height'", "'age'")
    refused(lambda: regression("BGNBD", {"spend.age": 1.0}), "'spend.age'")


def test_covariates_that_add_up_have_no_maximum(table):
    twice = table.assign(double=2 * table["age"])
    with pytest.raises(FitError, match="covariates found no maximum"):
        rm.clv.BGNBD.fit(twice, purchase_covariates=["age", "double"])


def test_coefficients_belong_to_a_fit_with_covariates(table):
    refused(lambda: rm.clv.coefficients(rm.clv.BGNBD.fit(table)), "BGNBD")


def test_one_customer_s_covariates_give_a_model_of_numbers():
    encoding = rm.clv.Encoding(columns=("plan", "age"), levels=(("a", "b"), ()))
    coefficients = {"purchase.plan[b]": 0.5, "purchase.age": -0.1, "dropout.age": 0.2}
    regression = rm.clv.Regression(
        base=rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426), coefficients=coefficients, encoding=encoding
    )
    alone, listed = regression.at({"plan": "b", "age": 2.0}), regression.at({"plan": ["b"], "age": [2.0]})
    assert not alone.varies
    assert alone.expected_purchases_new(horizon=10).shape == ()
    np.testing.assert_array_equal(listed.expected_purchases_new(horizon=10), [alone.expected_purchases_new(horizon=10)])
