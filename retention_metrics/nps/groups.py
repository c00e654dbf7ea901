"""Net Promoter Scores of many groups: each against the rest, drawn together, and by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multinomials, multiplicity, proportions, shrinkage
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.nps.answers import SCALES, Scale, classes, refuse_weights
from retention_metrics.nps.comparisons import DIFFERENCE_METHODS, DifferenceMethod
from retention_metrics.nps.periods import Calendar, read_periods
from retention_metrics.nps.scores import SOURCE, PromoterScore, points_interval
from retention_metrics.periods import Period, PeriodUnit
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

Floats = NDArray[np.float64]

_TYPES: Mapping[str, ColumnType] = {
    **dict.fromkeys(("responses", "promoters", "passives", "detractors"), "integer"),
    **dict.fromkeys(("effective_n", "nps", "low", "high", "shrunk", "shrunk_low", "shrunk_high"), "number"),
    **dict.fromkeys(("difference_from_rest", "difference_low", "difference_high", "p_value", "p_adjusted"), "number"),
    "period": "date",
    "status": "string",
}


@result
class GroupRanks(TableResult):
    """Probabilities that each group has the best, and the worst, score of all.

    Attributes
    ----------
    draws : int
        Number of posterior draws behind the probabilities.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana"] * 60 + ["Bo"] * 60, "score": [10] * 50 + [3] * 40 + [10] * 30})
    >>> ranks = rm.nps.by_group(answers, rating="score", group="rep").best(rng=7)
    >>> ranks.to_frame().round(1)
      group  probability_best  probability_worst
    0   Ana               1.0                0.0
    1    Bo               0.0                1.0
    """

    kind: ClassVar[str] = "nps.group_ranks"

    draws: int

    def explain(self) -> Explanation:
        """Shares of posterior draws in which a group is at an end."""
        return Explanation(
            formula="probability = draws in which the group's score is the highest (lowest) / draws",
            values={"draws": self.draws},
            steps=(),
            source="Posterior of the Dirichlet-multinomial model, as in nps.by_group.",
        )


@result
class GroupScores(TableResult):
    """Net Promoter Scores of groups in points, each against the rest.

    Attributes
    ----------
    level : float or None
        Probability content of the intervals.
    method : str
        Method of the intervals and of the test against the rest.
    adjustment : str
        How ``p_adjusted`` allows for the number of tests: ``"holm"`` or ``"bh"``.
    prior_promoters, prior_passives, prior_detractors : float or None
        Mean shares of the distribution that shrinks the groups.
    prior_size : float or None
        Its size in answers: a group with as many goes half way to the mean. None where the groups differ by no more
        than chance and are all drawn to the mean.
    weighted : bool
        Whether survey weights were used.
    scale : str
        The scale of the answers.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"rep": ["Ana"] * 4 + ["Bo"] * 40, "score": [10] * 4 + [10] * 25 + [2] * 15})
    >>> table = rm.nps.by_group(answers, rating="score", group="rep")
    >>> table.to_frame()[["group", "responses", "nps"]]
      group  responses    nps
    0   Ana          4  100.0
    1    Bo         40   25.0
    >>> table.group("Bo").detractors
    15
    """

    kind: ClassVar[str] = "nps.by_group"

    level: float | None
    method: DifferenceMethod
    adjustment: multiplicity.Adjustment
    prior_promoters: float | None
    prior_passives: float | None
    prior_detractors: float | None
    prior_size: float | None
    weighted: bool
    scale: str

    def explain(self) -> Explanation:
        """The score of each group, and how it is drawn to the others."""
        return Explanation(
            formula="NPS = 100 (promoters - detractors) / responses; "
            "shrunk = (responses NPS + size mean) / (responses + size)",
            values={
                "prior_promoters": self.prior_promoters,
                "prior_passives": self.prior_passives,
                "prior_detractors": self.prior_detractors,
                "size": self.prior_size,
            },
            steps=(),
            source=f"{SOURCE}. Shrinkage: Mosimann, J. E. (1962), Biometrika 49, 65-82; Morris, C. N. (1983), "
            "Journal of the American Statistical Association 78, 47-55.",
        )

    def group(self, name: Cell, *, period: dt.date | None = None) -> PromoterScore:
        """One group's score, with its counts.

        Parameters
        ----------
        name : str or number
            Name of the group, as in the column ``group``.
        period : date, optional
            First day of the period, where the table has periods.

        Returns
        -------
        PromoterScore
            Its score and interval, as ``nps.difference`` takes them.

        Raises
        ------
        InputError
            If the table has no such row, or it has no answers or survey weights.
        """
        held = [row for row in self.rows() if row["group"] == name and row.get("period") == period]
        if not held:
            shown = ", ".join(repr(known) for known in dict.fromkeys(self.columns["group"][:20]))
            raise InputError(
                f"a group is one of {shown}{'' if period is None else ' in a period of the table'}; got {name!r}"
                f"{'' if period is None else f' in {period}'}.",
                argument="group",
            )
        if self.weighted:
            raise InputError(
                "the table holds weighted scores, whose counts do not give them back.",
                argument="group",
                fix="Score the group's answers by nps.score.",
            )
        return _promoter_score(held[0], self)

    def best(self, *, rng: np.random.Generator | int | None = None, draws: int = 4000) -> GroupRanks:
        """Probability that each group has the best score of all, and the worst.

        Parameters
        ----------
        rng : Generator or int, optional
            Source of randomness, or its seed.
        draws : int, default 4000
            Posterior draws, at least 100. A probability is known to within about one over their root.

        Returns
        -------
        GroupRanks
            Rows of ``group[, period], probability_best, probability_worst``, which add up to 1 in each period.

        Raises
        ------
        InputError
            If there are fewer than 100 draws.
        """
        wanted, generator = _checks.count(draws, name="draws", low=100), np.random.default_rng(rng)
        counts, prior = self._weighed(), self._prior()
        periods = self.columns.get("period", (None,) * counts.shape[0])
        best, worst = np.zeros(counts.shape[0]), np.zeros(counts.shape[0])
        for period in dict.fromkeys(periods):
            rows = np.array([held == period for held in periods])
            best[rows], worst[rows] = shrinkage.chances_of_extremes(counts[rows], prior, draws=wanted, rng=generator)
        keys = {name: self.columns[name] for name in ("group", "period") if name in self.columns}
        return GroupRanks(
            columns=Columns(
                {**keys, "probability_best": best.tolist(), "probability_worst": worst.tolist()},
                {name: kind for name, kind in self.columns.types.items() if name in keys},
            ),
            definition="nps.by_group/best",
            notes=("Groups with few answers are drawn to the mean before they are compared.",),
            backend=self.backend,
            draws=wanted,
        )

    def _weighed(self) -> Floats:
        """Answers in each class, at the effective sizes."""
        counts = np.array([self.columns[name] for name in ("promoters", "passives", "detractors")], dtype=np.float64).T
        if not self.weighted:
            return counts
        shares = [self.columns[f"{name}_share"] for name in ("promoter", "passive", "detractor")]
        sizes = np.array(self.columns["effective_n"], dtype=np.float64)
        return np.nan_to_num(np.array(shares, dtype=np.float64).T) * sizes[:, None]

    def _prior(self) -> shrinkage.Prior:
        mean = np.array([self.prior_promoters, self.prior_passives, self.prior_detractors], dtype=np.float64)
        return shrinkage.Prior(mean, np.inf if self.prior_size is None else self.prior_size)


def by_group(
    responses: adopt.NativeFrame,
    *,
    rating: str,
    group: str,
    time: str | None = None,
    period: PeriodUnit | Period | None = None,
    as_of: str | dt.date | None = None,
    scale: Scale = "0-10",
    survey_weights: str | None = None,
    level: float | None = 0.95,
    method: DifferenceMethod = "score",
    adjustment: multiplicity.Adjustment = "holm",
) -> GroupScores:
    """Net Promoter Score of each group in points, and by period where asked.

    Parameters
    ----------
    responses : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. It is counted in its own
        engine, in one pass.
    rating, group : str
        Columns of the answers and of the group, such as the sales rep.
    time : str, optional
        Column of the answers' times; with it each row is a group in a period.
    period : {"day", "week", "month", "quarter", "year"} or Period, optional
        The calendar period, by default the month.
    as_of : str or date, optional
        End of observation, by default the day of the last answer; a period that it cuts has status ``"incomplete"``.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    survey_weights : str, optional
        Column of sampling weights of at least 0. Intervals, tests and shrinkage use Kish's effective sizes.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.
    method : {"score", "adjusted_wald", "wald"}, default "score"
        Method of the intervals, and of the difference from the rest.
    adjustment : {"holm", "bh"}, default "holm"
        How ``p_adjusted`` allows for many tests: Holm bounds the chance of any false finding [1]_, Benjamini and
        Hochberg the share of false ones among the findings [2]_.

    Returns
    -------
    GroupScores
        Rows of ``group[, period], responses, promoters, passives, detractors, nps, low, high, shrunk, shrunk_low,
        shrunk_high, difference_from_rest, difference_low, difference_high, p_value, p_adjusted, status``, sorted.
        ``.group(name)``, ``.best(rng=...)`` and ``.plot()``. Answers without a group or a time are in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, or none is left.

    Notes
    -----
    ``difference_from_rest`` is the group's score less that of all other answers of the period together. ``shrunk``
    is the posterior mean under a Dirichlet distribution of the groups' shares with the likeliest parameters [3]_ [4]_:
    ``(n NPS + size mean) / (n + size)``. Its interval has the moments of the posterior, with the uncertainty of the
    mean and not that of the size, so that it is somewhat narrow where the groups are few.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of
       Statistics* 6, 65-70.
    .. [2] Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. *Journal of the Royal
       Statistical Society B* 57, 289-300.
    .. [3] Mosimann, J. E. (1962). On the compound multinomial distribution. *Biometrika* 49, 65-82.
    .. [4] Morris, C. N. (1983). Parametric empirical Bayes inference. *Journal of the American Statistical
       Association* 78, 47-55.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> counts = {"Ana": (3, 0), "Bo": (180, 20), "Cy": (60, 40), "Di": (50, 50)}
    >>> rows = [(rep, score) for rep, (up, down) in counts.items() for score in [10] * up + [2] * down]
    >>> table = rm.nps.by_group(pd.DataFrame(rows, columns=["rep", "score"]), rating="score", group="rep")
    >>> table.to_frame()[["group", "responses", "nps", "shrunk"]].round(1)
      group  responses    nps  shrunk
    0   Ana          3  100.0    60.7
    1    Bo        200   80.0    78.9
    2    Cy        100   20.0    21.3
    3    Di        100    0.0     2.4
    """
    level = _checks.level(level)
    chosen = _checks.choice(method, DIFFERENCE_METHODS, name="method")
    raised = _checks.choice(adjustment, multiplicity.ADJUSTMENTS, name="adjustment")
    offered = _checks.choice(scale, SCALES, name="scale")
    roles = {"rating": rating, "group": group, "survey_weights": survey_weights}
    calendar = read_periods(responses, roles, time=time, period=period, as_of=as_of)
    weight = "survey_weights" if survey_weights else None
    if weight:
        refuse_weights(calendar.source, weight)

    tally = engine.tally(calendar.source, by=("group", "rating"), weight=weight, extra=calendar.keys)
    cells, excluded = _cells(tally, calendar, rating=rating, scale=offered)
    shares, sizes = cells.shares_and_sizes()
    prior = shrinkage.fit(shares * sizes[:, None])
    columns = _columns(cells, shares, sizes, prior, level=level, method=chosen, adjustment=raised, calendar=calendar)

    return GroupScores(
        columns=Columns(columns, {name: kind for name, kind in _TYPES.items() if name in columns}),
        unit="points",
        definition="nps.score/standard",
        excluded=excluded,
        notes=_notes(prior, weight, calendar),
        backend=calendar.source.backend,
        level=level,
        method=chosen,
        adjustment=raised,
        prior_promoters=float(prior.mean[0]),
        prior_passives=float(prior.mean[1]),
        prior_detractors=float(prior.mean[2]),
        prior_size=prior.size if np.isfinite(prior.size) else None,
        weighted=weight is not None,
        scale=offered,
    )


class _Cells(NamedTuple):
    """Answers by group and period: ``counts``, ``weights`` and ``squares`` have a column per class."""

    keys: tuple[tuple[Cell, int], ...]
    counts: Floats
    weights: Floats
    squares: Floats

    def shares_and_sizes(self) -> tuple[Floats, Floats]:
        """Shares of the classes, and Kish's effective sizes; zeros where a cell is empty."""
        total, squares = self.weights.sum(axis=1), self.squares.sum(axis=1)
        shares = np.divide(self.weights, total[:, None], out=np.zeros_like(self.weights), where=total[:, None] > 0)
        return shares, np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)

    def rest(self) -> _Cells:
        """All other answers of the same period, for each cell."""
        periods = np.array([period for _, period in self.keys])
        parts = []
        for table in (self.counts, self.weights, self.squares):
            _, place = np.unique(periods, return_inverse=True)
            totals = np.zeros((place.max() + 1, 3))
            np.add.at(totals, place, table)
            # Sums of weights round: what is left of nothing is nothing.
            left = totals[place] - table
            parts.append(np.where(left > 1e-12 * totals[place], left, 0.0))
        return _Cells(self.keys, *parts)


