"""Retention curves: published values, a twin in plain Python, laws, every kind of dataframe."""

from __future__ import annotations

import datetime as dt
import math
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import coverage_of_curves
import retention_metrics as rm
from frames import as_sorted_rows
from reads import Reads
from retention_metrics import survival
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx

AML = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161]
RELAPSED = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]

ROWS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=25)
LATE_ROWS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 8), st.booleans()).map(lambda row: (row[0], row[0] + row[1], row[2])),
    min_size=1,
    max_size=25,
)


def curve_of(rows, **options):
    durations, churned = zip(*rows, strict=True)
    return survival.kaplan_meier(durations, churned, **options)


def product_limit(rows, t):
    """Survival at t from (entry, duration, churned) rows, one loss time after the other."""
    share = 1.0
    for time in sorted({stop for _, stop, lost in rows if lost and stop <= t}):
        at_risk = sum((start < time or start == 0) and time <= stop for start, stop, _ in rows)
        lost = sum(stop == time and gone for _, stop, gone in rows)
        share *= 1 - lost / at_risk
    return share


def log_rank_twin(rows, names):
    """Chi-squared of (duration, churned, group, stratum) rows, summed over strata and loss times in plain Python."""
    k = len(names)
    gap, covariance = np.zeros(k), np.zeros((k, k))
    for stratum in {row[3] for row in rows}:
        own = [row for row in rows if row[3] == stratum]
        for time in sorted({row[0] for row in own if row[1]}):
            at_risk = np.array([sum(row[0] >= time and row[2] == name for row in own) for name in names], dtype=float)
            lost = np.array([sum(row[0] == time and row[1] and row[2] == name for row in own) for name in names])
            n, d = at_risk.sum(), lost.sum()
            share = at_risk / n
            gap += lost - d * share
            if n > 1:
                covariance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    reduced = gap[1:]
    return float(reduced @ np.linalg.solve(covariance[1:, 1:], reduced))


# ---------------------------------------------------------------- published values


def test_the_aml_trial_is_reproduced():
    curve = survival.kaplan_meier(AML, RELAPSED)
    published = {9: 0.9091, 13: 0.8182, 18: 0.7159, 23: 0.6136, 31: 0.4909, 34: 0.3682, 48: 0.1841}
    for t, share in published.items():
        assert float(curve.at(t)) == approx(share, abs=5e-5)
    assert (curve.at(9).interval.low, curve.at(9).interval.high) == approx((0.5081, 0.9867), abs=5e-5)
    assert (curve.at(48).interval.low, curve.at(48).interval.high) == approx((0.0117, 0.5250), abs=5e-5)
    assert curve.median.estimate == 31
    assert (curve.median.interval.low, curve.median.interval.high) == (13, math.inf)


@pytest.fixture(params=["ties_in_whole_months", "continuous_times", "late_entry", "aml"])
def case(request, reference):
    return reference("kaplan_meier").cases[request.param]


def test_shares_limits_and_medians_are_those_of_lifelines(case):
    curve = survival.kaplan_meier(case["duration"], case["churned"], entry=case.get("entry"))
    assert curve.survival(case["time"]) == approx(np.array(case["survival"]), abs=1e-9)
    for t, share, low, high in zip(*(case[name] for name in ("time", "survival", "low", "high")), strict=True):
        if 0 < share < 1:  # at 1 and at 0 the limits of lifelines have no width
            assert curve.at(t).interval.low == approx(low, abs=1e-9)
            assert curve.at(t).interval.high == approx(high, abs=1e-9)
    assert curve.median.estimate == case["median"]
    assert (curve.median.interval.low, curve.median.interval.high) == (case["median_low"], case["median_high"])


@pytest.mark.parametrize("name", ["ties_in_whole_months", "continuous_times", "aml"])
def test_the_log_rank_test_is_that_of_lifelines(name, reference):
    case = reference("kaplan_meier").cases[name]
    test = survival.log_rank(case["duration"], case["churned"], by=case["group"])
    assert test.estimate == approx(case["log_rank"], rel=1e-8)
    assert test.p_value == approx(case["p_value"], rel=1e-8)


