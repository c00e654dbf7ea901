"""Intervals about customers hold as often as they say: the 2,000 data sets stored, and others."""

from __future__ import annotations

import numpy as np
import pytest

from customers_coverage import CASES, DATASETS, LEVEL, coverage

FEW = (
    "average_order_value 20",
    "average_order_value 40",
)  # frequent buyers have large orders, and there are few of them


def test_every_case_is_stored(reference):
    stored = reference("customers_coverage")
    assert stored.datasets == DATASETS >= 2000
    assert set(stored.coverage) == set(CASES)
    assert all(0.97 * DATASETS <= figures["given"] <= DATASETS for figures in stored.coverage.values())


@pytest.mark.parametrize("name", CASES)
def test_stored_intervals_hold_as_often_as_they_say(name, reference):
    figures = reference("customers_coverage").coverage[name]
    assert (0.9 if name in FEW else 0.925) <= figures["held"] / figures["given"] <= 0.975


@pytest.mark.parametrize("name", CASES)
def test_other_data_sets_confirm_the_stored_figures(name, reference):
    figures = reference("customers_coverage").coverage[name]
    given, held = coverage(name, datasets=10 if "6000" in name else 40, seed=200)
    spread = np.sqrt(LEVEL * (1 - LEVEL) * (1 / given + 1 / figures["given"]))
    assert held / given == pytest.approx(figures["held"] / figures["given"], abs=3.5 * spread)
