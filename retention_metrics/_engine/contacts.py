"""The contact calendar: the last contact of each customer, and the message that has come due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.customers import Buyers, about, buyers, latest, left_join, with_dates


def contact_table(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    as_of: object,
    every_days: int,
    keep: Sequence[str],
    purchases: tuple[NativeFrame, str] | None,
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
    if purchases is not None:
        with about("purchases"):
            bought = buyers(purchases[0], customer=customer, time=purchases[1], value=None, as_of=events.as_of.date)
        mine = bought.frame.select("customer", nw.col("last").alias("bought"))
        everyone = nw.concat([found.select("customer"), mine.select("customer")], how="vertical").unique("customer")
        found = left_join(left_join(everyone, found, argument="contacts"), mine, argument="purchases")
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
    return people, found.select("customer", *(column.alias(name) for name, column in columns.items()))


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
