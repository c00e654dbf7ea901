"""Lifetime value: two ways to every number, in any unit of time and any kind of frame."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv import BGNBD, GammaGamma, lifetime_value, simple_value, to_lifetimes
from retention_metrics.clv.limits import NBD, GeometricNBD, OneRepeatNBD
from retention_metrics.errors import ColumnError, InputError

BUYING = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = GammaGamma(p=6.25, q=3.74, v=15.44)
MORTAL = BGNBD(r=0.243, alpha=4.414, a=1.793, b=2.426)  # a > 1: everybody's purchases come to an end
horizons = st.just(0.0) | st.floats(1e-200, 500.0)


def customers(size: int = 400, *, rng: int | np.random.Generator = 2005) -> pd.DataFrame:
    """Histories in weeks with money, missing where there is no repeat purchase."""
    generator = np.random.default_rng(rng)
    drawn = BUYING.simulate(np.linspace(27, 39, size), rng=generator)[["frequency", "recency", "T"]]
    money = SPEND.simulate(drawn["frequency"], rng=generator)
    return drawn.assign(who=np.arange(size), monetary_value=money)


def values(purchases, spend, history, **how) -> np.ndarray:
    return lifetime_value(purchases, spend, history, **how).to_frame()["clv"].to_numpy()


# ---------------------------------------------------------------- two ways to one number


@pytest.mark.parametrize("rate", [0.0, 0.002, 0.3])
@pytest.mark.parametrize("horizon", [0.5, 39.0, 400.0])
def test_value_is_the_discounted_integral_of_purchases_times_spend(rate, horizon):
    """A Riemann-Stieltjes sum over purchases: what is bought in each of 20,000 slices, discounted from its middle."""
    table = customers(40)
    ends = horizon * np.linspace(0, 1, 20_001) ** 2
    history = (table[name].to_numpy()[:, None] for name in ("frequency", "recency", "T"))
    bought = np.diff(BUYING.expected_purchases(*history, horizon=ends), axis=1)
    present = bought @ (1 + rate) ** (-0.5 * (ends[1:] + ends[:-1]))
    spend = SPEND.expected_value(table["frequency"], table["monetary_value"])
    found = values(BUYING, SPEND, table, horizon=horizon, discount_rate=rate, margin=0.3)
    assert found == pytest.approx(0.3 * spend * present, rel=1e-6)


def test_value_at_period_ends_is_the_sum_over_periods():
    table = customers(40)
    ends = np.append(np.arange(0, 10), 9.5)  # nine whole weeks and half a one
    history = (table[name].to_numpy()[:, None] for name in ("frequency", "recency", "T"))
    bought = np.diff(BUYING.expected_purchases(*history, horizon=ends), axis=1)
    spend = SPEND.expected_value(table["frequency"], table["monetary_value"])
    found = values(BUYING, SPEND, table, horizon=9.5, discount_rate=0.01, timing="end_of_period")
    assert found == pytest.approx(spend * (bought @ 1.01 ** -np.arange(1.0, 11.0)), rel=1e-10)


def test_value_at_month_ends_is_that_of_lifetimes():
    table, month = customers(200), 365.25 / 84
    monthly = BGNBD(r=BUYING.r, alpha=BUYING.alpha / month, a=BUYING.a, b=BUYING.b)
    table = table.assign(recency=table["recency"] / month, T=table["T"] / month).fillna(0.0)
    history = (table[name] for name in ("frequency", "recency", "T", "monetary_value"))
    with warnings.catch_warnings(action="ignore"):
        theirs = to_lifetimes(SPEND).customer_lifetime_value(
            to_lifetimes(monthly), *history, time=12, discount_rate=0.01, freq="M"
        )
    ours = values(monthly, SPEND, table, horizon=12, discount_rate=0.01, timing="end_of_period")
    assert ours == pytest.approx(theirs.to_numpy(), rel=1e-9)


def test_without_a_discount_value_is_purchases_times_spend():
    table = customers()
    expected = BUYING.expected_purchases(table["frequency"], table["recency"], table["T"], horizon=52)
    expected = expected * SPEND.expected_value(table["frequency"], table["monetary_value"])
    for timing in ("continuous", "end_of_period"):
        assert values(BUYING, SPEND, table, horizon=52, timing=timing) == pytest.approx(expected, rel=1e-12)


def test_an_endless_horizon_is_the_limit_of_long_ones():
    table = customers()
    endless = values(BUYING, SPEND, table, horizon=np.inf, discount_rate=0.01)
    assert values(BUYING, SPEND, table, horizon=3_000, discount_rate=0.01) == pytest.approx(endless, rel=1e-9)


def test_an_endless_horizon_without_discount_exists_where_customers_surely_drop_out():
    table = customers()
    endless = values(MORTAL, SPEND, table, horizon=np.inf)
    assert values(MORTAL, SPEND, table, horizon=1e40) == pytest.approx(endless, rel=1e-8)
    with pytest.raises(InputError, match="infinite"):
        lifetime_value(BUYING, SPEND, table, horizon=np.inf)


def test_what_customers_spend_is_worth_what_was_expected():
    """Simulated purchases in weeks 30 to 60, each at a drawn price, discounted from its own moment."""
    rng = np.random.default_rng(1985)
    size, rate = 60_000, 0.02
    bought = BUYING.simulate_transactions(np.full(size, 60.0), rng=rng)
    bought = bought[bought["time"] > 0]
    nu = rng.gamma(SPEND.q, 1 / SPEND.v, size)[bought["customer"]]
    bought = bought.assign(paid=rng.gamma(SPEND.p, 1 / nu))
    early = (
        bought[bought["time"] <= 30]
        .groupby("customer")
        .agg(frequency=("time", "size"), recency=("time", "max"), monetary_value=("paid", "mean"))
    )
    table = early.reindex(np.arange(size)).assign(T=30.0).fillna({"frequency": 0, "recency": 0.0})
    late = bought[bought["time"] > 30]
    worth = late["paid"] * (1 + rate) ** -(late["time"] - 30)
    total = worth.groupby(late["customer"]).sum().reindex(np.arange(size), fill_value=0.0).to_numpy()
    expected = values(BUYING, SPEND, table, horizon=30, discount_rate=rate)
    for repeats in (0, 1, 4):
        group = (table["frequency"] == repeats).to_numpy()
        error = total[group].std() / np.sqrt(group.sum())
        assert total[group].mean() == pytest.approx(expected[group].mean(), abs=4.5 * error)


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize(("unit", "weeks"), [("day", 1 / 7), ("month", 365.25 / 84), ("year", 365.25 / 7)])
@pytest.mark.parametrize("buying", [BUYING, NBD(r=0.4, alpha=6.0), GeometricNBD(r=0.4, alpha=6.0, p=0.2)])
def test_value_does_not_depend_on_the_unit_of_time(unit, weeks, buying):
    import dataclasses

    weekly = dataclasses.replace(buying, unit="week")
    table = customers()
    here = values(weekly, SPEND, rm.clv.history(table, unit="week"), horizon=52, discount_rate=1.1 ** (1 / 52) - 1)
    scaled = table.assign(recency=table["recency"] / weeks, T=table["T"] / weeks)
    there = values(
        weekly.rescale(to=unit),
        SPEND,
        rm.clv.history(scaled, unit=unit),
        horizon=52 / weeks,
        discount_rate=1.1 ** (weeks / 52) - 1,
    )
    assert there == pytest.approx(here, rel=1e-9)


def test_fits_to_days_and_weeks_agree_on_the_value_of_cdnow(cdnow):
    totals = {}
    for unit, per_week in (("week", 1), ("day", 7)):
        history = rm.clv.rfm_summary(
            cdnow, customer="customer_id", time="date", value="amount", unit=unit, as_of="1998-06-30"
        )
        valued = lifetime_value(
            BGNBD.fit(history),
            GammaGamma.fit(history),
            history,
            horizon=52 * per_week,
            discount_rate=1.1 ** (1 / (52 * per_week)) - 1,
        )
        totals[unit] = valued.to_frame()["clv"].sum()
    assert totals["day"] == pytest.approx(totals["week"], rel=1e-7)


@settings(max_examples=30)  # a value takes milliseconds
@given(horizon=st.floats(0.01, 500.0), rate=st.floats(0.0, 1.0), factor=st.floats(0.0, 10.0))
def test_value_is_proportional_to_the_margin(horizon, rate, factor):
    table = customers(10)
    one = values(BUYING, SPEND, table, horizon=horizon, discount_rate=rate)
    assert values(BUYING, SPEND, table, horizon=horizon, discount_rate=rate, margin=factor) == pytest.approx(
        factor * one, rel=1e-12, abs=1e-300
    )


@settings(max_examples=30)  # a value takes milliseconds
@given(horizon=st.floats(0.01, 500.0), low=st.floats(0.0, 1.0), more=st.floats(0.0, 1.0))
def test_a_higher_discount_lowers_every_value(horizon, low, more):
    table = customers(10)
    cheap, dear = (values(BUYING, SPEND, table, horizon=horizon, discount_rate=rate) for rate in (low, low + more))
    assert (dear <= cheap * (1 + 1e-10)).all()


@settings(max_examples=30)  # a value takes milliseconds
@given(short=horizons, more=horizons, timing=st.sampled_from(["continuous", "end_of_period"]))
def test_a_longer_horizon_never_lowers_a_value(short, more, timing):
    table = customers(10)
    near, far = (
        values(BUYING, SPEND, table, horizon=end, discount_rate=0.01, timing=timing) for end in (short, short + more)
    )
    assert (near <= far * (1 + 1e-10)).all()


@settings(max_examples=30)  # a value takes milliseconds
@given(horizon=st.floats(0.01, 100.0), rate=st.floats(0.0, 0.5))
def test_waiting_for_the_periods_end_lowers_value_by_at_most_one_period(horizon, rate):
    table = customers(10)
    how = {"horizon": horizon, "discount_rate": rate}
    at_once = values(BUYING, SPEND, table, **how)
    at_end = values(BUYING, SPEND, table, **how, timing="end_of_period")
    assert (at_end <= at_once * (1 + 1e-9)).all()
    assert (at_end >= at_once / (1 + rate) * (1 - 1e-9)).all()


def test_the_briefest_horizon_is_worth_the_rate_of_those_alive():
    table = customers(40)
    alive = BUYING.probability_alive(table["frequency"], table["recency"], table["T"])
    rate = alive * (BUYING.r + table["frequency"]) / (BUYING.alpha + table["T"])
    spend = SPEND.expected_value(table["frequency"], table["monetary_value"])
    for brief in (1e-300, 1e-100, 1e-12):
        found = values(BUYING, SPEND, table, horizon=brief, discount_rate=0.01)
        assert found / brief == pytest.approx(rate * spend, rel=1e-10)


def test_no_time_ahead_is_worth_nothing():
    fits = BGNBD.fit(customers()), GammaGamma.fit(customers())
    found = lifetime_value(*fits, customers(), horizon=0, discount_rate=0.1, level=0.9).to_frame()
    assert (found[["clv", "clv_low", "clv_high"]] == 0).all(axis=None)


def test_a_thousand_weeks_of_many_customers_are_those_of_single_ones():
    table = customers(300)
    for how in ({"timing": "continuous"}, {"timing": "end_of_period"}):
        many = values(BUYING, SPEND, table, horizon=1_000, discount_rate=0.001, **how)
        single = [
            float(values(BUYING, SPEND, table.iloc[[row]], horizon=1_000, discount_rate=0.001, **how)[0])
            for row in range(0, 300, 30)
        ]
        assert many[::30] == pytest.approx(single, rel=1e-10)


# ---------------------------------------------------------------- uncertainty


def test_intervals_hold_the_value_as_often_as_they_say():
    """80 samples of 2,500 customers: 90 % intervals of three customers' values, within 3.5 standard errors."""
    rng = np.random.default_rng(2005)
    three = pd.DataFrame(
        {"frequency": [0, 2, 8], "recency": [0.0, 30.43, 20.0], "T": [38.86] * 3, "monetary_value": [None, 22.35, 60.0]}
    )
    how = {"horizon": 52, "discount_rate": 0.002}
    truth = values(BUYING, SPEND, three, **how)
    held, samples = np.zeros(3), 80
    for _ in range(samples):
        table = customers(2_500, rng=rng)
        found = lifetime_value(BGNBD.fit(table), GammaGamma.fit(table), three, **how, level=0.9).to_frame()
        held += ((found["clv_low"] <= truth) & (truth <= found["clv_high"])).to_numpy()
    assert held / samples == pytest.approx(np.full(3, 0.9), abs=3.5 * np.sqrt(0.9 * 0.1 / samples))


