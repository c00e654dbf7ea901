"""Churn: rates, their conversion between periods, lifetimes, and churn by group."""

from __future__ import annotations

from retention_metrics.churn.groups import ChurnTable, ChurnTrend, by_group, by_quantile
from retention_metrics.churn.rates import (
    ConvertedRate,
    Lifetime,
    LifetimeChurn,
    convert,
    from_lifetime,
    lifetime,
    rate,
)

__all__ = [
    "ChurnTable",
    "ChurnTrend",
    "ConvertedRate",
    "Lifetime",
    "LifetimeChurn",
    "by_group",
    "by_quantile",
    "convert",
    "from_lifetime",
    "lifetime",
    "rate",
]
