"""Renewals under contract: published fits, laws of the curve, and two ways to every number."""

from __future__ import annotations

import dataclasses

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics.clv import BetaDiscreteWeibull, Fit, ShiftedBetaGeometric
from retention_metrics.clv.beta_steps import digamma_step, log_beta_step, trigamma_step
from retention_metrics.clv.churn_onsets import DelayedParetoChurn, ParetoChurn, SuddenChurn
from retention_metrics.clv.contract_limits import DiscreteWeibull, GeometricChurn, TwoTypeChurn
from retention_metrics.clv.renewals import Renewals
from retention_metrics.errors import FitError, InputError

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
SBG = ShiftedBetaGeometric(alpha=0.668, beta=3.806)
BDW = BetaDiscreteWeibull(alpha=0.2143, beta=1.4266, c=1.7236)
FAMILY = [SBG, BDW, GeometricChurn(p=0.1), DiscreteWeibull(p=0.1, c=0.7), TwoTypeChurn(share=0.3)]
ONSETS = [
    ParetoChurn(share=0.25, kappa=0.7, first=1),
    DelayedParetoChurn(kappa=1.3, first=300),
    SuddenChurn(share=0.25, first=3),
]
by_name = [type(model).__name__ for model in FAMILY]
over_family = pytest.mark.parametrize("model", FAMILY, ids=by_name)
over_all = pytest.mark.parametrize("model", FAMILY + ONSETS, ids=lambda model: type(model).__name__)

shapes = st.floats(0.02, 50.0)
models = st.one_of(
    st.builds(ShiftedBetaGeometric, alpha=shapes, beta=shapes),
    st.builds(BetaDiscreteWeibull, alpha=shapes, beta=shapes, c=st.floats(0.2, 4.0)),
)


def in_rows(survivors) -> pd.DataFrame:
    """A row per customer of a cohort."""
    left = -np.diff(survivors)
    durations = np.append(np.repeat(np.arange(1, len(survivors)), left), [len(survivors) - 1] * survivors[-1])
    return pd.DataFrame({"terms": durations, "gone": np.arange(durations.size) < left.sum()})


# ---------------------------------------------------------------- published numbers


@pytest.mark.parametrize("segment", ["regular", "high_end"])
@pytest.mark.parametrize(
    ("cls", "name"), [(ShiftedBetaGeometric, "shifted_beta_geometric"), (BetaDiscreteWeibull, "beta_discrete_weibull")]
)
def test_the_textbook_cohorts_give_the_published_fits(reference, segment, cls, name):
    table = getattr(reference("contractual"), segment)
    fit = cls.fit_survivors(table["survivors"])
    for parameter in cls.parameters:
        assert getattr(fit.model, parameter) == pytest.approx(table[name][parameter], abs=0.5e-4)
    assert fit.log_likelihood == pytest.approx(table[name]["log_likelihood"], abs=0.5e-4)
    assert fit.customers == 1000
    assert fit.gradient_norm < 1e-6


def test_twelve_renewals_are_projected_as_in_the_paper(reference):
    table = reference("contractual").high_end
    fit = ShiftedBetaGeometric.fit_survivors(table["survivors"])
    assert fit.model.survival(12) == pytest.approx(table["survival_after_12_renewals"], abs=0.5e-4)


def test_cohorts_of_different_ages_are_one_fit(reference):
    cohorts = {name: row for name, row in reference("contractual").cohorts.items() if name != "source"}
    by_name_ = ShiftedBetaGeometric.fit_survivors(cohorts)
    triangle = np.full((5, 5), np.nan)
    for index, row in enumerate(cohorts.values()):
        triangle[index, index:] = row  # by calendar year: a cohort's first years are before it began
    rows = pd.concat([in_rows(row) for row in cohorts.values()])
    assert ShiftedBetaGeometric.fit_survivors(triangle) == by_name_
    assert ShiftedBetaGeometric.fit(rows, duration="terms", churned="gone") == by_name_
    # All cohorts follow one curve, to a model's accuracy; the youngest has said nothing yet.
    assert by_name_.model.survival([1, 2, 3, 4]) == pytest.approx(np.array([0.6334, 0.4367, 0.3264, 0.2604]), abs=6e-3)
    assert by_name_.customers == 50_000


# ---------------------------------------------------------------- arithmetic without cancellation


@given(a=st.floats(1e-5, 1e5), b=st.floats(1e-3, 1e6), step=st.floats(1e-6, 1e8))
def test_steps_of_beta_and_digamma_functions_keep_their_digits(a, b, step):
    with mp.workdps(50):
        a_, b_, s_ = map(mp.mpf, (a, b, step))
        beta = mp.loggamma(b_ + s_) - mp.loggamma(a_ + b_ + s_) - mp.loggamma(b_) + mp.loggamma(a_ + b_)
        psi = mp.digamma(b_ + a_) - mp.digamma(b_)
        assert abs(log_beta_step(a, b, step) / beta - 1) < 1e-14
        assert abs(digamma_step(b, a) / psi - 1) < 1e-14
        curve = b_**2 * (mp.psi(1, b_) - mp.psi(1, b_ + a_))
        assert abs(trigamma_step(b, a) / curve - 1) < 1e-14


