"""Two shares against each other: their difference and their ratio."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics import _checks
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Interval, Result, result

__all__ = ["ProportionDifference", "ProportionRatio", "difference", "ratio"]


@result
class ProportionDifference(Result):
    """The difference of two shares from independent groups, with the counts behind it.

    Attributes
    ----------
    numerator_a, denominator_a : int
        Counts of the first share.
    numerator_b, denominator_b : int
        Counts of the second share, which is taken from the first.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> gap = rm.difference(rm.churn.rate(start=80, lost=32), rm.churn.rate(start=70, lost=14))
    >>> gap.numerator_a, gap.denominator_a, round(float(gap), 3)
    (32, 80, 0.2)
    """

    kind: ClassVar[str] = "proportions.difference"

    numerator_a: int
    denominator_a: int
    numerator_b: int
    denominator_b: int

    def explain(self) -> Explanation:
        """One share less the other."""
        return Explanation(
            formula="difference = share a - share b",
            values=_values(self),
            steps=(*_SHARES, Step(name="difference", expression="share_a - share_b")),
            source="Interval: Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890, method 10.",
        )


@result
class ProportionRatio(Result):
    """The ratio of two shares from independent groups, with the counts behind it.

    Attributes
    ----------
    numerator_a, denominator_a : int
        Counts of the first share.
    numerator_b, denominator_b : int
        Counts of the second share, which divides the first.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> none_lost = rm.ratio(rm.churn.rate(start=40, lost=4), rm.churn.rate(start=40, lost=0))
    >>> none_lost.estimate is None, round(none_lost.interval.low, 2), none_lost.interval.high
    (True, 1.09, inf)
    """

    kind: ClassVar[str] = "proportions.ratio"

    numerator_a: int
    denominator_a: int
    numerator_b: int
    denominator_b: int

    def explain(self) -> Explanation:
        """One share over the other."""
        katz = self.interval is not None and self.interval.method == "katz"
        published = (
            "Katz, D. et al. (1978), Biometrics 34, 469-474" if katz else "Koopman (1984), Biometrics 40, 513-517"
        )
        return Explanation(
            formula="ratio = share a / share b",
            values=_values(self),
            steps=(*_SHARES, Step(name="ratio", expression="share_a / share_b")),
            source=f"Interval: {published}.",
        )


_SHARES = (
    Step(name="share_a", expression="numerator_a / denominator_a"),
    Step(name="share_b", expression="numerator_b / denominator_b"),
)


def _values(result: ProportionDifference | ProportionRatio) -> dict[str, int]:
    return {
        "numerator_a": result.numerator_a,
        "denominator_a": result.denominator_a,
        "numerator_b": result.numerator_b,
        "denominator_b": result.denominator_b,
    }


def difference(
    a: Result, b: Result, *, method: stats.DifferenceMethod = "newcombe", level: float | None = 0.95
) -> ProportionDifference:
    """Difference of two shares from independent groups, with its interval.

    Parameters
    ----------
    a, b : Proportion
        Two shares of counts, such as the churn rates of two groups of different customers. The answer is
        ``a`` less ``b``.
    method : {"newcombe"}, default "newcombe"
        The hybrid score interval, which joins the Wilson intervals of the two shares.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.

    Returns
    -------
    ProportionDifference
        ``estimate`` and ``interval`` as shares, from -1 to 1. Undefined (None) where a group is empty.

    Raises
    ------
    InputError
        If a or b has no counts behind it.

    Notes
    -----
    With shares p and Wilson limits l and u of each group, the limits are
    ``d - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)`` and ``d + sqrt((u_a - p_a)^2 + (p_b - l_b)^2)`` [1]_. The groups
    must be independent: for the same customers at two times, the interval is too wide or too narrow.

    References
    ----------
    .. [1] Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
       comparison of eleven methods. *Statistics in Medicine* 17, 873-890, method 10.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> onboarded = rm.churn.rate(start=70, lost=14)
    >>> others = rm.churn.rate(start=80, lost=32)
    >>> gap = rm.difference(onboarded, others)
    >>> round(gap.estimate, 3), round(gap.interval.low, 4), round(gap.interval.high, 4)
    (-0.2, -0.3339, -0.0524)
    """
    x1, n1, x2, n2 = (*_counts(a, name="a"), *_counts(b, name="b"))
    chosen = _checks.choice(method, stats.DIFFERENCE_METHODS, name="method")
    level = _checks.level(level)

    estimate = x1 / n1 - x2 / n2 if n1 and n2 else None
    limits = None
    if estimate is not None and level is not None:
        limits = stats.difference_interval(x1, n1, x2, n2, level=level)

    return ProportionDifference(
        estimate=estimate,
        interval=_interval(limits, level, chosen),
        unit="share",
        definition="proportions.difference/independent",
        notes=_notes(a, b, None if n1 and n2 else "The difference is undefined: a group has no customers."),
        status="ok" if n1 and n2 else "no_customers",
        backend=a.backend,
        numerator_a=x1,
        denominator_a=n1,
        numerator_b=x2,
        denominator_b=n2,
    )


def ratio(
    a: Result, b: Result, *, level: float | None = 0.95, method: stats.RatioMethod = "koopman"
) -> ProportionRatio:
    """Ratio of two shares from independent groups, with its interval.

    Parameters
    ----------
    a, b : Proportion
        Two shares of counts, such as the churn rates of two groups of different customers. The answer is
        ``a`` over ``b``.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"koopman", "katz"}, default "koopman"
        Koopman's score interval, defined for any counts, or Katz's, normal on the log scale, which does not
        exist where nobody is counted in a numerator.

    Returns
    -------
    ProportionRatio
        ``estimate`` and ``interval`` as a ratio of at least 0. The estimate is undefined (None) where a group is
        empty or the second share is 0; Koopman's interval then still has a lower end, and an infinite upper one.

    Raises
    ------
    InputError
        If a or b has no counts behind it.

    Notes
    -----
    Koopman's interval holds the ratios t that a score test keeps: with p_b the likeliest second share given
    that the first is t times as large, ``(x_a/n_a - t x_b/n_b)^2 <= z^2 (t p_b (1 - t p_b)/n_a + t^2 p_b
    (1 - p_b)/n_b)`` [1]_. The groups must be independent.

    References
    ----------
    .. [1] Koopman, P. A. R. (1984). Confidence intervals for the ratio of two binomial proportions.
       *Biometrics* 40, 513-517.
    .. [2] Katz, D., Baptista, J., Azen, S. P. and Pike, M. C. (1978). Obtaining confidence intervals for the
       risk ratio in cohort studies. *Biometrics* 34, 469-474.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> times = rm.ratio(rm.churn.rate(start=40, lost=36), rm.churn.rate(start=80, lost=16))
    >>> round(times.estimate, 2), round(times.interval.low, 2), round(times.interval.high, 2)
    (4.5, 2.94, 7.15)
    """
    x1, n1, x2, n2 = (*_counts(a, name="a"), *_counts(b, name="b"))
    chosen = _checks.choice(method, stats.RATIO_METHODS, name="method")
    level = _checks.level(level)

    estimate = (x1 / n1) / (x2 / n2) if n1 and x2 else None
    limits = None
    if n1 and n2 and level is not None:
        limits = stats.ratio_interval(x1, n1, x2, n2, level=level, method=chosen)

    return ProportionRatio(
        estimate=estimate,
        interval=_interval(limits, level, chosen),
        unit="ratio",
        definition="proportions.ratio/independent",
        notes=_notes(
            a,
            b,
            None if estimate is not None else _undefined_ratio(n1, n2),
            "Katz's interval does not exist where a numerator is 0; method='koopman' has one."
            if chosen == "katz" and level is not None and limits is None and n1 and n2
            else None,
        ),
        status="no_customers" if not (n1 and n2) else "ok" if x2 else "undefined",
        backend=a.backend,
        numerator_a=x1,
        denominator_a=n1,
        numerator_b=x2,
        denominator_b=n2,
    )


def _counts(share: object, *, name: str) -> tuple[int, int]:
    numerator, denominator = getattr(share, "numerator", None), getattr(share, "denominator", None)
    if not isinstance(share, Result) or not isinstance(numerator, int) or not isinstance(denominator, int):
        raise InputError(
            f"{name} is a share with its counts; got {type(share).__name__}.",
            argument=name,
            fix="Pass what retention.rate or churn.rate returns.",
        )
    return numerator, denominator


def _interval(limits: tuple[float, float] | None, level: float | None, method: str) -> Interval | None:
    if limits is None or level is None:
        return None
    return Interval(low=limits[0], high=limits[1], level=level, method=method)


def _undefined_ratio(n1: int, n2: int) -> str:
    if n1 == 0 or n2 == 0:
        return "The ratio is undefined: a group has no customers."
    return "The ratio is undefined: the second share is 0."


def _notes(a: Result, b: Result, *others: str | None) -> tuple[str, ...]:
    mixed = (
        f"The two shares are defined differently: {a.definition} and {b.definition}."
        if a.definition != b.definition
        else None
    )
    return tuple(note for note in (mixed, *others) if note is not None)
