"""BG/CNBD-k: the BG/NBD with regular purchase timing, and its limits."""

from __future__ import annotations

from typing import ClassVar

from retention_metrics.clv.erlang_model import ErlangModel, GammaStages, OneStageRate
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import BetaDropout, CertainDropout, NoDropout, OneDropout, TwoTypes
from retention_metrics.clv.purchase_model import PurchaseModel


@model
class CNBD(NoDropout, GammaStages, ErlangModel):
    """Regular purchases at gamma rates and no dropout: the condensed negative binomial model [1]_.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    r : float
        Shape of the stage rates, above 0.
    alpha : float
        Inverse scale of the stage rates, above 0, in units of time.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    References
    ----------
    .. [1] Chatfield, C. & Goodhardt, G. J. (1973). A consumer purchasing model with Erlang inter-purchase times.
       *Journal of the American Statistical Association* 68(344), 828-835.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import CNBD
    >>> float(CNBD(k=2, r=0.9, alpha=2.5).probability_alive(2, 30.0, 40.0))
    1.0
    """

    kind: ClassVar[str] = "clv.cnbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "nobody drops out"

    k: int
    r: float
    alpha: float
    unit: str | None = None


@model
class GeometricCNBD(OneDropout, GammaStages, ErlangModel):
    """Regular purchases at gamma rates, and one dropout probability that all customers share.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    r : float
        Shape of the stage rates, above 0.
    alpha : float
        Inverse scale of the stage rates, above 0, in units of time.
    p : float
        Probability of dropping out after each repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import GeometricCNBD
    >>> round(float(GeometricCNBD(k=2, r=0.9, alpha=2.5, p=0.2).probability_alive(2, 30.0, 40.0)), 3)
    0.698
    """

    kind: ClassVar[str] = "clv.geometric_cnbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "p")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    limit_of: ClassVar[str] = "all customers share one dropout probability"

    k: int
    r: float
    alpha: float
    p: float
    unit: str | None = None


@model
class TwoTypeCNBD(TwoTypes, GammaStages, ErlangModel):
    """Regular purchases at gamma rates; a share drops out at the first repeat purchase, the others never.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    r : float
        Shape of the stage rates, above 0.
    alpha : float
        Inverse scale of the stage rates, above 0, in units of time.
    share : float
        Share of customers who drop out at their first repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import TwoTypeCNBD
    >>> float(TwoTypeCNBD(k=2, r=0.9, alpha=2.5, share=0.2).probability_alive(2, 30.0, 40.0))
    1.0
    """

    kind: ClassVar[str] = "clv.two_type_cnbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "share")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = "customers drop out at their first repeat purchase or never"

    k: int
    r: float
    alpha: float
    share: float
    unit: str | None = None


@model
class OneRepeatCNBD(CertainDropout, GammaStages, ErlangModel):
    """Regular purchases at gamma rates; every customer drops out at the first repeat purchase.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    r : float
        Shape of the stage rates, above 0.
    alpha : float
        Inverse scale of the stage rates, above 0, in units of time.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import OneRepeatCNBD
    >>> float(OneRepeatCNBD(k=2, r=0.9, alpha=2.5).probability_alive(1, 30.0, 40.0))
    0.0
    """

    kind: ClassVar[str] = "clv.one_repeat_cnbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    limit_of: ClassVar[str] = "every customer drops out at the first repeat purchase"

    k: int
    r: float
    alpha: float
    unit: str | None = None


@model
class CondensedPoisson(NoDropout, OneStageRate, ErlangModel):
    """Regular purchases at one rate for all, and no dropout: the condensed Poisson process [1]_.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    rate : float
        Stages per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    References
    ----------
    .. [1] Chatfield, C. & Goodhardt, G. J. (1973). A consumer purchasing model with Erlang inter-purchase times.
       *Journal of the American Statistical Association* 68(344), 828-835.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import CondensedPoisson
    >>> round(float(CondensedPoisson(k=2, rate=0.4).expected_purchases(2, 30.0, 30.0, horizon=10)), 3)
    1.75
    """

    kind: ClassVar[str] = "clv.condensed_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    notes: ClassVar[tuple[str, ...]] = ()
    limit_of: ClassVar[str] = "all customers buy at one rate and nobody drops out"

    k: int
    rate: float
    unit: str | None = None


@model
class OneRepeatCondensedPoisson(CertainDropout, OneStageRate, ErlangModel):
    """Regular purchases at one rate; every customer drops out at the first repeat purchase.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    rate : float
        Stages per unit of time, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import OneRepeatCondensedPoisson
    >>> round(float(OneRepeatCondensedPoisson(k=2, rate=0.4).expected_purchases_new(horizon=10)), 3)
    0.908
    """

    kind: ClassVar[str] = "clv.one_repeat_condensed_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    limit_of: ClassVar[str] = "customers share one rate and drop out at their first repeat purchase"

    k: int
    rate: float
    unit: str | None = None


