"""The churn of a contract term as one number with the counts behind it, and how many times another one it is."""

from __future__ import annotations

from typing import ClassVar, Literal

from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Interval, Result, result

__all__ = ["ChurnRateRatio", "MonthlyChurn"]

Method = Literal["person_months", "renewals"]


@result
class MonthlyChurn(Result):
    """The monthly churn of a term, with the counts behind it.

    Attributes
    ----------
    term : str
        The term, with its group where one was asked for.
    events : int
        Clients lost.
    exposure : float
        Months of service, or renewals faced.
    months : int
        Months that one unit of exposure lasts: 1, or the length of the term.
    method : str
        ``"person_months"`` or ``"renewals"``.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> clients = pd.DataFrame({"term": ["yearly"] * 40, "stayed": [24] * 40, "left": [True] * 20 + [False] * 20})
    >>> table = contracts.estimate(clients, term="term", duration="stayed", churned="left", months={"yearly": 12})
    >>> churn = table.churn("yearly")
    >>> churn.events, churn.exposure, round(churn.estimate, 4)
    (20, 80.0, 0.0237)
    """

    kind: ClassVar[str] = "contracts.monthly_churn"

    term: str
    events: int
    exposure: float
    months: int
    method: Method

    def explain(self) -> Explanation:
        """Events per month of service, or the monthly churn that adds up to the share lost at a renewal.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        by_month = self.method == "person_months"
        return Explanation(
            formula="monthly churn = clients lost / months of service"
            if by_month
            else "monthly churn = 1 − (1 − clients lost / renewals faced)^(1 / months of the term)",
            values={"events": self.events, "exposure": self.exposure, "months": self.months},
            steps=()
            if self.estimate is None
            else (Step(name="monthly_churn", expression="events / exposure"),)
            if by_month
            else (
                Step(name="lost_at_renewal", expression="events / exposure"),
                Step(name="monthly_churn", expression="1 - (1 - lost_at_renewal) ** (1 / months)"),
            ),
            source="Garwood, F. (1936), Biometrika 28, 437-442."
            if by_month
            else "Clopper, C. J. and Pearson, E. S. (1934), Biometrika 26, 404-413.",
        )


@result
class ChurnRateRatio(Result):
    """How many times the churn of another term the churn of one is.

    The estimate is within groups where the clients were grouped, Mantel's and Haenszel's rate ratio, and otherwise over
    all clients as they stand.

    Attributes
    ----------
    term, against : str
        The two terms.
    raw : float or None
        The ratio of losses per month of service over all clients.
    raw_interval : Interval or None
        Its exact interval, given the losses in all.
    weighted_losses, weighted_losses_against : tuple of float
        By group: losses of each term times the share of the group's months of service that the other term has.
    groups : tuple of str
        The groups in which both terms were served; none where the clients were not grouped.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> clients = pd.DataFrame(
    ...     {
    ...         "term": ["monthly"] * 60 + ["yearly"] * 60,
    ...         "size": ["small"] * 50 + ["large"] * 10 + ["small"] * 10 + ["large"] * 50,
    ...         "stayed": 10,
    ...         "left": [1] * 30 + [0] * 20 + [1] + [0] * 9 + [1] * 3 + [0] * 7 + [1] * 3 + [0] * 47,
    ...     }
    ... )
    >>> table = contracts.estimate(clients, term="term", duration="stayed", churned="left", by="size")
    >>> ratio = table.ratio("monthly", "yearly")
    >>> round(ratio.raw, 2), round(ratio.estimate, 2)
    (5.17, 1.94)
    """

    kind: ClassVar[str] = "contracts.churn_rate_ratio"

    term: str
    against: str
    raw: float | None
    raw_interval: Interval | None
    weighted_losses: tuple[float, ...]
    weighted_losses_against: tuple[float, ...]
    groups: tuple[str, ...]

    def explain(self) -> Explanation:
        """The quotient of the weighted losses.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        return Explanation(
            formula="ratio = sum over groups of losses(a) × months(b) / months, over the same with a and b exchanged",
            values={"losses_a": list(self.weighted_losses), "losses_b": list(self.weighted_losses_against)},
            steps=(Step(name="ratio", expression="sum(losses_a) / sum(losses_b)"),)
            if self.estimate is not None
            else (),
            source="Mantel, N. and Haenszel, W. (1959), Journal of the National Cancer Institute 22, 719-748; "
            "variance: Greenland, S. and Robins, J. M. (1985), Biometrics 41, 55-68.",
        )
