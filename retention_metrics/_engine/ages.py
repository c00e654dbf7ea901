"""Spend by age: sums over the customers at each age, beside the age before, in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np

from retention_metrics._engine.adopt import NativeFrame, Source, collect, once
from retention_metrics._engine.audit import Duplicates, Events, Fold, aggregate, audit_events, read_clock, settle_twins
from retention_metrics._engine.customers import rows_without_purchase
from retention_metrics._stats.ratios import PRODUCTS, products
from retention_metrics.errors import ColumnError
from retention_metrics.periods import Period

Parts = dict[str, tuple[nw.Expr, Fold]]
SUMS = ("n", *PRODUCTS)


@dataclass(frozen=True)
class Purchases:
    """A purchase log whose rows know their period; ``by`` keeps groups of purchases, or cohorts of customers, apart."""

    source: Source
    events: Events
    period: Period
    by: str | None
    notes: tuple[str, ...]

    @property
    def excluded(self) -> Mapping[str, int]:
        """Rows that were left out, by reason."""
        return self.events.excluded or {}


@dataclass(frozen=True)
class AgeSums:
    """What was counted: by first period (``starts``), and by group and age at that age and beside the one before."""

    starts: Mapping[int, int]
    here: Mapping[tuple[Any, int], Mapping[str, float]]
    pairs: Mapping[tuple[Any, int], Mapping[str, float]]
    until: int


def read(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    as_of: object,
    period: Period,
    cohorts: bool,
    duplicates: Duplicates,
) -> Purchases:
    """Audit purchases; ``roles`` names ``customer, time, value`` and any of ``by, category, discount``."""
    source, times = read_clock(once(data, roles), roles, tz=period.tz)
    extra = {"period": times.index(period), "moment": times.time}
    extra |= {role: source.column(role) for role in ("by", "category") if source.has(role)}
    if source.has("discount"):
        extra["discount"] = _discounted(source)
    events, _ = audit_events(source, times, as_of=as_of, tz=period.tz, extra=extra)
    events, notes = settle_twins(events, duplicates)
    if events.negative:
        events = _without_mere_returns(events)
    return Purchases(source, events, period, "start" if cohorts else "by" if source.has("by") else None, notes)


def _without_mere_returns(events: Events) -> Events:
    """The log without the rows of those who only ever gave back; they are counted."""
    left_out = rows_without_purchase(events.kept, ("customer",), events.excluded or {})
    if not left_out:
        return events
    bought = (nw.col("value") >= 0).cast(nw.Int64)
    buyers = aggregate(events.kept, ("customer",), {"bought": (bought, "max")}).filter(nw.col("bought") == 1)
    marked = events.kept.join(buyers.select("customer"), on="customer", how="inner")
    return replace(events, marked=marked, excluded={**(events.excluded or {}), **left_out})


def _discounted(source: Source) -> nw.Expr:
    """1 for a purchase at a discount: true, or an amount above 0. Missing is none."""
    column, dtype = source.column("discount"), source.dtype("discount")
    if not (dtype.is_numeric() or dtype == nw.Boolean):
        raise ColumnError(
            f"discount={source.roles['discount']!r} is true or false, or an amount; it holds {dtype}.",
            argument="discount",
            column=source.roles["discount"],
        )
    marked = column if dtype == nw.Boolean else (column > 0) & ~column.cast(nw.Float64).is_nan()
    return marked.fill_null(False).cast(nw.Int64)


def age_sums(log: Purchases) -> AgeSums:
    """Spend at each age beside that of the age before, of customers observed to the end of both.

    ``x`` is the spend of the age before and ``y`` of this one; who bought in both stayed.
    """
    until = int(log.period.index_of(np.array([log.events.as_of.observed_until]))[0])
    grouped = ("by",) if log.by == "by" else ()
    rows = log.events.kept
    spent = _spent(log, (*grouped, "customer", "period"))
    firsts = aggregate(rows.select("customer", "period"), ("customer",), {"start": (nw.col("period"), "min")})
    aged = spent.join(firsts, on="customer", how="left").with_columns((nw.col("period") - nw.col("start")).alias("age"))
    aged = _held(aged.filter(nw.col("period") < until))
    keys = (log.by, "age") if log.by else ("age",)
    return AgeSums(
        starts=_counted(aggregate(firsts, ("start",), {"customers": (nw.col("start") * 0 + 1, "sum")})),
        here=_by_cell(aggregate(aged, keys, _here(log)), log.by),
        pairs=_by_cell(aggregate(_beside_before(aged, grouped, until), keys, _pair()), log.by),
        until=until,
    )


def _held(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The rows themselves where the engine would work them out again for each question: a few for each customer."""
    return frame.collect().lazy() if frame.implementation is nw.Implementation.POLARS else frame


