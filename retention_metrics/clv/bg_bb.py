"""BG/BB: purchases at regular opportunities, beta probabilities of buying and of dropping out."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.opportunity_limits import OPPORTUNITY_LIMITS
from retention_metrics.clv.opportunity_model import BetaBuying, OpportunityModel
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric
from retention_metrics.explanation import Step


@model
class BGBB(BetaBuying):
    """Beta-geometric/beta-Bernoulli model of purchases at regular opportunities [1]_.

    At each opportunity (a yearly appeal, a weekly service, a trade fair) a customer who is alive buys with their own
    probability p ~ Beta(alpha, beta); before each opportunity they drop out for good with their own probability
    theta ~ Beta(gamma, delta); p and theta are independent. ``T`` counts the opportunities since the first purchase,
    ``frequency`` those that were used, and ``recency`` is the number of the last one used.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the probabilities of buying, above 0: ``alpha / (alpha + beta)`` is the mean.
    gamma, delta : float
        Shapes of the dropout probabilities, above 0: ``gamma / (gamma + delta)`` is the mean.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Time between opportunities. ``fit`` takes it from the history.

    Raises
    ------
    InputError
        If a parameter is not a positive number or the unit is unknown.

    Notes
    -----
    ``probability_alive`` speaks of opportunity ``T + after``; the paper's figures, of the next opportunity, are those
    of ``after=1``. Horizons count opportunities, and a purchase at ``T + t`` is discounted by
    ``(1 + discount_rate)**-t``.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-base analysis in a discrete-time noncontractual
       setting. *Marketing Science* 29(6), 1086-1108.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783, unit="year")
    >>> model.probability_alive([0, 2, 6], [0, 4, 6], 6, after=1).round(2)
    array([0.11, 0.59, 0.93])
    >>> model.expected_purchases([0, 2, 6], [0, 4, 6], 6, horizon=5).round(2)
    array([0.07, 1.06, 3.75])
    """

    kind: ClassVar[str] = "clv.bg_bb"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "delta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"), ("gamma", "delta"))
    leaving: ClassVar[type[ContractModel]] = ShiftedBetaGeometric
    leaving_words: ClassVar[str] = "dropout probability before an opportunity ~ Beta(gamma, delta)"
    working: ClassVar[tuple[Step, ...]] = (
        Step(name="mean_purchase_probability", expression="alpha / (alpha + beta)"),
        Step(name="mean_dropout_probability", expression="gamma / (gamma + delta)"),
    )

    alpha: float
    beta: float
    gamma: float
    delta: float
    unit: str | None = None

    @classmethod
    def _limits(cls) -> tuple[type[OpportunityModel], ...]:
        return OPPORTUNITY_LIMITS
