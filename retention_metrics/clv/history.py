"""Purchase histories: transactions, or a table that is there already, as frequency, recency and T."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

from retention_metrics import _checks
from retention_metrics._engine import adopt, purchases
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.errors import InputError
from retention_metrics.periods import Moment, Period, PeriodUnit, moment, unit_days

TimeUnit = Literal["hour", "day", "week", "month", "quarter", "year"]
Returns = Literal["net", "exclude", "raise"]


@dataclass(frozen=True, kw_only=True)
class PurchaseHistory(CustomerTable):
    """One row per customer, in the caller's kind of frame: who bought how often.

    Attributes
    ----------
    frequency, recency, T : str
        Names of the columns.
    monetary_value : str or None
        Name of the column of mean spend per repeat purchase; None without money.
    """

    frequency: str = "frequency"
    recency: str = "recency"
    T: str = "T"
    monetary_value: str | None = None


def rfm_summary(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    unit: TimeUnit = "day",
    collapse: PeriodUnit | Period = "day",
    as_of: str | dt.date | None = None,
    calibration_end: str | dt.date | None = None,
    since: str | dt.date | None = None,
    returns: Returns = "net",
    audit: bool = True,
) -> PurchaseHistory:
    """Frequency, recency, T and mean spend of every customer, from transactions.

    Parameters
    ----------
    transactions : dataframe
        A row per transaction: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    customer, time, value : str
        Columns of the customer, the time (dates, datetimes or ISO-8601 text) and the money of the transaction.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, default "day"
        Unit of ``recency`` and ``T``; a week has 7 days, a month 365.25/12, a year 365.25. Fractions are kept.
    collapse : {"day", "week", "month", "quarter", "year"} or Period, default "day"
        Purchases of a customer within one calendar step count once.
    as_of : date, optional
        End of observation, through the end of that day; by default the last day of the log. Later rows are
        excluded and counted.
    calibration_end : date, optional
        Splits the log: what lies after it, up to ``as_of``, goes to the ``_holdout`` columns.
    since : date, optional
        Leaves out customers first seen before it, for a log that starts in mid-life.
    returns : {"net", "exclude", "raise"}, default "net"
        Negative values: taken off the customer's value, left out, or refused. They are never a purchase.
    audit : bool, default True
        Run the one query that counts rows and missing values. Without it ``as_of`` is required and
        ``excluded`` is None.

    Returns
    -------
    PurchaseHistory
        The customer under its own name and ``frequency`` (repeat purchases), ``recency`` (first to last
        purchase), ``T`` (first purchase to the end of observation), ``monetary_value`` (mean of the repeat
        purchases, null with none), and with ``calibration_end`` ``frequency_holdout``,
        ``monetary_value_holdout`` and ``duration_holdout``.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or holds no dates.
    InputError
        If a date is unreadable, a value infinite, or nothing is left.

    Notes
    -----
    Times are cut to days, and differences count whole days between dates: with a bare ``as_of`` T runs to that
    date itself, although the rest of that day's rows are in. Without ``since=`` every customer's first purchase
    in the log is taken for the first ever.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> orders = pd.DataFrame(
    ...     {"who": ["a", "a", "b"], "day": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-08"])}
    ... )
    >>> rm.clv.rfm_summary(orders, customer="who", time="day", unit="week", as_of="2024-01-29").to_frame()
      who  frequency  recency    T
    0   a          1      2.0  4.0
    1   b          0      0.0  3.0
    """
    _checks.choice(returns, ("net", "exclude", "raise"), name="returns")
    steps = collapse if isinstance(collapse, Period) else Period(collapse)
    plan = purchases.Plan(
        unit_days=unit_days(unit),
        collapse=steps,
        as_of=as_of,
        calibration_end=_day(calibration_end, "calibration_end"),
        since=_day(since, "since"),
        returns=returns,
        audit=audit,
    )

    summary = purchases.summarise(transactions, customer=customer, time=time, value=value, plan=plan)

    return PurchaseHistory(
        frame=summary.frame,
        definition="clv.rfm_summary",
        unit=unit,
        as_of=summary.as_of.date,
        excluded=summary.excluded,
        notes=_notes(summary, returns),
        monetary_value="monetary_value" if value is not None else None,
    )


def _day(value: str | dt.date | None, name: str) -> Moment | None:
    return None if value is None else replace(moment(value, name=name), instant=None)


def _notes(summary: purchases.Summary, returns: Returns) -> tuple[str, ...]:
    if not summary.negative:
        return ()
    done = "left out" if returns == "exclude" else "taken off the customer's value"
    return (f"{summary.negative} rows of negative value are no purchases and were {done}.",)


def history(
    frame: NativeFrame,
    *,
    unit: TimeUnit,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str | None = "monetary_value",
    as_of: str | dt.date | None = None,
) -> PurchaseHistory:
    """Adopt a table of purchase histories that is there already.

    Parameters
    ----------
    frame : dataframe
        One row per customer.
    unit : {"hour", "day", "week", "month", "quarter", "year"}
        Unit of ``recency`` and ``T``.
    frequency, recency, T : str
        Columns of the repeat purchases, the time of the last one and the time under observation, both counted
        from the first purchase.
    monetary_value : str or None, default "monetary_value"
        Column of the mean spend per repeat purchase; the default name may be absent.
    as_of : date, optional
        End of observation, where known.

    Returns
    -------
    PurchaseHistory
        The same frame with its roles and its unit.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> table = pd.DataFrame({"x": [2, 0], "t_x": [30.43, 0.0], "T": [38.86, 38.86]})
    >>> rm.clv.history(table, unit="week", frequency="x", recency="t_x").unit
    'week'
    """
    unit_days(unit)
    roles = {"frequency": frequency, "recency": recency, "T": T}
    source = adopt.adopt(frame, roles)
    if monetary_value is not None and (monetary_value != "monetary_value" or monetary_value in source.columns):
        adopt.adopt(frame, {**roles, "monetary_value": monetary_value})
    else:
        monetary_value = None
    if unit is None:
        raise InputError("unit is the unit of recency and T; got None.", argument="unit")

    return PurchaseHistory(
        frame=frame,
        definition="clv.history",
        unit=unit,
        as_of=None if as_of is None else moment(as_of, name="as_of").date,
        frequency=frequency,
        recency=recency,
        T=T,
        monetary_value=monetary_value,
    )
