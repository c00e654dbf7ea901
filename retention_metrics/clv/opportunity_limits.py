"""The simpler models that the BG/BB turns into at the edge of its parameters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.contract_limits import GeometricChurn, TwoTypeChurn
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.opportunity_model import (
    BetaBuying,
    CertainBuying,
    OneBuying,
    OpportunityModel,
    TwoKindsBuying,
)
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]

__all__ = [
    "OPPORTUNITY_LIMITS",
    "BGBernoulli",
    "BGCertain",
    "BGTwoKinds",
    "Bernoulli",
    "BetaBernoulli",
    "GeometricBB",
    "GeometricBernoulli",
    "GeometricCertain",
    "GeometricTwoKinds",
    "TwoKinds",
    "TwoTypeBB",
    "TwoTypeBernoulli",
]

_MEAN_CHANCE = Step(name="mean_purchase_probability", expression="alpha / (alpha + beta)")
_MEAN_DROPOUT = Step(name="mean_dropout_probability", expression="gamma / (gamma + delta)")


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
    working: ClassVar[tuple[Step, ...]] = (_MEAN_DROPOUT,)

    p: float
    gamma: float
    delta: float
    unit: str | None = None


@model
class Bernoulli(OneBuying):
    """One probability of buying at each opportunity for all customers, and no dropout.

    Parameters
    ----------
    p : float
        Probability of buying at each opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import Bernoulli
    >>> round(float(Bernoulli(p=0.4).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.bernoulli"
    parameters: ClassVar[tuple[str, ...]] = ("p",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    leaving: ClassVar[type[ContractModel]] = NobodyLeaves
    leaving_words: ClassVar[str] = "nobody drops out"
    limit_of: ClassVar[str] = "all customers share one probability of buying and nobody drops out"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_purchase_probability", expression="p"),)

    p: float
    unit: str | None = None


@model
class TwoTypeBernoulli(OneBuying):
    """One probability of buying for all; a share drops out before the first opportunity, the others never.

    Parameters
    ----------
    p : float
        Probability of buying at each opportunity, in (0, 1).
    share : float
        Share of customers who drop out before the first opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import TwoTypeBernoulli
    >>> round(float(TwoTypeBernoulli(p=0.5, share=0.2).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.two_type_bernoulli"
    parameters: ClassVar[tuple[str, ...]] = ("p", "share")
    shares: ClassVar[tuple[str, ...]] = ("p", "share")
    leaving: ClassVar[type[ContractModel]] = TwoTypeChurn
    leaving_words: ClassVar[str] = "a share `share` drops out before the first opportunity, the others never"
    limit_of: ClassVar[str] = "customers share one probability of buying and drop out at once or never"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_dropout_probability", expression="share"),)

    p: float
    share: float
    unit: str | None = None


@model
class TwoTypeBB(BetaBuying):
    """Beta probabilities of buying; a share drops out before the first opportunity, the others never.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the probabilities of buying, above 0.
    share : float
        Share of customers who drop out before the first opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import TwoTypeBB
    >>> round(float(TwoTypeBB(alpha=1.2, beta=0.8, share=0.1).expected_purchases_new(horizon=1)), 3)
    0.54
    """

    kind: ClassVar[str] = "clv.two_type_bb"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta", "share")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"),)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    leaving: ClassVar[type[ContractModel]] = TwoTypeChurn
    leaving_words: ClassVar[str] = "a share `share` drops out before the first opportunity, the others never"
    limit_of: ClassVar[str] = "customers drop out at once or never"
    working: ClassVar[tuple[Step, ...]] = (_MEAN_CHANCE, Step(name="mean_dropout_probability", expression="share"))

    alpha: float
    beta: float
    share: float
    unit: str | None = None


@model
class GeometricCertain(CertainBuying):
    """A purchase at every opportunity, and one dropout probability that all customers share.

    Parameters
    ----------
    dropout : float
        Probability of dropping out before each opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import GeometricCertain
    >>> round(float(GeometricCertain(dropout=0.2).expected_purchases_new(horizon=1)), 3)
    0.8
    """

    kind: ClassVar[str] = "clv.geometric_certain"
    parameters: ClassVar[tuple[str, ...]] = ("dropout",)
    shares: ClassVar[tuple[str, ...]] = ("dropout",)
    leaving: ClassVar[type[ContractModel]] = GeometricChurn
    leaving_words: ClassVar[str] = "dropout with probability `dropout` before each opportunity"
    limit_of: ClassVar[str] = "customers buy at every opportunity and share one dropout probability"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_dropout_probability", expression="dropout"),)

    dropout: float
    unit: str | None = None


@model
class BGCertain(CertainBuying):
    """A purchase at every opportunity, and beta dropout probabilities.

    Parameters
    ----------
    gamma, delta : float
        Shapes of the dropout probabilities, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import BGCertain
    >>> round(float(BGCertain(gamma=0.5, delta=2.0).expected_purchases_new(horizon=1)), 3)
    0.8
    """

    kind: ClassVar[str] = "clv.bg_certain"
    parameters: ClassVar[tuple[str, ...]] = ("gamma", "delta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("gamma", "delta"),)
    leaving: ClassVar[type[ContractModel]] = ShiftedBetaGeometric
    leaving_words: ClassVar[str] = "dropout probability ~ Beta(gamma, delta)"
    limit_of: ClassVar[str] = "customers buy at every opportunity"
    working: ClassVar[tuple[Step, ...]] = (_MEAN_DROPOUT,)

    gamma: float
    delta: float
    unit: str | None = None


@model
class TwoKinds(TwoKindsBuying):
    """A share of customers buys at every opportunity, the others at none; nobody drops out.

    Parameters
    ----------
    buyers : float
        Share of customers who buy at every opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import TwoKinds
    >>> round(float(TwoKinds(buyers=0.3).expected_purchases_new(horizon=1)), 3)
    0.3
    """

    kind: ClassVar[str] = "clv.two_kinds"
    parameters: ClassVar[tuple[str, ...]] = ("buyers",)
    shares: ClassVar[tuple[str, ...]] = ("buyers",)
    leaving: ClassVar[type[ContractModel]] = NobodyLeaves
    leaving_words: ClassVar[str] = "nobody drops out"
    limit_of: ClassVar[str] = "customers buy at every opportunity or at none, and nobody drops out"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_purchase_probability", expression="buyers"),)

    buyers: float
    unit: str | None = None


@model
class GeometricTwoKinds(TwoKindsBuying):
    """A share buys at every opportunity, the others at none; all share one dropout probability.

    Parameters
    ----------
    buyers : float
        Share of customers who buy at every opportunity, in (0, 1).
    dropout : float
        Probability of dropping out before each opportunity, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import GeometricTwoKinds
    >>> round(float(GeometricTwoKinds(buyers=0.5, dropout=0.2).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.geometric_two_kinds"
    parameters: ClassVar[tuple[str, ...]] = ("buyers", "dropout")
    shares: ClassVar[tuple[str, ...]] = ("buyers", "dropout")
    leaving: ClassVar[type[ContractModel]] = GeometricChurn
    leaving_words: ClassVar[str] = "dropout with probability `dropout` before each opportunity"
    limit_of: ClassVar[str] = "customers buy at every opportunity or at none, and share one dropout probability"
    working: ClassVar[tuple[Step, ...]] = (
        Step(name="mean_purchase_probability", expression="buyers"),
        Step(name="mean_dropout_probability", expression="dropout"),
    )

    buyers: float
    dropout: float
    unit: str | None = None


@model
class BGTwoKinds(TwoKindsBuying):
    """A share buys at every opportunity, the others at none, and beta dropout probabilities.

    Parameters
    ----------
    buyers : float
        Share of customers who buy at every opportunity, in (0, 1).
    gamma, delta : float
        Shapes of the dropout probabilities, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities.

    Examples
    --------
    >>> from retention_metrics.clv.opportunity_limits import BGTwoKinds
    >>> round(float(BGTwoKinds(buyers=0.5, gamma=0.5, delta=2.0).expected_purchases_new(horizon=1)), 3)
    0.4
    """

    kind: ClassVar[str] = "clv.bg_two_kinds"
    parameters: ClassVar[tuple[str, ...]] = ("buyers", "gamma", "delta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("gamma", "delta"),)
    shares: ClassVar[tuple[str, ...]] = ("buyers",)
    leaving: ClassVar[type[ContractModel]] = ShiftedBetaGeometric
    leaving_words: ClassVar[str] = "dropout probability ~ Beta(gamma, delta)"
    limit_of: ClassVar[str] = "customers buy at every opportunity or at none"
    working: ClassVar[tuple[Step, ...]] = (Step(name="mean_purchase_probability", expression="buyers"), _MEAN_DROPOUT)

    buyers: float
    gamma: float
    delta: float
    unit: str | None = None


OPPORTUNITY_LIMITS: tuple[type[OpportunityModel], ...] = (
    Bernoulli,
    TwoKinds,
    GeometricCertain,
    BetaBernoulli,
    TwoTypeBernoulli,
    GeometricBernoulli,
    GeometricTwoKinds,
    BGCertain,
    TwoTypeBB,
    GeometricBB,
    BGBernoulli,
    BGTwoKinds,
)
"""From the fewest parameters to the most.

A beta distribution turns into one value, 0 or 1 among them, or into the two values 0 and 1. These are the pairs of what
buying and dropping out can turn into in which somebody buys again, each kind of history once: that customers who always
buy leave at once or never is what customers show who buy always or never and stay.
"""
