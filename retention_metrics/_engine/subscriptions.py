"""Subscription intervals to who was there at the end of each period, in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np

from retention_metrics._engine.activity import KEYS
from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect, in_memory
from retention_metrics._engine.audit import Fold, aggregate, first_rows, refuse_twins, twins, with_plain_dates
from retention_metrics._engine.clock import TEXT_DATES, Clock, clock, with_local_times
from retention_metrics._engine.join import cross_with
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment, Period

REASONS = ("missing_customer", "missing_start", "missing_group", "empty_interval", "after_as_of", "duplicate_row")


@dataclass(frozen=True)
class Subscriptions:
    """Audited subscription intervals: ``by, customer, lo, hi``, the periods whose end each one covers."""

    source: Source
    rows: nw.LazyFrame[Any]
    as_of: Moment
    first_index: int
    last_index: int
    excluded: Mapping[str, int]

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return self.source.backend


@dataclass(frozen=True)
class Opened:
    """Subscription intervals whose rows were counted: the clocks of start and end, and the rows that count.

    ``asked`` is the source as questions about its rows are asked of it.
    """

    source: Source
    asked: Source
    opens: Clock
    closes: Clock
    until: Moment | None
    found: Mapping[str, int]

    @property
    def last_date(self) -> Moment:
        """The last date in either column."""
        return Moment(max(self.found["last_start"], self.found["last_end"]))

    def excluded(self, last: Moment) -> dict[str, int]:
        """Rows left out, by reason: one that repeats another in all that was named is the same subscription."""
        named = self.asked.with_frame(self.asked.frame.filter(self.counted(last))).by_role()
        counts = {**self.found, "duplicate_row": twins(named)}
        return {name: counts[name] for name in REASONS if counts[name]}

    def kept(self, last: Moment) -> nw.LazyFrame[Any]:
        """The rows that count up to the end of observation."""
        return self.source.frame.filter(self.counted(last))

    def counted(self, last: Moment) -> nw.Expr:
        """Whether a row counts up to the end of observation."""
        known = ~self.source.column("customer").is_null() & ~self.opens.time.is_null()
        if self.source.has("by"):
            known = known & ~self.source.column("by").is_null()
        lasting = (self.closes.time.is_null() | (self.closes.time != self.opens.time)).fill_null(True)
        return known & lasting & ~self.opens.after(last)


def open_log(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    period: Period,
    as_of: object,
    arguments: Mapping[str, str] | None = None,
) -> Opened:
    """Adopt intervals and count their rows; ``roles`` names ``customer, start, end`` and any other column."""
    refuse_unnamed(roles, "customer", "start", "end")
    plain = with_plain_dates(with_plain_dates(data, roles["start"], role="start"), roles["end"], role="end")
    source = with_local_times(adopt(plain, roles, arguments), "start", "end", tz=period.tz)
    opens, closes = comparable_clocks(source, period)
    until = None if as_of is None else opens.end_of_observation(as_of, tz=period.tz)
    asked = in_memory(source)
    return Opened(source, asked, opens, closes, until, _audit(asked, opens, closes, until))


def read(
    data: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    by: str | None,
    period: Period,
    as_of: object,
) -> Subscriptions:
    """Audit intervals and number the periods that they cover."""
    roles = {"customer": customer, "start": start, "end": end, "by": by}
    log = open_log(data, roles, period=period, as_of=as_of)
    source, opens, closes = log.source, log.opens, log.closes
    last = log.until or log.last_date
    last_index = int(period.index_of(np.array([last.day]))[0])
    # An end after as_of has not happened yet, and a null end runs on.
    open_ended = closes.time.is_null() | closes.after(last)
    rows = log.kept(last).select(
        (source.column("by") if by else nw.lit(0)).alias("by"),
        source.column("customer").alias("customer"),
        opens.index(period).alias("lo"),
        nw.when(open_ended).then(nw.lit(last_index)).otherwise(closes.index(period) - 1).alias("hi"),
    )
    first_index = int(period.index_of(np.array([log.found["first_start"]]))[0])
    return Subscriptions(source, rows, last, first_index, last_index, log.excluded(last))


def refuse_unnamed(roles: Mapping[str, str | None], *needed: str) -> None:
    """Refuse a call that leaves a needed column without a name."""
    for role in needed:
        if roles.get(role) is None:
            raise ColumnError(f"{role}= holds a column name; got None.", argument=role)


def comparable_clocks(source: Source, period: Period) -> tuple[Clock, Clock]:
    """The clocks of start and end, which can be compared."""
    opens, closes = clock(source, role="start", tz=period.tz), clock(source, role="end", tz=period.tz)
    kinds = [_kind(times) for times in (opens, closes)]
    if kinds[0] != kinds[1]:
        void = [_is_void(source, times) for times in (opens, closes)]
        if not any(void):
            raise ColumnError(
                f"start={opens.column!r} and end={closes.column!r} are of one kind; "
                f"start holds {kinds[0]} and end {kinds[1]}.",
                argument="end",
                column=closes.column,
                fix="Convert one of them first.",
            )
        opens, closes = (opens, _nothing(closes, opens)) if void[1] else (_nothing(opens, closes), closes)
    if opens.readable is not None:
        # ISO-8601 text in one spelling sorts as its times do.
        opens, closes = (
            replace(side, time=side.time.str.replace_all("T", " ", literal=True)) for side in (opens, closes)
        )
    if opens.zone is not None and closes.zone != opens.zone:
        closes = replace(closes, zone=opens.zone, time=closes.time.dt.convert_time_zone(opens.zone))
    return opens, closes


def _kind(times: Clock) -> str:
    if times.readable is not None:
        return "text"
    return "times without a zone" if times.zone is None else "times with a zone"


def _is_void(source: Source, times: Clock) -> bool:
    """Whether a column holds no time at all, and so has no kind of its own."""
    present = (~times.time.is_null()).cast(nw.Int64).sum()
    return not collect(source.frame.select(present.alias("rows")))["rows"][0]


def _nothing(times: Clock, other: Clock) -> Clock:
    """A column of no times, as one of the other's kind."""
    return replace(other, column=times.column, time=nw.when(other.time.is_null()).then(other.time))


