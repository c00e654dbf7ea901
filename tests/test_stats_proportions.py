"""Intervals for shares hold their level, agree with published tables, and never leave the range."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from retention_metrics._stats import proportions

approx = pytest.approx
METHODS = proportions.PROPORTION_METHODS


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson"])
def test_single_share_reproduces_newcombes_table(reference, method):
    table = reference("proportion_intervals")
    for row in table.rows:
        found = proportions.share_interval(row["numerator"], row["denominator"], level=table.level, method=method)
        assert found == approx(tuple(row[method]), abs=0.5 * 10**-table.digits)


@pytest.mark.parametrize(("x", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (90, 100), (1655, 3875)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_share_intervals_agree_with_scipy(x, n, level):
    test = stats.binomtest(x, n)
    for method, theirs in (("wilson", "wilson"), ("clopper_pearson", "exact")):
        expected = test.proportion_ci(level, method=theirs)
        low, high = proportions.share_interval(x, n, level=level, method=method)
        assert (low, high) == approx((max(0, expected.low), min(1, expected.high)), abs=1e-12)
    low, high = proportions.share_interval(x, n, level=level, method="jeffreys")
    posterior = stats.beta(x + 0.5, n - x + 0.5)
    assert low == approx(posterior.ppf((1 - level) / 2) if x else 0, abs=1e-12)
    assert high == approx(posterior.ppf((1 + level) / 2) if x < n else 1, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@given(n=st.integers(1, 10**7), share=st.floats(0, 1), level=st.floats(0.01, 0.9999))
def test_share_interval_holds_the_share_and_stays_in_range(method, n, share, level):
    x = round(n * share)
    low, high = proportions.share_interval(x, n, level=level, method=method)
    slack = 1e-12 if method != "jeffreys" or 0 < x < n else 0
    assert 0 <= low <= high <= 1
    # A Jeffreys interval of little content may leave the maximum of the likelihood outside.
    if method != "jeffreys" or level >= 0.5:
        assert low - slack <= x / n <= high + slack
    assert (x > 0) or low == 0
    assert (x < n) or high == 1


@pytest.mark.parametrize("method", METHODS)
def test_nobody_lost_and_everybody_lost_mirror_each_other(method):
    x = np.arange(21)
    low, high = proportions.share_interval(x, 20, level=0.9, method=method)
    assert low == approx(1 - high[::-1], abs=1e-12)


def test_an_empty_group_has_no_interval():
    low, high = proportions.share_interval([0, 3], [0, 10], level=0.95)
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


@pytest.mark.parametrize(("method", "least", "mean_low", "mean_high"), [
    ("wilson", 0.83, 0.945, 0.965),
    ("clopper_pearson", 0.95, 0.95, 0.995),
    ("jeffreys", 0.83, 0.94, 0.96),
])  # fmt: skip
@pytest.mark.parametrize("n", [5, 12, 40, 150])
def test_share_intervals_cover_the_truth(method, least, mean_low, mean_high, n):
    x, truths = np.arange(n + 1), np.linspace(0.002, 0.998, 499)
    low, high = proportions.share_interval(x, n, level=0.95, method=method)
    mass = stats.binom.pmf(x[:, None], n, truths)
    covered = (low[:, None] <= truths + 1e-12) & (truths - 1e-12 <= high[:, None])
    coverage = (mass * covered).sum(axis=0)
    assert coverage.min() >= least - 1e-9
    assert mean_low <= coverage.mean() <= mean_high


# ---------------------------------------------------------------- difference


def test_difference_reproduces_newcombes_table(reference):
    table = reference("proportion_differences")
    for row in table.rows:
        found = proportions.difference_interval(*row["counts"], level=table.level)
        assert found == approx(tuple(row["newcombe"]), abs=0.5 * 10**-table.digits)


def covered_mass(interval, truth_of, sizes, truths):
    """Exact coverage of an interval of two groups' counts, at every pair of true shares."""
    n1, n2 = sizes
    ends = {(x1, x2): interval(x1, n1, x2, n2) for x1 in range(n1 + 1) for x2 in range(n2 + 1)}
    for p1, p2 in itertools.product(truths, truths):
        truth = truth_of(p1, p2)
        first, second = stats.binom.pmf(range(n1 + 1), n1, p1), stats.binom.pmf(range(n2 + 1), n2, p2)
        yield sum(
            first[x1] * second[x2] for (x1, x2), (low, high) in ends.items() if low - 1e-12 <= truth <= high + 1e-12
        )


TRUTHS = (0.03, 0.1, 0.25, 0.5, 0.7, 0.9)


@pytest.mark.parametrize("sizes", [(10, 10), (30, 12), (40, 40)])
def test_difference_interval_covers_the_truth(sizes):
    coverage = list(
        covered_mass(
            lambda *counts: proportions.difference_interval(*counts, level=0.95), lambda p, q: p - q, sizes, TRUTHS
        )
    )
    # Newcombe's own study finds that his method dips this far between two groups of ten with rare events.
    assert min(coverage) >= 0.90
    assert 0.945 <= np.mean(coverage) <= 0.985


# ---------------------------------------------------------------- ratio


def test_ratio_reproduces_koopmans_example(reference):
    table = reference("proportion_ratios")
    found = proportions.ratio_interval(*table.counts, level=table.level)
    assert found == approx(tuple(table.koopman), abs=0.5 * 10**-table.digits)


def test_katz_ratio_agrees_with_scipy():
    expected = stats.contingency.relative_risk(36, 40, 16, 80).confidence_interval(0.9)
    found = proportions.ratio_interval(36, 40, 16, 80, level=0.9, method="katz")
    assert found == approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("counts", [(36, 40, 16, 80), (3, 10, 9, 10), (10, 10, 3, 10), (2, 900, 40, 70)])
