"""The contact calendar: the last contact of each customer, and the message that has come due."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import aggregate, audit_events, read_clock
from retention_metrics._engine.customers import Buyers, about, buyers, latest, left_join, with_dates
from retention_metrics.periods import Period


def contact_table(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    as_of: object,
    every_days: int,
    keep: Sequence[str],
    purchases: tuple[NativeFrame, str] | None,
    birthdays: tuple[NativeFrame, str] | None,
    days: Sequence[int],
) -> tuple[Buyers, nw.LazyFrame[Any]]:
    """When each was last in touch, whether that is too long ago, and which message has come due."""
    kept = {name: name for name in keep}
    source, found, events = latest(data, argument="contacts", customer=customer, time=time, as_of=as_of, keep=kept)
    end = events.as_of.day
    # Of buyers who were never in touch the days are missing, for which pandas has no whole number.
    silence = nw.lit(end) - nw.col("last")
    found = with_dates(found.with_columns(nw.col("last").alias("last_contact")), "last_contact")
    people = Buyers(source, events, found, found, events.excluded, customer)
    others: dict[str, nw.LazyFrame[Any]] = {}
    if purchases is not None:
        with about("purchases"):
            bought = buyers(purchases[0], customer=customer, time=purchases[1], value=None, as_of=events.as_of.date)
        others["purchases"] = bought.frame.select("customer", nw.col("last").alias("bought"))
    if birthdays is not None:
        others["birthdays"] = _birthdays(birthdays[0], customer, birthdays[1], events.as_of.date)
    if others:
        everyone = found.select("customer")
        for argument, other in others.items():
            everyone = _with_customers(everyone, other, argument=argument)
        found = left_join(everyone, found, argument="contacts")
    for argument, other in others.items():
        found = left_join(found, other, argument=argument)
    columns: dict[str, nw.Expr] = {
        "last_contact": nw.col("last_contact"),
        "contacts": nw.col("rows").fill_null(0).cast(nw.Int64),
        **{name: nw.col(name) for name in keep},
        "days_since_contact": silence,
        "due": (silence > every_days).fill_null(False) | nw.col("last").is_null(),
    }
    if purchases is not None:
        columns["days_since_purchase"] = nw.lit(end) - nw.col("bought")
        columns |= {"message_day": _message_day(end, days)} if days else {}
    if birthdays is not None:
        columns["birthday"] = nw.col("born_today").fill_null(0) > 0
    return people, found.select("customer", *(column.alias(name) for name, column in columns.items()))


def _with_customers(mine: nw.LazyFrame[Any], other: nw.LazyFrame[Any], *, argument: str) -> nw.LazyFrame[Any]:
    """The customers of either table, once each."""
    if mine.implementation is not other.implementation:
        left_join(mine, other, argument=argument)  # which says what is wrong
    return nw.concat([mine, other.select("customer")], how="vertical").unique("customer")


def _birthdays(data: NativeFrame, customer: str, born: str, today: dt.date) -> nw.LazyFrame[Any]:
    """Whose birthday it is: 1 on the day, and for the 29th of February on the 28th of a year without one."""
    source, times = read_clock(data, {"customer": customer, "time": born}, tz=None)
    of_month = times.day - times.first_day(Period("month")) + 1
    found = (times.month == today.month) & (of_month == today.day)
    if (today.month, today.day) == (2, 28) and not calendar.isleap(today.year):
        found = found | ((times.month == 2) & (of_month == 29))
    with about("birthdays"):
        events, _ = audit_events(source, times, as_of=today, extra={"born_today": found.cast(nw.Int64)})
    return aggregate(events.kept, ("customer",), {"born_today": (nw.col("born_today"), "max")})


def _message_day(end: int, days: Sequence[int]) -> nw.Expr:
    """The latest message whose day has come since the last purchase, where nobody was in touch since that day."""
    first, *later = sorted(days)
    due: nw.Expr = _come_due(end, first)
    for day in later:
        due = _come_due(end, day).otherwise(due)
    return due


def _come_due(end: int, day: int) -> Any:
    unsent = nw.col("last").is_null() | (nw.col("last") < nw.col("bought") + day)
    return nw.when((nw.col("bought") + day <= end) & unsent).then(nw.lit(day))
