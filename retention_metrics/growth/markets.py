"""Going upmarket: fewer, larger clients who stay longer, for the same revenue."""

from __future__ import annotations

import math
from typing import ClassVar

from retention_metrics import _checks
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Interval, Result, result

__all__ = ["Upmarket", "upmarket"]


@result
class Upmarket(Result):
    """By how much new clients may fall when they are larger and stay longer.

    Attributes
    ----------
    estimate : float
        Fall in new clients a month, as a share, at which revenue at the plateau is unchanged; below 0 where there must
        be more of them.
    break_even_new_clients : float
        New clients a month then.
    plateau : float
        Revenue a month at the plateau, before and after.
    new_clients_per_month, monthly_fee, lifetime_months, larger_fee, longer_lifetime : float
        As given.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> move = growth.upmarket(
    ...     new_clients_per_month=10, monthly_fee=500, lifetime_months=8, larger_fee=1_000, longer_lifetime=16
    ... )
    >>> move.estimate, move.break_even_new_clients
    (0.75, 2.5)
    """

    kind: ClassVar[str] = "growth.upmarket"

    break_even_new_clients: float
    plateau: float
    new_clients_per_month: float
    monthly_fee: float
    lifetime_months: float
    larger_fee: float
    longer_lifetime: float

    def explain(self) -> Explanation:
        """The plateau before over what one new client a month brings after.

        Returns
        -------
        Explanation
            The last step gives the fall.
        """
        return Explanation(
            formula="fall = 1 − fee × lifetime before / (fee × lifetime after)",
            values={
                "new_clients_per_month": self.new_clients_per_month,
                "monthly_fee": self.monthly_fee,
                "lifetime_months": self.lifetime_months,
                "larger_fee": self.larger_fee,
                "longer_lifetime": self.longer_lifetime,
            },
            steps=(
                Step(name="plateau", expression="new_clients_per_month * monthly_fee * lifetime_months"),
                Step(name="break_even_new_clients", expression="plateau / (larger_fee * longer_lifetime)"),
                Step(name="fall", expression="1 - break_even_new_clients / new_clients_per_month"),
            ),
            source="Little (1961), Operations Research 9(3), 383-387: L = λW.",
        )


def upmarket(
    *,
    new_clients_per_month: float,
    monthly_fee: float,
    lifetime_months: float | Result,
    larger_fee: float,
    longer_lifetime: float | Result,
) -> Upmarket:
    """The fall in new clients a month at which larger clients bring the same revenue.

    Parameters
    ----------
    new_clients_per_month : float
        Clients won in a month now, above 0.
    monthly_fee : float
        What a client pays in a month now, above 0.
    lifetime_months : float or Result
        Mean lifetime of a client now, in months, at least 1.
    larger_fee : float
        What a larger client pays in a month, above 0.
    longer_lifetime : float or Result
        Mean lifetime of a larger client, in months, at least 1.

    Returns
    -------
    Upmarket
        ``estimate`` is the fall as a share of the new clients now, with an interval where a lifetime has one.

    Raises
    ------
    InputError
        If a number is out of its range.

    Notes
    -----
    Revenue at the plateau is new clients x fee x lifetime, so the fall is 1 - f L / (f' L'). The interval of the ratio
    L / L' joins those of two independent lifetimes on the logarithmic scale [1]_.

    References
    ----------
    .. [1] Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
       approach. *Statistics in Medicine* 27, 1693-1702.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> move = rm.growth.upmarket(
    ...     new_clients_per_month=10,
    ...     monthly_fee=500,
    ...     lifetime_months=rm.churn.lifetime(rm.churn.rate(start=400, lost=40)),
    ...     larger_fee=1_000,
    ...     longer_lifetime=rm.churn.lifetime(rm.churn.rate(start=400, lost=20)),
    ... )
    >>> round(move.estimate, 2), round(move.interval.low, 2), round(move.interval.high, 2)
    (0.75, 0.58, 0.85)
    """
    new = _checks.positive(new_clients_per_month, name="new_clients_per_month")
    fee, larger = _checks.positive(monthly_fee, name="monthly_fee"), _checks.positive(larger_fee, name="larger_fee")
    short, long = (
        _checks.number(float(value) if isinstance(value, Result) else value, name=name, low=1.0)
        for name, value in (("lifetime_months", lifetime_months), ("longer_lifetime", longer_lifetime))
    )

    ratio = fee * short / (larger * long)

    return Upmarket(
        estimate=1 - ratio,
        interval=_interval(ratio, lifetime_months, longer_lifetime),
        unit="share of the new clients",
        definition="growth.upmarket/same-plateau",
        break_even_new_clients=new * ratio,
        plateau=new * fee * short,
        new_clients_per_month=new,
        monthly_fee=fee,
        lifetime_months=short,
        larger_fee=larger,
        longer_lifetime=long,
    )


def _interval(ratio: float, before: float | Result, after: float | Result) -> Interval | None:
    """The interval of one less a ratio, from those of the logarithms of its parts."""
    given = [part.interval if isinstance(part, Result) else None for part in (before, after)]
    known = next((interval for interval in given if interval is not None), None)
    if known is None:
        return None
    (down_a, up_a), (down_b, up_b) = (
        _arms(part, interval) for part, interval in zip((before, after), given, strict=True)
    )
    down, up = math.hypot(down_a, up_b), math.hypot(up_a, down_b)
    return Interval(low=1 - ratio * math.exp(up), high=1 - ratio * math.exp(-down), level=known.level, method="mover")


def _arms(estimate: float | Result, interval: Interval | None) -> tuple[float, float]:
    """How far the logarithm reaches to either side."""
    if interval is None:
        return 0.0, 0.0
    middle = math.log(float(estimate))
    return middle - math.log(max(interval.low, 1e-300)), math.log(interval.high) - middle
