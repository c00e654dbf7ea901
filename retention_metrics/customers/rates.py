"""How often customers buy, what an order is worth, and who comes back."""

from __future__ import annotations

import datetime as dt
import math
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import customers as engine
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._engine.audit import Duplicates
from retention_metrics._stats import proportions as stats
from retention_metrics._stats import ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import moment
from retention_metrics.results import Columns, Interval, Proportion, Result, TableResult, result

__all__ = [
    "CustomerMean",
    "CustomerRates",
    "RepeatRate",
    "average_order_value",
    "purchase_frequency",
    "repeat_rate",
]


@result
class CustomerMean(Result):
    """A ratio of two sums over customers.

    Attributes
    ----------
    total, count : float
        The estimate is total / count.
    customers : int
        Customers behind it.
    """

    kind: ClassVar[str] = "customers.mean"

    total: float
    count: float
    customers: int

    def explain(self) -> Explanation:
        """The ratio of the sums."""
        return Explanation(
            formula="estimate = total / count",
            values={"total": self.total, "count": self.count},
            steps=(Step(name="estimate", expression="total / count"),),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


@result
class RepeatRate(Proportion):
    """Share of the customers who bought again."""

    kind: ClassVar[str] = "customers.repeat_rate"

    @property
    def one_time_share(self) -> Proportion:
        """Share of the customers who bought once."""
        ends = self.interval
        return Proportion(
            estimate=None if self.estimate is None else 1 - self.estimate,
            interval=ends and Interval(low=1 - ends.high, high=1 - ends.low, level=ends.level, method=ends.method),
            numerator=self.denominator - self.numerator,
            denominator=self.denominator,
            unit="share",
            definition="customers.one_time_share",
            excluded=self.excluded,
            notes=self.notes,
            status=self.status,
            backend=self.backend,
        )


@result
class CustomerRates(TableResult):
    """A rate or a mean of the customers of each group."""

    kind: ClassVar[str] = "customers.by_group"

    def explain(self) -> Explanation:
        """The ratio of the sums in each group."""
        return Explanation(
            formula="rate = total / count, in each group",
            values={"customers": sum(int(str(row["customers"])) for row in self.rows())},
            steps=(),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4; Wilson (1927) for shares.",
        )


def purchase_frequency(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    since: str | dt.date | None = None,
    as_of: str | dt.date | None = None,
    by: str | None = None,
    tz: str | None = None,
    level: float | None = 0.95,
) -> CustomerMean | CustomerRates:
    """Purchases per customer who bought in a period.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase; several on one day count once.
    customer, time : str
        Columns of the customer and the time.
    since, as_of : date, optional
        First and last day of the period; by default those of the log.
    by : str, optional
        Column of a group of purchases; then the answer has a row per group.
    tz : str, optional
        IANA time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    CustomerMean or CustomerRates
        Days of purchase per customer, with Student's interval by customer on the log scale; its upper end is that of
        Hall's correction for skewness where it is further [1]_.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If nothing is left.

    References
    ----------
    .. [1] Hall, P. (1992). On the removal of skewness by transformation. *Journal of the Royal Statistical Society B*
       54(1), 221-228.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> found = rm.customers.purchase_frequency(rm.datasets.cdnow(), customer="customer_id", time="date")
    >>> round(found.estimate, 3), round(found.interval.low, 3), round(found.interval.high, 3)
    (2.841, 2.691, 3.005)
    """
    content = _checks.level(level)
    people = _read(transactions, customer, time, None, since, as_of, by, tz)
    found = engine.ratio_sums(people, numerator="purchases", denominator=None, grouped=by is not None)
    return _ratio(people, found, by, content, unit="purchases per customer", definition="customers.purchase_frequency")


def average_order_value(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str,
    since: str | dt.date | None = None,
    as_of: str | dt.date | None = None,
    by: str | None = None,
    tz: str | None = None,
    duplicates: Duplicates = "keep",
    level: float | None = 0.95,
) -> CustomerMean | CustomerRates:
    """Revenue over orders, a ratio of sums.

    Parameters
    ----------
    transactions : dataframe
        A row per order.
    customer, time, value : str
        Columns of the customer, the time and the money; negative money is a return and no order.
    since, as_of : date, optional
        First and last day of the period; by default those of the log.
    by : str, optional
        Column of a group of orders; then the answer has a row per group.
    tz : str, optional
        IANA time zone in which times are cut to days.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    CustomerMean or CustomerRates
        Money per order. The interval is that of the ratio estimator, with the customer as what varies: the orders of
        one customer are alike, so an interval by order is too narrow. It is Student's on the log scale; the upper end
        is that of Hall's correction for skewness where it is further [1]_.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If nothing is left.

    References
    ----------
    .. [1] Hall, P. (1992). On the removal of skewness by transformation. *Journal of the Royal Statistical Society B*
       54(1), 221-228.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> found = rm.customers.average_order_value(rm.datasets.cdnow(), **roles)
    >>> round(found.estimate, 2), round(found.interval.low, 2), round(found.interval.high, 2)
    (35.28, 33.16, 37.98)
    """
    content = _checks.level(level)
    people = _read(transactions, customer, time, value, since, as_of, by, tz, duplicates=duplicates)
    found = engine.ratio_sums(people, numerator="revenue", denominator="orders", grouped=by is not None)
    return _ratio(people, found, by, content, unit="money per order", definition="customers.average_order_value")


def _read(
    transactions: NativeFrame,
    customer: str,
    time: str,
    value: str | None,
    since: str | dt.date | None,
    as_of: str | dt.date | None,
    by: str | None,
    tz: str | None,
    *,
    duplicates: Duplicates | None = None,
) -> engine.Buyers:
    first = None if since is None else moment(since, name="since")
    roles = {"customer": customer, "time": time, "value": value, "by": by}
    people = engine.buyers(
        once(transactions, roles),
        customer=customer,
        time=time,
        value=value,
        as_of=as_of,
        tz=tz,
        by=by,
        first_day=None if first is None else first.day,
        duplicates=duplicates,
        at_once=True,
    )
    if first is not None and first.day > people.as_of.day:
        raise InputError(f"since is at or before as_of ({people.as_of.date}); got {since}.", argument="since")
    return people


def _ratio(
    people: engine.Buyers, found: engine.GroupSums, by: str | None, level: float | None, *, unit: str, definition: str
) -> CustomerMean | CustomerRates:
    rows = [ratios.PairSums(int(n), *rest) for n, *rest in zip(*found.sums.values(), strict=True)]
    ends = [ratios.ratio_interval(row, level=level, most=math.inf) if level and row.n else None for row in rows]
    about = {"unit": unit, "definition": definition, "excluded": people.excluded or {}}
    if by is not None:
        cells = {
            "group": list(found.groups),
            "customers": [row.n for row in rows],
            "total": [row.y for row in rows],
            "count": [row.x for row in rows],
            "rate": [row.ratio for row in rows],
            "low": [end[0] if end else None for end in ends],
            "high": [end[1] if end else None for end in ends],
        }
        return CustomerRates(
            columns=Columns(cells, {"low": "number", "high": "number"}),
            notes=(*people.notes, "A customer who is in several groups counts in each."),
            backend=people.source.backend,
            **about,  # type: ignore[arg-type]
        )
    (row,), (end,) = rows, ends
    if not row.n:
        raise InputError("nobody bought in the period.", argument="transactions", count=0)
    none = () if end or not level else ("There is no interval: the customers do not vary, or there is one alone.",)
    return CustomerMean(
        estimate=row.ratio,
        interval=Interval(low=end.low, high=end.high, level=level, method=end.method) if end and level else None,
        notes=(*people.notes, *none),
        backend=people.source.backend,
        total=row.y,
        count=row.x,
        customers=row.n,
        **about,  # type: ignore[arg-type]
    )


def repeat_rate(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    within_days: int | None = None,
    as_of: str | dt.date | None = None,
    by: str | None = None,
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> RepeatRate | CustomerRates:
    """Share of the customers who bought on another day.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase; purchases of one day count once.
    customer, time : str
        Columns of the customer and the time.
    within_days : int, optional
        Days after the first purchase in which the second must fall. Customers observed for less are left out and
        counted, so that all have the same time; without it young customers have had less of it.
    as_of : date, optional
        End of observation; by default the last day of the log.
    by : str, optional
        Column of a group of purchases; then the answer has a row per group.
    tz : str, optional
        IANA time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        The interval's.

    Returns
    -------
    RepeatRate or CustomerRates
        With ``.one_time_share``, the rest.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If nothing is left.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> found = rm.customers.repeat_rate(rm.datasets.cdnow(), customer="customer_id", time="date", within_days=365)
    >>> round(found.estimate, 3), round(found.interval.low, 3), round(found.one_time_share.estimate, 3)
    (0.456, 0.436, 0.544)
    """
    content = _checks.level(level)
    name = _checks.choice(method, stats.PROPORTION_METHODS, name="method")
    days = None if within_days is None else _checks.count(within_days, name="within_days", low=1)

    log = once(transactions, {"customer": customer, "time": time, "by": by})
    people = engine.buyers(log, customer=customer, time=time, value=None, as_of=as_of, tz=tz, by=by)
    found = engine.repeat_sums(people, within_days=days, grouped=by is not None)
    n, x = found.sums["n"].astype(np.int64), found.sums["repeated"].astype(np.int64)
    young = int(found.sums["too_young"].sum())
    low, high = stats.share_interval(x, n, level=content or 0.95, method=name)
    excluded = {**(people.excluded or {}), **({"customers_observed_too_short": young} if young else {})}
    definition = "customers.repeat_rate" + ("/any-time" if days is None else "/within-days")
    if by is not None:
        shown = [bool(count) and content is not None for count in n]
        cells = {
            "group": list(found.groups),
            "customers": n.tolist(),
            "total": x.tolist(),
            "count": n.tolist(),
            "rate": [int(hits) / int(count) if count else None for hits, count in zip(x, n, strict=True)],
            "low": [float(end) if show else None for end, show in zip(low, shown, strict=True)],
            "high": [float(end) if show else None for end, show in zip(high, shown, strict=True)],
        }
        return CustomerRates(
            columns=Columns(cells, {"rate": "number", "low": "number", "high": "number"}),
            unit="share",
            definition=definition,
            excluded=excluded,
            notes=("A customer who is in several groups counts in each.",),
            backend=people.source.backend,
        )
    count = int(n[0])
    return RepeatRate(
        estimate=int(x[0]) / count if count else None,
        interval=Interval(low=float(low[0]), high=float(high[0]), level=content, method=name)
        if count and content
        else None,
        unit="share",
        definition=definition,
        excluded=excluded,
        notes=() if count else ("No customer has been observed for so long.",),
        status="ok" if count else "no_customers",
        backend=people.source.backend,
        numerator=int(x[0]),
        denominator=count,
    )
