"""Fixtures that every test may use."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from frames import FRAMES
from places import REFERENCE, SHARED_DATA, lifetimes_file

# Examples are drawn alike on every run and no example fails for being slow: a test says something about
# retention, not about the machine. HYPOTHESIS_PROFILE=explore draws new ones.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=_QUIET, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def reference() -> Callable[[str], SimpleNamespace]:
    """``reference("bg_nbd_cdnow").theta``: the top level of tests/reference/NAME.toml as attributes."""

    def read(name: str) -> SimpleNamespace:
        with (REFERENCE / f"{name}.toml").open("rb") as file:
            table = tomllib.load(file)
        if not table.get("source"):
            raise ValueError(f"tests/reference/{name}.toml does not say where its numbers come from (source = ...).")
        return SimpleNamespace(**table)

    return read


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of larger data sets beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("shared data folder is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def _cdnow_sample() -> pd.DataFrame:
    names = ["master_id", "customer_id", "date", "quantity", "amount"]
    frame = pd.read_csv(lifetimes_file("CDNOW_sample.txt"), sep=r"\s+", header=None, names=names)
    frame["date"] = pd.to_datetime(frame["date"].astype(str), format="%Y%m%d")
    return frame


@pytest.fixture(scope="session")
def _cdnow_master() -> pd.DataFrame:
    names = ["customer_id", "date", "quantity", "amount"]
    frame = pd.read_csv(lifetimes_file("CDNOW_master.txt"), sep=r"\s+", header=0, names=names)
    frame["date"] = pd.to_datetime(frame["date"].astype(str), format="%Y%m%d")
    return frame


@pytest.fixture
def cdnow(_cdnow_sample: pd.DataFrame) -> pd.DataFrame:
    """The CDNOW 1/10 sample: 6,919 rows of master_id, customer_id, date, quantity, amount; 2,357 customers."""
    return _cdnow_sample.copy()


@pytest.fixture
def cdnow_master(_cdnow_master: pd.DataFrame) -> pd.DataFrame:
    """All of CDNOW: 69,659 rows of customer_id, date, quantity, amount; 23,570 customers."""
    return _cdnow_master.copy()


@pytest.fixture(params=FRAMES)
def frame(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """Each kind of dataframe in turn: ``frame(orders)`` is the pandas frame ``orders`` in that kind."""
    return request.param
