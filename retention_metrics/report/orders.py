"""A file of purchases as a frame: customers as text, times as dates, money as numbers, errors with their lines."""

from __future__ import annotations

import csv
import difflib
import itertools
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from retention_metrics import _checks, datasets
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.report.wording import Remark

if TYPE_CHECKING:
    import pandas as pd

CUSTOMER, TIME, VALUE = "customer", "time", "value"
_SEPARATORS = (",", ";", "\t", "|")
_NO_TIME = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "\\n", "<na>"})
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?\s?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_FORMATS = (
    "%Y%m%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%d %b %Y",
    "%b %d, %Y",
    "%d-%b-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
)


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Purchases ready to be reported.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns ``customer`` (text), ``time`` (dates, without a zone) and, where there is money, ``value``.
    source : str
        What the reader knows the data by, such as the file's name.
    names : dict of str to str
        The data's own name of each column.
    notes : tuple of Remark
        What reading changed.
    reference : str
        Where published data come from.
    """

    frame: pd.DataFrame
    source: str
    names: dict[str, str]
    notes: tuple[Remark, ...] = ()
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a file.

    Attributes
    ----------
    customer, time, value : str
        Columns; without ``value`` there is no money.
    date_format : str or None
        Form of the dates in ``strptime``'s words; by default ISO 8601.
    time_zone : str or None
        Zone in which times that carry a zone are cut to days; by default UTC.
    separator : str or None
        What parts the fields of a CSV file; by default found from its first line.
    decimal : str
        The decimal mark of a CSV file.
    encoding : str or None
        Of a CSV file; by default UTF-8, or UTF-16 where the file says so.
    """

    customer: str
    time: str
    value: str | None = None
    date_format: str | None = None
    time_zone: str | None = None
    separator: str | None = None
    decimal: str = "."
    encoding: str | None = None

    @property
    def roles(self) -> dict[str, str]:
        """The columns by role."""
        named = {CUSTOMER: self.customer, TIME: self.time}
        return named if self.value is None else {**named, VALUE: self.value}


def read(path: Path, how: Reading) -> Orders:
    """Read a CSV or Parquet file of purchases.

    Parameters
    ----------
    path : Path
        The file.
    how : Reading
        Its columns, and how they are written.

    Returns
    -------
    Orders
        A row per row of the file; missing customers, times and values stay missing.

    Raises
    ------
    InputError
        If the file, a column, a date or a value cannot be read; the message counts the lines and shows the first.
    MissingDependencyError
        If the file is Parquet and pyarrow is not installed.
    """
    _check_roles(how)
    table = _open(path)
    raw, lines = table.columns(path, how)

    return _typed(raw, how, source=path.name, lines=lines)


def cdnow() -> Orders:
    """The bundled purchases of a music shop's customers, 1997-98."""
    names = {CUSTOMER: "customer_id", TIME: "date", VALUE: "amount"}
    stored: Any = datasets.cdnow()
    frame = stored[list(names.values())].set_axis(list(names), axis=1)
    return Orders(
        frame=frame.assign(**{CUSTOMER: customers(frame[CUSTOMER])}),
        source="CDNOW sample, 1997-98",
        names=names,
        reference="Fader, P. S. and Hardie, B. G. S. (2001). Forecasting repeat sales at CDNOW: a case study. "
        "Interfaces 31(3), S94–S107.",
    )


# ---------------------------------------------------------------- which kind of file


def _check_roles(how: Reading) -> None:
    roles = how.roles
    for role, name in roles.items():
        other = next((taken for taken, column in roles.items() if column == name and taken != role), None)
        if other is not None:
            raise ColumnError(f"--{role} and --{other} name the same column, {name!r}.", argument=role, column=name)
    if how.time_zone is not None:
        try:
            zoneinfo.ZoneInfo(how.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(
                f"--time-zone is an IANA name such as Europe/Berlin; got {how.time_zone!r}.", argument="time_zone"
            ) from None


def _open(path: Path) -> _Csv | _Parquet:
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a CSV or Parquet file.", argument="file")
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        nearest = difflib.get_close_matches(path.name, beside, n=1)
        hint = f"Did you mean {path.with_name(nearest[0])}?" if nearest else None
        raise InputError(f"there is no file {path}.", argument="file", fix=hint)
    with path.open("rb") as file:
        head = file.read(65536)
    if head.startswith(b"PAR1"):
        return _Parquet()
    if not head.strip():
        raise InputError(f"{path} is empty.", argument="file")
    kinds = ((b"PK\x03\x04", "an Excel workbook or another zip file"), (b"\x1f\x8b", "compressed with gzip"))
    for magic, what in kinds:
        if head.startswith(magic):
            raise InputError(f"{path} is {what}; give it as CSV or Parquet.", argument="file")
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} holds binary data; give a CSV or Parquet file.", argument="file")
    return _Csv()


