"""Sums by contract term: clients, losses, months of service and renewals, in one group-by of the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import narwhals as nw

from retention_metrics._engine.adopt import Source, collect


class TermSums(NamedTuple):
    """The sums of one term, within one group where groups are asked for.

    ``renewals`` are those faced by the clients of a term whose length is known, and ``lost_between`` the clients lost
    in another month than that of a term's end.
    """

    term: Any
    group: Any
    clients: int
    churned: int
    months: float
    renewals: float
    lost_between: int


class Faults(NamedTuple):
    """Rows left out, by reason, and numbers that cannot be: their role, the rule that they break, and how many."""

    excluded: Mapping[str, int]
    rows: int
    impossible: list[tuple[str, str, int]]


_NUMBERS = ("duration", "churned", "renewals")


def _numbers(source: Source) -> nw.LazyFrame[Any]:
    """The roles, the numbers among them as floats."""
    # Outcomes as floats too: pandas holds true, false and unknown as objects or as floats with NaN.
    return source.by_role().with_columns(nw.col(role).cast(nw.Float64) for role in _NUMBERS if source.has(role))


def _is_missing(role: str) -> nw.Expr:
    value = nw.col(role)
    return value.is_null() | value.is_nan() if role in _NUMBERS else value.is_null()


def faults(source: Source) -> Faults:
    """Count the rows with a missing value, by the first role that misses one, and numbers that cannot be."""
    known, parts = nw.lit(True), [nw.len().alias("rows")]
    for role in source.roles:
        missing = _is_missing(role)
        parts.append((known & missing).cast(nw.Int64).sum().alias(f"missing_{role}"))
        known = known & ~missing
    measured = [role for role in ("duration", "renewals") if source.has(role)]
    for role in measured:
        parts.append((known & ~nw.col(role).is_finite()).cast(nw.Int64).sum().alias(f"infinite_{role}"))
        parts.append((known & (nw.col(role) < 0)).cast(nw.Int64).sum().alias(f"negative_{role}"))
    found = {name: int(cells[0] or 0) for name, cells in collect(_numbers(source).select(*parts)).items()}
    rules = (("finite", "infinite"), ("at least 0", "negative"))
    return Faults(
        excluded={name: rows for name, rows in found.items() if name.startswith("missing_") and rows},
        rows=found["rows"],
        impossible=[
            (role, rule, found[f"{fault}_{role}"])
            for role in measured
            for rule, fault in rules
            if found[f"{fault}_{role}"]
        ],
    )


def term_sums(source: Source, *, lengths: Mapping[Any, int], renewals: bool) -> list[TermSums]:
    """Sums by term, and by group where one plays that role; rows with a missing value stay out.

    A client of a term of M months with a duration of d has faced floor(d / M) renewals, and one who was lost at least
    one; with ``renewals`` a column says how many.
    """
    by = [role for role in ("term", "group") if source.has(role)]
    duration, churned = nw.col("duration"), nw.col("churned")
    frame = _numbers(source)
    for role in source.roles:
        frame = frame.filter(~_is_missing(role))
    passed, between = nw.lit(0.0), nw.lit(0.0)
    for name, months in lengths.items():
        whole = (duration / months).floor()
        faced = nw.when((churned == 1) & (whole < 1)).then(1.0).otherwise(whole)
        off = nw.when((churned == 1) & (duration != whole * months)).then(1.0).otherwise(0.0)
        own = nw.col("term") == name
        passed, between = nw.when(own).then(faced).otherwise(passed), nw.when(own).then(off).otherwise(between)
    if renewals:
        passed, between = nw.col("renewals"), nw.lit(0.0)
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
