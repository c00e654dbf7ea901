"""Distinct rows of durations with the customers behind each: one group-by in the user's engine, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import groups
from retention_metrics._engine.adopt import Source, builtin


@dataclass(frozen=True)
class DistinctRows:
    """Distinct combinations of the key roles by rising duration, and the customers behind each.

    Numbers and marks are floats with NaN where they are missing; labels are objects with None.
    """

    keys: Mapping[str, NDArray[Any]]
    customers: NDArray[np.float64]


def with_handling(source: Source, *, within: float, landmark: float) -> Source:
    """The roles' columns with one more, ``by``: how soon a failure was put right, seen from the landmark."""
    time = nw.col("response").cast(nw.Float64)
    unknown = time.is_null() | time.is_nan()
    label = nw.when(time <= within).then(nw.lit("in_time")).otherwise(nw.lit("late"))
    label = nw.when(time > landmark).then(nw.lit("later")).otherwise(label)
    label = nw.when(time < 0).then(nw.lit("negative")).otherwise(label)
    label = nw.when(~time.is_finite()).then(nw.lit("infinite")).otherwise(label)
    label = nw.when(unknown).then(nw.lit("open")).otherwise(label)
    frame = source.by_role().with_columns(label.alias("by")).drop("response")
    roles = {role: role for role in (*source.roles, "by") if role != "response"}
    return Source(frame=frame, roles=roles, schema=dict(frame.collect_schema()), lazy=source.lazy)


def distinct_rows(source: Source, *, by: Sequence[str], labels: Sequence[str], counts: str | None) -> DistinctRows:
    """Count the customers of every combination of the roles ``by``, missing values included.

    ``labels`` are those of them that keep their own type, and ``counts`` the role with the customers of each row.
    """
    for role in set(by) & set(labels):
        groups.refuse_nested(source, role)
    numbers = [
        role for role in by if role not in labels and (source.dtype(role).is_numeric() or _is_mark(source, role))
    ]
    frame = source.by_role(*by, *([counts] if counts else []))
    one = nw.col(counts).cast(nw.Float64) if counts else nw.lit(1.0)
    grouped = (
        frame.with_columns(one.alias("_customers"), *(nw.col(role).cast(nw.Float64) for role in numbers))
        .group_by(*by)
        .agg(nw.col("_customers").sum())
    )
    found = _arrays(grouped, [*numbers, "_customers"])
    order = np.argsort(found["duration"], kind="stable")
    customers = found.pop("_customers")[order]
    return DistinctRows({role: column[order] for role, column in found.items()}, customers)


def _is_mark(source: Source, role: str) -> bool:
    return source.dtype(role) == nw.Boolean


def _arrays(frame: nw.LazyFrame[Any], numbers: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The columns of a plan: those named as floats, the others as objects."""
    if frame.implementation is nw.Implementation.DUCKDB:
        # narwhals would collect through PyArrow, which is not among the required dependencies.
        fetched = frame.to_native().fetchnumpy()
        return {
            name: np.ma.filled(column.astype(np.float64), np.nan) if name in numbers else _objects(_plain(column))
            for name, column in fetched.items()
        }
    eager = frame.collect()
    return {
        name: np.asarray(eager[name].to_numpy(), dtype=np.float64)
        if name in numbers
        else _objects(eager[name].to_list())
        for name in eager.columns
    }


def _plain(column: NDArray[Any]) -> list[Any]:
    masked = np.ma.getmaskarray(column)
    if column.dtype.kind == "M":
        # Finer times would become whole numbers.
        column = column.astype("datetime64[us]")
    return [None if gone else cell for cell, gone in zip(np.ma.getdata(column).tolist(), masked.tolist(), strict=True)]


def _objects(cells: Sequence[Any]) -> NDArray[np.object_]:
    column = np.empty(len(cells), dtype=object)
    column[:] = [builtin(cell) for cell in cells]
    return column