class _Parquet:
    """A Parquet file, read by column."""

    def columns(self, path: Path, how: Reading) -> tuple[pd.DataFrame, Lines]:
        """The columns by role, as they are stored, and the numbers of the rows from 1."""
        import pandas as pd

        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise _checks.missing_dependency("pyarrow", extra="parquet", purpose="reading Parquet") from None
        try:
            stored = parquet.read_schema(path).names
            wanted = {role: _column(name, stored, role=role) for role, name in how.roles.items()}
            table = parquet.read_table(path, columns=list(wanted.values()))
        except pyarrow.ArrowException as error:
            raise InputError(f"{path} is not a readable Parquet file: {_one_line(error)}", argument="file") from None
        if table.num_rows == 0:
            raise InputError(f"{path} has no rows.", argument="file", count=0)
        mapper = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.int32(): pd.Int32Dtype()}.get
        columns = {role: table[name].to_pandas(types_mapper=mapper) for role, name in wanted.items()}
        return pd.DataFrame(columns), Lines("row", range(1, table.num_rows + 1))


class _Csv:
    """A CSV file with a header, its fields read as text."""

    def columns(self, path: Path, how: Reading) -> tuple[pd.DataFrame, Lines]:
        """The columns by role, as text, and the lines of the file on which the rows begin."""
        import pandas as pd

        encoding = _encoding(path, how)
        try:
            with path.open(encoding=encoding, newline="") as file:
                separator, header = _header(file, path, how)
            where = {role: _place(name, header, role=role) for role, name in how.roles.items()}
            cells, lines = _fields(path, encoding, separator, header, tuple(where.values()))
        except UnicodeError:
            raise InputError(
                f"{path} is not {encoding.removesuffix('-sig').upper()} text{_undecodable(path, encoding)}.",
                argument="file",
                fix="Give its --encoding, for instance cp1252.",
            ) from None
        if not lines:
            raise InputError(f"{path} has a header and no rows.", argument="file", count=0)
        return pd.DataFrame(dict(zip(where, cells, strict=True)), dtype="str"), Lines("line", lines)


def _fields(
    path: Path, encoding: str, separator: str, header: list[str], places: tuple[int, ...]
) -> tuple[list[list[str]], list[int]]:
    """The fields at some places of every record, and the line on which each record begins."""
    cells: list[list[str]] = [[] for _ in places]
    lines: list[int] = []
    # Customers and days recur: one copy of each text is enough.
    once: dict[str, str] = {}
    width = len(header)
    for line, record in itertools.islice(_records(path, encoding, separator), 1, None):
        if len(record) != width and (len(record) < width or any(record[width:])):
            raise InputError(
                f"line {line} of {path} has {len(record)} fields, where the header has {width}.",
                argument="file",
                fix="Quote the fields that hold the separator, and remove lines that are no rows.",
            )
        lines.append(line)
        for column, place in zip(cells, places, strict=True):
            column.append(once.setdefault(record[place], record[place]))
    return cells, lines


@dataclass(frozen=True)
class Lines:
    """The place of each row in its file: what a place is called, and its number."""

    word: str
    numbers: Sequence[int]

    def said(self, rows: Sequence[int], texts: Sequence[object]) -> str:
        """``line 2: 'x', line 5: 'y'`` for some rows."""
        pairs = zip(rows, texts, strict=True)
        return ", ".join(f"{self.word} {self.numbers[row]}: {_short(text)!r}" for row, text in pairs)


