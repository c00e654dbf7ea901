"""From the score to leaving in time: curves by class, the hazard per point, and who leaves first."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import retention_metrics as rm
from frames import as_sorted_rows
from reads import Reads
from retention_metrics._stats import association, cox, product_limit
from retention_metrics._stats import concordance as order
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
ROLES = {"rating": "score", "duration": "months", "churned": "left"}
VERBS = (rm.nps.retention_curves, rm.nps.hazard_ratio, rm.nps.concordance)


def clients(n=150, seed=1972) -> pd.DataFrame:
    """Customers who leave the sooner the lower their score, watched for up to two years, in whole months."""
    rng = np.random.default_rng(seed)
    score = rng.choice([10, 9, 8, 7, 5, 2, 0], n)
    lifetime = rng.exponential(12 * np.exp(0.15 * (score - 5.0)))
    watched = rng.uniform(1, 24, n)
    entry = np.where(rng.random(n) < 0.5, np.floor(rng.uniform(0, 6, n)), 0.0)
    months = np.ceil(np.minimum(lifetime, watched)) + entry
    return pd.DataFrame({"score": score, "months": months, "left": lifetime <= watched, "answered": entry})


def risk_sets(score, months, left, entry=None) -> tuple[np.ndarray, product_limit.RiskSets]:
    score, months, left = np.asarray(score), np.asarray(months, dtype=float), np.asarray(left, dtype=bool)
    came = np.zeros(months.size) if entry is None else np.asarray(entry, dtype=float)
    values = np.unique(score)
    tables = [product_limit.risk_table(months[score == v], left[score == v], entry=came[score == v]) for v in values]
    return values.astype(float), product_limit.risk_sets(tables)


def log_likelihood(slope, score, months, left, entry) -> float:
    """Efron's, customer by customer."""
    found = 0.0
    for time in np.unique(months[left]):
        risk = (entry < time) & (months >= time)
        gone = risk & left & (months == time)
        weight = np.exp(slope * score)
        found += slope * score[gone].sum()
        for k in range(gone.sum()):
            found -= math.log(weight[risk].sum() - k / gone.sum() * weight[gone].sum())
    return found


# ---------------------------------------------------------------- curves


def test_the_curves_are_those_of_the_classes_in_order(frame):
    table = clients()
    found = rm.nps.retention_curves(frame(table), **ROLES, entry="answered")
    named = np.where(table["score"] >= 9, "promoters", np.where(table["score"] >= 7, "passives", "detractors"))
    plain = rm.survival.kaplan_meier(
        table.assign(group=named), duration="months", churned="left", entry="answered", by="group"
    )
    assert found.groups["group"] == ("promoters", "passives", "detractors")
    for name in found.groups["group"]:
        own = as_sorted_rows(found.group(name), by=("time", "survival", "low", "high"))
        assert own == as_sorted_rows(plain.group(name), by=("time", "survival", "low", "high"))
    assert found.log_rank().estimate == approx(plain.log_rank().estimate)
    assert any("Associations" in note for note in found.notes)


def test_a_class_that_nobody_is_in_has_no_curve():
    table = pd.DataFrame({"score": [10, 9, 3, 2], "months": [9, 8, 2, 3], "left": [0, 1, 1, 1]})
    found = rm.nps.retention_curves(table, **ROLES)
    assert found.groups["group"] == ("promoters", "detractors")
    assert "There are no passives." in found.notes


