"""The fits of the list of published results, to half a unit of the last printed digit, from raw transactions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from printed import rounds_to
from retention_metrics.clv import (
    BGNBD,
    MBGNBD,
    BetaDiscreteWeibull,
    GammaGamma,
    ParetoNBD,
    ShiftedBetaGeometric,
)

COHORTS = {
    "regular": [1000, 631, 468, 382, 326, 289, 262, 241],
    "high_end": [1000, 869, 743, 653, 593, 551, 517, 491],
}
PURCHASES = {"bgnbd": BGNBD, "mbgnbd": MBGNBD, "pnbd": ParetoNBD, "gg": GammaGamma}
NAMES = {"gamma": "v"}


@pytest.fixture(scope="module")
def results(shared_data):
    return json.loads((shared_data / "published_results.json").read_text())


@pytest.fixture(scope="module")
def computed(results):
    return results["computed"]["models_computed"]


def calibrated(transactions):
    columns = {"customer": "customer_id", "time": "date", "value": "amount", "unit": "week"}
    return rm.clv.rfm_summary(transactions, **columns, calibration_end="1997-09-30", as_of="1998-06-30")


def is_the_maximum_of(entry, fit):
    """Where another optimiser stopped, up to a few units of the sixth decimal, and no higher."""
    assert fit.model.theta == pytest.approx(entry["params"], abs=6e-6)
    assert fit.log_likelihood == pytest.approx(entry["ll"], abs=1e-8)
    assert fit.log_likelihood > entry["ll"] - 1e-9


@pytest.mark.parametrize(
    ("entry", "decimals", "height"),
    [("bgnbd", 3, {"ll": 1, "ll_BTYD": 3}), ("mbgnbd", 3, {}), ("pnbd", 3, {"ll": 3}), ("gg", 2, {"ll": 4})],
)
def test_cdnow_s_printed_parameters_come_from_the_raw_transactions(cdnow, results, entry, decimals, height):
    published = results["published"][f"cdnow_{entry}"]
    assert published["reproduced"]
    fit = PURCHASES[entry].fit(calibrated(cdnow))
    for name in set(published) & {*fit.model.parameters, *NAMES}:
        value = getattr(fit.model, NAMES.get(name, name))
        assert value == pytest.approx(published[name], abs=0.5 * 10**-decimals)
    for name, places in height.items():
        assert fit.log_likelihood == pytest.approx(published[name], abs=0.5 * 10**-places)


def test_clvtools_standard_errors_are_those_of_a_climb_that_stopped_short(cdnow, results):
    """CLVTools prints seven digits and holds itself to .001: they belong to a point short of the maximum.

    At the point below, .0004 standard errors away and with the same published parameters, the exact observed
    information has every digit; at the maximum the errors differ by up to a ten-thousandth part, most for beta.
    """
    printed = results["published"]["cdnow_pnbd"]["se"]
    fit = ParetoNBD.fit(calibrated(cdnow))
    errors = [fit.standard_errors[name] for name in printed]
    assert errors == pytest.approx(list(printed.values()), rel=2e-4)

    stopped = np.array([0.55327667, 10.57776758, 0.60623728, 11.66916076])
    away = np.log(stopped) - np.log(fit.model.theta)
    assert away @ np.linalg.solve(fit.log_covariance, away) < 0.001**2
    _, slope, curvature = fit.model._objective(fit.data, threads=1).evaluate(stopped)
    information = -(curvature * np.outer(stopped, stopped) + np.diag(slope * stopped))
    there = np.sqrt(np.diag(np.linalg.inv(information))) * stopped
    assert rounds_to(there, list(printed.values()), digits=7)


@pytest.mark.parametrize("name", PURCHASES)
def test_cdnow_s_maxima_are_those_found_elsewhere(cdnow, computed, name):
    is_the_maximum_of(computed[f"cdnow_sample_{name}"], PURCHASES[name].fit(calibrated(cdnow)))


def test_the_summary_file_s_spend_has_the_maximum_found_elsewhere(shared_data, computed):
    """Its mean spend is rounded to cents."""
    summary = pd.read_csv(shared_data / "cdnow_customer_summary.csv")
    fit = GammaGamma.fit(summary, frequency="x", monetary_value="zbar")
    is_the_maximum_of(computed["cdnow_sample_gg_from_summary_file"], fit)


def test_cdnow_s_holdout_totals_are_those_found_elsewhere(cdnow, computed):
    totals, history = computed["cdnow_sample_holdout"], calibrated(cdnow)
    assert history.to_frame()["frequency_holdout"].sum() == totals["actual"]
    for cls, expected, alive in ((BGNBD, "bgnbd", "sum_palive_bg"), (ParetoNBD, "pnbd", "sum_palive_pnbd")):
        table = cls.fit(history).predict(history, horizon=39).to_frame()
        assert table["expected_purchases"].sum() == pytest.approx(totals[expected], rel=1e-7)
        assert table["probability_alive"].sum() == pytest.approx(totals[alive], rel=1e-7)


def test_all_of_cdnow_is_as_found_elsewhere(cdnow_master, computed):
    master, history = computed["cdnow_master"], calibrated(cdnow_master)
    counts = history.to_frame()[["frequency", "frequency_holdout"]].sum().tolist()
    assert counts == [master["repeat_cal"], master["x_star"]]
    for name in ("bgnbd", "pnbd"):
        fit = PURCHASES[name].fit(history)
        assert fit.customers == master["customers"]
        is_the_maximum_of(master[name], fit)
        ahead = fit.predict(history, horizon=39).to_frame()["expected_purchases"].sum()
        assert ahead == pytest.approx(master[name]["cet39"], rel=1e-7)


@pytest.mark.parametrize("segment", COHORTS)
@pytest.mark.parametrize("renewals", [4, 7])
def test_the_textbook_cohorts_are_as_found_elsewhere(computed, segment, renewals):
    for name, cls in (("sbg", ShiftedBetaGeometric), ("bdw", BetaDiscreteWeibull)):
        entry = computed[f"{name}_{segment}_{renewals}renewals"]
        fit = cls.fit_survivors(COHORTS[segment][: renewals + 1])
        is_the_maximum_of(entry, fit)
        assert float(fit.model.survival(12)) == pytest.approx(entry["S12"], abs=5e-8)


def test_the_textbook_s_own_digits(results):
    """Of the high end it prints a point that is not the maximum, and the list says which one is."""
    published = results["published"]["sbg_2007"]
    for segment, entry in (("regular", published["regular"]), ("high_end", published["high_end"]["maximum"])):
        fit = ShiftedBetaGeometric.fit_survivors(COHORTS[segment])
        for name, found in (("alpha", fit.model.alpha), ("beta", fit.model.beta), ("ll", fit.log_likelihood)):
            decimals = len(repr(entry[name]).partition(".")[2])
            assert found == pytest.approx(entry[name], abs=0.5 * 10**-decimals)
    high = published["high_end"]
    there = ShiftedBetaGeometric(alpha=high["alpha"], beta=high["beta"])
    left = -np.diff(COHORTS["high_end"])
    height = left @ there.log_likelihood(np.arange(1, 8), True) + 491 * there.log_likelihood(7, False)
    assert height == pytest.approx(high["ll"], abs=0.5e-4)
