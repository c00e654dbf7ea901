"""The log-rank test: do groups of customers leave alike?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from retention_metrics._engine import adopt
from retention_metrics._stats.product_limit import LogRankSums, RiskTable, log_rank_sums
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, Result, result
from retention_metrics.survival import durations as rows

_ROUNDING = 1e-10
_TYPES: dict[str, ColumnType] = {"customers": "integer", "observed": "integer", "expected": "number"}


@result
class LogRank(Result):
    """The log-rank test that groups leave alike: its chi-squared and p-value.

    Attributes
    ----------
    p_value : float or None
        Probability of a chi-squared at least as large where the groups do not differ.
    degrees_of_freedom : int
        One less than the number of groups that can be told apart.
    groups : Columns
        A row per group: ``group, customers, observed, expected`` losses.
    weights : tuple of float
        What the chi-squared gives to the difference of observed and expected losses of each group.
    strata : int
        The strata within which groups were compared; 1 without.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> stayed, left = [3, 5, 5, 8, 12, 6, 9, 11, 12, 12], [True, True, False, True, True] + [True] * 4 + [False]
    >>> test = survival.log_rank(stayed, left, by=["monthly"] * 5 + ["yearly"] * 5)
    >>> round(test.estimate, 3), round(test.p_value, 3)
    (1.167, 0.28)
    """

    kind: ClassVar[str] = "survival.log_rank"

    p_value: float | None
    degrees_of_freedom: int
    groups: Columns
    weights: tuple[float, ...]
    strata: int

    def _table(self) -> Columns:
        """A row per group, with the test beside each."""
        n = self.groups.height
        cells = {"chi_squared": [self.estimate] * n, "p_value": [self.p_value] * n}
        return Columns({**self.groups, **cells}, {**self.groups.types, "chi_squared": "number", "p_value": "number"})

    def explain(self) -> Explanation:
        """Differences of observed and expected losses, weighted by the inverse of their covariance."""
        values: dict[str, float] = {}
        steps, terms = [], []
        for place, row in enumerate(self.groups.rows(), start=1):
            values[f"observed_{place}"] = float(str(row["observed"]))
            values[f"expected_{place}"] = float(str(row["expected"]))
            values[f"weight_{place}"] = self.weights[place - 1] if self.weights else 0.0
            steps.append(Step(name=f"difference_{place}", expression=f"observed_{place} - expected_{place}"))
            terms.append(f"difference_{place} * weight_{place}")
        if self.estimate is not None:
            steps.append(Step(name="chi_squared", expression=" + ".join(terms)))
        return Explanation(
            formula="chi-squared = (O - E)' V^-1 (O - E), weights V^-1 (O - E)",
            values=values,
            steps=tuple(steps),
            source="Mantel, N. (1966), Cancer Chemotherapy Reports 50, 163-170; Peto, R. and Peto, J. (1972), Journal "
            "of the Royal Statistical Society A 135, 185-207.",
        )


def log_rank(
    durations: adopt.NativeFrame | ArrayLike,
    churned: str | ArrayLike,
    *,
    duration: str | None = None,
    by: str | ArrayLike,
    strata: str | ArrayLike | None = None,
    entry: str | ArrayLike | None = None,
    counts: str | ArrayLike | None = None,
) -> LogRank:
    """Test of whether groups of customers leave alike, within strata where given.

    Parameters
    ----------
    durations : array_like of float, shape (n_customers,), or dataframe
        How long each customer stayed, or was watched: at least 0.
    churned : array_like of bool, shape (n_customers,), or str
        True where the customer left then, false where still there when last seen; or its column.
    duration : str, optional
        Column of the durations; required with a dataframe.
    by : array_like, shape (n_customers,), or str
        The groups that are compared, or their column.
    strata : array_like, shape (n_customers,), or str, optional
        Groups are compared among customers of the same stratum only, such as one size; or their column.
    entry : array_like of float, shape (n_customers,), or str, optional
        When each customer came under observation, below its duration; 0 is from the start.
    counts : array_like of int, shape (n_customers,), or str, optional
        Customers behind each row.

    Returns
    -------
    LogRank
        ``estimate`` is the chi-squared. Undefined (None) where nobody left while two groups were at risk.

    Raises
    ------
    InputError
        If there are fewer than two groups, or a value is impossible.
    ColumnError
        If a column is missing or plays two roles.

    See Also
    --------
    kaplan_meier : The curves themselves; ``.log_rank()`` compares its groups.

    Notes
    -----
    At each time of loss the losses are shared among the groups as the customers at risk are; observed and expected
    losses are summed over times and strata, and their difference is set against its hypergeometric covariance. The
    test sees steady ratios of churn best; curves that cross can hide from it.

    References
    ----------
    .. [1] Mantel, N. (1966). Evaluation of survival data and two new rank order statistics arising in its
       consideration. *Cancer Chemotherapy Reports* 50, 163-170.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> stayed, left = [3, 5, 5, 8, 12, 6, 9, 11, 12, 12], [True, True, False, True, True] + [True] * 4 + [False]
    >>> term, size = ["monthly"] * 5 + ["yearly"] * 5, ["small", "large"] * 5
    >>> round(survival.log_rank(stayed, left, by=term, strata=size).p_value, 3)
    0.304
    """
    found = rows.read(durations, churned, duration=duration, entry=entry, counts=counts, by=by, strata=strata)
    return tested(found)


def tested(found: rows.Durations) -> LogRank:
    """The test of durations in groups, within strata where they have any."""
    names = found.labels["by"].names if "by" in found.labels else ()
    require_groups(names)

    parts = list(found.split("strata")) if "strata" in found.labels else [("", found)]
    sums = []
    for _, part in parts:
        tables = {name: own.risk_table() for name, own in part.split("by")}
        sums.append(_sums([tables.get(name) for name in names]))
    customers = [int(own.customers) for _, own in found.split("by")]

    return compared(names, customers, sums, excluded=found.excluded, backend=found.backend)


def require_groups(names: Sequence[Cell]) -> None:
    """Refuse to compare fewer than two groups."""
    if len(names) < 2:
        got = f"one, {names[0]!r}" if names else "none"
        raise InputError(f"a log-rank test compares two groups or more; got {got}.", argument="by", fix="Give by=.")


def _sums(tables: Sequence[RiskTable | None]) -> LogRankSums:
    """Sums of one stratum; a group without customers in it adds nothing."""
    there = np.array([place for place, table in enumerate(tables) if table is not None])
    own = log_rank_sums([table for table in tables if table is not None])
    k = len(tables)
    observed, expected, covariance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    observed[there], expected[there] = own.observed, own.expected
    covariance[np.ix_(there, there)] = own.covariance
    return LogRankSums(observed, expected, covariance)


def compared(
    names: Sequence[Cell],
    customers: Sequence[int],
    sums: Sequence[LogRankSums],
    *,
    excluded: Mapping[str, int],
    backend: str,
) -> LogRank:
    """The test from its sums, one per stratum."""
    observed, expected, covariance = (np.sum([part[field] for part in sums], axis=0) for field in range(3))
    # The differences add up to 0, so that the covariance is singular up to rounding.
    freedom = int(np.linalg.matrix_rank(covariance, tol=_ROUNDING * np.abs(covariance).max(), hermitian=True))
    weights = np.linalg.pinv(covariance, rcond=_ROUNDING, hermitian=True) @ (observed - expected)
    chi_squared = max(float((observed - expected) @ weights), 0.0) if freedom else None
    unknown = "There is no test: nobody left while customers of two groups were at risk."
    return LogRank(
        estimate=chi_squared,
        unit="chi-squared",
        definition="survival.log_rank/" + ("stratified" if len(sums) > 1 else "unstratified"),
        excluded=excluded,
        notes=() if freedom else (unknown,),
        status="ok" if freedom else "undefined",
        backend=backend,
        p_value=None if chi_squared is None else float(special.chdtrc(freedom, chi_squared)),
        degrees_of_freedom=freedom,
        groups=Columns(
            {
                "group": list(names),
                "customers": list(customers),
                "observed": observed.astype(np.int64).tolist(),
                "expected": expected.tolist(),
            },
            _TYPES,
        ),
        weights=tuple(weights.tolist()) if freedom else (),
        strata=len(sums),
    )