def test_shares_and_curves_agree_where_all_were_watched_equally_long():
    table = pd.DataFrame({"score": [10] * 20 + [7] * 20 + [3] * 20, "left": [0] * 19 + [1] * 5 + [0] * 26 + [1] * 10})
    table["months"] = np.where(table["left"] == 1, 6.0, 12.0)
    curve = rm.nps.retention_curves(table, **ROLES)
    shares = rm.nps.retention(table, rating="score", churned="left")
    assert [curve.group(name).survival(12) for name in shares.columns["group"]] == approx(list(shares.columns["rate"]))
    same = rm.nps.ordering(table, rating="score", churned="left")
    assert rm.nps.concordance(table, **ROLES).estimate == approx(same.estimate)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_what_is_unknown_is_counted_and_what_is_impossible_refused(verb):
    table = clients(60).astype({"score": float, "left": float})
    table.loc[0, "score"], table.loc[1, "months"], table.loc[2, "left"] = None, None, None
    assert dict(verb(table, **ROLES).excluded) == {"missing_duration": 1, "missing_churned": 1, "missing_rating": 1}
    with pytest.raises(InputError, match="whole numbers from 0 to 10"):
        verb(table.assign(score=11), **ROLES)
    with pytest.raises(InputError, match="whole numbers from 1 to 10"):
        verb(table.assign(score=0), **ROLES, scale="1-10")
    with pytest.raises(InputError, match="at least 0"):
        verb(table.assign(months=-1.0), **ROLES)
    with pytest.raises(InputError, match="is below months"):
        verb(table.assign(answered=99.0), **ROLES, entry="answered")
    with pytest.raises(ColumnError, match="rating='nps'"):
        verb(table, **ROLES | {"rating": "nps"})


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_every_engine_gives_one_answer(frame, verb):
    table = clients()
    plain, found = (verb(given, **ROLES, entry="answered") for given in (table, frame(table)))
    assert as_sorted_rows(found) == as_sorted_rows(plain)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_lazy_table_is_read_once_and_only_in_the_columns_named(verb):
    source = Reads(pl.from_pandas(clients().assign(note="never read")))
    verb(source.scan(), **ROLES)
    assert source.columns == [["left", "months", "score"]]


# ---------------------------------------------------------------- the hazard per point


@pytest.mark.parametrize("case", ["from_answer", "late_entry"])
def test_the_hazard_ratio_is_that_of_another_program(reference, case):
    table = reference("nps_hazard_ratio")
    published = getattr(table, case)
    given = pd.DataFrame({"score": table.score, "months": table.duration, "left": table.left, "answered": table.entry})
    found = rm.nps.hazard_ratio(given, **ROLES, entry="answered" if case == "late_entry" else None)
    assert found.slope == approx(published["slope"], abs=10**-table.digits)
    assert found.estimate == approx(math.exp(published["slope"]), abs=10**-table.digits)
    assert found.standard_error == approx(published["standard_error"], abs=10**-table.digits)
    ratio = 2 * (published["log_likelihood"] - published["log_likelihood_at_0"])
    assert found.p_value == approx(stats.chi2.sf(ratio, 1), rel=1e-9)


def test_a_ratio_that_can_be_found_by_hand():
    # 1 / (2 + r) of the first loss, r / (1 + r) of the second: greatest at the root of 2.
    table = pd.DataFrame({"score": [3, 4, 3], "months": [1, 2, 3], "left": [1, 1, 0]})
    found = rm.nps.hazard_ratio(table, **ROLES)
    assert found.estimate == approx(math.sqrt(2), rel=1e-12)

    def likelihood(r):
        return math.log(r / (2 + r) / (1 + r))

    drop = stats.chi2.ppf(0.95, 1) / 2
    for end in (found.interval.low, found.interval.high):
        assert likelihood(end) == approx(likelihood(math.sqrt(2)) - drop)


def test_the_likelihood_and_its_derivatives_are_those_of_the_customers():
    table = clients(80)
    rows = (
        table["score"].to_numpy(),
        table["months"].to_numpy(),
        table["left"].to_numpy(),
        table["answered"].to_numpy(),
    )
    likelihood = cox.PartialLikelihood.of(*risk_sets(*rows))
    step = 1e-4
    for slope in (-0.4, 0.0, 0.3):
        at = likelihood.at(slope)
        below, here, above = (log_likelihood(slope + shift, *rows) for shift in (-step, 0.0, step))
        assert at.value == approx(here, rel=1e-12)
        assert likelihood.observed - at.expected == approx((above - below) / (2 * step), rel=1e-5)
        assert at.information == approx((2 * here - above - below) / step**2, rel=1e-4)