@model
class GeometricCondensedPoisson(OneDropout, OneStageRate, ErlangModel):
    """Regular purchases at one rate, and one dropout probability for all customers.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    rate : float
        Stages per unit of time, above 0.
    p : float
        Probability of dropping out after each repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import GeometricCondensedPoisson
    >>> round(float(GeometricCondensedPoisson(k=2, rate=0.4, p=0.2).probability_alive(2, 30.0, 35.0)), 3)
    0.619
    """

    kind: ClassVar[str] = "clv.geometric_condensed_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "p")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    shares: ClassVar[tuple[str, ...]] = ("p",)
    limit_of: ClassVar[str] = "all customers share one purchase rate and one dropout probability"

    k: int
    rate: float
    p: float
    unit: str | None = None


@model
class TwoTypeCondensedPoisson(TwoTypes, OneStageRate, ErlangModel):
    """Regular purchases at one rate; a share drops out at the first repeat purchase, the others never.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    rate : float
        Stages per unit of time, above 0.
    share : float
        Share of customers who drop out at their first repeat purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import TwoTypeCondensedPoisson
    >>> float(TwoTypeCondensedPoisson(k=2, rate=0.4, share=0.2).probability_alive(2, 30.0, 40.0))
    1.0
    """

    kind: ClassVar[str] = "clv.two_type_condensed_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "share")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = "customers share one rate and drop out at their first repeat purchase or never"

    k: int
    rate: float
    share: float
    unit: str | None = None


@model
class BGCondensedPoisson(BetaDropout, OneStageRate, ErlangModel):
    """Regular purchases at one rate for all, and beta dropout probabilities.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1.
    rate : float
        Stages per unit of time, above 0.
    a, b : float
        Shapes of the dropout probabilities, above 0.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.bg_cnbd import BGCondensedPoisson
    >>> round(float(BGCondensedPoisson(k=2, rate=0.4, a=0.8, b=2.4).probability_alive(2, 30.0, 35.0)), 3)
    0.633
    """

    kind: ClassVar[str] = "clv.bg_condensed_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "a", "b")
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    limit_of: ClassVar[str] = "all customers buy at one rate"

    k: int
    rate: float
    a: float
    b: float
    unit: str | None = None


@model
class BGCNBD(BetaDropout, GammaStages, ErlangModel):
    """Beta-geometric/condensed NBD model of regular purchases [1]_ [2]_.

    While alive a customer passes stages at rate lambda ~ Gamma(r, alpha) and buys at every k-th of them, so that the
    times between purchases are Erlang-k: the larger k, the more regular. After each repeat purchase they drop out with
    probability p ~ Beta(a, b). With k = 1 it is the BG/NBD.

    Parameters
    ----------
    k : int
        Stages of a purchase, at least 1; known, or chosen by ``fit``, and not among the estimated parameters.
    r : float
        Shape of the stage rates, above 0.
    alpha : float
        Inverse scale of the stage rates, above 0, in units of time: ``r / (k alpha)`` is the mean purchase rate.
    a, b : float
        Shapes of the dropout probabilities, above 0: ``a / (a + b)`` is the mean.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time. ``fit`` takes it from the history.

    Raises
    ------
    InputError
        If k is not a whole number of at least 1, a parameter is not a positive number or the unit is unknown.

    Notes
    -----
    ``log_likelihood`` is that of frequency, recency and T, not of the single intervals between purchases, and carries
    the constants of the BG/NBD, so that likelihoods of different k compare: with A the mean over the stage rates,

        L = t_x**((k - 1) x) Gamma(x) / Gamma(k x) * (B(a, b + x) / B(a, b) * A[fewer than k stages in T - t_x]
            + B(a + 1, b + x - 1) / B(a, b) * A[k x stages at t_x] for x > 0).

    The first purchase begins the first interval, at time 0.

    References
    ----------
    .. [1] Platzer, M. & Reutterer, T. (2016). Ticking away the moments: timing regularity helps to better predict
       customer activity. *Marketing Science* 35(5), 779-799.
    .. [2] Reutterer, T., Platzer, M. & Schroeder, N. (2021). Leveraging purchase regularity for predicting customer
       behavior the easy way. *International Journal of Research in Marketing* 38(1), 194-215.

    Examples
    --------
    The same silence says more about a customer who buys like clockwork:

    >>> import retention_metrics as rm
    >>> irregular = rm.clv.BGCNBD(k=1, r=0.9, alpha=7.5, a=0.8, b=2.4)
    >>> regular = rm.clv.BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4)
    >>> [round(float(model.probability_alive(10, 30.0, 39.0)), 3) for model in (irregular, regular)]
    [0.577, 0.187]
    """

    kind: ClassVar[str] = "clv.bg_cnbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)

    k: int
    r: float
    alpha: float
    a: float
    b: float
    unit: str | None = None

    @classmethod
    def _limits(cls) -> tuple[type[PurchaseModel], ...]:
        return (
            CondensedPoisson,
            OneRepeatCondensedPoisson,
            CNBD,
            OneRepeatCNBD,
            GeometricCondensedPoisson,
            TwoTypeCondensedPoisson,
            GeometricCNBD,
            TwoTypeCNBD,
            BGCondensedPoisson,
        )
