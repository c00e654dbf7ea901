"""Scores of reps, waves and periods: told apart only by what is more than chance, alike in every dataframe."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

import retention_metrics as rm
from reads import Reads
from retention_metrics._stats import multinomials, multiplicity, shrinkage
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
REPS = {"tiny": (3, 0, 0), "big": (180, 0, 20), "a": (60, 10, 30), "b": (55, 5, 40), "low": (50, 0, 50)}


def reps(counts=REPS):
    rows = [(rep, score) for rep, (p, s, d) in counts.items() for score in [10] * p + [7] * s + [2] * d]
    return pd.DataFrame(rows, columns=["rep", "score"])


def by_name(table):
    return {row["group"]: row for row in table.rows()}


# ---------------------------------------------------------------- by group


@pytest.mark.parametrize("method", ["score", "adjusted_wald", "wald"])
def test_each_group_scores_and_differs_as_it_does_alone(method):
    found = by_name(rm.nps.by_group(reps(), rating="score", group="rep", method=method))
    for name, (p, s, d) in REPS.items():
        alone = rm.nps.from_counts(promoters=p, passives=s, detractors=d, method=method)
        others = np.sum([counts for other, counts in REPS.items() if other != name], axis=0)
        rest = rm.nps.from_counts(promoters=others[0], passives=others[1], detractors=others[2])
        gap = rm.nps.difference(alone, rest, method=method)
        row = found[name]
        assert (row["nps"], row["low"], row["high"]) == approx(
            (alone.estimate, alone.interval.low, alone.interval.high), abs=1e-9
        )
        assert (row["difference_from_rest"], row["difference_low"], row["difference_high"]) == approx(
            (gap.estimate, gap.interval.low, gap.interval.high), abs=1e-9
        )
        assert row["p_value"] == approx(gap.p_value, rel=1e-9)


def test_small_groups_are_drawn_further_to_the_mean():
    table = rm.nps.by_group(reps(), rating="score", group="rep")
    rows = by_name(table)
    assert rows["tiny"]["nps"] == 100
    assert rows["tiny"]["shrunk"] < rows["big"]["shrunk"]
    mean = 100 * (table.prior_promoters - table.prior_detractors)
    for row in rows.values():
        kept = row["responses"] / (row["responses"] + table.prior_size)
        assert row["shrunk"] == approx(kept * row["nps"] + (1 - kept) * mean)
        assert row["shrunk_low"] < row["shrunk"] < row["shrunk_high"]


def test_groups_alike_are_all_drawn_to_the_common_score():
    table = rm.nps.by_group(reps(dict.fromkeys("abcd", (5, 3, 2))), rating="score", group="rep")
    assert table.prior_size is None
    assert [row["shrunk"] for row in table.rows()] == approx([30.0] * 4)
    # The common score is not known without error.
    pooled = rm.nps.from_counts(promoters=20, passives=12, detractors=8, method="wald").interval
    assert table.rows()[0]["shrunk_low"] == approx(pooled.low, abs=1.0)
    assert table.best(rng=1).rows()[0]["probability_best"] == approx(1 / 4)


def test_the_best_is_told_with_its_probability():
    ranks = rm.nps.by_group(reps(), rating="score", group="rep").best(rng=1962, draws=20_000)
    rows = by_name(ranks)
    assert sum(row["probability_best"] for row in rows.values()) == approx(1)
    assert sum(row["probability_worst"] for row in rows.values()) == approx(1)
    # Three answers do not make the tiny group surely the best, though its score is.
    assert 0.1 < rows["tiny"]["probability_best"] < rows["big"]["probability_best"]
    assert rows["low"]["probability_worst"] > 0.4
    again = rm.nps.by_group(reps(), rating="score", group="rep").best(rng=1962, draws=20_000)
    assert again == ranks


def test_a_group_of_the_table_is_a_score():
    table = rm.nps.by_group(reps(), rating="score", group="rep")
    big, alone = table.group("big"), rm.nps.from_counts(promoters=180, passives=0, detractors=20)
    assert (big.estimate, big.promoters, big.detractors) == (alone.estimate, 180, 20)
    assert (big.standard_error, big.interval.low) == approx((alone.standard_error, alone.interval.low))
    assert rm.nps.difference(big, table.group("low")).estimate == 80
    with pytest.raises(InputError, match="a group is one of"):
        table.group("nobody")


MESSY = pd.DataFrame(
    {
        "rep": ["a", "b", None, "a", "b", "b", "a", "b"] * 3,
        "score": [10, 3, 9, None, 7, 9, 10, 6] * 3,
        "weight": [1.0, 2.0, 1.0, 1.0, 0.5, 1.0, 3.0, 1.0] * 3,
        "when": pd.to_datetime(["2024-01-05"] * 8 + ["2024-02-10"] * 7 + [None] + ["2024-04-02"] * 8),
    }
)


@pytest.mark.parametrize(
    "options", [{}, {"survey_weights": "weight"}, {"time": "when"}, {"time": "when", "period": "week"}]
)
def test_every_dataframe_gives_the_same_table(frame, options):
    expected = rm.nps.by_group(MESSY, rating="score", group="rep", **options)
    found = rm.nps.by_group(frame(MESSY), rating="score", group="rep", **options)
    assert dict(found.excluded) == dict(expected.excluded)
    for row, other in zip(found.rows(), expected.rows(), strict=True):
        assert row == {name: approx(cell) if isinstance(cell, float) else cell for name, cell in other.items()}


def test_what_cannot_be_counted_is_excluded_by_reason():
    table = rm.nps.by_group(MESSY, rating="score", group="rep", time="when")
    assert dict(table.excluded) == {"missing_time": 1, "missing_group": 3, "missing_rating": 3}
    assert {row["status"] for row in table.rows() if row["period"] < dt.date(2024, 4, 1)} == {"ok"}
    assert {row["status"] for row in table.rows() if row["period"] == dt.date(2024, 4, 1)} == {"incomplete"}
    early = rm.nps.by_group(MESSY, rating="score", group="rep", time="when", as_of="2024-02-29")
    assert early.excluded["after_as_of"] == 8


def test_the_survey_by_region_and_business_unit(shared_data, reference):
    survey = pd.read_csv(shared_data / "nps_survey.csv")
    table = reference("nps_groups")
    for column, expected in table.groups.items():
        found = by_name(rm.nps.by_group(survey, rating="recommend_0_10", group=column))
        for name, (n, promoters, detractors, nps) in expected.items():
            row = found[name]
            assert (row["responses"], row["promoters"], row["detractors"]) == (n, promoters, detractors)
            assert row["nps"] == approx(nps, abs=5e-7)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"group": "rap"}, ColumnError, "'rep'"),
        ({"group": "score"}, ColumnError, "both name"),
        ({"method": "bayes"}, InputError, "method"),
        ({"adjustment": "bonferroni"}, InputError, "'holm', 'bh'"),
        ({"period": "month"}, InputError, "time="),
        ({"as_of": "2024-01-01"}, InputError, "time="),
        ({"survey_weights": "rep"}, ColumnError, "both name"),
    ],
)
def test_tables_that_cannot_be_made_are_refused(options, error, word):
    with pytest.raises(error, match=word):
        rm.nps.by_group(reps(), **{"rating": "score", "group": "rep", **options})


def test_codes_and_empty_frames_are_refused(frame):
    with pytest.raises(InputError, match=r"11 \(1 rows\)"):
        rm.nps.by_group(frame(pd.DataFrame({"rep": ["a", "b"], "score": [11, 3]})), rating="score", group="rep")
    typed = pd.DataFrame({"rep": ["a"], "score": [None]}).astype({"score": "float64"})
    with pytest.raises(InputError, match="no answer is left"):
        rm.nps.by_group(frame(typed), rating="score", group="rep")


# ---------------------------------------------------------------- shrinkage and multiplicity


def test_the_dirichlet_fit_reproduces_the_beta_binomial_one(reference):
    table = reference("nps_groups").beta_binomial
    kept, n = np.array(table["kept"], dtype=float), np.array(table["n"], dtype=float)
    prior = shrinkage.fit(np.stack([kept, 0 * kept, n - kept], axis=1))
    assert prior.parameters[[0, 2]] == approx([table["alpha"], table["beta"]], abs=5e-5)
    net, _ = shrinkage.net_moments(prior, np.stack([kept, 0 * kept, n - kept], axis=1))
    assert (net + 1) / 2 == approx(table["shrunk"], abs=5e-6)


@given(st.integers(0, 10**6))
def test_the_fit_is_at_a_maximum_of_the_likelihood(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(rng.uniform(0.5, 5, 3), size=12)
    counts = np.array([rng.multinomial(rng.integers(1, 60), share) for share in shares], dtype=float)
    counts = counts[:, counts.sum(axis=0) > 0]
    prior = shrinkage.fit(counts)

    def loss(logs):
        alpha = np.exp(logs)
        return -float(
            np.sum(special.gammaln(alpha.sum()) - special.gammaln(alpha.sum() + counts.sum(axis=1)))
            + np.sum(special.gammaln(counts + alpha) - special.gammaln(alpha))
        )

    if counts.shape[1] > 1 and math.isfinite(prior.size) and prior.size < 1e4:
        there = np.log(prior.parameters)
        slope = optimize.approx_fprime(there, loss, 1e-6)
        assert np.abs(slope).max() < 1e-2


def test_a_shrunk_interval_covers_the_groups_true_scores():
    rng = np.random.default_rng(1983)
    covered = []
    for _ in range(60):
        shares = rng.dirichlet([5.0, 2.0, 3.0], size=40)
        counts = np.array([rng.multinomial(n, share) for n, share in zip(rng.integers(3, 80, 40), shares, strict=True)])
        prior = shrinkage.fit(counts.astype(float))
        low, high = shrinkage.net_interval(*shrinkage.net_moments(prior, counts.astype(float)), level=0.95)
        truth = shares[:, 0] - shares[:, 2]
        covered += ((low <= truth) & (truth <= high)).tolist()
    # Four standard errors of 2,400 groups, and a point for the spread that counts as known.
    assert np.mean(covered) == approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 2400) + 0.01)


def test_adjusted_p_values_follow_their_authors():
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    assert multiplicity.adjusted(p, method="holm") == approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)
    assert multiplicity.adjusted(p, method="bh") == approx([0.02, 0.04, np.nan, 0.04, 0.02], nan_ok=True)


# ---------------------------------------------------------------- change


def test_a_change_counts_each_customer_once(frame):
    before, after = [10, 9, 7, 3, 8, 10, None, 2], [10, 10, 9, 8, 8, 6, 9, None]
    answers = pd.DataFrame({"who": [*range(8)] * 2, "wave": ["w1"] * 8 + ["w2"] * 8, "score": before + after})
    found = rm.nps.change(frame(answers), customer="who", rating="score", wave="wave")
    # Of six pairs two climbed a class, and one fell two.
    assert found.customers == 6
    assert found.estimate == approx(0, abs=1e-12)
    assert dict(found.excluded) == {"missing_rating": 2, "only_before": 1, "only_after": 1}
    assert found.p_value == approx(1)


def test_a_change_is_surer_than_a_difference_where_answers_hang_together():
    before = np.array([10] * 40 + [7] * 30 + [3] * 30)
    after = before.copy()
    after[40:52] = 9
    answers = pd.DataFrame({"who": [*range(100)] * 2, "wave": [1] * 100 + [2] * 100, "score": [*before, *after]})
    paired = rm.nps.change(answers, customer="who", rating="score", wave="wave")
    apart = rm.nps.difference(rm.nps.score(after), rm.nps.score(before))
    assert paired.estimate == approx(apart.estimate)
    assert paired.p_value < 0.05 < apart.p_value
    assert paired.standard_error == approx(100 * math.sqrt((0.12 - 0.12**2) / 100))


@given(st.tuples(*[st.integers(0, 30)] * 3).filter(any))
def test_the_paired_interval_of_three_scores_is_tangos(counts):
    up, _, down = counts
    n = sum(counts)
    general = multinomials.mean_score_interval(np.array([1.0, 0.0, -1.0]), np.array(counts, dtype=float), z=1.96)
    assert general == approx(multinomials.score_interval(up / n, down / n, n, z=1.96), abs=1e-7)


def test_the_paired_score_interval_covers_few_and_many_moves():
    rng = np.random.default_rng(1998)
    steps = np.array([2.0, 1.0, 0.0, -1.0, -2.0])
    for shares in ([0.1, 0.2, 0.4, 0.2, 0.1], [0.1, 0.2, 0.68, 0.02, 0.0]):
        drawn = rng.multinomial(20, shares, size=150).astype(float)
        truth = float(steps @ np.array(shares))
        ends = [multinomials.mean_score_interval(steps, counts, z=1.96) for counts in drawn]
        covered = np.mean([low <= truth <= high for low, high in ends])
        assert covered > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 150)


@pytest.mark.parametrize(
    ("answers", "options", "word"),
    [
        ({"who": [1, 1, 2], "wave": [1, 1, 2], "score": [9, 8, 7]}, {}, "answers once in a wave; 1 of 2"),
        ({"who": [1, 2], "wave": [1, 2], "score": [9, 8]}, {}, "nobody answered in both"),
        ({"who": [1, 1, 1], "wave": [1, 2, 3], "score": [9, 8, 7]}, {}, "two waves; got 3"),
        ({"who": [1, 1], "wave": [1, 2], "score": [9, 8]}, {"waves": (1, 4)}, "4 is none of"),
        ({"who": [1, 1], "wave": [1, 2], "score": [9, 8]}, {"waves": (1, 1)}, "earlier first"),
        ({"who": [1, 1], "wave": [1, 2], "score": [9, 12]}, {}, "12"),
    ],
)
def test_waves_that_cannot_be_compared_are_refused(answers, options, word):
    with pytest.raises(InputError, match=word):
        rm.nps.change(pd.DataFrame(answers), customer="who", rating="score", wave="wave", **options)


def test_nobody_moved():
    answers = pd.DataFrame({"who": [1, 2, 1, 2], "wave": [1, 1, 2, 2], "score": [9, 3, 10, 2]})
    found = rm.nps.change(answers, customer="who", rating="score", wave="wave")
    assert (found.estimate, found.p_value) == (0.0, None)
    assert found.interval.low < 0 < found.interval.high


# ---------------------------------------------------------------- trend


def test_a_period_outside_the_limits_is_a_signal(frame):
    rng = np.random.default_rng(1931)
    days = pd.date_range("2024-01-01", "2024-06-30")
    scores = rng.choice([10, 7, 3], p=[0.5, 0.3, 0.2], size=days.size)
    scores[(days.month == 5)] = 3
    answers = pd.DataFrame({"day": days, "score": scores})
    found = rm.nps.trend(frame(answers), rating="score", time="day", baseline=4, as_of="2024-06-30")
    assert found.signals == (dt.date(2024, 5, 1),)
    rows = found.rows()
    assert [row["responses"] for row in rows] == [31, 29, 31, 30, 31, 30]
    first = answers[answers["day"] < "2024-05-01"]["score"]
    whole = rm.nps.score(first.to_numpy())
    assert found.centre == approx(whole.estimate)
    variance = multinomials.net_variance(whole.promoter_share, whole.detractor_share)
    assert rows[0]["upper_limit"] == approx(min(100, found.centre + 300 * math.sqrt(variance / 31)))


def test_periods_without_answers_keep_their_row_and_cut_ones_do_not_signal():
    answers = pd.DataFrame(
        {"day": ["2024-01-10"] * 20 + ["2024-03-31"] * 20 + ["2024-04-02"] * 20, "score": [10] * 40 + [0] * 20}
    )
    found = rm.nps.trend(answers, rating="score", time="day")
    assert [row["status"] for row in found.rows()] == ["ok", "no_responses", "ok", "incomplete"]
    assert found.signals == ()
    assert found.centre == 100
    with pytest.raises(InputError, match="no period is complete"):
        rm.nps.trend(answers.iloc[40:], rating="score", time="day")
    with pytest.raises(InputError, match="baseline is at most the number of complete periods with answers, 2; got 3"):
        rm.nps.trend(answers, rating="score", time="day", baseline=3)
    with pytest.raises(InputError, match="unreadable dates"):
        rm.nps.trend(answers.assign(day="tomorrow"), rating="score", time="day", as_of="2024-01-01")


def test_the_control_chart_signals_as_rarely_as_it_says():
    rng = np.random.default_rng(370)
    days = pd.date_range("2000-01-01", periods=500).repeat(60)
    scores = rng.choice([10, 7, 3], p=[0.5, 0.3, 0.2], size=days.size)
    found = rm.nps.trend(pd.DataFrame({"day": days, "score": scores}), rating="score", time="day", period="day")
    assert len(found.signals) <= 6


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        (lambda lazy: rm.nps.by_group(lazy, rating="score", group="rep"), ["rep", "score"]),
        (lambda lazy: rm.nps.follow_up(lazy, rating="score", rep="rep"), ["rep", "score"]),
        (lambda lazy: rm.nps.referrals(lazy, rating="score"), ["score"]),
    ],
    ids=["by_group", "follow_up", "referrals"],
)
def test_a_lazy_table_is_read_once_for_the_columns_asked(call, columns):
    reads = Reads(pl.from_pandas(reps().assign(note="never read")))
    call(reads.scan())
    assert reads.columns == [columns]


def test_a_trend_reads_its_columns_once():
    reads = Reads(pl.from_pandas(MESSY.assign(note="never read")))
    rm.nps.trend(reads.scan(), rating="score", time="when")
    assert reads.columns == [["score", "when"]]


def test_rows_that_lack_something_are_counted_out_of_a_change(frame):
    table = pd.DataFrame(
        {
            "who": ["a", "a", "b", "b", None, "c", "d", "d"],
            "wave": ["1st", "2nd", "1st", "2nd", "1st", None, "1st", "2nd"],
            "score": [3.0, 9.0, 9.0, 9.0, 10.0, 10.0, None, 10.0],
        }
    )
    found = rm.nps.change(frame(table), customer="who", rating="score", wave="wave")
    assert (found.customers, found.estimate) == (2, 100.0)
    assert dict(found.excluded) == {
        "missing_rating": 1, "missing_customer": 1, "missing_wave": 1, "only_after": 1,
    }  # fmt: skip
