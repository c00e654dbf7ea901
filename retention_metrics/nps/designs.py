"""The Net Promoter Score of a sample that was not simply drawn: clusters, strata, several answers a respondent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt, audit
from retention_metrics._engine import responses as engine
from retention_metrics._stats import multinomials
from retention_metrics.errors import InputError
from retention_metrics.nps.answers import Scale, classes, refuse_weights
from retention_metrics.nps.periods import refuse_unreadable
from retention_metrics.results import Cell

Floats = NDArray[np.float64]
Repeats = Literal["latest", "first", "mean"]

REPEATS: tuple[Repeats, ...] = ("latest", "first", "mean")


@dataclass(frozen=True)
class Design:
    """How answers came to be: who gave several, which hang together, and what share each stratum has."""

    cluster: str | None = None
    strata: str | None = None
    shares: Mapping[Cell, float] | None = None
    respondent: str | None = None
    time: str | None = None
    answers: Repeats | None = None

    @property
    def plain(self) -> bool:
        """Whether answers were drawn one by one."""
        return self.cluster is None and self.strata is None and self.respondent is None

    def checked(self) -> Design:
        """The same, with its parts in agreement."""
        if self.shares is not None and not isinstance(self.shares, Mapping):
            raise InputError(f"shares maps each stratum to its share; got {self.shares!r}.", argument="shares")
        if self.shares is not None and self.strata is None:
            raise InputError("shares= goes with strata=, the column of the strata.", argument="shares")
        if (self.answers is None) != (self.respondent is None):
            missing = "answers='latest', 'first' or 'mean'" if self.answers is None else "the column of respondents"
            given, wanted = ("respondent", "answers") if self.answers is None else ("answers", "respondent")
            raise InputError(f"{given}= goes with {wanted}=, {missing}.", argument=wanted)
        if self.answers is not None:
            _checks.choice(self.answers, REPEATS, name="answers")
        if (self.answers in ("latest", "first")) != (self.time is not None):
            raise InputError(
                "answers='latest' and 'first' go with time=, the column of the answers' times.", argument="time"
            )
        return self

    def roles(self) -> dict[str, str | None]:
        """The columns by role."""
        return {"cluster": self.cluster, "strata": self.strata, "respondent": self.respondent, "time": self.time}


@dataclass(frozen=True)
class Estimate:
    """The score of a design, as shares: its classes, its variance without the population's factor, and its sizes."""

    counts: NDArray[np.int64]
    shares: Floats
    variance: float
    effective: float
    units: int
    strata: int
    excluded: Mapping[str, int]
    notes: tuple[str, ...]
    backend: str


def estimated(
    data: adopt.NativeFrame, rating: str | None, survey_weights: str | None, design: Design, *, scale: Scale
) -> Estimate:
    """The score of the answers in a frame under a design, from sums that its own engine makes."""
    if rating is None:
        raise InputError("rating= names the column of the answers, beside a dataframe; got None.", argument="rating")
    plain = audit.with_plain_dates(data, design.time)
    roles = {"rating": rating, "survey_weights": survey_weights, **design.roles()}
    source = adopt.adopt(adopt.once(plain, roles), roles)
    if survey_weights:
        refuse_weights(source, "survey_weights")
    tally = engine.tally(source, by=("rating",))
    classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)
    if source.has("time"):
        refuse_unreadable(engine.unreadable_times(source), tally.rows, column=source.roles["time"])
    needed = [role for role in ("respondent", "time", "cluster", "strata") if source.has(role)]
    excluded = engine.unanswerable(source, *needed)
    kept = excluded.pop("kept")
    if kept == 0:
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items() if rows) or "no rows"
        raise InputError(f"no answer is left to score: {listed}.", argument="ratings", count=0)
    one_each = design.answers in ("latest", "first")
    chosen = engine.kept_answers(source, keep=design.answers) if one_each else source  # type: ignore[arg-type]
    units = engine.unit_sums(chosen, mean=design.answers == "mean")
    left_out = kept - int(units.answers.sum())
    if one_each:
        excluded["earlier_answers" if design.answers == "latest" else "later_answers"] = left_out
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    return _estimate(units, design, excluded, source.backend)


