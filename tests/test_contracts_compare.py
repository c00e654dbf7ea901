"""Whole contracts compared: clauses, money by month, uncertainty, break-evens, sensitivities and portfolios."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

import retention_metrics as rm
from retention_metrics import survival
from retention_metrics.contracts import FeeFlat, FeeShare, FeeTiers, Term, compare
from retention_metrics.errors import InputError

approx = pytest.approx
FOREVER = math.inf


def term(name="a", months=1, **options):
    churn = {} if {"monthly_churn", "survival"} & set(options) else {"monthly_churn": 0.05}
    fee = {} if {"fee", "fee_rate"} & set(options) else {"fee_rate": 0.1}
    return Term(name, months, **{**fee, **churn, **options})


def table(*terms, **options):
    return compare(terms, **{"monthly_spend": 30_000, "horizon_months": 36, "rng": 2019, **options})


def row(result, name="a"):
    return next(row for row in result.rows() if row["term"] == name)


def value(offered, **options):
    return row(table(offered, **options), offered.name)["present_value"]


@st.composite
def whole_terms(draw, name="a"):
    """A term with any clauses that do not contradict each other."""
    months = draw(st.integers(1, 14))
    free = draw(st.booleans())
    return Term(
        name,
        months,
        fee_rate=draw(st.floats(0, 0.3)),
        monthly_churn=draw(st.floats(0.005, 0.95)),
        leaves="any_month" if free else "at_renewal",
        renewal_churn=draw(st.floats(0, 0.9)) if free and months > 1 and draw(st.booleans()) else None,
        setup_fee=draw(st.sampled_from([0, 700])),
        early_termination_fee=draw(st.sampled_from([0, 900])) if free and months > 1 else 0,
        free_months=draw(st.integers(0, months - 1 if months > 1 else 3)),
        payment=draw(st.sampled_from(["advance", "arrears"])),
        monthly_service_cost=draw(st.sampled_from([None, 150])),
        acquisition_cost=draw(st.sampled_from([None, 2_500])),
        acceptance=draw(st.floats(0, 1)),
    )


@st.composite
def terms_with_notice(draw):
    offered = draw(whole_terms())
    if offered.renewal_churn is not None:
        return offered
    return dataclasses.replace(offered, notice_months=draw(st.integers(0, offered.months)))


SETTING = {"monthly_discount_rate": 0.01, "monthly_service_cost": 90, "acquisition_cost": 1_200}


# ---------------------------------------------------------------- the twin: one client, month by month


def walk(offered, horizon, *, spend=30_000, discount=0.01, service=90, acquisition=1_200):
    """One client followed month by month, every way it can go by its chance: months served and present money."""
    service = offered.monthly_service_cost if offered.monthly_service_cost is not None else service
    acquisition = offered.acquisition_cost if offered.acquisition_cost is not None else acquisition
    fee, v = offered.monthly_fee(spend), 1 / (1 + discount)
    money, months = offered.setup_fee - acquisition, 0.0
    # Clients by the months left to serve after notice; None is without notice.
    staying, leaving = 1.0, {}
    for month in range(horizon):
        there = staying + sum(leaving.values())
        months += there
        late = v if offered.payment == "arrears" else 1
        money += there * v**month * ((fee * late if month >= offered.free_months else 0) - service)
        ahead = month + 1
        gives_notice = _leaving_chance(offered, ahead)
        notice = offered.notice_months if offered.leaves == "any_month" else 0
        leaving[ahead + notice] = leaving.get(ahead + notice, 0.0) + staying * gives_notice
        staying *= 1 - gives_notice
        gone = leaving.pop(ahead, 0.0)
        if ahead % offered.months and ahead < horizon:
            money += gone * v**ahead * offered.early_termination_fee
    return months, money


def _leaving_chance(offered, month):
    """Chance that a client decides to leave at the end of a month of the contract."""
    if offered.leaves == "at_renewal":
        return 1 - (1 - offered.monthly_churn) ** offered.months if month % offered.months == 0 else 0
    if offered.renewal_churn is not None and month % offered.months == 0:
        return offered.renewal_churn
    return offered.monthly_churn


@given(terms_with_notice(), st.integers(1, 50))
def test_a_contract_agrees_with_its_client_followed_month_by_month(offered, horizon):
    found = row(table(offered, horizon_months=horizon, **SETTING))
    months, money = walk(offered, horizon)
    assert found["expected_months"] == approx(months, rel=1e-10)
    assert found["present_value"] == approx(money, rel=1e-9, abs=1e-6)


@given(terms_with_notice(), st.integers(1, 50))
def test_the_cash_of_the_months_adds_up_to_the_present_value(offered, horizon):
    result = table(offered, horizon_months=horizon, **SETTING)
    flow, found = result.cash_flow("a"), row(result)
    assert flow.columns["cumulative_present_value"][-1] == approx(found["present_value"], rel=1e-9, abs=1e-6)
    assert flow.columns["cumulative_cash"][-1] == approx(found["expected_margin"], rel=1e-9, abs=1e-6)
    assert sum(flow.columns["in_service"]) == approx(found["expected_months"], rel=1e-10)
    assert flow.recovery_month == found["recovery_month"]


@settings(max_examples=40)
@given(terms_with_notice(), st.sampled_from([0.0, 0.02]))
def test_no_end_is_the_limit_of_long_horizons(offered, discount):
    setting = {"monthly_discount_rate": discount, "monthly_service_cost": 90}
    long, endless = (row(table(offered, horizon_months=horizon, **setting)) for horizon in (6_000, FOREVER))
    for name in ("expected_months", "present_value", "expected_fees"):
        assert endless[name] == approx(long[name], rel=1e-8, abs=1e-5), name


@settings(max_examples=15)
@given(terms_with_notice(), st.integers(2, 40))
def test_simulated_clients_agree_with_the_expected_value(offered, horizon):
    """Monte Carlo over single clients, in another way than the expected value is computed."""
    rng = np.random.default_rng(2019)
    clients, values = 2_000, []
    chances = [_leaving_chance(offered, month) for month in range(1, horizon + 1)]
    for fate in rng.random((clients, horizon)):
        decides = next((month for month in range(horizon) if fate[month] < chances[month]), horizon)
        notice = offered.notice_months if offered.leaves == "any_month" else 0
        values.append(
            _paid_by_one(offered, min(decides + 1 + notice, horizon) if decides < horizon else horizon, horizon)
        )
    found = row(table(offered, horizon_months=horizon, **SETTING))["present_value"]
    # Ways that ten in 2,000 go may be missing from the sample, and with them their spread.
    unseen = 10 / clients * horizon * (offered.monthly_fee(30_000) + 1_100)
    assert found == approx(np.mean(values), abs=5 * np.std(values) / math.sqrt(clients) + unseen)


def _paid_by_one(offered, served, horizon):
    service = 150 if offered.monthly_service_cost is not None else 90
    money = offered.setup_fee - (2_500 if offered.acquisition_cost is not None else 1_200)
    late = offered.payment == "arrears"
    for month in range(served):
        money -= service * 1.01**-month
        money += offered.monthly_fee(30_000) * 1.01 ** -(month + late) if month >= offered.free_months else 0
    if served < horizon and served % offered.months:
        money += offered.early_termination_fee * 1.01**-served
    return money


# ---------------------------------------------------------------- clauses


def test_months_of_notice_are_served_and_paid():
    plain, notice = (term(leaves="any_month", months=3, notice_months=months) for months in (0, 2))
    found = [row(table(offered, horizon_months=FOREVER))["expected_months"] for offered in (plain, notice)]
    assert found == [approx(20), approx(22)]


def test_notice_within_a_term_moves_nothing_and_is_noted():
    result = table(term(months=12, notice_months=3))
    assert row(result)["present_value"] == value(term(months=12))
    assert any("notice falls within the term" in note for note in result.notes)


def test_free_months_are_served_and_not_paid():
    offered = term(months=12, free_months=2)
    assert value(term(months=12)) - value(offered) == approx(2 * 3_000)
    assert row(table(offered))["expected_months"] == row(table(term(months=12)))["expected_months"]


def test_in_arrears_the_same_fees_are_worth_a_month_less():
    advance, arrears = (table(term(payment=payment), monthly_discount_rate=0.02) for payment in ("advance", "arrears"))
    assert row(arrears)["present_fees"] == approx(row(advance)["present_fees"] / 1.02, rel=1e-12)
    assert row(arrears)["expected_fees"] == row(advance)["expected_fees"]


def test_the_fee_for_leaving_early_is_paid_by_those_who_leave_between_renewals():
    offered = term(months=2, monthly_churn=0.5, leaves="any_month", early_termination_fee=100)
    # Half leave after one month, early; of the rest half at the end, then a quarter of all in month 3, …
    plain = dataclasses.replace(offered, early_termination_fee=0)
    gained = value(offered, horizon_months=FOREVER) - value(plain, horizon_months=FOREVER)
    assert gained == approx(100 * 0.5 / (1 - 0.25))


def test_renewals_may_have_a_churn_of_their_own():
    offered = term(months=12, leaves="any_month", monthly_churn=0.01, renewal_churn=0.4)
    there = [0.99 ** (month - month // 12) * 0.6 ** (month // 12) for month in range(36)]
    assert row(table(offered))["expected_months"] == approx(sum(there), rel=1e-12)


def test_a_term_s_own_costs_stand_before_the_comparison_s():
    result = table(term("a", acquisition_cost=10), term("b", monthly_service_cost=0), **SETTING)
    assert row(result, "a")["acquisition_cost"] == 10
    assert row(result, "b")["present_service_cost"] == 0
    assert row(result, "b")["acquisition_cost"] == 1_200


def test_a_prospect_is_worth_the_share_of_a_client_that_signs():
    found = row(table(term(acceptance=0.25)))
    assert found["present_value_per_prospect"] == 0.25 * found["present_value"]


def test_the_cost_is_recovered_in_the_first_month_whose_cash_covers_it():
    assert row(table(term(months=12), acquisition_cost=9_000))["recovery_month"] == 2
    assert row(table(term(months=12), acquisition_cost=9_001))["recovery_month"] == 3
    assert row(table(term(months=12)))["recovery_month"] == 0
    assert row(table(term(monthly_churn=0.9), acquisition_cost=9_000))["recovery_month"] is None
    assert row(table(term(monthly_churn=0.9), acquisition_cost=9_000, horizon_months=FOREVER))["recovery_month"] is None


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"early_termination_fee": 1, "months": 12}, "early_termination_fee", "Give leaves='any_month'"),
        ({"early_termination_fee": 1, "leaves": "any_month"}, "early_termination_fee", "more than one month"),
        ({"early_termination_fee": -1}, "early_termination_fee", "at least 0"),
        ({"notice_months": 2}, "notice_months", "at most the term, 1 months"),
        ({"notice_months": 0.5}, "notice_months", "whole number"),
        ({"months": 6, "free_months": 6}, "free_months", "Give fewer free months"),
        ({"setup_fee": -1}, "setup_fee", "at least 0"),
        ({"payment": "later"}, "payment", "'advance', 'arrears'"),
        ({"acceptance": 1.1}, "acceptance", r"in \[0, 1\]"),
        ({"acquisition_cost": -1}, "acquisition_cost", "at least 0"),
        ({"monthly_service_cost": -1}, "monthly_service_cost", "at least 0"),
        ({"months": 12, "renewal_churn": 0.5}, "renewal_churn", "give monthly_churn=0.0561257"),
        ({"renewal_churn": 0.5, "leaves": "any_month"}, "renewal_churn", "more than one month"),
        (
            {"renewal_churn": 0.5, "leaves": "any_month", "months": 12, "notice_months": 1},
            "renewal_churn",
            "notice of a renewal falls within",
        ),
        (
            {"renewal_churn": 0.5, "leaves": "any_month", "months": 2, "survival": [1, 0.5], "survival_step": "month"},
            "renewal_churn",
            "a monthly_churn beside it",
        ),
        ({"churn_evidence": rm.churn.rate(start=10, lost=1)}, "churn_evidence", "has the estimate 0.1"),
        ({"survival": [1, 0.5], "survival_errors": [-1, 0]}, "survival_errors", "at least 0"),
    ],
)
def test_clauses_that_contradict_each_other_say_which_to_change(options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        term(**options)
    assert caught.value.argument == argument


# ---------------------------------------------------------------- the agency's schedule


def schedule(reference, times=1.0):
    published = reference("contract_terms")
    return [
        Term(
            name,
            published.months[name],
            fee_rate=fee,
            monthly_churn=published.monthly_churn * (times if name == "monthly" else 1),
            leaves="any_month",
        )
        for name, fee in published.fees.items()
    ]


def half_a_digit(digits):
    return 0.5 * 10**-digits + 1e-12


def test_break_even_ratios_of_the_schedule(reference):
    published = reference("contract_terms").break_even_churn_ratio
    result = table(*schedule(reference), horizon_months=FOREVER)
    for pair, expected in published.items():
        if pair != "digits":
            assert float(result.break_even_churn_ratio(*pair.split("_"))) == approx(
                expected, abs=half_a_digit(published["digits"])
            )


def test_fees_that_match_at_twice_the_churn(reference):
    published = reference("contract_terms").break_even_fee_at_twice_the_churn
    result = table(*schedule(reference, times=2), horizon_months=FOREVER)
    for name in ("six", "twelve"):
        assert float(result.break_even_fee("monthly", name)) == approx(published[name], abs=1e-12)


@pytest.mark.parametrize("way", ["closed form", "cash flow", "simulation"])
def test_what_dropping_month_to_month_takes_three_ways(reference, way):
    published = reference("contract_terms").dropping_month_to_month
    terms = schedule(reference, times=2)
    result = table(*terms, horizon_months=FOREVER)
    tolerance = half_a_digit(published["digits"])
    if way == "closed form":
        worth = {offered.name: float(offered.fee_rate / offered.monthly_churn) for offered in terms}
        for row in result.drop("monthly").rows():
            if row["case"] == "like_the_others":
                assert row["break_even_share"] == approx(worth["monthly"] / worth[row["term"]], rel=1e-12)
    elif way == "cash flow":
        worth = {
            offered.name: result.cash_flow(offered.name, months=1_500).columns["cumulative_cash"][-1]
            for offered in terms
        }
    else:
        rng = np.random.default_rng(2019)
        worth = {
            offered.name: 30_000 * offered.fee_rate * rng.geometric(offered.monthly_churn, 2_000_000).mean()
            for offered in terms
        }
        tolerance = 0.003
    for name in ("six", "twelve"):
        assert worth["monthly"] / worth[name] == approx(published[name], abs=tolerance)
        assert float(result.break_even_acceptance(name, "monthly")) == approx(published[name], abs=half_a_digit(3))


def test_with_their_own_churn_dropping_never_pays_free_and_may_bound():
    """Bound, a client who would leave soon stays to the end of the term."""
    monthly = term("monthly", fee_rate=0.10, monthly_churn=0.30)
    yearly = term("yearly", months=12, fee_rate=0.06, monthly_churn=0.04)
    found = {entry["case"]: entry for entry in table(monthly, yearly).drop("monthly").rows()}
    assert found["own_churn_free"]["status"] == "never"
    assert found["own_churn_free"]["break_even_share"] is None
    assert found["own_churn_bound"]["status"] == "ok"
    bound = value(term(months=12, fee_rate=0.06, monthly_churn=0.30))
    assert found["own_churn_bound"]["break_even_share"] == approx(value(monthly) / bound, rel=1e-12)


@given(st.floats(0.01, 0.5), st.floats(0.01, 0.5), st.integers(2, 24))
def test_a_lower_fee_for_the_same_free_clients_never_pays(churn, other, months):
    monthly = term("monthly", fee_rate=0.10, monthly_churn=churn)
    longer = term("longer", months=months, fee_rate=0.06, monthly_churn=other)
    free = table(monthly, longer).drop("monthly").rows()[1]
    assert (free["case"], free["status"]) == ("own_churn_free", "never")


def test_what_dropping_takes_is_a_share_of_those_who_would_have_signed():
    """How many prospects sign the term at all changes nothing for those who do."""
    terms = term("a", monthly_churn=0.08), term("b", months=12, fee_rate=0.06)
    few = dataclasses.replace(terms[0], acceptance=0.1)
    assert table(few, terms[1]).drop("a") == table(*terms).drop("a")


def test_a_term_that_loses_money_is_always_worth_dropping():
    result = table(term("a", acquisition_cost=1e9), term("b"))
    assert {entry["status"] for entry in result.drop("a").rows()} == {"always"}
    with pytest.raises(InputError, match="nothing is left to sell"):
        table(term()).drop("a")
    with pytest.raises(InputError, match="by 12-month term"):
        table(term("a", months=12, survival=[1, 0.5, 0.4]), term("b")).drop("a")


# ---------------------------------------------------------------- break-evens


@given(whole_terms("a"), whole_terms("b"))
def test_at_the_break_even_fee_both_are_worth_the_same(a, b):
    fee = table(a, b, **SETTING).break_even_fee("a", "b")
    if fee.estimate is not None:
        matched = value(dataclasses.replace(a, fee_rate=fee.estimate), **SETTING)
        assert matched == approx(value(b, **SETTING), rel=1e-7, abs=1e-5)
        assert fee.explain().evaluate()["fee_rate"] == approx(fee.estimate, rel=1e-9, abs=1e-15)
    else:
        assert value(dataclasses.replace(a, fee_rate=0.0), **SETTING) > value(b, **SETTING) or a.free_months >= 36


@settings(max_examples=40)
@given(whole_terms("a"), whole_terms("b"))
def test_at_the_break_even_churn_both_are_worth_the_same(a, b):
    ratio = table(a, b, **SETTING).break_even_churn_ratio("a", "b")
    if ratio.estimate is not None:
        assert ratio.estimate * b.monthly_churn == approx(ratio.monthly_churn)
        matched = value(a.with_churn(ratio.monthly_churn), **SETTING)
        assert matched == approx(value(b, **SETTING), rel=1e-6, abs=1e-4)


@given(whole_terms("a"), whole_terms("b"))
def test_at_the_break_even_acceptance_a_prospect_is_worth_the_same(a, b):
    result = table(a, b, **SETTING)
    found = result.break_even_acceptance("a", "b")
    if found.estimate is not None:
        assert 0 <= found.estimate <= 1
        again = dataclasses.replace(a, acceptance=found.estimate)
        assert row(table(again, **SETTING))["present_value_per_prospect"] == approx(
            row(result, "b")["present_value_per_prospect"], rel=1e-9, abs=1e-9
        )
    else:
        assert found.notes


FEES = st.one_of(
    st.builds(FeeShare, st.floats(0.01, 0.3), minimum=st.floats(0, 3_000)),
    st.builds(FeeFlat, st.floats(0, 5_000)),
    st.builds(
        lambda first, second, basis: FeeTiers([(0, first), (20_000, second)], basis=basis),
        st.floats(0.01, 0.3),
        st.floats(0.01, 0.3),
        st.sampled_from(["marginal", "whole"]),
    ),
)


@given(FEES, FEES, st.floats(0.01, 0.3), st.floats(0.01, 0.3))
def test_at_the_break_even_spend_both_are_worth_the_same(fee_a, fee_b, churn_a, churn_b):
    terms = term("a", fee=fee_a, monthly_churn=churn_a), term("b", fee=fee_b, monthly_churn=churn_b)
    found = table(*terms, **SETTING).break_even_spend("a", "b")
    for spend in [] if found.estimate is None else [found.estimate, *found.others]:
        a, b = (value(offered, **{**SETTING, "monthly_spend": spend}) for offered in terms)
        assert a == approx(b, rel=1e-6, abs=1e-4)
    if found.estimate is None:
        assert found.notes


def test_an_order_that_changes_in_a_jump_has_no_spend_of_equal_worth():
    whole = FeeTiers([(0, 0.10), (20_000, 0.04)], basis="whole")
    found = table(term("a", fee=whole), term("b", fee_rate=0.05)).break_even_spend("a", "b")
    assert found.estimate is None
    assert any("in a jump: at 20000" in note for note in found.notes)
    share = table(term("a"), term("b", fee_rate=0.05)).break_even_spend("a", "b")
    assert "in proportion to the spend" in share.notes[0]
    rounded = table(term("a", fee=FeeFlat(2_000, unit=1)), term("b")).break_even_spend("a", "b")
    assert float(rounded) == approx(20_000)
    assert "The fees are taken before rounding." in rounded.notes


def test_the_break_even_discount_rate_without_an_end_is_known():
    """0.10 (1 + d) / (0.10 + d) = 0.08 (1 + d) / (0.05 + d) at d = 15 %."""
    terms = term("a", fee_rate=0.10, monthly_churn=0.10), term("b", fee_rate=0.08, monthly_churn=0.05)
    rate = table(*terms, horizon_months=FOREVER).break_even_discount_rate("a", "b")
    assert float(rate) == approx(0.15, rel=1e-10)
    assert rate.explain().evaluate()["monthly_discount_rate"] == approx(0.15, rel=1e-9)
    none = table(term("a"), term("b", fee_rate=0.2)).break_even_discount_rate("a", "b")
    assert none.notes == ("b is worth more at every monthly discount rate from 0 to 100 %.",)
    same = table(term("a"), term("b")).break_even_discount_rate("a", "a")
    assert "as much as itself" in same.notes[0]


@settings(max_examples=40)
@given(whole_terms("a"), whole_terms("b"))
def test_at_every_break_even_discount_rate_both_are_worth_the_same(a, b):
    found = table(a, b, **SETTING).break_even_discount_rate("a", "b")
    for rate in [] if found.estimate is None else [found.estimate, *found.others]:
        one, other = (value(offered, **{**SETTING, "monthly_discount_rate": rate}) for offered in (a, b))
        assert one == approx(other, rel=1e-6, abs=1e-4)


def test_a_fee_for_leaving_early_may_make_for_two_break_even_churns():
    """Leaving pays: a high churn earns the fee, a low one the months."""
    a = term("a", months=12, fee_rate=0.02, leaves="any_month", early_termination_fee=20_000)
    ratio = table(a, term("b", fee_rate=0.06, monthly_churn=0.075)).break_even_churn_ratio("a", "b")
    assert len([note for note in ratio.notes if "further churns" in note]) == 1
    for churn in (ratio.monthly_churn, float(ratio.notes[0].split(": ")[1].rstrip("."))):
        assert value(a.with_churn(churn)) == approx(value(term(fee_rate=0.06, monthly_churn=0.075)), rel=1e-4)
    low = table(a, term("b", fee_rate=0.9)).break_even_churn_ratio("a", "b")
    assert "No churn of a from 0 to 1" in low.notes[0]


def test_where_no_acceptance_makes_them_equal_the_note_says_what_it_would_take():
    result = table(term("a", fee_rate=0.05), term("b"), term("c", acquisition_cost=1e9))
    assert "equality would take 2 of them" in result.break_even_acceptance("a", "b").notes[0]
    assert "not worth a gain or a loss both" in result.break_even_acceptance("a", "c").notes[0]


def test_no_fee_helps_where_no_month_is_paid():
    fee = table(term("a", free_months=40), term("b")).break_even_fee("a", "b")
    assert "No month of a is paid" in fee.notes[0]


# ---------------------------------------------------------------- how sure


COUNTED = rm.churn.rate(start=200, lost=10)
CURVE = survival.kaplan_meier(np.repeat(np.arange(1, 41), 5), np.tile([True, False, True, False, False], 40))


@pytest.mark.parametrize(
    "churn",
    [
        {"monthly_churn": COUNTED},
        {"survival": COUNTED},
        {"monthly_churn": rm.churn.convert(rm.churn.rate(start=200, lost=90), per="year", to="month")},
        {"monthly_churn": rm.churn.convert(rm.churn.rate(start=50, lost=0), per="year", to="month")},
        {"survival": CURVE, "leaves": "any_month"},
        {"survival": CURVE, "months": 6},
    ],
)
def test_what_is_known_of_the_churn_becomes_an_interval(churn):
    offered = term(**churn)
    result = table(offered, **SETTING)
    found = row(result)
    for name in ("expected_months", "present_value"):
        assert found[f"{name}_low"] < found[f"{name}_high"]
        assert found[f"{name}_low"] <= found[name] * (1 + 1e-12)
    flow = result.cash_flow("a", rng=2019)
    assert flow.level == 0.95
    assert flow.columns["cumulative_cash_low"][-1] < flow.columns["cumulative_cash_high"][-1]
    assert rm.from_dict(result.to_dict()) == result
    again = rm.from_dict(result.to_dict()).cash_flow("a", rng=2019)
    assert again == flow
    assert row(table(offered, level=None))["present_value_low"] is None


def test_the_break_even_fee_and_acceptance_are_as_unsure_as_the_churn():
    """Against a certain term the fee falls with the own months: its interval is theirs, turned over."""
    a, b = term("a", monthly_churn=COUNTED), term("b", fee_rate=0.08, monthly_churn=0.05)
    result = table(a, b, draws=20_000)
    fee = result.break_even_fee("a", "b", draws=20_000, rng=2019)
    months, other = row(result), row(result, "b")["expected_months"]
    ends = [0.08 * other / months[f"expected_months_{end}"] for end in ("high", "low")]
    assert [fee.interval.low, fee.interval.high] == approx(ends, rel=0.01)
    share = result.break_even_acceptance("a", "b", draws=20_000, rng=2019)
    assert [share.interval.low, share.interval.high] == approx([min(end / 0.1, 1.0) for end in ends], rel=0.01)
    for certain in (table(b, term("a")), table(b, a, level=None)):
        assert certain.break_even_fee("a", "b").interval is None
        assert certain.break_even_acceptance("a", "b").interval is None


def test_the_month_of_recovery_has_the_interval_of_its_churn():
    """A cost of 21,000 at 3,000 a month and 10 % churn comes back in month 11; at 15 % it never does."""
    counted = rm.churn.rate(start=300, lost=30)
    flow = table(term("a", monthly_churn=counted, acquisition_cost=21_000)).cash_flow("a", draws=20_000, rng=2019)
    months = {}
    for name, churn in zip(("high", "low"), jeffreys(30, 300)[::-1], strict=True):
        own = table(term("a", monthly_churn=float(churn), acquisition_cost=21_000)).cash_flow("a")
        months[name] = math.inf if own.recovery_month is None else own.recovery_month
        assert (own.recovery_interval, own.probability_recovered) == (None, None)
    assert flow.recovery_month == 11
    assert (flow.recovery_interval.low, flow.recovery_interval.high) == (months["low"], months["high"])
    # A cost of seven months' fees comes back within 36 where the months expected are 7 at least.
    limit = brentq(lambda churn: (1 - (1 - churn) ** 36) / churn - 7, 0.05, 0.3)
    assert flow.probability_recovered == approx(stats.beta.cdf(limit, 30.5, 270.5), abs=0.01)
    assert rm.from_dict(flow.to_dict()) == flow
    never = table(term("a", monthly_churn=counted, acquisition_cost=90_000)).cash_flow("a", rng=2019)
    assert (never.recovery_month, never.recovery_interval, never.probability_recovered) == (None, None, 0)


def test_a_prospect_s_value_has_the_interval_of_a_client_s():
    found = row(table(term("a", monthly_churn=rm.churn.rate(start=300, lost=30), acceptance=0.3)))
    for end in ("low", "high"):
        assert found[f"present_value_per_prospect_{end}"] == approx(0.3 * found[f"present_value_{end}"])
    assert row(table(term("a")))["present_value_per_prospect_low"] is None


def jeffreys(lost, start, level=0.95):
    """Ends of the posterior from which a share of counts is drawn."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    return stats.beta.ppf(tails, lost + 0.5, start - lost + 0.5)


