"""Customers as rows: what each bought, when and for how much, as plans in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame, Source, collect
from retention_metrics._engine.audit import (
    DUPLICATES,
    Duplicates,
    Events,
    Fold,
    aggregate,
    audit_events,
    read_clock,
    twin_note,
    twins,
    without_twins,
)
from retention_metrics._engine.coded import Coded, coded, purchasers
from retention_metrics._engine.tables import refuse_clash
from retention_metrics._stats.ratios import products
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment

Column = nw.Expr
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_MICROSECONDS_A_DAY = 86_400_000_000
# Sums of money are cut here before they are compared: an engine may add them up in any order.
_DIGITS = 6
UNHAPPY = "dissatisfied"
SPENT = "_retention_metrics_spent"
_ROWS = "_retention_metrics_rows"


@dataclass(frozen=True)
class Buyers:
    """A purchase log at the door, and the plan of its customers.

    ``frame`` has a row per customer: ``customer, first, last`` (days of the first and last purchase), ``purchases``
    (days with one), ``orders`` (rows), and with money ``revenue`` (returns taken off). ``twins`` counts the rows that
    repeat another one in full, where they are kept and were counted.
    """

    source: Source
    events: Events
    rows: nw.LazyFrame[Any]
    frame: nw.LazyFrame[Any]
    excluded: Mapping[str, int] | None
    key: str
    twins: int = 0

    @property
    def days(self) -> nw.LazyFrame[Any]:
        """A row per customer and day: its purchases and its money."""
        keys = ("by", "customer") if self.source.has("by") else ("customer",)
        return _days(self.rows, valued=self.valued, returns=self.returns, keys=keys)

    @property
    def as_of(self) -> Moment:
        """The end of observation."""
        return self.events.as_of

    @property
    def valued(self) -> bool:
        """Whether the log has money."""
        return self.source.has("value")

    @property
    def returns(self) -> bool:
        """Whether some rows give money back, or nobody has looked."""
        return _returns(self.source, self.events)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know about returns, and about rows that repeat another one."""
        if not self.events.negative:
            return twin_note(self.twins)
        returned = f"{self.events.negative} rows of negative value are no purchases; they are taken off revenue."
        return (returned, *twin_note(self.twins))


def buyers(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None,
    as_of: object,
    tz: str | None = None,
    by: str | None = None,
    product: str | None = None,
    audit: bool = True,
    first_day: int | None = None,
    duplicates: Duplicates | None = None,
    at_once: bool = False,
) -> Buyers:
    """Read a purchase log; with ``by`` a customer is a row in each group, with ``first_day`` earlier rows are out.

    Where ``duplicates`` matter, rows that repeat another one and are kept are counted if the frame is in memory or the
    answer is worked out ``at_once``: no query is run for it on a plan that waits.
    """
    how = None if duplicates is None else _checks.choice(duplicates, DUPLICATES, name="duplicates")
    roles = {"customer": customer, "time": time, "value": value, "by": by, "product": product}
    source, times = read_clock(data, roles, tz=tz)
    extra = {"moment": times.time} if source.dtype("time") != nw.Date else {}
    extra |= {"by": source.column("by")} if by else {}
    extra |= {"product": orderly(source, "product")} if product else {}
    events, _ = audit_events(source, times, as_of=as_of, tz=tz, audit=audit, extra=extra)
    events = without_twins(events, how or "keep")
    rows = events.kept if first_day is None else events.kept.filter(nw.col("day") >= first_day)
    if not source.lazy and by is None:
        numbered = coded(rows)
        if numbered is not None:
            found = _in_memory(source, events, rows, numbered, key=customer)
            return found if how == "keep" and audit else replace(found, twins=0)
    valued, returns = value is not None, _returns(source, events)
    keys = ("by", "customer") if by else ("customer",)
    days = _days(rows, valued=valued, returns=returns, keys=keys)
    folded = aggregate(days, keys, _folds(valued=valued, returns=returns))
    # DuckDB adds whole numbers up to 128 bits.
    frame = folded.with_columns(nw.col("purchases", "orders").cast(nw.Int64))
    excluded = events.excluded
    if events.negative:
        excluded = {**(excluded or {}), **rows_without_purchase(rows, keys, excluded or {})}
        frame = frame.filter(nw.col("purchases") > 0)
    counted = how == "keep" and audit and (at_once or not source.lazy)
    return Buyers(source, events, rows, frame, excluded, customer, twins(rows) if counted else 0)


