"""The simpler models that the BG/BB turns into at the edge of its parameters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.contract_limits import GeometricChurn
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.opportunity_model import BetaBuying, OneBuying
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]

__all__ = ["OPPORTUNITY_LIMITS", "BGBernoulli", "BetaBernoulli", "GeometricBB", "GeometricBernoulli"]

_MEAN_CHANCE = Step(name="mean_purchase_probability", expression="alpha / (alpha + beta)")


@model
class NobodyLeaves(ContractModel):
    """Customers who never drop out: what a model without dropout has in its place."""

    kind: ClassVar[str] = "clv.nobody_leaves"
    parameters: ClassVar[tuple[str, ...]] = ()

    def explain(self) -> Explanation:
        """Survival is 1 throughout."""
        return Explanation(
            formula="survival(t) = 1",
            values={},
            steps=(Step(name="survival", expression="1"),),
            source="By definition.",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        return np.zeros(np.broadcast_shapes(tenure.shape, ahead.shape))

    def _fall(self) -> tuple[Floats, Floats]:
        return np.zeros(()), np.full((), 1e18)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return np.zeros(size)

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of 1."""
        return Terms.without(np.zeros(renewals.size), 0)

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats) -> Terms:
        """Log of 0."""
        return Terms.without(np.full(renewals.size, -np.inf), 0)


@model
class BetaBernoulli(BetaBuying):
    """Beta probabilities of buying at each opportunity, and no dropout.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the probabilities of buying, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import BetaBernoulli
    >>> round(float(BetaBernoulli(alpha=1.2, beta=0.8).expected_purchases(2, 3, 6, horizon=5)), 3)
    2.0
    """

    kind: ClassVar[str] = "clv.beta_bernoulli"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"),)
    leaving: ClassVar[type[ContractModel]] = NobodyLeaves
    leaving_words: ClassVar[str] = "nobody drops out"
    limit_of: ClassVar[str] = "nobody drops out"
    working: ClassVar[tuple[Step, ...]] = (_MEAN_CHANCE,)

    alpha: float
    beta: float
    unit: str | None = None


@model
class GeometricBB(BetaBuying):
    """Beta probabilities of buying, and one dropout probability that all customers share.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the probabilities of buying, above 0.
    dropout : float
        Probability of dropping out before each opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import GeometricBB
    >>> round(float(GeometricBB(alpha=1.2, beta=0.8, dropout=0.1).expected_purchases_new(horizon=1)), 3)
    0.54
    """

    kind: ClassVar[str] = "clv.geometric_bb"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta", "dropout")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"),)
    shares: ClassVar[tuple[str, ...]] = ("dropout",)
    leaving: ClassVar[type[ContractModel]] = GeometricChurn
    leaving_words: ClassVar[str] = "dropout with probability `dropout` before each opportunity"
    limit_of: ClassVar[str] = "all customers share one dropout probability"
    working: ClassVar[tuple[Step, ...]] = (_MEAN_CHANCE, Step(name="mean_dropout_probability", expression="dropout"))

    alpha: float
    beta: float
    dropout: float
    unit: str | None = None


@model
class GeometricBernoulli(OneBuying):
    """One probability of buying and one of dropping out for all customers.

    Parameters
    ----------
    p : float
        Probability of buying at each opportunity, in (0, 1).
    dropout : float
        Probability of dropping out before each opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import GeometricBernoulli
    >>> round(float(GeometricBernoulli(p=0.5, dropout=0.2).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.geometric_bernoulli"
    parameters: ClassVar[tuple[str, ...]] = ("p", "dropout")
    shares: ClassVar[tuple[str, ...]] = ("p", "dropout")
    leaving: ClassVar[type[ContractModel]] = GeometricChurn
    leaving_words: ClassVar[str] = "dropout with probability `dropout` before each opportunity"
    limit_of: ClassVar[str] = "all customers share one probability of buying and one of dropping out"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_dropout_probability", expression="dropout"),)

    p: float
    dropout: float
    unit: str | None = None


@model
class BGBernoulli(OneBuying):
    """One probability of buying for all, and beta dropout probabilities.

    Parameters
    ----------
    p : float
        Probability of buying at each opportunity, in (0, 1).
    gamma, delta : float
        Shapes of the dropout probabilities, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import BGBernoulli
    >>> round(float(BGBernoulli(p=0.5, gamma=0.5, delta=2.0).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.bg_bernoulli"
    parameters: ClassVar[tuple[str, ...]] = ("p", "gamma", "delta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("gamma", "delta"),)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    leaving: ClassVar[type[ContractModel]] = ShiftedBetaGeometric
    leaving_words: ClassVar[str] = "dropout probability ~ Beta(gamma, delta)"
    limit_of: ClassVar[str] = "all customers share one probability of buying"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_dropout_probability", expression="gamma / (gamma + delta)"),)

    p: float
    gamma: float
    delta: float
    unit: str | None = None


OPPORTUNITY_LIMITS: tuple[type[BetaBuying] | type[OneBuying], ...] = (
    BetaBernoulli,
    GeometricBernoulli,
    GeometricBB,
    BGBernoulli,
)
"""From the fewest parameters to the most."""
