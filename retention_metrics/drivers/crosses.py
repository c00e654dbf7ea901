"""An outcome by two indicators at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt, indicators
from retention_metrics._stats import proportions
from retention_metrics.drivers.reading import ASSOCIATION, flags
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, Interval, Proportion, TableResult, result


@result
class DriverCross(TableResult):
    """An outcome by two indicators at once, a row per cell.

    Attributes
    ----------
    outcome, row, column : str
        The columns.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame(
    ...     {"results": ["good", "good", "bad", "bad"] * 5, "liked": [True, False] * 10, "lost": [0, 1, 0, 1] * 5}
    ... )
    >>> table = rm.drivers.cross(clients, outcome="lost", row="results", column="liked")
    >>> table.cell("good", False).estimate
    1.0
    """

    kind: ClassVar[str] = "drivers.cross"

    outcome: str
    row: str
    column: str
    level: float | None

    def cell(self, row: Cell, column: Cell) -> Proportion:
        """One cell as a share, ready for ``difference`` and ``ratio``.

        Parameters
        ----------
        row, column : str, int, float or bool
            Names of the groups, as in the rows.

        Returns
        -------
        Proportion
            Share of the cell's customers with the outcome.

        Raises
        ------
        InputError
            If there is no such cell.
        """
        for found in self.rows():
            if (found["row"], found["column"]) == (_named(row), _named(column)):
                hits, customers = int(str(found["outcomes"])), int(str(found["customers"]))
                return _share(hits, customers, level=self.level, definition=f"{self.definition}/cell")
        cells = ", ".join(f"({found['row']!r}, {found['column']!r})" for found in self.rows())
        raise InputError(f"row and column name a cell, one of {cells}; got ({row!r}, {column!r}).", argument="row")

    def explain(self) -> Explanation:
        """The share of the first cell."""
        first = self.rows()[0]
        return Explanation(
            formula="rate = customers with the outcome / customers, cell by cell",
            values={name: int(str(first[name])) for name in ("outcomes", "customers")},
            steps=(Step(name="rate", expression="outcomes / customers"),),
            source="Interval: Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212.",
        )


def cross(
    table: adopt.NativeFrame,
    *,
    outcome: str,
    row: str,
    column: str,
    quantiles: int = 2,
    level: float | None = 0.95,
) -> DriverCross:
    """Share with an outcome by two indicators at once.

    Parameters
    ----------
    table : dataframe
        One row per customer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation, counted in its own engine.
    outcome : str
        Column of the outcome, true or false, or 1 or 0.
    row, column : str
        Columns of the two indicators. Numbers are cut at their quantiles, anything else is told apart by value.
    quantiles : int, default 2
        Number of groups into which numbers are cut, at least 2: two are cut at the median.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    DriverCross
        Rows of ``row, column, customers, outcomes, rate, low, high``; cells without customers have no row.
        ``.cell(row, column)`` gives one for ``difference`` and ``ratio``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If the outcome is not true or false, or no customer is left to count.

    Notes
    -----
    Intervals are Wilson's [1]_. Equal values share a group: each is in the first that reaches it.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal of the
       American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame(
    ...     {
    ...         "performance": [1.0, 2.0, 8.0, 9.0] * 10,
    ...         "liked": ["no", "yes"] * 20,
    ...         "lost": [True, False, True, False] * 5 + [True, False, False, False] * 5,
    ...     }
    ... )
    >>> grid = rm.drivers.cross(clients, outcome="lost", row="performance", column="liked")
    >>> grid.to_frame()[["row", "column", "customers", "outcomes", "rate"]]
             row column  customers  outcomes  rate
    0    up to 5     no         10        10   1.0
    1    up to 5    yes         10         0   0.0
    2    above 5     no         10         5   0.5
    3    above 5    yes         10         0   0.0
    """
    roles = {"outcome": outcome, "row": row, "column": column}
    source = adopt.adopt(adopt.once(table, roles), roles)
    groups = _checks.count(quantiles, name="quantiles", low=2)
    level = _checks.level(level)

    cuts = {role: indicators.cut(source, role, quantiles=groups) for role in ("row", "column")}
    tally = indicators.cells(source, cuts)
    true, known = flags(indicators.Column.of(tally.keys["outcome"]), role="outcome", name=source.roles["outcome"])
    counts, excluded = _by_cell(
        zip(tally.keys["row"], tally.keys["column"], true.tolist(), known.tolist(), tally.counts.tolist(), strict=True)
    )
    if not counts:
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items()) or "no rows"
        raise InputError(f"no customer is left to count: {listed}.", argument="table", count=0)
    keys = sorted(counts, key=lambda key: [(isinstance(part, str), part) for part in key])
    customers, hits = (np.array([counts[key][place] for key in keys], dtype=np.float64) for place in (0, 1))
    low = high = [None] * len(keys)
    if level is not None:
        low, high = (end.tolist() for end in proportions.share_interval(hits, customers, level=level))

    return DriverCross(
        columns=Columns(
            {
                "row": [_named(cuts["row"].label(key[0])) for key in keys],
                "column": [_named(cuts["column"].label(key[1])) for key in keys],
                "customers": customers.astype(int).tolist(),
                "outcomes": hits.astype(int).tolist(),
                "rate": (hits / customers).tolist(),
                "low": list(low),
                "high": list(high),
            },
            {"rate": "number", "low": "number", "high": "number"},
        ),
        unit="share",
        definition="drivers.cross/rate",
        excluded=excluded,
        notes=(ASSOCIATION,),
        backend=source.backend,
        outcome=outcome,
        row=row,
        column=column,
        level=level,
    )


def _by_cell(
    rows: Iterable[tuple[Cell, Cell, bool, bool, int]],
) -> tuple[dict[tuple[Cell, Cell], list[int]], dict[str, int]]:
    """Customers, and those with the outcome, by cell; rows with anything missing apart."""
    counts: dict[tuple[Cell, Cell], list[int]] = {}
    excluded = {"missing_outcome": 0, "missing_row": 0, "missing_column": 0}
    for row, column, true, known, customers in rows:
        if not known or row is None or column is None:
            reason = "outcome" if not known else "row" if row is None else "column"
            excluded[f"missing_{reason}"] += customers
            continue
        cell = counts.setdefault((row, column), [0, 0])
        cell[0] += customers
        cell[1] += customers * true
    return counts, {reason: rows for reason, rows in excluded.items() if rows}


def _named(value: Cell) -> Cell:
    """Names of groups as words, so that a column of them has one type."""
    return value if isinstance(value, str) or value is None else str(value)


def _share(hits: int, customers: int, *, level: float | None, definition: str) -> Proportion:
    interval = None
    if level is not None:
        low, high = proportions.share_interval(hits, customers, level=level)
        interval = Interval(low=float(low), high=float(high), level=level, method="wilson")
    return Proportion(
        estimate=hits / customers,
        interval=interval,
        unit="share",
        definition=definition,
        numerator=hits,
        denominator=customers,
    )
