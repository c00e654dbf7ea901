"""Retention curves: the Kaplan-Meier estimate of who is still there, with intervals, by group."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._stats import poisson, product_limit, proportions
from retention_metrics._stats.product_limit import SURVIVAL_METHODS, RiskTable, SurvivalMethod
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Result, result
from retention_metrics.survival import durations as rows
from retention_metrics.survival import log_ranks
from retention_metrics.survival.assumptions import MOST_STEPS, StepUnit
from retention_metrics.survival.estimates import (
    PRODUCT_LIMIT,
    HazardTable,
    LifetimeQuantile,
    RestrictedMean,
    RestrictedMeanDifference,
    SurvivalShare,
)

Floats = NDArray[np.float64]

_INDEPENDENT = (
    "Customers who are still there when last seen are taken to leave later as the others do (independent censoring)."
)
_TYPES: Mapping[str, ColumnType] = {
    "time": "number",
    "at_risk": "integer",
    "churned": "integer",
    "censored": "integer",
    "survival": "number",
    "low": "number",
    "high": "number",
}
_HAZARD_TYPES: Mapping[str, ColumnType] = {
    "month": "integer",
    "churned": "integer",
    "months": "number",
    "rate": "number",
    "low": "number",
    "high": "number",
    "status": "string",
}
# A curve that is one half up to rounding is at one half.
_ROUNDING = 1e-12
# Steps of working that a reader follows.
_SHOWN = 8
_MOST_PARTS = 1200


@result
class SurvivalCurve(Result):
    """Share of customers still there after each time, with its interval.

    Attributes
    ----------
    groups : Columns
        A row per group: ``group, customers, churned, rows``; without ``by=`` one row whose group is missing.
    time : numpy.ndarray
        Distinct times in months, rising within each group; the groups follow one another.
    at_risk, churned, censored : numpy.ndarray
        Customers watched just before each time, lost at it, and last seen at it.
    share, low, high : numpy.ndarray
        Share still there after each time, and its pointwise limits; no limits with ``level=None``.
    level : float or None
        Probability content of the intervals.
    method : str
        Method of the intervals.
    within_strata : LogRank or None
        The test of the groups within strata, where the curve was given strata.

    Notes
    -----
    A curve is a churn assumption in months (`Assumption`) wherever one is asked for, up to its last observed time.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> curve = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True])
    >>> curve.survival([0, 3, 6]).round(2).tolist()
    [1.0, 0.8, 0.6]
    >>> isinstance(curve, survival.Assumption)
    True
    """

    kind: ClassVar[str] = "survival.curve"
    step: ClassVar[StepUnit] = "month"

    groups: Columns
    time: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    churned: NDArray[np.float64]
    censored: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float | None
    method: str
    within_strata: log_ranks.LogRank | None = None

    # ---------------------------------------------------------------- one curve

    def at(self, t: float) -> SurvivalShare:
        """Share of customers still there after a time.

        Parameters
        ----------
        t : float
            Months since the start, at least 0 and no later than the last observed time.

        Returns
        -------
        SurvivalShare
            ``estimate`` and ``interval`` in [0, 1]. Where everybody or nobody is still there the interval is exact
            (``method="exact"``): the estimate has no variance there, and is not certain.

        Raises
        ------
        InputError
            If ``t`` is negative or past the last observed time, or the curve has several groups.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> share = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True]).at(6)
        >>> round(share.estimate, 3), round(share.interval.low, 3), round(share.interval.high, 3)
        (0.6, 0.126, 0.882)
        """
        curve = self._one()
        when = _checks.non_negative(t, name="t")
        self._refuse_past(curve, when)

        row = int(np.searchsorted(curve.table.time, when, side="right")) - 1
        lost = np.flatnonzero(curve.table.churned[: row + 1])
        last = int(lost[-1]) if lost.size else max(row, 0)
        estimate = float(curve.share[row]) if row >= 0 else 1.0

        return SurvivalShare(
            estimate=estimate,
            interval=self._share_interval(curve, row, estimate),
            unit="share",
            definition="survival.share/kaplan-meier",
            excluded=self.excluded,
            notes=self.notes,
            backend=self.backend,
            time=when,
            before=float(curve.share[last - 1]) if last > 0 else 1.0,
            at_risk=int(curve.table.at_risk[last]),
            churned=int(curve.table.churned[last]) if lost.size else 0,
        )

    def survival(self, k: ArrayLike, /) -> float | Floats:
        """Share of customers still there after some months.

        Parameters
        ----------
        k : array_like of float
            Months since the start, at least 0.

        Returns
        -------
        float or numpy.ndarray
            Share in [0, 1], of the shape of ``k``.

        Raises
        ------
        InputError
            If ``k`` is past the last observed time, or the curve has several groups.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> curve = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True])
        >>> round(curve.survival(5), 2)
        0.6
        """
        curve = self._one()
        months = _checks.floats(k, name="k", low=0.0)
        self._refuse_past(curve, float(months.max(initial=0.0)))
        found = np.append(curve.share, 1.0)[np.searchsorted(curve.table.time, months, side="right") - 1]
        return float(found) if np.ndim(found) == 0 else np.asarray(found, dtype=np.float64)

    @property
    def last(self) -> int:
        """The last whole month that was observed."""
        return math.floor(float(self._one().table.time[-1]))

    @property
    def median(self) -> LifetimeQuantile:
        """The time by which half of the customers have left, with its interval."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> LifetimeQuantile:
        """The time by which a share of the customers has left.

        Parameters
        ----------
        share : float
            Share that has left, in (0, 1): 0.5 gives the median lifetime.

        Returns
        -------
        LifetimeQuantile
            The first time at which no more than 1 - share are still there, in months. Undefined (None) where the
            curve does not fall so low. The interval holds the times at which the interval of the share still there
            holds 1 - share. It has no upper end where that stays above, and begins at the last observed time at the
            latest.

        Raises
        ------
        InputError
            If ``share`` is not in (0, 1), or the curve has several groups.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> curve = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, True, True])
        >>> curve.quantile(0.25).estimate, curve.median.interval.low, curve.median.interval.high
        (5.0, 0.0, inf)
        """
        curve = self._one()
        left = _checks.number(share, name="share", low=0.0, high=1.0, open_low=True, open_high=True)
        still = 1 - left
        row = _first_at_most(curve.share, still)
        reached = row < curve.share.size
        note = f"The curve ends at {curve.share[-1]:.3g}, above {still:.3g}: the time is past the last one observed."

        return LifetimeQuantile(
            estimate=float(curve.table.time[row]) if reached else None,
            interval=self._quantile_interval(curve, still),
            unit="months",
            definition="survival.quantile/kaplan-meier",
            excluded=self.excluded,
            notes=self.notes if reached else (*self.notes, note),
            status="ok" if reached else "not_reached",
            backend=self.backend,
            share=left,
            before=None if not reached else float(curve.share[row - 1]) if row else 1.0,
            after=float(curve.share[row]) if reached else None,
        )

    def mean(self, horizon: float) -> RestrictedMean:
        """Months that a customer stays within a horizon, on average.

        Parameters
        ----------
        horizon : float
            The months that count, above 0 and no later than the last observed time unless nobody is left by then.

        Returns
        -------
        RestrictedMean
            The area under the curve up to the horizon, in months, with an interval inside [0, horizon] that is
            symmetric on the scale of log(mean / (horizon - mean)). Where nobody left before the horizon it is exact.

        Raises
        ------
        InputError
            If ``horizon`` is not positive or past the last observed time, or the curve has several groups.

        Notes
        -----
        The variance is the sum of A(t)^2 d / (n (n - d)) over the times of loss, A(t) the area from t to the
        horizon [1]_.

        References
        ----------
        .. [1] Klein, J. P. and Moeschberger, M. L. (2003). *Survival Analysis*, 2nd ed., section 4.5. Springer.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> mean = survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True]).mean(6)
        >>> round(mean.estimate, 2), round(mean.interval.low, 2), round(mean.interval.high, 2)
        (5.2, 3.59, 5.8)
        """
        curve = self._one()
        months = _checks.positive(horizon, name="horizon")
        self._refuse_past(curve, months)
        return self._mean(curve, months)

    @property
    def hazard(self) -> HazardTable:
        """Customers lost per month of service in each month since the start, with exact Poisson intervals."""
        cells: dict[str, list[Cell]] = {name: [] for name in _HAZARD_TYPES}
        names: list[Cell] = []
        for name, curve in self._curves():
            found = self._hazard(curve)
            names += [name] * len(found["month"])
            for column, own in found.items():
                cells[column] += own
        grouped = {"group": names} if self.groups["group"] != (None,) else {}
        return HazardTable(
            columns=Columns({**grouped, **cells}, _HAZARD_TYPES),
            unit="per month",
            definition="survival.hazard/occurrence-exposure",
            excluded=self.excluded,
            notes=self.notes,
            backend=self.backend,
            level=self.level,
        )

    # ---------------------------------------------------------------- groups

    def group(self, name: Cell) -> SurvivalCurve:
        """The curve of one group.

        Parameters
        ----------
        name : str or number
            The group, as the data name it.

        Returns
        -------
        SurvivalCurve
            With one group.

        Raises
        ------
        InputError
            If there is no such group.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> curve = survival.kaplan_meier([3, 5, 5, 8], [True] * 4, by=["a", "a", "b", "b"])
        >>> curve.group("b").median.estimate
        5.0
        """
        names = self.groups["group"]
        if name not in names:
            raise InputError(f"group is one of {', '.join(map(repr, names))}; got {name!r}.", argument="name")
        place = names.index(name)
        curve = dict(enumerate(self._curves()))[place][1]
        return _curve(
            [(name, curve)],
            level=self.level,
            method=self.method,
            excluded=self.excluded,
            notes=self.notes,
            backend=self.backend,
        )

    def log_rank(self) -> log_ranks.LogRank:
        """Test of whether the groups leave alike, within strata where the curve has any.

        Returns
        -------
        LogRank
            Chi-squared with one degree of freedom less than there are groups, and its p-value. Of a curve with
            ``strata=`` the groups are compared among customers of the same stratum only.

        Raises
        ------
        InputError
            If the curve has one group.

        See Also
        --------
        log_rank : The same without a curve.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> stayed, left = [3, 5, 5, 8, 12, 6, 9, 11, 12, 12], [True, True, False, True, True] + [True] * 4 + [False]
        >>> curve = survival.kaplan_meier(stayed, left, by=["monthly"] * 5 + ["yearly"] * 5)
        >>> round(curve.log_rank().p_value, 3)
        0.28
        >>> sizes = ["small", "large"] * 5
        >>> curve = survival.kaplan_meier(stayed, left, by=["monthly"] * 5 + ["yearly"] * 5, strata=sizes)
        >>> round(curve.log_rank().p_value, 3)
        0.304
        """
        if self.within_strata is not None:
            return self.within_strata
        names = self.groups["group"]
        log_ranks.require_groups(names)
        sums = product_limit.log_rank_sums([curve.table for _, curve in self._curves()])
        return log_ranks.compared(names, self._whole("customers"), [sums], excluded=self.excluded, backend=self.backend)

    def difference(self, a: Cell, b: Cell, *, horizon: float) -> RestrictedMeanDifference:
        """Months that customers of one group stay longer than those of another, within a horizon.

        Parameters
        ----------
        a, b : str or number
            Two groups; the answer is ``a`` less ``b``.
        horizon : float
            The months that count, above 0 and observed in both groups.

        Returns
        -------
        RestrictedMeanDifference
            In months, with an interval that joins those of both means, and the p-value of the normal test.

        Raises
        ------
        InputError
            If a group is not there, both are the same, or the horizon is past the last observed time of one.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> curve = survival.kaplan_meier([3, 5, 5, 8, 7, 9, 9, 9], [True] * 8, by=["a"] * 4 + ["b"] * 4)
        >>> gap = curve.difference("b", "a", horizon=9)
        >>> gap.estimate, round(gap.interval.low, 2), round(gap.interval.high, 2)
        (3.25, 0.82, 5.07)
        """
        if a == b:
            raise InputError(f"a and b are two groups; got {a!r} twice.", argument="b")
        first, second = (self.group(name).mean(horizon) for name in (a, b))
        gap, error = float(first) - float(second), math.hypot(first.standard_error, second.standard_error)
        return RestrictedMeanDifference(
            estimate=gap,
            interval=_joined(first, second, gap),
            unit="months",
            definition="survival.restricted_mean_difference/kaplan-meier",
            excluded=self.excluded,
            notes=self.notes if error else (*self.notes, "There is no test: nobody left before the horizon."),
            backend=self.backend,
            mean_a=float(first),
            mean_b=float(second),
            horizon=first.horizon,
            standard_error=error,
            p_value=proportions.two_sided_p_value(gap / error) if error else None,
        )

    # ---------------------------------------------------------------- as a result

    @property
    def columns(self) -> Columns:
        """A row per time: ``time, at_risk, churned, censored, survival, low, high``, by ``group`` where given."""
        cells: dict[str, Sequence[Cell]] = {}
        names, lengths = self.groups["group"], self._whole("rows")
        if names != (None,):
            cells["group"] = [name for name, length in zip(names, lengths, strict=True) for _ in range(length)]
        arrays = (self.time, self.at_risk, self.churned, self.censored, self.share, self.low, self.high)
        for name, array in zip(_TYPES, arrays, strict=True):
            values = array.astype(np.int64) if _TYPES[name] == "integer" else array
            cells[name] = values.tolist() if array.size else [None] * self.time.size
        return Columns(cells, _TYPES)

    def rows(self) -> tuple[dict[str, Cell], ...]:
        """The rows of ``columns``, each as a dictionary.

        Returns
        -------
        tuple of dict
            In order of group and time.
        """
        return self.columns.rows()

    def _table(self) -> Columns:
        return self.columns

    def explain(self) -> Explanation:
        """The first factors of the product, of the first group."""
        _, curve = self._curves()[0]
        lost = np.flatnonzero(curve.table.churned)[:_SHOWN]
        values: dict[str, float] = {}
        steps = []
        for place, row in enumerate(lost.tolist(), start=1):
            values[f"time_{place}"] = float(curve.table.time[row])
            values[f"at_risk_{place}"] = int(curve.table.at_risk[row])
            values[f"churned_{place}"] = int(curve.table.churned[row])
            factor = f"1 - churned_{place} / at_risk_{place}"
            expression = factor if place == 1 else f"survival_{place - 1} * ({factor})"
            steps.append(Step(name=f"survival_{place}", expression=expression))
        return Explanation(
            formula="S(t) = product of 1 - churned / at risk over the times of loss up to t; the first are shown",
            values=values,
            steps=tuple(steps),
            source=f"{PRODUCT_LIMIT}.",
        )

    # ---------------------------------------------------------------- inside

    def _curves(self) -> list[tuple[Cell, _Curve]]:
        ends = np.cumsum(self._whole("rows")).tolist()
        found: list[tuple[Cell, _Curve]] = []
        for name, start, end in zip(self.groups["group"], [0, *ends], ends, strict=False):
            own = slice(start, end)
            table = RiskTable(self.time[own], self.at_risk[own], self.churned[own], self.censored[own])
            found.append((name, _Curve(table, self.share[own], self.low[own], self.high[own])))
        return found

    def _one(self) -> _Curve:
        curves = self._curves()
        if len(curves) > 1:
            names = self.groups["group"]
            raise InputError(
                f"the curve has {len(names)} groups: {', '.join(map(repr, names))}.",
                argument="by",
                fix=f"Take one of them, for instance .group({names[0]!r}).",
            )
        return curves[0][1]

    def _whole(self, name: str) -> list[int]:
        return [cell for cell in self.groups[name] if isinstance(cell, int)]

    def _refuse_past(self, curve: _Curve, t: float) -> None:
        last = float(curve.table.time[-1])
        if t > last and curve.share[-1] > 0:
            raise InputError(
                f"survival is known up to month {last:g} and is needed for month {t:g}.",
                argument="survival",
                fix="Ask for less, or let survival.assumption(curve, tail='constant_hazard') go on from there.",
            )

    def _share_interval(self, curve: _Curve, row: int, estimate: float) -> Interval | None:
        if self.level is None:
            return None
        if row < 0:
            low, high = float(product_limit.all_stayed(curve.table.at_risk[0], (1 - self.level) / 2)), 1.0
        else:
            low, high = float(curve.low[row]), float(curve.high[row])
        return Interval(low=low, high=high, level=self.level, method=self.method if 0 < estimate < 1 else "exact")

    def _quantile_interval(self, curve: _Curve, still: float) -> Interval | None:
        if self.level is None:
            return None
        time, last = curve.table.time, curve.table.time.size - 1
        at_start = float(product_limit.all_stayed(curve.table.at_risk[0], (1 - self.level) / 2))
        # A limit that never falls so low does so past the last observed time at the earliest.
        low = 0.0 if at_start <= still else float(time[min(_first_at_most(curve.low, still), last)])
        high = float(np.append(time, math.inf)[_first_at_most(curve.high, still)])
        return Interval(low=low, high=high, level=self.level, method=f"brookmeyer-crowley/{self.method}")

    def _mean(self, curve: _Curve, horizon: float) -> RestrictedMean:
        edges = np.append(np.arange(0.0, horizon), horizon)
        if edges.size > _MOST_PARTS:
            edges = np.linspace(0.0, horizon, _MOST_PARTS + 1)
        areas = np.diff(product_limit.area(curve.table.time, curve.share, edges))
        estimate = min(math.fsum(areas), horizon)
        error = math.sqrt(product_limit.restricted_mean_variance(curve.table, curve.share, horizon))
        return RestrictedMean(
            estimate=estimate,
            interval=self._mean_interval(curve, estimate, error, horizon),
            unit="months",
            definition="survival.restricted_mean/kaplan-meier",
            excluded=self.excluded,
            notes=self.notes,
            backend=self.backend,
            horizon=horizon,
            standard_error=error,
            parts=tuple(areas.tolist()),
        )

    def _mean_interval(self, curve: _Curve, estimate: float, error: float, horizon: float) -> Interval | None:
        if self.level is None:
            return None
        if error == 0:
            # All stayed to the horizon, or all left at one time: the exact limits of the share bound the area.
            row = int(np.searchsorted(curve.table.time, horizon))
            fewest = float(curve.table.at_risk[: row + 1].min())
            bound = float(product_limit.all_stayed(fewest, (1 - self.level) / 2))
            ends = (estimate * bound, horizon - (horizon - estimate) * bound)
            return Interval(low=ends[0], high=ends[1], level=self.level, method="exact")
        # The derivative of log(mean / (h - mean)) is h / (mean (h - mean)).
        beyond = horizon - estimate
        half = proportions.normal_quantile(self.level) * error * horizon / (estimate * beyond)
        low, high = (horizon * float(special.expit(math.log(estimate / beyond) + side)) for side in (-half, half))
        return Interval(low=low, high=high, level=self.level, method="logit")

    def _hazard(self, curve: _Curve) -> dict[str, list[Cell]]:
        months = max(math.ceil(curve.table.time[-1]), 1)
        if months > MOST_STEPS:
            raise InputError(
                f"a table by month has at most {MOST_STEPS} rows; the last time is {months}.", argument="t"
            )
        edges = np.arange(months + 1, dtype=np.float64)
        # A loss at the very start belongs to the first month, one at a month's end to that month.
        own = np.maximum(np.ceil(curve.table.time), 1).astype(np.int64) - 1
        lost = np.bincount(own, weights=curve.table.churned, minlength=months).astype(np.float64)
        watched = np.diff(product_limit.person_time(curve.table, edges))
        known = watched > 0
        rate = np.divide(lost, watched, out=np.full(months, np.nan), where=known)
        low, high = np.full(months, np.nan), np.full(months, np.nan)
        if self.level is not None:
            low[known], high[known] = poisson.rate_interval(lost[known], watched[known], level=self.level)
        return {
            "month": list(range(1, months + 1)),
            "churned": lost.astype(np.int64).tolist(),
            "months": watched.tolist(),
            "rate": rate.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "status": ["ok" if there else "no_customers" for there in known.tolist()],
        }


