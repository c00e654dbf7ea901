"""Who was active when: distinct customers and periods, counted in the user's engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np

from retention_metrics._engine.adopt import NativeFrame, Source, collect, once
from retention_metrics._engine.audit import (
    OK,
    Duplicates,
    Events,
    Fold,
    Parts,
    aggregate,
    audit_events,
    read_clock,
    settle_twins,
)
from retention_metrics._engine.bitmaps import MOST_PERIODS, cohort_bits
from retention_metrics._engine.clock import Clock, clock
from retention_metrics._engine.coded import coded, cohort_cells, in_memory
from retention_metrics.errors import InputError
from retention_metrics.periods import Moment, Period

KEYS = ("by", "customer")


@dataclass(frozen=True)
class Activity:
    """An event log cut to periods, before anything is counted; ``since`` is the day before which customers are old."""

    events: Events
    period: Period
    as_of: Moment
    first_day: int
    excluded: Mapping[str, int]
    grouped: bool
    joined: bool = False
    since: int | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def seen(self) -> nw.LazyFrame[Any]:
        """A row per group, customer and period: ``by, customer, period``, and ``value`` where there is one."""
        parts: dict[str, tuple[nw.Expr, Fold]] = {"day": (nw.col("day"), "min")}
        if self.events.source.has("value"):
            parts["value"] = (nw.col("value"), "sum")
        if self.joined:
            parts["joined_period"] = (nw.col("joined_period"), "min")
            parts["joined_day"] = (nw.col("joined_day"), "min")
        return aggregate(self.events.kept, (*KEYS, "period"), parts)

    @cached_property
    def firsts(self) -> nw.LazyFrame[Any]:
        """The first period and the first day of each customer, and ``joined`` where there is such a column."""
        firsts = _firsts(self.seen, joined=self.joined)
        return firsts if self.since is None else firsts.filter(nw.col("first_day") >= self.since)

    @property
    def periods(self) -> range:
        """The periods from that of the first event to that of the end of observation."""
        first, last = self.period.index_of(np.array([self.first_day, self.as_of.day])).tolist()
        return range(first, last + 1)

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return self.events.source.backend


def read(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    joined: str | None = None,
    by: str | None = None,
    period: Period,
    as_of: object = None,
    since: Moment | None = None,
    drop_old: bool = False,
    duplicates: Duplicates = "keep",
) -> Activity:
    """Audit an event log and cut it to periods.

    With ``drop_old`` customers first seen before ``since`` leave the table, and their rows are counted.
    """
    roles = {"customer": customer, "time": time, "value": value, "joined": joined, "by": by}
    source, times = read_clock(once(data, roles), roles, tz=period.tz)
    extra = {"period": times.index(period), "by": source.column("by") if by else nw.lit(0)}
    if value:
        extra["moment"] = times.time
    if joined:
        start = clock(source, role="joined", tz=period.tz)
        _refuse_unreadable(source, start)
        extra["joined_period"], extra["joined_day"] = start.index(period), start.day
    ok, day = nw.col("reason") == OK, nw.col("day")
    inner: Parts = {"first_seen": (nw.when(ok).then(day), "min"), "counted": (ok.cast(nw.Int64), "sum")}
    outer = {}
    if drop_old and since is not None:
        old = nw.when(nw.col("first_seen") < since.day).then(nw.col("counted")).otherwise(nw.lit(0))
        outer["first_seen_before_since"] = old.sum()
    events, counts = audit_events(
        source, times, as_of=as_of, tz=period.tz, extra=extra, inner=inner if outer else None, outer=outer
    )
    left_out = {name: counts[name] for name in outer if counts.get(name)}
    events, notes = settle_twins(events, duplicates) if value else (events, ())
    return Activity(
        events=events,
        period=period,
        as_of=events.as_of,
        first_day=events.first_day or 0,
        excluded={**(events.excluded or {}), **left_out},
        grouped=by is not None,
        joined=joined is not None,
        since=since.day if drop_old and since is not None else None,
        notes=notes,
    )


def _firsts(seen: nw.LazyFrame[Any], *, joined: bool) -> nw.LazyFrame[Any]:
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "first": (nw.col("period"), "min"),
        "first_day": (nw.col("day"), "min"),
    }
    if joined:
        parts["joined_period"] = (nw.col("joined_period"), "min")
        parts["joined_day"] = (nw.col("joined_day"), "min")
    return aggregate(seen, KEYS, parts)


def _refuse_unreadable(source: Source, joined: Clock) -> None:
    if joined.readable is None:
        return
    unreadable = (~joined.readable & ~joined.time.is_null()).cast(nw.Int64).sum()
    count = int(collect(source.frame.select(unreadable.alias("unreadable")))["unreadable"][0] or 0)
    if count:
        raise InputError(
            f"joined={joined.column!r} holds {count} unreadable dates.",
            argument="joined",
            column=joined.column,
            count=count,
            fix="Text dates are ISO-8601, such as '2024-01-31'.",
        )


def refuse_late_joiners(activity: Activity) -> None:
    """Refuse a log in which a customer is active before its own start."""
    late = (nw.col("first_day") < nw.col("joined_day")).cast(nw.Int64).sum()
    count = int(collect(activity.firsts.select(late.alias("late")))["late"][0] or 0)
    if count:
        raise InputError(
            f"joined={activity.events.source.roles['joined']!r} is at or before the first event; "
            f"for {count} customers it is later.",
            argument="joined",
            column=activity.events.source.roles["joined"],
            count=count,
        )


def period_counts(activity: Activity, *, since: Moment | None, joined: bool) -> dict[str, list[Any]]:
    """Customers by group and period: active, retained from the period before, and new."""
    seen = activity.seen.select("by", "customer", "period")
    before = seen.select("by", "customer", (nw.col("period") + 1).alias("period"), nw.lit(1).alias("before"))
    both = seen.join(before, on=[*KEYS, "period"], how="left").join(activity.firsts, on=list(KEYS), how="left")
    fresh = nw.col("period") == nw.col("first")
    if joined:
        fresh = fresh & (nw.col("joined_period") == nw.col("period"))
    elif since is not None:
        fresh = fresh & (nw.col("first_day") >= since.day)
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "active": ((nw.col("period") == nw.col("period")).cast(nw.Int64), "sum"),
        "retained": (nw.col("before").fill_null(0), "sum"),
        "new": (fresh.cast(nw.Int64), "sum"),
    }
    return collect(aggregate(both, ("by", "period"), folds))


def cohort_counts(
    activity: Activity, *, kind: str, joined: bool, window: int | None, valued: bool
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Cohort sizes, and customers by cohort and age; ages count from the cohort's own period.

    ``classic`` counts the customers seen at the age. For ``unbounded`` without a window the age is that of the
    last period seen, for ``cumulative`` that of the first after age 0: their running sums are the caller's.
    """
    if not (valued or joined or activity.grouped) and in_memory(activity.events.marked):
        numbered = coded(activity.events.kept)
        if numbered is not None:
            return cohort_cells(numbered, kind=kind, window=window, since=activity.since)
    in_duckdb = activity.events.marked.implementation is nw.Implementation.DUCKDB
    if in_duckdb and kind == "classic" and not (valued or joined) and len(activity.periods) <= MOST_PERIODS:
        first, periods = activity.periods.start, len(activity.periods)
        return cohort_bits(activity.events.kept, first=first, periods=periods, since=activity.since)
    firsts = activity.firsts.with_columns(nw.col("joined_period" if joined else "first").alias("cohort"))
    aged = activity.seen.join(firsts.select(*KEYS, "cohort"), on=list(KEYS), how="inner")
    aged = aged.with_columns((nw.col("period") - nw.col("cohort")).alias("age"))
    one: Parts = {"customers": ((nw.col("cohort") == nw.col("cohort")).cast(nw.Int64), "sum")}
    if valued:
        return _money_sizes(aged, firsts), _money_cells(aged)
    if kind == "classic" and not joined:
        cells = collect(aggregate(aged, ("by", "cohort", "age"), one))
        return _at_age_zero(cells), cells
    sizes = collect(aggregate(firsts, ("by", "cohort"), one))
    if kind == "unbounded" and window is None:
        aged = aggregate(aged, ("by", "customer", "cohort"), {"age": (nw.col("age"), "max")})
    elif kind == "unbounded" and window is not None:
        aged = _within(aged, window)
    elif kind == "cumulative":
        later = aged.filter(nw.col("age") >= 1)
        aged = aggregate(later, ("by", "customer", "cohort"), {"age": (nw.col("age"), "min")})
    return sizes, collect(aggregate(aged, ("by", "cohort", "age"), one))