CERTAIN = term("a", 1, fee_rate=0.10, monthly_churn=0.10, acquisition_cost=4_000)
HELD = term("b", 6, fee_rate=0.09, monthly_churn=rm.churn.rate(start=200, lost=12))
FLAT = term("b", 6, fee=FeeFlat(2_400), monthly_churn=rm.churn.rate(start=200, lost=12))


@pytest.mark.parametrize(
    ("name", "b", "options"),
    [
        ("break_even_churn_ratio", HELD, {"horizon_months": FOREVER}),
        ("break_even_churn_ratio", HELD, {}),
        ("break_even_churn_ratio", dataclasses.replace(HELD, free_months=1), {}),
        ("break_even_spend", FLAT, {"monthly_service_cost": 300}),
        ("break_even_spend", FLAT, {"horizon_months": FOREVER, "monthly_discount_rate": 0.01}),
        ("break_even_discount_rate", HELD, {"monthly_service_cost": 900}),
        ("break_even_fee", HELD, {}),
        ("break_even_acceptance", HELD, {}),
    ],
)
def test_a_break_even_that_is_monotone_in_a_churn_takes_its_ends_from_it(name, b, options):
    a = CERTAIN if name != "break_even_acceptance" else dataclasses.replace(CERTAIN, fee_rate=0.3)
    if name == "break_even_discount_rate":
        a = dataclasses.replace(CERTAIN, acquisition_cost=0)
    draws = {"draws": 4_000 if name == "break_even_discount_rate" else 40_000, "rng": 2019}
    found = getattr(table(a, b, **options), name)("a", "b", **draws)
    ends = [float(getattr(table(a, b.with_churn(churn), **options), name)("a", "b")) for churn in jeffreys(12, 200)]
    assert found.interval.method == "monte_carlo"
    spread = 0.04 if name == "break_even_discount_rate" else 0.015
    assert (found.interval.low, found.interval.high) == approx(tuple(sorted(ends)), rel=spread)
    assert float(found) in found.interval
    assert rm.from_dict(found.to_dict()) == found
    certain = getattr(table(a, b.with_churn(0.06), **options), name)("a", "b")
    assert certain.interval is None


