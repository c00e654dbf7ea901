"""Beta discrete Weibull: churn probabilities that differ between customers and change with tenure."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv.beta_steps import digamma_step, log_beta_step, trigamma_step
from retention_metrics.clv.churn_onsets import DelayedParetoChurn, ParetoChurn, SuddenChurn
from retention_metrics.clv.contract_limits import DiscreteWeibull, GeometricChurn, TwoTypeChurn, power_step
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import Terms, trigamma
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric, beta_terms
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]


@model
class BetaDiscreteWeibull(ContractModel):
    """Beta discrete Weibull model of renewals under contract [1]_.

    A customer is still there after t renewals with probability ``(1 - theta)**(t**c)``, theta ~ Beta(alpha, beta).
    With c above 1 a customer's own churn rises with tenure, below 1 it falls; c = 1 is the shifted beta-geometric.

    Parameters
    ----------
    alpha, beta : float
        Shapes of the churn probabilities at the first renewal, above 0.
    c : float
        Shape of a customer's time, above 0.

    Raises
    ------
    InputError
        If a parameter is not a positive number.

    Notes
    -----
    ``survival(t) = B(alpha, beta + t**c) / B(alpha, beta)``.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. & Steenburgh, T. (2018). "How to project customer
       retention" revisited: the role of duration dependence. *Journal of Interactive Marketing* 43(1), 1-16.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BetaDiscreteWeibull(alpha=0.2143, beta=1.4266, c=1.7236)
    >>> model.retention_rate([1, 2, 7]).round(3)
    array([0.869, 0.852, 0.947])
    """

    kind: ClassVar[str] = "clv.beta_discrete_weibull"
    parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta", "c")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("alpha", "beta"),)
    ages: ClassVar[bool] = True

    alpha: float
    beta: float
    c: float

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The churn at the first renewal: the last step.
        """
        return Explanation(
            formula="theta ~ Beta(alpha, beta); survival(t) = B(alpha, beta + t**c) / B(alpha, beta)",
            values={name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)},
            steps=(
                Step(name="first_retention_rate", expression="beta / (alpha + beta)"),
                Step(name="churn_at_first_renewal", expression="1 - first_retention_rate"),
            ),
            source='Fader et al. (2018), "How to project customer retention" revisited, Journal of Interactive '
            "Marketing 43(1).",
        )

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        return log_beta_step(self.alpha, self.beta + tenure**self.c, power_step(tenure, ahead, self.c))

    def _fall(self) -> tuple[Floats, Floats]:
        alpha, beta, c = (np.asarray(getattr(self, name)) for name in self.parameters)
        clock = np.log(1e17) + np.log1p(alpha) + np.log1p(alpha + beta)
        return c * alpha, np.exp(np.minimum(clock / c, 600.0))

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return generator.beta(self.alpha, self.beta, size=size)

    def _clock(self, renewals: Floats) -> Floats:
        return np.asarray(renewals**self.c)

    def _unclock(self, clock: Floats) -> Floats:
        return np.asarray(clock ** (1 / self.c))

    @classmethod
    def _limits(cls) -> tuple[type[ContractModel], ...]:
        return (
            GeometricChurn,
            TwoTypeChurn,
            DelayedParetoChurn,
            SuddenChurn,
            ShiftedBetaGeometric,
            DiscreteWeibull,
            ParetoChurn,
        )

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in alpha, beta and c."""
        alpha, beta, c = map(float, odds)
        clock = renewals**c
        inner = beta_terms(alpha, beta, clock)
        # Log of the survival as a function of the clock, and the clock of c.
        pace = special.xlogy(clock, renewals)
        change = -digamma_step(beta + clock, alpha)
        share, bend = pace / (beta + clock), trigamma_step(beta + clock, alpha)
        slopes = np.concatenate([inner.slopes, (change * pace)[None]])
        curvatures = np.empty((3, 3, renewals.size))
        curvatures[:2, :2] = inner.curvatures
        curvatures[2, 0] = curvatures[0, 2] = -trigamma(alpha + beta + clock) * pace
        curvatures[2, 1] = curvatures[1, 2] = bend * share / (beta + clock)
        curvatures[2, 2] = bend * share**2 + change * special.xlogy(pace, renewals)
        return Terms(inner.value, slopes, curvatures)
