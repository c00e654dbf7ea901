"""How long promoters, passives and detractors stay: curves, the hazard per point, and who leaves first."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy import special

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._stats import concordance as order
from retention_metrics._stats import cox, product_limit, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.answers import SCALES, Scale, classes
from retention_metrics.nps.leaving import ASSOCIATIONS
from retention_metrics.results import Cell, Interval, Result, result
from retention_metrics.survival import curves
from retention_metrics.survival import durations as rows

_CLASSES = ("promoters", "passives", "detractors")


def retention_curves(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    duration: str,
    churned: str,
    entry: str | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> curves.SurvivalCurve:
    """Share of promoters, passives and detractors still there over time.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating, duration, churned : str
        Columns of the answer, of the months that each customer was watched after answering, at least 0, and of
        whether the customer left then: true or false, or 1 or 0.
    entry : str, optional
        Where durations run from the start of the relationship: column of the months from then to the answer.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the pointwise intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SurvivalCurve
        A group for each class that somebody is in, promoters first: ``.group("detractors").at(12)``, ``.median``,
        ``.log_rank()``, ``.difference("promoters", "detractors", horizon=12)``. Customers of whom something is
        unknown are counted in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, a duration is negative or not past its entry, or no customer is left.

    See Also
    --------
    retention : Shares at one time, where all were followed equally long.
    hazard_ratio : How much less a customer leaves per further point.

    Notes
    -----
    Kaplan and Meier's estimate in each class [1]_. Time begins with the answer: who had left before could not give
    one, so that time before it is not at risk. Durations since the start of the relationship without ``entry`` count
    it, and every class looks better than it is.

    References
    ----------
    .. [1] Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. *Journal of
       the American Statistical Association* 53, 457-481.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame(
    ...     {
    ...         "score": [10, 9, 10, 9, 7, 8, 7, 3, 0, 6],
    ...         "months": [24, 24, 18, 24, 12, 24, 20, 5, 9, 24],
    ...         "left": [0, 0, 1, 0, 1, 0, 1, 1, 1, 0],
    ...     }
    ... )
    >>> curve = rm.nps.retention_curves(clients, rating="score", duration="months", churned="left")
    >>> [(name, round(curve.group(name).survival(12), 2)) for name in curve.groups["group"]]
    [('promoters', 1.0), ('passives', 0.67), ('detractors', 0.33)]
    >>> round(curve.log_rank().p_value, 2)
    0.35
    """
    level = _checks.level(level)
    found = _read(customers, rating, duration, churned, entry, scale)

    scores = found.labels["by"]
    group = _classes(scores, found, rating, scale)[scores.codes]
    by_class = rows.Labels(_CLASSES, group).keep(np.ones(group.size, dtype=np.bool_))
    absent = [f"There are no {name}." for name in _CLASSES if name not in by_class.names]

    return curves.estimated(replace(found, labels={"by": by_class}), level=level, more=(ASSOCIATIONS, *absent))


@result
class HazardRatio(Result):
    """Hazard of leaving per further point of the score: below 1 they stay longer.

    Attributes
    ----------
    customers, leavers : int
        Customers who answered, and those of them who left.
    slope, standard_error : float or None
        Logarithm of the hazard ratio, and its standard error from the information.
    observed, expected : float or None
        Sum of the scores of those who left, and what the model expects of it.
    information : float or None
        Minus the second derivative of the partial likelihood at the slope.
    p_value : float or None
        Of the likelihood-ratio test that the score does not matter.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"score": [10, 7, 9, 3, 0], "months": [24, 12, 20, 5, 9], "left": [0, 1, 1, 1, 1]})
    >>> ratio = rm.nps.hazard_ratio(clients, rating="score", duration="months", churned="left")
    >>> ratio.leavers, round(ratio.estimate, 3), round(ratio.slope, 3)
    (4, 0.645, -0.439)
    """

    kind: ClassVar[str] = "nps.hazard_ratio"

    customers: int
    leavers: int
    slope: float | None
    standard_error: float | None
    observed: float | None
    expected: float | None
    information: float | None
    p_value: float | None

    def explain(self) -> Explanation:
        """One more step of Newton's method from the maximum, which stays there."""
        names = ("slope", "observed", "expected", "information")
        steps = (
            Step(name="next_slope", expression="slope + (observed - expected) / information"),
            Step(name="hazard_ratio", expression="exp(next_slope)"),
        )
        return Explanation(
            formula="hazard of a customer = exp(slope * score) * one that all share; the slope is where the scores of "
            "those who left sum to what is expected of them; hazard ratio = exp(slope)",
            values={"leavers": self.leavers} | {name: getattr(self, name) for name in names if self.slope is not None},
            steps=steps if self.slope is not None else (),
            source="Cox, D. R. (1972), Journal of the Royal Statistical Society B 34, 187-220; ties: Efron, B. (1977), "
            "Journal of the American Statistical Association 72, 557-565.",
        )


