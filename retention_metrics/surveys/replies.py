"""Who answers: response rates by segment and tenure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt, responses
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.responding import rising
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result
from retention_metrics.surveys.answers import WILSON, share_interval


@result
class ResponseTable(TableResult):
    """Response rates: overall, and by segment and tenure.

    Attributes
    ----------
    invited, answered : int
        Customers asked, and those of them who answered.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> asked = pd.DataFrame({"plan": ["new"] * 6 + ["old"] * 4, "answered": [1, 0, 0, 0, 0, 1, 1, 1, 1, 0]})
    >>> table = rm.surveys.response_rate(asked, answered="answered", by="plan")
    >>> table.estimate, [row["rate"] for row in table.rows()]
    (0.5, [0.3333333333333333, 0.75])
    """

    kind: ClassVar[str] = "surveys.response_rate"

    invited: int
    answered: int
    level: float | None

    def explain(self) -> Explanation:
        """Answers over customers asked."""
        return Explanation(
            formula="response rate = answered / invited",
            values={"answered": self.answered, "invited": self.invited},
            steps=(Step(name="response_rate", expression="answered / invited"),),
            source=WILSON,
        )


def response_rate(
    invited: adopt.NativeFrame,
    *,
    answered: str,
    by: str | None = None,
    tenure: str | None = None,
    edges: Sequence[float] = (3.0, 12.0, 24.0),
    level: float | None = 0.95,
) -> ResponseTable:
    """Share of the customers asked who answered, overall and by segment and tenure.

    Parameters
    ----------
    invited : dataframe
        One row per customer who was asked: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation, counted in
        its own engine.
    answered : str
        Column that is true, or 1, where the customer answered.
    by : str, optional
        Column of the segment.
    tenure : str, optional
        Column of the time that the customer has been one, in any unit; it is cut at ``edges``.
    edges : sequence of float, default (3, 12, 24)
        Where one band of tenure ends and the next begins, rising; a band holds its lower edge.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    ResponseTable
        ``estimate`` is the overall rate, from 0 to 1. Rows of ``[segment, tenure_from,] invited, answered, rate, low,
        high``; customers without a segment or tenure have no row but are in the overall rate and in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If ``answered`` is not true or false, edges do not rise, or nobody was asked.

    Notes
    -----
    Intervals are Wilson's [1]_. ``nps.response_rates`` weights a score for who answered.

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal of the
       American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> asked = pd.DataFrame({"months": [1, 2, 5, 8, 30, 40], "answered": [0, 1, 1, 0, 1, 1]})
    >>> rates = rm.surveys.response_rate(asked, answered="answered", tenure="months")
    >>> rates.to_frame()[["tenure_from", "invited", "answered", "rate"]]
       tenure_from  invited  answered  rate
    0          NaN        2         1   0.5
    1          3.0        2         1   0.5
    2         24.0        2         2   1.0
    """
    source = adopt.adopt(invited, {"answered": answered, "by": by, "tenure": tenure})
    level = _checks.level(level)
    cuts = rising(edges)

    keys = ("answered", "by") if by else ("answered",)
    tally = responses.tally(source, by=keys, extra=responses.band(source, "tenure", cuts) if tenure else None)
    counts, total, excluded = _by_reply(tally, name=answered)
    places = sorted(counts, key=lambda key: (isinstance(key[0], str), key[0], key[1]))
    asked, said = (np.array([counts[place][column] for place in places], dtype=np.float64) for column in (0, 1))
    columns: dict[str, list[Cell]] = {"segment": [segment for segment, _ in places]} if by else {}
    if tenure:
        columns["tenure_from"] = [cuts[band - 1] if band else None for _, band in places]
    low = high = [None] * len(places)
    if level is not None:
        low, high = (end.tolist() for end in proportions.share_interval(said, asked, level=level))
    columns |= {
        "invited": [int(count) for count in asked],
        "answered": [int(count) for count in said],
        "rate": (said / asked).tolist(),
        "low": list(low),
        "high": list(high),
    }
    types: dict[str, ColumnType] = {"tenure_from": "number", **dict.fromkeys(("rate", "low", "high"), "number")}

    return ResponseTable(
        estimate=total[1] / total[0],
        interval=share_interval(total[1] / total[0], float(total[0]), level),
        columns=Columns(columns, {name: kind for name, kind in types.items() if name in columns}),
        unit="share",
        definition="surveys.response_rate/answered",
        excluded=excluded,
        backend=source.backend,
        invited=total[0],
        answered=total[1],
        level=level,
    )


def _by_reply(tally: Tally, *, name: str) -> tuple[dict[tuple[Cell, int], list[int]], list[int], dict[str, int]]:
    """Customers asked and answers by segment and band of tenure, and overall."""
    size = tally.counts.size
    segments, bands = tally.keys.get("by", ("all",) * size), tally.keys.get("band", (0,) * size)
    unknown = tally.keys.get("unknown", (0,) * size)
    counts: dict[tuple[Cell, int], list[int]] = {}
    total = [0, 0]
    excluded = {"missing_answered": 0, "missing_segment": 0, "missing_tenure": 0}
    for row, (flag, rows) in enumerate(zip(tally.keys["answered"], tally.counts.tolist(), strict=True)):
        if flag is None:
            excluded["missing_answered"] += rows
            continue
        if flag not in (0, 1):
            raise InputError(
                f"answered={name!r} holds true and false, or 1 and 0; got {flag!r}.",
                argument="answered",
                column=name,
                first=[flag],
                fix="Say first who answered, for instance by whether the answer is missing.",
            )
        for place in (total, counts.setdefault((segments[row], int(bands[row])), [0, 0])):
            place[0] += rows
            place[1] += rows * int(flag)
        if segments[row] is None or unknown[row]:
            excluded["missing_segment" if segments[row] is None else "missing_tenure"] += rows
            held = counts[segments[row], int(bands[row])]
            held[0] -= rows
            held[1] -= rows * int(flag)
    excluded = {reason: rows for reason, rows in excluded.items() if rows}
    if total[0] == 0:
        listed = ", ".join(f"{reason} {rows}" for reason, rows in excluded.items()) or "no rows"
        raise InputError(f"nobody was asked: {listed}.", argument="invited", count=0)
    return {place: held for place, held in counts.items() if held[0]}, total, excluded
