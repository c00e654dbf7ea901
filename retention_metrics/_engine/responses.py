"""Answers to surveys: counted by rating, group and period, by respondent and by cluster, in the user's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import groups
from retention_metrics._engine.adopt import NativeFrame, Source, collect, once
from retention_metrics._engine.audit import read_clock
from retention_metrics._engine.clock import Clock, clock
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import Moment, Period

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Keep = Literal["latest", "first"]
Keys = Mapping[str, nw.Expr]
"""Expressions by the name under which a tally keeps their values."""

# Roles whose values are the names of groups in an answer.
_NAMES = {"group", "segment", "by", "handling", "rep"}
TIMED, UNTIMED, UNREADABLE, LATE = range(4)
# Promoters from 9 on, detractors up to 6, on either scale.
_PROMOTES, _DETRACTS = 9, 6


def tally(source: Source, *, by: Sequence[str], weight: str | None = None, extra: Keys | None = None) -> groups.Tally:
    """Rows of every combination of the roles ``by`` and the expressions ``extra``, in one pass.

    Missing values are keys like any other. Sums of weights and of their squares come along where there are weights.
    """
    for role in by:
        groups.refuse_nested(source, role)
    columns = {role: source.column(role) for role in by} | dict(extra or {})
    sums = {}
    if weight:
        one = source.column(weight).cast(nw.Float64)
        columns |= {"_weight": one, "_square": one * one}
        sums = {"_weights": nw.col("_weight").sum(), "_squares": nw.col("_square").sum()}
    keys = [name for name in columns if name not in ("_weight", "_square")]
    rows = source.frame.select(*(column.alias(name) for name, column in columns.items()))
    found = collect(
        rows.group_by(*keys).agg(nw.len().alias("_rows"), *(part.alias(name) for name, part in sums.items()))
    )
    for role in _NAMES & set(by):
        _refuse_mixed(found[role], role, source.roles[role])
    places = list(zip(*(_sortable(found[key]) for key in keys), strict=True))
    order = sorted(range(len(places)), key=places.__getitem__)
    counts = np.array([found["_rows"][row] for row in order], dtype=np.int64)
    weighed = [np.array([found[name][row] for row in order], dtype=np.float64) for name in sums]
    return groups.Tally(
        keys={key: tuple(found[key][row] for row in order) for key in keys},
        counts=counts,
        weights=weighed[0] if weighed else counts.astype(np.float64),
        squared_weights=weighed[1] if weighed else counts.astype(np.float64),
    )


def _refuse_mixed(cells: Sequence[Any], role: str, column: str) -> None:
    """Refuse names of two kinds, which no column of an answer holds."""
    kinds = {"number" if isinstance(cell, (int, float)) else type(cell).__name__ for cell in cells if cell is not None}
    if len(kinds) > 1:
        raise ColumnError(
            f"{role}={column!r} holds values of one type; it holds {' and '.join(sorted(kinds))}.",
            argument=role,
            column=column,
            fix="Convert all of them, for instance to words.",
        )


def _sortable(cells: Sequence[Any]) -> Sequence[Any]:
    """The cells themselves where they are of one type; else keys that put missing ones last."""
    kinds = set(map(type, cells))
    return cells if len(kinds) == 1 and kinds <= {int, float, str} else [groups._sort_key(cell) for cell in cells]


def with_times(data: NativeFrame, roles: Mapping[str, str | None], period: Period) -> tuple[Source, Clock]:
    """A frame of answers with its clock."""
    return read_clock(once(data, roles), roles, tz=period.tz)


def period_keys(times: Clock, period: Period, until: Moment | None) -> Keys:
    """The number of a row's period, and whether its time is known and within observation, as keys of a tally."""
    state: nw.Expr = nw.lit(TIMED)
    if until is not None:
        state = nw.when(times.after(until)).then(nw.lit(LATE)).otherwise(state)
    if times.readable is not None:
        state = nw.when(~times.readable).then(nw.lit(UNREADABLE)).otherwise(state)
    state = nw.when(times.time.is_null()).then(nw.lit(UNTIMED)).otherwise(state)
    return {"period": times.index(period), "timed": state}


