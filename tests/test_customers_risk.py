"""Who is about to be lost: the rules as they read, and how well they find customers whose true state is known."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import retention_metrics as rm
from frames import as_rows
from retention_metrics.customers.rhythm import Rhythm, fit
from retention_metrics.errors import InputError

LOG = {"customer": "who", "time": "when"}
SPAN = 731


def simulated(
    customers: int, *, spread: float, rng: np.random.Generator, shape: float = 4.0, leaves: float = 0.08
) -> tuple[pd.DataFrame, pd.Series]:
    """Two years of purchases at each customer's own rhythm, until a purchase is the last; and who is still there."""
    rows, alive = [], []
    for who in range(customers):
        gap, day, stays = 30.0 * np.exp(spread * rng.standard_normal()), rng.uniform(0, 365), True
        while day < SPAN:
            rows.append((who, pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(day))))
            if rng.random() < leaves:
                stays = False
                break
            day += max(1.0, rng.gamma(shape, gap / shape))
        alive.append(stays)
    return pd.DataFrame(rows, columns=["who", "when"]), pd.Series(alive)


def found(log: pd.DataFrame, alive: pd.Series, **options: object) -> tuple[float, float]:
    """Precision and recall among customers who bought twice."""
    table = rm.customers.at_risk(log, **LOG, as_of="2024-12-31", **options).frame.set_index("who")
    flagged, gone = table["at_risk"], ~alive[table.index]
    rhythm = table["purchases"] >= 2
    hits = (flagged & gone).sum()
    return hits / flagged.sum(), hits / (gone & rhythm).sum()


# ---------------------------------------------------------------- the plain rule


@pytest.mark.parametrize(
    ("last", "risky"), [("2024-02-29", True), ("2024-03-01", False), ("2024-05-31", False), ("2024-01-01", True)]
)
def test_three_months_are_calendar_months(last, risky):
    log = pd.DataFrame({"who": "a", "when": pd.to_datetime(["2023-12-01", last])})
    table = rm.customers.at_risk(log, **LOG, as_of="2024-05-31")
    assert [row["at_risk"] for row in as_rows(table)] == [risky]


def test_one_time_buyers_have_no_rhythm_to_fall_out_of():
    log = pd.DataFrame({"who": ["once", "twice", "twice"], "when": pd.to_datetime(["2023-01-01"] * 2 + ["2023-02-01"])})
    flags = {row["who"]: row["at_risk"] for row in as_rows(rm.customers.at_risk(log, **LOG, as_of="2024-01-01"))}
    assert flags == {"once": False, "twice": True}
    every = rm.customers.at_risk(log, **LOG, as_of="2024-01-01", minimum_purchases=1)
    assert all(row["at_risk"] for row in as_rows(every))


def test_the_value_at_stake_is_what_going_on_as_before_brings(frame):
    log = pd.DataFrame({"who": "a", "when": pd.to_datetime(["2023-01-01", "2023-01-31", "2023-03-02"]), "paid": 20.0})
    table = rm.customers.at_risk(frame(log), **LOG, value="paid", as_of="2023-12-31", horizon_months=12)
    assert as_rows(table)[0]["value_at_stake"] == pytest.approx(20.0 * 365.25 / 30)


# ---------------------------------------------------------------- own rhythm


def test_the_rhythm_of_simulated_gaps_is_recovered():
    rng = np.random.default_rng(1990)
    rate = rng.gamma(3.0, 1 / 20.0, 4000)
    gaps = 1 + rng.poisson(4.0, 4000)
    lengths = rng.gamma(2.5, 1 / np.repeat(rate, gaps))
    total = np.bincount(np.repeat(np.arange(4000), gaps), weights=lengths)
    none = np.zeros(4000)
    known = fit(gaps.astype(float), total, none, np.ones(4000), float(np.log(lengths).sum()))
    assert (known.shape, known.r, known.alpha) == pytest.approx((2.5, 3.0, 20.0), rel=0.08)
    twice = fit(gaps.astype(float), total, none, np.full(4000, 2.0), 2 * float(np.log(lengths).sum()))
    assert (twice.shape, twice.r, twice.alpha) == pytest.approx((known.shape, known.r, known.alpha), rel=1e-4)
    weeks = fit(gaps.astype(float), total / 7, none, np.ones(4000), float(np.log(lengths / 7).sum()))
    assert (weeks.shape, weeks.r, weeks.alpha * 7) == pytest.approx((known.shape, known.r, known.alpha), rel=1e-4)


