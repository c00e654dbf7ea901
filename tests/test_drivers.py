"""What goes with staying and leaving: measures, intervals, ranks, and what a ranking refuses."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

import retention_metrics as rm
from frames import as_rows, as_sorted_rows
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx


def clients(seed=5, n=300):
    """Numbers with ties, an ordered scale, a category, flags and gaps; liking and plan matter."""
    rng = np.random.default_rng(seed)
    liking = rng.integers(1, 6, n).astype(float)
    plan = rng.choice(["monthly", "half-year", "yearly"], n)
    kept = rng.random(n) < 1 / (1 + np.exp(-(liking - 3) - 0.8 * (plan == "yearly")))
    months = np.ceil(rng.exponential(6 + 4 * liking)).astype(float)
    noise = np.round(rng.normal(size=n), 1)
    noise[:20] = np.nan
    return pd.DataFrame(
        {
            "kept": kept,
            "months": months,
            "left": ~kept,
            "liking": liking,
            "plan": plan,
            "noise": noise,
            "grade": rng.choice(["low", "mid", "high"], n),
            "paid": rng.random(n) < 0.5,
            "code": rng.integers(0, 4, n),
        }
    )


NAMES = ["noise", "plan", "grade", "liking", "paid", "code"]
OPTIONS = {"ordered": {"grade": ["low", "mid", "high"]}, "categorical": ["code"], "rng": 7}


def ranked(table=None, **options):
    return rm.drivers.rank(
        clients() if table is None else table, **{"outcome": "kept", "indicators": NAMES, **OPTIONS, **options}
    )


def by_name(ranking):
    return {row["indicator"]: row for row in ranking.rows()}


def one(values, outcome, **options):
    table = pd.DataFrame({"x": values, "y": outcome})
    return rm.drivers.rank(table, outcome="y", indicators=["x"], resamples=0, **options).rows()[0]


def timed(values, duration, churned, **options):
    table = pd.DataFrame({"x": values, "t": duration, "e": churned})
    return rm.drivers.rank(table, duration="t", churned="e", indicators=["x"], resamples=0, **options).rows()[0]


# ---------------------------------------------------------------- measures against a second way


cells = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=4, max_size=40).filter(
    lambda rows: 1 < sum(flag for _, flag in rows) < len(rows) - 1
)


@given(rows=cells)
def test_the_area_is_the_share_of_pairs_and_its_error_delongs(rows):
    x, y = np.array([value for value, _ in rows], float), np.array([flag for _, flag in rows])
    won = (x[y][:, None] > x[~y]) + 0.5 * (x[y][:, None] == x[~y])
    found = one(x, y)
    assert found["auc"] == approx(won.mean())
    assert found["association"] == approx(2 * won.mean() - 1)
    error = math.sqrt(won.mean(axis=1).var(ddof=1) / y.sum() + won.mean(axis=0).var(ddof=1) / (~y).sum())
    if error > 1e-9 and 0 < won.mean() < 1:
        place, half = stats.norm.ppf(0.975), won.mean() * (1 - won.mean())
        ends = [math.log(won.mean() / (1 - won.mean())) + sign * place * error / half for sign in (-1, 1)]
        assert [found["auc_low"], found["auc_high"]] == approx([1 / (1 + math.exp(-end)) for end in ends])


@given(rows=cells)
def test_tests_and_rank_correlation_are_scipys(rows):
    x, y = np.array([value for value, _ in rows], float), np.array([flag for _, flag in rows])
    found = one(x, y)
    if np.unique(x).size == 1:
        assert (found["p_value"], found["spearman"], found["status"]) == (None, None, "constant")
        return
    published = stats.mannwhitneyu(x[y], x[~y], method="asymptotic", use_continuity=False)
    assert found["p_value"] == approx(published.pvalue, abs=1e-12)
    assert found["spearman"] == approx(stats.spearmanr(x, y).statistic)
    table = pd.crosstab(x, y)
    named = one(x, y, categorical=["x"])
    assert named["p_value"] == approx(stats.chi2_contingency(table, correction=False).pvalue, abs=1e-12)
    assert named["spearman"] is None


def leave_pair_out(levels, outcome):
    won = []
    for i in np.flatnonzero(outcome):
        for j in np.flatnonzero(~outcome):
            rest = np.delete(np.arange(levels.size), [i, j])
            rates = []
            for row in (i, j):
                held = rest[levels[rest] == levels[row]]
                rates.append(outcome[held].mean() if held.size else math.nan)
            a, b = rates
            same = levels[i] == levels[j] or a == b or math.isnan(a) or math.isnan(b)
            won.append(0.5 if same else float(a > b))
    return float(np.mean(won))


@given(rows=cells)
def test_categories_are_ranked_without_the_two_customers_of_a_pair(rows):
    x, y = np.array([value for value, _ in rows]), np.array([flag for _, flag in rows])
    found = one(x, y, categorical=["x"])
    area = leave_pair_out(x, y)
    assert found["auc"] == approx(area)
    assert found["association"] == approx(max(0.0, 2 * area - 1))
    assert 0 <= found["low"] <= found["association"] <= found["high"]


def test_many_categories_of_pure_chance_gain_nothing():
    rng = np.random.default_rng(40)
    areas, naive = [], []
    for _ in range(200):
        x, y = rng.integers(0, 40, 200), rng.random(200) < 0.5
        areas.append(one(x, y, categorical=["x"])["auc"])
        shares = np.array([y[x == level].mean() if (x == level).any() else 0 for level in range(40)])
        naive.append(one(shares[x], y)["auc"])
    assert np.mean(areas) == approx(0.5, abs=3 * np.std(areas) / math.sqrt(200))
    assert np.mean(naive) > 0.7


spells = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans()), min_size=4, max_size=30).filter(
    lambda rows: any(e and (u > t or (u == t and not f)) for _, t, e in rows for _, u, f in rows)
)


def harrell(values, t, e, ties=lambda i, j: False):
    won = pairs = 0.0
    for i in range(t.size):
        for j in range(t.size):
            if e[i] and (t[j] > t[i] or (t[j] == t[i] and not e[j])):
                pairs += 1
                tied = ties(i, j) or values[j] == values[i]
                won += 0.5 if tied else float(values[j] > values[i])
    return won / pairs


@given(rows=spells)
def test_concordance_is_harrells(rows):
    x, t, e = (np.array(column) for column in zip(*rows, strict=True))
    assert timed(x.astype(float), t, e)["auc"] == approx(harrell(x, t, e))


@pytest.mark.parametrize(("values", "times"), [(3, 40), (40, 3), (40, 40), (2, 2)])
def test_concordance_is_harrells_whichever_of_value_and_time_has_more_ties(values, times):
    rng = np.random.default_rng(1982)
    x, t, e = rng.integers(0, values, 80).astype(float), rng.integers(0, times, 80), rng.random(80) < 0.6
    assert timed(x, t, e)["auc"] == approx(harrell(x, t, e))


@given(rows=spells)
def test_categories_of_a_time_are_ranked_by_the_churn_of_their_others(rows):
    x, t, e = (np.array(column) for column in zip(*rows, strict=True))
    rates = np.empty(t.size)
    for i in range(t.size):
        others = (x == x[i]) & (np.arange(t.size) != i)
        spent = t[others].sum()
        rates[i] = e[others].sum() / spent if spent else e.sum() / max(t.sum(), 1e-300) if t.sum() else 0.0
    expected = harrell(-rates, t, e, ties=lambda i, j: x[i] == x[j])
    assert timed(x, t, e, categorical=["x"])["auc"] == approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_log_rank_test_is_scipys(seed):
    rng = np.random.default_rng(seed)
    t, e, x = np.ceil(rng.exponential(8, 60)), rng.random(60) < 0.7, rng.integers(0, 2, 60)
    groups = [stats.CensoredData.right_censored(t[x == level], ~e[x == level]) for level in (0, 1)]
    assert timed(x, t, e, categorical=["x"])["p_value"] == approx(stats.logrank(*groups).pvalue, rel=1e-9)


def test_false_findings_are_bounded_by_benjamini_and_hochberg():
    rows = ranked().rows()
    adjusted = stats.false_discovery_control([row["p_value"] for row in rows])
    assert [row["p_adjusted"] for row in rows] == approx(adjusted)


# ---------------------------------------------------------------- honesty of intervals


@pytest.mark.parametrize(("shift", "seed"), [(0.0, 1), (1.0, 2), (2.0, 3)])
def test_the_interval_of_an_area_covers_as_often_as_it_says(shift, seed):
    rng = np.random.default_rng(seed)
    truth, y = stats.norm.cdf(shift / math.sqrt(2)), np.repeat([True, False], [30, 50])
    held = 0
    for _ in range(1000):
        row = one(rng.normal(size=80) + shift * y, y)
        held += row["auc_low"] <= truth <= row["auc_high"]
    assert 0.93 <= held / 1000 <= 0.975


def test_the_interval_of_a_concordance_covers_as_often_as_it_says():
    rng = np.random.default_rng(9)

    def drawn(n):
        x = rng.normal(size=n)
        t, stop = rng.exponential(np.exp(0.7 * x)), rng.exponential(2.0, n)
        return x, np.minimum(t, stop), t <= stop

    truth = timed(*drawn(100_000), level=None)["auc"]
    rows = [timed(*drawn(100)) for _ in range(500)]
    held = np.mean([row["auc_low"] <= truth <= row["auc_high"] for row in rows])
    assert 0.925 <= held <= 0.98


def test_the_interval_of_a_category_covers_as_often_as_it_says():
    rng = np.random.default_rng(10)
    shares = np.array([0.3, 0.5, 0.6, 0.8])
    p = shares / shares.sum()
    q = (1 - shares) / (1 - shares).sum()
    truth = sum(p[i] * q[j] * (1.0 if i > j else 0.5 if i == j else 0.0) for i in range(4) for j in range(4))
    held = 0
    for _ in range(500):
        x = rng.integers(0, 4, 400)
        row = one(x, rng.random(400) < shares[x], categorical=["x"])
        held += row["auc_low"] <= truth <= row["auc_high"]
    assert held / 500 >= 0.92


def test_shares_of_first_places_are_those_of_the_bootstrap():
    rng = np.random.default_rng(11)
    n = 300
    a, b, y = rng.normal(size=n), rng.normal(size=n), rng.random(n) < 0.5
    table = pd.DataFrame({"a": a + 0.5 * y, "b": b + 0.65 * y, "kept": y})
    ranking = rm.drivers.rank(table, outcome="kept", indicators=["a", "b"], rng=1, resamples=4000)
    firsts = 0
    for _ in range(2000):
        drawn = table.iloc[rng.integers(0, n, n)]
        flags = drawn["kept"].to_numpy()
        areas = [
            stats.mannwhitneyu(drawn[name][flags], drawn[name][~flags]).statistic / (flags.sum() * (~flags).sum())
            for name in ("a", "b")
        ]
        firsts += areas[1] > areas[0]
    # Four standard errors of the two simulations, and the linear part of the bootstrap.
    assert by_name(ranking)["b"]["first_share"] == approx(firsts / 2000, abs=0.06)


def test_ranks_and_first_places_belong_together():
    rows = ranked().rows()
    assert rows[0]["indicator"] == "liking"
    assert sum(row["first_share"] for row in rows) == approx(1.0)
    assert all(1 <= row["rank_low"] <= row["rank_high"] <= len(NAMES) for row in rows)
    strengths = [abs(row["association"]) for row in rows]
    assert strengths == sorted(strengths, reverse=True)


def test_the_same_seed_gives_the_same_ranks():
    assert ranked() == ranked()
    assert ranked(resamples=0).rows()[0]["first_share"] is None


# ---------------------------------------------------------------- effects beside one another


def test_logistic_effects_are_the_maximum_of_the_likelihood():
    table = clients()
    found = by_name(ranked(table, indicators=["liking", "paid"], effect="logistic", ordered=None, categorical=()))
    x = np.column_stack(
        [np.ones(len(table)), *(stats.zscore(table[name].astype(float)) for name in ("liking", "paid"))]
    )
    y = table["kept"].to_numpy()

    def loss(beta):
        line = x @ beta
        return np.logaddexp(0, line).sum() - y @ line

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    assert [found[name]["effect"] for name in ("liking", "paid")] == approx(best[1:], abs=1e-6)
    assert found["liking"]["effect_low"] > 0 > found["paid"]["effect_low"]


def test_cox_effects_reproduce_the_published_leukaemia_trial():
    # Miller (1981), Survival Analysis; R's survival::aml with coxph(Surv(time, status) ~ x): 0.9155, 0.5119.
    t = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
    e = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    x = np.repeat([0.0, 1.0], [11, 12])
    row = timed(x, t, e, effect="cox")
    deviation = x.std()
    assert row["effect"] / deviation == approx(0.9155, abs=5e-5)
    error = (row["effect_high"] - row["effect"]) / stats.norm.ppf(0.975) / deviation
    assert error == approx(0.5119, abs=5e-5)


def test_effects_that_cannot_be_told_are_none_and_said():
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "twin": [2.0, 4.0, 6.0, 8.0], "kept": [0, 0, 1, 1]})
    for names in (["x"], ["x", "twin"]):
        ranking = rm.drivers.rank(table, outcome="kept", indicators=names, effect="logistic", rng=1)
        assert [row["effect"] for row in ranking.rows()] == [None] * len(names)
        assert any("no estimate" in note for note in ranking.notes)


def test_a_category_has_a_spread_and_no_direction():
    row = by_name(ranked(effect="logistic"))["plan"]
    assert 0 <= row["effect_low"] < row["effect"] < row["effect_high"]
    bare = by_name(ranked(effect="logistic", level=None))["plan"]
    assert (bare["effect"], bare["effect_low"]) == (row["effect"], None)


def test_two_categories_spread_as_their_flag_s_slope():
    rng = np.random.default_rng(2)
    flag = rng.random(300) < 0.4
    kept = rng.random(300) < np.where(flag, 0.7, 0.4)
    number = one(flag.astype(int), kept, effect="logistic")
    word = one(np.where(flag, "a", "b"), kept, effect="logistic")
    for name in ("effect", "effect_low", "effect_high"):
        assert word[name] == approx(number[name], rel=1e-6)


@pytest.mark.parametrize(("effects", "n", "least"), [((0.0, 0.0), 200, 0.92), ((0.0, 1.0, -1.0, 0.5), 400, 0.95)])
def test_the_interval_of_a_spread_holds_it_at_least_as_often(effects, n, least):
    rng, held, made = np.random.default_rng(22), [], np.array(effects)
    for _ in range(300):
        x = rng.integers(0, made.size, n)
        row = one(x, rng.random(n) < 1 / (1 + np.exp(-made[x])), categorical=["x"], effect="logistic")
        held.append(row["effect_low"] - 1e-9 <= made[x].std() <= row["effect_high"] + 1e-9)
    assert np.mean(held) >= least


# ---------------------------------------------------------------- what is read, left out and refused


def test_every_kind_of_frame_gives_the_same_ranking(frame):
    table = clients()
    table.loc[::9, ["plan", "grade"]] = None
    expected = as_rows(ranked(table, effect="logistic"))
    assert [row["missing"] for row in expected if row["indicator"] in ("plan", "grade")] == [34, 34]
    found = as_rows(ranked(frame(table), effect="logistic"))
    assert [row["indicator"] for row in found] == [row["indicator"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        for name, cell in other.items():
            assert row[name] == (approx(cell) if isinstance(cell, float) else cell), name


def test_kinds_and_gaps_are_reported():
    table = clients()
    table["kept"] = table["kept"].astype("boolean").mask(np.arange(300) < 5)
    ranking = ranked(table)
    assert ranking.excluded == {"missing_outcome": 5}
    assert ranking.customers == 295
    found = by_name(ranking)
    assert {name: row["kind"] for name, row in found.items()} == {
        "noise": "numeric", "plan": "categorical", "grade": "ordinal", "liking": "numeric", "paid": "numeric",
        "code": "categorical",
    }  # fmt: skip
    assert (found["noise"]["n"], found["noise"]["missing"]) == (280, 15)
    assert all(row["n"] + row["missing"] == 295 for row in found.values())


def test_indicators_that_say_nothing_keep_their_place():
    table = pd.DataFrame(
        {
            "good": [1, 2, 3, 4],
            "none": [None] * 4,
            "half": [1.0, None, None, 2.0],
            "flat": [1] * 4,
            "kept": [1, 0, 1, 1],
        }
    ).astype({"none": "float"})
    rows = by_name(rm.drivers.rank(table, outcome="kept", indicators=["good", "none", "half", "flat"], rng=1))
    assert {name: row["status"] for name, row in rows.items()} == {
        "good": "ok", "none": "no_values", "half": "one_outcome", "flat": "constant",
    }  # fmt: skip
    assert rows["none"]["association"] is None
    assert rows["flat"]["association"] == 0


def test_associations_are_called_associations():
    assert any("not effects" in note for note in ranked().notes)
    assert any("not effects" in note for note in crossed().notes)


def dated():
    table = clients(n=6)
    table["seen"] = pd.to_datetime(["2024-01-01"] * 5 + ["2024-03-02"])
    table["ended"] = pd.to_datetime(["2024-02-01"] * 3 + ["2024-03-01"] * 2 + [None])
    return table.assign(kept=[1, 0, 1, 0, 1, 1])


def test_an_indicator_measured_after_the_outcome_is_refused(frame):
    given_dates = {"measured": "seen", "outcome_date": "ended", "resamples": 10}
    table = dated()
    ranked(frame(table), indicators=["liking"], **given_dates, ordered=None, categorical=())
    table["ended"] = table["ended"].fillna(pd.Timestamp("2024-03-01"))
    with pytest.raises(InputError, match="'liking' was measured after 'ended' in 1 rows"):
        ranked(frame(table), indicators=["liking"], **given_dates, ordered=None, categorical=())


def test_only_indicators_with_a_late_date_are_refused():
    table = dated().assign(ended=pd.Timestamp("2024-03-01"), early=pd.Timestamp("2023-01-01"))
    options = {"indicators": ["liking", "paid"], "outcome_date": "ended", "ordered": None, "categorical": ()}
    ranked(table, measured={"liking": "early"}, **options)
    with pytest.raises(InputError, match="'paid'"):
        ranked(table, measured={"liking": "early", "paid": "seen"}, **options)
    with pytest.raises(ColumnError, match="dates"):
        ranked(table, measured="months", **options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"outcome": None}, "outcome="),
        ({"outcome": None, "duration": "months"}, "churned="),
        ({"duration": "months", "churned": "left"}, "outcome="),
        ({"outcome": "months"}, "true and false"),
        ({"outcome": "grade", "indicators": ["liking"]}, "grade == 'Yes'"),
        ({"outcome": "kpet"}, "Did you mean 'kept'"),
        ({"indicators": []}, "at least one"),
        ({"indicators": ["liking", "liking"]}, "both name"),
        ({"indicators": ["kept"]}, "both name"),
        ({"indicators": ["lking"]}, "Did you mean 'liking'"),
        ({"effect": "cox"}, "logistic"),
        ({"effect": "probit"}, "one of"),
        ({"measured": "months"}, "together"),
        ({"categorical": ["months"]}, "categorical"),
        ({"ordered": {"grade": ["low", "high"]}}, "'mid'"),
        ({"ordered": ["grade"]}, "ordered maps"),
        ({"level": 1.2}, "probability"),
        ({"resamples": -1}, "resamples"),
        ({"outcome": None, "duration": "noise", "churned": "left", "indicators": ["liking"]}, "at least 0"),
    ],
)
def test_what_cannot_be_ranked_is_refused_by_name(options, word):
    cleared = {} if set(options.get("indicators", NAMES)) == set(NAMES) else {"ordered": None, "categorical": ()}
    with pytest.raises(InputError, match=word):
        ranked(**{**cleared, **options})


@pytest.mark.parametrize("value", [True, False])
def test_an_outcome_that_is_the_same_for_all_is_refused(value):
    with pytest.raises(InputError, match=rf"'kept' tells customers apart; it is {value} for all 300"):
        ranked(clients().assign(kept=value))
    if not value:
        with pytest.raises(InputError, match="'left'"):
            ranked(clients().assign(left=False), outcome=None, duration="months", churned="left")


def test_the_test_of_a_concordance_agrees_with_its_interval():
    rng = np.random.default_rng(1982)
    x, t, e = rng.normal(size=60), rng.exponential(9, 60), rng.random(60) < 0.7
    p_value = timed(x, t, e)["p_value"]
    for level, inside in ((1 - p_value * 1.001, False), (1 - p_value * 0.999, True)):
        row = timed(x, t, e, level=level)
        assert (row["auc_low"] <= 0.5 <= row["auc_high"]) == inside


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_effects_do_not_depend_on_the_unit_of_an_indicator(size):
    table = clients(n=80)
    table["noise"] = table["noise"].fillna(0.0)
    plain = one(table["noise"], table["kept"], effect="logistic")
    scaled = one(table["noise"] * size, table["kept"], effect="logistic")
    assert scaled["effect"] == approx(plain["effect"], rel=1e-9)


def test_numbers_are_numbers_however_they_are_kept():
    table = clients(n=60)
    plain = one(table["liking"], table["kept"])
    for kept in (Decimal, int, np.float64):
        cells = pd.Series([kept(cell) for cell in table["liking"]], dtype=object)
        row = one(cells, table["kept"])
        assert (row["kind"], row["auc"], row["p_value"]) == ("numeric", plain["auc"], plain["p_value"])
    gaps = pd.Series([True, None, False] * 20, dtype=object)
    assert (one(gaps, table["kept"])["kind"], one(gaps, table["kept"])["missing"]) == ("numeric", 20)
    assert one(pd.Categorical(table["code"]), table["kept"])["kind"] == "categorical"


def test_a_scale_may_be_of_numbers_and_names_each_place_once():
    table = clients(n=60)
    row = one(table["code"], table["kept"], ordered={"x": [3, 2, 1, 0]})
    assert row["auc"] == approx(1 - one(table["code"], table["kept"])["auc"])
    assert row["kind"] == "ordinal"
    with pytest.raises(InputError, match="once"):
        one(table["grade"], table["kept"], ordered={"x": ["low", "mid", "mid", "high"]})
    with pytest.raises(InputError, match="single values"):
        one(pd.Series([[1], [2]] * 30), table["kept"])


def test_infinite_values_are_refused():
    with pytest.raises(InputError, match="finite numbers"):
        ranked(clients().assign(noise=np.inf))


# ---------------------------------------------------------------- two at once


def crossed(table=None, **options):
    chosen = clients() if table is None else table
    return rm.drivers.cross(chosen, **{"outcome": "left", "row": "liking", "column": "plan", **options})


def test_cells_count_and_carry_wilson_intervals(frame):
    table = clients()
    table.loc[:2, "plan"] = None
    table.loc[3, "liking"] = np.nan
    found = crossed(frame(table))
    known = table.dropna(subset=["plan", "liking"])
    side = np.where(known["liking"] > known["liking"].median(), "above 3", "up to 3")
    expected = known.groupby([side, "plan"])["left"].agg(["size", "sum"])
    assert found.excluded == {"missing_row": 1, "missing_column": 3}
    assert len(found.rows()) == 6
    for row in found.rows():
        size, gone = expected.loc[(row["row"], row["column"])]
        assert (row["customers"], row["outcomes"]) == (size, gone)
        ends = stats.binomtest(int(gone), int(size)).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == approx((ends.low, ends.high))


def test_quantiles_share_no_value_between_groups():
    rows = crossed(row="noise", column="paid", quantiles=3).rows()
    assert len(rows) == 6
    assert sum(row["customers"] for row in rows) == 280
    assert {row["column"] for row in rows} == {"True", "False"}


def test_a_cell_can_be_compared_with_another():
    table = crossed()
    worst, best = table.cell("up to 3", "monthly"), table.cell("above 3", "yearly")
    gap = rm.difference(worst, best)
    assert gap.estimate == approx(worst.estimate - best.estimate)
    assert gap.interval.low > 0
    with pytest.raises(InputError, match="name a cell"):
        table.cell("up to 3", "weekly")


def test_a_column_of_one_value_has_one_group():
    assert {row["row"] for row in crossed(clients().assign(liking=3.0)).rows()} == {"all"}


def test_a_table_without_anything_known_is_refused():
    with pytest.raises(InputError, match="no customer is left to count: missing_column 300"):
        crossed(clients().assign(plan=None))
    with pytest.raises(InputError, match="true and false"):
        crossed(outcome="months", row="liking")


def test_frames_of_one_kind_come_back(frame):
    assert as_sorted_rows(crossed(frame(clients()))) == as_sorted_rows(crossed())


def test_a_column_of_names_is_no_driver():
    table = clients().assign(name=[f"client {row}" for row in range(300)])
    row = by_name(ranked(table, indicators=["name", "liking"], ordered=None, categorical=()))["name"]
    assert (row["kind"], row["auc"], row["association"]) == ("categorical", 0.5, 0.0)
    row = timed(table["name"], table["months"], table["left"])
    assert row["association"] == approx(0.0, abs=0.05)


def test_cells_are_cut_where_numbers_are_finite_and_however_kept(frame):
    table = clients(n=60)
    decimals = table.assign(liking=[Decimal(int(cell)) for cell in table["liking"]])
    assert as_sorted_rows(crossed(frame(decimals))) == as_sorted_rows(crossed(table))
    with pytest.raises(InputError, match="row='liking' holds finite numbers; 1 rows"):
        crossed(frame(table.assign(liking=table["liking"].where(table.index > 0, np.inf))))
