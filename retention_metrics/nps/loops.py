"""The closed loop: what became of detractors who were called back, and of those who were not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.nps.answers import SCALES, Scale, classes
from retention_metrics.nps.comparisons import difference
from retention_metrics.nps.leaving import ASSOCIATIONS, against, outcomes
from retention_metrics.nps.scores import from_counts
from retention_metrics.results import Cell, Columns, ColumnType, Interval, TableResult, result

Integers = NDArray[np.int64]

_GROUPS = ("not_followed_up", "followed_up")
_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("customers", "answered", "known", "churned"), "integer"),
    **dict.fromkeys(("nps", "nps_low", "nps_high", "nps_difference", "nps_difference_low"), "number"),
    **dict.fromkeys(("nps_difference_high", "nps_p_value", "rate", "low", "high", "difference"), "number"),
    **dict.fromkeys(("difference_low", "difference_high", "p_value"), "number"),
    "status": "string",
}
_STAYING = ("rate", "low", "high", "difference", "difference_low", "difference_high", "p_value")
_IMMORTAL = (
    "Who left before a call could be made counts as not followed up, against that group: leave such customers out."
)


@result
class LoopTable(TableResult):
    """Next score and staying of detractors followed up, against those not.

    Attributes
    ----------
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> calls = pd.DataFrame({"score": [3] * 40, "called": [True] * 20 + [False] * 20})
    >>> calls["next"] = [9] * 12 + [5] * 8 + [9] * 6 + [5] * 14
    >>> loop = rm.nps.closed_loop(calls, rating="score", followed_up="called", next_rating="next")
    >>> loop.to_frame()[["group", "customers", "answered", "nps", "nps_difference"]]
                 group  customers  answered   nps  nps_difference
    0  not_followed_up         20        20 -40.0             NaN
    1      followed_up         20        20  20.0            60.0
    """

    kind: ClassVar[str] = "nps.closed_loop"

    level: float | None

    def explain(self) -> Explanation:
        """What both groups' next answers and staying are, and how they differ."""
        return Explanation(
            formula="nps = 100 (promoters - detractors) / answered; rate = (known - churned) / known; "
            "difference = followed up - not followed up",
            values={"customers": sum(int(str(count)) for count in self.columns["customers"])},
            steps=(),
            source="Reichheld, F. F. (2003), Harvard Business Review 81(12), 46-54; Zou, G. Y. and Donner, A. (2008), "
            "Statistics in Medicine 27, 1693-1702; Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890.",
        )