def _in_memory(source: Source, events: Events, rows: nw.LazyFrame[Any], numbered: Coded, *, key: str) -> Buyers:
    """The customers of a frame in memory, worked out on whole numbers."""
    found = purchasers(numbered, valued=source.has("value"), returns=_returns(source, events))
    excluded = events.excluded
    if excluded is not None and found.without_purchase:
        excluded = {**excluded, "no_purchase": found.without_purchase}
        if found.without_purchase == numbered.codes.size:
            raise _nobody_bought(excluded)
    return Buyers(source, events, rows, found.frame, excluded, key, found.twins)


def _returns(source: Source, events: Events) -> bool:
    return source.has("value") and (events.excluded is None or events.negative > 0)


def _days(rows: nw.LazyFrame[Any], *, valued: bool, returns: bool, keys: tuple[str, ...]) -> nw.LazyFrame[Any]:
    """A row per customer and day: its purchases and its money."""
    bought = (nw.col("value") >= 0).cast(nw.Int64) if returns else nw.lit(1).cast(nw.Int64)
    parts: dict[str, tuple[nw.Expr, Fold]] = {"orders": (bought, "sum")}
    if valued:
        parts["revenue"] = (nw.col("value"), "sum")
    return aggregate(rows, (*keys, "day"), parts)


def _folds(*, valued: bool, returns: bool) -> dict[str, tuple[nw.Expr, Fold]]:
    bought = nw.col("orders") > 0
    day: nw.Expr = nw.when(bought).then(nw.col("day")) if returns else nw.col("day")
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "first": (day, "min"),
        "last": (day, "max"),
        "purchases": (bought.cast(nw.Int64) if returns else nw.lit(1).cast(nw.Int64), "sum"),
        "orders": (nw.col("orders"), "sum"),
    }
    return {**folds, "revenue": (nw.col("revenue"), "sum")} if valued else folds


def rows_without_purchase(
    rows: nw.LazyFrame[Any], keys: tuple[str, ...], excluded: Mapping[str, int]
) -> dict[str, int]:
    """Rows of customers who only ever gave back; asked for where there are negative values at all."""
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "rows": (nw.col("day") * 0 + 1, "sum"),
        "bought": ((nw.col("value") >= 0).cast(nw.Int64), "max"),
    }
    each = aggregate(rows, keys, parts).with_columns((nw.col("rows") * (1 - nw.col("bought"))).alias("never"))
    found = collect(each.select(nw.col("never").sum(), nw.col("bought").sum()))
    count = {"no_purchase": int(found["never"][0])} if found["never"][0] else {}
    if count and not found["bought"][0]:
        raise _nobody_bought({**excluded, **count})
    return count


def _nobody_bought(excluded: Mapping[str, int]) -> InputError:
    counts = ", ".join(f"{reason} {count}" for reason, count in excluded.items())
    return InputError(f"data has no purchase left to count: {counts}.", argument="data", count=0)


# ---------------------------------------------------------------- tables, a row per customer


def measures(
    people: Buyers,
    *,
    unit_days: float,
    cutoff: int,
    least: int,
    money_of_repeats: bool = True,
    grid: Mapping[tuple[int, int], str] | None = None,
    extra: Sequence[nw.Expr] = (),
) -> nw.LazyFrame[Any]:
    """Every measure of a customer's own purchases, under its final name; the key is still ``customer``.

    With the ``grid`` of the segments, the scores and the segment too, and any further columns.
    """
    end = people.as_of.day
    first, last, purchases = nw.col("first"), nw.col("last"), nw.col("purchases")
    frame = people.frame
    money: dict[str, nw.Expr] = {}
    if people.valued:
        revenue = nw.col("revenue")
        money = {"revenue": revenue, "average_order_value": revenue / nw.col("orders").cast(nw.Float64)}
        if money_of_repeats:
            frame = _with_first_value(people)
            again = (revenue - nw.col("first_value")) / (purchases - 1).cast(nw.Float64)
            money["monetary_value"] = nw.when(purchases > 1).then(again)
    gap = (last - first).cast(nw.Float64) / (purchases - 1).cast(nw.Float64)
    columns: dict[str, nw.Expr] = {
        "first_purchase": first,
        "last_purchase": last,
        "purchases": purchases,
        "orders": nw.col("orders"),
        **money,
        "tenure": (nw.lit(end) - first).cast(nw.Int64),
        "days_since_last": (nw.lit(end) - last).cast(nw.Int64),
        "mean_gap": nw.when(purchases > 1).then(gap),
        "frequency": purchases - 1,
        "recency": (last - first).cast(nw.Float64) / unit_days,
        "T": (nw.lit(end) - first).cast(nw.Float64) / unit_days,
        "at_risk": (purchases >= least) & (last <= cutoff),
    }
    marks: list[nw.Expr] = []
    if grid is not None:
        frame, marks = with_ends(frame, valued=people.valued), scores(grid, valued=people.valued)
    named = (column.alias(name) for name, column in columns.items())
    return with_dates(frame.select("customer", *named, *marks, *extra), "first_purchase", "last_purchase")


