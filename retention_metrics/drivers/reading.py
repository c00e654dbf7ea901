"""The outcome and the indicators that a ranking is asked for: read, checked, and guarded against leakage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt, indicators
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Kind = Literal["numeric", "ordinal", "categorical"]
Effect = Literal["logistic", "cox"]

EFFECTS: tuple[Effect, ...] = ("logistic", "cox")
ASSOCIATION = "Associations, not effects: what goes with the outcome need not bring it about."


@dataclass(frozen=True)
class Outcome:
    """What indicators are held against: true or false, or a time that churn ended or not."""

    name: str
    true: Flags
    duration: Floats | None

    def of(self, rows: Flags) -> Outcome:
        return Outcome(self.name, self.true[rows], None if self.duration is None else self.duration[rows])

    @property
    def settled(self) -> bool:
        """Whether there is anything to tell apart."""
        return bool(self.true.any()) and (self.duration is not None or not bool(self.true.all()))


@dataclass(frozen=True)
class Indicator:
    """A column as numbers: values, places on a scale, or codes of categories; ``known`` where it is not missing."""

    name: str
    kind: Kind
    values: Floats
    known: Flags

    @property
    def levels(self) -> Integers:
        return np.unique(self.values[self.known], return_inverse=True)[1].reshape(-1).astype(np.int64)


def adopt_columns(
    table: adopt.NativeFrame,
    outcome: str | None,
    names: Sequence[str],
    duration: str | None,
    churned: str | None,
    measured: str | Mapping[str, str] | None,
    outcome_date: str | None,
) -> tuple[adopt.Source, list[str]]:
    """The frame, with a role for every column that is asked for, and the names of the indicators."""
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise InputError("indicators names at least one column; got none.", argument="indicators")
    if (outcome is None) == (duration is None) or (duration is None) != (churned is None):
        raise InputError(
            "the outcome is one column, outcome=, or a time and how it ended, duration= and churned=.",
            argument="outcome",
        )
    if (measured is None) != (outcome_date is None):
        raise InputError("measured= and outcome_date= are given together.", argument="measured")
    dates = [measured] if isinstance(measured, str) else list((measured or {}).values())
    roles: dict[str, str | None] = {"outcome": outcome, "duration": duration, "churned": churned}
    roles |= {f"indicators[{place}]": name for place, name in enumerate(listed)}
    roles |= {f"measured[{name}]": name for name in dict.fromkeys(dates)}
    return adopt.adopt(table, {**roles, "outcome_date": outcome_date}), listed


def refuse_effect(effect: Effect | None, outcome: str | None) -> None:
    if effect is not None and (effect == "cox") == (outcome is not None):
        raise InputError(
            "effect='logistic' goes with outcome=, effect='cox' with duration= and churned=.", argument="effect"
        )


def refuse_late(
    source: adopt.Source, names: Sequence[str], measured: str | Mapping[str, str] | None, outcome_date: str | None
) -> None:
    """Leakage: what was measured after the outcome may be its consequence."""
    if measured is None or outcome_date is None:
        return
    dates = dict.fromkeys(names, measured) if isinstance(measured, str) else dict(measured)
    for name in dates:
        _checks.choice(name, list(names), name="measured")
    late = indicators.late(source, {name: f"measured[{date}]" for name, date in dates.items()}, "outcome_date")
    for name, rows in late.items():
        if rows:
            raise InputError(
                f"indicators are measured before the outcome; {name!r} was measured after {outcome_date!r} in {rows} "
                f"rows.",
                argument="indicators",
                column=name,
                count=rows,
                fix="Take its last value from before, or leave it out.",
            )


def read_columns(
    source: adopt.Source, names: Sequence[str], ordered: dict[str, Sequence[str]], categorical: Sequence[str]
) -> tuple[Outcome, list[Indicator], dict[str, int]]:
    """The outcome and the indicators of the customers whose outcome is known."""
    for name in (*ordered, *([categorical] if isinstance(categorical, str) else categorical)):
        _checks.choice(name, list(names), name="ordered" if name in ordered else "categorical")
    wanted = [role for role in source.roles if not role.startswith(("measured", "outcome_date"))]
    cells = dict(
        indicators.pulled(adopt.Source(source.frame, {r: source.roles[r] for r in wanted}, source.schema, False))
    )
    role = "outcome" if source.has("outcome") else "churned"
    true, known = flags(cells[role], role=role, name=source.roles[role])
    duration = None
    excluded = {f"missing_{role}": int((~known).sum())}
    if source.has("duration"):
        duration = numbers(cells["duration"], role="duration", name=source.roles["duration"], low=0.0)
        excluded["missing_duration"] = int((known & np.isnan(duration)).sum())
        known &= ~np.isnan(duration)
    outcome = Outcome(source.roles["duration" if source.has("duration") else role], true, duration).of(known)
    _refuse_constant(outcome, source.roles[role], role)
    read = []
    for place, name in enumerate(names):
        key = f"indicators[{place}]"
        column = cells.pop(key)
        held = indicators.Column(column.values[known], column.words)
        named = name in categorical or indicators.is_category(source, key)
        read.append(_indicator(held, name=name, named=named, scale=ordered.get(name)))
    return outcome, read, {reason: rows for reason, rows in excluded.items() if rows}


def _refuse_constant(outcome: Outcome, name: str, role: str) -> None:
    if outcome.true.size == 0:
        raise InputError(f"{role}={name!r} is missing in every row.", argument=role, column=name, count=0)
    if not outcome.settled:
        only = bool(outcome.true[0])
        raise InputError(
            f"{role}={name!r} tells customers apart; it is {only} for all {outcome.true.size}.",
            argument=role,
            column=name,
        )


def flags(column: indicators.Column, *, role: str, name: str) -> tuple[Flags, Flags]:
    """True or false, and where that is known."""
    known = ~np.isnan(column.values)
    strange = known if column.words is not None else known & (column.values != 0) & (column.values != 1)
    if strange.any():
        rows, first = int(strange.sum()), [_cell(column, row) for row in np.flatnonzero(strange)[:3].tolist()]
        raise InputError(
            f"{role}={name!r} holds true and false, or 1 and 0; {rows} of {known.size} rows do not: {first[0]!r}.",
            argument=role,
            column=name,
            count=rows,
            first=first,
            fix=f"Compare first, for instance {name} == 'Yes'.",
        )
    return column.values == 1, known


def _cell(column: indicators.Column, row: int) -> object:
    value = float(column.values[row])
    if column.words is not None:
        return column.words[int(value)]
    return int(value) if value.is_integer() else value


def numbers(column: indicators.Column, *, role: str, name: str, low: float = -math.inf) -> Floats:
    """Numbers, missing ones as NaN."""
    if column.words is not None:
        first = _cell(column, int(np.flatnonzero(~np.isnan(column.values))[0]))
        raise InputError(f"{role}={name!r} holds numbers; got {first!r}.", argument=role, column=name)
    values = column.values
    with np.errstate(invalid="ignore"):
        bad = np.isinf(values) | (values < low)
    if bad.any():
        rule = "finite numbers" + (f" of at least {low:g}" if math.isfinite(low) else "")
        raise InputError(
            f"{role}={name!r} holds {rule}; {int(bad.sum())} of {values.size} rows do not (row "
            f"{int(np.flatnonzero(bad)[0])}: {values[bad][0]:g}).",
            argument=role,
            column=name,
            count=int(bad.sum()),
            first=values[bad][:3].tolist(),
        )
    return values


def _indicator(column: indicators.Column, *, name: str, named: bool, scale: Sequence[str] | None) -> Indicator:
    if scale is not None:
        values = _placed(column, name, scale)
        return Indicator(name, "ordinal", values, ~np.isnan(values))
    if named or column.words is not None:
        return Indicator(name, "categorical", column.values, ~np.isnan(column.values))
    values = numbers(column, role="indicators", name=name)
    return Indicator(name, "numeric", values, ~np.isnan(values))


def _placed(column: indicators.Column, name: str, scale: Sequence[str]) -> Floats:
    """The place of each cell on a scale."""
    places: dict[object, float] = {word: float(place) for place, word in enumerate(scale)}
    if len(places) < len(scale):
        raise InputError(f"ordered lists every word of {name!r} once; got {list(scale)!r}.", argument="ordered")
    known = ~np.isnan(column.values)
    held, where = np.unique(column.values[known], return_inverse=True)
    words = held.tolist() if column.words is None else [column.words[int(code)] for code in held.tolist()]
    strange = next((word for word in words if word not in places), None)
    if strange is not None:
        raise InputError(
            f"ordered lists every word of {name!r}; it leaves out {strange!r}.", argument="ordered", column=name
        )
    values = np.full(known.size, math.nan)
    values[known] = np.array([places[word] for word in words], dtype=np.float64)[where.reshape(-1)]
    return values
