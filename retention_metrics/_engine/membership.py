"""Customers with rows in more than one group: kept in each and counted, left out and counted, or refused."""

from __future__ import annotations

from typing import Any, Literal

import narwhals as nw

from retention_metrics import _checks
from retention_metrics._engine.activity import KEYS
from retention_metrics._engine.adopt import collect
from retention_metrics._engine.audit import Fold, aggregate
from retention_metrics.errors import InputError

Shared = Literal["keep", "exclude", "raise"]
SHARED: tuple[Shared, ...] = ("keep", "exclude", "raise")
REASON = "in_several_groups"
_SHOWN = 3


def customers_in_several(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Customers of ``by, customer`` with more than one ``by``, and how many rows each has."""
    parts: dict[str, tuple[nw.Expr, Fold]] = {"rows": (nw.lit(1), "sum")}
    pairs = aggregate(rows.select(*KEYS), KEYS, parts)
    both: dict[str, tuple[nw.Expr, Fold]] = {"rows": (nw.col("rows"), "sum"), "groups": (nw.lit(1), "sum")}
    return aggregate(pairs, ("customer",), both).filter(nw.col("groups") > 1)


def number_in_several(rows: nw.LazyFrame[Any]) -> int:
    """How many customers have rows in more than one group."""
    return _size(customers_in_several(rows))


def left_out(rows: nw.LazyFrame[Any], shared: Shared, *, by: str | None) -> int:
    """Rows to leave out of customers in several groups, who are refused where ``shared`` says so."""
    how = _checks.choice(shared, SHARED, name="shared")
    if how == "keep" or by is None:
        return 0
    people = customers_in_several(rows)
    count = _size(people)
    if count and how == "raise":
        first = collect(people.select("customer").sort("customer").head(_SHOWN))["customer"]
        raise InputError(
            f"by={by!r} gives a customer one group; {count} customers are in more than one "
            f"({', '.join(map(repr, first))}).",
            argument="by",
            column=by,
            count=count,
            first=first,
            fix="shared='keep' counts them in each, on the rows of each, shared='exclude' leaves them out.",
        )
    gone = int(collect(people.select(nw.col("rows").sum()))["rows"][0] or 0)
    if gone and gone == _size(rows):
        raise InputError(f"data has no row left to count: {REASON} {gone}.", argument="data", count=0)
    return gone


def without(rows: nw.LazyFrame[Any], people: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The rows of customers who are not among the ``people``."""
    return rows.join(people.select("customer"), on="customer", how="anti")


def _size(rows: nw.LazyFrame[Any]) -> int:
    return int(collect(rows.select(nw.len().alias("rows")))["rows"][0])
