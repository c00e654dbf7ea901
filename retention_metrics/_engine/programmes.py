"""Tables of customers that are there already: margins against costs, and how onboarding went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect
from retention_metrics._engine.audit import aggregate
from retention_metrics._engine.offers import mark
from retention_metrics.errors import ColumnError, InputError


def net_margins(
    data: NativeFrame, *, margin: str, cost: str, low: str | None, high: str | None, quantile: float
) -> tuple[NativeFrame, Source]:
    """Expected margin less cost, how surely it is below zero, and what follows; arithmetic in the engine."""
    roles = {"margin": margin, "cost": cost, "low": low, "high": high}
    source = adopt(data, roles)
    column = {role: _number(source, role) for role in source.roles}
    names = ("net_margin", *(("probability_of_loss",) if low else ()), "decision", "status")
    clash = [name for name in names if name in source.columns]
    if clash:
        raise ColumnError(f"the table already has a column {clash[0]!r}, which the answer adds.", column=clash[0])
    _refuse_reversed(source, column)
    net = column["margin"] - column["cost"]
    frame = source.frame.with_columns(nw.when(~net.is_nan()).then(net).alias("net_margin"))
    known = ~nw.col("net_margin").is_null() & ~nw.col("net_margin").is_nan()
    loss: nw.Expr = nw.when(known).then((nw.col("net_margin") < 0).cast(nw.Float64))
    if low and high:
        error = (column["high"] - column["low"]) / (2 * quantile)
        # Without a spread the sign decides, and so it does for a margin without end.
        certain = known & ((error == 0) | ~nw.col("net_margin").is_finite())
        spread = nw.when(known & (error > 0)).then(_normal_cdf(-nw.col("net_margin") / error))
        loss = nw.when(certain).then((nw.col("net_margin") < 0).cast(nw.Float64)).otherwise(spread)
        frame = frame.with_columns(loss.alias("probability_of_loss"))
        loss = nw.col("probability_of_loss")
    named = (
        nw.when(loss > 0.95)
        .then(nw.lit("let_go"))
        .otherwise(nw.when(loss < 0.05).then(nw.lit("keep")).otherwise(nw.when(~loss.is_null()).then(nw.lit("unsure"))))
    )
    native = frame.with_columns(named.alias("decision"), _status(column, known, loss).alias("status"))
    return (native.to_native() if source.lazy else native.collect().to_native()), source


def _status(column: Mapping[str, nw.Expr], known: nw.Expr, loss: nw.Expr) -> nw.Expr:
    """What a row lacks that has no decision."""
    # Infinity less infinity is no margin.
    lacks: nw.Expr = nw.when(known).then(nw.lit("missing_interval")).otherwise(nw.lit("undefined"))
    for role in ("cost", "margin"):
        gone = column[role].is_null() | column[role].is_nan()
        lacks = nw.when(gone).then(nw.lit(f"missing_{role}")).otherwise(lacks)
    return nw.when(loss.is_null()).then(lacks).otherwise(nw.lit("ok"))


def _number(source: Source, role: str) -> nw.Expr:
    """A column of numbers as floats; pandas keeps decimals among its objects."""
    column, dtype = source.roles[role], source.dtype(role)
    if not (dtype.is_numeric() or dtype == nw.Object):
        raise ColumnError(
            f"{role}={column!r} is a column of numbers; it holds {dtype}.",
            argument=role,
            column=column,
            fix="Convert it to numbers first, unknown ones to missing.",
        )
    return source.column(role).cast(nw.Float64)


def _refuse_reversed(source: Source, column: Mapping[str, nw.Expr]) -> None:
    """Refuse a table without rows, and intervals whose low end is above the high one."""
    counts = {"rows": nw.len()}
    if "low" in column:
        low, high = column["low"], column["high"]
        # DuckDB holds a NaN for larger than any number.
        bad = ((low > high) & ~low.is_nan() & ~high.is_nan()).fill_null(False)
        counts["reversed"] = bad.cast(nw.Int64).sum()
    found = collect(source.frame.select(*(count.alias(name) for name, count in counts.items())))
    if not found["rows"][0]:
        raise InputError("data has no rows.", argument="customers", count=0)
    count = int(found["reversed"][0] or 0) if "reversed" in found else 0
    if count:
        raise InputError(
            f"low is at most high; {count} of {found['rows'][0]} rows have their ends reversed.",
            argument="low",
            column=source.roles["low"],
            count=count,
        )


def _normal_cdf(z: nw.Expr) -> nw.Expr:
    """The normal distribution function by arithmetic that every engine has: Abramowitz & Stegun (1964), 26.2.17."""
    size = z.abs()
    t = 1 / (1 + 0.2316419 * size)
    tail: nw.Expr = t * 1.330274429 - 1.821255978
    for coefficient in (1.781477937, -0.356563782, 0.319381530):
        tail = tail * t + coefficient
    tail = tail * t * (size * size * -0.5).exp() * 0.3989422804014327
    return nw.when(z < 0).then(tail).otherwise(1 - tail)


def early_leavers(
    data: NativeFrame, *, onboarded: str, duration: str, churned: str, first_use: str | None
) -> tuple[dict[str, list[Any]], str, dict[str, int]]:
    """Distinct (onboarded, duration, churned, first use) with counts, and the rows that do not say."""
    roles = {"onboarded": onboarded, "duration": duration, "churned": churned, "first_use": first_use}
    source = adopt(data, roles)
    columns = {role: (mark if role in ("onboarded", "churned") else _number)(source, role) for role in source.roles}
    frame = source.frame.select(*(column.alias(role) for role, column in columns.items()))
    needed = ("onboarded", "duration", "churned")
    unknown: nw.Expr = nw.lit(False)
    for role in needed:
        unknown = unknown | nw.col(role).is_null() | nw.col(role).is_nan()
    frame = frame.with_columns(unknown.cast(nw.Int64).alias("unknown"), nw.lit(1).alias("one"))
    keys = (*source.roles, "unknown")
    cells = collect(aggregate(frame, keys, {"customers": (nw.col("one"), "sum")}))
    kept = [row for row, mark in enumerate(cells["unknown"]) if not mark]
    missing = sum(count for count, mark in zip(cells["customers"], cells["unknown"], strict=True) if mark)
    listed = {name: [column[row] for row in kept] for name, column in cells.items() if name != "unknown"}
    return listed, source.backend, {"missing_answer": int(missing)} if missing else {}
