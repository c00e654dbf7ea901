"""The revenue plateau: where clients lost equal clients won, and the path to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics import growth, survival
from retention_metrics.errors import InputError

approx = pytest.approx
REP = {"new_clients_per_month": 1 / 6, "monthly_fee": 10_000}
CHURN = st.floats(0.005, 1)


def rep(**options):
    return growth.plateau(**{**REP, **options})


def revenue(result, month):
    return result.columns["revenue"][month - 1]


# ---------------------------------------------------------------- the rep of the source


def test_a_client_every_six_months_for_a_year_levels_off_at_20_000():
    level = rep(lifetime_months=12)
    assert float(level) == approx(20_000)
    assert level.clients == approx(2)
    assert round(level.monthly_churn, 4) == 0.0833
    assert level.clients * level.monthly_churn == approx(1 / 6)


def test_the_path_passes_8134_12960_and_17522():
    level = rep(lifetime_months=12)
    assert [round(revenue(level, month)) for month in (6, 12, 24)] == [8_134, 12_960, 17_522]
    assert (level.months_to(0.5), level.months_to(0.9)) == (8, 27)


def test_a_lifetime_of_exactly_twelve_months_gives_20_000_from_month_6():
    exact = rep(survival=[1] * 12 + [0], arrivals="whole")
    assert [round(value) for value in exact.columns["revenue"]] == [10_000] * 5 + [20_000] * 19
    assert exact.months_to(1) == 6


# ---------------------------------------------------------------- the twin: month by month


@given(CHURN, st.floats(0.01, 50), st.floats(1, 1e5))
def test_the_path_agrees_with_losing_first_and_winning_then(churn, new, fee):
    level = growth.plateau(new_clients_per_month=new, monthly_fee=fee, monthly_churn=churn)
    clients = 0.0
    for row in level.rows():
        clients = clients * (1 - churn) + new
        assert row["clients"] == approx(clients, rel=1e-9)
        assert row["revenue"] == approx(clients * fee, rel=1e-9)
        assert row["share"] == approx(clients * fee / float(level), rel=1e-9)


@given(st.lists(st.floats(0, 1), max_size=15), st.integers(1, 7), st.integers(1, 12))
def test_whole_clients_agree_with_following_each_of_them(shares, every, most):
    stay = [1.0, *sorted(shares, reverse=True), 0.0]
    level = growth.plateau(new_clients_per_month=1 / every, monthly_fee=most, survival=stay, arrivals="whole")
    for month, clients in zip(level.columns["month"], level.columns["clients"], strict=True):
        ages = range(month, -1, -every)  # of those who came at month 0, every, 2 * every, ... until now
        assert clients == approx(sum(stay[age] if age < len(stay) else 0.0 for age in ages), abs=1e-12)


def test_simulated_reps_agree():
    rng = np.random.default_rng(2019)
    reps, new, churn, months = 40_000, 0.5, 0.1, 24
    clients = np.zeros(reps)
    level = growth.plateau(new_clients_per_month=new, monthly_fee=1, monthly_churn=churn)
    for month in range(months):
        clients = rng.binomial(clients.astype(int), 1 - churn) + rng.poisson(new, reps)
        assert level.columns["clients"][month] == approx(clients.mean(), abs=4.5 * clients.std() / math.sqrt(reps))


# ---------------------------------------------------------------- laws


@given(CHURN, st.floats(0.01, 0.999))
def test_the_months_to_a_share_are_the_first_that_reach_it(churn, share):
    level = rep(monthly_churn=churn)
    month = level.months_to(share)
    assert 1 - (1 - churn) ** month >= share - 1e-9
    assert month == 1 or 1 - (1 - churn) ** (month - 1) < share + 1e-9


@given(CHURN, st.integers(2, 20))
def test_more_reps_raise_the_level_and_leave_churn_and_the_wait(churn, reps):
    one, many = rep(monthly_churn=churn), rep(monthly_churn=churn, new_clients_per_month=reps / 6)
    assert float(many) == approx(reps * float(one))
    assert many.monthly_churn == one.monthly_churn
    assert [many.months_to(share) for share in (0.5, 0.9)] == [one.months_to(share) for share in (0.5, 0.9)]


@given(st.floats(1, 100), st.floats(1, 100))
def test_a_longer_lifetime_raises_the_level_and_the_wait(lifetime, longer):
    short, long = rep(lifetime_months=lifetime), rep(lifetime_months=lifetime + longer)
    assert float(long) > float(short)
    assert long.months_to(0.9) >= short.months_to(0.9)


@given(CHURN)
def test_a_rate_its_lifetime_and_its_curve_are_one_assumption(churn):
    rate, life = rep(monthly_churn=churn), rep(lifetime_months=1 / churn)
    curve = rep(survival=(1 - churn) ** np.arange(4), tail="constant_hazard") if churn < 1 else rate
    for other in (life, curve, rep(survival=churn), rep(survival=survival.ConstantChurn(monthly_churn=churn))):
        assert float(other) == approx(float(rate), rel=1e-9)
        assert other.columns["clients"][:24] == approx(rate.columns["clients"][:24], rel=1e-9)


@given(CHURN)
def test_the_path_has_24_rows_and_goes_on_until_99_percent(churn):
    level = rep(monthly_churn=churn)
    shares = level.columns["share"]
    assert level.columns["month"] == tuple(range(1, len(shares) + 1))
    assert len(shares) >= 24
    assert shares[-1] >= 0.99 - 1e-12
    assert len(shares) == 24 or shares[-2] < 0.99


def test_a_path_of_more_than_a_thousand_years_is_cut_with_a_note():
    slow = rep(monthly_churn=1e-6)
    assert slow.columns.height == 12_000
    assert slow.months_to(0.5) is None
    assert "before 99 % of the plateau" in slow.notes[0]


def test_the_plateau_itself_is_approached_and_met_only_where_everyone_leaves():
    assert rep(lifetime_months=12).months_to(1) is None
    assert rep(monthly_churn=1).months_to(1) == 1
    assert rep(survival=[1, 0.5, 0]).months_to(1) == 2


def test_a_tail_is_noted():
    (note,) = rep(survival=[1, 0.9], tail="constant_hazard").notes
    assert "Past month 1" in note


def test_a_churn_and_a_lifetime_may_be_results():
    assert float(rep(monthly_churn=rm.churn.rate(start=12, lost=1))) == approx(20_000)
    assert float(rep(lifetime_months=rm.churn.lifetime(0.05))) == approx(10_000 / 6 / 0.05)


# ---------------------------------------------------------------- what cannot be right


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({}, "lifetime_months", "got none"),
        ({"lifetime_months": 12, "monthly_churn": 0.1}, "lifetime_months", "got lifetime_months and monthly_churn"),
        ({"lifetime_months": 0.5}, "lifetime_months", "at least 1"),
        ({"lifetime_months": math.inf}, "lifetime_months", "finite"),
        ({"monthly_churn": 0}, "monthly_churn", "has no plateau"),
        ({"monthly_churn": 1.5}, "monthly_churn", r"in \[0, 1\]"),
        ({"monthly_churn": 0.1, "tail": "constant_hazard"}, "tail", "no end to extend"),
        ({"survival": 0}, "monthly_churn", "has no plateau"),
        ({"survival": [1, 0.5]}, "survival", "how long they stay is not known.*or assume tail"),
        ({"survival": [1, 1], "tail": "constant_hazard"}, "survival", "how long they stay is not known"),
        ({"survival": [1, 0], "term_months": 0}, "term_months", "whole number of at least 1"),
        ({"lifetime_months": 12, "term_months": 6}, "term_months", "a churn rate goes by the month"),
        ({"survival": rm.clv.ShiftedBetaGeometric(alpha=1, beta=4)}, "survival", "infinite.*by_month"),
        ({"lifetime_months": 12, "new_clients_per_month": 0}, "new_clients_per_month", "above 0"),
        ({"lifetime_months": 12, "monthly_fee": -1}, "monthly_fee", "above 0"),
        ({"lifetime_months": 12, "arrivals": "steady"}, "arrivals", "'spread', 'whole'"),
    ],
)
def test_an_impossible_plateau_is_refused(options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        rep(**options)
    assert caught.value.argument == argument


@pytest.mark.parametrize("share", [0, -0.5, 1.1, float("nan")])
def test_a_share_of_the_plateau_is_above_0_and_at_most_1(share):
    with pytest.raises(InputError, match="share"):
        rep(lifetime_months=12).months_to(share)
