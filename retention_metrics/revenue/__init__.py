"""Revenue: what moves it, who stays with it, in how few hands it lies, and what a customer earns."""

from __future__ import annotations

from retention_metrics.revenue.movements import (
    MovementTable,
    customer_movements,
    movements,
    movements_from_amounts,
    movements_from_invoices,
)

__all__ = [
    "MovementTable",
    "customer_movements",
    "movements",
    "movements_from_amounts",
    "movements_from_invoices",
]
