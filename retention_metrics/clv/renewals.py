"""Customers under contract as arrays: durations with their counts, and the likelihood summed over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics.clv import frames
from retention_metrics.clv.parts import Terms
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
_KEYS = 2.0**62


@dataclass(frozen=True, slots=True, eq=False)
class Renewals:
    """Distinct pairs of duration and churn, with the customers of each.

    Parameters
    ----------
    duration : ndarray of float, shape (n_rows,)
        The renewal at which customers left, or the renewals passed by those who are still there.
    churned : ndarray of bool, shape (n_rows,)
        Whether they left.
    counts : ndarray of float, shape (n_rows,)
        Customers of each row, above 0.
    """

    duration: Floats
    churned: Booleans
    counts: Floats

    @classmethod
    def of(cls, duration: Floats, churned: Booleans, counts: Floats | None) -> Renewals:
        """Gather equal rows."""
        pairs, which = distinct(duration, churned)
        totals = np.bincount(which, weights=counts, minlength=pairs.shape[1]).astype(float)
        kept = totals > 0
        return cls(pairs[0, kept], pairs[1, kept] > 0, totals[kept])

    @property
    def customers(self) -> int:
        """Number of customers."""
        return round(float(self.counts.sum()))

    @property
    def left(self) -> int:
        """Number of customers who left."""
        return round(float(self.counts[self.churned].sum()))

    @property
    def observed(self) -> int:
        """The last renewal that any customer was observed to reach."""
        return int(self.duration.max(initial=0.0))

    def at_risk(self, renewal: Floats) -> tuple[Floats, Floats]:
        """Customers observed to decide at each of these renewals, and those of them who left."""
        reached = self.duration >= renewal[:, None]
        gone = (self.duration == renewal[:, None]) & self.churned
        return reached @ self.counts, gone @ self.counts


def distinct(*columns: NDArray[Any]) -> tuple[Floats, NDArray[np.intp]]:
    """The distinct rows of columns of whole numbers of at least 0, sorted, and the place of every row among them."""
    sizes = [float(column.max(initial=0)) + 1 for column in columns]
    if np.prod(sizes) >= _KEYS:
        rows, which = np.unique(np.stack(columns).astype(float), axis=1, return_inverse=True)
        return rows, which.reshape(-1)
    key = np.zeros(columns[0].size, dtype=np.int64)
    for column, size in zip(columns, sizes, strict=True):
        key = key * int(size) + column.astype(np.int64)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return np.stack([column[first].astype(float) for column in columns]), which.reshape(-1)


@dataclass(frozen=True)
class RenewalTable:
    """What a fit reads: the data, and the library whose frames its results give."""

    data: Renewals
    backend: str = "pandas"


def check(duration: ArrayLike, churned: ArrayLike) -> tuple[Floats, Booleans]:
    """Broadcast durations that can have happened."""
    passed = _checks.whole(duration, name="duration")
    given = np.asarray(churned)
    left = _checks.booleans(given.reshape(-1), name="churned").reshape(given.shape)
    try:
        passed, left = np.broadcast_arrays(passed, left)
    except ValueError:
        shapes = f"{passed.shape} and {left.shape}"
        raise InputError(f"duration and churned broadcast; got {shapes}.", argument="churned") from None
    _checks.refuse(
        left & (passed < 1), passed, name="duration", rule="is at least 1 for a customer who left, the renewal's number"
    )
    return passed, left


def read(customers: Any, *, duration: str | None, churned: Any, counts: Any) -> RenewalTable:
    """Durations from a frame and its columns, or from arrays."""
    if adopt.is_frame(customers):
        return _from_frame(customers, duration, churned, counts)
    if duration is not None:
        raise InputError(
            f"duration= names a column of a frame; beside an array it is left out; got {duration!r}.",
            argument="duration",
        )
    passed, left = check(
        _checks.one_dimensional(customers, name="duration"), _checks.one_dimensional(churned, name="churned")
    )
    weights = None if counts is None else _whole_counts(_checks.one_dimensional(counts, name="counts"))
    _checks.same_length(duration=np.asarray(customers), churned=np.asarray(churned))
    if weights is not None:
        _checks.same_length(duration=passed, counts=weights)
    return RenewalTable(_some(Renewals.of(passed, left, weights)))


def columns(duration: Any, churned: Any, counts: Any) -> dict[str, str | None]:
    """Column names by role."""
    for role, name in (("duration", duration), ("churned", churned), ("counts", counts)):
        if not isinstance(name, str) and not (role == "counts" and name is None):
            shown = "nothing" if name is None else type(name).__name__
            raise InputError(f"{role}= names a column of the frame; got {shown}.", argument=role)
    return {"duration": duration, "churned": churned, "counts": counts}


def _from_frame(customers: Any, duration: Any, churned: Any, counts: Any) -> RenewalTable:
    table = frames.adopt(customers, columns(duration, churned, counts))
    data, _ = by_covariates(table)
    return RenewalTable(Renewals.of(data.duration, data.churned, data.counts), backend=table.backend)


def by_covariates(table: frames.HistoryTable) -> tuple[Renewals, dict[str, Any]]:
    """The rows of a table, and the covariates of each by column."""
    covariates = table.covariates
    found = table.source.arrays("duration", "churned", "counts", *covariates, counts=True)
    try:
        passed, left = check(found["duration"], found["churned"])
        counts = _whole_counts(found["counts"]) if "counts" in found else np.ones(passed.size)
    except InputError as error:
        raise table._in_columns(error) from None
    return _some(Renewals(passed, left, counts)), {name: found[role] for role, name in covariates.items()}


def _whole_counts(counts: ArrayLike) -> Floats:
    return _checks.whole(counts, name="counts")


def _some(data: Renewals) -> Renewals:
    if data.customers == 0:
        raise InputError("there are no customers to fit to.", argument="customers", count=0)
    return data


def of_survivors(counts: Any) -> RenewalTable:
    """The customers behind the survivors of one cohort or of several."""
    rows = [_cohort(survivors, name=f"the cohort {name!r}") for name, survivors in _cohorts(counts)]
    parts = [np.concatenate(part) for part in zip(*rows, strict=True)]
    return RenewalTable(_some(Renewals.of(parts[0], parts[1] > 0, parts[2])))


def _cohorts(counts: Any) -> list[tuple[object, Floats]]:
    if isinstance(counts, Mapping):
        named = list(counts.items())
    else:
        array = _checks.floats(counts, name="counts", allow_missing=True)
        if array.ndim not in (1, 2):
            raise InputError(
                f"counts are one cohort's survivors or a row per cohort; got shape {array.shape}.", argument="counts"
            )
        named = list(enumerate(np.atleast_2d(array)))
    if not named:
        raise InputError("there are no cohorts to fit to.", argument="counts", count=0)
    return [(name, _checks.floats(row, name="counts", allow_missing=True)) for name, row in named]


def _cohort(survivors: Floats, *, name: str) -> tuple[Floats, Floats, Floats]:
    """Durations, churn and customers of a cohort."""
    seen = np.flatnonzero(~np.isnan(survivors))
    if survivors.ndim != 1 or seen.size == 0:
        raise InputError(f"{name} holds no survivors.", argument="counts", count=0)
    kept = survivors[seen[0] : seen[-1] + 1]
    _checks.refuse(np.isnan(kept), kept, name="counts", rule=f"of {name} have no gap")
    _checks.whole(kept, name="counts")
    _checks.refuse(
        np.append(False, np.diff(kept) > 0), kept, name="counts", rule=f"of {name} never rise: who left stays away"
    )
    renewals = np.arange(1.0, kept.size)
    duration = np.append(renewals, kept.size - 1.0)
    churned = np.append(np.ones(renewals.size), 0.0)
    return duration, churned, np.append(-np.diff(kept), kept[-1])


class RenewalObjective:
    """The log-likelihood of the renewals with its derivatives."""

    def __init__(
        self, data: Renewals, survival: Callable[[Floats, Floats], Terms], hazard: Callable[[Floats, Floats], Terms]
    ) -> None:
        left = data.churned
        self._passed = np.where(left, data.duration - 1, data.duration)
        self._counts = data.counts
        self._leaves, self._leavers = data.duration[left], data.counts[left]
        self._survival, self._hazard = survival, hazard

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters of ``to_odds``."""
        stayed, left = self._survival(theta, self._passed), self._hazard(theta, self._leaves)
        return (
            float(stayed.value @ self._counts + left.value @ self._leavers),
            stayed.slopes @ self._counts + left.slopes @ self._leavers,
            stayed.curvatures @ self._counts + left.curvatures @ self._leavers,
        )
