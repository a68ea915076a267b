"""Tables of any kind, written as the CSV that the daemon reads without loss.

A table is a pandas or Polars DataFrame, an Arrow table, anything that exports an Arrow stream, a mapping of columns, or
an iterable of rows. pandas, Polars and pyarrow are imported only for their own objects and for Parquet files.
"""

from __future__ import annotations

import bz2
import datetime
import decimal
import json
import lzma
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from .errors import InvalidArgumentError

PIECE = 1 << 20
"""Bytes of a piece of an upload; its base64 stays under the limit of a request."""
ROWS = 20_000
"""Rows that are turned into text at once."""

Cells = Sequence["str | None"]

# What the daemon takes for a missing value, wherever it stands.
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "\\N", "<NA>", "#N/A"})
_SPECIAL = re.compile('[",;|\x00-\x1f\x7f]|^[ {]')
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass
class Source:
    """Something that is uploaded as one file."""

    name: str
    pieces: Callable[[], Iterator[bytes]]
    container: str | None = None
    table: TableText | None = None


@dataclass
class TableText:
    """A table that is written as CSV, and what was seen while it was written."""

    kind: str
    names: list[str]
    chunks: Callable[[], Iterator[list[Cells]]]
    """Columns as texts, some rows at a time."""
    missing: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    """The first row of each column that the daemon takes for a missing value, and its text."""
    unnamed: dict[str, int] = field(default_factory=dict)
    """The first row of each column with a list that has an item without text."""

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in self.names:
            if name in seen:
                raise InvalidArgumentError(f"{self.kind}: found two columns {name!r}, expected each name once")
            if not name.strip() or re.search("[\t\r\n]|::", name):
                raise InvalidArgumentError(
                    f"{self.kind}: found a column {name!r}, expected a name without tabs, line breaks and '::'; "
                    "rename the column"
                )
            seen.add(name)
        if len(self.names) < 2:
            raise InvalidArgumentError(f"{self.kind}: found columns {self.names}, expected a user and an item at least")

    def csv(self) -> Iterator[bytes]:
        """Write the table in pieces.

        Raises:
            InvalidArgumentError: A text holds what no file of text may hold.
        """
        waiting = bytearray(
            ",".join(_quoted(name) if _SPECIAL.search(name) else name for name in self.names).encode() + b"\n"
        )
        row = 0
        for columns in self.chunks():
            fields = [self._fields(name, cells, row) for name, cells in zip(self.names, columns, strict=True)]
            waiting += ("\n".join(map(",".join, zip(*fields, strict=True))) + "\n").encode()
            row += len(columns[0])
            while len(waiting) >= PIECE:
                yield bytes(waiting[:PIECE])
                del waiting[:PIECE]
        if not row:
            raise InvalidArgumentError(f"{self.kind}: found no rows, expected interactions")
        yield bytes(waiting)

    def _fields(self, name: str, cells: Cells, row: int) -> list[str]:
        # Most texts come again: users, items, categories.
        known: dict[str | None, str] = {}
        fields = []
        for place, cell in enumerate(cells):
            text = known.get(cell)
            if text is None:
                text = known[cell] = self._field(name, cell, row + place)
            fields.append(text)
        return fields

    def _field(self, name: str, cell: str | None, row: int) -> str:
        if cell is None or cell.strip(" ") in MISSING:
            self.missing.setdefault(name, (row, cell))
            return ""
        if not _SPECIAL.search(cell):
            return cell
        if _CONTROL.search(cell):
            raise InvalidArgumentError(f"{name}: row {row} has a control character in {_short(cell)}, expected text")
        if type(cell) is _Unnamed:
            self.unnamed.setdefault(name, row)
        return _quoted(cell)

    def check_ids(self, roles: Mapping[str, str]) -> None:
        """Refuse rows without a user or an item.

        Args:
            roles: Columns by what they are read as.

        Raises:
            InvalidArgumentError: Names the column and the first row.
        """
        for role in ("user", "item", "items"):
            name = roles.get(role, "")
            if name in self.unnamed:
                raise InvalidArgumentError(
                    f"{name}: row {self.unnamed[name]} has an item without text, expected the names of items"
                )
            if name in self.missing:
                row, text = self.missing[name]
                found = "no value" if text is None else f"{text!r}, which plawd reads as a missing value"
                raise InvalidArgumentError(
                    f"{name}: row {row} has {found}, expected the {role} of the interaction; leave such rows out"
                    + (f', for example data.dropna(subset=["{name}"])' if self.kind.startswith("pandas") else "")
                )


