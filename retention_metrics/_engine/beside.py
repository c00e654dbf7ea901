"""Logs beside the purchases: contacts, answers, messages and visits, matched by the customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import NativeFrame, Source, collect
from retention_metrics._engine.audit import Events, Fold, aggregate, audit_events, read_clock
from retention_metrics._engine.customers import UNHAPPY, orderly, with_dates
from retention_metrics._engine.offers import mark
from retention_metrics.errors import ColumnError, InputError

_KEY = "_retention_metrics_key"
Excluded = Mapping[str, int] | None


@contextmanager
def about(argument: str) -> Iterator[None]:
    """An error about a log names that log."""
    try:
        yield
    except InputError as error:
        text = str(error)
        whole = error.argument == "data"
        told = type(error)(
            text.replace("data", argument, 1) if whole else f"{argument}: {text}",
            argument=argument if whole else error.argument,
            column=error.column,
            count=error.count,
            first=error.first,
        )
        told.fix = error.fix
        raise told from None


def counted(excluded: Excluded, more: Excluded, argument: str) -> Excluded:
    """The rows left out, with those of a second log under its name; None where they were not counted."""
    if excluded is None or more is None:
        return None
    return {**excluded, **{f"{argument}_{reason}": count for reason, count in more.items()}}


# ---------------------------------------------------------------- one key for two tables


def left_join(frame: nw.LazyFrame[Any], other: nw.LazyFrame[Any], *, argument: str) -> nw.LazyFrame[Any]:
    """What another table says of each customer, beside it; the key keeps its own type."""
    common = _common_type(frame, other, argument)
    with _one_connection(argument):
        if common is None:
            return frame.join(other, on="customer", how="left")
        rest = [name for name in other.collect_schema().names() if name != "customer"]
        key = nw.col("customer").cast(common).alias(_KEY)
        return frame.with_columns(key).join(other.select(key, *rest), on=_KEY, how="left").drop(_KEY)


def everyone(frame: nw.LazyFrame[Any], other: nw.LazyFrame[Any], *, argument: str) -> nw.LazyFrame[Any]:
    """The customers of either table, once each."""
    mine, theirs = _alike(frame.select("customer"), other.select("customer"), argument)
    with _one_connection(argument):
        return nw.concat([mine, theirs], how="vertical").unique("customer")


def strangers(other: nw.LazyFrame[Any], frame: nw.LazyFrame[Any], *, argument: str) -> nw.LazyFrame[Any]:
    """The rows of another table whose customers are not in the first."""
    mine, theirs = _alike(frame.select("customer"), other, argument)
    with _one_connection(argument):
        return theirs.join(mine, on="customer", how="anti")


def _alike(
    mine: nw.LazyFrame[Any], theirs: nw.LazyFrame[Any], argument: str
) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    common = _common_type(mine, theirs, argument)
    if common is None:
        return mine, theirs
    key = nw.col("customer").cast(common)
    return mine.with_columns(key), theirs.with_columns(key)


def _common_type(frame: nw.LazyFrame[Any], other: nw.LazyFrame[Any], argument: str) -> nw.dtypes.DType | None:
    """The type in which the keys of two tables are compared; None where they are of one already."""
    if frame.implementation is not other.implementation:
        raise InputError(
            f"{argument} is a frame of the library of the transactions ({frame.implementation.name.lower()}); "
            f"it is one of {other.implementation.name.lower()}.",
            argument=argument,
        )
    mine, theirs = (table.collect_schema()["customer"] for table in (frame, other))
    words = (nw.String, nw.Categorical, nw.Enum)
    if mine in words and theirs in words:
        # Two categoricals need not number their words alike, and Arrow has two kinds of text.
        plain = mine == theirs == nw.String and frame.implementation is not nw.Implementation.PYARROW
        return None if plain else nw.String()
    if type(mine) is type(theirs):
        return None
    if mine.is_numeric() and theirs.is_numeric():
        return nw.Int64() if mine.is_integer() and theirs.is_integer() else nw.Float64()
    raise InputError(
        f"customers have one type in all tables; {argument} holds them as {theirs}, the other table as {mine}.",
        argument=argument,
        fix="Convert one of the columns first.",
    )


@contextmanager
def _one_connection(argument: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if "different connections" in str(error):
            raise InputError(
                f"{argument} is a relation of another DuckDB connection than the transactions.",
                argument=argument,
                fix="Make both in one connection.",
            ) from None
        raise


# ---------------------------------------------------------------- what a second log says of each customer


def latest(
    data: NativeFrame,
    *,
    argument: str,
    customer: str,
    time: str,
    as_of: object,
    tz: str | None = None,
    keep: Mapping[str, str] | None = None,
    required: bool = False,
    audit: bool = True,
) -> tuple[Source, nw.LazyFrame[Any], Events]:
    """Each customer's last day in a log, its rows, and the least of some columns on that day.

    ``keep`` names those columns by role. With ``required`` a row whose kept columns are missing is no row.
    ``argument`` is what errors call the log.
    """
    kept = keep or {}
    with about(argument):
        source, times = read_clock(data, {"customer": customer, "time": time, **kept}, tz=tz)
        extra = {role: orderly(source, role) for role in kept}
        events, _ = audit_events(source, times, as_of=as_of, tz=tz, extra=extra, audit=audit)
    rows = events.kept
    for role in kept if required else ():
        rows = rows.filter(~missing(source, role))
    parts: dict[str, tuple[nw.Expr, Fold]] = {"last": (nw.col("day"), "max"), "rows": (nw.col("day") * 0 + 1, "sum")}
    found = aggregate(rows, ("customer",), parts)
    if kept:
        lowest: dict[str, tuple[nw.Expr, Fold]] = {role: (nw.col(role), "min") for role in kept}
        on_day = aggregate(rows, ("customer", "day"), lowest).with_columns(nw.col("day").alias("last")).drop("day")
        found = found.join(on_day, on=["customer", "last"], how="left")
    return source, found, events


def missing(source: Source, role: str) -> nw.Expr:
    """Whether a column that travels under its role holds nothing."""
    absent = nw.col(role).is_null()
    return absent | nw.col(role).is_nan() if source.dtype(role).is_float() else absent


def unmatched(excluded: Excluded, other: nw.LazyFrame[Any], frame: nw.LazyFrame[Any], argument: str) -> Excluded:
    """The exclusions of a log with its ``rows`` of customers who are not in the table, for one query more."""
    if excluded is None:
        return None
    rows = strangers(other.select("customer", "rows"), frame, argument=argument).select(nw.col("rows").sum())
    count = int(collect(rows)["rows"][0] or 0)
    return {**excluded, **({"no_purchase": count} if count else {})}


def with_contacts(
    frame: nw.LazyFrame[Any], data: NativeFrame, *, customer: str, time: str, as_of: object, tz: str | None, audit: bool
) -> tuple[nw.LazyFrame[Any], Excluded]:
    """The customers with their last contact, as a date, and their number of contacts."""
    _, found, events = latest(data, argument="contacts", customer=customer, time=time, as_of=as_of, tz=tz, audit=audit)
    columns = {"last_contact": nw.col("last"), "contacts": nw.col("rows")}
    told = with_dates(found.select("customer", *(c.alias(name) for name, c in columns.items())), "last_contact")
    both = left_join(frame, told, argument="contacts")
    excluded = unmatched(events.excluded, found, frame, "contacts")
    return both.with_columns(nw.col("contacts").fill_null(0).cast(nw.Int64)), excluded


def with_last_rating(
    frame: nw.LazyFrame[Any],
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    rating: str,
    as_of: object,
    tz: str | None,
    audit: bool,
    change: bool = False,
) -> tuple[nw.LazyFrame[Any], Excluded]:
    """The customers with their latest answer, of several on one day the lowest; and its change from the one before."""
    source, found, events = latest(
        data,
        argument="responses",
        customer=customer,
        time=time,
        as_of=as_of,
        tz=tz,
        keep={"rating": rating},
        required=True,
        audit=audit,
    )
    if not source.dtype("rating").is_numeric():
        raise ColumnError(
            f"rating={rating!r} is a column of numbers; it holds {source.dtype('rating')}.",
            argument="rating",
            column=rating,
        )
    excluded = unmatched(events.excluded, found, frame, "responses")
    answered = events.kept.filter(~missing(source, "rating"))
    if excluded is not None:
        unanswered = collect(events.kept.select(missing(source, "rating").cast(nw.Int64).sum().alias("rows")))
        count = int(unanswered["rows"][0] or 0)
        excluded = {**excluded, **({"missing_rating": count} if count else {})}
    columns = {"last_rating": nw.col("rating").cast(nw.Float64)}
    if change:
        found = found.join(_answer_before(answered, found), on="customer", how="left")
        columns["rating_change"] = columns["last_rating"] - nw.col("before").cast(nw.Float64)
    told = found.select("customer", *(column.alias(name) for name, column in columns.items()))
    return left_join(frame, told, argument="responses"), excluded


def _answer_before(answers: nw.LazyFrame[Any], last: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Each customer's lowest answer of the day before the last on which there was one."""
    lowest: dict[str, tuple[nw.Expr, Fold]] = {"before": (nw.col("rating"), "min")}
    daily = aggregate(answers, ("customer", "day"), lowest)
    earlier = daily.join(last.select("customer", "last"), on="customer", how="left").filter(
        nw.col("day") < nw.col("last")
    )
    days = aggregate(earlier, ("customer",), {"day": (nw.col("day"), "max")})
    return days.join(daily, on=["customer", "day"], how="left").select("customer", "before")


