"""The Net Promoter Scores of two groups against each other."""

from __future__ import annotations

from typing import ClassVar, Literal

from retention_metrics import _checks
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.scores import SOURCE, PromoterScore, points_interval
from retention_metrics.results import Result, result

DifferenceMethod = Literal["score", "adjusted_wald", "wald"]

DIFFERENCE_METHODS: tuple[DifferenceMethod, ...] = ("score", "adjusted_wald", "wald")

_Group = tuple[float, float, float, float]


@result
class ScoreDifference(Result):
    """The difference of two independent Net Promoter Scores in points, with its test.

    Attributes
    ----------
    score_a, score_b : float or None
        The two scores in points; the estimate is the first less the second.
    p_value : float or None
        Two-sided probability of so large a difference where the scores are equal.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> before, after = (rm.nps.from_counts(promoters=p, passives=30, detractors=70 - p) for p in (35, 50))
    >>> gap = rm.nps.difference(after, before, method="wald")
    >>> gap.score_a, gap.score_b, round(gap.p_value, 3)
    (30.0, 0.0, 0.009)
    """

    kind: ClassVar[str] = "nps.difference"

    score_a: float | None
    score_b: float | None
    p_value: float | None

    def explain(self) -> Explanation:
        """One score less the other."""
        return Explanation(
            formula="difference = NPS a - NPS b",
            values={"score_a": self.score_a, "score_b": self.score_b},
            steps=(Step(name="difference", expression="score_a - score_b"),),
            source=f"{SOURCE}. Interval by score limits: Zou, G. Y. and Donner, A. (2008), Statistics in Medicine 27.",
        )


def difference(
    a: PromoterScore, b: PromoterScore, *, level: float | None = 0.95, method: DifferenceMethod = "score"
) -> ScoreDifference:
    """Difference of the Net Promoter Scores of two independent groups, with its test.

    Parameters
    ----------
    a, b : PromoterScore
        Scores of two groups of different respondents. The answer is ``a`` less ``b``.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"score", "adjusted_wald", "wald"}, default "score"
        ``"score"`` joins the score intervals of both; ``"adjusted_wald"`` centres the interval and the test on
        the difference of the adjusted scores.

    Returns
    -------
    ScoreDifference
        ``estimate`` and ``interval`` in points, from -200 to 200, and ``p_value``. Undefined (None) where a score is.

    Raises
    ------
    InputError
        If a or b is not a Net Promoter Score.

    Notes
    -----
    With estimates e and score limits l and u, the limits are ``d - sqrt((e_a - l_a)^2 + (u_b - e_b)^2)`` and
    ``d + sqrt((u_a - e_a)^2 + (e_b - l_b)^2)`` [1]_, and the p-value belongs to the level at which they reach 0. The
    groups must be independent: two surveys of the same customers are not.

    References
    ----------
    .. [1] Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
       approach. *Statistics in Medicine* 27, 1693-1702.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> ours = rm.nps.from_counts(promoters=60, passives=25, detractors=15)
    >>> theirs = rm.nps.from_counts(promoters=45, passives=30, detractors=25)
    >>> gap = rm.nps.difference(ours, theirs)
    >>> round(gap.estimate, 1), round(gap.interval.low, 1), round(gap.interval.high, 1), round(gap.p_value, 3)
    (25.0, 3.1, 46.0, 0.025)
    """
    first, second = _group(a, name="a"), _group(b, name="b")
    level = _checks.level(level)
    chosen = _checks.choice(method, DIFFERENCE_METHODS, name="method")

    known = first is not None and second is not None
    limits, p_value = _compared(first, second, level, chosen) if first and second else (None, None)

    return ScoreDifference(
        estimate=float(a) - float(b) if known else None,
        interval=points_interval(limits, level, chosen, most=200.0),
        unit="points",
        definition="nps.difference/independent",
        notes=_difference_notes(known, p_value),
        status="ok" if known else "no_responses",
        backend=a.backend,
        score_a=a.estimate,
        score_b=b.estimate,
        p_value=p_value,
    )


def _group(value: object, *, name: str) -> _Group | None:
    """Shares of promoters and detractors, size and finite-population factor; None without answers."""
    if not isinstance(value, PromoterScore):
        raise InputError(
            f"{name} is a Net Promoter Score; got {type(value).__name__}.",
            argument=name,
            fix="Pass what nps.score or nps.from_counts returns.",
        )
    if value.promoter_share is None or value.detractor_share is None:
        return None
    finite = multinomials.finite_factor(value.responses, value.population)
    return value.promoter_share, value.detractor_share, value.effective_n, finite


def _compared(
    first: _Group, second: _Group, level: float | None, method: DifferenceMethod
) -> tuple[tuple[float, float] | None, float | None]:
    """Limits and p-value of the difference, as shares."""
    z = None if level is None else proportions.normal_quantile(level)
    if method == "score":
        limits = None if z is None else multinomials.score_difference_interval(first, second, z=z)
        return limits, multinomials.score_difference_p_value(first, second)
    middle, error = (
        float(part) for part in multinomials.wald_difference(first, second, adjusted=method == "adjusted_wald")
    )
    p_value = proportions.two_sided_p_value(middle / error) if error > 0 else None
    return None if z is None else (middle - z * error, middle + z * error), p_value


def _difference_notes(known: bool, p_value: float | None) -> tuple[str, ...]:
    if not known:
        return ("The difference is undefined: a group has no answers.",)
    return () if p_value is not None else ("There is no test: neither score varies.",)
