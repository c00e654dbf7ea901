"""Purchases through time: how many first and repeat purchases each day saw, and the days of one customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine.adopt import NativeFrame, collect, once
from retention_metrics._engine.audit import Events, aggregate, audit_events, read_clock
from retention_metrics._engine.histories import COVARIATE, adopt_covariates, cells_of
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.errors import InputError
from retention_metrics.periods import Moment, Period

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """Purchases by the day that begins their step, counted from 1970-01-01.

    ``first`` counts customers by the day of their first purchase, ``repeat`` purchases after it; ``came`` counts them
    by that day and their covariates.
    """

    day: Floats
    first: Floats
    repeat: Floats
    came: Arrivals
    as_of: Moment
    excluded: Mapping[str, int]
    backend: str


@dataclass(frozen=True)
class Arrivals:
    """Customers by the day of their first purchase and by their covariates, which go by column."""

    day: Floats
    customers: Floats
    covariates: Mapping[str, NDArray[Any]]


def timeline(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None,
    collapse: Period,
    as_of: object,
    calibration_end: Moment | None,
    covariates: Sequence[str] = (),
    of: NativeFrame | CustomerTable | None = None,
) -> Timeline:
    """First and repeat purchases by day, of the customers who came by the end of calibration.

    Their covariates are columns of the log, or of a frame ``of`` customers.
    """
    events, steps = _steps(data, {"customer": customer, "time": time, "value": value}, collapse, as_of)
    end = calibration_end or events.as_of
    if end.day > events.as_of.day:
        raise InputError(
            f"calibration_end ({end.date}) is at or before as_of ({events.as_of.date}).", argument="calibration_end"
        )
    began = aggregate(steps, ("customer",), {"began": (nw.col("step"), "min"), "seen": (nw.col("day"), "min")})
    began = began.filter(nw.col("seen") <= end.day).select("customer", "began")
    joined = steps.join(began, on="customer", how="inner")
    first = (nw.col("step") == nw.col("began")).cast(nw.Int64)
    counted = collect(aggregate(joined, ("step",), {"first": (first, "sum"), "repeat": (1 - first, "sum")}))
    found = {name: np.array(cells, dtype=np.float64) for name, cells in counted.items()}
    order = np.argsort(found["step"])
    day, arrived = found["step"][order], found["first"][order]
    came = Arrivals(day[arrived > 0], arrived[arrived > 0], {})
    if covariates:
        came = _arrivals(began, data if of is None else of, customer, covariates, int(arrived.sum()))
    return Timeline(
        day=day,
        first=arrived,
        repeat=found["repeat"][order],
        came=came,
        as_of=events.as_of,
        excluded=events.excluded or {},
        backend=events.source.backend,
    )


def _arrivals(
    began: nw.LazyFrame[Any],
    frame: NativeFrame | CustomerTable,
    customer: str,
    covariates: Sequence[str],
    customers: int,
) -> Arrivals:
    """Customers by the day of their first purchase and the covariates that a frame holds for them."""
    source = adopt_covariates(frame, covariates, customer=customer)
    known = source.by_role().unique()
    if known.implementation is not began.implementation:
        raise InputError(
            f"covariates is a frame of the log's library, {began.implementation.name.lower()}; "
            f"got one of {known.implementation.name.lower()}.",
            argument="covariates",
        )
    columns = tuple(role for role in source.roles if role != "customer")
    try:
        joined = began.select("customer", "began").join(known, on="customer", how="left")
    except Exception as error:  # each engine has its own error for keys of another type, or for another connection
        raise InputError(f"covariates cannot be joined to the log: {error}", argument="covariates") from None
    counted = collect(aggregate(joined, ("began", *columns), {"customers": (nw.lit(1), "sum")}))
    number = np.array(counted["customers"], dtype=np.float64)
    if number.sum() > customers:
        raise InputError(
            f"covariates are the same in every row of a customer; {customers} customers have "
            f"{int(number.sum())} different rows of them.",
            argument="covariates",
        )
    cells = {column.removeprefix(COVARIATE): cells_of(counted[column]) for column in columns}
    return Arrivals(np.array(counted["began"], dtype=np.float64), number, cells)


def covariates_of(
    frame: NativeFrame | CustomerTable, covariates: Sequence[str], *, customer: str, who: Any
) -> dict[str, Any]:
    """The covariates that a frame holds for one customer, by column."""
    found = _of_customer(adopt_covariates(frame, covariates, customer=customer).by_role().unique(), who, customer)
    number = len(found["customer"])
    if number != 1:
        problem = "has no row of them" if number == 0 else f"has {number} different rows of them"
        raise InputError(
            f"covariates are the same in every row of a customer; who={who!r} {problem}.", argument="covariates"
        )
    return {role.removeprefix(COVARIATE): cells_of(cells) for role, cells in found.items() if role != "customer"}


def purchase_days(
    data: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None,
    collapse: Period,
    as_of: object,
    who: Any,
) -> tuple[Floats, Moment, str]:
    """The days of one customer's purchases, in order, the end of observation and the library of the log."""
    events, steps = _steps(data, {"customer": customer, "time": time, "value": value}, collapse, as_of)
    found = _of_customer(steps.select("customer", "step"), who, customer)["step"]
    if not found:
        raise InputError(f"who={who!r} made no purchase in the log.", argument="who", column=customer)
    return np.sort(np.array(found, dtype=np.float64)), events.as_of, events.source.backend


def _of_customer(rows: nw.LazyFrame[Any], who: Any, customer: str) -> Mapping[str, Sequence[Any]]:
    """The columns of one customer's rows."""
    try:
        return collect(rows.filter(nw.col("customer") == nw.lit(who)))
    except InputError:
        raise
    except Exception as error:  # each engine has its own error for a value of another type
        raise InputError(
            f"who={who!r} cannot be compared with the column {customer!r}: {error}", argument="who", column=customer
        ) from None


def _steps(
    data: NativeFrame, roles: Mapping[str, str | None], collapse: Period, as_of: object
) -> tuple[Events, nw.LazyFrame[Any]]:
    """Purchases of a customer within one step are one."""
    source, times = read_clock(once(data, roles), roles, tz=collapse.tz)
    events, _ = audit_events(source, times, as_of=as_of, tz=collapse.tz, extra={"step": times.first_day(collapse)})
    kept = events.kept
    if source.has("value"):
        kept = kept.filter(nw.col("value") >= 0)
    return events, aggregate(kept, ("customer", "step"), {"day": (nw.col("day"), "min")})