def test_curvature_of_a_clock_beyond_the_square_root_of_the_largest_float():
    """Second derivatives of log S in c vanish as t**c outgrows beta: S falls like t**(-c alpha)."""
    terms = BetaDiscreteWeibull.survival_terms(np.array([1.5e-3, 8.75, 205.0]), np.array([8.0]))
    assert terms.slopes[2, 0] == pytest.approx(-1.5e-3 * np.log(8.0), rel=1e-12)
    assert abs(terms.curvatures[2, 2, 0]) < 1e-12


@pytest.mark.parametrize("t", [1, 2, 7, 1000, 10**6])
@pytest.mark.parametrize("c", [0.1, 1.0, 1.7, 6.0])
def test_hazards_keep_their_digits_where_hardly_anybody_leaves(t, c):
    model = BetaDiscreteWeibull(alpha=1e-4, beta=3.0, c=c)
    with mp.workdps(60):
        alpha, beta, power = mp.mpf(1e-4), mp.mpf(3.0), mp.mpf(c)

        def survival(when):
            return mp.beta(alpha, beta + mp.mpf(when) ** power) / mp.beta(alpha, beta)

        leaves = survival(t - 1) - survival(t)
        assert model.hazard(t) == pytest.approx(float(leaves / survival(t - 1)), rel=2e-13)
        assert model.churn_probability(t) == pytest.approx(float(leaves), rel=2e-13)
        assert model.log_likelihood(t, True) == pytest.approx(float(mp.log(leaves)), abs=1e-12)


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("model", [SBG, BDW], ids=by_name[:2])
@pytest.mark.parametrize(("duration", "churned"), [(1, True), (3, True), (8, True), (0, False), (5, False)])
def test_likelihood_is_the_mean_over_churn_probabilities(model, duration, churned):
    alpha, beta = mp.mpf(model.alpha), mp.mpf(model.beta)
    c = mp.mpf(getattr(model, "c", 1.0))

    def customer(theta):
        before, after = (1 - theta) ** ((duration - 1) ** c if churned else 0), (1 - theta) ** (duration**c)
        return theta ** (alpha - 1) * (1 - theta) ** (beta - 1) * (before - after if churned else after)

    # theta = u^(1/alpha) takes the pole at 0 out of the integrand
    mean = mp.quad(lambda u: customer(u ** (1 / alpha)) * u ** (1 / alpha - 1) / alpha, [0, 0.2, 0.6, 1])
    assert model.log_likelihood(duration, churned) == pytest.approx(
        float(mp.log(mean / mp.beta(alpha, beta))), abs=1e-7
    )


# Log of the survival in multiple precision, by the parameters in odds.
MULTIPLE = {
    ShiftedBetaGeometric: lambda t, a, b: mp.log(mp.beta(a, b + t) / mp.beta(a, b)),
    BetaDiscreteWeibull: lambda t, a, b, c: mp.log(mp.beta(a, b + mp.mpf(t) ** c) / mp.beta(a, b)),
    GeometricChurn: lambda t, o: -t * mp.log(1 + o),
    DiscreteWeibull: lambda t, o, c: -(mp.mpf(t) ** c) * mp.log(1 + o),
}


@pytest.mark.parametrize("model", FAMILY[:4], ids=by_name[:4])
@pytest.mark.parametrize("t", [1, 2, 9])
def test_gradient_and_hessian_are_those_of_multiple_precision(model, t):
    cls, odds = type(model), type(model).to_odds(model.theta)
    log_s, point = MULTIPLE[cls], tuple(mp.mpf(value) for value in odds)

    def log_hazard(*theta):
        return mp.log(1 - mp.exp(log_s(t, *theta) - (log_s(t - 1, *theta) if t > 1 else 0)))

    found = (cls.survival_terms(odds, np.array([float(t)])), cls.hazard_terms(odds, np.array([float(t)])))
    with mp.workdps(40):
        for terms, function in zip(found, (lambda *theta: log_s(t, *theta), log_hazard), strict=True):
            assert terms.value[0] == pytest.approx(float(function(*point)), rel=1e-12)
            for i in range(len(point)):
                order = tuple(int(i == place) for place in range(len(point)))
                assert terms.slopes[i, 0] == pytest.approx(float(mp.diff(function, point, order)), rel=1e-9, abs=1e-12)
                for j in range(len(point)):
                    both = tuple(int(i == place) + int(j == place) for place in range(len(point)))
                    curve = float(mp.diff(function, point, both))
                    assert terms.curvatures[i, j, 0] == pytest.approx(curve, rel=1e-7, abs=1e-10)


