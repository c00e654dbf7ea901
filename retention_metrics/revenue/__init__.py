"""Revenue: what moves it, who stays with it, in how few hands it lies, and what a customer earns."""

from __future__ import annotations

from retention_metrics.revenue.cohorts import RevenueCohorts, RevenueRetentionCurve, by_cohort
from retention_metrics.revenue.economics import (
    BudgetSplit,
    CostRatio,
    Payback,
    UnitEconomics,
    budget_split,
    unit_economics,
)
from retention_metrics.revenue.expansion import ExpansionTable, expansion
from retention_metrics.revenue.loyalty import LoyalCore, SpendRatio, loyal_core
from retention_metrics.revenue.movements import (
    MovementTable,
    customer_movements,
    movements,
    movements_from_amounts,
    movements_from_invoices,
)
from retention_metrics.revenue.retained import (
    LogoRetention,
    RevenueRetention,
    gross_retention,
    logo_retention,
    net_retention,
)
from retention_metrics.revenue.shares import (
    QuickRatio,
    RevenueShare,
    arpa,
    existing_share,
    predictable_share,
    quick_ratio,
    returning_share,
)
from retention_metrics.revenue.spread import Concentration, Spread, concentration

__all__ = [
    "BudgetSplit",
    "Concentration",
    "CostRatio",
    "ExpansionTable",
    "LogoRetention",
    "LoyalCore",
    "MovementTable",
    "Payback",
    "QuickRatio",
    "RevenueCohorts",
    "RevenueRetention",
    "RevenueRetentionCurve",
    "RevenueShare",
    "SpendRatio",
    "Spread",
    "UnitEconomics",
    "arpa",
    "budget_split",
    "by_cohort",
    "concentration",
    "customer_movements",
    "existing_share",
    "expansion",
    "gross_retention",
    "logo_retention",
    "loyal_core",
    "movements",
    "movements_from_amounts",
    "movements_from_invoices",
    "net_retention",
    "predictable_share",
    "quick_ratio",
    "returning_share",
    "unit_economics",
]
