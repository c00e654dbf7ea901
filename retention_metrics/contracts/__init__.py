"""Contract terms and fees: what a client is worth under each."""

from __future__ import annotations

from retention_metrics.contracts.break_evens import BreakEvenChurnRatio, BreakEvenFee
from retention_metrics.contracts.comparison import TermComparison, compare
from retention_metrics.contracts.terms import Term

__all__ = ["BreakEvenChurnRatio", "BreakEvenFee", "Term", "TermComparison", "compare"]