def test_koopman_ends_are_where_a_brute_force_score_test_turns(counts):
    x1, n1, x2, n2 = counts
    ends = proportions.ratio_interval(*counts, level=0.95)
    for ratio in ends:
        most = min(1.0, 1 / ratio)
        fitted = optimize.minimize_scalar(
            lambda p2, ratio=ratio: -(stats.binom.logpmf(x1, n1, ratio * p2) + stats.binom.logpmf(x2, n2, p2)),
            bounds=(1e-12, most - 1e-12),
            method="bounded",
            options={"xatol": 1e-13},
        ).x
        p1 = ratio * fitted
        pearson = (x1 - n1 * p1) ** 2 / (n1 * p1 * (1 - p1)) + (x2 - n2 * fitted) ** 2 / (n2 * fitted * (1 - fitted))
        # With everybody in the first group the likeliest share sits on its bound, where Pearson's form is 0/0.
        if p1 < 1 - 1e-6:
            assert pearson == approx(stats.chi2.ppf(0.95, 1), rel=1e-4)


def test_ratio_of_two_certain_shares_has_its_closed_form():
    z = proportions.normal_quantile(0.95)
    low, high = proportions.ratio_interval(10, 10, 30, 30, level=0.95)
    assert high == approx(1 + z**2 / 30, rel=1e-10)
    assert 1 / low == approx(1 + z**2 / 10, rel=1e-10)


@given(
    x1=st.integers(0, 30), n1=st.integers(1, 30), x2=st.integers(0, 30), n2=st.integers(1, 30),
    level=st.floats(0.02, 0.999),
)  # fmt: skip
def test_ratio_interval_is_defined_at_every_count_and_turns_over(x1, n1, x2, n2, level):
    x1, x2 = min(x1, n1), min(x2, n2)
    low, high = proportions.ratio_interval(x1, n1, x2, n2, level=level)
    assert 0 <= low <= high
    assert (low == 0) == (x1 == 0)
    assert (high == math.inf) == (x2 == 0)
    if x1 and x2:
        assert low <= (x1 / n1) / (x2 / n2) <= high
    back_low, back_high = proportions.ratio_interval(x2, n2, x1, n1, level=level)
    assert back_low == approx(0 if high == math.inf else 1 / high, rel=1e-8)
    assert back_high == approx(math.inf if low == 0 else 1 / low, rel=1e-8)


def test_katz_has_no_interval_at_an_empty_cell():
    assert proportions.ratio_interval(0, 10, 3, 10, level=0.95, method="katz") is None


@pytest.mark.parametrize("sizes", [(10, 10), (30, 12)])
def test_ratio_interval_covers_the_truth(sizes):
    coverage = list(
        covered_mass(lambda *counts: proportions.ratio_interval(*counts, level=0.95), lambda p, q: p / q, sizes, TRUTHS)
    )
    assert min(coverage) >= 0.92
    assert 0.94 <= np.mean(coverage) <= 0.985


# ---------------------------------------------------------------- trend


def test_trend_test_reproduces_agrestis_alcohol_table(reference):
    table = reference("trend_alcohol")
    z = proportions.trend_statistic(np.array(table.cases, float), np.array(table.total, float), np.array(table.scores))
    assert z**2 == approx(table.chi_squared, abs=0.5 * 10**-table.digits)
    assert proportions.two_sided_p_value(z) == approx(table.p_value, abs=0.0005)


def test_trend_statistic_is_the_correlation_of_churn_and_group():
    n, x, scores = np.array([30.0, 20.0, 50.0]), np.array([12.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0])
    group = np.repeat(scores, n.astype(int))
    churned = np.concatenate([np.repeat([1.0, 0.0], [int(a), int(b - a)]) for a, b in zip(x, n, strict=True)])
    correlation = stats.pearsonr(group, churned).statistic
    assert proportions.trend_statistic(x, n, scores) == approx(math.sqrt(n.sum()) * correlation, rel=1e-12)


def test_trend_weights_give_the_least_squares_slope():
    n, x, scores = np.array([30.0, 20.0, 50.0]), np.array([12.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0])
    slope = np.polyfit(scores, x / n, 1, w=np.sqrt(n))[0]
    assert proportions.trend_weights(n, scores) @ (x / n) == approx(slope, rel=1e-12)


@pytest.mark.parametrize("x", [np.zeros(3), np.array([5.0, 8.0, 2.0])])
def test_trend_has_no_test_where_all_or_none_churned(x):
    assert proportions.trend_statistic(x, np.array([5.0, 8.0, 2.0]), np.arange(3.0)) is None


@pytest.mark.parametrize("truths", [(0.5, 0.3, 0.1), (0.05, 0.05, 0.05), (0.2, 0.5, 0.9)])
def test_trend_slope_interval_covers_the_truth(truths):
    sizes, scores = np.array([12.0, 9.0, 15.0]), np.array([1.0, 2.0, 3.0])
    weights = proportions.trend_weights(sizes, scores)
    truth, coverage, false_alarms = weights @ np.array(truths), 0.0, 0.0
    for counts in itertools.product(*(range(int(n) + 1) for n in sizes)):
        x = np.array(counts, float)
        mass = float(np.prod(stats.binom.pmf(x, sizes, truths)))
        low, high = proportions.share_interval(x, sizes, level=0.95)
        _, down, up = proportions.weighted_sum_interval(x / sizes, low, high, weights=weights)
        coverage += mass * (down - 1e-12 <= truth <= up + 1e-12)
        z = proportions.trend_statistic(x, sizes, scores)
        false_alarms += mass * (z is not None and proportions.two_sided_p_value(z) < 0.05)
    assert 0.93 <= coverage <= 0.999
    if len(set(truths)) == 1:
        assert false_alarms <= 0.055