def closed_loop(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    followed_up: str,
    next_rating: str | None = None,
    churned: str | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> LoopTable:
    """Next score and staying of detractors followed up, against those not.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. Detractors
        count; the others are counted in ``excluded``.
    rating, followed_up : str
        Columns of the answer, and of whether the customer was followed up: true or false, or 1 or 0.
    next_rating : str, optional
        Column of the customer's next answer, missing where there was none.
    churned : str, optional
        Column of whether the customer left since, true or false, or 1 or 0; all were followed over the same time. One
        of ``next_rating`` and ``churned`` is needed at least.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered, in both surveys; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    LoopTable
        Rows ``not_followed_up`` and ``followed_up`` of ``group, customers, answered, nps, nps_low, nps_high,
        nps_difference, nps_difference_low, nps_difference_high, nps_p_value`` (the next score in points) and ``known,
        churned, rate, low, high, difference, difference_low, difference_high, p_value`` (the share who stayed, of
        those whose outcome is known) and ``status``; differences are from those not followed up.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, a mark is not true or false, or there are no detractors.

    See Also
    --------
    follow_up : The detractors to call back.
    recovery : Who stayed by any way of handling.

    Notes
    -----
    Scores have the score interval, their difference that of ``nps.difference``; shares Wilson's, their difference
    Newcombe's, with the pooled z test. A detractor's next answer is higher on average without any call, as whoever
    answers low once answers less so again: the change of those followed up alone says nothing, and the difference from
    the others is what to look at. An association still: who is called may differ from who is not, and so may who
    answers again.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> calls = pd.DataFrame({"score": [3] * 200, "called": [1] * 100 + [0] * 100})
    >>> calls["next"] = [9] * 40 + [7] * 20 + [4] * 20 + [None] * 20 + [9] * 20 + [7] * 20 + [4] * 30 + [None] * 30
    >>> calls["left"] = [0] * 88 + [1] * 12 + [0] * 75 + [1] * 25
    >>> roles = {"rating": "score", "followed_up": "called", "next_rating": "next", "churned": "left"}
    >>> called = rm.nps.closed_loop(calls, **roles).rows()[1]
    >>> [round(called[name], 1) for name in ("nps", "nps_difference", "nps_difference_low", "nps_difference_high")]
    [25.0, 39.3, 11.9, 64.5]
    >>> [round(called[name], 2) for name in ("rate", "difference", "difference_low", "difference_high")]
    [0.88, 0.13, 0.02, 0.24]
    """
    if next_rating is None and churned is None:
        raise InputError("next_rating= or churned= says what became of the customers; got neither.")
    roles = {"rating": rating, "followed_up": followed_up, "next_rating": next_rating, "churned": churned}
    source = adopt.adopt(customers, roles)
    level = _checks.level(level)
    offered = _checks.choice(scale, SCALES, name="scale")

    tally = engine.tally(source, by=tuple(source.roles))
    kept, marks, excluded = _detractors(tally, rating=rating, followed_up=followed_up, scale=offered)
    counts = np.where(kept, tally.counts, 0)
    columns: dict[str, list[Cell]] = {"group": list(_GROUPS), "customers": _by_group(counts, marks)}
    if next_rating is not None:
        columns |= _next_scores(tally, counts, marks, name=next_rating, scale=offered, level=level)
    if churned is not None:
        columns |= _staying(outcomes(tally, column=churned), counts, marks, level=level)
    columns["status"] = ["ok" if size else "no_customers" for size in columns["customers"]]

    return LoopTable(
        columns=Columns(columns, {name: kind for name, kind in _TYPES.items() if name in columns}),
        unit="points" if churned is None else "share" if next_rating is None else "points and share",
        definition="nps.closed_loop/detractors",
        excluded=excluded,
        notes=(ASSOCIATIONS, _IMMORTAL),
        backend=source.backend,
        level=level,
    )


def _detractors(
    tally: Tally, *, rating: str, followed_up: str, scale: Scale
) -> tuple[NDArray[np.bool_], Integers, dict[str, int]]:
    """Where rows are of detractors known to have been followed up or not, which of both, and the rows of others."""
    group = classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)
    called = outcomes(tally, column=followed_up, role="followed_up")
    marks = np.array([-1 if mark is None else mark for mark in called], dtype=np.int64)
    kept = (group == 2) & (marks >= 0)
    others = {"promoters": group == 0, "passives": group == 1, "missing_rating": group == 3}
    others["missing_followed_up"] = (group == 2) & (marks < 0)
    excluded = {reason: int(tally.counts[rows].sum()) for reason, rows in others.items() if tally.counts[rows].any()}
    if not kept.any():
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items()) or "no rows"
        raise InputError(f"no detractor is left to follow: {listed}.", argument="data", count=0)
    return kept, marks, excluded


def _by_group(counts: Integers, marks: Integers) -> list[Cell]:
    return [int(counts[marks == mark].sum()) for mark in range(len(_GROUPS))]


def _next_scores(
    tally: Tally, counts: Integers, marks: Integers, *, name: str, scale: Scale, level: float | None
) -> dict[str, list[Cell]]:
    group = classes(tally.keys["next_rating"], tally.counts, name=name, scale=scale)
    found = []
    for mark in range(len(_GROUPS)):
        up, level_of, down = (int(counts[(marks == mark) & (group == code)].sum()) for code in range(3))
        found.append(from_counts(promoters=up, passives=level_of, detractors=down, level=level))
    before, after = found
    gap = difference(after, before, level=level)
    return {
        "answered": [score.responses for score in found],
        "nps": [score.estimate for score in found],
        **_ends([score.interval for score in found], "nps_low", "nps_high"),
        "nps_difference": [None, gap.estimate],
        **_ends([None, gap.interval], "nps_difference_low", "nps_difference_high"),
        "nps_p_value": [None, gap.p_value],
    }


def _ends(intervals: Sequence[Interval | None], low: str, high: str) -> dict[str, list[Cell]]:
    return {
        low: [None if interval is None else interval.low for interval in intervals],
        high: [None if interval is None else interval.high for interval in intervals],
    }


def _staying(
    left: Sequence[int | None], counts: Integers, marks: Integers, *, level: float | None
) -> dict[str, list[Cell]]:
    outcome = np.array([math.nan if mark is None else mark for mark in left])
    known = [int(counts[(marks == mark) & (outcome == outcome)].sum()) for mark in range(len(_GROUPS))]
    gone = [int(counts[(marks == mark) & (outcome == 1)].sum()) for mark in range(len(_GROUPS))]
    kept = [size - lost for size, lost in zip(known, gone, strict=True)]
    rows = [against(kept[at], known[at], kept[0], known[0], level=level, same=at == 0) for at in range(len(_GROUPS))]
    return {
        "known": list(known),
        "churned": list(gone),
        **{name: [row[place] for row in rows] for place, name in enumerate(_STAYING)},
    }
