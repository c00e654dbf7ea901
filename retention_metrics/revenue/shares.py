"""Shares of revenue by who pays it, what an account pays, and growth over loss."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import accounts
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import Duplicates
from retention_metrics._stats import ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, PeriodUnit, moment
from retention_metrics.results import Interval, Result, result
from retention_metrics.revenue.movements import FREE, Free, MovementTable, Rates, pricing_of, read_ledger
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


def quick_ratio(
    data: MovementTable | NativeFrame,
    *,
    reactivation: bool = False,
    customer: str | None = None,
    start: str | None = None,
    end: str | None = None,
    amount: str | None = None,
    every: str | float = "month",
    billing: str | None = None,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    subscription: str | None = None,
    currency: str | None = None,
    rates: Rates | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
    free: Free = "churn",
    reactivation_window: int | None = None,
    level: float | None = 0.95,
) -> QuickRatio:
    """Quick ratio: recurring revenue gained over recurring revenue lost.

    Parameters
    ----------
    data : MovementTable or dataframe
        What ``movements`` returned, or a row per subscription; complete periods count together. A bridge does not say
        whose the movements are, so only subscriptions give an interval.
    reactivation : bool, default False
        Whether revenue that came back counts as gained.
    customer, start, end, amount : str, optional
        Of subscriptions: columns as for ``movements``.
    every : str or float, default "month"
        Of subscriptions: what one price pays for.
    billing : str, optional
        Of subscriptions: column of the same.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Of subscriptions: calendar periods, in each of which a customer's movements are netted.
    as_of : date, optional
        Of subscriptions: end of observation, as for ``movements``.
    subscription : str, optional
        Of subscriptions: column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Of subscriptions: column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        As for ``movements``; what the exchange rate moves is neither gained nor lost.
    tax, discount, recurring, past_due : str, optional
        Of subscriptions: columns as for ``movements``.
    grace_days : int, default 30
        Of subscriptions: days that an unpaid one goes on.
    free : {"churn", "active"}, default "churn"
        Of subscriptions: what a price of 0 is to a customer who paid.
    reactivation_window : int, optional
        Of subscriptions: periods after which a customer who comes back is new again; by default never.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    QuickRatio
        ``estimate`` is None, with status ``"no_losses"``, where nothing was lost.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If no period is complete, or a bridge comes with columns of subscriptions.

    Notes
    -----
    (new + expansion) / (contraction + churn): a ratio of sums over the customers, with the interval of
    ``net_retention`` [1]_. The customer is what varies; a good or bad year moves all of them, and is not in it.

    References
    ----------
    .. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.
    .. [2] Hamid, M. (2015). The quick ratio for SaaS companies. *SaaStr*.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plans = rm.datasets.simulate_subscriptions(customers=400, months=6, rng=2005)
    >>> roles = {"customer": "customer_id", "start": "start", "end": "end", "amount": "amount", "as_of": "2022-06-30"}
    >>> found = rm.revenue.quick_ratio(plans, **roles)
    >>> round(found.estimate, 2), round(found.interval.low, 2), round(found.interval.high, 2)
    (7.01, 4.83, 10.16)
    >>> rm.revenue.quick_ratio(rm.revenue.movements(plans, **roles)).estimate == found.estimate
    True
    """
    content = _checks.level(level)
    columns = {"customer": customer, "start": start, "end": end, "amount": amount}
    options = {**columns, "billing": billing, "subscription": subscription, "currency": currency}
    options |= {"tax": tax, "discount": discount, "recurring": recurring, "past_due": past_due}
    if isinstance(data, MovementTable):
        if any(options.values()):
            raise InputError("a bridge has no columns of subscriptions; give one or the other.", argument="data")
        gained, lost = _of_bridge(data, reactivation=reactivation)
        note = (OF_BRIDGE,) if content else ()
        return _quick_ratio(gained, lost, None, note, {}, data.backend, reactivation=reactivation)
    if not all(columns.values()):
        raise InputError(
            "subscriptions need customer=, start=, end= and amount=.",
            argument=next(name for name, column in columns.items() if not column),
        )
    pricing = pricing_of(every, rates, grace_days, changing=True)
    ledger = read_ledger(data, options, pricing=pricing, period=period, as_of=as_of)
    window = None if reactivation_window is None else _checks.count(reactivation_window, name="reactivation_window")
    free = _checks.choice(free, FREE, name="free")
    people, complete = accounts.moved_money(ledger, free=free, window=window, reactivation=reactivation)
    if not complete:
        raise InputError("data has no complete period.", argument="data")

    sums, _ = people.sums()
    ends = ratios.ratio_interval(sums, level=content, most=np.inf) if content and sums.x > 0 else None
    interval = Interval(low=ends.low, high=ends.high, level=content, method=ends.method) if ends and content else None
    none = () if interval or not content or not sums.x > 0 else (NO_INTERVAL,)
    return _quick_ratio(sums.y, sums.x, interval, none, people.excluded, people.backend, reactivation=reactivation)


OF_BRIDGE = "There is no interval: a bridge does not say whose the movements are. Give the subscriptions themselves."
NO_INTERVAL = "There is no interval: the customers do not vary, or there is one alone."


def _of_bridge(bridge: MovementTable, *, reactivation: bool) -> tuple[float, float]:
    complete = [row for row in bridge.rows() if row["status"] == "ok"]
    if not complete:
        raise InputError("bridge has no complete period.", argument="data")
    names = ("new", "expansion", "reactivation") if reactivation else ("new", "expansion")
    gained = sum(float(str(row[name])) for row in complete for name in names)
    return gained, 0.0 - sum(float(str(row[name])) for row in complete for name in ("contraction", "churn"))


def _quick_ratio(
    gained: float,
    lost: float,
    interval: Interval | None,
    notes: tuple[str, ...],
    excluded: Mapping[str, int],
    backend: str,
    *,
    reactivation: bool,
) -> QuickRatio:
    return QuickRatio(
        estimate=gained / lost if lost else None,
        interval=interval,
        unit="ratio",
        definition=f"revenue.quick_ratio/{'with' if reactivation else 'without'}-reactivation",
        excluded=excluded,
        notes=notes if lost else ("Nothing was lost, so the ratio is undefined.",),
        status="ok" if lost else "no_losses",
        gained=gained,
        lost=lost,
        backend=backend,
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
        If an amount is negative, all add up to more than 9 * 10^15, or nobody pays.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> rm.revenue.arpa(pd.DataFrame({"mrr": [100.0, 200.0, 0.0, 60.0]}), amount="mrr").estimate
    120.0
    """
    level = _checks.level(level)
    tally = accounts.amount_tally(customers, amount=amount, customer=None)
    paying = tally.values > 0
    y, n = tally.values[paying], tally.counts[paying]
    if not y.size:
        raise InputError("nobody pays, so no account has revenue.", argument="amount", count=0)
    count, total = int(n.sum()), float(n @ y)
    sums = ratios.PairSums(count, **{name: float(each @ n) for name, each in ratios.products(y**0, y).items()})
    ends = ratios.ratio_interval(sums, level=level, most=np.inf) if level else None
    return RevenueShare(
        estimate=total / count,
        interval=Interval(low=ends.low, high=ends.high, level=level, method=ends.method) if ends and level else None,
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
    orders: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    window: Window,
    duplicates: Duplicates = "keep",
    tz: str | None = None,
    level: float | None = 0.95,
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
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.
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
        If a value is negative, all add up to more than 9 * 10^15, or the window has no revenue.

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
    return _purchases(orders, customer, time, value, None, window, duplicates, tz, level, part="returning")


def existing_share(
    orders: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    window: Window,
    duplicates: Duplicates = "keep",
    tz: str | None = None,
    level: float | None = 0.95,
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
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.
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
        If a value is negative, all add up to more than 9 * 10^15, or the window has no revenue.

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
    (0.134, 0.099, 0.178)
    """
    return _purchases(orders, customer, time, value, None, window, duplicates, tz, level, part="existing")


def predictable_share(
    orders: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    window: Window,
    recurring: str | None = None,
    duplicates: Duplicates = "keep",
    tz: str | None = None,
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
        Column of true and false, or 1 and 0: true is the payment of a subscription, the first one too; missing is none.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.
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
        If a value is negative, all add up to more than 9 * 10^15, or the window has no revenue.

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
    return _purchases(orders, customer, time, value, recurring, window, duplicates, tz, level, part="predictable")


def _purchases(
    orders: NativeFrame,
    customer: str,
    time: str,
    value: str,
    recurring: str | None,
    window: Window,
    duplicates: Duplicates,
    tz: str | None,
    level: float | None,
    *,
    part: str,
) -> RevenueShare:
    level = _checks.level(level)
    first, after = (moment(day, name="window", tz=tz) for day in window)
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
        duplicates=duplicates,
        part=part,
        tz=tz,
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
        notes=(*people.notes, *notes),
        part=sums.y,
        total=sums.x,
        customers=sums.n,
        backend=people.backend,
    )
