"""Messages and the purchases after them: how many were followed by one, by trigger and group, in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, Source, collect, once
from retention_metrics._engine.audit import Fold, aggregate, audit_events, read_clock
from retention_metrics._engine.beside import about, left_join
from retention_metrics._stats.ratios import PRODUCTS, products
from retention_metrics.periods import Moment

SUMS = ("n", *PRODUCTS)


@dataclass(frozen=True)
class Answered:
    """Sums over customers by (trigger, group): messages ``x`` and those followed by a purchase ``y``."""

    source: Source
    as_of: Moment
    cells: Mapping[tuple[Any, Any], tuple[float, ...]]
    excluded: Mapping[str, int]


def answered(
    messages: NativeFrame,
    purchases: NativeFrame,
    *,
    roles: Mapping[str, str | None],
    purchase_time: str,
    as_of: object,
    within: int,
    same_day: bool,
    tz: str | None,
) -> Answered:
    """Match messages with purchases; ``roles`` names ``customer, time, trigger`` and perhaps ``group``."""
    bought, until, left_out = _days_of_purchase(purchases, str(roles["customer"]), purchase_time, as_of, tz)
    with about("messages"):
        source, times = read_clock(once(messages, roles), roles, tz=tz)
        extra = {name: source.column(name) for name in ("trigger", "group") if source.has(name)}
        events, _ = audit_events(source, times, as_of=until.instant or until.date, tz=tz, extra=extra)
    named = tuple(extra)
    rows = events.kept
    unnamed: nw.Expr = nw.lit(False)
    for name in named:
        unnamed = unnamed | nw.col(name).is_null()
    young = ~unnamed & (nw.col("day") + within >= until.observed_until)
    excluded = {**(events.excluded or {}), **_counts(rows, {"missing_label": unnamed, "observed_too_short": young})}
    excluded |= {f"purchases_{reason}": count for reason, count in left_out.items()}
    sums = _sums(rows.filter(~unnamed & ~young), bought, named, within=within, same_day=same_day)
    groups = sums["group"] if "group" in sums else [None] * len(sums["trigger"])
    labels = zip(sums["trigger"], groups, strict=True)
    numbers = zip(*(sums[name] for name in SUMS), strict=True)
    cells = {label: tuple(map(float, row)) for label, row in zip(labels, numbers, strict=True)}
    return Answered(source, until, cells, excluded)


def _sums(
    rows: nw.LazyFrame[Any], bought: nw.LazyFrame[Any], named: tuple[str, ...], *, within: int, same_day: bool
) -> dict[str, list[Any]]:
    """The sums of the ratio estimator, a customer's messages of one day together."""
    keys = (*named, "customer", "day")
    sent = aggregate(rows, keys, {"messages": (nw.col("day") * 0 + 1, "sum")})
    pairs = left_join(sent, bought, argument="purchases")
    later = nw.col("bought") >= nw.col("day") if same_day else nw.col("bought") > nw.col("day")
    hit = (later & (nw.col("bought") <= nw.col("day") + within)).fill_null(False).cast(nw.Float64)
    each: dict[str, tuple[nw.Expr, Fold]] = {
        "messages": (nw.col("messages").cast(nw.Float64), "max"),
        "hit": (hit, "max"),
    }
    matched = aggregate(pairs, keys, each)
    followed = nw.col("messages") * nw.col("hit")
    people = aggregate(matched, (*named, "customer"), {"x": (nw.col("messages"), "sum"), "y": (followed, "sum")})
    x, y = nw.col("x"), nw.col("y")
    terms = {"n": x * 0 + 1, **products(x, y)}
    return collect(aggregate(people, named, {name: (term, "sum") for name, term in terms.items()}))


def _days_of_purchase(
    data: NativeFrame, customer: str, time: str, as_of: object, tz: str | None
) -> tuple[nw.LazyFrame[Any], Moment, Mapping[str, int]]:
    """The distinct days on which each customer bought, the end of observation, and the rows left out."""
    roles = {"customer": customer, "time": time}
    with about("purchases"):
        source, times = read_clock(once(data, roles), roles, tz=tz)
        events, _ = audit_events(source, times, as_of=as_of, tz=tz)
    days = aggregate(events.kept, ("customer", "day"), {"one": (nw.col("day") * 0 + 1, "max")})
    return days.select("customer", nw.col("day").alias("bought")), events.as_of, events.excluded or {}


def _counts(rows: nw.LazyFrame[Any], marks: Mapping[str, nw.Expr]) -> dict[str, int]:
    found = collect(rows.select(*(mark.cast(nw.Int64).sum().alias(name) for name, mark in marks.items())))
    return {name: int(cells[0]) for name, cells in found.items() if cells[0]}
