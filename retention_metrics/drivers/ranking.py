"""Indicators ranked by how strongly they go with an outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._stats import association, multiplicity, proportions, roc
from retention_metrics.drivers.effects import effects_beside
from retention_metrics.drivers.reading import (
    ASSOCIATION,
    EFFECTS,
    Effect,
    Flags,
    Floats,
    Indicator,
    Outcome,
    adopt_columns,
    read_columns,
    refuse_effect,
    refuse_late,
)
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("indicator", "kind", "status"), "string"),
    **dict.fromkeys(("n", "missing", "rank_low", "rank_high"), "integer"),
    **dict.fromkeys(
        ("association", "low", "high", "p_value", "p_adjusted", "auc", "auc_low", "auc_high", "spearman"), "number"
    ),
    **dict.fromkeys(("first_share", "effect", "effect_low", "effect_high"), "number"),
}


@result
class DriverRanking(TableResult):
    """Indicators by the strength with which they go with an outcome, strongest first.

    Attributes
    ----------
    outcome : str
        What was associated: the column of the outcome, or of the time to churn.
    customers : int
        Customers whose outcome is known.
    resamples : int
        Bootstrap resamples behind the intervals of ranks.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"liking": [5, 4, 4, 2, 1, 2], "kept": [True, True, True, True, False, False]})
    >>> ranking = rm.drivers.rank(clients, outcome="kept", indicators=["liking"], rng=1)
    >>> ranking.rows()[0]["auc"], ranking.customers
    (0.9375, 6)
    """

    kind: ClassVar[str] = "drivers.rank"

    outcome: str
    customers: int
    resamples: int
    level: float | None

    def explain(self) -> Explanation:
        """How the association of the strongest indicator follows from its area."""
        first = self.rows()[0]
        area, found = first["auc"], first["association"]
        shown = isinstance(area, float) and isinstance(found, float) and found == 2 * area - 1
        return Explanation(
            formula="association = 2 area - 1",
            values={"auc": area if isinstance(area, float) else None},
            steps=(Step(name="association", expression="2 * auc - 1"),) if shown else (),
            source=(
                "DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988), Biometrics 44, 837-845; "
                "Harrell, F. E. et al. (1982), JAMA 247, 2543-2546."
            ),
        )


@dataclass(frozen=True)
class _Measure:
    """Strength of one indicator: its area, the influence of every customer on it, and a test."""

    area: float
    error: float
    influence: Floats
    p_value: float | None
    spearman: float | None


def rank(
    table: adopt.NativeFrame,
    *,
    outcome: str | None = None,
    indicators: Sequence[str],
    duration: str | None = None,
    churned: str | None = None,
    ordered: Mapping[str, Sequence[str]] | None = None,
    categorical: Sequence[str] = (),
    measured: str | Mapping[str, str] | None = None,
    outcome_date: str | None = None,
    effect: Effect | None = None,
    resamples: int = 1000,
    rng: np.random.Generator | int | None = None,
    level: float | None = 0.95,
) -> DriverRanking:
    """Indicators ranked by how strongly they go with staying or leaving.

    Parameters
    ----------
    table : dataframe
        One row per customer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. The named columns are read
        into memory, for ranks need every customer.
    outcome : str, optional
        Column of the outcome, true or false, or 1 or 0, such as whether the client was kept.
    indicators : sequence of str
        Columns of the indicators. Numbers, and true and false, are ordered; anything else is a category.
    duration, churned : str, optional
        In place of ``outcome``: columns of the time that each customer stayed (at least 0), and of whether it ended
        in churn. Customers who are still there count up to now.
    ordered : mapping of str to sequence of str, optional
        Indicators whose words have an order, with the words from lowest to highest.
    categorical : sequence of str, optional
        Indicators whose numbers are only names.
    measured : str or mapping of str to str, optional
        Column of the date on which the indicators were measured, or one column per indicator.
    outcome_date : str, optional
        Column of the date of the outcome; needed with ``measured``. Where either date is missing nothing is checked.
    effect : {"logistic", "cox"}, optional
        Adds each indicator's effect beside all others: log-odds of the outcome (``"logistic"``), or log hazard of
        churn (``"cox"``, ties by Efron), per standard deviation. That of categories is the standard deviation of what
        they add, without a sign. Neither needs a package beyond the required ones.
    resamples : int, default 1000
        Bootstrap resamples for the intervals of ranks; 0 for none.
    rng : Generator or int, optional
        Source of randomness of the resamples.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    DriverRanking
        Rows of ``indicator, kind, n, missing, association, low, high, p_value, p_adjusted, auc, auc_low, auc_high,
        spearman, rank_low, rank_high, first_share, status``, strongest first, with ``effect, effect_low,
        effect_high`` where asked. ``association`` runs from -1 to 1, and from 0 for categories, which have no
        direction; ``first_share`` is the share of resamples in which the indicator is first.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If the outcome is the same for everybody, an indicator was measured after the outcome, or a value is not what
        its role holds.

    Notes
    -----
    ``auc`` is the probability that of two customers the one with the outcome has the higher value, with DeLong's
    interval on the logit scale [1]_, and ``association = 2 auc - 1`` the rank-biserial correlation. With times it is
    Harrell's C [2]_: of two customers the one who stays longer. Categories are ranked by their share with the
    outcome, of every pair without its two customers [3]_, so that many categories of pure chance gain nothing; the
    interval takes their order as found. Tests: Wilcoxon-Mann-Whitney, and Pearson's chi-squared for categories;
    with times, Wald's for C on the logit scale, and the
    log-rank test (of at most 500 categories). ``p_adjusted`` bounds the expected share of false findings [4]_.

    Resamples are those of the bootstrap, carried to each association through the influence of each customer (the
    infinitesimal jackknife [5]_); beyond 20,000 customers they are drawn from their normal limit. Every indicator is
    measured on the customers for whom it is known. Intervals of effects are Wald's; that of the spread of categories
    runs over the joint Wald region of their coefficients, and holds it at least as often as its level.

    References
    ----------
    .. [1] DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more
       correlated receiver operating characteristic curves. *Biometrics* 44, 837-845.
    .. [2] Harrell, F. E. et al. (1982). Evaluating the yield of medical tests. *JAMA* 247, 2543-2546.
    .. [3] Airola, A. et al. (2011). An experimental comparison of cross-validation techniques for estimating the area
       under the ROC curve. *Computational Statistics & Data Analysis* 55, 1828-1844.
    .. [4] Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. *Journal of the Royal
       Statistical Society B* 57, 289-300.
    .. [5] Efron, B. and Tibshirani, R. J. (1993). *An Introduction to the Bootstrap*. Chapman and Hall, chapter 22.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> draw = np.random.default_rng(14)
    >>> liking, growth = draw.normal(size=400), draw.normal(size=400)
    >>> kept = draw.random(400) < 1 / (1 + np.exp(-1.5 * liking - 0.5 * growth))
    >>> clients = pd.DataFrame({"liking": liking, "growth": growth, "kept": kept})
    >>> ranking = rm.drivers.rank(clients, outcome="kept", indicators=["growth", "liking"], rng=14)
    >>> ranking.to_frame()[["indicator", "association", "low", "high", "first_share"]].round(2)
      indicator  association   low  high  first_share
    0    liking         0.62  0.53  0.70          1.0
    1    growth         0.14  0.03  0.25          0.0
    """
    level = _checks.level(level)
    draws = _checks.count(resamples, name="resamples")
    generator = np.random.default_rng(rng)
    model = None if effect is None else _checks.choice(effect, EFFECTS, name="effect")
    source, names = adopt_columns(table, outcome, indicators, duration, churned, measured, outcome_date)
    refuse_effect(model, outcome)
    refuse_late(source, names, measured, outcome_date)

    found, read, excluded = read_columns(source, names, _scales(ordered), categorical)
    measures = [_measure(each, found) for each in read]
    ranks, first = _ranks(read, measures, draws=draws, rng=generator, level=level)
    columns = _columns(read, measures, found, ranks, first, level)
    notes = [ASSOCIATION]
    if model is not None:
        effects, said = effects_beside(read, found, model, level)
        columns |= effects
        notes += said
    order = sorted(range(len(read)), key=lambda row: -abs(_strength(read[row], measures[row]) or 0.0))

    return DriverRanking(
        columns=Columns(
            {name: [cells[row] for row in order] for name, cells in columns.items()},
            {name: _TYPES[name] for name in columns},
        ),
        unit="correlation",
        definition="drivers.rank/" + ("rank-biserial" if found.duration is None else "concordance"),
        excluded=excluded,
        notes=tuple(notes),
        backend=source.backend,
        outcome=found.name,
        customers=int(found.true.size),
        resamples=draws,
        level=level,
    )


def _scales(ordered: Mapping[str, Sequence[str]] | None) -> dict[str, Sequence[str]]:
    if ordered is not None and not isinstance(ordered, Mapping):
        raise InputError(f"ordered maps an indicator to its words; got {ordered!r}.", argument="ordered")
    return dict(ordered or {})


# ---------------------------------------------------------------- one indicator


def _measure(indicator: Indicator, outcome: Outcome) -> _Measure | None:
    """How strongly an indicator goes with the outcome; None where no two customers can be told apart."""
    held = outcome.of(indicator.known)
    if held.true.size == 0 or not held.settled:
        return None
    values, levels = indicator.values[indicator.known], indicator.levels
    named = indicator.kind == "categorical"
    if held.duration is None:
        share, influence = association.level_area(levels, held.true) if named else association.area(values, held.true)
        error = _error(influence, held.true)
        p_value = (
            association.independence_p_value(levels, held.true)
            if named
            else association.rank_sum_p_value(values, held.true, share)
        )
        correlation = None if named else association.spearman(values, held.true.astype(np.float64))
    else:
        share, influence = (
            association.level_concordance(levels, held.duration, held.true)
            if named
            else association.concordance(values, held.duration, held.true)
        )
        if math.isnan(share):
            return None
        error = _error(influence, np.ones(influence.size, dtype=bool))
        p_value = (
            association.log_rank_p_value(levels, held.duration, held.true) if named else _area_p_value(share, error)
        )
        correlation = None
    spread = np.zeros(outcome.true.size)
    spread[indicator.known] = influence
    return _Measure(share, error, spread, p_value, correlation)


def _area_p_value(area: float, error: float) -> float | None:
    """Wald's test that an area is one half, on the logit scale of its interval, so that the two agree."""
    if error == 0 or not 0 < area < 1:
        return None
    return proportions.two_sided_p_value(math.log(area / (1 - area)) * area * (1 - area) / error)


