"""Customer lifetime value: purchase histories, models of buying, dropping out and spending, and value."""

from __future__ import annotations

from retention_metrics.clv.bg_nbd import BGNBD
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.history import PurchaseHistory, history, rfm_summary
from retention_metrics.clv.interchange import from_lifetimes, to_lifetimes
from retention_metrics.clv.mbg_nbd import MBGNBD
from retention_metrics.clv.value import SimpleValue, lifetime_value, simple_value

__all__ = [
    "BGNBD",
    "MBGNBD",
    "Fit",
    "GammaGamma",
    "PurchaseHistory",
    "SimpleValue",
    "from_lifetimes",
    "history",
    "lifetime_value",
    "rfm_summary",
    "simple_value",
    "to_lifetimes",
]
