"""Clients of reps: distinct durations with the clients and fees behind each, from durations or from dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import tenures
from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect, once
from retention_metrics._engine.offers import mark
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.periods import DAYS

_REASONS = (
    "missing_rep",
    "missing_duration",
    "missing_churned",
    "missing_signed",
    "missing_monthly_fee",
    "after_as_of",
)


@dataclass(frozen=True)
class RepRows:
    """Distinct (rep, duration, churned) with the clients of each and the sum of their fees; durations in months.

    ``selling`` are the months from the first signing behind each row to the end of observation, by dates.
    """

    rep: tuple[Any, ...]
    duration: NDArray[np.float64]
    churned: NDArray[np.bool_]
    clients: NDArray[np.float64]
    fees: NDArray[np.float64]
    selling: NDArray[np.float64] | None
    excluded: Mapping[str, int]
    backend: str


def read(data: NativeFrame, roles: Mapping[str, str | None], *, monthly_fee: float, as_of: object) -> RepRows:
    """Read clients by duration and outcome, or by the dates on which they signed and left."""
    if roles["signed"] is not None:
        tenure = tenures.read(once(data, roles), roles, begin="signed", end="left", as_of=as_of)
        source, rows = tenure.source.with_frame(tenure.frame), _of_dates(tenure.until)
    else:
        source = adopt(data, roles)
        rows = _of_durations(source)
    fee = _number(source, "monthly_fee") if source.has("monthly_fee") else nw.lit(monthly_fee)
    rep = source.column("rep")
    frame = source.frame.select(rep.alias("rep"), fee.alias("fee"), **rows)
    return _summed(source, frame)


def _of_durations(source: Source) -> dict[str, nw.Expr]:
    duration, gone = _number(source, "duration"), mark(source, "churned")
    reason = (
        nw.when(duration.is_null())
        .then(nw.lit(2))
        .otherwise(nw.when(gone.is_null()).then(nw.lit(3)).otherwise(nw.lit(0)))
    )
    return {"length": duration, "gone": gone, "selling": nw.lit(0.0), "reason": reason}


def _of_dates(until: int) -> dict[str, nw.Expr]:
    late = nw.when(nw.col("_late")).then(nw.lit(6)).otherwise(nw.lit(0))
    return {
        "length": (nw.col("_last") - nw.col("_begun")).cast(nw.Float64),
        "gone": nw.col("_ended").cast(nw.Float64),
        "selling": (nw.lit(until) - nw.col("_begun")).cast(nw.Float64),
        "reason": nw.when(~nw.col("_known")).then(nw.lit(4)).otherwise(late),
    }


def _number(source: Source, role: str) -> nw.Expr:
    if not source.dtype(role).is_numeric():
        column = source.roles[role]
        raise ColumnError(
            f"{role}={column!r} is a column of numbers; it holds {source.dtype(role)}.", argument=role, column=column
        )
    value = source.column(role).cast(nw.Float64)
    return nw.when(~value.is_nan()).then(value)


def _summed(source: Source, frame: nw.LazyFrame[Any]) -> RepRows:
    no_rep, no_fee = nw.col("rep").is_null(), nw.col("fee").is_null()
    reason = nw.when(no_rep).then(nw.lit(1)).otherwise(nw.col("reason"))
    reason = nw.when(no_fee & (reason == 0)).then(nw.lit(5)).otherwise(reason)
    marked = frame.with_columns(reason.alias("reason"))
    grouped = marked.group_by("rep", "length", "gone", "reason").agg(
        nw.len().alias("clients"),
        nw.col("fee").sum().alias("fees"),
        nw.col("fee").min().alias("least"),
        nw.col("selling").max().alias("selling"),
    )
    found = collect(grouped)
    reasons = np.array(found["reason"], dtype=np.int64)
    clients = np.array(found["clients"], dtype=np.float64)
    if clients.size == 0:
        raise InputError("clients has at least one row; got none.", argument="clients", count=0)
    excluded = {
        name: int(clients[reasons == code].sum())
        for code, name in enumerate(_REASONS, start=1)
        if (reasons == code).any()
    }
    kept = np.flatnonzero(reasons == 0)
    if kept.size == 0:
        raise InputError(f"no client is left to count: {excluded}.", argument="clients", count=0)
    length, gone, least = (
        np.array([found[name][row] for row in kept], dtype=np.float64) for name in ("length", "gone", "least")
    )
    _refuse(source, length, gone, least, clients[kept])
    by_date = source.has("signed")
    rep = [found["rep"][row] for row in kept]
    order = sorted(range(kept.size), key=lambda row: (str(rep[row]), length[row], gone[row]))
    return RepRows(
        rep=tuple(rep[row] for row in order),
        duration=(length / DAYS["month"] if by_date else length)[order],
        churned=(gone == 1)[order],
        clients=clients[kept][order],
        fees=np.array([found["fees"][row] for row in kept], dtype=np.float64)[order],
        selling=np.array([found["selling"][row] for row in kept], dtype=np.float64)[order] / DAYS["month"]
        if by_date
        else None,
        excluded=excluded,
        backend=source.backend,
    )


def _refuse(
    source: Source,
    length: NDArray[np.float64],
    gone: NDArray[np.float64],
    least: NDArray[np.float64],
    clients: NDArray[np.float64],
) -> None:
    role = "left" if source.has("signed") else "duration"
    rule = "is not before the day of signing" if role == "left" else "is finite and at least 0"
    faults = (
        (role, rule, ~np.isfinite(length) | (length < 0)),
        ("churned", "is True or False, or 1 or 0", (gone != 0) & (gone != 1)),
        ("monthly_fee", "is finite and at least 0", ~np.isfinite(least) | (least < 0)),
    )
    for name, words, bad in faults:
        if bad.any():
            column = source.roles.get(name, name)
            raise InputError(
                f"{column} {words} for every client; {int(clients[bad].sum())} are not.",
                argument=name,
                column=column,
                count=int(clients[bad].sum()),
            )
