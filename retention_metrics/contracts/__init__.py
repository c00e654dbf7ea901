"""Contract terms and fees: what a client is worth under each."""

from __future__ import annotations

from retention_metrics.contracts.bonuses import BonusPayouts, LongevityBonus, longevity_bonus
from retention_metrics.contracts.break_evens import BreakEven, BreakEvenChurnRatio, BreakEvenFee
from retention_metrics.contracts.capped import CappedBonus
from retention_metrics.contracts.cash import CashFlow
from retention_metrics.contracts.chances import ProbabilityBetter
from retention_metrics.contracts.churn_rates import ChurnRateRatio, MonthlyChurn
from retention_metrics.contracts.comparison import TermComparison, compare
from retention_metrics.contracts.estimates import TermEstimates, estimate
from retention_metrics.contracts.fees import FeeFlat, FeeShare, FeeTiers
from retention_metrics.contracts.loyalty import LoyaltyProgramme, loyalty_programme
from retention_metrics.contracts.offers import MinimumSpend, RetentionOffer, minimum_spend, save_offer, win_back
from retention_metrics.contracts.portfolio import DroppedTerm, Portfolio
from retention_metrics.contracts.prospects import ProspectCounts, QualifiedProspects, qualify
from retention_metrics.contracts.sensitivity import SensitivityGrid, TermSensitivity
from retention_metrics.contracts.terms import Term

__all__ = [
    "BonusPayouts",
    "BreakEven",
    "BreakEvenChurnRatio",
    "BreakEvenFee",
    "CappedBonus",
    "CashFlow",
    "ChurnRateRatio",
    "DroppedTerm",
    "FeeFlat",
    "FeeShare",
    "FeeTiers",
    "LongevityBonus",
    "LoyaltyProgramme",
    "MinimumSpend",
    "MonthlyChurn",
    "Portfolio",
    "ProbabilityBetter",
    "ProspectCounts",
    "QualifiedProspects",
    "RetentionOffer",
    "SensitivityGrid",
    "Term",
    "TermComparison",
    "TermEstimates",
    "TermSensitivity",
    "compare",
    "estimate",
    "longevity_bonus",
    "loyalty_programme",
    "minimum_spend",
    "qualify",
    "save_offer",
    "win_back",
]
