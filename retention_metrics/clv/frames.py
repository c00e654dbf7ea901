"""Histories in a dataframe: columns read once, answers added in the caller's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.histories import COVARIATE, Formula, HistorySource, adopt_history
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.clv import histories
from retention_metrics.clv.histories import Histories
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
Answers = Callable[[Floats, Floats, Floats], dict[str, Floats]]

__all__ = ["CustomerTable", "HistoryTable", "NativeFrame", "adopt", "covariates"]
_TIMES = ("frequency", "recency", "T")


@dataclass(frozen=True, slots=True, eq=False)
class Valued:
    """Histories with mean spend (NaN where missing), margins or None, counts, and covariates by column."""

    x: Floats
    t_x: Floats
    age: Floats
    value: Floats
    margin: Floats | None
    counts: Floats
    cells: dict[str, Any]


@dataclass(frozen=True)
class HistoryTable:
    """A table of purchase histories, as the models read it and add to it."""

    source: HistorySource

    @property
    def unit(self) -> str | None:
        """Unit of time of the table; None where it does not say."""
        return self.source.unit

    @property
    def excluded(self) -> Mapping[str, int]:
        """Rows that the table left out, by reason."""
        return self.source.excluded or {}

    @property
    def backend(self) -> str:
        """The library whose eager frames results give."""
        return self.source.backend

    def histories(self) -> Histories:
        """The histories of customers, checked; of a lazy table the distinct ones with their counts."""
        columns = self.source.arrays(*_TIMES, "counts", counts=True, as_they_are=("frequency",))
        x, t_x, age = self._in_own_words(histories.take, *(columns[role] for role in _TIMES))
        return Histories(x, t_x, age, _counts(columns)).occupied

    def histories_by(self) -> tuple[Histories, dict[str, Any]]:
        """The histories, and the covariates of each by column; of a lazy table the distinct ones with their counts."""
        covariates = self.covariates
        columns = self.source.arrays(*_TIMES, "counts", *covariates, counts=True)
        found = self._checked(*(columns[role] for role in _TIMES))
        cells = {name: columns[role] for role, name in covariates.items()}
        return Histories(*found, _counts(columns)), cells

    def spending_by(self) -> tuple[Floats, Floats, Floats | None, dict[str, Any]]:
        """``spending`` with the covariates of each row by column."""
        self.needs_money()
        covariates = self.covariates
        columns = self.source.arrays("frequency", "monetary_value", "counts", *covariates, counts=True)
        cells = {name: columns[role] for role, name in covariates.items()}
        return columns["frequency"], columns["monetary_value"], _counts(columns), cells

    @property
    def covariates(self) -> dict[str, str]:
        """Columns of covariates by role."""
        return {role: name for role, name in self.source.source.roles.items() if role.startswith(COVARIATE)}

    def spending(self) -> tuple[Floats, Floats, Floats | None]:
        """Frequency, mean spend (NaN where missing) and counts; of a lazy table the distinct ones."""
        self.needs_money()
        columns = self.source.arrays("frequency", "monetary_value", "counts", counts=True)
        return columns["frequency"], columns["monetary_value"], _counts(columns)

    def valued(self) -> Valued:
        """The histories with money, and with margins where a column plays that role."""
        self.needs_money()
        self.check_margin()
        covariates = self.covariates
        columns = self.source.arrays(*_TIMES, "monetary_value", "margin", "counts", *covariates, counts=True)
        found = self._checked(*(columns[role] for role in _TIMES))
        counts = np.ones(found[0].size) if (given := _counts(columns)) is None else given
        cells = {name: columns[role] for role, name in covariates.items()}
        return Valued(*found, columns["monetary_value"], columns.get("margin"), counts, cells)

    def check_margin(self) -> None:
        """Refuse a column of margins that holds anything but numbers of at least 0."""
        if self.source.source.has("margin"):
            self.source.refuse_negative("margin")

    def needs_money(self) -> None:
        """Refuse a history without money."""
        if not self.source.source.has("monetary_value"):
            raise InputError(
                "the history has no monetary_value.", argument="monetary_value", fix="Give rfm_summary value=."
            )

    def with_answers(
        self,
        compute: Answers,
        *,
        definition: str,
        notes: tuple[str, ...] = (),
        formula: Formula | None = None,
    ) -> CustomerTable:
        """The table with what ``compute`` makes of frequency, recency and T, and ``formula`` of that and of money."""

        def checked(frequency: Floats, recency: Floats, T: Floats) -> dict[str, Floats]:
            return compute(*self._checked(frequency, recency, T))

        return self.source.with_answers(_TIMES, checked, definition=definition, notes=notes, formula=formula)

    def with_answers_by(
        self,
        compute: Callable[[Floats, Floats, Floats, Mapping[str, Any]], dict[str, Floats]],
        *,
        definition: str,
        notes: tuple[str, ...] = (),
        formula: Formula | None = None,
    ) -> CustomerTable:
        """``with_answers`` where ``compute`` reads the covariates by column too."""
        covariates = self.covariates

        def checked(frequency: Floats, recency: Floats, T: Floats, *cells: Any) -> dict[str, Floats]:
            by_column = dict(zip(covariates.values(), cells, strict=True))
            return compute(*self._checked(frequency, recency, T), by_column)

        roles = (*_TIMES, *covariates)
        return self.source.with_answers(roles, checked, definition=definition, notes=notes, formula=formula)

    def with_spending_by(
        self,
        compute: Callable[[Floats, Mapping[str, Any]], dict[str, Floats]],
        *,
        definition: str,
        formula: Formula,
    ) -> CustomerTable:
        """``with_spending`` where ``compute`` reads the covariates by column too."""
        covariates = self.covariates

        def computed(frequency: Floats, *cells: Any) -> dict[str, Floats]:
            return compute(frequency, dict(zip(covariates.values(), cells, strict=True)))

        return self.source.with_answers(("frequency", *covariates), computed, definition=definition, formula=formula)

    def with_tenure_by(
        self, compute: Callable[[Floats, Mapping[str, Any]], dict[str, Floats]], *, definition: str
    ) -> CustomerTable:
        """The table with what ``compute`` makes of the renewals passed and of the covariates by column."""
        covariates = self.covariates

        def computed(passed: Floats, *cells: Any) -> dict[str, Floats]:
            try:
                tenure = _checks.whole(passed, name="tenure")
            except InputError as error:
                raise self._in_columns(error) from None
            return compute(tenure, dict(zip(covariates.values(), cells, strict=True)))

        return self.source.with_answers(("tenure", *covariates), computed, definition=definition)

    def with_spending(
        self, compute: Callable[[Floats], dict[str, Floats]], *, definition: str, formula: Formula
    ) -> CustomerTable:
        """The table with what ``formula`` makes of money and of ``compute``'s answers for each frequency."""
        return self.source.with_answers(("frequency",), compute, definition=definition, formula=formula)

    def _checked(self, frequency: Floats, recency: Floats, T: Floats) -> tuple[Floats, Floats, Floats]:
        found: tuple[Floats, Floats, Floats] = self._in_own_words(histories.check, frequency, recency, T)
        return found

    def _in_own_words(self, check: Callable[..., Any], frequency: Floats, recency: Floats, T: Floats) -> Any:
        if T.size == 0:
            raise InputError("the history has no rows.", argument="history", count=0)
        try:
            return check(frequency, recency, T)
        except InputError as error:
            raise self._in_columns(error) from None

    def _in_columns(self, error: InputError) -> InputError:
        """The error in the words of the caller's columns."""
        role = error.argument or ""
        column = self.source.source.roles.get(role, role)
        said = str(error) if column == role else f"{role}= is the column {column!r}: {error}"
        return InputError(said, argument=role, column=column, count=error.count, first=error.first)