class _Curve(NamedTuple):
    """One group's risk sets, with its curve and limits."""

    table: RiskTable
    share: Floats
    low: Floats
    high: Floats


def kaplan_meier(
    durations: adopt.NativeFrame | ArrayLike,
    churned: str | ArrayLike,
    *,
    duration: str | None = None,
    entry: str | ArrayLike | None = None,
    by: str | ArrayLike | None = None,
    strata: str | ArrayLike | None = None,
    counts: str | ArrayLike | None = None,
    level: float | None = 0.95,
    method: SurvivalMethod = "log-log",
) -> SurvivalCurve:
    """Kaplan-Meier estimate of the share of customers still there over time.

    Parameters
    ----------
    durations : array_like of float, shape (n_customers,), or dataframe
        Months that each customer stayed, or was watched: at least 0. Missing ones are excluded and counted.
    churned : array_like of bool, shape (n_customers,), or str
        True where the customer left then, false where still there when last seen (right censoring); or its column.
    duration : str, optional
        Column of the durations; required with a dataframe.
    entry : array_like of float, shape (n_customers,), or str, optional
        Months after the start at which each customer came under observation (left truncation), below its duration;
        0 is from the start. Or its column.
    by : array_like, shape (n_customers,), or str, optional
        A curve for each of these groups; or their column.
    strata : array_like, shape (n_customers,), or str, optional
        Beside ``by``: ``.log_rank()`` compares groups among customers of the same stratum only, such as one size; or
        their column. The curves are of all strata together, without the customers whose stratum is missing.
    counts : array_like of int, shape (n_customers,), or str, optional
        Customers behind each row; or their column.
    level : float or None, default 0.95
        Probability content of the pointwise intervals, in (0, 1); None computes no interval.
    method : {"log-log", "log", "greenwood"}, default "log-log"
        The scale on which the interval is symmetric: log(-log S), log S, or S itself, clipped to [0, 1].

    Returns
    -------
    SurvivalCurve
        ``.at(t)``, ``.median``, ``.quantile(share)``, ``.mean(horizon)``, ``.hazard``; with ``by=`` also
        ``.group(name)``, ``.log_rank()`` and ``.difference(a, b, horizon=)``.

    Raises
    ------
    InputError
        If no customer is left, or a duration is negative, infinite or not past its entry.
    ColumnError
        If a column is missing or plays two roles.

    Notes
    -----
    S(t) is the product of 1 - d/n over the times of loss up to t, with d lost of n at risk; who is last seen at a
    time is at risk at it [1]_. Greenwood's variance is S(t)^2 times the sum of d / (n (n - d)) [2]_; limits on the
    scale of log(-log S) stay inside (0, 1) and keep their level best in small samples [3]_. Before the first loss,
    and when nobody is left, there is no variance to estimate, and the limits are exact ones.

    The durations of customers that a snapshot still shows miss those who left before it and were deleted: then the
    curve is too high unless ``entry`` says when each came under observation.

    References
    ----------
    .. [1] Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. *Journal of
       the American Statistical Association* 53, 457-481.
    .. [2] Greenwood, M. (1926). The natural duration of cancer. *Reports on Public Health and Medical Subjects* 33.
    .. [3] Borgan, O. and Liestol, K. (1990). A note on confidence intervals and bands for the survival function
       based on transformations. *Scandinavian Journal of Statistics* 17, 35-41.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import survival
    >>> clients = pd.DataFrame({"months": [3, 5, 5, 8, 12], "left": [True, True, False, False, True]})
    >>> curve = survival.kaplan_meier(clients, duration="months", churned="left", level=None)
    >>> curve.to_frame()[["time", "at_risk", "churned", "censored", "survival"]]
       time  at_risk  churned  censored  survival
    0   3.0        5        1         0       0.8
    1   5.0        4        1         1       0.6
    2   8.0        2        0         1       0.6
    3  12.0        1        1         0       0.0
    >>> curve.median.estimate
    12.0
    """
    level = _checks.level(level)
    chosen = _checks.choice(method, SURVIVAL_METHODS, name="method")
    if strata is not None and by is None:
        raise InputError("strata= are those within which by= is compared; by= is missing.", argument="strata")
    found = rows.read(durations, churned, duration=duration, entry=entry, counts=counts, by=by, strata=strata)

    curve = estimated(found, level=level, method=chosen)
    return curve if strata is None else dataclasses.replace(curve, within_strata=log_ranks.tested(found))


