"""The Net Promoter Score of answers or counts, with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.answers import SCALES, Answers, Scale, answers_of_array, answers_of_frame
from retention_metrics.nps.designs import Design, Estimate, Repeats, estimated, frame_of_arrays
from retention_metrics.results import Cell, Interval, Result, result

Floats = NDArray[np.float64]
Method = Literal["score", "adjusted_wald", "wald", "bootstrap", "bayes"]

METHODS: tuple[Method, ...] = ("score", "adjusted_wald", "wald", "bootstrap", "bayes")

# What an answer adds to the score, in the order in which groups are kept: promoters, passives, detractors.
# Beyond this a float does not hold every whole number.
_MOST = 2**53
_NET = np.array([1.0, 0.0, -1.0])
SOURCE = "Reichheld, F. F. (2003), Harvard Business Review 81(12), 46-54"
_INTERVAL_SOURCES: Mapping[str, str] = {
    "score": "Tango, T. (1998), Statistics in Medicine 17, 891-908; Rocks, B. (2016), The American Statistician 70(4)",
    "adjusted_wald": "Rocks, B. (2016), The American Statistician 70(4), 365-372",
    "wald": "the multinomial variance and the normal quantile",
    "bootstrap": "Efron, B. (1979), Annals of Statistics 7, 1-26, percentiles",
    "bayes": "the posterior under a Dirichlet(1/2, 1/2, 1/2) prior",
}


@result
class PromoterScore(Result):
    """Net Promoter Score in points, with the counts behind it.

    Attributes
    ----------
    promoters, passives, detractors : int
        Answers in each group.
    promoter_share, passive_share, detractor_share : float or None
        Their shares, weighted where there are survey weights.
    effective_n : float
        Kish's effective number of answers; without weights the number of answers.
    standard_error : float or None
        Standard error of the estimate in points.
    posterior_mean : float or None
        Mean of the posterior in points, with ``method="bayes"``.
    population : int or None
        Size of the finite population from which the answers came.
    scale : str
        The scale of the answers.
    weighted : bool
        Whether shares are weighted: by survey weights that differ, by strata or by respondents.
    answers : str or None
        Which of a respondent's answers count: ``"latest"``, ``"first"`` or ``"mean"``.
    clusters, strata : int or None
        Number of clusters and of strata in the sample.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> result = rm.nps.from_counts(promoters=60, passives=25, detractors=15)
    >>> result.estimate, result.responses, round(result.standard_error, 2)
    (45.0, 100, 7.4)
    """

    kind: ClassVar[str] = "nps.promoter_score"

    promoters: int
    passives: int
    detractors: int
    promoter_share: float | None
    passive_share: float | None
    detractor_share: float | None
    effective_n: float
    standard_error: float | None
    posterior_mean: float | None
    population: int | None
    scale: str
    weighted: bool
    answers: str | None = None
    clusters: int | None = None
    strata: int | None = None

    @property
    def responses(self) -> int:
        """The number of answers."""
        return self.promoters + self.passives + self.detractors

    def explain(self) -> Explanation:
        """Share of promoters less share of detractors, in points."""
        source = SOURCE
        if self.interval is not None:
            source = f"{source}. Interval: {_INTERVAL_SOURCES[self.interval.method]}"
        net = Step(name="nps", expression="100 * (promoter_share - detractor_share)")
        if self.weighted:
            return Explanation(
                formula="NPS = 100 (weighted share of promoters - weighted share of detractors)",
                values={"promoter_share": self.promoter_share, "detractor_share": self.detractor_share},
                steps=(net,),
                source=f"{source}.",
            )
        return Explanation(
            formula="NPS = 100 (promoters - detractors) / responses",
            values={"promoters": self.promoters, "passives": self.passives, "detractors": self.detractors},
            steps=(
                Step(name="responses", expression="promoters + passives + detractors"),
                Step(name="promoter_share", expression="promoters / responses"),
                Step(name="detractor_share", expression="detractors / responses"),
                net,
            ),
            source=f"{source}.",
        )


def score(
    ratings: adopt.NativeFrame | ArrayLike,
    *,
    rating: str | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
    method: Method = "score",
    survey_weights: str | ArrayLike | None = None,
    population: int | None = None,
    cluster: str | ArrayLike | None = None,
    strata: str | ArrayLike | None = None,
    shares: Mapping[Cell, float] | None = None,
    respondent: str | ArrayLike | None = None,
    time: str | ArrayLike | None = None,
    answers: Repeats | None = None,
    resamples: int = 2000,
    rng: np.random.Generator | int | None = None,
) -> PromoterScore:
    """Share of promoters less share of detractors, in points.

    Parameters
    ----------
    ratings : array_like of int, shape (n_responses,), or dataframe
        Answers on the scale: 9 and 10 promote, 7 and 8 are passive, 6 and below detract. Missing answers are
        excluded and counted, never imputed.
    rating : str, optional
        Column of the answers; required with a dataframe.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"score", "adjusted_wald", "wald", "bootstrap", "bayes"}, default "score"
        Method of the interval. The score interval keeps its level from five answers on; Wald's and the bootstrap's
        are too narrow below some fifty, and have no width where all answers are in one group.
    survey_weights : array_like of float, shape (n_responses,), or str, optional
        Sampling weights of at least 0, or their column in a dataframe. Multiplying them by a constant changes
        nothing, and equal weights are the same as none.
    population : int, optional
        Size of the finite population from which the answers were drawn without replacement; at least the number of
        answers. It narrows the interval and the standard error. Not for ``method="bayes"``.
    cluster : array_like, shape (n_responses,), or str, optional
        What answers hang together by, such as the account of several people. Not for ``method="bootstrap"``.
    strata : array_like, shape (n_responses,), or str, optional
        Parts of the population from which answers were drawn apart.
    shares : mapping, optional
        Share or size of every stratum in the population; only their proportions matter. Without it strata count as
        they do in the sample.
    respondent : array_like, shape (n_responses,), or str, optional
        Who answered, where some did more than once; goes with ``answers``.
    time : array_like, shape (n_responses,), or str, optional
        When; orders the answers of a respondent.
    answers : {"latest", "first", "mean"}, optional
        Which of a respondent's answers count, or all of them with the weight of one. Of several at one time the
        lowest counts.
    resamples : int, default 2000
        Number of bootstrap samples, at least 100.
    rng : Generator or int, optional
        Source of randomness, or its seed, for the bootstrap.

    Returns
    -------
    PromoterScore
        ``estimate`` and ``interval`` in points, from -100 to 100. The estimate is always the score of the answers
        themselves, whatever the method of the interval.

    Raises
    ------
    InputError
        If no answer is left, an answer is not on the scale, or a weight is missing, infinite or negative.
    ColumnError
        If a column is missing or plays two roles.

    Notes
    -----
    With shares p of promoters and d of detractors, one answer has the variance p + d - (p - d)^2, divided by n.
    The score interval holds the scores that a test with the restricted maximum-likelihood variance keeps [2]_ [3]_.
    ``adjusted_wald`` adds 3/4, 1 1/2 and 3/4 answers to the three groups [3]_. With weights w the variance is
    the sum of w^2 (s - NPS)^2 over the squared sum of w, and the score, adjusted and Bayesian intervals are taken at
    Kish's effective size, the squared sum of w over the sum of w^2 [4]_. A population of N multiplies variances by
    (N - n)/(N - 1). In a stratum with clusters c the sum runs over clusters: of the squared sums of w (s - NPS) in
    each, over the squared sum of w; strata add up with their squared shares [4]_. The effective number of answers is
    then (p + d - (p - d)^2) over the variance, with clusters at most Kish's.

    References
    ----------
    .. [1] Reichheld, F. F. (2003). The one number you need to grow. *Harvard Business Review* 81(12), 46-54.
    .. [2] Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the
       paired-sample design. *Statistics in Medicine* 17, 891-908.
    .. [3] Rocks, B. (2016). Interval estimation for the "Net Promoter Score". *The American Statistician* 70(4),
       365-372.
    .. [4] Kish, L. (1965). *Survey Sampling*. Wiley.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> result = rm.nps.score([10, 9, 9, 8, 7, 6, 10, 3, 9, 5])
    >>> result.estimate, result.promoters, result.detractors
    (20.0, 5, 3)
    >>> round(result.interval.low, 1), round(result.interval.high, 1)
    (-33.0, 62.8)
    """
    plan = _Plan.checked(level=level, method=method, resamples=resamples, rng=rng, population=population, scale=scale)
    parts = {"cluster": cluster, "strata": strata, "respondent": respondent, "time": time}
    if any(part is not None for part in (*parts.values(), shares, answers)):
        return _designed(ratings, rating, survey_weights, parts, shares, answers, plan)
    if adopt.is_frame(ratings):
        given = answers_of_frame(
            ratings, rating, survey_weights, scale=plan.scale, row_weights=plan.method == "bootstrap"
        )
    else:
        given = answers_of_array(ratings, rating, survey_weights, scale=plan.scale)

    return _scored(given, plan)


def _designed(
    ratings: adopt.NativeFrame | ArrayLike,
    rating: str | None,
    survey_weights: str | ArrayLike | None,
    parts: Mapping[str, str | ArrayLike | None],
    shares: Mapping[Cell, float] | None,
    answers: Repeats | None,
    plan: _Plan,
) -> PromoterScore:
    """The score of answers with clusters, strata or several answers a respondent."""
    if plan.method == "bootstrap":
        raise InputError(
            "method='bootstrap' draws single answers, which clusters, strata and respondents do not allow.",
            argument="method",
        )
    if adopt.is_frame(ratings):
        frame = ratings
    elif rating is not None:
        raise InputError(f"rating= names a column of a dataframe; beside an array got {rating!r}.", argument="rating")
    else:
        frame = frame_of_arrays(ratings=ratings, survey_weights=survey_weights, **parts)
        parts = {name: None if part is None else name for name, part in parts.items()}
        rating, survey_weights = "ratings", None if survey_weights is None else "survey_weights"
    for name, part in {**parts, "survey_weights": survey_weights}.items():
        if part is not None and not isinstance(part, str):
            raise InputError(f"{name}= is a column name beside a dataframe.", argument=name)
    columns = {name: part if isinstance(part, str) else None for name, part in parts.items()}
    design = Design(**columns, shares=shares, answers=answers).checked()
    weight = survey_weights if isinstance(survey_weights, str) else None
    found = estimated(frame, rating, weight, design, scale=plan.scale)

    return _score_of_design(found, design, weight, plan)


def from_counts(
    *,
    promoters: float,
    passives: float,
    detractors: float,
    level: float | None = 0.95,
    method: Method = "score",
    population: int | None = None,
    resamples: int = 2000,
    rng: np.random.Generator | int | None = None,
) -> PromoterScore:
    """Net Promoter Score from the counts of the three groups, in points.

    Parameters
    ----------
    promoters, passives, detractors : int
        Answers in each group, at least 0.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"score", "adjusted_wald", "wald", "bootstrap", "bayes"}, default "score"
        Method of the interval, as in ``nps.score``.
    population : int, optional
        Size of the finite population from which the answers were drawn.
    resamples : int, default 2000
        Number of bootstrap samples, at least 100.
    rng : Generator or int, optional
        Source of randomness, or its seed, for the bootstrap.

    Returns
    -------
    PromoterScore
        ``estimate`` and ``interval`` in points, from -100 to 100. Undefined (None) without answers.

    Raises
    ------
    InputError
        If a count is negative or not whole, or exceeds the population.

    See Also
    --------
    score : The same from the answers themselves, with the formulas.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> result = rm.nps.from_counts(promoters=18, passives=11, detractors=2)
    >>> round(result.estimate, 1), round(result.interval.low, 1), round(result.interval.high, 1)
    (51.6, 26.1, 69.9)
    """
    plan = _Plan.checked(level=level, method=method, resamples=resamples, rng=rng, population=population)
    given = {"promoters": promoters, "passives": passives, "detractors": detractors}
    checked = [_checks.count(value, name=name) for name, value in given.items()]
    if sum(checked) > _MOST:
        raise InputError(f"answers are at most {_MOST} in all; got {sum(checked)}.", argument="promoters")
    counts = np.array(checked, dtype=np.int64)

    return _scored(Answers.unweighted(counts), plan)


@dataclass(frozen=True)
class _Plan:
    """What was asked for, checked."""

    level: float | None
    method: Method
    resamples: int
    rng: np.random.Generator
    population: int | None
    scale: Scale

    @classmethod
    def checked(
        cls,
        *,
        level: object,
        method: object,
        resamples: object,
        rng: np.random.Generator | int | None,
        population: object,
        scale: object = "0-10",
    ) -> _Plan:
        chosen = _checks.choice(method, METHODS, name="method")
        people = None if population is None else _checks.count(population, name="population", low=1)
        if people is not None and chosen == "bayes":
            raise InputError("population= does not go with method='bayes'.", argument="population")
        return cls(
            level=_checks.level(level),
            method=chosen,
            resamples=_checks.count(resamples, name="resamples", low=100),
            rng=np.random.default_rng(rng),
            population=people,
            scale=_checks.choice(scale, SCALES, name="scale"),
        )


def _scored(answers: Answers, plan: _Plan) -> PromoterScore:
    """The score of checked answers, with the interval that the plan asks for."""
    n, counts = answers.rows, answers.by_group(answers.counts)
    _refuse_small_population(n, plan)
    promoters, passives, detractors = (int(count) for count in counts)
    if n == 0:
        return _no_score(plan)
    total, squares = float(answers.weights.sum()), float(answers.squares.sum())
    weighted = bool(np.any(answers.weights != answers.counts))
    size = multinomials.effective_size(total, squares) if weighted else float(n)
    sums = answers.by_group(answers.weights)
    shares, net = sums / total, float(sums @ _NET)
    estimate = net / total
    finite = multinomials.finite_factor(n, plan.population)
    variance = finite * float(answers.by_group(answers.squares) @ (_NET - estimate) ** 2) / total**2
    limits = _limits(answers, shares, size, variance, finite, plan)
    posterior = multinomials.posterior_moments(*(shares * size))[0] if plan.method == "bayes" else None

    return PromoterScore(
        # Multiplied first, so that a score that is a whole number of points is one.
        estimate=100 * net / total,
        interval=points_interval(limits, plan.level, plan.method, most=100.0),
        unit="points",
        definition="nps.score/standard",
        excluded=answers.excluded,
        notes=_score_notes(plan, weighted, finite, max(promoters, passives, detractors) == n),
        backend=answers.backend,
        promoters=promoters,
        passives=passives,
        detractors=detractors,
        promoter_share=float(shares[0]),
        passive_share=float(shares[1]),
        detractor_share=float(shares[2]),
        effective_n=size,
        standard_error=100 * math.sqrt(variance),
        posterior_mean=None if posterior is None else 100 * posterior,
        population=plan.population,
        scale=plan.scale,
        weighted=weighted,
    )


def _score_of_design(found: Estimate, design: Design, weight: str | None, plan: _Plan) -> PromoterScore:
    n = int(found.counts.sum())
    _refuse_small_population(n, plan)
    finite = multinomials.finite_factor(n, plan.population)
    variance, size = finite * found.variance, found.effective
    limits = _limits(None, found.shares, size, variance, finite, plan)
    posterior = multinomials.posterior_moments(*(found.shares * size))[0] if plan.method == "bayes" else None
    notes = list(found.notes)
    if plan.level is not None and plan.method != "wald":
        notes.append("The interval is taken at the effective number of answers.")
    return PromoterScore(
        estimate=100 * float(found.shares @ _NET),
        interval=points_interval(limits, plan.level, plan.method, most=100.0),
        unit="points",
        definition="nps.score/standard",
        excluded=found.excluded,
        notes=tuple(notes),
        backend=found.backend,
        promoters=int(found.counts[0]),
        passives=int(found.counts[1]),
        detractors=int(found.counts[2]),
        promoter_share=float(found.shares[0]),
        passive_share=float(found.shares[1]),
        detractor_share=float(found.shares[2]),
        effective_n=size,
        standard_error=100 * math.sqrt(variance),
        posterior_mean=None if posterior is None else 100 * posterior,
        population=plan.population,
        scale=plan.scale,
        weighted=weight is not None or design.shares is not None or design.answers == "mean",
        answers=design.answers,
        clusters=found.units if design.cluster is not None else None,
        strata=found.strata if design.strata is not None else None,
    )


def _refuse_small_population(n: int, plan: _Plan) -> None:
    if plan.population is not None and n > plan.population:
        raise InputError(
            f"population is at least the number of answers; got {plan.population} and {n} answers.",
            argument="population",
        )


def _limits(
    answers: Answers | None, shares: Floats, size: float, variance: float, finite: float, plan: _Plan
) -> tuple[float, float] | None:
    if plan.level is None:
        return None
    z, (p, s, d) = proportions.normal_quantile(plan.level), (float(share) for share in shares)
    if plan.method == "score":
        return multinomials.score_interval(p, d, size, z=z, finite=finite)
    if plan.method == "adjusted_wald":
        return multinomials.adjusted_wald_interval(p, d, size, z=z, finite=finite)
    if plan.method == "wald":
        return multinomials.wald_interval(p - d, variance, z=z)
    if plan.method == "bayes":
        return multinomials.posterior_interval(p * size, s * size, d * size, z=z)
    if answers is None:
        return None
    group, each, counts = answers.merged()
    return multinomials.bootstrap_interval(
        _NET[group],
        each,
        counts,
        level=plan.level,
        resamples=plan.resamples,
        rng=plan.rng,
        finite=finite,
    )


def _no_score(plan: _Plan) -> PromoterScore:
    return PromoterScore(
        unit="points",
        definition="nps.score/standard",
        notes=("The score is undefined: there are no answers.",),
        status="no_responses",
        promoters=0,
        passives=0,
        detractors=0,
        promoter_share=None,
        passive_share=None,
        detractor_share=None,
        effective_n=0.0,
        standard_error=None,
        posterior_mean=None,
        population=plan.population,
        scale=plan.scale,
        weighted=False,
    )


def _score_notes(plan: _Plan, weighted: bool, finite: float, one_group: bool) -> tuple[str, ...]:
    notes = []
    if weighted and plan.level is not None and plan.method in ("score", "adjusted_wald", "bayes"):
        notes.append("The interval is taken at Kish's effective number of answers.")
    if finite == 0:
        notes.append("The whole population answered: there is no sampling error.")
    elif one_group and plan.level is not None and plan.method in ("wald", "bootstrap"):
        notes.append(f"All answers are in one group, where the {plan.method} interval has no width; use the default.")
    return tuple(notes)


def points_interval(
    limits: tuple[float, float] | None, level: float | None, method: str, *, most: float
) -> Interval | None:
    if limits is None or level is None:
        return None
    low, high = (min(most, max(-most, 100 * end)) for end in limits)
    return Interval(low=low, high=high, level=level, method=method)
