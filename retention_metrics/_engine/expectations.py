"""Clients by the gap between what was promised and what was delivered: one group-by in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, adopt, collect
from retention_metrics._engine.offers import mark, number
from retention_metrics.errors import InputError


class GapCounts(NamedTuple):
    """Clients and those who left, by rep and by the number of edges that the gap is past."""

    rows: list[tuple[Any, int, int, int]]
    excluded: Mapping[str, int]
    backend: str


def gap_counts(data: NativeFrame, roles: Mapping[str, str | None], edges: Sequence[tuple[float, bool]]) -> GapCounts:
    """Count by gap = delivered - promised; an edge is passed from it on where its mark is true, else above it."""
    source = adopt(data, roles)
    gap = number(source, "delivered") - number(source, "promised")
    place = nw.lit(0)
    for edge, closed in edges:
        past = gap >= edge if closed else gap > edge
        place = place + nw.when(past).then(1).otherwise(0)
    frame = source.frame.select(
        (source.column("rep") if source.has("rep") else nw.lit(0)).alias("rep"),
        nw.when(gap.is_null()).then(nw.lit(-1)).otherwise(place).alias("place"),
        mark(source, "churned").alias("churned"),
    )
    found = collect(frame.group_by("rep", "place", "churned").agg(nw.len().alias("clients")))
    excluded = dict.fromkeys(("missing_rep", "missing_gap", "missing_churned"), 0)
    counted: dict[tuple[Any, int], list[int]] = {}
    for rep, at, gone, clients in zip(found["rep"], found["place"], found["churned"], found["clients"], strict=True):
        if rep is None or at < 0 or gone is None:
            excluded["missing_rep" if rep is None else "missing_gap" if at < 0 else "missing_churned"] += int(clients)
            continue
        if gone not in (0, 1):
            raise InputError(
                f"{source.roles['churned']} is True or False, or 1 or 0; got {gone!r}.",
                argument="churned",
                column=source.roles["churned"],
            )
        cell = counted.setdefault((rep, int(at)), [0, 0])
        cell[0] += int(clients)
        cell[1] += int(clients) if gone else 0
    rows = [(rep, at, clients, gone) for (rep, at), (clients, gone) in counted.items()]
    return GapCounts(
        sorted(rows, key=lambda row: (str(row[0]), row[1])),
        {reason: count for reason, count in excluded.items() if count},
        source.backend,
    )
