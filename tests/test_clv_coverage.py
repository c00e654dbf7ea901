"""Intervals of fits hold the truth as often as they say: 200 data sets here against the 2,000 that were stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clv_coverage import CASES, LEVEL, STORED, coverage, in_profile

FIGURES = json.loads(STORED.read_text(encoding="utf-8"))


def test_every_case_is_stored_with_its_model():
    assert set(FIGURES) == set(CASES)
    for name, figures in FIGURES.items():
        assert figures["datasets"] >= 2000
        model = CASES[name].model.to_dict()
        for parameter, value in figures["model"].items():
            assert model[parameter] == value


@pytest.mark.parametrize("name", CASES)
def test_stored_intervals_hold_the_truth_as_often_as_they_say(name):
    figures = FIGURES[name]
    assert ("answers" in figures) == (CASES[name].ask is not None)
    for quantity, held in (figures["held"] | figures.get("answers", {})).items():
        assert 0.915 <= held / figures["fitted"] <= 0.975, quantity


def test_profile_intervals_hold_what_wald_s_miss():
    """MBG/NBD's Wald interval of r holds it in 92.3 % of 2,000 data sets, the profile's in as many as it says."""
    figures = FIGURES["MBGNBD"]
    for parameter, held in figures["profile"].items():
        assert 0.94 <= held / figures["fitted"] <= 0.96, parameter
    assert figures["held"]["r"] / figures["fitted"] < 0.93 < figures["profile"]["r"] / figures["fitted"]


def test_a_profile_interval_is_where_the_profile_likelihood_says():
    case = CASES["MBGNBD"]
    fit = case.fit(case.model, case.draw(case.model, np.random.default_rng(3)))
    for parameter, interval in fit.intervals(level=LEVEL, method="profile").items():
        for end, inwards in ((interval.low, 1.001), (interval.high, 1 / 1.001)):
            assert in_profile(fit, parameter, end * inwards)
            assert not in_profile(fit, parameter, end / inwards)


@pytest.mark.parametrize("name", CASES)
def test_other_data_sets_confirm_the_stored_figures(name):
    figures, here = FIGURES[name], coverage(name, datasets=200, seed=200)
    assert here["fitted"] / 200 == pytest.approx(figures["fitted"] / figures["datasets"], abs=0.05)
    assert here.keys() <= figures.keys()
    for method in here.keys() & {"held", "profile", "answers"}:
        for parameter, held in here[method].items():
            stored = figures[method][parameter] / figures["fitted"]
            spread = np.sqrt(LEVEL * (1 - LEVEL) * (1 / here["fitted"] + 1 / figures["fitted"]))
            assert held / here["fitted"] == pytest.approx(stored, abs=3.5 * spread), (method, parameter)
