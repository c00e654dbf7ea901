"""The kinds of dataframe that the library takes, each as a function of a pandas frame.

``FRAMES`` is what a test is parametrised over; ``as_sorted_rows`` brings any answer back to plain rows, so that one
expectation serves every kind.
"""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from itertools import count
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

_NUMBERS = count()


def as_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def as_pandas_pyarrow(frame: pd.DataFrame) -> pd.DataFrame:
    return pa.Table.from_pandas(frame, preserve_index=False).to_pandas(types_mapper=pd.ArrowDtype)


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))


def as_lazy(frame: pd.DataFrame) -> pl.LazyFrame:
    return as_polars(frame).lazy()


def as_pyarrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def as_duckdb(frame: pd.DataFrame) -> duckdb.DuckDBPyRelation:
    """A relation over a real table of its own in-memory database."""
    connection = duckdb.connect()
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    connection.register("rows_in", rows)
    connection.execute("create table user_table as select * from rows_in")
    connection.unregister("rows_in")
    return connection.table("user_table")


def together(**tables: pd.DataFrame) -> dict[str, object]:
    """Relations of one connection."""
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(f"{name}_in", table)
        connection.execute(f"create table {name} as select * from {name}_in")
    return {name: connection.table(name) for name in tables}


@cache
def _ibis_connection() -> Any:
    import ibis

    return ibis.duckdb.connect()


def as_ibis(frame: pd.DataFrame) -> Any:
    """A table of one connection, since Ibis joins no tables of two."""
    connection, name = _ibis_connection(), f"user_table_{next(_NUMBERS)}"
    connection.con.register("rows_in", pa.Table.from_pandas(frame, preserve_index=False))
    connection.con.execute(f"create table {name} as select * from rows_in")
    connection.con.unregister("rows_in")
    return connection.table(name)


@cache
def _spark_session() -> Any:
    from pyspark.sql import SparkSession

    plain = {
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        # A time without a zone stays one.
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in plain.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def as_spark(frame: pd.DataFrame) -> Any:
    return _spark_session().createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))


CONVERT: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": as_pandas,
    "pandas[pyarrow]": as_pandas_pyarrow,
    "polars": as_polars,
    "lazy": as_lazy,
    "pyarrow": as_pyarrow,
    "duckdb": as_duckdb,
}

# Engines that a test run names, as `make test-engines` does: they are heavy and slow to start.
NAMED = {"ibis": as_ibis, "spark": as_spark}
CONVERT |= {kind: NAMED[kind] for kind in os.environ.get("RETENTION_METRICS_ENGINES", "").split()}

FRAMES = [pytest.param(convert, id=kind) for kind, convert in CONVERT.items()]
EAGER_FRAMES = [pytest.param(CONVERT[kind], id=kind) for kind in ("pandas", "pandas[pyarrow]", "polars", "pyarrow")]


def as_rows(answer: Any) -> list[dict[str, Any]]:
    """Rows of any frame, result or customer table as dicts of builtins; every kind of missing value is None."""
    native = (
        answer.to_frame() if hasattr(answer, "to_frame") and not isinstance(answer, (pd.Series, pd.Index)) else answer
    )
    if isinstance(native, duckdb.DuckDBPyRelation):
        names = native.columns
        rows = [dict(zip(names, row, strict=True)) for row in native.fetchall()]
    elif isinstance(native, pl.LazyFrame):
        rows = native.collect().to_dicts()
    elif isinstance(native, pl.DataFrame):
        rows = native.to_dicts()
    elif isinstance(native, pa.Table):
        rows = native.to_pylist()
    elif isinstance(native, pd.DataFrame):
        rows = native.to_dict("records")
    elif "pyspark" in type(native).__module__:
        rows = [row.asDict() for row in native.collect()]
    elif "ibis" in type(native).__module__:
        rows = native.to_pandas().to_dict("records")
    else:
        raise TypeError(f"{type(native).__name__} is not a frame, a result or a customer table.")
    return [{str(name): builtin(value) for name, value in row.items()} for row in rows]


def as_sorted_rows(answer: Any, *, by: Iterable[str] | None = None, digits: int = 9) -> list[tuple[Hashable, ...]]:
    """Rows as tuples in one order, numbers rounded, so that frames of any kind can be compared with ``==``.

    ``by`` names the columns to keep, in that order; by default all of them, in the frame's own order.
    """
    rows = as_rows(answer)
    names = list(by) if by is not None else list(rows[0]) if rows else []
    tuples = [tuple(rounded(row[name], digits) for name in names) for row in rows]
    return sorted(tuples, key=lambda row: [order(value) for value in row])


def builtin(value: Any) -> Any:
    """A Python builtin for one cell: timestamps as naive datetimes at midnight or later, missing as None."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    elif hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value


def rounded(value: Any, digits: int) -> Any:
    """A number rounded, -0.0 as 0.0 and a whole float as the same number as an int; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return round(float(value), digits) + 0.0


def order(value: Any) -> tuple[bool, str, Any]:
    """A key that puts missing values last and never compares two types."""
    return (True, "", 0) if value is None else (False, type(value).__name__, value)
