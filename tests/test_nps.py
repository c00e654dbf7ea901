"""The Net Promoter Score: its groups, scales, intervals, weights and populations, in every kind of dataframe."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
METHODS = ("score", "adjusted_wald", "wald", "bootstrap", "bayes")


def answers(promoters, passives, detractors):
    return np.array([10] * promoters + [7] * passives + [3] * detractors)


def ends(result):
    return result.interval.low, result.interval.high


# ---------------------------------------------------------------- score and scale


def test_nine_and_ten_promote_and_six_and_below_detract():
    for rating in range(11):
        result = rm.nps.score([rating])
        assert result.promoters == (rating >= 9)
        assert result.passives == (rating in (7, 8))
        assert result.detractors == (rating <= 6)
        assert result.estimate == 100 * (result.promoters - result.detractors)


def test_the_score_is_in_points_with_the_counts_behind_it():
    result = rm.nps.score([10, 9, 9, 8, 7, 6, 10, 3, 9, 5])
    assert (result.estimate, result.promoters, result.passives, result.detractors) == (20.0, 5, 2, 3)
    assert (result.unit, result.scale, result.responses, result.effective_n) == ("points", "0-10", 10, 10.0)
    assert result.interval.method == "score"
    assert result.standard_error == approx(100 * math.sqrt((0.8 - 0.04) / 10))


def test_intervals_reproduce_the_reference_values(reference):
    table = reference("nps_intervals")
    for row in table.rows:
        for method in {"score", "adjusted_wald", "wald"} & set(row):
            result = rm.nps.from_counts(**row["counts"], method=method, level=table.level)
            assert result.estimate == approx(row["estimate"], abs=0.0006)
            assert result.standard_error == approx(row["standard_error"], abs=0.0006)
            assert ends(result) == approx(tuple(row[method]), abs=0.0006)
            assert result.interval.method == method


def test_the_published_margin_of_five_hundred_answers(reference):
    published = reference("nps_intervals").market_strategies
    low, high = ends(rm.nps.from_counts(**published["counts"], method="wald"))
    assert (high - low) / 2 == approx(published["half_width"], abs=0.05)


def test_the_default_interval_is_the_score_interval():
    assert rm.nps.from_counts(promoters=18, passives=11, detractors=2).interval.method == "score"


@pytest.mark.parametrize("method", METHODS)
@given(counts=st.tuples(*[st.integers(0, 40)] * 3).filter(any))
def test_the_estimate_is_the_samples_own_score_whatever_the_method(method, counts):
    promoters, passives, detractors = counts
    result = rm.nps.from_counts(
        promoters=promoters, passives=passives, detractors=detractors, method=method, resamples=100, rng=1
    )
    assert result.estimate == approx(100 * (promoters - detractors) / sum(counts), abs=1e-12)
    low, high = ends(result)
    assert -100 <= low <= high <= 100


def test_scores_of_whole_points_are_whole():
    for n in (10, 20, 30, 50, 70, 90, 110):
        for points in (-90, -30, 0, 10, 20, 30, 70):
            gap = points * n // 100
            if 100 * gap == points * n:
                result = rm.nps.from_counts(promoters=max(gap, 0), detractors=max(-gap, 0), passives=n - abs(gap))
                assert result.estimate == points


def test_counts_and_answers_agree():
    assert (
        rm.nps.score(answers(60, 25, 15)).to_dict()
        == rm.nps.from_counts(promoters=60, passives=25, detractors=15).to_dict()
    )


def test_the_order_of_answers_does_not_matter():
    shuffled = np.random.default_rng(9).permutation(answers(60, 25, 15))
    assert rm.nps.score(shuffled) == rm.nps.score(answers(60, 25, 15))


def test_the_scale_from_one_has_no_zero():
    given_on_either = [1, 6, 7, 9, 10]
    assert rm.nps.score(given_on_either, scale="1-10").estimate == rm.nps.score(given_on_either).estimate
    assert rm.nps.score(given_on_either, scale="1-10").scale == "1-10"
    with pytest.raises(InputError, match=r"1 to 10.*0 \(2 rows\)"):
        rm.nps.score([0, 5, 10, 0], scale="1-10")
    with pytest.raises(InputError, match="scale"):
        rm.nps.score([5, 10], scale="1-5")


def test_codes_outside_the_scale_are_named_and_counted():
    with pytest.raises(InputError, match=r"5 of 8 do not: -1 \(1 rows\), 6.5 \(1 rows\), 11 \(2 rows\), 99") as caught:
        rm.nps.score([10, 11, 11.0, -1, 6.5, 99, 9, 3])
    assert (caught.value.count, caught.value.first) == (5, (-1.0, 6.5, 11.0, 99.0))
    for strange in (math.inf, -math.inf):
        with pytest.raises(InputError, match=r"inf \(1 rows\)"):
            rm.nps.score([10, strange])


@pytest.mark.parametrize("ratings", [["9", "10"], [True, False], [b"9"], np.array(["2024-01-01"], "datetime64[D]")])
def test_answers_are_numbers(ratings):
    with pytest.raises(InputError, match="whole numbers from 0 to 10"):
        rm.nps.score(ratings)


@pytest.mark.parametrize(
    "ratings",
    [
        [10, None, 3, None],
        [10.0, math.nan, 3.0, math.nan],
        pd.Series([10, None, 3, None]),
        pd.Series([10, None, 3, None], dtype="Int64"),
        pd.Series([10, None, 3, None], dtype="int64[pyarrow]"),
        pl.Series([10, None, 3, None]),
        pa.chunked_array([[10, None, 3, None]]),
    ],
    ids=["list", "floats", "pandas", "Int64", "arrow-backed", "polars", "pyarrow"],
)
def test_missing_answers_are_excluded_and_counted(ratings):
    result = rm.nps.score(ratings)
    assert (result.promoters, result.detractors, result.responses) == (1, 1, 2)
    assert dict(result.excluded) == {"missing_rating": 2}


@pytest.mark.parametrize("ratings", [[], np.array([]), [None, None], [math.nan]])
def test_nothing_to_score_is_an_error(ratings):
    with pytest.raises(InputError, match="answer"):
        rm.nps.score(ratings)


@pytest.mark.parametrize("ratings", [[[9, 10]], 9, None, "9"])
def test_answers_are_a_list(ratings):
    with pytest.raises(InputError, match="ratings"):
        rm.nps.score(ratings)


def test_counts_of_nobody_leave_the_score_undefined():
    for method in METHODS:
        result = rm.nps.from_counts(promoters=0, passives=0, detractors=0, method=method)
        assert result.estimate is None
        assert result.interval is None
        assert result.status == "no_responses"
        assert "undefined" in result.notes[0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"promoters": -1}, "promoters"),
        ({"passives": 2.5}, "passives"),
        ({"detractors": math.nan}, "detractors"),
        ({"promoters": None}, "promoters"),
        ({"promoters": True}, "promoters"),
        ({"level": 0.0}, "level"),
        ({"level": 95}, "level"),
        ({"method": "normal"}, "'score', 'adjusted_wald', 'wald'"),
        ({"population": 4}, "population"),
        ({"population": 0}, "population"),
        ({"population": 10.5}, "population"),
        ({"population": 100, "method": "bayes"}, "bayes"),
        ({"resamples": 10}, "resamples"),
    ],
)
def test_counts_and_options_that_cannot_be_right_are_refused(change, word):
    with pytest.raises(InputError, match=word):
        rm.nps.from_counts(**{"promoters": 3, "passives": 2, "detractors": 1, **change})


def test_no_level_gives_no_interval():
    for method in METHODS:
        result = rm.nps.score([9, 3, 10], level=None, method=method)
        assert result.interval is None
        assert result.standard_error > 0


def test_a_wider_level_gives_a_wider_interval():
    for method in ("score", "adjusted_wald", "wald", "bayes"):
        narrow, wide = (
            ends(rm.nps.from_counts(promoters=6, passives=3, detractors=2, method=method, level=level))
            for level in (0.8, 0.99)
        )
        assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("method", ["wald", "bootstrap"])
def test_an_interval_without_width_says_so(method):
    result = rm.nps.from_counts(promoters=10, passives=0, detractors=0, method=method, rng=1)
    assert ends(result) == (100.0, 100.0)
    assert any("no width" in note for note in result.notes)


# ---------------------------------------------------------------- bayes and bootstrap


def test_the_posterior_mean_comes_with_the_bayesian_interval(reference):
    for row in reference("nps_intervals").posterior:
        result = rm.nps.from_counts(**row["counts"], method="bayes")
        assert result.posterior_mean == approx(row["mean"], abs=0.0006)
    low, high = ends(rm.nps.from_counts(promoters=60, passives=25, detractors=15, method="bayes"))
    assert (high - low) / 2 / 1.96 == approx(7.34, abs=0.05)
    assert rm.nps.from_counts(promoters=60, passives=25, detractors=15).posterior_mean is None


def test_the_bootstrap_repeats_with_its_seed_and_takes_a_generator():
    one, same, *others = (
        ends(rm.nps.score(answers(60, 25, 15), method="bootstrap", rng=rng))
        for rng in (2024, np.random.default_rng(2024), *range(20))
    )
    assert one == same
    assert len(set(others)) > 1
    assert one == approx(ends(rm.nps.score(answers(60, 25, 15), method="wald")), abs=2)


# ---------------------------------------------------------------- weights


WEIGHTS = np.array([1.0] * 60 + [1.5] * 25 + [2.0] * 15)


def test_weights_move_the_score_and_its_variance():
    result = rm.nps.score(answers(60, 25, 15), survey_weights=WEIGHTS, method="wald")
    assert result.estimate == approx(100 * (60 - 30) / 127.5)
    assert result.effective_n == approx(127.5**2 / (60 + 56.25 + 60))
    net = np.repeat([1.0, 0.0, -1.0], [60, 25, 15])
    variance = np.sum(WEIGHTS**2 * (net - result.estimate / 100) ** 2) / WEIGHTS.sum() ** 2
    assert result.standard_error == approx(100 * math.sqrt(variance))
    assert ends(result) == approx(
        tuple(result.estimate + s * 1.959964 * result.standard_error for s in (-1, 1)), abs=1e-4
    )
    assert (result.promoters, result.passives, result.detractors) == (60, 25, 15)
    assert result.promoter_share == approx(60 / 127.5)


def test_the_weighted_score_interval_is_taken_at_the_effective_size():
    result = rm.nps.score(answers(60, 25, 15), survey_weights=WEIGHTS)
    # Four times the effective size as counts of the same shares: half as wide, to leading order.
    scaled = 16 * 127.5
    counts = {"promoters": 60 * 16, "passives": int(37.5 * 16), "detractors": 30 * 16}
    finer = rm.nps.from_counts(**counts)
    ratio = (result.interval.high - result.interval.low) / (finer.interval.high - finer.interval.low)
    assert ratio == approx(math.sqrt(scaled / result.effective_n), rel=0.02)
    assert any("Kish" in note for note in result.notes)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e-9, 0.1, 1 / 3, 7.0, 1e9])
def test_multiplying_weights_by_a_constant_changes_nothing(method, factor):
    plain, scaled = (
        rm.nps.score(answers(60, 25, 15), survey_weights=weights, method=method, rng=1)
        for weights in (WEIGHTS, WEIGHTS * factor)
    )
    assert scaled.estimate == approx(plain.estimate, rel=1e-12)
    assert ends(scaled) == approx(ends(plain), rel=1e-9)
    assert scaled.effective_n == approx(plain.effective_n, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weight", [0.1, 1.0, 3.0, 1 / 3, 0.2847177143])
def test_equal_weights_give_exactly_the_unweighted_answer(frame, method, weight):
    plain = rm.nps.score(answers(60, 25, 15), method=method, rng=1)
    weighted = rm.nps.score(answers(60, 25, 15), survey_weights=np.full(100, weight), method=method, rng=1)
    assert weighted.to_dict() == plain.to_dict()
    table = frame(pd.DataFrame({"rating": answers(60, 25, 15), "weight": weight}))
    of_frame = rm.nps.score(table, rating="rating", survey_weights="weight", method=method, rng=1)
    assert of_frame.to_dict() == plain.to_dict()


def test_whole_weights_score_like_repeated_answers():
    weights = np.array([1, 2, 3, 1, 2])
    ratings = np.array([10, 9, 3, 7, 5])
    weighted = rm.nps.score(ratings, survey_weights=weights)
    repeated = rm.nps.score(np.repeat(ratings, weights))
    assert weighted.estimate == approx(repeated.estimate)
    # But five weighted answers are not nine.
    assert weighted.effective_n < 5 < repeated.effective_n == 9


def test_answers_of_no_weight_count_but_do_not_weigh():
    result = rm.nps.score([10, 10, 0], survey_weights=[1.0, 2.0, 0.0], method="bootstrap", rng=1)
    assert (result.estimate, result.detractors) == (100.0, 1)


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ([1.0, -1.0, 1.0], "at least 0"),
        ([1.0, math.nan, 1.0], "finite"),
        ([1.0, math.inf, 1.0], "finite"),
        ([1.0, None, 1.0], "finite"),
        ([0.0, 0.0, 0.0], "not all 0"),
        ([1.0, 1.0], "one length"),
        ([[1.0, 1.0, 1.0]], "one-dimensional"),
        ("weight", "array"),
        (["a", "b", "c"], "numbers"),
    ],
)
def test_weights_that_cannot_be_right_are_refused(weights, word):
    with pytest.raises(InputError, match=word):
        rm.nps.score([10, 3, 7], survey_weights=weights)


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ([1.0, -1.0, 1.0], "negative"),
        ([1.0, None, 1.0], "missing"),
        ([1.0, math.inf, 1.0], "infinite"),
        ([0.0, 0.0, 0.0], "not all 0"),
    ],
)
def test_weights_in_a_frame_that_cannot_be_right_are_refused(frame, weights, word):
    table = frame(pd.DataFrame({"rating": [10, 3, 7], "weight": weights}))
    with pytest.raises(InputError, match=word):
        rm.nps.score(table, rating="rating", survey_weights="weight")


# ---------------------------------------------------------------- finite populations


@pytest.mark.parametrize("method", ["score", "adjusted_wald", "wald", "bootstrap"])
def test_a_known_population_narrows_the_interval(method):
    whole, part = (
        rm.nps.score(answers(60, 25, 15), method=method, population=population, rng=3) for population in (None, 250)
    )
    factor = math.sqrt(150 / 249)
    width = (part.interval.high - part.interval.low) / (whole.interval.high - whole.interval.low)
    assert width == approx(factor, abs=0.03 if method == "score" else 0.002)
    assert part.standard_error == approx(whole.standard_error * factor)
    assert (part.estimate, part.population) == (45.0, 250)


@pytest.mark.parametrize("method", ["score", "adjusted_wald", "wald", "bootstrap"])
def test_a_census_has_no_sampling_error(method):
    result = rm.nps.score(answers(60, 25, 15), method=method, population=100, rng=3)
    assert result.standard_error == 0
    assert result.interval.low == approx(result.interval.high)
    assert any("whole population" in note for note in result.notes)


# ---------------------------------------------------------------- dataframes


SURVEY = pd.DataFrame(
    {"who": range(8), "score": [10, 9, None, 3, 7, 10, 0, None], "weight": [1.0, 2.0, 1.0, 0.5, 1.5, 1.0, 3.0, 1.0]}
)


def test_a_column_scores_alike_in_every_dataframe(frame):
    plain = rm.nps.score(frame(SURVEY), rating="score")
    assert plain.to_dict() == rm.nps.score(SURVEY["score"]).to_dict()
    assert (plain.promoters, plain.passives, plain.detractors) == (3, 1, 2)
    assert dict(plain.excluded) == {"missing_rating": 2}


@pytest.mark.parametrize("method", METHODS)
def test_a_weighted_column_scores_alike_in_every_dataframe(frame, method):
    found = rm.nps.score(frame(SURVEY), rating="score", survey_weights="weight", method=method, rng=11)
    of_array = rm.nps.score(SURVEY["score"], survey_weights=SURVEY["weight"], method=method, rng=11)
    assert found.estimate == approx(of_array.estimate)
    assert found.standard_error == approx(of_array.standard_error)
    assert found.effective_n == approx(of_array.effective_n)
    assert ends(found) == approx(ends(of_array), abs=1e-9)


def test_results_go_back_to_the_library_of_the_frame():
    assert isinstance(rm.nps.score(pl.from_pandas(SURVEY).lazy(), rating="score").to_frame(), pl.DataFrame)
    assert isinstance(rm.nps.score(pa.Table.from_pandas(SURVEY), rating="score").to_frame(), pa.Table)
    assert isinstance(rm.nps.score([9, 10]).to_frame(), pd.DataFrame)


def test_codes_in_a_column_are_named_and_counted(frame):
    with pytest.raises(InputError, match=r"3 of 4 do not: 11 \(2 rows\), 12 \(1 rows\)") as caught:
        rm.nps.score(frame(pd.DataFrame({"score": [11, 11, 9, 12]})), rating="score")
    assert (caught.value.column, caught.value.count) == ("score", 3)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({}, InputError, "rating="),
        ({"rating": "scor"}, ColumnError, "'score'"),
        ({"rating": "score", "survey_weights": "score"}, ColumnError, "both name the column"),
        ({"rating": "score", "survey_weights": "wait"}, ColumnError, "'weight'"),
        ({"rating": "score", "survey_weights": [1.0] * 8}, InputError, "column name"),
        ({"rating": "who", "survey_weights": "name"}, ColumnError, "numbers"),
        ({"rating": "name"}, InputError, "whole numbers"),
    ],
)
def test_columns_that_cannot_be_right_are_refused(options, error, word):
    with pytest.raises(error, match=word):
        rm.nps.score(SURVEY.assign(name="Ana"), **options)


def test_a_column_name_beside_an_array_is_refused():
    with pytest.raises(InputError, match="beside an array"):
        rm.nps.score([9, 10], rating="score")


def test_empty_frames_and_frames_without_answers_are_refused(frame):
    typed = SURVEY.astype({"score": "float64"})
    with pytest.raises(InputError, match="at least one answer"):
        rm.nps.score(frame(typed.iloc[:0]), rating="score")
    with pytest.raises(InputError, match="missing_rating 2"):
        rm.nps.score(frame(typed[typed["score"].isna()]), rating="score")


def test_the_airport_survey_of_2017(shared_data):
    """San Francisco International Airport's answers use 11 for a blank."""
    survey = pd.read_csv(shared_data / "sfo_survey_2017.csv")
    with pytest.raises(InputError, match=r"84 of 2831 do not: 11 \(84 rows\)"):
        rm.nps.score(survey, rating="nps_raw")
    answered = survey.assign(nps_raw=survey["nps_raw"].where(survey["nps_raw"] != 11))
    plain = rm.nps.score(answered, rating="nps_raw")
    assert plain.estimate == approx(39.84, abs=0.005)
    assert dict(plain.excluded) == {"missing_rating": 85}
    weighted = rm.nps.score(answered, rating="nps_raw", survey_weights="weight")
    assert weighted.estimate == approx(40.40, abs=0.005)
    assert weighted.effective_n < plain.effective_n == 2746


