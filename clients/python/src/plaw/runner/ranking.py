"""Ranks of targets, their metrics, and the file that keeps them.

    rank = 1 + (items scored higher) + (other items scored equal)        masked items left out, the target never

Ties count against the target: a model that scores all items alike earns nothing.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plaw.runner.errors import Diverged
from plaw.runner.files import fnv1a, write_atomically
from plaw.runner.split import Candidates, Part, Split, blocks

Score = Callable[[npt.NDArray[np.int32]], Any]
"""Returns the scores of all items for each user, [users, V]; anything that `numpy.asarray` takes."""

STANDARD = [f"{kind}@{k}" for k in (1, 5, 10, 20) for kind in ("hr", "ndcg")] + ["mrr@10"]
"""The metrics that every trial reports."""

_SCORES = 1 << 25
_MOST_USERS = 1_024


@dataclass(frozen=True)
class Measurement:
    """A mean over users and its standard error."""

    value: float
    standard_error: float

    def json(self) -> dict[str, float]:
        """Return the JSON object; a standard error that cannot be known is left out."""
        if self.standard_error == 0 and 0 < self.value < 1:
            return {"value": self.value}
        return {"value": self.value, "standardError": self.standard_error}


def measure(metric: str, ranks: npt.NDArray[np.uint32]) -> Measurement:
    """Return a metric of ranks: the mean over users of what a rank earns.

    HR@K = [rank <= K], NDCG@K = [rank <= K] / log2(rank + 1), MRR@K = [rank <= K] / rank. The standard error is the
    standard deviation over users divided by the root of their number.
    """
    kind, _, cutoff = metric.partition("@")
    k = int(cutoff)
    n = len(ranks)
    if n == 0:
        return Measurement(0.0, 0.0)
    hits = ranks[(ranks >= 1) & (ranks <= k)].tolist()
    earns: Callable[[int], float] = {
        "hr": lambda rank: 1.0,
        "ndcg": lambda rank: 1 / math.log2(rank + 1),
        "mrr": lambda rank: 1 / rank,
    }[kind]
    table = {rank: earns(rank) for rank in set(hits)}
    total = squares = 0.0
    # One after the other, as plaw-trial adds them: the same sum to the bit.
    for rank in hits:
        gain = table[rank]
        total += gain
        squares += gain * gain
    mean = total / n
    variance = max(0.0, squares / n - mean * mean) * n / (n - 1) if n > 1 else 0.0
    return Measurement(mean, math.sqrt(variance / n))


def measure_all(ranks: npt.NDArray[np.uint32], *more: str) -> dict[str, Measurement]:
    """Return the standard metrics and those named besides, keyed `hr@10`."""
    return {metric: measure(metric, ranks) for metric in dict.fromkeys([*STANDARD, *more])}


class Ranking:
    """Ranks the targets of a split under the mask of its specification, in blocks of users."""

    def __init__(self, split: Split, block: int | None = None) -> None:
        """Prepare a ranking.

        Args:
            split: The split.
            block: Users that are scored at once; by default as many as make 2^25 scores, at most 1024.
        """
        self._split = split
        items = max(1, split.corpus.item_count)
        self.block = block or max(1, min(_MOST_USERS, _SCORES // items))
        drawn = split.spec.sampled_ranking
        self.candidates = None if drawn is None else Candidates(split, drawn)

    def ranks(self, part: Part, score: Score, advanced: Callable[[], None] = lambda: None) -> npt.NDArray[np.uint32]:
        """Return the rank of each user's target, uint32, in the order of `part.users`.

        Args:
            part: `split.validation` or `split.test`.
            score: Returns scores [users, V] of a block of users.
            advanced: Called after each block.

        Raises:
            Diverged: A score is not finite.
            ValueError: The scores have another shape.
        """
        found = [np.zeros(0, np.uint32)]
        for chosen in blocks(part.users, self.block):
            users = part.users[chosen]
            scores = np.asarray(score(users))
            expected = (len(users), self._split.corpus.item_count)
            if scores.shape != expected:
                raise ValueError(f"found scores of shape {scores.shape}, expected {expected}: [users, items]")
            if not np.isfinite(scores).all():
                raise Diverged("a score is not finite: training has diverged")
            found.append(self.of_scores(part, users, part.targets[chosen], scores))
            advanced()
        return np.concatenate(found)

    def of_scores(
        self,
        part: Part,
        users: npt.NDArray[np.int32],
        targets: npt.NDArray[np.int32],
        scores: npt.NDArray[Any],
    ) -> npt.NDArray[np.uint32]:
        """Return the ranks of `targets` among finite scores [users, V]."""
        rows = np.arange(len(users))
        own = scores[rows, targets]
        if self.candidates is not None:
            drawn = [self.candidates.of(user) for user in users.tolist()]
            above = [int((scores[row, items] >= own[row]).sum()) for row, items in enumerate(drawn)]
            return np.array([1 + count for count in above], dtype=np.uint32)
        # The target is among those scored equal, which makes up for the 1 that ranks begin with.
        counted = (scores >= own[:, None]).sum(axis=1)
        masked_rows, masked_items = self.masked(part, users, targets)
        hidden = scores[masked_rows, masked_items] >= own[masked_rows]
        counted -= np.bincount(masked_rows[hidden], minlength=len(users))
        ranks: npt.NDArray[np.uint32] = counted.astype(np.uint32)
        return ranks

    def masked(
        self, part: Part, users: npt.NDArray[np.int32], targets: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the pairs (row of `users`, item) that are no candidates; each pair occurs once, targets never."""
        none = np.zeros(0, np.int64)
        if self._split.spec.mask == "none" or len(users) == 0:
            return none, none
        views = [part.history(user) for user in users.tolist()]
        if self._split.spec.mask == "window":
            views = [view[-part.max_length :] for view in views]
        rows = np.repeat(np.arange(len(users)), [len(view) for view in views])
        items = np.concatenate(views).astype(np.int64)
        keys = np.unique(rows * self._split.corpus.item_count + items)
        rows, items = np.divmod(keys, self._split.corpus.item_count)
        is_other = items != targets[rows]
        return rows[is_other], items[is_other]

    def by_popularity(self, part: Part) -> npt.NDArray[np.uint32]:
        """Return the ranks when items are ordered by how often they occur in the training items."""
        counts = self._split.counts()
        if self.candidates is not None:
            return self.ranks(part, lambda users: np.broadcast_to(counts, (len(users), len(counts))))
        ascending = np.sort(counts)
        own = counts[part.targets]
        counted = len(counts) - np.searchsorted(ascending, own, side="left")
        for chosen in blocks(part.users, 1 << 14):
            users, targets = part.users[chosen], part.targets[chosen]
            rows, items = self.masked(part, users, targets)
            hidden = counts[items] >= own[chosen][rows]
            counted[chosen] -= np.bincount(rows[hidden], minlength=len(users))
        return counted.astype(np.uint32)


