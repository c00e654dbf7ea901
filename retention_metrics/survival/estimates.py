"""What a retention curve says: a share, a quantile, a restricted mean, rates of loss, each with its interval."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, TableResult, result

PRODUCT_LIMIT = (
    "Kaplan, E. L. and Meier, P. (1958), Journal of the American Statistical Association 53, 457-481. Variance: "
    "Greenwood, M. (1926)"
)


@result
class SurvivalShare(Result):
    """Share of customers still there after some time, with its interval.

    Attributes
    ----------
    time : float
        Months since the start.
    before : float
        The share just before the last time of loss up to then.
    at_risk, churned : int
        Customers at risk at that time of loss, and those lost at it; before the first loss those watched so long,
        and 0.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> curve = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True])
    >>> share = curve.at(6)
    >>> round(share.estimate, 2), share.at_risk, share.churned
    (0.6, 4, 1)
    """

    kind: ClassVar[str] = "survival.share"

    time: float
    before: float
    at_risk: int
    churned: int

    def explain(self) -> Explanation:
        """The share before the last loss, times the share of those at risk who stayed then."""
        last = "before * (1 - churned / at_risk)" if self.churned else "before"
        return Explanation(
            formula="S(t) = product of 1 - churned / at risk over the times of loss up to t; the last factor is shown",
            values={"before": self.before, "churned": self.churned, "at_risk": self.at_risk},
            steps=(Step(name="survival", expression=last),),
            source=f"{PRODUCT_LIMIT}.",
        )


@result
class LifetimeQuantile(Result):
    """The time by which a share of the customers has left, with its interval.

    Attributes
    ----------
    share : float
        The share that has left by then; 0.5 for the median.
    before, after : float or None
        The share still there just before that time, and after it; None where the curve does not fall so low.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> median = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, True, True]).median
    >>> median.estimate, round(median.before, 2), round(median.after, 2)
    (8.0, 0.6, 0.3)
    """

    kind: ClassVar[str] = "survival.quantile"

    share: float
    before: float | None
    after: float | None

    def explain(self) -> Explanation:
        """The first time at which the curve is at or below one less the share."""
        values = {"share": self.share, "before": self.before, "after": self.after, "time": self.estimate}
        return Explanation(
            formula="the first time t with S(t) <= 1 - share; the interval holds the times whose S(t) has it inside",
            values=values,
            steps=(Step(name="still_there", expression="1 - share"), Step(name="quantile", expression="time")),
            source="Brookmeyer, R. and Crowley, J. (1982), Biometrics 38, 29-41.",
        )


@result
class RestrictedMean(Result):
    """Months that a customer stays within a horizon, on average, with the interval.

    Attributes
    ----------
    horizon : float
        The months that count.
    standard_error : float
        Greenwood-type standard error in months; 0 where nobody left.
    parts : tuple of float
        The months stayed in each month of the horizon, which add up to the estimate; beyond 1,200 months in each of
        1,200 equal parts.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> mean = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True]).mean(6)
    >>> round(mean.estimate, 2), round(mean.standard_error, 2)
    (5.2, 0.52)
    """

    kind: ClassVar[str] = "survival.restricted_mean"

    horizon: float
    standard_error: float
    parts: tuple[float, ...]

    def explain(self) -> Explanation:
        """The area under the curve up to the horizon, month by month."""
        return Explanation(
            formula="mean = area under S(t) from 0 to the horizon, by month",
            values={"horizon": self.horizon, "parts": self.parts},
            steps=(Step(name="mean", expression="sum(parts)"),),
            source="Irwin, J. O. (1949), Journal of Hygiene 47, 188-189. Variance: Klein, J. P. and Moeschberger, M. "
            "L. (2003), Survival Analysis, section 4.5.",
        )


@result
class RestrictedMeanDifference(Result):
    """The difference of two groups' restricted means, with its interval and test.

    Attributes
    ----------
    mean_a, mean_b : float
        The months that customers of each group stay within the horizon; the estimate is the first less the second.
    horizon : float
        The months that count.
    standard_error : float
        Standard error of the difference in months.
    p_value : float or None
        Two-sided probability of so large a difference where the means are equal; None without a loss.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> stayed, left = [3, 5, 5, 8, 12, 6, 9, 11, 12, 12], [True, True, False, False, True] + [True] * 4 + [False]
    >>> curve = survival.kaplan_meier(stayed, left, by=["monthly"] * 5 + ["yearly"] * 5)
    >>> gap = curve.difference("yearly", "monthly", horizon=10)
    >>> round(gap.estimate, 2), round(gap.p_value, 2)
    (1.4, 0.35)
    """

    kind: ClassVar[str] = "survival.restricted_mean_difference"

    mean_a: float
    mean_b: float
    horizon: float
    standard_error: float
    p_value: float | None

    def explain(self) -> Explanation:
        """One mean less the other."""
        return Explanation(
            formula="difference = mean a - mean b, both within the horizon",
            values={"mean_a": self.mean_a, "mean_b": self.mean_b, "horizon": self.horizon},
            steps=(Step(name="difference", expression="mean_a - mean_b"),),
            source="Royston, P. and Parmar, M. K. B. (2013), BMC Medical Research Methodology 13, 152. Interval by the "
            "limits of both: Zou, G. Y. and Donner, A. (2008), Statistics in Medicine 27.",
        )


@result
class HazardTable(TableResult):
    """Customers lost per month of service, by month since the start.

    Attributes
    ----------
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> table = survival.kaplan_meier([1, 1, 2, 2, 2], [True, False, True, False, False]).hazard
    >>> table.to_frame()[["month", "churned", "months", "rate"]]
       month  churned  months      rate
    0      1        1     5.0  0.200000
    1      2        1     3.0  0.333333
    """

    kind: ClassVar[str] = "survival.hazard"

    level: float | None

    def explain(self) -> Explanation:
        """Customers lost over the months that all customers were watched, for the first month with a rate."""
        known = next((row for row in self.rows() if row["rate"] is not None), None)
        shown = {name: None if known is None else float(str(known[name])) for name in ("churned", "months")}
        return Explanation(
            formula="rate = customers lost in the month / months of service watched in it; the first month is shown",
            values=shown,
            steps=(Step(name="rate", expression="churned / months"),),
            source="Occurrences over exposure. Interval: Garwood, F. (1936), Biometrika 28, 437-442.",
        )