@pytest.fixture(scope="module")
def telco():
    clients = rm.datasets.telco()
    return clients.assign(churned=clients["Churn"] == "Yes")


@pytest.fixture(scope="module")
def by_contract(telco):
    return survival.kaplan_meier(telco, duration="tenure", churned="churned", by="Contract")


def test_the_telco_curves_are_reproduced(telco, by_contract, reference):
    published = reference("kaplan_meier_telco")
    overall = survival.kaplan_meier(telco["tenure"], telco["churned"])
    for t, share in published.km_overall.items():
        assert overall.survival(int(t)) == approx(share, abs=1e-12)
    for contract, shares in published.km_by_contract.items():
        for t, share in shares.items():
            assert by_contract.group(contract).survival(int(t)) == approx(share, abs=1e-12)
    assert by_contract.log_rank().estimate == approx(published.logrank_chi2_contract, rel=1e-10)
    assert by_contract.log_rank().degrees_of_freedom == 2


def test_telco_month_to_month_with_internet_loses_half_by_month_34(telco, reference):
    published = reference("kaplan_meier_telco").km_m2m_internet
    part = telco[(telco["Contract"] == "Month-to-month") & (telco["InternetService"] != "No")]
    curve = survival.kaplan_meier(part, duration="tenure", churned="churned")
    assert curve.groups.rows() == ({"group": None, "customers": 3351, "churned": 1556, "rows": curve.time.size},)
    assert curve.median.estimate == published["median"]
    for t, share in published["S"].items():
        assert float(curve.at(int(t))) == approx(share, abs=1e-12)


# ---------------------------------------------------------------- other implementations


@given(ROWS)
def test_shares_and_limits_are_those_of_scipy(rows):
    curve = curve_of(rows)
    lost, kept = [time for time, gone in rows if gone], [time for time, gone in rows if not gone]
    theirs = stats.ecdf(stats.CensoredData(uncensored=lost, right=kept)).sf
    assert curve.share == approx(theirs.evaluate(curve.time), abs=1e-12)
    linear = curve_of(rows, method="greenwood")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where nobody is left
        limits = theirs.confidence_interval(0.95, method="linear")
        low, high = limits.low.evaluate(linear.time), limits.high.evaluate(linear.time)
    inside = (curve.share > 0) & (curve.share < 1)
    assert linear.low[inside] == approx(low[inside], abs=1e-9)
    assert linear.high[inside] == approx(high[inside], abs=1e-9)


@given(ROWS, ROWS)
def test_the_log_rank_test_of_two_groups_is_that_of_scipy(first, second):
    rows = first + second
    if not any(gone for _, gone in rows):
        return
    sides = [
        stats.CensoredData(uncensored=[t for t, gone in own if gone], right=[t for t, gone in own if not gone])
        for own in (first, second)
    ]
    test = curve_of(rows, by=["a"] * len(first) + ["b"] * len(second)).log_rank()
    if test.estimate is None:
        assert test.notes
        return
    theirs = stats.logrank(*sides)
    assert test.estimate == approx(theirs.statistic**2, rel=1e-7, abs=1e-9)
    assert test.p_value == approx(theirs.pvalue, rel=1e-6, abs=1e-9)


@given(LATE_ROWS, st.floats(0, 20))
def test_the_curve_is_the_product_over_the_times_of_loss(rows, t):
    entry, duration, churned = zip(*rows, strict=True)
    curve = survival.kaplan_meier(duration, churned, entry=entry)
    when = min(t, float(curve.time[-1]))
    assert float(curve.at(when)) == approx(product_limit(rows, when), abs=1e-12)
    assert curve.survival(when) == float(curve.at(when))
    for time, at_risk in zip(curve.time, curve.at_risk, strict=True):
        assert at_risk == sum((start < time or start == 0) and time <= stop for start, stop, _ in rows)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.sampled_from("abc"), st.sampled_from("xy"))))
