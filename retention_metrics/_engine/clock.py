"""Times to whole numbers: days and calendar periods as expressions that every engine can run."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import Source, quoted
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment, Period, moment

_ISO = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?)?$"
)
TEXT_DATES = "Text dates are ISO-8601 without a zone, such as '2024-01-31' or '2024-01-31 08:30'."
# Where year, month and day stand in it, and how long they are.
_PLACES = {"year": (0, 4), "month": (5, 2), "day": (8, 2)}
_MICROSECONDS_A_DAY = 86_400_000_000
# Keeps floor division of week numbers positive, so that engines that truncate agree: 7 * 100,000 days.
_WEEKS_SHIFT = 100_000


@dataclass(frozen=True)
class Clock:
    """Expressions over a time column; ``readable`` is false on text that is no date.

    ``time`` is the column itself, in its own ``zone`` where it has one; ``day``, ``year``, ``month`` and
    ``day_of_month`` are those of the clock on the wall in the period's zone.
    """

    column: str
    zone: str | None
    time: nw.Expr
    day: nw.Expr
    year: nw.Expr
    month: nw.Expr
    day_of_month: nw.Expr
    readable: nw.Expr | None

    def index(self, period: Period) -> nw.Expr:
        """The running number of the period, as ``Period.index_of`` counts it."""
        if period.unit == "day":
            return self.day
        if period.unit == "week":
            return (self.day + period.week_offset + 7 * _WEEKS_SHIFT) // 7 - _WEEKS_SHIFT
        months = self.year * 12 + self.month - 1 - period.month_offset
        # SQL writes a floor division as a page of cases: a month needs none.
        return months if period.months == 1 else months // (period.months or 1)

    def first_day(self, period: Period) -> nw.Expr:
        """The first day of the period, as ``Period.first_day`` counts it."""
        if period.unit == "day":
            return self.day
        if period.unit == "week":
            return self.index(period) * 7 - period.week_offset
        months = self.index(period) * (period.months or 1) + period.month_offset
        return _days_from_civil(months // 12, _remainder(months, 12) + 1, nw.lit(1)).cast(nw.Int64)

    def end_of_observation(self, as_of: object, *, tz: str | None) -> Moment:
        """Read ``as_of`` on the same clock: a time with a zone falls on the day that this column would give it."""
        return moment(as_of, name="as_of", tz=tz or _iana(self.zone))

    def after(self, until: Moment) -> nw.Expr:
        """Whether a time lies past the end of observation."""
        late = self.day > until.day
        if until.instant is None:
            return late
        instant: Any = self._aligned(until.instant)
        if self.readable is None:
            return late | (self.time > nw.lit(instant))
        # ISO-8601 text in one spelling sorts as its times do.
        return late | (self.time.str.replace_all("T", " ", literal=True) > nw.lit(instant.isoformat(sep=" ")))

    def _aligned(self, instant: dt.datetime) -> dt.datetime:
        """The instant with a zone exactly where the column has one, and then in that zone."""
        if (self.zone is not None) != (instant.tzinfo is not None):
            carries = "carries" if self.zone is not None else "does not carry"
            raise InputError(
                f"as_of={instant} and the column {self.column!r} agree on having a time zone; "
                f"the column {carries} one.",
                argument="as_of",
            )
        known = _iana(self.zone)
        return instant if known is None else instant.astimezone(zoneinfo.ZoneInfo(known))


def _iana(zone: str | None) -> str | None:
    """A zone by name; None for a bare offset such as +01:00, which has no name."""
    try:
        return None if zone is None else zoneinfo.ZoneInfo(zone).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None


def with_local_times(source: Source, *roles: str, tz: str | None) -> Source:
    """The clock on the wall of ``tz`` beside each time, in engines whose zones narwhals leaves to the connection.

    Beside text in SQL its days are put too.
    """
    source = _with_text_days(source, roles)
    kind = source.frame.implementation
    zoned = [role for role in roles if source.has(role) and _zone(source.dtype(role)) is not None]
    if tz is None or not zoned:
        return source
    native: Any = source.frame.to_native()
    if kind is nw.Implementation.DUCKDB:
        added = ", ".join(f"timezone('{tz}', {quoted(source.roles[role])}) AS {_local_name(role)}" for role in zoned)
        return source.with_frame(nw.from_native(native.project(f"*, {added}")).lazy())
    if kind.is_pyspark():
        from pyspark.sql import functions

        there = {_local_name(role): native[source.roles[role]].cast("timestamp_ntz") for role in zoned}
        local = {name: functions.convert_timezone(None, functions.lit(tz), time) for name, time in there.items()}
        return source.with_frame(nw.from_native(native.withColumns(local)))
    if kind is nw.Implementation.IBIS:
        column = source.roles[zoned[0]]
        raise ColumnError(
            f"a period on the clock of {tz!r} needs times moved there, which Ibis does not; {column!r} carries one.",
            argument=zoned[0],
            column=column,
            fix="Give the column the local time without a zone, and the period no tz.",
        )
    return source


def _with_text_days(source: Source, roles: Sequence[str]) -> Source:
    """The parts of ISO-8601 text beside it: SQL would write their arithmetic out anew wherever a day is named."""
    kind = source.frame.implementation
    if kind is not nw.Implementation.DUCKDB and not kind.is_pyspark() and kind is not nw.Implementation.IBIS:
        return source
    for role in (role for role in roles if source.has(role) and source.dtype(role) == nw.String):
        column = source.column(role)
        shaped = column.str.contains(_ISO).fill_null(False)
        safe = nw.when(shaped).then(column).otherwise(nw.lit("1970-01-01"))
        parts = {name: safe.str.slice(at, size).cast(nw.Int64) for name, (at, size) in _PLACES.items()}
        parts["shaped"] = shaped
        frame = source.frame.with_columns(*(part.alias(_text_name(role, name)) for name, part in parts.items()))
        year, month, day = (nw.col(_text_name(role, name)) for name in _PLACES)
        readable = nw.col(_text_name(role, "shaped")) & (day <= month_length(year, month))
        whole = {"days": _days_from_civil(year, month, day), "readable": readable}
        source = source.with_frame(
            frame.with_columns(*(part.alias(_text_name(role, name)) for name, part in whole.items()))
        )
    return source


def _text_name(role: str, part: str) -> str:
    return f"_text_{role}_{part}"


def _local_name(role: str) -> str:
    return f"_local_{role}"


def _zone(dtype: nw.dtypes.DType) -> str | None:
    return dtype.time_zone if isinstance(dtype, nw.Datetime) else None


def clock(source: Source, *, role: str = "time", tz: str | None = None) -> Clock:
    """The clock of a date, datetime or ISO-8601 text column, in the period's zone."""
    column, dtype = source.column(role), source.dtype(role)
    name = source.roles[role]
    if dtype == nw.String and _text_name(role, "days") in source.schema:
        return Clock(name, None, column, *(nw.col(_text_name(role, part)) for part in ("days", *_PLACES, "readable")))
    if dtype == nw.String:
        return _text_clock(column, name)
    if dtype == nw.Unknown:
        # A column of nothing but nulls has no type of its own.
        column, dtype = column.cast(nw.Datetime), nw.Datetime()
    if dtype != nw.Date and dtype != nw.Datetime:
        raise ColumnError(
            f"{source.argument(role)}={name!r} holds dates or datetimes; its type is {dtype}.",
            argument=source.argument(role),
            column=name,
            fix="Convert it first, for instance with pandas.to_datetime or a CAST.",
        )
    if dtype == nw.Date and source.frame.implementation is nw.Implementation.PANDAS:
        # pandas compares Arrow's dates with nothing but dates.
        column, dtype = column.cast(nw.Datetime), nw.Datetime()
    own = _zone(dtype)
    local = _local_times(source, column, role, tz) if own is not None and tz is not None else column
    # A missing time becomes 1970-01-01, since pandas has no missing whole number; the audit marks its row.
    year = local.dt.year().fill_null(1970).cast(nw.Int64)
    month = local.dt.month().fill_null(1).cast(nw.Int64)
    fast = source.frame.implementation in (nw.Implementation.PANDAS, nw.Implementation.POLARS)
    if fast and dtype == nw.Datetime:
        naive = local.dt.replace_time_zone(None) if own is not None else local
        day = naive.dt.timestamp("us").fill_null(0).cast(nw.Int64) // _MICROSECONDS_A_DAY
    elif dtype == nw.Date and source.frame.implementation is nw.Implementation.POLARS:
        # There a date is the number of its day.
        day = local.cast(nw.Int32).fill_null(0).cast(nw.Int64)
    elif source.frame.implementation is nw.Implementation.DUCKDB and own is None:
        # There the difference of two dates is a whole number.
        day = (local.cast(nw.Date) - nw.lit(dt.date(1970, 1, 1))).cast(nw.Int64).fill_null(0)
    else:
        before = year - 1
        leaps = before // 4 - before // 100 + before // 400
        day = before * 365 + leaps + local.dt.ordinal_day().fill_null(1).cast(nw.Int64) - 719163
    within = local.dt.day().fill_null(1).cast(nw.Int64)
    return Clock(
        column=name, zone=own, time=column, day=day, year=year, month=month, day_of_month=within, readable=None
    )


