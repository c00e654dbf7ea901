"""From score to leaving: who stays by score or by how a failure was handled, and how well a score orders who leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multiplicity, proportions, regression, roc
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.answers import SCALES, Scale, classes
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Proportion, Result, TableResult, result

Floats = NDArray[np.float64]

ASSOCIATIONS = "Associations, not effects: the groups may differ in other ways."

_CLASSES = ("promoters", "passives", "detractors")
_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("customers", "churned"), "integer"),
    **dict.fromkeys(("rate", "low", "high", "difference", "difference_low", "difference_high"), "number"),
    **dict.fromkeys(("p_value", "p_adjusted"), "number"),
    "status": "string",
}


@result
class StayingTable(TableResult):
    """Shares of customers who stayed, each group against one of reference.

    Attributes
    ----------
    reference : str
        Name of the group that the others are compared with.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> left = [0] * 19 + [1] * 5 + [0] * 26 + [1] * 10
    >>> clients = pd.DataFrame({"score": [10] * 20 + [7] * 20 + [3] * 20, "left": left})
    >>> table = rm.nps.retention(clients, rating="score", churned="left")
    >>> table.to_frame()[["group", "customers", "churned", "rate"]]
            group  customers  churned  rate
    0   promoters         20        1  0.95
    1    passives         20        4  0.80
    2  detractors         20       10  0.50
    """

    kind: ClassVar[str] = "nps.staying"

    reference: str
    level: float | None

    def group(self, name: Cell) -> Proportion:
        """One group's share who stayed, ready for ``difference``, ``ratio`` and the claims of ``benchmarks``.

        Parameters
        ----------
        name : str, number or bool
            Name of the group, as in the rows.

        Returns
        -------
        Proportion
            ``estimate`` is None where nobody is in the group.

        Raises
        ------
        InputError
            If there is no such group.
        """
        found = next((row for row in self.rows() if row["group"] == name), None)
        if found is None:
            groups = ", ".join(map(repr, self.columns["group"]))
            raise InputError(f"name is one of the groups {groups}; got {name!r}.", argument="name")
        customers, churned = int(str(found["customers"])), int(str(found["churned"]))
        interval = None
        if self.level is not None and customers:
            low, high = proportions.share_interval(customers - churned, customers, level=self.level)
            interval = Interval(low=float(low), high=float(high), level=self.level, method="wilson")
        return Proportion(
            estimate=(customers - churned) / customers if customers else None,
            interval=interval,
            unit="share",
            definition=self.definition,
            notes=self.notes,
            status=str(found["status"]),
            backend=self.backend,
            numerator=customers - churned,
            denominator=customers,
        )

    def explain(self) -> Explanation:
        """The share of each group that stayed, less that of the reference."""
        return Explanation(
            formula="rate = (customers - churned) / customers; difference = rate - rate of the reference",
            values={"customers": sum(int(str(count)) for count in self.columns["customers"])},
            steps=(),
            source="Wilson, E. B. (1927), JASA 22, 209-212; "
            "Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890.",
        )


def retention(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    churned: str,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> StayingTable:
    """Share of promoters, passives and detractors who stayed.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. All were
        followed over the same time after they answered.
    rating, churned : str
        Columns of the answer, and of whether the customer left: true or false, or 1 or 0.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    StayingTable
        Rows of ``group, customers, churned, rate, low, high, difference, difference_low, difference_high, p_value,
        p_adjusted, status`` for promoters, passives and detractors; differences are from the promoters. Customers
        without an answer or of unknown outcome are counted in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, ``churned`` is not true or false, or no customer is left.

    See Also
    --------
    retention_curves : Curves, where customers were followed for unequal times: a share would mix them.
    ordering : How well the score orders who leaves.

    Notes
    -----
    Intervals of rates are Wilson's [1]_, of differences Newcombe's [2]_; the p-value is that of the pooled z test,
    adjusted by Holm's method. An association: what made a customer unhappy may also be what made the customer leave.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference. *Journal of the American Statistical Association* 22, 209-212.
    .. [2] Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. *Statistics
       in Medicine* 17, 873-890.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"score": [10] * 40 + [3] * 40, "left": [0] * 38 + [1] * 22 + [0] * 20})
    >>> last = rm.nps.retention(clients, rating="score", churned="left").rows()[2]
    >>> last["group"], last["rate"], round(last["difference"], 2), round(last["difference_high"], 2)
    ('detractors', 0.5, -0.45, -0.26)
    """
    source = adopt.adopt(customers, {"rating": rating, "churned": churned})
    level = _checks.level(level)
    offered = _checks.choice(scale, SCALES, name="scale")

    tally = engine.tally(source, by=("rating", "churned"))
    group = classes(tally.keys["rating"], tally.counts, name=rating, scale=offered)
    names = [None if code == 3 else _CLASSES[code] for code in group.tolist()]
    counted = _count(names, tally, churned=churned, missing="missing_rating")

    return _table(
        counted, _CLASSES, "promoters", level=level, definition="nps.retention/by-class", backend=source.backend
    )


def recovery(
    customers: adopt.NativeFrame,
    *,
    handling: str,
    churned: str,
    reference: Cell,
    level: float | None = 0.95,
) -> StayingTable:
    """Share of customers who stayed after a failure, by how it was handled.

    Parameters
    ----------
    customers : dataframe
        One row per customer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. All were followed over the
        same time.
    handling, churned : str
        Columns of how the failure was handled (such as ``"none"``, ``"put right"``, ``"late"``; or whether a detractor
        was followed up), and of whether the customer left: true or false, or 1 or 0.
    reference : str, number or bool
        The group that the others are compared with, such as the customers without a failure.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    StayingTable
        Rows as those of ``nps.retention``, the reference first and the others sorted.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If ``churned`` is not true or false, the reference is no group, or no customer is left.

    See Also
    --------
    retention_metrics.survival.kaplan_meier : Curves by handling, where customers were followed for unequal times.

    Notes
    -----
    Shares, intervals and tests are those of ``nps.retention``. An association: failures that were easily put right
    may have been small ones.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> kinds = ["none"] * 100 + ["put right"] * 50 + ["ignored"] * 50
    >>> left = [1] * 10 + [0] * 90 + [1] * 6 + [0] * 44 + [1] * 25 + [0] * 25
    >>> clients = pd.DataFrame({"failure": kinds, "left": left})
    >>> table = rm.nps.recovery(clients, handling="failure", churned="left", reference="none")
    >>> table.to_frame()[["group", "rate", "difference", "p_adjusted"]].round(3)
           group  rate  difference  p_adjusted
    0       none  0.90         NaN         NaN
    1    ignored  0.50       -0.40       0.000
    2  put right  0.88       -0.02       0.708
    """
    source = adopt.adopt(customers, {"handling": handling, "churned": churned})
    level = _checks.level(level)

    tally = engine.tally(source, by=("handling", "churned"))
    counted = _count(tally.keys["handling"], tally, churned=churned, missing="missing_handling")
    found = list(counted.customers)
    if reference not in found:
        shown = ", ".join(map(repr, found[:20]))
        raise InputError(f"reference is a group of {handling!r}: {shown}; got {reference!r}.", argument="reference")
    names = [reference, *(name for name in found if name != reference)]

    return _table(counted, names, reference, level=level, definition="nps.recovery/by-handling", backend=source.backend)


class _Counted(NamedTuple):
    customers: dict[Cell, int]
    churned: dict[Cell, int]
    excluded: dict[str, int]


def _count(names: Sequence[Cell], tally: Tally, *, churned: str, missing: str) -> _Counted:
    """Customers and leavers by group; those without a group or of unknown outcome apart."""
    left = outcomes(tally, column=churned)
    customers: dict[Cell, int] = {}
    gone: dict[Cell, int] = {}
    excluded = {missing: 0, "missing_churned": 0}
    for name, outcome, rows in zip(names, left, tally.counts.tolist(), strict=True):
        if name is None:
            excluded[missing] += rows
        elif outcome is None:
            excluded["missing_churned"] += rows
        else:
            customers[name] = customers.get(name, 0) + rows
            gone[name] = gone.get(name, 0) + rows * outcome
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    if not customers:
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items()) or "no rows"
        raise InputError(f"no customer is left to count: {listed}.", argument="data", count=0)
    return _Counted(customers, gone, excluded)


def outcomes(tally: Tally, *, column: str, role: str = "churned") -> list[int | None]:
    """1 where the role's mark is true, as for a customer who left, 0 where it is false, None where it is unknown."""
    marks = []
    for value in tally.keys[role]:
        if value is not None and value not in (0, 1):
            raise InputError(
                f"{role}={column!r} holds true and false, or 1 and 0; got {value!r}.",
                argument=role,
                column=column,
                first=[value],
            )
        marks.append(None if value is None else int(value))
    return marks