# Who never bought twice at one place of a calendar of 127 days has a day for each order: DuckDB holds the places as
# bits of one number, and groups by day only for the others. Those are most where orders are many.
_FEW_ORDERS = 12
_BITS_SQL = """
WITH people AS MATERIALIZED (
    SELECT customer, min(day) AS first, max(day) AS last, count(*) AS orders, sum(value) AS revenue,
        arg_min(value, day) AS first_value,
        bit_count(bit_or(1::HUGEINT << ((day + 12700000000) % 127)::INTEGER)) AS places
    FROM {rows} GROUP BY customer
), several AS MATERIALIZED (
    SELECT customer FROM people WHERE places < orders
), days AS (
    SELECT customer, day, sum(value) AS revenue FROM {rows}
    WHERE customer IN (SELECT customer FROM several) GROUP BY customer, day
), counted AS (
    SELECT customer, count(*) AS purchases, arg_min(revenue, day) AS first_value FROM days GROUP BY customer
)
SELECT people.customer, first, last, coalesce(purchases, orders) AS purchases, orders, revenue,
    coalesce(counted.first_value, people.first_value) AS first_value
FROM people LEFT JOIN counted ON people.customer = counted.customer
"""
# DuckDB finds what the first day brought on its way through the days, without a join.
_PEOPLE_SQL = ", ".join(
    [
        "customer",
        "min(day) FILTER (WHERE orders > 0) AS first",
        "max(day) FILTER (WHERE orders > 0) AS last",
        "count(*) FILTER (WHERE orders > 0) AS purchases",
        "CAST(sum(orders) AS BIGINT) AS orders",
        "sum(revenue) AS revenue",
        "arg_min(revenue, day) FILTER (WHERE orders > 0) AS first_value",
    ]
)


def _with_first_value(people: Buyers) -> nw.LazyFrame[Any]:
    """The customers with the money of their first day of purchase."""
    if "first_value" in people.frame.collect_schema().names():
        return people.frame
    bought = nw.col("orders") > 0
    if people.frame.implementation is nw.Implementation.POLARS:
        # A join would read a Polars scan twice.
        day = nw.when(bought).then(nw.col("day"))
        days = people.days.with_columns(day.min().over("customer").alias("opening"))
        opening = nw.when(bought & (nw.col("day") == nw.col("opening"))).then(nw.col("revenue")).otherwise(nw.lit(0.0))
        folded = aggregate(
            days, ("customer",), {**_folds(valued=True, returns=people.returns), "first_value": (opening, "sum")}
        )
        return folded.filter(nw.col("purchases") > 0)
    if people.frame.implementation is nw.Implementation.DUCKDB:
        return _in_duckdb(people)
    firsts = people.days.filter(bought).select(
        "customer", nw.col("day").alias("first"), nw.col("revenue").alias("first_value")
    )
    # Everybody has a first day: an inner join leaves it to the engine which side to hold in memory.
    return people.frame.join(firsts, on=["customer", "first"], how="inner")


def _in_duckdb(people: Buyers) -> nw.LazyFrame[Any]:
    rows: Any = people.rows.to_native()
    few = f"count(*) <= {_FEW_ORDERS} * approx_count_distinct(customer)"
    if people.returns or not rows.aggregate(few).fetchall()[0][0]:
        days: Any = people.days.to_native()
        relation = days.aggregate(_PEOPLE_SQL).filter("purchases > 0")
    else:
        relation = rows.query(_ROWS, _BITS_SQL.format(rows=_ROWS))
    found: nw.LazyFrame[Any] = nw.from_native(relation)
    return found