def _cells(tally: Tally, calendar: Calendar, *, rating: str, scale: Scale) -> tuple[_Cells, dict[str, int]]:
    if tally.rows == 0:
        raise InputError("data has no rows.", argument="data", count=0)
    group, counts = classes(tally.keys["rating"], tally.counts, name=rating, scale=scale), tally.counts
    names, excluded = tally.keys["group"], calendar.excluded(tally)
    dated = calendar.dated(tally)
    ungrouped = np.array([name is None for name in names]) & dated
    excluded |= {"missing_group": int(counts[ungrouped].sum())}
    held = dated & ~ungrouped
    excluded |= {"missing_rating": int(counts[held & (group == 3)].sum())}
    periods = calendar.numbers(tally)
    keys = sorted(
        {(names[row], periods[row]) for row in np.flatnonzero(held)},
        key=lambda key: (isinstance(key[0], str), key[0], key[1]),
    )
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    place = {key: row for row, key in enumerate(keys)}
    tables = [np.zeros((len(keys), 3)) for _ in range(3)]
    for row in np.flatnonzero(held & (group < 3)):
        at = place[names[row], periods[row]], group[row]
        for table, values in zip(tables, (counts, tally.weights, tally.squared_weights), strict=True):
            table[at] += values[row]
    if not tables[1].any():
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items())
        raise InputError(f"no answer is left to score{': ' if listed else ''}{listed}.", argument="data", count=0)
    return _Cells(tuple(keys), *tables), excluded


