"""Customers: one view of each, who is about to be lost, segments, and what keeping them costs and earns."""

from __future__ import annotations

from retention_metrics.customers.ages import SpendByAge, spend_by_age
from retention_metrics.customers.contacts import contact_due
from retention_metrics.customers.demand import Demand, demand
from retention_metrics.customers.messages import MessageResponse, message_response
from retention_metrics.customers.programmes import (
    Onboarding,
    RetentionCost,
    keep_or_let_go,
    onboarding,
    retention_cost,
)
from retention_metrics.customers.rates import (
    CustomerMean,
    CustomerRates,
    RepeatRate,
    average_order_value,
    purchase_frequency,
    repeat_rate,
)
from retention_metrics.customers.risk import at_risk
from retention_metrics.customers.segments import (
    SegmentMoves,
    SegmentSizes,
    audiences,
    migrations,
    segment_names,
    segment_sizes,
    segments,
    stage_names,
)
from retention_metrics.customers.summary import summary

__all__ = [
    "CustomerMean",
    "CustomerRates",
    "Demand",
    "MessageResponse",
    "Onboarding",
    "RepeatRate",
    "RetentionCost",
    "SegmentMoves",
    "SegmentSizes",
    "SpendByAge",
    "at_risk",
    "audiences",
    "average_order_value",
    "contact_due",
    "demand",
    "keep_or_let_go",
    "message_response",
    "migrations",
    "onboarding",
    "purchase_frequency",
    "repeat_rate",
    "retention_cost",
    "segment_names",
    "segment_sizes",
    "segments",
    "spend_by_age",
    "stage_names",
    "summary",
]
