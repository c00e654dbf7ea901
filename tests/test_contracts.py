"""Contract terms: what a client is worth under each, and where two are worth the same."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import retention_metrics as rm
from retention_metrics import contracts, survival
from retention_metrics.contracts import Term, compare
from retention_metrics.errors import InputError

approx = pytest.approx
CHURN = st.floats(0.001, 0.999)
FOREVER = math.inf


class Renewals:
    """A contractual model: after k renewals 1 / (1 + k) are still there."""

    step = "term"

    def survival(self, k):
        return 1 / (1 + np.asarray(k))


def term(name="a", months=1, **options):
    churn = {} if {"monthly_churn", "survival"} & set(options) else {"monthly_churn": 0.05}
    return Term(name, months, **{"fee_rate": 0.1, **churn, **options})


def table(*terms, **options):
    return compare(terms, **{"monthly_spend": 30_000, "horizon_months": 36, **options})


def row(result, name="a"):
    return next(row for row in result.rows() if row["term"] == name)


def schedule(twice=False):
    """The agency's fees: 10 % by the month, 8 % for six, 6 % for twelve; free to leave in any month."""
    monthly = 0.08 if twice else 0.04
    fees = (("monthly", 1, 0.10, monthly), ("six", 6, 0.08, 0.04), ("twelve", 12, 0.06, 0.04))
    return [
        Term(name, months, fee_rate=fee, monthly_churn=churn, leaves="any_month") for name, months, fee, churn in fees
    ]


# ---------------------------------------------------------------- the twin: month by month


def month_by_month(share_there, *, spend, fee, horizon, discount, service, acquisition):
    """One client's account, a month at a time."""
    months = fees = present_months = present = 0.0
    for month in range(horizon):
        there = share_there(month)
        months += there
        fees += there * fee * spend
        present_months += there / (1 + discount) ** month
        present += there * (fee * spend - service) / (1 + discount) ** month
    return {
        "expected_months": months,
        "expected_fees": fees,
        "present_months": present_months,
        "present_value": present - acquisition,
    }


