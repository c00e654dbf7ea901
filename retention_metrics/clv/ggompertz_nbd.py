"""GGompertz/NBD: gamma purchase rates, Gompertz lifetimes of gamma frailty."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.clv.lifetime_limits import PARETO_LIMITS, GGompertzPoisson, GompertzNBD, GompertzPoisson
from retention_metrics.clv.lifetime_model import LifetimeModel
from retention_metrics.clv.lifetime_parts import GompertzLifetimes
from retention_metrics.clv.model import model
from retention_metrics.clv.onset_limits import ONSET_LIMITS
from retention_metrics.clv.pareto_nbd import ParetoNBD
from retention_metrics.clv.parts import GammaRates
from retention_metrics.clv.purchase_model import PurchaseModel


@model
class GGompertzNBD(GammaRates, GompertzLifetimes, LifetimeModel):
    """Gamma/Gompertz/NBD model: the hazard of leaving changes with age [1]_ [2]_.

    While alive a customer buys at rate lambda ~ Gamma(r, alpha); the hazard of leaving at age t is eta b exp(b t) with
    eta ~ Gamma(s, beta), so that ``S(t) = (beta / (beta - 1 + exp(b t)))**s``; lambda and eta are independent. Across
    customers the hazard falls with age where beta is below 1 and rises where it is above. As b and beta go to 0 at a
    fixed beta / b the model becomes the Pareto/NBD with that ratio as its beta.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time: r / alpha is the mean rate.
    b : float
        Growth of the hazard with age, above 0, per unit of time.
    s : float
        Shape of the hazard's level across customers, above 0.
    beta : float
        Inverse scale of the hazard's level across customers, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time. ``fit`` takes it from the history.

    Raises
    ------
    InputError
        If a parameter is not a positive number or the unit is unknown.

    Notes
    -----
    The conditional expectation is that of the paper's erratum of 2022: the mean rate times the expected time alive.

    References
    ----------
    .. [1] Bemmaor, A. C. & Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible customer
       lifetime model. *Management Science* 58(5), 1012-1021.
    .. [2] Adler, J. (2022). Comment on "Modeling purchasing behavior with sudden 'death': a flexible customer
       lifetime model". *Management Science* 68(3), 1929-1930.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.GGompertzNBD(r=0.55, alpha=10.6, b=0.02, s=0.6, beta=0.25, unit="week")
    >>> round(float(model.probability_alive(2, 30.43, 38.86)), 2)
    0.82
    """

    kind: ClassVar[str] = "clv.ggompertz_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "b", "s", "beta")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    time_rates: ClassVar[tuple[str, ...]] = ("b",)
    model_source: ClassVar[str] = (
        "Bemmaor & Glady (2012), Modeling purchasing behavior with sudden death, Management Science 58(5)."
    )

    r: float
    alpha: float
    b: float
    s: float
    beta: float
    unit: str | None = None

    @classmethod
    def _limits(cls) -> tuple[type[PurchaseModel], ...]:
        return (*PARETO_LIMITS, GompertzPoisson, *ONSET_LIMITS, ParetoNBD, GompertzNBD, GGompertzPoisson)
