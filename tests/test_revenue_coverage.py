"""Intervals of revenue hold the truth as often as they say: the 2,000 data sets stored, and others."""

from __future__ import annotations

import numpy as np
import pytest

from revenue_coverage import CASES, DATASETS, LEVEL, coverage

LOWEST = {"hhi 200": 0.75, "gini 50": 0.915, "gini heavy 200": 0.925}


def test_every_case_is_stored_with_its_truth(reference):
    stored = reference("revenue_coverage")
    assert stored.datasets == DATASETS >= 2000
    assert set(stored.coverage) == set(CASES)
    for name, figures in stored.coverage.items():
        assert figures["truth"] == pytest.approx(CASES[name].truth, abs=1e-12)
        assert figures["given"] == DATASETS


@pytest.mark.parametrize("name", CASES)
def test_stored_intervals_hold_the_truth_as_often_as_they_say(name, reference):
    """A sample of a heavy tail lacks some of it, and resamples of few customers are too alike."""
    figures = reference("revenue_coverage").coverage[name]
    lowest = LOWEST.get(name, 0.9 if "bca" in name else 0.935)
    assert lowest <= figures["held"] / figures["given"] <= 0.97


@pytest.mark.parametrize("name", CASES)
def test_other_data_sets_confirm_the_stored_figures(name, reference):
    figures, datasets = reference("revenue_coverage").coverage[name], 60
    given, held = coverage(name, datasets=datasets, seed=200)
    assert given == datasets
    spread = np.sqrt(LEVEL * (1 - LEVEL) * (1 / given + 1 / figures["given"]))
    assert held / given == pytest.approx(figures["held"] / figures["given"], abs=3.5 * spread)
