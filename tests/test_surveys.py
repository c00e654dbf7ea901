"""Satisfaction, effort, any other item, segments and who answers."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx

STARS = [5] * 40 + [4] * 30 + [3] * 20 + [1] * 10
WEIGHTS = np.array([1.0] * 60 + [1.5] * 25 + [2.0] * 15)
ITEMS = {"csat": rm.surveys.csat, "ces": rm.surveys.ces, "likert": rm.surveys.likert}
every_item = pytest.mark.parametrize("item", ITEMS.values(), ids=list(ITEMS))


def asked():
    """A hundred customers in two plans, some silent, one without a plan."""
    stars = [*STARS[:80], *[None] * 20]
    plans = ["new", "old", "old", "<b>x</b>"] * 25
    plans[0] = None
    months = [float(month) for month in range(100)]
    table = pd.DataFrame({"stars": stars, "plan": plans, "months": months, "weight": WEIGHTS})
    return table.assign(answered=table["stars"].notna())


# ---------------------------------------------------------------- one question


def test_satisfaction_is_the_share_of_the_two_best_with_wilsons_interval():
    found = rm.surveys.csat(STARS)
    ends = stats.binomtest(70, 100).proportion_ci(method="wilson")
    assert found.estimate == 0.7
    assert (found.interval.low, found.interval.high) == approx((ends.low, ends.high))
    assert found.mean == approx(3.9)
    assert found.unit == "share"


def test_effort_is_the_mean_and_the_share_who_found_it_easy():
    found = rm.surveys.ces([7, 6, 6, 5, 4, 2, 7, 5])
    assert (found.estimate, found.share, found.unit) == (5.25, 0.75, "points")
    assert found.interval == found.mean_interval


@given(counts=st.lists(st.integers(0, 30), min_size=3, max_size=3).filter(lambda counts: sum(counts) > 0))
def test_the_mean_of_three_answers_has_the_interval_of_a_promoter_score(counts):
    down, level, up = counts
    found = rm.surveys.likert([1] * down + [2] * level + [3] * up, scale="1-3").mean_interval
    score = rm.nps.from_counts(promoters=up, passives=level, detractors=down).interval
    assert ((found.low - 2) * 100, (found.high - 2) * 100) == approx((score.low, score.high), abs=1e-6)


@given(answers=st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_intervals_hold_their_estimate_and_stay_on_the_scale(answers):
    found = rm.surveys.csat(answers)
    assert 0 <= found.interval.low <= found.share <= found.interval.high <= 1
    assert 1 <= found.mean_interval.low <= found.mean <= found.mean_interval.high <= 5
    assert found.mean_interval.low < found.mean_interval.high


@pytest.mark.parametrize(
    "shares", [(0.2, 0.2, 0.2, 0.2, 0.2), (0.05, 0.05, 0.1, 0.3, 0.5), (0.01, 0.01, 0.03, 0.15, 0.8)]
)
def test_the_interval_of_a_mean_covers_as_often_as_it_says(shares):
    rng = np.random.default_rng(31)
    answers = np.arange(1, 6)
    truth, held = float(answers @ np.array(shares)), 0
    for _ in range(400):
        interval = rm.surveys.likert(rng.choice(answers, 20, p=shares)).interval
        held += interval.low <= truth <= interval.high
    assert held / 400 >= 0.92


def test_weights_count_by_kishs_number():
    found = rm.surveys.csat([5] * 60 + [3] * 25 + [1] * 15, survey_weights=WEIGHTS)
    share, size = 60 / WEIGHTS.sum(), WEIGHTS.sum() ** 2 / (WEIGHTS**2).sum()
    z2 = stats.norm.ppf(0.975) ** 2
    centre = (share * size + z2 / 2) / (size + z2)
    assert found.estimate == approx(share)
    assert found.effective_n == approx(size) == approx(92.234, abs=1e-3)
    assert (found.interval.low + found.interval.high) / 2 == approx(centre)
    assert found.mean == approx((60 * 5 + 37.5 * 3 + 30) / WEIGHTS.sum())


@every_item
@pytest.mark.parametrize("factor", [0.1, 3.0, 1e6])
def test_only_the_ratios_of_weights_matter(item, factor):
    plain = item(STARS)
    even = item(STARS, survey_weights=np.full(100, factor))
    assert even == plain
    uneven, scaled = item(STARS, survey_weights=WEIGHTS), item(STARS, survey_weights=WEIGHTS * factor)
    assert (scaled.estimate, scaled.interval.low) == approx((uneven.estimate, uneven.interval.low))


def test_a_population_narrows_the_interval_to_nothing():
    whole, half, all_asked = (rm.surveys.csat(STARS, population=size) for size in (None, 200, 100))
    assert whole.interval.low < half.interval.low < 0.7 < half.interval.high < whole.interval.high
    assert (all_asked.interval.low, all_asked.interval.high) == (0.7, 0.7)
    assert all_asked.mean_interval.low == all_asked.mean_interval.high
    with pytest.raises(InputError, match="population is at least the number of answers, 100; got 99"):
        rm.surveys.csat(STARS, population=99)


@every_item
def test_frames_of_every_kind_give_the_answers_of_arrays(frame, item):
    table = asked()
    answers = table["stars"].to_numpy()
    from_frame = item(frame(table), answer="stars")
    from_array = item(answers)
    assert from_frame.to_dict() == from_array.to_dict()
    assert from_frame.excluded == {"missing_answer": 20}
    weighted = item(frame(table), answer="stars", survey_weights="weight")
    assert as_sorted_rows(weighted) == as_sorted_rows(item(answers, survey_weights=WEIGHTS))


def test_shares_of_all_answers_add_up():
    rows = rm.surveys.likert(STARS).rows()
    assert [row["answer"] for row in rows] == [1, 2, 3, 4, 5]
    assert sum(row["share"] for row in rows) == approx(1)
    assert rows[1]["responses"] == 0
    assert rows[1]["low"] == 0 < rows[1]["high"]


@pytest.mark.parametrize(
    ("answers", "options", "word"),
    [
        ([5, 6], {}, "from 1 to 5"),
        ([0, 5], {}, "from 1 to 5"),
        ([4.5], {}, "whole numbers"),
        (["5"], {}, "whole numbers"),
        ([True], {}, "whole numbers"),
        ([99, 99, 5], {}, r"2 of 3 do not: 99 \(2 rows\)"),
        ([None, math.nan], {}, "no answer is left: missing_answer 2"),
        ([], {}, "no answer is left"),
        ([5], {"scale": "5"}, "such as '1-5'"),
        ([5], {"scale": "5-1"}, "such as '1-5'"),
        ([5], {"top": 5}, "leaves an answer out"),
        ([5], {"top": 0}, "top"),
        ([5], {"level": 95}, "probability"),
        ([5], {"answer": "stars"}, "beside an array"),
        ([5], {"survey_weights": "weight"}, "array"),
        ([5, 4], {"survey_weights": [1.0]}, "one length"),
        ([5, 4], {"survey_weights": [1.0, -1.0]}, "at least 0"),
        ([5, 4], {"survey_weights": [0.0, 0.0]}, "not all 0"),
        ([[5, 4]], {}, "one-dimensional"),
    ],
)
def test_what_cannot_be_scored_is_refused(answers, options, word):
    with pytest.raises(InputError, match=word):
        rm.surveys.csat(answers, **options)


def test_a_frame_needs_its_columns(frame):
    table = frame(asked())
    with pytest.raises(InputError, match="answer="):
        rm.surveys.csat(table)
    with pytest.raises(ColumnError, match="Did you mean 'stars'"):
        rm.surveys.csat(table, answer="star")
    with pytest.raises(ColumnError, match="numbers"):
        rm.surveys.csat(table, answer="stars", survey_weights="plan")
    with pytest.raises(InputError, match="column name"):
        rm.surveys.csat(table, answer="stars", survey_weights=WEIGHTS)


# ---------------------------------------------------------------- segments


def test_segments_are_scored_like_single_questions(frame):
    table = asked()
    found = rm.surveys.crosstab(frame(table), answer="stars", by="plan", survey_weights="weight")
    assert found.excluded == {"missing_answer": 20, "missing_segment": 1}
    for row in found.rows():
        alone = rm.surveys.csat(table[table["plan"] == row["segment"]], answer="stars", survey_weights="weight")
        assert row["responses"] == alone.responses
        assert [row[name] for name in ("share", "low", "high", "mean", "mean_low", "mean_high")] == approx(
            [
                alone.share, alone.interval.low, alone.interval.high, alone.mean, alone.mean_interval.low,
                alone.mean_interval.high,
            ]
        )  # fmt: skip


def test_tests_of_segments_are_those_of_scipy():
    table = asked().dropna()
    found = rm.surveys.crosstab(table, answer="stars", by="plan")
    counts = pd.crosstab(table["plan"], table["stars"])
    assert found.p_value == approx(stats.chi2_contingency(counts, correction=False).pvalue)
    for row in found.rows():
        inside = table["plan"] == row["segment"]
        pair = pd.crosstab(inside, table["stars"] >= 4)
        assert row["p_value"] == approx(stats.chi2_contingency(pair, correction=False).pvalue)
        assert row["p_adjusted"] >= row["p_value"]


def test_one_segment_has_nothing_to_differ_from():
    found = rm.surveys.crosstab(asked().assign(plan="all"), answer="stars", by="plan")
    assert found.p_value is None
    assert found.rows()[0]["p_value"] is None
    with pytest.raises(InputError, match="no answer has a segment"):
        rm.surveys.crosstab(asked().assign(plan=None), answer="stars", by="plan")


# ---------------------------------------------------------------- who answers


def test_rates_of_segments_and_tenures_add_up(frame):
    table = asked()
    found = rm.surveys.response_rate(frame(table), answered="answered", by="plan", tenure="months", edges=[10, 60])
    assert (found.invited, found.answered, found.estimate) == (100, 80, 0.8)
    assert found.excluded == {"missing_segment": 1}
    rows = found.rows()
    assert sum(row["invited"] for row in rows) == 99
    known = table.dropna(subset=["plan"])
    band = pd.cut(known["months"], [-1, 9.5, 59.5, 200], labels=["none", "10", "60"])
    expected = known.groupby([known["plan"], band], observed=True)["answered"].agg(["size", "sum"])
    for row in rows:
        place = "none" if row["tenure_from"] is None else f"{row['tenure_from']:g}"
        assert (row["invited"], row["answered"]) == tuple(expected.loc[(row["segment"], place)])
        ends = stats.binomtest(row["answered"], row["invited"]).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == approx((ends.low, ends.high))


def test_without_a_segment_there_is_one_row():
    rows = rm.surveys.response_rate(asked(), answered="answered").rows()
    assert [(row["invited"], row["answered"]) for row in rows] == [(100, 80)]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"answered": "stars"}, "true and false"),
        ({"answered": "plan"}, "true and false"),
        ({"answered": "nothing"}, "nobody was asked: missing_answered 100"),
        ({"answered": "answered", "tenure": "months", "edges": [12, 3]}, "edges rise"),
        ({"answered": "answered", "by": "plans"}, "Did you mean 'plan'"),
    ],
)
def test_what_says_nothing_about_replies_is_refused(options, word):
    with pytest.raises(InputError, match=word):
        rm.surveys.response_rate(asked().assign(nothing=None), **options)


def test_dates_are_no_answers_and_decimals_are():
    days = pd.DataFrame({"stars": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    with pytest.raises(InputError, match="whole numbers from 1 to 5"):
        rm.surveys.csat(days, answer="stars")
    assert rm.surveys.csat([Decimal("5"), Decimal("2")]).estimate == 0.5
    assert rm.nps.score([Decimal("9"), Decimal("3"), Decimal("10")]).promoters == 2
    with pytest.raises(InputError, match=r"2\.5"):
        rm.surveys.csat([Decimal("2.5")])
