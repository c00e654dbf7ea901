"""Answers to the recommendation question: read from arrays or frames, checked and put in three groups."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt, groups
from retention_metrics._engine import responses as engine
from retention_metrics.errors import ColumnError, InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Scale = Literal["0-10", "1-10"]

SCALES: tuple[Scale, ...] = ("0-10", "1-10")


@dataclass(frozen=True)
class Answers:
    """Distinct answers with their weights: what every method needs, however many there are.

    ``group`` is 0 for promoters, 1 for passives and 2 for detractors. Per distinct answer, ``weights`` and
    ``squares`` are sums over its ``counts`` rows, and ``each`` is the weight of one row, or their mean.
    """

    group: Integers
    counts: Integers
    weights: Floats
    squares: Floats
    each: Floats
    excluded: Mapping[str, int]
    backend: str

    @classmethod
    def unweighted(
        cls,
        counts: Integers,
        group: Integers | None = None,
        excluded: Mapping[str, int] | None = None,
        backend: str = "pandas",
    ) -> Answers:
        return cls(
            group=np.arange(3, dtype=np.int64) if group is None else group,
            counts=counts,
            weights=counts.astype(np.float64),
            squares=counts.astype(np.float64),
            each=np.ones(counts.size),
            excluded=excluded or {},
            backend=backend,
        )

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    def by_group(self, column: Floats | Integers) -> Floats:
        """Sums of a column over promoters, passives and detractors."""
        return np.asarray(np.bincount(self.group, weights=column, minlength=3), dtype=np.float64)

    def merged(self) -> tuple[Integers, Floats, Integers]:
        """Group, weight and count of every distinct pair with weight, in an order that the rows' does not change."""
        held = self.each > 0
        pairs, where = np.unique(np.stack([self.group[held], self.each[held]]), axis=1, return_inverse=True)
        counts = np.bincount(where.reshape(-1), weights=self.counts[held], minlength=pairs.shape[1])
        some = counts > 0
        return pairs[0][some].astype(np.int64), pairs[1][some], counts[some].astype(np.int64)

    def evened(self) -> Answers:
        """Without weights where all of them are equal, so that rounding leaves no trace."""
        rows, total = self.rows, float(self.weights.sum())
        # Sums made by an engine round; that far weights that look alike are alike.
        slack = 1e-12 + 4e-16 * rows
        spread = np.abs(self.weights * rows - total * self.counts)
        alike = bool(np.all(spread <= slack * total * self.counts))
        if alike and abs(rows * float(self.squares.sum()) / total**2 - 1) <= slack:
            return Answers.unweighted(self.counts, self.group, self.excluded, self.backend)
        return self


def answers_of_frame(
    frame: adopt.NativeFrame,
    rating: str | None,
    survey_weights: str | ArrayLike | None,
    *,
    scale: Scale,
    row_weights: bool,
) -> Answers:
    """The answers in a column of a dataframe, counted in its own engine.

    ``row_weights`` keeps each distinct weight apart, which resampling needs.
    """
    if rating is None:
        raise InputError("rating= names the column of the answers, beside a dataframe; got None.", argument="rating")
    if survey_weights is not None and not isinstance(survey_weights, str):
        raise InputError("survey_weights= is a column name beside a dataframe.", argument="survey_weights")
    source = adopt.adopt(frame, {"rating": rating, "survey_weights": survey_weights})
    weight = "survey_weights" if survey_weights else None
    if weight:
        refuse_weights(source, weight)
    # Resampling draws single answers, so that it needs each distinct weight; the rest needs sums alone.
    by = ("rating", "survey_weights") if weight and row_weights else ("rating",)
    tally = engine.tally(source, by=by, weight=None if len(by) == 2 else weight)
    sums, squares = tally.weights, tally.squared_weights
    each = sums / tally.counts
    if len(by) == 2:
        each = np.array(tally.keys["survey_weights"], dtype=np.float64)
        sums, squares = each * tally.counts, each**2 * tally.counts
    rows = _Rows(tally.keys["rating"], tally.counts, sums, squares, each)
    return _kept(rows, name=rating, backend=source.backend, scale=scale)


def answers_of_array(
    ratings: ArrayLike, rating: str | None, survey_weights: str | ArrayLike | None, *, scale: Scale
) -> Answers:
    """The answers in an array."""
    if rating is not None:
        raise InputError(f"rating= names a column of a dataframe; beside an array got {rating!r}.", argument="rating")
    values = _checks.one_dimensional(ratings, name="ratings")
    if survey_weights is None:
        distinct, counts = _distinct(values)
        sums = counts.astype(np.float64)
        rows = _Rows(distinct, counts, sums, sums, np.ones(sums.size))
        return _kept(rows, name="ratings", backend="pandas", scale=scale)
    if isinstance(survey_weights, str):
        raise InputError("survey_weights= is an array beside an array of answers.", argument="survey_weights")
    weights = array_weights(survey_weights)
    _checks.same_length(ratings=values, survey_weights=weights)
    rows = _Rows(values.tolist(), np.ones(values.size, dtype=np.int64), weights, weights**2, weights)
    return _kept(rows, name="ratings", backend="pandas", scale=scale)