@given(
    months=st.integers(1, 24),
    churn=st.floats(0, 1),
    fee=st.floats(0, 0.5),
    horizon=st.integers(1, 60),
    discount=st.floats(0, 0.5),
    leaves=st.sampled_from(["at_renewal", "any_month"]),
    service=st.floats(0, 5_000),
    acquisition=st.floats(0, 50_000),
)
def test_a_term_agrees_with_its_account_month_by_month(
    months, churn, fee, horizon, discount, leaves, service, acquisition
):
    def there(month):
        chances = month if leaves == "any_month" else months * (month // months)
        return (1 - churn) ** chances

    money = {"monthly_spend": 30_000, "acquisition_cost": acquisition, "monthly_service_cost": service}
    offered = term(months=months, fee_rate=fee, monthly_churn=churn, leaves=leaves)
    found = row(compare(offered, horizon_months=horizon, monthly_discount_rate=discount, **money))
    expected = month_by_month(
        there, spend=30_000, fee=fee, horizon=horizon, discount=discount, service=service, acquisition=acquisition
    )
    for name, value in expected.items():
        assert found[name] == approx(value, rel=1e-9, abs=1e-6), name


@pytest.mark.parametrize(
    ("options", "there"),
    [
        ({"survival": Renewals()}, lambda month: 1 / (1 + month // 6)),
        ({"survival": [1, 0.5, 0.4, 0.3, 0.2, 0.1]}, lambda month: [1, 0.5, 0.4, 0.3, 0.2, 0.1][month // 6]),
        (
            {"survival": 0.9 ** np.arange(31), "survival_step": "month"},
            lambda month: 0.9 ** (6 * (month // 6)),
        ),
        (
            {"survival": 0.9 ** np.arange(36), "survival_step": "month", "leaves": "any_month"},
            lambda month: 0.9**month,
        ),
        (
            {"survival": [1, 0.9, 0.8], "survival_step": "month", "leaves": "any_month", "tail": "constant_hazard"},
            lambda month: [1, 0.9, 0.8][month] if month < 3 else 0.8 * (8 / 9) ** (month - 2),
        ),
        ({"survival": survival.ConstantChurn(monthly_churn=0.1)}, lambda month: 0.9 ** (6 * (month // 6))),
        ({"survival": 0.1}, lambda month: 0.9 ** (6 * (month // 6))),
        ({"survival": rm.churn.from_lifetime(10)}, lambda month: 0.9 ** (6 * (month // 6))),
        ({"monthly_churn": rm.churn.from_lifetime(10)}, lambda month: 0.9 ** (6 * (month // 6))),
    ],
)
def test_every_kind_of_survival_agrees_with_its_account(options, there):
    money = {"monthly_discount_rate": 0.02, "monthly_service_cost": 400, "acquisition_cost": 2_500}
    found = row(table(term(months=6, **options), **money))
    expected = month_by_month(there, spend=30_000, fee=0.1, horizon=36, discount=0.02, service=400, acquisition=2_500)
    for name, value in expected.items():
        assert found[name] == approx(value, rel=1e-12), name


def test_simulated_clients_agree():
    rng = np.random.default_rng(2019)
    clients, churn, months, horizon, discount = 200_000, 0.06, 6, 30, 0.01
    renewals = rng.geometric(1 - (1 - churn) ** months, clients) - 1
    stayed = np.minimum(months * (renewals + 1), horizon)
    paid = (1 - 1.01**-stayed) / (1 - 1 / 1.01)
    found = row(table(term(months=6, monthly_churn=churn), horizon_months=horizon, monthly_discount_rate=discount))
    for name, sample in (("expected_months", stayed), ("present_months", paid)):
        assert found[name] == approx(sample.mean(), abs=4 * sample.std() / math.sqrt(clients))


# ---------------------------------------------------------------- closed forms and laws


@given(CHURN, st.integers(1, 24), st.floats(0, 0.2))
def test_without_an_end_a_client_is_worth_its_geometric_series(churn, months, discount):
    found = row(table(term(months=months, monthly_churn=churn), horizon_months=FOREVER, monthly_discount_rate=discount))
    v, renewal = 1 / (1 + discount), (1 - churn) ** months
    bond = sum(v**month for month in range(months))
    assert found["present_months"] == approx(bond / (1 - renewal * v**months), rel=1e-9)
    assert found["expected_months"] == approx(months / (1 - renewal), rel=1e-9)


def test_free_to_leave_a_client_stays_one_over_churn():
    assert row(table(term(monthly_churn=0.04), horizon_months=FOREVER))["expected_months"] == approx(25)


@pytest.mark.parametrize("months", [1, 3, 4, 12])
@pytest.mark.parametrize("discount", [0, 0.03])
def test_a_tail_without_an_end_is_the_limit_of_long_horizons(months, discount):
    offered = term(months=months, survival=[1, 0.9, 0.8, 0.7], survival_step="month", tail="constant_hazard")
    long, endless = (
        row(table(offered, horizon_months=horizon, monthly_discount_rate=discount)) for horizon in (3_000, FOREVER)
    )
    assert endless["present_months"] == approx(long["present_months"], rel=1e-12)


@given(CHURN, st.integers(1, 36), st.integers(1, 80))
def test_a_bond_never_shortens_the_stay(churn, months, horizon):
    bound = term(months=months, monthly_churn=churn)
    free = dataclasses.replace(bound, name="b", leaves="any_month")
    result = table(bound, free, horizon_months=horizon)
    assert row(result)["expected_months"] >= row(result, "b")["expected_months"] - 1e-12


@given(st.lists(CHURN, min_size=2, max_size=5), st.integers(1, 24))
def test_less_churn_is_worth_more_and_no_more_than_the_horizon(churns, months):
    terms = [term(str(k), months, monthly_churn=churn) for k, churn in enumerate(sorted(churns))]
    stays = table(*terms).columns["expected_months"]
    assert list(stays) == sorted(stays, reverse=True)
    assert max(stays) <= 36 * (1 + 1e-12)


@given(st.floats(0, 0.3), st.floats(0, 1e5), st.floats(0, 1e5))
def test_costs_come_off_the_present_value_and_nothing_else(discount, acquisition, service):
    plain = row(table(term(), monthly_discount_rate=discount))
    costed = row(
        table(term(), monthly_discount_rate=discount, acquisition_cost=acquisition, monthly_service_cost=service)
    )
    assert costed["present_fees"] == plain["present_fees"] == plain["present_value"]
    assert costed["present_value"] == approx(
        plain["present_value"] - acquisition - service * plain["present_months"], rel=1e-12, abs=1e-6
    )


def test_fees_are_paid_from_month_0_on():
    result = row(table(term(monthly_churn=1.0), monthly_discount_rate=0.5))
    assert (result["expected_months"], result["present_fees"]) == (1, 3_000)


def test_a_client_who_cannot_leave_stays_to_the_horizon():
    assert row(table(term(monthly_churn=0)))["expected_months"] == 36
    assert row(table(term(months=48, monthly_churn=0.9)))["expected_months"] == 36


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_terms_is_kept(order):
    terms = [schedule()[place] for place in order]
    result = table(*terms)
    assert result.columns["term"] == tuple(offered.name for offered in terms)
    assert [offered.name for offered in result.terms] == list(result.columns["term"])


def test_the_best_term_has_the_highest_present_value():
    result = table(*schedule(twice=True))
    values = dict(zip(result.columns["term"], result.columns["present_value"], strict=True))
    assert values[result.best] == max(values.values())
    assert table(term("a"), term("b")).best == "a"


def test_a_single_term_is_a_table_too():
    assert compare(term(), monthly_spend=1, horizon_months=1).columns["term"] == ("a",)


def test_a_fee_above_the_spend_is_noted():
    (note,) = table(term(fee_rate=10)).notes
    assert "a fee rate of 10 is 1000 % of the spend; 10 % is 0.10" in note


@pytest.mark.parametrize("discount", [0, 0.01])
@pytest.mark.parametrize("horizon", [1, 5, 12, 37, FOREVER])
@pytest.mark.parametrize("offered", [term(), term(months=6), term(months=6, leaves="any_month")])
def test_the_working_of_a_term_ends_in_its_present_value(offered, horizon, discount):
    options = {"horizon_months": horizon, "monthly_discount_rate": discount, "acquisition_cost": 700}
    result = table(offered, monthly_service_cost=90, **options)
    *_, last = result.explain("a").evaluate().values()
    assert last == approx(row(result)["present_value"], rel=1e-12)


def test_the_working_of_a_curve_takes_its_months_as_given():
    result = table(term(months=12, survival=Renewals()))
    *_, last = result.explain("a").evaluate().values()
    assert last == row(result)["present_value"]


# ---------------------------------------------------------------- break-even


def test_the_agencys_terms_break_even_at_167_125_and_133():
    result = table(*schedule(), monthly_spend=1_000, horizon_months=FOREVER)
    found = {
        pair: round(float(result.break_even_churn_ratio(*pair)), 2)
        for pair in (("monthly", "twelve"), ("monthly", "six"), ("six", "twelve"))
    }
    assert found == {("monthly", "twelve"): 1.67, ("monthly", "six"): 1.25, ("six", "twelve"): 1.33}


def test_at_twice_the_churn_the_monthly_fee_must_be_12_or_16_percent():
    result = table(*schedule(twice=True), monthly_spend=1_000, horizon_months=FOREVER)
    assert float(result.break_even_fee("monthly", "twelve")) == approx(0.12)
    assert float(result.break_even_fee("monthly", "six")) == approx(0.16)


SETTINGS = {
    "endless": {"horizon_months": FOREVER},
    "endless, discounted": {"horizon_months": FOREVER, "monthly_discount_rate": 0.01},
    "three years": {},
    "with costs": {"monthly_discount_rate": 0.02, "monthly_service_cost": 500, "acquisition_cost": 9_000},
}
over_settings = pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
PAIR = (term("a", 1, fee_rate=0.10, monthly_churn=0.08), term("b", 6, fee_rate=0.08, monthly_churn=0.05))


@over_settings
@pytest.mark.parametrize(("a", "b"), [("a", "b"), ("b", "a")])
def test_the_break_even_fee_is_the_root_of_the_difference(setting, a, b):
    by_name = {offered.name: offered for offered in PAIR}

    def gap(fee):
        result = table(dataclasses.replace(by_name[a], fee_rate=fee), by_name[b], **setting)
        return row(result, a)["present_value"] - row(result, b)["present_value"]

    fee = table(*PAIR, **setting).break_even_fee(a, b)
    assert float(fee) == approx(brentq(gap, 0, 1, xtol=1e-14), rel=1e-9)
    assert fee.explain().evaluate()["fee_rate"] == approx(float(fee), rel=1e-12)


@over_settings
@pytest.mark.parametrize(("a", "b"), [("a", "b"), ("b", "a")])
def test_the_break_even_churn_is_the_root_of_the_difference(setting, a, b):
    by_name = {offered.name: offered for offered in PAIR}

    def gap(churn):
        result = table(by_name[a].with_churn(churn), by_name[b], **setting)
        return row(result, a)["present_value"] - row(result, b)["present_value"]

    ratio = table(*PAIR, **setting).break_even_churn_ratio(a, b)
    root = brentq(gap, 1e-9, 1, xtol=1e-14)
    assert ratio.monthly_churn == approx(root, rel=1e-8)
    assert float(ratio) == approx(root / by_name[b].monthly_churn, rel=1e-8)


def test_a_term_breaks_even_with_itself_at_its_own_fee_and_churn():
    result = table(*PAIR)
    assert float(result.break_even_fee("a", "a")) == approx(0.10)
    assert float(result.break_even_churn_ratio("a", "a")) == approx(1)


@pytest.mark.parametrize(
    ("terms", "options", "words"),
    [
        ([term("a", 12), term("b", fee_rate=0.5)], {}, "a is worth less than b even if no client ever leaves"),
        ([term("a", 12, fee_rate=0.5), term("b")], {"horizon_months": 13}, "a is worth more than b even if every"),
        ([term("a"), term("b", monthly_churn=0)], {}, "The monthly churn of b is 0"),
        ([term("a"), term("b", survival=[1, 0.5, 0])], {}, "The churn of b is a curve"),
        ([term("a", fee_rate=0), term("b")], {}, "a earns nothing in a month"),
        ([term("a", 12), term("b")], {"horizon_months": 12}, "a binds its client for all of the 12 months"),
    ],
)
def test_where_no_churn_makes_them_equal_the_ratio_is_none_and_says_why(terms, options, words):
    ratio = table(*terms, **options).break_even_churn_ratio("a", "b")
    assert (ratio.estimate, ratio.monthly_churn, ratio.status) == (None, None, "undefined")
    (note,) = ratio.notes
    assert words in note
    with pytest.raises(InputError, match="has no estimate"):
        float(ratio)


def test_where_no_fee_makes_them_equal_the_fee_is_none_and_says_why():
    loses = table(term("a"), term("b", fee_rate=0), monthly_service_cost=2_000, monthly_spend=1_000)
    deeper = table(term("a", monthly_churn=0.5), term("b", fee_rate=0, monthly_churn=0.01), monthly_service_cost=2_000)
    assert loses.break_even_fee("a", "b").estimate == approx(0)
    fee = deeper.break_even_fee("a", "b")
    assert (fee.estimate, fee.status) == (None, "undefined")
    assert "no fee of at least 0" in fee.notes[0]
    assert "spend is 0" in table(*PAIR, monthly_spend=0).break_even_fee("a", "b").notes[0]


def test_the_ratio_of_a_curve_is_that_of_the_constant_churn_of_equal_worth():
    result = table(term("a", months=6, survival=[1, 0.8, 0.6, 0.4, 0.2, 0.1]), term("b"))
    ratio = result.break_even_churn_ratio("a", "b")
    assert "The churn of a is a curve" in ratio.notes[0]
    again = table(term("a", months=6, monthly_churn=ratio.monthly_churn), term("b"))
    assert row(again)["present_value"] == approx(row(again, "b")["present_value"], rel=1e-9)


def test_a_name_that_is_no_term_answers_with_the_nearest():
    with pytest.raises(InputError, match=r"a is one of the terms \['a', 'b'\]"):
        table(*PAIR).break_even_fee("c", "b")
    with pytest.raises(InputError, match="Did you mean 'twelve'"):
        table(*schedule()).break_even_churn_ratio("monthly", "twelv")


# ---------------------------------------------------------------- past the last observed step


def test_a_horizon_past_the_survival_is_refused_unless_a_tail_is_assumed():
    ends = {"months": 12, "survival": [1, 0.5]}
    assert row(table(term(**ends), horizon_months=24))["expected_months"] == 18
    with pytest.raises(InputError, match=r"known up to term 1 and is needed for term 2.*tail='constant_hazard'"):
        table(term(**ends), horizon_months=25)
    assumed = table(term(**ends, tail="constant_hazard"), horizon_months=36)
    assert row(assumed)["expected_months"] == 12 * (1 + 0.5 + 0.25)
    assert any("Past term 1" in note and "0.5 of those still there" in note for note in assumed.notes)
    within = table(term(**ends, tail="constant_hazard"), horizon_months=24)
    assert not any("Past term" in note for note in within.notes)


def test_no_end_needs_an_answer_to_who_leaves_in_the_end():
    with pytest.raises(InputError, match="nobody ever leaves 'a'"):
        table(term(monthly_churn=0), horizon_months=FOREVER)
    with pytest.raises(InputError, match="horizon_months=inf asks for what comes after"):
        table(term(survival=[1, 0.5]), horizon_months=FOREVER)
    with pytest.raises(InputError, match="no end is in sight"):
        table(term(survival=Renewals()), horizon_months=FOREVER)
    assert row(table(term(months=12, survival=[1, 0.5, 0]), horizon_months=FOREVER))["expected_months"] == 18


# ---------------------------------------------------------------- what cannot be right


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"name": ""}, "name", "tells the terms apart"),
        ({"name": 3}, "name", "tells the terms apart"),
        ({"months": 0}, "months", "at least 1"),
        ({"months": 1.5}, "months", "whole number"),
        ({"months": True}, "months", "is a number"),
        ({"fee_rate": -0.1}, "fee_rate", "at least 0"),
        ({"fee_rate": float("nan")}, "fee_rate", "finite"),
        ({"monthly_churn": 1.1}, "monthly_churn", r"in \[0, 1\]"),
        ({"monthly_churn": "5 %"}, "monthly_churn", "is a number"),
        ({"monthly_churn": None}, "monthly_churn", "got neither"),
        ({"survival": [1, 0.5], "monthly_churn": 0.1}, "monthly_churn", "got both"),
        ({"survival": [0.9, 0.5]}, "survival", "begins with 1"),
        ({"survival": [1, 0.5, 0.6]}, "survival", "never rises"),
        ({"leaves": "sometimes"}, "leaves", "'at_renewal', 'any_month'"),
        ({"tail": "constant_hazard"}, "tail", "goes on for ever"),
        ({"survival_step": "month"}, "survival_step", "is about survival"),
        ({"months": 6, "survival": [1, 0.5], "leaves": "any_month"}, "survival_step", "needs survival by month"),
        ({"survival": 0.1, "survival_step": "term"}, "survival", "its step is the month"),
    ],
)
def test_an_impossible_term_is_refused(options, argument, words):
    given = {"name": "a", "months": 1, **options}
    churn = {} if {"monthly_churn", "survival"} & set(options) else {"monthly_churn": 0.05}
    with pytest.raises(InputError, match=words) as caught:
        Term(given.pop("name"), given.pop("months"), **{"fee_rate": 0.1, **churn, **given})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"monthly_spend": -1}, "monthly_spend"),
        ({"horizon_months": 0}, "horizon_months"),
        ({"horizon_months": 1.5}, "horizon_months"),
        ({"horizon_months": -FOREVER}, "horizon_months"),
        ({"horizon_months": 10**9}, "horizon_months"),
        ({"monthly_discount_rate": -0.01}, "monthly_discount_rate"),
        ({"acquisition_cost": -1}, "acquisition_cost"),
        ({"monthly_service_cost": float("nan")}, "monthly_service_cost"),
        ({"monthly_spend": 10**400}, "monthly_spend"),
    ],
)
def test_an_impossible_comparison_is_refused(options, argument):
    with pytest.raises(InputError) as caught:
        table(term(), **options)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([], "at least one Term"),
        ("monthly", "list of Term; got str"),
        ({"a": 1}, "list of Term; got dict"),
        ([term(), "monthly"], "holds Term objects; got str"),
        ([term(), term()], "'a' is there 2 times"),
    ],
)
def test_terms_are_terms_with_a_name_each(terms, words):
    with pytest.raises(InputError, match=words):
        compare(terms, monthly_spend=1, horizon_months=1)


# ---------------------------------------------------------------- a value like any other


def test_a_survival_without_a_dictionary_is_stored_as_its_numbers():
    offered = term(months=12, survival=Renewals())
    with pytest.raises(InputError, match="a Renewals, which has no dictionary"):
        offered.to_dict()
    result = table(offered)
    assert rm.from_dict(result.to_dict()) == result
    assert result.terms[0].survival.values == approx((1, 1 / 2, 1 / 3))
    assert row(table(*result.terms)) == row(result)


def test_a_break_even_survives_the_way_through_json():
    for result in (table(*PAIR), table(*PAIR, horizon_months=FOREVER)):
        for answer in (result.break_even_fee("a", "b"), result.break_even_churn_ratio("a", "b")):
            assert contracts.TermComparison.from_dict(result.to_dict()) == result
            assert rm.from_dict(answer.to_dict()) == answer
