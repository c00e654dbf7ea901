"""What a base and a new customer are worth, whether spend goes with frequency, and doubts in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import retention_metrics as rm
from retention_metrics.clv import (
    BGNBD,
    Fit,
    GammaGamma,
    ParetoNBD,
    lifetime_value,
    new_customer_value,
    spend_frequency_correlation,
    total_value,
)
from retention_metrics.clv.limits import NBD
from retention_metrics.errors import InputError

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
SPEND = GammaGamma(p=6.25, q=3.74, v=15.44)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    drawn = CDNOW.simulate(np.linspace(27, 39, 1_200), rng=2005)
    money = SPEND.simulate(drawn["frequency"], rng=2013)
    return drawn[["frequency", "recency", "T"]].assign(monetary_value=money, share=np.linspace(0.1, 0.5, 1_200))


@pytest.fixture(scope="module")
def fits(customers: pd.DataFrame) -> tuple[Fit, Fit]:
    return BGNBD.fit(customers), GammaGamma.fit(customers)


# ---------------------------------------------------------------- the base


@pytest.mark.parametrize("timing", ["continuous", "end_of_period"])
def test_the_total_is_the_sum_over_the_customers(customers, fits, timing):
    options = {"horizon": 26, "discount_rate": 0.002, "timing": timing}
    each = lifetime_value(*fits, customers, margin=0.3, **options).to_frame()["clv"]
    assert total_value(*fits, customers, margin=0.3, **options).estimate == pytest.approx(each.sum())
    plain = lifetime_value(*fits, customers, **options).to_frame()["clv"]
    weighted = total_value(*fits, customers, margin="share", **options)
    assert weighted.estimate == pytest.approx(float(plain @ customers["share"]))


def test_the_interval_of_the_total_is_that_of_parameters_drawn_anew(customers, fits):
    """Both models' log-parameters drawn from their normal distributions, the whole base valued with each draw."""
    customers = customers[::8]
    rng, totals = np.random.default_rng(7), []
    for _ in range(150):
        models = []
        for fit in fits:
            log_theta = rng.multivariate_normal(np.log(fit.model.theta), fit.log_covariance)
            models.append(fit.model.with_theta(np.exp(log_theta)))
        totals.append(total_value(*models, customers, horizon=26, level=None).estimate)
    found = total_value(*fits, customers, horizon=26)
    half = np.log(found.interval.high / found.interval.low) / 2 / stats.norm.ppf(0.975)
    # The standard deviation of 150 draws has a standard error of 1 / sqrt(300) of itself.
    assert half == pytest.approx(np.log(totals).std(), rel=0.2)
    assert found.interval.low < found.estimate < found.interval.high


def test_shared_parameters_make_the_total_less_certain_than_separate_ones_would(customers, fits):
    table = lifetime_value(*fits, customers, horizon=26, level=0.95).to_frame()
    error = table["clv"] * np.log(table["clv_high"] / table["clv_low"]) / (2 * stats.norm.ppf(0.975))
    independent = float(np.sqrt(np.sum(error**2)))
    found = total_value(*fits, customers, horizon=26)
    assert (found.interval.high - found.interval.low) / (2 * stats.norm.ppf(0.975)) > 5 * independent


def test_counts_and_lazy_frames_give_the_same_total(customers, fits):
    plain = total_value(*fits, customers, horizon=26)
    lazy = total_value(*fits, pl.from_pandas(customers).lazy(), horizon=26)
    assert lazy.estimate == pytest.approx(plain.estimate)
    assert lazy.interval.high == pytest.approx(plain.interval.high)
    doubled = total_value(*fits, customers.assign(n=2), horizon=26, counts="n")
    assert doubled.estimate == pytest.approx(2 * plain.estimate)
    assert doubled.customers == 2_400


def test_an_endless_horizon_needs_a_discount(customers, fits):
    customers = customers[::8]
    found = total_value(*fits, customers, horizon=np.inf, discount_rate=0.01)
    assert found.estimate > total_value(*fits, customers, horizon=100, discount_rate=0.01).estimate
    with pytest.raises(InputError, match="infinite"):
        total_value(*fits, customers, horizon=np.inf)


