"""Monthly recurring revenue and what moved it, period by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import activity, membership, money
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._engine.membership import Shared
from retention_metrics._engine.tables import CustomerTable, refuse_clash
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, PeriodUnit, date_of, moment, period_of
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

Free = Literal["churn", "active"]
FREE: tuple[Free, ...] = ("churn", "active")

CUT = (
    "The log ends with subscriptions that all end on {date}: it was cut there, so these run on. "
    "Give as_of= if they really ended."
)
LOG_START = (
    "The first period has none before it, so what is new in it is unknown and its movements are null. "
    "Give since= if all revenue began in the log."
)
_EVER = -(10**7)
_SOURCE = "Bridge of monthly recurring revenue: every change of a customer's revenue is exactly one movement."
_COUNTS = ("new", "reactivated", "expanded", "contracted", "churned")
Rates = Mapping[str, float | Mapping[str, float] | Mapping[dt.date, float]]
_TYPES: dict[str, ColumnType] = {
    "period": "date",
    "start_mrr": "number",
    **dict.fromkeys((*money.MOVEMENTS, money.FX), "number"),
    "end_mrr": "number",
    **{f"{name}_customers": "integer" for name in _COUNTS},
    "status": "string",
}


@result
class MovementTable(TableResult):
    """Monthly recurring revenue by period, and what moved it.

    Attributes
    ----------
    columns : Columns
        ``period, start_mrr, new, reactivation, expansion, contraction, churn, end_mrr, new_customers,
        reactivated_customers, expanded_customers, contracted_customers, churned_customers, status``, after
        ``group`` with ``by=``; with rates that change, ``fx`` before ``end_mrr``. Losses are negative; money is per
        month.
    period : str
        Unit of the periods.
    as_of : date
        End of observation.
    """

    kind: ClassVar[str] = "revenue.movements"

    period: str
    as_of: dt.date

    @property
    def _movements(self) -> tuple[str, ...]:
        """Names of the columns of movements: ``fx`` too where the exchange rate changes."""
        return tuple(name for name in (*money.MOVEMENTS, money.FX) if name in self.columns)

    def explain(self) -> Explanation:
        """The bridge of the last period that is complete."""
        moves = self._movements
        names = ("start_mrr", *moves)
        complete = [row for row in self.rows() if row["status"] == "ok"]
        values: dict[str, Any] = {name: complete[-1][name] if complete else None for name in names}
        return Explanation(
            formula=f"end = start + {' + '.join(moves)}, losses negative; here the last complete period",
            values=values,
            steps=(Step(name="end_mrr", expression=" + ".join(names)),),
            source=_SOURCE,
        )


def movements(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    amount: str,
    every: str | float = "month",
    billing: str | None = None,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    by: str | None = None,
    shared: Shared = "keep",
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
) -> MovementTable:
    """Monthly recurring revenue by period and what moved it, from subscriptions.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, or per stretch of one at one price; a customer may have several at a time.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    amount : str
        Column of the price of one billing period, at least 0.
    every : str or float, default "month"
        What one price pays for: ``"day"``, ``"week"``, ``"month"``, ``"quarter"``, ``"half_year"``, ``"year"``,
        ``"two_years"``, ``"three_years"``, ``"five_years"`` or a number of months.
    billing : str, optional
        Column of the same, where it differs from row to row; in place of ``every``.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods. Revenue is per month whatever the period is.
    as_of : date, optional
        End of observation, through the end of that day; by default the last date in the log. Ends after it have not
        happened yet. Where the log's last date holds ends and no start, and ``as_of`` is not given, the log was cut
        there and those subscriptions run on, with a note.
    by : str, optional
        Column of a segment.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    subscription : str, optional
        Column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer. One number holds for all periods
        (constant currency). Dated ones, such as ``{"EUR": {"2024-01-01": 1.10, "2024-02-01": 1.08}, "USD": 1.0}``,
        each hold from their date on; a period is read at its last day. The table then has a column ``fx``.
    tax, discount : str, optional
        Columns of what the price contains of tax, and of what is taken off it, at least 0; both are subtracted, and a
        missing one is none.
    recurring : str, optional
        Column of true and false; false is a one-off charge, left out and counted. Missing is recurring.
    past_due : str, optional
        Column of the date since which the subscription is unpaid; it ends ``grace_days`` later. Without this column
        an unpaid subscription is one like any other.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    free : {"churn", "active"}, default "churn"
        What a price of 0 is to a customer who paid: ``"churn"`` (only who pays is a customer), or a contraction of
        one who stays ``"active"`` (a free month, a free plan). Before the first payment it is a trial either way.
    reactivation_window : int, optional
        Periods after which a customer who comes back is new again; by default never.

    Returns
    -------
    MovementTable
        A row per period from the first start to ``as_of``. Always start + new + reactivation + expansion +
        contraction + churn (+ fx) = end, and one period's end is the next one's start.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an interval ends before it starts, an amount is negative or all add up to more than 2.5 * 10^10 a month, two
        rows are the same or overlap within a subscription, currencies are mixed without rates, or nothing is left to
        count.

    Notes
    -----
    A customer's revenue in a period is what runs at the period's last instant, each price divided by its months: a
    year by 12, a quarter by 3, and a week times 52/12. The change from one period to the next is one movement: new
    where there never was revenue, reactivation where there once was, churn where there is none left, expansion or
    contraction otherwise, so up- and downgrades of one customer in one period are netted. Who joins and leaves
    within one period is in no row. A period not observed to its end has the status ``"incomplete"``.

    With dated rates movements are in constant currency: at the rates of the period before, those of ``start_mrr``.
    ``fx`` is what the new rates do to the revenue at the period's end, so it closes the bridge, and no customer
    expands or contracts by the exchange rate. In the first period there is nothing to revalue.

    Money is added in whole units of 1/360,000, so the bridge closes exactly.

    References
    ----------
    .. [1] Skok, D. (2010). SaaS metrics 2.0: a guide to measuring and improving what matters. *For
       Entrepreneurs*.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "a", "b", "c"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-02-10", "2024-01-15", "2024-02-05"]),
    ...         "until": pd.to_datetime(["2024-02-10", None, "2024-03-01", None]),
    ...         "price": [100.0, 150.0, 80.0, 40.0],
    ...     }
    ... )
    >>> bridge = rm.revenue.movements(
    ...     plans, customer="who", start="from", end="until", amount="price", as_of="2024-03-31"
    ... )
    >>> bridge.to_frame()[["start_mrr", "new", "expansion", "churn", "end_mrr"]].values.tolist()
    [[0.0, 180.0, 0.0, 0.0, 180.0], [180.0, 40.0, 50.0, 0.0, 270.0], [270.0, 0.0, 0.0, -80.0, 190.0]]
    >>> euros = rm.revenue.movements(
    ...     plans.assign(cur="EUR"), customer="who", start="from", end="until", amount="price", as_of="2024-03-31",
    ...     currency="cur", rates={"EUR": {"2024-01-01": 1.0, "2024-03-01": 1.5}},
    ... )
    >>> euros.to_frame()[["start_mrr", "churn", "fx", "end_mrr"]].values.tolist()[-1]
    [270.0, -80.0, 95.0, 285.0]
    """
    roles = {
        "customer": customer,
        "start": start,
        "end": end,
        "amount": amount,
        "billing": billing,
        "by": by,
        "subscription": subscription,
        "currency": currency,
        "tax": tax,
        "discount": discount,
        "recurring": recurring,
        "past_due": past_due,
    }
    ledger = read_ledger(
        subscriptions,
        roles,
        pricing=pricing_of(every, rates, grace_days, changing=True),
        period=period,
        as_of=as_of,
    )
    return _table(
        ledger,
        free=free,
        reactivation_window=reactivation_window,
        definition="revenue.movements/period-end",
        shared=shared,
    )


def pricing_of(
    every: str | float, rates: Rates | None, grace_days: int = 0, *, changing: bool = False
) -> money.Pricing:
    """How money is read, checked; rates may change where ``changing``."""
    months = every if isinstance(every, str) else _checks.positive(every, name="every")
    if isinstance(months, str):
        months = _checks.choice(months, tuple(money.MONTHS), name="every")
    grace = _checks.count(grace_days, name="grace_days")
    dated = [name for name, rate in (rates or {}).items() if isinstance(rate, Mapping)]
    if dated and not changing:
        raise InputError(
            f"rates={dated[0]!r} change with time; two dates are compared in constant currency.",
            argument="rates",
            fix="Give one number per currency.",
        )
    if rates is None or not dated:
        worth = None if rates is None else {name: _checks.positive(rate, name="rates") for name, rate in rates.items()}
        return money.Pricing(every=months, rates=worth, grace_days=grace)
    return money.Pricing(
        every=months, changing={name: _dated(name, rate) for name, rate in rates.items()}, grace_days=grace
    )


def _dated(name: str, rate: float | Mapping[str, float] | Mapping[dt.date, float]) -> tuple[tuple[int, float], ...]:
    """The days from which a currency's rates hold, in order; one number holds since ever."""
    if not isinstance(rate, Mapping):
        return ((_EVER, _checks.positive(rate, name="rates")),)
    pairs = [(moment(day, name="rates").day, _checks.positive(worth, name="rates")) for day, worth in rate.items()]
    if len({day for day, _ in pairs}) < max(len(pairs), 1):
        raise InputError(f"rates={name!r} hold one rate per day, and at least one.", argument="rates")
    return tuple(sorted(pairs))