def last_day(source: Source, times: Clock) -> int:
    """The day of the last answer."""
    day = nw.when(~times.time.is_null()).then(times.day)
    return int(collect(source.frame.select(day.alias("day")).select(nw.col("day").max()))["day"][0] or 0)


def kept_answers(source: Source, *, keep: Keep) -> Source:
    """One answer of each respondent, the latest or the first; of several at one time the lowest.

    Only answers count that lack nothing: one without a cluster is no later answer than one with.
    """
    if source.dtype("time") in (nw.Float32, nw.Float64, nw.Boolean):
        raise InputError(
            f"time={source.roles['time']!r} orders the answers of a respondent; it holds {source.dtype('time')}.",
            argument="time",
            column=source.roles["time"],
        )
    others = [role for role in source.roles if role not in ("respondent", "time")]
    known = ~_missing("rating")
    for role in source.roles:
        known = known & ~_absent(source, role)
    # Categories have no least one in pandas.
    words = [role for role in others if source.dtype(role) in (nw.Categorical, nw.Enum) and role != "rating"]
    rows = source.by_role().filter(known)
    rows = rows.with_columns(nw.col("rating").cast(nw.Float64), *(nw.col(role).cast(nw.String) for role in words))
    rows = _at_end(rows, nw.col("time").max() if keep == "latest" else nw.col("time").min(), "time")
    # Roles after one another, so that what is left is an answer that was given.
    for role in ("rating", *(role for role in others if role != "rating")):
        rows = _at_end(rows, nw.col(role).min(), role)
    one = rows.group_by("respondent").agg(*(nw.col(role).min().alias(role) for role in others))
    roles = {role: role for role in ("respondent", *others)}
    return Source(frame=one, roles=roles, schema=dict(one.collect_schema()), lazy=source.lazy)


def unreadable_times(source: Source) -> int:
    """Rows with a time in words that are no date."""
    if source.dtype("time") != nw.String:
        return 0
    times = clock(source)
    if times.readable is None:
        return 0
    strange = (~times.readable & ~times.time.is_null()).fill_null(False)
    return int(collect(source.frame.select(strange.cast(nw.Int64).sum().alias("rows")))["rows"][0] or 0)


def _at_end(rows: nw.LazyFrame[Any], end: nw.Expr, role: str) -> nw.LazyFrame[Any]:
    """The rows of each respondent at an end of a role's values."""
    ends = rows.group_by("respondent").agg(end.alias("_end")).with_columns(nw.col("respondent").alias("_who"))
    held = rows.join(ends.drop("respondent"), left_on="respondent", right_on="_who", how="inner")
    return held.filter(nw.col(role) == nw.col("_end")).select(*rows.collect_schema().names())


def unanswerable(source: Source, *roles: str) -> dict[str, int]:
    """Rows without a rating, and of the others those without one of the roles, each row under one reason."""
    left = _missing("rating")
    parts = {"missing_rating": left}
    for role in roles:
        gone = _absent(source, role)
        parts[f"missing_{role}"] = gone & ~left
        left = left | gone
    parts["kept"] = ~left
    frame = source.by_role("rating", *roles)
    found = collect(frame.select(*(part.cast(nw.Int64).sum().alias(name) for name, part in parts.items())))
    return {name: int(cells[0] or 0) for name, cells in found.items()}


def _missing(role: str) -> nw.Expr:
    value = nw.col(role).cast(nw.Float64)
    return value.is_null() | value.is_nan()


def _absent(source: Source, role: str) -> nw.Expr:
    """Where a column, under the name of its role, holds nothing: a NaN is none of the things that it tells apart."""
    column = nw.col(role)
    return column.is_null() | column.is_nan() if source.dtype(role).is_float() else column.is_null()