def test_without_costs_or_end_the_ratio_is_that_of_the_fees_whatever_the_churn():
    terms = [term("a", leaves="any_month"), term("b", 12, fee_rate=0.06, monthly_churn=HELD.churn_evidence)]
    terms[1] = dataclasses.replace(terms[1], leaves="any_month")
    ratio = table(*terms, horizon_months=FOREVER).break_even_churn_ratio("a", "b", rng=2019)
    assert (ratio.interval.low, ratio.interval.high) == approx((5 / 3, 5 / 3), rel=1e-9)


def test_draws_in_which_there_is_no_break_even_are_counted_out_and_said():
    few = rm.churn.rate(start=20, lost=2)
    rare = table(term("a", fee_rate=0.1), term("b", fee_rate=0.18, monthly_churn=few), horizon_months=12)
    ratio = rare.break_even_churn_ratio("a", "b", rng=2019)
    assert ratio.estimate is None
    assert any("% of the draws there is one" in note for note in ratio.notes)
    some = table(term("a", fee_rate=0.1), term("b", fee_rate=0.11, monthly_churn=few), horizon_months=12)
    ratio = some.break_even_churn_ratio("a", "b", rng=2019)
    (note,) = ratio.notes
    share = float(note.split()[1])
    # There is none where b is worth more than a would be without churn.
    months = [sum((1 - churn) ** month for month in range(12)) for churn in np.linspace(0, 0.5, 2_001)]
    limit = np.interp(-12 / 1.1, -np.array(months), np.linspace(0, 0.5, 2_001))
    assert share / 100 == approx(stats.beta.cdf(limit, 2.5, 18.5), abs=0.01)
    assert "there is none; the interval is that of the others" in note
    never = table(term("a", fee_rate=0.1), term("b", fee_rate=0.2, monthly_churn=few))
    assert never.break_even_acceptance("a", "b", rng=2019).estimate is None
    assert any("% of the draws there is one" in note for note in never.break_even_acceptance("a", "b", rng=2019).notes)
    low = dataclasses.replace(never.terms[0], monthly_service_cost=0, acceptance=0.5)
    much = table(dataclasses.replace(low, setup_fee=24_000), dataclasses.replace(never.terms[1], fee_rate=0.1))
    assert any("even a fee of 0 is too much" in note for note in much.break_even_fee("a", "b", rng=2019).notes)
    assert float(ratio) in ratio.interval


