"""Purchase histories as arrays: what the models compute on, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
_BLOCK = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Purchase histories, one row per customer or per distinct history.

    Parameters
    ----------
    purchases : ndarray of float or int, shape (n_rows,)
        Repeat purchases, as the table holds them: a large one is not copied.
    recency : ndarray of float, shape (n_rows,)
        Time of the last purchase, counted from the first.
    T : ndarray of float, shape (n_rows,)
        Time under observation, counted from the first purchase.
    counts : ndarray of float, shape (n_rows,), optional
        Customers with this history; one each by default.
    """

    purchases: Floats | NDArray[np.integer[Any]]
    recency: Floats
    T: Floats
    counts: Floats | None = None

    @property
    def frequency(self) -> Floats:
        """Repeat purchases as floats."""
        return self.purchases.astype(np.float64, copy=False)

    @property
    def customers(self) -> int:
        """Number of customers."""
        return int(self.T.size if self.counts is None else round(float(self.counts.sum())))

    @property
    def rate(self) -> float:
        """Repeat purchases per customer and unit of time."""
        return float(np.average(self.frequency, weights=self.counts) / np.average(self.T, weights=self.counts))

    @property
    def occupied(self) -> Histories:
        """The rows that customers are behind: one without any says nothing, however odd it is."""
        if self.counts is None or self.counts.all():
            return self
        rows = self.counts > 0
        return Histories(self.purchases[rows], self.recency[rows], self.T[rows], self.counts[rows])

    def every(self, step: int) -> Histories:
        """Every ``step``-th row: a sample that is the same each time."""
        rows = slice(None, None, step)
        counts = None if self.counts is None else self.counts[rows]
        return Histories(self.purchases[rows], self.recency[rows], self.T[rows], counts)


def check(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Broadcast histories that can have happened; an InputError shows the first row that cannot."""
    frequencies = _finite(frequency, "frequency")
    recencies = _finite(recency, "recency")
    ages = _finite(T, "T")
    try:
        frequencies, recencies, ages = np.broadcast_arrays(frequencies, recencies, ages)
    except ValueError:
        shapes = f"frequency {frequencies.shape}, recency {recencies.shape}, T {ages.shape}"
        raise InputError(f"frequency, recency and T broadcast to one shape; got {shapes}.", argument="T") from None
    check_pairs(frequencies, recencies, ages)
    return frequencies, recencies, ages


def take(
    frequency: NDArray[Any], recency: Floats, T: Floats
) -> tuple[Floats | NDArray[np.integer[Any]], Floats, Floats]:
    """``check`` for the columns of a table: no copy, and no working array of the table's length."""
    for start in range(0, T.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        x, t_x, age = frequency[rows], recency[rows], T[rows]
        impossible = ~(t_x <= age) | (t_x < 0) | np.isinf(age) | (x < 0) | (x != np.floor(x)) | ((x == 0) & (t_x > 0))
        if impossible.any():
            check(frequency, recency, T)
    return frequency, recency, T


def check_pairs(frequency: Floats, recency: Floats, T: Floats) -> None:
    """Refuse combinations that cannot have happened."""
    if not (frequency == np.floor(frequency)).all():
        _checks.refuse(frequency != np.floor(frequency), frequency, name="frequency", rule="holds whole numbers")
    if not (recency <= T).all():
        bad = recency > T
        first = int(np.flatnonzero(bad)[0])
        late, age = float(recency.flat[first]), float(T.flat[first])
        where = f"{int(bad.sum())} of {bad.size} customers (row {first}: {late:g} > {age:g})"
        raise InputError(
            f"recency exceeds T for {where}.",
            argument="recency",
            column="recency",
            count=int(bad.sum()),
            first=[late],
            fix="Is as_of= before their last purchase?",
        )
    once = frequency == 0
    if (recency.astype(bool) & once).any():
        _checks.refuse(
            once & (recency > 0),
            recency,
            name="recency",
            rule="is 0 where frequency is 0, for it counts from the first purchase to the last",
        )


def _finite(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        return _checks.floats(values, name=name, low=0.0)
    converted = array.astype(np.float64, copy=False)
    # One pass over a good column; the wording of a bad one may take its time.
    if converted.size and not (np.isfinite(converted).all() and converted.min() >= 0):
        _checks.floats(converted, name=name, low=0.0)
    return converted


def distinct(columns: Sequence[Floats], counts: Floats | None) -> tuple[Floats, Floats]:
    """The distinct rows of some columns, in order, and the customers behind each; rows without customers are left out.

    Shapes (n_columns, n_distinct) and (n_distinct,).
    """
    order = np.lexsort(list(columns))
    rows = np.stack([column[order] for column in columns])
    each = np.ones(order.size) if counts is None else counts[order]
    starts = np.flatnonzero(np.append(True, (rows[:, 1:] != rows[:, :-1]).any(axis=0))[: order.size])
    customers = np.add.reduceat(each, starts) if starts.size else each
    return rows[:, starts][:, customers > 0], customers[customers > 0]