# ---------------------------------------------------------------- difference and sample size


def test_two_groups_differ_by_their_scores():
    ours = rm.nps.from_counts(promoters=60, passives=25, detractors=15)
    theirs = rm.nps.from_counts(promoters=45, passives=30, detractors=25)
    gap = rm.nps.difference(ours, theirs)
    assert (gap.estimate, gap.score_a, gap.score_b) == (25.0, 45.0, 20.0)
    assert ends(gap) == approx((3.123, 45.969), abs=0.0006)
    for method, p_value in (("wald", 0.022901), ("adjusted_wald", 0.02503)):
        result = rm.nps.difference(ours, theirs, method=method)
        assert result.estimate == 25.0
        assert result.p_value == approx(p_value, abs=0.000006)
        assert (ends(result)[0] > 0) == (result.p_value < 0.05)
    middle = sum(ends(rm.nps.difference(ours, theirs, method="adjusted_wald"))) / 2
    assert middle == approx(24.2718, abs=0.0001)


def test_a_difference_turns_over_with_its_groups():
    one, other = rm.nps.score([10, 9, 3, 8]), rm.nps.score([0, 7, 9, 2, 5])
    for method in ("score", "adjusted_wald", "wald"):
        there, back = rm.nps.difference(one, other, method=method), rm.nps.difference(other, one, method=method)
        assert back.estimate == approx(-there.estimate)
        assert ends(back) == approx((-there.interval.high, -there.interval.low), abs=1e-9)
        assert back.p_value == approx(there.p_value, abs=1e-9)


