"""The least spend that pays back, who qualifies, and offers that keep clients or win them back."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_rows, as_sorted_rows
from retention_metrics import contracts
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
CHURN = st.floats(0.01, 0.9)
LEAST = {"fee_rate": 0.10, "acquisition_cost": 2_000, "monthly_service_cost": 100, "horizon_months": 24}


def least(**options):
    return contracts.minimum_spend(**{**LEAST, **options})


def save(**options):
    return contracts.save_offer(
        **{
            "monthly_fee": 500,
            "acceptance": 0.25,
            "monthly_churn": 0.15,
            "free_months": 2,
            "monthly_service_cost": 200,
            "contact_cost": 20,
            "horizon_months": 24,
            **options,
        }
    )


# ---------------------------------------------------------------- the least spend


def test_the_least_spend_covers_service_and_acquisition_over_the_months_expected():
    months = (1 - 0.9**24) / 0.1
    assert float(least(monthly_churn=0.10)) == approx((2_000 / months + 100) / 0.10)


@given(CHURN, st.floats(0.01, 0.5), st.floats(0, 5_000), st.floats(0, 500), st.integers(1, 60), st.floats(0, 0.1))
def test_a_client_who_spends_the_least_is_worth_nothing_and_no_less(churn, fee, acquisition, service, months, discount):
    spend = float(
        contracts.minimum_spend(
            fee_rate=fee,
            monthly_churn=churn,
            acquisition_cost=acquisition,
            monthly_service_cost=service,
            horizon_months=months,
            monthly_discount_rate=discount,
        )
    )
    value = contracts.compare(
        contracts.Term("client", 1, fee_rate=fee, monthly_churn=churn),
        monthly_spend=spend,
        horizon_months=months,
        monthly_discount_rate=discount,
        acquisition_cost=acquisition,
        monthly_service_cost=service,
    ).rows()[0]["present_value"]
    assert value == approx(0, abs=1e-6 * (1 + acquisition + service * months))


def test_a_rate_its_curve_and_its_table_need_the_same_spend():
    curve = least(survival=0.9 ** np.arange(24))
    assert float(curve) == approx(float(least(monthly_churn=0.1)))
    assert float(least(survival=[1, 0.9], tail="constant_hazard")) == approx(float(curve))


def test_an_interval_of_the_churn_goes_through_end_by_end():
    churn = rm.churn.rate(start=200, lost=20)
    found = least(monthly_churn=churn)
    assert found.interval.low == approx(float(least(monthly_churn=churn.interval.low)))
    assert found.interval.high == approx(float(least(monthly_churn=churn.interval.high)))
    assert (found.interval.level, found.interval.method) == (0.95, "wilson")


def test_the_interval_of_a_curve_holds_what_the_truth_needs():
    rng = np.random.default_rng(1926)
    stay = rng.geometric(0.1, 400)
    curve = rm.survival.kaplan_meier(np.minimum(stay, 30), stay <= 30)
    found = least(survival=curve, rng=rng)
    assert found.interval.low < float(least(monthly_churn=0.1)) < found.interval.high
    assert found.interval.high - found.interval.low < 0.3 * float(found)
    assert least(survival=curve, level=None).interval is None


def test_without_an_end_the_months_are_one_over_churn():
    assert least(monthly_churn=0.1, horizon_months=math.inf).expected_months == approx(10)
    with pytest.raises(InputError, match="nobody ever leaves") as caught:
        least(monthly_churn=0, horizon_months=math.inf)
    assert caught.value.argument == "horizon_months"


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({}, "monthly_churn", "got none"),
        ({"monthly_churn": 0.1, "survival": [1, 0]}, "monthly_churn", "got both"),
        ({"monthly_churn": 0.1, "fee_rate": 0}, "fee_rate", "above 0"),
        ({"monthly_churn": 0.1, "acquisition_cost": -1}, "acquisition_cost", "at least 0"),
        ({"monthly_churn": 0.1, "horizon_months": 1.5}, "horizon_months", "whole or infinite"),
        ({"monthly_churn": 0.1, "horizon_months": 0}, "horizon_months", "at least 1"),
        ({"survival": [1, 0.5]}, "survival", "known up to month 1"),
        (
            {"survival": rm.survival.ConstantChurn(monthly_churn=0.1), "term_months": 6},
            "term_months",
            "goes by the month",
        ),
    ],
)
def test_an_impossible_spend_is_refused(options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        least(**options)
    assert caught.value.argument == argument


# ---------------------------------------------------------------- who qualifies

LEADS = pd.DataFrame(
    {
        "who": ["a", "b", "c", "d", "e", "f"],
        "budget": [9_000.0, 3_000.0, 1_500.0, None, None, 3_500.0],
        "visits": [50.0, 900.0, 20.0, 60.0, 10.0, None],
        "country": ["SA", "AE", "SA", "US", "SA", "AE"],
    }
)
RULES = {"visits": (">=", 40), "country": ("in", ["SA", "AE"])}


def test_every_prospect_keeps_its_place_with_what_it_falls_short_of(frame):
    table = contracts.qualify(frame(LEADS), spend="budget", minimum_spend=3_000, criteria=RULES)
    found = {row["who"]: row for row in as_rows(table.frame)}
    assert list(found) == list(LEADS["who"])
    assert {who: row["status"] for who, row in found.items()} == {
        "a": "qualified",
        "b": "qualified",
        "c": "falls_short",
        "d": "falls_short",
        "e": "falls_short",
        "f": "unknown",
    }
    assert {who: row["reasons"] for who, row in found.items()} == {
        "a": None,
        "b": None,
        "c": "budget; visits",
        "d": "budget missing; country",
        "e": "budget missing; visits",
        "f": "visits missing",
    }
    assert [row["budget_shortfall"] for row in found.values()] == [0, 0, 1_500, None, None, 0]
    assert [row["visits_shortfall"] for row in found.values()] == [0, 0, 20, 0, 30, None]


def test_the_counts_do_not_depend_on_the_dataframe_library(frame):
    counts = contracts.qualify(frame(LEADS), spend="budget", minimum_spend=3_000, criteria=RULES).counts
    assert as_sorted_rows(counts) == [
        ("budget", ">= 3000", 3, 1, 2, 1_500),
        ("country", "in SA, AE", 5, 1, 0, None),
        ("visits", ">= 40", 3, 2, 1, 50),
    ]
    assert (counts.prospects, counts.qualified, counts.falls_short, counts.unknown) == (6, 2, 3, 1)
    assert float(counts) == approx(1 / 3)


def test_an_uncertain_least_spend_marks_the_borderline(frame):
    found = least(monthly_churn=rm.churn.rate(start=200, lost=20))
    table = contracts.qualify(frame(LEADS), spend="budget", minimum_spend=found)
    assert [row["borderline"] for row in as_rows(table.frame)] == [False, True, False, False, False, True]
    assert table.counts.borderline == 2
    assert "2 of 6" in table.notes[0]


def test_the_list_is_a_customer_table_that_can_be_pickled_and_summed():
    table = contracts.qualify(LEADS, spend="budget", minimum_spend=3_000)
    again = pickle.loads(pickle.dumps(table))
    assert again.counts == table.counts
    assert as_sorted_rows(again.frame) == as_sorted_rows(table.frame)
    totals = {row["column"]: row["total"] for row in table.totals().rows()}
    assert totals["budget_shortfall"] == 1_500
    assert "budget_shortfall" in table._repr_html_()


def test_a_column_that_is_not_there_is_named_by_its_argument():
    with pytest.raises(ColumnError, match=r"spend='budgte' is not a column.*Did you mean 'budget'") as caught:
        contracts.qualify(LEADS, spend="budgte", minimum_spend=3_000)
    assert caught.value.argument == "spend"
    with pytest.raises(ColumnError, match="criteria='visit' is not a column"):
        contracts.qualify(LEADS, spend="budget", minimum_spend=3_000, criteria={"visit": (">=", 1)})


def test_a_lazy_list_stays_lazy():
    import polars as pl

    table = contracts.qualify(pl.from_pandas(LEADS).lazy(), spend="budget", minimum_spend=3_000)
    assert isinstance(table.frame, pl.LazyFrame)


@pytest.mark.parametrize(("sign", "met"), [(">=", 2), (">", 1), ("<=", 2), ("<", 1), ("==", 1)])
def test_a_sign_means_what_it_says(sign, met):
    leads = pd.DataFrame({"spend": [5.0, 5.0, 5.0], "visits": [1, 2, 3]})
    table = contracts.qualify(leads, spend="spend", minimum_spend=1, criteria={"visits": (sign, 2)})
    assert table.counts.qualified == met


@pytest.mark.parametrize(
    ("criteria", "error", "words"),
    [
        ([("visits", 2)], InputError, "maps columns to rules"),
        ({"visits": 2}, InputError, "a rule is a sign and a limit"),
        ({"visits": ("=>", 2)}, InputError, "the sign of 'visits'"),
        ({"visits": (">=", "two")}, InputError, "the limit of 'visits'"),
        ({"country": ("in", "SA")}, InputError, "list of values"),
        ({"country": (">=", 2)}, ColumnError, "column of numbers"),
        ({"visit": (">=", 2)}, ColumnError, "not a column"),
        ({"budget": (">=", 2)}, InputError, "each column once"),
    ],
)
def test_a_rule_that_is_none_is_refused(criteria, error, words):
    with pytest.raises(error, match=words):
        contracts.qualify(LEADS, spend="budget", minimum_spend=3_000, criteria=criteria)


def test_a_list_without_prospects_or_with_answers_already_is_refused():
    with pytest.raises(InputError, match="at least one row"):
        contracts.qualify(LEADS[:0], spend="budget", minimum_spend=3_000)
    with pytest.raises(InputError, match="'status' is a column already"):
        contracts.qualify(LEADS.assign(status=1), spend="budget", minimum_spend=3_000)


# ---------------------------------------------------------------- offers


def test_two_free_months_pay_as_worked_by_hand():
    # One client in four stays, two months free: months of service (1 - .85^24) / .15, of which 1.85 are free.
    months = (1 - 0.85**24) / 0.15
    worth = 300 * months - 500 * 1.85
    offer = save()
    assert offer.value_if_accepted == approx(worth)
    assert float(offer) == approx(0.25 * worth - 20)
    assert offer.break_even_acceptance == approx(20 / worth)
    assert (offer.value_without, offer.value_with) == (0, approx(float(offer)))


def test_the_gain_agrees_with_clients_simulated_one_by_one():
    rng = np.random.default_rng(1958)
    risk, taken, discount, clients = 0.4, 0.7, 0.01, 200_000
    offer = save(churn_risk=risk, taken_anyway=taken, monthly_discount_rate=discount, offer_cost=30)
    leaves, accepts, takes = rng.random(clients) < risk, rng.random(clients) < 0.25, rng.random(clients) < taken
    stay = np.minimum(rng.geometric(0.15, clients), 24)
    worth = np.concatenate([[0], np.cumsum(1.01 ** -np.arange(24.0))])
    service, free = 300 * worth[stay], 500 * worth[np.minimum(stay, 2)] + 30
    without = np.where(leaves, 0, service)
    given_offer = np.where(leaves, accepts * (service - free), service - takes * free) - 20
    gain = given_offer - without
    assert float(offer) == approx(gain.mean(), abs=4.5 * gain.std() / math.sqrt(clients))
    assert offer.value_without == approx(without.mean(), abs=4.5 * without.std() / math.sqrt(clients))


@given(st.floats(0.05, 0.95), st.floats(0.05, 1), CHURN, st.integers(0, 6), st.floats(0, 300), st.floats(0, 100))
def test_at_its_break_evens_an_offer_brings_nothing(acceptance, risk, churn, free, cost, contact):
    numbers = {"churn_risk": risk, "free_months": free, "offer_cost": cost, "contact_cost": contact}
    offer = save(acceptance=acceptance, monthly_churn=churn, **numbers)
    if offer.break_even_acceptance is not None:
        again = save(acceptance=offer.break_even_acceptance, monthly_churn=churn, **numbers)
        assert float(again) == approx(0, abs=1e-6)
    else:
        assert float(save(acceptance=1, monthly_churn=churn, **numbers)) <= 1e-9
    if offer.break_even_churn is not None:
        again = save(acceptance=acceptance, monthly_churn=offer.break_even_churn, **numbers)
        assert float(again) == approx(0, abs=1e-6)
        assume(abs(churn - offer.break_even_churn) > 1e-9)
        assert (float(offer) > 0) == (churn < offer.break_even_churn)


def test_an_offer_that_never_pays_says_why():
    hopeless = save(monthly_service_cost=600)
    assert hopeless.break_even_acceptance is None
    assert hopeless.break_even_churn is None
    assert any("costs more than it brings" in note for note in hopeless.notes)
    assert any("at no later churn" in note for note in hopeless.notes)


def test_a_present_to_all_who_would_have_stayed_costs_more_than_it_keeps():
    assert float(save(churn_risk=0.05)) < 0 < float(save(churn_risk=1))


def test_uncertain_acceptance_and_churn_carry_an_interval_and_a_chance():
    trial = rm.retention.rate(start=40, end=10)  # 10 of 40 accepted
    offer = save(acceptance=trial, monthly_churn=rm.churn.rate(start=60, lost=9), rng=2019)
    assert offer.interval.low < float(offer) < offer.interval.high
    assert offer.probability_pays > 0.99
    close = save(acceptance=trial, contact_cost=float(save(contact_cost=0)), rng=2019)
    assert close.probability_pays == approx(0.5, abs=0.1)
    assert save(acceptance=trial, level=None).interval is None


def test_a_lapsed_client_is_won_back_on_the_same_terms():
    won = contracts.win_back(
        monthly_fee=500,
        acceptance=0.25,
        monthly_churn=0.15,
        free_months=2,
        monthly_service_cost=200,
        contact_cost=20,
        horizon_months=24,
        returns_anyway=0.6,
    )
    kept = save(churn_risk=0.4)
    assert float(won) == approx(float(kept))
    assert (won.offer, kept.offer) == ("win_back", "save")


CLIENTS = pd.DataFrame(
    {"who": list("abcde"), "pays": [500.0, 900.0, 250.0, None, 500.0], "risk": [1.0, 0.3, 0.9, 0.5, 1.5]}
)


def test_the_work_list_gives_each_client_its_own_offer(frame):
    offer = save()
    rows = as_rows(offer.work_list(frame(CLIENTS), monthly_fee="pays", churn_risk="risk"))
    assert [row["who"] for row in rows] == list("abcde")
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "unknown", "unknown"]
    for row in rows[:3]:
        alone = save(monthly_fee=row["pays"], churn_risk=row["risk"])
        assert row["offer_value"] == approx(float(alone))
        assert row["offer"] == (float(alone) > 0)
        if row["break_even_risk"] is not None:
            at = save(monthly_fee=row["pays"], churn_risk=row["break_even_risk"])
            assert float(at) == approx(0, abs=1e-9)
    assert [row["offer_value"] for row in rows[3:]] == [None, None]
    assert [row["offer"] for row in rows[3:]] == [None, None]


def test_a_work_list_needs_a_column_by_which_clients_differ():
    with pytest.raises(InputError, match="the column by which clients differ"):
        save().work_list(CLIENTS)
    with pytest.raises(ColumnError, match="column of numbers"):
        save().work_list(CLIENTS, churn_risk="who")


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"acceptance": 1.1}, "acceptance"),
        ({"monthly_fee": 0}, "monthly_fee"),
        ({"churn_risk": -0.1}, "churn_risk"),
        ({"taken_anyway": 2}, "taken_anyway"),
        ({"free_months": -1}, "free_months"),
        ({"offer_cost": -1}, "offer_cost"),
        ({"monthly_churn": 0, "horizon_months": math.inf}, "horizon_months"),
    ],
)
def test_an_impossible_offer_is_refused(options, argument):
    with pytest.raises(InputError) as caught:
        save(**options)
    assert caught.value.argument == argument
