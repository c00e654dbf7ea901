"""What a customer costs and earns, and how a budget is best split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from retention_metrics import _checks
from retention_metrics._engine.amounts import MOST
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, ColumnType, Interval, Result, TableResult, result

_SOURCE = "Skok, D. (2013). SaaS metrics 2.0. For Entrepreneurs; a lifetime of 1/churn assumes constant churn."


@result
class Payback(Result):
    """Months of margin that repay the cost of a customer won.

    Attributes
    ----------
    cac : float
        Acquisition cost per customer.
    monthly_revenue, margin : float
        Revenue per account and month, and gross margin as a share of it.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> economics = rm.revenue.unit_economics(
    ...     acquisition_cost=30_000, new_customers=100, monthly_revenue=50.0, margin=0.8, monthly_churn=0.04
    ... )
    >>> economics.payback.estimate, rm.benchmarks.get("cac_payback.saas.2013").classify(economics.payback).label()
    (7.5, 'on target')
    """

    kind: ClassVar[str] = "revenue.payback"

    cac: float
    monthly_revenue: float
    margin: float

    def explain(self) -> Explanation:
        """The cost of a customer over what one earns in a month."""
        return Explanation(
            formula="payback = CAC / (monthly revenue * margin)",
            values={"cac": self.cac, "monthly_revenue": self.monthly_revenue, "margin": self.margin},
            steps=(Step(name="payback", expression="cac / (monthly_revenue * margin)"),),
            source=_SOURCE,
        )


@result
class CostRatio(Result):
    """Cost of a customer won over that of a customer kept.

    Attributes
    ----------
    cac : float
        Acquisition cost per customer won.
    cost_per_retained : float or None
        Retention cost per customer kept; None where none was given.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> economics = rm.revenue.unit_economics(
    ...     acquisition_cost=30_000, new_customers=100, monthly_revenue=50.0, monthly_churn=0.04,
    ...     retention_cost=9_600, retained_customers=960,
    ... )
    >>> economics.cost_ratio.estimate, rm.benchmarks.claim("acquisition-cost-range").compare(economics.cost_ratio).side
    (30.0, 'above')
    """

    kind: ClassVar[str] = "revenue.cost_ratio"

    cac: float
    cost_per_retained: float | None

    def explain(self) -> Explanation:
        """One cost over the other."""
        return Explanation(
            formula="ratio = acquisition cost per customer won / retention cost per customer kept",
            values={"cac": self.cac, "cost_per_retained": self.cost_per_retained},
            steps=(Step(name="ratio", expression="cac / cost_per_retained"),),
            source="Definition of a ratio of mean costs.",
        )


@result
class UnitEconomics(Result):
    """Lifetime value over acquisition cost, and what it is made of.

    Attributes
    ----------
    acquisition_cost, new_customers : float
        Money spent to win customers, and customers won by it.
    monthly_revenue, margin, monthly_churn : float
        Revenue per account and month, gross margin as a share of it, and churn a month.
    cac : float
        Acquisition cost per customer.
    ltv : float or None
        Margin over the lifetime; None without churn.
    payback_months : float or None
        Months of margin that repay the acquisition cost, without churn on the way; None without margin. ``payback``
        is the same as a result.
    cost_per_retained : float or None
        Retention cost per customer kept.
    acquisition_to_retention : float or None
        Cost per customer won over cost per customer kept.
    payback_interval : Interval or None
        Of ``payback_months``, where the monthly revenue is a result with an interval.
    acquisition_to_retention_interval : Interval or None
        Its interval, where the cost per customer kept is a result with one.
    return_on_retention : float or None
        Lifetime value over the cost per customer kept, for at a constant churn who is kept has a whole lifetime ahead;
        beside ``estimate``, the return on acquisition.
    """

    kind: ClassVar[str] = "revenue.unit_economics"

    acquisition_cost: float
    new_customers: float
    monthly_revenue: float
    margin: float
    monthly_churn: float
    cac: float
    ltv: float | None
    payback_months: float | None
    cost_per_retained: float | None
    acquisition_to_retention: float | None
    payback_interval: Interval | None = None
    acquisition_to_retention_interval: Interval | None = None
    return_on_retention: float | None = None

    @property
    def payback(self) -> Payback:
        """Months of margin that repay the acquisition cost, as a result of its own.

        Returns
        -------
        Payback
            ``estimate`` is ``payback_months``, with its interval where the monthly revenue had one.
        """
        known = self.payback_months is not None
        return Payback(
            estimate=self.payback_months,
            interval=self.payback_interval,
            unit="month",
            definition="revenue.cac_payback/without-churn",
            notes=() if known else ("Without margin nothing is ever repaid.",),
            status="ok" if known else "no_margin",
            cac=self.cac,
            monthly_revenue=self.monthly_revenue,
            margin=self.margin,
        )

    @property
    def cost_ratio(self) -> CostRatio:
        """Cost of a customer won over that of a customer kept, as a result of its own.

        Returns
        -------
        CostRatio
            ``estimate`` is ``acquisition_to_retention``, with its interval where the cost of keeping had one.
        """
        known = self.acquisition_to_retention is not None
        return CostRatio(
            estimate=self.acquisition_to_retention,
            interval=self.acquisition_to_retention_interval,
            unit="ratio",
            definition="revenue.acquisition_to_retention_cost/per-customer",
            notes=() if known else ("The ratio is undefined: keeping customers has no cost here.",),
            status="ok" if known else "no_retention_cost",
            cac=self.cac,
            cost_per_retained=self.cost_per_retained,
        )

    def explain(self) -> Explanation:
        """From costs and churn to the ratio."""
        names = ("acquisition_cost", "new_customers", "monthly_revenue", "margin", "monthly_churn")
        return Explanation(
            formula="LTV / CAC = (monthly revenue * margin / churn) / (acquisition cost / new customers)",
            values={name: getattr(self, name) for name in names},
            steps=(
                Step(name="cac", expression="acquisition_cost / new_customers"),
                Step(name="ltv", expression="monthly_revenue * margin / monthly_churn"),
                Step(name="ltv_to_cac", expression="ltv / cac"),
            ),
            source=_SOURCE,
        )


def unit_economics(
    *,
    acquisition_cost: float,
    new_customers: float,
    monthly_revenue: float | Result,
    monthly_churn: float | Result,
    margin: float = 1.0,
    retention_cost: float | Result | None = None,
    retained_customers: float | None = None,
) -> UnitEconomics:
    """Acquisition cost, lifetime value, their ratio, and payback.

    Parameters
    ----------
    acquisition_cost : float
        Money spent to win customers in a period.
    new_customers : float
        Customers won by it.
    monthly_revenue : float or Result
        Revenue per account and month, for instance from ``arpa``.
    monthly_churn : float or Result
        Share of customers lost a month, for instance from ``churn.rate``; in [0, 1].
    margin : float, default 1.0
        Gross margin as a share of revenue, in [0, 1].
    retention_cost : float or Result, optional
        Money spent to keep customers in the same period; or the cost per customer kept as a result, for instance from
        ``customers.retention_cost``, whose interval then goes through.
    retained_customers : float, optional
        Customers kept by the money; not beside a result.

    Returns
    -------
    UnitEconomics
        ``estimate`` is LTV / CAC. Its interval comes from those of ``monthly_revenue`` and ``monthly_churn`` where
        they are results with one; costs and customers won are counted, not estimated.

    Raises
    ------
    InputError
        If a number is outside its range, or ``retention_cost`` and ``retained_customers`` do not belong together.

    Notes
    -----
    CAC = cost / customers won; LTV = monthly revenue * margin / churn; payback = CAC / (monthly revenue * margin).
    Two intervals combine on the log scale, their distances from the estimates in quadrature (MOVER) [2]_.

    References
    ----------
    .. [1] Skok, D. (2013). SaaS metrics 2.0. *For Entrepreneurs*.
    .. [2] Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
       approach. *Statistics in Medicine* 27, 1693-1702.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> economics = rm.revenue.unit_economics(
    ...     acquisition_cost=30_000,
    ...     new_customers=100,
    ...     monthly_revenue=50.0,
    ...     margin=0.8,
    ...     monthly_churn=rm.churn.rate(start=1000, lost=40),
    ...     retention_cost=9_600,
    ...     retained_customers=960,
    ... )
    >>> economics.cac, economics.ltv, round(economics.estimate, 3), economics.payback_months
    (300.0, 1000.0, 3.333, 7.5)
    >>> round(economics.interval.low, 2), round(economics.interval.high, 2), economics.acquisition_to_retention
    (2.47, 4.52, 30.0)
    >>> programme = rm.customers.retention_cost(cost=5000, treated=1000, kept=900, control=1000, control_kept=850)
    >>> economics = rm.revenue.unit_economics(
    ...     acquisition_cost=30_000,
    ...     new_customers=100,
    ...     monthly_revenue=50.0,
    ...     monthly_churn=0.05,
    ...     retention_cost=programme,
    ... )
    >>> ratio = economics.acquisition_to_retention_interval
    >>> round(economics.acquisition_to_retention, 1), round(ratio.low, 1), round(ratio.high, 1)
    (3.0, 1.3, 4.7)
    """
    cost, won = _bounded(acquisition_cost, "acquisition_cost"), _bounded(new_customers, "new_customers")
    revenue = _bounded(monthly_revenue, "monthly_revenue", zero=True)
    churn = _bounded(_checks.share(_number(monthly_churn), name="monthly_churn"), "monthly_churn", zero=True)
    share = _bounded(_checks.share(margin, name="margin"), "margin", zero=True)
    cac, monthly_margin = cost / won, revenue * share
    ltv = monthly_margin / churn if churn else None
    kept = _cost_per_retained(retention_cost, retained_customers)
    estimate = None if ltv is None else ltv / cac
    return UnitEconomics(
        estimate=estimate,
        interval=None if not estimate else _combined(estimate, monthly_revenue, monthly_churn),
        unit="ratio",
        definition="revenue.unit_economics/constant-churn",
        notes=() if ltv is not None else ("At a churn of 0 nobody ever leaves, so the lifetime value is undefined.",),
        status="ok" if ltv is not None else "no_churn",
        acquisition_cost=cost,
        new_customers=won,
        monthly_revenue=revenue,
        margin=share,
        monthly_churn=churn,
        cac=cac,
        ltv=ltv,
        payback_months=cac / monthly_margin if monthly_margin else None,
        cost_per_retained=kept,
        acquisition_to_retention=cac / kept if kept else None,
        payback_interval=_payback_interval(cac, share, monthly_revenue),
        acquisition_to_retention_interval=_over(cac, retention_cost),
        return_on_retention=ltv / kept if ltv is not None and kept else None,
    )


def _payback_interval(cac: float, margin: float, revenue: float | Result) -> Interval | None:
    """The interval of the revenue turned round, for more revenue repays sooner."""
    interval = revenue.interval if isinstance(revenue, Result) else None
    if interval is None or margin == 0:
        return None
    low, high = (cac / (end * margin) if end > 0 else math.inf for end in (interval.high, interval.low))
    return Interval(low=low, high=high, level=interval.level, method=interval.method)


def _cost_per_retained(cost: float | Result | None, customers: float | None) -> float | None:
    """The cost per customer kept, from a total and their number or from a result."""
    if isinstance(cost, Result):
        if customers is not None:
            raise InputError(
                "retention_cost= is a cost per customer kept already; retained_customers= is for a total.",
                argument="retained_customers",
            )
        return None if cost.estimate is None else _bounded(cost.estimate, "retention_cost", zero=True)
    if (cost is None) != (customers is None):
        raise InputError("retention_cost= and retained_customers= come together.", argument="retention_cost")
    if cost is None:
        return None
    return _bounded(cost, "retention_cost", zero=True) / _bounded(customers, "retained_customers")


def _over(cac: float, cost: float | Result | None) -> Interval | None:
    """The interval of a cost over one with an interval, whose ends change places."""
    ends = cost.interval if isinstance(cost, Result) and cost.estimate else None
    if ends is None:
        return None
    high = cac / ends.low if ends.low > 0 else math.inf
    return Interval(low=cac / ends.high, high=high, level=ends.level, method=ends.method)


def _bounded(value: object, name: str, *, zero: bool = False) -> float:
    """A number above 0, or 0 too, and of a size that keeps the quotients of two of them finite."""
    number = _checks.number(
        _number(value) if isinstance(value, Result) else value, name=name, low=0.0, open_low=not zero
    )
    if number and not 1 / MOST <= number <= MOST:
        raise InputError(
            f"{name} is between {1 / MOST:.1e} and {MOST:.1e}{', or 0' if zero else ''}; got {number:g}.", argument=name
        )
    return number


def _number(value: float | Result) -> float:
    return float(value)


def _combined(estimate: float, revenue: float | Result, churn: float | Result) -> Interval | None:
    """The interval of revenue / churn from theirs, on the log scale."""
    down = up = 0.0
    level = None
    for part, sign in ((revenue, 1), (churn, -1)):
        interval = part.interval if isinstance(part, Result) else None
        if interval is None:
            continue
        if level is not None and interval.level != level:
            raise InputError("both intervals have one level.", argument="monthly_churn")
        level, centre = interval.level, math.log(float(part))
        ends = [math.log(end) - centre if end > 0 else -math.inf for end in (interval.low, interval.high)]
        low, high = ends if sign == 1 else (-ends[1], -ends[0])
        down, up = math.hypot(down, low), math.hypot(up, high)
    if level is None:
        return None
    return Interval(low=estimate * math.exp(-down), high=estimate * math.exp(up), level=level, method="mover")


@result
class BudgetSplit(TableResult):
    """The split of a budget that earns most, a row per use.

    Attributes
    ----------
    columns : Columns
        ``use, spend, earned, marginal``: what the next unit of money would earn there.
    budget : float
        Money to spend.
    """

    kind: ClassVar[str] = "revenue.budget_split"

    budget: float

    def explain(self) -> Explanation:
        """What the uses earn together."""
        values = {f"earned_{place}": float(str(row["earned"])) for place, row in enumerate(self.rows())}
        return Explanation(
            formula="earned = sum of most * (1 - exp(-spend / scale)); all marginal returns are equal",
            values=values,
            steps=(Step(name="earned", expression=" + ".join(values)),),
            source="Lagrange's condition for a concave sum under a budget.",
        )


def budget_split(budget: float, responses: Mapping[str, tuple[float, float]]) -> BudgetSplit:
    """Best split of a budget between uses whose returns diminish.

    Parameters
    ----------
    budget : float
        Money to spend, at least 0.
    responses : mapping of str to (float, float)
        By use, such as acquisition and retention: what it earns at most, and the spend that reaches 63 % of that.

    Returns
    -------
    BudgetSplit
        ``estimate`` is what the split earns; a row per use.

    Raises
    ------
    InputError
        If there is no use, or a number is outside its range.

    Notes
    -----
    A use earns most * (1 - exp(-spend / scale)). The best split spends where the next unit earns most, until the
    marginal returns are equal; a use whose first unit earns less gets nothing.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> split = rm.revenue.budget_split(100.0, {"acquisition": (300.0, 100.0), "retention": (200.0, 50.0)})
    >>> [(row["use"], round(row["spend"], 1), round(row["marginal"], 3)) for row in split.rows()]
    [('acquisition', 57.1, 1.695), ('retention', 42.9, 1.695)]
    """
    money = _bounded(budget, "budget", zero=True)
    if not responses:
        raise InputError("responses name at least one use.", argument="responses")
    curves = {use: _curve(use, pair) for use, pair in responses.items()}

    spends = _best(money, curves)

    rows = [(use, spends[use], *_earned(spends[use], *curves[use])) for use in curves]
    types: dict[str, ColumnType] = {"use": "string", "spend": "number", "earned": "number", "marginal": "number"}
    return BudgetSplit(
        estimate=sum(row[2] for row in rows),
        columns=Columns({name: [row[place] for row in rows] for place, name in enumerate(types)}, types),
        unit="money",
        definition="revenue.budget_split/equal-marginal-returns",
        budget=money,
    )


def _curve(use: str, pair: tuple[float, float]) -> tuple[float, float]:
    try:
        most, scale = pair
    except (TypeError, ValueError):
        raise InputError(
            f"responses hold a pair for each use, what it earns at most and its scale; {use!r} holds {pair!r}.",
            argument="responses",
        ) from None
    return _bounded(most, "responses"), _bounded(scale, "responses")


def _earned(spend: float, most: float, scale: float) -> tuple[float, float]:
    return -most * math.expm1(-spend / scale), most / scale * math.exp(-spend / scale)


def _best(budget: float, curves: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Spends at which all uses in use earn the same at the margin, and add up to the budget.

    By the use whose first unit earns most: each takes part while that earns more than the next unit of those before.
    """
    first = {use: math.log(most) - math.log(scale) for use, (most, scale) in curves.items()}
    top = max(first.values())
    scales, weighted, margin = 0.0, 0.0, math.inf
    for use in sorted(first, key=lambda use: -first[use]):
        if scales and first[use] - top <= margin:
            break
        scales, weighted = scales + curves[use][1], weighted + curves[use][1] * (first[use] - top)
        margin = (weighted - budget) / scales
    return {use: max(0.0, scale * (first[use] - top - margin)) for use, (_, scale) in curves.items()}
