"""Money per customer: two amounts, one amount, or parts of one, folded to sums in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import amounts, money, offers
from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect, once
from retention_metrics._engine.audit import Duplicates, Fold, aggregate, audit_events, read_clock, settle_twins, twins
from retention_metrics._engine.clock import Clock
from retention_metrics._stats.ratios import PRODUCTS, PairSums, products
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment

Floats = NDArray[np.float64]
# Before every day.
_NEVER = -(10**7)


@dataclass(frozen=True)
class Accounts:
    """A row per customer: ``x`` before, ``y`` after, ``kept`` (1 where the customer stayed).

    Money ``in_units`` is whole in units of 1/360,000, whose sum is the same in whatever order an engine adds.
    """

    frame: nw.LazyFrame[Any]
    backend: str
    excluded: Mapping[str, int]
    notes: tuple[str, ...] = ()
    in_units: bool = False

    def sums(self) -> tuple[PairSums, int]:
        """The sums of the ratio estimator, and the customers who stayed."""
        x, y = nw.col("x"), nw.col("y")
        parts = {"n": x * 0 + 1, **products(x, y), "kept": nw.col("kept")}
        if self.in_units:
            parts |= {name: (nw.col(name) * money.UNITS).round(0) for name in ("x", "y")}
        rows = self.frame.select(*(part.alias(name) for name, part in parts.items()))
        cells = collect(rows.select(*(nw.col(name).sum() for name in parts)))
        found = {name: float(values[0] or 0) for name, values in cells.items()}
        if self.in_units:
            found |= {name: found[name] / money.UNITS for name in ("x", "y")}
        sums = PairSums(int(found["n"]), *(found[name] for name in PRODUCTS))
        return sums, int(found["kept"])

    def arrays(self) -> tuple[Floats, Floats]:
        """Both amounts of every customer, in an order that does not depend on the engine."""
        frame = self.frame.select("x", "y")
        if frame.implementation is nw.Implementation.DUCKDB:
            cells: Any = frame.to_native().fetchnumpy()  # narwhals would collect through PyArrow
        else:
            cells = frame.collect()
        x, y = (np.asarray(cells[name], dtype=np.float64) for name in ("x", "y"))
        order = np.lexsort((y, x))
        return x[order], y[order]


def two_amounts(
    data: NativeFrame, *, opening: str, closing: str, capped: bool, customer: str | None = None
) -> Accounts:
    """Customers with money at the start, from a table with both amounts; a named customer has one row."""
    roles = {"opening": opening, "closing": closing, "customer": customer}
    source = adopt(once(data, roles), roles)
    amounts.refuse_words(source, "opening", "closing")
    x, y = (amounts.number(source, role) for role in ("opening", "closing"))
    # x > x is never so: a literal has no rows to count.
    nobody = source.column("customer").is_null() if customer else (x > x).fill_null(False)
    unknown = {"missing_customer": nobody, "missing_opening": x.is_null() & ~nobody}
    unknown["missing_closing"] = y.is_null() & ~x.is_null() & ~nobody
    known = ~x.is_null() & ~y.is_null() & ~nobody
    both = [amounts.Amounts(source, role, each, known) for role, each in (("opening", x), ("closing", y))]
    found = _audited(source, {**unknown, "not_at_start": known & (x == 0), "kept": known}, *both)
    amounts.refuse_empty(found, unknown, kept=found["kept"])
    if customer:
        _refuse_second_rows(source.frame.filter(~nobody).select(source.column("customer")), customer)
    frame = source.frame.filter(known & (x > 0)).select(x.alias("x"), y.alias("y"))
    excluded = {name: found[name] for name in (*unknown, "not_at_start") if found[name]}
    return Accounts(_counted(frame, capped=capped), source.backend, excluded)


def _audited(source: Source, marks: Mapping[str, nw.Expr], *columns: amounts.Amounts) -> dict[str, int]:
    """How many rows have each mark, and how many there are; amounts that cannot be are refused."""
    known = columns[0].amount.is_null()
    parts = {name: mark.fill_null(False).cast(nw.Int64) for name, mark in {"rows": known | ~known, **marks}.items()}
    for column in columns:
        parts |= column.sums()
    cells = collect(source.frame.select(*(part.sum().alias(name) for name, part in parts.items())))
    found = {name: values[0] or 0 for name, values in cells.items()}
    for column in columns:
        column.refuse(found)
    return {name: int(found[name]) for name in ("rows", *marks)}


def _refuse_second_rows(customers: nw.LazyFrame[Any], customer: str) -> None:
    again = twins(customers)
    if again:
        raise InputError(
            f"customer={customer!r} names a row once; {again} rows name one that is named before.",
            argument="customer",
            column=customer,
            count=again,
            fix="Add up what belongs to one customer first.",
        )


def _counted(frame: nw.LazyFrame[Any], *, capped: bool) -> nw.LazyFrame[Any]:
    counted = frame.select("x", "y", (nw.col("y") > 0).cast(nw.Int64).alias("kept"))
    return _capped(counted) if capped else counted


def _capped(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Without growth."""
    after = nw.when(nw.col("y") > nw.col("x")).then(nw.col("x")).otherwise(nw.col("y"))
    return frame.select("x", after.alias("y"), "kept")


