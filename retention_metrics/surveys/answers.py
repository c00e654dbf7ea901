"""Answers to a question on a scale: read from arrays or frames, checked, and counted per answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt, responses
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.nps.answers import array_weights, on_scale, refuse_weights
from retention_metrics.results import Interval

Floats = NDArray[np.float64]

WILSON = "Interval of a share: Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212."


@dataclass(frozen=True)
class Question:
    """What was asked, checked."""

    scale: str
    low: int
    high: int
    top: int
    population: int | None
    level: float | None

    @classmethod
    def checked(cls, *, scale: object, top: object, population: object, level: object) -> Question:
        ends = re.fullmatch(r"(-?\d+)-(-?\d+)", scale) if isinstance(scale, str) else None
        if ends is None or not 1 <= int(ends[2]) - int(ends[1]) <= 100:
            raise InputError(
                f"scale is the lowest and the highest answer, such as '1-5'; got {scale!r}.", argument="scale"
            )
        low, high = int(ends[1]), int(ends[2])
        best = _checks.count(top, name="top", low=1)
        if best > high - low:
            raise InputError(f"top leaves an answer out; the scale has {high - low + 1}, got {best}.", argument="top")
        people = None if population is None else _checks.count(population, name="population", low=1)
        return cls(str(scale), low, high, best, people, _checks.level(level))

    @property
    def answers(self) -> Floats:
        return np.arange(self.low, self.high + 1, dtype=np.float64)


@dataclass(frozen=True)
class Counted:
    """Rows, weights and squared weights per answer on the scale."""

    counts: Floats
    weights: Floats
    squares: Floats
    excluded: Mapping[str, int]
    backend: str

    @property
    def effective_n(self) -> float:
        return multinomials.effective_size(float(self.weights.sum()), float(self.squares.sum()))


def counted_answers(
    answers: adopt.NativeFrame | ArrayLike,
    answer: str | None,
    survey_weights: str | ArrayLike | None,
    asked: Question,
) -> Counted:
    if not adopt.is_frame(answers):
        tally, name, backend = _tally_of_array(answers, answer, survey_weights), "answers", "pandas"
    else:
        source = answer_source(answers, answer, survey_weights, by=None)
        weight = "survey_weights" if source.has("survey_weights") else None
        tally, name = responses.tally(source, by=("answer",), weight=weight), source.roles["answer"]
        backend = source.backend
    places, excluded = scale_places(tally, name, asked)
    return counted_on_scale(tally, places, asked, excluded, backend)


def answer_source(
    frame: adopt.NativeFrame, answer: str | None, survey_weights: str | ArrayLike | None, *, by: str | None
) -> adopt.Source:
    if answer is None:
        raise InputError("answer= names the column of the answers, beside a dataframe; got None.", argument="answer")
    if survey_weights is not None and not isinstance(survey_weights, str):
        raise InputError("survey_weights= is a column name beside a dataframe.", argument="survey_weights")
    source = adopt.adopt(frame, {"answer": answer, "survey_weights": survey_weights, "by": by})
    if survey_weights is not None:
        refuse_weights(source, "survey_weights")
    return source


def _tally_of_array(answers: ArrayLike, answer: str | None, survey_weights: str | ArrayLike | None) -> Tally:
    if answer is not None:
        raise InputError(f"answer= names a column of a dataframe; beside an array got {answer!r}.", argument="answer")
    if isinstance(survey_weights, str):
        raise InputError("survey_weights= is an array beside an array of answers.", argument="survey_weights")
    values = _checks.one_dimensional(answers, name="answers")
    weights = np.ones(values.size)
    if survey_weights is not None:
        weights = array_weights(survey_weights)
        _checks.same_length(answers=values, survey_weights=weights)
    return Tally(
        keys={"answer": tuple(values.tolist())},
        counts=np.ones(values.size, dtype=np.int64),
        weights=weights,
        squared_weights=weights**2,
    )


def scale_places(tally: Tally, name: str, asked: Question) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Place of every key on the scale, -1 where the answer is missing; any other answer is refused."""
    places = np.full(tally.counts.size, -1, dtype=np.int64)
    strange: dict[object, int] = {}
    for row, (value, rows) in enumerate(zip(tally.keys["answer"], tally.counts.tolist(), strict=True)):
        if value is None or value != value or type(value).__name__ in ("NAType", "NaTType"):
            continue
        if not on_scale(value, asked.low, asked.high):
            strange[value] = strange.get(value, 0) + rows
            continue
        places[row] = int(value) - asked.low
    if strange:
        first = list(strange)[:5]
        raise InputError(
            f"{name} holds whole numbers from {asked.low} to {asked.high} (scale={asked.scale!r}); "
            f"{sum(strange.values())} of {tally.rows} do not: "
            f"{', '.join(f'{code!r} ({strange[code]} rows)' for code in first)}.",
            argument="answers",
            column=name,
            count=sum(strange.values()),
            first=first,
            fix="Set codes for no answer to missing first.",
        )
    missing = int(tally.counts[places < 0].sum())
    if missing == tally.rows:
        raise InputError(f"no answer is left: missing_answer {missing}.", argument="answers", count=0)
    return places, {"missing_answer": missing} if missing else {}


def counted_on_scale(
    tally: Tally, places: NDArray[np.int64], asked: Question, excluded: Mapping[str, int], backend: str
) -> Counted:
    held = places >= 0
    size = asked.high - asked.low + 1

    def by_answer(column: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
        return np.asarray(np.bincount(places[held], weights=column[held], minlength=size), dtype=np.float64)

    counts, weights, squares = (by_answer(part) for part in (tally.counts, tally.weights, tally.squared_weights))
    if weights.sum() == 0:
        raise InputError("survey_weights are not all 0; got only zeros.", argument="survey_weights")
    # Weights that are alike count as none, so that rounding leaves no trace.
    alike = np.allclose(weights * counts.sum(), counts * weights.sum(), rtol=1e-12, atol=0.0)
    if alike and math.isclose(counts.sum() * float(squares.sum()), float(weights.sum()) ** 2, rel_tol=1e-12):
        weights = squares = counts
    return Counted(counts, weights, squares, excluded, backend)


def interval_size(counted: Counted, asked: Question) -> float:
    """Answers that an interval is worth: Kish's number, raised as the population is used up."""
    factor = multinomials.finite_factor(float(counted.counts.sum()), asked.population)
    return counted.effective_n / factor if factor > 0 else math.inf


def share_interval(share: float, size: float, level: float | None) -> Interval | None:
    if level is None:
        return None
    if math.isinf(size):
        return Interval(low=share, high=share, level=level, method="wilson")
    low, high = proportions.share_interval(share * size, size, level=level)
    return Interval(low=min(float(low), share), high=max(float(high), share), level=level, method="wilson")


def mean_interval(shares: Floats, size: float, asked: Question) -> Interval | None:
    if asked.level is None:
        return None
    mean = float(shares @ asked.answers)
    if math.isinf(size):
        return Interval(low=mean, high=mean, level=asked.level, method="score")
    z = proportions.normal_quantile(asked.level)
    low, high = multinomials.mean_score_interval(asked.answers, shares * size, z=z)
    return Interval(low=min(low, mean), high=max(high, mean), level=asked.level, method="score")
