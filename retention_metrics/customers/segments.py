"""Recency, frequency and money: scores, named segments, moves between them, and audiences."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks, locales
from retention_metrics._engine import beside
from retention_metrics._engine import customers as engine
from retention_metrics._engine.adopt import NativeFrame, adopt, once
from retention_metrics._engine.audit import Duplicates
from retention_metrics._engine.tables import CustomerTable
from retention_metrics._stats import proportions as stats
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.periods import moment, months_before
from retention_metrics.results import Columns, TableResult, result

__all__ = [
    "SegmentMoves",
    "SegmentSizes",
    "audiences",
    "migrations",
    "segment_names",
    "segment_sizes",
    "segments",
    "stage_names",
]

Integers = NDArray[np.int64]
NEWCOMER = "not_yet_a_customer"
# Below it data-driven personalisation may not be needed (DOMAIN: one practitioner's rule).
PERSONALISATION_BASE = 1000


def grid() -> dict[tuple[int, int], str]:
    """The segment of each (recency score, frequency score)."""
    text = resources.files("retention_metrics.customers").joinpath("segments.toml").read_text(encoding="utf-8")
    rows: Mapping[str, list[str]] = tomllib.loads(text)
    return {(int(row), place + 1): name for row, names in rows.items() for place, name in enumerate(names)}


@result
class SegmentSizes(TableResult):
    """How large each segment is, and whether it is large enough to tell apart.

    Attributes
    ----------
    customers : int
        Customers in all.
    needed : int
        Customers that a segment needs for the difference asked for.
    """

    kind: ClassVar[str] = "customers.segment_sizes"

    customers: int
    needed: int

    def explain(self) -> Explanation:
        """A segment's share of the customers, and the size that a comparison needs."""
        return Explanation(
            formula="share = customers of the segment / customers; needed = (z_level + z_power)^2 / (2 difference^2)",
            values={"customers": self.customers, "needed": self.needed},
            steps=(),
            source="Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, 3rd ed., chapter 4.",
        )


@result
class SegmentMoves(TableResult):
    """Customers who moved from segment to segment between two dates."""

    kind: ClassVar[str] = "customers.migrations"

    def explain(self) -> Explanation:
        """The share of a segment's customers who are in another one later."""
        return Explanation(
            formula="share = customers who were in one segment and are in the other / customers who were in the one",
            values={"customers": sum(int(str(row["customers"])) for row in self.rows())},
            steps=(),
            source="Definition of a proportion; interval by Wilson (1927).",
        )

    def matrix(self) -> dict[str, dict[str, float]]:
        """The transition matrix.

        Returns
        -------
        dict of dict
            The share who moved, by segment before and segment after; segments that nobody moved to are absent.
        """
        found: dict[str, dict[str, float]] = {}
        for row in self.rows():
            found.setdefault(str(row["before"]), {})[str(row["after"])] = float(str(row["share"]))
        return found


