"""Pareto/NBD: gamma purchase rates, exponential lifetimes at gamma rates."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from retention_metrics.clv.lifetime_limits import PARETO_LIMITS
from retention_metrics.clv.lifetime_model import LifetimeModel
from retention_metrics.clv.lifetime_parts import ParetoLifetimes
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import GammaRates
from retention_metrics.clv.purchase_model import PurchaseModel


@model
class ParetoNBD(GammaRates, ParetoLifetimes, LifetimeModel):
    """Pareto/NBD model: own purchase rates, and leaving at any moment [1]_.

    While alive a customer buys at rate lambda ~ Gamma(r, alpha); the lifetime is exponential at rate
    mu ~ Gamma(s, beta), so that lifetimes across customers are Pareto; lambda and mu are independent.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time: r / alpha is the mean rate.
    s : float
        Shape of the dropout rates, above 0.
    beta : float
        Inverse scale of the dropout rates, above 0, in units of time: s / beta is the mean rate.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time. ``fit`` takes it from the history.

    Raises
    ------
    InputError
        If a parameter is not a positive number or the unit is unknown.

    References
    ----------
    .. [1] Schmittlein, D. C., Morrison, D. G. & Colombo, R. (1987). Counting your customers: who are they and what will
       they do next? *Management Science* 33(1), 1-24.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit="week")
    >>> round(float(model.probability_alive(26, 30.86, 31)), 4)
    0.9979
    """

    kind: ClassVar[str] = "clv.pareto_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    limit_of: ClassVar[str] = "the hazard of leaving does not grow with a customer's age"
    effects: ClassVar[Mapping[str, tuple[str, int]]] = MappingProxyType(
        {"purchase": ("alpha", -1), "dropout": ("beta", -1)}
    )
    model_source: ClassVar[str] = (
        "Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1)."
    )

    r: float
    alpha: float
    s: float
    beta: float
    unit: str | None = None

    @classmethod
    def _limits(cls) -> tuple[type[PurchaseModel], ...]:
        return PARETO_LIMITS