def _table(
    counted: _Counted, names: Sequence[Cell], reference: Cell, *, level: float | None, definition: str, backend: str
) -> StayingTable:
    n = [counted.customers.get(name, 0) for name in names]
    kept = [size - counted.churned.get(name, 0) for name, size in zip(names, n, strict=True)]
    at = list(names).index(reference)
    rows = [against(kept[row], n[row], kept[at], n[at], level=level, same=row == at) for row in range(len(names))]
    p_values = np.array([math.nan if row[-1] is None else row[-1] for row in rows], dtype=np.float64)
    raised = multiplicity.adjusted(p_values, method="holm")
    fields = ("rate", "low", "high", "difference", "difference_low", "difference_high", "p_value")
    columns: dict[str, list[Cell]] = {
        "group": list(names),
        "customers": list(n),
        "churned": [size - stayed for size, stayed in zip(n, kept, strict=True)],
        **{name: [row[place] for row in rows] for place, name in enumerate(fields)},
        "p_adjusted": [None if math.isnan(p) else float(p) for p in raised],
        "status": ["ok" if size else "no_customers" for size in n],
    }
    return StayingTable(
        columns=Columns(columns, _TYPES),
        unit="share",
        definition=definition,
        excluded=counted.excluded,
        notes=(ASSOCIATIONS,),
        backend=backend,
        reference=str(reference),
        level=level,
    )