def test_the_stratified_log_rank_test_is_the_sum_over_strata(drawn):
    always = [(1 + place, True, name, "x") for place, name in enumerate("abcabc")]
    rows = [*always, *drawn]
    durations, churned, group, stratum = zip(*rows, strict=True)
    assert survival.log_rank(durations, churned, by=group, strata=stratum).estimate == approx(
        log_rank_twin(rows, "abc"), rel=1e-8
    )
    pooled = [(*row[:3], "all") for row in rows]
    assert survival.log_rank(durations, churned, by=group).estimate == approx(log_rank_twin(pooled, "abc"), rel=1e-8)
    curve = survival.kaplan_meier(durations, churned, by=group, strata=stratum)
    assert curve.log_rank() == survival.log_rank(durations, churned, by=group, strata=stratum)
    assert rm.from_dict(curve.to_dict()).log_rank() == curve.log_rank()


def test_strata_uncover_what_the_mix_of_sizes_hides():
    # Within each size both plans leave alike; yearly clients are large ones, who stay longer.
    months = {"small": [1, 2, 3, 4, 5, 6], "large": [11, 12, 13, 14, 15, 16]}
    mix = {("monthly", "small"): 9, ("monthly", "large"): 1, ("yearly", "small"): 1, ("yearly", "large"): 9}
    rows = [(t, plan, size) for (plan, size), times in mix.items() for t in months[size] * times]
    durations, plan, size = zip(*rows, strict=True)
    left = np.ones(len(rows), dtype=bool)
    assert survival.log_rank(durations, left, by=plan).p_value < 1e-6
    within = survival.log_rank(durations, left, by=plan, strata=size)
    assert within.estimate == approx(0, abs=1e-9)
    assert within.strata == 2


# ---------------------------------------------------------------- laws


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, random):
    mixed = rows.copy()
    random.shuffle(mixed)
    assert curve_of(mixed) == curve_of(rows)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 4)), min_size=1, max_size=15))
def test_counts_are_repetitions(rows):
    durations, churned, counts = zip(*rows, strict=True)
    counted = survival.kaplan_meier(durations, churned, counts=counts)
    repeated = survival.kaplan_meier(np.repeat(durations, counts), np.repeat(churned, counts))
    assert counted == repeated


@given(ROWS, st.sampled_from(["log-log", "log", "greenwood"]))
def test_curves_fall_and_stay_between_their_limits(rows, method):
    curve = curve_of(rows, method=method)
    assert np.all(np.diff(curve.share) <= 0)
    assert np.all((curve.low >= 0) & (curve.low <= curve.share + 1e-15))
    assert np.all((curve.high <= 1) & (curve.high >= curve.share - 1e-15))


@given(ROWS)
def test_everybody_is_lost_or_last_seen_once(rows):
    curve = curve_of(rows)
    assert curve.churned.sum() + curve.censored.sum() == len(rows)
    assert curve.at_risk[0] == len(rows)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_all_lost_ends_at_nobody_and_none_lost_stays_at_everybody(durations):
    lost = survival.kaplan_meier(durations, np.ones(len(durations), dtype=bool))
    assert lost.share[-1] == 0
    assert lost.survival([0, 100]).tolist() == [1.0, 0.0]
    # Without censoring the curve is the share of longer lifetimes, and its mean their mean.
    assert lost.share == approx([np.mean(np.array(durations) > t) for t in lost.time])
    assert float(lost.mean(max(durations))) == approx(np.mean(durations))
    kept = survival.kaplan_meier(durations, np.zeros(len(durations), dtype=bool))
    assert set(kept.share) == {1.0}
    assert kept.median.estimate is None
    assert "past the last one observed" in kept.median.notes[-1]


@given(ROWS, st.floats(0.1, 50))
def test_time_in_another_unit_scales_quantiles_and_means_alone(rows, unit):
    curve, scaled = curve_of(rows), curve_of([(t * unit, gone) for t, gone in rows])
    assert scaled.share == approx(curve.share)
    assert scaled.low == approx(curve.low)
    if curve.median.estimate is not None:
        assert scaled.median.estimate == approx(unit * curve.median.estimate)
    if curve.time[-1] > 0:
        h = float(curve.time[-1])
        ours, theirs = curve.mean(h), scaled.mean(float(scaled.time[-1]))
        assert theirs.estimate == approx(unit * ours.estimate)
        assert theirs.standard_error == approx(unit * ours.standard_error, abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), min_size=1, max_size=40))
