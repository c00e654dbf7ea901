"""What revenue stays, in how few hands it lies, what it costs; and simulated logs that know the answer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from leaving_out import cubic_root, degrees_of_freedom, ratio_ends
from retention_metrics import revenue
from retention_metrics.errors import ColumnError, InputError

START = np.array([100, 200, 50, 1000, 300, 80, 120, 400.0])
END = np.array([100, 150, 0, 1100, 300, 120, 0, 400.0])
PAID = pd.DataFrame({"before": START, "after": END})
BOTH = {"opening": "before", "closing": "after"}
ROLES = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount"}
LAST = "2023-12-31"
few = settings(max_examples=20)


@pytest.fixture(scope="module")
def simulated():
    return rm.datasets.simulate_subscriptions(customers=4000, months=24, rng=2005)


# ---------------------------------------------------------------- what stays


def test_the_published_case(frame):
    net, gross = revenue.net_retention(frame(PAID), **BOTH), revenue.gross_retention(frame(PAID), **BOTH)
    assert (round(net.estimate, 6), round(net.standard_error, 6)) == (0.964444, 0.092740)
    assert (round(gross.estimate, 6), round(gross.standard_error, 6)) == (0.902222, 0.077769)
    assert revenue.logo_retention(frame(PAID), **BOTH).estimate == 0.75
    assert net.effective_customers == pytest.approx(3.826, abs=5e-4)
    assert "3.8 equal ones" in net.notes[0]


amounts = st.lists(st.tuples(st.floats(1, 1e6), st.floats(0, 1e6)), min_size=2, max_size=30)


@few
@given(pairs=amounts, method=st.sampled_from(["ratio", "bca"]))
def test_gross_retention_and_its_interval_stay_between_0_and_1(pairs, method):
    paid = pd.DataFrame(pairs, columns=["before", "after"])
    gross = revenue.gross_retention(paid, **BOTH, method=method, resamples=100, rng=1)
    assert 0 <= gross.estimate <= 1
    if gross.interval is not None:
        assert 0 <= gross.interval.low <= gross.estimate <= gross.interval.high <= 1
    assert gross.estimate <= revenue.net_retention(paid, **BOTH).estimate + 1e-12


def test_the_standard_error_is_that_of_the_residuals():
    ratio = END.sum() / START.sum()
    by_hand = math.sqrt(8 / 7 * ((END - ratio * START) ** 2).sum()) / START.sum()
    assert revenue.net_retention(PAID, **BOTH).standard_error == pytest.approx(by_hand, rel=1e-12)


def test_the_interval_is_that_of_leaving_out_each_customer(frame):
    paid = pd.DataFrame({"before": np.tile(START, 4), "after": np.tile(END, 4) * np.repeat([1.0, 0.9, 1.1, 0.7], 8)})
    net, gross = revenue.net_retention(frame(paid), **BOTH), revenue.gross_retention(frame(paid), **BOTH)
    x, y = (paid[name].to_numpy() for name in ("before", "after"))
    assert (net.interval.low, net.interval.high) == pytest.approx(ratio_ends(x, y))
    assert (gross.interval.low, gross.interval.high) == pytest.approx(ratio_ends(x, np.minimum(x, y), logit=True))
    assert net.interval.method == gross.interval.method == "jackknife"
    # the error agrees with the jackknife itself but for the third order of the shares, of which the largest is 0.11
    left_out = (y.sum() - y) / (x.sum() - x)
    t = stats.t.ppf(0.975, degrees_of_freedom(y - net.estimate * x))
    error = math.log(net.interval.high / net.estimate) * net.estimate / t
    assert error == pytest.approx(math.sqrt(((left_out - net.estimate) ** 2).sum()), rel=0.005)


def test_bca_is_scipy_s():
    rng = np.random.default_rng(1987)
    x = rng.gamma(2.0, 50.0, 60)
    paid = pd.DataFrame({"before": x, "after": x * rng.choice([0, 0.8, 1, 1.3], 60)})
    ours = revenue.net_retention(paid, **BOTH, method="bca", resamples=20_000, rng=1).interval

    def ratio(before, after, axis=-1):
        return after.sum(axis=axis) / before.sum(axis=axis)

    theirs = stats.bootstrap(
        (paid["before"], paid["after"]), ratio, paired=True, method="BCa", n_resamples=20_000, rng=2
    ).confidence_interval
    # two runs of 20,000 resamples differ by about 0.001 at the ends
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_bootstrap_has_its_bound():
    paid = pd.DataFrame({"before": np.ones(1_001), "after": np.ones(1_001)})
    with pytest.raises(InputError, match=r"1,001 customers 10,000,000 times, more than 10\^10") as caught:
        revenue.net_retention(paid, **BOTH, method="bca", resamples=10_000_000)
    assert caught.value.argument == "method"


def test_where_everything_was_kept_there_is_an_interval_still():
    kept = pd.DataFrame({"before": [10.0] * 40, "after": [10.0] * 40})
    gross = revenue.gross_retention(kept, **BOTH)
    assert (gross.estimate, gross.interval.high) == (1.0, 1.0)
    assert 0.85 < gross.interval.low < 0.95
    net = revenue.net_retention(kept, **BOTH)
    assert net.interval is None
    assert "no interval" in net.notes[-1]


def test_two_dates_of_subscriptions_are_two_amounts(frame, simulated):
    few = simulated[simulated["customer_id"] % 20 == 0]
    at = ("2022-06-15", "2023-06-15")

    def paying(day):
        day = pd.Timestamp(day)
        there = few[(few["start"] <= day) & (few["end"].isna() | (few["end"] > day))]
        return there.groupby("customer_id")["amount"].sum()

    pairs = pd.concat([paying(at[0]).rename("before"), paying(at[1]).rename("after")], axis=1)
    pairs = pairs[pairs["before"].notna()].fillna(0.0)
    for measure in (revenue.net_retention, revenue.gross_retention):
        by_hand, found = measure(pairs, **BOTH), measure(frame(few), **ROLES, at=at)
        assert found.estimate == pytest.approx(by_hand.estimate, rel=1e-12)
        assert found.standard_error == pytest.approx(by_hand.standard_error, rel=1e-9)
    logos = revenue.logo_retention(frame(few), **ROLES, at=at)
    assert (logos.numerator, logos.denominator) == ((pairs["after"] > 0).sum(), len(pairs))


def billed():
    """Subscriptions with everything that a price may hold: c0 is a trial, c1 is unpaid, c2 is charged once only."""
    rng = np.random.default_rng(1606)
    starts = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 150, 60), unit="D")
    ends = starts + pd.to_timedelta(rng.integers(30, 300, 60), unit="D")
    log = pd.DataFrame(
        {
            "who": [f"c{place % 40}" for place in range(60)],
            "plan": [f"s{place}" for place in range(60)],
            "from": starts,
            "until": ends.where(rng.random(60) < 0.5),
            "price": np.round(rng.gamma(2.0, 30.0, 60), 2) + 20,
            "tax": rng.choice([0.0, 5.0, np.nan], 60),
            "off": rng.choice([0.0, 10.0], 60),
            "again": np.arange(60) != 2,
            "unpaid": pd.Series([pd.NaT, pd.Timestamp("2024-05-20")] + [pd.NaT] * 58),
            "cur": rng.choice(["EUR", "USD"], 60),
        }
    )
    log.loc[0, ["price", "tax", "off"]] = 0.0
    log.loc[1, ["from", "until"]] = [pd.Timestamp("2024-01-10"), pd.NaT]
    return log


BILLED = {"customer": "who", "start": "from", "end": "until", "amount": "price", "subscription": "plan"}
PARTS = {"tax": "tax", "discount": "off", "recurring": "again", "past_due": "unpaid", "grace_days": 14}
DAYS = ("2024-03-31", "2024-09-30")
DATED = {"EUR": {"2024-01-01": 1.10, "2024-03-15": 1.20, "2024-07-01": 1.05}, "USD": 1.0}


def paying_at(moved, day):
    """What each customer pays at the end of a day, from its last movement."""
    return moved[moved["period"] <= day].groupby("who")["change"].sum().loc[lambda money: money > 0.005]


@pytest.mark.parametrize("rates", [{"EUR": 1.20, "USD": 1.0}, DATED], ids=["constant", "dated"])
def test_two_dates_read_prices_as_the_bridge_does(frame, rates):
    options = {**BILLED, **PARTS, "currency": "cur", "as_of": DAYS[1]}
    bridge = revenue.movements(billed(), **options, rates=rates).rows()
    constant = revenue.customer_movements(billed(), **options, rates={"EUR": 1.20, "USD": 1.0}).to_frame()
    opening, closing = (paying_at(constant, day) for day in DAYS)
    stayed = closing.reindex(opening.index, fill_value=0.0)
    assert (stayed > opening).any() or (stayed == 0).any()

    net = revenue.net_retention(frame(billed()), **BILLED, **PARTS, currency="cur", rates=rates, at=DAYS)
    gross = revenue.gross_retention(frame(billed()), **BILLED, **PARTS, currency="cur", rates=rates, at=DAYS)
    assert net.opening == gross.opening == pytest.approx(bridge[2]["end_mrr"], abs=1e-4)
    assert net.closing == pytest.approx(stayed.sum(), abs=1e-4)
    # Money adds up in whole units, so to the last bit in whatever order an engine adds.
    assert all(sum_ == round(sum_ * 360_000) / 360_000 for sum_ in (net.opening, net.closing, gross.closing))
    assert gross.closing == pytest.approx(np.minimum(stayed, opening).sum(), abs=1e-4)
    joined = closing.drop(opening.index, errors="ignore").sum()
    if rates is not DATED:
        assert net.closing + joined == pytest.approx(bridge[-1]["end_mrr"], abs=1e-4)

    logos = revenue.logo_retention(frame(billed()), **BILLED, **PARTS, at=DAYS)
    assert (logos.numerator, logos.denominator) == ((stayed > 0).sum(), len(opening))
    assert net.excluded["one_off"] == logos.excluded["one_off"] == 1


@pytest.mark.parametrize("option", ["tax", "discount", "recurring", "past_due"])
def test_each_part_of_a_price_moves_what_stays(option):
    given = {name: value for name, value in PARTS.items() if name != option}
    rates = {"currency": "cur", "rates": DATED, "at": DAYS}
    whole, without = (revenue.net_retention(billed(), **BILLED, **parts, **rates) for parts in (PARTS, given))
    assert (whole.opening, whole.closing) != (without.opening, without.closing)


def test_dated_rates_begin_by_the_first_of_two_days():
    late = {"EUR": {"2024-04-01": 1.1}, "USD": 1.0}
    with pytest.raises(InputError, match="begin on 2024-04-01, after 2024-03-31") as caught:
        revenue.net_retention(billed(), **BILLED, currency="cur", rates=late, at=DAYS)
    assert caught.value.argument == "rates"


def test_the_bases_differ_for_who_left_and_came_back(frame):
    plans = pd.DataFrame(
        {
            "who": ["a", "a", "b", "b", "c"],
            "from": pd.to_datetime(["2024-01-01", "2024-04-01", "2024-01-01", "2024-03-01", "2024-01-01"]),
            "until": pd.to_datetime(["2024-03-01", None, "2024-03-01", None, None]),
            "price": [100.0, 100.0, 100.0, 60.0, 50.0],
        }
    )
    options = {
        "customer": "who",
        "start": "from",
        "end": "until",
        "amount": "price",
        "at": ("2024-02-01", "2024-06-01"),
    }
    logos = [revenue.logo_retention(frame(plans), **options, basis=basis) for basis in ("endpoint", "events")]
    assert [(each.numerator, each.denominator) for each in logos] == [(3, 3), (2, 3)]
    gross = [revenue.gross_retention(frame(plans), **options, basis=basis) for basis in ("endpoint", "events")]
    assert [each.closing for each in gross] == [210.0, 110.0]
    assert "never higher" in logos[0].notes[0]
    assert "never lower" in logos[1].notes[0]


def days_of(rows, who, free):
    """Day by day: what a customer pays, and whether it is one."""
    there, days = False, {}
    for day in pd.date_range("2024-01-01", "2024-03-31"):
        running = [price for name, start, end, price in rows if name == who and start <= day and not end <= day]
        there = sum(running) > 0 or (free == "active" and there and bool(running))
        days[day] = (sum(running), there)
    return days


@pytest.mark.parametrize("free", ["churn", "active"])
def test_a_free_month_is_what_it_is_told_to_be_between_two_dates(frame, free):
    rng = np.random.default_rng(1912)
    starts = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 80, 120), unit="D")
    ends = (pd.Series(starts) + pd.to_timedelta(rng.integers(5, 60, 120), unit="D")).where(rng.random(120) < 0.8)
    names = {
        "who": rng.integers(0, 40, 120),
        "from": starts,
        "until": ends,
        "price": rng.choice([0.0, 0.0, 10.0, 25.5], 120),
    }
    plans = pd.DataFrame(names)
    rows = list(plans.itertuples(index=False, name=None))
    first, last = (pd.Timestamp(day) for day in ("2024-01-31", "2024-03-31"))
    people = [days_of(rows, who, free) for who in range(40)]
    people = [days for days in people if days[first][1]]
    assert any(days[first][0] == 0 for days in people) == (free == "active")
    options = {
        "customer": "who",
        "start": "from",
        "end": "until",
        "amount": "price",
        "at": (str(first.date()), str(last.date())),
    }

    net = revenue.net_retention(frame(plans), **options, free=free)
    assert (net.opening, net.closing) == tuple(sum(days[day][0] for days in people) for day in (first, last))
    logos = revenue.logo_retention(frame(plans), **options, free=free)
    assert (logos.numerator, logos.denominator) == (sum(days[last][1] for days in people), len(people))
    steady = sum(all(there for day, (_, there) in days.items() if day >= first) for days in people)
    assert revenue.logo_retention(frame(plans), **options, free=free, basis="events").numerator == steady


def test_what_takes_the_bridge_apart_reads_prices_as_it_does(frame):
    rows, options = (
        billed(),
        {**BILLED, **PARTS, "currency": "cur", "rates": {"EUR": 1.20, "USD": 1.0}, "as_of": DAYS[1]},
    )
    bridge = revenue.movements(rows, **options)
    options.pop("subscription")
    assert revenue.quick_ratio(frame(rows), **options).estimate == pytest.approx(revenue.quick_ratio(bridge).estimate)
    grown = revenue.expansion(frame(rows), **options, product="plan")
    assert grown.columns["expansion"] == bridge.columns["expansion"]
    cohorts = revenue.by_cohort(frame(rows), **options, level=None).to_frame("pandas")
    assert cohorts.groupby("period")["mrr"].sum().to_numpy() == pytest.approx(np.array(bridge.columns["end_mrr"]))


def test_two_dates_are_those_of_the_zone(frame):
    hours = ["2024-01-01 12:00", "2024-02-01 03:00"]
    plans = pd.DataFrame(
        {"who": ["a", "b"], "from": pd.to_datetime(hours, utc=True), "until": pd.NaT, "price": [10.0, 5.0]}
    )
    plans["until"] = pd.to_datetime(plans["until"], utc=True)
    options = {
        "customer": "who",
        "start": "from",
        "end": "until",
        "amount": "price",
        "at": ("2024-01-31", "2024-02-29"),
    }
    for measure in (revenue.net_retention, revenue.gross_retention):
        assert measure(frame(plans), **options).opening == 10.0
        assert measure(frame(plans), **options, tz="America/New_York").opening == 15.0
    assert revenue.logo_retention(frame(plans), **options, tz="America/New_York").denominator == 2


def test_currencies_and_billing_periods_change_no_logo():
    priced = {"every": "year", "currency": "cur", "rates": {"EUR": 1.20, "USD": 1.0}, "as_of": DAYS[1]}
    moved = revenue.customer_movements(billed(), **BILLED, **PARTS, **priced).to_frame()
    opening, closing = (paying_at(moved, day) for day in DAYS)
    logos = revenue.logo_retention(billed(), **BILLED, **PARTS, at=DAYS)
    assert (logos.numerator, logos.denominator) == (opening.index.isin(closing.index).sum(), len(opening))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"opening": "before"}, "give either"),
        ({**BOTH, "at": ("2024-01-01", "2024-02-01")}, "give either"),
        ({**BOTH, "method": "guess"}, "method is one of"),
        ({**BOTH, "free": "gone"}, "free is one of"),
        (
            dict.fromkeys(("customer", "start", "end", "amount"), "before")
            | {"at": ("2024-01-01", "2024-02-01"), "every": "fortnight"},
            "every is one of",
        ),
    ],
)
def test_bad_calls_of_retention_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        revenue.net_retention(PAID, **options)


def test_what_has_no_events_has_no_event_basis():
    with pytest.raises(InputError, match="needs subscriptions"):
        revenue.gross_retention(PAID, **BOTH, basis="events")


def test_bad_amounts_are_refused_or_counted():
    odd = pd.DataFrame({"before": [10.0, None, 0.0, 5.0], "after": [5.0, 1.0, 2.0, None]})
    assert dict(revenue.net_retention(odd, **BOTH).excluded) == {
        "missing_opening": 1,
        "missing_closing": 1,
        "not_at_start": 1,
    }
    with pytest.raises(InputError, match="after"):
        revenue.net_retention(odd.assign(after=-1.0), **BOTH)
    with pytest.raises(InputError, match="nobody pays"):
        revenue.net_retention(odd.assign(before=0.0), **BOTH)
    with pytest.raises(ColumnError, match="numbers"):
        revenue.net_retention(odd.assign(after="x"), **BOTH)


# ---------------------------------------------------------------- in how few hands


def test_concentration_by_its_definitions(frame):
    spread = revenue.concentration(frame(PAID), amount="before", rng=1)
    differences = np.abs(START[:, None] - START[None, :]).mean()
    assert float(spread.gini) == pytest.approx(differences / (2 * START.mean()), rel=1e-12)
    assert float(spread.hhi) == pytest.approx(((START / START.sum()) ** 2).sum(), rel=1e-12)
    assert (round(float(spread.gini), 6), round(float(spread.hhi), 6)) == (0.496111, 0.261393)
    assert float(spread.effective_customers) == pytest.approx(3.826, abs=5e-4)
    assert float(spread.top_share(1 / 8)) == pytest.approx(1000 / START.sum(), rel=1e-12)
    assert float(spread.share_needed(1000 / START.sum())) == pytest.approx(1 / 8, rel=1e-9)


@few
@given(
    values=st.lists(st.integers(0, 10_000), min_size=2, max_size=40).filter(sum),
    q=st.floats(0, 1),
    factor=st.floats(0.01, 100),
)
@example(values=[0] * 5 + [1] * 5, q=0.2, factor=1.0)
def test_laws_of_concentration(values, q, factor):
    spread = revenue.concentration(values, level=None)
    assert -1e-12 <= float(spread.gini) <= 1 - 1 / len(values) + 1e-12
    assert 1 / len(values) - 1e-12 <= float(spread.hhi) <= 1 + 1e-12
    assert float(spread.top_share(q)) >= q - 1e-9
    assert float(spread.share_needed(q)) <= q + 1e-9
    scaled = revenue.concentration(np.array(values) * factor, level=None)
    assert float(scaled.gini) == pytest.approx(float(spread.gini), abs=1e-9)
    if len(values) > 2:
        top, needed = (getattr(revenue.concentration(values), name)(q) for name in ("top_share", "share_needed"))
        assert q - 1e-9 <= top.interval.low <= top.estimate <= top.interval.high <= 1
        assert 0 <= needed.interval.low <= needed.estimate <= needed.interval.high <= q + 1e-9


def test_every_statistic_of_concentration_has_its_interval():
    spread = revenue.concentration(np.random.default_rng(1912).lognormal(3, 1, 500), rng=1)
    for each in (spread.gini, spread.hhi, spread.effective_customers, spread.top_share(0.1), spread.share_needed(0.8)):
        assert each.interval.low < each.estimate < each.interval.high
    # the Gini of a lognormal with sigma 1 is 2 Phi(1 / sqrt 2) - 1
    assert 0.5205 in spread.gini.interval


def test_errors_of_the_curve_are_what_each_customer_moves():
    """The error of a statistic of sums is that of its slopes along each customer, found here by differences."""
    from retention_metrics._stats import concentration as formulas

    rng = np.random.default_rng(1983)
    values, counts = np.unique(np.round(rng.lognormal(3.0, 1.0, 400), 1), return_counts=True)
    weights, n = counts.astype(float), 400
    at = np.array(
        [0.1013, 0.3007, 0.5204, 0.8011, 0.9509, 0.9907]
    )  # within a customer: at an edge the curve has a kink

    def statistics(of):
        return 1 - formulas.lorenz_top(values, of, 1 - at)

    slopes, step = [], 1e-6
    for place in range(values.size):
        toward = np.zeros(values.size)
        toward[place] = n
        both = [statistics((1 - sign * step) * weights + sign * step * toward) for sign in (1, -1)]
        slopes.append((both[0] - both[1]) / (2 * step))
    moved = np.array(slopes) / n / (1 - values / (counts @ values))[:, None]
    expected = np.sqrt(counts @ moved**2)
    curve = formulas.lorenz_jackknife(values, weights, at)
    # to second order in the shares of the customers, of which the largest is 0.02
    assert curve.error == pytest.approx(expected, rel=1e-3)
    fourths = counts @ (np.array(slopes) / n) ** 4
    spread = n * fourths / (counts @ (np.array(slopes) / n) ** 2) ** 2 - 1
    assert curve.freedom == pytest.approx(2 * (n - 1) / spread, rel=0.01)


def test_leaving_out_each_customer_is_done_one_by_one():
    from retention_metrics._stats import concentration as formulas

    amounts = np.sort(np.round(np.random.default_rng(2000).lognormal(3.0, 1.0, 60), 0))
    values, counts = np.unique(amounts, return_counts=True)
    n, left = 60, []
    for place in range(n):
        others = np.delete(amounts, place)
        differences = np.abs(others[:, None] - others).sum() / ((n - 1) * (n - 2))
        left.append((differences / (2 * others.mean()), (others.std(ddof=1) / others.mean()) ** 2))
    away = np.array(left) - np.mean(left, axis=0)
    expected = np.sqrt((n - 1) / n * (away**2).sum(axis=0))
    found = formulas.gini_jackknife(values, counts.astype(float)), formulas.hhi_jackknife(values, counts.astype(float))
    assert [float(each.error) for each in found] == pytest.approx(expected, rel=1e-9)
    assert [float(each.freedom) for each in found] == pytest.approx([degrees_of_freedom(each) for each in away.T])
    assert [float(each.skewness) for each in found] == pytest.approx(-stats.skew(away), rel=1e-9)
    spread = revenue.concentration(amounts)
    assert 0.7 < spread.gini.interval.high < 1
    for name, each, value, grown in (
        ("gini", found[0], float(spread.gini) * n / (n - 1), lambda end: end),
        ("hhi", found[1], (amounts.std(ddof=1) / amounts.mean()) ** 2, lambda end: (1 + end * (n - 1) / n) / n),
    ):
        student, skewness = stats.t.ppf(0.975, each.freedom), float(each.skewness) / np.sqrt(n)
        error = each.error / value
        root = cubic_root(skewness, skewness - 1.5 * error, stats.t.ppf(0.975, n - 1))
        high = value * np.exp(error * max(student, -root))
        assert getattr(spread, name).interval.high == pytest.approx(min(grown(high), 1.0))


def test_the_jackknife_agrees_with_the_bootstrap_in_large_bases():
    amounts = np.random.default_rng(10).lognormal(3.0, 1.0, 60_000)
    fast = revenue.concentration(amounts)
    drawn = revenue.concentration(amounts, resamples=400, rng=3)
    assert fast.gini.interval.method == fast.top_share(0.01).interval.method == "jackknife"
    assert drawn.gini.interval.method == "bootstrap"
    for one, other in (
        (fast.gini, drawn.gini),
        (fast.hhi, drawn.hhi),
        (fast.effective_customers, drawn.effective_customers),
        (fast.top_share(0.01), drawn.top_share(0.01)),
        (fast.top_share(0.5), drawn.top_share(0.5)),
    ):
        assert one.estimate == other.estimate
        # 400 resamples know an error to 1 in 28
        width = one.interval.high - one.interval.low
        assert width == pytest.approx(other.interval.high - other.interval.low, rel=0.15)
        assert one.interval.low == pytest.approx(other.interval.low, abs=0.1 * width)


def test_rows_of_one_customer_are_added():
    rows = pd.DataFrame({"who": ["a", "a", "b", None], "paid": [10.0, 20.0, 30.0, 5.0]})
    spread = revenue.concentration(rows, amount="paid", customer="who", level=None)
    assert (spread.customers, float(spread.gini), dict(spread.excluded)) == (2, 0.0, {"missing_customer": 1})


@pytest.mark.parametrize(
    ("values", "words"), [([1.0, -1.0, 5.0], "at least 0"), ([0.0, 0.0], "nothing"), ([], "nothing")]
)
def test_what_cannot_be_spread_is_refused(values, words):
    with pytest.raises(InputError, match=words):
        revenue.concentration(values)


# ---------------------------------------------------------------- whose it is


ORDERS = pd.DataFrame(
    {
        "who": ["a", "a", "b", "b", "c", "d"],
        "day": pd.to_datetime(["2023-12-05", "2024-01-07", "2024-01-10", "2024-01-20", "2024-01-31", "2024-02-01"]),
        "paid": [10.0, 20.0, 30.0, 50.0, 100.0, 999.0],
        "plan": [False, False, False, False, True, False],
    }
)
JANUARY = {"customer": "who", "time": "day", "value": "paid", "window": ("2024-01-01", "2024-02-01")}


def test_returning_existing_and_predictable_are_three_shares(frame):
    orders = frame(ORDERS)
    assert revenue.returning_share(orders, **JANUARY).estimate == pytest.approx(70 / 200)
    assert revenue.existing_share(orders, **JANUARY).estimate == pytest.approx(20 / 200)
    assert revenue.predictable_share(orders, **JANUARY, recurring="plan").estimate == pytest.approx(170 / 200)
    assert revenue.predictable_share(orders, **JANUARY).estimate == pytest.approx(70 / 200)


def test_bad_windows_and_values_are_refused():
    for window in (("2024-02-01", "2024-01-01"), ("2020-01-01", "2020-02-01")):
        with pytest.raises(InputError):
            revenue.returning_share(ORDERS, **{**JANUARY, "window": window})
    with pytest.raises(InputError, match="at least 0"):
        revenue.returning_share(ORDERS.assign(paid=-1.0), **JANUARY)


def test_arpa_is_a_mean_with_an_interval_above_zero(frame):
    result = revenue.arpa(frame(PAID), amount="after")
    paying = END[END > 0]
    assert result.estimate == pytest.approx(paying.mean())
    assert 0 < result.interval.low < result.estimate < result.interval.high
    with pytest.raises(InputError, match="nobody pays"):
        revenue.arpa(PAID.assign(after=0.0), amount="after")


def test_the_quick_ratio_leaves_returns_out_unless_told():
    plans = pd.DataFrame(
        {
            "who": ["a", "a", "b"],
            "from": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-01"]),
            "until": pd.to_datetime(["2024-02-01", None, None]),
            "price": [50.0, 50.0, 150.0],
        }
    )
    roles = {"customer": "who", "start": "from", "end": "until", "amount": "price"}
    bridge = revenue.movements(plans, **roles, as_of="2024-03-31")
    assert revenue.quick_ratio(bridge).estimate == 4.0
    assert revenue.quick_ratio(bridge, reactivation=True).estimate == 5.0
    lossless = revenue.quick_ratio(revenue.movements(plans[2:], **roles, as_of="2024-03-31"))
    assert (lossless.estimate, lossless.status) == (None, "no_losses")
    lossless = revenue.quick_ratio(plans[2:], **roles, as_of="2024-03-31")
    assert (lossless.estimate, lossless.status, lossless.interval) == (None, "no_losses", None)


@pytest.mark.parametrize("reactivation", [False, True])
def test_the_quick_ratio_of_subscriptions_is_their_bridge_s_with_an_interval_by_customer(
    frame, simulated, reactivation
):
    few = simulated[simulated["customer_id"] % 20 == 0]
    options = {**ROLES, "as_of": "2023-12-15"}  # December is not complete
    found = revenue.quick_ratio(frame(few), **options, reactivation=reactivation)
    bridge = revenue.quick_ratio(revenue.movements(few, **options), reactivation=reactivation)
    assert found.estimate == pytest.approx(bridge.estimate, rel=1e-12)
    assert bridge.interval is None
    assert "does not say whose" in bridge.notes[0]

    moved = revenue.customer_movements(few, **options).to_frame()
    moved = moved[moved["period"] < pd.Timestamp("2023-12-01")]
    names = ["new", "expansion", *(["reactivation"] if reactivation else [])]
    people = moved["customer_id"].unique()
    y, x = (
        moved[moved["movement"].isin(kinds)].groupby("customer_id")["change"].sum().reindex(people, fill_value=0).abs()
        for kinds in (names, ["contraction", "churn"])
    )
    assert (found.interval.low, found.interval.high) == pytest.approx(ratio_ends(x, y), rel=1e-9)


def test_the_quick_ratio_is_told_where_its_subscriptions_are():
    plans = pd.DataFrame({"who": ["a"], "from": ["2024-01-01"], "until": ["2024-02-10"], "price": [50.0]})
    roles = {"customer": "who", "start": "from", "end": "until", "amount": "price"}
    with pytest.raises(InputError, match="need customer=, start=, end= and amount="):
        revenue.quick_ratio(plans, customer="who")
    with pytest.raises(InputError, match="no columns of subscriptions"):
        revenue.quick_ratio(revenue.movements(plans, **roles, as_of="2024-03-31"), customer="who")
    with pytest.raises(InputError, match="no complete period"):
        revenue.quick_ratio(plans, **roles, as_of="2024-01-20")
    with pytest.raises(InputError, match="no complete period"):
        revenue.quick_ratio(revenue.movements(plans, **roles, as_of="2024-01-20"))


def loyal_base(rng, customers=400):
    loyal = rng.random(customers) < 0.2
    return pd.DataFrame({"paid": rng.gamma(2.0, np.where(loyal, 40.0, 10.0)), "loyal": loyal})


def test_the_loyal_core_by_hand(frame):
    base = loyal_base(np.random.default_rng(21))
    found = revenue.loyal_core(frame(base), amount="paid", loyal="loyal")
    mine, others = base.loc[base["loyal"], "paid"], base.loc[~base["loyal"], "paid"]
    assert found.estimate == pytest.approx(mine.sum() / base["paid"].sum())
    assert (found.share_of_customers.numerator, found.share_of_customers.denominator) == (len(mine), 400)
    assert found.spend_ratio.estimate == pytest.approx(mine.mean() / others.mean())
    variances = np.array([group.var() / len(group) / group.mean() ** 2 for group in (mine, others)])
    freedom = np.array([degrees_of_freedom(group - group.mean()) for group in (mine, others)])
    welch = variances.sum() ** 2 / (variances**2 / freedom).sum()
    reach = stats.t.ppf(0.975, welch) * math.sqrt(variances.sum())
    ends = found.spend_ratio.estimate * np.exp([-reach, reach])
    assert (found.spend_ratio.interval.low, found.spend_ratio.interval.high) == pytest.approx(tuple(ends))
    share = revenue.net_retention(base.assign(part=base["paid"] * base["loyal"]), opening="paid", closing="part")
    assert found.estimate == pytest.approx(share.estimate)
    assert found.estimate in found.interval


@pytest.mark.parametrize(("customers", "sales", "times"), [(15, 55, 6.9), (12, 70, 17.1)])
def test_the_article_s_loyal_spend_seven_to_seventeen_times_as_much(customers, sales, times):
    each = [sales / customers] * customers + [(100 - sales) / (100 - customers)] * (100 - customers)
    base = pd.DataFrame({"paid": each, "loyal": [place < customers for place in range(100)]})
    found = revenue.loyal_core(base, amount="paid", loyal="loyal")
    assert round(found.spend_ratio.estimate, 1) == times
    p, s = customers / 100, sales / 100
    assert found.spend_ratio.estimate == pytest.approx(s / (1 - s) * (1 - p) / p)
    assert (found.estimate, found.share_of_customers.estimate) == pytest.approx((s, p))
    assert found.spend_ratio.interval is None
    assert "no interval" in found.spend_ratio.notes[0]


def test_the_loyal_are_compared_with_what_is_claimed_of_them():
    found = revenue.loyal_core(loyal_base(np.random.default_rng(21)), amount="paid", loyal="loyal")
    assert rm.benchmarks.claim("loyal-sales").compare(found).estimate == found.estimate
    assert rm.benchmarks.claim("loyal-customers").compare(found.share_of_customers) is not None
    with pytest.raises(InputError):
        rm.benchmarks.claim("loyal-customers").compare(found)


def test_a_core_that_cannot_be_is_said_or_refused():
    base = loyal_base(np.random.default_rng(3), 20)
    nobody = revenue.loyal_core(base.assign(loyal=False), amount="paid", loyal="loyal")
    assert (nobody.estimate, nobody.spend_ratio.estimate, nobody.spend_ratio.status) == (0.0, None, "undefined")
    with pytest.raises(ColumnError, match="loyal='orders' is true or false"):
        revenue.loyal_core(base.assign(orders=5), amount="paid", loyal="orders")
    with pytest.raises(InputError, match="at least 0; 20 of 20 rows"):
        revenue.loyal_core(base.assign(paid=-1.0), amount="paid", loyal="loyal")
    with pytest.raises(InputError, match="no revenue"):
        revenue.loyal_core(base.assign(paid=0.0), amount="paid", loyal="loyal")
    holes = base.assign(
        paid=base["paid"].where(base.index > 1), loyal=base["loyal"].astype(object).where(base.index < 18)
    )
    found = revenue.loyal_core(pl.from_pandas(holes), amount="paid", loyal="loyal")
    assert dict(found.excluded) == {"missing_amount": 2, "missing_loyal": 2}


# ---------------------------------------------------------------- what it costs


def test_unit_economics_by_hand():
    found = revenue.unit_economics(
        acquisition_cost=1000, new_customers=10, monthly_revenue=20, margin=0.5, monthly_churn=0.05
    )
    assert (found.cac, found.ltv, found.estimate, found.payback_months) == (100.0, 200.0, 2.0, 10.0)
    assert (found.interval, found.acquisition_to_retention) == (None, None)
    endless = revenue.unit_economics(acquisition_cost=1000, new_customers=10, monthly_revenue=20, monthly_churn=0)
    assert (endless.estimate, endless.status) == (None, "no_churn")


def test_the_cost_of_keeping_brings_its_interval_and_its_return():
    costs = {"acquisition_cost": 1000, "new_customers": 10, "monthly_revenue": 20, "monthly_churn": 0.05}
    counted = revenue.unit_economics(**costs, retention_cost=300, retained_customers=15)
    assert (counted.cost_per_retained, counted.acquisition_to_retention, counted.return_on_retention) == (20, 5, 20)
    assert counted.acquisition_to_retention_interval is None
    programme = rm.customers.retention_cost(cost=5000, treated=1000, kept=900, control=1000, control_kept=850)
    found = revenue.unit_economics(**costs, retention_cost=programme)
    assert found.acquisition_to_retention == pytest.approx(100 / programme.estimate)
    ratio, ends = found.acquisition_to_retention_interval, programme.interval
    assert (ratio.low, ratio.high, ratio.method) == (100 / ends.high, 100 / ends.low, ends.method)
    assert rm.from_dict(found.to_dict()) == found
    endless = rm.customers.retention_cost(cost=5000, treated=100, kept=80, control=100, control_kept=78)
    unsure = revenue.unit_economics(**costs, retention_cost=endless)
    assert unsure.acquisition_to_retention_interval.low == 0.0
    with pytest.raises(InputError, match="come together"):
        revenue.unit_economics(**costs, retention_cost=300)
    with pytest.raises(InputError, match="already"):
        revenue.unit_economics(**costs, retention_cost=programme, retained_customers=5)


def test_the_interval_of_churn_goes_through_and_revenue_widens_it():
    churn = rm.churn.rate(start=1000, lost=40)
    options = {"acquisition_cost": 300.0, "new_customers": 1, "monthly_churn": churn}
    one = revenue.unit_economics(**options, monthly_revenue=60.0).interval
    assert (one.low, one.high) == pytest.approx((0.2 / churn.interval.high, 0.2 / churn.interval.low))
    accounts = pd.DataFrame({"mrr": [40.0, 60.0, 80.0] * 10})
    both = revenue.unit_economics(**options, monthly_revenue=revenue.arpa(accounts, amount="mrr")).interval
    assert both.low < one.low
    assert both.high > one.high


@few
@given(
    budget=st.floats(1, 1e5),
    curves=st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_no_other_split_of_a_budget_earns_more(budget, curves, seed):
    responses = {f"use{place}": curve for place, curve in enumerate(curves)}
    split = revenue.budget_split(budget, responses)
    assert sum(row["spend"] for row in split.rows()) == pytest.approx(budget, rel=1e-6)
    for shares in np.random.default_rng(seed).dirichlet([1.0] * len(curves), size=20):
        earned = sum(m * -math.expm1(-budget * w / s) for (m, s), w in zip(curves, shares, strict=True))
        assert earned <= split.estimate * (1 + 1e-6)


# ---------------------------------------------------------------- a log whose truth is known


def test_the_simulated_churn_is_recovered(simulated):
    bridge = revenue.movements(simulated, **ROLES, as_of=LAST)
    counts = [row["churned_customers"] for row in bridge.rows()[1:]]
    months = simulated.assign(stop=simulated["end"].fillna(pd.Timestamp("2024-01-01")))
    exposed = ((months["stop"] - months["start"]).dt.days / 30.4375).round().sum() - simulated["end"].isna().sum()
    rate = rm.churn.rate(start=int(exposed), lost=int(sum(counts)))
    assert 0.04 in rate.interval
    assert float(rate) == pytest.approx(0.04, abs=0.002)


def test_cohorts_add_up_to_the_bridge(frame, simulated):
    few = simulated[simulated["customer_id"] % 20 == 0]
    table = revenue.by_cohort(frame(few), **ROLES, as_of=LAST).to_frame(backend="pandas")
    bridge = revenue.movements(few, **ROLES, as_of=LAST).to_frame()
    assert table.groupby("period")["mrr"].sum().tolist() == pytest.approx(bridge["end_mrr"].tolist())
    assert (table.loc[table["age"] == 0, "net_retention"] == 1).all()


def test_the_interval_of_a_cohort_s_cell_is_that_of_net_retention(frame, simulated):
    few = simulated[simulated["customer_id"] % 20 == 0]
    table = revenue.by_cohort(frame(few), **ROLES, as_of=LAST).rows()
    firsts = few.groupby("customer_id")["start"].min().dt.to_period("M")
    for cohort, age in (("2022-01", 5), ("2022-01", 23), ("2022-09", 6)):
        month = pd.Period(cohort, "M")
        people = few[few["customer_id"].map(firsts) == month]
        at = (str(month.end_time.date()), str((month + age).end_time.date()))
        alone = revenue.net_retention(people, **ROLES, at=at)
        (row,) = (row for row in table if str(row["cohort"])[:7] == cohort and row["age"] == age)
        assert row["net_retention"] == pytest.approx(alone.estimate, rel=1e-12)
        assert (row["low"], row["high"]) == pytest.approx((alone.interval.low, alone.interval.high), rel=1e-9)
    unchanged = [row for row in table if row["mrr"] == row["opening"]]
    assert {(row["low"], row["high"]) for row in unchanged if row["age"] == 0} == {(None, None)}
    assert any(row["age"] and row["low"] is None for row in unchanged)  # a cohort in which nobody has moved yet
    assert not any(row["low"] for row in revenue.by_cohort(few, **ROLES, as_of=LAST, level=None).rows())


def test_cohorts_are_pooled_by_their_revenue(simulated):
    few = simulated[simulated["customer_id"] % 10 == 0]
    table = revenue.by_cohort(few, **ROLES, as_of=LAST)
    pooled = table.average().rows()
    cells = table.to_frame()
    for row in (pooled[1], pooled[12], pooled[23]):
        mine = cells[(cells["age"] == row["age"]) & (cells["status"] == "ok")]
        assert (row["cohorts"], row["customers"]) == (len(mine), mine["customers"].sum())
        assert row["net_retention"] == pytest.approx(mine["mrr"].sum() / mine["opening"].sum())
        t = stats.t.ppf(0.975, mine["degrees_of_freedom"])
        variance = (mine["mrr"] * np.log(mine["high"] / mine["net_retention"]) / t) ** 2
        freedom = variance.sum() ** 2 / (variance**2 / mine["degrees_of_freedom"]).sum()
        width = stats.t.ppf(0.975, freedom) * math.sqrt(variance.sum()) / mine["mrr"].sum()
        assert row["high"] == pytest.approx(row["net_retention"] * math.exp(width))
        assert row["low"] < row["net_retention"] < row["high"]
    # of one cohort the pooled cell is the cell
    alone = cells[(cells["age"] == 23)].iloc[0]
    assert (pooled[23]["low"], pooled[23]["high"]) == pytest.approx((alone["low"], alone["high"]))
    assert pooled[0]["low"] is None
    assert revenue.by_cohort(few, **ROLES, as_of=LAST, level=None).average().rows()[5]["low"] is None


def test_a_simulation_is_its_seed_s():
    first, again = (rm.datasets.simulate_subscriptions(customers=50, rng=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    polars = rm.datasets.simulate_subscriptions(customers=50, rng=3, backend="polars")
    assert polars.height == len(first)
    with pytest.raises(InputError, match="monthly_churn"):
        rm.datasets.simulate_subscriptions(monthly_churn=0.9, monthly_upgrade=0.2)


def test_nobody_leaves_without_churn():
    plans = rm.datasets.simulate_subscriptions(customers=200, months=12, monthly_churn=0, rng=1)
    bridge = revenue.movements(plans, **ROLES, as_of="2022-12-31")
    assert not any(row["churned_customers"] for row in bridge.rows())
    assert sum(row["new_customers"] for row in bridge.rows()) == 200


@pytest.mark.parametrize("level", [0.95, 0.999])
def test_intervals_too_wide_for_any_number_are_bounded_and_drawn(level):
    """Of two customers one sinks from 1,000 to a cent and the other rises from a cent to a hundred thousand."""
    rows = [
        ("a", "2024-01-01", "2024-02-10", 1000.0),
        ("a", "2024-02-10", None, 0.01),
        ("b", "2024-01-01", "2024-02-10", 0.01),
        ("b", "2024-02-10", None, 1e5),
    ]
    plans = pd.DataFrame(rows, columns=["who", "start", "end", "paid"])
    roles = {"customer": "who", "start": "start", "end": "end", "amount": "paid"}
    table = revenue.by_cohort(plans, **roles, as_of="2024-02-29", level=level)
    cell, pooled = table.rows()[1], table.average().rows()[1]
    net = revenue.net_retention(plans, **roles, at=("2024-01-31", "2024-02-29"), level=level)
    assert net.interval.low == cell["low"] <= cell["net_retention"] <= cell["high"] == net.interval.high < np.inf
    assert (cell["low"] == 0.0) == (pooled["low"] is None) == (level == 0.999)
    assert pooled["low"] in (None, pytest.approx(cell["low"]))
    for drawn in (net, table.average()):
        ax = drawn.plot()
        ax.figure.draw_without_rendering()
        assert max(*ax.get_xlim(), *ax.get_ylim()) < 4 * net.estimate


def test_an_index_that_rests_on_few_customers_says_so():
    even = revenue.concentration(np.random.default_rng(3).gamma(4.0, 25.0, 2_000))
    assert not even.notes
    heavy = revenue.concentration(np.random.default_rng(3).lognormal(0.0, 1.5, 2_000))
    (note,) = heavy.notes
    assert note.startswith("The error of the HHI rests on a few customers (")
    assert not revenue.concentration(np.random.default_rng(3).lognormal(0.0, 1.5, 2_000), level=None).notes
