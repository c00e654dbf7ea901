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
from retention_metrics._engine.join import join_answers
from retention_metrics._engine.tables import CustomerTable, add_columns
from retention_metrics.errors import ColumnError

Array = NDArray[np.float64]
Answers = Callable[..., Mapping[str, Array]]


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

    def arrays(self, *roles: str, counts: bool = False) -> dict[str, Array]:
        """The role columns as arrays of floats, NaN where missing, in row order.

        A lazy table gives its distinct rows, with the rows behind each under ``"counts"`` when asked for.
        """
        asked = [role for role in roles if self.source.has(role)]
        self._refuse_text(asked)
        frame = self.source.frame.select(
            *(self.source.column(role).cast(nw.Float64).alias(role) for role in asked)
        )
        if not self.source.lazy:
            eager = frame.collect()
            return {role: np.asarray(eager[role].to_numpy(), dtype=np.float64) for role in asked}
        grouped = frame.group_by(*asked).agg(nw.len().alias("_rows"))
        found = collect(grouped)
        order = np.lexsort([_array(found[role]) for role in reversed(asked)])
        arrays = {role: _array(found[role])[order] for role in asked}
        return {**arrays, "counts": _array(found["_rows"])[order]} if counts else arrays

    def _refuse_text(self, roles: Sequence[str]) -> None:
        for role in roles:
            if not (self.source.dtype(role).is_numeric() or self.source.dtype(role) == nw.Boolean):
                raise ColumnError(
                    f"{role}={self.source.roles[role]!r} holds numbers; its type is {self.source.dtype(role)}.",
                    argument=role,
                    column=self.source.roles[role],
                )

    def with_answers(self, roles: Sequence[str], compute: Answers, *, definition: str, notes: tuple[str, ...] = ()) -> CustomerTable:
        """Add what ``compute`` makes of the role columns; a lazy table is read once for its distinct rows."""
        keys = self.arrays(*roles)
        answers = compute(*keys.values())
        clash = [name for name in answers if name in self.source.columns]
        if clash:
            raise ColumnError(
                f"the table already has a column {clash[0]!r}, which the answer adds.", column=clash[0], fix="Rename it first."
            )
        if self.source.lazy:
            frame = join_answers(self.source, {role: np.nan_to_num(cells) for role, cells in keys.items()}, answers)
        else:
            frame = add_columns(self.native, dict(answers))
        return CustomerTable(
            frame=frame,
            definition=definition,
            unit=self.unit,
            as_of=self.as_of,
            excluded=self.excluded,
            notes=(*self.notes, *notes),
        )


def adopt_history(history: CustomerTable | NativeFrame, roles: Mapping[str, str | None]) -> HistorySource:
    """Take a purchase history in, or a plain frame with its columns by role.

    A history that knows its own columns overrides roles that are left at their own names.
    """
    if not isinstance(history, CustomerTable):
        return HistorySource(adopt(history, roles), history, None, None, {}, ())
    own: dict[str, Any] = {
        role: getattr(history, role, name) if role == name else name for role, name in roles.items()
    }
    source = adopt(history.frame, own)
    return HistorySource(source, history.frame, history.unit, history.as_of, history.excluded, history.notes)


def _array(cells: Sequence[Any]) -> Array:
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
