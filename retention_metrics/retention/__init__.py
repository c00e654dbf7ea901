"""Retention: the rate from counts or from a log, cohorts, and day-N retention."""

from __future__ import annotations

from retention_metrics.retention.cohorts import CohortTable, RetentionCurve, cohorts
from retention_metrics.retention.days import DayTable, day_n
from retention_metrics.retention.rates import PeriodTable, RetentionRate, by_period, from_subscriptions, rate

__all__ = [
    "CohortTable",
    "DayTable",
    "PeriodTable",
    "RetentionCurve",
    "RetentionRate",
    "by_period",
    "cohorts",
    "day_n",
    "from_subscriptions",
    "rate",
]