@over_all
@pytest.mark.parametrize("tenure", [0, 3, 500])
@pytest.mark.parametrize(("horizon", "rate"), [(7, 0.0), (300, 0.0), (40_000, 0.0), (20_000, 0.001), (5000, 0.2)])
def test_sums_over_renewals_are_those_added_one_by_one(model, tenure, horizon, rate):
    t = np.arange(1, horizon + 1)
    terms = np.cumprod(model.retention_rate(tenure + t)) * (1 + rate) ** -(t - 1.0)
    value = model.discounted_residual_value(tenure=tenure, margin=2.0, discount_rate=rate, horizon=horizon)
    assert value == pytest.approx(2 * terms.sum(), rel=1e-10)


@pytest.mark.parametrize(
    ("alpha", "beta", "tenure", "rate"),
    [
        (0.668, 3.806, 4, 0.1),
        (0.668, 3.806, 4, 1e-5),
        (0.01, 0.01, 0, 1e-6),
        (5.0, 0.1, 3, 0.01),
        (2.0, 1e4, 700, 0.02),
    ],
)
def test_discounted_residual_lifetime_is_the_papers_hypergeometric_function(alpha, beta, tenure, rate):
    model = ShiftedBetaGeometric(alpha=alpha, beta=beta)
    with mp.workdps(40):
        b, whole = mp.mpf(beta) + tenure, mp.mpf(alpha) + beta + tenure
        paper = b / whole * mp.hyp2f1(1, b + 1, whole + 1, 1 / (1 + mp.mpf(rate)))
    found = model.discounted_residual_value(tenure=tenure, margin=1.0, discount_rate=rate)
    assert found == pytest.approx(float(paper), rel=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(1.001, 2.0), (1.5, 300.0), (3.0, 0.2), (40.0, 1e5)])
def test_endless_lifetimes_are_the_mean_of_one_over_the_churn_probability(alpha, beta):
    model = ShiftedBetaGeometric(alpha=alpha, beta=beta)
    assert model.expected_lifetime() == pytest.approx((alpha + beta - 1) / (alpha - 1), rel=1e-10)
    assert model.residual_lifetime(tenure=9) == pytest.approx((alpha + beta + 8) / (alpha - 1) - 1, rel=1e-10)


def test_endless_lifetimes_of_the_weibull_curve_are_those_of_a_long_sum():
    # survival falls like t^(-c alpha): what is left after a million renewals is a known integral to six digits
    model = BetaDiscreteWeibull(alpha=2.0, beta=1.0, c=1.2)
    seen = float(model.expected_lifetime(horizon=10**6))
    tail = float(model.survival(10**6)) * 10**6 / (1.2 * 2.0 - 1)
    assert model.expected_lifetime() == pytest.approx(seen + tail, rel=1e-12)


def test_a_mean_that_does_not_exist_is_said():
    assert SBG.expected_lifetime() == np.inf
    assert BDW.residual_lifetime(tenure=5) == np.inf
    assert TwoTypeChurn(share=0.3).expected_lifetime() == np.inf
    assert np.isfinite(BetaDiscreteWeibull(alpha=0.8, beta=2.0, c=1.5).expected_lifetime())
    with pytest.raises(InputError, match="infinite"):
        SBG.discounted_residual_value(tenure=0, margin=1.0, discount_rate=0.0)


# ---------------------------------------------------------------- laws of the curve


@given(model=models, t=st.integers(1, 400))
def test_the_curve_keeps_its_accounts(model, t):
    survival = model.survival([0, t - 1, t])
    assert survival[0] == 1
    assert 0 <= survival[2] <= survival[1] <= 1
    assert model.retention_rate(t) + model.hazard(t) == pytest.approx(1, abs=1e-15)
    assert survival[1] * model.retention_rate(t) == pytest.approx(survival[2], rel=1e-11)
    assert survival[1] - survival[2] == pytest.approx(float(model.churn_probability(t)), rel=1e-7, abs=1e-14)


@given(alpha=shapes, beta=shapes, t=st.integers(1, 1000))
def test_without_change_over_time_the_weibull_curve_is_the_geometric_one(alpha, beta, t):
    one, other = ShiftedBetaGeometric(alpha=alpha, beta=beta), BetaDiscreteWeibull(alpha=alpha, beta=beta, c=1.0)
    assert other.hazard(t) == pytest.approx(float(one.hazard(t)), rel=1e-12)
    assert one.hazard(t) == pytest.approx(alpha / (alpha + beta + t - 1), rel=1e-13)