def _local_times(source: Source, column: nw.Expr, role: str, tz: str) -> nw.Expr:
    beside = _local_name(role)
    return nw.col(beside) if beside in source.schema else column.dt.convert_time_zone(tz)


def _text_clock(column: nw.Expr, name: str) -> Clock:
    """ISO-8601 text, read by arithmetic: no engine's own parser, so every engine agrees."""
    shaped = column.str.contains(_ISO).fill_null(False)
    safe = nw.when(shaped).then(column).otherwise(nw.lit("1970-01-01"))
    year, month, day = (safe.str.slice(at, size).cast(nw.Int64) for at, size in _PLACES.values())
    return Clock(
        column=name,
        zone=None,
        time=column,
        day=_days_from_civil(year, month, day),
        year=year,
        month=month,
        day_of_month=day,
        readable=shaped & (day <= month_length(year, month)),
    )


def month_length(year: nw.Expr, month: nw.Expr) -> nw.Expr:
    """Days of a month by its number; the one before the first has those of a December."""
    leap = ((_remainder(year, 4) == 0) & (_remainder(year, 100) != 0)) | (_remainder(year, 400) == 0)
    february = nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28))
    longest = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    return nw.when(month == 2).then(february).otherwise(longest)


def _days_from_civil(year: nw.Expr, month: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Days from 1970-01-01 in the proleptic Gregorian calendar, years counted from March."""
    winter = (14 - month) // 12
    years, months = year - winter, month + 12 * winter - 3
    leaps = years // 4 - years // 100 + years // 400
    return day + (153 * months + 2) // 5 + 365 * years + leaps - 719469


def _remainder(number: nw.Expr, divisor: int) -> nw.Expr:
    # pandas' Arrow-backed whole numbers have no remainder of their own.
    return number - number // divisor * divisor
