"""Monthly fees: shares of the spend, flat sums and tiers, with minimum and rounding."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics.contracts import FeeFlat, FeeShare, FeeTiers, Term, compare
from retention_metrics.contracts.fees import Fee
from retention_metrics.errors import InputError

approx = pytest.approx
SPEND = st.floats(0, 1e6)
RATE = st.floats(0, 0.5)


@st.composite
def tiers(draw):
    starts = [0, *sorted(draw(st.sets(st.integers(1, 200_000), max_size=4)))]
    return [(start, draw(RATE)) for start in starts]


@given(tiers(), SPEND)
def test_a_marginal_fee_adds_up_the_tiers_one_by_one(schedule, spend):
    ends = [*(start for start, _ in schedule[1:]), float("inf")]
    owed = sum(rate * max(min(spend, end) - start, 0) for (start, rate), end in zip(schedule, ends, strict=True))
    assert FeeTiers(schedule).monthly(spend) == approx(owed, rel=1e-12, abs=1e-9)


@given(tiers(), SPEND)
def test_a_whole_amount_fee_is_the_rate_of_the_tier_reached(schedule, spend):
    rate = [rate for start, rate in schedule if start <= spend][-1]
    assert FeeTiers(schedule, basis="whole").monthly(spend) == approx(rate * spend, rel=1e-12)


@given(tiers(), st.sampled_from(["marginal", "whole"]), st.floats(0, 5_000), SPEND)
def test_a_minimum_lifts_every_lower_fee_and_no_other(schedule, basis, minimum, spend):
    plain, lifted = FeeTiers(schedule, basis=basis), FeeTiers(schedule, basis=basis, minimum=minimum)
    assert lifted.monthly(spend) == approx(max(plain.monthly(spend), minimum), rel=1e-12)


@given(tiers(), SPEND, SPEND)
def test_a_marginal_fee_never_falls_and_never_jumps(schedule, one, other):
    low, high = sorted((one, other))
    fee = FeeTiers(schedule, minimum=100)
    step = fee.monthly(high) - fee.monthly(low)
    assert -1e-6 <= step <= 0.5 * (high - low) + 1e-6


def test_one_tier_is_a_share_and_a_share_of_nothing_is_the_minimum():
    assert FeeTiers([(0, 0.1)]).monthly(30_000) == FeeShare(0.1).monthly(30_000) == 3_000
    assert FeeShare(0.1, minimum=250).monthly(0) == 250


@pytest.mark.parametrize(
    ("spend", "unit", "fee"),
    [(1_234.50, 0.01, 86.42), (1_234.50, 1, 86), (1_234.50, 5, 85), (1_250, 5, 90), (0, 0.01, 0)],
)
def test_half_a_unit_rounds_up_in_decimal_arithmetic(spend, unit, fee):
    assert FeeShare(0.07, unit=unit).monthly(spend) == fee


@given(st.integers(0, 10**7), st.integers(0, 100))
def test_rounding_is_exact_where_floats_are_not(cents, per_cent):
    """Half a cent is half a cent: 1.005 rounds up although its float lies below it."""
    owed = Fraction(cents * per_cent, 100)
    whole = (owed + Fraction(1, 2)) // 1
    assert FeeShare(per_cent / 100, unit=0.01).monthly(cents / 100) == approx(float(whole) / 100, rel=1e-15)


@pytest.mark.parametrize(
    ("make", "argument", "words"),
    [
        (lambda: FeeShare(-0.1), "rate", "at least 0"),
        (lambda: FeeShare(0.1, minimum=-1), "minimum", "at least 0"),
        (lambda: FeeShare(0.1, unit=0), "unit", "above 0"),
        (lambda: FeeFlat(-1), "amount", "at least 0"),
        (lambda: FeeTiers([]), "tiers", "list of"),
        (lambda: FeeTiers("10 %"), "tiers", "list of"),
        (lambda: FeeTiers([(0, 0.1, 0.2)]), "tiers", "pairs"),
        (lambda: FeeTiers([(100, 0.1)]), "tiers", "begin at a spend of 0"),
        (lambda: FeeTiers([(0, 0.1), (0, 0.2)]), "tiers", "begin at a spend of 0 and rise"),
        (lambda: FeeTiers([(0, -0.1)]), "rate of a tier", "at least 0"),
        (lambda: FeeTiers([(0, 0.1)], basis="all"), "basis", "'marginal', 'whole'"),
        (lambda: FeeFlat(1).monthly(-1), "spend", "at least 0"),
        (lambda: Term("a", 1, fee=0.1, monthly_churn=0.1), "fee", "FeeShare, FeeFlat or FeeTiers"),
        (lambda: Term("a", 1, fee=FeeFlat(1), fee_rate=0.1, monthly_churn=0.1), "fee_rate", "got both"),
        (lambda: Term("a", 1, monthly_churn=0.1), "fee_rate", "got neither"),
    ],
)
def test_an_impossible_fee_is_refused(make, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert caught.value.argument == argument


def test_the_base_class_is_no_fee():
    with pytest.raises(TypeError, match="base class"):
        Fee()


def test_a_term_charges_its_fee_and_keeps_it_through_json():
    term = Term("a", 1, fee=FeeTiers([(0, 0.10), (20_000, 0.05)], minimum=900, unit=0.01), monthly_churn=0.5)
    row = compare(term, monthly_spend=30_000, horizon_months=1).rows()[0]
    assert (row["expected_fees"], row["fee_rate"]) == (2_500, approx(2_500 / 30_000))
    assert rm.from_dict(term.to_dict()) == term
    assert compare(term, monthly_spend=0, horizon_months=1).rows()[0]["fee_rate"] is None