def test_the_regression_of_many_indicators_finds_the_same_ratio():
    table = clients(80)
    slopes, covariance = cox.slopes(
        table[["score"]].to_numpy(dtype=float), table["months"].to_numpy(), table["left"].to_numpy()
    )
    found = rm.nps.hazard_ratio(table, **ROLES)
    assert (found.slope, found.standard_error) == approx((slopes[0], math.sqrt(covariance[0, 0])), rel=1e-6)


def test_turning_the_scale_round_turns_the_ratio_round():
    table = clients()
    found = rm.nps.hazard_ratio(table, **ROLES)
    turned = rm.nps.hazard_ratio(table.assign(score=10 - table["score"]), **ROLES)
    assert turned.estimate == approx(1 / found.estimate)
    assert (turned.interval.low, turned.interval.high) == approx((1 / found.interval.high, 1 / found.interval.low))
    years = rm.nps.hazard_ratio(table.assign(months=table["months"] / 12), **ROLES)
    assert years.estimate == approx(found.estimate)


def test_where_the_lowest_always_left_one_end_is_known():
    table = pd.DataFrame({"score": [0, 2, 4, 7, 9, 10], "months": [1, 2, 3, 4, 9, 9], "left": [1, 1, 1, 1, 0, 0]})
    found = rm.nps.hazard_ratio(table, **ROLES)
    assert (found.estimate, found.status, found.interval.low) == (None, "undefined", 0.0)
    likelihood = cox.PartialLikelihood.of(*risk_sets(table["score"], table["months"], table["left"]))
    # Where the ratio is 0, the one of the lowest score is sure to leave next: a likelihood of 1.
    assert likelihood.at(math.log(found.interval.high)).value == approx(-stats.chi2.ppf(0.95, 1) / 2)
    turned = rm.nps.hazard_ratio(table.assign(score=10 - table["score"]), **ROLES)
    assert turned.interval.high == math.inf
    assert turned.interval.low == approx(1 / found.interval.high)


def test_scores_that_do_not_differ_say_nothing():
    table = pd.DataFrame({"score": [9, 9, 9], "months": [1, 2, 3], "left": [1, 1, 0]})
    found = rm.nps.hazard_ratio(table, **ROLES)
    assert (found.estimate, found.interval, found.p_value, found.status) == (None, None, None, "undefined")
    with pytest.raises(InputError, match="nobody left"):
        rm.nps.hazard_ratio(table.assign(left=0), **ROLES)


def simulated(customers, slope, rng):
    score = rng.choice([10.0, 8.0, 6.0, 3.0, 0.0], customers, p=[0.4, 0.25, 0.15, 0.1, 0.1])
    lifetime, watched = rng.exponential(12 * np.exp(-slope * (score - 5))), rng.uniform(0, 24, customers)
    return score, np.minimum(lifetime, watched), lifetime <= watched


@pytest.mark.parametrize(("customers", "slope"), [(40, -0.2), (40, 0.0), (150, -0.4)])
def test_the_interval_of_the_ratio_keeps_its_level(customers, slope):
    rng, samples, held = np.random.default_rng(1977), 1000, 0
    for _ in range(samples):
        score, months, left = simulated(customers, slope, rng)
        likelihood = cox.PartialLikelihood.of(*risk_sets(score, months, left))
        low, high = cox.slope_interval(likelihood, cox.slope(likelihood), z=1.959964)
        held += low <= slope <= high
    # Three standard errors of a simulated 95 % are 0.021.
    assert held / samples == approx(0.95, abs=0.021)


# ---------------------------------------------------------------- who leaves first


