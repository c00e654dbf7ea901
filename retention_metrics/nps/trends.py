"""The Net Promoter Score from period to period, with control limits."""

from __future__ import annotations

import datetime as dt
import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.nps.answers import SCALES, Scale, classes, refuse_weights
from retention_metrics.nps.periods import Calendar, read_periods
from retention_metrics.nps.scores import SOURCE
from retention_metrics.periods import Period, PeriodUnit
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

Floats = NDArray[np.float64]

_TYPES: dict[str, ColumnType] = {
    "period": "date",
    **dict.fromkeys(("responses", "promoters", "passives", "detractors"), "integer"),
    **dict.fromkeys(("nps", "low", "high", "lower_limit", "upper_limit"), "number"),
    "signal": "boolean",
    "status": "string",
}


@result
class ScoreTrend(TableResult):
    """Net Promoter Scores of successive periods in points, with control limits.

    Attributes
    ----------
    centre : float
        Score of all complete periods together, or of the baseline; the centre line of the chart.
    sigmas : float
        Distance of the control limits from it, in standard errors of a period's score.
    level : float or None
        Probability content of the periods' own intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = pd.date_range("2024-01-01", periods=91)
    >>> answers = pd.DataFrame({"day": days, "score": ([10, 9, 7, 3, 8] * 19)[:91]})
    >>> trend = rm.nps.trend(answers, rating="score", time="day")
    >>> round(trend.centre, 1), trend.signals
    (20.9, ())
    """

    kind: ClassVar[str] = "nps.trend"

    centre: float
    sigmas: float
    level: float | None

    @property
    def signals(self) -> tuple[dt.date, ...]:
        """First days of the periods whose score lies outside the control limits."""
        return tuple(
            day
            for day, out in zip(self.columns["period"], self.columns["signal"], strict=True)
            if out and isinstance(day, dt.date)
        )

    def explain(self) -> Explanation:
        """The score of each period, and the limits about the common one."""
        return Explanation(
            formula="limits = centre +- sigmas * 100 sqrt((p + d - (p - d)^2) / responses)",
            values={"centre": self.centre, "sigmas": self.sigmas},
            steps=(),
            source=f"{SOURCE}. Control limits: Shewhart, W. A. (1931), Economic Control of Quality of Manufactured "
            "Product.",
        )


def trend(
    responses: adopt.NativeFrame,
    *,
    rating: str,
    time: str,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    scale: Scale = "0-10",
    survey_weights: str | None = None,
    sigmas: float = 3.0,
    baseline: int | None = None,
    level: float | None = 0.95,
) -> ScoreTrend:
    """Net Promoter Score of each period in points, with limits that chance keeps to.

    Parameters
    ----------
    responses : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating, time : str
        Columns of the answers and of their times.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        The calendar period.
    as_of : str or date, optional
        End of observation, by default the day of the last answer. A period that it cuts has status
        ``"incomplete"``, and neither moves the centre line nor signals.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    survey_weights : str, optional
        Column of sampling weights of at least 0; intervals and limits use Kish's effective sizes.
    sigmas : float, default 3
        Distance of the control limits from the centre line in standard errors, above 0.
    baseline : int, optional
        Number of complete periods at the start that set the centre line; by default all do.
    level : float or None, default 0.95
        Probability content of the periods' own score intervals, in (0, 1); None computes no interval.

    Returns
    -------
    ScoreTrend
        Rows of ``period, responses, promoters, passives, detractors, nps, low, high, lower_limit, upper_limit,
        signal, status``; periods without answers keep their row, with status ``"no_responses"``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, no period is complete, or fewer are than ``baseline``.

    Notes
    -----
    With shares p and d of the baseline's promoters and detractors, the limits of a period with n answers lie
    ``sigmas * 100 sqrt((p + d - (p - d)^2) / n)`` from the centre line, inside -100 to 100 [1]_. A score outside is a
    signal; one inside moves as chance does. At 3 standard errors about 1 period in 370 signals without a cause.

    References
    ----------
    .. [1] Shewhart, W. A. (1931). *Economic Control of Quality of Manufactured Product*. Van Nostrand.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = pd.date_range("2024-01-01", periods=120)
    >>> scores = [10, 9, 8, 3] * 23 + [2, 3, 9, 5] * 7
    >>> answers = pd.DataFrame({"day": days, "score": scores})
    >>> trend = rm.nps.trend(answers, rating="score", time="day", baseline=3, as_of="2024-04-30")
    >>> trend.to_frame()[["nps", "lower_limit", "upper_limit", "signal"]].round(1)
        nps  lower_limit  upper_limit  signal
    0  29.0        -18.0         70.7   False
    1  20.7        -19.5         72.2   False
    2  29.0        -18.0         70.7   False
    3 -51.7        -19.5         72.2    True
    >>> trend.signals
    (datetime.date(2024, 4, 1),)
    """
    level = _checks.level(level)
    offered = _checks.choice(scale, SCALES, name="scale")
    width = _checks.positive(sigmas, name="sigmas")
    first = None if baseline is None else _checks.count(baseline, name="baseline", low=1)
    calendar = read_periods(
        responses, {"rating": rating, "survey_weights": survey_weights}, time=time, period=period, as_of=as_of
    )
    weight = "survey_weights" if survey_weights else None
    if weight:
        refuse_weights(calendar.source, weight)

    tally = engine.tally(calendar.source, by=("rating",), weight=weight, extra=calendar.keys)
    numbers, tables, excluded = _by_period(tally, calendar, rating=rating, scale=offered)
    columns, centre = _columns(numbers, tables, calendar, level=level, sigmas=width, baseline=first)

    return ScoreTrend(
        columns=Columns(columns, _TYPES),
        unit="points",
        definition="nps.score/by-period",
        excluded=excluded,
        notes=("Intervals and limits are taken at Kish's effective numbers of answers.",) if weight else (),
        backend=calendar.source.backend,
        centre=centre,
        sigmas=width,
        level=level,
    )