def dissatisfied(frame: nw.LazyFrame[Any], low: float | None) -> nw.LazyFrame[Any]:
    """The customers with whether their last rating is low, or lower than the one before."""
    unhappy = (nw.col("rating_change") < 0).fill_null(False)
    if low is not None:
        unhappy = unhappy | (nw.col("last_rating") <= low).fill_null(False)
    return frame.with_columns(unhappy.alias(UNHAPPY))


def with_messages(
    frame: nw.LazyFrame[Any],
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    opened: str,
    as_of: object,
    tz: str | None,
    audit: bool,
) -> tuple[nw.LazyFrame[Any], Excluded]:
    """The customers with the number of messages that they were sent, and of those that they opened."""
    with about("messages"):
        source, times = read_clock(data, {"customer": customer, "time": time, "opened": opened}, tz=tz)
        extra = {"opened": (mark(source, "opened") > 0).fill_null(False).cast(nw.Int64)}
        events, _ = audit_events(source, times, as_of=as_of, tz=tz, extra=extra, audit=audit)
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "rows": (nw.col("day") * 0 + 1, "sum"),
        "opened": (nw.col("opened"), "sum"),
    }
    found = aggregate(events.kept, ("customer",), parts)
    excluded = unmatched(events.excluded, found, frame, "messages")
    told = found.select("customer", nw.col("rows").alias("messages"), nw.col("opened").alias("messages_opened"))
    both = left_join(frame, told, argument="messages")
    counts = (nw.col(name).fill_null(0).cast(nw.Int64) for name in ("messages", "messages_opened"))
    return both.with_columns(*counts), excluded


def with_visitors(
    frame: nw.LazyFrame[Any], data: NativeFrame, *, customer: str, time: str, as_of: object, tz: str | None
) -> tuple[nw.LazyFrame[Any], Excluded]:
    """The audiences with a row for everyone who has visited and not bought."""
    _, seen, events = latest(data, argument="visits", customer=customer, time=time, as_of=as_of, tz=tz)
    mine, theirs = _alike(frame, seen.select("customer"), "visits")
    only = strangers(theirs, mine, argument="visits")
    marks = {"seed": False, "exclusion": False, "remarketing": False, "retargeting": True}
    rows = only.select("customer", *(nw.lit(mark).alias(name) for name, mark in marks.items()))
    return nw.concat([mine, rows], how="vertical"), events.excluded
