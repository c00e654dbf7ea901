"""Subscription intervals to spells of being a customer, and what happened in each window, in the user's engine.

A spell is a customer's time without a gap: subscriptions that overlap or abut are one. Days count: a subscription that
begins on the day on which another ends goes on from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import amounts, membership
from retention_metrics._engine.activity import KEYS
from retention_metrics._engine.adopt import NativeFrame, Source, collect, quoted
from retention_metrics._engine.audit import Fold, aggregate, first_rows
from retention_metrics._engine.join import OURS, cross_with, join_table
from retention_metrics._engine.subscriptions import Opened, open_log
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment, Period

Days = NDArray[np.int64]
# Days that lie before and after every other one.
BEFORE, NEVER = -(10**7), 10**7
# Between two customers on one line of days: more than any two days of one.
APART = 10**8
_ENDED = ("endings", "carried", "once", "final", "gone", "leavers", "fresh")
_POWERS = ("amount", "squares", "cubes", "fourths")


@dataclass(frozen=True)
class Spells:
    """Audited intervals, not yet run: ``first, after`` of each row by customer (and group)."""

    source: Source
    rows: nw.LazyFrame[Any]
    as_of: Moment
    first_day: int
    last_day: int
    excluded: Mapping[str, int]
    cut: bool

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return self.source.backend

    @property
    def grouped(self) -> bool:
        """Whether there is a column of groups."""
        return self.source.has("by")

    @property
    def keys(self) -> tuple[str, ...]:
        """What names a customer: within a group where there are groups."""
        return KEYS if self.grouped else KEYS[1:]


@dataclass(frozen=True)
class Windows:
    """Half-open windows of days [first, after), which may overlap and leave gaps."""

    first: Days
    after: Days

    @property
    def contiguous(self) -> bool:
        """Whether each begins where the one before it ends."""
        return bool((self.first[1:] == self.after[:-1]).all())


@dataclass(frozen=True)
class WindowCounts:
    """Counts of one group in every window, in the order of the windows.

    ``start`` and ``end`` are the customers at the last instant before the window and at its own last instant,
    ``joined`` those whose first spell began in it. ``ended`` holds, by kind of ending (None without kinds), the counts

    - ``endings``: spells that ended in the window;
    - ``carried``: customers at the start with an ending;
    - ``once``: those of them who did not come back in the window;
    - ``gone``: customers at the start who are not there at the end;
    - ``final``: customers with an ending who are not there at the end;
    - ``leavers``: customers with an ending;
    - ``fresh``: customers who joined in the window and have an ending;
    - ``older``: customers with an ending who did not join in the window.

    ``amounts`` holds, by kind, a row each for the sum of what the ``gone`` paid and of its second to fourth powers.
    """

    start: Days
    end: Days
    joined: Days
    ended: Mapping[str | None, Mapping[str, Days]]
    amounts: Mapping[str | None, NDArray[np.float64]]

    def total(self, name: str) -> Days:
        """A count over all kinds of ending."""
        counts = [kind[name] for kind in self.ended.values()]
        return np.sum(counts, axis=0) if counts else np.zeros_like(self.start)


def read(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    period: Period,
    as_of: object,
    horizon: int | None = None,
    arguments: Mapping[str, str] | None = None,
) -> Spells:
    """Audit intervals; ``roles`` names ``customer, start, end`` and any of ``by, kind, amount``.

    ``arguments`` names the caller's argument of a role, where that has another name.

    Without ``as_of`` observation ends on the day ``horizon``, or else on the log's last date. A log that ends with
    ends alone was then cut at that date: what runs to its edge has not ended.
    """
    log = open_log(data, roles, period=period, as_of=as_of, arguments=arguments)
    _refuse_types(log.source)
    last, cut = _end_of_log(log, horizon)
    opens, closes = log.opens, log.closes
    runs_on = closes.time.is_null() | closes.after(last)
    if cut:
        runs_on = runs_on | (closes.day >= last.day)
    source = log.source
    if source.has("amount"):
        _refuse_amounts(log.asked, log.counted(last) & ~runs_on)
    extra = [source.column("kind").cast(nw.String).alias("kind")] if source.has("kind") else []
    extra += [source.column("amount").cast(nw.Float64).alias("amount")] if source.has("amount") else []
    rows = log.kept(last).select(
        *((source.column("by").alias("by"),) if source.has("by") else ()),
        source.column("customer").alias("customer"),
        opens.day.cast(nw.Int64).alias("first"),
        nw.when(runs_on).then(nw.lit(NEVER)).otherwise(closes.day).cast(nw.Int64).alias("after"),
        *extra,
    )
    last_seen = max(log.found["last_start"], log.found["last_end"])
    return Spells(source, rows, last, log.found["first_start"], last_seen, log.excluded(last), cut)


def _end_of_log(log: Opened, horizon: int | None) -> tuple[Moment, bool]:
    if log.until is not None:
        return log.until, False
    if horizon is not None:
        return Moment(horizon), False
    cut = log.found["last_end"] > log.found["last_start"]
    return log.last_date, cut


def _refuse_types(source: Source) -> None:
    words = (nw.String, nw.Categorical, nw.Enum, nw.Object, nw.Unknown)
    if source.has("kind") and source.dtype("kind") not in words:
        argument, column = source.argument("kind"), source.roles["kind"]
        raise ColumnError(
            f"{argument}={column!r} is a column of words; it holds {source.dtype('kind')}.",
            argument=argument,
            column=column,
            fix="Name the kinds, for instance 'voluntary' and 'involuntary'.",
        )
    amounts.refuse_words(source, "amount")


def _refuse_amounts(source: Source, ended: nw.Expr) -> None:
    """Refuse amounts that cannot be added up on the rows that have ended, and missing ones."""
    amount = amounts.number(source, "amount")
    paid = amounts.Amounts(source, "amount", amount, ended & ~amount.is_null())
    missing = (ended & amount.is_null()).fill_null(False)
    sums = {"rows": nw.len(), "missing": missing.cast(nw.Int64).sum()}
    sums |= {name: part.sum() for name, part in paid.sums().items()}
    found = {name: cells[0] or 0 for name, cells in collect(source.frame.select(**sums)).items()}
    paid.refuse(found)
    if found["missing"]:
        argument, column = source.argument("amount"), source.roles["amount"]
        raise InputError(
            f"{argument}={column!r} is known of every subscription that ended; {int(found['missing'])} of "
            f"{int(found['rows'])} rows are not so ({first_rows(source, missing, 'amount')[0]}).",
            argument=argument,
            column=column,
            count=int(found["missing"]),
        )


# ---------------------------------------------------------------- spells


def spells(log: Spells) -> nw.LazyFrame[Any]:
    """A row per spell: ``start, end``, the end before it and the start and end after it, BEFORE and NEVER for none.

    ``who`` tells the customers (of a group) apart, by whatever costs the engine least.
    """
    rows, keys = windowed(log.rows.select(*log.keys, "first", "after")), list(log.keys)
    native: Any = rows.to_native()
    found: nw.LazyFrame[Any]
    if rows.implementation is nw.Implementation.DUCKDB:
        found = nw.from_native(native.query(f"{OURS}rows", _in_duckdb(keys)))
    elif rows.implementation is nw.Implementation.POLARS:
        import polars as pl

        ordered = native.sort(*keys, "first")
        other = reduce(or_, ((pl.col(key) != pl.col(key).shift(1)).fill_null(True) for key in keys))
        numbered = ordered.with_columns(origin=other.cast(pl.Int64).cum_sum() * APART)
        found = nw.from_native(_in_order(numbered, pl, keys))
    elif rows.implementation is not nw.Implementation.PANDAS:
        found = _in_windows(rows, keys)
    else:
        origin = native.groupby(keys, sort=False, observed=True).ngroup().to_numpy() * APART
        order = np.argsort(origin + native["first"].to_numpy())
        numbered = nw.from_native(native.assign(origin=origin).iloc[order], eager_only=True)
        found = _in_order(numbered, nw, keys).lazy()
    return found


def _in_order(rows: Any, frames: Any, keys: Sequence[str]) -> Any:
    """Sorted once, every row sees those before it: on one line of days, on which customers lie far apart.

    ``frames`` is the library of the expressions, Polars itself for its lazy frames: narwhals gives these no order.
    """
    col, origin = frames.col, frames.col("origin")
    begins = origin + col("first")
    reach = rows.with_columns(reach=(origin + col("after")).cum_max())
    before = reach.with_columns(before=col("reach").shift(1).fill_null(-APART), last=col("reach").max())
    heads = before.filter(begins > col("before"))
    ended = heads.with_columns(end=col("before").shift(-1).fill_null(col("last")))
    days = {
        "start": begins,
        "end": col("end"),
        "previous_end": col("before"),
        "next_start": begins.shift(-1).fill_null(col("last") + APART),
        "next_end": col("end").shift(-1).fill_null(col("last") + APART),
    }
    own = {name: (day - origin).clip(BEFORE, NEVER).cast(frames.Int64) for name, day in days.items()}
    return ended.select(*keys, who=origin // APART, **own)


def _in_windows(rows: nw.LazyFrame[Any], keys: Sequence[str]) -> nw.LazyFrame[Any]:
    """The same by running values within each customer, for engines that take neither of the short ways."""

    def later(name: str, steps: int = 1) -> nw.Expr:
        return nw.col(name).shift(-steps).over(*keys, order_by=["first", "after"])

    reached = rows.with_columns(
        reach=nw.col("after").cum_max().over(*keys, order_by=["first", "after"]),
        last_end=nw.col("after").max().over(*keys),
    )
    before = reached.with_columns(before=nw.col("reach").shift(1).over(*keys, order_by=["first", "after"]))
    heads = before.filter(nw.col("before").is_null() | (nw.col("first") > nw.col("before")))
    beside = heads.with_columns(next_start=later("first"), own_end=later("before"), next_end=later("before", 2))
    last = nw.when(nw.col("next_start").is_null()).then(nw.lit(NEVER)).otherwise(nw.col("last_end"))
    return beside.select(
        *keys,
        nw.col("customer").alias("who"),
        nw.col("first").alias("start"),
        nw.coalesce("own_end", "last_end").alias("end"),
        nw.coalesce("before", nw.lit(BEFORE)).alias("previous_end"),
        nw.coalesce("next_start", nw.lit(NEVER)).alias("next_start"),
        nw.coalesce("next_end", last).alias("next_end"),
    )


def _in_duckdb(keys: Sequence[str]) -> str:
    """Two sorts in all: narwhals has no frames of rows, and would sort once more for each running value."""
    names = ", ".join(map(quoted, keys))
    return f"""
        WITH reached AS (
            SELECT *, max(after) OVER (customers ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
                max(after) OVER (customers ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_end
            FROM {OURS}rows WINDOW customers AS (PARTITION BY {names} ORDER BY first, after)
        ), heads AS (
            SELECT *, lead(first) OVER later AS next_start, lead(before) OVER later AS own_end,
                lead(before, 2) OVER later AS next_end
            FROM reached WHERE before IS NULL OR first > before
            WINDOW later AS (PARTITION BY {names} ORDER BY first)
        )
        SELECT {names}, customer AS who, first AS start, coalesce(own_end, last_end) AS "end",
            coalesce(before, {BEFORE}) AS previous_end, coalesce(next_start, {NEVER}) AS next_start,
            coalesce(next_end, CASE WHEN next_start IS NULL THEN {NEVER} ELSE last_end END) AS next_end
        FROM heads
    """


def windowed(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The same rows where running values within a customer can be taken: PyArrow has none, pandas does."""
    if frame.implementation is not nw.Implementation.PYARROW:
        return frame
    moved: nw.LazyFrame[Any] = nw.from_native(frame.collect().to_pandas()).lazy()
    return moved


# ---------------------------------------------------------------- what happened to each customer in each window


def _listed(windows: Windows, first_day: int, last_day: int) -> dict[str, Days]:
    """A row per day and window that holds it."""
    spans = [
        np.arange(max(a, first_day), min(b, last_day + 1)) for a, b in zip(windows.first, windows.after, strict=True)
    ]
    lengths = [len(span) for span in spans]
    table = {"day": np.concatenate(spans) if spans else np.array([], dtype=np.int64)}
    for name, values in (("window", np.arange(len(spans))), ("a", windows.first), ("b", windows.after)):
        table[name] = np.repeat(np.asarray(values, dtype=np.int64), lengths)
    return table


def _happenings(log: Spells, windows: Windows, *, every: bool) -> nw.LazyFrame[Any]:
    """A row per customer and window in which a spell began or ended: counts of both.

    Only several endings in one window have to be put together. Unless ``every`` customer is asked for, all who do
    not need it share one row per window, whose ``who`` is null, and few rows are left to fold.
    """
    listed = _listed(windows, log.first_day, log.as_of.day)
    sides = cross_with(log.source, _with_endings(log), "side", np.array([0, 1], dtype=np.int64))
    ends = nw.col("side") == 1
    dated = sides.with_columns(nw.when(ends).then(nw.col("end")).otherwise(nw.col("start")).alias("day"))
    placed = join_table(dated, "day", listed)
    a, b, start = nw.col("a"), nw.col("b"), nw.col("start")
    carried, final = ends & (start < a), ends & (nw.col("next_start") >= b)
    first_ever = nw.col("previous_end") == BEFORE
    marks = {
        "starts": ~ends,
        "joined": ~ends & first_ever,
        "endings": ends,
        "carried": carried,
        "once": carried & final,
        "final": final,
        "fresh": ends & first_ever & (start >= a),
    }
    folds: dict[str, tuple[nw.Expr, Fold]] = {name: (mark.cast(nw.Int64), "sum") for name, mark in marks.items()}
    if log.source.has("kind"):
        last = ends & (nw.col("next_end") >= b)
        folds["kind"] = (nw.when(last).then(nw.col("kind")), "max")
    if log.source.has("amount"):
        lost = nw.when(final).then(nw.col("amount")).otherwise(nw.lit(0.0))
        folds["amount"] = (lost, "sum")
    if every:
        return aggregate(placed, (*log.keys, "window"), folds)
    several = ends & ((nw.col("previous_end") >= a) | (nw.col("next_end") < b))
    named = placed.with_columns(nw.when(several).then(nw.col("who")).alias("who"))
    return aggregate(named, (*log.keys[:-1], "who", "window"), folds)


def _with_endings(log: Spells) -> nw.LazyFrame[Any]:
    """The spells, with the kind and the amount of their last day's rows where these are asked for."""
    found = spells(log)
    named = [role for role in ("kind", "amount") if log.source.has(role)]
    if not named:
        return found
    folds: dict[str, tuple[nw.Expr, Fold]] = {}
    if "kind" in named:
        folds["kind"] = (nw.col("kind"), "min")
    if "amount" in named:
        folds["amount"] = (nw.col("amount"), "sum")
    rows = windowed(log.rows).filter(nw.col("after") < NEVER)
    last_rows = aggregate(rows, (*log.keys, "after"), folds)
    matched = found.join(last_rows, left_on=[*log.keys, "end"], right_on=[*log.keys, "after"], how="left")
    if "amount" in named:
        matched = matched.with_columns(nw.col("amount").fill_null(0.0))
    return matched


def window_counts(log: Spells, windows: Windows) -> dict[Any, WindowCounts]:
    """Counts by group, and by kind of ending where there is one: the only rows that leave the engine."""
    whole = windows if windows.contiguous else _with_cells(windows)
    every = log.source.has("kind") or log.source.has("amount")
    happened = _happenings(log, _with_edges(whole, log), every=every)
    flags = {"gone": (nw.col("carried") > 0) & (nw.col("final") > 0), "leavers": nw.col("endings") > 0}
    counts = {name: flag.cast(nw.Int64) for name, flag in flags.items()}
    if not every:
        alone = nw.col("who").is_null()
        plain = {"gone": nw.col("once"), "leavers": nw.col("endings")}
        counts = {name: nw.when(alone).then(plain[name]).otherwise(count) for name, count in counts.items()}
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        name: (nw.col(name), "sum") for name in ("starts", "joined", "endings", "carried", "once", "final", "fresh")
    }
    folds |= {name: (count, "sum") for name, count in counts.items()}
    if log.source.has("amount"):
        gone = nw.when(flags["gone"]).then(nw.col("amount")).otherwise(nw.lit(0.0))
        powers = (gone, gone * gone, gone * gone * gone, gone * gone * gone * gone)
        folds |= {name: (power, "sum") for name, power in zip(_POWERS, powers, strict=True)}
    keys = [*(("by",) if log.grouped else ()), *(("kind",) if log.source.has("kind") else ()), "window"]
    cells = collect(aggregate(happened, tuple(keys), folds))
    return _by_group(cells, log, windows, len(whole.first))


def _with_cells(windows: Windows) -> Windows:
    """The windows, and after them cells without gap or overlap, from whose counts those at any edge follow."""
    edges = np.unique(np.concatenate([windows.first, windows.after]))
    return Windows(np.concatenate([windows.first, edges[:-1]]), np.concatenate([windows.after, edges[1:]]))


def _with_edges(windows: Windows, log: Spells) -> Windows:
    """And after these one for all days before them."""
    return Windows(
        np.append(windows.first, min(log.first_day, int(windows.first.min()))),
        np.append(windows.after, windows.first.min()),
    )


def _by_group(
    cells: Mapping[str, Sequence[Any]], log: Spells, windows: Windows, before: int
) -> dict[Any, WindowCounts]:
    wide = before + 1
    rows = len(cells["window"])
    groups = list(cells["by"]) if log.grouped else [None] * rows
    kinds = list(cells["kind"]) if log.source.has("kind") else [None] * rows
    counts: dict[Any, dict[str | None, dict[str, Any]]] = {}
    for place in range(rows):
        kind = counts.setdefault(groups[place], {}).setdefault(kinds[place], {})
        for name in (*_ENDED, "starts", "joined", *_POWERS):
            column = kind.setdefault(name, np.zeros(wide, dtype=np.float64 if name in _POWERS else np.int64))
            if name in cells:
                column[cells["window"][place]] += cells[name][place]
    if not counts and not log.grouped:
        nobody = np.zeros(len(windows.first), dtype=np.int64)  # all windows lie before the first customer
        return {None: WindowCounts(nobody, nobody, nobody, {}, {})}
    return {group: _counts(kinds, windows, before) for group, kinds in counts.items()}


def _counts(kinds: Mapping[str | None, Mapping[str, Any]], windows: Windows, before: int) -> WindowCounts:
    n = len(windows.first)
    total = {name: np.sum([kind[name] for kind in kinds.values()], axis=0) for name in ("starts", "endings", "joined")}
    change = total["starts"] - total["endings"]
    # Who is there at an edge: all that began before it, less all that ended. The last window is all days before.
    cells = change[n:before] if before > n else change[:n]
    there = change[before] + np.concatenate([[0], np.cumsum(cells)])
    if before > n:
        edges = np.unique(np.concatenate([windows.first, windows.after]))
        start, end = (there[np.searchsorted(edges, edge)] for edge in (windows.first, windows.after))
    else:
        start, end = there[:-1], there[1:]
    ended = {
        kind: {name: found[name][:n] for name in _ENDED} | {"older": (found["leavers"] - found["fresh"])[:n]}
        for kind, found in kinds.items()
        if found["endings"].any()
    }
    amounts = {kind: np.stack([kinds[kind][name][:n] for name in _POWERS]) for kind in ended}
    return WindowCounts(start, end, total["joined"][:n], ended, amounts)


def settle_groups(log: Spells, shared: membership.Shared) -> Spells:
    """The log with the customers of several groups in it, left out and counted, or refused."""
    count = membership.left_out(log.rows, shared, by=log.source.roles.get("by"))
    if not count:
        return log
    rows = membership.without(log.rows, membership.customers_in_several(log.rows))
    return replace(log, rows=rows, excluded={**log.excluded, membership.REASON: count})


# ---------------------------------------------------------------- one window, customer by customer


def customer_table(log: Spells, first: int, after: int, counted: Mapping[str, str]) -> NativeFrame:
    """A row per customer to whom something happened in the window [first, after), in the caller's kind.

    ``counted`` names, by column, the count of ``WindowCounts`` to which the column says what a customer adds.
    """
    one = Windows(np.array([first]), np.array([after]))
    happened = _happenings(log, one, every=True)
    start, end = nw.col("start"), nw.col("end")
    edges: dict[str, tuple[nw.Expr, Fold]] = {
        "in_start": (((start < first) & (end >= first)).cast(nw.Int64), "sum"),
        "in_end": (((start < after) & (end >= after)).cast(nw.Int64), "sum"),
    }
    there = aggregate(spells(log), log.keys, edges)
    both = windowed(happened).join(there, on=list(log.keys), how="left")
    number = {name: nw.col(name) for name in ("endings", "carried", "once", "final", "fresh")}
    number["gone"] = nw.when((nw.col("carried") > 0) & (nw.col("final") > 0)).then(nw.lit(1)).otherwise(nw.lit(0))
    number["leavers"] = nw.when(nw.col("endings") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
    number["older"] = number["leavers"] - nw.col("fresh")
    table = both.sort("customer").select(
        nw.col("customer").alias(log.source.roles["customer"]),
        (nw.col("in_start") > 0).alias("in_start"),
        (nw.col("in_end") > 0).alias("in_end"),
        (nw.col("joined") > 0).alias("joined"),
        (nw.col("starts") > nw.col("joined")).alias("came_back"),
        nw.col("endings").cast(nw.Int64),
        *(number[count].cast(nw.Int64).alias(f"counted_by_{name}") for name, count in counted.items()),
    )
    if log.source.lazy:
        return table.to_native()
    eager = nw.maybe_reset_index(table.collect())
    return eager.to_arrow() if log.source.frame.implementation is nw.Implementation.PYARROW else eager.to_native()
