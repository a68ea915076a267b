"""Amounts as people write them, read as `plaw` reads them."""

from __future__ import annotations

import math
import numbers
import operator
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, Union

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from ._wire import Job, Law, Prediction

Count = Union[str, SupportsFloat]
"""A number of things: `2_000_000`, `"2M"`, `"5e12"`."""
Size = Union[str, SupportsFloat]
"""Bytes: `200_000_000`, `"200MB"`, `"1GiB"`."""
Duration = Union[str, SupportsFloat, timedelta]
"""Seconds: `600`, `"10m"`, `"5ms"`, or a `timedelta`."""
Share = Union[str, SupportsFloat]
"""A share: `0.01`, `"1%"`."""
Choices = Union[str, int, Iterable[SupportsIndex]]
"""Whole numbers: `[2, 4, 8]`, `"2,4,8"`, `"2..8"`, `"16..256:16"`."""
Shape = Union[str, "tuple[int, int]"]
"""Layers and dimension: `"4x128"`, `(4, 128)`."""
JobLike = Union[int, "Job"]
"""A job or its number."""
LawLike = Union[int, "Law"]
"""A law or its number."""

_MOST = 4096
_COUNTS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SIZES = {
    **{"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9},
    **{"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
}
_TIMES = {
    **{"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0},
    **{"h": 3600.0, "d": 86400.0},
}


def _refuse(name: str, value: object, expected: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name}: found {value!r}, expected {expected}")


def _quantity(
    name: str,
    value: str | SupportsFloat | timedelta | None,
    units: Mapping[str, float],
    expected: str,
    most: float = math.inf,
) -> float | int | None:
    if value is None:
        return None
    amount = math.nan
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([0-9][0-9 _,]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)\s*([^\s0-9.]*)\s*", value)
        if found and (not found[2] or found[2] in units):
            amount = float(re.sub("[ _,]", "", found[1])) * (units[found[2]] if found[2] else 1)
    elif isinstance(value, timedelta):
        amount = value.total_seconds() if units is _TIMES else math.nan
    elif isinstance(value, SupportsFloat) and not isinstance(value, bool):
        amount = float(value)
    if not (0 < amount <= most and amount < math.inf):
        raise _refuse(name, value, expected)
    return int(amount) if amount.is_integer() and amount < 2**53 else amount


def count(name: str, value: Count | None) -> float | None:
    """Read a number above 0, with an optional unit."""
    return _quantity(name, value, _COUNTS, 'a number above 0 such as "500k", "2M" or 5e12')


def size(name: str, value: Size | None) -> float | None:
    """Read bytes."""
    return _quantity(name, value, _SIZES, 'a size above 0 such as "200MB" or "1GiB"')


def duration(name: str, value: Duration | None) -> float | None:
    """Read seconds."""
    return _quantity(name, value, _TIMES, 'a duration above 0 such as "5ms", "10m", "2h" or seconds')


def share(name: str, value: Share | None) -> float | None:
    """Read a share above 0, at most 1."""
    return _quantity(name, value, {"%": 0.01}, 'a share above 0, at most 1, such as "1%" or 0.01', 1)


def whole(name: str, value: SupportsIndex | None) -> int | None:
    """Read a whole number, NumPy's too."""
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise _refuse(name, value, "a whole number") from None


def number(name: str, value: SupportsFloat | None) -> float | None:
    """Read any number that JSON has."""
    if value is None:
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise _refuse(name, value, "a number")


def choices(name: str, value: Choices | None) -> list[int] | None:
    """Read whole numbers of 1 or more, in order and once: a list of them, or a text such as `2..8`."""
    if value is None:
        return None
    expected = f'whole numbers above 0 such as [2, 4, 8], "2..8" or "16..256:16", at most {_MOST}'
    found: set[int] = set()
    try:
        for part in value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value:
            if not isinstance(part, str):
                found.add(whole(name, part) or 0)
                continue
            match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+)(?::(\d+))?)?\s*", part)
            if not match or (match[2] and int(match[2]) < int(match[1])) or match[3] == "0":
                raise ValueError
            steps = range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))
            if len(steps) > _MOST:
                raise ValueError
            found.update(steps)
        if not 1 <= len(found) <= _MOST or min(found) < 1:
            raise ValueError
    except (TypeError, ValueError):
        raise _refuse(name, value, expected) from None
    return sorted(found)


def shape(name: str, value: Shape | None) -> dict[str, int] | None:
    """Read layers and dimension."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) else value
    try:
        layers, dim = match.groups() if isinstance(match, re.Match) else tuple(match or ())
        return {"layers": int(layers), "dim": int(dim)}
    except (TypeError, ValueError):
        raise _refuse(name, value, 'layers and dimension such as "2x64" or (2, 64)') from None


def number_of(name: str, value: int | Job | Law | Prediction | None) -> int | None:
    """Return the number of a job or a law."""
    identity: Any = getattr(value, "id", value)
    return whole(name, identity)