def _error(influence: Floats, group: Flags) -> float:
    """Standard error: DeLong's variance of each group of customers, with n - 1."""
    squares = influence**2
    true, size = float(squares @ group), int(group.sum())
    parts = ((true, size), (float(squares.sum()) - true, group.size - size))
    return math.sqrt(sum(max(0.0, part) * n / (n - 1) for part, n in parts if n > 1))


def _strength(indicator: Indicator, measure: _Measure | None) -> float | None:
    if measure is None:
        return None
    found = 2 * measure.area - 1
    return max(0.0, found) if indicator.kind == "categorical" else found


def _ranks(
    read: Sequence[Indicator],
    measures: Sequence[_Measure | None],
    *,
    draws: int,
    rng: np.random.Generator,
    level: float | None,
) -> tuple[list[tuple[int | None, int | None]], list[float | None]]:
    """Interval of the rank of each indicator, and how often it is first, over resamples of the customers."""
    held = [place for place, measure in enumerate(measures) if measure is not None]
    ranks: list[tuple[int | None, int | None]] = [(None, None)] * len(read)
    first: list[float | None] = [None] * len(read)
    if draws == 0 or not held:
        return ranks, first
    parts = [measure for measure in measures if measure is not None]
    areas = np.array([part.area for part in parts])
    drawn = association.resampled(areas, np.stack([part.influence for part in parts], axis=1), draws=draws, rng=rng)
    named = np.array([read[place].kind == "categorical" for place in held])
    strength = np.where(named, np.maximum(0.0, 2 * drawn - 1), np.abs(2 * drawn - 1))
    places = np.argsort(np.argsort(-strength, axis=1, kind="stable"), axis=1) + 1
    for column, place in enumerate(held):
        first[place] = float((places[:, column] == 1).mean())
        if level is not None:
            ends = np.quantile(places[:, column], [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
            ranks[place] = int(ends[0]), int(ends[1])
    return ranks, first


def _columns(
    read: Sequence[Indicator],
    measures: Sequence[_Measure | None],
    outcome: Outcome,
    ranks: Sequence[tuple[int | None, int | None]],
    first: Sequence[float | None],
    level: float | None,
) -> dict[str, list[Cell]]:
    ends = [_ends(each, measure, outcome, level) for each, measure in zip(read, measures, strict=True)]
    p_values = [None if measure is None else measure.p_value for measure in measures]
    raised = multiplicity.adjusted(np.array([math.nan if p is None else p for p in p_values]), method="bh")
    named = [each.kind == "categorical" for each in read]
    stretched = [(None, None) if low is None or high is None else (2 * low - 1, 2 * high - 1) for low, high in ends]
    return {
        "indicator": [each.name for each in read],
        "kind": [each.kind for each in read],
        "n": [int(each.known.sum()) for each in read],
        "missing": [int((~each.known).sum()) for each in read],
        "association": [_strength(each, measure) for each, measure in zip(read, measures, strict=True)],
        "low": [_floored(low, only) for (low, _), only in zip(stretched, named, strict=True)],
        "high": [_floored(high, only) for (_, high), only in zip(stretched, named, strict=True)],
        "p_value": list(p_values),
        "p_adjusted": [None if math.isnan(p) else float(p) for p in raised],
        "auc": [None if measure is None else measure.area for measure in measures],
        "auc_low": [low for low, _ in ends],
        "auc_high": [high for _, high in ends],
        "spearman": [None if measure is None else measure.spearman for measure in measures],
        "rank_low": [low for low, _ in ranks],
        "rank_high": [high for _, high in ranks],
        "first_share": list(first),
        "status": [_status(each, measure) for each, measure in zip(read, measures, strict=True)],
    }


def _floored(value: float | None, categorical: bool) -> float | None:
    return max(0.0, value) if value is not None and categorical else value


def _status(indicator: Indicator, measure: _Measure | None) -> str:
    if not indicator.known.any():
        return "no_values"
    if measure is None:
        return "one_outcome"
    return "constant" if np.unique(indicator.values[indicator.known]).size == 1 else "ok"


def _ends(
    indicator: Indicator, measure: _Measure | None, outcome: Outcome, level: float | None
) -> tuple[float | None, float | None]:
    if measure is None or level is None:
        return None, None
    held = outcome.true[indicator.known]
    true, others = float(held.sum()), float((~held).sum())
    z = proportions.normal_quantile(level)
    low, high, _ = roc.area_interval(measure.area, measure.error, true, max(1.0, others), z=z)
    return low, high