@pytest.mark.parametrize("name", ["break_even_spend", "break_even_churn_ratio", "break_even_fee"])
def test_the_interval_of_a_break_even_covers_the_truth(name):
    """500 samples of 250 clients under each term; 95 % should hold the break-even of the true churns."""
    rng = np.random.default_rng(1934)

    def offered(lost):
        """Two terms with churns as they are, or as counted."""
        counted = (
            lost if isinstance(lost[0], float) else [rm.churn.rate(start=250, lost=int(number)) for number in lost]
        )
        first = term("a", fee_rate=0.10, monthly_churn=counted[0], acquisition_cost=9_000)
        return table(first, term("b", fee=FeeFlat(2_000), monthly_churn=counted[1]), horizon_months=FOREVER, draws=1)

    truth = float(getattr(offered([0.09, 0.05]), name)("a", "b"))
    held = 0
    for lost in zip(rng.binomial(250, 0.09, 500), rng.binomial(250, 0.05, 500), strict=True):
        held += truth in getattr(offered(lost), name)("a", "b", draws=1_000, rng=rng).interval
    assert held / 500 == approx(0.95, abs=0.03)


def test_one_number_has_no_interval():
    found = row(table(term()))
    assert (found["present_value_low"], found["expected_months_high"]) == (None, None)
    assert row(table(term().with_churn(0.2)))["present_value_low"] is None
    assert term(monthly_churn=COUNTED).with_churn(0.2).churn_evidence is None


