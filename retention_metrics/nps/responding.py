"""Who answers and who does not: response rates, the score weighted for them, and what silence could hide."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.answers import SCALES, Scale, classes
from retention_metrics.nps.scores import PromoterScore, points_interval
from retention_metrics.results import Cell, Columns, ColumnType, Interval, TableResult, result

Floats = NDArray[np.float64]

_RATE_TYPES: dict[str, ColumnType] = {
    "tenure_from": "number",
    **dict.fromkeys(("invited", "answered"), "integer"),
    **dict.fromkeys(("response_rate", "low", "high", "nps"), "number"),
}


@result
class ResponseRates(TableResult):
    """Response rates by segment, and the score weighted to all who were asked.

    Attributes
    ----------
    unweighted : float
        Score of the answers as they came, in points; the estimate weights each segment by those asked.
    invited, answered : int
        Customers asked, and answers.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> scores = [10] * 6 + [3] * 6 + [None] * 48 + [9] * 30 + [None] * 10
    >>> asked = pd.DataFrame({"plan": ["new"] * 60 + ["old"] * 40, "score": scores})
    >>> rates = rm.nps.response_rates(asked, rating="score", segment="plan")
    >>> rates.to_frame()[["segment", "invited", "answered", "response_rate", "nps"]]
      segment  invited  answered  response_rate    nps
    0     new       60        12           0.20    0.0
    1     old       40        30           0.75  100.0
    >>> round(rates.unweighted, 1), rates.estimate
    (71.4, 40.0)
    """

    kind: ClassVar[str] = "nps.response_rates"

    unweighted: float
    invited: int
    answered: int
    level: float | None

    def explain(self) -> Explanation:
        """The segments' scores, weighted by the customers asked."""
        rows = [row for row in self.rows() if row["nps"] is not None]
        values = {f"n{k}": float(str(row["invited"])) for k, row in enumerate(rows, 1)}
        values |= {f"s{k}": float(str(row["nps"])) for k, row in enumerate(rows, 1)}
        places = range(1, len(rows) + 1)
        total, weighted = " + ".join(f"n{k}" for k in places), " + ".join(f"n{k} * s{k}" for k in places)
        steps = (Step(name="nps", expression=f"({weighted}) / ({total})"),) if self.estimate is not None else ()
        return Explanation(
            formula="NPS = sum of invited x NPS, over segments / invited",
            values=values,
            steps=steps,
            source="Post-stratification: Cochran, W. G. (1977), Sampling Techniques, 3rd edition, section 5A.9.",
        )


