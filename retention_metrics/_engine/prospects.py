"""Prospects held to criteria: which are met, by how much each falls short, and counts, in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import narwhals as nw

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame, adopt, collect
from retention_metrics._engine.offers import native, refuse_taken
from retention_metrics.errors import ColumnError, InputError

Sign = Literal[">=", ">", "<=", "<", "==", "in"]
SIGNS: tuple[Sign, ...] = (">=", ">", "<=", "<", "==", "in")


@dataclass(frozen=True)
class Criterion:
    """A column, and what must hold of it; ``limit`` is a number where the sign is an order, or values to be among."""

    column: str
    sign: Sign
    limit: Any

    @property
    def ordered(self) -> bool:
        """Whether one can fall short of it by an amount."""
        return self.sign in (">=", ">", "<=", "<")

    @property
    def words(self) -> str:
        """The rule as text."""
        if self.sign == "in":
            return f"in {', '.join(map(str, self.limit))}"
        return f"{self.sign} {self.limit:.10g}" if self.ordered else f"{self.sign} {self.limit}"

    def value(self, dtype: nw.dtypes.DType) -> nw.Expr:
        """The column, missing where it is missing or not finite."""
        value = nw.col(self.column)
        if self.ordered and not dtype.is_numeric():
            raise ColumnError(
                f"{self.column!r} is a column of numbers where a criterion is {self.sign}; it holds {dtype}.",
                argument="criteria",
                column=self.column,
            )
        if not self.ordered:
            return value
        value = value.cast(nw.Float64)
        return nw.when(value.is_finite()).then(value)

    def met(self, value: nw.Expr) -> nw.Expr:
        """Whether it holds; null where it is not known."""
        if self.sign == "in":
            return nw.when(~value.is_null()).then(value.is_in(list(self.limit)))
        orders: dict[str, nw.Expr] = {
            ">=": value >= self.limit,
            ">": value > self.limit,
            "<=": value <= self.limit,
            "<": value < self.limit,
            "==": value == self.limit,
        }
        return orders[self.sign]

    def short_by(self, value: nw.Expr) -> nw.Expr:
        """By how much a value falls short, 0 where it does not."""
        gap = self.limit - value if self.sign in (">=", ">") else value - self.limit
        return nw.when(gap > 0).then(gap).otherwise(nw.when(~value.is_null()).then(0.0))


@dataclass(frozen=True)
class Qualified:
    """The prospects with their answers, and the counts of them by criterion."""

    frame: NativeFrame
    prospects: int
    qualified: int
    unknown: int
    borderline: int
    met: tuple[int, ...]
    missing: tuple[int, ...]
    shortfall: tuple[float, ...]
    backend: str


def qualify(
    prospects: NativeFrame, criteria: Sequence[Criterion], *, borderline: tuple[float, float] | None
) -> Qualified:
    """Hold every row to the criteria; ``borderline`` are the ends of the first one's limit where it is uncertain."""
    source = adopt(prospects, {})
    for place, criterion in enumerate(criteria):
        _checks.column(criterion.column, source.columns, role="criteria" if place else "spend")
    values = [criterion.value(source.schema[criterion.column]) for criterion in criteria]
    met = [criterion.met(value).fill_null(False) for criterion, value in zip(criteria, values, strict=True)]
    missing = [value.is_null() for value in values]
    failed = [~fine & ~gone for fine, gone in zip(met, missing, strict=True)]

    shortfalls = {
        f"{criterion.column}_shortfall": criterion.short_by(value)
        for criterion, value in zip(criteria, values, strict=True)
        if criterion.ordered
    }
    columns: dict[str, nw.Expr] = {"status": _status(failed, missing), "reasons": _reasons(criteria, failed, missing)}
    if borderline is not None:
        columns["borderline"] = ((values[0] >= borderline[0]) & (values[0] <= borderline[1])).fill_null(False)
    refuse_taken(source, [*columns, *shortfalls])
    if len(shortfalls) < sum(criterion.ordered for criterion in criteria):
        raise InputError("criteria names each column once, the spend included.", argument="criteria")

    frame = source.frame.with_columns(**{**columns, **shortfalls})
    found = _counts(frame, criteria, met, missing, borderline is not None)
    if found["rows"] == 0:
        raise InputError("prospects has at least one row; got none.", argument="prospects", count=0)
    places = range(len(criteria))
    return Qualified(
        frame=native(source, frame),
        prospects=int(found["rows"]),
        qualified=int(found["qualified"]),
        unknown=int(found["unknown"]),
        borderline=int(found.get("borderline") or 0),
        met=tuple(int(found[f"met{place}"]) for place in places),
        missing=tuple(int(found[f"missing{place}"]) for place in places),
        shortfall=tuple(float(found.get(f"short{place}") or 0.0) for place in places),
        backend=source.backend,
    )


def _status(failed: Sequence[nw.Expr], missing: Sequence[nw.Expr]) -> nw.Expr:
    """One that is known to fail is turned away, whatever else is missing."""
    any_failed, any_missing = reduce(nw.Expr.__or__, failed), reduce(nw.Expr.__or__, missing)
    unknown = nw.when(any_missing).then(nw.lit("unknown")).otherwise(nw.lit("qualified"))
    return nw.when(any_failed).then(nw.lit("falls_short")).otherwise(unknown)


def _reasons(criteria: Sequence[Criterion], failed: Sequence[nw.Expr], missing: Sequence[nw.Expr]) -> nw.Expr:
    """The criteria that are not met, by column, in order; null where all are."""
    words = [
        nw.when(fails)
        .then(nw.lit(f"; {criterion.column}"))
        .otherwise(nw.when(gone).then(nw.lit(f"; {criterion.column} missing")).otherwise(nw.lit("")))
        for criterion, fails, gone in zip(criteria, failed, missing, strict=True)
    ]
    joined = nw.concat_str(*words) if len(words) > 1 else words[0]
    none = ~reduce(nw.Expr.__or__, [*failed, *missing])
    return nw.when(~none).then(joined.str.slice(2))


def _counts(
    frame: nw.LazyFrame[Any],
    criteria: Sequence[Criterion],
    met: Sequence[nw.Expr],
    missing: Sequence[nw.Expr],
    borderline: bool,
) -> Mapping[str, Any]:
    parts = {
        "qualified": (nw.col("status") == "qualified").cast(nw.Int64).sum(),
        "unknown": (nw.col("status") == "unknown").cast(nw.Int64).sum(),
    }
    if borderline:
        parts["borderline"] = nw.col("borderline").cast(nw.Int64).sum()
    for place, criterion in enumerate(criteria):
        parts[f"met{place}"] = met[place].cast(nw.Int64).sum()
        parts[f"missing{place}"] = missing[place].cast(nw.Int64).sum()
        if criterion.ordered:
            parts[f"short{place}"] = nw.col(f"{criterion.column}_shortfall").sum()
    counted = collect(frame.select(nw.len().alias("rows"), *(part.alias(name) for name, part in parts.items())))
    return {name: cells[0] or 0 for name, cells in counted.items()}
