"""The frames that other tests are built on say the same thing in every kind."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from frames import FRAMES, as_rows, as_sorted_rows
from places import SHARED_DATA

ORDERS = pd.DataFrame(
    {
        "cust_id": ["b", "a", None],
        "day": pd.to_datetime(["2024-01-02", None, "2024-01-01"]),
        "amount": [2.5, float("nan"), 1.0],
        "items": [2, 1, 3],
    }
)


@pytest.mark.parametrize("frame", FRAMES)
def test_every_kind_of_frame_holds_the_same_rows(frame):
    first, second = dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 1)
    assert as_sorted_rows(frame(ORDERS)) == [("a", None, None, 1), ("b", first, 2.5, 2), (None, second, 1, 3)]


def test_columns_can_be_chosen_and_ordered():
    assert as_sorted_rows(ORDERS, by=["items", "cust_id"]) == [(1, "a"), (2, "b"), (3, None)]


def test_missing_cells_of_a_frame_are_none():
    assert as_rows(ORDERS)[1] == {"cust_id": "a", "day": None, "amount": None, "items": 1}


def test_the_cdnow_sample_is_the_published_one(cdnow):
    assert len(cdnow) == 6919
    assert cdnow["customer_id"].nunique() == 2357
    assert (cdnow["date"].min(), cdnow["date"].max()) == (pd.Timestamp("1997-01-01"), pd.Timestamp("1998-06-30"))


def test_the_cdnow_master_is_the_published_one(cdnow_master):
    assert len(cdnow_master) == 69659
    assert cdnow_master["customer_id"].nunique() == 23570
    assert (cdnow_master["amount"] == 0).sum() == 80


def test_shared_data_is_the_folder_beside_the_project(shared_data):
    assert Path(shared_data) == SHARED_DATA
    assert (shared_data / "MANIFEST.md").is_file()