def _columns(
    cells: _Cells,
    shares: Floats,
    sizes: Floats,
    prior: shrinkage.Prior,
    *,
    level: float | None,
    method: DifferenceMethod,
    adjustment: multiplicity.Adjustment,
    calendar: Calendar,
) -> dict[str, list[Cell]]:
    answered = sizes > 0
    own = (shares[:, 0], shares[:, 2], np.where(answered, sizes, 1.0), np.ones(sizes.size))
    low, high = _limits(*own[:3], level, method)
    mean, variance = shrinkage.net_moments(prior, shares * sizes[:, None])
    shrunk_low, shrunk_high = (None, None) if level is None else shrinkage.net_interval(mean, variance, level=level)
    rest_shares, rest_sizes = cells.rest().shares_and_sizes()
    compared = answered & (rest_sizes > 0)
    rest = (rest_shares[:, 0], rest_shares[:, 2], np.where(rest_sizes > 0, rest_sizes, 1.0), np.ones(sizes.size))
    gap_low, gap_high, p_values = _against(own, rest, (low, high), level, method)
    p_values = np.where(compared, p_values, np.nan)
    numbers = {name: cells.counts[:, place] for place, name in enumerate(("promoters", "passives", "detractors"))}
    columns: dict[str, list[Cell]] = {"group": [name for name, _ in cells.keys]}
    if calendar.period is not None:
        columns["period"] = [calendar.first_day(number) for _, number in cells.keys]
    columns["responses"] = [int(count) for count in cells.counts.sum(axis=1)]
    columns |= {name: [int(count) for count in counts] for name, counts in numbers.items()}
    if np.any(cells.weights != cells.counts):
        columns["effective_n"] = sizes.tolist()
        for place, name in enumerate(("promoter", "passive", "detractor")):
            columns[f"{name}_share"] = _where(answered, shares[:, place])
    columns |= {
        "nps": _where(answered, 100 * (shares[:, 0] - shares[:, 2])),
        "low": _where(answered, low, 100),
        "high": _where(answered, high, 100),
        "shrunk": (100 * mean).tolist(),
        "shrunk_low": _where(answered | True, shrunk_low, 100),
        "shrunk_high": _where(answered | True, shrunk_high, 100),
        "difference_from_rest": _where(compared, 100 * (own[0] - own[1] - rest[0] + rest[1])),
        "difference_low": _where(compared, gap_low, 100),
        "difference_high": _where(compared, gap_high, 100),
        "p_value": _where(~np.isnan(p_values), p_values),
        "p_adjusted": _where(~np.isnan(p_values), multiplicity.adjusted(p_values, method=adjustment)),
        "status": [
            "no_responses" if not there else calendar.status(number)
            for there, (_, number) in zip(answered.tolist(), cells.keys, strict=True)
        ],
    }
    return columns