def read_ledger(
    data: NativeFrame,
    roles: Mapping[str, str | None],
    *,
    pricing: money.Pricing,
    period: PeriodUnit | Period,
    as_of: object,
    lazily: bool = False,
    arguments: Mapping[str, str] | None = None,
) -> money.Ledger:
    """The priced intervals, ``lazily`` where they go into a customer table, that asks for them when it is collected.

    ``arguments`` names the caller's argument of a role, where that has another name.
    """
    if roles.get("currency") is None and pricing.currencies is not None:
        raise InputError("rates= belongs to a column of currencies; currency= names none.", argument="currency")
    rows = data if lazily else once(data, roles, arguments)
    return money.read_subscriptions(
        rows, roles, pricing=pricing, period=period_of(period), as_of=as_of, arguments=arguments
    )


def _table(
    ledger: money.Ledger,
    *,
    free: Free,
    reactivation_window: int | None,
    definition: str,
    shared: Shared,
    known_start: bool = True,
) -> MovementTable:
    ledger = money.settle_groups(ledger, shared)
    window = None if reactivation_window is None else _checks.count(reactivation_window, name="reactivation_window")
    free = _checks.choice(free, FREE, name="free")
    sums = money.movement_sums(ledger, free=free, window=window)
    rows = _rows(sums, ledger, known_start=known_start)
    notes = _notes(ledger) if known_start else (*_notes(ledger), LOG_START)
    names = [name for name in _TYPES if name != money.FX or name in ledger.movements]
    columns: dict[str, Sequence[Any]] = {"group": [row["group"] for row in rows]} if ledger.grouped else {}
    columns |= {name: [row[name] for row in rows] for name in names}
    return MovementTable(
        columns=Columns(columns, _TYPES),
        unit="money per month",
        definition=definition,
        excluded=ledger.excluded,
        notes=notes,
        period=ledger.period.unit,
        as_of=ledger.as_of.date,
        backend=ledger.backend,
    )