class _Rows(NamedTuple):
    """Answers as they came, with the rows and the weights behind each."""

    values: Sequence[object]
    counts: Integers
    weights: Floats
    squares: Floats
    each: Floats


def _distinct(values: NDArray[np.generic]) -> tuple[Sequence[object], Integers]:
    if values.dtype.kind not in "iuf":
        return values.tolist(), np.ones(values.size, dtype=np.int64)
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.tolist(), counts.astype(np.int64)


def refuse_weights(source: adopt.Source, weight: str) -> None:
    column = source.roles[weight]
    if not source.dtype(weight).is_numeric():
        raise ColumnError(
            f"{weight}={column!r} is a column of numbers; it holds {source.dtype(weight)}.",
            argument=weight,
            column=column,
        )
    for fault, rows in groups.weight_faults(source, weight=weight).items():
        if rows:
            raise InputError(
                f"{column} holds finite weights of at least 0; {rows} are {fault}.",
                argument=weight,
                column=column,
                count=rows,
            )


def array_weights(survey_weights: ArrayLike) -> Floats:
    """Weights of at least 0 whose squares a float holds."""
    weights = _checks.floats(survey_weights, name="survey_weights", low=0.0)
    _checks.one_dimensional(weights, name="survey_weights")
    extreme = (weights > groups.EXTREME) | (weights > 0) & (weights < 1 / groups.EXTREME)
    rule = f"is 0 or between {1 / groups.EXTREME:g} and {groups.EXTREME:g}"
    _checks.refuse(extreme, weights, name="survey_weights", rule=rule)
    return weights


def classes(values: Sequence[object], counts: Integers, *, name: str, scale: Scale) -> Integers:
    """0 for promoters, 1 for passives, 2 for detractors and 3 for missing answers; any others are refused."""
    given = np.array([not _is_missing(value) for value in values], dtype=bool)
    _refuse_codes(values, given, counts, name, scale)
    codes = np.array([float(value) if there else -1.0 for value, there in zip(values, given.tolist(), strict=True)])  # type: ignore[arg-type]
    return np.where(~given, 3, np.where(codes >= 9, 0, np.where(codes >= 7, 1, 2))).astype(np.int64)


def _kept(rows: _Rows, *, name: str, backend: str, scale: Scale) -> Answers:
    """The answers on the scale, in groups; missing ones counted, any others refused."""
    values, counts = rows.values, rows.counts
    if counts.sum() == 0:
        raise InputError("ratings has at least one answer; got none.", argument="ratings", count=0)
    group = classes(values, counts, name=name, scale=scale)
    given = group < 3
    missing = int(counts[~given].sum())
    if not given.any():
        raise InputError(f"no answer is left to score: missing_rating {missing}.", argument="ratings", count=0)
    answers = Answers(
        group=group[given],
        counts=counts[given],
        weights=rows.weights[given],
        squares=rows.squares[given],
        each=rows.each[given],
        excluded={"missing_rating": missing} if missing else {},
        backend=backend,
    )
    if answers.weights.sum() == 0:
        raise InputError("survey_weights are not all 0; got only zeros.", argument="survey_weights")
    return answers.evened()


def _is_missing(value: object) -> bool:
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _refuse_codes(
    values: Sequence[object], given: NDArray[np.bool_], counts: Integers, name: str, scale: Scale
) -> None:
    low, high = (int(end) for end in scale.split("-"))
    strange: dict[object, int] = {}
    for value, there, rows in zip(values, given.tolist(), counts.tolist(), strict=True):
        if there and not on_scale(value, low, high):
            strange[value] = strange.get(value, 0) + rows
    if not strange:
        return
    rows, first = sum(strange.values()), list(strange)[:5]
    raise InputError(
        f"{name} holds whole numbers from {low} to {high} (scale={scale!r}); {rows} of {int(counts.sum())} do not: "
        f"{', '.join(f'{_code(code)} ({strange[code]} rows)' for code in first)}"
        f"{', …' if len(strange) > len(first) else ''}.",
        argument="ratings",
        column=name,
        count=rows,
        first=first,
        fix="Set codes for no answer to missing first.",
    )


def on_scale(value: object, low: int, high: int) -> bool:
    """Whether a value is a whole number in a range; true and false are none."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, Decimal)):
        return False
    code = float(value)
    return low <= code <= high and code == math.floor(code)


def _code(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
