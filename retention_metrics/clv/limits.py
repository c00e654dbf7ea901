"""The simpler models that BG/NBD turns into at the edge of its parameters, named where a fit ends there."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.dropout_model import ONE_TIME_NOTE, DropoutModel
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import (
    BetaDropout,
    CertainDropout,
    GammaRates,
    NoDropout,
    OneDropout,
    OneRate,
    TwoTypes,
)

Floats = NDArray[np.float64]

__all__ = [
    "LIMITS",
    "NBD",
    "BGPoisson",
    "GeometricNBD",
    "GeometricPoisson",
    "OneRepeatNBD",
    "OneRepeatPoisson",
    "Poisson",
    "TwoTypeNBD",
    "TwoTypePoisson",
]


@model
class NBD(NoDropout, GammaRates, DropoutModel):
    """Gamma purchase rates and no dropout: the negative binomial model of purchases [1]_.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    References
    ----------
    .. [1] Ehrenberg, A. S. C. (1959). The pattern of consumer purchases. *Applied Statistics* 8(1), 26-41.

    Examples
    --------
    >>> from retention_metrics.clv.limits import NBD
    >>> round(float(NBD(r=0.5, alpha=10.0).expected_purchases(2, 30.0, 40.0, horizon=10)), 3)
    0.5
    """

    kind: ClassVar[str] = "clv.nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    limit_of: ClassVar[str] = "nobody drops out"

    r: float
    alpha: float
    unit: str | None = None


@model
class GeometricNBD(OneDropout, GammaRates, DropoutModel):
    """Gamma purchase rates, and one dropout probability that all customers share.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    p : float
        Probability of dropping out after each repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import GeometricNBD
    >>> round(float(GeometricNBD(r=0.25, alpha=4.0, p=0.25).probability_alive(2, 30.43, 38.86)), 3)
    0.647
    """

    kind: ClassVar[str] = "clv.geometric_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "p")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "all customers share one dropout probability"

    r: float
    alpha: float
    p: float
    unit: str | None = None


@model
class TwoTypeNBD(TwoTypes, GammaRates, DropoutModel):
    """Gamma purchase rates; a share drops out at the first repeat purchase, the others never.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    share : float
        Share of customers who drop out at their first repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import TwoTypeNBD
    >>> float(TwoTypeNBD(r=0.25, alpha=4.0, share=0.25).probability_alive(2, 30.43, 38.86))
    1.0
    """

    kind: ClassVar[str] = "clv.two_type_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "share")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "customers drop out at their first repeat purchase or never"

    r: float
    alpha: float
    share: float
    unit: str | None = None


@model
class OneRepeatNBD(CertainDropout, GammaRates, DropoutModel):
    """Gamma purchase rates; every customer drops out at the first repeat purchase.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import OneRepeatNBD
    >>> float(OneRepeatNBD(r=0.25, alpha=4.0).probability_alive(1, 30.43, 38.86))
    0.0
    """

    kind: ClassVar[str] = "clv.one_repeat_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "every customer drops out at the first repeat purchase"

    r: float
    alpha: float
    unit: str | None = None


@model
class BGPoisson(BetaDropout, OneRate, DropoutModel):
    """One purchase rate for all, and beta dropout probabilities.

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
    >>> from retention_metrics.clv.limits import BGPoisson
    >>> round(float(BGPoisson(rate=0.1, a=0.8, b=2.4).expected_purchases_new(horizon=10)), 3)
    0.891
    """

    kind: ClassVar[str] = "clv.bg_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "a", "b")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "all customers buy at one rate"

    rate: float
    a: float
    b: float
    unit: str | None = None


@model
class GeometricPoisson(OneDropout, OneRate, DropoutModel):
    """One purchase rate and one dropout probability for all customers.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    p : float
        Probability of dropping out after each repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import GeometricPoisson
    >>> round(float(GeometricPoisson(rate=0.1, p=0.25).expected_purchases_new(horizon=10)), 3)
    0.885
    """

    kind: ClassVar[str] = "clv.geometric_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "p")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "all customers share one purchase rate and one dropout probability"

    rate: float
    p: float
    unit: str | None = None


@model
class TwoTypePoisson(TwoTypes, OneRate, DropoutModel):
    """One purchase rate for all; a share drops out at the first repeat purchase, the others never.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    share : float
        Share of customers who drop out at their first repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import TwoTypePoisson
    >>> round(float(TwoTypePoisson(rate=0.1, share=0.25).expected_purchases_new(horizon=10)), 3)
    0.908
    """

    kind: ClassVar[str] = "clv.two_type_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "share")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "customers share one rate and drop out at their first repeat purchase or never"

    rate: float
    share: float
    unit: str | None = None


@model
class OneRepeatPoisson(CertainDropout, OneRate, DropoutModel):
    """One purchase rate for all; every customer drops out at the first repeat purchase.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import OneRepeatPoisson
    >>> round(float(OneRepeatPoisson(rate=0.1).expected_purchases_new(horizon=10)), 3)
    0.632
    """

    kind: ClassVar[str] = "clv.one_repeat_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    limit_of: ClassVar[str] = "customers share one rate and drop out at their first repeat purchase"

    rate: float
    unit: str | None = None


@model
class Poisson(NoDropout, OneRate, DropoutModel):
    """One purchase rate for all, and no dropout.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.limits import Poisson
    >>> float(Poisson(rate=0.1).expected_purchases(2, 30.0, 40.0, horizon=10))
    1.0
    """

    kind: ClassVar[str] = "clv.poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    limit_of: ClassVar[str] = "all customers buy at one rate and nobody drops out"

    rate: float
    unit: str | None = None


LIMITS: tuple[type[DropoutModel], ...] = (
    Poisson,
    OneRepeatPoisson,
    NBD,
    OneRepeatNBD,
    GeometricPoisson,
    TwoTypePoisson,
    GeometricNBD,
    TwoTypeNBD,
    BGPoisson,
)
"""From the fewest parameters to the most."""
