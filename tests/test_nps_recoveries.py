"""The closed loop and service recovery: those called back against the others, and handling read at a landmark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_metrics as rm
from frames import as_sorted_rows
from reads import Reads
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
LOOP = {"rating": "score", "followed_up": "called", "next_rating": "next", "churned": "left"}
FAILURE = {"duration": "months", "churned": "left", "response": "righted"}


def detractors(n=400, seed=2003) -> pd.DataFrame:
    """Answers of 0 to 10, half of the detractors called, some silent the next time, some of unknown outcome."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"score": rng.integers(0, 11, n), "called": rng.random(n) < 0.5})
    table["next"] = np.where(rng.random(n) < 0.7, rng.integers(3, 11, n), np.nan)
    table["left"] = np.where(rng.random(n) < 0.95, rng.random(n) < np.where(table["called"], 0.2, 0.4), np.nan)
    return table


def failures(n=400, seed=1983) -> pd.DataFrame:
    """Customers watched for up to a year from a failure that is put right after a random time, if they stay so long."""
    rng = np.random.default_rng(seed)
    lifetime, watched, answer = rng.exponential(10, n), rng.uniform(0.2, 12, n), rng.exponential(1.5, n)
    months = np.round(np.minimum(lifetime, watched), 2)
    table = pd.DataFrame({"months": months, "left": lifetime <= watched, "failed": rng.random(n) < 0.8})
    table["righted"] = np.where(table["failed"] & (answer < months), answer, np.nan)
    return table


# ---------------------------------------------------------------- closed loop


def test_the_loop_joins_scores_and_shares_of_both_groups(frame):
    table = detractors()
    loop = rm.nps.closed_loop(frame(table), **LOOP)
    low = table[table["score"] <= 6]
    others, called = (low[low["called"] == mark] for mark in (False, True))
    scores = [rm.nps.score(part["next"]) for part in (others, called)]
    gap = rm.nps.difference(scores[1], scores[0])
    for row, score, part in zip(loop.rows(), scores, (others, called), strict=True):
        assert (row["customers"], row["answered"]) == (len(part), score.responses)
        assert (row["nps"], row["nps_low"], row["nps_high"]) == approx(
            (score.estimate, score.interval.low, score.interval.high)
        )
        known = part["left"].dropna()
        kept = rm.retention.rate(start=known.size, end=int((known == 0).sum()))
        assert (row["known"], row["churned"]) == (known.size, int(known.sum()))
        assert (row["rate"], row["low"], row["high"]) == approx((kept.estimate, kept.interval.low, kept.interval.high))
    last = loop.rows()[1]
    assert last["nps_difference"] == approx(gap.estimate)
    assert (last["nps_difference_low"], last["nps_difference_high"]) == approx((gap.interval.low, gap.interval.high))
    assert last["nps_p_value"] == approx(gap.p_value)
    same = low.dropna(subset="left")
    staying = rm.nps.recovery(same, handling="called", churned="left", reference=False).rows()[1]
    for name in ("difference", "difference_low", "difference_high", "p_value"):
        assert last[name] == approx(staying[name])
    assert loop.excluded["promoters"] == int((table["score"] >= 9).sum())
    assert loop.excluded["passives"] == int(table["score"].between(7, 8).sum())


def test_the_loop_takes_either_outcome_alone_and_no_level():
    table = detractors()
    answers = rm.nps.closed_loop(table, rating="score", followed_up="called", next_rating="next", level=None)
    staying = rm.nps.closed_loop(table, rating="score", followed_up="called", churned="left")
    assert (answers.unit, staying.unit) == ("points", "share")
    assert "rate" not in answers.columns
    assert "nps" not in staying.columns
    assert answers.columns["nps_low"] == (None, None)


def test_nobody_called_leaves_nulls_and_says_so():
    table = detractors().assign(called=False)
    others, called = rm.nps.closed_loop(table, **LOOP).rows()
    assert (others["status"], called["status"]) == ("ok", "no_customers")
    assert [called[name] for name in ("nps", "nps_difference", "rate", "difference")] == [None] * 4


def test_a_call_without_effect_shows_none_although_scores_rise():
    """Ratings scatter about what each customer thinks, so that low ones rise by themselves."""
    rng, covered, rises = np.random.default_rng(1886), 0, []
    for _ in range(300):
        mind = rng.normal(7, 1.5, 250)
        first, second = (np.clip(np.round(mind + rng.normal(0, 1.5, 250)), 0, 10) for _ in range(2))
        table = pd.DataFrame({"score": first, "next": second, "called": rng.random(250) < 0.5})
        called = rm.nps.closed_loop(table, rating="score", followed_up="called", next_rating="next").rows()[1]
        covered += called["nps_difference_low"] <= 0 <= called["nps_difference_high"]
        rises.append(called["nps"] + 100)
    assert np.mean(rises) > 30
    assert 0.93 <= covered / 300 <= 0.98


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"next": 11.0}, InputError, "next holds whole numbers from 0 to 10"),
        ({"score": 9}, InputError, "no detractor is left to follow: promoters 400"),
        ({"called": "yes"}, InputError, "followed_up='called' holds true and false, or 1 and 0; got 'yes'"),
        ({"left": 2.0}, InputError, "churned='left' holds true and false, or 1 and 0; got 2"),
    ],
)
def test_what_the_loop_refuses(change, error, words):
    with pytest.raises(error, match=words):
        rm.nps.closed_loop(detractors().assign(**change), **LOOP)