def _encoding(path: Path, how: Reading) -> str:
    if how.encoding is not None:
        try:
            "".encode(how.encoding)
        except LookupError:
            raise InputError(
                f"--encoding is a name such as utf-8 or cp1252; got {how.encoding!r}.", argument="encoding"
            ) from None
        return how.encoding
    with path.open("rb") as file:
        head = file.read(2)
    return "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _header(file: IO[str], path: Path, how: Reading) -> tuple[str, list[str]]:
    """The separator under which the first line holds the columns asked for, and its fields."""
    if how.separator is not None and len(how.separator) != 1:
        raise InputError(f"--separator is one character; got {how.separator!r}.", argument="separator")
    text = file.read(1 << 20)
    found: dict[str, list[str]] = {}
    for separator in (how.separator,) if how.separator else _SEPARATORS:
        record = next((row for row in csv.reader(text.splitlines(keepends=True), delimiter=separator) if row), [])
        found[separator] = [field.strip() for field in record]
    best = max(found, key=lambda mark: (len(set(how.roles.values()) & set(found[mark])), len(found[mark])))
    if len(found[best]) < 2:
        shown = _short(found[best][0] if found[best] else "")
        raise InputError(
            f"{path} does not read as CSV: its first line is the single field {shown!r}.",
            argument="file",
            fix="It needs a header with a column of customers and one of times.",
        )
    return best, found[best]


def _place(name: str, header: list[str], *, role: str) -> int:
    known = _column(name.strip(), header, role=role)
    if header.count(known) > 1:
        raise ColumnError(
            f"--{role} {known!r} is the name of {header.count(known)} columns.", argument=role, column=known
        )
    return header.index(known)


def _column(name: str, known: Sequence[str], *, role: str) -> str:
    try:
        return _checks.column(name, known, role=role)
    except ColumnError as error:
        raise ColumnError(str(error).replace(f"{role}=", f"--{role} ", 1), argument=role, column=name) from None