def _notes(ledger: money.Ledger) -> tuple[str, ...]:
    notes: tuple[str, ...] = (CUT.format(date=ledger.as_of.date),) if ledger.cut else ()
    several = membership.number_in_several(ledger.rows) if ledger.grouped else 0
    if several:
        notes += (f"{several} customers are in more than one segment; each segment counts them on its own rows.",)
    return notes


def _rows(sums: Mapping[str, Sequence[Any]], ledger: money.Ledger, *, known_start: bool) -> list[dict[str, Cell]]:
    groups = sums["by"] if ledger.grouped else [None] * len(sums["period"])
    cells: dict[tuple[Any, int], tuple[list[int], list[int]]] = {}
    size = len(ledger.movements)
    for group, index, movement, delta, customers in zip(
        groups, *(sums[name] for name in ("period", "movement", "delta", "customers")), strict=True
    ):
        units, people = cells.setdefault((group, index), ([0] * size, [0] * size))
        units[movement], people[movement] = int(delta), int(customers)
    listed = activity.in_order(money.groups(ledger)) if ledger.grouped else [None]
    rows = []
    for group in listed:
        before = 0
        for index in range(ledger.first_index, ledger.last_index + 1):
            moves, people = cells.get((group, index), ([0] * size, [0] * size))
            row: dict[str, Cell] = {"group": group, **_row(index, ledger, before, moves, people)}
            if index == ledger.first_index and not known_start:
                unknown = ("start_mrr", *ledger.movements, *(f"{name}_customers" for name in _COUNTS))
                row |= {**dict.fromkeys(unknown), "status": "log_start"}
            rows.append(row)
            before += sum(moves)
    return rows


def _row(index: int, ledger: money.Ledger, before: int, moves: Sequence[int], people: Sequence[int]) -> dict[str, Cell]:
    first, after = ledger.period.first_day(np.array([index, index + 1])).tolist()
    return {
        "period": date_of(first),
        "start_mrr": before / money.UNITS,
        **{name: units / money.UNITS for name, units in zip(ledger.movements, moves, strict=True)},
        "end_mrr": (before + sum(moves)) / money.UNITS,
        **{f"{name}_customers": count for name, count in zip(_COUNTS, people, strict=False)},
        "status": "incomplete" if after > ledger.as_of.observed_until else "ok",
    }


