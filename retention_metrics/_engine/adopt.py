"""The door: any dataframe in, with its columns checked and named by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import narwhals as nw
from narwhals.dependencies import is_pandas_dataframe, is_pyarrow_table

from retention_metrics import _checks
from retention_metrics.errors import ColumnError, InputError

EAGER = {nw.Implementation.PANDAS: "pandas", nw.Implementation.POLARS: "polars", nw.Implementation.PYARROW: "pyarrow"}

KEYS = {"customer", "by"}
"""Roles that tell rows apart."""

NUMBERS = ("amount", "value", "tax", "discount", "opening", "closing", "recurring")
"""Roles that hold money, or marks of 1 and 0."""

NativeFrame = Any
"""A frame of the caller's library: pandas, Polars (eager or lazy), PyArrow, a DuckDB relation, …"""


@dataclass(frozen=True)
class Source:
    """A frame that came in through the door.

    ``frame`` holds all columns under their own names; ``roles`` says which column plays which role, and ``arguments``
    which argument of the caller names it, where that has another name than the role.
    """

    frame: nw.LazyFrame[Any]
    roles: Mapping[str, str]
    schema: Mapping[str, nw.dtypes.DType]
    lazy: bool
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The library whose eager frames ``Result.to_frame`` gives."""
        return EAGER.get(self.frame.implementation, "pandas")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the frame, in order."""
        return tuple(self.schema)

    def has(self, role: str) -> bool:
        """Whether a column plays this role."""
        return role in self.roles

    def argument(self, role: str) -> str:
        """The caller's argument that names the column of this role."""
        return self.arguments.get(role, role)

    def column(self, role: str) -> nw.Expr:
        """The column that plays this role."""
        return nw.col(self.roles[role])

    def dtype(self, role: str) -> nw.dtypes.DType:
        """The type of the column that plays this role."""
        return self.schema[self.roles[role]]

    def by_role(self, *roles: str) -> nw.LazyFrame[Any]:
        """The role columns alone, named by their roles; columns nobody asked for are never read."""
        return self.frame.select(*(self.column(role).alias(role) for role in roles or tuple(self.roles)))

    def with_frame(self, frame: nw.LazyFrame[Any]) -> Source:
        """The same roles on another plan."""
        return replace(self, frame=frame, schema=dict(frame.collect_schema()))


def is_frame(data: object) -> bool:
    """Whether ``data`` is a frame of a library that the door knows."""
    if is_pandas_dataframe(data):
        return True
    try:
        native = nw.from_native(data, pass_through=True)
    except TypeError:
        return False
    return isinstance(native, (nw.DataFrame, nw.LazyFrame))


def adopt(data: NativeFrame, roles: Mapping[str, str | None], arguments: Mapping[str, str] | None = None) -> Source:
    """Take a frame in: its kind is known, its columns exist, and none plays two roles.

    ``arguments`` names the caller's argument of a role, for its errors, where that has another name than the role.
    """
    words = {**dict(zip(roles, roles, strict=True)), **(arguments or {})}
    if is_pandas_dataframe(data):
        _refuse_twins(list(data.columns))
        data = _with_plain_numbers(data, roles)
    if not is_frame(data):
        raise InputError(
            f"data is a dataframe (pandas, Polars, PyArrow, DuckDB, …); got {type(data).__name__}.", argument="data"
        )
    native = nw.from_native(_readable(data, {name for name in roles.values() if isinstance(name, str)}))
    frame = native.lazy()
    schema = dict(native.collect_schema() if isinstance(native, nw.LazyFrame) else native.schema)
    named = {role: _checks.column(name, schema, role=words[role]) for role, name in roles.items() if name is not None}
    _refuse_shared({words[role]: column for role, column in named.items()})
    frame = _without_nan_keys(frame, schema, {named[role] for role in KEYS & named.keys()})
    return Source(frame=frame, roles=named, schema=schema, lazy=isinstance(native, nw.LazyFrame), arguments=words)


def _without_nan_keys(
    frame: nw.LazyFrame[Any], schema: Mapping[str, nw.dtypes.DType], names: set[str]
) -> nw.LazyFrame[Any]:
    """The frame with keys that are no number missing, as pandas has them."""
    if frame.implementation is nw.Implementation.PANDAS:
        return frame
    keys = [nw.col(name) for name in sorted(names) if schema[name].is_float()]
    return frame.with_columns(*(nw.when(~key.is_nan()).then(key) for key in keys)) if keys else frame


def _with_plain_numbers(data: NativeFrame, roles: Mapping[str, str | None]) -> NativeFrame:
    """A pandas frame whose numbers held as objects, decimals or nothing at all, are floats."""
    plain = {}
    for role in NUMBERS:
        name = roles.get(role)
        if name is None or name not in data.columns or data[name].dtype != object:
            continue
        present = data[name].dropna()
        if all(isinstance(entry, (Decimal, Real)) and not isinstance(entry, bool) for entry in present):
            plain[name] = data[name].where(data[name].notna(), None).astype("float64")
    return data.assign(**plain) if plain else data


def _readable(data: NativeFrame, names: set[str]) -> NativeFrame:
    """The frame with the named columns in a type that its engine can group and sort."""
    if is_pandas_dataframe(data):
        return _readable_pandas(data, names)
    return _readable_arrow(data, names) if is_pyarrow_table(data) else data


