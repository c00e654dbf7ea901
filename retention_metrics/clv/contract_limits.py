"""The simpler models that the contractual models turn into at the edge of their parameters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.renewals import Renewals
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]
_FAR = 1e18

__all__ = ["DiscreteWeibull", "GeometricChurn", "TwoTypeChurn"]


@model
class GeometricChurn(ContractModel):
    """One churn probability for all customers and all renewals.

    Parameters
    ----------
    p : float
        Probability of leaving at each renewal, in (0, 1).

    Examples
    --------
    >>> from retention_metrics.clv.contract_limits import GeometricChurn
    >>> round(float(GeometricChurn(p=0.2).expected_lifetime()), 12)
    5.0
    """

    kind: ClassVar[str] = "clv.geometric_churn"
    parameters: ClassVar[tuple[str, ...]] = ("p",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    limit_of: ClassVar[str] = "all customers share one churn probability, the same at every renewal"

    p: float

    def explain(self) -> Explanation:
        """The mean number of terms: the last step."""
        return Explanation(
            formula="survival(t) = (1 - p)**t",
            values={"p": float(self.theta[0])},
            steps=(Step(name="expected_lifetime", expression="1 / p"),),
            source="Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1).",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        answer: Floats = ahead * np.log1p(-self.p) + 0.0 * tenure
        return answer

    def _fall(self) -> tuple[Floats, Floats]:
        return np.full(np.shape(self.p), np.inf), np.full(np.shape(self.p), _FAR)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return np.full(size, self.p)

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in the odds of p."""
        whole = 1 + float(odds[0])
        return Terms(-renewals * np.log(whole), (-renewals / whole)[None], (renewals / whole**2)[None, None])

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats) -> Terms:
        """Log of p, with its derivatives in its odds."""
        o, one = float(odds[0]), np.ones(renewals.size)
        slope = 1 / o - 1 / (1 + o)
        return Terms(np.log(o / (1 + o)) * one, slope * one[None], (1 / (1 + o) ** 2 - 1 / o**2) * one[None, None])


@model
class TwoTypeChurn(ContractModel):
    """A share of customers leaves at the first renewal, the others never.

    Parameters
    ----------
    share : float
        Share of customers who leave at the first renewal, in (0, 1).

    Examples
    --------
    >>> from retention_metrics.clv.contract_limits import TwoTypeChurn
    >>> TwoTypeChurn(share=0.25).survival([0, 1, 50]).tolist()
    [1.0, 0.75, 0.75]
    """

    kind: ClassVar[str] = "clv.two_type_churn"
    parameters: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = "customers leave at the first renewal or never"

    share: float

    def explain(self) -> Explanation:
        """The share that stays for ever: the last step."""
        return Explanation(
            formula="survival(t) = 1 - share for every t of at least 1",
            values={"share": float(self.theta[0])},
            steps=(Step(name="stays_for_ever", expression="1 - share"),),
            source="Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1).",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        answer: Floats = np.where((tenure < 1) & (ahead > 0), np.log1p(-self.share), 0.0)
        return answer

    def _fall(self) -> tuple[Floats, Floats]:
        return np.zeros(np.shape(self.share)), np.full(np.shape(self.share), _FAR)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return (generator.random(size) < self.share).astype(float)

    @classmethod
    def _possible(cls, data: Renewals) -> bool:
        return not data.churned[data.duration > 1].any()

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in the odds of the share."""
        return GeometricChurn.survival_terms(odds, np.minimum(renewals, 1.0))

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats) -> Terms:
        """Log of the share at the first renewal, with its derivatives in its odds, and of 0 at the others."""
        first, at_first = GeometricChurn.hazard_terms(odds, renewals), renewals == 1
        return Terms(np.where(at_first, first.value, -np.inf), first.slopes * at_first, first.curvatures * at_first)


@model
class DiscreteWeibull(ContractModel):
    """Customers who are all alike and whose churn changes with tenure [1]_.

    Parameters
    ----------
    p : float
        Probability of leaving at the first renewal, in (0, 1).
    c : float
        Shape of time, above 0: above 1 churn rises with tenure, below 1 it falls.

    References
    ----------
    .. [1] Nakagawa, T. & Osaki, S. (1975). The discrete Weibull distribution. *IEEE Transactions on Reliability*
       24(5), 300-301.

    Examples
    --------
    >>> from retention_metrics.clv.contract_limits import DiscreteWeibull
    >>> DiscreteWeibull(p=0.2, c=1.5).hazard([1, 2, 3]).round(3)
    array([0.2  , 0.335, 0.41 ])
    """

    kind: ClassVar[str] = "clv.discrete_weibull"
    parameters: ClassVar[tuple[str, ...]] = ("p", "c")
    shares: ClassVar[tuple[str, ...]] = ("p",)
    limit_of: ClassVar[str] = "all customers are alike, with churn that changes with tenure"
    ages: ClassVar[bool] = True

    p: float
    c: float

    def explain(self) -> Explanation:
        """Churn at the first two renewals: the last step is that at the second."""
        return Explanation(
            formula="survival(t) = (1 - p)**(t**c)",
            values={"p": float(self.theta[0]), "c": float(self.theta[1])},
            steps=(Step(name="churn_at_second_renewal", expression="1 - (1 - p)**(2**c - 1)"),),
            source="Nakagawa & Osaki (1975), The discrete Weibull distribution, IEEE Transactions on Reliability "
            "24(5).",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        answer: Floats = power_step(tenure, ahead, self.c) * np.log1p(-self.p)
        return answer

    def _fall(self) -> tuple[Floats, Floats]:
        shape = np.broadcast_shapes(np.shape(self.p), np.shape(self.c))
        # Everybody has left when the clock has run for 1e3 / p; a c near 0 makes that a very long time.
        late = np.exp(np.minimum(np.log(1e3 / -np.log1p(-self.p)) / np.minimum(self.c, 1.0), 600.0))
        return np.full(shape, np.inf), np.broadcast_to(late, shape)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return np.full(size, self.p)

    def _clock(self, renewals: Floats) -> Floats:
        return np.asarray(renewals**self.c)

    def _unclock(self, clock: Floats) -> Floats:
        return np.asarray(clock ** (1 / self.c))

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in the odds of p and in c."""
        o, c = map(float, odds)
        clock, pace = renewals**c, special.xlogy(renewals**c, renewals)
        rate, slope = np.log1p(o), 1 / (1 + o)
        return Terms(
            -rate * clock,
            np.stack([-slope * clock, -rate * pace]),
            np.stack([[slope**2 * clock, -slope * pace], [-slope * pace, -rate * special.xlogy(pace, renewals)]]),
        )


def power_step(start: Floats, step: Floats, c: float | Floats) -> Floats:
    """``(start + step)**c - start**c`` without cancellation."""
    with np.errstate(over="ignore"):
        end = (start + step) ** c
        answer: Floats = np.where(
            start > 0, -end * np.expm1(-c * np.log1p(step / np.where(start > 0, start, 1.0))), end
        )
    return answer