def test_continuous_times_are_sorted_as_exactly_as_they_are_counted_one_by_one(rows):
    rows = [*rows, rows[0], (0.25, True), (-0.0, False)]
    curve = curve_of(rows)
    assert curve.time.tolist() == sorted({t + 0.0 for t, _ in rows})
    for time, lost, kept in zip(curve.time, curve.churned, curve.censored, strict=True):
        assert lost == sum(t == time and gone for t, gone in rows)
        assert kept == sum(t == time and not gone for t, gone in rows)


@pytest.mark.parametrize(("customers", "top"), [(70_000, 60), (200_001, 127), (70_001, 128), (70_000, 9000)])
def test_many_whole_months_are_counted_as_they_are_one_by_one(customers, top):
    rng = np.random.default_rng(1958)
    months, left = rng.integers(0, top, customers, endpoint=True), rng.random(customers) < 0.4
    curve = survival.kaplan_meier(months, left, level=None)
    assert curve.time.tolist() == np.unique(months).tolist()
    assert curve.churned.tolist() == np.bincount(months[left], minlength=top + 1)[np.unique(months)].tolist()
    assert curve.censored.tolist() == np.bincount(months[~left], minlength=top + 1)[np.unique(months)].tolist()


# ---------------------------------------------------------------- where there is no variance


def test_before_the_first_loss_the_lower_limit_is_the_exact_binomial_one():
    curve = survival.kaplan_meier([5] * 20 + [9] * 10, [False] * 20 + [True] * 10)
    # Twenty of the thirty are last seen at month 5: what holds after it rests on ten.
    for t, n in ((0, 30), (4.9, 30), (5, 10), (8.9, 10)):
        interval = curve.at(t).interval
        assert interval.low == approx(stats.binomtest(n, n).proportion_ci(method="exact").low)
        assert (interval.high, interval.method) == (1.0, "exact")
    assert curve.at(9).interval.method == "exact"
    assert curve.at(9).interval.high == approx(stats.binomtest(0, 10).proportion_ci(method="exact").high)


def test_once_nobody_is_left_the_upper_limit_stays_where_it_was():
    curve = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, True, True])
    assert curve.at(12).estimate == 0
    assert (curve.at(12).interval.low, curve.at(12).interval.high) == (0, curve.at(8).interval.high)


def test_a_mean_without_a_loss_has_an_interval_with_a_width():
    mean = survival.kaplan_meier([12] * 50, [False] * 50).mean(12)
    assert (mean.estimate, mean.interval.high, mean.interval.method) == (12, 12, "exact")
    assert mean.interval.low == approx(12 * 0.025 ** (1 / 50))


def test_the_variance_of_an_uncensored_mean_is_that_of_the_mean():
    rng = np.random.default_rng(1949)
    lifetimes = rng.exponential(10, 200)
    mean = survival.kaplan_meier(lifetimes, np.ones(200, dtype=bool)).mean(15)
    kept = np.minimum(lifetimes, 15)
    assert mean.estimate == approx(kept.mean())
    assert mean.standard_error == approx(kept.std() / math.sqrt(200), rel=1e-9)
    assert sum(mean.parts) == approx(mean.estimate)


# ---------------------------------------------------------------- coverage


def test_log_log_intervals_keep_their_level_in_small_samples(reference):
    found = reference("kaplan_meier_coverage").coverage
    for name, shares in found.items():
        customers = int(name.split()[0])
        for what, covered in shares.items():
            if what.endswith("log-log"):
                assert covered >= 0.93, (name, what)
            if what == "mean" and customers >= 25:
                assert 0.92 <= covered <= 0.975, (name, what)
    # The plain intervals do not; that is why they are not the default.
    assert min(shares["S(6) greenwood"] for name, shares in found.items() if name.startswith("10 ")) < 0.92


def test_the_stored_coverage_is_what_the_simulation_finds(reference):
    stored = reference("kaplan_meier_coverage")
    again = coverage_of_curves.coverage(25, 1.0, samples=300)
    for what, covered in again.items():
        expected = stored.coverage["25 1"][what]
        # Four standard errors of both simulations.
        slack = 4 * math.sqrt(expected * (1 - expected) * (1 / 300 + 1 / stored.samples)) + 0.005
        assert covered == approx(expected, abs=slack), what