def by_pairs(table) -> tuple[float, float, float]:
    """All pairs, those in order and those tied, customer by customer."""
    found = np.zeros(3)
    for one, other in itertools.permutations(table.itertuples(index=False), 2):
        stayed = other.months > one.months or (other.months == one.months and not other.left)
        if one.left and stayed and (other.answered < one.months or other.answered == 0):
            found += np.array([1, one.score < other.score, one.score == other.score])
    return tuple(found)


def test_the_order_is_counted_over_pairs(frame):
    table = clients(70)
    found = rm.nps.concordance(frame(table), **ROLES, entry="answered")
    every, ordered, tied = by_pairs(table)
    assert (found.pairs, found.pairs_ordered, found.pairs_tied) == (every, ordered, tied)
    assert found.estimate == approx((ordered + tied / 2) / every)
    assert found.interval.method == "jackknife"


def test_the_order_is_that_of_another_program(reference):
    table = reference("nps_hazard_ratio")
    given = pd.DataFrame({"score": table.score, "months": table.duration, "left": table.left})
    assert rm.nps.concordance(given, **ROLES).estimate == approx(table.concordance, abs=10**-table.digits)


def test_the_ranking_of_drivers_counts_the_same_pairs():
    table = clients(80)
    share, _ = association.concordance(
        table["score"].to_numpy(dtype=float), table["months"].to_numpy(), table["left"].to_numpy()
    )
    assert rm.nps.concordance(table, **ROLES).estimate == approx(share)


def test_its_error_is_the_jackknife():
    table = clients(30)
    columns = [table[name].to_numpy() for name in ("score", "months", "left", "answered")]
    values, sets = risk_sets(*columns)
    score, months, left, entry = columns
    exits = order.Exits(np.searchsorted(values, score), entry, months, left, np.ones(months.size))

    shares = []
    for customer in range(months.size):
        every, ordered, tied = by_pairs(table.drop(customer))
        shares.append((ordered + tied / 2) / every)
    found = order.pairs(sets)
    by_hand = math.sqrt(29 / 30 * np.sum((np.array(shares) - found.share) ** 2))
    assert order.standard_error(sets, exits, found) == approx(by_hand)


@pytest.mark.parametrize(("customers", "slope"), [(20, -0.2), (40, 0.0), (150, -0.4)])
def test_the_interval_of_the_order_keeps_its_level(customers, slope):
    rng, samples, held = np.random.default_rng(1996), 1000, 0
    truth = np.mean([order.pairs(risk_sets(*simulated(4000, slope, rng))[1]).share for _ in range(3)])
    for _ in range(samples):
        score, months, left = simulated(customers, slope, rng)
        values, sets = risk_sets(score, months, left)
        exits = order.Exits(np.searchsorted(values, score), 0 * months, months, left, np.ones(customers))
        low, high, _ = order.interval(sets, exits, order.pairs(sets), z=1.959964)
        held += low <= truth <= high
    # Three standard errors of a simulated 95 % are 0.021.
    assert held / samples == approx(0.95, abs=0.021)


def test_an_order_without_fault_still_has_an_interval():
    table = pd.DataFrame({"score": [0, 2, 4, 7, 9, 10], "months": [1, 2, 3, 4, 9, 9], "left": [1, 1, 1, 1, 0, 0]})
    found = rm.nps.concordance(table, **ROLES)
    assert (found.estimate, found.interval.high, found.interval.method) == (1.0, 1.0, "newcombe")
    assert 0.4 < found.interval.low < 0.9
    alone = rm.nps.concordance(table.assign(months=5, left=1), **ROLES)
    assert (alone.estimate, alone.status, alone.interval) == (None, "undefined", None)


# ---------------------------------------------------------------- plots


def test_the_curves_are_drawn_by_class():
    axes = rm.nps.retention_curves(clients(), **ROLES).plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["promoters", "passives", "detractors"]