def against(
    kept: int, n: int, kept_there: int, n_there: int, *, level: float | None, same: bool
) -> tuple[float | None, ...]:
    """Rate, its interval, difference from the reference, its interval, p-value."""
    if n == 0:
        return (None,) * 7
    low = high = down = up = p_value = gap = None
    if level is not None:
        low, high = (float(end) for end in proportions.share_interval(kept, n, level=level))
    if not same and n_there:
        gap = kept / n - kept_there / n_there
        pooled = (kept + kept_there) / (n + n_there)
        error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_there))
        p_value = proportions.two_sided_p_value(gap / error) if error > 0 else None
        if level is not None:
            down, up = proportions.difference_interval(kept, n, kept_there, n_there, level=level)
    return kept / n, low, high, gap, down, up, p_value


@result
class LeavingOrder(Result):
    """How well the score orders who leaves: 1 perfectly, 0.5 not at all.

    Attributes
    ----------
    leavers, stayers : int
        Customers who left and who stayed.
    pairs_ordered, pairs_tied : float
        Pairs of one of each in which the leaver scored lower, and in which both scored alike.
    odds_ratio : float or None
        Odds of leaving per further point of the score, from a logistic regression; None where it has no maximum.
    odds_interval : Interval or None
        Its Wald interval.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"score": [10, 9, 9, 8, 7, 6, 3, 2], "left": [0, 0, 0, 1, 0, 1, 0, 1]})
    >>> order = rm.nps.ordering(clients, rating="score", churned="left")
    >>> order.leavers, order.stayers, order.pairs_ordered, order.estimate
    (3, 5, 12.0, 0.8)
    """

    kind: ClassVar[str] = "nps.ordering"

    leavers: int
    stayers: int
    pairs_ordered: float
    pairs_tied: float
    odds_ratio: float | None
    odds_interval: Interval | None

    def explain(self) -> Explanation:
        """The share of pairs of a leaver and a stayer in which the leaver scored lower."""
        return Explanation(
            formula="area = (pairs in which the leaver scored lower + pairs tied / 2) / pairs",
            values={
                "pairs_ordered": self.pairs_ordered,
                "pairs_tied": self.pairs_tied,
                "leavers": self.leavers,
                "stayers": self.stayers,
            },
            steps=(Step(name="area", expression="(pairs_ordered + pairs_tied / 2) / (leavers * stayers)"),),
            source="DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988), Biometrics 44, 837-845.",
        )