def test_draws_of_a_share_follow_jeffreys_posterior():
    from scipy import stats

    found = row(table(term(monthly_churn=COUNTED), horizon_months=2, draws=400_000))
    ends = stats.beta(10.5, 190.5).ppf([0.975, 0.025])
    assert [found["expected_months_low"], found["expected_months_high"]] == approx(list(2 - ends), abs=3e-4)


def test_draws_of_an_interval_end_where_it_does():
    yearly = rm.churn.convert(rm.churn.rate(start=200, lost=90), per="year", to="month")
    found = row(table(term(monthly_churn=yearly), horizon_months=2, draws=400_000))
    ends = [2 - yearly.interval.high, 2 - yearly.interval.low]
    assert [found["expected_months_low"], found["expected_months_high"]] == approx(ends, abs=2e-4)


def test_draws_of_a_curve_spread_as_greenwood_says():
    when = 20
    offered = term(survival=CURVE, leaves="any_month")
    flow = table(offered, monthly_spend=10, level=0.6827, horizon_months=36).cash_flow("a", draws=100_000, rng=2019)
    half = (flow.columns["cash_high"][when] - flow.columns["cash_low"][when]) / 2
    at = CURVE.time <= when
    d, n = CURVE.churned[at], CURVE.at_risk[at]
    assert half == approx(float(CURVE.survival(when)) * math.sqrt(np.sum(d / (n * (n - d)))), rel=0.02)


