"""Answers for distinct rows, joined back to the caller's frame in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine.adopt import EAGER, NativeFrame, Source, quoted
from retention_metrics.errors import InputError

Array = NDArray[np.float64]
# Names in a caller's frame or database: nobody else has columns or tables that begin like this.
OURS = "_retention_metrics_"


def join_answers(source: Source, keys: Mapping[str, Array], answers: Mapping[str, Array]) -> NativeFrame:
    """The source's lazy frame with the answers of its rows beside them; it stays lazy.

    ``keys`` holds the distinct values by role, as the engine gave them, with 0 in place of a missing one.
    """
    if source.frame.implementation is nw.Implementation.DUCKDB:
        return _in_duckdb(source, keys, answers)
    names = {role: f"{OURS}{role}" for role in keys}
    small = listed(source.frame, {**{names[role]: values for role, values in keys.items()}, **answers})
    keyed = source.frame.with_columns(
        *(_key(source, role, text=keys[role].dtype == object).alias(name) for role, name in names.items())
    )
    return keyed.join(small, on=list(names.values()), how="left").drop(*names.values()).to_native()


def listed(frame: nw.LazyFrame[Any], columns: Mapping[str, NDArray[np.generic]]) -> nw.LazyFrame[Any]:
    """A short table of ours where the plan of ``frame`` can join it: in its library, and in its session."""
    native: Any = frame.to_native()
    short: Any = None
    if frame.implementation is nw.Implementation.IBIS:
        import ibis
        import pandas as pd

        short = ibis.memtable(pd.DataFrame(dict(columns)))
    elif frame.implementation.is_pyspark():
        import pandas as pd

        short = native.sparkSession.createDataFrame(pd.DataFrame(dict(columns)))
    if short is not None:
        found: nw.LazyFrame[Any] = nw.from_native(short)
        return found
    if frame.implementation not in EAGER:
        raise InputError(
            f"answers cannot be joined to a lazy frame of {frame.implementation.name.lower()} yet.",
            argument="data",
            fix="Collect it first.",
        )
    return nw.from_dict(dict(columns), backend=frame.implementation).lazy()


def _key(source: Source, role: str, *, text: bool) -> nw.Expr:
    column = source.column(role)
    return column.cast(nw.String) if text else column.cast(nw.Float64).fill_null(0.0)


def _in_duckdb(source: Source, keys: Mapping[str, Array], answers: Mapping[str, Array]) -> NativeFrame:
    """A relation refuses one of another connection; a replacement scan of a local frame it takes."""
    import pandas as pd

    relation: Any = source.frame.to_native()
    _retention_metrics_answers = pd.DataFrame({**{f"{OURS}{role}": cells for role, cells in keys.items()}, **answers})
    on = " AND ".join(
        f"CAST(rows.{column} AS VARCHAR) = answers.{key}"
        if keys[role].dtype == object
        else f"coalesce(CAST(rows.{column} AS DOUBLE), 0) = answers.{key}"
        for role in keys
        for column, key in ((quoted(source.roles[role]), quoted(f"{OURS}{role}")),)
    )
    chosen = ", ".join(f"answers.{quoted(name)}" for name in answers)
    found = relation.query(
        f"{OURS}rows",
        f"SELECT rows.*, {chosen} FROM {OURS}rows AS rows LEFT JOIN {OURS}answers AS answers ON {on}",
    )
    del _retention_metrics_answers  # DuckDB's plan holds the frame that the query named
    return found


def cross_with(source: Source, rows: nw.LazyFrame[Any], name: str, values: NDArray[np.int64]) -> nw.LazyFrame[Any]:
    """Every row beside every value of a small column, in the caller's engine."""
    if rows.implementation is nw.Implementation.DUCKDB:
        import pandas as pd

        _retention_metrics_listed = pd.DataFrame({name: values})
        relation: Any = rows.to_native()
        found = relation.query(
            f"{OURS}rows",
            f"SELECT rows.*, listed.{quoted(name)} FROM {OURS}rows AS rows CROSS JOIN {OURS}listed AS listed",
        )
        del _retention_metrics_listed  # DuckDB's plan holds the frame that the query named
        crossed: nw.LazyFrame[Any] = nw.from_native(found)
        return crossed
    return rows.join(listed(rows, {name: values}), how="cross")


def join_listed(
    rows: nw.LazyFrame[Any], key: str, values: NDArray[np.int64], name: str, answers: NDArray[np.generic]
) -> nw.LazyFrame[Any]:
    """Every row with the answer that a short list gives for its key, in the caller's engine."""
    return join_table(rows, key, {key: values, name: answers})


def join_table(rows: nw.LazyFrame[Any], key: str, table: Mapping[str, NDArray[np.generic]]) -> nw.LazyFrame[Any]:
    """Every row beside the rows of a short table that have its key, in the caller's engine."""
    if rows.implementation is nw.Implementation.DUCKDB:
        import pandas as pd

        _retention_metrics_listed = pd.DataFrame(dict(table))
        relation: Any = rows.to_native()
        chosen = ", ".join(f"listed.{quoted(name)}" for name in table if name != key)
        found = relation.query(
            f"{OURS}rows",
            f"SELECT rows.*, {chosen} FROM {OURS}rows AS rows JOIN {OURS}listed AS listed USING ({quoted(key)})",
        )
        del _retention_metrics_listed  # DuckDB's plan holds the frame that the query named
        joined: nw.LazyFrame[Any] = nw.from_native(found)
        return joined
    return rows.join(listed(rows, table), on=key, how="inner")
