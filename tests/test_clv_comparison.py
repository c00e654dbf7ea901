"""Fits beside one another: robust errors, criteria, likelihood ratios, and lifetimes as a second opinion."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import retention_metrics as rm
from retention_metrics.clv import (
    BGBB,
    BGNBD,
    MBGNBD,
    BetaDiscreteWeibull,
    Fit,
    GammaGamma,
    ParetoNBD,
    ShiftedBetaGeometric,
    compare,
    likelihood_ratio,
)
from retention_metrics.clv.contract_limits import GeometricChurn
from retention_metrics.clv.limits import NBD, GeometricNBD, Poisson
from retention_metrics.errors import InputError

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return CDNOW.simulate(np.linspace(27, 39, 2_000), rng=2005)[["frequency", "recency", "T"]]


def by_name(fit: Fit, errors: str) -> np.ndarray:
    return np.array(list(getattr(fit, errors).values()))


# ---------------------------------------------------------------- the sandwich


def test_the_sandwich_of_a_poisson_fit_is_the_variance_of_the_sample_mean():
    """rate = sum x / sum T, so that its variance without a model is sum (x - rate T)^2 / (sum T)^2."""
    drawn = NBD(r=0.4, alpha=4.0).simulate(np.linspace(10, 60, 3_000), rng=3)
    fit = Poisson.fit(drawn)
    x, age = drawn["frequency"].to_numpy(), drawn["T"].to_numpy()
    rate = x.sum() / age.sum()
    assert fit.model.rate == pytest.approx(rate, rel=1e-9)
    assert fit.standard_errors["rate"] == pytest.approx(math.sqrt(x.sum()) / age.sum(), rel=1e-9)
    assert fit.robust_covariance[0, 0] == pytest.approx(np.sum((x - rate * age) ** 2) / age.sum() ** 2, rel=1e-6)
    assert fit.robust_standard_errors["rate"] > 2 * fit.standard_errors["rate"]


def test_the_sandwich_covers_where_the_model_is_wrong_and_wald_does_not():
    """Poisson fits to customers who differ: of 95 % intervals the sandwich's hold the mean rate, Wald's seldom."""
    rng, truth = np.random.default_rng(1982), 0.1
    hits = {"wald": 0, "sandwich": 0}
    for _ in range(200):
        fit = Poisson.fit(NBD(r=0.4, alpha=4.0).simulate(np.full(800, 40.0), rng=rng))
        for method in hits:
            hits[method] += truth in fit.intervals(method=method)["rate"]
    assert stats.binomtest(hits["sandwich"], 200, 0.95).pvalue > 0.001
    assert hits["wald"] < 150


@pytest.mark.parametrize("cls", [BGNBD, MBGNBD])
def test_the_sandwich_is_the_textbook_s(cls, drawn):
    """Inverse Hessian times the outer product of scores times inverse Hessian, by plain differences."""
    fit = cls.fit(drawn)
    history = tuple(drawn[name].to_numpy() for name in ("frequency", "recency", "T"))
    theta = fit.model.theta
    step = 1e-5 * np.diag(theta)

    def rows(at: np.ndarray) -> np.ndarray:
        return fit.model.with_theta(at).log_likelihood(*history)

    slopes = np.array([(rows(theta + d) - rows(theta - d)) / (2 * d.sum()) for d in step])
    bread = fit.covariance
    textbook = bread @ (slopes @ slopes.T) @ bread
    assert fit.robust_covariance == pytest.approx(textbook, rel=1e-4)


def test_where_the_model_is_right_both_kinds_of_errors_agree(drawn):
    fit = BGNBD.fit(drawn)
    assert by_name(fit, "robust_standard_errors") == pytest.approx(by_name(fit, "standard_errors"), rel=0.25)


def test_counts_are_repetitions_to_the_sandwich(drawn):
    grouped = drawn.round(0).value_counts().rename("customers").reset_index()
    counted = BGNBD.fit(grouped, counts="customers")
    one_by_one = BGNBD.fit(drawn.round(0))
    assert counted.robust_covariance == pytest.approx(one_by_one.robust_covariance, rel=1e-6)


def test_spend_has_robust_errors_too(drawn):
    spent = drawn.assign(monetary_value=GammaGamma(p=6.0, q=4.0, v=15.0).simulate(drawn["frequency"], rng=7))
    fit = GammaGamma.fit(spent)
    assert by_name(fit, "robust_standard_errors") == pytest.approx(by_name(fit, "standard_errors"), rel=0.35)


def test_a_sandwich_interval_is_normal_in_logs(drawn):
    fit = BGNBD.fit(drawn)
    interval = fit.intervals(level=0.9, method="sandwich")["alpha"]
    half = stats.norm.ppf(0.95) * fit.robust_standard_errors["alpha"] / fit.model.alpha
    assert (interval.low, interval.high) == pytest.approx(
        (fit.model.alpha * math.exp(-half), fit.model.alpha * math.exp(half))
    )
    assert interval.method == "sandwich"


def test_a_fit_from_json_asks_for_its_data(drawn):
    fit = BGNBD.fit(drawn)
    detached = Fit.from_dict(fit.to_dict())
    with pytest.raises(InputError, match=r"the sandwich needs the data.*fit.attach"):
        detached.robust_standard_errors  # noqa: B018
    assert detached.attach(drawn).robust_covariance == pytest.approx(fit.robust_covariance)


# ---------------------------------------------------------------- criteria


def test_the_table_has_the_criteria_by_definition(drawn):
    fits = [NBD.fit(drawn), MBGNBD.fit(drawn), BGNBD.fit(drawn)]
    table = compare(fits).to_frame().set_index("model")
    for fit in fits:
        row, k = table.loc[type(fit.model).__name__], len(fit.model.theta)
        assert row["parameters"] == k
        assert row["aic"] == pytest.approx(2 * k - 2 * fit.log_likelihood)
        assert row["bic"] == pytest.approx(k * math.log(2_000) - 2 * fit.log_likelihood)
    assert list(table["aic"]) == sorted(table["aic"])
    assert table["aic_weight"].sum() == pytest.approx(1.0)
    # The ratio of two weights is that of the likelihoods, for models with equally many parameters.
    gain = table.loc["BGNBD", "log_likelihood"] - table.loc["MBGNBD", "log_likelihood"]
    assert table.loc["BGNBD", "aic_weight"] / table.loc["MBGNBD", "aic_weight"] == pytest.approx(math.exp(gain))
    assert table.loc["BGNBD", "bic_weight"] / table.loc["MBGNBD", "bic_weight"] == pytest.approx(math.exp(gain))


def test_grouped_and_shuffled_customers_are_the_same_customers(drawn):
    coarse = drawn.round(0)
    grouped = coarse.value_counts().rename("customers").reset_index()
    shuffled = coarse.sample(frac=1.0, random_state=1)
    table = compare(
        {
            "grouped": BGNBD.fit(grouped, counts="customers"),
            "whole": MBGNBD.fit(coarse),
            "shuffled": BGNBD.fit(shuffled),
        }
    )
    assert set(table.to_frame()["model"]) == {"grouped", "whole", "shuffled"}
    assert table.customers == 2_000


def test_a_table_of_one_says_that_the_one_is_best(drawn):
    assert compare(BGNBD.fit(drawn)).rows()[0]["aic_weight"] == 1.0


def test_fits_of_other_data_are_refused(drawn):
    fit = BGNBD.fit(drawn)
    moved = drawn.assign(T=drawn["T"] + (drawn.index == 5))
    weekly = BGNBD.fit(rm.clv.history(drawn, unit="week", monetary_value=None))
    spent = GammaGamma.fit(drawn.assign(monetary_value=np.linspace(5, 50, 2_000)))
    for other, words in [
        (MBGNBD.fit(drawn.iloc[1:]), "2000 and 1999 customers"),
        (MBGNBD.fit(moved), "customers with other histories"),
        (weekly, "time in no unit and in week"),
        (spent, "customers"),
    ]:
        with pytest.raises(InputError, match=words):
            compare({"first": fit, "second": other})


def test_what_cannot_be_checked_is_noted(drawn):
    detached = Fit.from_dict(MBGNBD.fit(drawn).to_dict())
    assert any("not checked" in note for note in compare([BGNBD.fit(drawn), detached]).notes)


def test_a_penalised_fit_is_noted(drawn):
    assert any("penalised" in note for note in compare([BGNBD.fit(drawn), MBGNBD.fit(drawn, penalty=1.0)]).notes)


@pytest.mark.parametrize(
    ("fits", "words"),
    [([], "at least one"), ([CDNOW], "a Fit for each model; got BGNBD"), ({"a": 3}, "got int")],
)
def test_what_is_no_fit_is_refused(fits, words):
    with pytest.raises(InputError, match=words):
        compare(fits)


def test_two_of_one_name_are_refused(drawn):
    fit = BGNBD.fit(drawn)
    with pytest.raises(InputError, match="two of the name 'BGNBD'"):
        compare([fit, fit])


# ---------------------------------------------------------------- likelihood ratio


def test_the_ratio_on_an_edge_is_referred_to_the_mixture(drawn):
    smaller, larger = NBD.fit(drawn), BGNBD.fit(drawn)
    test = likelihood_ratio(smaller, larger)
    statistic = 2 * (larger.log_likelihood - smaller.log_likelihood)
    assert test.estimate == pytest.approx(statistic)
    assert test.p_value == pytest.approx(0.5 * stats.chi2.sf(statistic, 1) + 0.5 * stats.chi2.sf(statistic, 2))
    assert likelihood_ratio(smaller, larger, edge=0).p_value == pytest.approx(stats.chi2.sf(statistic, 2))
    assert any("0.5 chi-squared(1) + 0.5 chi-squared(2)" in note for note in test.notes)


def test_with_nothing_gained_the_p_value_is_one(drawn):
    fit = GeometricNBD.fit(drawn)
    larger = BGNBD.fit(drawn)
    equal = Fit.from_dict(larger.to_dict() | {"log_likelihood": fit.log_likelihood})
    assert likelihood_ratio(fit, equal).p_value == 1.0
    assert likelihood_ratio(fit, larger).p_value == pytest.approx(
        0.5 * stats.chi2.sf(2 * (larger.log_likelihood - fit.log_likelihood), 1)
    )


def test_the_mixture_has_its_size_and_plain_chi_squared_is_too_strict():
    """NBD against Poisson when customers do not differ: half of all samples gain nothing (Self & Liang's case 5)."""
    rng = np.random.default_rng(1987)
    p_values = []
    for _ in range(400):
        drawn = Poisson(rate=0.1).simulate(np.full(300, 30.0), rng=rng)
        smaller = Poisson.fit(drawn)
        try:
            larger = NBD.fit(drawn)
        except rm.errors.FitError:  # the supremum is the Poisson's
            p_values.append(1.0)
            continue
        p_values.append(likelihood_ratio(smaller, larger, edge=1).p_value)
    p_values = np.array(p_values)
    assert stats.binomtest(int(np.sum(p_values == 1.0)), 400, 0.5).pvalue > 0.001
    assert stats.binomtest(int(np.sum(p_values < 0.1)), 400, 0.1).pvalue > 0.001


def test_covariates_are_tested_inside_their_range(drawn):
    noise = np.random.default_rng(4).normal(size=(2_000, 2))
    frame = drawn.assign(noise=noise[:, 0], other=noise[:, 1])
    base, larger = BGNBD.fit(frame), BGNBD.fit(frame, purchase_covariates=["noise"])
    test = likelihood_ratio(base, larger)
    assert (test.degrees_of_freedom, test.edge, test.larger) == (1, 0, "Regression[BGNBD]")
    assert test.p_value == pytest.approx(stats.chi2.sf(test.estimate, 1))
    # Wald's test of the one coefficient asks the same.
    wald = larger.model.coefficients["purchase.noise"] / larger.standard_errors["purchase.noise"]
    assert test.estimate == pytest.approx(wald**2, abs=0.1 + 0.2 * wald**2)
    assert larger.robust_standard_errors["purchase.noise"] == pytest.approx(
        larger.standard_errors["purchase.noise"], rel=0.15
    )
    assert compare([base, larger]).to_frame()["model"].tolist() == ["BGNBD", "Regression[BGNBD]"]
    with pytest.raises(InputError, match="not known as a special case"):
        likelihood_ratio(BGNBD.fit(frame, purchase_covariates=["other"]), both(frame, ["noise"]))


def both(frame: pd.DataFrame, columns: list[str]) -> Fit:
    return BGNBD.fit(frame, purchase_covariates=columns, dropout_covariates=columns)


def test_models_of_renewals_are_compared_like_any_others():
    survivors = [1000, 869, 743, 653, 593, 551, 517, 491]
    constant, changing = (model.fit_survivors(survivors) for model in (ShiftedBetaGeometric, BetaDiscreteWeibull))
    alike = GeometricChurn.fit_survivors(survivors)
    table = compare([constant, changing, alike]).to_frame()
    assert table["model"].tolist() == ["BetaDiscreteWeibull", "ShiftedBetaGeometric", "GeometricChurn"]
    assert table["parameters"].tolist() == [3, 2, 1]

    inside, on_edge = likelihood_ratio(constant, changing), likelihood_ratio(alike, constant)
    assert (inside.degrees_of_freedom, inside.edge) == (1, 0)
    assert inside.p_value == pytest.approx(stats.chi2.sf(2 * (changing.log_likelihood - constant.log_likelihood), 1))
    assert (on_edge.degrees_of_freedom, on_edge.edge) == (1, 1)
    with pytest.raises(InputError, match="other histories"):
        compare([constant, BetaDiscreteWeibull.fit_survivors([1000, 869, 743, 653, 593, 551, 518, 491])])


def test_models_that_are_not_nested_are_refused(drawn):
    nbd, bg, mbg = NBD.fit(drawn), BGNBD.fit(drawn), MBGNBD.fit(drawn)
    for smaller, larger, words in [
        (bg, mbg, "larger has more parameters"),
        (nbd, BGNBD.fit(drawn, penalty=1.0), "without penalty"),
        (CDNOW, bg, "smaller is a Fit"),
        (NBD.fit(drawn.iloc[5:]), bg, "1995 and 2000 customers"),
    ]:
        with pytest.raises(InputError, match=words):
            likelihood_ratio(smaller, larger)
    with pytest.raises(InputError, match="edge"):
        likelihood_ratio(nbd, bg, edge=3)


# ---------------------------------------------------------------- lifetimes as a second opinion


def test_lifetimes_finds_the_published_fit_of_the_donors(shared_data):
    frame = pd.read_csv(shared_data / "donations_1995_rf.csv")
    check = BGBB.fit(frame, frequency="x", recency="t_x", T="n_cal", counts="customers").cross_check(horizon=5)
    assert check.agrees, check.notes
    rows = {row["quantity"]: row for row in check.rows()}
    # 12,884.2 expected donations of 11,104 donors in five years (Fader, Hardie & Shang 2010).
    for package in ("ours", "lifetimes"):
        assert 11_104 * rows["mean expected_purchases"][package] == pytest.approx(12_884.2, abs=0.05)


@pytest.mark.parametrize("cls", [BGNBD, MBGNBD, ParetoNBD])
def test_lifetimes_finds_the_same_fit(cls, drawn):
    fit = cls.fit(drawn)
    check = fit.cross_check(horizon=26)
    rows = {row["quantity"]: row for row in check.rows()}
    assert check.agrees, check.notes
    assert -1e-6 < check.gain < 0.01
    for name in cls.parameters:
        assert rows[name]["difference"] == pytest.approx(0.0, abs=0.1 * fit.standard_errors[name])
    history = tuple(drawn[name].to_numpy() for name in ("frequency", "recency", "T"))
    assert rows["mean expected_purchases"]["ours"] == pytest.approx(
        fit.model.expected_purchases(*history, horizon=26).mean()
    )
    assert any("within" in note for note in check.notes)
    assert any("26 units of time" in note for note in check.notes)


def test_the_check_is_the_same_whatever_numpys_global_state(drawn):
    """lifetimes draws the start of its Pareto/NBD from it, and stops short from some of the starts."""
    fit, state = ParetoNBD.fit(drawn), np.random.get_state()  # noqa: NPY002
    try:
        checks = []
        for seed in (2, 6):  # from both, lifetimes left alone stops a fifth of a standard error short
            np.random.seed(seed)  # noqa: NPY002
            checks.append(fit.cross_check(horizon=26))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert checks[0] == checks[1]
    assert checks[0].agrees, checks[0].notes


def test_lifetimes_finds_the_same_spend(drawn):
    spent = drawn.assign(monetary_value=GammaGamma(p=6.0, q=4.0, v=15.0).simulate(drawn["frequency"], rng=7))
    check = GammaGamma.fit(spent).cross_check()
    assert check.agrees
    assert "mean expected_value" in check.to_frame()["quantity"].tolist()


def test_counts_reach_lifetimes_as_weights(drawn):
    grouped = drawn.round(0).value_counts().rename("customers").reset_index()
    assert BGNBD.fit(grouped, counts="customers").cross_check().agrees


def test_where_lifetimes_has_no_number_the_check_says_so():
    """Its Pareto/NBD overflows for customers with many purchases (lifetimes issue 25)."""
    heavy = ParetoNBD(r=2.0, alpha=0.1, s=0.8, beta=20.0).simulate(np.linspace(80, 110, 150), rng=25)
    check = ParetoNBD.fit(heavy).cross_check()
    assert not check.agrees
    assert any("overflow" in note for note in check.notes)
    assert rm.from_dict(check.to_dict()) == check


def test_a_fit_that_is_not_at_the_maximum_is_found_out(drawn):
    fit = BGNBD.fit(drawn)
    moved = fit.model.with_theta(fit.model.theta * np.array([1.1, 1.1, 1.0, 1.0]))
    history = tuple(drawn[name].to_numpy() for name in ("frequency", "recency", "T"))
    lower = float(moved.log_likelihood(*history).sum())
    wrong = Fit.from_dict(fit.to_dict() | {"model": moved.to_dict(), "log_likelihood": lower}).attach(drawn)
    check = wrong.cross_check()
    assert not check.agrees
    assert check.gain == pytest.approx(lower - fit.log_likelihood, abs=1e-4)
    assert any("higher: this fit is not at the maximum" in note for note in check.notes)


def test_a_cross_check_leaves_no_trace(drawn):
    state, filters = np.random.get_state()[1].copy(), list(warnings.filters)  # noqa: NPY002
    ParetoNBD.fit(drawn).cross_check()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert warnings.filters == filters


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda drawn: BGNBD.fit(drawn, penalty=0.1), "without penalty"),
        (lambda drawn: NBD.fit(drawn), "for lifetimes; got NBD"),
        (lambda drawn: Fit.from_dict(BGNBD.fit(drawn).to_dict()), r"cross_check\(\) needs the data"),
    ],
)
def test_what_lifetimes_cannot_check_is_refused(make, words, drawn):
    with pytest.raises(InputError, match=words):
        make(drawn).cross_check()