def _records(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the number of the line on which each begins; blank lines are none."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        before = 0
        while True:
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                said = f"{path} does not read as CSV from line {before + 1} on: {_one_line(error)}."
                raise InputError(said, argument="file", fix="Is a quotation mark left open there?") from None
            if any(record):
                yield before + 1, record
            before = reader.line_num


def _undecodable(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f" (line {number})"
    return ""


# ---------------------------------------------------------------- what the fields mean


def _typed(raw: pd.DataFrame, how: Reading, *, source: str, lines: Lines) -> Orders:
    import pandas as pd

    columns = {CUSTOMER: customers(raw[CUSTOMER])}
    columns[TIME], notes = _times(raw[TIME], how, lines)
    if how.value is not None:
        columns[VALUE] = _money(raw[VALUE], how, lines)
    return Orders(frame=pd.DataFrame(columns), source=source, names=how.roles, notes=notes)


def customers(raw: pd.Series[Any]) -> pd.Series[Any]:
    """Customers as text, whatever their type; blank ones are missing."""
    known = raw.notna()
    text = raw.astype("str").str.strip() if raw.dtype.kind != "f" else raw.map(_whole, na_action="ignore").astype("str")
    return text.where(known & (text != ""), None)


def _whole(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _times(raw: pd.Series[Any], how: Reading, lines: Lines) -> tuple[pd.Series[Any], tuple[Remark, ...]]:
    import pandas as pd

    if how.date_format is None and pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return _without_zone(raw, how)
    if how.date_format is None and raw.dtype == object and raw.dropna().map(lambda cell: hasattr(cell, "year")).all():
        return pd.to_datetime(raw), ()
    text = raw.astype("str").str.strip()
    missing = (raw.isna() | text.str.lower().isin(_NO_TIME)).to_numpy()
    if how.date_format is not None:
        times = pd.to_datetime(text.mask(missing), format=_checked_format(how.date_format), errors="coerce")
        _refuse_times(times, text, missing, how, lines)
        return _without_zone(times, how)
    shape = text.str.extract(f"^{_ISO.pattern}$", flags=re.IGNORECASE)["zone"]
    iso = text.str.fullmatch(_ISO.pattern, flags=re.IGNORECASE).to_numpy(dtype=bool)
    zoned = shape.notna().to_numpy()
    if zoned.any() and not (zoned | missing | ~iso).all():
        row = int((~zoned & ~missing & iso).argmax())
        raise InputError(
            f"--time {how.time!r} mixes times with a zone and times without one "
            f"({lines.said([row], [text.iloc[row]])}).",
            argument="time",
            column=how.time,
        )
    times = pd.to_datetime(text.where(iso & ~missing), format="ISO8601", errors="coerce", utc=bool(zoned.any()))
    _refuse_times(times, text, missing, how, lines)
    return _without_zone(times, how)


def _checked_format(pattern: str) -> str:
    import datetime as dt

    try:
        dt.datetime.strptime(dt.datetime(2001, 2, 3).strftime(pattern), pattern)
        usable = "%" in pattern
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"--date-format is written as %d/%m/%Y or %Y%m%d; got {pattern!r}.", argument="date_format")
    return pattern


def _refuse_times(times: pd.Series[Any], text: pd.Series[Any], missing: Any, how: Reading, lines: Lines) -> None:
    import numpy as np

    bad = np.flatnonzero(times.isna().to_numpy() & ~missing).tolist()
    if not bad:
        return
    fitting = _formats_that_fit(text[~missing]) if how.date_format is None else []
    if how.date_format is not None:
        fix = f"They do not have the form {how.date_format}."
    elif fitting:
        fix = f"For these give --date-format {' or '.join(repr(pattern) for pattern in fitting)}."
    else:
        fix = "Dates are read as 2024-01-31 or 2024-01-31T09:30:00; for another form give --date-format."
    raise InputError(
        f"--time {how.time!r} holds {len(bad)} unreadable {'date' if len(bad) == 1 else 'dates'} in {len(text)} rows "
        f"({lines.said(bad[:3], text.iloc[bad[:3]].tolist())}).",
        argument="time",
        column=how.time,
        count=len(bad),
        first=text.iloc[bad[:3]].tolist(),
        fix=fix,
    )


def _formats_that_fit(text: pd.Series[Any]) -> list[str]:
    """Forms that read every date; more than one where day and month cannot be told apart."""
    import pandas as pd

    head = text.iloc[:200]
    likely = [form for form in _FORMATS if pd.to_datetime(head, format=form, errors="coerce").notna().all()]
    return [form for form in likely if pd.to_datetime(text, format=form, errors="coerce").notna().all()][:2]


def _without_zone(times: pd.Series[Any], how: Reading) -> tuple[pd.Series[Any], tuple[Remark, ...]]:
    zone = getattr(times.dtype, "tz", None)
    if zone is None:
        if how.time_zone is not None:
            raise InputError(
                f"--time-zone is for times that carry a zone; those of {how.time!r} do not.", argument="time_zone"
            )
        return times, ()
    wanted = how.time_zone or "UTC"
    return times.dt.tz_convert(wanted).dt.tz_localize(None), (Remark("warning_zone", {"zone": wanted}),)


def _money(raw: pd.Series[Any], how: Reading, lines: Lines) -> pd.Series[Any]:
    import numpy as np
    import pandas as pd

    if pd.api.types.is_bool_dtype(raw.dtype):
        raise InputError(f"--value {how.value!r} holds true and false, not money.", argument="value", column=how.value)
    text = raw.astype("str").str.strip()
    missing = (raw.isna() | text.str.lower().isin(_NO_TIME)).to_numpy()
    if how.decimal != "." and not pd.api.types.is_numeric_dtype(raw.dtype):
        text = text.str.replace(".", "\0", regex=False).str.replace(how.decimal, ".", regex=False)
    numbers = pd.to_numeric(text.mask(missing), errors="coerce").astype("float64")
    bad = np.flatnonzero(~np.isfinite(numbers.to_numpy()) & ~missing).tolist()
    if bad:
        shown = raw.astype("str").iloc[bad[:3]].tolist()
        comma = how.decimal == "." and all(re.fullmatch(r"-?\d+,\d{1,2}", entry.strip()) for entry in shown)
        what = "entry that is no number" if len(bad) == 1 else "entries that are no numbers"
        plain = "Leave out currency signs and separators of thousands."
        raise InputError(
            f"--value {how.value!r} holds {len(bad)} {what} in {len(raw)} rows ({lines.said(bad[:3], shown)}).",
            argument="value",
            column=how.value,
            count=len(bad),
            fix="For a decimal comma give --decimal ','." if comma else plain,
        )
    return numbers


def _short(text: object, most: int = 40) -> str:
    said = str(text)
    return said if len(said) <= most else f"{said[: most - 1]}…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
