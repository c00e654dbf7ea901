"""A Polars source that counts how often it is read, and which columns are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars.io.plugins import register_io_source


class Reads:
    """``Reads(table).scan()`` is a lazy frame; ``columns`` lists the columns of every read so far."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self.columns: list[list[str]] = []

    def scan(self) -> pl.LazyFrame:
        def read(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            self.columns.append(sorted(with_columns or self.table.columns))
            table = self.table if with_columns is None else self.table.select(with_columns)
            yield table if predicate is None else table.filter(predicate)

        return register_io_source(read, schema=self.table.schema)