def _estimate(units: engine.Units, design: Design, excluded: Mapping[str, int], backend: str) -> Estimate:
    weights = np.stack([units.promoters, units.passives, units.detractors], axis=1)
    totals = weights.sum(axis=1)
    if not totals.all():
        empty = units.strata[int(np.flatnonzero(totals == 0)[0])]
        where = f" in stratum {empty!r}" if design.strata is not None else ""
        raise InputError(f"survey_weights are not all 0; got only zeros{where}.", argument="survey_weights")
    parts = _stratum_shares(units.strata, totals, design.shares)
    within = weights / totals[:, None]
    net = within[:, 0] - within[:, 2]
    spread = np.maximum(0.0, units.nets - 2 * net * units.crossed + net**2 * units.squares) / totals**2
    shares, variance = parts @ within, float(parts**2 @ spread)
    notes = []
    single = [name for name, count in zip(units.strata, units.units.tolist(), strict=True) if count == 1]
    if design.strata is not None and single:
        notes.append(
            f"Strata with one unit, whose spread is unknown and taken as 0: {', '.join(map(str, single[:5]))}."
        )
    if design.answers is not None:
        notes.append(_REPEATED[design.answers])
    clusters = int(units.units.sum())
    if design.cluster is not None:
        notes.append(f"Answers of one cluster hang together: the spread is that of {clusters} clusters.")
        if clusters < 30:
            notes.append("With fewer than 30 clusters the spread is uncertain itself, and the interval may be narrow.")
    grouped = design.cluster is not None or design.answers == "mean"
    effective = _effective(units, parts, totals, shares, variance, grouped=grouped)
    return Estimate(
        counts=units.answers.sum(axis=0),
        shares=shares,
        variance=variance,
        effective=effective,
        units=clusters,
        strata=len(units.strata),
        excluded=excluded,
        notes=tuple(notes),
        backend=backend,
    )


_REPEATED: Mapping[Repeats, str] = {
    "latest": "The latest answer of each respondent counts.",
    "first": "The first answer of each respondent counts.",
    "mean": "All answers of a respondent share the weight of one.",
}


def _stratum_shares(strata: tuple[Cell, ...], totals: Floats, shares: Mapping[Cell, float] | None) -> Floats:
    """The share of each stratum in the population: as known, or as in the weighted sample."""
    if shares is None:
        return np.asarray(totals / totals.sum())
    known = {name: _checks.non_negative(share, name="shares") for name, share in shares.items()}
    for name in strata:
        if name not in known:
            raise InputError(
                f"shares has every stratum of the answers; {name!r} is none of {', '.join(map(repr, known))}.",
                argument="shares",
            )
    silent = [name for name, share in known.items() if share > 0 and name not in strata]
    if silent:
        raise InputError(
            f"every stratum of shares has an answer; {', '.join(map(repr, silent[:5]))} has none.",
            argument="shares",
            fix="Join it to another stratum first.",
        )
    values = np.array([known[name] for name in strata])
    if values.sum() == 0:
        raise InputError("shares are not all 0; got only zeros.", argument="shares")
    return np.asarray(values / values.sum())


def _effective(
    units: engine.Units, parts: Floats, totals: Floats, shares: Floats, variance: float, *, grouped: bool
) -> float:
    """Answers drawn one by one that would tell as much; never more than Kish's number where answers are grouped."""
    # An answer of stratum h weighs its own weight times parts[h] / totals[h], and these add up to 1.
    kish = 1 / float((parts / totals) ** 2 @ units.kish)
    plain = multinomials.net_variance(float(shares[0]), float(shares[2]))
    if variance <= 0 or plain <= 0:
        return min(kish, float(units.units.sum()))
    return min(kish, plain / variance) if grouped else plain / variance


def frame_of_arrays(**columns: ArrayLike | None) -> adopt.NativeFrame:
    """Arrays beside one another as a frame, so that they take the same way as columns."""
    import pandas as pd

    given = {name: values for name, values in columns.items() if values is not None}
    arrays = {name: _checks.one_dimensional(values, name=name) for name, values in given.items()}
    _checks.same_length(**arrays)
    return pd.DataFrame(arrays)