def segments(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    as_of: str | dt.date | None = None,
    months: int = 3,
    tz: str | None = None,
    duplicates: Duplicates = "keep",
    audit: bool = True,
) -> CustomerTable:
    """Scores of recency, frequency and money from 1 to 5, and a named segment.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money; without money there is no ``monetary_score``.
    as_of : date, optional
        End of observation; by default the last day of the log.
    months : int, default 3
        Calendar months without a purchase after which a customer is lapsing, and lapsed after twice as many.
    tz : str, optional
        IANA time zone in which times are cut to days.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are (a lazy table is not run for it); a copy, left out and counted; or an error.
    audit : bool, default True
        Run the one query that counts rows; without it ``as_of`` is required.

    Returns
    -------
    CustomerTable
        ``days_since_last, purchases, revenue, recency_score, frequency_score, monetary_score, segment`` and
        ``lifecycle_stage``. Segment and stage are identifiers; ``segment_names`` and ``stage_names`` have their names.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If nothing is left.

    Notes
    -----
    A score is 1 plus the quintiles that the value exceeds, 5 the best: equal values share a score, and where most
    customers bought once their score is 1 and 5 marks those who bought more often. The segment follows from recency
    and frequency by a fixed table, since money says what a customer is worth and not what to do.

    Scores compare customers with each other, stages with the calendar: ``"new"`` (one day of purchase) or ``"active"``
    (several) for who bought within ``months``, then ``"lapsing"`` up to twice as long, then ``"lapsed"``.

    References
    ----------
    .. [1] Hughes, A. M. (1994). *Strategic Database Marketing*. Probus.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> rm.customers.segments(rm.datasets.cdnow(), **roles).to_frame()["segment"].value_counts().head(2).to_dict()
    {'hibernating': 869, 'champions': 413}
    """
    span = _checks.count(months, name="months", low=1)
    people = engine.buyers(
        transactions, customer=customer, time=time, value=value, as_of=as_of, tz=tz, audit=audit, duplicates=duplicates
    )
    return CustomerTable(
        frame=engine.finish(people, engine.segmented(people, grid(), [stage(people, span)])),
        definition="customers.segments/quintiles",
        unit="day",
        as_of=people.as_of.date,
        excluded=people.excluded,
        notes=people.notes,
    )


def stage(people: engine.Buyers, months: int) -> engine.Column:
    """The stage of each customer's life, as a column of the plan."""
    day = people.as_of.day
    return engine.stage(recent=months_before(day, months), lapsed=months_before(day, 2 * months))


def stage_names(locale: str = "en") -> Mapping[str, str]:
    """Names of the stages of a customer's life in a reader's language.

    Parameters
    ----------
    locale : {"en", "ar", "fa", "zh-Hant"}, default "en"
        The language.

    Returns
    -------
    mapping of str to str
        The name of each stage, by identifier.

    Raises
    ------
    InputError
        If the language is unknown.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.customers.stage_names("zh-Hant")["lapsed"]
    '已流失'
    """
    return dict(locales.words("stages", locale=locale))


def segment_names(locale: str = "en") -> Mapping[str, str]:
    """Names of the segments in a reader's language.

    Parameters
    ----------
    locale : {"en", "ar", "fa", "zh-Hant"}, default "en"
        The language.

    Returns
    -------
    mapping of str to str
        The name of each segment, by identifier.

    Raises
    ------
    InputError
        If the language is unknown.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.customers.segment_names()["cannot_lose"]
    'Cannot lose'
    """
    return dict(locales.words("segments", locale=locale))


