"""Churn by group and by quantile of a value, with ratios between groups and a trend across them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks, proportions
from retention_metrics._engine import adopt, amounts, groups
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Proportion, Result, TableResult, result

Integers = NDArray[np.int64]

_SNAPSHOT = (
    "Share marked churned among the customers of the table: a churn rate of a period only where all of them were "
    "followed over that period."
)
_TYPES: Mapping[str, ColumnType] = {
    "customers": "integer",
    "churned": "integer",
    "rate": "number",
    "low": "number",
    "high": "number",
    "status": "string",
}


@result
class ChurnTrend(Result):
    """The change of the churn rate from one group to the next, and its test.

    Attributes
    ----------
    statistic : float or None
        The Cochran-Armitage z; None where all customers, or none, are marked churned.
    p_value : float or None
        Probability of a z at least as far from zero where the groups do not differ.
    customers, churned : tuple of int
        The counts of the groups, in order; group k has the score k.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"size": ["1 small"] * 10 + ["2 large"] * 10, "left": [1] * 6 + [0] * 12 + [1] * 2})
    >>> trend = rm.churn.by_group(clients, churned="left", group="size").trend
    >>> round(trend.estimate, 3), round(trend.p_value, 3)
    (-0.4, 0.068)
    """

    kind: ClassVar[str] = "churn.trend"

    statistic: float | None
    p_value: float | None
    customers: tuple[int, ...]
    churned: tuple[int, ...]

    def explain(self) -> Explanation:
        """The weighted least-squares slope of the rates on the groups' numbers."""
        customers, churned = self.customers, self.churned
        scores = range(1, len(customers) + 1)
        values = {f"n{k}": n for k, n in zip(scores, customers, strict=True)}
        values |= {f"x{k}": x for k, x in zip(scores, churned, strict=True)}
        total = " + ".join(f"n{k}" for k in scores)
        weighted = " + ".join(f"n{k} * {k}" for k in scores)
        numerator = " + ".join(f"x{k} * ({k} - mean_score)" for k in scores)
        denominator = " + ".join(f"n{k} * ({k} - mean_score) ** 2" for k in scores)
        return Explanation(
            formula="slope = sum of churned_k (k - mean) / sum of customers_k (k - mean)^2, over groups k = 1, 2, …",
            values=values,
            steps=(
                Step(name="mean_score", expression=f"({weighted}) / ({total})"),
                Step(name="slope", expression=f"({numerator}) / ({denominator})"),
            ),
            source="Armitage, P. (1955), Biometrics 11, 375-386.",
        )