def _spent(log: Purchases, each: tuple[str, ...]) -> nw.LazyFrame[Any]:
    """What each customer spent in each period, what of it at a discount, and on how many categories."""
    rows, value = log.events.kept, nw.col("value")
    bought = value >= 0
    parts: Parts = {"spend": (value, "sum")}
    if log.source.has("discount"):
        paid = nw.when(bought).then(value).otherwise(nw.lit(0.0))
        parts |= {"paid": (paid, "sum"), "off": (paid * nw.col("discount"), "sum")}
    spent = aggregate(rows, each, parts)
    if not log.source.has("category"):
        return spent
    known = rows.filter(bought & ~nw.col("category").is_null())
    once = aggregate(known, (*each, "category"), {"one": (nw.col("period") * 0 + 1, "max")})
    kinds = aggregate(once, each, {"categories": (nw.col("one"), "sum")})
    both = spent.join(kinds, on=list(each), how="left")
    return both.with_columns(nw.col("categories").fill_null(0).cast(nw.Float64))


def _here(log: Purchases) -> Parts:
    spend = nw.col("spend")
    one = spend * 0 + 1
    parts: Parts = {"active": (one, "sum"), "spent": (spend, "sum"), **_sums(products(one, spend), "spend_")}
    if log.source.has("discount"):
        paid, off = nw.col("paid"), nw.col("off")
        some = (paid > 0).cast(nw.Float64)
        parts |= _sums({"n": some, **products(paid, off)}, "discount_")
    if log.source.has("category"):
        number = nw.col("categories")
        parts |= _sums({"n": one, **products(one, number)}, "category_")
    return parts


def _beside_before(aged: nw.LazyFrame[Any], grouped: tuple[str, ...], until: int) -> nw.LazyFrame[Any]:
    """A row per customer and age before: its spend then (``x``) and now (``y``)."""
    before = aged.select(
        *grouped, "customer", "start", (nw.col("age") + 1).alias("age"), nw.col("spend").alias("x")
    ).filter(nw.col("start") + nw.col("age") < until)
    now = aged.select(*grouped, "customer", "age", nw.col("spend").alias("y"))
    return before.join(now, on=[*grouped, "customer", "age"], how="left")


def _pair() -> Parts:
    x, stayed = nw.col("x"), ~nw.col("y").is_null()
    y = nw.when(stayed).then(nw.col("y")).otherwise(nw.lit(0.0))
    kept = stayed.cast(nw.Float64)
    return _sums({"active_before": x * 0 + 1, "spent_before": x, "n": kept, **products(x * kept, y)})


def _sums(terms: Mapping[str, nw.Expr], prefix: str = "") -> Parts:
    return {prefix + name: (term, "sum") for name, term in terms.items()}


def _counted(frame: nw.LazyFrame[Any]) -> dict[int, int]:
    cells = collect(frame)
    return {int(start): int(count) for start, count in zip(cells["start"], cells["customers"], strict=True)}


def _by_cell(frame: nw.LazyFrame[Any], by: str | None) -> dict[tuple[Any, int], dict[str, float]]:
    cells = collect(frame)
    groups = cells.pop(by) if by else [None] * len(cells["age"])
    ages, names = cells.pop("age"), list(cells)
    return {
        (group, int(age)): dict(zip(names, map(float, numbers), strict=True))
        for group, age, *numbers in zip(groups, ages, *cells.values(), strict=True)
    }
