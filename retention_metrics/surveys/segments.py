"""Answers to one question by segment."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics._engine import adopt, responses
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multiplicity, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result
from retention_metrics.surveys.answers import (
    WILSON,
    Counted,
    Floats,
    Question,
    answer_source,
    counted_on_scale,
    mean_interval,
    scale_places,
    share_interval,
)


@result
class SegmentAnswers(TableResult):
    """Answers to one question by segment, each against the rest.

    Attributes
    ----------
    p_value : float or None
        Of the chi-squared test that all segments answer alike; None with one segment.
    top : int
        Number of best answers that count in the share.
    scale : str
        The answers that were offered.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"plan": ["new"] * 4 + ["old"] * 4, "stars": [5, 4, 2, 1, 5, 5, 5, 4]})
    >>> rm.surveys.crosstab(answers, answer="stars", by="plan").to_frame()[["segment", "responses", "share", "mean"]]
      segment  responses  share  mean
    0     new          4    0.5  3.00
    1     old          4    1.0  4.75
    """

    kind: ClassVar[str] = "surveys.crosstab"

    p_value: float | None
    top: int
    scale: str
    level: float | None

    def explain(self) -> Explanation:
        """What a share of a segment is."""
        return Explanation(
            formula=f"share = answers among the {self.top} best / answers, segment by segment",
            values={},
            steps=(),
            source=WILSON,
        )


def crosstab(
    data: adopt.NativeFrame,
    *,
    answer: str,
    by: str,
    scale: str = "1-5",
    top: int = 2,
    survey_weights: str | None = None,
    level: float | None = 0.95,
) -> SegmentAnswers:
    """Answers by segment: share of the best and mean, and whether segments differ.

    Parameters
    ----------
    data : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation, counted in its own engine.
    answer, by : str
        Columns of the answer and of the segment.
    scale : str, default "1-5"
        The answers that were offered, lowest and highest; any other answer is refused.
    top : int, default 2
        Number of best answers that count in the share.
    survey_weights : str, optional
        Column of sampling weights of at least 0.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SegmentAnswers
        Rows of ``segment, responses, effective_n, share, low, high, mean, mean_low, mean_high, p_value, p_adjusted``:
        the p-values compare the segment's share with that of all others. ``.p_value`` is that of the whole table.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles or is not of numbers.
    InputError
        If an answer is not on the scale, or none is left.

    Notes
    -----
    Intervals as in ``csat``. The test of a segment is the two-sample test of proportions with pooled variance,
    adjusted by Holm's method [1]_; that of the table is Pearson's chi-squared over all answers. With weights both are
    taken at effective numbers of answers.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of
       Statistics* 6, 65-70.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana"] * 50 + ["Bo"] * 50, "stars": [5] * 40 + [2] * 10 + [5] * 20 + [2] * 30})
    >>> table = rm.surveys.crosstab(answers, answer="stars", by="rep")
    >>> [(row["segment"], row["share"], round(row["p_adjusted"], 4)) for row in table.rows()]
    [('Ana', 0.8, 0.0001), ('Bo', 0.4, 0.0001)]
    """
    asked = Question.checked(scale=scale, top=top, population=None, level=level)
    source = answer_source(data, answer, survey_weights, by=by)

    tally = responses.tally(source, by=("answer", "by"), weight="survey_weights" if survey_weights else None)
    places, excluded = scale_places(tally, source.roles["answer"], asked)
    segments, tables, missing = _by_segment(tally, places, asked)
    excluded |= {"missing_segment": missing} if missing else {}
    if not segments:
        raise InputError(f"no answer has a segment: missing_segment {missing}.", argument="by", count=0)
    effective = np.stack([part.weights / part.weights.sum() * part.effective_n for part in tables])

    return SegmentAnswers(
        columns=Columns(_segment_columns(segments, tables, effective, asked), _SEGMENT_TYPES),
        unit="share",
        definition=f"surveys.crosstab/top-{asked.top}",
        excluded=excluded,
        backend=source.backend,
        p_value=_independence(effective),
        top=asked.top,
        scale=asked.scale,
        level=asked.level,
    )


_SEGMENT_TYPES: dict[str, ColumnType] = {
    "responses": "integer",
    "effective_n": "number",
    **dict.fromkeys(("share", "low", "high", "mean", "mean_low", "mean_high", "p_value", "p_adjusted"), "number"),
}


def _by_segment(tally: Tally, places: NDArray[np.int64], asked: Question) -> tuple[list[Cell], list[Counted], int]:
    """The answers of every segment, and how many have none."""
    at: dict[Cell, list[int]] = {}
    missing = 0
    for row, segment in enumerate(tally.keys["by"]):
        if places[row] < 0:
            continue
        if segment is None:
            missing += int(tally.counts[row])
        elif tally.weights[row] > 0:
            at.setdefault(segment, []).append(row)
    segments = sorted(at, key=lambda segment: (isinstance(segment, str), segment))
    tables = []
    for segment in segments:
        rows = np.array(at[segment])
        part = Tally(
            keys={},
            counts=tally.counts[rows],
            weights=tally.weights[rows],
            squared_weights=tally.squared_weights[rows],
        )
        tables.append(counted_on_scale(part, places[rows], asked, {}, "pandas"))
    return segments, tables, missing


def _segment_columns(
    segments: list[Cell], tables: list[Counted], effective: Floats, asked: Question
) -> dict[str, list[Cell]]:
    sizes, best = effective.sum(axis=1), effective[:, -asked.top :].sum(axis=1)
    of_share = [share_interval(hits / size, size, asked.level) for hits, size in zip(best, sizes, strict=True)]
    of_mean = [mean_interval(row / size, size, asked) for row, size in zip(effective, sizes, strict=True)]
    p_values = _against_rest(best, sizes)
    raised = multiplicity.adjusted(p_values, method="holm")
    return {
        "segment": segments,
        "responses": [int(part.counts.sum()) for part in tables],
        "effective_n": sizes.tolist(),
        "share": (best / sizes).tolist(),
        "low": [None if end is None else end.low for end in of_share],
        "high": [None if end is None else end.high for end in of_share],
        "mean": (effective @ asked.answers / sizes).tolist(),
        "mean_low": [None if end is None else end.low for end in of_mean],
        "mean_high": [None if end is None else end.high for end in of_mean],
        "p_value": [None if math.isnan(p) else float(p) for p in p_values],
        "p_adjusted": [None if math.isnan(p) else float(p) for p in raised],
    }


def _against_rest(hits: Floats, n: Floats) -> Floats:
    """p-values of each share against that of all others; NaN where there are none, or nothing varies."""
    rest_n, pooled = n.sum() - n, float(hits.sum() / n.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = hits / n - (hits.sum() - hits) / rest_n
        z = gap / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / rest_n))
    return proportions.two_sided_p_values(np.where(rest_n > 0, z, np.nan))


def _independence(table: Floats) -> float | None:
    held = table[:, table.sum(axis=0) > 0]
    if min(held.shape) < 2:
        return None
    expected = held.sum(axis=1, keepdims=True) * held.sum(axis=0) / held.sum()
    statistic = float(((held - expected) ** 2 / expected).sum())
    return float(special.chdtrc((held.shape[0] - 1) * (held.shape[1] - 1), statistic))
