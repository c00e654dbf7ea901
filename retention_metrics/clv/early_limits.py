"""The simpler models that MBG/NBD turns into at the edge of its parameters: those where dropout may come at once."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.clv.dropout_model import DropoutModel
from retention_metrics.clv.limits import (
    NBD,
    BGPoisson,
    GeometricNBD,
    GeometricPoisson,
    Poisson,
    TwoTypeNBD,
    TwoTypePoisson,
)
from retention_metrics.clv.model import model

__all__ = [
    "EARLY_LIMITS",
    "EarlyBGPoisson",
    "EarlyGeometricNBD",
    "EarlyGeometricPoisson",
    "EarlyTwoTypeNBD",
    "EarlyTwoTypePoisson",
]


@model
class EarlyGeometricNBD(GeometricNBD):
    """Gamma purchase rates, and one probability of dropping out after any purchase.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    p : float
        Probability of dropping out after each purchase, the first included, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.early_limits import EarlyGeometricNBD
    >>> model = EarlyGeometricNBD(r=0.25, alpha=4.0, p=0.25)
    >>> round(float(model.probability_alive(0, 0.0, 38.86)), 3)
    0.624
    """

    kind: ClassVar[str] = "clv.early_geometric_nbd"
    early: ClassVar[int] = 1
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "all customers share one dropout probability"


@model
class EarlyTwoTypeNBD(TwoTypeNBD):
    """Gamma purchase rates; a share buys once only, the others never drop out.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    share : float
        Share of customers who drop out at their first purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.early_limits import EarlyTwoTypeNBD
    >>> model = EarlyTwoTypeNBD(r=0.25, alpha=4.0, share=0.25)
    >>> round(float(model.probability_alive(0, 0.0, 38.86)), 3)
    0.624
    """

    kind: ClassVar[str] = "clv.early_two_type_nbd"
    early: ClassVar[int] = 1
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "customers drop out at their first purchase or never"


@model
class EarlyBGPoisson(BGPoisson):
    """One purchase rate for all; beta dropout probabilities after any purchase.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    a, b : float
        Shapes of the dropout probabilities, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.early_limits import EarlyBGPoisson
    >>> model = EarlyBGPoisson(rate=0.1, a=0.8, b=2.4)
    >>> round(float(model.probability_alive(0, 0.0, 38.86)), 3)
    0.058
    """

    kind: ClassVar[str] = "clv.early_bg_poisson"
    early: ClassVar[int] = 1
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "all customers buy at one rate"


@model
class EarlyGeometricPoisson(GeometricPoisson):
    """One purchase rate and one probability of dropping out after any purchase.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    p : float
        Probability of dropping out after each purchase, the first included, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.early_limits import EarlyGeometricPoisson
    >>> model = EarlyGeometricPoisson(rate=0.1, p=0.25)
    >>> round(float(model.probability_alive(0, 0.0, 38.86)), 3)
    0.058
    """

    kind: ClassVar[str] = "clv.early_geometric_poisson"
    early: ClassVar[int] = 1
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "all customers share one purchase rate and one dropout probability"


@model
class EarlyTwoTypePoisson(TwoTypePoisson):
    """One purchase rate for all; a share buys once only, the others never drop out.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    share : float
        Share of customers who drop out at their first purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.early_limits import EarlyTwoTypePoisson
    >>> model = EarlyTwoTypePoisson(rate=0.1, share=0.25)
    >>> round(float(model.probability_alive(0, 0.0, 38.86)), 3)
    0.058
    """

    kind: ClassVar[str] = "clv.early_two_type_poisson"
    early: ClassVar[int] = 1
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "customers share one rate and drop out at their first purchase or never"


EARLY_LIMITS: tuple[type[DropoutModel], ...] = (
    Poisson,
    NBD,
    EarlyGeometricPoisson,
    EarlyTwoTypePoisson,
    EarlyGeometricNBD,
    EarlyTwoTypeNBD,
    EarlyBGPoisson,
)
"""From the fewest parameters to the most."""
