"""Sums by contract term: clients, losses, months of service and renewals, in one group-by of the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import narwhals as nw

from retention_metrics._engine.adopt import Source, collect


class TermSums(NamedTuple):
    """The sums of one term, within one group where groups are asked for.

    ``renewals`` are those faced by the clients of a term whose length is known, ``lost_at_renewal`` the clients lost
    after at least one of them, and ``lost_between`` those lost at another month than a term's end.
    """

    term: Any
    group: Any
    clients: int
    churned: int
    months: float
    renewals: float
    lost_between: int


class Faults(NamedTuple):
    """Rows left out, by reason, and rows that cannot be right."""

    excluded: Mapping[str, int]
    rows: int
    infinite: int
    negative: int


def faults(source: Source) -> Faults:
    """Count the rows with a missing value, by the first role that misses one, and durations that cannot be."""
    frame = source.by_role().with_columns(nw.col("duration").cast(nw.Float64), nw.col("churned").cast(nw.Float64))
    known, parts = nw.lit(True), [nw.len().alias("rows")]
    for role in source.roles:
        value = nw.col(role)
        missing = value.is_null() | value.is_nan() if role in ("duration", "churned") else value.is_null()
        parts.append((known & missing).cast(nw.Int64).sum().alias(role))
        known = known & ~missing
    duration = nw.col("duration")
    parts.append((known & ~duration.is_finite()).cast(nw.Int64).sum().alias("_infinite"))
    parts.append((known & (duration < 0)).cast(nw.Int64).sum().alias("_negative"))
    found = {name: int(cells[0] or 0) for name, cells in collect(frame.select(*parts)).items()}
    return Faults(
        excluded={f"missing_{role}": found[role] for role in source.roles if found[role]},
        rows=found["rows"],
        infinite=found["_infinite"],
        negative=found["_negative"],
    )


def term_names(source: Source) -> list[Any]:
    """The distinct terms."""
    return sorted(
        name for name in collect(source.by_role("term").select(nw.col("term")).unique())["term"] if name is not None
    )


def term_sums(source: Source, *, lengths: Mapping[Any, int], renewals: bool) -> list[TermSums]:
    """Sums by term, and by group where one plays that role; rows with a missing value stay out.

    A client of a term of M months with a duration of d has faced floor(d / M) renewals, and one who was lost at least
    one; with ``renewals`` a column says how many.
    """
    by = [role for role in ("term", "group") if source.has(role)]
    duration, churned = nw.col("duration"), nw.col("churned")
    frame = source.by_role().with_columns(duration.cast(nw.Float64), churned.cast(nw.Float64))
    for role in source.roles:
        value = nw.col(role)
        frame = frame.filter(
            ~(value.is_null() | value.is_nan()) if role in ("duration", "churned") else ~value.is_null()
        )
    passed, between = nw.lit(0.0), nw.lit(0.0)
    for name, months in lengths.items():
        whole = (duration / months).floor()
        faced = nw.when((churned == 1) & (whole < 1)).then(1.0).otherwise(whole)
        off = nw.when((churned == 1) & (duration != whole * months)).then(1.0).otherwise(0.0)
        own = nw.col("term") == name
        passed, between = nw.when(own).then(faced).otherwise(passed), nw.when(own).then(off).otherwise(between)
    if renewals:
        passed, between = nw.col("renewals").cast(nw.Float64), nw.lit(0.0)
    grouped = (
        frame.with_columns(passed.alias("_passed"), between.alias("_between"))
        .group_by(*by)
        .agg(
            nw.len().alias("_clients"),
            churned.sum().alias("_churned"),
            duration.sum().alias("_months"),
            nw.col("_passed").sum().alias("_renewals"),
            nw.col("_between").sum().alias("_lost_between"),
        )
    )
    found = collect(grouped)
    rows = range(len(found["_clients"]))
    sums = [
        TermSums(
            term=found["term"][row],
            group=found["group"][row] if "group" in by else None,
            clients=int(found["_clients"][row]),
            churned=int(found["_churned"][row]),
            months=float(found["_months"][row]),
            renewals=float(found["_renewals"][row]),
            lost_between=int(found["_lost_between"][row]),
        )
        for row in rows
    ]
    return sorted(sums, key=lambda row: (str(row.term), str(row.group)))
