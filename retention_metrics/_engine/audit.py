"""What is in an event log: one aggregate query for rows, missing values and the span of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame, Source, adopt, builtin, collect, quoted
from retention_metrics._engine.clock import TEXT_DATES, Clock, clock, with_local_times
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment, zone

OK, MISSING_CUSTOMER, MISSING_TIME, MISSING_VALUE, AFTER_AS_OF, MISSING_JOINED, MISSING_GROUP = range(7)
REASONS: Mapping[int, str] = {
    MISSING_CUSTOMER: "missing_customer",
    MISSING_TIME: "missing_time",
    MISSING_VALUE: "missing_value",
    AFTER_AS_OF: "after_as_of",
    MISSING_JOINED: "missing_joined",
    MISSING_GROUP: "missing_group",
}


_ONE = "_retention_metrics_one"
Duplicates = Literal["keep", "exclude", "raise"]
DUPLICATES: tuple[Duplicates, ...] = ("keep", "exclude", "raise")
TWINS = (
    "{count} rows repeat another one in full, and count like any other. Where they are copies give "
    "duplicates='exclude'."
)
Fold = Literal["sum", "min", "max"]
Parts = Mapping[str, tuple[nw.Expr, Fold]]
"""Row expressions by name, and how a group folds each."""


@dataclass(frozen=True)
class Events:
    """An event log at the door: its marked rows, and what the audit found.

    ``marked`` has the columns ``customer``, ``day``, the extra expressions, ``value`` where there is one and
    ``reason``, which is 0 for the rows that count.
    """

    source: Source
    marked: nw.LazyFrame[Any]
    as_of: Moment
    excluded: Mapping[str, int] | None
    first_day: int | None
    negative: int

    @property
    def kept(self) -> nw.LazyFrame[Any]:
        """The rows that count; a frame in memory of which all do is not copied."""
        if self.excluded is not None and not self.excluded and not self.source.lazy:
            return self.marked
        return self.marked.filter(nw.col("reason") == OK)


def read_clock(data: NativeFrame, roles: Mapping[str, str | None], *, tz: str | None) -> tuple[Source, Clock]:
    """Adopt an event log and read its time column."""
    for role in ("customer", "time"):
        if role in roles and roles[role] is None:
            raise ColumnError(f"{role}= holds a column name; got None.", argument=role)
    if tz is not None:
        zone(tz)
    plain = with_plain_dates(with_plain_dates(data, roles.get("time")), roles.get("joined"), role="joined")
    source = with_local_times(adopt(plain, roles), "time", "joined", tz=tz)
    _refuse_wordy_values(source)
    return source, clock(source, tz=tz)


def _refuse_wordy_values(source: Source) -> None:
    if not source.has("value"):
        return
    dtype, column = source.dtype("value"), source.roles["value"]
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Date, nw.Datetime, nw.Duration):
        raise ColumnError(
            f"value={column!r} is a column of numbers; it holds {dtype}.",
            argument="value",
            column=column,
            fix="Convert it to numbers first, unknown ones to missing.",
        )


def with_plain_dates(data: NativeFrame, column: str | None, *, role: str = "time") -> NativeFrame:
    """A pandas column of date objects, or of NaN alone, becomes one of datetimes, which every expression reads."""
    import pandas as pd

    if column is None or not isinstance(data, pd.DataFrame) or column not in data.columns:
        return data
    if data[column].dtype == "float64" and data[column].isna().all():
        return data.assign(**{column: pd.to_datetime(data[column])})
    if data[column].dtype != object:
        return data
    present = data[column].dropna()
    kinds = {type(entry).__name__ for entry in present}
    zones = {str(getattr(entry, "tzinfo", None)) for entry in present}
    if kinds and kinds <= {"str"}:
        return data.assign(**{column: data[column].astype("str")})
    if len(zones) > 1:
        raise InputError(
            f"{role}={column!r} mixes time zones: {', '.join(sorted(zones))}.",
            argument=role,
            column=column,
            fix="Convert all of it to one zone, for instance with pandas.to_datetime(..., utc=True).",
        )
    if not kinds <= {"date", "datetime", "Timestamp"}:
        strange = next(entry for entry in present if type(entry).__name__ not in ("date", "datetime", "Timestamp"))
        raise InputError(
            f"{role}={column!r} holds dates; it also holds {strange!r}.", argument=role, column=column, first=[strange]
        )
    return data.assign(**{column: pd.to_datetime(data[column])})


def audit_events(
    source: Source,
    times: Clock,
    *,
    as_of: object = None,
    tz: str | None = None,
    audit: bool = True,
    extra: Mapping[str, nw.Expr] | None = None,
    inner: Parts | None = None,
    outer: Mapping[str, nw.Expr] | None = None,
) -> tuple[Events, dict[str, int]]:
    """Mark every row and run the one query that counts them.

    ``inner`` folds a customer's marked rows and ``outer`` aggregates over all customers of what
    those gave; with any, the one query groups by customer on its way.
    """
    until = None if as_of is None else times.end_of_observation(as_of, tz=tz)
    marked = _mark(source, times, until, extra or {})
    if not audit:
        if until is None:
            raise InputError("audit=False leaves as_of unknown: give as_of=.", argument="as_of")
        return Events(source, marked, until, None, None, 0), {}
    counted = _count(marked, source, times, inner or {}, outer or {})
    found = {name: cells[0] for name, cells in collect(counted).items()}
    rows = {name: int(value or 0) for name, value in found.items() if name not in ("first", "last")}
    _refuse(source, times, rows, found)
    excluded = {reason: rows[reason] for reason in REASONS.values() if rows[reason]}
    if rows["kept"] == 0:
        counts = ", ".join(f"{reason} {count}" for reason, count in excluded.items()) or "no rows"
        raise InputError(f"data has no row left to count: {rows['rows']} rows, {counts}.", argument="data")
    first, last = int(found["first"]), int(found["last"])
    events = Events(source, marked, until or Moment(last), excluded, first, rows["negative"])
    return events, {name: count for name, count in rows.items() if name not in excluded}


def _mark(source: Source, times: Clock, until: Moment | None, extra: Mapping[str, nw.Expr]) -> nw.LazyFrame[Any]:
    reason = nw.when(source.column("customer").is_null()).then(nw.lit(MISSING_CUSTOMER))
    known_time = times.time.is_null()
    chain: list[tuple[nw.Expr, int]] = [(known_time, MISSING_TIME)]
    columns = {"customer": source.column("customer"), "day": times.day, **extra}
    if source.has("value"):
        value = source.column("value").cast(nw.Float64)
        columns["value"] = value
        chain.append((value.is_null() | value.is_nan(), MISSING_VALUE))
    # No engine joins a missing key to itself, so that a missing group cannot be one.
    for role, code in (("joined", MISSING_JOINED), ("by", MISSING_GROUP)):
        if source.has(role):
            chain.append((source.column(role).is_null(), code))
    if until is not None:
        chain.append((times.after(until), AFTER_AS_OF))
    otherwise: nw.Expr = nw.lit(OK)
    for condition, code in reversed(chain):
        otherwise = nw.when(condition).then(nw.lit(code)).otherwise(otherwise)
    columns["reason"] = reason.otherwise(otherwise)
    if times.readable is not None:
        columns["unreadable"] = (~times.readable & ~times.time.is_null()).cast(nw.Int64)
    return source.frame.select(*(expression.alias(name) for name, expression in columns.items()))


def _count(
    marked: nw.LazyFrame[Any],
    source: Source,
    times: Clock,
    inner: Parts,
    outer: Mapping[str, nw.Expr],
) -> nw.LazyFrame[Any]:
    reason, kept = nw.col("reason"), nw.col("reason") == OK
    marks: dict[str, nw.Expr] = {"rows": reason >= OK, "kept": kept}
    marks |= {name: reason == code for code, name in REASONS.items()}
    if source.has("value"):
        value = nw.col("value")
        marks["infinite"] = ~value.is_finite() & ~value.is_null() & ~value.is_nan()
        marks["negative"] = (value < 0) & kept
    # In memory, true and false add up as they are, in an eighth of the room.
    numbers = source.lazy or bool(inner)
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        name: (mark.cast(nw.Int64) if numbers else mark, "sum") for name, mark in marks.items()
    }
    day = nw.when(kept).then(nw.col("day"))
    parts |= {"first": (day, "min"), "last": (day, "max")}
    if times.readable is not None:
        parts["unreadable"] = (nw.col("unreadable"), "sum")
    if not inner:
        return marked.select(*(_fold(row, how).alias(name) for name, (row, how) in parts.items()))
    grouped = aggregate(marked, ("customer",), {**parts, **inner})
    merged = {name: _fold(nw.col(name), how) for name, (_, how) in parts.items()} | dict(outer)
    return grouped.select(*(part.alias(name) for name, part in merged.items()))


def _fold(row: nw.Expr, how: Fold) -> nw.Expr:
    return {"sum": row.sum, "min": row.min, "max": row.max}[how]()


def aggregate(frame: nw.LazyFrame[Any], keys: tuple[str, ...], parts: Parts) -> nw.LazyFrame[Any]:
    """Group by keys and fold row expressions; the group-by itself stays elementary, as PyArrow needs."""
    rows = frame.select(*keys, *(row.alias(name) for name, (row, _) in parts.items()))
    return rows.group_by(*keys).agg(*(_fold(nw.col(name), how).alias(name) for name, (_, how) in parts.items()))


def _refuse(source: Source, times: Clock, rows: dict[str, int], found: Mapping[str, Any]) -> None:
    for name in ("negative", "infinite", "unreadable"):
        rows.setdefault(name, 0)
    if rows["rows"] == 0:
        raise InputError("data has no rows.", argument="data", count=0)
    if rows["unreadable"]:
        where, first = first_rows(source, ~times.readable & ~times.time.is_null(), "time")  # type: ignore[operator]
        raise InputError(
            f"time={source.roles['time']!r} holds {rows['unreadable']} unreadable dates of {rows['rows']} rows "
            f"({where}).",
            argument="time",
            column=source.roles["time"],
            count=rows["unreadable"],
            first=first,
            fix=TEXT_DATES,
        )
    if rows["infinite"]:
        value = source.column("value").cast(nw.Float64)
        where, first = first_rows(source, ~value.is_finite() & ~value.is_null() & ~value.is_nan(), "value")
        raise InputError(
            f"value={source.roles['value']!r} is finite; {rows['infinite']} of {rows['rows']} rows are not so "
            f"({where}).",
            argument="value",
            column=source.roles["value"],
            count=rows["infinite"],
            first=first,
        )


def first_rows(source: Source, bad: nw.Expr, role: str) -> tuple[str, list[Any]]:
    """The first offenders, and where they are; a frame that numbers no rows tells their values alone."""
    cells = source.frame.select(source.column(role).alias("cell"), bad.alias("bad"))
    if source.lazy:
        first = collect(cells.filter(nw.col("bad")).select("cell").head(3))["cell"]
        return f"first: {', '.join(map(repr, first))}", first
    listed = cells.collect().with_row_index("row").filter(nw.col("bad")).head(3)
    first = [builtin(cell) for cell in listed["cell"].to_list()]
    return ", ".join(f"row {row}: {cell!r}" for row, cell in zip(listed["row"].to_list(), first, strict=True)), first


def twins(rows: nw.LazyFrame[Any]) -> int:
    """How many rows repeat another one in all columns.

    Rows that are the same have the same hash, which costs an engine less than its columns; rows that only share a hash
    are told apart by the columns themselves.
    """
    if rows.implementation is nw.Implementation.PANDAS:
        native: Any = rows.to_native()
        return int(native.duplicated().sum())
    suspects = _of_one_hash(rows)
    if suspects is None:
        return 0
    rows, names = suspects, rows.collect_schema().names()
    counts = rows.with_columns(nw.lit(1).alias(_ONE)).group_by(*names).agg(nw.col(_ONE).sum().alias(_ONE))
    return int(collect(counts.select((nw.col(_ONE) - 1).sum().alias("n")))["n"][0] or 0)


def _of_one_hash(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any] | None:
    """The rows whose hash another one has, and None if there are none; all rows where the engine has no hash."""
    native: Any = rows.to_native()
    if rows.implementation is nw.Implementation.DUCKDB:
        columns = ", ".join(map(quoted, native.columns))
        found = native.query(f"{_ONE}_rows", f"SELECT count(*) - count(DISTINCT hash({columns})) FROM {_ONE}_rows")
        return rows if found.fetchall()[0][0] else None
    if rows.implementation is nw.Implementation.POLARS:
        import polars as pl

        alike = native.filter(pl.struct(pl.all()).hash().is_duplicated()).collect()
        return nw.from_native(alike).lazy() if alike.height else None
    return rows


def refuse_twins(rows: nw.LazyFrame[Any], *, fix: str) -> None:
    """Refuse rows that are the same in all columns."""
    _refuse_copies(twins(rows), fix)


def _refuse_copies(count: int, fix: str) -> None:
    if count:
        raise InputError(
            f"data holds {count} rows that repeat another one in full.", argument="data", count=count, fix=fix
        )


def without_twins(events: Events, duplicates: Duplicates) -> Events:
    """The log with its rows that repeat another one in full left out and counted, or refused; or as it is.

    ``events`` needs the column ``moment``, the time itself, by which two purchases of one day can differ.
    """
    if duplicates == "keep":
        return events
    rows = events.kept
    if duplicates == "exclude" and events.excluded is None:
        return replace(events, marked=rows.unique())
    count = twins(rows)
    if duplicates == "raise":
        _refuse_copies(count, "Drop them, or leave them out with duplicates='exclude'.")
    if not count:
        return events
    return replace(events, marked=rows.unique(), excluded={**(events.excluded or {}), "duplicate_row": count})


def settle_twins(events: Events, duplicates: Duplicates) -> tuple[Events, tuple[str, ...]]:
    """What ``without_twins`` leaves, and the note about those that are kept, of an answer worked out at once."""
    how = _checks.choice(duplicates, DUPLICATES, name="duplicates")
    return without_twins(events, how), twin_note(twins(events.kept)) if how == "keep" else ()


def twin_note(count: int) -> tuple[str, ...]:
    """What a reader should know of rows that repeat another one and stay in."""
    return (TWINS.format(count=count),) if count else ()
