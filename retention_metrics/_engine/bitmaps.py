"""Cohorts in DuckDB in one pass: a customer's periods are the bits of one whole number."""

from __future__ import annotations

from typing import Any

import narwhals as nw

MOST_PERIODS = 62  # the bits of DuckDB's BIGINT, without its sign


def cohort_bits(
    kept: nw.LazyFrame[Any], *, first: int, periods: int, since: int | None
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Sizes of the cohorts, and the customers seen at each age, by group.

    ``kept`` has the columns ``by, customer, period, day``, with periods from ``first`` on. Customers whose first
    day is before ``since`` are out. The lowest bit that is set is the customer's cohort.
    """
    relation: Any = kept.to_native()
    bits = f"bit_or(CAST(1 AS BIGINT) << CAST(period - {first} AS INTEGER))"
    masks = relation.aggregate(f'"by", customer, {bits} AS mask, min(day) AS first_day', '"by", customer')
    if since is not None:
        masks = masks.filter(f"first_day >= {since}")
    seen = ", ".join(f"count(*) FILTER (mask & {1 << place} <> 0)" for place in range(periods))
    rows = masks.aggregate(f'"by", mask & -mask, {seen}', '"by", mask & -mask').fetchall()
    sizes: dict[str, list[Any]] = {"by": [], "cohort": [], "customers": []}
    cells: dict[str, list[Any]] = {"by": [], "cohort": [], "age": [], "customers": []}
    for group, lowest, *counts in rows:
        cohort = lowest.bit_length() - 1
        found = [(place - cohort, count) for place, count in enumerate(counts) if count]
        _append(sizes, group, first + cohort, customers=[counts[cohort]])
        _append(cells, group, first + cohort, age=[age for age, _ in found], customers=[count for _, count in found])
    return sizes, cells


def _append(table: dict[str, list[Any]], group: Any, cohort: int, *, customers: list[int], **more: list[int]) -> None:
    added = {"by": [group] * len(customers), "cohort": [cohort] * len(customers), "customers": customers, **more}
    for name, cells in added.items():
        table[name].extend(cells)
