"""Tables of purchase histories: columns as arrays, and answers back in the caller's kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine.adopt import NativeFrame, Source, adopt, collect
from retention_metrics._engine.join import OURS, join_answers
from retention_metrics._engine.tables import CustomerTable, add_columns
from retention_metrics.errors import ColumnError, InputError

Array = NDArray[np.float64]
Answers = Callable[..., Mapping[str, Array]]
COVARIATE = "covariate "
"""What the role of a covariate begins with; its column's name follows."""
Formula = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Arithmetic over columns by name, whether arrays or an engine's expressions."""


@dataclass(frozen=True)
class HistorySource:
    """A table of histories that came in through the door."""

    source: Source
    native: NativeFrame
    unit: str | None
    as_of: dt.date | None
    excluded: Mapping[str, int] | None
    notes: tuple[str, ...]

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return self.source.backend

    def arrays(self, *roles: str, counts: bool = False, as_they_are: Sequence[str] = ()) -> dict[str, Array]:
        """The role columns as arrays of floats, NaN where missing, in row order; of text where a covariate is text.

        A lazy table gives its distinct rows, with the rows behind each under ``"counts"`` when asked for; where the
        table has counts of its own, those are multiplied by the rows. Whole numbers stay what they are, and the
        table's own memory, in the columns ``as_they_are`` of an eager table.
        """
        asked = [role for role in roles if self.source.has(role)]
        self._refuse_text(asked)
        if not self.source.lazy:
            eager = self.source.frame.select(*(self.source.column(role).alias(role) for role in asked)).collect()
            return {role: self._cells(eager[role], role, whole=role in as_they_are) for role in asked}
        frame = self.source.frame.select(*(self._value(role).alias(role) for role in asked))
        grouped = self._grouped(frame, asked)
        found = collect(grouped)
        self._refuse_money(int(sum(found.get("_bad_money", ()))))
        order = np.lexsort(
            [cells_of(found[role]).astype(str if self._is_text(role) else float) for role in asked[::-1]]
        )
        arrays = {role: cells_of(found[role])[order] for role in asked}
        if counts:
            arrays["counts"] = arrays.get("counts", 1.0) * cells_of(found["_rows"])[order]
        return arrays

    def _grouped(self, frame: nw.LazyFrame[Any], asked: Sequence[str]) -> nw.LazyFrame[Any]:
        """Distinct rows with their counts; money that is no key is checked on the way, in the same query."""
        parts = {"_rows": nw.len()}
        if self.source.has("monetary_value") and "monetary_value" not in asked and "frequency" in asked:
            frame = self.source.frame.select(
                *(self._value(role).alias(role) for role in asked),
                self._bad_money().cast(nw.Int64).alias("_bad"),
            )
            parts["_bad_money"] = nw.col("_bad").sum()
        return frame.group_by(*asked).agg(*(part.alias(name) for name, part in parts.items()))

    def _cells(self, column: nw.Series[Any], role: str, *, whole: bool) -> Any:
        if self._is_text(role):
            return cells_of(column.cast(nw.String).to_list())
        if whole and column.dtype.is_integer() and column.null_count() == 0:
            cells = column.to_numpy()
            if cells.dtype.kind in "iu":
                return cells
        return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)

    def _is_text(self, role: str) -> bool:
        """Whether a group or a covariate is a label, not a number."""
        dtype = self.source.dtype(role)
        return (role == "by" or role.startswith(COVARIATE)) and not (dtype.is_numeric() or dtype == nw.Boolean)

    def _value(self, role: str) -> nw.Expr:
        return self.source.column(role).cast(nw.String if self._is_text(role) else nw.Float64)

    def _bad_money(self) -> nw.Expr:
        """Repeat buyers whose mean spend is missing, negative or not finite."""
        money, repeat = self.source.column("monetary_value").cast(nw.Float64), self.source.column("frequency") > 0
        return repeat & (money.is_null() | money.is_nan() | ~money.is_finite() | (money < 0)).fill_null(True)

    def refuse_negative(self, role: str) -> None:
        """Refuse a column with a missing, infinite or negative number, counted by the engine."""
        self._refuse_text([role])
        cell = self.source.column(role).cast(nw.Float64)
        bad = (cell.is_null() | cell.is_nan() | ~cell.is_finite() | (cell < 0)).fill_null(True)
        rows = int(collect(self.source.frame.select(bad.cast(nw.Int64).sum().alias("bad")))["bad"][0] or 0)
        if rows:
            raise InputError(
                f"{role}={self.source.roles[role]!r} is a finite number of at least 0; {rows} rows are not.",
                argument=role,
                column=self.source.roles[role],
                count=rows,
            )

    def _refuse_money(self, rows: int) -> None:
        if rows:
            raise InputError(
                f"monetary_value={self.source.roles['monetary_value']!r} is a finite number of at least 0 for every "
                f"customer with repeat purchases; {rows} rows are not.",
                argument="monetary_value",
                column=self.source.roles["monetary_value"],
                count=rows,
            )

    def _refuse_text(self, roles: Sequence[str]) -> None:
        for role in roles:
            numeric = self.source.dtype(role).is_numeric() or self.source.dtype(role) == nw.Boolean
            if not (numeric or self._is_text(role)):
                raise ColumnError(
                    f"{role}={self.source.roles[role]!r} holds numbers; its type is {self.source.dtype(role)}.",
                    argument=role,
                    column=self.source.roles[role],
                )

    def with_answers(
        self,
        roles: Sequence[str],
        compute: Answers,
        *,
        definition: str,
        formula: Formula | None = None,
        notes: tuple[str, ...] = (),
    ) -> CustomerTable:
        """Add what ``compute`` makes of the role columns; a lazy table is read once for its distinct rows.

        ``roles`` are columns whose values repeat exactly, such as frequency, recency and T. Money is a sum of
        floats, which an engine need not add up twice in the same order, so it never serves as a key: what
        depends on it goes through ``formula``, plain arithmetic over the roles (0 where missing) and the
        answers, which runs on arrays and in the engine alike. Answers whose names begin with ``_`` are dropped.
        """
        keys = self.arrays(*roles)
        answers = compute(*keys.values())
        hidden = {name: f"{OURS}{name}" for name in answers if name.startswith("_")}
        frame = self._joined(keys, {hidden.get(name, name): cells for name, cells in answers.items()})
        found: list[str] = []
        if formula is not None:
            frame, found = self._calculated(frame, answers, hidden, formula)
        clash = [name for name in (*answers, *found) if name in self.source.columns and name not in hidden]
        if clash:
            raise ColumnError(
                f"the table already has a column {clash[0]!r}, which the answer adds.",
                column=clash[0],
                fix="Rename it first.",
            )
        if hidden:
            frame = nw.from_native(frame).drop(*hidden.values()).to_native()
        return CustomerTable(
            frame=frame,
            definition=definition,
            unit=self.unit,
            as_of=self.as_of,
            excluded=self.excluded,
            notes=(*self.notes, *notes),
        )

    def _joined(self, keys: Mapping[str, Array], answers: Mapping[str, Array]) -> NativeFrame:
        if not self.source.lazy:
            return add_columns(self.native, answers)
        filled = {role: cells if cells.dtype == object else np.nan_to_num(cells) for role, cells in keys.items()}
        return join_answers(self.source, filled, answers)

    def _calculated(
        self, frame: NativeFrame, answers: Mapping[str, Array], hidden: Mapping[str, str], formula: Formula
    ) -> tuple[NativeFrame, list[str]]:
        if not self.source.lazy:
            bad = self.source.frame.select(self._bad_money().cast(nw.Int64).sum().alias("bad"))
            self._refuse_money(int(collect(bad)["bad"][0] or 0))
            columns: dict[str, Any] = {
                role: np.nan_to_num(cells) for role, cells in self.arrays(*self.source.roles).items()
            }
            with np.errstate(over="ignore"):  # an interval may end at infinity
                found = formula({**columns, **answers})
            return add_columns(frame, found), list(found)
        by_role: dict[str, Any] = {
            role: self.source.column(role).cast(nw.Float64).fill_null(0.0) for role in self.source.roles
        }
        planned = formula({**by_role, **{name: nw.col(hidden.get(name, name)) for name in answers}})
        native = nw.from_native(frame).with_columns(*(column.alias(name) for name, column in planned.items()))
        return native.to_native(), list(planned)


def adopt_history(history: CustomerTable | NativeFrame, roles: Mapping[str, str | None]) -> HistorySource:
    """Take a purchase history in, or a plain frame with its columns by role.

    A history that knows its own columns overrides roles that are left at their own names.
    """
    if not isinstance(history, CustomerTable):
        return HistorySource(adopt(history, roles), history, None, None, {}, ())
    own: dict[str, Any] = {role: getattr(history, role, name) if role == name else name for role, name in roles.items()}
    source = adopt(history.frame, own)
    return HistorySource(source, history.frame, history.unit, history.as_of, history.excluded, history.notes)


def adopt_covariates(frame: CustomerTable | NativeFrame, covariates: Sequence[str], *, customer: str) -> Source:
    """Take in a frame with the covariates of customers, a row or more for each."""
    native = frame.frame if isinstance(frame, CustomerTable) else frame
    return adopt(native, {"customer": customer, **{f"{COVARIATE}{name}": name for name in covariates}})


def cells_of(cells: Sequence[Any]) -> Any:
    """Floats with NaN where missing; text as it is, with None where missing."""
    if any(isinstance(cell, str) for cell in cells):
        return np.array([cell if isinstance(cell, str) else None for cell in cells], dtype=object)
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