def _at_age_zero(cells: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The sizes of cohorts that begin when they are first seen: all their customers are seen at age 0."""
    places = [place for place, age in enumerate(cells["age"]) if age == 0]
    return {name: [cells[name][place] for place in places] for name in ("by", "cohort", "customers")}


def _within(aged: nw.LazyFrame[Any], window: int) -> nw.LazyFrame[Any]:
    """One row per customer and age at or within ``window`` periods before one in which it was seen."""
    ages = aged.select("by", "customer", "cohort", "age")
    spread = [ages.with_columns(nw.col("age") - back) for back in range(window + 1)]
    every: nw.LazyFrame[Any] = nw.concat(spread, how="vertical")
    return aggregate(every, ("by", "customer", "cohort", "age"), {"n": (nw.col("age"), "min")})


def _money_sizes(aged: nw.LazyFrame[Any], firsts: nw.LazyFrame[Any]) -> dict[str, list[Any]]:
    opening = aged.filter(nw.col("age") == 0).select(*KEYS, nw.col("value").alias("opening"))
    money = nw.col("opening").fill_null(0.0)
    joined = firsts.join(opening, on=list(KEYS), how="left")
    return collect(
        aggregate(
            joined,
            ("by", "cohort"),
            {
                "customers": ((nw.col("cohort") == nw.col("cohort")).cast(nw.Int64), "sum"),
                "x": (money, "sum"),
                "xx": (money * money, "sum"),
            },
        )
    )


def _money_cells(aged: nw.LazyFrame[Any]) -> dict[str, list[Any]]:
    opening = aged.filter(nw.col("age") == 0).select(*KEYS, nw.col("value").alias("opening"))
    both = aged.join(opening, on=list(KEYS), how="left")
    x, y = nw.col("opening").fill_null(0.0), nw.col("value")
    parts: Parts = {
        "customers": ((nw.col("cohort") == nw.col("cohort")).cast(nw.Int64), "sum"),
        "y": (y, "sum"),
        "yy": (y * y, "sum"),
        "xy": (x * y, "sum"),
    }
    return collect(aggregate(both, ("by", "cohort", "age"), parts))


def day_counts(activity: Activity, *, kind: str, days: Sequence[int], joined: bool) -> dict[str, list[Any]]:
    """By group: customers old enough for each day, and those who were back by its definition."""
    start = "joined_day" if joined else "first_day"
    firsts = activity.firsts.with_columns(nw.col(start).alias("start"))
    aged = activity.seen.join(firsts.select(*KEYS, "start"), on=list(KEYS), how="inner")
    age = nw.col("period") - nw.col("start")
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "start": (nw.col("start"), "min"),
        "last_age": (age, "max"),
        "next_age": (nw.when(age >= 1).then(age), "min"),
    }
    parts |= {f"on{day}": ((age == day).cast(nw.Int64), "max") for day in days}
    people = aggregate(aged, KEYS, parts)
    folds: dict[str, tuple[nw.Expr, Fold]] = {}
    for day in days:
        old_enough = nw.col("start") + day < activity.as_of.observed_until
        back = {
            "classic": nw.col(f"on{day}") == 1,
            "cumulative": (nw.col("next_age") <= day).fill_null(False),
            "unbounded": nw.col("last_age") >= day,
        }[kind]
        folds[f"size{day}"] = (old_enough.cast(nw.Int64), "sum")
        folds[f"back{day}"] = ((old_enough & back).cast(nw.Int64), "sum")
    return collect(aggregate(people, ("by",), folds))


def in_order(groups: Iterable[Any]) -> list[Any]:
    """The distinct groups, sorted."""
    named = set(groups)
    kinds = sorted({type(group).__name__ for group in named})
    if len(kinds) > 1:
        raise InputError(
            f"by holds values of one type; got {', '.join(kinds)}.", argument="by", fix="Convert it to text first."
        )
    return sorted(named)


def source_of(activity: Activity) -> Source:
    """The adopted frame behind the activity."""
    return activity.events.source
