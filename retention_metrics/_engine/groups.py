"""Counts by group: one group-by in the user's engine, and what is left is small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import amounts
from retention_metrics._engine.adopt import Source, collect
from retention_metrics._engine.audit import first_rows
from retention_metrics.errors import ColumnError, InputError

EXTREME = 1e100
"""Weights above this, and those below one over it, have no square that a float holds."""


@dataclass(frozen=True)
class Tally:
    """Distinct values of the key roles, with the rows (and the weights) behind each."""

    keys: Mapping[str, tuple[Any, ...]]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    squared_weights: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Rows in all."""
        return int(self.counts.sum())


def tally(source: Source, *, by: Sequence[str], weight: str | None = None) -> Tally:
    """Count the rows of every combination of the roles ``by``, missing values included."""
    frame = source.by_role(*by, *([weight] if weight else []))
    one = nw.col(weight).cast(nw.Float64) if weight else nw.lit(1.0)
    grouped = (
        frame.with_columns(one.alias("_weight"), (one * one).alias("_square"))
        .group_by(*by)
        .agg(
            nw.len().alias("_rows"),
            nw.col("_weight").sum().alias("_weights"),
            nw.col("_square").sum().alias("_squares"),
        )
    )
    columns = collect(grouped)
    order = sorted(range(len(columns["_rows"])), key=lambda row: [_sort_key(columns[role][row]) for role in by])
    return Tally(
        keys={role: tuple(columns[role][row] for row in order) for role in by},
        counts=np.array([columns["_rows"][row] for row in order], dtype=np.int64),
        weights=np.array([columns["_weights"][row] for row in order], dtype=np.float64),
        squared_weights=np.array([columns["_squares"][row] for row in order], dtype=np.float64),
    )


def _sort_key(value: Any) -> tuple[bool, bool, Any]:
    # None sorts last; numbers before text.
    return (value is None, isinstance(value, str), 0 if value is None else value)


def refuse_nested(source: Source, role: str) -> None:
    """Refuse a column of lists or records, which no engine tells apart; in pandas the first cell shows it."""
    nested = source.dtype(role).is_nested()
    if source.dtype(role) == nw.Object:
        first = collect(source.by_role(role).filter(~nw.col(role).is_null()).head(1))[role]
        nested = bool(first) and isinstance(first[0], (list, dict, set))
    if nested:
        raise ColumnError(
            f"{role}={source.roles[role]!r} is a column of single values; it holds lists or records.",
            argument=role,
            column=source.roles[role],
        )


def weight_faults(source: Source, *, weight: str) -> dict[str, int]:
    """Rows whose weight is missing, not finite, below zero, or so small or large that its square is lost."""
    value = nw.col(weight).cast(nw.Float64)
    missing = value.is_null() | value.is_nan()
    found = collect(
        source.by_role(weight).select(
            missing.cast(nw.Int64).sum().alias("missing"),
            (~missing & ~value.is_finite()).cast(nw.Int64).sum().alias("infinite"),
            (value < 0).cast(nw.Int64).sum().alias("negative"),
            (value.is_finite() & ((value > EXTREME) | (value > 0) & (value < 1 / EXTREME)))
            .cast(nw.Int64)
            .sum()
            .alias("extreme"),
        )
    )
    found[f"not between {1 / EXTREME:g} and {EXTREME:g}"] = found.pop("extreme")
    return {name: int(cells[0] or 0) for name, cells in found.items()}


def _refuse_infinite(source: Source, role: str, count: int, rows: int) -> None:
    if not count:
        return
    number, column = amounts.number(source, role), source.roles[role]
    where, first = first_rows(source, (~number.is_finite()).fill_null(False), role)
    raise InputError(
        f"{role}={column!r} is finite; {count} of {rows} rows are not so ({where}).",
        argument=role,
        column=column,
        count=count,
        first=first,
    )


@dataclass(frozen=True)
class QuantileTally:
    """Counts by quantile of a value: ``edges`` are the upper ends of the groups but the last."""

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    customers: NDArray[np.int64]
    churned: NDArray[np.int64]
    excluded: Mapping[str, int]


def quantile_tally(source: Source, *, value: str, churned: str, quantiles: int) -> QuantileTally:
    """Cut customers at the quantiles of a value and count the churned in every group.

    Equal values share a group: each goes to the first group whose upper end is at or above it.
    """
    number, outcome = nw.col(value), nw.col(churned)
    # Outcomes as floats: pandas holds true, false and unknown as objects or as floats with NaN.
    frame = source.by_role(value, churned).with_columns(number.cast(nw.Float64), outcome.cast(nw.Float64))
    unknown = number.is_null() | number.is_nan()
    unmarked = outcome.is_null() | outcome.is_nan()
    counts = collect(
        frame.select(
            unknown.cast(nw.Int64).sum().alias("missing_value"),
            (~unknown & unmarked).cast(nw.Int64).sum().alias("missing_churned"),
            (~unknown & ~number.is_finite()).cast(nw.Int64).sum().alias("infinite"),
            nw.len().alias("rows"),
        )
    )
    excluded = {name: int(cells[0] or 0) for name, cells in counts.items()}
    _refuse_infinite(source, value, excluded.pop("infinite"), excluded.pop("rows"))
    kept = frame.filter(~unknown & ~unmarked)
    shares = [step / quantiles for step in range(1, quantiles)]
    cuts = collect(
        kept.select(
            *(number.quantile(share, interpolation="linear").alias(f"q{step}") for step, share in enumerate(shares))
        )
    )
    edges = sorted({float(cells[0]) for cells in cuts.values() if cells[0] is not None})
    group = nw.lit(0)
    for edge in edges:
        group = group + (number > edge).cast(nw.Int64)
    table = collect(
        kept.with_columns(group.alias("_group"))
        .group_by("_group")
        .agg(
            nw.len().alias("customers"),
            outcome.sum().alias("churned"),
            number.min().alias("low"),
            number.max().alias("high"),
        )
        .sort("_group")
    )
    return QuantileTally(
        edges=tuple(edges),
        low=tuple(table["low"]),
        high=tuple(table["high"]),
        customers=np.array(table["customers"], dtype=np.int64),
        churned=np.array(table["churned"], dtype=np.int64),
        excluded={reason: rows for reason, rows in excluded.items() if rows},
    )
