"""Samples that were not simply drawn, silence, and the way from a score to who leaves."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import retention_metrics as rm
from frames import as_rows
from retention_metrics._stats import roc
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx


def survey(n=240, seed=1965):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "score": rng.choice([10, 7, 3], n, p=[0.5, 0.3, 0.2]),
            "account": rng.integers(0, 60, n),
            "region": rng.choice(["north", "south"], n, p=[0.8, 0.2]),
            "who": rng.integers(0, 120, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 30, n), unit="D"),
            "weight": rng.uniform(0.5, 2.0, n),
        }
    )


def net(scores):
    return np.where(scores >= 9, 1.0, np.where(scores >= 7, 0.0, -1.0))


DESIGNS = [
    {"cluster": "account"},
    {"strata": "region"},
    {"strata": "region", "shares": {"north": 0.5, "south": 0.5}},
    {"cluster": "account", "strata": "region", "survey_weights": "weight"},
    {"respondent": "who", "answers": "mean"},
    {"respondent": "who", "answers": "mean", "cluster": "account"},
    {"respondent": "who", "answers": "latest", "time": "day"},
    {"respondent": "who", "answers": "first", "time": "day", "survey_weights": "weight"},
]


@pytest.mark.parametrize("options", DESIGNS, ids=str)
def test_every_dataframe_and_arrays_score_a_design_alike(frame, options):
    table = survey()
    table.loc[::17, "score"] = None
    found = rm.nps.score(frame(table), rating="score", **options)
    arrays = {
        name: table[value] if value in table.columns else value
        for name, value in options.items()
        if isinstance(value, str)
    }
    plain = rm.nps.score(table["score"], **{**options, **arrays})
    assert dict(found.excluded) == dict(plain.excluded)
    assert (found.estimate, found.standard_error, found.effective_n, found.interval.low) == approx(
        (plain.estimate, plain.standard_error, plain.effective_n, plain.interval.low)
    )
    assert (found.answers, found.clusters, found.strata) == (plain.answers, plain.clusters, plain.strata)


def test_the_spread_of_clusters_is_that_of_their_sums():
    table = survey()
    found = rm.nps.score(table, rating="score", cluster="account", survey_weights="weight", method="wald")
    weight, values = table["weight"].to_numpy(), net(table["score"].to_numpy())
    estimate = weight @ values / weight.sum()
    sums = pd.Series(weight * (values - estimate)).groupby(table["account"]).sum()
    assert found.estimate == approx(100 * estimate)
    assert found.standard_error == approx(100 * math.sqrt((sums**2).sum()) / weight.sum())
    assert found.clusters == table["account"].nunique()


def test_a_cluster_of_one_answer_each_changes_nothing():
    table = survey().assign(row=range(240))
    alone, plain = (rm.nps.score(table, rating="score", **options) for options in ({"cluster": "row"}, {}))
    assert (alone.estimate, alone.standard_error, alone.effective_n) == approx(
        (plain.estimate, plain.standard_error, plain.effective_n)
    )
    assert alone.interval.low == approx(plain.interval.low)


def test_answers_copied_within_an_account_are_worth_one():
    once = survey(80).assign(account=range(80))
    thrice = pd.concat([once] * 3)
    found, single = rm.nps.score(thrice, rating="score", cluster="account"), rm.nps.score(once, rating="score")
    assert found.effective_n == approx(80)
    assert (found.interval.low, found.interval.high) == approx((single.interval.low, single.interval.high))


def test_an_interval_with_clusters_keeps_its_level():
    rng = np.random.default_rng(1977)
    covered, naive, repetitions = 0, 0, 100
    for _ in range(repetitions):
        account = np.repeat(np.arange(60), 4)
        shares = rng.dirichlet([2.0, 1.2, 0.8], size=60)[account]
        scores = np.array([10, 7, 3])[(rng.random(240)[:, None] > shares.cumsum(axis=1)).sum(axis=1)]
        low, high = (rm.nps.score(scores, cluster=account).interval.to_dict()[end] for end in ("low", "high"))
        covered += low <= 30 <= high
        plain = rm.nps.score(scores).interval
        naive += plain.low <= 30 <= plain.high
    assert covered / repetitions > 0.95 - 3 * math.sqrt(0.95 * 0.05 / repetitions)
    assert naive < covered


def test_known_shares_of_strata_weigh_their_scores():
    table = survey()
    found = rm.nps.score(table, rating="score", strata="region", shares={"north": 300, "south": 700}, method="wald")
    parts = {name: rm.nps.score(rows, rating="score") for name, rows in table.groupby("region")}
    assert found.estimate == approx(0.3 * parts["north"].estimate + 0.7 * parts["south"].estimate)
    errors = (0.3 * parts["north"].standard_error, 0.7 * parts["south"].standard_error)
    assert found.standard_error == approx(math.hypot(*errors))
    assert (found.strata, found.weighted) == (2, True)
    proportionate = rm.nps.score(table, rating="score", strata="region")
    assert proportionate.estimate == approx(rm.nps.score(table, rating="score").estimate)
    assert proportionate.standard_error <= rm.nps.score(table, rating="score").standard_error


def test_the_latest_the_first_and_the_mean_answer_of_a_respondent(frame):
    answers = pd.DataFrame(
        {
            "who": ["a", "a", "b", "c", "c", None, "d"],
            "when": pd.to_datetime(
                ["2024-01-01", "2024-02-01", "2024-01-01", "2024-03-01", "2024-03-01", "2024-01-01", None]
            ),
            "score": [3, 10, 9, 7, 9, 10, 10],
        }
    )
    options = {"rating": "score", "respondent": "who"}
    latest = rm.nps.score(frame(answers), **options, time="when", answers="latest")
    first = rm.nps.score(frame(answers), **options, time="when", answers="first")
    mean = rm.nps.score(frame(answers), **options, answers="mean")
    # c answered 7 and 9 at once: the lower one counts.
    assert (latest.promoters, latest.passives, latest.detractors) == (2, 1, 0)
    assert (first.promoters, first.passives, first.detractors) == (1, 1, 1)
    assert mean.estimate == approx(100 * (0 + 1 + 0.5 + 1) / 4)
    assert dict(latest.excluded) == {"missing_respondent": 1, "missing_time": 1, "earlier_answers": 2}
    assert first.excluded["later_answers"] == 2
    assert mean.effective_n <= 4
    assert "latest answer" in latest.notes[0]


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"shares": {"north": 1}}, InputError, "strata="),
        ({"strata": "region", "shares": {"north": 1}}, InputError, "'south' is none of"),
        ({"strata": "region", "shares": {"north": 1, "south": 1, "west": 1}}, InputError, "'west' has none"),
        ({"strata": "region", "shares": {"north": 0, "south": 0}}, InputError, "not all 0"),
        ({"respondent": "who"}, InputError, "answers="),
        ({"answers": "latest"}, InputError, "respondent="),
        ({"respondent": "who", "answers": "latest"}, InputError, "time="),
        ({"respondent": "who", "answers": "last", "time": "day"}, InputError, "'latest', 'first', 'mean'"),
        ({"cluster": "account", "method": "bootstrap"}, InputError, "bootstrap"),
        ({"cluster": "acount"}, ColumnError, "'account'"),
        ({"cluster": [1, 2]}, InputError, "column name"),
        ({"cluster": "account", "population": 10}, InputError, "population"),
    ],
)
def test_designs_that_cannot_be_right_are_refused(options, error, word):
    with pytest.raises(error, match=word):
        rm.nps.score(survey(), rating="score", **options)


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"difference": 10}, 1570),
        ({"difference": 10, "power": 0.5}, 769),
        ({"difference": 10, "population": 2000}, 880),
        ({"margin": 10, "response_rate": 0.2}, 385),
    ],
)
def test_a_difference_takes_so_many_answers(options, expected):
    plan = rm.nps.sample_size(**options)
    assert plan.estimate == expected
    assert plan.explain().evaluate()["answers"] == expected


def test_the_published_size_of_two_groups():
    """A variance of 0.67 in each, 95 % and 80 %: 1,049 answers a group for 10 points."""
    # p + d - (p - d)^2 = 0.67 with p - d = 0.
    plan = rm.nps.sample_size(difference=10, promoters=0.335, detractors=0.335, method="adjusted_wald")
    assert plan.estimate == 1049


def test_the_planned_difference_is_found_as_often_as_planned():
    n = int(rm.nps.sample_size(difference=15, promoters=0.5, detractors=0.2).estimate)
    rng = np.random.default_rng(80)
    draws = [rng.multinomial(n, shares, size=4000) for shares in ([0.5375, 0.3, 0.1625], [0.4625, 0.3, 0.2375])]
    nets = [(drawn[:, 0] - drawn[:, 2]) / n for drawn in draws]
    spread = [(d[:, 0] + d[:, 2]) / n - m**2 for d, m in zip(draws, nets, strict=True)]
    z = (nets[0] - nets[1]) / np.sqrt((spread[0] + spread[1]) / n)
    assert np.mean(np.abs(z) > 1.96) == approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "one of them"),
        ({"margin": 5, "difference": 5}, "one of them"),
        ({"difference": 0}, "difference"),
        ({"difference": 5, "power": 1.0}, "power"),
        ({"difference": 5, "power": 0.02}, r"power is in \(0\.025, 1\)"),
        ({"margin": 5, "response_rate": 0}, "response_rate"),
        ({"margin": 5, "response_rate": 0.1, "population": 1000}, "invitations"),
    ],
)
def test_plans_that_cannot_be_right_are_refused(options, word):
    with pytest.raises(InputError, match=word):
        rm.nps.sample_size(**options)


# ---------------------------------------------------------------- silence


def test_silence_is_bounded_and_moves_the_score_in_proportion():
    score = rm.nps.from_counts(promoters=60, passives=25, detractors=15)
    found = rm.nps.nonresponse(score, invited=400, gaps=(0, 20, -60))
    assert (found.lowest, found.highest, found.response_rate) == (11.25 - 75, 11.25 + 75, 0.25)
    assert found.columns["nps"] == approx((45, 30, 45 + 0.75 * 55))
    assert found.lowest_low < found.lowest < found.highest < found.highest_high
    everyone = rm.nps.nonresponse(score, invited=100)
    assert everyone.lowest == everyone.highest == 45
    with pytest.raises(InputError, match="invited is at least"):
        rm.nps.nonresponse(score, invited=99)
    with pytest.raises(InputError, match="with answers"):
        rm.nps.nonresponse(45.0, invited=99)


def test_the_loyal_who_answer_more_often_flatter_the_score(frame):
    asked = pd.DataFrame({"months": [1] * 60 + [30] * 40, "plan": ["s"] * 100})
    asked["score"] = [10.0] * 6 + [3.0] * 6 + [math.nan] * 48 + [9.0] * 30 + [math.nan] * 10
    found = rm.nps.response_rates(frame(asked), rating="score", tenure="months", edges=(12,))
    assert found.unweighted == approx(100 * 30 / 42)
    assert found.estimate == approx(0.6 * 0 + 0.4 * 100)
    assert [row["response_rate"] for row in found.rows()] == approx([0.2, 0.75])
    weights = np.where(asked["months"] == 1, 5.0, 4 / 3)
    weighted = rm.nps.score(asked["score"].to_numpy(), survey_weights=weights)
    assert found.estimate == approx(weighted.estimate)
    assert found.interval.low < found.estimate < found.interval.high


def test_a_silent_segment_leaves_no_weighted_score():
    asked = pd.DataFrame({"plan": ["a", "a", "b"], "score": [10, None, None]})
    found = rm.nps.response_rates(asked, rating="score", segment="plan")
    assert (found.estimate, found.status) == (None, "undefined")
    assert "1 of 2 segments" in found.notes[0]
    for options, word in (({}, "segment="), ({"tenure": "plan", "edges": (2, 1)}, "edges rise")):
        with pytest.raises(InputError, match=word):
            rm.nps.response_rates(asked, rating="score", **options)


# ---------------------------------------------------------------- leaving


CLIENTS = pd.DataFrame(
    {
        "score": [10, 9, 9, 8, 7, 6, 3, 2, None, 10] * 6,
        "left": [0, 0, 0, 1, 0, 1, 0, 1, 1, 0] * 6,
        "fix": list("nnnrrrlll") * 6 + ["n"] * 6,
    }
)


def test_promoters_who_stay_are_counted_alike_everywhere(frame):
    found = rm.nps.retention(frame(CLIENTS), rating="score", churned="left")
    assert [(row["group"], row["customers"], row["churned"]) for row in found.rows()] == [
        ("promoters", 24, 0), ("passives", 12, 6), ("detractors", 18, 12)
    ]  # fmt: skip
    assert dict(found.excluded) == {"missing_rating": 6}
    last = found.rows()[2]
    stay = (rm.retention.rate(start=18, end=6), rm.retention.rate(start=24, end=24))
    gap = rm.difference(*stay)
    assert (last["difference"], last["difference_low"], last["difference_high"]) == approx(
        (gap.estimate, gap.interval.low, gap.interval.high)
    )
    assert (last["low"], last["high"]) == approx((stay[0].interval.low, stay[0].interval.high))


def test_recovery_compares_each_way_of_handling_with_the_reference(frame):
    found = rm.nps.recovery(frame(CLIENTS), handling="fix", churned="left", reference="n")
    assert [row["group"] for row in found.rows()] == ["n", "l", "r"]
    assert found.rows()[0]["difference"] is None
    assert sum(row["customers"] for row in found.rows()) == 60
    with pytest.raises(InputError, match="reference is a group"):
        rm.nps.recovery(CLIENTS, handling="fix", churned="left", reference="x")
    with pytest.raises(InputError, match="true and false"):
        rm.nps.recovery(CLIENTS, handling="fix", churned="score", reference="n")


def test_the_order_of_leaving_is_the_share_of_pairs(frame):
    found = rm.nps.ordering(frame(CLIENTS), rating="score", churned="left")
    kept = CLIENTS.dropna()
    left, stayed = (kept.loc[kept["left"] == flag, "score"].to_numpy() for flag in (1, 0))
    pairs = left[:, None] - stayed[None, :]
    assert found.estimate == approx(np.mean((pairs < 0) + (pairs == 0) / 2))
    assert (found.pairs_ordered, found.pairs_tied) == approx(((pairs < 0).sum(), (pairs == 0).sum()))
    assert found.odds_ratio < 1
    assert found.interval.method == "delong"


def test_the_error_of_the_area_is_delongs():
    rng = np.random.default_rng(1988)
    cases, others = rng.integers(0, 11, 40), rng.integers(0, 9, 70)
    counts = [np.bincount(side, minlength=11).astype(float) for side in (cases, others)]
    share, error = roc.area(*counts)
    won = (cases[:, None] > others[None, :]) + (cases[:, None] == others[None, :]) / 2
    assert share == approx(won.mean())
    by_hand = won.mean(axis=1).var(ddof=1) / 40 + won.mean(axis=0).var(ddof=1) / 70
    assert error == approx(math.sqrt(by_hand))


def test_a_perfect_order_still_has_an_interval():
    clients = pd.DataFrame({"score": [10, 9, 8, 3, 2], "left": [0, 0, 0, 1, 1]})
    found = rm.nps.ordering(clients, rating="score", churned="left")
    assert (found.estimate, found.interval.high, found.interval.method) == (1.0, 1.0, "newcombe")
    assert 0.3 < found.interval.low < 0.9
    assert found.odds_ratio is None
    with pytest.raises(InputError, match="nobody left"):
        rm.nps.ordering(clients.assign(left=0), rating="score", churned="left")


def test_the_odds_per_point_are_those_of_a_logistic_regression():
    rng = np.random.default_rng(58)
    score = rng.integers(0, 11, 4000)
    left = rng.random(4000) < 1 / (1 + np.exp(-(0.5 - 0.3 * score)))
    found = rm.nps.ordering(pd.DataFrame({"score": score, "left": left}), rating="score", churned="left")
    assert found.odds_interval.low < math.exp(-0.3) < found.odds_interval.high
    assert found.odds_ratio == approx(math.exp(-0.3), rel=0.05)


# ---------------------------------------------------------------- work lists


WORK = pd.DataFrame(
    {
        "client": [1, 2, 3, 4, 5, 6],
        "rep": list("aabbba"),
        "score": [10, 3, 9, 0, None, 3],
        "value": [5.0, 7.0, 1.0, 9.0, 2.0, 8.0],
    }
)


def test_detractors_come_worst_first_with_all_their_columns(frame):
    found = rm.nps.follow_up(frame(WORK), rating="score", rep="rep", value="value")
    assert type(found.frame) is type(frame(WORK))
    assert [row["client"] for row in as_rows(found)] == [4, 6, 2]
    assert list(as_rows(found)[0]) == list(WORK.columns)
    assert dict(found.excluded) == {"promoters": 2, "missing_rating": 1}
    assert found.totals().rows()[-1]["total"] == 24


def test_a_better_rep_is_suggested_where_there_is_one(frame):
    others = {"client": 9, "rep": ["a"] * 20 + ["b"] * 20, "score": [10] * 20 + [7] * 20, "value": 1.0}
    many = pd.concat([WORK, pd.DataFrame(others)])
    rows = as_rows(rm.nps.follow_up(frame(many), rating="score", rep="rep", suggest=True))
    assert {row["client"]: row["better_rep"] for row in rows} == {4: "a", 2: None, 6: None}
    with pytest.raises(InputError, match="better_rep"):
        rm.nps.follow_up(WORK.rename(columns={"value": "better_rep"}), rating="score", rep="rep", suggest=True)


def test_tens_are_asked_first_and_what_it_brings_is_assumed(frame):
    found = rm.nps.referrals(frame(WORK), rating="score", cold_rate=0.02, deal_value=1000.0, referrals_each=2)
    assert type(found.frame) is type(frame(WORK))
    rows = as_rows(found)
    assert [row["client"] for row in rows] == [1, 3]
    assert [(row["expected_deals"], row["expected_value"]) for row in rows] == [(approx(0.2), approx(200.0))] * 2
    assert "Assumed, not measured" in found.notes[0]
    assert "below 100" in found.notes[1]
    assert list(as_rows(rm.nps.referrals(frame(WORK), rating="score"))[0]) == list(WORK.columns)


def test_a_lazy_work_list_is_not_run():
    lazy = pl.from_pandas(WORK).lazy()
    for found in (rm.nps.follow_up(lazy, rating="score", rep="rep"), rm.nps.referrals(lazy, rating="score")):
        assert isinstance(found.frame, pl.LazyFrame)
        assert "lazy" in found._repr_html_()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: rm.nps.referrals(WORK, rating="score", deal_value=5.0), "cold_rate="),
        (lambda: rm.nps.referrals(WORK, rating="score", cold_rate=1.5), "cold_rate"),
        (lambda: rm.nps.referrals(WORK.assign(expected_deals=1), rating="score", cold_rate=0.1), "expected_deals"),
        (lambda: rm.nps.follow_up(WORK.assign(score=11), rating="score", rep="rep"), r"11 \(6 rows\)"),
        (lambda: rm.nps.follow_up(WORK.iloc[:0], rating="score", rep="rep"), "no rows"),
    ],
)
def test_work_lists_that_cannot_be_made_are_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()


# ---------------------------------------------------------------- published values


@pytest.mark.parametrize(
    ("ratings", "score", "variance"),
    [
        ([0, 7, 7, 9, 9, 9], 1 / 3, 5 / 9),
        ([1, 9], 0.0, 1.0),
        ([7, 9], 0.5, 0.25),
        ([0, 7, 9], 0.0, 2 / 3),
    ],
)
def test_the_r_package_nps_gives_the_same_score_and_variance(ratings, score, variance):
    """From the tests of the R package NPS, whose variance divides by n."""
    found = rm.nps.score(ratings)
    assert found.estimate == approx(100 * score)
    assert found.standard_error == approx(100 * math.sqrt(variance / len(ratings)))


def test_of_a_respondents_answers_one_that_was_given_counts(frame):
    table = pd.DataFrame(
        {
            "who": ["a", "a", "b", "b", "c"],
            "day": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-02", "2024-01-01"]),
            "score": [3, 10, 10, 3, 8],
            "weight": [5.0, 1.0, 2.0, 1.0, 1.0],
            "account": ["x", "w", "y", None, "z"],
        }
    )
    roles = {"rating": "score", "respondent": "who", "time": "day", "survey_weights": "weight", "cluster": "account"}
    found = rm.nps.score(frame(table), answers="latest", **roles)
    # a detracts with its own weight of 5; b's later answer has no account, so that its first is the latest.
    assert found.estimate == approx(100 * (2 - 5) / (5 + 2 + 1))
    assert found.excluded == {"missing_cluster": 1, "earlier_answers": 1}


# ---------------------------------------------------------------- what a column may hold that it should not


def with_nans(**columns):
    """Frames in which a NaN is a number and no missing value."""
    table = pa.table({name: pa.array(cells) for name, cells in columns.items()})
    connection = duckdb.connect()
    connection.register("rows_in", table)
    connection.execute("create table answers as select * from rows_in")
    return {"pyarrow": table, "polars": pl.from_arrow(table), "lazy": pl.from_arrow(table).lazy(),
            "duckdb": connection.table("answers")}  # fmt: skip


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "lazy", "duckdb"])
def test_a_nan_is_a_missing_cluster_stratum_or_respondent(kind):
    keys = [1.0, 1.0, 2.0, 3.0, math.nan, math.nan]
    table = with_nans(score=[10, 9, 8, 3, 10, 10], key=keys)[kind]
    for options in ({"cluster": "key"}, {"strata": "key"}, {"respondent": "key", "answers": "mean"}):
        role = next(iter(options))
        found = rm.nps.score(table, rating="score", **options)
        known = rm.nps.score(pd.DataFrame({"score": [10, 9, 8, 3], "key": keys[:4]}), rating="score", **options)
        assert (found.estimate, found.standard_error) == (known.estimate, known.standard_error)
        assert found.excluded == {f"missing_{role}": 2}


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "lazy", "duckdb"])
def test_a_nan_is_no_promoter_and_no_fortune(kind):
    table = with_nans(score=[10.0, math.nan, 10.0, 9.0, 3.0], value=[5.0, 1.0, math.nan, 7.0, 2.0], id=[0, 1, 2, 3, 4])
    work = rm.nps.referrals(table[kind], rating="score", value="value")
    assert [row["id"] for row in as_rows(work.frame)] == [0, 2, 3]
    assert work.excluded == {"detractors": 1, "missing_rating": 1}


@pytest.mark.parametrize("reps", [[1, 2], [True, False], ["Ana", "Bo"], [1, 1], [None, None]], ids=str)
def test_reps_of_any_type_are_bettered(frame, reps):
    table = pd.DataFrame({"score": [3] * 30 + [10] * 30, "rep": [reps[0]] * 30 + [reps[1]] * 30})
    work = as_rows(rm.nps.follow_up(frame(table), rating="score", rep="rep", suggest=True).frame)
    assert len(work) == 30
    assert {row["better_rep"] for row in work} == {None if reps[0] == reps[1] else reps[1]}


def test_columns_of_lists_are_refused(frame):
    table = frame(
        pd.DataFrame({"score": [[9], [3]], "group": [[1], [2]], "right": [9, 3], "t": [1.0, 2.0], "e": [1, 1]})
    )
    for call in (
        lambda: rm.nps.score(table, rating="score"),
        lambda: rm.nps.by_group(table, rating="right", group="group"),
        lambda: rm.nps.retention_curves(table, rating="score", duration="t", churned="e"),
        lambda: rm.surveys.csat(table, answer="score"),
        lambda: rm.drivers.rank(table, outcome="e", indicators=["group"]),
    ):
        with pytest.raises(ColumnError, match="single values"):
            call()


@pytest.mark.parametrize("weight", [1e-200, 1e200])
def test_weights_without_a_square_are_refused(frame, weight):
    table = pd.DataFrame({"score": [9, 3, 10], "weight": [1.0, weight, 2.0]})
    with pytest.raises(InputError, match="1e-100 and 1e\\+100"):
        rm.nps.score(frame(table), rating="score", survey_weights="weight")
    with pytest.raises(InputError, match="1e-100 and 1e\\+100"):
        rm.nps.score(table["score"], survey_weights=table["weight"])


def test_words_in_place_of_numbers_are_refused(frame):
    table = frame(
        pd.DataFrame(
            {"score": [9, None], "months": ["new", "old"], "said": [1, 0], "left": ["yes", "no"], "t": [1.0, 2.0]}
        )
    )
    with pytest.raises(ColumnError, match="tenure='months' is a column of numbers"):
        rm.nps.response_rates(table, rating="score", tenure="months")
    with pytest.raises(ColumnError, match="tenure='months' is a column of numbers"):
        rm.surveys.response_rate(table, answered="said", tenure="months")
    with pytest.raises(InputError, match="left"):
        rm.nps.retention_curves(table, rating="score", duration="t", churned="left")


def test_times_in_words_are_dates_or_refused(frame):
    table = pd.DataFrame({"who": ["a", "a"], "day": ["2023-12-31", "2024-01-02"], "score": [3, 10]})
    roles = {"rating": "score", "respondent": "who", "time": "day", "answers": "latest"}
    assert rm.nps.score(frame(table), **roles).estimate == 100.0
    # As words, 12/31/2023 is later than 1/2/2024.
    with pytest.raises(InputError, match="time='day' holds 2 unreadable dates of 2 rows"):
        rm.nps.score(frame(table.assign(day=["12/31/2023", "1/2/2024"])), **roles)


def test_categories_of_any_library_make_a_design():
    table = pd.DataFrame(
        {"who": [1, 1, 2], "day": [1, 2, 1], "score": [3, 10, 9], "account": ["x", "y", "x"], "region": ["n", "n", "s"]}
    )
    roles = {"rating": "score", "respondent": "who", "time": "day", "cluster": "account", "strata": "region"}
    plain = rm.nps.score(table, **roles, answers="latest").to_dict()
    named = table.astype({"account": "category", "region": "category", "score": "category"})
    assert rm.nps.score(named, **roles, answers="latest").to_dict() == plain
    enum = pl.from_pandas(table).with_columns(pl.col("account", "region").cast(pl.Categorical))
    assert rm.nps.score(enum, **roles, answers="latest").to_dict() == plain


def test_names_of_two_kinds_twin_columns_and_lists_of_shares_are_refused():
    mixed = pd.DataFrame({"score": [9, 3], "rep": [1, "1"]})
    with pytest.raises(ColumnError, match="group='rep' holds values of one type"):
        rm.nps.by_group(mixed, rating="score", group="rep")
    twins = pd.DataFrame([[9, 9]], columns=["score", "score"])
    with pytest.raises(ColumnError, match="unique"):
        rm.nps.score(twins, rating="score")
    with pytest.raises(InputError, match="shares maps"):
        rm.nps.score([9, 3], strata=["a", "b"], shares=[0.5, 0.5])