@dataclass(frozen=True)
class Ranks:
    """The content of `ranks.bin`: the rank of every evaluated user's targets, counted from 1."""

    users: npt.NDArray[np.uint32]
    validation: npt.NDArray[np.uint32]
    test: npt.NDArray[np.uint32]

    def bytes(self) -> bytes:
        """Return the file: magic, version, count, three arrays, checksum; little endian."""
        content = struct.pack("<8sII", b"PLAWRANK", 1, len(self.users))
        for array in (self.users, self.validation, self.test):
            content += np.asarray(array, dtype="<u4").tobytes()
        return content + struct.pack("<Q", fnv1a(content))

    def write(self, path: str | Path) -> None:
        """Write the file atomically."""
        write_atomically(Path(path), self.bytes())

    @staticmethod
    def read(path: str | Path) -> Ranks:
        """Read a file.

        Raises:
            ValueError: The file is foreign, cut short or damaged.
        """
        content = Path(path).read_bytes()
        if len(content) < 24 or content[:8] != b"PLAWRANK":
            raise ValueError(f"{path}: found no ranks file")
        version, count = struct.unpack("<II", content[8:16])
        if version != 1:
            raise ValueError(f"{path}: found version {version}, expected 1")
        if len(content) != 24 + 12 * count:
            raise ValueError(f"{path}: found {len(content)} bytes, expected {24 + 12 * count} for {count} users")
        if struct.unpack("<Q", content[-8:])[0] != fnv1a(content[:-8]):
            raise ValueError(f"{path}: the checksum does not fit: damaged")
        arrays = np.frombuffer(content, dtype="<u4", count=3 * count, offset=16).reshape(3, count)
        return Ranks(*arrays)


def padded(
    histories: list[npt.NDArray[np.int32]], fill: int = 0, width: int | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return histories as one matrix with the padding at the end, and their lengths.

    Args:
        histories: Items of each user, oldest first.
        fill: The item that stands where there is none.
        width: Columns of the matrix; by default the length of the longest history.
    """
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    columns = width if width is not None else int(lengths.max(initial=0))
    matrix = np.full((len(histories), columns), fill, dtype=np.int32)
    if len(histories):
        matrix[np.arange(columns) < lengths[:, None]] = np.concatenate(histories)
    return matrix, lengths
