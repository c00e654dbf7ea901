"""Two rates against each other say how far apart they are, and how surely."""

from __future__ import annotations

import math

import pytest

import retention_metrics as rm
from retention_metrics.errors import InputError

approx = pytest.approx


def rate(lost, start, **options):
    return rm.churn.rate(start=start, lost=lost, **options)


def test_difference_is_the_first_rate_less_the_second():
    gap = rm.difference(rate(56, 70), rate(48, 80))
    assert gap.estimate == approx(0.2)
    assert (gap.interval.low, gap.interval.high) == approx((0.0524, 0.3339), abs=0.00005)
    assert (gap.interval.method, gap.interval.level, gap.unit) == ("newcombe", 0.95, "share")
    assert (gap.numerator_a, gap.denominator_a, gap.numerator_b, gap.denominator_b) == (56, 70, 48, 80)


def test_difference_turns_over_with_its_groups():
    there, back = rm.difference(rate(9, 10), rate(3, 10)), rm.difference(rate(3, 10), rate(9, 10))
    assert back.estimate == approx(-there.estimate)
    assert (back.interval.low, back.interval.high) == approx((-there.interval.high, -there.interval.low))


def test_difference_narrows_with_a_lower_level_and_vanishes_without():
    wide, narrow = (rm.difference(rate(9, 10), rate(3, 10), level=level).interval for level in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert rm.difference(rate(9, 10), rate(3, 10), level=None).interval is None


def test_ratio_is_the_first_rate_over_the_second():
    times = rm.ratio(rate(36, 40), rate(16, 80))
    assert times.estimate == approx(4.5)
    assert (times.interval.low, times.interval.high) == approx((2.94, 7.15), abs=0.005)
    assert (times.interval.method, times.unit) == ("koopman", "ratio")
    assert rm.ratio(rate(36, 40), rate(16, 80), method="katz").interval.method == "katz"


def test_ratio_to_a_rate_of_zero_is_undefined_but_bounded_below():
    times = rm.ratio(rate(9, 10), rate(0, 10))
    assert times.estimate is None
    assert times.status == "undefined"
    assert "second share is 0" in times.notes[0]
    assert times.interval.low > 1
    assert times.interval.high == math.inf
    assert times.to_dict()["interval"]["high"] is None


def test_ratio_of_a_rate_of_zero_is_zero_with_an_upper_end():
    times = rm.ratio(rate(0, 10), rate(5, 10))
    assert (times.estimate, times.interval.low) == (0.0, 0.0)
    assert 0 < times.interval.high < 1


def test_katz_says_that_it_has_no_interval_at_zero():
    times = rm.ratio(rate(0, 10), rate(5, 10), method="katz")
    assert times.interval is None
    assert any("koopman" in note for note in times.notes)


@pytest.mark.parametrize("compare", [rm.difference, rm.ratio])
def test_an_empty_group_leaves_the_comparison_undefined(compare):
    result = compare(rate(0, 0), rate(5, 10))
    assert result.estimate is None
    assert result.interval is None
    assert result.status == "no_customers"
    assert "undefined" in result.notes[0]


@pytest.mark.parametrize("compare", [rm.difference, rm.ratio])
def test_rates_of_different_definitions_are_compared_with_a_note(compare):
    other = rm.from_dict({**rate(3, 10).to_dict(), "definition": "retention.rate/start-cohort"})
    notes = compare(rate(9, 10), other).notes
    assert any("retention.rate/start-cohort" in note for note in notes)


@pytest.mark.parametrize("compare", [rm.difference, rm.ratio])
@pytest.mark.parametrize("other", [0.3, None, rm.nps.from_counts(promoters=3, passives=2, detractors=1)])
def test_only_shares_with_counts_are_compared(compare, other):
    with pytest.raises(InputError, match="share with its counts"):
        compare(rate(9, 10), other)


@pytest.mark.parametrize("compare", [rm.difference, rm.ratio])
@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, math.nan, "0.95"])
def test_a_level_is_a_probability(compare, level):
    with pytest.raises(InputError, match="level"):
        compare(rate(9, 10), rate(3, 10), level=level)


def test_unknown_methods_are_named():
    with pytest.raises(InputError, match="newcombe"):
        rm.difference(rate(9, 10), rate(3, 10), method="newcomb")
    with pytest.raises(InputError, match="koopman"):
        rm.ratio(rate(9, 10), rate(3, 10), method="score")


@pytest.mark.parametrize("result", [
    rm.difference(rate(9, 10), rate(3, 10)),
    rm.ratio(rate(9, 10), rate(3, 10)),
    rm.ratio(rate(9, 10), rate(0, 10)),
], ids=["difference", "ratio", "unbounded ratio"])  # fmt: skip
def test_a_comparison_explains_itself_and_survives_json(result):
    assert rm.from_dict(result.to_dict()) == result
    steps = list(result.explain().evaluate().values())
    assert steps[-1] == (result.estimate if result.estimate is None else approx(result.estimate))