@given(model=models, tenure=st.integers(0, 50), horizon=st.integers(1, 60))
def test_lifetimes_add_up(model, tenure, horizon):
    passed = float(model.survival(tenure))
    whole = float(model.expected_lifetime(horizon=tenure + 1 + horizon))
    rest = float(model.residual_lifetime(tenure=tenure, horizon=horizon))
    assert float(model.expected_lifetime(horizon=tenure + 1)) + passed * rest == pytest.approx(whole, rel=1e-10)


@given(alpha=shapes, beta=shapes, tenure=st.integers(0, 40))
def test_the_longer_customers_stayed_the_longer_they_will(alpha, beta, tenure):
    model = ShiftedBetaGeometric(alpha=alpha, beta=beta)
    now, later = model.residual_lifetime(tenure=[tenure, tenure + 1], horizon=20)
    assert later >= now - 1e-12


# ---------------------------------------------------------------- simulation


@over_all
def test_simulated_customers_stay_as_expected(model):
    drawn = model.simulate(200_000, horizon=12, rng=2007)
    for t in (1, 2, 6, 12):
        share = float(model.survival(t))
        still = ((drawn["duration"] > t) | ((drawn["duration"] == t) & ~drawn["churned"])).mean()
        assert still == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / 200_000))
    # terms served by renewal 12: the duration of those who left, one more for those who did not
    served = np.minimum(drawn["duration"] + ~drawn["churned"], 12)
    assert served.mean() == pytest.approx(float(model.expected_lifetime(horizon=12)), abs=4.5 * served.std() / 447)


@pytest.mark.parametrize("model", [SBG, BetaDiscreteWeibull(alpha=0.8, beta=2.0, c=1.4)], ids=by_name[:2])
def test_parameters_are_recovered_from_cohorts_of_different_ages(model):
    drawn = model.simulate(60_000, horizon=np.arange(60_000) % 10, rng=1977)
    fit = type(model).fit(drawn, duration="duration", churned="churned")
    for name in model.parameters:
        assert getattr(fit.model, name) == pytest.approx(getattr(model, name), abs=3.5 * fit.standard_errors[name])
    assert not fit.diagnostics


def test_intervals_cover_as_often_as_they_say():
    covered = np.zeros(2)
    for seed in range(200):
        fit = ShiftedBetaGeometric.fit(SBG.simulate(2000, horizon=7, rng=seed), duration="duration", churned="churned")
        covered += [SBG.alpha in fit.intervals(0.9)["alpha"], SBG.beta in fit.intervals(0.9)["beta"]]
    assert (np.abs(covered / 200 - 0.9) < 3.5 * np.sqrt(0.09 / 200)).all()


def test_simulation_repeats_with_its_seed_and_stops_at_its_horizon():
    first, second = (SBG.simulate(50, horizon=3, rng=4) for _ in range(2))
    assert first.equals(second)
    endless = ShiftedBetaGeometric(alpha=3.0, beta=1.0).simulate(1000, rng=1)
    assert endless["churned"].all()
    assert SBG.simulate(3, horizon=0, rng=1)["duration"].tolist() == [0, 0, 0]


# ---------------------------------------------------------------- any data


def test_a_fit_does_not_depend_on_how_customers_are_given(frame):
    rows = in_rows(HIGH_END)
    expected = ShiftedBetaGeometric.fit_survivors(HIGH_END)
    by_rows = ShiftedBetaGeometric.fit(frame(rows), duration="terms", churned="gone")
    counted = rows.groupby(["terms", "gone"]).size().reset_index(name="customers").sample(frac=1, random_state=3)
    by_counts = ShiftedBetaGeometric.fit(frame(counted), duration="terms", churned="gone", counts="customers")
    for fit in (by_rows, by_counts):
        assert fit.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-14)
        assert fit.model.theta == pytest.approx(expected.model.theta, rel=1e-10)
        assert fit.customers == 1000


def test_arrays_serve_as_well():
    rows = in_rows(HIGH_END)
    fit = BetaDiscreteWeibull.fit(rows["terms"].to_numpy(), churned=rows["gone"].to_numpy())
    assert fit == BetaDiscreteWeibull.fit_survivors(HIGH_END)
    shuffled = rows.sample(frac=1, random_state=1)
    assert BetaDiscreteWeibull.fit(list(shuffled["terms"]), churned=list(shuffled["gone"])) == fit
    pairs = BetaDiscreteWeibull.fit(
        [1, 1, 2, 3, 4, 5, 5], churned=[1, 0, 1, 1, 1, 1, 0], counts=[9, 2, 6, 5, 2, 1, 4], penalty=1
    )
    assert pairs.customers == 29