def _by_period(
    tally: Tally, calendar: Calendar, *, rating: str, scale: Scale
) -> tuple[list[int], list[Floats], dict[str, int]]:
    """Counts, weights and squared weights by period and class, every period between the first and the last in."""
    group = classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)
    dated, excluded = calendar.dated(tally), calendar.excluded(tally)
    excluded["missing_rating"] = int(tally.counts[dated & (group == 3)].sum())
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    held = np.flatnonzero(dated & (group < 3))
    if held.size == 0 or not tally.weights[held].any():
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items()) or "no rows"
        raise InputError(f"no answer is left to score: {listed}.", argument="data", count=0)
    periods = np.array(calendar.numbers(tally))
    start, end = int(periods[held].min()), int(periods[held].max())
    tables: list[Floats] = []
    for values in (tally.counts, tally.weights, tally.squared_weights):
        table = np.zeros((end - start + 1, 3))
        np.add.at(table, (periods[held] - start, group[held]), values[held])
        tables.append(table)
    return list(range(start, end + 1)), tables, excluded


def _columns(
    numbers: list[int],
    tables: list[Floats],
    calendar: Calendar,
    *,
    level: float | None,
    sigmas: float,
    baseline: int | None,
) -> tuple[dict[str, list[Cell]], float]:
    counts, weights, squares = tables
    total = weights.sum(axis=1)
    answered = total > 0
    complete = np.array([calendar.status(number) == "ok" for number in numbers])
    setting = np.flatnonzero(complete & answered)[:baseline]
    if baseline is not None and 0 < setting.size < baseline:
        raise InputError(
            f"baseline is at most the number of complete periods with answers, {setting.size}; got {baseline}.",
            argument="baseline",
        )
    if setting.size == 0:
        raise InputError(
            "no period is complete, so that there is no centre line.",
            argument="as_of",
            fix="Give as_of= the end of observation, or choose a shorter period.",
        )
    common = weights[setting].sum(axis=0) / weights[setting].sum()
    centre = float(common[0] - common[2])
    shares = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=answered[:, None])
    sizes = np.divide(total**2, squares.sum(axis=1), out=np.ones_like(total), where=answered)
    half = sigmas * np.sqrt(multinomials.net_variance(float(common[0]), float(common[2])) / sizes)
    net, lower, upper = shares[:, 0] - shares[:, 2], np.maximum(-1.0, centre - half), np.minimum(1.0, centre + half)
    low, high = (math.nan * net, math.nan * net)
    if level is not None:
        low, high = multinomials.score_limits(shares[:, 0], shares[:, 2], sizes, z=proportions.normal_quantile(level))
    out = ((net < lower) | (net > upper)) & answered & complete

    def points(values: Floats) -> list[Cell]:
        return [100 * float(value) if there else None for value, there in zip(values, answered.tolist(), strict=True)]

    columns: dict[str, list[Cell]] = {
        "period": [calendar.first_day(number) for number in numbers],
        "responses": [int(count) for count in counts.sum(axis=1)],
        **{
            name: [int(count) for count in counts[:, place]]
            for place, name in enumerate(("promoters", "passives", "detractors"))
        },
        "nps": points(net),
        "low": points(low),
        "high": points(high),
        "lower_limit": points(lower),
        "upper_limit": points(upper),
        "signal": [bool(flag) for flag in out],
        "status": [
            calendar.status(number) if there else "no_responses"
            for number, there in zip(numbers, answered.tolist(), strict=True)
        ],
    }
    return columns, 100 * centre
