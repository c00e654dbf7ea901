"""Who is still there after k months: churn assumptions, and curves estimated from customers."""

from __future__ import annotations

from retention_metrics.survival.assumptions import MOST_STEPS as MOST_STEPS
from retention_metrics.survival.assumptions import STEP_UNITS as STEP_UNITS
from retention_metrics.survival.assumptions import (
    Assumption,
    ConstantChurn,
    SurvivalTable,
    assumption,
    by_month,
    tabulate,
)
from retention_metrics.survival.assumptions import StepUnit as StepUnit
from retention_metrics.survival.assumptions import Tail as Tail
from retention_metrics.survival.assumptions import plain as plain
from retention_metrics.survival.curves import SurvivalCurve, kaplan_meier
from retention_metrics.survival.estimates import (
    HazardTable,
    LifetimeQuantile,
    RestrictedMean,
    RestrictedMeanDifference,
    SurvivalShare,
)
from retention_metrics.survival.log_ranks import LogRank, log_rank

__all__ = [
    "Assumption",
    "ConstantChurn",
    "HazardTable",
    "LifetimeQuantile",
    "LogRank",
    "RestrictedMean",
    "RestrictedMeanDifference",
    "SurvivalCurve",
    "SurvivalShare",
    "SurvivalTable",
    "assumption",
    "by_month",
    "kaplan_meier",
    "log_rank",
    "tabulate",
]