def orderly(source: Source, role: str) -> nw.Expr:
    """A column of which a least one can be taken: categories are compared as text."""
    words = source.dtype(role) in (nw.Categorical, nw.Enum)
    return source.column(role).cast(nw.String) if words else source.column(role)


def with_products(frame: nw.LazyFrame[Any], people: Buyers) -> nw.LazyFrame[Any]:
    """The customers with what they bought last, of several things the first by name, and how many different ones."""
    rows = people.rows.filter(nw.col("value") >= 0) if people.valued else people.rows
    rows = rows.filter(~nw.col("product").is_null())
    once = aggregate(rows, ("customer", "product"), {"products": (nw.col("day") * 0 + 1, "max")})
    kinds = aggregate(once, ("customer",), {"products": (nw.col("products"), "sum")})
    on_day = aggregate(rows, ("customer", "day"), {"last_product": (nw.col("product"), "min")})
    last = people.frame.select("customer", nw.col("last").alias("day")).join(on_day, on=["customer", "day"], how="left")
    both = frame.join(last.drop("day"), on="customer", how="left").join(kinds, on="customer", how="left")
    return both.with_columns(nw.col("products").fill_null(0).cast(nw.Int64))


def with_spend(table: NativeFrame, name: str) -> NativeFrame:
    """The table with the money of a repeat purchase as a model of spend takes it: at least 0."""
    frame, money = nw.from_native(table), nw.col(name)
    return frame.with_columns(nw.when(money < 0).then(nw.lit(0.0)).otherwise(money).alias(SPENT)).to_native()


def without_negative(table: NativeFrame, name: str) -> NativeFrame:
    """The table without a value of the customers whose money of a repeat purchase is below 0."""
    frame, below = nw.from_native(table), (nw.col(name) < 0).fill_null(False)
    return frame.with_columns(nw.when(~below).then(nw.col("clv")).alias("clv")).drop(SPENT).to_native()


def with_dates(frame: nw.LazyFrame[Any], *names: str) -> nw.LazyFrame[Any]:
    """Day numbers as dates of the engine; in pandas, which has none of its own, as datetimes."""
    if frame.implementation is nw.Implementation.DUCKDB:
        relation: Any = frame.to_native()
        dated = ", ".join(f"DATE '1970-01-01' + CAST({name} AS INTEGER) AS {name}" for name in names)
        found: nw.LazyFrame[Any] = nw.from_native(relation.project(f"* REPLACE ({dated})")).lazy()
        return found
    dates: nw.LazyFrame[Any]
    if frame.implementation.is_pyspark():
        from pyspark.sql import functions

        spark: Any = frame.to_native()
        days_there = {name: functions.date_from_unix_date(spark[name].cast("int")) for name in names}
        dates = nw.from_native(spark.withColumns(days_there))
        return dates
    if frame.implementation is nw.Implementation.IBIS:
        import ibis

        table: Any = frame.to_native()
        since = {name: table[name].cast("int64").as_interval("D") for name in names}
        dates = nw.from_native(table.mutate(**{name: ibis.date(1970, 1, 1) + days for name, days in since.items()}))
        return dates
    moments = {name: (nw.col(name) * _MICROSECONDS_A_DAY).cast(nw.Datetime("us")) for name in names}
    if frame.implementation is not nw.Implementation.PANDAS:
        moments = {name: when.cast(nw.Date) for name, when in moments.items()}
    return frame.with_columns(*(when.alias(name) for name, when in moments.items()))


def finish(people: Buyers, frame: nw.LazyFrame[Any], names: Mapping[str, str] | None = None) -> NativeFrame:
    """The plan under the caller's name of the key, in the caller's kind; an eager one in the order of the key.

    ``names`` are the caller's own of further columns.
    """
    columns = frame.collect_schema().names()
    own = {"customer": people.key, **(names or {})}
    refuse_clash(people.key, [own.get(name, name) for name in columns if name != "customer"])
    named = frame.select(*(nw.col(name).alias(own.get(name, name)) for name in columns))
    return named.to_native() if people.source.lazy else _in_order(named, people.key)


