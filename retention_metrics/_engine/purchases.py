"""Transactions to one row per customer: frequency, recency, T and money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine.adopt import NativeFrame, Source
from retention_metrics._engine.audit import OK, Events, Fold, Parts, aggregate, audit_events, read_clock
from retention_metrics._engine.clock import Clock
from retention_metrics._engine.tables import refuse_clash
from retention_metrics.errors import InputError
from retention_metrics.periods import Moment, Period

Returns = Literal["net", "exclude", "raise"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What to make of a transaction log."""

    unit_days: float
    collapse: Period
    as_of: object
    calibration_end: Moment | None
    since: Moment | None
    returns: Returns
    audit: bool


@dataclass(frozen=True)
class Summary:
    """The frame of histories, and what the audit found."""

    frame: NativeFrame
    as_of: Moment
    excluded: Mapping[str, int] | None
    negative: int
    columns: tuple[str, ...]


def summarise(data: NativeFrame, *, customer: str, time: str, value: str | None, plan: Plan) -> Summary:
    """One row per customer in the caller's kind of frame; a lazy frame is audited once and not run."""
    roles = {"customer": customer, "time": time, "value": value}
    source, times = read_clock(data, roles, tz=plan.collapse.tz)
    columns = _columns(source, plan)
    step = times.first_day(plan.collapse)
    in_memory = source.frame.implementation is nw.Implementation.PANDAS
    events, left_out = _audited(source, times, plan, {"step": step}, grouped=not in_memory)
    _check_window(events.as_of, plan.calibration_end)
    if in_memory:
        frame, left_out = _in_memory(events, plan, customer)
    else:
        planned = _planned(events, plan, customer, columns)
        frame = planned.to_native() if source.lazy else planned.sort(customer).collect().to_native()
    excluded = None if events.excluded is None else {**events.excluded, **left_out}
    return Summary(frame, events.as_of, excluded, events.negative, columns)


def _columns(source: Source, plan: Plan) -> tuple[str, ...]:
    names = ["frequency", "recency", "T"]
    names += ["monetary_value"] if source.has("value") else []
    if plan.calibration_end is not None:
        names += ["frequency_holdout"]
        names += ["monetary_value_holdout"] if source.has("value") else []
        names += ["duration_holdout"]
    refuse_clash(source.roles["customer"], names)
    return tuple(names)


def _check_window(as_of: Moment, calibration_end: Moment | None) -> None:
    if calibration_end is not None and calibration_end.day > as_of.day:
        raise InputError(
            f"calibration_end ({calibration_end.date}) is at or before as_of ({as_of.date}).",
            argument="calibration_end",
        )


def _bought(source: Source) -> nw.Expr:
    """Whether a row is a purchase: money that flows back is none."""
    return nw.col("value") >= 0 if source.has("value") else nw.lit(True)


def _audited(
    source: Source, times: Clock, plan: Plan, extra: Mapping[str, nw.Expr], *, grouped: bool
) -> tuple[Events, dict[str, int]]:
    """Audit the log; customers who cannot have a history are counted in the same query."""
    ok, day = nw.col("reason") == OK, nw.col("day")
    outer = _left_out(source, plan) if grouped else {}
    inner: Parts = {
        "first_bought": (nw.when(ok & _bought(source)).then(day), "min"),
        "first_seen": (nw.when(ok).then(day), "min"),
        "counted": (ok.cast(nw.Int64), "sum"),
    }
    events, counts = audit_events(
        source,
        times,
        as_of=plan.as_of,
        tz=plan.collapse.tz,
        audit=plan.audit,
        extra=extra,
        inner=inner if outer else None,
        outer=outer,
    )
    _refuse_returns(events, plan)
    return events, {name: counts[name] for name in outer if counts.get(name)}


def _left_out(source: Source, plan: Plan) -> dict[str, nw.Expr]:
    """Rows of customers who have no history here, by reason; without a reason nothing is grouped."""
    rows: dict[str, nw.Expr] = {}
    old: nw.Expr | None = None
    if plan.since is not None:
        old = nw.col("first_seen") < plan.since.day
        rows["first_seen_before_since"] = _counted(old)
    if plan.calibration_end is not None:
        late = nw.col("first_bought") > plan.calibration_end.day
        rows["first_purchase_after_calibration"] = _counted(late if old is None else late & ~old)
    if source.has("value") and plan.returns == "net":
        never = nw.col("first_bought").is_null() & (nw.col("counted") > 0)
        rows["no_purchase"] = _counted(never if old is None else never & ~old)
    return rows


def _counted(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.col("counted")).otherwise(nw.lit(0)).sum()


