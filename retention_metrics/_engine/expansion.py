"""What customers expand by: more of what they have, or another product, in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw

from retention_metrics._engine import money
from retention_metrics._engine.adopt import collect
from retention_metrics._engine.audit import Fold, aggregate

PARTS = ("up_sell", "cross_sell", "given_up")


def expansion_sums(ledger: money.Ledger) -> Mapping[int, Mapping[str, float]]:
    """Units and customers by period, of a ledger grouped by product, for customers whose revenue grew.

    ``up_sell`` is growth of products that the customer had, ``cross_sell`` revenue of those that it had not, and
    ``given_up`` what it pays less for others.
    """
    moved = money.movement_rows(ledger, free="churn", window=None)
    change, total = nw.col("change"), nw.col("total")
    whole = aggregate(moved, ("customer", "period"), {"change": (nw.col("delta"), "sum")})
    whole = whole.with_columns(change.cum_sum().over("customer", order_by="period").alias("total"))
    grown = whole.filter((change > 0) & (total > change)).select("customer", "period")
    both = moved.join(grown, on=["customer", "period"], how="inner")
    delta, had = nw.col("delta"), nw.col("after") != nw.col("delta")
    kinds = {"up_sell": (delta > 0) & had, "cross_sell": (delta > 0) & ~had, "given_up": delta < 0}
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        name: (nw.when(kind).then(delta).otherwise(nw.lit(0.0)), "sum") for name, kind in kinds.items()
    }
    people = aggregate(both, ("customer", "period"), parts)
    sums: dict[str, tuple[nw.Expr, Fold]] = {name: (nw.col(name), "sum") for name in PARTS}
    sums |= {f"{name}_customers": ((nw.col(name) != 0).cast(nw.Int64), "sum") for name in PARTS[:2]}
    cells = collect(aggregate(people, ("period",), sums))
    periods = cells.pop("period")
    return {
        int(period): dict(zip(cells, map(float, numbers), strict=True))
        for period, *numbers in zip(periods, *cells.values(), strict=True)
    }
