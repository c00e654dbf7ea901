"""Amounts of money that are added up: numbers, finite, at least 0, and of a sum that a float holds to the last unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from retention_metrics._engine.adopt import Source, collect
from retention_metrics._engine.audit import first_rows
from retention_metrics.errors import ColumnError, InputError

MOST = 2**53
"""Sums of whole numbers up to this are exact, whatever their order."""


@dataclass(frozen=True)
class Amounts:
    """A column of amounts to add up, and the rows of it that count.

    ``sums`` are to be added in the query that audits the rows, and ``refuse`` reads what they gave. ``added`` is what
    adds up where that is not the amount itself.
    """

    source: Source
    role: str
    amount: nw.Expr
    counted: nw.Expr
    added: nw.Expr | None = None
    most: float = MOST
    per: str = ""
    rule: str = "is at least 0"
    fix: str | None = None

    @property
    def _faults(self) -> dict[str, nw.Expr]:
        return {"infinite": self.counted & ~self.amount.is_finite(), "negative": self.counted & (self.amount < 0)}

    @property
    def held(self) -> nw.Expr:
        """What a row that counts adds, 0 of another, and never so much that its powers overflow."""
        added = self.amount if self.added is None else self.added
        fine = nw.when(added > self.most).then(nw.lit(2.0 * self.most)).otherwise(added)
        return nw.when((self.counted & (added > 0)).fill_null(False)).then(fine).otherwise(nw.lit(0.0))

    def sums(self) -> dict[str, nw.Expr]:
        """The rows that cannot be, by fault, and what all add up to."""
        counts = {name: mark.fill_null(False).cast(nw.Int64) for name, mark in self._faults.items()}
        return {f"{self.role}_{name}": each for name, each in {**counts, "total": self.held}.items()}

    def refuse(self, found: Mapping[str, Any]) -> None:
        """Refuse what the sums found, of so many ``rows``."""
        for name, rule, fix in (("infinite", "is finite", None), ("negative", self.rule, self.fix)):
            count = int(found[f"{self.role}_{name}"] or 0)
            if count:
                where, first = first_rows(self.source, self._faults[name].fill_null(False), self.role)
                rows = f"{count} of {int(found['rows'])} rows are not so ({where})"
                raise self._error(f"{rule}; {rows}.", fix, count=count, first=first)
        total = float(found[f"{self.role}_total"] or 0.0)
        fault = total_fault(total, most=self.most, per=self.per)
        if fault:
            rule, words, fix = fault
            details = self._largest()
            raise self._error(f"{rule}; {details.pop('words', words)}.", fix, **details)

    def _largest(self) -> dict[str, Any]:
        """The rows that alone hold too much, in words too."""
        large = self.held > self.most
        count = int(collect(self.source.frame.select(large.cast(nw.Int64).sum().alias("rows")))["rows"][0])
        if not count:
            return {}
        where, first = first_rows(self.source, large, self.role)
        return {"words": f"{count} rows alone hold more ({where})", "count": count, "first": first}

    def _error(self, words: str, fix: str | None, **details: Any) -> InputError:
        column, argument = self.source.roles[self.role], self.source.argument(self.role)
        return InputError(f"{argument}={column!r} {words}", argument=argument, column=column, fix=fix, **details)


def total_fault(total: float, *, most: float = MOST, per: str = "") -> tuple[str, str, str] | None:
    """The rule that a sum of money breaks, what it is and what to do; None for one whose powers a float holds."""
    digits, _, power = f"{most:.1e}".partition("e+")
    found = f"it adds up to {total:.3g}"
    if total > most:
        return f"adds up to at most {digits} * 10^{int(power)}{per}", found, "Count in thousands."
    if 0 < total < 1 / most:
        return f"adds up to 0 or to at least {1 / most:.2g}{per}", found, "Count in a smaller unit."
    return None


def number(source: Source, role: str) -> nw.Expr:
    """A column of amounts as floats; what is no number is missing."""
    value = source.column(role).cast(nw.Float64)
    return nw.when(~value.is_nan()).then(value)


def refuse_words(source: Source, *roles: str) -> None:
    """Refuse columns that hold something else than numbers; one that holds nothing at all has no type, and passes."""
    for role in roles:
        if not source.has(role) or source.dtype(role).is_numeric() or _is_void(source, role):
            continue
        column, argument = source.roles[role], source.argument(role)
        raise ColumnError(
            f"{argument}={column!r} is a column of numbers; it holds {source.dtype(role)}.",
            argument=argument,
            column=column,
            fix="Convert it to numbers first, unknown ones to missing.",
        )


def _is_void(source: Source, role: str) -> bool:
    if source.dtype(role) not in (nw.Unknown, nw.Object):
        return False
    present = (~source.column(role).is_null()).cast(nw.Int64).sum()
    return not collect(source.frame.select(present.alias("rows")))["rows"][0]


def refuse_empty(found: Mapping[str, Any], reasons: Iterable[str], *, kept: int) -> None:
    """Refuse a frame without rows, and one of which no row counts."""
    if not found["rows"]:
        raise InputError("data has no rows.", argument="data", count=0)
    if not kept:
        listed = ", ".join(f"{reason} {int(found[reason])}" for reason in reasons if found.get(reason))
        raise InputError(f"data has no row left to count: {int(found['rows'])} rows, {listed}.", argument="data")
