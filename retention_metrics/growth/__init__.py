"""Growth under churn: where revenue levels off, when a hire pays, and whose clients stay."""

from __future__ import annotations

from retention_metrics.growth.expectations import ExpectationGaps, expectation_gap
from retention_metrics.growth.hires import Hire, hire
from retention_metrics.growth.markets import Upmarket, upmarket
from retention_metrics.growth.plateaus import LeverTable, RevenuePlateau, plateau
from retention_metrics.growth.reps import RepRanking, reps

__all__ = [
    "ExpectationGaps",
    "Hire",
    "LeverTable",
    "RepRanking",
    "RevenuePlateau",
    "Upmarket",
    "expectation_gap",
    "hire",
    "plateau",
    "reps",
    "upmarket",
]
