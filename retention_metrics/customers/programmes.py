"""What keeping customers costs and earns: programmes, single customers, and onboarding."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

from retention_metrics import _checks
from retention_metrics._engine import programmes as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.tables import CustomerTable
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, Interval, Result, TableResult, result

__all__ = ["Onboarding", "RetentionCost", "keep_or_let_go", "onboarding", "retention_cost"]


@result
class RetentionCost(Result):
    """Cost of a programme per customer kept who would have left.

    Attributes
    ----------
    cost : float
        Of the programme.
    treated, kept : int
        Customers in it, and those of them who stayed.
    control, control_kept : int or None
        Comparable customers without it; None where all who stayed count as kept by it.
    """

    kind: ClassVar[str] = "customers.retention_cost"

    cost: float
    treated: int
    kept: int
    control: int | None
    control_kept: int | None

    def explain(self) -> Explanation:
        """The cost over the customers whom the programme kept."""
        if self.control is None:
            return Explanation(
                formula="cost per customer kept = cost / kept",
                values={"cost": self.cost, "kept": self.kept},
                steps=(Step(name="per_customer", expression="cost / kept"),) if self.estimate is not None else (),
                source="Definition of a mean cost.",
            )
        values = {"cost": self.cost, "treated": self.treated, "kept": self.kept}
        steps = (
            Step(name="lift", expression="kept / treated - control_kept / control"),
            Step(name="per_customer", expression="cost / (treated * lift)"),
        )
        return Explanation(
            formula="cost per customer kept = cost / (treated * (kept / treated - control_kept / control))",
            values={**values, "control": self.control, "control_kept": self.control_kept},
            steps=steps if self.estimate is not None else (),
            source="Newcombe (1998), Statistics in Medicine 17, 873-890, method 10, for the difference.",
        )


def retention_cost(
    *,
    cost: float,
    treated: int,
    kept: int,
    control: int | None = None,
    control_kept: int | None = None,
    level: float | None = 0.95,
) -> RetentionCost:
    """Cost of keeping a customer who would have left.

    Parameters
    ----------
    cost : float
        Of the programme in all, in money, at least 0.
    treated, kept : int
        Customers in the programme, and those of them who stayed.
    control, control_kept : int, optional
        Comparable customers without it, and those of them who stayed. Without a control every customer who stayed
        counts as kept by the programme, which flatters it; a note says so.
    level : float or None, default 0.95
        Probability content of the interval; None computes none.

    Returns
    -------
    RetentionCost
        ``estimate`` in money per customer kept; None, with status ``"no_lift"``, where no more stayed than without
        the programme. The interval carries Newcombe's for the difference, without a control Wilson's for the share who
        stayed; its upper end is infinite where that includes 0.

    Raises
    ------
    InputError
        If counts are out of range, or one of the two control counts is missing.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> found = rm.customers.retention_cost(cost=5000, treated=1000, kept=900, control=1000, control_kept=850)
    >>> round(found.estimate), round(found.interval.low), round(found.interval.high)
    (100, 63, 238)
    """
    spent, content = _checks.non_negative(cost, name="cost"), _checks.level(level)
    n, x = _pair(treated, kept, "treated", "kept")
    if (control is None) != (control_kept is None):
        raise InputError("control and control_kept are given together.", argument="control")
    about = {"cost": spent, "treated": n, "kept": x, "unit": "money per customer kept"}
    if control is None or control_kept is None:
        low, high = stats.share_interval(x, n, level=content or 0.95)
        note = "Without a control every customer who stayed counts as kept by the programme."
        return RetentionCost(
            estimate=spent / x if x else None,
            interval=_inverse(spent, n, float(low), float(high), content, method="wilson") if x else None,
            definition="customers.retention_cost/no-control",
            notes=(note,) if x else (note, "Nobody stayed."),
            status="ok" if x else "no_lift",
            control=None,
            control_kept=None,
            **about,  # type: ignore[arg-type]
        )
    m, y = _pair(control, control_kept, "control", "control_kept")
    lift = x / n - y / m
    low_lift, high_lift = stats.difference_interval(x, n, y, m, level=content or 0.95)
    gained = lift > 0
    doubt = (
        () if low_lift > 0 or not content else ("The programme may have kept nobody: the interval has no upper end.",)
    )
    return RetentionCost(
        estimate=spent / (n * lift) if gained else None,
        interval=_inverse(spent, n, low_lift, high_lift, content, method="newcombe") if gained else None,
        definition="customers.retention_cost/against-control",
        notes=doubt if gained else ("No more customers stayed than without the programme.",),
        status="ok" if gained else "no_lift",
        control=m,
        control_kept=y,
        **about,  # type: ignore[arg-type]
    )


def _pair(total: int, part: int, name: str, part_name: str) -> tuple[int, int]:
    n, x = _checks.count(total, name=name, low=1), _checks.count(part, name=part_name)
    if x > n:
        raise InputError(f"{part_name} is at most {name}; got {x} of {n}.", argument=part_name)
    return n, x


def _inverse(cost: float, n: int, low: float, high: float, level: float | None, *, method: str) -> Interval | None:
    if level is None:
        return None
    end = cost / (n * low) if low > 0 else math.inf
    return Interval(low=cost / (n * high), high=end, level=level, method=method)


def keep_or_let_go(
    customers: NativeFrame,
    *,
    margin: str,
    cost: str,
    low: str | None = None,
    high: str | None = None,
    level: float = 0.95,
) -> CustomerTable:
    """Expected margin of keeping each customer against its cost, and how surely.

    Parameters
    ----------
    customers : dataframe
        A row per customer, lazy or not.
    margin : str
        Column of the expected margin of keeping, such as ``clv`` of ``clv.lifetime_value``.
    cost : str
        Column of what serving and keeping the customer costs over the same time.
    low, high : str, optional
        Columns of the ends of the margin's interval, such as ``clv_low`` and ``clv_high``.
    level : float, default 0.95
        Probability content of that interval.

    Returns
    -------
    CustomerTable
        All columns, and ``net_margin``, with an interval ``probability_of_loss``, and ``decision``: ``"let_go"`` where
        a loss is surer than 0.95, ``"keep"`` where it is less sure than 0.05, ``"unsure"`` between; null where
        something is missing, which ``status`` names: ``"missing_margin"``, ``"missing_cost"``,
        ``"missing_interval"``, or ``"undefined"`` for infinity less infinity; otherwise it is ``"ok"``. Without ``low``
        and ``high`` the sign decides.

    Raises
    ------
    ColumnError
        If a column is missing, holds no numbers, or has the name of an answer.
    InputError
        If one end of the interval is given alone, the ends are reversed, or there are no rows.

    Notes
    -----
    The margin is normal around its estimate with the standard error (high - low) / (2 z). The interval of
    ``clv.lifetime_value`` is that of the expectation: what a single customer will do varies more.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> base = pd.DataFrame({"clv": [90.0, 30.0, 12.0], "clv_low": [60.0, 10.0, 8.0], "clv_high": [120.0, 50.0, 16.0]})
    >>> roles = {"margin": "clv", "cost": "cost", "low": "clv_low", "high": "clv_high"}
    >>> table = rm.customers.keep_or_let_go(base.assign(cost=25.0), **roles)
    >>> table.to_frame()["decision"].tolist()
    ['keep', 'unsure', 'let_go']
    """
    if (low is None) != (high is None):
        raise InputError("low and high are given together.", argument="low")
    content = _checks.level(level)
    if content is None:
        raise InputError("level is a probability in (0, 1), e.g. 0.95; got None.", argument="level")

    frame, _ = engine.net_margins(
        customers, margin=margin, cost=cost, low=low, high=high, quantile=stats.normal_quantile(content)
    )

    return CustomerTable(frame=frame, definition="customers.keep_or_let_go", excluded={})


@result
class Onboarding(TableResult):
    """Early churn and time to first use, onboarded customers against the rest.

    Attributes
    ----------
    by_day : float
        Day up to which a churn is early.
    difference : float or None
        Early churn of the onboarded less that of the rest.
    difference_interval : Interval or None
        Newcombe's interval for it.
    """

    kind: ClassVar[str] = "customers.onboarding"

    by_day: float
    difference: float | None
    difference_interval: Interval | None

    def explain(self) -> Explanation:
        """Early churn as a share of the customers who can be judged."""
        return Explanation(
            formula="early churn = left by the day / (left by the day + still there on the day), in each group",
            values={"by_day": self.by_day},
            steps=(),
            source="Newcombe (1998), Statistics in Medicine 17, 873-890, method 10, for the difference.",
        )


def onboarding(
    customers: NativeFrame,
    *,
    onboarded: str,
    duration: str,
    churned: str,
    first_use: str | None = None,
    by_day: float = 90,
    landmark: float = 0,
    level: float | None = 0.95,
) -> Onboarding:
    """Early churn and time to first use, onboarded against not.

    Parameters
    ----------
    customers : dataframe
        A row per customer.
    onboarded : str
        Column of true and false, or 1 and 0.
    duration : str
        Column of the days from the start to leaving, or to the end of observation.
    churned : str
        Column of true and false, or 1 and 0.
    first_use : str, optional
        Column of the days from the start to the first use, at least 0; missing where there was none.
    by_day : float, default 90
        Day up to which a churn is early.
    landmark : float, default 0
        Day by which onboarding is done. Customers who left before it are out of both groups: they could not have
        been onboarded, and counted as not onboarded they would make onboarding look good.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    Onboarding
        A row for the onboarded and one for the rest: ``group, customers, churned, early_churn, low, high``, and with
        ``first_use`` ``used, median_first_use, first_use_low, first_use_high`` of those who used it. ``.difference``
        with ``.difference_interval``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If a duration or first use is negative, a mark is neither true nor false, or a group is empty.

    Notes
    -----
    Customers observed for less than ``by_day`` who have not left are excluded and counted. The interval of the median
    is that of its order statistics. Who is onboarded is seldom drawn by lot, so the difference is no effect yet.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> base = pd.DataFrame(
    ...     {"helped": [True] * 50 + [False] * 50, "days": [200] * 45 + [30] * 5 + [200] * 35 + [30] * 15}
    ... ).assign(left=lambda table: table["days"] == 30)
    >>> found = rm.customers.onboarding(base, onboarded="helped", duration="days", churned="left")
    >>> round(found.difference, 2), round(found.difference_interval.low, 3), round(found.difference_interval.high, 3)
    (-0.2, -0.349, -0.043)
    """
    content = _checks.level(level)
    until, mark = _checks.positive(by_day, name="by_day"), _checks.non_negative(landmark, name="landmark")
    if mark >= until:
        raise InputError(f"landmark is before by_day ({until:g}); got {mark:g}.", argument="landmark")

    cells, backend, excluded = engine.early_leavers(
        customers, onboarded=onboarded, duration=duration, churned=churned, first_use=first_use
    )
    group, left = (_marks(cells[role], name=role) for role in ("onboarded", "churned"))
    days = _checks.floats(cells["duration"], name="duration", low=0.0)
    n = np.array(cells["customers"], dtype=np.int64)
    gone = left & (days < mark)
    early = left & (days <= until) & ~gone
    unseen = ~early & (days < until) & ~gone
    judged = ~gone & ~unseen
    for reason, rows in (("left_before_landmark", gone), ("observed_too_short", unseen)):
        if n[rows].sum():
            excluded[reason] = int(n[rows].sum())
    x = np.array([n[judged & early & side].sum() for side in (group, ~group)])
    size = np.array([n[judged & side].sum() for side in (group, ~group)])
    if not size.all():
        raise InputError(
            f"both groups have customers; onboarded {size[0]}, others {size[1]}.", argument="onboarded", count=0
        )
    low, high = stats.share_interval(x, size, level=content or 0.95)
    table: dict[str, list[object]] = {
        "group": ["onboarded", "not_onboarded"],
        "customers": size.tolist(),
        "churned": x.tolist(),
        "early_churn": (x / size).tolist(),
        "low": low.tolist() if content else [None, None],
        "high": high.tolist() if content else [None, None],
    }
    types = {"low": "number", "high": "number"}
    if first_use is not None:
        used = _first_uses(cells["first_use"], n)
        found = [_median(used[judged & side], n[judged & side], content) for side in (group, ~group)]
        for place, name in enumerate(("used", "median_first_use", "first_use_low", "first_use_high")):
            table[name] = [row[place] for row in found]
            types[name] = "number" if place else "integer"

    ends = stats.difference_interval(x[0], size[0], x[1], size[1], level=content) if content else None
    return Onboarding(
        columns=Columns(table, types),  # type: ignore[arg-type]
        definition="customers.onboarding/early-churn",
        excluded=excluded,
        notes=("Who is onboarded is seldom drawn by lot: the difference is no effect yet.",),
        backend=backend,
        by_day=until,
        difference=float(x[0] / size[0] - x[1] / size[1]),
        difference_interval=Interval(low=ends[0], high=ends[1], level=content, method="newcombe")
        if ends and content
        else None,
    )


def _marks(cells: list[object], *, name: str) -> NDArray[np.bool_]:
    return _checks.booleans(cells, name=name)  # type: ignore[arg-type]


def _first_uses(cells: list[object], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Days to the first use, missing where there was none."""
    used = np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    bad = (used < 0) | np.isinf(used)
    if bad.any():
        first = float(used[bad][0])
        raise InputError(
            f"first_use is at least 0 and finite; {counts[bad].sum()} of {counts.sum()} are not (such as {first:g}).",
            argument="first_use",
            count=int(counts[bad].sum()),
            first=[first],
            fix="Leave it missing where there was no use.",
        )
    return used


def _median(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    level: float | None,
) -> tuple[int, float | None, float | None, float | None]:
    """Median of the known values, and the order statistics that hold it with the probability asked for."""
    known = np.isfinite(values)
    order = np.argsort(values[known], kind="stable")
    line = np.repeat(values[known][order], counts[known][order])
    n = int(line.size)
    if not n:
        return 0, None, None, None
    middle = float((line[(n - 1) // 2] + line[n // 2]) / 2)
    if level is None:
        return n, middle, None, None
    rank = int(distributions.binom.ppf((1 - level) / 2, n, 0.5))
    # The interval from the rank-th to its mirror holds the median with at least this probability.
    if rank < 1:
        return n, middle, None, None
    return n, middle, float(line[rank - 1]), float(line[n - rank])