def two_dates(ledger: money.Ledger, *, first: int, last: int, capped: bool, events: bool, free: str) -> Accounts:
    """The customers of one day: what they paid then and on a later day.

    A customer is who pays; with ``free="active"`` so is who paid and has had a plan ever since, if a free one. With
    ``events`` every loss on the way counts, made good or not: ``y`` is what was never lost, and who was no customer
    for a day did not stay.
    """
    day, delta, pays = nw.col("period"), nw.col("delta"), nw.col("units") > 0
    plans = free == "active"
    gone = nw.col("plans") == 0 if plans else ~pays
    later = (day > first) & (day <= last)
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "opened": (nw.when(day <= first).then(delta).otherwise(nw.lit(0)), "sum"),
        "closed": (nw.when(day <= last).then(delta).otherwise(nw.lit(0)), "sum"),
        "losses": (nw.when(later & (delta < 0)).then(delta).otherwise(nw.lit(0)), "sum"),
        "lapsed": ((later & gone).cast(nw.Int64), "max"),
    }
    there, kept = nw.col("opened") > 0, nw.col("closed") > 0
    if plans:
        for name, until in (("first", first), ("last", last)):
            parts[f"paid_{name}"] = (nw.when(pays & (day <= until)).then(day).otherwise(nw.lit(_NEVER)), "max")
            parts[f"gone_{name}"] = (nw.when(gone & (day <= until)).then(day).otherwise(nw.lit(_NEVER)), "max")
        there, kept = (nw.col(f"paid_{name}") > nw.col(f"gone_{name}") for name in ("first", "last"))
    people = aggregate(money.state_rows(ledger, plans=plans), ledger.keys, parts).filter(there)
    x, y = (nw.col(name).cast(nw.Float64) / money.UNITS for name in ("opened", "closed"))
    kept = kept.cast(nw.Int64)
    if events:
        left = x + nw.col("losses").cast(nw.Float64) / money.UNITS
        y, kept = nw.when(left > 0).then(left).otherwise(nw.lit(0.0)), 1 - nw.col("lapsed")
    frame = people.select(x.alias("x"), y.alias("y"), kept.alias("kept"))
    return Accounts(_capped(frame) if capped else frame, ledger.backend, ledger.excluded, in_units=True)


def moved_money(ledger: money.Ledger, *, free: str, window: int | None, reactivation: bool) -> tuple[Accounts, int]:
    """What every customer lost (``x``) and gained (``y``) in the complete periods, and how many of these there are."""
    people, complete = money.gains_and_losses(ledger, free=free, window=window, reactivation=reactivation)
    return Accounts(_counted(people, capped=False), ledger.backend, ledger.excluded), complete


def _refuse_other_marks(rows: nw.LazyFrame[Any], name: str, *, argument: str, column: str) -> None:
    """Refuse marks that are neither 1 nor 0."""
    other = (nw.col(name) != 0) & (nw.col(name) != 1)
    count = int(collect(rows.select(other.cast(nw.Int64).sum().alias("rows")))["rows"][0] or 0)
    if count:
        raise InputError(
            f"{argument}={column!r} holds True and False, or 1 and 0; {count} rows do not.",
            argument=argument,
            column=column,
            count=count,
        )


def purchase_parts(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    recurring: str | None,
    first: Moment,
    last: Moment,
    part: str,
    duplicates: Duplicates,
    tz: str | None,
) -> Accounts:
    """Money of every customer in a window (``x``) and the part of it that counts (``y``).

    ``part`` is ``returning`` (after the day of the first purchase), ``existing`` (of customers from before the
    window) or ``predictable`` (returning, or of a row marked as recurring).
    """
    roles = {"customer": customer, "time": time, "value": value, "recurring": recurring}
    source, times = read_clock(once(data, roles), roles, tz=tz)
    again = offers.mark(source, "recurring").fill_null(0.0) if recurring else nw.lit(0.0)
    events, _ = audit_events(source, times, as_of=last.date, tz=tz, extra={"again": again, "moment": times.time})
    if recurring and source.dtype("recurring") != nw.Boolean:
        _refuse_other_marks(events.kept, "again", argument="recurring", column=recurring)
    _refuse_values(source, times, events.as_of)
    events, notes = settle_twins(events, duplicates)
    rows = events.kept.select("customer", "day", "value", "again")
    firsts = aggregate(rows, ("customer",), {"first": (nw.col("day"), "min")})
    inside = rows.filter(nw.col("day") >= first.day).join(firsts, on="customer", how="left")
    counts = {
        "returning": nw.col("day") > nw.col("first"),
        "existing": nw.col("first") < first.day,
        "predictable": (nw.col("day") > nw.col("first")) | (nw.col("again") == 1),
    }[part]
    chosen = nw.when(counts).then(nw.col("value")).otherwise(nw.lit(0.0))
    people = aggregate(inside, ("customer",), {"x": (nw.col("value"), "sum"), "y": (chosen, "sum")})
    frame = _counted(people.filter(nw.col("x") > 0).select("x", "y"), capped=False)
    return Accounts(frame, source.backend, events.excluded or {}, notes)