def movements_from_amounts(
    amounts: NativeFrame,
    *,
    customer: str,
    time: str,
    amount: str,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    since: str | dt.date | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    currency: str | None = None,
    rates: Rates | None = None,
    reactivation_window: int | None = None,
) -> MovementTable:
    """Monthly recurring revenue by period and what moved it, from monthly amounts.

    Parameters
    ----------
    amounts : dataframe
        A row per customer and period with its monthly recurring revenue; several rows of one are added, but rows that
        repeat another in full are refused.
    customer, time, amount : str
        Columns of the customer, of any day of the period, and of the amount, at least 0.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods; a customer without a row in one has no revenue in it.
    as_of : date, optional
        End of observation; by default the last date of the log.
    since : date, optional
        Where it is at or before the first row, all revenue began in the log: the first period's is new.
    by : str, optional
        Column of a segment.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    currency : str, optional
        Column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer, as for ``movements``.
    reactivation_window : int, optional
        Periods after which a customer who comes back is new again; by default never.

    Returns
    -------
    MovementTable
        As ``movements`` gives. Without ``since`` the first period has status ``"log_start"`` and no movements.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an amount is negative, two rows are the same, currencies are mixed without rates, or nothing is left to
        count.

    Notes
    -----
    A whole period counts as soon as it has rows, so ``status`` is ``"ok"`` for the last one only where ``as_of``
    lies at its end.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> booked = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "a", "a", "b"],
    ...         "month": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01", "2024-03-01", "2024-03-01"]),
    ...         "mrr": [50.0, 20.0, 60.0, 60.0, 25.0],
    ...     }
    ... )
    >>> bridge = rm.revenue.movements_from_amounts(
    ...     booked, customer="who", time="month", amount="mrr", since="2024-01-01", as_of="2024-03-31"
    ... )
    >>> bridge.to_frame()[["new", "reactivation", "expansion", "churn", "end_mrr"]].values.tolist()
    [[70.0, 0.0, 0.0, 0.0, 70.0], [0.0, 0.0, 10.0, -20.0, 60.0], [0.0, 25.0, 0.0, 0.0, 85.0]]
    """
    calendar = period_of(period)
    began = None if since is None else moment(since, name="since", tz=calendar.tz)
    roles = {"customer": customer, "start": time, "amount": amount, "by": by, "currency": currency}
    ledger = money.read_amounts(
        amounts, roles, pricing=pricing_of("month", rates, changing=True), period=calendar, as_of=as_of
    )
    return _table(
        ledger,
        free="churn",
        reactivation_window=reactivation_window,
        definition="revenue.movements/amounts",
        shared=shared,
        known_start=began is not None and began.day <= ledger.first_day,
    )


def movements_from_invoices(
    invoices: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    amount: str,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    subscription: str | None = None,
    currency: str | None = None,
    rates: Rates | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    free: Free = "churn",
    reactivation_window: int | None = None,
) -> MovementTable:
    """Monthly recurring revenue by period and what moved it, from invoices.

    Parameters
    ----------
    invoices : dataframe
        A row per line of an invoice.
    customer, start, end : str
        Columns of the customer and of the service period [start, end); a null end is a one-off charge.
    amount : str
        Column of the amount invoiced for the whole service period, at least 0; a credit goes into ``discount`` of the
        line that it corrects.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods.
    as_of : date, optional
        End of observation; by default the last date of the log, as ``movements`` reads it.
    by : str, optional
        Column of a segment.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    subscription : str, optional
        Column of the subscription; two lines of one may not overlap.
    currency : str, optional
        Column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer, as for ``movements``.
    tax, discount : str, optional
        Columns of what the amount contains of tax, and of what is taken off it, at least 0; both are subtracted.
    recurring : str, optional
        Column of true and false; false is a one-off charge, left out and counted.
    free : {"churn", "active"}, default "churn"
        What a service period at 0 is to a customer who paid.
    reactivation_window : int, optional
        Periods after which a customer who comes back is new again; by default never.

    Returns
    -------
    MovementTable
        As ``movements`` gives: each invoice counts its amount per month of service while the service lasts.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If a service period ends before it starts, an amount is negative, or nothing is left to count.

    Notes
    -----
    Months of service are whole calendar months plus the days after the last of them at 365.25/12 to the month, so a
    month is a month whether it has 28 days or 31; from the 31st to the last day of a shorter month is one too.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> lines = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "b", "a"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01", "2024-01-10"]),
    ...         "until": pd.to_datetime(["2025-01-01", "2024-02-01", "2024-03-01", None]),
    ...         "paid": [1200.0, 50.0, 60.0, 500.0],
    ...     }
    ... )
    >>> bridge = rm.revenue.movements_from_invoices(
    ...     lines, customer="who", start="from", end="until", amount="paid", as_of="2024-02-29"
    ... )
    >>> bridge.to_frame()[["new", "expansion", "end_mrr"]].values.tolist(), dict(bridge.excluded)
    ([[150.0, 0.0, 150.0], [0.0, 10.0, 160.0]], {'one_off': 1})
    """
    roles = {
        "customer": customer,
        "start": start,
        "end": end,
        "amount": amount,
        "by": by,
        "subscription": subscription,
        "currency": currency,
        "tax": tax,
        "discount": discount,
        "recurring": recurring,
    }
    ledger = money.read_invoices(
        invoices,
        roles,
        pricing=pricing_of("month", rates, changing=True),
        period=period_of(period),
        as_of=as_of,
    )
    return _table(
        ledger,
        free=free,
        reactivation_window=reactivation_window,
        definition="revenue.movements/invoices",
        shared=shared,
    )