@result
class ChurnTable(TableResult):
    """Churn rates of groups of customers, with their counts.

    Attributes
    ----------
    level : float or None
        Probability content of the intervals.
    method : str
        Method of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"rep": ["Ana", "Ana", "Bo", "Bo"], "left": [True, False, False, False]})
    >>> table = rm.churn.by_group(clients, churned="left", group="rep")
    >>> table.group("Ana").estimate, round(table.difference("Ana", "Bo").interval.high, 3)
    (0.5, 0.905)
    """

    kind: ClassVar[str] = "churn.by_group"

    level: float | None
    method: stats.ProportionMethod

    def explain(self) -> Explanation:
        """The rate of each group as a quotient of two counts."""
        return Explanation(
            formula="rate = churned / customers, in each group",
            values={"customers": sum(self._counts("customers")), "churned": sum(self._counts("churned"))},
            steps=(),
            source=f"Definition of a proportion; interval by the {self.method} method.",
        )

    def ratio(self, a: Cell, b: Cell, *, method: stats.RatioMethod = "koopman") -> proportions.ProportionRatio:
        """Churn rate of one group over that of another, with its interval.

        Parameters
        ----------
        a, b : str or number
            Names of two groups, as in the column ``group``.
        method : {"koopman", "katz"}, default "koopman"
            Method of the interval.

        Returns
        -------
        ProportionRatio
            The rate of ``a`` over the rate of ``b``, at the level of the table.

        Raises
        ------
        InputError
            If a group is not in the table.
        """
        return proportions.ratio(self.group(a), self.group(b), level=self.level, method=method)

    def difference(self, a: Cell, b: Cell) -> proportions.ProportionDifference:
        """Churn rate of one group less that of another, with its interval.

        Parameters
        ----------
        a, b : str or number
            Names of two groups, as in the column ``group``.

        Returns
        -------
        ProportionDifference
            The rate of ``a`` less the rate of ``b``, at the level of the table.

        Raises
        ------
        InputError
            If a group is not in the table.
        """
        return proportions.difference(self.group(a), self.group(b), level=self.level)

    def group(self, name: Cell) -> Proportion:
        """One group's churn rate, with its counts.

        Parameters
        ----------
        name : str or number
            Name of the group, as in the column ``group``.

        Returns
        -------
        Proportion
            Its rate and interval.

        Raises
        ------
        InputError
            If the group is not in the table.
        """
        names = self.columns["group"]
        if name not in names:
            shown = ", ".join(repr(known) for known in names[:20])
            raise InputError(f"a group is one of {shown}; got {name!r}.", argument="group")
        place = names.index(name)
        customers, churned = self._counts("customers")[place], self._counts("churned")[place]
        interval = None
        if self.level is not None and customers:
            low, high = stats.share_interval(churned, customers, level=self.level, method=self.method)
            interval = Interval(low=float(low), high=float(high), level=self.level, method=self.method)
        return Proportion(
            estimate=churned / customers if customers else None,
            interval=interval,
            unit="share",
            definition=self.definition,
            notes=self.notes if customers else (*self.notes, "The rate is undefined: the group has no customers."),
            status="ok" if customers else "no_customers",
            backend=self.backend,
            numerator=churned,
            denominator=customers,
        )

    @property
    def trend(self) -> ChurnTrend:
        """The change of the rate per group, in the order of the rows, with its test and interval.

        The estimate is the slope of the rates on the groups' numbers 1, 2, …, weighted by customers, and the test
        is Cochran's and Armitage's. The interval joins those of the groups' rates (MOVER). Groups without customers
        keep their number and weigh nothing.
        """
        customers, churned = self._counts("customers"), self._counts("churned")
        n, x = np.array(customers, dtype=np.float64), np.array(churned, dtype=np.float64)
        scores = np.arange(1.0, n.size + 1)
        if np.count_nonzero(n) < 2:
            return self._trend(None, None, None, "The trend is undefined: it takes two groups with customers.")
        held = n > 0
        weights, rates = stats.trend_weights(n[held], scores[held]), x[held] / n[held]
        statistic = stats.trend_statistic(x[held], n[held], scores[held])
        interval = None
        if self.level is not None:
            low, high = stats.share_interval(x[held], n[held], level=self.level)
            _, down, up = stats.weighted_sum_interval(rates, low, high, weights=weights)
            interval = Interval(low=down, high=up, level=self.level, method="mover")
        untested = "There is no test: all customers are marked churned, or none." if statistic is None else None
        return self._trend(float(weights @ rates), interval, statistic, untested)

    def _trend(
        self, slope: float | None, interval: Interval | None, statistic: float | None, note: str | None
    ) -> ChurnTrend:
        names = ", ".join(str(name) for name in self.columns["group"])
        return ChurnTrend(
            estimate=slope,
            interval=interval,
            unit="share",
            definition="churn.trend/per-group",
            notes=(f"Groups in this order: {names}.", *((note,) if note else ())),
            status="ok" if slope is not None else "undefined",
            backend=self.backend,
            statistic=statistic,
            p_value=None if statistic is None else stats.two_sided_p_value(statistic),
            customers=self._counts("customers"),
            churned=self._counts("churned"),
        )

    def _counts(self, name: str) -> tuple[int, ...]:
        return tuple(cell for cell in self.columns[name] if isinstance(cell, int))


