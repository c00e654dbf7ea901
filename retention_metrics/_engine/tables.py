"""Customer tables: one row per customer, in the caller's kind of frame, lazy where that is lazy."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import narwhals as nw
import numpy as np

from retention_metrics._engine.adopt import NativeFrame, adopt, collect
from retention_metrics.errors import ColumnError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, FrozenDict, TableResult, result


@result
class Totals(TableResult):
    """Sums and means of the numeric columns of a customer table."""

    kind: ClassVar[str] = "customers.totals"

    def explain(self) -> Explanation:
        """What the totals add up."""
        return Explanation(
            formula="total = sum of the column over its customers; mean = total / customers with a value",
            values={str(row["column"]): _number(row["total"]) for row in self.rows()},
            steps=(),
            source="Definition of a sum.",
        )


def refuse_clash(customer: str, answers: Sequence[str]) -> None:
    """Refuse a customer column that has the name of one of the answer's."""
    if customer in answers:
        raise ColumnError(
            f"customer={customer!r} is also the name of a column of the answer.",
            argument="customer",
            column=customer,
            fix="Rename it first.",
        )


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, (int, float)) else None


@dataclass(frozen=True, kw_only=True)
class CustomerTable:
    """A frame with one row per customer, and what a reader should know about it.

    Attributes
    ----------
    frame : dataframe
        In the caller's kind; a lazy frame stays lazy.
    definition : str
        A stable name of what was computed.
    unit : str or None
        Unit of time of the columns that hold times.
    as_of : date or None
        End of observation; None where the table does not say.
    excluded : mapping of str to int, or None
        Rows left out, by reason; None where they were not counted.
    notes : tuple of str
        What a careful reader should know.
    """

    frame: NativeFrame
    definition: str
    unit: str | None = None
    as_of: dt.date | None = None
    excluded: Mapping[str, int] | None = field(default_factory=FrozenDict)
    notes: tuple[str, ...] = ()

    def to_frame(self) -> NativeFrame:
        """The frame itself, in the caller's kind."""
        return self.frame

    def totals(self) -> Totals:
        """Sums and means of the numeric columns, computed in the caller's engine.

        Returns
        -------
        Totals
            A row per numeric column: ``column, customers, total, mean``.
        """
        source = adopt(self.frame, {})
        numeric = [name for name, dtype in source.schema.items() if dtype.is_numeric()]
        parts = []
        for place, name in enumerate(numeric):
            number = nw.col(name).cast(nw.Float64)
            known = nw.when(~number.is_null() & ~number.is_nan()).then(number)
            parts += [known.count().alias(f"n{place}"), known.sum().alias(f"s{place}")]
        found = collect(source.frame.select(*parts)) if parts else {}
        counts = [int(found[f"n{place}"][0]) for place in range(len(numeric))]
        sums = [float(found[f"s{place}"][0] or 0.0) for place in range(len(numeric))]
        return Totals(
            columns=Columns(
                {
                    "column": numeric,
                    "customers": counts,
                    "total": sums,
                    "mean": [total / count if count else None for total, count in zip(sums, counts, strict=True)],
                },
                {"column": "string", "customers": "integer", "total": "number", "mean": "number"},
            ),
            definition=f"{self.definition}/totals",
            excluded=self.excluded or {},
            notes=self.notes,
            backend=source.backend,
        )

    def _repr_html_(self) -> str:
        """What a notebook shows; a lazy plan is described, never run."""
        facts = [f"<caption>{html.escape(self.definition)}</caption>"]
        for name in ("unit", "as_of", "excluded"):
            value = getattr(self, name)
            facts.append(
                f"<tr><th>{name}</th><td>{html.escape('not counted' if value is None else str(value))}</td></tr>"
            )
        facts += [f"<tr><th>note</th><td>{html.escape(note)}</td></tr>" for note in self.notes]
        source = adopt(self.frame, {})
        if source.lazy:
            facts.append(f"<tr><th>columns</th><td>{html.escape(', '.join(source.columns))} (lazy)</td></tr>")
            return f"<table class='retention-metrics'>{''.join(facts)}</table>"
        head = Columns(collect(source.frame.head(10)) if source.columns else {})
        names = "".join(f"<th>{html.escape(name)}</th>" for name in head)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape('–' if cell is None else str(cell))}</td>" for cell in row.values())
            + "</tr>"
            for row in head.rows()
        )
        return f"<table class='retention-metrics'>{''.join(facts)}</table><table><tr>{names}</tr>{body}</table>"


def add_columns(frame: Any, answers: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> NativeFrame:
    """Put arrays beside the rows of an eager frame, in the caller's kind."""
    native = nw.from_native(frame)
    if native.implementation is nw.Implementation.PANDAS:
        return frame.assign(**answers)
    return native.with_columns(
        *(nw.new_series(name, values, backend=native.implementation) for name, values in answers.items())
    ).to_native()