def table_of(data: object, names: Sequence[str] | None = None) -> TableText | None:
    """Return a table as text, or None for what is no table.

    Args:
        data: The table.
        names: Names of the columns, for rows that are tuples or lists.

    Raises:
        InvalidArgumentError: The table cannot be written.
    """
    library = type(data).__module__.partition(".")[0]
    kind = type(data).__name__
    if library == "pandas" and kind == "DataFrame":
        return _pandas(data)
    if library == "polars" and kind in ("DataFrame", "LazyFrame"):
        return _polars(data)
    if library == "pyarrow" and kind in ("Table", "RecordBatch"):
        return _arrow(data)
    if hasattr(data, "__arrow_c_stream__"):
        try:
            import pyarrow
        except ImportError:
            raise InvalidArgumentError(
                f"data: found {kind}, which needs pyarrow: python3 -m pip install pyarrow"
            ) from None
        return _arrow(pyarrow.table(data), f"{library}-{kind}")
    if isinstance(data, Mapping):
        return _columns(data)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, os.PathLike)):
        return _rows(data, names)
    return None


def file_source(path: str | os.PathLike[str]) -> Source:
    """Return a file as it is sent: bzip2, xz and a zip of one file are unpacked, Parquet is read by pyarrow or Polars.

    Raises:
        InvalidArgumentError: The file cannot be read here.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            head = file.read(6)
    except OSError as error:
        raise InvalidArgumentError(f"data: {path}: {error.strerror}") from None
    if head.startswith(b"BZh"):
        return Source(name, lambda: _pieces(lambda: bz2.open(path, "rb"), path), "bzip2")
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return Source(name, lambda: _pieces(lambda: lzma.open(path, "rb"), path), "xz")
    if head.startswith(b"PK\x03\x04"):
        return _zip(path, name)
    if head.startswith((b"PAR1", b"ARROW1", b"FEA1")):
        table = _stored(path, "parquet" if head.startswith(b"PAR1") else "ipc")
        return Source(name, table.csv, table.kind, table)
    if head.startswith((b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")):
        raise InvalidArgumentError(f"data: {path} is an archive that Python does not unpack; `plaw register` does")
    return Source(name, lambda: _pieces(lambda: open(path, "rb"), path))


def _pieces(opened: Callable[[], IO[bytes]], path: str) -> Iterator[bytes]:
    try:
        with opened() as file:
            while piece := file.read(PIECE):
                yield piece
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InvalidArgumentError(f"data: {path}: {error}") from None


def _zip(path: str, name: str) -> Source:
    with zipfile.ZipFile(path) as archive:
        members = [
            entry.filename
            for entry in archive.infolist()
            if not entry.is_dir() and not re.search(r"(?i)(^|/)(readme|license|\.|__macosx)", entry.filename)
        ]
    if len(members) != 1:
        raise InvalidArgumentError(
            f"data: {path} holds {len(members)} files ({', '.join(members[:5])}), expected one; unpack it, or use "
            f"`plaw register NAME {name}:FILE`"
        )

    def opened() -> IO[bytes]:
        return zipfile.ZipFile(path).open(members[0])

    return Source(f"{name}:{members[0]}", lambda: _pieces(opened, path), "zip")


def _stored(path: str, form: str) -> TableText:
    try:
        import pyarrow.feather
        import pyarrow.parquet

        read: Any = pyarrow.parquet.read_table if form == "parquet" else pyarrow.feather.read_table
        return _arrow(read(path), "pyarrow")
    except ImportError:
        pass
    try:
        import polars
    except ImportError:
        raise InvalidArgumentError(
            f"data: {path} is read by pyarrow or Polars, found neither; to get it: python3 -m pip install pyarrow"
        ) from None
    return _polars(polars.read_parquet(path) if form == "parquet" else polars.read_ipc(path), "polars")


# The libraries.


def _pandas(data: Any) -> TableText:
    if data.columns.nlevels > 1:
        raise InvalidArgumentError("data: found columns of several levels, expected one name a column")
    named = [name for name in data.index.names if name is not None]
    if named:
        data = data.reset_index(level=named)
    names = [str(name) for name in data.columns]

    def chunks() -> Iterator[list[Cells]]:
        for start in range(0, len(data), ROWS):
            part = data.iloc[start : start + ROWS]
            yield [_pandas_cells(part.iloc[:, place]) for place in range(len(names))]

    return TableText("pandas-DataFrame", names, chunks)


def _pandas_cells(column: Any) -> Cells:
    kind = column.dtype
    if kind.kind == "M":
        import numpy

        if getattr(kind, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        values = column.to_numpy()
        if values.dtype.kind != "M":
            values = column.to_numpy(dtype="datetime64[ns]")
        unit: Any = numpy.datetime_data(values.dtype)[0]
        whole = bool((values.astype("datetime64[s]") == values)[~numpy.isnat(values)].all())
        texts = numpy.datetime_as_string(values, unit="s" if whole else unit).tolist()
        return [None if text == "NaT" else text + "Z" for text in texts]
    if str(kind) in ("float32", "float16"):
        # As people wrote them: 4.1, not 4.099999904632568.
        return [text_of(float(text)) for text in column.to_numpy().astype(str).tolist()]
    if str(kind) == "category":
        categories = [text_of(value) for value in column.cat.categories.tolist()]
        return [None if code < 0 else categories[code] for code in column.cat.codes.tolist()]
    return [text_of(value) for value in column.tolist()]


def _polars(data: Any, kind: str | None = None) -> TableText:
    if hasattr(data, "collect"):
        data = data.collect()

    def chunks() -> Iterator[list[Cells]]:
        for start in range(0, data.height, ROWS):
            yield [_polars_cells(column) for column in data.slice(start, ROWS).get_columns()]

    return TableText(kind or "polars-DataFrame", list(data.columns), chunks)


def _polars_cells(column: Any) -> Cells:
    kind = str(column.dtype)
    if kind.startswith("Datetime"):
        if getattr(column.dtype, "time_zone", None):
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return [None if text is None else text + "Z" for text in column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f").to_list()]
    if kind.startswith(("Categorical", "Enum")):
        column = column.cast(str)
    elif kind == "Float32":
        return [None if text is None else text_of(float(text)) for text in column.cast(str).to_list()]
    return [text_of(value) for value in column.to_list()]


def _arrow(data: Any, kind: str | None = None) -> TableText:
    def chunks() -> Iterator[list[Cells]]:
        for start in range(0, data.num_rows, ROWS):
            part = data.slice(start, ROWS)
            yield [_arrow_cells(part.column(place)) for place in range(part.num_columns)]

    return TableText(kind or f"arrow-{type(data).__name__}", [str(name) for name in data.schema.names], chunks)


def _arrow_cells(column: Any) -> Cells:
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pyarrow.types.is_timestamp(column.type):
        texts = column.cast(pyarrow.timestamp(column.type.unit)).cast(pyarrow.string()).to_pylist()
        return [None if text is None else text + "Z" for text in texts]
    if pyarrow.types.is_float32(column.type) or pyarrow.types.is_float16(column.type):
        texts = column.cast(pyarrow.float32()).cast(pyarrow.string()).to_pylist()
        return [None if text is None else text_of(float(text)) for text in texts]
    return [text_of(value) for value in column.to_pylist()]


def _columns(data: Mapping[Any, Any]) -> TableText:
    columns: list[Cells] = [[text_of(value) for value in column] for column in data.values()]
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{name!r} of {len(column)}" for name, column in zip(data, columns, strict=True))
        raise InvalidArgumentError(f"data: found columns of different lengths ({lengths}), expected equal ones")
    # Tables of plaw.importers say which file they are from.
    kind = str(getattr(data, "file", "columns"))
    return TableText(kind, [str(name) for name in data], lambda: iter([columns] if columns[0] else []))


def _rows(data: Iterable[Any], names: Sequence[str] | None) -> TableText:
    rows = iter(data)
    first = next(rows, None)
    if first is None:
        raise InvalidArgumentError("data: found no rows, expected interactions")
    if names is None:
        names = list(first) if isinstance(first, Mapping) else getattr(first, "_fields", None)
    if names is None:
        raise InvalidArgumentError(
            "data: found rows without names, expected dictionaries, named tuples, or tuples with "
            'names=("user", "item", "time")'
        )
    columns = list(names)

    def cells(row: Any, place: int) -> list[str | None]:
        if isinstance(row, Mapping):
            unknown = [name for name in row if name not in columns]
            if unknown:
                raise InvalidArgumentError(f"data: row {place} has {unknown[0]!r}, expected only {columns}")
            return [text_of(row.get(name)) for name in columns]
        values = [text_of(value) for value in row]
        if len(values) != len(columns):
            raise InvalidArgumentError(
                f"data: row {place} has {len(values)} values, expected {len(columns)}: {columns}"
            )
        return values

    def chunks() -> Iterator[list[Cells]]:
        waiting = [cells(first, 0)]
        for place, row in enumerate(rows, 1):
            waiting.append(cells(row, place))
            if len(waiting) == ROWS:
                yield list(zip(*waiting, strict=True))
                waiting = []
        if waiting:
            yield list(zip(*waiting, strict=True))

    return TableText("rows", columns, chunks)


# Values.


def text_of(value: object) -> str | None:
    """Return a value as the daemon reads it, or None for a missing one.

    Whole floats lose their fraction, since ids become floats in columns with gaps. Times are in UTC; those without a
    zone are taken as UTC.
    """
    if type(value) is str:
        return value
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime.datetime):
        return _moment(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else f"{value:f}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.hex()
    if isinstance(value, (list, tuple)):
        return _list([text_of(item) for item in value])
    if isinstance(value, (set, frozenset)):
        raise InvalidArgumentError("data: found a set of items, which has no order; expected a list")
    if isinstance(value, Mapping):
        return json.dumps({str(name): text_of(inner) for name, inner in value.items()}, ensure_ascii=False)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    to_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    if callable(to_list):
        # Of NumPy, pandas and Polars: a scalar, or a list of items.
        return text_of(to_list())
    return str(value)


class _Unnamed(str):
    """A list with an item that has no text."""


def _list(items: list[str | None]) -> str:
    """Return a list as JSON, which the daemon reads in a field."""
    text = json.dumps(items, ensure_ascii=False)
    return text if all(items) else _Unnamed(text)


def _float(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))


def _moment(value: datetime.datetime) -> str | None:
    if type(value).__name__ == "NaTType":
        return None
    if value.tzinfo is not None:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return value.isoformat() + "Z"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
