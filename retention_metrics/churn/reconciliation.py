"""The definitions of churn side by side, and the customers on whom they differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import activity, spells
from retention_metrics._engine.adopt import NativeFrame, once
from retention_metrics._engine.membership import Shared
from retention_metrics._engine.tables import CustomerTable, refuse_clash
from retention_metrics._stats import proportions as stats
from retention_metrics.churn.definitions import DEFINITIONS
from retention_metrics.churn.windows import (
    Day,
    denominator_of,
    interval,
    status_of,
    window_days,
    window_notes,
)
from retention_metrics.explanation import Explanation
from retention_metrics.periods import Period, date_of
from retention_metrics.results import Columns, ColumnType, TableResult, result

_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("definition", "publisher", "formula"), "string"),
    "numerator": "integer",
    **dict.fromkeys(("denominator", "rate", "low", "high"), "number"),
    **dict.fromkeys(("method", "status"), "string"),
}


@result
class ChurnReconciliation(TableResult):
    """One window under every definition of churn.

    Attributes
    ----------
    columns : Columns
        ``definition, publisher, formula, numerator, denominator, rate, low, high, method, status``, after ``group``
        with ``by=``.
    start_customers, end_customers, joined, endings : int
        Customers at both ends, those whose first subscription began in the window, and all endings in it; with
        ``by=`` the sums over the groups.
    window_start, window_end : date
        The window [window_start, window_end).
    level : float or None
        Probability content of the intervals.
    """

    kind: ClassVar[str] = "churn.reconciliation"

    start_customers: int
    end_customers: int
    joined: int
    endings: int
    window_start: dt.date
    window_end: dt.date
    level: float | None

    def explain(self) -> Explanation:
        """The numerators, and the counts from which the denominators follow."""
        values: dict[str, Any] = {
            name: getattr(self, name) for name in ("start_customers", "end_customers", "joined", "endings")
        }
        for name in DEFINITIONS:
            counts = [row["numerator"] for row in self.rows() if row["definition"] == name]
            values[f"numerator_{name}"] = sum(int(str(count)) for count in counts)
        titles = (f"{each.publisher}: {each.title}" for each in DEFINITIONS.values())
        return Explanation(
            formula="rate = numerator / denominator, under each definition",
            values=values,
            steps=(),
            source="; ".join(titles) + ".",
        )


def reconcile(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    window: tuple[Day, Day],
    as_of: Day | None = None,
    by: str | None = None,
    shared: Shared = "keep",
    tz: str | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> ChurnReconciliation:
    """One window's churn under every definition, side by side.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``by_period``.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    window : (from, to)
        Two dates; the window is half-open.
    as_of : date, optional
        End of observation, through the end of that day; by default the end of the window.
    by : str, optional
        Column of a group; each is counted on its own rows.
    shared : {"keep", "exclude", "raise"}, default "keep"
        What a customer in more than one group is: counted in each, on the rows of each, with a note of how many there
        are; left out, with the rows counted in ``excluded``; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Interval of the definitions that are proportions; the others have the exact Poisson interval.

    Returns
    -------
    ChurnReconciliation
        A row per definition, or per group and definition. ``reconciled_customers`` lists the customers on whom they
        differ.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or is of the wrong type.
    InputError
        If an interval ends before it starts, the window is empty, or nothing is left to count.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "b", "c"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-20", "2024-02-05"]),
    ...         "until": pd.to_datetime([None, "2024-02-10", None, "2024-02-25"]),
    ...     }
    ... )
    >>> table = rm.churn.reconcile(
    ...     plans, customer="who", start="from", end="until", window=("2024-02-01", "2024-03-01")
    ... ).to_frame()
    >>> print(table[["definition", "numerator", "denominator", "rate"]].to_string(index=False))
        definition  numerator  denominator     rate
          standard          0          2.0 0.000000
        chartmogul          0          2.0 0.000000
            stripe          2          3.0 0.666667
             gross          1          2.0 0.500000
          midpoint          2          2.0 1.000000
    all_over_start          2          2.0 1.000000
       baremetrics          2          2.0 1.000000
        profitwell          1          2.0 0.500000
           recurly          1          2.0 0.500000
    """
    first, after = window_days(window, tz=tz)
    level, method = _checks.level(level), _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    roles = {"customer": customer, "start": start, "end": end, "by": by}
    log = spells.read(once(subscriptions, roles), roles, period=Period("day", tz=tz), as_of=as_of, horizon=after - 1)
    log = spells.settle_groups(log, shared)
    groups = spells.window_counts(log, spells.Windows(np.array([first]), np.array([after])))
    rows = [
        {"group": group, **_row(name, groups[group], after, log, level, method)}
        for group in activity.in_order(groups)
        for name in DEFINITIONS
    ]
    statuses = {str(row["status"]) for row in rows}
    names = [*(("group",) if log.grouped else ()), *_TYPES]

    def total(counts: Callable[[spells.WindowCounts], NDArray[np.int64]]) -> int:
        return sum(int(counts(found)[0]) for found in groups.values())

    return ChurnReconciliation(
        columns=Columns({name: [row[name] for row in rows] for name in names}, _TYPES),
        unit="share, or endings per customer",
        definition="churn.reconcile",
        excluded=log.excluded,
        notes=window_notes(log, after, as_of, statuses.pop() if len(statuses) == 1 else "ok"),
        start_customers=total(lambda found: found.start),
        end_customers=total(lambda found: found.end),
        joined=total(lambda found: found.joined),
        endings=total(lambda found: found.total("endings")),
        window_start=date_of(first),
        window_end=date_of(after),
        level=level,
        backend=log.backend,
    )


def _row(
    name: str,
    found: spells.WindowCounts,
    after: int,
    log: spells.Spells,
    level: float | None,
    method: stats.ProportionMethod,
) -> dict[str, Any]:
    chosen = DEFINITIONS[name]
    x = int(found.total(chosen.numerator)[0])
    n = denominator_of(chosen, int(found.start[0]), int(found.end[0]), int(found.joined[0]))
    status = status_of(after, log.as_of, n)
    known = status == "ok"
    low, high = interval(np.array([float(x)]), np.array([float(n or 1)]), chosen, level or 0.95, method)
    return {
        "definition": name,
        "publisher": chosen.publisher,
        "formula": chosen.formula,
        "numerator": x,
        "denominator": n,
        "rate": x / n if known else None,
        "low": float(low[0]) if known and level else None,
        "high": float(high[0]) if known and level else None,
        "method": method if chosen.proportion else "exact_poisson",
        "status": status,
    }


_MARKS = ("in_start", "in_end", "joined", "came_back", "endings")


def reconciled_customers(
    subscriptions: NativeFrame,
    *,
    customer: str,
    start: str,
    end: str,
    window: tuple[Day, Day],
    as_of: Day | None = None,
    tz: str | None = None,
) -> CustomerTable:
    """The customers on whom the definitions of churn differ, in one window.

    Parameters
    ----------
    subscriptions : dataframe
        A row per subscription, as for ``by_period``.
    customer, start, end : str
        Columns of the customer and of the half-open interval [start, end); a null end runs on.
    window : (from, to)
        Two dates; the window is half-open.
    as_of : date, optional
        End of observation, through the end of that day; by default the end of the window.
    tz : str, optional
        IANA time zone in which times are cut to days.

    Returns
    -------
    CustomerTable
        A row per customer whose subscription began or ended in the window: the caller's customer column, ``in_start``,
        ``in_end``, ``joined``, ``came_back``, ``endings``, and ``counted_by_standard`` and so on: what the customer
        adds to each numerator. All others add nothing to any numerator and the same to every denominator.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles or is of the wrong type, or the customer's has the name of an answer.
    InputError
        If an interval ends before it starts, the window is empty, or nothing is left to count.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> plans = pd.DataFrame(
    ...     {
    ...         "who": ["a", "b", "b", "c"],
    ...         "from": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-20", "2024-02-05"]),
    ...         "until": pd.to_datetime([None, "2024-02-10", None, "2024-02-25"]),
    ...     }
    ... )
    >>> table = rm.churn.reconciled_customers(
    ...     plans, customer="who", start="from", end="until", window=("2024-02-01", "2024-03-01")
    ... ).to_frame()
    >>> names = ["who", "in_start", "in_end", "endings", "counted_by_standard", "counted_by_gross", "counted_by_stripe"]
    >>> table[names].values.tolist()
    [['b', True, True, 1, 0, 1, 1], ['c', False, False, 1, 0, 0, 1]]
    """
    first, after = window_days(window, tz=tz)

    log = spells.read(
        subscriptions,
        {"customer": customer, "start": start, "end": end},
        period=Period("day", tz=tz),
        as_of=as_of,
        horizon=after - 1,
    )
    counted = {name: each.numerator for name, each in DEFINITIONS.items()}
    refuse_clash(customer, (*_MARKS, *(f"counted_by_{name}" for name in counted)))

    return CustomerTable(
        frame=spells.customer_table(log, first, after, counted),
        definition="churn.reconciled_customers",
        as_of=log.as_of.date,
        excluded=log.excluded,
        notes=window_notes(log, after, as_of, "incomplete" if after > log.as_of.observed_until else "ok"),
    )