# ---------------------------------------------------------------- hazards


def test_losses_per_month_add_up_over_the_time_watched():
    curve = survival.kaplan_meier([0.5, 1, 1.5, 3, 3], [True, True, False, False, True])
    rows = curve.hazard.rows()
    assert [row["months"] for row in rows] == approx([0.5 + 4, 0.5 + 2, 2])
    assert [row["churned"] for row in rows] == [2, 0, 1]
    assert [row["rate"] for row in rows] == approx([2 / 4.5, 0, 0.5])


@given(LATE_ROWS)
def test_the_time_watched_is_the_sum_of_durations_less_entries(rows):
    entry, duration, churned = zip(*rows, strict=True)
    table = survival.kaplan_meier(duration, churned, entry=entry).hazard
    assert sum(table.columns["months"]) == approx(sum(duration) - sum(entry))
    assert sum(table.columns["churned"]) == sum(churned)


def test_poisson_limits_are_those_of_the_chi_squared_distribution():
    row = survival.kaplan_meier([1] * 40, [True] * 7 + [False] * 33).hazard.rows()[0]
    assert row["low"] == approx(stats.chi2.ppf(0.025, 14) / 2 / 40)
    assert row["high"] == approx(stats.chi2.ppf(0.975, 16) / 2 / 40)
    none = survival.kaplan_meier([1] * 40, [False] * 40).hazard.rows()[0]
    assert (none["low"], none["high"]) == (0, approx(-math.log(0.025) / 40))


# ---------------------------------------------------------------- groups


def test_months_kept_longer_are_the_difference_of_the_means(by_contract):
    gap = by_contract.difference("Two year", "Month-to-month", horizon=60)
    means = [by_contract.group(name).mean(60) for name in ("Two year", "Month-to-month")]
    assert gap.estimate == approx(float(means[0]) - float(means[1]))
    assert gap.standard_error == approx(math.hypot(*(mean.standard_error for mean in means)))
    assert gap.p_value < 1e-12
    back = by_contract.difference("Month-to-month", "Two year", horizon=60)
    assert (back.interval.low, back.interval.high) == approx((-gap.interval.high, -gap.interval.low))


def test_several_curves_do_not_answer_as_one(by_contract):
    for ask in (
        lambda: by_contract.at(12),
        lambda: by_contract.median,
        lambda: by_contract.survival(3),
        lambda: by_contract.mean(12),
        lambda: survival.assumption(by_contract),
    ):
        with pytest.raises(InputError, match=r"3 groups.*\.group\('Month-to-month'\)"):
            ask()
    with pytest.raises(InputError, match="'monthly'"):
        by_contract.group("monthly")
    with pytest.raises(InputError, match="two groups or more"):
        by_contract.group("One year").log_rank()
    with pytest.raises(InputError, match="twice"):
        by_contract.difference("One year", "One year", horizon=12)


def test_a_group_alone_is_the_curve_of_its_customers(telco, by_contract):
    own = telco[telco["Contract"] == "One year"]
    alone = survival.kaplan_meier(own["tenure"], own["churned"])
    assert by_contract.group("One year").columns.rows() == tuple(
        {"group": "One year", **row} for row in alone.columns.rows()
    )


# ---------------------------------------------------------------- a curve as a churn assumption


def test_a_curve_is_a_churn_assumption_in_months(by_contract):
    monthly = by_contract.group("Month-to-month")
    assert survival.assumption(monthly) is monthly
    table = survival.tabulate(monthly, steps=72)
    assert table.values == approx(monthly.survival(np.arange(73)))
    ended = survival.kaplan_meier(AML[:-1], RELAPSED[:-1])
    plateau = rm.growth.plateau(new_clients_per_month=2, monthly_fee=100, survival=ended)
    assert plateau.estimate == approx(200 * ended.survival(np.arange(48)).sum())


