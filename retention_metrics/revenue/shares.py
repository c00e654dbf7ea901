"""Shares of revenue by who pays it, what an account pays, and growth over loss."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import accounts
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import moment
from retention_metrics.results import Interval, Result, result
from retention_metrics.revenue.movements import MovementTable
from retention_metrics.revenue.retained import share_of_money

Window = tuple[str | dt.date, str | dt.date]


@result
class RevenueShare(Result):
    """Part of a sum of money, as a share or per account.

    Attributes
    ----------
    part, total : float
        The estimate is part / total.
    customers : int
        Customers behind it.
    """

    kind: ClassVar[str] = "revenue.share"

    part: float
    total: float
    customers: int

    def explain(self) -> Explanation:
        """The part over the whole."""
        return Explanation(
            formula="share = part / total",
            values={"part": self.part, "total": self.total},
            steps=(Step(name="share", expression="part / total"),),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


@result
class QuickRatio(Result):
    """Revenue gained over revenue lost.

    Attributes
    ----------
    gained, lost : float
        Over the complete periods of the bridge, both as positive amounts.
    """

    kind: ClassVar[str] = "revenue.quick_ratio"

    gained: float
    lost: float

    def explain(self) -> Explanation:
        """What came over what went."""
        return Explanation(
            formula="quick ratio = (new + expansion) / (contraction + churn)",
            values={"gained": self.gained, "lost": self.lost},
            steps=(Step(name="quick_ratio", expression="gained / lost"),),
            source="Hamid, M. (2015). The quick ratio for SaaS companies.",
        )


def quick_ratio(bridge: MovementTable, *, reactivation: bool = False) -> QuickRatio:
    """Quick ratio: recurring revenue gained over recurring revenue lost.

    Parameters
    ----------
    bridge : MovementTable
        What ``movements`` returned; its complete periods count together.
    reactivation : bool, default False
        Whether revenue that came back counts as gained.

    Returns
    -------
    QuickRatio
        ``estimate`` is None, with status ``"no_losses"``, where nothing was lost.

    Raises
    ------
    InputError
        If the bridge has no complete period.

    Notes
    -----
    (new + expansion) / (contraction + churn). It has no interval, since the bridge does not say whose the movements
    are.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-15"]),
    ...         "until": pd.to_datetime(["2024-02-10", None]),
    ...         "price": [50.0, 150.0],
    ...     }
    ... )
    >>> bridge = rm.revenue.movements(
    ...     plans, customer="who", start="from", end="until", amount="price", as_of="2024-02-29"
    ... )
    >>> rm.revenue.quick_ratio(bridge).estimate
    4.0
    """
    complete = [row for row in bridge.rows() if row["status"] == "ok"]
    if not complete:
        raise InputError("bridge has no complete period.", argument="bridge")
    names = ("new", "expansion", "reactivation") if reactivation else ("new", "expansion")
    gained = sum(float(str(row[name])) for row in complete for name in names)
    lost = -sum(float(str(row[name])) for row in complete for name in ("contraction", "churn"))
    return QuickRatio(
        estimate=gained / lost if lost else None,
        unit="ratio",
        definition=f"revenue.quick_ratio/{'with' if reactivation else 'without'}-reactivation",
        notes=() if lost else ("Nothing was lost, so the ratio is undefined.",),
        status="ok" if lost else "no_losses",
        gained=gained,
        lost=lost + 0.0,
        backend=bridge.backend,
    )


def arpa(customers: NativeFrame, *, amount: str, level: float | None = 0.95) -> RevenueShare:
    """Average revenue per account, over the accounts that pay.

    Parameters
    ----------
    customers : dataframe
        A row per customer.
    amount : str
        Column of its recurring revenue, at least 0; who pays 0 is no paying account.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    RevenueShare
        ``estimate`` as money per account, with Student's interval on the log scale.

    Raises
    ------
    ColumnError
        If the column is missing or holds no numbers.
    InputError
        If an amount is negative, or nobody pays.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> rm.revenue.arpa(pd.DataFrame({"mrr": [100.0, 200.0, 0.0, 60.0]}), amount="mrr").estimate
    120.0
    """
    level = _checks.level(level)
    tally = accounts.amount_tally(customers, amount=amount, customer=None)
    if tally.values.size and tally.values[0] < 0:
        raise InputError(f"amount={amount!r} is at least 0.", argument="amount", column=amount)
    paying = tally.values > 0
    y, n = tally.values[paying], tally.counts[paying]
    if not y.size:
        raise InputError("nobody pays, so no account has revenue.", argument="amount", count=0)
    count, total = int(n.sum()), float(n @ y)
    sums = ratios.PairSums(count, float(count), total, float(count), total, float(n @ y**2))
    ends = ratios.ratio_interval(sums, level=level, most=np.inf) if level else None
    return RevenueShare(
        estimate=total / count,
        interval=Interval(low=ends[0], high=ends[1], level=level, method="ratio") if ends and level else None,
        unit="money per account",
        definition="revenue.arpa",
        excluded=tally.excluded,
        notes=() if ends or not level else ("There is no interval: the accounts do not vary, or there is one alone.",),
        part=total,
        total=float(count),
        customers=count,
        backend=tally.backend,
    )


def returning_share(
    orders: NativeFrame, *, customer: str, time: str, value: str, window: Window, level: float | None = 0.95
) -> RevenueShare:
    """Share of revenue from customers who had bought before.

    Parameters
    ----------
    orders : dataframe
        A row per purchase, from the shop's beginning: who bought before is known from the log alone.
    customer, time, value : str
        Columns of the customer, of the time and of the money, at least 0.
    window : pair of dates
        First day, and the day after the last.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    RevenueShare
        The share of the window's revenue from purchases later than the day of the customer's first. A new customer's
        second purchase in the window counts, which ``existing_share`` leaves out.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If a value is negative, or the window has no revenue.

    Notes
    -----
    A ratio of sums with the customer as what varies, and Student's interval on the logit scale.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> orders = pd.DataFrame(
    ...     {
    ...         "who": ["a", "a", "b", "b"],
    ...         "day": pd.to_datetime(["2023-12-05", "2024-01-07", "2024-01-10", "2024-01-20"]),
    ...         "paid": [10.0, 20.0, 30.0, 50.0],
    ...     }
    ... )
    >>> options = {"customer": "who", "time": "day", "value": "paid", "window": ("2024-01-01", "2024-02-01")}
    >>> rm.revenue.returning_share(orders, **options).estimate, rm.revenue.existing_share(orders, **options).estimate
    (0.7, 0.2)
    """
    return _purchases(orders, customer, time, value, None, window, level, part="returning")


def existing_share(
    orders: NativeFrame, *, customer: str, time: str, value: str, window: Window, level: float | None = 0.95
) -> RevenueShare:
    """Share of revenue from customers who were there when the period began.

    Parameters
    ----------
    orders : dataframe
        A row per purchase, from the shop's beginning.
    customer, time, value : str
        Columns of the customer, of the time and of the money, at least 0.
    window : pair of dates
        First day, and the day after the last.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    RevenueShare
        The share of the window's revenue from customers who first bought before it; never above
        ``returning_share``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If a value is negative, or the window has no revenue.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> share = rm.revenue.existing_share(
    ...     rm.datasets.cdnow(),
    ...     customer="customer_id",
    ...     time="date",
    ...     value="amount",
    ...     window=("1997-02-01", "1997-04-01"),
    ... )
    >>> round(share.estimate, 3), round(share.interval.low, 3), round(share.interval.high, 3)
    (0.134, 0.103, 0.173)
    """
    return _purchases(orders, customer, time, value, None, window, level, part="existing")


def predictable_share(
    orders: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    window: Window,
    recurring: str | None = None,
    level: float | None = 0.95,
) -> RevenueShare:
    """Share of revenue that is predictable: recurring, or from repeat buyers.

    Parameters
    ----------
    orders : dataframe
        A row per purchase or payment, from the shop's beginning.
    customer, time, value : str
        Columns of the customer, of the time and of the money, at least 0.
    window : pair of dates
        First day, and the day after the last.
    recurring : str, optional
        Column of true and false: true is the payment of a subscription, the first one too.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    RevenueShare
        The share of the window's revenue that is recurring or of a returning customer; never below
        ``returning_share``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If a value is negative, or the window has no revenue.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> orders = pd.DataFrame(
    ...     {
    ...         "who": ["a", "a", "b", "c"],
    ...         "day": pd.to_datetime(["2023-12-05", "2024-01-07", "2024-01-10", "2024-01-20"]),
    ...         "paid": [10.0, 20.0, 30.0, 50.0],
    ...         "plan": [False, False, True, False],
    ...     }
    ... )
    >>> rm.revenue.predictable_share(
    ...     orders, customer="who", time="day", value="paid", recurring="plan", window=("2024-01-01", "2024-02-01")
    ... ).estimate
    0.5
    """
    return _purchases(orders, customer, time, value, recurring, window, level, part="predictable")


def _purchases(
    orders: NativeFrame,
    customer: str,
    time: str,
    value: str,
    recurring: str | None,
    window: Window,
    level: float | None,
    *,
    part: str,
) -> RevenueShare:
    level = _checks.level(level)
    first, after = (moment(day, name="window") for day in window)
    if after.day <= first.day:
        raise InputError(
            f"window runs from an earlier to a later day; got {window[0]} and {window[1]}.", argument="window"
        )
    people = accounts.purchase_parts(
        orders,
        customer=customer,
        time=time,
        value=value,
        recurring=recurring,
        first=first,
        last=type(after)(after.day - 1),
        part=part,
    )
    sums, _ = people.sums()
    if not sums.x > 0:
        raise InputError("the window has no revenue.", argument="window", count=0)
    interval, notes = share_of_money(people, sums, most=1.0, level=level)
    return RevenueShare(
        estimate=min(sums.ratio, 1.0),
        interval=interval,
        unit="share",
        definition=f"revenue.{part}_share",
        excluded=people.excluded,
        notes=notes,
        part=sums.y,
        total=sums.x,
        customers=sums.n,
        backend=people.backend,
    )
