"""Customer-retention mathematics, with an interval on every number."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retention_metrics import (
        benchmarks,
        churn,
        clv,
        contracts,
        customers,
        datasets,
        drivers,
        errors,
        growth,
        nps,
        periods,
        plotting,
        results,
        retention,
        revenue,
        surveys,
        survival,
    )
    from retention_metrics.periods import Period
    from retention_metrics.proportions import difference, ratio
    from retention_metrics.results import from_dict

_MODULES = (
    "benchmarks",
    "churn",
    "clv",
    "contracts",
    "customers",
    "datasets",
    "drivers",
    "errors",
    "growth",
    "nps",
    "periods",
    "plotting",
    "results",
    "retention",
    "revenue",
    "surveys",
    "survival",
)
_NAMES = {
    "Period": "retention_metrics.periods",
    "difference": "retention_metrics.proportions",
    "from_dict": "retention_metrics.results",
    "ratio": "retention_metrics.proportions",
}

__all__ = [
    "Period",
    "benchmarks",
    "churn",
    "clv",
    "contracts",
    "customers",
    "datasets",
    "difference",
    "drivers",
    "errors",
    "from_dict",
    "growth",
    "nps",
    "periods",
    "plotting",
    "ratio",
    "results",
    "retention",
    "revenue",
    "surveys",
    "survival",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"retention_metrics.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'retention_metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