def test_terms_on_one_estimate_share_its_draws():
    """Of one churn, more fee is better in every draw."""
    terms = term("a", monthly_churn=COUNTED, fee_rate=0.11), term("b", monthly_churn=COUNTED, fee_rate=0.10)
    assert float(table(*terms).probability_better("a", "b", rng=2019)) == 1
    alike = rm.churn.rate(start=201, lost=10)
    apart = table(terms[0], term("b", monthly_churn=alike, fee_rate=0.10)).probability_better("a", "b", rng=2019)
    assert 0.5 < float(apart) < 1


def test_the_probability_of_two_equal_estimates_is_one_half():
    terms = term("a", monthly_churn=COUNTED), term("b", monthly_churn=rm.churn.rate(start=400, lost=20))
    chance = table(*terms).probability_better("a", "b", draws=40_000, rng=2019)
    other = table(*terms).probability_better("b", "a", draws=40_000, rng=2019)
    assert float(chance) == approx(0.5, abs=0.03)
    assert float(chance) + float(other) == approx(1, abs=0.02)
    assert chance.standard_error == approx(0.0025, rel=0.01)


def test_between_two_certain_churns_the_better_is_better_for_sure():
    chance = table(term("a"), term("b", fee_rate=0.2)).probability_better("b", "a")
    assert (float(chance), chance.draws) == (1, 1)
    assert "for certain" in chance.notes[0]
    assert float(table(term("a"), term("b")).probability_better("a", "b")) == 0.5


def test_a_single_client_s_chance_is_that_of_the_geometric_laws():
    """Equal fees, free in any month: a brings more where it stays longer."""
    p, q = 0.2, 0.1
    terms = term("a", monthly_churn=p), term("b", monthly_churn=q)
    chance = table(*terms, horizon_months=400).probability_better("a", "b", of="single_client", draws=100_000, rng=2019)
    longer = q * (1 - p) / (1 - (1 - p) * (1 - q))
    same = p * q / (1 - (1 - p) * (1 - q))
    assert float(chance) == approx(longer + same / 2, abs=5 * chance.standard_error)
    with pytest.raises(InputError, match="Compare the terms over a finite horizon"):
        table(*terms, horizon_months=FOREVER).probability_better("a", "b", of="single_client")


@settings(max_examples=25)
@given(terms_with_notice(), st.integers(1, 40))
def test_the_mean_of_single_clients_is_the_expected_value(offered, horizon):
    from retention_metrics.contracts.chances import client_values
    from retention_metrics.contracts.service import Setting

    setting = Setting(spend=30_000, horizon=horizon, discount_rate=0.01, service_cost=90, acquisition_cost=1_200)
    values = client_values(offered, setting, 20_000, None, np.random.default_rng(2019))
    found = row(table(offered, horizon_months=horizon, **SETTING))["present_value"]
    assert values.mean() == approx(found, abs=5 * values.std() / math.sqrt(20_000) + 1e-6)