def _refuse_returns(events: Events, plan: Plan) -> None:
    if plan.returns == "raise" and events.negative:
        raise InputError(
            f"value={events.source.roles['value']!r} is below zero in {events.negative} rows.",
            argument="value",
            column=events.source.roles["value"],
            count=events.negative,
            fix="returns='net' takes them off the customer's value, returns='exclude' leaves them out.",
        )


def _rows_to_count(events: Events, plan: Plan) -> nw.LazyFrame[Any]:
    kept = events.kept
    if events.source.has("value") and plan.returns == "exclude":
        kept = kept.filter(nw.col("value") >= 0)
    return kept


def _window_days(events: Events, plan: Plan) -> tuple[int, float]:
    """The step that ends calibration, and the length of the holdout in days."""
    end = plan.calibration_end or events.as_of
    step = int(plan.collapse.first_day(plan.collapse.index_of(np.array([end.day])))[0])
    return step, float(events.as_of.day - end.day)


def _planned(events: Events, plan: Plan, customer: str, columns: tuple[str, ...]) -> nw.LazyFrame[Any]:
    """The plan in the caller's engine: one group-by to purchase steps, one to customers."""
    valued, split = events.source.has("value"), plan.calibration_end is not None
    keys = ("customer", "step", "later") if split else ("customer", "step")
    end = plan.calibration_end.day if plan.calibration_end else 0
    rows = _rows_to_count(events, plan).with_columns((nw.col("day") > end).cast(nw.Int64).alias("later"))
    folds: dict[str, tuple[nw.Expr, Fold]] = {
        "bought": (_bought(events.source).cast(nw.Int64), "max"),
        "day": (nw.col("day"), "min"),
    }
    if valued:
        folds["value"] = (nw.col("value"), "sum")
    steps = aggregate(rows, keys, folds)
    later = nw.col("later") if split else nw.lit(0)
    steps = steps.with_columns(
        ((nw.col("bought") == 1) & (later == 0)).cast(nw.Int64).alias("in_calibration"),
        ((nw.col("bought") == 1) & (later == 1)).cast(nw.Int64).alias("in_holdout"),
    )
    counted, step = nw.col("in_calibration"), nw.col("step")
    purchase_step = nw.when(counted == 1).then(step)
    parts: dict[str, tuple[nw.Expr, Fold]] = {
        "first": (purchase_step, "min"),
        "last": (purchase_step, "max"),
        "purchases": (counted, "sum"),
        "seen": (nw.col("day"), "min"),
        "frequency_holdout": (nw.col("in_holdout"), "sum"),
    }
    if valued:
        nothing = nw.lit(0.0)
        parts["spent"] = (nw.when(later == 0).then(nw.col("value")).otherwise(nothing), "sum")
        parts["spent_later"] = (nw.when(later == 1).then(nw.col("value")).otherwise(nothing), "sum")
        # A join reads a Polars scan twice; on DuckDB a window takes three times as long as the join.
        windowed = steps.implementation is nw.Implementation.POLARS
        if windowed:
            steps = steps.with_columns(purchase_step.min().over("customer").alias("opening"))
            opening = (counted == 1) & (step == nw.col("opening"))
            parts["first_value"] = (nw.when(opening).then(nw.col("value")).otherwise(nothing), "sum")
    per_customer = aggregate(steps, ("customer",), parts)
    per_customer = per_customer.filter(nw.col("purchases") > 0)
    if plan.since is not None:
        per_customer = per_customer.filter(nw.col("seen") >= plan.since.day)
    if valued and not windowed:
        first_step = steps.filter(counted == 1).select(
            nw.col("customer"), nw.col("step").alias("first"), nw.col("value").alias("first_value")
        )
        per_customer = per_customer.join(first_step, on=["customer", "first"], how="left")
    return _named(per_customer, events, plan, customer, columns)


def _named(
    per_customer: nw.LazyFrame[Any], events: Events, plan: Plan, customer: str, columns: tuple[str, ...]
) -> nw.LazyFrame[Any]:
    """The columns of a history, in units of time."""
    end, holdout = _window_days(events, plan)
    repeats = (nw.col("purchases") - 1).cast(nw.Int64)
    answers = {
        "frequency": repeats,
        "recency": (nw.col("last") - nw.col("first")).cast(nw.Float64) / plan.unit_days,
        "T": (nw.lit(end) - nw.col("first")).cast(nw.Float64) / plan.unit_days,
        "frequency_holdout": nw.col("frequency_holdout").cast(nw.Int64),
        "duration_holdout": nw.lit(holdout / plan.unit_days),
    }
    if events.source.has("value"):
        again = (nw.col("spent") - nw.col("first_value")) / repeats.cast(nw.Float64)
        answers["monetary_value"] = nw.when(nw.col("purchases") > 1).then(again)
        later = nw.col("spent_later") / nw.col("frequency_holdout").cast(nw.Float64)
        answers["monetary_value_holdout"] = nw.when(nw.col("frequency_holdout") > 0).then(later)
    return per_customer.select(nw.col("customer").alias(customer), *(answers[name].alias(name) for name in columns))


