"""Whatever takes a churn assumption takes every kind of it, and its uncertainty with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import betaln

import retention_metrics as rm
from retention_metrics import clv, contracts, growth, survival
from retention_metrics.errors import InputError

approx = pytest.approx
LONG = 60_000  # months: by then nobody is left under the kinds that come to an end
SURVIVORS = [1000, 869, 743, 653, 593, 551, 517, 491]


def shifted_beta_geometric(alpha: float, beta: float, renewals: np.ndarray) -> np.ndarray:
    return np.exp(betaln(alpha, beta + renewals) - betaln(alpha, beta))


class Kind(NamedTuple):
    """A churn assumption as it is given, and who is still there after m months."""

    given: Mapping[str, Any]
    there: Callable[[np.ndarray], np.ndarray]
    ends: bool = True


class Halving:
    """An assumption of somebody else's, which takes one number at a time."""

    step = "month"

    def survival(self, k: int, /) -> float:
        return 0.5**k


def steps(values: list[float], length: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda months: np.array([*values, 0.0])[np.minimum(months // length, len(values))]


def kept(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda months: (1 - rate) ** months


def model_of(length: int, **parameters: float) -> Callable[[np.ndarray], np.ndarray]:
    alpha, beta, c = parameters["alpha"], parameters["beta"], parameters.get("c", 1.0)
    return lambda months: shifted_beta_geometric(alpha, beta, (months // length) ** c)


FIT = clv.ShiftedBetaGeometric.fit_survivors([1000, 700, 450, 310, 220, 165, 125, 98])
POSTERIOR = FIT.posterior(rng=1)
STEADY = {"alpha": 3.5, "beta": 6.0}
DRAWN = clv.ShiftedBetaGeometric(**STEADY).simulate(4000, horizon=7, rng=2007).assign(large=np.arange(4000) % 2)
REGRESSION = clv.ShiftedBetaGeometric.fit(
    DRAWN, duration="duration", churned="churned", dropout_covariates=["large"]
).model
LARGE = REGRESSION.at({"large": [1]})
LEFT = survival.kaplan_meier([1, 2, 2, 3, 5, 8, 8, 13], [1, 1, 0, 1, 1, 1, 0, 1])
KINDS = {
    "monthly churn": Kind({"monthly_churn": 0.05}, kept(0.05)),
    "churn with its counts": Kind({"monthly_churn": rm.churn.rate(start=200, lost=16)}, kept(0.08)),
    "rate": Kind({"survival": 0.05}, kept(0.05)),
    "constant churn": Kind({"survival": survival.ConstantChurn(monthly_churn=0.05)}, kept(0.05)),
    "array": Kind({"survival": [1, 0.8, 0.4, 0]}, steps([1, 0.8, 0.4], 1)),
    "array by the term": Kind({"survival": [1, 0.8, 0.4, 0], "term_months": 6}, steps([1, 0.8, 0.4], 6)),
    "table": Kind({"survival": survival.SurvivalTable(values=[1, 0.8, 0])}, steps([1, 0.8], 1)),
    "table by the term": Kind(
        {"survival": survival.SurvivalTable(values=[1, 0.8, 0], step="term"), "term_months": 12}, steps([1, 0.8], 12)
    ),
    "table with a tail by the term": Kind(
        {"survival": [1, 0.6], "tail": "constant_hazard", "term_months": 5}, lambda months: 0.6 ** (months // 5)
    ),
    "curve": Kind({"survival": LEFT}, lambda months: np.interp(months, range(14), LEFT.survival(range(14)))),
    "somebody else's": Kind({"survival": Halving()}, kept(0.5)),
    "model of months": Kind({"survival": clv.ShiftedBetaGeometric(**STEADY)}, model_of(1, **STEADY), ends=False),
    "model": Kind(
        {"survival": clv.ShiftedBetaGeometric(**STEADY), "term_months": 6},
        model_of(6, **STEADY),
        ends=False,
    ),
    "model that ages": Kind(
        {"survival": clv.BetaDiscreteWeibull(**STEADY, c=1.4), "term_months": 6},
        model_of(6, **STEADY, c=1.4),
        ends=False,
    ),
    "fit": Kind(
        {"survival": FIT, "term_months": 6},
        model_of(6, alpha=FIT.model.alpha, beta=FIT.model.beta),
        ends=False,
    ),
    "posterior": Kind(
        {"survival": POSTERIOR, "term_months": 6},
        model_of(6, alpha=POSTERIOR.model.alpha, beta=POSTERIOR.model.beta),
        ends=False,
    ),
    "regression at its covariates": Kind(
        {"survival": LARGE, "term_months": 6},
        model_of(6, alpha=float(np.asarray(LARGE.alpha).item()), beta=float(np.asarray(LARGE.beta).item())),
        ends=False,
    ),
}
UNCERTAIN = {"churn with its counts", "curve", "fit", "posterior"}
COSTS = {"acquisition_cost": 900, "monthly_service_cost": 10}
OFFER = {"monthly_fee": 100, "acceptance": 0.3, "free_months": 2, "contact_cost": 5}


def months_served(kind: Kind, horizon: float, discount: float = 0.0) -> float:
    months = np.arange(min(horizon, LONG))
    return float(np.sum(kind.there(months) * (1 + discount) ** -months.astype(float)))


def mean_lifetime(kind: Kind) -> float:
    """The sum of all survival; of one that falls like a power of time, with what lies past the months added up."""
    there = kind.there(np.arange(LONG))
    if kind.ends:
        return float(there.sum())
    # The sum past n of c m^-p is that of the integral from n - 1/2, and p shows in the last terms.
    power = -math.log(there[-1] / there[LONG // 2]) / math.log(2)
    return float(there.sum() + there[-1] * LONG / (power - 1))


@pytest.fixture(params=KINDS, scope="module")
def named(request):
    return request.param


def told(name: str, result: Any) -> Any:
    """The result, after a look at whether it says how sure it is where the churn is uncertain."""
    if name in UNCERTAIN:
        assert result.interval.low <= float(result) <= result.interval.high
        assert result.interval.low < result.interval.high
    else:
        assert result.interval is None
    assert any("taken to be one month" in note for note in result.notes) == (name == "model of months")
    assert rm.from_dict(result.to_dict()) == result
    return result


@pytest.mark.parametrize(("horizon", "discount"), [(24, 0.0), (36, 0.02), (math.inf, 0.01)])
def test_the_least_spend(named, horizon, discount):
    kind, terms = KINDS[named], {"horizon_months": horizon, "monthly_discount_rate": discount}
    if named == "curve" and math.isfinite(horizon):
        kind = Kind({**kind.given, "tail": "constant_hazard"}, kind.there)
    least = told(named, contracts.minimum_spend(fee_rate=0.1, **COSTS, **kind.given, **terms, rng=1, draws=200))
    assert float(least) == approx((900 / months_served(kind, horizon, discount) + 10) / 0.1, rel=1e-8)


@pytest.mark.parametrize("offered", [contracts.save_offer, contracts.win_back])
def test_an_offer(named, offered):
    kind = KINDS[named]
    offer = told(named, offered(**OFFER, **kind.given, horizon_months=13, rng=1, draws=200))
    assert float(offer) == approx(0.3 * 100 * (months_served(kind, 13) - months_served(kind, 2)) - 5, rel=1e-12)
    if offer.break_even_churn is not None:
        at_even = offered(**OFFER, monthly_churn=offer.break_even_churn, horizon_months=13)
        assert float(at_even) == approx(0, abs=1e-9)


def test_a_bonus(named):
    kind = KINDS[named]
    bonus = told(named, contracts.longevity_bonus(every_months=4, horizon_months=13, **kind.given, rng=1, draws=200))
    assert float(bonus) == approx(kind.there(np.array([4, 8, 12])).sum(), rel=1e-12)
    capped = bonus.capped(signed=2, months=13, monthly_salary=10, cap_share=0.15, rng=1, draws=200)
    assert capped.present_due == approx(2 * sum(kind.there(np.arange(4, month + 1, 4)).sum() for month in range(13)))


@pytest.mark.parametrize("discount", [0.0, 0.01])
def test_bonuses_without_end(named, discount):
    kind = KINDS[named]
    every = 3 if "term_months" in kind.given or kind.ends else 1
    terms = {"every_months": every, "monthly_discount_rate": discount, **kind.given}
    bonus = told(named, contracts.longevity_bonus(**terms, rng=1, draws=200))
    months = np.arange(every, LONG, every)
    cost = np.sum(kind.there(months) * (1 + discount) ** -months.astype(float))
    exact = kind.ends or discount
    # Short of the end of the sum by hardly a bonus in ten thousand where they fall like a power of time.
    assert float(bonus) == approx(cost, rel=1e-8 if exact else 2e-3)
    assert math.fsum(bonus.columns["expected_cost"]) + bonus.beyond == approx(float(bonus))


def test_a_plateau(named):
    kind = KINDS[named]
    level = told(named, growth.plateau(new_clients_per_month=2, monthly_fee=50, **kind.given, rng=1, draws=200))
    assert float(level) == approx(100 * mean_lifetime(kind), rel=1e-8 if kind.ends else 1e-5)
    there = kind.there(np.arange(level.columns.height))
    assert level.columns["clients"] == approx(2 * np.cumsum(there), rel=1e-9)
    assert level.columns["share"][-1] >= 0.99 - 1e-12


def test_a_hire(named):
    kind = KINDS[named]
    rep = told(
        named, growth.hire(monthly_cost=40, monthly_fee=50, new_clients_per_month=2, **kind.given, rng=1, draws=200)
    )
    assert float(rep) == approx(100 * mean_lifetime(kind) - 40, rel=1e-8 if kind.ends else 1e-5)
    assert rep.columns["clients"][11] == approx(2 * months_served(kind, 12), rel=1e-9)


@pytest.mark.parametrize("horizon", [24, math.inf])
def test_a_term(named, horizon):
    kind = KINDS[named]
    given = {name: value for name, value in kind.given.items() if name != "term_months"}
    by_month = "term_months" not in kind.given
    if by_month and not hasattr(given.get("survival"), "survival") and np.ndim(given.get("survival")):
        given["survival_step"] = "month"
    term = contracts.Term("offered", kind.given.get("term_months", 1), fee_rate=0.1, **given)
    row = contracts.compare(term, monthly_spend=500, horizon_months=horizon, rng=1, draws=200).rows()[0]
    served = mean_lifetime(kind) if math.isinf(horizon) else months_served(kind, horizon)
    assert row["expected_months"] == approx(served, rel=1e-8 if kind.ends else 1e-5)
    assert (row["present_value_low"] is not None) == (named in UNCERTAIN)


# ---------------------------------------------------------------- the uncertainty of a fit


def test_a_fits_interval_is_that_of_its_parameters_normal_in_their_logarithms():
    fit = clv.ShiftedBetaGeometric.fit_survivors(SURVIVORS)
    terms = {"fee_rate": 0.1, **COSTS, "horizon_months": 60}
    least = contracts.minimum_spend(survival=fit, term_months=12, **terms, rng=1, draws=40_000)
    generator = np.random.default_rng(2)
    theta = np.exp(generator.multivariate_normal(np.log(fit.model.theta), fit.log_covariance, 40_000))
    months = 12 * shifted_beta_geometric(theta[:, :1], theta[:, 1:], np.arange(5)).sum(axis=1)
    low, high = np.quantile((900 / months + 10) / 0.1, [0.025, 0.975])
    assert (least.interval.low, least.interval.high) == approx((low, high), rel=1e-3)
    assert least.interval.method == "monte_carlo"


def test_a_fits_interval_holds_the_truth_as_often_as_it_says():
    truth = clv.ShiftedBetaGeometric(alpha=0.7, beta=3.8)
    terms = {"fee_rate": 0.1, **COSTS, "horizon_months": 120, "term_months": 12}
    exact, generator = float(contracts.minimum_spend(survival=truth, **terms)), np.random.default_rng(2007)
    held = 0
    for _ in range(200):
        seen = truth.simulate(600, horizon=7, rng=generator)
        fit = clv.ShiftedBetaGeometric.fit(seen, duration="duration", churned="churned")
        least = contracts.minimum_spend(survival=fit, **terms, rng=generator, draws=300)
        held += exact in least.interval
    assert 0.92 <= held / 200 <= 0.98


def test_terms_that_stand_on_one_fit_share_its_draws():
    fit = clv.ShiftedBetaGeometric.fit_survivors(SURVIVORS)
    twins = [contracts.Term(name, 12, fee_rate=0.1, survival=fit) for name in ("one", "other")]
    table = contracts.compare(
        [*twins, contracts.Term("short", 1, fee_rate=0.1, survival=fit)], monthly_spend=1, horizon_months=48
    )
    chance = table.probability_better("one", "other", draws=500, rng=1)
    assert chance.equal == 500
    assert table.probability_better("one", "short", draws=500, rng=1).better == 500


def test_where_some_draws_have_no_mean_lifetime_the_interval_has_no_end():
    fit = clv.ShiftedBetaGeometric.fit_survivors([400, 240, 165, 125, 100])
    assert fit.model.alpha > 1
    level = growth.plateau(new_clients_per_month=1, monthly_fee=1, survival=fit, term_months=12, rng=1)
    assert math.isfinite(float(level))
    assert level.interval.high == math.inf
    assert math.isfinite(level.interval.low)
    rep = growth.hire(
        monthly_cost=1, monthly_fee=1, new_clients_per_month=1, survival=fit, term_months=12, commission_rate=1, rng=1
    )
    assert (rep.interval.low, rep.interval.high) == (-1, -1)


# ---------------------------------------------------------------- what is refused, and why


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda model: growth.plateau(new_clients_per_month=1, monthly_fee=1, survival=model),
            "never levels off.*by_month",
        ),
        (
            lambda model: contracts.minimum_spend(fee_rate=0.1, **COSTS, survival=model, horizon_months=math.inf),
            "mean lifetime under the ShiftedBetaGeometric of 'client' is infinite.*finite horizon_months",
        ),
        (lambda model: contracts.longevity_bonus(every_months=1, survival=model), "no finite value"),
        (lambda model: contracts.longevity_bonus(every_months=5, survival=model, term_months=12), "whole parts of the"),
        (lambda model: contracts.longevity_bonus(every_months=1, increase=1, survival=model), "bonuses that grow"),
        (
            lambda model: contracts.compare(
                contracts.Term("t", 12, fee_rate=0.1, survival=model), monthly_spend=1, horizon_months=math.inf
            ),
            "infinite, because a few clients stay for ever longer",
        ),
        (
            lambda model: contracts.compare(
                contracts.Term("t", 12, fee_rate=0.1, survival=model, survival_step="month"),
                monthly_spend=1,
                horizon_months=math.inf,
            ),
            "no end is in sight",
        ),
    ],
)
def test_a_sum_without_end_is_refused_by_its_reason(call, words):
    with pytest.raises(InputError, match=words):
        call(clv.ShiftedBetaGeometric(alpha=0.7, beta=3.8))


def test_a_model_of_several_kinds_of_client_is_refused():
    both = REGRESSION.at({"large": [0, 1]})
    with pytest.raises(InputError, match="one number"):
        contracts.minimum_spend(fee_rate=0.1, **COSTS, survival=both, horizon_months=12)


def test_a_fit_is_no_churn_rate():
    with pytest.raises(InputError, match=r"got the fit of a ShiftedBetaGeometric\. Give it as survival="):
        contracts.minimum_spend(fee_rate=0.1, **COSTS, monthly_churn=FIT, horizon_months=12)


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: contracts.Term("t", 1e300, fee_rate=0.1, monthly_churn=0.1),
            "months is a whole number of at most 12000",
        ),
        (lambda: contracts.Term("t", 1, fee_rate=0.1, monthly_churn=0.1, setup_fee=None), "setup_fee is a number"),
        (
            lambda: contracts.Term("t", 1, fee_rate=0.1, survival=[1, 0.5], survival_step=""),
            "survival_step is one of 'month', 'term'",
        ),
        (
            lambda: contracts.Term("t", 1, fee_rate=0.1, survival=[1, 0.5], survival_errors=[0.5, 0.4]),
            "begin with 0, when everyone is there, and never fall",
        ),
        (
            lambda: contracts.minimum_spend(fee_rate=0.1, **COSTS, monthly_churn=0.1, horizon_months=10**9),
            "at most 120000.*write math.inf",
        ),
        (
            lambda: growth.plateau(new_clients_per_month=1, monthly_fee=1, monthly_churn=0.1, draws="many"),
            "draws is a number",
        ),
        (
            lambda: contracts.longevity_bonus(every_months=6, monthly_churn=0.1, draws=10**9),
            "draws is a whole number of at most 10000000",
        ),
        (
            lambda: growth.hire(
                monthly_cost=1, monthly_fee=1, new_clients_per_month=1, lifetime_months=2, attainment="1"
            ),
            "attainment is a number",
        ),
        (
            lambda: growth.upmarket(
                new_clients_per_month=1, monthly_fee=1, lifetime_months="2", larger_fee=1, longer_lifetime=2
            ),
            "lifetime_months is a number",
        ),
        (lambda: survival.kaplan_meier([1, 2], None), "churned says who left"),
        (lambda: survival.log_rank([1, 2], [1, 0], by=None), "compares two groups or more; got none"),
        (lambda: survival.kaplan_meier(np.array([3, 5], "m8[D]"), [1, 0]), "durations holds numbers"),
        (
            lambda: growth.plateau(
                new_clients_per_month=1, monthly_fee=1, survival=survival.kaplan_meier([0, 0, 1], [1, 0, 1])
            ),
            r"survival\(0\) is 1, everyone; got 0\.6.*Leave out who left at once",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_a_cash_flow_past_the_horizon_of_a_model_asks_for_a_longer_one():
    term = contracts.Term("t", 12, fee_rate=0.1, survival=clv.ShiftedBetaGeometric(**STEADY))
    with pytest.raises(InputError, match=r"months=30 goes past .* reached, 24\. Compare over a longer horizon_months"):
        contracts.compare(term, monthly_spend=1, horizon_months=24).cash_flow("t", months=30)


@pytest.mark.parametrize(
    "call",
    [
        lambda rate: contracts.minimum_spend(
            fee_rate=0.1, **COSTS, monthly_churn=0.1, horizon_months=12, monthly_discount_rate=rate
        ),
        lambda rate: contracts.save_offer(**OFFER, monthly_churn=0.1, horizon_months=12, monthly_discount_rate=rate),
        lambda rate: contracts.longevity_bonus(every_months=6, monthly_churn=0.1, monthly_discount_rate=rate),
        lambda rate: contracts.compare(
            contracts.Term("t", 1, fee_rate=0.1, monthly_churn=0.1),
            monthly_spend=1,
            horizon_months=12,
            monthly_discount_rate=rate,
        ),
    ],
)
def test_a_discount_rate_that_looks_like_a_percentage_is_said(call):
    said = "A monthly discount rate of 5 is 500 %; 1 % is 0.01."
    assert said in call(5).notes
    assert said not in call(0.05).notes


def test_a_bonus_far_away_under_a_discount_without_measure_is_worth_nothing():
    assert float(contracts.longevity_bonus(every_months=6, monthly_churn=0.1, monthly_discount_rate=1e300)) == 0
