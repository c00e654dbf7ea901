"""Inputs on which lifetimes or PyMC-Marketing give a wrong answer, NaN or a misleading error, and what is right.

The list is larger than this project: what concerns BG/NBD, Gamma-Gamma, lifetime value and histories is answered here.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv import BGNBD, GammaGamma
from retention_metrics.errors import ColumnError, FitError, InputError

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
MAXIMUM = [0.24259, 4.41353, 0.79289, 2.42575]


@pytest.fixture(scope="module")
def case(shared_data):
    """``case(id)``: the entry of the list with this id."""
    entries = {entry["id"]: entry for entry in json.loads((shared_data / "lifetimes_failures.json").read_text())}
    return entries.__getitem__


@pytest.fixture
def summary(shared_data) -> pd.DataFrame:
    """CDNOW's customers, in weeks."""
    table = pd.read_csv(shared_data / "cdnow_customer_summary.csv")
    return table.rename(columns={"x": "frequency", "t_x": "recency", "zbar": "monetary_value"})


# ---------------------------------------------------------------- predictions


@pytest.mark.parametrize("name", ["bg_pmf_n171", "bg_pmf_n100_t1", "bg_pmf_array_n", "bg_pmf_array_t"])
def test_probabilities_of_purchases(case, name):
    inputs = case(name)["inputs"]
    found = BGNBD(**inputs["params"]).probability_of_purchases_new(n=inputs["n"], horizon=inputs["t"])
    assert found == pytest.approx(np.array(case(name)["correct"]), rel=1e-9)


def test_expected_purchases_at_a_of_one(case):
    entry = case("bg_cet_a1")
    found = BGNBD(**entry["inputs"]["params"]).expected_purchases(2, 30.43, 38.86, horizon=39)
    assert found == pytest.approx(entry["correct"], rel=1e-12)


def test_expected_purchases_at_b_of_one_without_repeat_purchase(case):
    scalar, array = case("bg_cet_scalar_x0"), case("bg_cet_x0_b1_array")
    model = BGNBD(**scalar["inputs"]["params"])
    assert model.expected_purchases(0, 0, 38.86, horizon=39) == pytest.approx(scalar["correct"], rel=1e-12)
    history = (array["inputs"][name] for name in ("frequency", "recency", "T"))
    assert model.expected_purchases(*history, horizon=39) == pytest.approx(np.array(array["correct"]), rel=1e-12)


def test_a_negative_horizon_is_refused(case):
    assert case("cet_negative_t")["correct"] == "raise"
    with pytest.raises(InputError, match="horizon"):
        BGNBD(**CDNOW).expected_purchases(2, 30.43, 38.86, horizon=-10)


def test_many_purchases_over_ten_years_are_finite(case):
    assert case("pymc_bg_cet_nan")["correct"] == "finite"
    age, frequency = np.array([39.0, 365.0]), np.array([200, 500])
    found = BGNBD(**CDNOW).expected_purchases(frequency, age, age, horizon=3650)
    assert (np.isfinite(found) & (found > frequency)).all()


# ---------------------------------------------------------------- fits


@pytest.mark.parametrize("scale", [1, 7, 168])
def test_the_fit_does_not_depend_on_the_unit(case, summary, scale):
    assert case("pymc_map_hours_bg")["correct"]["alpha_weeks"] == MAXIMUM[1]
    scaled = summary.assign(recency=summary["recency"] * scale, T=summary["T"] * scale)
    assert BGNBD.fit(scaled).model.theta / [1, scale, 1, 1] == pytest.approx(MAXIMUM, abs=6e-6)


def test_covariances_are_symmetric_and_right(case, summary):
    published = pd.DataFrame(case("cov_asym")["correct"]).loc[list(CDNOW), list(CDNOW)]
    covariance = BGNBD.fit(summary).covariance
    assert np.allclose(covariance, covariance.T, rtol=1e-12)
    assert covariance == pytest.approx(published.to_numpy(), abs=6e-6)


def test_gamma_gamma_reaches_the_maximum(case, summary):
    correct = case("pymc_gg_map")["correct"]
    fit = GammaGamma.fit(summary)
    assert fit.model.theta == pytest.approx([correct[name] for name in "pqv"], abs=5e-5)
    assert fit.log_likelihood == pytest.approx(correct["LL"], abs=5e-5)


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("frac_frequency", {"frequency": 2.9}, "frequency holds whole numbers"),
        ("nan_frequency", {"frequency": None}, "frequency holds finite numbers"),
        ("nan_recency", {"frequency": 2, "recency": None}, "recency holds finite numbers"),
        ("pymc_nan_recency", {"recency": None}, "recency holds finite numbers"),
        ("neg_frequency", {"frequency": -1}, "frequency is at least 0"),
    ],
)
def test_a_bad_cell_is_refused_by_its_row(case, summary, name, cells, words):
    assert case(name)["correct"].startswith("raise")
    table = summary.astype({"frequency": float})
    table.loc[4, list(cells)] = list(cells.values())
    with pytest.raises(InputError, match=rf"{words}.*row 4"):
        BGNBD.fit(table)


@pytest.mark.parametrize("name", ["T_all_zero", "one_customer", "all_zero_freq"])
def test_data_that_identify_nothing_are_refused(case, name):
    inputs = {"frequency": 0, "recency": 0.0, **case(name)["inputs"]}
    if name == "all_zero_freq":
        inputs["T"] = np.linspace(27, 39, inputs["n"])
    table = pd.DataFrame({key: inputs[key] for key in ("frequency", "recency", "T")})
    with pytest.raises(FitError, match="nothing to go by"):
        BGNBD.fit(table)