def test_without_an_end_the_draws_have_none_either():
    offered = [
        term("a", monthly_churn=COUNTED),
        term("b", months=6, survival=CURVE, tail="constant_hazard"),
        term("c", months=12, leaves="any_month", monthly_churn=COUNTED, renewal_churn=0.3, early_termination_fee=50),
    ]
    long, endless = (table(*offered, horizon_months=horizon, draws=200) for horizon in (4_000, FOREVER))
    for name in ("a", "b", "c"):
        for end in ("low", "high"):
            assert row(endless, name)[f"present_value_{end}"] == approx(
                row(long, name)[f"present_value_{end}"], rel=1e-4
            )


# ---------------------------------------------------------------- cash, sensitivities, portfolios


def test_without_an_end_the_cash_needs_to_know_how_many_months():
    result = table(term(), horizon_months=FOREVER)
    with pytest.raises(InputError, match="Give months="):
        result.cash_flow("a")
    assert result.cash_flow("a", months=7).columns["month"] == tuple(range(7))


def test_a_sensitivity_is_the_value_at_changed_inputs():
    a, b = term("a", monthly_churn=COUNTED), term("b", months=6, monthly_churn=0.04)
    result = table(a, b, **SETTING)
    found = {(entry["input"], entry["of"]): entry for entry in result.sensitivity("a", against="b").rows()}
    swings = [entry["swing"] for entry in result.sensitivity("a", against="b").rows()]
    assert swings == sorted(swings, reverse=True)
    churn = found["monthly_churn", "a"]
    assert (churn["input_low"], churn["input_high"]) == (COUNTED.interval.low, COUNTED.interval.high)
    assert churn["value_low"] == approx(value(a.with_churn(COUNTED.interval.low), **SETTING) - value(b, **SETTING))
    spend = found["monthly_spend", "all"]
    lower = {**SETTING, "monthly_spend": 24_000}
    assert spend["value_low"] == approx(value(a, **lower) - value(b, **lower))
    held = found["monthly_churn", "b"]
    assert held["value_high"] == approx(value(a, **SETTING) - value(b.with_churn(0.048), **SETTING))