def test_past_the_last_observed_time_a_curve_says_nothing_unless_told_to():
    curve = survival.kaplan_meier(AML[:-1], RELAPSED[:-1])  # the last one relapsed: nobody is left to follow
    assert curve.survival(500) == 0
    curve = survival.kaplan_meier(AML, RELAPSED)
    for ask in (lambda: curve.at(162), lambda: curve.survival([1, 162]), lambda: curve.mean(162)):
        with pytest.raises(InputError, match=r"known up to month 161 and is needed for month 162"):
            ask()
    longer = survival.assumption(curve, tail="constant_hazard")
    assert longer.survival(161) == approx(curve.survival(161))
    assert longer.survival(200) == approx(curve.survival(161))  # nobody left in the last month
    assert "constant_hazard" in longer.notes[0]


# ---------------------------------------------------------------- what comes in


@pytest.fixture(scope="module")
def clients():
    return pd.DataFrame(
        {
            "months": [1.0, 2.0, 2.0, 3.5, 4.0, None, 5.0, 6.0, 2.0, 7.0],
            "left": [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, None, 1.0, 1.0, 0.0],
            "from": [0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 2.0, None, 0.0],
            "plan": ["a", "b", "a", "a", "b", "b", "a", "b", "a", None],
            "n": [1, 2, 1, 3, 1, 1, 1, 2, 1, 1],
        }
    )


def test_every_kind_of_dataframe_gives_the_same_curves(frame, clients):
    roles = {"duration": "months", "churned": "left", "entry": "from", "by": "plan", "counts": "n"}
    curve = survival.kaplan_meier(frame(clients), **roles)
    expected = survival.kaplan_meier(clients, **roles)
    assert as_sorted_rows(curve) == as_sorted_rows(expected)
    assert curve.excluded == {"missing_duration": 1, "missing_churned": 1, "missing_entry": 1, "missing_group": 1}
    assert as_sorted_rows(curve.hazard) == as_sorted_rows(expected.hazard)
    assert curve.log_rank().estimate == approx(expected.log_rank().estimate, rel=1e-12)
    stratified = survival.log_rank(frame(clients), duration="months", churned="left", by="plan", strata="n")
    within = survival.kaplan_meier(frame(clients), duration="months", churned="left", by="plan", strata="n")
    assert within.log_rank() == stratified
    assert stratified == survival.log_rank(clients, duration="months", churned="left", by="plan", strata="n")


def test_groups_may_be_dates(frame, clients):
    dated = clients.assign(joined=pd.to_datetime(["2024-01-01", "2024-02-01"] * 5))
    curve = survival.kaplan_meier(frame(dated), duration="months", churned="left", by="joined")
    assert curve.groups["group"] == (dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1))
    assert rm.from_dict(curve.to_dict()).group(dt.datetime(2024, 2, 1)).groups["customers"] == (4,)


def test_a_lazy_table_is_read_once_and_only_where_asked(clients):
    reads = Reads(pl.from_pandas(clients))
    survival.kaplan_meier(reads.scan(), duration="months", churned="left", by="plan")
    assert reads.columns == [["left", "months", "plan"]]


def test_a_frame_and_its_columns_as_arrays_say_the_same(clients):
    from_frame = survival.kaplan_meier(clients, duration="months", churned="left", entry="from", by="plan", counts="n")
    columns = {name: clients[name] for name in clients}
    from_arrays = survival.kaplan_meier(
        columns["months"], columns["left"], entry=columns["from"], by=columns["plan"], counts=columns["n"]
    )
    assert from_arrays == from_frame


