"""The contact calendar: the last contact of each customer, and the message that has come due."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame, adopt
from retention_metrics._engine.audit import aggregate, audit_events, read_clock
from retention_metrics._engine.beside import Excluded, about, counted, everyone, latest, left_join
from retention_metrics._engine.customers import Buyers, buyers, finish, with_dates
from retention_metrics.errors import ColumnError
from retention_metrics.periods import Period

ANSWERS = (
    "last_contact",
    "contacts",
    "days_since_contact",
    "due",
    "days_since_purchase",
    "message_day",
    "birthday",
)


def contact_table(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    as_of: object,
    tz: str | None,
    every_days: int,
    keep: Sequence[str],
    purchases: tuple[NativeFrame, str] | None,
    birthdays: tuple[NativeFrame, str] | None,
    days: Sequence[int],
) -> tuple[Buyers, NativeFrame, Excluded]:
    """When each was last in touch, whether that is too long ago, and which message has come due."""
    kept = {f"kept_{place}": name for place, name in enumerate(keep)}
    _refuse_kept(data, customer, time, keep)
    source, found, events = latest(
        data, argument="contacts", customer=customer, time=time, as_of=as_of, tz=tz, keep=kept
    )
    end, until, excluded = events.as_of.day, events.as_of.instant or events.as_of.date, events.excluded
    # Of buyers who were never in touch the days are missing, for which pandas has no whole number.
    silence = nw.lit(end) - nw.col("last")
    found = with_dates(found.with_columns(nw.col("last").alias("last_contact")), "last_contact")
    people = Buyers(source, events, found, found, events.excluded, customer)
    others: dict[str, nw.LazyFrame[Any]] = {}
    if purchases is not None:
        with about("purchases"):
            bought = buyers(purchases[0], customer=customer, time=purchases[1], value=None, as_of=until, tz=tz)
        excluded = counted(excluded, bought.excluded, "purchases")
        others["purchases"] = bought.frame.select("customer", nw.col("last").alias("bought"))
    if birthdays is not None:
        others["birthdays"], left_out = _birthdays(birthdays[0], customer, birthdays[1], events.as_of.date)
        excluded = counted(excluded, left_out, "birthdays")
    if others:
        known = found.select("customer")
        for argument, other in others.items():
            known = everyone(known, other, argument=argument)
        found = left_join(known, found, argument="contacts")
    for argument, other in others.items():
        found = left_join(found, other, argument=argument)
    columns: dict[str, nw.Expr] = {
        "last_contact": nw.col("last_contact"),
        "contacts": nw.col("rows").fill_null(0).cast(nw.Int64),
        **{role: nw.col(role) for role in kept},
        "days_since_contact": silence,
        "due": (silence > every_days).fill_null(False) | nw.col("last").is_null(),
    }
    if purchases is not None:
        columns["days_since_purchase"] = nw.lit(end) - nw.col("bought")
        columns |= {"message_day": _message_day(end, days)} if days else {}
    if birthdays is not None:
        columns["birthday"] = nw.col("born_today").fill_null(0) > 0
    table = found.select("customer", *(column.alias(name) for name, column in columns.items()))
    return people, finish(people, table, kept), excluded


def _refuse_kept(data: NativeFrame, customer: str, time: str, keep: Sequence[str]) -> None:
    """Refuse columns to keep that do not exist, or would stand in the answer twice."""
    columns = adopt(data, {}).columns
    taken = [customer, time, *ANSWERS]
    for name in keep:
        _checks.column(name, columns, role="keep")
        if name in taken:
            raise ColumnError(
                f"keep={name!r} is a column of the answer already.",
                argument="keep",
                column=name,
                fix="Rename it first, or leave it out.",
            )
        taken.append(name)


def _birthdays(
    data: NativeFrame, customer: str, born: str, today: dt.date
) -> tuple[nw.LazyFrame[Any], Mapping[str, int] | None]:
    """Whose birthday it is: 1 on the day, and for the 29th of February on the 28th of a year without one."""
    with about("birthdays"):
        source, times = read_clock(data, {"customer": customer, "time": born}, tz=None)
        of_month = times.day - times.first_day(Period("month")) + 1
        found = (times.month == today.month) & (of_month == today.day)
        if (today.month, today.day) == (2, 28) and not calendar.isleap(today.year):
            found = found | ((times.month == 2) & (of_month == 29))
        events, _ = audit_events(source, times, as_of=today, extra={"born_today": found.cast(nw.Int64)})
    return aggregate(events.kept, ("customer",), {"born_today": (nw.col("born_today"), "max")}), events.excluded


def _message_day(end: int, days: Sequence[int]) -> nw.Expr:
    """The latest message whose day has come since the last purchase, where nobody was in touch since that day."""
    first, *later = sorted(days)
    due: nw.Expr = _come_due(end, first)
    for day in later:
        due = _come_due(end, day).otherwise(due)
    return due


def _come_due(end: int, day: int) -> Any:
    unsent = nw.col("last").is_null() | (nw.col("last") < nw.col("bought") + day)
    return nw.when((nw.col("bought") + day <= end) & unsent).then(nw.lit(day, dtype=nw.Int64))