def test_equal_scores_do_not_differ():
    one = rm.nps.score([10, 9, 3, 8])
    gap = rm.nps.difference(one, one)
    assert (gap.estimate, gap.p_value) == (0.0, 1.0)


def test_a_difference_uses_weights_and_populations():
    weighted = rm.nps.score(answers(60, 25, 15), survey_weights=WEIGHTS)
    census = rm.nps.score(answers(60, 25, 15), population=100)
    plain = rm.nps.score(answers(60, 25, 15))
    width = {name: np.diff(ends(rm.nps.difference(result, plain)))[0] for name, result in
             (("weighted", weighted), ("census", census), ("plain", plain))}  # fmt: skip
    assert width["census"] < width["plain"] < width["weighted"]
    two_censuses = rm.nps.difference(census, census, method="wald")
    assert two_censuses.p_value is None
    assert "neither score varies" in two_censuses.notes[0]


def test_a_difference_from_nobody_is_undefined():
    nobody = rm.nps.from_counts(promoters=0, passives=0, detractors=0)
    gap = rm.nps.difference(nobody, rm.nps.score([9, 2]))
    assert gap.estimate is gap.interval is gap.p_value is None
    assert gap.status == "no_responses"
    with pytest.raises(InputError, match="Net Promoter Score"):
        rm.nps.difference(45.0, nobody)
    with pytest.raises(InputError, match="method"):
        rm.nps.difference(nobody, nobody, method="bootstrap")
    assert rm.nps.difference(rm.nps.score([9, 2]), rm.nps.score([9, 3]), level=None).interval is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"margin": 10}, 385),
        ({"margin": 5}, 1537),
        ({"margin": 10, "method": "adjusted_wald"}, 382),
        ({"margin": 5, "method": "adjusted_wald"}, 1534),
        ({"margin": 15, "method": "adjusted_wald"}, 168),
        ({"margin": 10, "population": 500}, 218),
        ({"margin": 10, "promoters": 1.0, "detractors": 0.0}, 1),
        ({"margin": 100, "population": 1}, 1),
    ],
)
def test_a_margin_takes_so_many_answers(options, expected):
    plan = rm.nps.sample_size(**options)
    assert plan.estimate == expected
    assert plan.explain().evaluate()["answers"] == expected