def test_intervals_are_those_of_draws_of_the_parameters():
    """Log-parameters drawn from the fits' normal distributions give value the same spread."""
    table = customers(5_000)
    fits = BGNBD.fit(table), GammaGamma.fit(table)
    few = table.iloc[[0, 1]]
    how = {"horizon": 52}
    found = lifetime_value(*fits, few, **how, level=0.9).to_frame()
    rng = np.random.default_rng(7)
    draws = []
    for _ in range(300):
        models = [
            fit.model.with_theta(np.exp(rng.multivariate_normal(np.log(fit.model.theta), fit.log_covariance)))
            for fit in fits
        ]
        draws.append(np.log(values(*models, few, **how)))
    spread = np.log(found["clv_high"] / found["clv_low"]).to_numpy() / (2 * 1.6448536)
    assert spread == pytest.approx(np.std(draws, axis=0), rel=0.15)


def test_intervals_of_customers_long_gone_stay_in_the_numbers():
    """Ten thousand purchases and then nothing: the odds of being alive are beyond what doubles hold."""
    fits = BGNBD.fit(customers(2_000)), GammaGamma.fit(customers(2_000))
    gone = pd.DataFrame({"frequency": [10_000], "recency": [1e-9], "T": [1e5], "monetary_value": [20.0]})
    predicted = fits[0].predict(gone, horizon=1e5, level=0.95).to_frame()
    valued = lifetime_value(*fits, gone, horizon=1e5, discount_rate=0.01, level=0.95).to_frame()
    assert np.isfinite(predicted.to_numpy()).all()
    assert np.isfinite(valued.to_numpy()).all()
    assert valued["clv"].item() == predicted["probability_alive_high"].item() == 0