def ordering(
    customers: adopt.NativeFrame,
    *,
    rating: str,
    churned: str,
    scale: Scale = "0-10",
    level: float | None = 0.95,
) -> LeavingOrder:
    """Probability that a customer who left had scored below one who stayed.

    Parameters
    ----------
    customers : dataframe
        One row per customer who answered: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation. All were
        followed over the same time after they answered.
    rating, churned : str
        Columns of the answer, and of whether the customer left: true or false, or 1 or 0.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    LeavingOrder
        ``estimate`` is the area under the ROC curve: 0.5 where the score says nothing, 1 where it orders perfectly.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, ``churned`` is not true or false, or nobody left, or nobody stayed.

    See Also
    --------
    concordance : The order in time, where customers were followed for unequal times.
    hazard_ratio : The hazard of leaving per point, likewise.

    Notes
    -----
    Ties count half. The interval is DeLong's on the logit scale [1]_; where all pairs are ordered, or none, that has
    no width and Newcombe's is given [2]_. The odds ratio is that of a logistic regression on the score itself.

    References
    ----------
    .. [1] DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more
       correlated receiver operating characteristic curves. *Biometrics* 44, 837-845.
    .. [2] Newcombe, R. G. (2006). Confidence intervals for an effect size measure based on the Mann-Whitney
       statistic, part 2. *Statistics in Medicine* 25, 559-573.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"score": [10] * 40 + [3] * 40, "left": [0] * 38 + [1] * 22 + [0] * 20})
    >>> order = rm.nps.ordering(clients, rating="score", churned="left")
    >>> round(order.estimate, 3), round(order.interval.low, 3), round(order.odds_ratio, 2)
    (0.782, 0.683, 0.66)
    """
    source = adopt.adopt(customers, {"rating": rating, "churned": churned})
    level = _checks.level(level)
    offered = _checks.choice(scale, SCALES, name="scale")

    tally = engine.tally(source, by=("rating", "churned"))
    scores, left, stayed, excluded = _by_score(tally, rating=rating, churned=churned, scale=offered)
    # Low scores foretell leaving: a stayer above a leaver is the order.
    share, error = roc.area(stayed, left)
    interval = _area_interval(share, error, left, stayed, level)
    slope = _logistic_slope(scores, left, stayed)
    ties = float(left @ stayed)

    return LeavingOrder(
        estimate=share,
        interval=interval,
        unit="share",
        definition="nps.ordering/area",
        excluded=excluded,
        notes=() if slope is not None else ("The odds ratio has no estimate: the score separates the two kinds.",),
        backend=source.backend,
        leavers=int(left.sum()),
        stayers=int(stayed.sum()),
        pairs_ordered=share * float(left.sum() * stayed.sum()) - ties / 2,
        pairs_tied=ties,
        odds_ratio=None if slope is None else math.exp(slope[0]),
        odds_interval=_odds_interval(slope, level),
    )


def _by_score(
    tally: Tally, *, rating: str, churned: str, scale: Scale
) -> tuple[Floats, Floats, Floats, dict[str, int]]:
    """Distinct scores in rising order with the leavers and the stayers at each."""
    group = classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)
    left = outcomes(tally, column=churned)
    at: dict[float, list[int]] = {}
    excluded = {"missing_rating": 0, "missing_churned": 0}
    for value, code, outcome, rows in zip(
        tally.keys["rating"], group.tolist(), left, tally.counts.tolist(), strict=True
    ):
        if code == 3 or outcome is None:
            excluded["missing_rating" if code == 3 else "missing_churned"] += rows
        else:
            at.setdefault(float(value), [0, 0])[outcome] += rows
    scores = np.array(sorted(at))
    table = np.array([at[score] for score in scores.tolist()], dtype=np.float64).reshape(-1, 2)
    for column, what in ((1, "nobody left"), (0, "nobody stayed")):
        if table[:, column].sum() == 0:
            raise InputError(f"an order takes customers who left and who stayed; {what}.", argument="churned")
    return scores, table[:, 1], table[:, 0], {reason: rows for reason, rows in excluded.items() if rows}


def _area_interval(share: float, error: float, left: Floats, stayed: Floats, level: float | None) -> Interval | None:
    if level is None:
        return None
    z = proportions.normal_quantile(level)
    low, high, method = roc.area_interval(share, error, float(left.sum()), float(stayed.sum()), z=z)
    return Interval(low=low, high=high, level=level, method=method)


def _logistic_slope(scores: Floats, left: Floats, stayed: Floats) -> tuple[float, float] | None:
    """Slope of the log-odds of leaving on the score and its standard error; None where there is no maximum."""
    leaving, staying = scores[left > 0], scores[stayed > 0]
    if leaving.max() <= staying.min() or staying.max() <= leaving.min():
        return None
    found = regression.logistic((scores - scores.mean())[:, None], left, left + stayed)
    return None if found is None else (float(found[0][0]), math.sqrt(float(found[1][0, 0])))


def _odds_interval(slope: tuple[float, float] | None, level: float | None) -> Interval | None:
    if slope is None or level is None:
        return None
    half = proportions.normal_quantile(level) * slope[1]
    return Interval(low=math.exp(slope[0] - half), high=math.exp(slope[0] + half), level=level, method="wald")
