"""The corpus file of a dataset, as NumPy arrays that map the file and copy nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plaw.runner.errors import CorpusError

_HEADER = 128
_PLAIN, _EVENTS = 1, 2
_EVENT_HEAD = 128
_PIECE = 1 << 22


@dataclasses.dataclass(frozen=True)
class Kinds:
    """Kinds of interactions, such as behaviors or domains."""

    names: tuple[str, ...]
    """As the file of interactions writes them; empty for interactions that do not say."""
    codes: npt.NDArray[Any]
    """uint8 or uint16 [n], the kind of each interaction: a place in `names`."""


class Corpus:
    """Interactions of users with items, read-only: users in file order, each user's items oldest first.

    Attributes:
        user_count: Number of users U.
        item_count: Number of items V; items are numbers from 0 to V - 1.
        interaction_count: Number of interactions n.
        content_hash: SHA-256 of the content, in hexadecimal, as the file says: the version of the dataset.
        offsets: uint64 [U + 1], the first interaction of each user, and the end.
        items: int32 [n], the items of all users, one user after the other.
        times: int64 [n], the times of `items`; None where the dataset has none.
        behaviors: Kinds of the interactions, such as view and buy; None where the dataset has none.
        domains: Which part of the data each interaction is of; None where the dataset has none.
    """

    def __init__(self, path: str | Path) -> None:
        """Map a corpus file.

        Raises:
            CorpusError: The file cannot be read, or is foreign, damaged or cut short.
        """
        self.path = Path(path)
        try:
            size = self.path.stat().st_size
            if size < _HEADER:
                raise self._refused(f"found {size} bytes, expected a corpus file of at least {_HEADER}")
            self._bytes: npt.NDArray[np.uint8] = np.memmap(self.path, dtype=np.uint8, mode="r")
        except OSError as error:
            raise self._refused(f"cannot be read: {error.strerror or error}") from error
        header = self._bytes[:_HEADER].tobytes()
        magic, version, flags, *counts = struct.unpack("<8sII5Q", header[:56])
        if magic != b"PLAWCORP":
            raise self._refused("found no corpus file: the magic number is missing")
        if version not in (_PLAIN, _EVENTS):
            raise self._refused(f"found corpus version {version}, expected {_PLAIN} or {_EVENTS}")
        if any(count > size for count in counts):
            raise self._refused(f"the header's counts exceed the file's size of {size} bytes")
        users, items, rows, item_bytes, user_bytes = counts
        self.user_count: int = users
        self.item_count: int = items
        self.interaction_count: int = rows
        self.items_are_integers = bool(flags & 2)
        self.content_hash = header[56:120].decode("ascii", errors="replace")
        sections: list[tuple[str, int]] = [
            ("<u8", users + 1), ("<i4", rows), ("<i8", rows if flags & 1 else 0), ("<u8", items), ("u1", item_bytes),
            ("<u8", users), ("u1", user_bytes),
        ]  # fmt: skip
        place = _HEADER
        arrays: list[npt.NDArray[Any]] = []
        for kind, count in sections:
            length = count * np.dtype(kind).itemsize
            if place + length > size:
                raise self._refused(f"found {size} bytes, expected more: the file is cut short or damaged")
            arrays.append(self._bytes[place : place + length].view(kind))
            place += -(-length // 8) * 8
        self.behaviors: Kinds | None = None
        self.domains: Kinds | None = None
        self._values: tuple[npt.NDArray[np.float64], npt.NDArray[Any]] | npt.NDArray[Any] | None = None
        self._event_bytes: tuple[int, str] | None = None
        if version == _EVENTS:
            place = self._read_events(place, size)
        if place != size:
            raise self._refused(f"found {size} bytes, expected {place}: the file is cut short or damaged")
        self.offsets: npt.NDArray[np.uint64] = arrays[0]
        self.items: npt.NDArray[np.int32] = arrays[1]
        self.times: npt.NDArray[np.int64] | None = arrays[2] if flags & 1 else None
        self._item_ends, self._item_names, self._user_ends, self._user_names = arrays[3:]
        self._check()

    def _read_events(self, start: int, size: int) -> int:
        """Read the sections of events (docs/users/formats.md), and return where they end."""
        if size - start < _EVENT_HEAD:
            raise self._refused("the events are cut short")
        head = self._bytes[start : start + _EVENT_HEAD].tobytes()
        behaviors, behavior_bytes, table, number, domains, domain_bytes, rows, fill = struct.unpack("<8Q", head[:64])
        if (
            rows != self.interaction_count
            or fill != 0
            or number not in (0, 4, 8)
            or max(behaviors, table, domains) > 1 << 16
        ):
            raise self._refused("the counts of the events are damaged")
        place = start + _EVENT_HEAD
        self._event_bytes = (place, head[64:].decode("ascii", errors="replace"))

        def take(kind: str, count: int) -> npt.NDArray[Any]:
            nonlocal place
            length = count * np.dtype(kind).itemsize
            if place + length > size:
                raise self._refused("the events are cut short")
            array = self._bytes[place : place + length].view(kind)
            place += -(-length // 8) * 8
            return array

        def codes(kinds: int) -> npt.NDArray[Any]:
            array = take("u1" if kinds <= 256 else "<u2", rows)
            if rows and int(array.max()) >= kinds:
                raise self._refused(f"found the kind {int(array.max())} of an interaction, expected less than {kinds}")
            return array

        def kinds(count: int, length: int) -> Kinds | None:
            if not count:
                return None
            ends, text = take("<u8", count).astype(np.int64), take("u1", length).tobytes()
            starts = np.concatenate([[0], ends[:-1]])
            if bool(np.any(ends < starts)) or int(ends[-1]) > length:
                raise self._refused("the names of the events are damaged")
            names = tuple(text[a:b].decode("utf-8", errors="replace") for a, b in zip(starts, ends, strict=True))
            return Kinds(names, codes(count))

        self.behaviors = kinds(behaviors, behavior_bytes)
        if table:
            self._values = (take("<f8", table), codes(table))
        elif number:
            self._values = take(f"<f{number}", rows)
        self.domains = kinds(domains, domain_bytes)
        return place

    @property
    def values(self) -> npt.NDArray[Any] | None:
        """Numbers of the interactions such as ratings, float [n], NaN for none; None where the dataset has none."""
        if isinstance(self._values, tuple):
            table, codes = self._values
            numbers: npt.NDArray[Any] = table[codes]
            return numbers
        return self._values

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of interactions of each user, int64 [U]."""
        ends = self.offsets.astype(np.int64)
        return ends[1:] - ends[:-1]

    def history(self, user: int) -> npt.NDArray[np.int32]:
        """Return a view of all items of a user, oldest first, targets included."""
        return self.items[int(self.offsets[user]) : int(self.offsets[user + 1])]

    def history_times(self, user: int) -> npt.NDArray[np.int64] | None:
        """Return a view of the times of `history`; None where the dataset has no times."""
        if self.times is None:
            return None
        return self.times[int(self.offsets[user]) : int(self.offsets[user + 1])]

    def item_name(self, item: int) -> str:
        """Return an item's identifier as it was registered."""
        return self._name(self._item_ends, self._item_names, item)

    def user_name(self, user: int) -> str:
        """Return a user's identifier as it was registered."""
        return self._name(self._user_ends, self._user_names, user)

    def verify(self, expected: str | None = None, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Compare the content with its hash, and the hash with that of the registered dataset. Reads every byte.

        Args:
            expected: The hash that the dataset was registered with; None compares the content alone.
            should_stop: Asked after each 4 MiB; True ends the check without an answer.

        Raises:
            CorpusError: One of them differs.
        """
        if expected is not None and expected != self.content_hash:
            raise self._changed(self.content_hash, expected)
        digest = hashlib.sha256(
            f"plaw corpus {_PLAIN} times {'true' if self.times is not None else 'false'}\n".encode()
        )
        digest.update(struct.pack("<3Q", self.user_count + 1, self.interaction_count, len(self._item_names)))
        times = [] if self.times is None else [self.times]
        names = [self._item_ends, self._item_names, self._user_ends, self._user_names]
        arrays: list[npt.NDArray[Any]] = [self.offsets, self.items, *times, *names]
        for array in arrays:
            view = array.view(np.uint8)
            for start in range(0, len(view), _PIECE):
                if should_stop():
                    return
                digest.update(view[start : start + _PIECE].data)
        if digest.hexdigest() != self.content_hash:
            raise self._changed(digest.hexdigest(), self.content_hash)
        if self._event_bytes is not None:
            start, expected = self._event_bytes
            found = hashlib.sha256(self._bytes[start:].data).hexdigest()
            if found != expected:
                raise self._changed(found, expected)

    def _name(self, ends: npt.NDArray[np.uint64], names: npt.NDArray[np.uint8], index: int) -> str:
        start = int(ends[index - 1]) if index else 0
        return names[start : int(ends[index])].tobytes().decode("utf-8", errors="replace")

    def _check(self) -> None:
        """Refuse what would be read out of bounds: offsets that descend, item numbers that are too large."""
        ends = [
            (self.offsets, self.interaction_count),
            (self._item_ends, len(self._item_names)),
            (self._user_ends, len(self._user_names)),
        ]
        for values, last in ends:
            if len(values) and (int(values[-1]) != last or bool(np.any(values[1:] < values[:-1]))):
                raise self._refused("the offsets are damaged")
        if int(self.offsets[0]) != 0:
            raise self._refused("the offsets are damaged")
        if self.interaction_count:
            largest = int(self.items.view(np.uint32).max())
            if largest >= self.item_count:
                raise self._refused(f"found item number {largest}, expected less than {self.item_count}")

    def _refused(self, message: str) -> CorpusError:
        return CorpusError(f"{self.path}: {message}")

    def _changed(self, found: str, expected: str) -> CorpusError:
        return self._refused(
            f"found content {found[:12]}, expected {expected[:12]}: the file is not the one that was registered; "
            "put it back from a backup, or remove the dataset and register it again"
        )


def corpus_bytes(
    histories: list[list[int]], item_count: int | None = None, times: list[list[int]] | None = None
) -> bytes:
    """Return a corpus file of these histories, with the numbers as names: for tests of a runner.

    Args:
        histories: Items of each user, oldest first.
        item_count: Number of items V; by default one more than the largest item.
        times: Times of the items, if the corpus has any.
    """
    items = np.array([item for history in histories for item in history], dtype="<i4")
    count = item_count if item_count is not None else int(items.max()) + 1
    offsets = np.cumsum([0] + [len(history) for history in histories]).astype("<u8")

    def names(size: int) -> tuple[npt.NDArray[np.uint64], bytes]:
        texts = [str(number).encode() for number in range(size)]
        return np.cumsum([len(text) for text in texts]).astype("<u8"), b"".join(texts)

    item_ends, item_names = names(count)
    user_ends, user_names = names(len(histories))
    moments = [] if times is None else [np.array([t for row in times for t in row], dtype="<i8").tobytes()]
    sections = [
        offsets.tobytes(), items.tobytes(), *moments, item_ends.tobytes(), item_names, user_ends.tobytes(), user_names,
    ]  # fmt: skip
    digest = hashlib.sha256(f"plaw corpus {_PLAIN} times {'false' if times is None else 'true'}\n".encode())
    digest.update(struct.pack("<3Q", len(offsets), len(items), len(item_names)))
    for section in sections:
        digest.update(section)
    flags = (0 if times is None else 1) | 2
    counts = (len(histories), count, len(items), len(item_names), len(user_names))
    header = struct.pack("<8sII5Q", b"PLAWCORP", _PLAIN, flags, *counts) + digest.hexdigest().encode()
    return header.ljust(_HEADER, b"\0") + b"".join(s + b"\0" * (-len(s) % 8) for s in sections)