def test_predictions_come_in_the_callers_frame(frame):
    table = SBG.predict(frame(pd.DataFrame({"who": ["a", "b", "c"], "years": [0, 8, 0]})), tenure="years", horizon=5)
    rows = as_sorted_rows(table.to_frame())
    assert [row[0] for row in rows] == ["a", "b", "c"]
    for _, years, retention, survival, lifetime in rows:
        assert retention == pytest.approx(float(SBG.retention_rate(years + 1)), abs=1e-9)
        assert survival == pytest.approx(float(SBG.survival(years + 5) / SBG.survival(years)), abs=1e-9)
        assert lifetime == pytest.approx(float(SBG.residual_lifetime(tenure=years, horizon=5)), abs=1e-9)


def test_predictions_of_a_fit_carry_the_uncertainty_of_its_parameters():
    fit = ShiftedBetaGeometric.fit_survivors(HIGH_END)
    table = fit.predict(pd.DataFrame({"tenure": [0, 0, 20]}), horizon=5, level=0.9).to_frame()
    for name in ("retention_rate", "survival", "residual_lifetime"):
        assert (table[f"{name}_low"] < table[name]).all()
        assert (table[name] < table[f"{name}_high"]).all()
    # the first renewal's rate is nearly a proportion of 1,000 customers; the later renewals tell a little more of it
    alone = 2 * 1.645 * np.sqrt(0.869 * 0.131 / 1000)
    width = table["retention_rate_high"][0] - table["retention_rate_low"][0]
    assert 0.8 * alone < width < alone
    assert table["retention_rate"].nunique() == 2