def _counts(columns: Mapping[str, Floats]) -> Floats | None:
    if "counts" not in columns:
        return None
    counts = columns["counts"]
    bad = ~np.isfinite(counts) | (counts < 0) | (counts != np.floor(np.where(np.isfinite(counts), counts, 0.0)))
    _checks.refuse(bad, counts, name="counts", rule="holds whole numbers of at least 0")
    return counts


def adopt(history: Any, roles: Mapping[str, str | None], *, covariates: Sequence[str] = ()) -> HistoryTable:
    """Take in a purchase history, or a plain frame with its columns by role."""
    named = {f"{COVARIATE}{name}": name for name in covariates}
    return HistoryTable(adopt_history(history, {**roles, **named}))


def has_column(history: Any, name: str) -> bool:
    """Whether a purchase history, or a plain frame, has a column of this name."""
    return name in adopt_history(history, {}).source.columns


def covariates(frame: NativeFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Columns of covariates of an eager frame, a cell per row."""
    source = adopt_history(frame, {f"{COVARIATE}{name}": name for name in columns})
    if source.source.lazy:
        raise InputError("covariates are read row by row; collect the lazy frame first.", argument="covariates")
    return {role.removeprefix(COVARIATE): cells for role, cells in source.arrays(*source.source.roles).items()}