def by_group(
    customers: adopt.NativeFrame,
    *,
    churned: str,
    group: str,
    order: Sequence[Cell] | None = None,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> ChurnTable:
    """Share of customers marked churned, by group.

    Parameters
    ----------
    customers : dataframe
        One row per customer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    churned : str
        Column that is true, or 1, for customers who left.
    group : str
        Column of the group, such as the contract or the sales rep.
    order : sequence, optional
        The groups in the order of the rows and of the trend; by default they are sorted. A group without
        customers keeps its row, with status ``"no_customers"``.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Method of the intervals.

    Returns
    -------
    ChurnTable
        Rows of ``group, customers, churned, rate, low, high, status``; ``.ratio(a, b)``, ``.difference(a, b)``
        and ``.trend``. Customers without a group, or of unknown outcome, are counted in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If ``churned`` is not true or false, ``order`` leaves a group out, or no customer is left.

    Notes
    -----
    A rate is ``churned / customers``. The trend across groups k = 1, 2, … is the slope of the rates on k, tested
    by Cochran's and Armitage's z [1]_.

    References
    ----------
    .. [1] Armitage, P. (1955). Tests for linear trends in proportions and frequencies. *Biometrics* 11, 375-386.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"term": ["monthly"] * 40 + ["yearly"] * 80, "left": [1] * 36 + [0] * 68 + [1] * 16})
    >>> table = rm.churn.by_group(clients, churned="left", group="term")
    >>> table.to_frame()[["group", "customers", "churned", "rate"]]
         group  customers  churned  rate
    0  monthly         40       36   0.9
    1   yearly         80       16   0.2
    >>> round(table.ratio("monthly", "yearly").estimate, 2)
    4.5
    """
    source = adopt.adopt(customers, {"churned": churned, "group": group})
    level = _checks.level(level)
    chosen = _checks.choice(method, stats.PROPORTION_METHODS, name="method")

    tally = groups.tally(source, by=("group", "churned"))
    _require_rows(tally.rows, "customers")
    outcomes = _outcomes(tally.keys["churned"], tally.counts, column=churned)
    counts, excluded = _group_counts(tally.keys["group"], outcomes, tally.counts)
    names = _ordered(list(counts), order, column=group)

    return _table(
        {"group": names},
        np.array([counts.get(name, (0, 0))[0] for name in names], dtype=np.int64),
        np.array([counts.get(name, (0, 0))[1] for name in names], dtype=np.int64),
        level=level,
        method=chosen,
        definition="churn.rate/marked",
        excluded=excluded,
        notes=(_SNAPSHOT,),
        backend=source.backend,
    )


def by_quantile(
    customers: adopt.NativeFrame,
    *,
    churned: str,
    value: str,
    quantiles: int = 4,
    level: float | None = 0.95,
    method: stats.ProportionMethod = "wilson",
) -> ChurnTable:
    """Share of customers marked churned, by quantile of a value such as spend.

    Parameters
    ----------
    customers : dataframe
        One row per customer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    churned : str
        Column that is true, or 1, for customers who left.
    value : str
        Column of numbers to cut at its quantiles.
    quantiles : int, default 4
        Number of groups, at least 2; 4 cuts at the quartiles.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.
    method : {"wilson", "clopper_pearson", "jeffreys"}, default "wilson"
        Method of the intervals.

    Returns
    -------
    ChurnTable
        Rows of ``group, value_from, value_to, customers, churned, rate, low, high, status``, group 1 with the
        smallest values; ``value_from`` and ``value_to`` are the least and the greatest value in the group.
        Equal values share a group, so that ties may leave fewer groups than asked for, with a note. Customers
        without a value, or of unknown outcome, are counted in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles or does not hold numbers.
    InputError
        If ``churned`` is not true or false, a value is infinite, or no customer is left.

    Notes
    -----
    The cuts are the linear-interpolation quantiles of the value, and a customer belongs to the first group whose
    upper cut is at or above the value.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"spend": range(1, 101), "left": [1] * 20 + [0] * 60 + [1] * 5 + [0] * 15})
    >>> table = rm.churn.by_quantile(clients, churned="left", value="spend", quantiles=2)
    >>> table.to_frame()[["group", "value_from", "value_to", "customers", "churned", "rate"]]
       group  value_from  value_to  customers  churned  rate
    0      1         1.0      50.0         50       20   0.4
    1      2        51.0     100.0         50        5   0.1
    """
    roles = {"churned": churned, "value": value}
    source = adopt.adopt(adopt.once(customers, roles), roles)
    parts = _checks.count(quantiles, name="quantiles", low=2)
    level = _checks.level(level)
    chosen = _checks.choice(method, stats.PROPORTION_METHODS, name="method")
    amounts.refuse_words(source, "value")
    marked = groups.tally(source, by=("churned",))
    _require_rows(marked.rows, "customers")
    _outcomes(marked.keys["churned"], marked.counts, column=churned)

    cut = groups.quantile_tally(source, value="value", churned="churned", quantiles=parts)
    _require_kept(cut.customers.size, cut.excluded)

    made = cut.customers.size
    tied = f"Ties left {made} of the {parts} groups asked for: equal values share a group." if made < parts else None
    return _table(
        {"group": list(range(1, made + 1)), "value_from": list(cut.low), "value_to": list(cut.high)},
        cut.customers,
        cut.churned,
        level=level,
        method=chosen,
        definition="churn.rate/marked",
        excluded=cut.excluded,
        notes=(_SNAPSHOT, *((tied,) if tied else ())),
        backend=source.backend,
    )


def _require_rows(rows: int, name: str) -> None:
    if rows == 0:
        raise InputError(f"{name} has at least one row; got none.", argument=name, count=0)


def _require_kept(rows: int, excluded: Mapping[str, int]) -> None:
    if rows == 0:
        reasons = ", ".join(f"{reason} {count}" for reason, count in excluded.items())
        raise InputError(f"no customer is left to count: {reasons}.", argument="customers", count=0)


def _outcomes(values: Sequence[object], counts: Integers, *, column: str) -> list[bool | None]:
    """Each distinct mark as true, false or unknown."""
    strange = [place for place, mark in enumerate(values) if mark is not None and mark not in (0, 1)]
    if strange:
        rows, first = int(counts[strange].sum()), list(dict.fromkeys(values[place] for place in strange))
        raise InputError(
            f"{column} is True or False, or 1 or 0; {rows} of {int(counts.sum())} rows are not (first: {first[0]!r}).",
            argument="churned",
            column=column,
            count=rows,
            first=first[:3],
            fix=f"Compare it first with the word that means churned, as in frame[{column!r}] == 'Yes'.",
        )
    return [None if mark is None else bool(mark) for mark in values]


def _group_counts(
    names: Sequence[Cell], outcomes: Sequence[bool | None], counts: Integers
) -> tuple[dict[Cell, tuple[int, int]], dict[str, int]]:
    """Customers and churned customers of each group, and who was left out."""
    found: dict[Cell, tuple[int, int]] = {}
    excluded: dict[str, int] = {}
    for name, outcome, rows in zip(names, outcomes, counts.tolist(), strict=True):
        if name is None or outcome is None:
            reason = "missing_group" if name is None else "missing_churned"
            excluded[reason] = excluded.get(reason, 0) + rows
            continue
        customers, churned = found.get(name, (0, 0))
        found[name] = customers + rows, churned + rows * outcome
    _require_kept(len(found), excluded)
    return found, excluded


def _ordered(names: list[Cell], order: Sequence[Cell] | None, *, column: str) -> list[Cell]:
    if len({type(name) for name in names}) > 1:
        kinds = ", ".join(sorted({type(name).__name__ for name in names}))
        raise InputError(
            f"{column} holds values of one type; got {kinds}.",
            argument="group",
            column=column,
            fix="Convert it to text first.",
        )
    if order is None:
        return names
    if isinstance(order, str) or len(set(order)) != len(order):
        raise InputError(f"order lists each group once; got {order!r}.", argument="order")
    left_out = [name for name in names if name not in order]
    if left_out:
        raise InputError(
            f"order names every group; {len(left_out)} are left out (first: {left_out[0]!r}).",
            argument="order",
            count=len(left_out),
            first=left_out[:3],
        )
    return list(order)


def _table(
    keys: Mapping[str, Sequence[Cell]],
    customers: Integers,
    churned: Integers,
    *,
    level: float | None,
    method: stats.ProportionMethod,
    definition: str,
    excluded: Mapping[str, int],
    notes: tuple[str, ...],
    backend: str,
) -> ChurnTable:
    some = customers > 0
    rates = np.divide(churned, customers, out=np.full(customers.shape, np.nan), where=some)
    unknown = np.full(customers.shape, np.nan)
    low, high = (
        (unknown, unknown) if level is None else stats.share_interval(churned, customers, level=level, method=method)
    )
    cells = {
        **keys,
        "customers": customers.tolist(),
        "churned": churned.tolist(),
        "rate": rates.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "status": ["ok" if row else "no_customers" for row in some.tolist()],
    }
    return ChurnTable(
        columns=Columns(cells, types=_TYPES),
        unit="share",
        definition=definition,
        excluded=dict(excluded),
        notes=notes,
        backend=backend,
        level=level,
        method=method,
    )