@pytest.mark.parametrize("silence", [1.0, 40.0, 300.0])
def test_the_probability_is_the_gamma_tail_over_the_customer_s_own_rate(silence):
    rhythm = Rhythm(2.5, 3.0, 20.0)
    n, total = 4.0, 100.0
    own = stats.gamma(rhythm.r + rhythm.shape * n, scale=1 / (rhythm.alpha + total))
    expected = integrate.quad(lambda rate: own.pdf(rate) * stats.gamma.sf(silence * rate, rhythm.shape), 0, 2)[0]
    assert float(rhythm.ordinary(np.array(n), np.array(total), np.array(silence))) == pytest.approx(expected, rel=1e-7)
    expected = integrate.quad(lambda rate: own.pdf(rate) * rate / rhythm.shape, 0, 2)[0]
    assert float(rhythm.purchases_a_day(np.array(n), np.array(total))) == pytest.approx(expected, rel=1e-7)


def test_a_longer_silence_is_never_more_ordinary():
    silence = np.linspace(0, 500, 50)
    chance = Rhythm(1.7, 0.9, 12.0).ordinary(np.full(50, 3.0), np.full(50, 60.0), silence)
    assert chance[0] == 1.0
    assert (np.diff(chance) < 0).all()


def test_the_same_silence_is_ordinary_for_one_and_not_for_another(frame):
    weekly = pd.date_range("2024-01-01", periods=20, freq="7D")
    slowly = pd.to_datetime(["2022-06-01", "2022-12-01", "2023-06-01", "2023-12-01", "2024-05-01"])
    others = [pd.date_range("2024-01-01", periods=6, freq=f"{gap}D") for gap in (5, 9, 20, 30, 45)]
    days = {"weekly": weekly, "slowly": slowly, **{f"other{place}": days for place, days in enumerate(others)}}
    log = pd.concat([pd.DataFrame({"who": who, "when": when}) for who, when in days.items()], ignore_index=True)
    table = rm.customers.at_risk(frame(log), **LOG, as_of="2024-08-05", rule="own_rhythm")
    rows = {row["who"]: row for row in as_rows(table)}
    assert rows["weekly"]["at_risk"]
    assert not rows["slowly"]["at_risk"]
    assert rows["weekly"]["probability"] < 0.01 < 0.2 < rows["slowly"]["probability"]


def test_gaps_all_alike_are_said():
    log = pd.DataFrame({"who": np.repeat(range(20), 6), "when": list(pd.date_range("2024-01-01", periods=6)) * 20})
    notes = rm.customers.at_risk(log, **LOG, as_of="2024-03-01", rule="own_rhythm").notes
    assert any("gaps fit the edge of the model: they are all alike" in note for note in notes)


def test_rhythms_all_alike_are_said():
    rng = np.random.default_rng(8)
    days = np.cumsum(1 + rng.integers(0, 40, (60, 9)), axis=1)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(days.ravel(), unit="D")
    log = pd.DataFrame({"who": np.repeat(range(60), 9), "when": when})
    notes = rm.customers.at_risk(log, **LOG, rule="own_rhythm").notes
    assert "nobody has one of their own" in notes[-1]


def test_without_repeat_purchases_there_is_no_rhythm(frame):
    log = pd.DataFrame({"who": ["a", "b"], "when": pd.to_datetime(["2024-01-01", "2024-02-01"])})
    with pytest.raises(InputError, match="at least two gaps"):
        rm.customers.at_risk(frame(log), **LOG, rule="own_rhythm")


# ---------------------------------------------------------------- how well they find who has left


def test_own_rhythm_beats_the_plain_rule_where_rhythms_differ():
    """Median gap 30 days, one in six below 11 and one in six above 82: the plain rule is too slow and too fast."""
    log, alive = simulated(1500, spread=1.0, rng=np.random.default_rng(2016))
    plain = found(log, alive)
    rhythm = found(log, alive, rule="own_rhythm")
    assert plain == pytest.approx((0.916, 0.924), abs=2e-3)
    assert rhythm == pytest.approx((0.983, 0.925), abs=2e-3)
    assert found(log, alive, rule="own_rhythm", below=0.2) == pytest.approx((0.963, 0.944), abs=2e-3)


