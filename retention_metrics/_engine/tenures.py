"""Service between two dates: how long it lasted, in days and in calendar months, and whether it has ended."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect
from retention_metrics._engine.audit import with_plain_dates
from retention_metrics._engine.clock import Clock, clock
from retention_metrics.errors import InputError
from retention_metrics.periods import date_of


@dataclass(frozen=True)
class Tenure:
    """The service of each row, as columns of ``frame``, which has those of ``source`` too.

    ``_begun`` and ``_last`` are the first day and the one on which service ended by ``until``, the last day observed,
    or that day; ``_known`` says whether there is a first day, ``_late`` whether it is after ``until``, and ``_ended``
    whether service ended. Further dates have their day in ``_day_…`` and ``_there_…``.
    """

    source: Source
    frame: nw.LazyFrame[Any]
    until: int


def read(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    begin: str,
    end: str,
    as_of: object,
    dates: Sequence[str] = (),
) -> Tenure:
    """Adopt a table with the days on which service began and ended, a missing end being none yet.

    ``begin``, ``end`` and any further ``dates`` are roles. Without ``as_of`` the last beginning or end is the end of
    observation.
    """
    for role in (begin, end, *dates):
        data = with_plain_dates(data, roles[role], role=role)
    source = adopt(data, roles)
    clocks = {role: clock(source, role=role) for role in (begin, end, *dates)}
    found = _audit(source, clocks, begin, end)
    if not found["rows"]:
        raise InputError("clients has at least one row; got none.", argument="clients", count=0)
    if found["last"] is None:
        raise InputError(f"clients has no row with a date in {source.roles[begin]}.", argument=begin, count=0)
    until = found["last"] if as_of is None else clocks[begin].end_of_observation(as_of, tz=None).day
    opens, closes = clocks[begin], clocks[end]
    # One step after the other: nested in one expression, SQL engines would work the same days out many times.
    first = source.frame.with_columns(
        opens.day.alias("_begun"),
        (~opens.time.is_null()).alias("_known"),
        closes.day.alias("_closed"),
        (~closes.time.is_null()).alias("_closes"),
        *(clocks[role].day.alias(f"_day_{role}") for role in dates),
        *((~clocks[role].time.is_null()).alias(f"_there_{role}") for role in dates),
        *_calendar(opens, "_begun"),
        *_calendar(closes, "_closed"),
    )
    second = first.with_columns(
        (nw.col("_closes") & (nw.col("_closed") <= until)).alias("_ended"),
        (nw.col("_known") & (nw.col("_begun") > until)).alias("_late"),
    )
    last = nw.when(nw.col("_ended")).then(nw.col("_closed")).otherwise(nw.lit(until))
    return Tenure(source, second.with_columns(last.alias("_last")), until)


def _calendar(times: Clock, name: str) -> tuple[nw.Expr, ...]:
    return (
        times.year.alias(f"{name}_year"),
        times.month.alias(f"{name}_month"),
        times.day_of_month.alias(f"{name}_day"),
    )


def with_calendar_months(tenure: Tenure) -> nw.LazyFrame[Any]:
    """The frame with ``_months``, whole ones of service, and ``_exact``, whether no day is left over.

    A month that began on the 31st is over on the last day of a shorter month.
    """
    date, ended = date_of(tenure.until), nw.col("_ended")
    longest = calendar.monthrange(date.year, date.month)[1]
    year, month = nw.col("_closed_year"), nw.col("_closed_month")
    # Of years that divide by four, only 1900 and 2100 are near and none.
    leap = (year - year // 4 * 4 == 0) & (year != 1900) & (year != 2100)
    short = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    february = nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28))
    begun = nw.col("_begun_year") * 12 + nw.col("_begun_month") - 1
    ends = nw.when(ended).then(year * 12 + month - 1).otherwise(nw.lit(date.year * 12 + date.month - 1))
    first = tenure.frame.with_columns(
        (ends - begun).alias("_apart"),
        nw.when(ended).then(nw.col("_closed_day")).otherwise(nw.lit(date.day)).alias("_end_day"),
        nw.when(ended & (month == 2)).then(february).otherwise(short).alias("_closed_longest"),
    )
    longest_there = nw.when(ended).then(nw.col("_closed_longest")).otherwise(nw.lit(longest))
    begins, day = nw.col("_begun_day"), nw.col("_end_day")
    second = first.with_columns(
        (day < begins).alias("_short"), ((day < begins) & (day == longest_there)).alias("_cut_short")
    )
    return second.with_columns(
        (nw.col("_apart") - (nw.col("_short") & ~nw.col("_cut_short")).cast(nw.Int64)).alias("_months"),
        ((day == begins) | nw.col("_cut_short")).alias("_exact"),
    )


def _audit(source: Source, clocks: Mapping[str, Clock], begin: str, end: str) -> dict[str, int | None]:
    """Rows and the last day in one query; text that is no date is refused."""
    parts = {"rows": nw.len()}
    for role in (begin, end):
        parts[f"last_{role}"] = nw.when(~clocks[role].time.is_null()).then(clocks[role].day).max()
    for role, times in clocks.items():
        if times.readable is not None:
            parts[f"unreadable_{role}"] = (~times.readable & ~times.time.is_null()).cast(nw.Int64).sum()
    cells = collect(source.frame.select(*(part.alias(name) for name, part in parts.items())))
    found = {name: values[0] for name, values in cells.items()}
    for role in clocks:
        if count := int(found.get(f"unreadable_{role}") or 0):
            raise InputError(
                f"{role}={source.roles[role]!r} holds {count} unreadable dates.",
                argument=role,
                column=source.roles[role],
                count=count,
                fix="Text dates are ISO-8601, such as '2024-01-31'.",
            )
    lasts = [int(found[f"last_{role}"]) for role in (begin, end) if found[f"last_{role}"] is not None]
    return {"rows": int(found["rows"]), "last": max(lasts, default=None)}
