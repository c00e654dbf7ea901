"""Calendar periods, instants and units of time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics import periods
from retention_metrics.errors import InputError
from retention_metrics.periods import Period

dates = st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31))
calendars = st.builds(
    Period,
    st.sampled_from(periods.PERIOD_UNITS),
    week_start=st.sampled_from(periods.WEEKDAYS),
    fiscal_start=st.integers(1, 12),
)


@given(calendars, dates)
def test_a_day_lies_in_its_period_and_the_next_one_begins_after_it(period, day):
    number = np.array([periods.day_number(day)])
    index = period.index_of(number)
    assert period.first_day(index)[0] <= number[0] < period.first_day(index + 1)[0]
    assert period.index_of(period.first_day(index))[0] == index[0]


@given(dates)
def test_months_quarters_and_years_are_those_of_pandas(day):
    for unit, code in (("month", "M"), ("quarter", "Q"), ("year", "Y"), ("week", "W-SUN")):
        expected = pd.Timestamp(day).to_period(code).start_time.date()
        assert Period(unit).start_of(day) == expected


@given(dates, st.integers(1, 12))
def test_a_fiscal_year_begins_on_the_first_of_its_month(day, month):
    start = Period("year", fiscal_start=month).start_of(day)
    assert (start.month, start.day) == (month, 1)
    assert start <= day < dt.date(start.year + 1, month, 1)


@given(dates, st.sampled_from(periods.WEEKDAYS))
def test_a_week_begins_on_its_weekday(day, weekday):
    start = Period("week", week_start=weekday).start_of(day)
    assert periods.WEEKDAYS[start.weekday()] == weekday
    assert 0 <= (day - start).days < 7


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"unit": "fortnight"}, "period is one of"),
        ({"unit": "week", "week_start": "Monday"}, "week_start"),
        ({"unit": "year", "fiscal_start": 13}, "fiscal_start"),
        ({"unit": "year", "fiscal_start": 0}, "fiscal_start"),
        ({"unit": "day", "tz": "Mars/Olympus"}, "tz is an IANA time zone"),
    ],
)
def test_an_impossible_period_says_why(arguments, word):
    with pytest.raises(InputError, match=word):
        Period(**arguments)


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-31",
        dt.date(2024, 1, 31),
        dt.datetime(2024, 1, 31),
        pd.Timestamp("2024-01-31"),
        np.datetime64("2024-01-31"),
        np.datetime64("2024-01-31T00:00"),
    ],
)
def test_a_bare_date_means_through_the_end_of_that_day(value):
    moment = periods.moment(value, name="as_of")
    assert (moment.date, moment.instant, moment.observed_until) == (dt.date(2024, 1, 31), None, moment.day + 1)


@pytest.mark.parametrize("value", ["2024-01-31 12:30", pd.Timestamp("2024-01-31 12:30")])
def test_an_instant_leaves_its_day_unfinished(value):
    moment = periods.moment(value, name="as_of")
    assert moment.instant == dt.datetime(2024, 1, 31, 12, 30)
    assert moment.observed_until == moment.day


def test_an_instant_falls_on_the_day_of_the_zone():
    moment = periods.moment(pd.Timestamp("2024-01-31 23:30", tz="UTC"), name="as_of", tz="Asia/Tokyo")
    assert moment.date == dt.date(2024, 2, 1)


def test_units_have_their_documented_lengths():
    assert periods.unit_days("week") == 7
    assert periods.unit_days("year") == 365.25 == 12 * periods.unit_days("month")
    with pytest.raises(InputError, match="unit is one of"):
        periods.unit_days("decade")


def test_a_period_is_public():
    assert rm.Period is Period