def test_a_fit_goes_through_json_and_back_to_its_data():
    fit = BetaDiscreteWeibull.fit_survivors(HIGH_END)
    read = Fit.from_dict(fit.to_dict())
    profile = read.attach(HIGH_END).intervals(0.95, "profile")
    again = read.attach(in_rows(HIGH_END), duration="terms", churned="gone").intervals(0.95, "profile")
    for name, interval in fit.intervals(0.95, "profile").items():
        assert fit.model.theta.min() > 0
        assert interval.low < getattr(fit.model, name) < interval.high
        assert (profile[name].low, again[name].high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    with pytest.raises(InputError, match="log-likelihood"):
        read.attach([1000, 500, 400, 380])


def test_parameters_may_differ_between_customers():
    betas = np.array([1.0, 4.0, 20.0])
    many = ShiftedBetaGeometric(alpha=0.8, beta=betas)
    for index, beta in enumerate(betas):
        one = ShiftedBetaGeometric(alpha=0.8, beta=float(beta))
        assert many.survival(5)[index] == pytest.approx(float(one.survival(5)), rel=1e-13)
        value = many.discounted_residual_value(tenure=[1, 2, 3], margin=10.0, discount_rate=0.05)[index]
        assert value == pytest.approx(
            float(one.discounted_residual_value(tenure=index + 1, margin=10.0, discount_rate=0.05)), rel=1e-12
        )


@pytest.mark.parametrize(
    ("model", "varied"),
    [
        (ParetoChurn(share=0.25, kappa=0.7, first=3), {"share": [0.1, 0.3], "kappa": [0.7, 2.0]}),
        (DelayedParetoChurn(kappa=0.7, first=3), {"kappa": [0.7, 2.0]}),
        (SuddenChurn(share=0.25, first=3), {"share": [0.1, 0.3]}),
    ],
)
def test_onsets_may_differ_between_customers(model, varied):
    many = dataclasses.replace(model, **{name: np.array(values) for name, values in varied.items()})
    how = {"margin": 10.0, "discount_rate": 0.05}
    value = many.discounted_residual_value(tenure=[0, 3], **how)
    for index, tenure in enumerate((0, 3)):
        one = dataclasses.replace(model, **{name: values[index] for name, values in varied.items()})
        assert many.survival(3)[index] == pytest.approx(float(one.survival(3)), rel=1e-13)
        assert value[index] == pytest.approx(float(one.discounted_residual_value(tenure=tenure, **how)), rel=1e-12)


# ---------------------------------------------------------------- no maximum


def the_error(cls, survivors):
    with pytest.raises(FitError) as caught:
        cls.fit_survivors(survivors)
    return caught.value


@pytest.mark.parametrize(
    ("survivors", "limit"),
    [
        ([1000, 950, 850, 700, 500], GeometricChurn),
        ([1000, 900, 810, 729], GeometricChurn),
        ([1000, 700, 700, 700, 700], TwoTypeChurn),
        ([1000, 700], GeometricChurn),
    ],
    ids=["churn rises", "churn is constant", "churn stops", "one renewal"],
)
def test_where_churn_does_not_fall_slowly_the_limit_is_given(survivors, limit):
    error = the_error(ShiftedBetaGeometric, survivors)
    assert type(error.limit.model) is limit
    assert limit.__name__ in str(error)
    assert any("Limit of ShiftedBetaGeometric" in note for note in error.limit.notes)
    # nothing near the limit beats it, and what comes near it is as good
    churn = float(error.limit.model.hazard(1))
    for together in (1e-4, 1e-2, 1.0, 1e2, 1e4):
        near = ShiftedBetaGeometric(alpha=together * churn, beta=together * (1 - churn))
        rows = in_rows(survivors)
        assert near.log_likelihood(rows["terms"], rows["gone"]).sum() < error.limit.log_likelihood + 1e-6
    assert ShiftedBetaGeometric.fit_survivors(survivors, penalty=0.1).model.alpha > 0


def test_customers_who_are_alike_and_tire_are_a_discrete_weibull():
    error = the_error(BetaDiscreteWeibull, [1000, 950, 850, 700, 500, 300])
    assert type(error.limit.model) is DiscreteWeibull
    assert error.limit.model.c > 1
    short = the_error(BetaDiscreteWeibull, [1000, 800, 700])
    assert type(short.limit.model) is ShiftedBetaGeometric
    assert short.limit.model.survival([1, 2]) == pytest.approx(np.array([0.8, 0.7]), abs=1e-8)


@pytest.mark.parametrize(
    ("survivors", "words"),
    [
        ([1000, 1000, 1000], "none of 1000 customers left"),
        ([1000, 0], "all 1000 customers who reached a renewal left at the first"),
        ([1000], "has reached a renewal"),
        ([1, 0], "1 customer"),
    ],
)
@pytest.mark.parametrize("cls", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_data_that_say_nothing_are_refused_in_words(cls, survivors, words):
    error = the_error(cls, survivors)
    assert words in str(error)
    assert error.limit is None


def test_churn_that_may_change_with_tenure_explains_everybody_leaving_at_one_renewal():
    error = the_error(BetaDiscreteWeibull, [40, 40, 40, 0])
    assert "all 40 customers who reached renewal 3 left at it, and none before" in str(error)
    assert error.limit is None
    assert type(the_error(ShiftedBetaGeometric, [40, 40, 40, 0]).limit.model) is GeometricChurn


def exact_survival(alpha, beta, c):
    """Survival of the beta discrete Weibull in as many digits as t**c needs."""

    def survival(t):
        with mp.workdps(900):
            a, b, clock = (mp.mpf(value) for value in (alpha, beta, mp.mpf(t) ** c))
            return mp.exp(
                sum(s * mp.loggamma(z) for s, z in ((1, b + clock), (-1, a + b + clock), (-1, b), (1, a + b)))
            )

    return survival


def test_onsets_are_the_weibull_curve_where_time_weighs_without_end():
    """alpha = kappa / c and beta = tau**c: 1 before tau, a power of time or 0 after it."""
    c, kappa = 800, mp.mpf(7) / 10
    with mp.workdps(900):
        pairs = [
            (ParetoChurn(share=0.25, kappa=0.7, first=1), (kappa / c, 3 * kappa / c, c)),
            (ParetoChurn(share=float(1 - (2.5 / 3) ** 0.7), kappa=0.7, first=3), (kappa / c, mp.mpf("2.5") ** c, c)),
            (DelayedParetoChurn(kappa=0.7, first=3), (kappa / c, mp.mpf(2) ** c, c)),
            (SuddenChurn(share=0.25, first=3), (1, mp.mpf(3) ** (c + 1), c)),
        ]
    for model, at in pairs:
        survival = exact_survival(*at)
        assert model.survival([0, 1, 2, 3, 4, 8]) == pytest.approx(
            [float(survival(t)) for t in (0, 1, 2, 3, 4, 8)], abs=2e-3
        )


@pytest.mark.parametrize(
    "model",
    [
        ParetoChurn(share=0.25, kappa=0.7, first=1),
        DelayedParetoChurn(kappa=0.7, first=2),
        SuddenChurn(share=0.25, first=1),
    ],
)
def test_slopes_of_the_onsets_are_differences_of_their_likelihood(model):
    cls, odds = type(model), type(model).to_odds(model.theta)
    left = [True, True, False] if model.first == 1 else [False, True, False]
    rows = Renewals.of(np.array([1.0, 2.0, 1.0]), np.array(left), np.array([3.0, 5.0, 2.0]))
    objective = cls._objective(rows, threads=None)
    value, gradient, hessian = objective.evaluate(odds)
    assert value == pytest.approx(float(rows.counts @ model.log_likelihood(rows.duration, rows.churned)), rel=1e-13)
    for index, step in enumerate(1e-5 * np.diag(odds)):
        ahead, behind = objective.evaluate(odds + step), objective.evaluate(odds - step)
        width = 2 * step[index]
        assert (ahead[0] - behind[0]) / width == pytest.approx(gradient[index], rel=1e-7, abs=1e-8)
        assert (ahead[1] - behind[1]) / width == pytest.approx(hessian[index], rel=1e-7, abs=1e-8)


@pytest.mark.parametrize(
    ("survivors", "limit"),
    [
        ([96, 96, 96, 78, 62, 54, 48, 41, 38], ParetoChurn),
        ([100, 100, 60, 55, 52, 50, 48], DelayedParetoChurn),
        ([100, 100, 100, 70, 0], SuddenChurn),
    ],
)
def test_where_churn_begins_at_a_renewal_the_limit_says_how_it_goes_on(survivors, limit):
    error = the_error(BetaDiscreteWeibull, survivors)
    found, rows = error.limit, in_rows(survivors)
    assert type(found.model) is limit
    assert found.model.first == np.flatnonzero(np.diff(survivors))[0] + 1
    assert limit.__name__ in str(error)
    assert f"first = {found.model.first})" in str(error)
    generator = np.random.default_rng(2018)
    for point in np.exp(generator.uniform(-7, 7, size=(200, 3))):
        rival = BetaDiscreteWeibull(alpha=point[0], beta=point[1], c=min(point[2], 50.0))
        assert rival.log_likelihood(rows["terms"], rows["gone"]).sum() < found.log_likelihood + 1e-6
    again = Fit.from_dict(found.to_dict()).attach(survivors)
    assert again.model == found.model
    for name, interval in again.intervals(0.9, "profile").items():
        assert interval.low < getattr(found.model, name) < interval.high
    posterior = again.posterior(draws=400, rng=2018).intervals(0.9)
    for name, interval in posterior.items():
        assert interval.low < getattr(found.model, name) < interval.high
    table = found.predict(pd.DataFrame({"tenure": [0, 2, 9]}), horizon=4, level=0.9).to_frame()
    for name in ("retention_rate", "survival", "residual_lifetime"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"] * (1 + 1e-12)).all()
    assert table["residual_lifetime"].to_numpy() == pytest.approx(
        found.model.residual_lifetime(tenure=[0, 2, 9], horizon=4)
    )
    value = found.model.discounted_residual_value(tenure=[0, 2], margin=10.0, discount_rate=0.1)
    assert (value > 0).all()
    assert np.isfinite(value).all()


def test_a_renewal_that_does_not_follow_the_model_is_named():
    fit = ShiftedBetaGeometric.fit_survivors([1000, 900, 850, 500, 480, 465, 455])
    assert any("renewal 3 does not follow the model: 350 of 850" in doubt for doubt in fit.diagnostics)


# ---------------------------------------------------------------- in use


def test_contract_value_is_the_residual_value_of_a_model_or_its_fit():
    fit = ShiftedBetaGeometric.fit_survivors(HIGH_END)
    found = rm.clv.contract_value(fit, margin=[10.0, 20.0], tenure=3, discount_rate=0.1)
    assert found[1] == pytest.approx(2 * found[0])
    assert found[0] == pytest.approx(
        float(fit.model.discounted_residual_value(tenure=3, margin=10.0, discount_rate=0.1)), rel=1e-14
    )
    # the residual value a step later, discounted and earned back, is the value now
    rate, kept = 0.1, float(fit.model.retention_rate(4))
    later = float(rm.clv.contract_value(fit, margin=10.0, tenure=4, discount_rate=rate))
    assert found[0] == pytest.approx(kept * (10.0 + later / (1 + rate)), rel=1e-12)
    with pytest.raises(InputError, match="lifetime_value"):
        rm.clv.contract_value(rm.clv.BGNBD(r=0.2, alpha=4, a=0.8, b=2.4), margin=1.0, tenure=1, discount_rate=0.1)


@over_family
def test_a_model_of_renewals_is_a_churn_assumption(model):
    assert isinstance(model, rm.survival.Assumption)
    term = rm.contracts.Term("yearly", 12, fee_rate=0.06, survival=model)
    table = rm.contracts.compare([term], monthly_spend=1000, horizon_months=36)
    expected = 12 * float(model.survival([0, 1, 2]).sum())
    assert table.rows()[0]["expected_months"] == pytest.approx(expected, rel=1e-12)


@over_family
def test_a_model_explains_itself(model):
    found = model.explain().evaluate()
    assert all(np.isfinite(value) for value in found.values())
    if isinstance(model, (ShiftedBetaGeometric, BetaDiscreteWeibull)):
        assert list(found.values())[-1] == pytest.approx(float(model.hazard(1)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ShiftedBetaGeometric(alpha=0, beta=1), "alpha is above 0"),
        (lambda: SBG.survival(-1), "t is at least 0"),
        (lambda: SBG.survival(1.5), "t holds whole numbers"),
        (lambda: SBG.hazard(0), "t is at least 1"),
        (lambda: SBG.log_likelihood(0, True), "duration is at least 1 for a customer who left"),
        (lambda: SBG.log_likelihood([1, 2, 3], [True, False]), "broadcast"),
        (lambda: SBG.log_likelihood(2, "yes"), "churned holds True and False"),
        (lambda: SBG.expected_lifetime(horizon=2.5), "horizon is a whole number"),
        (lambda: SBG.residual_lifetime(tenure=-1), "tenure is at least 0"),
        (lambda: SBG.discounted_residual_value(tenure=1, margin=1, discount_rate=-0.1), "discount_rate is at least 0"),
        (lambda: SBG.simulate(0), "size is a whole number of at least 1"),
        (lambda: SBG.predict(pd.DataFrame({"tenure": [1.5]}), horizon=3), "tenure holds whole numbers"),
        (lambda: SBG.predict(pd.DataFrame({"years": [1]}), horizon=3), "tenure='tenure' is not a column"),
        (lambda: SBG.predict(pd.DataFrame({"tenure": [1]}), horizon=0), "horizon is a whole number of at least 1"),
        (lambda: ShiftedBetaGeometric.fit_survivors([1000, 900, 950]), "never rise"),
        (lambda: ShiftedBetaGeometric.fit_survivors([1000, np.nan, 950]), "no gap"),
        (lambda: ShiftedBetaGeometric.fit_survivors([10.5, 9]), "whole numbers"),
        (lambda: ShiftedBetaGeometric.fit_survivors({}), "no cohorts"),
        (lambda: ShiftedBetaGeometric.fit_survivors({"2003": [np.nan]}), "'2003' holds no survivors"),
        (lambda: ShiftedBetaGeometric.fit([1, 2], churned=[True]), "one length"),
        (lambda: ShiftedBetaGeometric.fit([1, 2], churned=[1, 0], duration="d"), "beside an array it is left out"),
        (lambda: ShiftedBetaGeometric.fit([], churned=[]), "no customers"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"terms": [1, None]}, "terms"),
        ({"terms": [0, 2]}, "duration is at least 1"),
        ({"gone": [True, None]}, "gone"),
        ({"gone": ["yes", "no"]}, "holds numbers"),
    ],
)
def test_a_bad_column_is_named_as_the_caller_does(change, words):
    rows = pd.DataFrame({"terms": [1, 2], "gone": [True, False]} | change)
    with pytest.raises(InputError, match=words):
        ShiftedBetaGeometric.fit(rows, duration="terms", churned="gone")
    with pytest.raises(InputError, match="churned= names a column"):
        ShiftedBetaGeometric.fit(rows, duration="terms", churned=[True, False])


# ---------------------------------------------------------------- covariates


@pytest.fixture(scope="module")
def plans() -> pd.DataFrame:
    """Customers of two plans: the odds of leaving at the first renewal are twice as high on the basic one."""
    rng = np.random.default_rng(2008)
    parts = [
        ShiftedBetaGeometric(alpha=0.8, beta=beta).simulate(20_000, horizon=6, rng=rng).assign(plan=plan)
        for plan, beta in (("annual", 3.0), ("basic", 1.5))
    ]
    return pd.concat(parts, ignore_index=True)


def test_covariates_move_the_odds_of_leaving(plans):
    fit = ShiftedBetaGeometric.fit(plans, duration="duration", churned="churned", dropout_covariates=["plan"])
    (name,) = fit.model.coefficients
    assert name == "dropout.plan[basic]"
    assert fit.model.coefficients[name] == pytest.approx(np.log(2), abs=3.5 * fit.standard_errors[name])
    assert fit.model.base.alpha == pytest.approx(0.8, abs=3.5 * fit.standard_errors["alpha"])
    # the likelihood is that of the customers' own models, and higher than without the plan
    own = fit.model.at(plans).log_likelihood(plans["duration"], plans["churned"])
    assert own.sum() == pytest.approx(fit.log_likelihood, rel=1e-10)
    assert fit.log_likelihood > ShiftedBetaGeometric.fit(plans, duration="duration", churned="churned").log_likelihood


def test_predictions_follow_the_covariates(plans):
    fit = ShiftedBetaGeometric.fit(plans, duration="duration", churned="churned", dropout_covariates=["plan"])
    asked = pd.DataFrame({"tenure": [0, 0, 3], "plan": ["annual", "basic", "basic"]})
    table = fit.predict(asked, horizon=4).to_frame()
    assert table["retention_rate"].to_numpy() == pytest.approx(
        [
            float(np.ravel(fit.model.at({"plan": [plan]}).retention_rate(tenure + 1))[0])
            for tenure, plan in zip(asked["tenure"], asked["plan"], strict=True)
        ],
        rel=1e-12,
    )
    assert table["survival"][1] < table["survival"][0]
    with pytest.raises(InputError, match="covariates"):
        BetaDiscreteWeibull.fit(plans, duration="duration", churned="churned", dropout_covariates=["plan"])