def _where(shown: NDArray[np.bool_], values: Floats | None, factor: float = 1.0) -> list[Cell]:
    if values is None:
        return [None] * shown.size
    return [float(factor * value) if there else None for there, value in zip(shown.tolist(), values, strict=True)]


def _limits(
    p: Floats, d: Floats, n: Floats, level: float | None, method: DifferenceMethod
) -> tuple[Floats | None, Floats | None]:
    """Intervals of many scores, as shares."""
    if level is None:
        return None, None
    z = proportions.normal_quantile(level)
    if method == "score":
        return multinomials.score_limits(p, d, n, z=z)
    p, d, n = multinomials.adjusted_shares(p, d, n) if method == "adjusted_wald" else (p, d, n)
    middle, half = p - d, z * np.sqrt(np.maximum(0.0, p + d - (p - d) ** 2) / n)
    return np.maximum(-1.0, middle - half), np.minimum(1.0, middle + half)


def _against(
    own: multinomials.Group,
    rest: tuple[Floats, Floats, Floats, Floats],
    limits: tuple[Floats | None, Floats | None],
    level: float | None,
    method: DifferenceMethod,
) -> tuple[Floats | None, Floats | None, Floats]:
    """Limits of the differences from the rest, as shares, and their p-values; NaN where nothing varies."""
    z = None if level is None else proportions.normal_quantile(level)
    if method == "score":
        statistic = multinomials.score_difference_z(own, rest)
        p_values, (low, high) = proportions.two_sided_p_values(statistic), limits
        if z is None or low is None or high is None:
            return None, None, p_values
        return *multinomials.joined_limits(own, rest, (low, high), multinomials.score_limits(*rest[:3], z=z)), p_values
    gap, error = multinomials.wald_difference(own, rest, adjusted=method == "adjusted_wald")
    statistic = np.divide(gap, error, out=np.full_like(gap, np.nan), where=error > 0)
    low, high = (None, None) if z is None else (np.maximum(-2.0, gap - z * error), np.minimum(2.0, gap + z * error))
    return low, high, proportions.two_sided_p_values(statistic)


