"""Subscriptions, amounts and invoices to monthly recurring revenue and what moves it, in the user's engine.

Money is counted in whole units of 1/360,000 of the currency, held as floats: all sums of whole numbers below 2^53
are exact, whatever their order, so a bridge closes exactly. (SQL sums integers in 128 bits, several times slower.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import amounts, membership
from retention_metrics._engine.activity import KEYS
from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect, in_memory, once
from retention_metrics._engine.audit import Fold, aggregate, first_rows, refuse_twins, with_plain_dates
from retention_metrics._engine.clock import TEXT_DATES, Clock, clock, month_length, with_local_times
from retention_metrics._engine.join import join_listed, join_table
from retention_metrics._engine.subscriptions import comparable_clocks, refuse_unnamed
from retention_metrics._stats.ratios import PRODUCTS
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import DAYS, Moment, Period, date_of

UNITS = 360_000
# Columns beside the caller's: nobody else has any that begin like this.
_OWN = "_retention_metrics"
MONTHS: Mapping[str, float] = {
    "day": 12 / 365.25,
    "week": 12 / 52,
    "month": 1,
    "quarter": 3,
    "half_year": 6,
    "year": 12,
    "two_years": 24,
    "three_years": 36,
    "five_years": 60,
}
"""Months of service that one price of each billing period pays for."""

REASONS = (
    "missing_customer",
    "missing_start",
    "missing_group",
    "missing_amount",
    "missing_currency",
    "one_off",
    "empty_interval",
    "after_as_of",
)
MOVEMENTS = ("new", "reactivation", "expansion", "contraction", "churn")
FX = "fx"
ADDED = "Drop them, or add up what belongs together first."
APART = "Drop them, or name the column that tells the subscriptions apart with subscription=."
_MONEY_ROLES = ("amount", "tax", "discount")
_WORDS = (nw.String, nw.Categorical, nw.Enum, nw.Date, nw.Datetime, nw.Duration)


@dataclass(frozen=True)
class Pricing:
    """How the money of a row becomes units a month; ``changing`` rates are (first day, rate) pairs, days ascending."""

    every: str | float = "month"
    rates: Mapping[str, float] | None = None
    changing: Mapping[str, Sequence[tuple[int, float]]] | None = None
    grace_days: int = 0

    @property
    def currencies(self) -> Collection[str] | None:
        """The currencies that have a rate; None where none was given."""
        return self.rates if self.changing is None else self.changing

    def constant(self, day: int) -> Pricing:
        """The same at the rates that are in force on one day."""
        if self.changing is None:
            return self
        rates = {}
        for name, pairs in self.changing.items():
            before = [rate for first, rate in pairs if first <= day]
            if not before:
                raise InputError(
                    f"rates={name!r} begin on {date_of(pairs[0][0])}, after {date_of(day)}.",
                    argument="rates",
                    fix="Give a rate from the first of the two days on.",
                )
            rates[name] = before[-1]
        return replace(self, rates=rates, changing=None)


@dataclass(frozen=True)
class RateTable:
    """A row per currency and period: the rates of the period before and of its own."""

    code: NDArray[np.int64]
    period: NDArray[np.int64]
    before: NDArray[np.float64]
    now: NDArray[np.float64]


@dataclass(frozen=True)
class Ledger:
    """Audited revenue: ``customer, lo, hi, units`` (and ``by``), the periods whose end each row covers.

    ``counted`` also holds the rows that cover no period's end.

    With ``rates`` the units are of the row's own currency, whose number is ``code``.
    """

    source: Source
    rows: nw.LazyFrame[Any]
    counted: nw.LazyFrame[Any]
    period: Period
    as_of: Moment
    first_day: int
    first_index: int
    last_index: int
    excluded: Mapping[str, int]
    cut: bool
    grouped: bool
    rates: RateTable | None = None

    @property
    def movements(self) -> tuple[str, ...]:
        """Names of what moves revenue: the exchange rate too where it changes."""
        return MOVEMENTS if self.rates is None else (*MOVEMENTS, FX)

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return self.source.backend

    @property
    def keys(self) -> tuple[str, ...]:
        """What names a customer: within a group where there are groups."""
        return KEYS if self.grouped else KEYS[1:]


def read_subscriptions(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    pricing: Pricing,
    period: Period,
    as_of: object,
    arguments: Mapping[str, str] | None = None,
) -> Ledger:
    """Audit priced intervals; ``roles`` names ``customer, start, end, amount`` and any of the optional columns.

    ``arguments`` names the caller's argument of a role, where that has another name.
    """
    source, opens, closes = _open(data, roles, period, arguments)
    return _ledger(source, opens, closes, _monthly_units(source, pricing), pricing, period, as_of)


def read_invoices(
    data: NativeFrame, roles: Mapping[str, str | None], *, pricing: Pricing, period: Period, as_of: object
) -> Ledger:
    """Audit invoices: each spreads over the months of its service, and one without an end is a one-off charge."""
    source, opens, closes = _open(once(data, roles), roles, period)
    source, months = _with_months(source, opens, closes)
    units = _net(source) * _rate(source, pricing) * UNITS / months
    return _ledger(source, opens, closes, units, pricing, period, as_of, invoiced=True)


def read_amounts(
    data: NativeFrame, roles: Mapping[str, str | None], *, pricing: Pricing, period: Period, as_of: object
) -> Ledger:
    """Audit amounts by customer and period: each row holds for its own period alone."""
    refuse_unnamed({**roles, "time": roles["start"]}, "customer", "time", "amount")
    words = {"start": "time"}
    plain = with_plain_dates(once(data, roles, words), roles["start"], role="time")
    source = with_local_times(adopt(plain, roles, words), "start", tz=period.tz)
    _refuse_words(source)
    opens = clock(source, role="start", tz=period.tz)
    units = _net(source) * _rate(source, pricing) * UNITS
    return _ledger(source, opens, None, units, pricing, period, as_of)


def _open(
    data: NativeFrame, roles: Mapping[str, str | None], period: Period, arguments: Mapping[str, str] | None = None
) -> tuple[Source, Clock, Clock]:
    refuse_unnamed(roles, "customer", "start", "end", "amount")
    for role in ("start", "end", "past_due"):
        data = with_plain_dates(data, roles.get(role), role=role)
    source = with_local_times(adopt(data, roles, arguments), "start", "end", "past_due", tz=period.tz)
    _refuse_words(source)
    return source, *comparable_clocks(source, period)


def _refuse_words(source: Source) -> None:
    amounts.refuse_words(source, *_MONEY_ROLES)
    if source.has("recurring") and source.dtype("recurring") in _WORDS:
        raise ColumnError(
            f"recurring={source.roles['recurring']!r} holds True and False, or 1 and 0; "
            f"it holds {source.dtype('recurring')}.",
            argument="recurring",
            column=source.roles["recurring"],
            fix="Compare first, as in frame['kind'] == 'subscription'.",
        )


# ---------------------------------------------------------------- the price of a row


def _number(source: Source, role: str) -> nw.Expr:
    return source.column(role).cast(nw.Float64)


def _net(source: Source) -> nw.Expr:
    """The amount without its tax and after its discount; of these a missing one is none."""
    net = _number(source, "amount")
    for role in ("tax", "discount"):
        if source.has(role):
            part = _number(source, role)
            net = net - nw.when(part.is_null() | part.is_nan()).then(nw.lit(0.0)).otherwise(part)
    return net


def _monthly_units(source: Source, pricing: Pricing) -> nw.Expr:
    priced = _net(source) * _rate(source, pricing)
    if not source.has("billing"):
        months = pricing.every if isinstance(pricing.every, float) else MONTHS[pricing.every]
        return priced * (UNITS / months)
    if source.dtype("billing").is_numeric():
        return priced * UNITS / _number(source, "billing")
    factors = {name: UNITS / months for name, months in MONTHS.items()}
    return priced * _chosen(source.column("billing"), factors)


def _rate(source: Source, pricing: Pricing) -> nw.Expr:
    if source.has("currency") and pricing.rates is not None:
        return _chosen(source.column("currency"), pricing.rates)
    return nw.lit(1.0)


def _chosen(column: nw.Expr, values: Mapping[str, float]) -> nw.Expr:
    """The number that belongs to each word; 0 where none does, which the audit refuses."""
    number: nw.Expr = nw.lit(0.0)
    for word, value in values.items():
        number = nw.when(column == word).then(nw.lit(float(value))).otherwise(number)
    return number


def _with_months(source: Source, opens: Clock, closes: Clock) -> tuple[Source, nw.Expr]:
    """Months of service: whole calendar months, and the days after the last of them at 365.25/12 to the month.

    From the 31st to the last day of a shorter month is a whole month. The steps are columns of their own, for engines
    write a nested expression out in full.
    """
    cells = {"year": (opens.year, closes.year), "month": (opens.month, closes.month)}
    cells["of_month"] = (opens.day_of_month, closes.day_of_month)
    steps = {f"{_OWN}_{name}{side}": pair[side] for name, pair in cells.items() for side in (0, 1)}
    frame = source.frame.with_columns(*(step.alias(name) for name, step in steps.items()))
    year, month, of_month = ([nw.col(f"{_OWN}_{name}{side}") for side in (0, 1)] for name in cells)
    lengths = {"length": month_length(year[1], month[1]), "before": month_length(year[1], month[1] - 1)}
    frame = frame.with_columns(*(length.alias(f"{_OWN}_{name}") for name, length in lengths.items()))
    first, last = (of_month[side] - 1 for side in (0, 1))
    clamped = (last < first) & (of_month[1] == nw.col(f"{_OWN}_length"))
    short = (last < first) & ~clamped
    # The last whole month then ends in the month before, on its last day where it has no day so late.
    before = nw.col(f"{_OWN}_before")
    since = nw.when(first < before).then(before - first).otherwise(nw.lit(1)) + last
    days = nw.when(short).then(since).otherwise(nw.when(clamped).then(nw.lit(0)).otherwise(last - first))
    whole = (year[1] - year[0]) * 12 + month[1] - month[0] - nw.when(short).then(nw.lit(1)).otherwise(nw.lit(0))
    months = whole.cast(nw.Float64) + days.cast(nw.Float64) / DAYS["month"]
    frame = frame.with_columns(months.alias(f"{_OWN}_months"))
    served = nw.col(f"{_OWN}_months")
    return source.with_frame(frame), nw.when(served > 0).then(served).otherwise(nw.lit(1.0))


def _with_stops(source: Source, period: Period, grace_days: int) -> tuple[Source, Clock | None]:
    """The day on which an unpaid subscription stops: year and month from its number (Hinnant's civil_from_days)."""
    if not source.has("past_due"):
        return source, None
    due = clock(source, role="past_due", tz=period.tz)
    names = ("stop", "shifted", "era", "of_era", "century", "of_year", "part")
    stop, shifted, era, of_era, year, of_year, part = (nw.col(f"{_OWN}_{name}") for name in names)
    steps = (
        due.day + grace_days,
        stop + 719468,
        shifted // 146097,
        shifted - era * 146097,
        (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365,
        of_era - (365 * year + year // 4 - year // 100),
        (5 * of_year + 2) // 153,
    )
    frame = source.frame
    for name, step in zip(names, steps, strict=True):
        frame = frame.with_columns(step.alias(f"{_OWN}_{name}"))
    early, civil = part < 10, year + era * 400
    month = nw.when(early).then(part + 3).otherwise(part - 9)
    stops = replace(due, day=stop, month=month, year=nw.when(early).then(civil).otherwise(civil + 1))
    return source.with_frame(frame), stops


# ---------------------------------------------------------------- one audit, and the rows that count


def _ledger(
    source: Source,
    opens: Clock,
    closes: Clock | None,
    units: nw.Expr,
    pricing: Pricing,
    period: Period,
    as_of: object,
    *,
    invoiced: bool = False,
) -> Ledger:
    until = None if as_of is None else opens.end_of_observation(as_of, tz=period.tz)
    marks = _marks(source, opens, closes, until, invoiced=invoiced)
    peak = max((rate for pairs in (pricing.changing or {}).values() for _, rate in pairs), default=1.0)
    asked = source if invoiced else in_memory(source)
    found = _audit(asked, opens, closes, marks, units * peak, pricing)
    kept = asked.frame.filter(~_any(marks))
    refuse_twins(asked.with_frame(kept).by_role(), fix=ADDED if closes is None else APART)
    if closes is not None and source.has("subscription"):
        _refuse_overlaps(asked, opens, closes, kept)
    last, cut = _end_of_log(found, until)
    first_index, last_index = period.index_of(np.array([found["first_start"], last.day])).tolist()
    code = None if pricing.changing is None else _code(source, pricing.changing)
    source, stops = _with_stops(source, period, pricing.grace_days)
    rows = source.frame.filter(~_any(marks)).select(
        *((source.column("by").alias("by"),) if source.has("by") else ()),
        source.column("customer").alias("customer"),
        opens.index(period).alias("lo"),
        _last_covered(opens, closes, stops, last, last_index, period, cut=cut).alias("hi"),
        *((units.round(0).alias("units"),) if code is None else (units.alias("units"), code.alias("code"))),
    )
    return Ledger(
        source=source,
        rows=rows.filter(nw.col("lo") <= nw.col("hi")),
        counted=rows,
        period=period,
        as_of=last,
        first_day=found["first_start"],
        first_index=first_index,
        last_index=last_index,
        excluded={name: found[name] for name in REASONS if found.get(name)},
        cut=cut,
        grouped=source.has("by"),
        rates=_rate_table(pricing.changing, period, first_index, last_index, last) if pricing.changing else None,
    )


def _code(source: Source, rates: Mapping[str, object]) -> nw.Expr:
    """The place of a row's currency among the rates."""
    places = {name: float(place) for place, name in enumerate(rates)}
    return _chosen(source.column("currency"), places).cast(nw.Int64)


def _rate_table(
    rates: Mapping[str, Sequence[tuple[int, float]]], period: Period, first_index: int, last_index: int, last: Moment
) -> RateTable:
    """The rate in force at the end of each period, and at the end of the one before it: the first has its own."""
    index = np.arange(first_index, last_index + 1)
    ends = np.minimum(period.first_day(index + 1) - 1, last.day)
    now = []
    for name, pairs in rates.items():
        days, values = np.array([day for day, _ in pairs]), np.array([rate for _, rate in pairs], dtype=np.float64)
        place = np.searchsorted(days, ends, side="right") - 1
        if place[0] < 0:
            raise InputError(
                f"rates={name!r} begin on {date_of(days[0])}, after the log's first period.",
                argument="rates",
                fix="Give a rate from the log's first period on.",
            )
        now.append(values[place])
    before = [np.concatenate([row[:1], row[:-1]]) for row in now]
    return RateTable(
        code=np.repeat(np.arange(len(now)), index.size),
        period=np.tile(index, len(now)),
        before=np.concatenate(before),
        now=np.concatenate(now),
    )


def _any(marks: Mapping[str, nw.Expr]) -> nw.Expr:
    bad: nw.Expr | None = None
    for mark in marks.values():
        bad = mark if bad is None else bad | mark
    return nw.lit(False) if bad is None else bad


def _marks(
    source: Source, opens: Clock, closes: Clock | None, until: Moment | None, *, invoiced: bool
) -> dict[str, nw.Expr]:
    """Why a row does not count, by reason; the first that holds is the one that is counted."""
    amount = _number(source, "amount")
    marks = {"missing_customer": source.column("customer").is_null(), "missing_start": opens.time.is_null()}
    if source.has("by"):
        marks["missing_group"] = source.column("by").is_null()
    marks["missing_amount"] = amount.is_null() | amount.is_nan()
    if source.has("currency"):
        marks["missing_currency"] = source.column("currency").is_null()
    if source.has("recurring"):
        marks["one_off"] = ~_recurs(source)
    elif invoiced and closes is not None:
        marks["one_off"] = closes.time.is_null()
    if closes is not None:
        marks["empty_interval"] = (closes.time == opens.time).fill_null(False)
    if until is not None:
        marks["after_as_of"] = opens.after(until).fill_null(False)
    return marks


def _recurs(source: Source) -> nw.Expr:
    """Whether a row recurs; one that does not say does."""
    mark = source.column("recurring")
    return nw.when(mark.is_null()).then(nw.lit(True)).otherwise(mark.cast(nw.Boolean))


def _audit(
    source: Source,
    opens: Clock,
    closes: Clock | None,
    marks: Mapping[str, nw.Expr],
    units: nw.Expr,
    pricing: Pricing,
) -> dict[str, int]:
    good = ~_any(marks)
    prices = amounts.Amounts(
        source,
        "amount",
        _net(source),
        good,
        added=units / UNITS,
        most=amounts.MOST / UNITS,
        per=" a month",
        rule="is at least 0 after tax and discount",
        fix="Credits belong to the invoice they correct.",
    )
    sums = {"rows": source.column("customer").is_null() | ~source.column("customer").is_null(), "kept": good}
    earlier: nw.Expr = nw.lit(False)
    for reason, mark in marks.items():
        sums[reason] = mark & ~earlier
        earlier = earlier | mark
    for role in ("tax", "discount"):
        if source.has(role):
            sums[f"negative_{role}"] = good & (_number(source, role) < 0)
    if source.has("recurring") and source.dtype("recurring").is_numeric():
        mark = source.column("recurring")
        sums["recurring"] = good & ~mark.is_null() & (mark != 0) & (mark != 1)
    sums |= _unknown_words(source, pricing, good)
    clocks = {"start": opens} if closes is None else {"start": opens, "end": closes}
    if source.has("past_due"):
        clocks["past_due"] = clock(source, role="past_due")
    for role, times in clocks.items():
        if times.readable is not None:
            sums[f"unreadable_{role}"] = ~times.readable & ~times.time.is_null()
    if closes is not None:
        sums["reversed"] = (good & (closes.time < opens.time)).fill_null(False)
    parts = {name: row.fill_null(False).cast(nw.Int64).sum() for name, row in sums.items()}
    parts["first_start"] = nw.when(good).then(opens.day).min()
    parts["last_start"] = nw.when(good).then(opens.day).max()
    parts |= {name: part.sum() for name, part in prices.sums().items()}
    if source.has("currency") and pricing.currencies is None:
        named = nw.when(good).then(source.column("currency").cast(nw.String))
        parts |= {"first_currency": named.min(), "last_currency": named.max()}
    if closes is not None:
        parts["last_end"] = nw.when(good & ~closes.time.is_null()).then(closes.day).max()
    cells = collect(source.frame.select(*(part.alias(name) for name, part in parts.items())))
    words: dict[str, Any] = {n: cells.pop(n)[0] for n in ("first_currency", "last_currency") if n in cells}
    counts = {name: values[0] or 0 for name, values in cells.items()}
    found = {name: int(count) for name, count in counts.items() if name != "amount_total"}
    found["ends"] = int(closes is not None and cells["last_end"][0] is not None)
    _refuse(source, found, sums)
    # A price of no months at all is infinite, and is refused for its months.
    prices.refuse(counts)
    _refuse_mixed(source, words)
    return found


def _unknown_words(source: Source, pricing: Pricing, good: nw.Expr) -> dict[str, nw.Expr]:
    """Billing periods and currencies that nothing is known about."""
    unknown = {}
    if source.has("billing"):
        column = source.column("billing")
        if source.dtype("billing").is_numeric():
            months = column.cast(nw.Float64)
            fine = (months > 0) & months.is_finite()
        else:
            fine = column.is_in(list(MONTHS))
        unknown["billing"] = good & ~fine.fill_null(False)
    if source.has("currency") and pricing.currencies is not None:
        unknown["currency"] = good & ~source.column("currency").is_in(list(pricing.currencies)).fill_null(False)
    return unknown


def _refuse(source: Source, found: Mapping[str, int], marks: Mapping[str, nw.Expr]) -> None:
    rules = {
        "unreadable_start": ("start", "holds dates", TEXT_DATES),
        "unreadable_end": ("end", "holds dates", TEXT_DATES),
        "unreadable_past_due": ("past_due", "holds dates", TEXT_DATES),
        "reversed": ("end", f"is at or after start={source.roles.get('start')!r}", None),
        "recurring": ("recurring", "holds True and False, or 1 and 0", None),
        "negative_tax": ("tax", "is at least 0", "It is subtracted: give what is taken off as a positive number."),
        "negative_discount": (
            "discount",
            "is at least 0",
            "It is subtracted: give what is taken off as a positive number.",
        ),
        "billing": ("billing", f"is a number of months above 0 or one of {', '.join(MONTHS)}", None),
        "currency": ("currency", "has a rate in rates=", None),
    }
    for name, (role, rule, fix) in rules.items():
        if found.get(name):
            column, argument = source.roles[role], source.argument(role)
            where, first = first_rows(source, marks[name].fill_null(False), role)
            raise InputError(
                f"{argument}={column!r} {rule}; {found[name]} of {found['rows']} rows are not so ({where}).",
                argument=argument,
                column=column,
                count=found[name],
                first=first,
                fix=fix,
            )
    amounts.refuse_empty(found, REASONS, kept=found["kept"])


def _refuse_mixed(source: Source, words: Mapping[str, Any]) -> None:
    if words and words["first_currency"] != words["last_currency"]:
        raise InputError(
            f"currency={source.roles['currency']!r} mixes {words['first_currency']!r} and {words['last_currency']!r}.",
            argument="currency",
            column=source.roles["currency"],
            fix="Give rates= with the worth of one unit of each in the currency of the answer.",
        )


def _refuse_overlaps(source: Source, opens: Clock, closes: Clock, kept: nw.LazyFrame[Any]) -> None:
    never = 10**9
    ends = nw.when(closes.time.is_null()).then(nw.lit(never)).otherwise(closes.day)
    spans = kept.select(
        source.column("subscription").alias("subscription"), opens.day.alias("first"), ends.alias("after")
    )
    spans = _windowed(spans.filter(~nw.col("subscription").is_null()))
    before = nw.col("after").shift(1).over("subscription", order_by=("first", "after"))
    overlapping = spans.with_columns(before.alias("before")).select(
        (nw.col("first") < nw.col("before")).fill_null(False).cast(nw.Int64).sum().alias("n")
    )
    count = int(collect(overlapping)["n"][0] or 0)
    if count:
        raise InputError(
            f"subscription={source.roles['subscription']!r} runs once at a time; {count} of its rows begin before the "
            "one before them ends.",
            argument="subscription",
            column=source.roles["subscription"],
            count=count,
        )


def _end_of_log(found: Mapping[str, int], until: Moment | None) -> tuple[Moment, bool]:
    """The end of observation, and whether the log was cut there.

    A log that ends with ends alone was cut at that date: what runs to its edge has not ended.
    """
    if until is not None:
        return until, False
    cut = bool(found["ends"]) and found["last_end"] > found["last_start"]
    return Moment(found["last_end"] if cut else found["last_start"]), cut


def _last_covered(
    opens: Clock, closes: Clock | None, stops: Clock | None, last: Moment, last_index: int, period: Period, *, cut: bool
) -> nw.Expr:
    """Running number of the last period whose end a row covers."""
    if closes is None:
        return opens.index(period)
    # An end after as_of has not happened yet, and a null end runs on.
    runs_on = closes.time.is_null() | closes.after(last)
    if cut:
        runs_on = runs_on | (closes.day >= last.day)
    covered: nw.Expr = nw.when(runs_on).then(nw.lit(last_index)).otherwise(closes.index(period) - 1)
    if stops is None:
        return covered
    unpaid = ~stops.time.is_null() & (stops.day <= last.day) & (stops.index(period) - 1 < covered)
    return nw.when(unpaid).then(stops.index(period) - 1).otherwise(covered)


# ---------------------------------------------------------------- movements


def movement_sums(ledger: Ledger, *, free: str, window: int | None) -> dict[str, list[Any]]:
    """Units and customers of every movement, by group and period: the only rows that leave the engine."""
    moved = movement_rows(ledger, free=free, window=window)
    keys = ("by", "period", "movement") if ledger.grouped else ("period", "movement")
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "delta": (nw.col("delta"), "sum"),
        "customers": (nw.col("period") * 0 + 1, "sum"),
    }
    return collect(aggregate(moved, keys, folds))


def movement_rows(ledger: Ledger, *, free: str, window: int | None) -> nw.LazyFrame[Any]:
    """One row per customer and period in which its revenue moved: ``delta, after, movement``."""
    keys, revalued = ledger.keys, ledger.rates is not None
    folds: dict[str, tuple[nw.Expr, Fold]] = {"delta": (nw.col("units"), "sum")}
    folds |= {"fx": (nw.col("fx"), "sum")} if revalued else {}
    if free == "active":
        folds["step"] = (nw.col("step"), "sum")
    changes = _windowed(aggregate(_changes(ledger, steps=free == "active"), (*keys, "period"), folds))
    if free == "active":
        step = nw.col("step").cast(nw.Int64)
        changes = changes.with_columns(step.cum_sum().over(*keys, order_by="period").cast(nw.Int64).alias("plans"))
        changes = changes.with_columns((nw.col("plans") - step).alias("plans_before"))
    if revalued:
        both = nw.col("delta") + nw.col("fx")
        changes = changes.with_columns(both.cum_sum().over(*keys, order_by="period").alias("closing"))
    moved = changes.filter(nw.col("delta") != 0)
    after = nw.col("closing") - nw.col("fx") if revalued else nw.col("delta").cum_sum().over(*keys, order_by="period")
    over: dict[str, nw.Expr] = {
        "after": after,
        "previous": nw.col("period").shift(1).over(*keys, order_by="period"),
    }
    if free == "active":
        over["plans_then"] = nw.col("plans").shift(1).over(*keys, order_by="period")
    moved = moved.with_columns(*(expression.alias(name) for name, expression in over.items()))
    moved = moved.with_columns(_movement(free=free, window=window).alias("movement"))
    if not revalued:
        return moved
    names = (*keys, "period", "delta", "after", "movement")
    fx = changes.filter(nw.col("fx") != 0).select(
        *keys, "period", nw.col("fx").alias("delta"), nw.col("closing").alias("after"), nw.lit(5).alias("movement")
    )
    both_kinds: nw.LazyFrame[Any] = nw.concat([moved.select(*names), fx], how="vertical")
    return both_kinds


def state_rows(ledger: Ledger, *, plans: bool) -> nw.LazyFrame[Any]:
    """One row per customer and period in which one of its plans began or ended.

    ``delta`` is how its revenue moved and ``units`` what runs after it; ``plans`` how many plans do, where asked for.
    """
    names = ("units", "step") if plans else ("units",)
    folds: dict[str, tuple[nw.Expr, Fold]] = {name: (nw.col(name), "sum") for name in names}
    rows = _windowed(aggregate(_changes(ledger, steps=plans), (*ledger.keys, "period"), folds))
    running = {"units": nw.col("units")} | ({"plans": nw.col("step").cast(nw.Int64)} if plans else {})
    return rows.select(
        *ledger.keys,
        "period",
        nw.col("units").alias("delta"),
        *(change.cum_sum().over(*ledger.keys, order_by="period").alias(name) for name, change in running.items()),
    )


def _changes(ledger: Ledger, *, steps: bool) -> nw.LazyFrame[Any]:
    """What each row adds in its first period, and takes away in the one after its last."""
    if ledger.rates is not None:
        return _revalued_changes(ledger, ledger.rates, steps=steps)
    ends = ledger.rows.filter(nw.col("hi") < ledger.last_index)
    units = nw.col("units")

    def side(frame: nw.LazyFrame[Any], period: nw.Expr, change: nw.Expr, step: int) -> nw.LazyFrame[Any]:
        counted = (nw.lit(step).cast(nw.Int64).alias("step"),) if steps else ()
        return frame.select(*ledger.keys, period.alias("period"), change.alias("units"), *counted)

    both = [side(ledger.rows, nw.col("lo"), units, 1), side(ends, nw.col("hi") + 1, -units, -1)]
    changes: nw.LazyFrame[Any] = nw.concat(both, how="vertical")
    return changes


def _revalued_changes(ledger: Ledger, rates: RateTable, *, steps: bool) -> nw.LazyFrame[Any]:
    """The same at the rates of the period before, and ``fx``: what the new rates do to what runs at a period's end.

    Both are rounded as they are, so that what a row adds, is revalued by and takes away again is exactly nothing.
    """
    then, now = ((nw.col("units") * nw.col(name)).round(0) for name in ("before", "now"))
    fx = now - then
    counted = ("step",) if steps else ()

    def side(frame: nw.LazyFrame[Any], period: nw.Expr, step: int) -> nw.LazyFrame[Any]:
        return frame.select(
            *ledger.keys, "code", "units", period.alias("at"), nw.lit(step).cast(nw.Int64).alias("step")
        )

    # A currency and a period in one number: the short table is joined on one key.
    span = 10**6
    keyed = {"key": rates.code * span + rates.period, "before": rates.before, "now": rates.now}
    edges = nw.concat(
        [
            side(ledger.rows, nw.col("lo"), 1),
            side(ledger.rows.filter(nw.col("hi") < ledger.last_index), nw.col("hi") + 1, -1),
        ],
        how="vertical",
    )
    edges = edges.with_columns((nw.col("code") * span + nw.col("at")).alias("key"))
    opens = nw.col("step") > 0
    priced = join_table(edges, "key", keyed).select(
        *ledger.keys,
        nw.col("at").alias("period"),
        (then * nw.col("step")).alias("units"),
        nw.when(opens).then(fx).otherwise(nw.lit(0.0)).alias("fx"),
        *counted,
    )
    changed = {name: column[rates.before != rates.now] for name, column in vars(rates).items()}
    held = join_table(ledger.rows, "code", changed)
    held = held.filter((nw.col("lo") < nw.col("period")) & (nw.col("period") <= nw.col("hi")))
    kept = held.select(
        *ledger.keys,
        nw.col("period"),
        (nw.col("units") * 0).alias("units"),
        fx.alias("fx"),
        *(nw.lit(0).cast(nw.Int64).alias(name) for name in counted),
    )
    changes: nw.LazyFrame[Any] = nw.concat([priced, kept], how="vertical")
    return changes


def _windowed(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The same rows where running sums within a customer can be taken: PyArrow has none, pandas does."""
    if frame.implementation is not nw.Implementation.PYARROW:
        return frame
    windowed: nw.LazyFrame[Any] = nw.from_native(frame.collect().to_pandas()).lazy()
    return windowed


def _movement(*, free: str, window: int | None) -> nw.Expr:
    """The place in ``MOVEMENTS`` of a change of revenue."""
    delta, after, previous = nw.col("delta"), nw.col("after"), nw.col("previous")
    entered, left, first = after == delta, after == 0, previous.is_null()
    if window is not None:
        first = first | (nw.col("period") - previous > window).fill_null(False)
    growth: nw.Expr = nw.when(delta > 0).then(nw.lit(2)).otherwise(nw.lit(3))
    if free == "active":
        stayed = (nw.col("plans_then") > 0).fill_null(False) & (nw.col("plans_before") > 0)
        entered, left = entered & ~stayed, left & (nw.col("plans") == 0)
    came: nw.Expr = nw.when(first).then(nw.lit(0)).otherwise(nw.lit(1))
    return nw.when(entered).then(came).otherwise(nw.when(left).then(nw.lit(4)).otherwise(growth))


def groups(ledger: Ledger) -> list[Any]:
    """Every group with a row that counts, whether or not its revenue ever moved."""
    found = aggregate(ledger.counted, ("by",), {"rows": (nw.col("lo") * 0 + 1, "sum")})
    return collect(found)["by"]


def settle_groups(ledger: Ledger, shared: membership.Shared) -> Ledger:
    """The ledger with the customers of several groups in it, left out and counted, or refused."""
    count = membership.left_out(ledger.counted, shared, by=ledger.source.roles.get("by"))
    if not count:
        return ledger
    people = membership.customers_in_several(ledger.counted)
    rows, counted = (membership.without(each, people) for each in (ledger.rows, ledger.counted))
    return replace(ledger, rows=rows, counted=counted, excluded={**ledger.excluded, membership.REASON: count})


def movement_table(ledger: Ledger, *, free: str, window: int | None) -> NativeFrame:
    """Every movement as a row of the caller's kind, in order where the frame has one."""
    moved = movement_rows(ledger, free=free, window=window)
    name = ledger.source.roles["customer"]
    named: nw.Expr = nw.lit(ledger.movements[-1])
    for place, movement in enumerate(ledger.movements[:-1]):
        named = nw.when(nw.col("movement") == place).then(nw.lit(movement)).otherwise(named)
    first = ledger.period.first_day(np.arange(ledger.first_index, ledger.last_index + 1))
    dated = join_listed(
        moved, "period", np.arange(ledger.first_index, ledger.last_index + 1), "_period", first.astype("datetime64[D]")
    )
    table = dated.sort("customer", "period", "movement").select(
        nw.col("customer").alias(name),
        nw.col("_period").alias("period"),
        named.alias("movement"),
        ((nw.col("after") - nw.col("delta")) / UNITS).alias("start_mrr"),
        (nw.col("delta") / UNITS).alias("change"),
        (nw.col("after") / UNITS).alias("end_mrr"),
    )
    if ledger.source.lazy:
        return table.to_native()
    eager = nw.maybe_reset_index(table.collect())
    return eager.to_arrow() if ledger.source.frame.implementation is nw.Implementation.PYARROW else eager.to_native()


def cohort_sums(ledger: Ledger, *, products: bool) -> dict[str, list[Any]]:
    """Changes by the period of a customer's first payment and by period: of revenue, and who began to pay.

    With ``products`` also those of the customers' first revenue (x) and of what they pay (y), in money.
    """
    moved = movement_rows(ledger, free="churn", window=None)
    period, delta, after = nw.col("period"), nw.col("delta") / UNITS, nw.col("after") / UNITS
    opening = nw.when(nw.col("previous").is_null()).then(delta).otherwise(nw.lit(0.0))
    firsts = aggregate(moved, ledger.keys, {"cohort": (period, "min"), "first": (opening, "sum")})
    both = moved.join(firsts, on=list(ledger.keys), how="left")
    fresh = period == nw.col("cohort")
    first = nw.when(fresh).then(nw.col("first")).otherwise(nw.lit(0.0))
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "delta": (nw.col("delta"), "sum"),
        "customers": (fresh.cast(nw.Int64), "sum"),
    }
    for name in PRODUCTS[2:] if products else ():
        # What is gone since is taken off: a product's sum over the periods up to one is that of the revenue then.
        exponent, change = name.count("y"), first
        if exponent:
            change = power(after, exponent) - power(after - delta, exponent)
        parts[name] = (_times(change, nw.col("first"), name.count("x") - (exponent == 0)), "sum")
    return collect(aggregate(both, ("cohort", "period"), parts))


def power(number: nw.Expr, exponent: int) -> nw.Expr:
    """A number times itself, in engines whose powers differ."""
    return _times(number, number, exponent - 1)


def _times(number: nw.Expr, factor: nw.Expr, times: int) -> nw.Expr:
    for _ in range(times):
        number = number * factor
    return number


def gains_and_losses(
    ledger: Ledger, *, free: str, window: int | None, reactivation: bool
) -> tuple[nw.LazyFrame[Any], int]:
    """What each customer gained (``y``) and lost (``x``) in the complete periods, and how many of these there are."""
    after = ledger.period.first_day(np.arange(ledger.first_index, ledger.last_index + 1) + 1)
    complete = int((after <= ledger.as_of.observed_until).sum())
    moved = movement_rows(ledger, free=free, window=window).filter(nw.col("period") < ledger.first_index + complete)
    gains = [MOVEMENTS.index(name) for name in ("new", "expansion", *(("reactivation",) if reactivation else ()))]
    losses = [MOVEMENTS.index(name) for name in ("contraction", "churn")]
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        name: (
            nw.when(nw.col("movement").is_in(kinds)).then(sign * nw.col("delta") / UNITS).otherwise(nw.lit(0.0)),
            "sum",
        )
        for name, kinds, sign in (("x", losses, -1), ("y", gains, 1))
    }
    return aggregate(moved, ledger.keys, parts), complete
