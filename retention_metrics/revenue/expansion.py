"""Expansion taken apart: more of the same, or another product."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retention_metrics._engine import expansion as engine
from retention_metrics._engine import money
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Period, PeriodUnit, date_of
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result
from retention_metrics.revenue.movements import CUT, pricing_of, read_ledger

_TYPES: dict[str, ColumnType] = {
    "period": "date",
    **dict.fromkeys(("expansion", *engine.PARTS), "number"),
    **dict.fromkeys(("up_sell_customers", "cross_sell_customers"), "integer"),
    "status": "string",
}


@result
class ExpansionTable(TableResult):
    """Expansion of recurring revenue by period, and what it is made of.

    Attributes
    ----------
    columns : Columns
        ``period, expansion, up_sell, cross_sell, given_up, up_sell_customers, cross_sell_customers, status``.
        ``given_up`` is negative; money is per month.
    period : str
        Unit of the periods.
    as_of : date
        End of observation.
    """

    kind: ClassVar[str] = "revenue.expansion"

    period: str
    as_of: dt.date

    def explain(self) -> Explanation:
        """The sum of the last period that is complete."""
        complete = [row for row in self.rows() if row["status"] == "ok"]
        values: dict[str, Any] = {name: complete[-1][name] if complete else None for name in engine.PARTS}
        return Explanation(
            formula="expansion = up-sell + cross-sell + given up, the last negative; here the last complete period",
            values=values,
            steps=(Step(name="expansion", expression=" + ".join(engine.PARTS)),),
            source="Each change of a customer's revenue from a product is one of the three.",
        )


def expansion(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    amount: str,
    product: str,
    every: str | float = "month",
    billing: str | None = None,
    period: PeriodUnit | Period = "month",
    as_of: str | dt.date | None = None,
    subscription: str | None = None,
    currency: str | None = None,
    rates: Mapping[str, float] | None = None,
    tax: str | None = None,
    discount: str | None = None,
    recurring: str | None = None,
    past_due: str | None = None,
    grace_days: int = 30,
) -> ExpansionTable:
    """Up-sell and cross-sell: what the expansion of recurring revenue is made of.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``movements``.
    customer, start, end, amount : str
        Columns of the customer, of the half-open interval [start, end) and of the price.
    product : str
        Column of the product: what is sold on its own, not the plan or size of it. Rows without one are excluded and
        counted.
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
    rates : mapping of str to float, optional
        What one unit of each currency is worth in the currency of the answer.
    tax, discount, recurring, past_due : str, optional
        Columns as for ``movements``.
    grace_days : int, default 30
        Days that an unpaid subscription goes on.

    Returns
    -------
    ExpansionTable
        A row per period. ``expansion`` is that of ``movements``, and the three parts add up to it exactly.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        As ``movements`` does.

    Notes
    -----
    Of customers whose revenue grew from one period to the next: ``up_sell`` is more from products that they had,
    ``cross_sell`` what they pay for products that they had not, even if once before, and ``given_up`` what they pay
    less for others, as when one product takes another's place.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "a", "b", "b"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-02-10", "2024-01-15", "2024-02-05"]),
    ...         "until": pd.to_datetime(["2024-02-10", None, None, None]),
    ...         "price": [100.0, 150.0, 80.0, 40.0],
    ...         "what": ["mail", "mail", "mail", "shop"],
    ...     }
    ... )
    >>> table = rm.revenue.expansion(
    ...     plans, customer="who", start="from", end="until", amount="price", product="what", as_of="2024-02-29"
    ... )
    >>> table.to_frame()[["expansion", "up_sell", "cross_sell", "given_up"]].values.tolist()
    [[0.0, 0.0, 0.0, 0.0], [90.0, 50.0, 40.0, 0.0]]
    """
    roles = {
        "customer": customer,
        "start": start,
        "end": end,
        "amount": amount,
        "by": product,
        "billing": billing,
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
        pricing=pricing_of(every, rates, grace_days),
        period=period,
        as_of=as_of,
        arguments={"by": "product"},
    )
    found = engine.expansion_sums(ledger)
    rows = [_row(index, ledger, found.get(index, {})) for index in range(ledger.first_index, ledger.last_index + 1)]
    return ExpansionTable(
        columns=Columns({name: [row[name] for row in rows] for name in _TYPES}, _TYPES),
        unit="money per month",
        definition="revenue.expansion/by-product",
        excluded=ledger.excluded,
        notes=(CUT.format(date=ledger.as_of.date),) if ledger.cut else (),
        period=ledger.period.unit,
        as_of=ledger.as_of.date,
        backend=ledger.backend,
    )


def _row(index: int, ledger: money.Ledger, sums: Mapping[str, float]) -> dict[str, Cell]:
    first, after = ledger.period.first_day(np.array([index, index + 1])).tolist()
    units = {name: sums.get(name, 0.0) for name in engine.PARTS}
    return {
        "period": date_of(first),
        "expansion": sum(units.values()) / money.UNITS,
        **{name: value / money.UNITS for name, value in units.items()},
        **{f"{name}_customers": int(sums.get(f"{name}_customers", 0)) for name in engine.PARTS[:2]},
        "status": "incomplete" if after > ledger.as_of.observed_until else "ok",
    }