def _in_order(named: nw.LazyFrame[Any], key: str) -> NativeFrame:
    """The rows of a frame in memory in the order of the key."""
    if named.implementation is not nw.Implementation.PANDAS:
        return named.sort(key).collect().to_native()
    native: Any = named.to_native()
    # pandas does not sort Arrow's dictionaries.
    text = str(native[key].dtype).startswith("dictionary") or None
    try:
        return native.sort_values(key, key=text and (lambda cells: cells.astype("str")), ignore_index=True)
    except TypeError:
        raise ColumnError(
            f"customer={key!r} holds values of types that have no order among them.",
            argument="customer",
            column=key,
            fix="Make them one type first, such as text.",
        ) from None


# ---------------------------------------------------------------- rhythm


@dataclass(frozen=True)
class Gaps:
    """What a model of gaps needs: distinct (gaps, their sum, silence) with counts, and the sum of the gaps' logs."""

    gaps: Floats
    total: Floats
    silence: Floats
    customers: Floats
    log_sum: float


def gaps(people: Buyers) -> Gaps:
    """The gaps between purchases, folded in the engine."""
    repeat = people.frame.filter(nw.col("purchases") > 1).select(
        (nw.col("purchases") - 1).alias("gaps"),
        (nw.col("last") - nw.col("first")).alias("total"),
        (nw.lit(people.as_of.day) - nw.col("last")).alias("silence"),
    )
    keys = ("gaps", "total", "silence")
    counted = collect(aggregate(repeat, keys, {"customers": (nw.col("gaps") * 0 + 1, "sum")}))
    rows = np.array([counted[name] for name in (*keys, "customers")], dtype=np.float64)
    rows = rows[:, np.lexsort(rows[2::-1])]
    return Gaps(rows[0], rows[1], rows[2], rows[3], _log_sum(people))


def _log_sum(people: Buyers) -> float:
    """The sum of the logs of all gaps: from the distinct lengths of a gap, which are few."""
    bought = people.days.filter(nw.col("orders") > 0).select("customer", "day")
    if bought.implementation is nw.Implementation.PYARROW:
        # PyArrow has no window that looks back.
        table: Any = bought.collect().to_native()
        codes = table["customer"].combine_chunks().dictionary_encode().indices.to_numpy()
        day = table["day"].to_numpy().astype(np.int64, copy=False)
        order = np.lexsort((day, codes))
        step = np.diff(day[order])[np.diff(codes[order]) == 0]
        lengths, counts = np.unique(step, return_counts=True)
        return float(counts @ np.log(lengths))
    before = nw.col("day").shift(1).over("customer", order_by="day")
    steps = bought.with_columns((nw.col("day") - before).alias("gap")).filter(~nw.col("gap").is_null())
    found = collect(aggregate(steps, ("gap",), {"rows": (nw.col("day") * 0 + 1, "sum")}))
    pairs = np.array(sorted(zip(found["gap"], found["rows"], strict=True)), dtype=np.float64).reshape(-1, 2)
    return float(pairs[:, 1] @ np.log(pairs[:, 0]))


def judged(table: NativeFrame, *, keep: Sequence[str], least: int, below: float, ahead: str | None) -> NativeFrame:
    """Who is at risk by a probability that stands in the table, and the money at stake."""
    frame = nw.from_native(table)
    rhythm = nw.col("purchases") >= least
    certain = nw.when(rhythm & ~nw.col("probability").is_nan()).then(nw.col("probability"))
    frame = frame.with_columns(certain.alias("probability"))
    risky = (rhythm & (nw.col("probability") < below)).fill_null(False)
    frame = frame.with_columns((risky | nw.col(UNHAPPY) if UNHAPPY in keep else risky).alias("at_risk"))
    columns = [*keep, "at_risk", "probability"]
    if ahead is not None:
        per_purchase = nw.col("revenue") / nw.col("purchases").cast(nw.Float64)
        frame = frame.with_columns(_stake(per_purchase * nw.col(ahead)).alias("value_at_stake"))
        columns.append("value_at_stake")
    return frame.select(*columns).to_native()


def _stake(worth: nw.Expr) -> nw.Expr:
    return nw.when(nw.col("at_risk")).then(worth).otherwise(nw.lit(0.0))