@dataclass(frozen=True)
class Units:
    """Sums over the sampled units of each stratum: clusters, respondents or answers.

    ``promoters``, ``passives`` and ``detractors`` are sums of weights; with a unit's weight W and its promoters
    less its detractors S, ``squares`` sums W^2, ``nets`` S^2 and ``crossed`` S W. ``kish`` sums the squared weights
    of single answers.
    """

    strata: tuple[Any, ...]
    units: Integers
    answers: NDArray[np.int64]
    promoters: Floats
    passives: Floats
    detractors: Floats
    squares: Floats
    nets: Floats
    crossed: Floats
    kish: Floats


def unit_sums(source: Source, *, mean: bool) -> Units:
    """Fold answers into respondents where ``mean``, and these into clusters, and add the units up by stratum.

    A respondent's answers share one answer's weight, so that whoever answers more often does not count for more.
    """
    weight = nw.col("survey_weights").cast(nw.Float64) if source.has("survey_weights") else nw.lit(1.0)
    rating = nw.col("rating").cast(nw.Float64)
    flags = {
        "up": rating >= _PROMOTES,
        "level": (rating < _PROMOTES) & (rating > _DETRACTS),
        "down": rating <= _DETRACTS,
    }
    stratum = nw.col("strata") if source.has("strata") else nw.lit(0)
    known = ~_missing("rating")
    for role in ("strata", "cluster", "respondent"):
        if source.has(role):
            known = known & ~_absent(source, role)
    keys = [role for role in ("respondent", "cluster") if source.has(role)]
    rows = (
        source.by_role()
        .filter(known)
        .select(
            *keys,
            stratum.alias("stratum"),
            *(flag.cast(nw.Int64).alias(f"n_{name}") for name, flag in flags.items()),
            *((flag.cast(nw.Float64) * weight).alias(name) for name, flag in flags.items()),
            (weight * weight).alias("kish"),
        )
    )
    numbers = ["n_up", "n_level", "n_down", "up", "level", "down", "kish"]
    if mean:
        each = ["stratum", *keys]
        rows = _summed(rows, each, numbers)
        answers = nw.col("n_up") + nw.col("n_level") + nw.col("n_down")
        rows = rows.with_columns(*((nw.col(name) / answers).alias(name) for name in ("up", "level", "down")))
        total = nw.col("up") + nw.col("level") + nw.col("down")
        rows = rows.with_columns((total * total).alias("kish"))
    if source.has("cluster"):
        rows = _summed(rows, ["stratum", "cluster"], numbers)
    whole, net = nw.col("up") + nw.col("level") + nw.col("down"), nw.col("up") - nw.col("down")
    rows = rows.with_columns(
        (whole * whole).alias("squares"), (net * net).alias("nets"), (net * whole).alias("crossed"), one=nw.lit(1)
    )
    found = collect(_summed(rows, ["stratum"], [*numbers, "squares", "nets", "crossed", "one"]))
    order = sorted(range(len(found["stratum"])), key=lambda row: groups._sort_key(found["stratum"][row]))

    def column(name: str) -> Floats:
        return np.array([found[name][row] for row in order], dtype=np.float64)

    counts = np.stack([column(name) for name in ("n_up", "n_level", "n_down")], axis=1).astype(np.int64)
    return Units(
        strata=tuple(found["stratum"][row] for row in order),
        units=column("one").astype(np.int64),
        answers=counts,
        promoters=column("up"),
        passives=column("level"),
        detractors=column("down"),
        squares=column("squares"),
        nets=column("nets"),
        crossed=column("crossed"),
        kish=column("kish"),
    )


def _summed(rows: nw.LazyFrame[Any], keys: Sequence[str], numbers: Sequence[str]) -> nw.LazyFrame[Any]:
    return rows.group_by(*keys).agg(*(nw.col(name).sum().alias(name) for name in numbers))