def hazard_ratio(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    duration: str,
    churned: str,
    entry: str | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> HazardRatio:
    """How much the hazard of leaving changes with each further point.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating, duration, churned : str
        Columns of the answer, of the months that each customer was watched after answering, at least 0, and of
        whether the customer left then: true or false, or 1 or 0.
    entry : str, optional
        Where durations run from the start of the relationship: column of the months from then to the answer.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the interval, in (0, 1); None computes no interval.

    Returns
    -------
    HazardRatio
        ``estimate`` is the hazard at one score over that at the score below. Undefined (None) where the scores at
        risk do not differ, or always the lowest, or always the highest, left: then one end of the interval is 0 or
        infinite.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, a duration is negative or not past its entry, or nobody left.

    See Also
    --------
    ordering : The odds of leaving per point, where all were followed equally long.
    retention_curves : The curves, which show whether one ratio holds at all times.

    Notes
    -----
    Cox's model [1]_ with Efron's partial likelihood for ties [2]_. The interval holds the ratios whose likelihood a
    likelihood-ratio test at its level does not refuse. One ratio for every point and every time is assumed; an
    association, not what a better score would bring about.

    References
    ----------
    .. [1] Cox, D. R. (1972). Regression models and life-tables. *Journal of the Royal Statistical Society B* 34,
       187-220.
    .. [2] Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. *Journal of the American
       Statistical Association* 72, 557-565.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame(
    ...     {
    ...         "score": [10, 9, 10, 9, 7, 8, 7, 3, 0, 6],
    ...         "months": [24, 24, 18, 24, 12, 24, 20, 5, 9, 24],
    ...         "left": [0, 0, 1, 0, 1, 0, 1, 1, 1, 0],
    ...     }
    ... )
    >>> ratio = rm.nps.hazard_ratio(clients, rating="score", duration="months", churned="left")
    >>> round(ratio.estimate, 2), round(ratio.interval.low, 2), round(ratio.interval.high, 2)
    (0.68, 0.42, 0.96)
    """
    level = _checks.level(level)
    found = _read(customers, rating, duration, churned, entry, scale)
    values, sets = _risk_sets(found)

    likelihood = cox.PartialLikelihood.of(values, sets)
    slope = cox.slope(likelihood)
    at = likelihood.at(slope) if math.isfinite(slope) else None
    estimate = None if at is None else math.exp(slope)
    notes = (ASSOCIATIONS,) if at is not None else (ASSOCIATIONS, _WITHOUT_RATIO)

    return HazardRatio(
        estimate=estimate,
        interval=_ratio_interval(likelihood, slope, level),
        unit="ratio",
        definition="nps.hazard_ratio/cox",
        excluded=found.excluded,
        notes=notes,
        status="undefined" if at is None else "ok",
        backend=found.backend,
        customers=found.customers,
        leavers=int(sets.lost.sum()),
        slope=None if at is None else slope,
        standard_error=None if at is None else 1 / math.sqrt(at.information),
        observed=None if at is None else likelihood.observed,
        expected=None if at is None else at.expected,
        information=None if at is None else at.information,
        p_value=None if at is None else float(special.chdtrc(1, max(2 * (at.value - likelihood.at(0.0).value), 0.0))),
    )


_WITHOUT_RATIO = (
    "The hazard ratio has no estimate: those who left always had the lowest, or always the highest, score at risk."
)


def _ratio_interval(likelihood: cox.PartialLikelihood, slope: float, level: float | None) -> Interval | None:
    if level is None or math.isnan(slope):
        return None
    low, high = cox.slope_interval(likelihood, slope, z=proportions.normal_quantile(level))
    return Interval(low=math.exp(low), high=math.exp(high), level=level, method="likelihood-ratio")


@result
class Concordance(Result):
    """How well the score orders who leaves first: 1 perfectly, 0.5 not at all.

    Attributes
    ----------
    customers, leavers : int
        Customers who answered, and those of them who left.
    pairs : float
        Pairs of a customer who left and one who was watched then and stayed on.
    pairs_ordered, pairs_tied : float
        Those in which the one who left had scored lower, and in which both had scored alike.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"score": [10, 7, 9, 3, 0], "months": [24, 12, 20, 5, 9], "left": [0, 1, 1, 1, 1]})
    >>> found = rm.nps.concordance(clients, rating="score", duration="months", churned="left")
    >>> found.pairs, found.pairs_ordered, found.estimate
    (10.0, 9.0, 0.9)
    """

    kind: ClassVar[str] = "nps.concordance"

    customers: int
    leavers: int
    pairs: float
    pairs_ordered: float
    pairs_tied: float

    def explain(self) -> Explanation:
        """The share of pairs in which the one who left first had scored lower."""
        names = ("pairs", "pairs_ordered", "pairs_tied")
        return Explanation(
            formula="concordance = (pairs in which who left first had scored lower + pairs tied / 2) / pairs",
            values={name: getattr(self, name) for name in names},
            steps=(Step(name="concordance", expression="(pairs_ordered + pairs_tied / 2) / pairs"),),
            source="Harrell, F. E., Lee, K. L. and Mark, D. B. (1996), Statistics in Medicine 15, 361-387.",
        )


def concordance(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    duration: str,
    churned: str,
    entry: str | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> Concordance:
    """Probability that of two customers the one who left first had scored lower.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating, duration, churned : str
        Columns of the answer, of the months that each customer was watched after answering, at least 0, and of
        whether the customer left then: true or false, or 1 or 0.
    entry : str, optional
        Where durations run from the start of the relationship: column of the months from then to the answer.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the interval, in (0, 1); None computes no interval.

    Returns
    -------
    Concordance
        ``estimate`` is Harrell's C: 0.5 where the score says nothing, 1 where it orders perfectly. Undefined (None)
        where nobody was watched and stayed on when another left.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, a duration is negative or not past its entry, or nobody left.

    See Also
    --------
    ordering : The area under the ROC curve, where all were followed equally long.

    Notes
    -----
    A pair is a customer who left and one who was watched at that time and stayed on; score ties count half [1]_.
    It depends on how long customers were watched. The interval is normal on the logit scale, with the jackknife's
    standard error [2]_; where every pair is in order, or none, or one customer is in all, that has no width, and
    Newcombe's for as many customers is given [3]_.

    References
    ----------
    .. [1] Harrell, F. E., Lee, K. L. and Mark, D. B. (1996). Multivariable prognostic models. *Statistics in
       Medicine* 15, 361-387.
    .. [2] Tukey, J. W. (1958). Bias and confidence in not-quite large samples. *Annals of Mathematical Statistics*
       29, 614.
    .. [3] Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney
       statistic, part 2. *Statistics in Medicine* 25, 559-573.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame(
    ...     {
    ...         "score": [10, 9, 10, 9, 7, 8, 7, 3, 0, 6],
    ...         "months": [24, 24, 18, 24, 12, 24, 20, 5, 9, 24],
    ...         "left": [0, 0, 1, 0, 1, 0, 1, 1, 1, 0],
    ...     }
    ... )
    >>> found = rm.nps.concordance(clients, rating="score", duration="months", churned="left")
    >>> round(found.estimate, 2), round(found.interval.low, 2), round(found.interval.high, 2)
    (0.74, 0.38, 0.93)
    """
    level = _checks.level(level)
    found = _read(customers, rating, duration, churned, entry, scale)
    _, sets = _risk_sets(found)

    pairs = order.pairs(sets)
    estimate = pairs.share if pairs.all else None
    interval = None if estimate is None or level is None else _concordance_interval(found, sets, pairs, level)

    return Concordance(
        estimate=estimate,
        interval=interval,
        unit="share",
        definition="nps.concordance/harrell",
        excluded=found.excluded,
        notes=() if pairs.all else ("There are no pairs: nobody stayed on when another left.",),
        status="ok" if pairs.all else "undefined",
        backend=found.backend,
        customers=found.customers,
        leavers=int(sets.lost.sum()),
        pairs=pairs.all,
        pairs_ordered=pairs.ordered,
        pairs_tied=pairs.tied,
    )


def _concordance_interval(
    found: rows.Durations, sets: product_limit.RiskSets, pairs: order.Pairs, level: float
) -> Interval:
    exits = order.Exits(
        group=found.labels["by"].codes,
        entry=np.zeros(found.duration.size) if found.entry is None else found.entry,
        duration=found.duration,
        churned=found.churned,
        customers=np.ones(found.duration.size) if found.counts is None else found.counts,
    )
    low, high, method = order.interval(sets, exits, pairs, z=proportions.normal_quantile(level))
    return Interval(low=low, high=high, level=level, method=method)


# ---------------------------------------------------------------- reading


def _read(
    customers: adopt.NativeFrame, rating: str, duration: str, churned: str, entry: str | None, scale: Scale
) -> rows.Durations:
    """Distinct rows of customers, labelled by their score; answers off the scale refused."""
    offered = _checks.choice(scale, SCALES, name="scale")
    # Roles under the caller's names, so that errors speak of them.
    adopt.adopt(customers, {"rating": rating, "duration": duration, "churned": churned, "entry": entry})
    found = rows.read(customers, churned, duration=duration, entry=entry, counts=None, by=rating)
    _classes(found.labels["by"], found, rating, offered)
    excluded = {("missing_rating" if why == "missing_group" else why): n for why, n in found.excluded.items()}
    return replace(found, excluded=excluded)


def _classes(scores: rows.Labels, found: rows.Durations, rating: str, scale: Scale) -> cox.Integers:
    """The class of each score: 0 for promoters, 1 for passives, 2 for detractors."""
    customers = np.bincount(scores.codes, weights=found.counts, minlength=len(scores.names)).astype(np.int64)
    return classes(scores.names, customers, name=rating, scale=scale)


def _risk_sets(found: rows.Durations) -> tuple[cox.Floats, product_limit.RiskSets]:
    """The scores, rising, and the customers of each who were at risk and lost at every time of loss."""
    if not found.churned.any():
        raise InputError("who leaves first takes customers who left; nobody left.", argument="churned")
    names: tuple[Cell, ...] = found.labels["by"].names
    sets = product_limit.risk_sets([part.risk_table() for _, part in found.split("by")])
    return np.array(names, dtype=np.float64), sets