# ---------------------------------------------------------------- every kind of frame


def test_value_does_not_depend_on_the_dataframe_library(frame):
    table = customers()
    plain = values(BUYING, SPEND, table, horizon=52, discount_rate=0.01)
    found = as_rows(lifetime_value(BUYING, SPEND, frame(table), horizon=52, discount_rate=0.01))
    assert len(found) == len(table)
    by_customer = {row["who"]: row["clv"] for row in found}
    assert [by_customer[who] for who in table["who"]] == pytest.approx(plain, rel=1e-11)


def test_intervals_do_not_depend_on_the_dataframe_library(frame):
    table, fits = customers(), (BGNBD.fit(customers()), GammaGamma.fit(customers()))
    plain = lifetime_value(*fits, table, horizon=52, level=0.9).to_frame().set_index("who")
    for row in as_rows(lifetime_value(*fits, frame(table), horizon=52, level=0.9)):
        for name in ("clv", "clv_low", "clv_high"):
            assert row[name] == pytest.approx(plain.loc[row["who"], name], rel=1e-10)


def test_the_callers_columns_come_back_untouched(frame):
    given_frame = frame(customers(30))
    found = lifetime_value(BUYING, SPEND, given_frame, horizon=52)
    assert type(found.frame) is type(given_frame)
    row = as_rows(found)[0]
    assert list(row) == ["frequency", "recency", "T", "who", "monetary_value", "clv"]


