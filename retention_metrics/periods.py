"""Calendar periods: units, zones, week starts, fiscal years and completeness."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._stored import Frozen
from retention_metrics.errors import InputError

__all__ = ["DAYS", "Period", "PeriodUnit", "TimeUnit", "Weekday"]

PeriodUnit = Literal["day", "week", "month", "quarter", "year"]
TimeUnit = Literal["hour", "day", "week", "month", "quarter", "year"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

PERIOD_UNITS: tuple[PeriodUnit, ...] = ("day", "week", "month", "quarter", "year")
TIME_UNITS: tuple[TimeUnit, ...] = ("hour", "day", "week", "month", "quarter", "year")
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

DAYS: Mapping[str, float] = {
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "quarter": 365.25 / 4,
    "year": 365.25,
}
"""Length of each unit of time in days."""

Days = NDArray[np.int64]
_EPOCH = dt.date(1970, 1, 1)
_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Period(Frozen):
    """A calendar period: its unit, zone, week start and fiscal year.

    Parameters
    ----------
    unit : {"day", "week", "month", "quarter", "year"}
        The calendar unit.
    tz : str, optional
        IANA time zone in which times are cut to days. Times with a zone of their own are converted to it;
        times without one are taken to be in it already.
    week_start : str, default "monday"
        First day of the week.
    fiscal_start : int, default 1
        Month, 1 to 12, in which the fiscal year begins; it moves quarters and years.

    Raises
    ------
    InputError
        If the unit, zone, weekday or month is unknown.

    Examples
    --------
    >>> import datetime as dt
    >>> import retention_metrics as rm
    >>> quarter = rm.Period("quarter", fiscal_start=4)
    >>> quarter.start_of(dt.date(2024, 3, 31))
    datetime.date(2024, 1, 1)
    """

    unit: PeriodUnit
    tz: str | None = None
    week_start: Weekday = "monday"
    fiscal_start: int = 1

    def __post_init__(self) -> None:
        _checks.choice(self.unit, PERIOD_UNITS, name="period")
        _checks.choice(self.week_start, WEEKDAYS, name="week_start")
        if _checks.count(self.fiscal_start, name="fiscal_start", low=1) > 12:
            raise InputError(f"fiscal_start is a month from 1 to 12; got {self.fiscal_start}.", argument="fiscal_start")
        if self.tz is not None:
            zone(self.tz)

    @property
    def months(self) -> int | None:
        """Whole months in the period; None for days and weeks."""
        return _MONTHS_IN.get(self.unit)

    def index_of(self, days: Days) -> Days:
        """Running number of the period that holds each day.

        Parameters
        ----------
        days : ndarray of int
            Days from 1970-01-01.

        Returns
        -------
        ndarray of int
            Of the shape of ``days``; neighbouring periods differ by 1.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> rm.Period("week").index_of(np.array([3, 4, 10, 11])).tolist()
        [0, 1, 1, 2]
        """
        if self.unit == "day":
            return np.asarray(days, dtype=np.int64)
        if self.unit == "week":
            return (days + self.week_offset) // 7
        # 1970-01 is month 0 of NumPy's count, and month 12 * 1970 of ours.
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 12 * 1970
        return (months - self.month_offset) // _MONTHS_IN[self.unit]

    def first_day(self, index: Days) -> Days:
        """First day of each numbered period.

        Parameters
        ----------
        index : ndarray of int
            Running numbers, as ``index_of`` gives them.

        Returns
        -------
        ndarray of int
            Days from 1970-01-01, of the shape of ``index``.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> rm.Period("week").first_day(np.array([1, 2])).tolist()
        [4, 11]
        """
        index = np.asarray(index, dtype=np.int64)
        if self.unit == "day":
            return index
        if self.unit == "week":
            return index * 7 - self.week_offset
        months = index * _MONTHS_IN[self.unit] + self.month_offset - 12 * 1970
        return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)

    def start_of(self, day: dt.date) -> dt.date:
        """First day of the period that holds a date.

        Parameters
        ----------
        day : date
            Any day of the period.

        Returns
        -------
        date
            Its first day.
        """
        number = np.array([day_number(day)])
        return date_of(int(self.first_day(self.index_of(number))[0]))

    @property
    def week_offset(self) -> int:
        """What to add to a day number so that weeks begin at multiples of seven."""
        # 1970-01-01 was a Thursday, three days after a Monday.
        return 3 - WEEKDAYS.index(self.week_start)

    @property
    def month_offset(self) -> int:
        """Months by which fiscal quarters and years begin after January."""
        return 0 if self.unit == "month" else self.fiscal_start - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of observation: a day, and the instant within it where one was given.

    Parameters
    ----------
    day : int
        The day, counted from 1970-01-01.
    instant : datetime, optional
        The instant within the day; None where the whole day is in.
    """

    day: int
    instant: dt.datetime | None = None

    @property
    def date(self) -> dt.date:
        """The day as a date."""
        return date_of(self.day)

    @property
    def observed_until(self) -> int:
        """First day that was not observed to its end."""
        return self.day + 1 if self.instant is None else self.day


def period_of(period: PeriodUnit | Period) -> Period:
    """A period from its name, or itself."""
    return period if isinstance(period, Period) else Period(period)


def zone(name: str) -> zoneinfo.ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError):
        raise InputError(f"tz is an IANA time zone such as 'Europe/Berlin'; got {name!r}.", argument="tz") from None


def moment(value: object, *, name: str, tz: str | None = None) -> Moment:
    """Read ``as_of`` and its like: a bare date means through the end of that day.

    A datetime at midnight, which is how dataframe libraries write a date, is read as a bare date.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        value = _parsed(value, name=name)
    if isinstance(value, dt.datetime):
        stamp: dt.datetime = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
        if stamp != stamp:  # NaT
            raise InputError(f"{name} is a date or a datetime; got {value!r}.", argument=name)
        local = stamp.astimezone(zone(tz)) if tz is not None and stamp.tzinfo is not None else stamp
        midnight = local.time() == dt.time(0)
        return Moment(day_number(local.date()), None if midnight else stamp)
    if isinstance(value, dt.date):
        return Moment(day_number(value))
    raise InputError(f"{name} is a date or a datetime; got {value!r}.", argument=name)


def _parsed(text: str, *, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name} is a date such as '2024-01-31'; got {text!r}.", argument=name) from None


def day_number(day: dt.date) -> int:
    """Days from 1970-01-01."""
    return (dt.date(day.year, day.month, day.day) - _EPOCH).days


def date_of(number: int) -> dt.date:
    """The date that lies ``number`` days from 1970-01-01."""
    return _EPOCH + dt.timedelta(days=int(number))


def months_before(day: int, months: int) -> int:
    """The day some calendar months before another; the last of its month where that is shorter."""
    date = date_of(day)
    count = date.year * 12 + date.month - 1 - months
    first_of_next = day_number(dt.date((count + 1) // 12, (count + 1) % 12 + 1, 1))
    year, month = count // 12, count % 12 + 1
    return min(day_number(dt.date(year, month, 1)) + date.day - 1, first_of_next - 1)


def unit_days(unit: str, *, name: str = "unit") -> float:
    """Length of a unit of time in days."""
    return DAYS[_checks.choice(unit, TIME_UNITS, name=name)]