def paired(source: Source, first: Any, second: Any) -> groups.Tally:
    """Customers by their answers in two waves: keys ``before, after`` (None without), and how many each gave."""
    known = ~_absent(source, "customer") & ~_missing("rating") & ~_absent(source, "wave")
    rows = source.by_role("customer", "rating", "wave").filter(known)
    parts = {}
    for name, wave in (("before", first), ("after", second)):
        there = nw.col("wave") == nw.lit(wave)
        parts[name] = nw.when(there).then(nw.col("rating").cast(nw.Float64)).otherwise(nw.lit(-1.0))
        parts[f"{name}_answers"] = there.cast(nw.Int64)
    marked = rows.select("customer", *(part.alias(name) for name, part in parts.items()))
    each = marked.group_by("customer").agg(
        nw.col("before").max(),
        nw.col("after").max(),
        nw.col("before_answers").sum(),
        nw.col("after_answers").sum(),
    )
    keys = ["before", "after", "before_answers", "after_answers"]
    found = collect(each.group_by(*keys).agg(nw.len().alias("_rows")).sort(*keys))
    counts = np.array(found["_rows"], dtype=np.int64)
    return groups.Tally(
        keys={key: tuple(found[key]) for key in keys},
        counts=counts,
        weights=counts.astype(np.float64),
        squared_weights=counts.astype(np.float64),
    )


def band(source: Source, role: str, edges: Sequence[float]) -> Keys:
    """The number of edges at or below a value, and whether it is known, as keys of a tally."""
    if not source.dtype(role).is_numeric():
        raise ColumnError(
            f"{role}={source.roles[role]!r} is a column of numbers; it holds {source.dtype(role)}.",
            argument=role,
            column=source.roles[role],
        )
    value = source.column(role).cast(nw.Float64)
    unknown = value.is_null() | value.is_nan()
    number = nw.lit(0)
    for edge in edges:
        number = number + (value >= edge).fill_null(False).cast(nw.Int64)
    return {"band": number, "unknown": unknown.cast(nw.Int64)}


# ---------------------------------------------------------------- work lists


def detractors(source: Source, *, better: tuple[Any, Sequence[Any]] | None) -> NativeFrame:
    """The rows of detractors, worst first and among these the most valuable.

    ``better`` is the best rep, if there is one, and the reps beside whose rows it stands.
    """
    rating = source.column("rating").cast(nw.Float64)
    rows = source.frame.filter(rating <= _DETRACTS)
    if better is not None:
        best, below = better
        nobody = nw.lit(None, dtype=nw.String)
        suggested = nw.when(source.column("rep").is_in(below)).then(nw.lit(best)) if below else nobody
        rows = rows.with_columns(suggested.alias("better_rep"))
    return _sorted(rows, source, [("rating", False), ("value", True), ("rep", False)])


def promoters(source: Source, answers: Mapping[str, float]) -> NativeFrame:
    """The rows of promoters, tens first, with constants beside each."""
    rating = source.column("rating").cast(nw.Float64)
    # A NaN is the greatest of numbers to some engines.
    rows = source.frame.filter((rating >= _PROMOTES) & ~rating.is_nan())
    if answers:
        rows = rows.with_columns(*(nw.lit(value).alias(name) for name, value in answers.items()))
    return _sorted(rows, source, [("rating", True), ("value", True)])


def _sorted(rows: nw.LazyFrame[Any], source: Source, order: Sequence[tuple[str, bool]]) -> NativeFrame:
    held = [(role, down) for role, down in order if source.has(role)]
    keys = {f"_{role}": source.column(role) for role, _ in held}
    keys |= {
        f"_{role}": nw.when(~source.column(role).is_nan()).then(source.column(role))
        for role, _ in held
        if source.dtype(role).is_float()
    }
    rows = rows.with_columns(*(key.alias(name) for name, key in keys.items()))
    rows = rows.sort(*keys, descending=[down for _, down in held], nulls_last=True).drop(*keys)
    if source.lazy:
        return rows.to_native()
    return nw.maybe_reset_index(rows.collect()).to_native()