def estimated(
    found: rows.Durations, *, level: float | None, method: SurvivalMethod = "log-log", more: Sequence[str] = ()
) -> SurvivalCurve:
    """The curve of customers, or one per group in the order of their labels; ``more`` are notes besides its own."""
    grouped = "by" in found.labels
    parts = list(found.split("by")) if grouped else [(None, found)]
    curves = [(name, _estimated(part.risk_table(), level, method)) for name, part in parts]
    notes = [note for name, curve in curves for note in _notes(curve, f"{name}: " if grouped else "")]

    return _curve(
        curves,
        level=level,
        method=method,
        excluded=found.excluded,
        notes=(_INDEPENDENT, *notes, *more),
        backend=found.backend,
    )


def _estimated(table: RiskTable, level: float | None, method: SurvivalMethod) -> _Curve:
    share, greenwood = product_limit.survival(table)
    if level is None:
        return _Curve(table, share, np.zeros(0), np.zeros(0))
    z, tail = proportions.normal_quantile(level), (1 - level) / 2
    return _Curve(table, share, *product_limit.survival_limits(table, share, greenwood, z=z, tail=tail, method=method))


def _notes(curve: _Curve, prefix: str) -> list[str]:
    """What to know about a curve that begins late, or below 1, or falls to 0 too early."""
    table, found = curve.table, []
    if table.at_risk[0] == 0:
        found.append(f"nobody was watched before month {table.time[0]:g}: the share is of those who stayed so long.")
    if table.time[0] == 0 and table.churned[0] > 0:
        found.append(f"{table.churned[0]:g} left at time 0: the curve begins below 1.")
    gone = np.flatnonzero(curve.share == 0)
    if gone.size and table.at_risk[gone[0] + 1 :].any():
        found.append(
            f"all {table.at_risk[gone[0]]:g} at risk left at month {table.time[gone[0]]:g}, and the curve stays at 0 "
            "although others came under observation later."
        )
    return [prefix + (note if prefix else note[0].upper() + note[1:]) for note in found]