def segment_sizes(
    table: CustomerTable, *, difference: float = 0.1, power: float = 0.8, level: float | None = 0.95
) -> SegmentSizes:
    """How large the segments are, and whether they can be told apart.

    Parameters
    ----------
    table : CustomerTable
        What ``segments`` returned.
    difference : float, default 0.1
        Difference between the shares of two segments, in (0, 1), that a comparison should find.
    power : float, default 0.8
        Probability of finding it, in (0, 1).
    level : float or None, default 0.95
        Probability content of the intervals, and of the comparison; None computes no interval and compares at 0.95.

    Returns
    -------
    SegmentSizes
        A row per segment, the largest first: ``segment, customers, share, low, high, revenue, large_enough``. The
        notes say on which side of 1,000 customers the base is.

    Raises
    ------
    ColumnError
        If the table has no segments.
    InputError
        If an option is out of range, or the table is a bare frame.

    Notes
    -----
    ``large_enough``: at shares near one half, where the variance is largest, two segments of
    (z_level + z_power)^2 / (2 difference^2) customers each show the difference with the power asked for.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> sizes = rm.customers.segment_sizes(rm.customers.segments(rm.datasets.cdnow(), **roles))
    >>> sizes.customers, sizes.needed, sizes.rows()[0]["segment"], sizes.rows()[0]["large_enough"]
    (2357, 393, 'hibernating', True)
    """
    gap = _checks.number(difference, name="difference", low=0.0, high=1.0, open_low=True, open_high=True)
    found_with = _checks.number(power, name="power", low=0.0, high=1.0, open_low=True, open_high=True)
    content = _checks.level(level)
    if not isinstance(table, CustomerTable):
        raise InputError(f"table is what segments returned; got {type(table).__name__}.", argument="table")
    columns = adopt(table.frame, {"segment": "segment", "recency_score": "recency_score"}).columns

    counted = engine.sizes(table.frame, value="revenue" if "revenue" in columns else None)
    names, customers = counted["segment"], counted["customers"]
    order = sorted(range(len(names)), key=lambda row: (-customers[row], names[row]))
    n = np.array([customers[row] for row in order], dtype=np.int64)
    z = stats.normal_quantile(content or 0.95) + stats.normal_quantile(2 * found_with - 1)
    needed = math.ceil(z**2 / (2 * gap**2))
    cells: dict[str, list[object]] = {
        "segment": [names[row] for row in order],
        "customers": n.tolist(),
        "share": (n / n.sum()).tolist(),
        **_wilson(n, np.full(n.size, n.sum()), content),
    }
    if "revenue" in counted:
        cells["revenue"] = [counted["revenue"][row] for row in order]
    cells["large_enough"] = (n >= needed).tolist()

    return SegmentSizes(
        columns=Columns(cells, {"low": "number", "high": "number"}),
        definition="customers.segment_sizes",
        excluded=table.excluded or {},
        notes=(_about_base(int(n.sum())), _about_segments(int((n < needed).sum()), n.size, needed, gap)),
        backend=adopt(table.frame, {}).backend,
        customers=int(n.sum()),
        needed=needed,
    )


def _about_base(customers: int) -> str:
    side = "below" if customers < PERSONALISATION_BASE else "at or above"
    return f"The base of {customers:,} customers is {side} {PERSONALISATION_BASE:,}, from which personalisation pays."


def _about_segments(small: int, segments: int, needed: int, gap: float) -> str:
    return (
        f"{small} of {segments} segments have fewer than the {needed:,} customers that a difference of {gap:g} needs."
    )


def _wilson(x: Integers, n: Integers, level: float | None) -> dict[str, list[object]]:
    if level is None:
        return {"low": [None] * x.size, "high": [None] * x.size}
    low, high = stats.share_interval(x, n, level=level)
    return {"low": low.tolist(), "high": high.tolist()}


def migrations(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    before: str | dt.date,
    after: str | dt.date,
    tz: str | None = None,
    duplicates: Duplicates = "keep",
    level: float | None = 0.95,
) -> SegmentMoves:
    """Who moved from which segment to which between two dates.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money.
    before, after : date
        The two dates, each through its end, the earlier one first.
    tz : str, optional
        IANA time zone in which times are cut to days.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are; a copy, left out and counted; or an error.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    SegmentMoves
        A row per pair of segments: ``before, after, customers, share, low, high``, the share being of those who were
        in ``before``. Customers who first bought between the dates come from ``"not_yet_a_customer"``. ``.matrix()``
        is the transition matrix.

    Raises
    ------
    InputError
        If the dates are not in order, or nothing was bought up to the first.

    Notes
    -----
    The quintiles are those of each date, so that a base that ages as a whole does not move. Wilson's intervals are
    for one share at a time.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> moves = rm.customers.migrations(rm.datasets.cdnow(), **roles, before="1997-09-30", after="1998-06-30")
    >>> round(moves.matrix()["champions"]["champions"], 3)
    0.558
    """
    content = _checks.level(level)
    first, last = moment(before, name="before"), moment(after, name="after")
    if first.day >= last.day:
        raise InputError(f"before is earlier than after; got {before} and {after}.", argument="before")
    log = once(transactions, {"customer": customer, "time": time, "value": value})
    then, now = (
        engine.buyers(
            log, customer=customer, time=time, value=value, as_of=day, tz=tz, duplicates=duplicates, at_once=True
        )
        for day in (before, after)
    )

    found = engine.moves(then, now, grid(), NEWCOMER)
    names = list(dict.fromkeys(name for _, name in sorted(grid().items(), reverse=True)))
    rank = {name: place for place, name in enumerate([*names, NEWCOMER])}
    rows = sorted(
        zip(found["was"], found["now"], found["customers"], strict=True), key=lambda r: (rank[r[0]], rank[r[1]])
    )
    x = np.array([row[2] for row in rows], dtype=np.int64)
    total = {name: sum(row[2] for row in rows if row[0] == name) for name in rank}
    n = np.array([total[row[0]] for row in rows], dtype=np.int64)

    return SegmentMoves(
        columns=Columns(
            {
                "before": [row[0] for row in rows],
                "after": [row[1] for row in rows],
                "customers": x.tolist(),
                "share": (x / n).tolist(),
                **_wilson(x, n, content),
            },
            {"low": "number", "high": "number"},
        ),
        definition="customers.migrations/own-quintiles",
        excluded=now.excluded or {},
        notes=now.notes,
        backend=now.source.backend,
    )


