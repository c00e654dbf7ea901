"""Indicators beside an outcome: the named columns, cuts at quantiles, and dates that come too late."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import groups, responses
from retention_metrics._engine.adopt import Source, builtin, collect
from retention_metrics.errors import ColumnError, InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """The cells of a column in row order, NaN where missing: numbers, or the places of its ``words``."""

    values: Floats
    words: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, cells: Sequence[Any]) -> Column:
        """Cells that are all numbers, true or false as numbers; any others as words, told apart by how they print."""
        held: dict[Any, Any] = {cell: builtin(cell) for cell in _distinct(cells)}
        known = [word for word in held.values() if word is not None]
        if known and all(isinstance(word, (bool, int, float)) for word in known):
            places = {cell: math.nan if word is None else float(word) for cell, word in held.items()}
            return cls(_looked_up(places, cells))
        words = {str(word): word for word in known}
        order = {name: float(place) for place, name in enumerate(sorted(words))}
        places = {cell: math.nan if word is None else order[str(word)] for cell, word in held.items()}
        return cls(_looked_up(places, cells), tuple(words[name] for name in order))


def _distinct(cells: Sequence[Any]) -> set[Any]:
    try:
        return set(cells)
    except TypeError:
        first = next(cell for cell in cells if not isinstance(cell, Hashable))
        raise ColumnError(f"a column holds single values; got {first!r}.") from None


def _looked_up(places: Mapping[Any, float], cells: Sequence[Any]) -> Floats:
    return np.fromiter(map(places.__getitem__, cells), dtype=np.float64, count=len(cells))


def pulled(source: Source) -> Mapping[str, Column]:
    """The columns that play a role, by role, in one row order; no other column is read."""
    numeric = {role for role in source.roles if source.dtype(role).is_numeric() or source.dtype(role) == nw.Boolean}
    for role in source.roles:
        groups.refuse_nested(source, role)
    lazy = source.frame.implementation is nw.Implementation.DUCKDB
    parts = {
        role: source.column(role).cast(nw.Float64) if role in numeric else source.column(role) for role in source.roles
    }
    if lazy:
        parts |= {role: part.cast(nw.String) for role, part in parts.items() if role not in numeric}
    frame = source.frame.select(*(part.alias(role) for role, part in parts.items()))
    if lazy:
        # narwhals would collect through PyArrow, which is not among the required dependencies.
        fetched: Mapping[str, Any] = frame.to_native().fetchnumpy()
        return {
            role: Column(np.ma.filled(cells, math.nan)) if role in numeric else Column.of(_unmasked(cells))
            for role, cells in fetched.items()
        }
    eager = frame.collect()
    return {
        role: Column(np.asarray(eager[role].to_numpy(), dtype=np.float64))
        if role in numeric
        else Column.of(eager[role].to_list())
        for role in source.roles
    }


def _unmasked(cells: NDArray[Any]) -> list[Any]:
    held = np.ma.getdata(cells).astype(object)
    held[np.ma.getmaskarray(cells)] = None
    return list(held)


def is_category(source: Source, role: str) -> bool:
    """Whether a column is of a type for categories, whose numbers are only names."""
    return source.dtype(role) in (nw.Categorical, nw.Enum)


def late(source: Source, measured: Mapping[str, str], outcome_date: str) -> Mapping[str, int]:
    """Rows in which an indicator was measured on a day after that of the outcome, by indicator.

    ``measured`` leads from an indicator to the role of its date.
    """
    for role in (*dict.fromkeys(measured.values()), outcome_date):
        if source.dtype(role) not in (nw.Date, nw.Datetime):
            raise ColumnError(
                f"{role}={source.roles[role]!r} is a column of dates; it holds {source.dtype(role)}.",
                argument=role,
                column=source.roles[role],
            )
    parts = {
        f"n{place}": (_day(source, role) > _day(source, outcome_date)).fill_null(False).cast(nw.Int64)
        for place, role in enumerate(measured.values())
    }
    found = collect(source.frame.select(*(part.sum().alias(name) for name, part in parts.items())))
    return {indicator: int(found[f"n{place}"][0] or 0) for place, indicator in enumerate(measured)}


def _day(source: Source, role: str) -> nw.Expr:
    column = source.column(role)
    # As floats, for a missing date leaves pandas without whole numbers.
    return column.dt.year().cast(nw.Float64) * 1000 + column.dt.ordinal_day().cast(nw.Float64)


@dataclass(frozen=True)
class Cut:
    """How a column is told apart: at the values of ``edges``, or by its own values where there are none."""

    edges: tuple[float, ...] | None

    def label(self, key: Any) -> Any:
        """The words for a group."""
        if self.edges is None or key is None:
            return key
        if not self.edges:
            return "all"
        # Where some are missing pandas counts in floats.
        place = int(key)
        if place == 0:
            return f"up to {self.edges[0]:g}"
        return f"above {self.edges[place - 1]:g}" + (
            "" if place == len(self.edges) else f" up to {self.edges[place]:g}"
        )


def cut(source: Source, role: str, *, quantiles: int) -> Cut:
    """Where a numeric column is cut: at its quantiles, each value in the first group that reaches it."""
    if not _holds_numbers(source, role):
        return Cut(None)
    number = nw.col(role).cast(nw.Float64)
    kept = source.by_role(role).filter(~number.is_null() & ~number.is_nan()).select(number.alias(role))
    infinite = int(collect(kept.select((~nw.col(role).is_finite()).cast(nw.Int64).sum().alias("n")))["n"][0] or 0)
    if infinite:
        raise InputError(
            f"{role}={source.roles[role]!r} holds finite numbers; {infinite} rows are infinite.",
            argument=role,
            column=source.roles[role],
            count=infinite,
        )
    shares = [step / quantiles for step in range(1, quantiles)]
    ends = [nw.col(role).quantile(share, interpolation="linear").alias(f"q{k}") for k, share in enumerate(shares)]
    found = collect(kept.select(*ends, nw.col(role).max().alias("most")))
    most = found.pop("most")[0]
    edges = sorted({float(cells[0]) for cells in found.values() if cells[0] is not None})
    return Cut(tuple(edge for edge in edges if edge < most))


def _holds_numbers(source: Source, role: str) -> bool:
    """Whether a column is of numbers; one of objects is where all its cells are, such as decimals in pandas."""
    if source.dtype(role) != nw.Object:
        return source.dtype(role).is_numeric()
    found = {type(cell) for cell in collect(source.by_role(role))[role] if cell is not None}
    return bool(found) and found <= {int, float}


def cells(source: Source, cuts: Mapping[str, Cut]) -> groups.Tally:
    """Rows by the groups of two columns and the outcome; a value that is not known is a null key."""
    keys = {role: _group(source, role, how.edges) for role, how in cuts.items()}
    return responses.tally(source, by=("outcome",), extra=keys)


def _group(source: Source, role: str, edges: Sequence[float] | None) -> nw.Expr:
    if edges is None:
        return source.column(role)
    value = source.column(role).cast(nw.Float64)
    number = nw.lit(0)
    for edge in edges:
        number = number + (value > edge).fill_null(False).cast(nw.Int64)
    return nw.when(~value.is_null() & ~value.is_nan()).then(number)
