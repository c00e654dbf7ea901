"""Shifted beta-geometric: churn probabilities that differ between customers and never change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.beta_steps import digamma_step, log_beta_step
from retention_metrics.clv.contract_limits import GeometricChurn, TwoTypeChurn
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import Terms, trigamma
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]


@model
class ShiftedBetaGeometric(ContractModel):
    """Shifted beta-geometric model of renewals under contract [1]_.

    At each renewal a customer leaves with their own probability theta ~ Beta(alpha, beta), which never changes.
    Retention rises with tenure because those who leave easily have left.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the churn probabilities, above 0: ``alpha / (alpha + beta)`` is the churn at the first renewal.

    Raises
    ------
    InputError
        If a parameter is not a positive number.

    Notes
    -----
    ``survival(t) = B(alpha, beta + t) / B(alpha, beta)`` and
    ``retention_rate(t) = (beta + t - 1) / (alpha + beta + t - 1)``.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2007). How to project customer retention. *Journal of Interactive
       Marketing* 21(1), 76-90.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
    >>> model.survival([1, 7, 12]).round(3)
    array([0.851, 0.489, 0.378])
    """

    kind: ClassVar[str] = "clv.shifted_beta_geometric"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"),)
    effects: ClassVar[Mapping[str, tuple[str, int]]] = MappingProxyType({"dropout": ("beta", -1)})
    limit_of: ClassVar[str] = "a customer's churn does not change with tenure (c = 1)"

    alpha: float
    beta: float

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The retention rates of the first two renewals and the churn at the first: the last step.
        """
        return Explanation(
            formula="churn probability ~ Beta(alpha, beta); survival(t) = B(alpha, beta + t) / B(alpha, beta)",
            values={name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)},
            steps=(
                Step(name="first_retention_rate", expression="beta / (alpha + beta)"),
                Step(name="second_retention_rate", expression="(beta + 1) / (alpha + beta + 1)"),
                Step(name="churn_at_first_renewal", expression="1 - first_retention_rate"),
            ),
            source="Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1).",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        return log_beta_step(self.alpha, self.beta + tenure, ahead)

    def _fall(self) -> tuple[Floats, Floats]:
        alpha, beta = np.asarray(self.alpha), np.asarray(self.beta)
        return alpha, 1e17 * (1 + alpha) * (1 + alpha + beta)

    def _sums(self, tenure: Floats, horizon: float, force: float) -> Floats:
        """Without an end or a discount the sum telescopes: (beta + tenure) / (alpha - 1)."""
        if np.isfinite(horizon) or force > 0:
            return super()._sums(tenure, horizon, force)
        excess = np.asarray(self.alpha) - 1
        with np.errstate(divide="ignore"):
            return np.where(excess > 0, (self.beta + tenure) / excess, np.inf)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return generator.beta(self.alpha, self.beta, size=size)

    @classmethod
    def _limits(cls) -> tuple[type[ContractModel], ...]:
        return GeometricChurn, TwoTypeChurn

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in alpha and beta."""
        alpha, beta = odds
        return beta_terms(alpha, beta, renewals)

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats) -> Terms:
        """Log of the hazard ``alpha / (alpha + beta + t - 1)``, with its derivatives."""
        alpha, beta = odds
        whole = alpha + beta + (renewals - 1)
        slope, curve = 1 / whole, 1 / whole**2
        return Terms(
            np.log(alpha) - np.log(whole),
            np.stack([1 / alpha - slope, -slope]),
            np.stack([[curve - 1 / alpha**2, curve], [curve, curve]]),
        )


def beta_terms(alpha: float | Floats, beta: float | Floats, clock: Floats) -> Terms:
    """Log of ``B(alpha, beta + clock) / B(alpha, beta)``, with its derivatives in alpha and beta."""
    slope_alpha = -digamma_step(alpha + beta, clock)
    slope_beta = digamma_step(beta, clock) + slope_alpha
    curve = trigamma(alpha + beta) - trigamma(alpha + beta + clock)
    curve_beta = curve + trigamma(beta + clock) - trigamma(beta)
    return Terms(
        log_beta_step(alpha, beta, clock),
        np.stack([slope_alpha, slope_beta]),
        np.stack([[curve, curve], [curve, curve_beta]]),
    )
