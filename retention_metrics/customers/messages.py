"""Which messages are followed by a purchase: by what triggered them, and by segment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import activity
from retention_metrics._engine import messages as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import proportions, ratios
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, ColumnType, TableResult, result

__all__ = ["MessageResponse", "message_response"]

OBSERVED = (
    "Who gets a message differs from who gets none, so a rate is no effect: hold some customers out at random and name "
    "them with control=."
)


@result
class MessageResponse(TableResult):
    """Share of the messages that were followed by a purchase, by trigger.

    Attributes
    ----------
    columns : Columns
        ``trigger, messages, customers, followed, rate, low, high``, after ``group`` with ``by=``; with ``control=``
        also ``difference, difference_low, difference_high``: the rate less that of the control.
    within_days : int
        Days after a message in which a purchase follows it.
    control : str or None
        The trigger of those held out.
    level : float or None
        Probability content of the intervals.
    """

    kind: ClassVar[str] = "customers.message_response"

    within_days: int
    control: str | None
    level: float | None

    def explain(self) -> Explanation:
        """The rate of the first row."""
        first: Mapping[str, Any] = self.rows()[0] if self.rows() else {}
        return Explanation(
            formula="rate = messages followed by a purchase / messages; here those of the first row",
            values={name: first.get(name) for name in ("followed", "messages")},
            steps=(Step(name="rate", expression="followed / messages"),),
            source="Cochran, W. G. (1977). Sampling Techniques, section 6.4: the ratio estimator.",
        )


def message_response(
    messages: NativeFrame,
    purchases: NativeFrame,
    *,
    customer: str,
    time: str,
    trigger: str,
    purchase_time: str | None = None,
    within_days: int = 7,
    same_day: bool = False,
    control: str | None = None,
    by: str | None = None,
    as_of: str | dt.date | None = None,
    tz: str | None = None,
    level: float | None = 0.95,
) -> MessageResponse:
    """Which triggered messages are followed by a purchase, by segment.

    Parameters
    ----------
    messages : dataframe
        A row per message sent.
    purchases : dataframe
        A row per purchase, in the same library, with the same column ``customer``.
    customer, time, trigger : str
        Columns of the messages: the customer, the time, and what set the message off, such as ``"birthday"``.
    purchase_time : str, optional
        Column of the purchases' time; by default ``time``.
    within_days : int, default 7
        Days after the message in which a purchase follows it, at least 1.
    same_day : bool, default False
        Whether a purchase on the message's own day follows it; a message that a purchase sets off is none's cause.
    control : str, optional
        The trigger under which customers stand to whom the message was not sent, on the day on which it would have
        been: the others are compared with them.
    by : str, optional
        Column of the messages: the segment of the customer.
    as_of : date, optional
        End of observation; by default the last day of the purchases. Messages observed for less than ``within_days``
        are left out and counted.
    tz : str, optional
        IANA time zone in which times are cut to days.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.

    Returns
    -------
    MessageResponse
        A row per trigger, or per group and trigger; the control first.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If a log has no rows left, the tables are of different libraries, or nobody is in the control.

    Notes
    -----
    A rate is a ratio of sums with the customer as what varies, for the messages of one customer fare alike, with the
    interval on the logit scale [1]_. The interval of a difference recovers its ends from those of both rates (MOVER)
    [2]_, which takes the customers of both to be different ones. A purchase may follow several messages, and then
    counts for each. Messages without a trigger or a group are excluded and counted, and rows of the purchases that do
    not count stand under ``purchases_``.

    References
    ----------
    .. [1] Cochran, W. G. (1977). *Sampling Techniques*, 3rd ed., section 6.4. Wiley.
    .. [2] Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
       approach. *Statistics in Medicine* 27, 1693-1702.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> sent = pd.DataFrame({"who": range(60), "day": "2024-03-01", "why": ["birthday"] * 30 + ["none"] * 30})
    >>> bought = pd.DataFrame({"who": [*range(9), *range(30, 33)], "day": "2024-03-04"})
    >>> table = rm.customers.message_response(
    ...     sent, bought, customer="who", time="day", trigger="why", control="none", as_of="2024-03-31"
    ... )
    >>> row = table.rows()[1]
    >>> row["trigger"], row["rate"], round(row["difference"], 2)
    ('birthday', 0.3, 0.2)
    >>> round(row["difference_low"], 2), round(row["difference_high"], 2)
    (-0.06, 0.41)
    """
    days = _checks.count(within_days, name="within_days", low=1)
    content = _checks.level(level)

    found = engine.answered(
        messages,
        purchases,
        roles={"customer": customer, "time": time, "trigger": trigger, "group": by},
        purchase_time=purchase_time or time,
        as_of=as_of,
        within=days,
        same_day=same_day,
        tz=tz,
    )
    if not found.cells:
        raise InputError(
            f"no message has a trigger and {days} days after it that were observed.", argument="messages", count=0
        )
    rows = _rows(found.cells, control, content, grouped=by is not None)

    types: dict[str, ColumnType] = {
        name: "integer" if name in ("messages", "customers", "followed") else "number"
        for name in rows[0]
        if name not in ("group", "trigger")
    }
    return MessageResponse(
        columns=Columns({name: [row[name] for row in rows] for name in rows[0]}, types),
        unit="share",
        definition=f"customers.message_response/{days}-days",
        excluded=found.excluded,
        notes=() if control is not None else (OBSERVED,),
        within_days=days,
        control=control,
        level=content,
        backend=found.source.backend,
    )


def _rows(
    cells: Mapping[tuple[Any, Any], tuple[float, ...]], control: str | None, level: float | None, *, grouped: bool
) -> list[dict[str, Any]]:
    triggers = activity.in_order({trigger for trigger, _ in cells})
    if control is not None and control not in triggers:
        raise InputError(f"control={control!r} is no trigger of a message.", argument="control", count=0)
    order = [control, *(trigger for trigger in triggers if trigger != control)] if control is not None else triggers
    rows = []
    for group in activity.in_order({group for _, group in cells}):
        held_out = _rate(cells[control, group], level) if (control, group) in cells else None
        for trigger in order:
            if (trigger, group) in cells:
                row = _rate(cells[trigger, group], level)
                row |= _difference(row, held_out if trigger != control else None) if control is not None else {}
                rows.append({**({"group": group} if grouped else {}), "trigger": trigger, **row})
    return rows


def _rate(sums: tuple[float, ...], level: float | None) -> dict[str, Any]:
    pair = ratios.PairSums(int(sums[0]), *sums[1:])
    ends = ratios.ratio_interval(pair, level=level, most=1.0) if level else None
    return {
        "messages": int(pair.x),
        "customers": pair.n,
        "followed": int(pair.y),
        "rate": pair.ratio,
        "low": ends[0] if ends else None,
        "high": ends[1] if ends else None,
    }


def _difference(row: Mapping[str, Any], held_out: Mapping[str, Any] | None) -> dict[str, float | None]:
    """The rate less the control's; none for the control itself, and where a group has no control."""
    answer: dict[str, float | None] = dict.fromkeys(("difference", "difference_low", "difference_high"))
    if held_out is None:
        return answer
    answer["difference"] = row["rate"] - held_out["rate"]
    if row["low"] is not None and held_out["low"] is not None:
        rates, low, high = (np.array([each[name] for each in (row, held_out)]) for name in ("rate", "low", "high"))
        _, below, above = proportions.weighted_sum_interval(rates, low, high, weights=np.array([1.0, -1.0]))
        answer |= {"difference_low": max(-1.0, below), "difference_high": min(1.0, above)}
    return answer