def response_rates(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    segment: str | None = None,
    tenure: str | None = None,
    edges: Sequence[float] = (3.0, 12.0, 24.0),
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> ResponseRates:
    """Share of the customers asked who answered, by segment and tenure.

    Parameters
    ----------
    customers : dataframe
        One row per customer who was asked; the answer is missing where there was none. pandas, Polars (eager or lazy),
        PyArrow or a DuckDB relation.
    rating : str
        Column of the answers.
    segment : str, optional
        Column of the segment.
    tenure : str, optional
        Column of the time that the customer has been one, in any unit; it is cut at ``edges``.
    edges : sequence of float, default (3, 12, 24)
        Where one band of tenure ends and the next begins, rising; a band holds its lower edge.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    ResponseRates
        Rows of ``[segment, tenure_from,] invited, answered, response_rate, low, high, nps``. ``estimate`` and
        ``interval`` are the score in points with each segment weighted by the customers asked; None where a segment
        has no answer, and then a note names it.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If neither segment nor tenure is given, an answer is not on the scale, or nobody answered.

    Notes
    -----
    Weighting corrects for answering that differs between segments, not within them: ``nps.nonresponse`` bounds the
    rest. With the share W of those asked and n answers in segment h the variance is the sum of
    ``W_h^2 (p_h + d_h - (p_h - d_h)^2) / n_h``, and the score interval is taken at the effective number of answers.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> asked = pd.DataFrame({"months": [1, 2, 5, 8, 30, 40], "score": [None, 3, 8, None, 9, 10]})
    >>> rm.nps.response_rates(asked, rating="score", tenure="months").to_frame()[["tenure_from", "invited", "answered"]]
       tenure_from  invited  answered
    0          NaN        2         1
    1          3.0        2         1
    2         24.0        2         2
    """
    if segment is None and tenure is None:
        raise InputError("segment= or tenure= names what response rates are told apart by.", argument="segment")
    source = adopt.adopt(customers, {"rating": rating, "segment": segment, "tenure": tenure})
    level = _checks.level(level)
    offered = _checks.choice(scale, SCALES, name="scale")
    cuts = rising(edges)

    by = ("segment", "rating") if segment else ("rating",)
    tally = engine.tally(source, by=by, extra=engine.band(source, "tenure", cuts) if tenure else None)
    keys, counts, excluded = _by_segment(tally, rating=rating, scale=offered)
    estimate, interval, note = _weighted(keys, counts, level)
    answered = counts[:, :3].sum()

    return ResponseRates(
        estimate=estimate,
        interval=interval,
        columns=Columns(
            _columns(keys, counts, cuts if tenure else None, segment is not None, level),
            _RATE_TYPES if tenure else {name: kind for name, kind in _RATE_TYPES.items() if name != "tenure_from"},
        ),
        unit="points",
        definition="nps.score/weighted-for-response",
        excluded=excluded,
        notes=() if note is None else (note,),
        status="ok" if estimate is not None else "undefined",
        backend=source.backend,
        unweighted=100 * float(counts[:, 0].sum() - counts[:, 2].sum()) / float(answered),
        invited=int(counts.sum()),
        answered=int(answered),
        level=level,
    )


def rising(edges: Sequence[float]) -> list[float]:
    """The edges of bands of tenure, checked."""
    cuts = [_checks.number(edge, name="edges") for edge in edges]
    if not cuts or any(b <= a for a, b in itertools.pairwise(cuts)):
        raise InputError(f"edges rise; got {list(edges)!r}.", argument="edges")
    return cuts


def _by_segment(tally: Tally, *, rating: str, scale: Scale) -> tuple[list[tuple[Cell, int]], Floats, dict[str, int]]:
    """Promoters, passives, detractors and silent customers by segment and band of tenure."""
    group = classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)
    size = tally.counts.size
    segments, bands = tally.keys.get("segment", (0,) * size), tally.keys.get("band", (0,) * size)
    unknown = tally.keys.get("unknown", (0,) * size)
    at: dict[tuple[Cell, int], Floats] = {}
    excluded = {"missing_segment": 0, "missing_tenure": 0}
    for row, rows in enumerate(tally.counts.tolist()):
        if segments[row] is None or unknown[row]:
            excluded["missing_segment" if segments[row] is None else "missing_tenure"] += rows
        else:
            at.setdefault((segments[row], int(bands[row])), np.zeros(4))[group[row]] += rows
    keys = sorted(at, key=lambda key: (isinstance(key[0], str), key[0], key[1]))
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    counts = np.array([at[key] for key in keys]).reshape(-1, 4)
    if counts[:, :3].sum() == 0:
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items())
        raise InputError(f"nobody answered{': ' if listed else ''}{listed}.", argument="data", count=0)
    return keys, counts, excluded


def _weighted(
    keys: list[tuple[Cell, int]], counts: Floats, level: float | None
) -> tuple[float | None, Interval | None, str | None]:
    """The score with each segment weighted by those asked, and its interval at the effective size."""
    n, asked = counts[:, :3].sum(axis=1), counts.sum(axis=1)
    silent = [name for (name, _), size in zip(keys, n.tolist(), strict=True) if size == 0]
    if silent:
        return (
            None,
            None,
            f"No weighted score: nobody answered in {len(silent)} of {len(keys)} segments; join them to others.",
        )
    parts, within = asked / asked.sum(), counts[:, :3] / n[:, None]
    p, _, d = (float(share) for share in parts @ within)
    spread = np.maximum(0.0, within[:, 0] + within[:, 2] - (within[:, 0] - within[:, 2]) ** 2)
    variance = float(parts**2 @ (spread / n))
    if level is None:
        return 100 * (p - d), None, None
    size = multinomials.net_variance(p, d) / variance if variance > 0 else 1 / float(parts**2 @ (1 / n))
    limits = multinomials.score_interval(p, d, size, z=proportions.normal_quantile(level))
    return 100 * (p - d), points_interval(limits, level, "score", most=100.0), None


def _columns(
    keys: list[tuple[Cell, int]], counts: Floats, cuts: list[float] | None, segmented: bool, level: float | None
) -> dict[str, list[Cell]]:
    n, asked = counts[:, :3].sum(axis=1), counts.sum(axis=1)
    columns: dict[str, list[Cell]] = {}
    if segmented:
        columns["segment"] = [name for name, _ in keys]
    if cuts is not None:
        columns["tenure_from"] = [cuts[band - 1] if band else None for _, band in keys]
    low = high = [None] * len(keys)
    if level is not None:
        ends = proportions.share_interval(n, asked, level=level)
        low, high = ([float(end) for end in side] for side in ends)  # type: ignore[assignment]
    return columns | {
        "invited": [int(count) for count in asked],
        "answered": [int(count) for count in n],
        "response_rate": (n / asked).tolist(),
        "low": list(low),
        "high": list(high),
        "nps": [
            100 * float(row[0] - row[2]) / size if size else None for row, size in zip(counts, n.tolist(), strict=True)
        ],
    }