def test_columns_may_have_any_names(frame):
    names = {"frequency": "x", "recency": "t_x", "T": "age", "monetary_value": "mean spend"}
    table = frame(customers(30).rename(columns=names))
    found = {row["who"]: row["clv"] for row in as_rows(lifetime_value(BUYING, SPEND, table, horizon=52, **names))}
    plain = values(BUYING, SPEND, customers(30), horizon=52)
    assert [found[who] for who in range(30)] == pytest.approx(plain, rel=1e-11)


def test_a_table_keeps_its_unit_and_what_it_left_out(cdnow):
    history = rm.clv.rfm_summary(
        cdnow, customer="customer_id", time="date", value="amount", unit="week", as_of="1997-09-30"
    )
    valued = lifetime_value(BGNBD.fit(history), GammaGamma.fit(history), history, horizon=39)
    assert (valued.unit, valued.as_of, valued.excluded) == ("week", history.as_of, history.excluded)
    assert valued.definition == "clv.lifetime_value/continuous"


@pytest.mark.parametrize("dtype_backend", ["numpy_nullable", "pyarrow"])
def test_nullable_columns_of_pandas_are_read(dtype_backend):
    table = customers(60)
    found = values(BUYING, SPEND, table.convert_dtypes(dtype_backend=dtype_backend), horizon=52)
    assert found.astype(float) == pytest.approx(values(BUYING, SPEND, table, horizon=52), rel=1e-12)


def test_customers_keep_their_rows_whatever_names_them():
    table = customers(30)
    table["who"] = pd.Categorical(["a", "b"] * 15)  # twice the same customers, by category
    table.index = pd.Index(["same"] * 30)
    found = lifetime_value(BUYING, SPEND, table, horizon=52).to_frame()
    assert found.index.equals(table.index)
    assert found["who"].tolist() == table["who"].tolist()
    assert found["clv"].to_numpy() == pytest.approx(values(BUYING, SPEND, customers(30), horizon=52))


# ---------------------------------------------------------------- what has no answer


