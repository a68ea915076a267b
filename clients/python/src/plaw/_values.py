"""The base of everything that the daemon answers: reads JSON into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import functools
import html
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import ProtocolError

if TYPE_CHECKING:
    import pandas

T = TypeVar("T", bound="Value")
Row = TypeVar("Row", bound="Value")


@dataclass(frozen=True, kw_only=True, repr=False)
class Value:
    """An answer of the daemon, or a part of one."""

    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The JSON as it came, with the members that this version of the package does not know."""

    _shown: ClassVar[tuple[str, ...]] = ()
    """What `repr` shows; by default everything that has a value."""

    @classmethod
    def from_json(cls: type[T], json: Any, where: str = "") -> T:
        """Read an object of the wire. Members that are not known are left to `raw`.

        Raises:
            ProtocolError: A member is missing or has another type.
        """
        if not isinstance(json, Mapping):
            raise ProtocolError(f"{where or cls.__name__}: found {_short(json)}, expected an object")
        values: dict[str, Any] = {"raw": json}
        for name, wire, read, required in _members(cls):  # type: ignore[arg-type]
            if wire in json:
                values[name] = read(json[wire], f"{where}.{wire}" if where else wire)
            elif required:
                raise ProtocolError(f"{where or cls.__name__}: found no {wire}, expected one")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the members as a dictionary; inner values stay as they are."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "raw"}

    def _parts(self) -> Iterable[tuple[str, object]]:
        for name, value in self.to_dict().items():
            if (name in self._shown or not self._shown) and value is not None and value != () and value != {}:
                yield name, value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(value)}' for name, value in self._parts())})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name.replace('_', ' '))}</th>"
            f"<td style='text-align:left'>{html.escape(_brief(value))}</td></tr>"
            for name, value in self._parts()
        )
        return f"<table><caption>{html.escape(type(self).__name__)}</caption>{rows}</table>"


class Table(tuple[Row, ...]):
    """Answers in a row: a tuple that shows itself as a table and turns into a DataFrame."""

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each answer.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame([flat(row) for row in self])

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"

    def _repr_html_(self) -> str:
        rows = [flat(row) for row in self[:60]]
        names = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_brief(row.get(name, '')))}</td>" for name in names) + "</tr>"
            for row in rows
        )
        more = f"<caption>{len(rows)} of {len(self)}</caption>" if len(rows) < len(self) else ""
        return f"<table>{more}<tr>{head}</tr>{body}</table>"


def flat(value: Value) -> dict[str, Any]:
    """Return what a row of a table shows of a value: its plain members, and those of the values in it."""
    columns: dict[str, Any] = {}
    for name, member in value.to_dict().items():
        if isinstance(member, Value):
            columns.update({k: v for k, v in flat(member).items() if k not in columns})
        elif isinstance(member, Mapping):
            for key, inner in member.items():
                if isinstance(inner, Value):
                    for part, number in flat(inner).items():
                        columns[key if part == "value" else f"{key}_{part}"] = number
                else:
                    columns[key] = inner
        elif not (isinstance(member, tuple) and any(isinstance(part, Value) for part in member)):
            columns[name] = member
    return columns


def frame(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    """Return a pandas DataFrame.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("a DataFrame needs pandas: python3 -m pip install 'plaw[pandas]'") from error
    made: pandas.DataFrame = pandas.DataFrame(rows)
    return made


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Value):
        text = repr(value)
        return text if len(text) <= 100 else f"{type(value).__name__}(...)"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, tuple):
        return f"{len(value)} of {type(value[0]).__name__}" if len(value) > 4 else ", ".join(map(_brief, value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_brief(inner)}" for name, inner in value.items()) + "}"
    return str(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


Reader = Callable[[Any, str], Any]


@functools.cache
def _members(cls: type[Value]) -> tuple[tuple[str, str, Reader, bool], ...]:
    """Return name, name on the wire, reader and whether it is required, of each member."""
    hints = typing.get_type_hints(cls)
    return tuple(
        (
            member.name,
            str(member.metadata.get("wire", member.name)),
            _reader(hints[member.name]),
            member.default is dataclasses.MISSING and member.default_factory is dataclasses.MISSING,
        )
        for member in dataclasses.fields(cls)
        if member.name != "raw"
    )


@functools.cache
def _reader(hint: Any) -> Reader:
    """Return what turns JSON into a value of an annotation, or raises `ProtocolError`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _reader(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        inner = _reader(arguments[0])
        return lambda json, where: tuple(
            inner(part, f"{where}[{place}]") for place, part in enumerate(_checked(json, list, where))
        )
    if origin is not None and issubclass(origin, Mapping):
        inner = _reader(arguments[1])
        return lambda json, where: {
            name: inner(part, f"{where}.{name}") for name, part in _checked(json, dict, where).items()
        }
    if hint is Any:
        return lambda json, where: json
    if hint is datetime:
        return _time
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.from_json
    if hint is float:
        return lambda json, where: json if type(json) is int else _checked(json, float, where)
    return lambda json, where: _checked(json, hint, where)


def _checked(json: Any, kind: type, where: str) -> Any:
    # In Python True is an int; in JSON it is none.
    if not isinstance(json, kind) or (isinstance(json, bool) and kind is not bool):
        raise ProtocolError(f"{where}: found {_short(json)}, expected {kind.__name__}")
    return json


def _time(json: Any, where: str) -> datetime:
    try:
        return datetime.strptime(_checked(json, str, where), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise ProtocolError(f"{where}: found {_short(json)}, expected a time") from error