def _audit(source: Source, opens: Clock, closes: Clock, until: Moment | None) -> dict[str, int]:
    nobody, no_start = source.column("customer").is_null(), opens.time.is_null()
    no_group = source.column("by").is_null() if source.has("by") else nw.lit(False)
    known = ~nobody & ~no_start & ~no_group
    ended = known & ~closes.time.is_null()
    late = known & opens.after(until) if until else known & nw.lit(False)
    reverse = ended & (closes.time < opens.time)
    empty = ended & (closes.time == opens.time)
    good = known & ~late & ~empty.fill_null(False)
    sums = {
        "rows": nobody | ~nobody,
        "missing_customer": nobody,
        "missing_start": ~nobody & no_start,
        "missing_group": ~nobody & ~no_start & no_group,
        "reversed": reverse.fill_null(False),
        "empty_interval": empty.fill_null(False),
        "after_as_of": late & ~empty.fill_null(False),
        "kept": good,
    }
    for role, times in (("start", opens), ("end", closes)):
        if times.readable is not None:
            sums[f"unreadable_{role}"] = ~times.readable & ~times.time.is_null()
    parts = {name: row.cast(nw.Int64).sum() for name, row in sums.items()}
    parts["first_start"] = nw.when(good).then(opens.day).min()
    parts["last_start"] = nw.when(known).then(opens.day).max()
    parts["last_end"] = nw.when(ended).then(closes.day).max()
    cells = collect(source.frame.select(*(part.alias(name) for name, part in parts.items())))
    found = {name: int(values[0] or 0) for name, values in cells.items()}
    # Day 0 is 1970-01-01: a log that never ends has no last end, and not that one.
    found["last_end"] = found["last_start"] if cells["last_end"][0] is None else found["last_end"]
    _refuse(source, found, sums)
    return found


