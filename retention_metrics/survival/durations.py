"""How long customers stayed: read from arrays or counted in a frame's engine, checked and put in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt, groups
from retention_metrics._engine.durations import distinct_rows
from retention_metrics._stats.product_limit import RiskTable, risk_table
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.results import Cell

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]
Role = Literal["by", "strata"]

_LABELS: tuple[Role, ...] = ("by", "strata")
# The reason under which a row without the role's value is counted out.
_MISSING: Mapping[str, str] = {
    "duration": "missing_duration",
    "churned": "missing_churned",
    "entry": "missing_entry",
    "counts": "missing_counts",
    "by": "missing_group",
    "strata": "missing_stratum",
}


class Labels(NamedTuple):
    """The distinct values of a column of labels, sorted, and which of them each row has."""

    names: tuple[Cell, ...]
    codes: Integers

    def keep(self, rows: Booleans) -> Labels:
        """The labels of some of the rows; names that are left without a row go."""
        codes = self.codes[rows]
        held = np.bincount(codes, minlength=len(self.names)) > 0
        names = tuple(name for name, there in zip(self.names, held.tolist(), strict=True) if there)
        return Labels(names, (np.cumsum(held) - 1)[codes])


@dataclass(frozen=True)
class Durations:
    """Rows of customers with how long each stayed, or was watched.

    ``counts`` are the customers behind each row; None is one each. ``entry`` is None where all were watched from
    the start.
    """

    duration: Floats
    churned: Booleans
    entry: Floats | None
    counts: Floats | None
    labels: Mapping[Role, Labels]
    excluded: Mapping[str, int]
    backend: str

    @property
    def customers(self) -> int:
        """Customers in all."""
        return self.duration.size if self.counts is None else int(self.counts.sum())

    def risk_table(self) -> RiskTable:
        """Distinct times with the customers at risk, lost and last seen at each."""
        return risk_table(self.duration, self.churned, entry=self.entry, counts=self.counts)

    def split(self, role: Role) -> Iterator[tuple[Cell, Durations]]:
        """The rows of each label in turn."""
        labels = self.labels[role]
        for code, name in enumerate(labels.names):
            yield name, self.keep(labels.codes == code)

    def keep(self, rows: Booleans) -> Durations:
        """Some of the rows."""
        if rows.all():
            return self
        return replace(
            self,
            duration=self.duration[rows],
            churned=self.churned[rows],
            entry=None if self.entry is None else self.entry[rows],
            counts=None if self.counts is None else self.counts[rows],
            labels={role: labels.keep(rows) for role, labels in self.labels.items()},
        )


def read(
    durations: adopt.NativeFrame | ArrayLike,
    churned: str | ArrayLike,
    *,
    duration: str | None,
    entry: str | ArrayLike | None,
    counts: str | ArrayLike | None,
    by: str | ArrayLike | None,
    strata: str | ArrayLike | None = None,
) -> Durations:
    """Durations beside their companions: arrays of one length, or a frame and the names of its columns."""
    companions = {"churned": churned, "entry": entry, "counts": counts, "by": by, "strata": strata}
    given = {role: value for role, value in companions.items() if value is not None}
    if churned is None:
        raise InputError("churned says who left: an array, or a column's name beside a frame.", argument="churned")
    if adopt.is_frame(durations):
        return _of_frame(durations, duration, given)
    if duration is not None:
        raise InputError(
            f"duration= names a column of a dataframe; beside an array got {duration!r}.", argument="duration"
        )
    worded = [role for role, value in given.items() if isinstance(value, str)]
    if worded:
        raise InputError(f"{worded[0]}= is an array beside an array of durations.", argument=worded[0])
    return _of_arrays(durations, given)


def _of_frame(frame: adopt.NativeFrame, duration: str | None, given: Mapping[str, Any]) -> Durations:
    if duration is None:
        raise InputError("duration= names the column of durations, beside a dataframe; got None.", argument="duration")
    for role, value in given.items():
        if not isinstance(value, str):
            raise InputError(f"{role}= is a column name beside a dataframe.", argument=role)
    source = adopt.adopt(frame, {"duration": duration, **given})
    return of_source(source, names=source.roles)


def of_source(source: adopt.Source, *, names: Mapping[str, str]) -> Durations:
    """Durations in the columns of an adopted frame, which errors call by ``names``."""
    numbers = [role for role in ("duration", "entry", "counts") if source.has(role)]
    for role in numbers:
        refuse_words(source, role)
    keys = [role for role in ("duration", "churned", "entry", "by", "strata") if source.has(role)]
    if source.has("counts"):
        _refuse_counts(source)
    found = distinct_rows(source, by=keys, labels=_LABELS, counts="counts" if source.has("counts") else None)
    return _checked(dict(found.keys), found.customers, names=names, backend=source.backend)


def refuse_words(source: adopt.Source, role: str) -> None:
    if not source.dtype(role).is_numeric():
        column = source.roles[role]
        raise ColumnError(
            f"{role}={column!r} is a column of numbers; it holds {source.dtype(role)}.",
            argument=role,
            column=column,
            fix="Convert it to numbers first, unknown ones to missing.",
        )


def _refuse_counts(source: adopt.Source) -> None:
    column = source.roles["counts"]
    for fault, rows in groups.weight_faults(source, weight="counts").items():
        if rows:
            raise InputError(
                f"{column} holds whole numbers of at least 0; {rows} are {fault}.",
                argument="counts",
                column=column,
                count=rows,
            )


def _of_arrays(durations: ArrayLike, given: Mapping[str, Any]) -> Durations:
    rows: dict[str, Any] = {"duration": _numbers(durations, name="durations")}
    if "entry" in given:
        rows["entry"] = _numbers(given["entry"], name="entry")
    for role in ("churned", *_LABELS):
        if role in given:
            rows[role] = _checks.one_dimensional(given[role], name=role)
    counts = None
    if "counts" in given:
        counts = _checks.whole(given["counts"], name="counts")
        _checks.one_dimensional(counts, name="counts")
    sizes = {"durations" if role == "duration" else role: values for role, values in rows.items()}
    _checks.same_length(**sizes, **({} if counts is None else {"counts": counts}))
    return _checked(rows, counts, names={"duration": "durations"}, backend="pandas")


def _numbers(values: ArrayLike, *, name: str) -> Floats:
    array = _checks.one_dimensional(values, name=name)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64, copy=False)
    return _checks.floats(values, name=name, allow_missing=True, allow_infinite=True)


def _checked(rows: dict[str, Any], counts: Floats | None, *, names: Mapping[str, str], backend: str) -> Durations:
    """Rows with everything known; missing values counted out, impossible ones refused."""
    duration: Floats = rows["duration"]
    if duration.size == 0 or (counts is not None and counts.sum() == 0):
        raise InputError("durations has at least one customer; got none.", argument="durations", count=0)
    marks, unmarked = _marks(rows["churned"], counts, name=names.get("churned", "churned"))
    missing = {"churned": unmarked}
    for role in ("duration", "entry"):
        if role in rows:
            missing[role] = _unknown_times(rows[role], counts, name=names.get(role, role))
    labels: dict[Role, Labels] = {}
    for label in _LABELS:
        if label in rows:
            labels[label], missing[label] = _labels(rows[label], name=names.get(label, label))
    kept, excluded = _known(missing, duration.size, counts)
    found = Durations(duration, marks, rows.get("entry"), counts, labels, excluded, backend).keep(kept)
    if found.entry is not None:
        _refuse_late(found, names)
    return found


def _unknown_times(times: Floats, counts: Floats | None, *, name: str) -> Booleans | None:
    """Where no time is given; None where all are. Negative and infinite ones are refused."""
    # A minimum is NaN where an entry is: one pass each says that all is well.
    if times.min() >= 0 and times.max() < np.inf:
        return None
    unknown = np.isnan(times)
    for bad, rule in ((np.isinf(times), "holds finite times"), (times < 0, "is at least 0")):
        _refuse(bad, times, counts, name=name, rule=rule)
    return unknown


def _refuse(bad: Booleans, values: NDArray[np.generic], counts: Floats | None, *, name: str, rule: str) -> None:
    """Refuse rows, counting the customers behind them."""
    if not bad.any():
        return
    n, total = (bad.sum(), bad.size) if counts is None else (counts[bad].sum(), counts.sum())
    first = values[bad][:3].tolist()
    raise InputError(
        f"{name} {rule}; {int(n)} of {int(total)} do not (first: {first[0]!r}).",
        argument=name,
        column=name,
        count=int(n),
        first=first,
    )


def _marks(array: NDArray[Any], counts: Floats | None, *, name: str) -> tuple[Booleans, Booleans | None]:
    """Who left, and where it is not known."""
    if array.dtype == np.bool_:
        return array, None
    if array.dtype.kind in "iuf":
        known = array == array
        strange = known & (array != 0) & (array != 1)
        marks = array == 1
    else:
        cells = array.tolist()
        known = np.array([not _is_missing(cell) for cell in cells], dtype=np.bool_)
        strange = known & np.array([cell not in (True, False) for cell in np.where(known, array, False).tolist()])
        marks = np.where(known & ~strange, array, False).astype(np.bool_)
    _refuse(strange, array, counts, name=name, rule="is True or False, or 1 or 0")
    return marks, None if known.all() else ~known


def _is_missing(value: object) -> bool:
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _labels(values: NDArray[Any], *, name: str) -> tuple[Labels, Booleans | None]:
    """The labels of the rows, and where there is none; such rows have the code 0."""
    if values.dtype.kind in "iubU":
        found, codes = np.unique(values, return_inverse=True)
        return Labels(tuple(found.tolist()), codes.astype(np.int64)), None
    given = [None if _is_missing(cell) else cell for cell in values.tolist()]
    distinct = [cell for cell in dict.fromkeys(given) if cell is not None]
    if len({type(cell) for cell in distinct}) > 1:
        kinds = ", ".join(sorted({type(cell).__name__ for cell in distinct}))
        raise InputError(
            f"{name} holds values of one type; got {kinds}.",
            argument=name,
            column=name,
            fix="Convert it to text first.",
        )
    ordered: list[Any] = sorted(distinct)
    code = {cell: place for place, cell in enumerate(ordered)}
    codes = np.array([code.get(cell, -1) for cell in given], dtype=np.int64)
    unknown = codes < 0
    return Labels(tuple(ordered), np.maximum(codes, 0)), unknown if unknown.any() else None


def _known(missing: Mapping[str, Booleans | None], size: int, counts: Floats | None) -> tuple[Booleans, dict[str, int]]:
    """Rows that miss nothing, and the customers behind the others by the first thing that each misses."""
    kept = np.ones(size, dtype=np.bool_)
    excluded: dict[str, int] = {}
    for role, reason in _MISSING.items():
        gone = missing.get(role)
        if gone is None:
            continue
        fresh = gone & kept
        rows = int(fresh.sum() if counts is None else counts[fresh].sum())
        if rows:
            excluded[reason] = rows
        kept &= ~gone
    if not kept.any():
        reasons = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items())
        raise InputError(f"no customer is left to follow: {reasons}.", argument="durations", count=0)
    return kept, excluded


def _refuse_late(found: Durations, names: Mapping[str, str]) -> None:
    entry = found.entry if found.entry is not None else np.zeros(0)
    late = (entry >= found.duration) & (entry > 0)
    name, until = names.get("entry", "entry"), names["duration"]
    _refuse(late, entry, found.counts, name=name, rule=f"is below {until}, from when on a customer was watched")
