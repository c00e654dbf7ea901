"""Times to whole numbers: days and calendar periods as expressions that every engine can run."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from retention_metrics._engine.adopt import Source
from retention_metrics.errors import ColumnError
from retention_metrics.periods import Period

_ISO = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?)?$"
)
_MICROSECONDS_A_DAY = 86_400_000_000
# Keeps floor division of week numbers positive, so that engines that truncate agree: 7 * 100,000 days.
_WEEKS_SHIFT = 100_000


@dataclass(frozen=True)
class Clock:
    """Expressions over a time column; ``readable`` is false on text that is no date."""

    time: nw.Expr
    day: nw.Expr
    year: nw.Expr
    month: nw.Expr
    readable: nw.Expr | None

    def index(self, period: Period) -> nw.Expr:
        """The running number of the period, as ``Period.index_of`` counts it."""
        if period.unit == "day":
            return self.day
        if period.unit == "week":
            return (self.day + period.week_offset + 7 * _WEEKS_SHIFT) // 7 - _WEEKS_SHIFT
        months = self.year * 12 + self.month - 1 - period.month_offset
        return months // (period.months or 1)

    def first_day(self, period: Period) -> nw.Expr:
        """The first day of the period, as ``Period.first_day`` counts it."""
        if period.unit == "day":
            return self.day
        if period.unit == "week":
            return self.index(period) * 7 - period.week_offset
        months = self.index(period) * (period.months or 1) + period.month_offset
        return _days_from_civil(months // 12, _remainder(months, 12) + 1, nw.lit(1)).cast(nw.Int64)


def clock(source: Source, *, role: str = "time", tz: str | None = None) -> Clock:
    """The clock of a date, datetime or ISO-8601 text column, in the period's zone."""
    column, dtype = source.column(role), source.dtype(role)
    if dtype == nw.String:
        return _text_clock(column)
    if dtype != nw.Date and dtype != nw.Datetime:
        raise ColumnError(
            f"{role}={source.roles[role]!r} holds dates or datetimes; its type is {dtype}.",
            argument=role,
            column=source.roles[role],
            fix="Convert it first, for instance with pandas.to_datetime or a CAST.",
        )
    zoned = isinstance(dtype, nw.Datetime) and dtype.time_zone is not None
    if zoned and tz is not None:
        column = column.dt.convert_time_zone(tz)
    # A missing time becomes 1970-01-01, since pandas has no missing whole number; the audit marks its row.
    year = column.dt.year().fill_null(1970).cast(nw.Int64)
    month = column.dt.month().fill_null(1).cast(nw.Int64)
    fast = source.frame.implementation in (nw.Implementation.PANDAS, nw.Implementation.POLARS)
    if fast and dtype == nw.Datetime:
        local = column.dt.replace_time_zone(None) if zoned else column
        day = local.dt.timestamp("us").fill_null(0).cast(nw.Int64) // _MICROSECONDS_A_DAY
    else:
        before = year - 1
        leaps = before // 4 - before // 100 + before // 400
        day = before * 365 + leaps + column.dt.ordinal_day().fill_null(1).cast(nw.Int64) - 719163
    return Clock(time=column, day=day, year=year, month=month, readable=None)


def _text_clock(column: nw.Expr) -> Clock:
    """ISO-8601 text, read by arithmetic: no engine's own parser, so every engine agrees."""
    shaped = column.str.contains(_ISO).fill_null(False)
    safe = nw.when(shaped).then(column).otherwise(nw.lit("1970-01-01"))
    year, month, day = (safe.str.slice(at, size).cast(nw.Int64) for at, size in ((0, 4), (5, 2), (8, 2)))
    leap = ((_remainder(year, 4) == 0) & (_remainder(year, 100) != 0)) | (_remainder(year, 400) == 0)
    february = nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28))
    longest = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    length = nw.when(month == 2).then(february).otherwise(longest)
    return Clock(
        time=column,
        day=_days_from_civil(year, month, day),
        year=year,
        month=month,
        readable=shaped & (day <= length),
    )


def _days_from_civil(year: nw.Expr, month: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Days from 1970-01-01 in the proleptic Gregorian calendar, years counted from March."""
    winter = (14 - month) // 12
    years, months = year - winter, month + 12 * winter - 3
    leaps = years // 4 - years // 100 + years // 400
    return day + (153 * months + 2) // 5 + 365 * years + leaps - 719469


def _remainder(number: nw.Expr, divisor: int) -> nw.Expr:
    # pandas' Arrow-backed whole numbers have no remainder of their own.
    return number - number // divisor * divisor