def _refuse(source: Source, found: Mapping[str, int], marks: Mapping[str, nw.Expr]) -> None:
    for role in ("start", "end"):
        if found.get(f"unreadable_{role}"):
            where, first = first_rows(source, marks[f"unreadable_{role}"].fill_null(False), role)
            raise InputError(
                f"{role}={source.roles[role]!r} holds {found[f'unreadable_{role}']} unreadable dates ({where}).",
                argument=role,
                column=source.roles[role],
                count=found[f"unreadable_{role}"],
                first=first,
                fix=TEXT_DATES,
            )
    if found["rows"] == 0:
        raise InputError("data has no rows.", argument="data", count=0)
    if found["reversed"]:
        where, first = first_rows(source, marks["reversed"], "end")
        raise InputError(
            f"end={source.roles['end']!r} is at or after start={source.roles['start']!r}; "
            f"{found['reversed']} of {found['rows']} rows end before they start ({where}).",
            argument="end",
            column=source.roles["end"],
            count=found["reversed"],
            first=first,
        )
    if found["kept"] == 0:
        reasons = ", ".join(f"{reason} {found[reason]}" for reason in REASONS if found.get(reason))
        raise InputError(f"data has no row left to count: {found['rows']} rows, {reasons}.", argument="data")


def refuse_twins_of(source: Source) -> None:
    """Refuse rows that are the same in all that was named, where their money would be added twice."""
    known = source.frame.filter(~source.column("customer").is_null() & ~source.column("start").is_null())
    named = known.select(*(source.column(role).alias(role) for role in source.roles))
    refuse_twins(named, fix="Drop them, or add up what belongs together first.")


def state_counts(log: Subscriptions) -> dict[tuple[Any, int], tuple[int, int, int, int]]:
    """By group and period: subscribed at its end, retained from the end before, new, and joined and left."""
    periods = np.arange(log.first_index, log.last_index + 1)
    spread = cross_with(log.source, log.rows, "period", periods)
    covered = spread.filter((nw.col("lo") <= nw.col("period")) & (nw.col("period") <= nw.col("hi")))
    one: tuple[nw.Expr, Fold] = ((nw.col("period") == nw.col("period")).cast(nw.Int64), "sum")
    there = aggregate(covered, (*KEYS, "period"), {"rows": one}).select(*KEYS, "period")
    firsts = aggregate(log.rows, KEYS, {"first": (nw.col("lo"), "min")})
    before = there.select(*KEYS, (nw.col("period") + 1).alias("period"), nw.lit(1).alias("before"))
    both = there.join(before, on=[*KEYS, "period"], how="left").join(firsts, on=list(KEYS), how="left")
    fresh = (nw.col("period") == nw.col("first")).cast(nw.Int64)
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "active": one,
        "retained": (nw.col("before").fill_null(0), "sum"),
        "new": (fresh, "sum"),
    }
    states = collect(aggregate(both, ("by", "period"), folds))
    joiners = collect(
        aggregate(firsts, ("by", "first"), {"joined": ((nw.col("first") == nw.col("first")).cast(nw.Int64), "sum")})
    )
    counts = {
        (group, index): (int(active), int(retained), int(new), 0)
        for group, index, active, retained, new in zip(
            *(states[name] for name in ("by", "period", "active", "retained", "new")), strict=True
        )
    }
    for group, index, joined in zip(*(joiners[name] for name in ("by", "first", "joined")), strict=True):
        active, retained, new, _ = counts.get((group, index), (0, 0, 0, 0))
        counts[group, index] = (active, retained, new, int(joined) - new)
    return counts
