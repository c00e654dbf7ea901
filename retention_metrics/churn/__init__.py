"""Churn: rates by period under any definition, their conversion, lifetimes, reasons, and churn by group."""

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
from retention_metrics.churn.reasons import ChurnReasons, reasons
from retention_metrics.churn.reconciliation import ChurnReconciliation, reconcile, reconciled_customers
from retention_metrics.churn.windows import PeriodChurn, WindowChurn, by_period, in_window

__all__ = [
    "ChurnReasons",
    "ChurnReconciliation",
    "ChurnTable",
    "ChurnTrend",
    "ConvertedRate",
    "Lifetime",
    "LifetimeChurn",
    "PeriodChurn",
    "WindowChurn",
    "by_group",
    "by_period",
    "by_quantile",
    "convert",
    "from_lifetime",
    "in_window",
    "lifetime",
    "rate",
    "reasons",
    "reconcile",
    "reconciled_customers",
]