def test_where_all_buy_monthly_the_plain_rule_is_as_good():
    log, alive = simulated(1500, spread=0.05, rng=np.random.default_rng(2016))
    plain, rhythm = found(log, alive), found(log, alive, rule="own_rhythm")
    assert plain[0] > 0.99
    assert rhythm[0] > 0.97
    assert rhythm[1] > plain[1]


def test_false_alarms_are_as_rare_as_the_threshold_says():
    """Of customers who still buy, the share flagged at 0.05 stays near 0.05."""
    log, alive = simulated(3000, spread=0.7, rng=np.random.default_rng(5))
    table = rm.customers.at_risk(log, **LOG, as_of="2024-12-31", rule="own_rhythm", below=0.05).frame.set_index("who")
    regular = table[(table["purchases"] >= 5) & alive[table.index]]
    assert regular["at_risk"].mean() < 0.06


@pytest.mark.parametrize(
    ("shape", "alarms"),
    [(4.0, (0.043, 0.093)), (1.0, (0.116, 0.217)), (0.5, (0.231, 0.373))],
    ids=["regular", "chance", "bursts"],
)
def test_how_often_the_alarm_rings_for_who_still_buys(shape, alarms):
    """The docs' table: who is judged at any moment is more often inside a long gap than a gap is long."""
    log, alive = simulated(2000, spread=1.0, rng=np.random.default_rng(2016), shape=shape, leaves=0.02)
    table = rm.customers.at_risk(log, **LOG, as_of="2024-12-31", rule="own_rhythm").frame.set_index("who")
    there = table[(table["purchases"] >= 2) & alive[table.index]]
    found = tuple((there["probability"] < below).mean() for below in (0.1, 0.2))
    assert found == pytest.approx(alarms, abs=2e-3)


def by_chance(days: int, seed: int, leaves: float = 0.0) -> tuple[pd.DataFrame, pd.Series]:
    """Purchases by chance, about a hundred days apart, in a log of so many days; and who is still there."""
    rng = np.random.default_rng(seed)
    rows, alive = [], []
    for who in range(4000):
        rate, day, stays = rng.gamma(2.0, 1 / 100.0), rng.uniform(0, 365 / 2), True
        while day < days:
            rows.append((who, pd.Timestamp("2022-01-01") + pd.Timedelta(days=int(day))))
            if leaves and rng.random() < leaves:
                stays = False
                break
            day += max(1.0, rng.gamma(1.0, 1 / rate))
        alive.append(stays)
    return pd.DataFrame(rows, columns=["who", "when"]), pd.Series(alive)


@pytest.mark.parametrize(("days", "last", "rings"), [(365, "2022-12-31", 0.138), (1096, "2024-12-31", 0.115)])
def test_a_short_log_rings_a_little_more_often(days, last, rings):
    """The docs' last figures: gaps that the log does not see end count in the rhythm, but not who never came back."""
    log, _ = by_chance(days, seed=3)
    table = rm.customers.at_risk(log, **LOG, as_of=last, rule="own_rhythm").frame
    regular = table[table["purchases"] >= 2]
    assert (regular["probability"] < 0.1).mean() == pytest.approx(rings, abs=2e-3)


def test_who_left_is_told_from_who_is_late():
    log, _ = by_chance(1096, seed=5, leaves=0.1)
    notes = rm.customers.at_risk(log, **LOG, as_of="2024-12-31", rule="own_rhythm").notes
    said = re.fullmatch(r"Gaps in days: shape (.+), r (.+), alpha (.+); (.+)% leave after a purchase.", notes[-1])
    shape, r, alpha, leaves = (float(each) for each in said.groups())
    # a gap of a day at least makes the shape a little larger than 1
    assert (shape, r, alpha) == pytest.approx((1.05, 2.1, 103), rel=0.12)
    assert leaves == pytest.approx(10, abs=1.5)


