"""Another rep: whether and when it pays; seasons, starts and levers of the plateau; going upmarket."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics import growth
from retention_metrics.errors import InputError

approx = pytest.approx
CHURN = st.floats(0.01, 1)
REP = {"monthly_fee": 10_000, "new_clients_per_month": 1 / 6}


def hire(**options):
    return growth.hire(**{**REP, "monthly_cost": 8_000, **options})


def plateau(**options):
    return growth.plateau(**{**REP, **options})


# ---------------------------------------------------------------- the rule of the source


def test_a_rep_at_8000_breaks_even_at_40_percent_and_is_covered_in_6_months_and_recovered_in_12():
    rep = hire(lifetime_months=12)
    assert rep.break_even_attainment == approx(0.40)
    assert (rep.months_to_cover, rep.months_to_recover) == (6, 12)
    assert float(rep) == approx(12_000)


@pytest.mark.parametrize(
    ("cost", "short", "pays"),
    [(9_999, True, True), (10_000, False, True), (19_999, False, True), (20_001, False, False)],
)
def test_a_rep_pays_below_20000_and_by_the_short_form_below_10000(cost, short, pays):
    rep = hire(monthly_cost=cost, lifetime_months=12)
    assert rep.plateau_revenue == approx(20_000)
    assert (rep.short_form_pays, rep.pays) == (short, pays)


def test_the_path_of_the_rep_is_that_of_the_plateau():
    assert hire(lifetime_months=12).columns["revenue"][:24] == approx(
        plateau(lifetime_months=12).columns["revenue"][:24]
    )


# ---------------------------------------------------------------- laws


@given(
    CHURN,
    st.floats(0, 20_000),
    st.floats(0.05, 2),
    st.floats(0.2, 1),
    st.floats(0, 0.15),
    st.floats(0, 5_000),
    st.integers(0, 6),
)
def test_the_path_agrees_with_following_the_rep_month_by_month(churn, cost, made, margin, rate, signing, ramp):
    rep = hire(
        monthly_cost=cost,
        monthly_churn=churn,
        attainment=made,
        margin=margin,
        commission_rate=rate,
        signing_commission=signing,
        ramp_months=ramp,
    )
    clients = total = 0.0
    for row in rep.rows():
        won = made / 6 * min(row["month"] / (ramp + 1), 1)
        clients = clients * (1 - churn) + won
        cash = clients * 10_000 * (margin - rate) - won * signing - cost
        total += cash
        assert row["clients"] == approx(clients, rel=1e-9)
        assert row["cash"] == approx(cash, rel=1e-9, abs=1e-6)
        assert row["cumulative_cash"] == approx(total, rel=1e-9, abs=1e-5)
    recovered = [row["month"] for row in rep.rows() if row["cumulative_cash"] >= 0]
    assert rep.months_to_recover == (recovered[0] if recovered else None)


@given(CHURN, st.floats(100, 20_000), st.floats(0.2, 1), st.floats(0, 0.15), st.floats(0, 5_000))
def test_at_its_break_evens_a_rep_brings_nothing(churn, cost, margin, rate, signing):
    given_rep = {"monthly_cost": cost, "margin": margin, "commission_rate": rate, "signing_commission": signing}
    rep = hire(monthly_churn=churn, **given_rep)
    if rep.break_even_attainment is not None:
        assert float(hire(monthly_churn=churn, attainment=rep.break_even_attainment, **given_rep)) == approx(
            0, abs=1e-6
        )
    if rep.break_even_lifetime >= 1:
        assert float(hire(lifetime_months=rep.break_even_lifetime, **given_rep)) == approx(0, abs=1e-6)
        assert rep.pays == (rep.lifetime_months > rep.break_even_lifetime)


def test_a_rep_on_commission_as_clients_pay_pays_by_itself_and_up_front_only_from_a_lifetime_on():
    assert hire(monthly_cost=0, lifetime_months=1, commission_rate=0.5).pays
    up_front = hire(monthly_cost=0, lifetime_months=12, signing_commission=30_000)
    assert up_front.break_even_lifetime == approx(3)
    assert not hire(monthly_cost=0, lifetime_months=2.9, signing_commission=30_000).pays
    assert hire(lifetime_months=12, margin=0.2, commission_rate=0.2).break_even_lifetime is None


def test_the_working_gives_every_break_even():
    rep = hire(lifetime_months=12, margin=0.6, commission_rate=0.1, signing_commission=2_000)
    worked = rep.explain().evaluate()
    assert worked["break_even_attainment"] == approx(rep.break_even_attainment)
    assert worked["break_even_lifetime"] == approx(rep.break_even_lifetime)


def test_a_rep_who_never_pays_is_never_covered():
    rep = hire(monthly_cost=25_000, lifetime_months=12)
    assert (rep.months_to_cover, rep.months_to_recover, rep.pays) == (None, None, False)


def test_the_chance_of_paying_agrees_with_the_beta_distribution_of_the_churn():
    # 9 of 108 left in a month; the rep pays while 10,000 / 6 / churn > cost.
    from scipy import stats

    cost = 10_000 / 6 / 0.10
    rep = hire(monthly_cost=cost, monthly_churn=rm.churn.rate(start=108, lost=9), draws=40_000, rng=2019)
    exact = stats.beta.cdf(0.10, 9.5, 99.5)
    assert rep.probability_pays == approx(exact, abs=4.5 * math.sqrt(exact * (1 - exact) / 40_000))
    assert rep.interval.low < float(rep) < rep.interval.high


def test_uncertain_attainment_and_lifetimes_count_too():
    made = rm.retention.rate(start=10, end=6)  # 6 of 10 quarters at quota
    rep = hire(lifetime_months=rm.churn.lifetime(rm.churn.rate(start=108, lost=9)), attainment=made, rng=2019)
    assert rep.attainment == 0.6
    assert 0.5 < rep.probability_pays < 1
    assert hire(lifetime_months=12, attainment=made, level=None).interval is None


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({}, "lifetime_months"),
        ({"lifetime_months": 12, "monthly_cost": -1}, "monthly_cost"),
        ({"lifetime_months": 12, "margin": 0}, "margin"),
        ({"lifetime_months": 12, "attainment": 0}, "attainment"),
        ({"lifetime_months": 12, "ramp_months": -1}, "ramp_months"),
        ({"lifetime_months": 12, "commission_rate": 1.1}, "commission_rate"),
        ({"lifetime_months": 12, "signing_commission": -1}, "signing_commission"),
    ],
)
def test_an_impossible_hire_is_refused(options, argument):
    with pytest.raises(InputError) as caught:
        hire(**options)
    assert caught.value.argument == argument


# ---------------------------------------------------------------- the plateau from any start


@given(CHURN, st.floats(0, 50), st.lists(st.floats(0.1, 3), min_size=12, max_size=12))
def test_seasons_and_a_start_agree_with_losing_first_and_winning_then(churn, start, factors):
    level = growth.plateau(
        new_clients_per_month=2, monthly_fee=10, monthly_churn=churn, start_clients=start, seasonality=factors
    )
    clients = start
    for row in level.rows():
        clients = clients * (1 - churn) + 2 * factors[(row["month"] - 1) % 12] / np.mean(factors)
        assert row["clients"] == approx(clients, rel=1e-9)


@given(CHURN)
def test_a_start_at_the_plateau_stays_there(churn):
    at = float(plateau(monthly_churn=churn)) / 10_000
    level = plateau(monthly_churn=churn, start_clients=at)
    assert level.columns["clients"] == approx([at] * level.columns.height, rel=1e-9)
    assert level.months_to(1) == 1


def test_a_year_of_seasons_has_the_plateau_for_its_mean():
    factors = [0, 0, 1, 1, 2, 3, 3, 2, 1, 1, 0, 0]
    level = plateau(lifetime_months=2, seasonality=factors)
    assert level.columns.height == 24
    assert np.mean(level.columns["revenue"][-12:]) == approx(float(level), rel=1e-3)


def test_an_interval_of_the_churn_goes_through_end_by_end():
    churn = rm.churn.rate(start=120, lost=10)
    level = plateau(monthly_churn=churn)
    assert level.interval.low == approx(float(plateau(monthly_churn=churn.interval.high)))
    assert level.interval.high == approx(float(plateau(monthly_churn=churn.interval.low)))
    assert level.columns["revenue_low"][5] == approx(plateau(monthly_churn=churn.interval.high).columns["revenue"][5])
    lived = plateau(lifetime_months=rm.churn.lifetime(churn))
    assert (lived.interval.low, lived.interval.high) == approx((level.interval.low, level.interval.high))
    assert plateau(monthly_churn=churn, level=None).interval is None


def test_nobody_lost_leaves_the_plateau_without_an_upper_end():
    level = plateau(lifetime_months=12)
    assert level.interval is None
    unbounded = plateau(lifetime_months=rm.churn.lifetime(rm.churn.rate(start=30, lost=1)))
    assert unbounded.interval.high > 5 * float(unbounded)


def test_the_interval_of_a_curve_holds_the_truth():
    rng = np.random.default_rng(1926)
    stay = rng.geometric(1 / 6, 400)
    curve = rm.survival.kaplan_meier(np.minimum(stay, 40), stay <= 40)
    level = plateau(survival=curve, tail="constant_hazard", rng=rng)
    assert level.interval.low < 10_000 < level.interval.high
    assert level.interval.method == "monte_carlo"


def test_each_lever_moves_the_level_alike_and_only_a_longer_lifetime_takes_longer():
    table = plateau(lifetime_months=12).levers(by=0.5)
    assert table.columns["plateau"] == approx([30_000] * 3)
    assert table.columns["months_to_half"] == (8, 8, 13)
    assert table.columns["months_to_90_percent"] == (27, 27, 41)
    assert plateau(survival=[1, 0.5, 0]).levers().columns["months_to_half"] == (1, 1, None)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"start_clients": -1}, "start_clients"),
        ({"seasonality": [1, 2]}, "seasonality"),
        ({"seasonality": [0] * 12}, "seasonality"),
        ({"seasonality": [1] * 12, "arrivals": "whole"}, "seasonality"),
    ],
)
def test_an_impossible_start_or_season_is_refused(options, argument):
    with pytest.raises(InputError) as caught:
        plateau(lifetime_months=12, **options)
    assert caught.value.argument == argument


# ---------------------------------------------------------------- going upmarket

LENGTH = st.floats(1, 60)


@given(st.floats(0.1, 50), st.floats(1, 1e5), LENGTH, st.floats(1, 1e5), LENGTH)
def test_with_the_fewer_clients_the_plateau_is_the_same(new, fee, lifetime, larger, longer):
    move = growth.upmarket(
        new_clients_per_month=new,
        monthly_fee=fee,
        lifetime_months=lifetime,
        larger_fee=larger,
        longer_lifetime=longer,
    )
    now = growth.plateau(new_clients_per_month=new, monthly_fee=fee, lifetime_months=lifetime)
    then = growth.plateau(new_clients_per_month=move.break_even_new_clients, monthly_fee=larger, lifetime_months=longer)
    assert float(then) == approx(float(now))
    assert move.break_even_new_clients == approx(new * (1 - float(move)))


def test_a_lifetime_with_an_interval_gives_the_fall_one():
    lifetime = rm.churn.lifetime(rm.churn.rate(start=400, lost=40))
    numbers = {"new_clients_per_month": 10, "monthly_fee": 500, "larger_fee": 1_000, "longer_lifetime": 20}
    move = growth.upmarket(lifetime_months=lifetime, **numbers)
    ends = [
        float(growth.upmarket(lifetime_months=end, **numbers))
        for end in (lifetime.interval.high, lifetime.interval.low)
    ]
    assert (move.interval.low, move.interval.high) == approx(ends)