def _in_memory(events: Events, plan: Plan, customer: str) -> tuple[NativeFrame, dict[str, int]]:
    """The same for pandas by sorting whole numbers, which is several times faster than its groupby."""
    import pandas as pd

    valued = events.source.has("value")
    rows = _rows_to_count(events, plan).collect().to_native()
    codes, uniques = pd.factorize(rows["customer"], sort=True)
    step, day = rows["step"].to_numpy(np.int64), rows["day"].to_numpy(np.int64)
    later = day > plan.calibration_end.day if plan.calibration_end else None
    value = rows["value"].to_numpy(np.float64) if valued else None
    del rows
    codes = np.asarray(codes, dtype=np.int64)
    per_customer = _kernel(codes, len(uniques), step, later, value)
    old = np.zeros(len(uniques), dtype=bool)
    if plan.since is not None:
        old[codes[day < plan.since.day]] = True
    keep = (per_customer["purchases"] > 0) & ~old
    left_out = _count_left_out(codes, keep, old, per_customer["later"])
    found = {name: cells[keep] for name, cells in per_customer.items()}
    end, holdout = _window_days(events, plan)
    repeats = found["purchases"].astype(np.int64) - 1
    answers: dict[str, Any] = {
        "frequency": repeats,
        "recency": (found["last"] - found["first"]) / plan.unit_days,
        "T": (end - found["first"]) / plan.unit_days,
    }
    if valued:
        answers["monetary_value"] = _mean(found["spent"] - found["first_value"], repeats)
    if later is not None:
        answers["frequency_holdout"] = found["later"].astype(np.int64)
        if valued:
            answers["monetary_value_holdout"] = _mean(found["spent_later"], answers["frequency_holdout"])
        answers["duration_holdout"] = np.full(repeats.size, holdout / plan.unit_days)
    return pd.DataFrame({customer: uniques[keep], **answers}), left_out


def _count_left_out(codes: Integers, keep: NDArray[np.bool_], old: NDArray[np.bool_], later: Floats) -> dict[str, int]:
    """Rows of the customers who have no history here, by reason."""
    if keep.all():
        return {}
    rows = np.bincount(codes, minlength=keep.size)
    fresh = ~keep & ~old
    counts = {
        "first_seen_before_since": int(rows[old].sum()),
        "first_purchase_after_calibration": int(rows[fresh & (later > 0)].sum()),
        "no_purchase": int(rows[fresh & (later == 0)].sum()),
    }
    return {reason: count for reason, count in counts.items() if count}


def _mean(total: Floats, count: Integers) -> Floats:
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _kernel(
    codes: Integers, customers: int, step: Integers, later: NDArray[np.bool_] | None, value: Floats | None
) -> dict[str, Floats]:
    """Purchase steps and money per customer, from rows sorted by one whole number.

    The number packs customer, half (calibration or holdout) and step, so that one sort orders all three.
    """
    low = int(step.min()) if step.size else 0
    span = (int(step.max()) - low + 1) if step.size else 1
    half = 0 if later is None else later.astype(np.int64)
    key = (codes * 2 + half) * span + (step - low)
    if value is None:
        key = np.sort(key)
        money = None
    else:
        order = np.argsort(key)
        key, money = key[order], value[order]
        del order
    starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    key = key[starts]
    when = (key % span + low).astype(np.float64)
    key //= span
    who, in_holdout = key >> 1, (key & 1).astype(bool)
    if money is None:
        bought = np.ones(starts.size, dtype=bool)
        sums = None
    else:
        bought = np.ones(starts.size, dtype=bool) if (money >= 0).all() else np.maximum.reduceat(money, starts) >= 0
        sums = np.add.reduceat(money, starts)
    calibrated = bought & ~in_holdout
    place = np.flatnonzero(calibrated)
    owner = who[place]
    first_of = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1]))) if place.size else place
    last_of = np.append(first_of[1:], place.size) - 1 if place.size else place
    found: dict[str, Floats] = {name: np.zeros(customers) for name in ("first", "last")}
    people = owner[first_of]
    found["first"][people], found["last"][people] = when[place[first_of]], when[place[last_of]]
    found["purchases"] = np.bincount(owner, minlength=customers).astype(np.float64)
    found["later"] = np.bincount(who[bought & in_holdout], minlength=customers).astype(np.float64)
    if sums is not None:
        found["first_value"] = np.zeros(customers)
        found["first_value"][people] = sums[place[first_of]]
        for name, part in (("spent", ~in_holdout), ("spent_later", in_holdout)):
            added = np.bincount(who, weights=np.where(part, sums, 0.0), minlength=customers)
            found[name] = added.astype(np.float64)
    return found