def test_the_planned_sample_keeps_the_margin():
    n = int(rm.nps.sample_size(margin=8, promoters=0.5, detractors=0.2, level=0.9, population=700).estimate)
    for size, kept in ((n, True), (n - 1, False)):
        variance = 0.61 / size * (700 - size) / 699
        assert (100 * 1.6448536 * math.sqrt(variance) <= 8) == kept


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"margin": 0}, "margin"),
        ({"margin": -5}, "margin"),
        ({"margin": 101}, "margin"),
        ({"margin": 10, "promoters": 0.8}, "together"),
        ({"margin": 10, "promoters": 1.2}, "promoters"),
        ({"margin": 10, "level": None}, "level"),
        ({"margin": 10, "method": "score"}, "method"),
        ({"margin": 10, "population": 0}, "population"),
    ],
)
def test_a_plan_that_cannot_be_right_is_refused(options, word):
    with pytest.raises(InputError, match=word):
        rm.nps.sample_size(**options)


# ---------------------------------------------------------------- results


@pytest.mark.parametrize("result", [
    rm.nps.from_counts(promoters=18, passives=11, detractors=2),
    rm.nps.from_counts(promoters=0, passives=0, detractors=0),
    rm.nps.from_counts(promoters=18, passives=11, detractors=2, method="bayes"),
    rm.nps.score(answers(60, 25, 15), survey_weights=WEIGHTS, population=300),
    rm.nps.difference(rm.nps.score([9, 2]), rm.nps.score([9, 3])),
    rm.nps.sample_size(margin=10, population=500),
    rm.nps.sample_size(margin=7, method="adjusted_wald", promoters=0.4, detractors=0.3),
])  # fmt: skip
def test_a_result_explains_itself_and_survives_json(result):
    again = rm.from_dict(result.to_dict())
    assert again == result
    pd.testing.assert_frame_equal(again.to_frame(), result.to_frame())
    worked = list(result.explain().evaluate().values())[-1]
    assert worked is None if result.estimate is None else worked == approx(result.estimate, rel=1e-12)
    assert result.explain().latex()


def test_masked_answers_are_missing():
    masked = np.ma.array([10, 9, 3], mask=[False, True, False])
    assert rm.nps.score(masked) == rm.nps.score([10, None, 3])
    with pytest.raises(InputError, match="survey_weights"):
        rm.nps.score([10, 9, 3], survey_weights=masked)


@pytest.mark.parametrize("method", ["score", "adjusted_wald", "wald", "bayes"])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_a_trillion_answers_leave_the_normal_interval(method, level):
    result = rm.nps.from_counts(
        promoters=6 * 10**11, passives=10**11, detractors=3 * 10**11, method=method, level=level
    )
    half = NormalDist().inv_cdf((1 + level) / 2) * result.standard_error
    assert result.interval.low == pytest.approx(result.estimate - half, abs=1e-3 * half)
    assert result.interval.high == pytest.approx(result.estimate + half, abs=1e-3 * half)


def test_counts_beyond_a_float_are_refused():
    with pytest.raises(InputError, match="at most 9007199254740992 in all"):
        rm.nps.from_counts(promoters=10**30, passives=1, detractors=1)