# ---------------------------------------------------------------- one customer, in more than one way


def test_several_horizons_are_several_columns(customers, fits):
    customers, options = customers[::8], {"discount_rate": 0.002, "level": 0.9}
    table = lifetime_value(*fits, customers, horizon=[12, 52.5, np.inf], **options).to_frame()
    for horizon, name in ((12, "clv_12"), (52.5, "clv_52.5"), (np.inf, "clv_inf")):
        single = lifetime_value(*fits, customers, horizon=horizon, **options).to_frame()
        for end in ("", "_low", "_high"):
            assert table[name + end].to_numpy() == pytest.approx(single["clv" + end].to_numpy(), rel=1e-12)


def test_value_is_margin_times_purchases_times_spend(customers, fits):
    purchases, spend = (fit.model for fit in fits)
    options = {"discount_rate": 0.002, "split": True}
    table = lifetime_value(*fits, customers, horizon=[12, 52], margin="share", **options).to_frame()
    for horizon in (12, 52):
        product = table["share"] * table[f"expected_purchases_{horizon}"] * table["expected_value"]
        assert table[f"clv_{horizon}"].to_numpy() == pytest.approx(product.to_numpy(), rel=1e-12)
    history = [customers[name].to_numpy() for name in ("frequency", "recency", "T")]
    bought = purchases.discounted_expected_purchases(*history, discount_rate=0.002, horizon=52)
    assert table["expected_purchases_52"].to_numpy() == pytest.approx(bought, rel=1e-9)
    worth = spend.expected_value(customers["frequency"], customers["monetary_value"])
    assert table["expected_value"].to_numpy() == pytest.approx(worth, rel=1e-12)


def test_margins_scale_the_interval_too_in_any_engine(customers, fits):
    plain = lifetime_value(*fits, customers, horizon=26, level=0.9).to_frame()
    numbered = pl.from_pandas(customers.reset_index(names="who")).lazy()
    lazy = lifetime_value(*fits, numbered, horizon=26, level=0.9, margin="share", split=True).to_frame()
    found = lazy.collect().sort("who").to_pandas()
    for name in ("clv", "clv_low", "clv_high"):
        assert found[name].to_numpy() == pytest.approx((plain[name] * customers["share"]).to_numpy(), rel=1e-9)
    assert (found["share"] * found["expected_purchases"] * found["expected_value"]).to_numpy() == pytest.approx(
        found["clv"].to_numpy(), rel=1e-9
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": []}, "at least one"),
        ({"horizon": [5, 5.0]}, "different lengths"),
        ({"horizon": [5, -1]}, "at least 0"),
        ({"horizon": [5, np.inf], "timing": "end_of_period"}, "finite"),
        ({"horizon": 5, "margin": "nowhere"}, "margin='nowhere' is not a column"),
        ({"horizon": 5, "margin": "debt"}, "margin='debt' is a finite number of at least 0; 1200 rows are not"),
    ],
)
def test_horizons_and_margins_are_checked(customers, options, words):
    with pytest.raises(InputError, match=words):
        lifetime_value(CDNOW, SPEND, customers.assign(debt=-0.1), **options)


# ---------------------------------------------------------------- a new customer


def test_a_new_customer_is_worth_purchases_times_mean_spend():
    found = new_customer_value(CDNOW, SPEND, horizon=78, margin=0.3)
    mean = 6.25 * 15.44 / (3.74 - 1)
    assert found.estimate == pytest.approx(0.3 * float(CDNOW.expected_purchases_new(horizon=78)) * mean)
    assert found.interval is None
    assert any("No interval" in note for note in found.notes)
    endless = new_customer_value(CDNOW, SPEND, horizon=np.inf, discount_rate=0.002)
    ever = float(CDNOW.discounted_expected_purchases(0, 0, 0, discount_rate=0.002))
    assert endless.estimate == pytest.approx(ever * mean)