def test_the_loop_needs_an_outcome_and_its_columns():
    with pytest.raises(InputError, match="next_rating= or churned= says what became"):
        rm.nps.closed_loop(detractors(), rating="score", followed_up="called")
    with pytest.raises(ColumnError, match="both name the column 'score'"):
        rm.nps.closed_loop(detractors(), rating="score", followed_up="called", next_rating="score")


def test_a_group_of_who_stayed_is_a_share_of_its_own():
    table = rm.nps.recovery(detractors().dropna(), handling="called", churned="left", reference=False)
    for row in table.rows():
        own = table.group(row["group"])
        assert (own.estimate, own.interval.low, own.interval.high) == approx((row["rate"], row["low"], row["high"]))
        assert own.denominator - own.numerator == row["churned"]
    with pytest.raises(InputError, match="name is one of the groups False, True; got 'ignored'"):
        table.group("ignored")
    nobody = rm.nps.retention(pd.DataFrame({"score": [10, 3], "left": [0, 1]}), rating="score", churned="left")
    assert (nobody.group("passives").estimate, nobody.group("passives").status) == (None, "no_customers")


# ---------------------------------------------------------------- recovery in time


def by_hand(table: pd.DataFrame, within: float, landmark: float) -> pd.DataFrame:
    """The customers still there after the landmark, named by what was done up to then."""
    there = table[table["months"] > landmark].copy()
    late = there["righted"] <= landmark
    there["group"] = np.where(
        ~there["failed"], "no_failure", np.where(there["righted"] <= within, "in_time", np.where(late, "late", "open"))
    )
    return there.assign(entry=landmark)


@pytest.mark.parametrize("landmark", [None, 2.0])
def test_curves_are_those_of_customers_named_by_hand(frame, landmark):
    table, at = failures(), landmark or 0.5
    found = rm.nps.recovery_curves(frame(table), **FAILURE, within=0.5, landmark=landmark, failed="failed")
    plain = rm.survival.kaplan_meier(
        by_hand(table, 0.5, at), duration="months", churned="left", entry="entry", by="group"
    )
    assert found.groups["group"] == ("no_failure", "in_time", *(("late",) if landmark else ()), "open")
    for name in found.groups["group"]:
        columns = ("time", "at_risk", "churned", "survival", "low", "high")
        assert as_sorted_rows(found.group(name), by=columns) == as_sorted_rows(plain.group(name), by=columns)
    gone = table[table["months"] <= at]["left"]
    assert dict(found.excluded) == {
        "left_before_landmark": int(gone.sum()),
        "last_seen_before_landmark": int((~gone).sum()),
    }


def test_handling_without_effect_shows_none_at_a_landmark():
    """Sorted by whether a failure was ever put right, the same customers differ without a doubt."""
    table = failures(2000).assign(failed=True)
    ever = rm.survival.kaplan_meier(
        table.assign(ever=table["righted"].notna()), duration="months", churned="left", by="ever"
    )
    assert ever.log_rank().p_value < 1e-6
    refused = [
        rm.nps.recovery_curves(failures(300, seed), **FAILURE, within=1.0).log_rank().p_value < 0.05
        for seed in range(200)
    ]
    # A share of .05 of 200 has a standard error of .015.
    assert np.mean(refused) <= 0.05 + 3 * 0.0155


def test_unknown_failures_are_counted_and_none_in_time_is_said():
    table = failures().astype({"failed": object})
    table.loc[:4, "failed"] = None
    found = rm.nps.recovery_curves(table, **FAILURE, within=0.5, failed="failed")
    assert found.excluded["missing_failed"] == 5
    never = rm.nps.recovery_curves(failures().assign(righted=np.nan), **FAILURE, within=0.5)
    assert never.groups["group"] == ("open",)
    assert "No failure was put right in time." in never.notes


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"righted": -1.0}, {}, "righted is at least 0; 400 of 400"),
        ({"righted": np.inf}, {}, "righted is finite, or missing where nothing was put right"),
        ({"failed": False, "righted": 0.1}, {"failed": "failed"}, "righted is missing without a failure; 400 of 400"),
        ({"failed": "no"}, {"failed": "failed"}, "failed='failed' holds true and false, or 1 and 0; got 'no'"),
        ({"months": 0.25}, {}, "nobody was still there past the landmark, 0.5"),
        ({"months": -1.0}, {}, "months is at least 0"),
        ({"righted": "soon"}, {}, "response='righted' is a column of numbers"),
        ({}, {"within": 0.0}, "within"),
        ({}, {"landmark": 0.25}, "landmark is at least within, 0.5; got 0.25"),
        ({}, {"response": "righted_at"}, "response='righted_at' is not a column"),
        ({}, {"failed": "broke"}, "failed='broke' is not a column"),
    ],
)
def test_what_recovery_refuses(change, options, words):
    with pytest.raises(InputError, match=words):
        rm.nps.recovery_curves(failures().assign(**change), **FAILURE | {"within": 0.5} | options)


def test_a_lazy_table_is_read_once_and_only_in_the_columns_named():
    loop, curves = (Reads(pl.from_pandas(table.assign(note="never read"))) for table in (detractors(), failures()))
    rm.nps.closed_loop(loop.scan(), **LOOP)
    rm.nps.recovery_curves(curves.scan(), **FAILURE, within=0.5, failed="failed")
    assert loop.columns == [["called", "left", "next", "score"]]
    assert curves.columns == [["failed", "left", "months", "righted"]]