def customer_movements(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    amount: str,
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
) -> CustomerTable:
    """Every movement of revenue, customer by customer.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``movements``.
    customer, start, end, amount : str
        Columns of the customer, of the half-open interval [start, end) and of the price.
    every : str or float, default "month"
        What one price pays for.
    billing : str, optional
        Column of the same, where it differs from row to row.
    period : {"day", "week", "month", "quarter", "year"} or Period, default "month"
        Calendar periods.
    as_of : date, optional
        End of observation, as for ``movements``.
    subscription : str, optional
        Column of the subscription. Two rows of one subscription then may not overlap.
    currency : str, optional
        Column of the currency. More than one needs ``rates``.
    rates : mapping of str to float, or to a mapping of dates to floats, optional
        What one unit of each currency is worth in the currency of the answer, as for ``movements``.
    tax, discount, recurring, past_due : str, optional
        Columns as for ``movements``.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.
    free : {"churn", "active"}, default "churn"
        What a price of 0 is to a customer who paid.
    reactivation_window : int, optional
        Periods after which a customer who comes back is new again; by default never.

    Returns
    -------
    CustomerTable
        A row per customer and period in which its revenue moved, in the caller's kind of frame: the caller's customer
        column, ``period`` (its first day), ``movement``, ``start_mrr``, ``change`` and ``end_mrr``. Its
        changes add up to the bridge of ``movements``; with dated rates a change of them is a row whose ``movement``
        is ``"fx"``.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles or is of the wrong type, or the customer's has the name of an answer.
    InputError
        As ``movements`` does.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "a"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-02-10"]),
    ...         "until": pd.to_datetime(["2024-02-10", "2024-03-15"]),
    ...         "price": [100.0, 150.0],
    ...     }
    ... )
    >>> moved = rm.revenue.customer_movements(
    ...     plans, customer="who", start="from", end="until", amount="price", as_of="2024-03-31"
    ... ).to_frame()
    >>> moved[["movement", "change", "end_mrr"]].values.tolist()
    [['new', 100.0, 100.0], ['expansion', 50.0, 150.0], ['churn', -150.0, 0.0]]
    """
    roles = {
        "customer": customer,
        "start": start,
        "end": end,
        "amount": amount,
        "billing": billing,
        "subscription": subscription,
        "currency": currency,
        "tax": tax,
        "discount": discount,
        "recurring": recurring,
        "past_due": past_due,
    }
    window = None if reactivation_window is None else _checks.count(reactivation_window, name="reactivation_window")
    free = _checks.choice(free, FREE, name="free")
    refuse_clash(customer, ("period", "movement", "start_mrr", "change", "end_mrr"))
    pricing = pricing_of(every, rates, grace_days, changing=True)
    ledger = read_ledger(subscriptions, roles, pricing=pricing, period=period, as_of=as_of, lazily=True)
    return CustomerTable(
        frame=money.movement_table(ledger, free=free, window=window),
        definition="revenue.customer_movements",
        unit="money per month",
        as_of=ledger.as_of.date,
        excluded=ledger.excluded,
        notes=_notes(ledger),
    )