def test_marks_may_be_booleans_with_gaps():
    curve = survival.kaplan_meier([1, 2, 3, 4], pd.array([True, None, False, True], dtype="boolean"))
    assert curve.excluded == {"missing_churned": 1}
    assert curve.churned.sum() == 2


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: survival.kaplan_meier([], []), InputError, "at least one customer"),
        (lambda: survival.kaplan_meier([3, -1, -2], [1, 1, 0]), InputError, r"at least 0; 2 of 3 .*-1\.0"),
        (lambda: survival.kaplan_meier([3, np.inf], [1, 1]), InputError, "finite times; 1 of 2"),
        (lambda: survival.kaplan_meier([3, 4], [1, 2]), InputError, "True or False, or 1 or 0; 1 of 2"),
        (lambda: survival.kaplan_meier([3, 4], ["Yes", "No"]), InputError, "2 of 2"),
        (lambda: survival.kaplan_meier([3, 4], [1]), InputError, "one length"),
        (lambda: survival.kaplan_meier([np.nan], [1]), InputError, "missing_duration 1"),
        (lambda: survival.kaplan_meier([3, 4], [1, 1], entry=[3, 0]), InputError, "below durations.*1 of 2"),
        (lambda: survival.kaplan_meier([3, 4], [1, 1], counts=[1, -1]), InputError, "counts"),
        (lambda: survival.kaplan_meier([3, 4], [1, 1], method="wilson"), InputError, "'log-log', 'log', 'greenwood'"),
        (lambda: survival.kaplan_meier([3, 4], "left"), InputError, "churned= is an array"),
        (lambda: survival.kaplan_meier([3, 4], [1, 1], duration="months"), InputError, "duration= names a column"),
        (lambda: survival.kaplan_meier(pd.DataFrame({"t": [1]}), "t"), InputError, "duration= names the column"),
        (
            lambda: survival.kaplan_meier(pd.DataFrame({"t": [1], "c": [1]}), [1], duration="t"),
            InputError,
            "churned= is a column name",
        ),
        (
            lambda: survival.kaplan_meier(pd.DataFrame({"t": [1], "c": [1]}), duration="t", churned="d"),
            ColumnError,
            "churned='d' is not a column",
        ),
        (
            lambda: survival.kaplan_meier(pd.DataFrame({"t": ["1"], "c": [1]}), duration="t", churned="c"),
            ColumnError,
            "column of numbers",
        ),
        (lambda: survival.log_rank([1, 2], [1, 1], by=["a", "a"]), InputError, "got one, 'a'"),
        (lambda: survival.kaplan_meier([1, 2], [1, 1], strata=["a", "b"]), InputError, "by= is missing"),
        (lambda: survival.kaplan_meier([[1], 2], [1, 1]), InputError, "durations is one-dimensional"),
        (lambda: survival.kaplan_meier([10**400, 2], [1, 1]), InputError, "durations holds numbers"),
        (lambda: survival.kaplan_meier([1, 2], [1, 1], by=["a", "b"], strata=["c"]), InputError, "strata has 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_an_impossible_duration_names_its_column_and_counts_customers():
    frame = pd.DataFrame({"months": [2, -1, -1], "left": [1, 1, 0]})
    with pytest.raises(InputError) as caught:
        survival.kaplan_meier(frame, duration="months", churned="left")
    assert (caught.value.column, caught.value.count, caught.value.first[0]) == ("months", 2, -1)


# ---------------------------------------------------------------- notes


def test_a_curve_that_begins_late_or_below_one_or_ends_too_early_says_so():
    late = survival.kaplan_meier([5, 6], [1, 1], entry=[2, 3])
    assert any("Nobody was watched before month 2" in note for note in late.notes)
    assert late.at(1).interval.low == 0
    at_once = survival.kaplan_meier([0, 3], [1, 0])
    assert any("left at time 0" in note for note in at_once.notes)
    assert at_once.survival(0) == 0.5
    early = survival.kaplan_meier([2, 9], [1, 1], entry=[0, 4])
    assert any("stays at 0" in note for note in early.notes)
    assert early.share[-1] == 0


def test_nobody_lost_while_two_groups_are_at_risk_is_no_test():
    test = survival.log_rank([1, 2, 3, 9], [False, False, False, True], by=["a", "a", "b", "b"])
    assert test.estimate is None
    assert test.status == "undefined"


def test_a_median_that_is_not_reached_lies_past_the_last_observed_time():
    median = survival.kaplan_meier([12] * 100, [True] * 10 + [False] * 90).median
    assert (median.estimate, median.status) == (None, "not_reached")
    assert (median.interval.low, median.interval.high) == (12, math.inf)
    assert "ends at 0.9, above 0.5" in median.notes[-1]
    with pytest.raises(InputError, match="no estimate"):
        float(median)


def test_level_none_computes_no_interval():
    curve = survival.kaplan_meier(AML, RELAPSED, level=None)
    assert curve.at(9).interval is curve.median.interval is curve.mean(48).interval is None
    assert set(curve.columns["low"]) == {None}