def test_a_grid_is_the_value_at_each_pair():
    result = table(term("a", months=6), term("b"))
    grid = result.sensitivity_grid(
        "a", against="b", x=("monthly_churn", [0.02, 0.5]), y=("horizon_months", [6, 12, 24])
    )
    for entry in grid.rows():
        moved = {"horizon_months": int(entry["y"])}
        expected = value(term("a", months=6).with_churn(entry["x"]), **moved) - value(term("b"), **moved)
        assert entry["value"] == approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda t: t.sensitivity("a", inputs={"churn": (0, 1)}), "inputs is one of 'monthly_spend'"),
        (lambda t: t.sensitivity("a", inputs={"monthly_churn": (0, 1, 2)}), "a low and a high value"),
        (lambda t: t.sensitivity("a", inputs={}), "at least one input"),
        (lambda t: t.sensitivity("a", change=1), r"change is in \(0, 1\)"),
        (lambda t: t.sensitivity("a", against="x"), "against is one of the terms"),
        (lambda t: t.sensitivity_grid("a", x="monthly_churn", y=("fee_rate", [0, 1])), "pair of an input"),
        (lambda t: t.sensitivity_grid("a", x=("fee_rate", [0]), y=("fee_rate", [0, 1])), "at least two values"),
        (lambda t: t.sensitivity_grid("a", x=("fee_rate", [0, 1]), y=("fee_rate", [0, 1])), "'fee_rate' twice"),
        (lambda t: t.sensitivity_grid("a", x=("fee_rate", [-1, 1]), y=("monthly_spend", [0, 1])), "at least 0"),
        (lambda t: t.portfolio(shares={"x": 1}), "shares names the terms"),
        (lambda t: t.portfolio(shares={"a": 0.6, "b": 0.5}), "at most 1, all prospects; got 1.1"),
        (lambda t: t.portfolio(shares={}), "maps the names of terms"),
        (lambda t: t.probability_better("a", "b", of="luck"), "'expected_value', 'single_client'"),
        (lambda t: t.cash_flow("x"), "term is one of the terms"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(ask, words):
    with pytest.raises(InputError, match=words):
        ask(table(term("a"), term("b")))


def test_a_portfolio_is_worth_the_sum_of_its_shares():
    result = table(term("a", monthly_churn=COUNTED), term("b", months=6), **SETTING)
    mixed = result.portfolio(shares={"a": 0.3, "b": 0.5}, rng=2019)
    expected = 0.3 * row(result, "a")["present_value"] + 0.5 * row(result, "b")["present_value"]
    assert float(mixed) == approx(expected, rel=1e-12)
    assert mixed.unsigned == approx(0.2)
    width = 0.3 * (row(result, "a")["present_value_high"] - row(result, "a")["present_value_low"])
    assert mixed.interval.high - mixed.interval.low == approx(width, rel=0.05)
    assert table(term("a")).portfolio(shares={"a": 1}).interval is None


@pytest.mark.parametrize("pair", list(itertools.permutations(("a", "b", "c"), 2)))
def test_every_break_even_shows_its_working(pair):
    result = table(term("a"), term("b", months=6, fee=FeeFlat(2_400), monthly_churn=0.03), term("c", 12, fee_rate=0.08))
    asked = (
        result.break_even_fee,
        result.break_even_churn_ratio,
        result.break_even_acceptance,
        result.break_even_spend,
        result.break_even_discount_rate,
    )
    for ask in asked:
        answer = ask(*pair)
        working = list(answer.explain().evaluate().values())
        if answer.estimate is None:
            assert answer.notes
        else:
            assert working[-1] == approx(answer.estimate, rel=1e-9)


# ---------------------------------------------------------------- every number of a row has its interval

UNSURE = ("expected_fees", "expected_cost", "expected_margin", "present_months", "present_fees", "present_service_cost")


def test_every_number_of_a_row_lies_within_its_interval_and_adds_up_at_its_ends():
    """All fall in the churn, so that each end is the number at the churn of that end."""
    unsure = term(fee_rate=0.1, monthly_churn=rm.churn.rate(start=400, lost=32))
    result = table(unsure, monthly_discount_rate=0.01, acquisition_cost=4_000, monthly_service_cost=300, rng=1)
    found = row(result)
    assert result.interval_method == "monte_carlo"
    ends = stats.beta(32.5, 368.5).ppf([0.975, 0.025])
    for name in UNSURE:
        exact = [
            row(
                table(
                    unsure.with_churn(churn),
                    monthly_discount_rate=0.01,
                    acquisition_cost=4_000,
                    monthly_service_cost=300,
                )
            )[name]
            for churn in ends
        ]
        assert [found[f"{name}_low"], found[f"{name}_high"]] == approx(exact, rel=4e-3)
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_a_number_outside_its_draws_widens_its_interval():
    """None of 50 left: the estimate is a churn of 0, and every draw is above it."""
    found = row(table(term(monthly_churn=rm.churn.rate(start=50, lost=0)), rng=1))
    assert found["expected_months"] == found["expected_months_high"]
    assert found["expected_months_low"] < found["expected_months"]


@pytest.mark.parametrize("horizon", [36, math.inf])
@pytest.mark.parametrize("cost", [0, 9_000, 45_000])
def test_the_month_of_recovery_has_the_interval_of_its_draws(horizon, cost):
    """By hand: the months of the cash of draws of the churn; never is past every month."""
    unsure = term(fee_rate=0.1, monthly_churn=rm.churn.rate(start=60, lost=6), payment="arrears", leaves="any_month")
    terms = {"monthly_spend": 50_000, "acquisition_cost": cost, "horizon_months": horizon}
    found = row(compare(unsure, **terms, rng=1, draws=4_000))
    churns = np.random.default_rng(5).beta(6.5, 54.5, 4_000)
    months = int(min(horizon, 1_200))
    running = np.cumsum(5_000 * (1 - churns[:, None]) ** np.arange(months), axis=1) >= cost - 1e-9
    month = np.where(running.any(axis=1), running.argmax(axis=1) + 1.0, math.inf) if cost else np.zeros(4_000)
    ends = np.quantile(month, [0.025, 0.975], method="inverted_cdf")
    expected = [None if math.isinf(end) else int(end) for end in ends]
    assert [found["recovery_month_low"], found["recovery_month_high"]] == approx(expected, abs=1)
    assert found["probability_recovered"] == approx(np.isfinite(month).mean(), abs=0.03)


def test_a_curve_is_followed_past_its_end_to_the_month_of_recovery():
    unsure = term(survival=[1, 0.8], survival_errors=[0, 0.05], tail="constant_hazard")
    found = row(table(unsure, monthly_spend=10_000, acquisition_cost=3_000, horizon_months=FOREVER, rng=1))
    assert found["recovery_month_low"] <= found["recovery_month"] == 4 <= found["recovery_month_high"]


# ---------------------------------------------------------------- an uncertain acceptance


def test_an_uncertain_acceptance_gives_the_value_per_prospect_its_interval():
    signed = rm.retention.rate(start=50, end=20)
    certain = row(table(term(monthly_churn=0.05, acceptance=signed), rng=1, draws=40_000))
    assert certain["acceptance"] == 0.4
    assert certain["present_value_per_prospect"] == approx(0.4 * certain["present_value"])
    ends = stats.beta(20.5, 30.5).ppf([0.025, 0.975]) * certain["present_value"]
    shown = [certain["present_value_per_prospect_low"], certain["present_value_per_prospect_high"]]
    assert shown == approx(list(ends), rel=1e-2)
    assert (certain["present_value_low"], certain["recovery_month_low"]) == (None, None)
    both = row(table(term(monthly_churn=rm.churn.rate(start=100, lost=8), acceptance=signed), rng=1))
    only = row(table(term(monthly_churn=rm.churn.rate(start=100, lost=8), acceptance=0.4), rng=1))
    width = [
        found["present_value_per_prospect_high"] - found["present_value_per_prospect_low"] for found in (both, only)
    ]
    assert width[0] > 1.1 * width[1]


def test_an_uncertain_acceptance_goes_into_the_break_even_of_the_other():
    signed = rm.retention.rate(start=50, end=20)
    result = table(term("a", monthly_churn=0.05), term("b", monthly_churn=0.05, acceptance=signed), level=0.9)
    even = result.break_even_acceptance("a", "b", draws=40_000, rng=1)
    assert float(even) == approx(0.4)
    assert (even.interval.low, even.interval.high) == approx(tuple(stats.beta(20.5, 30.5).ppf([0.05, 0.95])), rel=1e-2)
    assert result.break_even_acceptance("b", "a", rng=1).interval is None


def test_an_uncertain_acceptance_is_kept_with_the_term():
    offered = term(acceptance=rm.retention.rate(start=50, end=20))
    assert Term.from_dict(offered.to_dict()) == offered
    assert offered.accepted == 0.4
    with pytest.raises(InputError, match=r"has the estimate 0\.4, acceptance is 0\.5"):
        dataclasses.replace(offered, acceptance=0.5)
    with pytest.raises(InputError, match="acceptance is in"):
        term(acceptance=rm.churn.lifetime(rm.churn.rate(start=100, lost=8)))


def test_the_intervals_of_a_row_hold_the_truth_as_often_as_they_say():
    """400 clients watched for a month and 150 prospects asked, 400 times over, by laws that are known."""
    generator = np.random.default_rng(2026)
    costs = {"acquisition_cost": 4_000, "monthly_service_cost": 500, "draws": 1_000}
    truth = row(table(term(months=6, monthly_churn=0.05, acceptance=0.3), **costs))
    names = ("expected_months", "expected_fees", "expected_margin", "present_value", "present_value_per_prospect")
    held = dict.fromkeys(names, 0)
    for lost, signed in zip(generator.binomial(400, 0.05, 400), generator.binomial(150, 0.3, 400), strict=True):
        known = {
            "monthly_churn": rm.churn.rate(start=400, lost=int(lost)),
            "acceptance": rm.retention.rate(start=150, end=int(signed)),
        }
        found = row(table(term(months=6, **known), **costs, rng=generator))
        for name in names:
            held[name] += found[f"{name}_low"] <= truth[name] <= found[f"{name}_high"]
    for name in names:
        assert 0.92 <= held[name] / 400 <= 0.98, (name, held[name])
