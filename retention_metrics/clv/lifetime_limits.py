"""The simpler models that Pareto/NBD and GGompertz/NBD turn into at the edge of their parameters."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.clv.early_limits import EarlyTwoTypeNBD, EarlyTwoTypePoisson
from retention_metrics.clv.lifetime_model import LifetimeModel
from retention_metrics.clv.lifetime_parts import GompertzLifetimes, OneGompertz, OneHazard, ParetoLifetimes
from retention_metrics.clv.limits import NBD, Poisson
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import GammaRates, OneRate
from retention_metrics.clv.purchase_model import PurchaseModel

__all__ = [
    "PARETO_LIMITS",
    "ExponentialNBD",
    "ExponentialPoisson",
    "GGompertzPoisson",
    "GompertzNBD",
    "GompertzPoisson",
    "ParetoPoisson",
]

_PARETO = "Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1); the limit where "
_GOMPERTZ = (
    "Bemmaor & Glady (2012), Modeling purchasing behavior with sudden death, Management Science 58(5); the limit where "
)


@model
class ExponentialPoisson(OneRate, OneHazard, LifetimeModel):
    """One purchase rate, and exponential lifetimes at one rate, for all customers.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    mu : float
        Rate of leaving per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import ExponentialPoisson
    >>> round(float(ExponentialPoisson(rate=0.1, mu=0.02).probability_alive(2, 30.43, 38.86)), 3)
    0.774
    """

    kind: ClassVar[str] = "clv.exponential_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "mu")
    time_rates: ClassVar[tuple[str, ...]] = ("rate", "mu")
    limit_of: ClassVar[str] = "customers share one purchase rate and one rate of leaving"
    model_source: ClassVar[str] = _PARETO + limit_of + "."

    rate: float
    mu: float
    unit: str | None = None


@model
class ExponentialNBD(GammaRates, OneHazard, LifetimeModel):
    """Gamma purchase rates, and exponential lifetimes at one rate for all customers.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    mu : float
        Rate of leaving per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import ExponentialNBD
    >>> round(float(ExponentialNBD(r=0.5, alpha=10.0, mu=0.02).probability_alive(2, 30.43, 38.86)), 3)
    0.81
    """

    kind: ClassVar[str] = "clv.exponential_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "mu")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    time_rates: ClassVar[tuple[str, ...]] = ("mu",)
    limit_of: ClassVar[str] = "all customers leave at one rate"
    model_source: ClassVar[str] = _PARETO + limit_of + "."

    r: float
    alpha: float
    mu: float
    unit: str | None = None


@model
class ParetoPoisson(OneRate, ParetoLifetimes, LifetimeModel):
    """One purchase rate for all customers, and exponential lifetimes at gamma rates.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    s : float
        Shape of the dropout rates, above 0.
    beta : float
        Inverse scale of the dropout rates, above 0, in units of time.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import ParetoPoisson
    >>> round(float(ParetoPoisson(rate=0.1, s=0.6, beta=12.0).probability_alive(2, 30.43, 38.86)), 3)
    0.845
    """

    kind: ClassVar[str] = "clv.pareto_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "s", "beta")
    time_scales: ClassVar[tuple[str, ...]] = ("beta",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    limit_of: ClassVar[str] = "all customers buy at one rate"
    model_source: ClassVar[str] = _PARETO + limit_of + "."

    rate: float
    s: float
    beta: float
    unit: str | None = None


@model
class GompertzPoisson(OneRate, OneGompertz, LifetimeModel):
    """One purchase rate and one Gompertz law of lifetimes for all customers.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    b : float
        Growth of the hazard with age, above 0, per unit of time.
    eta : float
        Level of the hazard, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import GompertzPoisson
    >>> round(float(GompertzPoisson(rate=0.1, b=0.05, eta=0.5).probability_alive(2, 30.43, 38.86)), 3)
    0.207
    """

    kind: ClassVar[str] = "clv.gompertz_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "b", "eta")
    time_rates: ClassVar[tuple[str, ...]] = ("rate", "b")
    limit_of: ClassVar[str] = "customers share one purchase rate and one Gompertz law of lifetimes"
    model_source: ClassVar[str] = _GOMPERTZ + limit_of + "."

    rate: float
    b: float
    eta: float
    unit: str | None = None


@model
class GompertzNBD(GammaRates, OneGompertz, LifetimeModel):
    """Gamma purchase rates, and one Gompertz law of lifetimes for all customers.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    b : float
        Growth of the hazard with age, above 0, per unit of time.
    eta : float
        Level of the hazard, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import GompertzNBD
    >>> round(float(GompertzNBD(r=0.5, alpha=10.0, b=0.05, eta=0.5).probability_alive(2, 30.43, 38.86)), 3)
    0.248
    """

    kind: ClassVar[str] = "clv.gompertz_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "b", "eta")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    time_rates: ClassVar[tuple[str, ...]] = ("b",)
    limit_of: ClassVar[str] = "all customers share one Gompertz law of lifetimes"
    model_source: ClassVar[str] = _GOMPERTZ + limit_of + "."

    r: float
    alpha: float
    b: float
    eta: float
    unit: str | None = None


@model
class GGompertzPoisson(OneRate, GompertzLifetimes, LifetimeModel):
    """One purchase rate for all customers, and Gompertz lifetimes of gamma frailty.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    b : float
        Growth of the hazard with age, above 0, per unit of time.
    s : float
        Shape of the dropout rates, above 0.
    beta : float
        Inverse scale of the hazard's level across customers, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.lifetime_limits import GGompertzPoisson
    >>> round(float(GGompertzPoisson(rate=0.1, b=0.05, s=0.6, beta=0.5).probability_alive(2, 30.43, 38.86)), 3)
    0.661
    """

    kind: ClassVar[str] = "clv.ggompertz_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "b", "s", "beta")
    time_rates: ClassVar[tuple[str, ...]] = ("rate", "b")
    limit_of: ClassVar[str] = "all customers buy at one rate"
    model_source: ClassVar[str] = _GOMPERTZ + limit_of + "."

    rate: float
    b: float
    s: float
    beta: float
    unit: str | None = None


PARETO_LIMITS: tuple[type[PurchaseModel], ...] = (
    Poisson,
    NBD,
    EarlyTwoTypePoisson,
    ExponentialPoisson,
    EarlyTwoTypeNBD,
    ExponentialNBD,
    ParetoPoisson,
)
"""From the fewest parameters to the most."""
