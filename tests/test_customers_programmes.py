"""What keeping customers costs and earns, onboarding, and the demand to expect."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv.spend_limits import GammaSpend, InverseGammaSpend
from retention_metrics.customers import futures
from retention_metrics.errors import ColumnError, FitError, InputError

BUYING = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)

# ---------------------------------------------------------------- retention cost


@given(
    cost=st.floats(1, 1e6),
    counts=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_cost_per_customer_kept_is_the_cost_over_the_difference(cost, counts, shares):
    (n, m), (x, y) = counts, (int(share * count) for share, count in zip(shares, counts, strict=True))
    found = rm.customers.retention_cost(cost=cost, treated=n, kept=x, control=m, control_kept=y)
    lift = rm.difference(rm.retention.rate(start=n, end=x, level=None), rm.retention.rate(start=m, end=y, level=None))
    if x / n <= y / m:
        assert (found.estimate, found.interval, found.status) == (None, None, "no_lift")
        return
    assert found.estimate == pytest.approx(cost / (n * lift.estimate))
    assert found.interval.low == pytest.approx(cost / (n * lift.interval.high))
    upper = cost / (n * lift.interval.low) if lift.interval.low > 0 else math.inf
    assert found.interval.high == pytest.approx(upper)


def test_without_a_control_the_answer_says_that_it_flatters():
    found = rm.customers.retention_cost(cost=900, treated=100, kept=90)
    assert found.estimate == 10.0
    assert "Without a control" in found.notes[0]
    share = stats.binomtest(90, 100).proportion_ci(method="wilson")
    assert (found.interval.low, found.interval.high) == pytest.approx((9 / share.high, 9 / share.low))
    assert found.interval.method == "wilson"
    assert rm.customers.retention_cost(cost=900, treated=100, kept=0).estimate is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kept": 11}, "kept is at most treated"),
        ({"control": 5}, "given together"),
        ({"cost": -1}, "cost"),
        ({"treated": 0, "kept": 0}, "treated"),
    ],
)
def test_counts_that_cannot_be_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        rm.customers.retention_cost(**{"cost": 10, "treated": 10, "kept": 5, **options})


# ---------------------------------------------------------------- keep or let go


def test_the_probability_of_a_loss_is_the_normal_tail(frame):
    rng = np.random.default_rng(32)
    margin, error, cost = rng.normal(10, 20, 200), rng.gamma(2.0, 5.0, 200), rng.gamma(2.0, 5.0, 200)
    z = stats.norm.ppf(0.95)
    table = pd.DataFrame(
        {"margin": margin, "low": margin - z * error, "high": margin + z * error, "cost": cost, "who": range(200)}
    )
    roles = {"margin": "margin", "cost": "cost", "low": "low", "high": "high"}
    rows = as_rows(rm.customers.keep_or_let_go(frame(table), **roles, level=0.9))
    for row in rows:
        place = row["who"]
        loss = stats.norm.cdf(-(margin[place] - cost[place]) / error[place])
        assert row["net_margin"] == pytest.approx(margin[place] - cost[place])
        assert row["probability_of_loss"] == pytest.approx(loss, abs=2e-7)
        assert row["decision"] == ("let_go" if loss > 0.95 else "keep" if loss < 0.05 else "unsure")
    assert {row["decision"] for row in rows} == {"keep", "let_go", "unsure"}


def test_without_an_interval_the_sign_decides_and_what_is_missing_stays_open(frame):
    table = pd.DataFrame({"margin": [5.0, 1.0, np.nan, 1.0, np.inf], "cost": [2.0, 2.0, 2.0, np.nan, np.inf]})
    rows = as_rows(rm.customers.keep_or_let_go(frame(table), margin="margin", cost="cost"))
    assert [row["decision"] for row in rows] == ["keep", "let_go", None, None, None]
    assert [row["status"] for row in rows] == ["ok", "ok", "missing_margin", "missing_cost", "undefined"]
    assert "probability_of_loss" not in rows[0]


def test_a_lifetime_value_with_its_interval_goes_straight_in(frame):
    history = BUYING.simulate(np.linspace(27, 39, 1500), rng=2005)[["frequency", "recency", "T"]]
    spent = SPEND.simulate(history["frequency"], rng=1)
    history = history.assign(monetary_value=spent, cost=20.0)
    fits = rm.clv.BGNBD.fit(history), rm.clv.GammaGamma.fit(history)
    valued = rm.clv.lifetime_value(*fits, frame(history), horizon=39, level=0.95)
    table = rm.customers.keep_or_let_go(valued.frame, margin="clv", cost="cost", low="clv_low", high="clv_high")
    for row in as_rows(table):
        assert row["net_margin"] == pytest.approx(row["clv"] - 20.0)
        assert (row["net_margin"] < 0) == (row["probability_of_loss"] > 0.5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"low": "low"}, InputError, "given together"),
        ({"margin": "name"}, ColumnError, "column of numbers"),
        ({"cost": "nothing"}, ColumnError, "not a column"),
    ],
)
def test_columns_that_cannot_be_are_refused(frame, options, error, words):
    table = pd.DataFrame({"margin": [1.0], "cost": [2.0], "low": [0.0], "name": ["a"]})
    with pytest.raises(error, match=words):
        rm.customers.keep_or_let_go(frame(table), **{"margin": "margin", "cost": "cost", **options})


# ---------------------------------------------------------------- onboarding


@pytest.fixture
def starts() -> pd.DataFrame:
    rng = np.random.default_rng(34)
    helped = rng.random(400) < 0.5
    days = np.ceil(rng.exponential(np.where(helped, 300, 150)))
    left = days < 200
    first = np.where(rng.random(400) < 0.8, rng.integers(1, 40, 400), np.nan)
    return pd.DataFrame({"helped": helped, "days": np.minimum(days, 200), "left": left, "first": first})


def test_early_churn_and_its_difference_are_those_of_the_counts(frame, starts):
    found = rm.customers.onboarding(
        frame(starts), onboarded="helped", duration="days", churned="left", first_use="first", by_day=90
    )
    groups = [starts[starts["helped"]], starts[~starts["helped"]]]
    rates = []
    for row, group in zip(found.rows(), groups, strict=True):
        early = int((group["left"] & (group["days"] <= 90)).sum())
        rates.append(rm.churn.rate(start=len(group), lost=early))
        assert (row["customers"], row["churned"]) == (len(group), early)
        assert (row["low"], row["high"]) == pytest.approx((rates[-1].interval.low, rates[-1].interval.high))
        used = group["first"].dropna()
        assert (row["used"], row["median_first_use"]) == (len(used), used.median())
        assert row["first_use_low"] <= used.median() <= row["first_use_high"]
    expected = rm.difference(*rates)
    assert found.difference == pytest.approx(expected.estimate)
    assert found.difference_interval.low == pytest.approx(expected.interval.low)


def test_who_left_before_the_landmark_is_in_neither_group(starts):
    roles = {"onboarded": "helped", "duration": "days", "churned": "left"}
    found = rm.customers.onboarding(starts, **roles, landmark=14)
    gone = starts["left"] & (starts["days"] < 14)
    assert found.excluded["left_before_landmark"] == gone.sum()
    assert sum(row["customers"] for row in found.rows()) == (~gone).sum()


def test_who_has_not_been_observed_long_enough_is_counted_apart(starts):
    young = pd.concat([starts, pd.DataFrame({"helped": [True] * 3, "days": 10.0, "left": False, "first": 1.0})])
    roles = {"onboarded": "helped", "duration": "days", "churned": "left"}
    before, after = rm.customers.onboarding(starts, **roles), rm.customers.onboarding(young, **roles)
    assert after.excluded == {"observed_too_short": 3}
    assert after.rows() == before.rows()


def test_the_interval_of_the_median_covers_at_least_as_often_as_it_says():
    rng = np.random.default_rng(25)
    hits = 0
    for _ in range(150):
        first = rng.exponential(10.0, 40)
        table = pd.DataFrame({"helped": [True] * 40 + [False], "days": 100.0, "left": False, "first": [*first, 1.0]})
        row = rm.customers.onboarding(
            table, onboarded="helped", duration="days", churned="left", first_use="first"
        ).rows()[0]
        hits += row["first_use_low"] <= 10 * math.log(2) <= row["first_use_high"]
    assert 0.94 <= hits / 150 <= 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [({"days": -1.0}, "duration"), ({"helped": 2}, "onboarded"), ({"helped": True}, "both groups")],
)
def test_customers_that_cannot_be_are_refused(starts, change, words):
    with pytest.raises(InputError, match=words):
        rm.customers.onboarding(starts.assign(**change), onboarded="helped", duration="days", churned="left")


# ---------------------------------------------------------------- demand


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    drawn = BUYING.simulate(np.linspace(27, 39, 1200), rng=2005)
    spent = SPEND.simulate(drawn["frequency"], rng=7)
    return drawn[["frequency", "recency", "T"]].assign(monetary_value=np.nan_to_num(spent))


def test_the_orders_to_expect_are_the_sum_over_the_customers(frame, base):
    rows = rm.customers.demand(BUYING, frame(base), spend=SPEND, length=13, periods=3, draws=100, rng=1).rows()
    history = (base["frequency"], base["recency"], base["T"])
    bought = BUYING.expected_purchases(*history, horizon=39)
    worth = SPEND.expected_value(base["frequency"], base["monetary_value"])
    assert rows[-1]["orders"] == pytest.approx(bought.sum())
    assert rows[-1]["revenue"] == pytest.approx((bought * worth).sum())
    assert sum(row["orders"] for row in rows[:-1]) == pytest.approx(rows[-1]["orders"])
    assert rows[0]["orders"] == pytest.approx(BUYING.expected_purchases(*history, horizon=13).sum())


FUTURES = {
    "BGNBD": BUYING,
    "MBGNBD": rm.clv.MBGNBD(r=0.6, alpha=6.0, a=0.8, b=2.0),
    "ParetoNBD": rm.clv.ParetoNBD(r=0.6, alpha=6.0, s=0.8, beta=20.0),
    "GGompertzNBD": rm.clv.GGompertzNBD(r=1.0, alpha=2.0, b=0.1, s=1.0, beta=4.0),
    "BGCNBD": rm.clv.BGCNBD(k=3, r=0.6, alpha=3.0, a=0.8, b=2.4),
    "BGBB": rm.clv.BGBB(alpha=1.2, beta=0.75, gamma=0.8, delta=3.0),
}


def test_every_model_of_purchases_has_futures():
    assert {kind.__name__ for kind in futures.MODELS} == set(FUTURES)


@pytest.mark.parametrize("name", FUTURES)
def test_simulated_futures_are_those_of_the_model(name):
    """The draws behind the interval and the closed forms are two ways to one number: means, and who buys n times."""
    model, rng = FUTURES[name], np.random.default_rng(9)
    step = 2.0 if name == "BGBB" else 8.0
    drawn = model.simulate(np.full(500, 8.0) if name == "BGBB" else np.linspace(20, 40, 500), rng=3)
    history = tuple(drawn[role].to_numpy(float) for role in ("frequency", "recency", "T"))
    chance = model.probability_alive(*history)
    bought = np.array([futures.future(model, chance, *history, step, 3, rng) for _ in range(400)])
    by_period = bought.sum(axis=1)
    upto = np.array([model.expected_purchases(*history, horizon=step * k).sum() for k in (1, 2, 3)])
    error = by_period.std(axis=0) / 20
    assert (np.abs(by_period.mean(axis=0) - np.diff(upto, prepend=0.0)) < 4 * error).all()
    for number in (0, 1, 3):
        shares = (bought.sum(axis=2) == number).mean(axis=1)
        chance = model.probability_of_purchases(*history, n=number, horizon=3 * step).mean()
        assert abs(shares.mean() - chance) < 4 * shares.std() / 20


def test_demand_by_group_is_that_of_each_group(frame, base):
    grouped = base.assign(side=np.where(np.arange(len(base)) % 3 == 0, "web", "shop"))
    table = rm.customers.demand(BUYING, frame(grouped), spend=SPEND, length=13, periods=2, by="side", draws=100, rng=1)
    rows = table.rows()
    assert [(row["group"], row["period"]) for row in rows] == [
        (side, period) for side in ("shop", "web") for period in (1, 2, None)
    ]
    for side in ("shop", "web"):
        own = rm.customers.demand(
            BUYING, grouped[grouped["side"] == side], spend=SPEND, length=13, periods=2, draws=100, rng=1
        )
        for row, alone in zip((row for row in rows if row["group"] == side), own.rows(), strict=True):
            assert (row["orders"], row["revenue"]) == pytest.approx((alone["orders"], alone["revenue"]))
            assert row["orders_low"] <= row["orders"] <= row["orders_high"]
            # other draws of the same futures: the widths are alike
            width = alone["orders_high"] - alone["orders_low"]
            assert row["orders_high"] - row["orders_low"] == pytest.approx(width, rel=0.4)


def test_every_history_has_a_group(base):
    with pytest.raises(InputError, match="1 rows have none") as caught:
        rm.customers.demand(BUYING, base.assign(side=["a"] * (len(base) - 1) + [None]), length=13, by="side")
    assert (caught.value.argument, caught.value.count) == ("by", 1)


def near_limit(limit):
    """A Gamma-Gamma model so near its limit that none of what is drawn here tells them apart."""
    if isinstance(limit, GammaSpend):
        return rm.clv.GammaGamma(p=limit.p, q=1e6, v=1e6 * limit.mu / limit.p)
    return rm.clv.GammaGamma(p=1e5, q=limit.q, v=limit.s / 1e5)


@pytest.mark.parametrize("limit", [GammaSpend(p=2.5, mu=35.0), InverseGammaSpend(q=3.5, s=90.0)])
def test_revenue_follows_a_limit_of_the_spend_model(base, limit):
    options = {"length": 13, "periods": 2, "draws": 1000, "rng": 17}
    found = rm.customers.demand(BUYING, base, spend=limit, **options)
    near = rm.customers.demand(BUYING, base, spend=near_limit(limit), **options)
    for row, other in zip(found.rows(), near.rows(), strict=True):
        assert row["revenue"] == pytest.approx(other["revenue"], rel=1e-3)
        width = other["revenue_high"] - other["revenue_low"]
        # ends of 1,000 draws each: their errors are about 1/25 of the width
        for end in ("revenue_low", "revenue_high"):
            assert row[end] == pytest.approx(other[end], abs=0.15 * width)
    assert f"Spend follows a limit of Gamma-Gamma, where {limit.limit_of}." in found.notes


def test_the_fit_at_a_limit_goes_into_demand(base):
    frequency = base["frequency"]
    alike = base.assign(monetary_value=np.nan_to_num(GammaSpend(p=2.5, mu=35.0).simulate(frequency, rng=4)))
    with pytest.raises(FitError) as caught:
        rm.clv.GammaGamma.fit(alike)
    row = rm.customers.demand(BUYING, alike, spend=caught.value.limit, length=13, draws=100, rng=1).rows()[-1]
    assert row["revenue"] == pytest.approx(row["orders"] * caught.value.limit.model.mu)
    assert row["revenue_low"] < row["revenue"] < row["revenue_high"]


def test_an_uncertain_model_has_the_wider_interval(base):
    fit = rm.clv.BGNBD.fit(base)
    sure, unsure = (
        rm.customers.demand(model, base, length=39, periods=1, draws=400, rng=3).rows()[0] for model in (fit.model, fit)
    )
    assert unsure["orders_high"] - unsure["orders_low"] > 1.2 * (sure["orders_high"] - sure["orders_low"])


def test_the_same_seed_draws_the_same_futures(base):
    first, again = (rm.customers.demand(BUYING, base, length=4, draws=100, rng=8) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 0}, "length"),
        ({"periods": 0}, "periods"),
        ({"draws": 5}, "draws"),
        ({"level": None}, "level"),
        ({"draws": 150, "level": 0.99}, "draws is at least 199"),
        ({"model": SPEND}, "model is one of BGNBD, MBGNBD, ParetoNBD"),
        ({"model": rm.clv.BGBB(alpha=1, beta=1, gamma=1, delta=1), "length": 1.5}, "length holds whole numbers"),
        ({"spend": BUYING}, "spend is a GammaGamma"),
        ({"spend": rm.clv.GammaGamma(p=6.0, q=0.9, v=15.0)}, "infinite"),
    ],
)
def test_demand_refuses_what_it_cannot_answer(base, options, words):
    model = options.pop("model", BUYING)
    with pytest.raises(InputError, match=words):
        rm.customers.demand(model, base, **{"length": 13, **options})