def _refuse_values(source: Source, times: Clock, until: Moment) -> None:
    """Refuse money that cannot be added up on the rows of an event log that count."""
    value = amounts.number(source, "value")
    known = ~source.column("customer").is_null() & ~times.time.is_null() & ~value.is_null() & ~times.after(until)
    _audited(
        source, {}, amounts.Amounts(source, "value", value, known, fix="Net returns against their purchases first.")
    )


PowerSums = tuple[int, float, float, float, float]
"""Customers, and the sums of their money, of its squares, cubes and fourth powers."""


@dataclass(frozen=True)
class MarkedMoney:
    """Sums of money: of the customers who are marked (True) and of the others."""

    sums: Mapping[bool, PowerSums]
    backend: str
    excluded: Mapping[str, int]


def marked_money(data: NativeFrame, *, amount: str, mark: str) -> MarkedMoney:
    """Money by a column of true and false, folded in the engine."""
    roles = {"amount": amount, "loyal": mark}
    source = adopt(once(data, roles), roles)
    amounts.refuse_words(source, "amount")
    if source.dtype("loyal") != nw.Boolean:
        raise ColumnError(
            f"loyal={mark!r} is true or false; it holds {source.dtype('loyal')}.",
            argument="loyal",
            column=mark,
            fix="Compare first, as in frame['orders'] >= 5.",
        )
    number, chosen = amounts.number(source, "amount"), source.column("loyal")
    missing = {"missing_amount": number.is_null(), "missing_loyal": chosen.is_null() & ~number.is_null()}
    known = ~number.is_null() & ~chosen.is_null()
    groups = {"marked": known & chosen, "others": known & ~chosen}
    found = _audited(source, {**missing, "kept": known, **groups}, amounts.Amounts(source, "amount", number, known))
    amounts.refuse_empty(found, missing, kept=found["kept"])
    powers: dict[str, nw.Expr] = {}
    for name in groups:
        mine = nw.when(groups[name].fill_null(False)).then(number).otherwise(nw.lit(0.0))
        powers |= {f"{name}_{power}": money.power(mine, power) for power in (1, 2, 3, 4)}
    cells = collect(source.frame.select(*(each.sum().alias(name) for name, each in powers.items())))
    sums: dict[bool, PowerSums] = {}
    for name, marked in (("marked", True), ("others", False)):
        one, two, three, four = (float(cells[f"{name}_{power}"][0] or 0.0) for power in (1, 2, 3, 4))
        sums[marked] = (found[name], one, two, three, four)
    return MarkedMoney(sums, source.backend, {name: found[name] for name in missing if found[name]})


@dataclass(frozen=True)
class AmountTally:
    """Distinct amounts, ascending, with the customers of each."""

    values: Floats
    counts: Floats
    backend: str
    excluded: Mapping[str, int]


def amount_tally(data: NativeFrame, *, amount: str, customer: str | None) -> AmountTally:
    """Amounts by customer, counted in the engine: as many rows leave it as there are distinct amounts."""
    roles = {"amount": amount, "customer": customer}
    source = adopt(once(data, roles), roles)
    amounts.refuse_words(source, "amount")
    number = amounts.number(source, "amount")
    excluded = {"missing_amount": number.is_null()}
    known = ~number.is_null()
    if customer:
        nobody = source.column("customer").is_null()
        excluded["missing_customer"], known = nobody & known, known & ~nobody
    found = _audited(source, {**excluded, "kept": known}, amounts.Amounts(source, "amount", number, known))
    amounts.refuse_empty(found, excluded, kept=found["kept"])
    keys = (source.column("customer").alias("customer"),) if customer else ()
    rows = source.frame.filter(known).select(*keys, number.alias("amount"))
    if customer:
        rows = aggregate(rows, ("customer",), {"amount": (nw.col("amount"), "sum")})
    counted = collect(aggregate(rows, ("amount",), {"customers": (nw.col("amount") * 0 + 1, "sum")}))
    pairs = np.array(sorted(zip(counted["amount"], counted["customers"], strict=True)), dtype=np.float64).reshape(-1, 2)
    return AmountTally(
        pairs[:, 0], pairs[:, 1], source.backend, {name: found[name] for name in excluded if found[name]}
    )