def silent(frame: nw.LazyFrame[Any], *, keep: Sequence[str], days: float) -> nw.LazyFrame[Any]:
    """The plain rule's answer, with the money at stake where there is money."""
    columns = [*keep, "at_risk"]
    if UNHAPPY in keep:
        frame = frame.with_columns((nw.col("at_risk") | nw.col(UNHAPPY)).alias("at_risk"))
    if "revenue" in frame.collect_schema().names():
        per_purchase = nw.col("revenue") / nw.col("purchases").cast(nw.Float64)
        gap = nw.when(nw.col("mean_gap") > 0).then(nw.col("mean_gap"))
        frame = frame.with_columns(_stake(per_purchase * days / gap).alias("value_at_stake"))
        columns.append("value_at_stake")
    return frame.select(*columns)


# ---------------------------------------------------------------- segments


def with_ends(frame: nw.LazyFrame[Any], *, valued: bool) -> nw.LazyFrame[Any]:
    """The customers beside the upper ends of the scores 1 to 4: the quintiles of each measure, part of the plan."""
    names = ("last", "purchases", *(("revenue",) if valued else ()))
    return _beside(frame, {_end(name, step): (name, step / 5) for name in names for step in range(1, 5)})


def _end(name: str, step: int) -> str:
    return f"{name}_{step}"


def _beside(frame: nw.LazyFrame[Any], quantiles: Mapping[str, tuple[str, float]]) -> nw.LazyFrame[Any]:
    """The rows, each with quantiles over all of them."""
    found = frame.select(
        *(_measure(name).quantile(q, interpolation="linear").alias(end) for end, (name, q) in quantiles.items())
    )
    return frame.join(found.select(*(nw.col(end).round(_DIGITS) for end in quantiles)), how="cross")


def _measure(name: str) -> nw.Expr:
    number = nw.col(name).cast(nw.Float64)
    return number.round(_DIGITS) if name == "revenue" else number


def _score(name: str) -> nw.Expr:
    """1 plus the ends that a value exceeds, so that equal values share a score."""
    score: nw.Expr = nw.lit(1)
    for step in range(1, 5):
        score = score + (_measure(name) > nw.col(_end(name, step))).cast(nw.Int64)
    return score.cast(nw.Int64)


def scores(grid: Mapping[tuple[int, int], str], *, valued: bool) -> list[nw.Expr]:
    """The scores and the segment, as columns over the plan of the customers with their ends."""
    recency, frequency = _score("last"), _score("purchases")
    columns = [recency.alias("recency_score"), frequency.alias("frequency_score")]
    if valued:
        columns.append(_score("revenue").alias("monetary_score"))
    return [*columns, _segment(recency * 10 + frequency, grid).alias("segment")]


def _segment(cell: nw.Expr, grid: Mapping[tuple[int, int], str]) -> nw.Expr:
    by_name: dict[str, list[int]] = {}
    for (recency, frequency), name in grid.items():
        by_name.setdefault(name, []).append(recency * 10 + frequency)
    names = list(by_name)
    chosen: nw.Expr = nw.lit(names[-1])
    for name in reversed(names[:-1]):
        chosen = nw.when(cell.is_in(by_name[name])).then(nw.lit(name)).otherwise(chosen)
    return chosen


def stage(*, recent: int, lapsed: int) -> nw.Expr:
    """The stage of a customer's life: bought after the day ``recent``, or after the day ``lapsed``, or not since."""
    last = nw.col("last")
    here: nw.Expr = nw.when(nw.col("purchases") > 1).then(nw.lit("active")).otherwise(nw.lit("new"))
    gone: nw.Expr = nw.when(last > lapsed).then(nw.lit("lapsing")).otherwise(nw.lit("lapsed"))
    return nw.when(last > recent).then(here).otherwise(gone).alias("lifecycle_stage")


def segmented(people: Buyers, grid: Mapping[tuple[int, int], str], extra: Sequence[nw.Expr] = ()) -> nw.LazyFrame[Any]:
    """A row per customer with what the scores are of, the scores and the segment, and any further columns."""
    end = people.as_of.day
    frame = with_ends(people.frame, valued=people.valued).with_columns(
        (nw.lit(end) - nw.col("last")).cast(nw.Int64).alias("days_since_last"), *scores(grid, valued=people.valued)
    )
    names = ["customer", "days_since_last", "purchases", *(["revenue"] if people.valued else [])]
    marks = ["recency_score", "frequency_score", *(["monetary_score"] if people.valued else []), "segment"]
    return frame.select(*names, *marks, *extra)