def _curve(
    curves: Sequence[tuple[Cell, _Curve]],
    *,
    level: float | None,
    method: str,
    excluded: Mapping[str, int],
    notes: tuple[str, ...],
    backend: str,
) -> SurvivalCurve:
    """One result from the curves of its groups."""
    tables = [curve.table for _, curve in curves]
    # Each customer leaves or is last seen once.
    groups: dict[str, Sequence[Cell]] = {
        "group": [name for name, _ in curves],
        "customers": [int(table.churned.sum() + table.censored.sum()) for table in tables],
        "churned": [int(table.churned.sum()) for table in tables],
        "rows": [table.time.size for table in tables],
    }
    return SurvivalCurve(
        unit="share",
        definition="survival.curve/kaplan-meier",
        excluded=excluded,
        notes=notes,
        backend=backend,
        groups=Columns(groups, {"group": "string"} if groups["group"] == [None] else None),
        time=_joint([table.time for table in tables]),
        at_risk=_joint([table.at_risk for table in tables]),
        churned=_joint([table.churned for table in tables]),
        censored=_joint([table.censored for table in tables]),
        share=_joint([curve.share for _, curve in curves]),
        low=_joint([curve.low for _, curve in curves]),
        high=_joint([curve.high for _, curve in curves]),
        level=level,
        method=method,
    )


def _joint(arrays: Sequence[Floats]) -> Floats:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _first_at_most(falling: Floats, share: float) -> int:
    """The first place at which the values are down to a share; their number where they never are."""
    down = falling <= share * (1 + _ROUNDING)
    return int(np.argmax(down)) if down.any() else falling.size


def _joined(a: RestrictedMean, b: RestrictedMean, gap: float) -> Interval | None:
    """The interval of a difference from those of both means (Zou and Donner 2008)."""
    if a.interval is None or b.interval is None:
        return None
    down = math.hypot(float(a) - a.interval.low, b.interval.high - float(b))
    up = math.hypot(a.interval.high - float(a), float(b) - b.interval.low)
    return Interval(low=gap - down, high=gap + up, level=a.interval.level, method="mover")