@result
class Nonresponse(TableResult):
    """What the score of all who were asked could be when some kept silent.

    Attributes
    ----------
    invited, answered : int
        Customers asked, and answers.
    response_rate : float
        Share of those asked who answered.
    lowest, highest : float
        Score of all where every silent customer detracts, and where every one promotes.
    lowest_low, highest_high : float or None
        Bounds with the sampling error of the answers.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> bounds = rm.nps.nonresponse(rm.nps.from_counts(promoters=60, passives=25, detractors=15), invited=200)
    >>> bounds.lowest, bounds.estimate, bounds.highest
    (-27.5, 45.0, 72.5)
    """

    kind: ClassVar[str] = "nps.nonresponse"

    invited: int
    answered: int
    response_rate: float
    lowest: float
    highest: float
    lowest_low: float | None
    highest_high: float | None

    def explain(self) -> Explanation:
        """The score of the answers, and how far silence could move it."""
        return Explanation(
            formula="NPS of all = NPS - (1 - response rate) gap",
            values={"invited": self.invited, "answered": self.answered, "nps": self.estimate},
            steps=(Step(name="estimate", expression="nps"),),
            source="Bounds: Horowitz, J. L. and Manski, C. F. (1998), Journal of Econometrics 84, 37-58.",
        )


def nonresponse(
    score: PromoterScore, *, invited: int, gaps: Sequence[float] = (0.0, 10.0, 20.0, 30.0, 50.0)
) -> Nonresponse:
    """Bounds of the score of all who were asked, and how it moves with the silent.

    Parameters
    ----------
    score : PromoterScore
        Score of the answers.
    invited : int
        Number of customers asked, at least the number of answers.
    gaps : sequence of float, default (0, 10, 20, 30, 50)
        Points by which the silent customers' score lies below that of the answers; negative where it lies above.

    Returns
    -------
    Nonresponse
        ``estimate`` is the score of the answers; ``lowest`` and ``highest`` hold whatever the silent think. Rows of
        ``gap, nps, low, high``: the score of all under each gap, with the sampling error of the answers.

    Raises
    ------
    InputError
        If the score has no answers, fewer were asked than answered, or a gap is beyond 200 points.

    Notes
    -----
    With the response rate r the score of all is ``r NPS + (1 - r) NPS of the silent``, which lies between
    ``r NPS - 100 (1 - r)`` and ``r NPS + 100 (1 - r)`` [1]_. The silent customers' score stays inside -100 to 100.

    References
    ----------
    .. [1] Horowitz, J. L. and Manski, C. F. (1998). Censoring of outcomes and regressors due to survey nonresponse.
       *Journal of Econometrics* 84, 37-58.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> score = rm.nps.from_counts(promoters=60, passives=25, detractors=15)
    >>> rm.nps.nonresponse(score, invited=400, gaps=(0, 20)).to_frame().round(1)
        gap   nps   low  high
    0   0.0  45.0  29.3  58.1
    1  20.0  30.0  14.3  43.1
    """
    estimate = _estimate(score)
    asked = _checks.count(invited, name="invited", low=1)
    if asked < score.responses:
        raise InputError(
            f"invited is at least the number of answers, {score.responses}; got {asked}.", argument="invited"
        )
    shifts = [_checks.number(gap, name="gaps", low=-200.0, high=200.0) for gap in gaps]

    rate, ends = score.responses / asked, (estimate, estimate, estimate)
    if score.interval is not None:
        ends = (estimate, score.interval.low, score.interval.high)
    silent = [min(100.0, max(-100.0, estimate - gap)) - estimate for gap in shifts]
    moved = [[min(100.0, max(-100.0, end + (1 - rate) * shift)) for shift in silent] for end in ends]
    known = score.interval is not None

    return Nonresponse(
        estimate=estimate,
        interval=score.interval,
        columns=Columns(
            {
                "gap": shifts,
                "nps": moved[0],
                "low": moved[1] if known else [None] * len(shifts),
                "high": moved[2] if known else [None] * len(shifts),
            },
            dict.fromkeys(("gap", "nps", "low", "high"), "number"),
        ),
        unit="points",
        definition="nps.nonresponse/bounds",
        notes=(f"{asked - score.responses} of {asked} customers kept silent.",),
        backend=score.backend,
        invited=asked,
        answered=score.responses,
        response_rate=rate,
        lowest=rate * estimate - 100 * (1 - rate),
        highest=rate * estimate + 100 * (1 - rate),
        lowest_low=rate * ends[1] - 100 * (1 - rate) if known else None,
        highest_high=rate * ends[2] + 100 * (1 - rate) if known else None,
    )


def _estimate(score: object) -> float:
    if not isinstance(score, PromoterScore) or score.estimate is None:
        raise InputError("score is a Net Promoter Score with answers, as nps.score returns.", argument="score")
    return score.estimate
