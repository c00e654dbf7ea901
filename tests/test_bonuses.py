"""Longevity bonuses, their caps and payouts, and loyalty programmes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics import contracts
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
CHURN = st.floats(0.01, 0.9)
bonus = contracts.longevity_bonus


# ---------------------------------------------------------------- the cost of a schedule


def test_equal_bonuses_every_six_months_at_a_twelfth_cost_1_459():
    assert round(float(bonus(every_months=6, monthly_churn=1 / 12)), 3) == 1.459


@given(CHURN, st.integers(1, 24), st.floats(0, 500), st.floats(0, 50), st.floats(0, 0.05))
def test_the_closed_form_agrees_with_adding_up_month_by_month(churn, every, amount, increase, discount):
    found = bonus(
        every_months=every,
        amount=amount,
        increase=increase,
        monthly_churn=churn,
        monthly_discount_rate=discount,
    )
    j = np.arange(1, 4_000)
    added = ((amount + increase * (j - 1)) * ((1 - churn) / (1 + discount)) ** (every * j.astype(float))).sum()
    assert float(found) == approx(added, rel=1e-9, abs=1e-9)
    shown = sum(found.columns["expected_cost"])
    assert shown + found.beyond == approx(added, rel=1e-9, abs=1e-9)


def test_the_cost_agrees_with_clients_simulated_one_by_one():
    rng = np.random.default_rng(1654)
    clients, schedule = 200_000, bonus(every_months=6, amount=100, increase=25, monthly_churn=0.08)
    paid = schedule.earned(rng.geometric(0.08, clients) - 1.0)
    assert float(schedule) == approx(paid.mean(), abs=4.5 * paid.std() / math.sqrt(clients))


@given(CHURN)
def test_a_rate_and_its_curve_cost_the_same(churn):
    rate = bonus(every_months=6, increase=0.5, monthly_churn=churn)
    curve = bonus(every_months=6, increase=0.5, survival=(1 - churn) ** np.arange(5.0), tail="constant_hazard")
    assert float(curve) == approx(float(rate), rel=1e-9)
    finite = bonus(every_months=6, increase=0.5, monthly_churn=churn, horizon_months=3_000)
    assert float(finite) == approx(float(rate), rel=1e-9)


def test_a_list_of_milestones_is_paid_at_the_share_who_reach_them():
    found = bonus(milestones={12: 200, 6: 100, 24: 1_000}, monthly_churn=0.05, horizon_months=12)
    assert float(found) == approx(100 * 0.95**6 + 200 * 0.95**12)
    assert found.columns["month"] == (6, 12)
    assert found.earned([5.9, 6, 11, 12, 99]).tolist() == [0, 100, 100, 300, 300]


def test_an_uncertain_churn_gives_the_cost_an_interval():
    churn = rm.churn.rate(start=120, lost=10)
    found = bonus(every_months=6, monthly_churn=churn)
    assert found.interval.low == approx(float(bonus(every_months=6, monthly_churn=churn.interval.high)))
    assert found.interval.high == approx(float(bonus(every_months=6, monthly_churn=churn.interval.low)))
    rng = np.random.default_rng(1926)
    stay = rng.geometric(1 / 12, 500)
    curve = rm.survival.kaplan_meier(np.minimum(stay, 36), stay <= 36)
    drawn = bonus(every_months=6, survival=curve, horizon_months=36, rng=rng)
    assert drawn.interval.low < float(bonus(every_months=6, monthly_churn=1 / 12, horizon_months=36))
    assert drawn.interval.high > float(bonus(every_months=6, monthly_churn=1 / 12, horizon_months=36))


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"monthly_churn": 0.1}, "every_months", "got none"),
        ({"monthly_churn": 0.1, "every_months": 6, "milestones": {6: 1}}, "every_months", "got both"),
        ({"monthly_churn": 0.1, "milestones": {}}, "milestones", "maps months"),
        ({"monthly_churn": 0.1, "milestones": {0: 1}}, "milestones", "at least 1"),
        ({"monthly_churn": 0.1, "every_months": 6, "amount": -1}, "amount", "at least 0"),
        ({"monthly_churn": 0, "every_months": 6}, "horizon_months", "no finite value"),
        ({"survival": [1, 0.5], "every_months": 6}, "survival", "ends at month 1"),
        ({"every_months": 6}, "monthly_churn", "got none"),
    ],
)
def test_an_impossible_schedule_is_refused(options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        bonus(**options)
    assert caught.value.argument == argument


# ---------------------------------------------------------------- the cost under a cap


def paid_by_hand(schedule, signed, months, cap, churn, rng, tries):
    """Every client of every try followed month by month; the bonuses of a month cut at the cap."""
    due = np.zeros((tries, months))
    for start, number in enumerate(signed):
        stays = rng.geometric(churn, (tries, number)) - 1
        for age in range(1, months - start):
            step = schedule.earned([age - 1, age])
            due[:, start + age] += (step[1] - step[0]) * (stays >= age).sum(axis=1)
    return due, np.minimum(due, cap)


@pytest.mark.parametrize(
    "options",
    [
        {"every_months": 3, "amount": 100},
        {"every_months": 4, "amount": 90, "increase": 35},
        {"milestones": {2: 70, 5: 410, 9: 33.3}},
    ],
)
def test_the_capped_cost_agrees_with_reps_simulated_client_by_client(options):
    rng, churn, months, salary = np.random.default_rng(1654), 0.07, 20, 4_000
    signed = [4, 0, 3, 5] * 5
    schedule = bonus(**options, monthly_churn=churn, monthly_discount_rate=0.01)
    found = schedule.capped(signed=signed, months=months, monthly_salary=salary)
    due, paid = paid_by_hand(schedule, signed, months, 600, churn, rng, 20_000)
    for name, drawn in (("due", due), ("paid", paid)):
        error = drawn.std(axis=0) / math.sqrt(20_000)
        assert np.array(found.columns[name]) == approx(drawn.mean(axis=0), abs=4.5 * error.max() + 1e-9)
    assert np.array(found.columns["probability_capped"]) == approx((due > 600 + 1e-9).mean(axis=0), abs=0.016)
    worth = paid @ 1.01 ** -np.arange(20.0)
    assert float(found) == approx(worth.mean(), abs=4.5 * worth.std() / math.sqrt(20_000))


@pytest.mark.parametrize("together", [5, 12])
@pytest.mark.parametrize(
    "options", [{"every_months": 3, "amount": 100, "increase": 20}, {"milestones": {2: 70, 5: 410, 9: 33.3}}]
)
def test_months_capped_together_agree_with_reps_simulated_client_by_client(options, together):
    """Bonuses are paid as they fall due until the cap of the months is reached."""
    rng, churn, months = np.random.default_rng(1896), 0.07, 20
    signed = [4, 0, 3, 5] * 5
    schedule = bonus(**options, monthly_churn=churn, monthly_discount_rate=0.01)
    found = schedule.capped(signed=signed, months=months, monthly_salary=1_500, salary_months=together)
    due, _ = paid_by_hand(schedule, signed, months, 0, churn, rng, 20_000)
    cap, paid, over = 0.15 * 1_500 * together, np.zeros_like(due), np.zeros_like(due)
    for month in range(months):
        first = month - month % together
        running = due[:, first : month + 1].sum(axis=1)
        paid[:, month] = np.minimum(running, cap) - paid[:, first:month].sum(axis=1)
        over[:, month] = running > cap + 1e-9
    assert found.cap == cap
    for name, drawn in (("due", due), ("paid", paid)):
        error = drawn.std(axis=0) / math.sqrt(20_000)
        assert np.array(found.columns[name]) == approx(drawn.mean(axis=0), abs=4.5 * error.max() + 1e-9)
    assert np.array(found.columns["probability_capped"]) == approx(over.mean(axis=0), abs=0.016)
    worth = paid @ 1.01 ** -np.arange(20.0)
    assert float(found) == approx(worth.mean(), abs=4.5 * worth.std() / math.sqrt(20_000))


@given(CHURN, st.integers(1, 4), st.floats(10, 900), st.floats(50, 2_000))
def test_a_years_cap_agrees_with_adding_up_every_outcome(churn, clients, amount, cap):
    """Two bonuses of the same clients under one cap: how many stay for the first, and of those for the second."""
    schedule = bonus(milestones={2: amount, 5: 0.7 * amount}, monthly_churn=churn)
    year = {"months": 12, "monthly_salary": cap / 12, "cap_share": 1, "salary_months": 12}
    expected = 0.0
    for some in range(clients + 1):
        for on in range(some + 1):
            chance = stats.binom.pmf(some, clients, (1 - churn) ** 2) * stats.binom.pmf(on, some, (1 - churn) ** 3)
            expected += chance * min(amount * some + 0.7 * amount * on, cap)
    assert float(schedule.capped(signed=[clients], **year)) == approx(expected, rel=1e-9)


@given(CHURN, st.integers(1, 3), st.floats(10, 900), st.floats(50, 1_000))
def test_the_capped_cost_agrees_with_adding_up_every_outcome(churn, clients, amount, cap):
    """Two months of signing, one bonus at month 2 and one at month 3: all numbers of clients who stay."""
    schedule = bonus(milestones={2: amount, 3: 0.7 * amount}, monthly_churn=churn)
    found = schedule.capped(signed=[clients, 2], months=4, monthly_salary=cap, cap_share=1)
    expected = 0.0
    for old in range(clients + 1):
        for new in range(3):
            chance = stats.binom.pmf(old, clients, (1 - churn) ** 3) * stats.binom.pmf(new, 2, (1 - churn) ** 2)
            expected += chance * min(0.7 * amount * old + amount * new, cap)
    assert found.columns["paid"][3] == approx(expected, rel=1e-9)


def test_without_reaching_the_cap_every_client_costs_what_the_schedule_says():
    schedule = bonus(every_months=6, amount=50, monthly_churn=0.1, horizon_months=24)
    found = schedule.capped(signed=[3], months=25, monthly_salary=10_000)
    assert float(found) == approx(3 * float(schedule))
    assert max(found.columns["probability_capped"]) == approx(0, abs=1e-12)
    nothing = schedule.capped(signed=0, months=25, monthly_salary=10_000)
    assert float(nothing) == 0


def test_a_capped_cost_has_the_interval_of_its_churn():
    churn, options = rm.churn.rate(start=120, lost=10), {"signed": 3, "months": 18, "monthly_salary": 2_000}
    found = bonus(every_months=6, amount=100, monthly_churn=churn).capped(**options)
    ends = [
        bonus(every_months=6, amount=100, monthly_churn=end).capped(**options)
        for end in (churn.interval.high, churn.interval.low)
    ]
    assert (found.interval.low, found.interval.high) == (approx(float(ends[0])), approx(float(ends[1])))
    rng = np.random.default_rng(1926)
    stay = rng.geometric(1 / 12, 400)
    curve = rm.survival.kaplan_meier(np.minimum(stay, 30), stay <= 30)
    drawn = bonus(every_months=6, amount=100, survival=curve, horizon_months=24).capped(**options, rng=rng)
    assert drawn.interval.low < float(drawn) < drawn.interval.high
    assert drawn.interval.method == "monte_carlo"
    again = rm.from_dict(drawn.to_dict())
    assert again == drawn
    assert rm.from_dict(bonus(every_months=6, monthly_churn=churn).to_dict()).capped(**options).interval is not None


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"signed": -1}, "signed", "at least 0"),
        ({"signed": 1.5}, "signed", "whole number"),
        ({"signed": "many"}, "signed", "is a number"),
        ({"signed": [1] * 13}, "signed", "at most the 12 months"),
        ({"months": 0}, "months", "at least 1"),
        ({"monthly_salary": 0}, "monthly_salary", "above 0"),
        ({"monthly_salary": math.nan}, "monthly_salary", "finite"),
        ({"cap_share": 0}, "cap_share", "above 0"),
        ({"salary_months": 0}, "salary_months", "at least 1"),
        ({"level": 95}, "level", "probability"),
    ],
)
def test_a_cap_that_cannot_be_is_refused(options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        schedule().capped(**{"signed": 1, "months": 12, "monthly_salary": 1_000, **options})
    assert caught.value.argument == argument


def test_a_capped_cost_past_the_end_of_a_curve_is_refused():
    short = bonus(milestones={2: 100, 6: 100}, survival=[1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4], horizon_months=6)
    assert short.capped(signed=1, months=40, monthly_salary=1_000).columns["due"][6] == approx(100 * (0.8 + 0.4))
    every = bonus(every_months=2, survival=[1, 0.9, 0.8, 0.7], horizon_months=2)
    assert every.capped(signed=1, months=40, monthly_salary=1_000).columns["due"][39] == approx(0.8)


# ---------------------------------------------------------------- payouts

CLIENTS = pd.DataFrame(
    {
        "rep": ["A", "A", "B", "B", "B", None, "C"],
        "months": [13.0, 5.0, 30.0, 6.0, 5.9, 12.0, None],
        "paid": [6.0, 0.0, 24.0, 0.0, 0.0, 0.0, 0.0],
    }
)


def schedule():
    return bonus(every_months=6, amount=300, monthly_churn=1 / 12)


def test_each_rep_is_paid_for_the_milestones_of_its_clients(frame):
    table = schedule().payouts(frame(CLIENTS), rep="rep", duration="months")
    assert as_sorted_rows(table) == [("A", 2, 2, 600, None, 600, "ok"), ("B", 3, 6, 1_800, None, 1_800, "ok")]
    assert table.excluded == {"missing_rep": 1, "missing_duration": 1}
    assert float(table) == 2_400


def test_what_was_paid_before_is_not_paid_again(frame):
    table = schedule().payouts(frame(CLIENTS), rep="rep", duration="months", paid_until="paid")
    assert as_sorted_rows(table, by=["rep", "bonuses", "paid"]) == [("A", 1, 300), ("B", 2, 600)]


def test_bonuses_are_capped_at_15_percent_of_the_salary(frame):
    table = schedule().payouts(frame(CLIENTS), rep="rep", duration="months", monthly_salary=500)
    assert as_sorted_rows(table, by=["rep", "earned", "cap", "paid", "status"]) == [
        ("A", 600, 900, 600, "ok"),
        ("B", 1_800, 900, 900, "capped"),
    ]
    named = schedule().payouts(frame(CLIENTS), rep="rep", duration="months", monthly_salary={"A": 100})
    assert as_sorted_rows(named, by=["rep", "cap", "paid", "status"]) == [
        ("A", 180, 180, "capped"),
        ("B", None, None, "no_salary"),
    ]


def test_a_table_that_cannot_be_paid_for_is_refused():
    with pytest.raises(InputError, match="at most months"):
        schedule().payouts(CLIENTS.assign(paid=40.0), rep="rep", duration="months", paid_until="paid")
    with pytest.raises(InputError, match="at least 0"):
        schedule().payouts(CLIENTS.assign(months=-1.0), rep="rep", duration="months")
    with pytest.raises(InputError, match="no row left"):
        schedule().payouts(CLIENTS.assign(months=math.nan), rep="rep", duration="months")
    with pytest.raises(ColumnError, match="column of numbers"):
        schedule().payouts(CLIENTS, rep="months", duration="rep")
    with pytest.raises(InputError, match="at least one row; got none"):
        schedule().payouts(CLIENTS.astype({"rep": object})[:0], rep="rep", duration="months")


# ---------------------------------------------------------------- loyalty


def club(**options):
    numbers = {"order_value": 50, "margin": 0.4, "repeat_rate": 0.6, "earn_rate": 0.05, "redemption_rate": 0.8}
    return contracts.loyalty_programme(**{**numbers, **options})


@given(st.floats(0, 0.95), st.floats(0.05, 1), st.floats(0, 0.2), st.floats(0, 1), st.floats(0, 20), st.floats(0, 20))
def test_at_the_break_even_rate_a_member_is_worth_what_another_is(repeat, margin, earn, redeemed, cost, fee):
    numbers = {
        "repeat_rate": repeat,
        "margin": margin,
        "earn_rate": earn,
        "redemption_rate": redeemed,
        "cost_per_member": cost,
        "membership_fee": fee,
    }
    found = club(**numbers)
    if found.break_even_repeat_rate is None:
        assert found.notes
        return
    again = club(**numbers, member_repeat_rate=found.break_even_repeat_rate)
    assert again.value_with == approx(again.value_without, rel=1e-9)


def test_the_values_agree_with_customers_simulated_one_by_one():
    rng = np.random.default_rng(1896)
    customers = 200_000
    member = club(member_repeat_rate=0.7, cost_per_member=2, membership_fee=1)
    orders = rng.geometric(0.3, customers)
    redeemed = rng.binomial(orders, 0.8)
    value = orders * 50 * 0.4 - redeemed * 50 * 0.05 - 2 + 1
    assert member.value_with == approx(value.mean(), abs=4.5 * value.std() / math.sqrt(customers))


def test_points_outstanding_are_owed_but_for_breakage():
    found = club(points_issued=1_000, points_redeemed=300, points_expired=200, point_value=0.1, reward_cost=0.5)
    assert (found.outstanding_value, found.liability, found.breakage) == (approx(50), approx(20), approx(10))


def test_a_free_programme_without_rewards_pays_at_once_and_one_that_gives_the_margin_away_never():
    assert float(club(earn_rate=0)) == approx(0)
    never, always = club(earn_rate=0.5), club(membership_fee=1_000)
    assert (never.estimate, always.estimate) == (None, None)
    assert "No repeat rate" in never.notes[0]
    assert "any repeat rate" in always.notes[0]


def test_an_uncertain_trial_says_how_likely_the_programme_pays():
    control = rm.retention.rate(start=500, end=300)
    found = club(repeat_rate=control, member_repeat_rate=rm.retention.rate(start=500, end=340), rng=2019)
    assert found.interval.low < float(found) < found.interval.high
    assert 0.5 < found.probability_pays < 1
    assert club(repeat_rate=control, member_repeat_rate=0.61, rng=2019).probability_pays < 0.5


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"order_value": 0}, "order_value"),
        ({"margin": 0}, "margin"),
        ({"repeat_rate": 1}, "repeat_rate"),
        ({"earn_rate": 1.2}, "earn_rate"),
        ({"redemption_rate": -0.1}, "redemption_rate"),
        ({"membership_fee": -1}, "membership_fee"),
        ({"points_issued": 10, "points_redeemed": 8, "points_expired": 3}, "points_redeemed"),
    ],
)
def test_an_impossible_programme_is_refused(options, argument):
    with pytest.raises(InputError) as caught:
        club(**options)
    assert caught.value.argument == argument
