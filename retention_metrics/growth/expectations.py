"""Retention by whether what was promised was met, exceeded or missed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import expectations as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats.proportions import share_interval
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, Interval, Proportion, TableResult, result

__all__ = ["ExpectationGaps", "expectation_gap"]


@result
class ExpectationGaps(TableResult):
    """Retention by the gap between what was promised and what was delivered.

    The columns: ``rep``, where asked for, null for all of them together; ``expectation``: ``"missed"``, ``"met"`` or
    ``"exceeded"``, or the range of the gap; ``clients``; ``retained``; ``rate`` with ``low`` and ``high``, null where
    there is no client; ``status``.

    Attributes
    ----------
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import growth
    >>> clients = pd.DataFrame(
    ...     {"promised": [10] * 60, "delivered": [8] * 20 + [10] * 30 + [12] * 10, "left": [1] * 15 + [0] * 45}
    ... )
    >>> gaps = growth.expectation_gap(clients, promised="promised", delivered="delivered", churned="left")
    >>> [(row["expectation"], row["clients"], row["rate"]) for row in gaps.rows()]
    [('missed', 20, 0.25), ('met', 30, 1.0), ('exceeded', 10, 1.0)]
    """

    kind: ClassVar[str] = "growth.expectation_gap"

    level: float | None

    def rate(self, expectation: str, *, rep: Cell = None) -> Proportion:
        """The retention of one row, ready for ``rm.difference`` and ``rm.ratio``.

        Parameters
        ----------
        expectation : str
            As in the column ``expectation``.
        rep : str or number, optional
            As in the column ``rep``; by default all reps together.

        Returns
        -------
        Proportion
            With its interval.

        Raises
        ------
        InputError
            If there is no such row.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_metrics as rm
        >>> clients = pd.DataFrame({"said": [5] * 40, "got": [4] * 20 + [5] * 20, "left": [1] * 12 + [0] * 28})
        >>> gaps = rm.growth.expectation_gap(clients, promised="said", delivered="got", churned="left")
        >>> rm.difference(gaps.rate("met"), gaps.rate("missed")).estimate
        0.6
        """
        for row in self.rows():
            if row["expectation"] == expectation and row.get("rep") == rep:
                found, clients, retained = row["rate"], int(str(row["clients"])), int(str(row["retained"]))
                interval = None
                if self.level is not None and row["low"] is not None:
                    interval = Interval(
                        low=float(str(row["low"])), high=float(str(row["high"])), level=self.level, method="wilson"
                    )
                return Proportion(
                    estimate=None if found is None else float(str(found)),
                    interval=interval,
                    unit="share",
                    definition="retention.rate/by-expectation",
                    status=str(row["status"]),
                    backend=self.backend,
                    numerator=retained,
                    denominator=clients,
                )
        known = list(dict.fromkeys(self.columns["expectation"]))
        raise InputError(f"expectation is one of {known}; got {expectation!r}.", argument="expectation")

    def explain(self) -> Explanation:
        """The first rate.

        Returns
        -------
        Explanation
            The last step gives it.
        """
        row = next(row for row in self.rows() if row["rate"] is not None)
        return Explanation(
            formula="rate = clients retained / clients, by gap = delivered − promised",
            values={"retained": int(str(row["retained"])), "clients": int(str(row["clients"]))},
            steps=(Step(name="rate", expression="retained / clients"),),
            source="Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212.",
        )


def expectation_gap(
    clients: NativeFrame,
    *,
    promised: str,
    delivered: str,
    churned: str,
    rep: str | None = None,
    tolerance: float = 0.0,
    edges: Sequence[float] | None = None,
    level: float | None = 0.95,
) -> ExpectationGaps:
    """Retention by whether what was promised was met, exceeded or missed.

    Parameters
    ----------
    clients : dataframe
        One row per client: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    promised, delivered : str
        Columns of the result that was expected or promised, and of the one that came; higher is better.
    churned : str
        Column that is true, or 1, for clients who left.
    rep : str, optional
        Column of the rep, within whose clients the rates are given too.
    tolerance : float, default 0
        A gap of no more than this, either way, is met.
    edges : sequence of float, optional
        Rising edges of the gap, delivered less promised, in place of missed, met and exceeded; each range holds its
        lower edge.
    level : float or None, default 0.95
        Probability content of the Wilson intervals, in (0, 1); None computes no interval.

    Returns
    -------
    ExpectationGaps
        Rows by rising gap, with ``.rate(expectation)`` to compare any two. Rows with a missing value are counted in
        ``excluded``.

    Raises
    ------
    InputError
        If no client is left, the edges do not rise, or an outcome is neither true nor false.
    ColumnError
        If a column is missing or holds no numbers where it must.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import growth
    >>> clients = pd.DataFrame({"said": [5] * 40, "got": [3, 4, 5, 6] * 10, "left": [1, 1, 0, 0] * 10})
    >>> gaps = growth.expectation_gap(clients, promised="said", delivered="got", churned="left", edges=[-1, 1])
    >>> [(row["expectation"], row["rate"]) for row in gaps.rows()]
    [('below -1', 0.0), ('-1 up to 1', 0.5), ('1 and above', 1.0)]
    """
    words, bounds = _bounds(tolerance, edges)
    level = _checks.level(level)

    roles = {"promised": promised, "delivered": delivered, "churned": churned, "rep": rep}
    found = engine.gap_counts(clients, roles, bounds)
    if not found.rows:
        raise InputError(
            f"no client is left to count: {dict(found.excluded) or 'no rows'}.", argument="clients", count=0
        )
    names = [None, *dict.fromkeys(name for name, *_ in found.rows)] if rep is not None else [None]
    cells = [_row(found.rows, name, place, words[place], level) for name in names for place in range(len(words))]
    columns = {key: [row[key] for row in cells] for key in cells[0]}
    if rep is None:
        del columns["rep"]

    return ExpectationGaps(
        unit="share",
        definition="growth.expectation_gap/delivered-less-promised",
        excluded=found.excluded,
        backend=found.backend,
        columns=Columns(columns, {"rate": "number", "low": "number", "high": "number"}),
        level=level,
    )


def _bounds(tolerance: float, edges: Sequence[float] | None) -> tuple[list[str], list[tuple[float, bool]]]:
    """Words for the ranges of the gap, and the edges between them, each with whether it belongs to what is above."""
    slack = _checks.non_negative(tolerance, name="tolerance")
    if edges is None:
        return ["missed", "met", "exceeded"], [(-slack, True), (slack, False)]
    listed = _checks.one_dimensional(_checks.floats(edges, name="edges"), name="edges").tolist()
    if not listed or any(low >= high for low, high in itertools.pairwise(listed)):
        raise InputError(f"edges rise and hold at least one; got {list(edges)!r}.", argument="edges")
    if slack:
        raise InputError("tolerance= is of what is met; edges= has no such range.", argument="tolerance")
    between = [f"{low:g} up to {high:g}" for low, high in itertools.pairwise(listed)]
    return [f"below {listed[0]:g}", *between, f"{listed[-1]:g} and above"], [(edge, True) for edge in listed]


def _row(
    rows: Sequence[tuple[Cell, int, int, int]], rep: Cell, place: int, words: str, level: float | None
) -> dict[str, Cell]:
    own = [row for row in rows if row[1] == place and (rep is None or row[0] == rep)]
    clients, gone = sum(row[2] for row in own), sum(row[3] for row in own)
    low = high = None
    if clients and level is not None:
        ends = share_interval(np.array(float(clients - gone)), np.array(float(clients)), level=level, method="wilson")
        low, high = float(ends[0]), float(ends[1])
    return {
        "rep": rep,
        "expectation": words,
        "clients": clients,
        "retained": clients - gone,
        "rate": (clients - gone) / clients if clients else None,
        "low": low,
        "high": high,
        "status": "ok" if clients else "no_customers",
    }
