"""Revenue and customers that stay: net, gross and logo retention."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import accounts
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import proportions, ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, date_of, moment
from retention_metrics.results import Interval, Proportion, Result, result
from retention_metrics.revenue.movements import FREE, Free, Rates, pricing_of, read_ledger

Method = Literal["ratio", "bca"]
Basis = Literal["endpoint", "events"]
METHODS: tuple[Method, ...] = ("ratio", "bca")
BASES: tuple[Basis, ...] = ("endpoint", "events")
FEW = 20
MOST_DRAWS = 10**10

FEW_HANDS = (
    "Revenue sits in few hands: its {n} customers weigh as much as {effective:.1f} equal ones, so single customers "
    "move this number and its interval is rough."
)
ENDPOINT = (
    "Endpoint basis: who left and came back by the end stayed. The event basis counts every lapse on the way, so it is "
    "never higher."
)
EVENTS = (
    "Event basis: every loss on the way counts, made good later or not. The endpoint basis looks at both ends alone, "
    "so it is never lower."
)
Rng = np.random.Generator | int | None


@result
class RevenueRetention(Result):
    """Share of the revenue at the start that is there at the end.

    Attributes
    ----------
    opening, closing : float
        Revenue at the start, and what counts of it at the end, of the customers at the start.
    customers : int
        Customers at the start.
    effective_customers : float or None
        Customers of equal size that would be as many: (sum of x)^2 / sum of x^2.
    standard_error : float or None
        Of the ratio estimator, with n/(n - 1); None below two customers.
    window_start, window_end : date or None
        The two days, where they are known; each is read at its end.
    """

    kind: ClassVar[str] = "revenue.retention"

    opening: float
    closing: float
    customers: int
    effective_customers: float | None
    standard_error: float | None
    window_start: dt.date | None = None
    window_end: dt.date | None = None

    def explain(self) -> Explanation:
        """What is left over what there was."""
        return Explanation(
            formula="revenue retention = revenue of the customers at the start, at the end / at the start",
            values={"opening": self.opening, "closing": self.closing},
            steps=(Step(name="retention", expression="closing / opening"),),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


@result
class LogoRetention(Proportion):
    """Share of the paying customers at the start who pay at the end.

    Attributes
    ----------
    window_start, window_end : date or None
        The two days, where they are known; each is read at its end.
    """

    kind: ClassVar[str] = "revenue.logo_retention"

    window_start: dt.date | None = None
    window_end: dt.date | None = None


def _window(at: tuple[str | dt.date, str | dt.date] | None) -> tuple[dt.date | None, dt.date | None]:
    if at is None:
        return None, None
    first, last = (date_of(moment(day, name="at").day) for day in at)
    return first, last


def net_retention(
    customers: NativeFrame,
    *,
    opening: str | None = None,
    closing: str | None = None,
    customer: str | None = None,
    start: str | None = None,
    end: str | None = None,
    amount: str | None = None,
    at: tuple[str | dt.date, str | dt.date] | None = None,
    tz: str | None = None,
    every: str | float = "month",
    billing: str | None = None,
    subscription: str | None = None,
    currency: str | None = None,
    rates: Rates | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
    free: Free = "churn",
    level: float | None = 0.95,
    method: Method = "ratio",
    resamples: int = 9999,
    rng: Rng = None,
) -> RevenueRetention:
    """Net revenue retention: what the customers at the start pay at the end.

    Parameters
    ----------
    customers : dataframe
        A row per customer with two amounts (``opening``, ``closing``), or a row per subscription.
    opening, closing : str, optional
        Columns of the amounts at the start and at the end, at least 0.
    customer, start, end, amount : str, optional
        Of subscriptions: columns as for ``movements``. Of two amounts ``customer`` alone, by whom a second row is found
        and refused.
    at : pair of dates, optional
        Of subscriptions: the two days, each read at its end.
    tz : str, optional
        Of subscriptions: IANA time zone in which times are cut to days.
    every : str or float, default "month"
        Of subscriptions: what one price pays for.
    billing : str, optional
        Of subscriptions: column of the same.
    subscription : str, optional
        Of subscriptions: column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Of subscriptions: column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer. Of dated ones, as for ``movements``,
        that of the first of the two days holds for both: what the exchange rate moves is neither kept nor lost.
    tax, discount : str, optional
        Of subscriptions: columns of what the price contains of tax, and of what is taken off it; both are subtracted.
    recurring : str, optional
        Of subscriptions: column of true and false; false is a one-off charge, left out and counted.
    past_due : str, optional
        Of subscriptions: column of the date since which one is unpaid; it ends ``grace_days`` later.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    free : {"churn", "active"}, default "churn"
        Of subscriptions: what a price of 0 is to a customer who paid, as for ``movements``. With ``"active"`` who is on
        a free month at the start is a customer, and what it pays at the end counts.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.
    method : {"ratio", "bca"}, default "ratio"
        Student's interval of the ratio estimator on the log scale with the jackknife's error, which needs a few sums
        and is named ``"jackknife"``, or the bias-corrected and accelerated bootstrap by customer, which needs both
        amounts of every customer in memory and at most 10^10 draws: a million customers with the resamples of the
        default.
    resamples : int, default 9999
        Resamples of ``"bca"``.
    rng : Generator, int or None
        Randomness of ``"bca"``.

    Returns
    -------
    RevenueRetention
        ``estimate`` as a share, above 1 where the customers grew by more than was lost. New customers do not count;
        who lapsed and is back at the end does.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If an amount is negative or all add up to more than 9 * 10^15, nobody pays at the start, or the arguments of
        both forms are mixed.

    Notes
    -----
    R = sum y / sum x, with variance n/(n - 1) * sum (y - R x)^2 / (sum x)^2 [1]_. Customers are what varies: one
    large customer counts once, however much it pays. Below 20 effective customers a note says so.

    The interval takes the error of leaving out each customer [3]_, and Student's t with Satterthwaite's degrees of
    freedom, 2 V^2 / Var(V) of the variance V with the empirical variance of its terms [4]_: fewer than n - 1 where a
    few customers make the error.

    References
    ----------
    .. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.
    .. [2] Efron, B. (1987). Better bootstrap confidence intervals. *Journal of the American Statistical
       Association* 82(397), 171-185.
    .. [3] Royall, R. M. and Cumberland, W. G. (1981). An empirical study of the ratio estimator and estimators of its
       variance. *Journal of the American Statistical Association* 76(373), 66-77.
    .. [4] Pan, W. and Wall, M. M. (2002). Small-sample adjustments in using the sandwich variance estimator in
       generalized estimating equations. *Statistics in Medicine* 21(10), 1429-1441.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> paid = pd.DataFrame({"january": [100, 200, 50, 1000, 300], "june": [100, 150, 0, 1100, 300]})
    >>> net = rm.revenue.net_retention(paid, opening="january", closing="june")
    >>> net.estimate, net.customers, round(net.standard_error, 4)
    (1.0, 5, 0.083)
    """
    level = _checks.level(level)
    method = _checks.choice(method, METHODS, name="method")
    roles = _roles(customer, start, end, amount, billing, subscription, currency, tax, discount, recurring, past_due)
    free = _checks.choice(free, FREE, name="free")
    people = _accounts(customers, opening, closing, roles, at, tz, every, rates, grace_days, capped=False, free=free)
    return _retention(people, "revenue.net_retention/endpoint", np.inf, level, method, resamples, rng, at)


def gross_retention(
    customers: NativeFrame,
    *,
    opening: str | None = None,
    closing: str | None = None,
    customer: str | None = None,
    start: str | None = None,
    end: str | None = None,
    amount: str | None = None,
    at: tuple[str | dt.date, str | dt.date] | None = None,
    tz: str | None = None,
    every: str | float = "month",
    billing: str | None = None,
    subscription: str | None = None,
    currency: str | None = None,
    rates: Rates | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
    basis: Basis = "endpoint",
    level: float | None = 0.95,
    method: Method = "ratio",
    resamples: int = 9999,
    rng: Rng = None,
) -> RevenueRetention:
    """Gross revenue retention: the same without growth, so never above 1.

    Parameters
    ----------
    customers : dataframe
        A row per customer with two amounts, or a row per subscription, as for ``net_retention``.
    opening, closing : str, optional
        Columns of the amounts at the start and at the end, at least 0.
    customer, start, end, amount : str, optional
        Of subscriptions: columns as for ``movements``. Of two amounts ``customer`` alone, by whom a second row is found
        and refused.
    at : pair of dates, optional
        Of subscriptions: the two days, each read at its end.
    tz : str, optional
        Of subscriptions: IANA time zone in which times are cut to days.
    every : str or float, default "month"
        Of subscriptions: what one price pays for.
    billing : str, optional
        Of subscriptions: column of the same.
    subscription : str, optional
        Of subscriptions: column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Of subscriptions: column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer. Of dated ones, as for ``movements``,
        that of the first of the two days holds for both: what the exchange rate moves is neither kept nor lost.
    tax, discount : str, optional
        Of subscriptions: columns of what the price contains of tax, and of what is taken off it; both are subtracted.
    recurring : str, optional
        Of subscriptions: column of true and false; false is a one-off charge, left out and counted.
    past_due : str, optional
        Of subscriptions: column of the date since which one is unpaid; it ends ``grace_days`` later.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    basis : {"endpoint", "events"}, default "endpoint"
        Each customer's amount at the end, at most that at the start; or the amount at the start less every
        loss on the way (of subscriptions alone), at least 0.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.
    method : {"ratio", "bca"}, default "ratio"
        That of ``net_retention`` on the logit scale, or the bootstrap by customer.
    resamples : int, default 9999
        Resamples of ``"bca"``.
    rng : Generator, int or None
        Randomness of ``"bca"``.

    Returns
    -------
    RevenueRetention
        ``estimate`` as a share from 0 to 1, and an interval inside it.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        As ``net_retention`` does, and if ``basis="events"`` is asked of two amounts.

    Notes
    -----
    R = sum min(x, y) / sum x. The two bases differ for who went down and up again: the end does not see it. Where
    everything or nothing was kept, the interval is Wilson's at the effective number of customers.

    There is no ``free=`` of ``net_retention``, for it could change nothing here: a free month has nothing to lose, and
    what is paid after it is growth.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> paid = pd.DataFrame({"january": [100, 200, 50, 1000, 300], "june": [100, 150, 0, 1100, 300]})
    >>> gross = rm.revenue.gross_retention(paid, opening="january", closing="june")
    >>> round(gross.estimate, 4), round(gross.interval.low, 4), round(gross.interval.high, 4)
    (0.9394, 0.2497, 0.9986)
    """
    level = _checks.level(level)
    method = _checks.choice(method, METHODS, name="method")
    basis = _checks.choice(basis, BASES, name="basis")
    roles = _roles(customer, start, end, amount, billing, subscription, currency, tax, discount, recurring, past_due)
    people = _accounts(customers, opening, closing, roles, at, tz, every, rates, grace_days, capped=True, basis=basis)
    return _retention(people, f"revenue.gross_retention/{basis}", 1.0, level, method, resamples, rng, at)


def logo_retention(
    customers: NativeFrame,
    *,
    opening: str | None = None,
    closing: str | None = None,
    customer: str | None = None,
    start: str | None = None,
    end: str | None = None,
    amount: str | None = None,
    at: tuple[str | dt.date, str | dt.date] | None = None,
    tz: str | None = None,
    subscription: str | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
    free: Free = "churn",
    basis: Basis = "endpoint",
    level: float | None = 0.95,
    method: proportions.ProportionMethod = "wilson",
) -> LogoRetention:
    """Share of the paying customers at the start who pay at the end.

    Parameters
    ----------
    customers : dataframe
        A row per customer with two amounts, or a row per subscription, as for ``net_retention``.
    opening, closing : str, optional
        Columns of the amounts at the start and at the end, at least 0.
    customer, start, end, amount : str, optional
        Of subscriptions: columns as for ``movements``. Of two amounts ``customer`` alone, by whom a second row is found
        and refused.
    at : pair of dates, optional
        Of subscriptions: the two days, each read at its end.
    tz : str, optional
        Of subscriptions: IANA time zone in which times are cut to days.
    subscription : str, optional
        Of subscriptions: column of the subscription. Two rows of one subscription then may not overlap.
    tax, discount : str, optional
        Of subscriptions: columns of what the price contains of tax, and of what is taken off it; both are subtracted.
    recurring : str, optional
        Of subscriptions: column of true and false; false is a one-off charge, left out and counted.
    past_due : str, optional
        Of subscriptions: column of the date since which one is unpaid; it ends ``grace_days`` later.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    free : {"churn", "active"}, default "churn"
        Of subscriptions: what a price of 0 is to a customer who paid, as for ``movements``. With ``"active"`` who is on
        a free month is a customer still, at the start and at the end.
    basis : {"endpoint", "events"}, default "endpoint"
        Who pays at the end, back or never gone; or who never lapsed for a day (of subscriptions alone).
    level : float or None, default 0.95
        Probability content of the interval; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval for a proportion.

    Returns
    -------
    LogoRetention
        ``estimate`` as a share from 0 to 1; ``notes`` say how the two bases differ.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        As ``net_retention`` does, and if ``basis="events"`` is asked of two amounts.

    Notes
    -----
    Billing periods, currencies and their rates change what a customer pays and not whether it does, so those options of
    ``net_retention`` are not taken; a log in several currencies needs none.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> paid = pd.DataFrame({"january": [100, 200, 50, 1000], "june": [100, 150, 0, 1100]})
    >>> rm.revenue.logo_retention(paid, opening="january", closing="june").estimate
    0.75
    """
    level = _checks.level(level)
    method = _checks.choice(method, proportions.PROPORTION_METHODS, name="method")
    basis = _checks.choice(basis, BASES, name="basis")
    roles = _roles(customer, start, end, amount, None, subscription, None, tax, discount, recurring, past_due)
    free = _checks.choice(free, FREE, name="free")
    people = _accounts(
        customers, opening, closing, roles, at, tz, "month", None, grace_days, capped=True, basis=basis, free=free
    )
    sums, kept = people.sums()
    _somebody(sums)
    low, high = proportions.share_interval(kept, sums.n, level=level or 0.95, method=method)
    opened, closed = _window(at)
    return LogoRetention(
        estimate=kept / sums.n,
        interval=Interval(low=float(low), high=float(high), level=level, method=method) if level else None,
        unit="share",
        definition=f"revenue.logo_retention/{basis}",
        excluded=people.excluded,
        notes=(EVENTS if basis == "events" else ENDPOINT,),
        numerator=kept,
        denominator=sums.n,
        window_start=opened,
        window_end=closed,
        backend=people.backend,
    )


_ROLES = (
    "customer",
    "start",
    "end",
    "amount",
    "billing",
    "subscription",
    "currency",
    "tax",
    "discount",
    "recurring",
    "past_due",
)


def _roles(*names: str | None) -> dict[str, str | None]:
    return dict(zip(_ROLES, names, strict=True))


def _accounts(
    data: NativeFrame,
    opening: str | None,
    closing: str | None,
    roles: Mapping[str, str | None],
    at: tuple[str | dt.date, str | dt.date] | None,
    tz: str | None,
    every: str | float,
    rates: Rates | None,
    grace_days: int,
    *,
    capped: bool,
    basis: Basis = "endpoint",
    free: Free = "churn",
) -> accounts.Accounts:
    """The customers at the start, from either form of the data."""
    if opening is not None and closing is not None and at is None and not any(list(roles.values())[1:]):
        if basis == "events":
            raise InputError("basis='events' needs subscriptions: two amounts hold no events.", argument="basis")
        return accounts.two_amounts(data, opening=opening, closing=closing, capped=capped, customer=roles["customer"])
    if at is None or opening or closing or any(roles[name] is None for name in _ROLES[:4]):
        raise InputError(
            "give either opening= and closing=, or customer=, start=, end=, amount= and at=(from, to).",
            argument="at" if at is None else "opening",
        )
    first, last = (moment(day, name="at").day for day in at)
    if last <= first:
        raise InputError(f"at runs from an earlier to a later day; got {at[0]} and {at[1]}.", argument="at")
    pricing = pricing_of(every, rates, grace_days, changing=True).constant(first)
    ledger = read_ledger(data, roles, pricing=pricing, period=Period("day", tz=tz), as_of=at[1])
    return accounts.two_dates(ledger, first=first, last=last, capped=capped, events=basis == "events", free=free)


def _somebody(sums: ratios.PairSums) -> None:
    if not sums.x > 0:
        raise InputError("nobody pays at the start, so there is nothing to retain.", argument="opening", count=0)


def _retention(
    people: accounts.Accounts,
    definition: str,
    most: float,
    level: float | None,
    method: Method,
    resamples: int,
    rng: Rng,
    at: tuple[str | dt.date, str | dt.date] | None,
) -> RevenueRetention:
    sums, _ = people.sums()
    _somebody(sums)
    interval, notes = share_of_money(people, sums, most=most, level=level, method=method, resamples=resamples, rng=rng)
    opened, closed = _window(at)
    return RevenueRetention(
        estimate=min(sums.ratio, most),
        interval=interval,
        unit="share",
        definition=definition,
        excluded=people.excluded,
        notes=notes,
        opening=sums.x,
        closing=sums.y,
        customers=sums.n,
        effective_customers=sums.effective,
        standard_error=sums.standard_error,
        window_start=opened,
        window_end=closed,
        backend=people.backend,
    )


def share_of_money(
    people: accounts.Accounts,
    sums: ratios.PairSums,
    *,
    most: float,
    level: float | None,
    method: Method = "ratio",
    resamples: int = 9999,
    rng: Rng = None,
) -> tuple[Interval | None, tuple[str, ...]]:
    """The interval of a ratio of money, and what a reader should know about it."""
    notes = (FEW_HANDS.format(n=sums.n, effective=sums.effective),) if sums.effective < FEW else ()
    if level is None:
        return None, notes
    if method == "bca":
        draws = _checks.count(resamples, name="resamples", low=100)
        if draws * sums.n > MOST_DRAWS:
            raise InputError(
                f"method='bca' draws each of {sums.n:,} customers {draws:,} times, more than 10^10 draws in all.",
                argument="method",
                fix="Take method='ratio', which needs a few sums, or fewer resamples.",
            )
        x, y = people.arrays()
        drawn = ratios.bca_interval(x, y, level=level, resamples=draws, rng=np.random.default_rng(rng))
        ends = ratios.Ends(*drawn, method) if drawn else None
    else:
        ends = ratios.ratio_interval(sums, level=level, most=most)
    if ends is None:
        return None, (*notes, "There is no interval: the customers do not vary, or there is one alone.")
    estimate = min(sums.ratio, most)
    low, high = min(max(ends[0], 0.0), estimate), max(min(ends[1], most), estimate)
    return Interval(low=low, high=high, level=level, method=ends.method), notes