def test_the_interval_of_a_new_customer_is_the_delta_method(fits):
    found = new_customer_value(*fits, horizon=39, level=0.9)
    variance = 0.0
    for place, fit in enumerate(fits):
        centre, slopes = np.log(fit.model.theta), []
        for step in 1e-5 * np.eye(centre.size):
            ends = []
            for sign in (1, -1):
                models = [fit.model for fit in fits]
                models[place] = fit.model.with_theta(np.exp(centre + sign * step))
                ends.append(np.log(new_customer_value(*models, horizon=39).estimate))
            slopes.append((ends[0] - ends[1]) / 2e-5)
        variance += float(np.array(slopes) @ fit.log_covariance @ np.array(slopes))
    factor = np.exp(stats.norm.ppf(0.95) * np.sqrt(variance))
    assert found.interval.high == pytest.approx(found.estimate * factor, rel=1e-5)
    assert found.interval.low == pytest.approx(found.estimate / factor, rel=1e-5)


def test_intervals_of_new_customers_hold_the_truth_as_often_as_they_say():
    truth = new_customer_value(CDNOW, SPEND, horizon=39).estimate
    rng, hits = np.random.default_rng(39), 0
    for _ in range(60):
        drawn = CDNOW.simulate(np.full(800, 39.0), rng=rng)
        drawn = drawn.assign(monetary_value=SPEND.simulate(drawn["frequency"], rng=rng))
        hits += truth in new_customer_value(BGNBD.fit(drawn), GammaGamma.fit(drawn), horizon=39, level=0.9).interval
    assert stats.binomtest(hits, 60, 0.9).pvalue > 0.001


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: new_customer_value(SPEND, SPEND, horizon=1), "purchases is a PurchaseModel"),
        (lambda c: new_customer_value(CDNOW, CDNOW, horizon=1), "spend is a GammaGamma"),
        (lambda c: new_customer_value(CDNOW, GammaGamma(p=6, q=0.9, v=15), horizon=1), "q is above 1"),
        (lambda c: new_customer_value(CDNOW, SPEND, horizon=-1), "horizon"),
        (lambda c: new_customer_value(CDNOW, SPEND, horizon=np.inf, timing="end_of_period"), "horizon is finite"),
        (
            lambda c: total_value(CDNOW, SPEND, c.assign(share=-0.1), horizon=1, margin="share"),
            "is a finite number of at least 0",
        ),
        (lambda c: total_value(CDNOW, SPEND, c.assign(share=None), horizon=1, margin="share"), "margin"),
        (lambda c: total_value(CDNOW, SPEND, c.assign(monetary_value=np.nan), horizon=1), "monetary_value"),
    ],
)
def test_what_has_no_value_is_refused(call, words, customers):
    with pytest.raises(InputError, match=words):
        call(customers)


# ---------------------------------------------------------------- spend and frequency


def test_the_correlations_are_scipy_s(customers):
    again = customers[customers["frequency"] > 0]
    x, money = again["frequency"].to_numpy(), again["monetary_value"].to_numpy()
    found = spend_frequency_correlation(customers, level=0.9)
    pearson = stats.pearsonr(x, money)
    interval = pearson.confidence_interval(0.9)
    assert found.estimate == pytest.approx(pearson.statistic)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert found.spearman == pytest.approx(stats.spearmanr(x, money).statistic)
    assert found.customers == len(again)


def test_customers_counted_are_customers_listed():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"frequency": rng.integers(1, 6, 40), "monetary_value": rng.integers(5, 15, 40) * 1.0})
    grouped = rows.value_counts().rename("customers").reset_index()
    one, other = spend_frequency_correlation(rows), spend_frequency_correlation(grouped, counts="customers")
    assert other.estimate == pytest.approx(one.estimate)
    assert other.spearman == pytest.approx(one.spearman)


