"""Churn rates from counts, between periods, and as lifetimes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import PERIOD_UNITS, PeriodUnit
from retention_metrics.results import Interval, Proportion, Result, result

Floats = NDArray[np.float64]
Scalar = float | int | Result

# Sixteenths of a day, so that every length is whole: a year is exactly 12 months of 365.25 / 12 days.
_LENGTHS = {"day": 16, "week": 112, "month": 487, "quarter": 1461, "year": 5844}
_CONSTANT_HAZARD = "1/churn is the mean lifetime where churn stays the same throughout a customer's life."
_NOBODY_LEAVES = "The lifetime is undefined: at a churn rate of 0 nobody ever leaves."


@result
class ConvertedRate(Result):
    """A churn rate per one period, restated per another.

    Attributes
    ----------
    rate : float or None
        The rate that was converted, per ``per``.
    per, to : str
        The periods from and to which it was converted.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> monthly = rm.churn.convert(0.1, per="year", to="month")
    >>> round(monthly.estimate, 6), monthly.per, monthly.to
    (0.008742, 'year', 'month')
    """

    kind: ClassVar[str] = "churn.converted_rate"

    rate: float | None
    per: str
    to: str

    def explain(self) -> Explanation:
        """The share that stays, compounded over the other period."""
        return Explanation(
            formula=f"churn per {self.to} = 1 - (1 - churn per {self.per})^({self.per}s in a {self.to})",
            values={"rate": self.rate, "days_per": _LENGTHS[self.per] / 16, "days_to": _LENGTHS[self.to] / 16},
            steps=(
                Step(name="periods", expression="days_to / days_per"),
                Step(name="converted", expression="1 - (1 - rate) ** periods"),
            ),
            source="Compounding at a constant rate; a month is 365.25/12 days.",
        )


@result
class Lifetime(Result):
    """The mean lifetime that a constant churn rate implies.

    Attributes
    ----------
    rate : float or None
        The churn rate, per ``per``.
    per : str
        The period of the rate, which is the unit of the lifetime.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> years = rm.churn.lifetime(0.2, per="year")
    >>> years.estimate, years.unit
    (5.0, 'year')
    """

    kind: ClassVar[str] = "churn.lifetime"

    rate: float | None
    per: str

    def explain(self) -> Explanation:
        """The reciprocal of the churn rate."""
        return Explanation(
            formula=f"lifetime in {self.per}s = 1 / churn per {self.per}",
            values={"rate": self.rate},
            steps=(Step(name="lifetime", expression="1 / rate"),),
            source="Mean of the geometric distribution.",
        )


@result
class LifetimeChurn(Result):
    """The monthly churn rate that a mean lifetime implies.

    Attributes
    ----------
    lifetime_months : float or None
        The mean lifetime in months.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.churn.from_lifetime(20).estimate
    0.05
    """

    kind: ClassVar[str] = "churn.from_lifetime"

    lifetime_months: float | None

    def explain(self) -> Explanation:
        """The reciprocal of the lifetime."""
        return Explanation(
            formula="churn per month = 1 / lifetime in months",
            values={"lifetime_months": self.lifetime_months},
            steps=(Step(name="rate", expression="1 / lifetime_months"),),
            source="Mean of the geometric distribution.",
        )


def rate(
    *, start: float, lost: float, level: float | None = 0.95, method: stats.ProportionMethod = "wilson"
) -> Proportion:
    """Share of the customers at the start who were lost.

    Parameters
    ----------
    start : int
        Customers at the start of the period, at least 0.
    lost : int
        Those of them who were gone at its end, from 0 to ``start``. Customers who joined during the period count
        neither here nor there.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Method of the interval.

    Returns
    -------
    Proportion
        ``estimate`` and ``interval`` as shares, from 0 to 1. Undefined (None) without customers at the start.

    Raises
    ------
    InputError
        If a count is negative or not whole, or more were lost than there were.

    Notes
    -----
    The Wilson interval holds the shares p for which ``|lost/start - p| <= z sqrt(p (1 - p) / start)`` [1]_.
    Where the customers are all there are, it describes how far chance alone moves such a rate, for instance in
    the next period.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
       *Journal of the American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> churn = rm.churn.rate(start=100, lost=10)
    >>> churn.estimate, round(churn.interval.low, 4), round(churn.interval.high, 4)
    (0.1, 0.0552, 0.1744)
    """
    customers = _checks.count(start, name="start")
    gone = _checks.count(lost, name="lost")
    if gone > customers:
        raise InputError(
            f"lost counts customers who were there at the start; got lost={gone} of start={customers}.",
            argument="lost",
            count=gone,
            fix="Leave out those who joined and left within the period.",
        )
    level = _checks.level(level)
    chosen = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    low, high = stats.share_interval(gone, customers, level=level or 0.95, method=chosen)

    known = customers > 0
    return Proportion(
        estimate=gone / customers if known else None,
        interval=Interval(low=float(low), high=float(high), level=level, method=chosen) if known and level else None,
        unit="share",
        definition="churn.rate/start-cohort",
        notes=() if known else ("The churn rate is undefined: there were no customers at the start.",),
        status="ok" if known else "no_customers",
        numerator=gone,
        denominator=customers,
    )


@overload
def convert(rate: Scalar, *, per: PeriodUnit, to: PeriodUnit) -> ConvertedRate: ...
@overload
def convert(rate: ArrayLike, *, per: PeriodUnit, to: PeriodUnit) -> ConvertedRate | Floats: ...
def convert(rate: Result | ArrayLike, *, per: PeriodUnit, to: PeriodUnit) -> ConvertedRate | Floats:
    """Churn rate restated for a shorter or a longer period.

    Parameters
    ----------
    rate : float, array_like of float or Result
        Churn rate per ``per``, from 0 to 1. The interval of a result is converted with it.
    per : {"day", "week", "month", "quarter", "year"}
        The period of the rate.
    to : {"day", "week", "month", "quarter", "year"}
        The period that is asked for. A week is 7 days, a month 365.25/12 and a year 365.25, so that a year is
        exactly 12 months and a quarter exactly 3.

    Returns
    -------
    ConvertedRate or ndarray of float
        The rate per ``to``, from 0 to 1; an array of the same shape for an array.

    Raises
    ------
    InputError
        If a rate is outside 0 to 1 or not a churn rate, or a period is unknown.

    Notes
    -----
    With k periods ``per`` in one ``to``, the rate is ``1 - (1 - rate)^k``: the same share leaves in every
    period, of those who are left. Both ends of an interval go through the same formula, which rises with the
    rate.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> yearly = rm.churn.convert(0.05, per="month", to="year")
    >>> round(yearly.estimate, 4)
    0.4596
    >>> rm.churn.convert([0.05, 0.1], per="month", to="quarter").round(4)
    array([0.1426, 0.271 ])
    """
    source = _checks.choice(per, PERIOD_UNITS, name="per")
    target = _checks.choice(to, PERIOD_UNITS, name="to")
    periods = _LENGTHS[target] / _LENGTHS[source]
    if not _is_scalar(rate):
        return _compounded(_checks.floats(_listed(rate), name="rate", low=0.0, high=1.0), periods)
    value, interval = _churn_share(rate, per=source)

    def compound(share: float) -> float:
        return float(_compounded(np.asarray(share), periods))

    return ConvertedRate(
        estimate=None if value is None else compound(value),
        interval=_mapped(interval, compound, falling=False),
        unit="share",
        definition="churn.rate/converted",
        notes=_notes_of(rate, "Assumes the same churn in every period."),
        status=_status_of(rate),
        backend=rate.backend if isinstance(rate, Result) else "pandas",
        rate=value,
        per=source,
        to=target,
    )


@overload
def lifetime(rate: Scalar, *, per: PeriodUnit = "month") -> Lifetime: ...
@overload
def lifetime(rate: ArrayLike, *, per: PeriodUnit = "month") -> Lifetime | Floats: ...
def lifetime(rate: Result | ArrayLike, *, per: PeriodUnit = "month") -> Lifetime | Floats:
    """Mean lifetime of a customer under a constant churn rate.

    Parameters
    ----------
    rate : float, array_like of float or Result
        Churn rate per ``per``, from 0 to 1. The interval of a result is inverted with it.
    per : {"day", "week", "month", "quarter", "year"}, default "month"
        The period of the rate, and so the unit of the lifetime.

    Returns
    -------
    Lifetime or ndarray of float
        Mean lifetime in periods, at least 1; an array of the same shape for an array. Where nobody leaves it is
        undefined: None with a note, NaN in an array.

    Raises
    ------
    InputError
        If a rate is outside 0 to 1 or not a churn rate.

    Notes
    -----
    The mean of the geometric distribution, ``1 / rate``, counts the period in which a customer leaves in full.
    The upper end is infinite where the rate's interval reaches 0.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> round(rm.churn.lifetime(0.03).estimate, 1)
    33.3
    >>> months = rm.churn.lifetime(rm.churn.rate(start=100, lost=10))
    >>> round(months.interval.low, 1), round(months.interval.high, 1)
    (5.7, 18.1)
    """
    unit = _checks.choice(per, PERIOD_UNITS, name="per")
    if not _is_scalar(rate):
        rates = _checks.floats(_listed(rate), name="rate", low=0.0, high=1.0)
        periods: Floats = np.divide(1.0, rates, out=np.full(rates.shape, np.nan), where=rates > 0)
        return periods
    value, interval = _churn_share(rate, per=unit)

    endless = value is not None and _reciprocal(value) == math.inf

    return Lifetime(
        estimate=None if value is None or endless else 1 / value,
        interval=_mapped(interval, _reciprocal, falling=True),
        unit=unit,
        definition="churn.lifetime/constant-rate",
        notes=_notes_of(rate, _NOBODY_LEAVES if endless else _CONSTANT_HAZARD),
        status="undefined" if endless else _status_of(rate),
        backend=rate.backend if isinstance(rate, Result) else "pandas",
        rate=value,
        per=unit,
    )


@overload
def from_lifetime(months: Scalar) -> LifetimeChurn: ...
@overload
def from_lifetime(months: ArrayLike) -> LifetimeChurn | Floats: ...
def from_lifetime(months: Result | ArrayLike) -> LifetimeChurn | Floats:
    """Monthly churn rate that a mean lifetime implies.

    Parameters
    ----------
    months : float, array_like of float or Result
        Mean lifetime in months, at least 1. The interval of a result is inverted with it.

    Returns
    -------
    LifetimeChurn or ndarray of float
        Churn per month, from 0 to 1; an array of the same shape for an array.

    Raises
    ------
    InputError
        If a lifetime is below 1 month, or a result is not in months.

    Notes
    -----
    The rate is ``1 / months``, the inverse of ``churn.lifetime``.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> round(rm.churn.from_lifetime(12).estimate, 4)
    0.0833
    """
    if not _is_scalar(months):
        return 1.0 / _checks.floats(_listed(months), name="months", low=1.0)
    if isinstance(months, Result) and months.unit not in ("month", "months"):
        raise InputError(
            f"months is a lifetime in months; got {months.definition or months.kind} in {months.unit or 'no unit'}.",
            argument="months",
        )
    undefined = isinstance(months, Result) and months.estimate is None
    value = months.estimate if isinstance(months, Result) else months
    months_lived = None if undefined else _checks.number(value, name="months", low=1.0)

    interval = months.interval if isinstance(months, Result) else None

    return LifetimeChurn(
        estimate=None if months_lived is None else 1 / months_lived,
        interval=_mapped(interval, lambda end: min(1.0, _reciprocal(end)), falling=True),
        unit="share",
        definition="churn.rate/from-lifetime",
        notes=_notes_of(months, _CONSTANT_HAZARD),
        status=_status_of(months),
        backend=months.backend if isinstance(months, Result) else "pandas",
        lifetime_months=months_lived,
    )


def _is_scalar(value: Result | ArrayLike) -> bool:
    return isinstance(value, (Result, str)) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0


def _listed(value: Result | ArrayLike) -> ArrayLike:
    if isinstance(value, Result):
        raise TypeError("a result is no array")
    return value


def _churn_share(value: Result | ArrayLike, *, per: str) -> tuple[float | None, Interval | None]:
    if not isinstance(value, Result):
        return _checks.share(value, name="rate"), None
    if value.unit != "share" or not value.definition.startswith("churn."):
        raise InputError(
            f"rate is a churn rate; got {value.definition or value.kind} in {value.unit or 'no unit'}.",
            argument="rate",
            fix="Retention and churn add up to 1." if value.definition.startswith("retention.") else None,
        )
    known = value.to if isinstance(value, ConvertedRate) else "month" if isinstance(value, LifetimeChurn) else per
    if known != per:
        raise InputError(
            f"per is the period of the rate, which is per {known}; got {per!r}.", argument="per", fix=f"Pass {known!r}."
        )
    return value.estimate, value.interval


def _compounded(rates: Floats, periods: float) -> Floats:
    # log1p and expm1 keep the digits of small rates; a rate of 1 stays 1.
    certain = rates == 1.0
    left = np.log1p(-np.where(certain, 0.0, rates))
    return np.asarray(np.where(certain, 1.0, -np.expm1(periods * left)), dtype=np.float64)


def _reciprocal(value: float) -> float:
    return math.inf if value == 0 else 1 / value


def _mapped(interval: Interval | None, formula: Callable[[float], float], *, falling: bool) -> Interval | None:
    if interval is None:
        return None
    ends = formula(interval.low), formula(interval.high)
    low, high = ends[::-1] if falling else ends
    return Interval(low=low, high=high, level=interval.level, method=interval.method)


def _notes_of(value: Result | ArrayLike, *own: str) -> tuple[str, ...]:
    # A converted conversion says once what both assume.
    return tuple(dict.fromkeys((*(value.notes if isinstance(value, Result) else ()), *own)))


def _status_of(value: Result | ArrayLike) -> str:
    return value.status if isinstance(value, Result) else "ok"