def once(data: NativeFrame, roles: Mapping[str, str | None], arguments: Mapping[str, str] | None = None) -> NativeFrame:
    """The role columns of a lazy Polars plan, run once; any other frame as it is.

    For a summary that asks several questions: Polars would read its source again for each.
    """
    source = adopt(data, roles, arguments)
    held = in_memory(source)
    return data if held is source else held.frame.to_native()


def in_memory(source: Source) -> Source:
    """The same with the columns of its roles in memory where that is a lazy Polars plan, to be asked several questions.

    A customer table asks them of these, and keeps its plan on the caller's frame.
    """
    if not source.lazy or source.frame.implementation is not nw.Implementation.POLARS:
        return source
    return source.with_frame(source.frame.select(*source.roles.values()).collect().lazy())


def _refuse_twins(columns: list[object]) -> None:
    twins = sorted({str(name) for name in columns if columns.count(name) > 1})
    if twins:
        raise ColumnError(f"column names are unique; {twins[0]!r} appears more than once.", column=twins[0])


def _refuse_shared(roles: Mapping[str, str]) -> None:
    by_column: dict[str, str] = {}
    for role, column in roles.items():
        if column in by_column:
            raise ColumnError(
                f"{by_column[column]}= and {role}= both name the column {column!r}; each needs its own.",
                argument=role,
                column=column,
            )
        by_column[column] = role


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def collect(frame: nw.LazyFrame[Any]) -> dict[str, list[Any]]:
    """Run a plan whose answer is small, and give its columns as lists of builtins."""
    if frame.implementation is nw.Implementation.DUCKDB:
        # narwhals would collect through PyArrow, which is not among the required dependencies.
        relation = frame.to_native()
        rows = relation.fetchall()
        columns = zip(*rows, strict=True) if rows else [() for _ in relation.columns]
        return {name: [builtin(cell) for cell in cells] for name, cells in zip(relation.columns, columns, strict=True)}
    eager = frame.collect()
    return {name: [builtin(cell) for cell in eager[name].to_list()] for name in eager.columns}


def builtin(cell: Any) -> Any:
    """A cell as Python has it; every kind of missing value is None."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell:
        return None
    if hasattr(cell, "to_pydatetime"):
        return cell.to_pydatetime()
    # DuckDB sums whole numbers to HUGEINT, which arrives as Decimal.
    if type(cell).__name__ == "Decimal":
        return int(cell) if cell == int(cell) else float(cell)
    return cell.item() if hasattr(cell, "item") else cell


def _readable_arrow(data: NativeFrame, names: set[str]) -> NativeFrame:
    """An Arrow table whose views of text, of which Arrow cannot take rows, and whose UUIDs are plain text."""
    import pyarrow as pa

    for place, held in enumerate(data.schema):
        if held.name not in names:
            continue
        if _is_uuid(held.name, held.type):
            data = data.set_column(place, held.name, _in_words(data.column(place)))
        if str(held.type) == "string_view":
            data = data.set_column(place, held.name, data.column(place).cast(pa.large_string()))
    return data


def _is_uuid(column: str, held: Any) -> bool:
    """Whether these are UUIDs, for Arrow neither groups nor compares its extension types: any other is refused."""
    if not hasattr(held, "storage_type"):
        return False
    if getattr(held, "extension_name", None) == "arrow.uuid":
        return True
    raise ColumnError(
        f"{column!r} holds {held}, which PyArrow cannot group by.", column=column, fix="Convert it to text first."
    )


def _in_words(values: Any) -> Any:
    """Arrow's UUIDs as text."""
    import pyarrow as pa

    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.large_string())


def _readable_pandas(data: NativeFrame, names: set[str]) -> NativeFrame:
    """A pandas frame whose columns all can be read: pandas cannot sort Arrow-backed dictionaries.

    Nor does narwhals read pandas' own times in a zone whose name has an underscore or a digit, such as
    America/New_York; held by Arrow they are read.
    """
    import pandas as pd

    plain = {}
    for name in names & set(data.columns):
        dtype = data[name].dtype
        if isinstance(dtype, pd.DatetimeTZDtype) and nw.from_native(data[name], series_only=True).dtype == nw.Unknown:
            plain[name] = _in_arrow(data[name])
        if _is_uuid(name, getattr(dtype, "pyarrow_dtype", None)):
            words = pd.arrays.ArrowExtensionArray(_in_words(data[name].array.__arrow_array__()))
            plain[name] = pd.Series(words, index=data.index, name=name)
        value = getattr(getattr(dtype, "pyarrow_dtype", None), "value_type", None)
        if value is not None and str(dtype).startswith("dictionary"):
            plain[name] = data[name].astype(pd.ArrowDtype(value))
    return data.assign(**plain) if plain else data


def _in_arrow(times: Any) -> Any:
    import pandas as pd

    try:
        import pyarrow as pa
    except ImportError:
        raise ColumnError(
            f"{times.name!r} is in the zone {times.dtype.tz}, which is read only where PyArrow is installed.",
            column=str(times.name),
            fix="Install pyarrow, or move the times with .dt.tz_convert('UTC') and give the zone with tz=.",
        ) from None
    held = pa.chunked_array([pa.array(times)])
    return pd.Series(pd.arrays.ArrowExtensionArray(held), index=times.index, name=times.name)