def moves(before: Buyers, after: Buyers, grid: Mapping[tuple[int, int], str], newcomer: str) -> dict[str, list[Any]]:
    """Customers by segment at two dates: ``was, now, customers``."""
    then = segmented(before, grid).select("customer", nw.col("segment").alias("was"))
    now = segmented(after, grid).select("customer", nw.col("segment").alias("now"))
    both = now.join(then, on="customer", how="left").with_columns(nw.col("was").fill_null(newcomer))
    one = both.with_columns(nw.lit(1).alias("one"))
    return collect(aggregate(one, ("was", "now"), {"customers": (nw.col("one"), "sum")}))


def sizes(table: NativeFrame, *, value: str | None) -> dict[str, list[Any]]:
    """Customers and money by the segment of a table."""
    frame = nw.from_native(table).lazy()
    parts: dict[str, tuple[nw.Expr, Fold]] = {"customers": (nw.col("recency_score") * 0 + 1, "sum")}
    if value is not None:
        parts["revenue"] = (nw.col(value), "sum")
    return collect(aggregate(frame, ("segment",), parts))


def audience_marks(people: Buyers, *, best: float, current_from: int) -> nw.LazyFrame[Any]:
    """Who belongs to which audience among those who have bought."""
    name = "revenue" if people.valued else "purchases"
    current = nw.col("last") >= current_from
    columns = {
        "seed": _measure(name) >= nw.col("edge"),
        "exclusion": current,
        "remarketing": ~current,
        "retargeting": nw.lit(False),
    }
    frame = _beside(people.frame, {"edge": (name, 1 - best)})
    return frame.select("customer", *(column.alias(mark) for mark, column in columns.items()))


# ---------------------------------------------------------------- summaries


@dataclass(frozen=True)
class GroupSums:
    """Sums over the customers of each group, in the order of the groups."""

    groups: tuple[Any, ...]
    sums: Mapping[str, Floats]


def group_sums(frame: nw.LazyFrame[Any], parts: Mapping[str, nw.Expr], *, grouped: bool) -> GroupSums:
    """Add row expressions over customers, in one query."""
    rows = frame.select(
        *(["by"] if grouped else []), *(part.cast(nw.Float64).alias(name) for name, part in parts.items())
    )
    totals = [nw.col(name).sum().alias(name) for name in parts]
    found = collect(rows.group_by("by").agg(*totals) if grouped else rows.select(*totals))
    size = len(found[next(iter(parts))])
    groups = tuple(found["by"]) if grouped else (None,) * size
    order = sorted(range(size), key=lambda row: (isinstance(groups[row], str), groups[row])) if grouped else [0]
    sums = {name: np.array([found[name][row] or 0.0 for row in order], dtype=np.float64) for name in parts}
    return GroupSums(tuple(groups[row] for row in order), sums)


def ratio_sums(people: Buyers, *, numerator: str, denominator: str | None, grouped: bool) -> GroupSums:
    """The sums of the ratio estimator: of a column per customer, or over another column."""
    y = nw.col(numerator).cast(nw.Float64)
    one = nw.col("purchases").cast(nw.Float64) * 0 + 1
    x = nw.col(denominator).cast(nw.Float64) if denominator else one
    parts = {"n": one, **products(x, y), "yyy": y * y * y}
    return group_sums(people.frame, parts, grouped=grouped)


def repeat_sums(people: Buyers, *, within_days: int | None, grouped: bool) -> GroupSums:
    """Customers, those who bought on another day, and those not yet observed long enough."""
    one = nw.col("purchases") * 0 + 1
    if within_days is None:
        parts = {"n": one, "repeated": (nw.col("purchases") > 1).cast(nw.Int64), "too_young": one * 0}
        return group_sums(people.frame, parts, grouped=grouped)
    keys = ["by", "customer"] if grouped else ["customer"]
    firsts = people.frame.select(*keys, "first")
    bought = people.days.filter(nw.col("orders") > 0).select(*keys, "day").join(firsts, on=keys, how="left")
    soon = (nw.col("day") > nw.col("first")) & (nw.col("day") <= nw.col("first") + within_days)
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "first": (nw.col("first"), "min"),
        "soon": (soon.cast(nw.Int64), "max"),
    }
    old = (nw.col("first") + within_days < people.as_of.observed_until).cast(nw.Int64)
    parts = {"n": old, "repeated": old * nw.col("soon"), "too_young": 1 - old}
    return group_sums(aggregate(bought, tuple(keys), folds), parts, grouped=grouped)