def changed(column: str, cell: float | None) -> pd.DataFrame:
    """Customers with one cell changed, in the row of a repeat buyer."""
    table = customers(60).astype({"frequency": float})
    table.loc[int(np.flatnonzero(table["frequency"] > 0)[0]), column] = cell
    return table


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("frequency", None, "frequency holds finite numbers"),
        ("frequency", 1.5, "frequency holds whole numbers"),
        ("recency", None, "recency holds finite numbers"),
        ("recency", 1e6, "recency exceeds T"),
        ("T", np.inf, "T holds finite numbers"),
        ("monetary_value", None, "monetary_value.* 1 rows are not"),
        ("monetary_value", -1.0, "monetary_value.* 1 rows are not"),
        ("monetary_value", np.inf, "monetary_value.* 1 rows are not"),
    ],
)
def test_a_history_that_cannot_be_is_refused_in_every_engine(frame, column, cell, words):
    with pytest.raises(InputError, match=words):
        lifetime_value(BUYING, SPEND, frame(changed(column, cell)), horizon=52)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": -1}, "horizon is at least 0"),
        ({"horizon": float("nan")}, "horizon is a finite number"),
        ({"discount_rate": -0.1}, "discount_rate is at least 0"),
        ({"margin": -0.1}, "margin is at least 0"),
        ({"timing": "now"}, "timing is one of"),
        ({"timing": "end_of_period", "horizon": np.inf, "discount_rate": 0.1}, "horizon is finite with timing"),
        ({"level": 0.95}, "purchases is a BGNBD alone"),
        ({"level": 95}, "level is a probability"),
        ({"purchases": SPEND}, "purchases is a PurchaseModel or its Fit; got GammaGamma"),
        ({"spend": BUYING}, "spend is a GammaGamma or its Fit; got BGNBD"),
        ({"spend": GammaGamma(p=6, q=0.9, v=15)}, "q is above 1"),
        ({"history": rm.clv.history(customers(5), unit="day")}, r'model.rescale\(to="day"\)'),
        ({"history": customers(5).assign(clv=1.0)}, "already has a column 'clv'"),
        ({"history": customers(5).drop(columns="monetary_value")}, "monetary_value"),
        ({"history": customers(5).head(0)}, "no rows"),
        (
            {"history": rm.clv.history(customers(5), unit="week", monetary_value=None)},
            "monetary_value",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, words):
    import dataclasses

    call = {
        "purchases": dataclasses.replace(BUYING, unit="week"),
        "spend": SPEND,
        "history": customers(5),
        "horizon": 52,
        **change,
    }
    with pytest.raises((InputError, ColumnError), match=words):
        lifetime_value(call.pop("purchases"), call.pop("spend"), call.pop("history"), **call)


def test_a_limit_of_the_model_serves_too():
    table = customers(60)
    table["frequency"] = table["frequency"].clip(upper=1)
    expected = OneRepeatNBD(r=0.4, alpha=6.0).expected_purchases(
        table["frequency"], table["recency"], table["T"], horizon=52
    )
    found = values(OneRepeatNBD(r=0.4, alpha=6.0), SPEND, table, horizon=52)
    assert found == pytest.approx(expected * SPEND.expected_value(table["frequency"], table["monetary_value"]))


# ---------------------------------------------------------------- the textbook formula


@given(
    margin=st.floats(-1e3, 1e3), kept=st.floats(0.0, 0.99), rate=st.floats(0.0, 1.0), periods=st.just(np.arange(4_000))
)
def test_simple_value_is_the_geometric_sum(margin, kept, rate, periods):
    total = float(np.sum(margin * (kept / (1 + rate)) ** periods))
    found = simple_value(margin=margin, retention_rate=kept, discount_rate=rate)
    assert found.estimate == pytest.approx(total, rel=1e-9, abs=1e-12)


@given(margin=st.floats(0.01, 1e3), kept=st.floats(0.0, 0.999), rate=st.floats(0.0, 1.0))
def test_the_explanation_evaluates_to_the_value(margin, kept, rate):
    found = simple_value(margin=margin, retention_rate=kept, discount_rate=rate)
    assert found.explain().evaluate()["value"] == pytest.approx(found.estimate, rel=1e-12)


def test_customers_who_never_leave_are_worth_a_perpetuity():
    assert simple_value(margin=100, retention_rate=1, discount_rate=0.1).estimate == pytest.approx(1_100)


def test_an_infinite_value_is_said_to_be_none():
    found = simple_value(margin=100, retention_rate=1, discount_rate=0)
    assert found.estimate is None
    assert "no end" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"retention_rate": 1.2}, "retention_rate is in"),
        ({"retention_rate": None}, "retention_rate is a number"),
        ({"discount_rate": -0.1}, "discount_rate is at least 0"),
        ({"margin": float("inf")}, "margin is a finite number"),
    ],
)
def test_simple_value_refuses_what_is_no_share_or_rate(change, words):
    with pytest.raises(InputError, match=words):
        simple_value(**{"margin": 100, "retention_rate": 0.8, "discount_rate": 0.1, **change})
