"""What an offer is worth to each client, as expressions in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, Source, adopt
from retention_metrics.errors import ColumnError, InputError


def refuse_taken(source: Source, names: Sequence[str]) -> None:
    """Refuse a frame that has a column of the same name as one to be added."""
    taken = [name for name in names if name in source.schema]
    if taken:
        raise InputError(
            f"{taken[0]!r} is a column already, and would be added.",
            argument="clients",
            column=taken[0],
            fix="Rename or drop it.",
        )


def number(source: Source, role: str) -> nw.Expr:
    """A column of numbers as floats, missing where it is missing or not finite."""
    if not source.dtype(role).is_numeric():
        column = source.roles[role]
        raise ColumnError(
            f"{role}={column!r} is a column of numbers; it holds {source.dtype(role)}.",
            argument=role,
            column=column,
            fix="Convert it to numbers first, unknown ones to missing.",
        )
    value = source.column(role).cast(nw.Float64)
    return nw.when(value.is_finite()).then(value)


def mark(source: Source, role: str) -> nw.Expr:
    """A column of outcomes as floats, missing where it is missing; outcomes in words are refused."""
    dtype, column = source.dtype(role), source.roles[role]
    if not (dtype.is_numeric() or dtype in (nw.Boolean, nw.Object)):
        raise ColumnError(
            f"{role}={column!r} is a column of True and False, or 1 and 0; it holds {dtype}.",
            argument=role,
            column=column,
            fix=f"Compare it first, as in frame[{column!r}] == 'Yes'.",
        )
    value = source.column(role).cast(nw.Float64)
    return nw.when(~value.is_nan()).then(value)


def native(source: Source, frame: nw.LazyFrame[Any]) -> NativeFrame:
    """A plan in the caller's kind of frame: lazy where that is lazy."""
    return frame.to_native() if source.lazy else frame.collect(source.frame.implementation).to_native()


def offer_values(
    clients: NativeFrame,
    *,
    columns: Mapping[str, str | None],
    defaults: Mapping[str, float],
    acceptance: float,
    taken_anyway: float,
    months: float,
    free_months: float,
    service_cost: float,
    offer_cost: float,
    contact_cost: float,
) -> NativeFrame:
    """All rows with the expected gain of the offer, the risk from which on it pays, and whether it does."""
    source = adopt(clients, columns)
    refuse_taken(source, ("offer_value", "break_even_risk", "offer", "status"))
    fee, risk = (number(source, role) if source.has(role) else nw.lit(defaults[role]) for role in columns)
    known = ~(fee.is_null() | risk.is_null()) & (fee >= 0) & (risk >= 0) & (risk <= 1)
    known = known.fill_null(False)
    given = fee * free_months + offer_cost
    saved = (fee - service_cost) * months - given
    gain = risk * acceptance * saved - (1 - risk) * taken_anyway * given - contact_cost
    # The gain is linear in the risk: from -(anyway) at 0 to a x saved - contact at 1.
    anyway = taken_anyway * given + contact_cost
    slope = acceptance * saved + taken_anyway * given
    enough = known & (slope > 0) & (anyway <= slope)
    frame = source.frame.with_columns(
        nw.when(known).then(gain).alias("offer_value"),
        nw.when(enough).then(anyway / slope).alias("break_even_risk"),
        nw.when(known).then(gain > 0).alias("offer"),
        nw.when(known).then(nw.lit("ok")).otherwise(nw.lit("unknown")).alias("status"),
    )
    return native(source, frame)