def audiences(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    as_of: str | dt.date | None = None,
    best: float = 0.1,
    current_months: int = 12,
    visits: NativeFrame | None = None,
    visit_time: str | None = None,
    duplicates: Duplicates = "keep",
    tz: str | None = None,
) -> CustomerTable:
    """Whom to seed look-alikes with, to exclude, to remarket to and to retarget.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money; without money the best are those who buy most often.
    as_of : date, optional
        End of observation; by default the last day of the log.
    best : float, default 0.1
        Share of the customers, by money, who seed look-alikes, in (0, 1); equal values are in together.
    current_months : int, default 12
        Calendar months within which a buyer counts as a current customer.
    visits : dataframe, optional
        A row per visit with the same column ``customer``, in the same library.
    visit_time : str, optional
        Its column of the time; by default ``time``.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are (a lazy table is not run for it); a copy, left out and counted; or an error.
    tz : str, optional
        IANA time zone in which times are cut to days.

    Returns
    -------
    CustomerTable
        A row per customer, and per visitor who never bought, with true or false: ``seed`` (the best), ``exclusion``
        (current customers), ``remarketing`` (bought, and no longer current), ``retargeting`` (visited and never
        bought).

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If an option is out of range, or the tables are of different libraries.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> roles = {"customer": "customer_id", "time": "date", "value": "amount"}
    >>> lists = rm.customers.audiences(rm.datasets.cdnow(), **roles).to_frame()
    >>> lists[["seed", "exclusion", "remarketing", "retargeting"]].sum().to_dict()
    {'seed': 236, 'exclusion': 812, 'remarketing': 1545, 'retargeting': 0}
    """
    top = _checks.number(best, name="best", low=0.0, high=1.0, open_low=True, open_high=True)
    span = _checks.count(current_months, name="current_months", low=1)

    people = engine.buyers(
        transactions, customer=customer, time=time, value=value, as_of=as_of, tz=tz, duplicates=duplicates
    )
    marks = engine.audience_marks(people, best=top, current_from=months_before(people.as_of.day, span) + 1)
    excluded = people.excluded
    if visits is not None:
        until = people.as_of.instant or people.as_of.date
        marks, left_out = beside.with_visitors(
            marks, visits, customer=customer, time=visit_time or time, as_of=until, tz=tz
        )
        excluded = beside.counted(excluded, left_out, "visits")

    return CustomerTable(
        frame=engine.finish(people, marks),
        definition="customers.audiences",
        as_of=people.as_of.date,
        excluded=excluded,
        notes=people.notes,
    )
