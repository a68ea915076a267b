"""Random numbers as a pure function of a seed, a purpose, an index and a counter.

They are those of plaw-trial, bit for bit. A resumed training draws what an uninterrupted one draws, because there is no
generator whose state could be lost.
"""

from __future__ import annotations

import enum
import math

import numpy as np
import numpy.typing as npt

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN = 0x9E37_79B9_7F4A_7C15


def mix(value: int) -> int:
    """Return the first number of SplitMix64 with this seed (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (value + _GOLDEN) & _MASK
    z = ((z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9) & _MASK
    z = ((z ^ z >> 27) * 0x94D0_49BB_1331_11EB) & _MASK
    return z ^ z >> 31


def mix_all(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return `mix` of every element."""
    z = values + np.uint64(_GOLDEN)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58_476D_1CE4_E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D0_49BB_1331_11EB)
    mixed: npt.NDArray[np.uint64] = z ^ z >> np.uint64(31)
    return mixed


class Purpose(enum.IntEnum):
    """What the numbers of a stream decide. It keeps the streams of one seed apart."""

    WEIGHTS = 1
    ORDER = 2
    DROPOUT = 3
    NEGATIVES = 4
    SYNTHETIC = 5
    CANDIDATES = 6


class Stream:
    """A stream of random numbers, named by a seed, a purpose and an index (an epoch, a step, a user)."""

    def __init__(self, seed: int, purpose: Purpose, index: int = 0) -> None:
        self.key = mix((mix((mix(seed) + int(purpose)) & _MASK) + index) & _MASK)
        self.counter = 0

    def next(self, count: int) -> npt.NDArray[np.uint64]:
        """Return the next `count` numbers of 64 bits."""
        numbers = self.peek(count)
        self.counter += count
        return numbers

    def peek(self, count: int) -> npt.NDArray[np.uint64]:
        """Return what `next` would return, and stay in place."""
        counters = np.arange(self.counter + 1, self.counter + 1 + count, dtype=np.uint64)
        return mix_all(np.uint64(self.key) + counters * np.uint64(_GOLDEN))

    def uniform(self, count: int) -> npt.NDArray[np.float64]:
        """Return `count` numbers, uniform in [0, 1)."""
        return to_uniform(self.next(count))

    def below(self, bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return an integer below each bound; bounds are below 2^32."""
        return to_below(self.next(len(bounds)), bounds)

    def normal(self, count: int) -> npt.NDArray[np.float64]:
        """Return `count` standard normal numbers, by Box and Muller's transform of pairs."""
        pairs = self.uniform(2 * ((count + 1) // 2)).reshape(-1, 2)
        radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
        angle = 2 * math.pi * pairs[:, 1]
        return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).reshape(-1)[:count]


def to_uniform(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Map numbers of 64 bits to [0, 1)."""
    result: npt.NDArray[np.float64] = (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return result


def to_below(numbers: npt.NDArray[np.uint64], bounds: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
    """Map numbers of 64 bits to integers below `bounds` (below 2^32): the high half of a product of 128 bits."""
    wide = np.asarray(bounds).astype(np.uint64)
    half = np.uint64(32)
    low = (numbers & np.uint64(0xFFFF_FFFF)) * wide >> half
    high: npt.NDArray[np.int64] = (((numbers >> half) * wide + low) >> half).astype(np.int64)
    return high


def shuffled(values: npt.NDArray[np.int32], stream: Stream) -> npt.NDArray[np.int32]:
    """Return `values` in random order (Fisher and Yates, from the end)."""
    order = values.tolist()
    last = np.arange(len(order) - 1, 0, -1, dtype=np.int64)
    for i, j in zip(last.tolist(), stream.below(last + 1).tolist(), strict=True):
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int32)


def in_share(users: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.bool_]:
    """Tell which users train when a trial takes a share of them. Smaller shares lie inside larger ones."""
    if share >= 1:
        return np.ones(len(users), dtype=np.bool_)
    result: npt.NDArray[np.bool_] = to_uniform(mix_all(users.astype(np.uint64))) < share
    return result