def test_cdnow_s_correlation_is_the_published_one(cdnow):
    """.11 in Fader, Hardie & Lee (2005), RFM and CLV; its 95 % interval leaves out 0, and a fit says so."""
    history = rm.clv.rfm_summary(
        cdnow, customer="customer_id", time="date", value="amount", unit="week", as_of="1997-09-30"
    )
    found = spend_frequency_correlation(history)
    assert found.estimate == pytest.approx(0.11, abs=0.005)
    fit = GammaGamma.fit(history)
    assert any(f"{found.estimate:.3f}" in note for note in fit.notes)
    assert any("spend more per purchase" in doubt for doubt in fit.diagnostics)


def test_a_fit_of_independent_spend_has_no_doubt(customers, fits):
    assert 0.0 in spend_frequency_correlation(customers).interval
    assert fits[1].diagnostics == ()
    assert any("Correlation of spend and frequency" in note for note in fits[1].notes)


def test_customers_who_are_all_alike_have_no_correlation():
    same = pd.DataFrame({"frequency": [2, 2, 2], "monetary_value": [5.0, 6.0, 9.0]})
    found = spend_frequency_correlation(same)
    assert found.estimate is None
    assert found.notes
    with pytest.raises(InputError, match="two repeat buyers"):
        spend_frequency_correlation(same.head(1))


# ---------------------------------------------------------------- doubts in words


def test_a_good_fit_has_nothing_to_say(customers):
    assert BGNBD.fit(customers).diagnostics == ()
    assert BGNBD.fit(customers).notes == ()


def test_a_base_of_repeat_buyers_alone_is_doubted(customers):
    again = customers[customers["frequency"] > 0]
    assert any("Every one of" in doubt for doubt in BGNBD.fit(again, penalty=0.1).diagnostics)


def test_few_repeat_buyers_are_doubted():
    frame = pd.DataFrame(
        {"frequency": [0] * 60 + [1, 2, 3, 1, 6], "recency": [0.0] * 60 + [5, 20, 30, 10, 36], "T": 39.0}
    )
    assert any("Only 5 of 65 customers" in doubt for doubt in BGNBD.fit(frame, penalty=0.1).diagnostics)


def test_a_short_window_is_doubted():
    drawn = BGNBD(r=0.8, alpha=8.0, a=0.8, b=2.4).simulate(np.full(4_000, 4.0), rng=4)
    fit = BGNBD.fit(drawn, penalty=0.1)
    assert any("The window is short: customers are under observation for 4" in doubt for doubt in fit.diagnostics)


def test_an_estimate_near_the_edge_is_doubted():
    drawn = NBD(r=0.5, alpha=5.0).simulate(np.full(3_000, 30.0), rng=8)
    fit = ParetoNBD.fit(drawn, penalty=1e-3)
    assert any("near the edge of its range" in doubt for doubt in fit.diagnostics), fit.model


def test_a_heavy_single_buyer_is_named(customers):
    heavy = pd.DataFrame({"frequency": [3_000], "recency": [38.9], "T": [39.0]})
    fit = BGNBD.fit(pd.concat([customers[["frequency", "recency", "T"]], heavy], ignore_index=True))
    (doubt,) = [doubt for doubt in fit.diagnostics if "One customer with 3000 repeat purchases" in doubt]
    without = BGNBD.fit(customers)
    moved = np.log(fit.model.theta / without.model.theta)
    distance = np.sqrt(moved @ np.linalg.solve(fit.log_covariance, moved))
    assert distance > 2
    assert float(doubt.split("by ")[1].split(" standard")[0]) == pytest.approx(distance, rel=0.7)


@pytest.mark.parametrize(("factor", "unit"), [(7 * 24, "hour"), (1 / 52.18, "year")])
def test_an_odd_unit_of_time_is_said_to_be_harmless(customers, factor, unit):
    scaled = customers.assign(recency=customers["recency"] * factor, T=customers["T"] * factor)
    fit = BGNBD.fit(rm.clv.history(scaled, unit=unit))
    said = [note for note in fit.notes if "harmless" in note]
    assert len(said) == (unit == "hour")
    base = BGNBD.fit(customers)
    assert fit.model.r == pytest.approx(base.model.r, rel=1e-6)
    assert fit.diagnostics == ()
