"""Churn assumptions: a rate, a table and any object that says who is still there."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics import survival
from retention_metrics.errors import InputError

approx = pytest.approx
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(lambda found: [1.0, *sorted(found, reverse=True)])


class Renewals:
    """A contractual model: after k renewals 1 / (1 + k) are still there."""

    step = "term"

    def survival(self, k):
        return 1 / (1 + np.asarray(k))


class ObservedFor:
    """A curve estimated from data that end after some months; past them it raises, or says NaN."""

    step = "month"

    def __init__(self, months, *, answer=None):
        self.months, self.answer = months, answer

    def survival(self, k):
        if k <= self.months:
            return 0.9**k
        if self.answer is None:
            raise InputError(f"the curve ends at month {self.months}.", argument="t")
        return self.answer


# ---------------------------------------------------------------- one protocol


def test_a_rate_an_array_and_an_object_say_the_same_thing():
    rate = survival.assumption(0.1)
    array = survival.assumption(0.9 ** np.arange(25))
    fitted = survival.assumption(ObservedFor(24))
    for k in (0, 1, 7, 24):
        assert rate.survival(k) == approx(0.9**k)
        assert array.survival(k) == approx(0.9**k)
        assert fitted.survival(k) == approx(0.9**k)


@pytest.mark.parametrize("churn", [0.05, [1, 0.9], np.array([1.0, 0.5]), Renewals(), survival.assumption(0.2)])
def test_every_adopted_assumption_satisfies_the_protocol(churn):
    adopted = survival.assumption(churn)
    assert isinstance(adopted, survival.Assumption)
    assert adopted.survival(0) == 1
    assert adopted.step in ("month", "term")


def test_a_churn_result_is_taken_at_its_estimate():
    assert survival.assumption(rm.churn.from_lifetime(12)).monthly_churn == approx(1 / 12)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (rm.retention.rate(start=100, end=90), "Retention and churn add up to 1"),
        (rm.churn.convert(0.05, per="month", to="year"), r"in terms of the year. Convert .* to='month'"),
        (rm.churn.lifetime(0.2, per="year"), "in terms of the year"),
    ],
)
def test_only_a_churn_result_of_a_month_is_monthly_churn(given, words):
    with pytest.raises(InputError, match=words):
        survival.assumption(given)
    for refused in (
        lambda: survival.ConstantChurn(monthly_churn=given),
        lambda: rm.contracts.Term("monthly", 1, fee_rate=0.1, monthly_churn=given),
        lambda: rm.growth.plateau(new_clients_per_month=1, monthly_fee=1, monthly_churn=given),
        lambda: rm.growth.plateau(new_clients_per_month=1, monthly_fee=1, lifetime_months=given),
    ):
        with pytest.raises(InputError, match=words):
            refused()


def test_scalars_give_scalars_and_arrays_their_own_shape():
    for churn in (survival.assumption(0.5), survival.assumption([1, 0.5, 0.25])):
        assert isinstance(churn.survival(2), float)
        assert churn.survival(np.array([[0, 1], [2, 0]])).tolist() == [[1.0, 0.5], [0.25, 1.0]]


@given(SHARES, st.integers(0, 29))
def test_survival_stays_in_0_to_1_and_never_rises(shares, k):
    table = survival.SurvivalTable(values=shares, tail="constant_hazard")
    assert 0 <= table.survival(k + 1) <= table.survival(k) <= 1


# ---------------------------------------------------------------- past the last observed time


def test_past_the_last_value_is_an_error_that_names_the_tail():
    with pytest.raises(InputError, match=r"known up to month 2 and is needed for month 5.*tail='constant_hazard'"):
        survival.assumption([1, 0.8, 0.6]).survival(5)


def test_a_constant_hazard_goes_on_losing_the_last_share():
    table = survival.assumption([1, 0.8, 0.6], tail="constant_hazard")
    assert table.survival(4) == approx(0.6 * 0.75**2)
    assert table.tail_hazard == approx(0.25)
    (note,) = table.notes
    assert "Past month 2" in note
    assert "0.25 of those still there" in note


@given(st.floats(0.01, 0.9), st.integers(2, 20), st.integers(0, 60))
def test_the_tail_of_a_constant_churn_is_that_constant_churn(churn, known, k):
    table = survival.assumption((1 - churn) ** np.arange(known + 1), tail="constant_hazard")
    assert table.survival(k) == approx((1 - churn) ** k, rel=1e-9, abs=1e-15)


def test_once_nobody_is_left_nobody_comes_back_and_no_tail_is_needed():
    table = survival.assumption([1, 1, 0])
    assert table.survival(100) == 0
    assert table.notes == ()


@pytest.mark.parametrize("answer", [None, float("nan")])
def test_a_curve_that_ends_is_extended_only_on_request(answer):
    curve = ObservedFor(6, answer=answer)
    with pytest.raises(InputError, match=r"ends at month 6|not known at month 7"):
        survival.tabulate(curve, steps=12)
    table = survival.tabulate(curve, steps=12, tail="constant_hazard")
    assert table.last == 6
    assert table.survival(12) == approx(0.9**12)
    assert table.notes


def test_a_tabulated_assumption_has_the_same_values():
    assert survival.tabulate(Renewals(), steps=3).values == approx((1, 1 / 2, 1 / 3, 1 / 4))
    assert survival.tabulate(Renewals(), steps=3).step == "term"


def test_an_assumption_is_tabulated_to_the_point_where_nobody_is_left():
    table = survival.tabulate(survival.ConstantChurn(monthly_churn=0.5), steps=None)
    assert table.values[-1] == 0
    assert sum(table.values) == approx(2.0, abs=1e-12)


def test_an_assumption_without_an_end_in_sight_is_refused():
    with pytest.raises(InputError, match="no end is in sight"):
        survival.tabulate(Renewals(), steps=None)


# ---------------------------------------------------------------- what cannot be right


@pytest.mark.parametrize(
    ("churn", "words"),
    [
        (1.1, r"in \[0, 1\]"),
        (-0.1, r"in \[0, 1\]"),
        (float("nan"), "finite"),
        (True, "is a number"),
        ("5 %", "got str"),
        (None, "got NoneType"),
        ([], "begins with 1, everyone; got nothing"),
        ([0.9, 0.8], r"begins with 1, everyone; got 0.9. Divide"),
        ([100, 90, 80], r"begins with 1, everyone; got 100.0. Divide"),
        ([1, 0.8, 0.9], r"never rises.*row 2: 0.9"),
        ([1, 0.8, -0.1], r"in \[0, 1\]"),
        ([1, float("nan")], "finite numbers"),
        ([[1, 0.9], [1, 0.8]], "got list"),
        (object(), "got object"),
    ],
)
def test_an_impossible_assumption_is_refused(churn, words):
    with pytest.raises(InputError, match=words) as caught:
        survival.assumption(churn)
    assert caught.value.argument == "survival"


def test_an_object_needs_a_step_and_everyone_at_the_start():
    class NoStep:
        def survival(self, k):
            return 0.5**k

    class NotEveryone(NoStep):
        step = "month"

        def survival(self, k):
            return 0.5 ** (k + 1)

    class Weekly(NoStep):
        step = "week"

    with pytest.raises(InputError, match=r"no step; got NoStep\. Give it step"):
        survival.assumption(NoStep())
    with pytest.raises(InputError, match=r"survival\(0\) is 1, everyone; got 0.5"):
        survival.assumption(NotEveryone())
    with pytest.raises(InputError, match="is one of 'month', 'term'; got 'week'"):
        survival.assumption(Weekly())


def test_a_fit_is_taken_as_the_model_that_it_holds():
    fit = rm.clv.ShiftedBetaGeometric.fit_survivors([1000, 869, 743, 653, 593, 551, 517, 491])
    assert survival.assumption(fit) is fit.model
    months = {"months": 12, "horizon_months": 48}
    assert survival.by_month(fit, **months) == survival.by_month(fit.model, **months)


def test_a_fit_that_says_nothing_of_who_is_still_there_is_no_assumption():
    fit = rm.clv.BGNBD.fit(rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005))
    with pytest.raises(InputError, match="a BGNBD says nothing of who is still there"):
        survival.assumption(fit)


def test_a_regression_is_asked_for_one_row_of_covariates():
    drawn = rm.clv.ShiftedBetaGeometric(alpha=0.7, beta=3.8).simulate(2000, horizon=7, rng=2007)
    drawn["large"] = np.arange(2000) % 2
    fit = rm.clv.ShiftedBetaGeometric.fit(drawn, duration="duration", churned="churned", dropout_covariates=["large"])
    for regression in (fit, fit.model):
        with pytest.raises(InputError, match=r"for each row of covariates\. Give its \.at\(covariates\) of one row"):
            survival.assumption(regression)
    with pytest.raises(InputError, match=r"one number; got shape \(2,\)\. Give the assumption of one kind"):
        survival.assumption(fit.model.at({"large": [0, 1]}))
    assert survival.by_month(fit.model.at({"large": [1]}), months=1, horizon_months=2).last == 2


# ---------------------------------------------------------------- terms as months


@given(st.lists(st.floats(0.1, 1), min_size=1, max_size=6), st.integers(1, 13), st.integers(1, 60))
def test_by_month_a_bound_client_stays_to_each_terms_end(stays, months, horizon):
    shares = [1.0, *np.cumprod(stays)]
    if horizon // months >= len(shares):
        with pytest.raises(InputError, match=f"known up to term {len(stays)} and is needed for term"):
            survival.by_month(shares, months=months, horizon_months=horizon)
        return
    table = survival.by_month(shares, months=months, horizon_months=horizon)
    assert table.step == "month"
    assert table.survival(np.arange(horizon + 1)).tolist() == [shares[month // months] for month in range(horizon + 1)]


def test_a_contractual_model_serves_wherever_churn_is_taken_by_the_month():
    """12-month terms under a fitted model: the sums are those of a term that binds, and each verb takes them."""
    model = rm.clv.ShiftedBetaGeometric(alpha=0.7, beta=3.0)
    monthly = survival.by_month(model, months=12, horizon_months=48)
    bound = rm.contracts.Term("bound", 12, fee_rate=0.1, survival=model)
    free = rm.contracts.Term("free", 1, fee_rate=0.1, survival=monthly, survival_step="month")
    rows = rm.contracts.compare([bound, free], monthly_spend=1_000, horizon_months=48).rows()
    assert rows[1]["expected_months"] == pytest.approx(rows[0]["expected_months"], rel=1e-12)
    months = {"horizon_months": 48}
    costs = {"acquisition_cost": 900, "monthly_service_cost": 10}
    least = rm.contracts.minimum_spend(fee_rate=0.1, survival=monthly, **costs, **months)
    assert least.expected_months == pytest.approx(rows[0]["expected_months"], rel=1e-12)
    offer = rm.contracts.save_offer(monthly_fee=100, acceptance=0.3, survival=monthly, free_months=2, **months)
    assert offer.present_months == pytest.approx(rows[0]["expected_months"], rel=1e-12)
    bonus = rm.contracts.longevity_bonus(every_months=12, survival=monthly, **months)
    assert float(bonus) == pytest.approx(sum(model.survival(k) for k in range(1, 5)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"months": 0}, "months is a whole number of at least 1"),
        ({"horizon_months": 0.5}, "horizon_months is a whole number"),
        ({"horizon_months": 10**6}, "at most 12000"),
        ({"churn": 0.1}, "monthly churn rate; its step is the month"),
        ({"churn": survival.ConstantChurn(monthly_churn=0.1)}, "goes by the month already"),
        ({"churn": [1, 1.2]}, "in \\[0, 1\\]"),
    ],
)
def test_what_has_no_terms_is_not_read_by_month(options, words):
    given_ = {"churn": [1, 0.5], "months": 6, "horizon_months": 6, **options}
    with pytest.raises(InputError, match=words):
        survival.by_month(given_.pop("churn"), **given_)


def test_months_are_not_read_as_terms():
    with pytest.raises(InputError, match="curve of months"):
        survival.assumption(ObservedFor(6), step="term")
    with pytest.raises(InputError, match="its step is the month"):
        survival.assumption(0.05, step="term")


def test_a_rising_object_is_refused_when_its_values_are_used():
    class Rising:
        step = "month"

        def survival(self, k):
            return 1.0 if k == 0 else min(0.5 + 0.1 * k, 1.0)

    with pytest.raises(InputError, match="never rises"):
        survival.tabulate(Rising(), steps=4)


def test_steps_of_a_table_are_whole_and_start_at_0():
    table = survival.assumption([1, 0.5])
    with pytest.raises(InputError, match="whole numbers"):
        table.survival(0.5)
    with pytest.raises(InputError, match="k"):
        table.survival(-1)


def test_a_tail_needs_a_step_to_go_on_from():
    with pytest.raises(InputError, match="goes on from the last step"):
        survival.assumption([1.0], tail="constant_hazard")


# ---------------------------------------------------------------- a value like any other


@pytest.mark.parametrize(
    "churn",
    [
        survival.ConstantChurn(monthly_churn=0.05),
        survival.SurvivalTable(values=[1, 0.9, 0.7]),
        survival.SurvivalTable(values=[1, 0.9, 0.7], step="term", tail="constant_hazard"),
    ],
)
def test_an_assumption_goes_to_json_and_back_and_cannot_be_changed(churn):
    stored = json.loads(json.dumps(churn.to_dict(), allow_nan=False))
    assert type(churn).from_dict(stored) == churn
    assert rm.from_dict(stored) == churn
    assert pickle.loads(pickle.dumps(churn)) == churn
    with pytest.raises(AttributeError):
        churn.monthly_churn = churn.values = 0.5