def _promoter_score(row: Mapping[str, Cell], table: GroupScores) -> PromoterScore:
    p, s, d = (int(str(row[name])) for name in ("promoters", "passives", "detractors"))
    n = p + s + d
    estimate = None if n == 0 else (p - d) / n
    limits = None if row["low"] is None else (float(str(row["low"])) / 100, float(str(row["high"])) / 100)
    error = None if n == 0 else 100 * float(np.sqrt(multinomials.net_variance(p / n, d / n) / n))
    return PromoterScore(
        estimate=None if estimate is None else 100 * estimate,
        interval=points_interval(limits, table.level, table.method, most=100.0),
        unit="points",
        definition=table.definition,
        notes=() if n else ("The score is undefined: there are no answers.",),
        status="ok" if n else "no_responses",
        backend=table.backend,
        promoters=p,
        passives=s,
        detractors=d,
        promoter_share=p / n if n else None,
        passive_share=s / n if n else None,
        detractor_share=d / n if n else None,
        effective_n=float(n),
        standard_error=error,
        posterior_mean=None,
        population=None,
        scale=table.scale,
        weighted=False,
    )


def _notes(prior: shrinkage.Prior, weight: str | None, calendar: Calendar) -> tuple[str, ...]:
    notes = []
    if not np.isfinite(prior.size):
        notes.append("The groups differ by no more than chance does: all are drawn to the common score.")
    if weight:
        notes.append("Intervals, tests and shrinkage are taken at Kish's effective numbers of answers.")
    if calendar.period is not None:
        notes.append("All groups and periods are drawn to one mean; the rest is that of the same period.")
    return tuple(notes)