@pytest.mark.parametrize("name", ["fit_heavy", "fit_rare_drop"])
def test_heavy_buyers_are_fitted(case, name):
    """Drawn anew from the entry's parameters; the truth is within the intervals."""
    inputs = case(name)["inputs"]
    truth = BGNBD(**dict(zip(CDNOW, inputs["true"], strict=True)))
    fit = BGNBD.fit(truth.simulate(np.full(inputs["N"], float(inputs["Tmax"])), rng=inputs["seed"]))
    for parameter, interval in fit.intervals(level=0.999).items():
        assert getattr(truth, parameter) in interval


def test_one_shot_buyers_have_a_limit(case):
    """Drawn anew from the entry's parameters: the fit says that it has no maximum, and names what it tends to."""
    inputs = case("fit_one_shot")["inputs"]
    truth = BGNBD(**dict(zip(CDNOW, inputs["true"], strict=True)))
    drawn = truth.simulate(np.full(inputs["N"], float(inputs["Tmax"])), rng=inputs["seed"])
    with pytest.raises(FitError, match="no maximum") as caught:
        BGNBD.fit(drawn)
    at_truth = truth.log_likelihood(drawn["frequency"], drawn["recency"], drawn["T"]).sum()
    assert caught.value.limit.log_likelihood > at_truth


def test_spend_of_no_purchase_is_set_aside_and_counted(case, summary):
    assert case("gg_freq0")
    paid = summary.copy()
    paid.loc[paid.index[paid["frequency"] == 0][0], "monetary_value"] = 10.0
    assert GammaGamma.fit(paid).model == GammaGamma.fit(summary).model
    assert GammaGamma.fit(paid).excluded == {"no_repeat_purchase": 1411}


def test_missing_spend_of_a_repeat_buyer_is_refused_by_its_row(case, summary):
    assert case("gg_nan")["correct"] == "raise naming the row"
    summary.loc[0, "monetary_value"] = None
    with pytest.raises(InputError, match=r"monetary_value.*row 0"):
        GammaGamma.fit(summary)


# ---------------------------------------------------------------- value


@pytest.mark.parametrize(("unit", "weeks"), [("week", 1.0), ("day", 1 / 7), ("hour", 1 / 168), ("month", 365.25 / 84)])
def test_a_customer_is_worth_the_same_in_every_unit(case, unit, weeks):
    entry = case("clv_units")
    inputs, month = entry["inputs"], 365.25 / 84
    model = BGNBD(**inputs["bg"], unit="week").rescale(to=unit)
    spend = GammaGamma(**dict(zip("pqv", inputs["gg"], strict=True)))
    history = pd.DataFrame(
        {
            "frequency": [inputs["frequency"]],
            "recency": [inputs["recency_weeks"] / weeks],
            "T": [inputs["T_weeks"] / weeks],
            "monetary_value": [inputs["monetary_value"]],
        }
    )
    how = {
        "horizon": inputs["time"] * month / weeks,
        "discount_rate": (1 + inputs["discount_rate"]) ** (weeks / month) - 1,
    }
    table = rm.clv.history(history, unit=unit)
    assert as_rows(rm.clv.lifetime_value(model, spend, table, **how))[0]["clv"] == pytest.approx(36.4936, abs=5e-5)
    if unit == "month":
        monthly = rm.clv.lifetime_value(model, spend, table, **how, timing="end_of_period")
        assert as_rows(monthly)[0]["clv"] == pytest.approx(entry["correct"]["all units"], rel=1e-12)


def test_half_a_month_is_worth_less_than_a_whole_one(case):
    assert case("clv_time_half")
    month = 365.25 / 84
    model = BGNBD(**{**CDNOW, "alpha": CDNOW["alpha"] / month})
    spend = GammaGamma(p=6.25, q=3.74, v=15.44)
    history = pd.DataFrame(
        {"frequency": [2], "recency": [30.43 / month], "T": [38.86 / month], "monetary_value": [22.35]}
    )
    for timing in ("continuous", "end_of_period"):
        half, one, more, two = (
            as_rows(rm.clv.lifetime_value(model, spend, history, horizon=time, discount_rate=0.01, timing=timing))[0][
                "clv"
            ]
            for time in (0.5, 1, 1.5, 2)
        )
        assert half < one < more < two


# ---------------------------------------------------------------- histories


def test_dates_with_the_day_first_are_refused_and_not_sorted_as_text(case):
    inputs, correct = case("rfm_dayfirst")["inputs"], case("rfm_dayfirst")["correct"]
    log = pd.DataFrame({name: inputs[name] for name in ("id", "date", "v")})
    with pytest.raises((InputError, ColumnError), match="unreadable dates"):
        rm.clv.rfm_summary(log, customer="id", time="date")
    parsed = log.assign(date=pd.to_datetime(log["date"], dayfirst=True))
    found = rm.clv.rfm_summary(parsed, customer="id", time="date", value="v").frame.set_index("id").fillna(0.0)
    for name, cells in correct.items():
        assert {str(who): cell for who, cell in found[name].items()} == cells


@pytest.mark.parametrize(("name", "unit"), [("W", "week"), ("M", "month"), ("h", "hour"), ("H", "hour"), ("Y", "year")])
def test_every_unit_works(case, cdnow, name, unit):
    assert case(f"rfm_freq_{name}")["correct"] == "works"
    history = rm.clv.rfm_summary(cdnow, customer="customer_id", time="date", unit=unit)
    assert len(history.frame) == 2357


def test_transactions_are_simulated(case):
    assert case("gen_tx")["correct"] == "works"
    assert BGNBD(**CDNOW).simulate_transactions(np.full(40, 39.0), rng=0)["customer"].nunique() == 40