def test_the_fit_is_the_likeliest_rhythm():
    """The likelihood written out: each rate is integrated over, and the last gap goes on or the customer left."""
    rng = np.random.default_rng(12)
    rate = rng.gamma(2.0, 1 / 40.0, 60)
    lengths = [rng.gamma(1.5, 1 / each, 1 + rng.poisson(3)) for each in rate]
    silence = np.where(rng.random(60) < 0.3, 400.0, rng.exponential(0.7 / rate))
    gaps, total = (np.array([fold(each) for each in lengths], dtype=float) for fold in (len, np.sum))
    known = fit(gaps, total, silence, np.ones(60), float(np.log(np.concatenate(lengths)).sum()))
    grid = np.exp(np.linspace(np.log(1e-5), np.log(10.0), 4_001))

    def log_likelihood(at):
        shape, r, alpha, leaves = at
        height = 0.0
        for each, silent in zip(lengths, silence, strict=True):
            of_gaps = stats.gamma.logpdf(each[:, None], shape, scale=1 / grid).sum(axis=0)
            late = leaves + (1 - leaves) * stats.gamma.sf(silent, shape, scale=1 / grid)
            whole = np.exp(of_gaps + stats.gamma.logpdf(grid, r, scale=1 / alpha)) * late
            height += np.log(integrate.trapezoid(whole * grid, np.log(grid))) + (each.size - 1) * np.log1p(-leaves)
        return height

    best = np.array([known.shape, known.r, known.alpha, known.leaves])
    top = log_likelihood(best)
    for place in range(4):
        for factor in (0.97, 1.03):
            near = best.copy()
            near[place] *= factor
            assert log_likelihood(near) < top


def test_on_cdnow_the_rules_find_who_does_not_come_back(cdnow):
    """Of those who bought twice by 1997-09-30: who buys nothing in the 39 weeks after."""
    roles = {"customer": "customer_id", "time": "date"}
    split = {"calibration_end": "1997-09-30", "as_of": "1998-06-30"}
    history = rm.clv.rfm_summary(cdnow, **roles, unit="week", **split)
    silent = history.frame.set_index("customer_id")["frequency_holdout"] == 0
    fitted = rm.clv.BGNBD.fit(history)
    scores = {}
    rules = {
        "silence": {},
        "own rhythm": {"rule": "own_rhythm"},
        "own rhythm below 0.2": {"rule": "own_rhythm", "below": 0.2},
        "model": {"rule": "model", "model": fitted},
    }
    for rule, options in rules.items():
        table = rm.customers.at_risk(cdnow, **roles, as_of="1997-09-30", **options)
        table = table.frame.set_index("customer_id")
        repeat = table["purchases"] >= 2
        hits = (table["at_risk"] & silent[table.index]).sum()
        scores[rule] = (hits / table["at_risk"].sum(), hits / (silent[table.index] & repeat).sum())
    assert scores["silence"] == pytest.approx((0.619, 0.719), abs=5e-4)
    assert scores["own rhythm"] == pytest.approx((0.661, 0.510), abs=5e-4)
    assert scores["own rhythm below 0.2"] == pytest.approx((0.612, 0.637), abs=5e-4)
    assert scores["model"] == pytest.approx((0.646, 0.558), abs=5e-4)


# ---------------------------------------------------------------- options


def test_the_probability_of_a_model_is_that_the_customer_is_alive(frame):
    model = rm.clv.BGNBD(r=0.243, alpha=30.0, a=0.793, b=2.426)
    log, _ = simulated(40, spread=1.0, rng=np.random.default_rng(3))
    rows = as_rows(rm.customers.at_risk(frame(log), **LOG, as_of="2024-12-31", rule="model", model=model))
    history = rm.clv.rfm_summary(log, **LOG, as_of="2024-12-31").frame.set_index("who")
    for row in rows:
        x, t_x, age = history.loc[row["who"], ["frequency", "recency", "T"]]
        alive = float(model.probability_alive(x, t_x, age))
        assert row["probability"] == (pytest.approx(alive) if x else None)
        assert row["at_risk"] == (bool(x) and alive < 0.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "model"}, "model= goes with"),
        ({"model": rm.clv.BGNBD(r=1.0, alpha=1.0, a=1.0, b=1.0)}, "model= goes with"),
        ({"rule": "rythm"}, "rule is one of"),
        ({"below": 2.0}, "below"),
        ({"months": 0}, "months"),
        ({"horizon_months": 0}, "horizon_months"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    log = pd.DataFrame({"who": ["a", "a"], "when": pd.to_datetime(["2024-01-01", "2024-02-01"])})
    with pytest.raises(InputError, match=words):
        rm.customers.at_risk(log, **LOG, **options)
