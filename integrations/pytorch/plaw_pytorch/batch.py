"""Batches of users as tensors, with the padding at the end of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plaw.runner import Part, padded


@dataclass
class Batch:
    """Sequences of some users, B rows of at most n positions.

    Attributes:
        users: int64 [B], user numbers of the corpus.
        inputs: int64 [B, n], the items seen, oldest first; 0 where a row has ended.
        lengths: int64 [B], positions of each row.
        present: bool [B, n], which positions exist.
        targets: int64 [B, n], the item after each position; None while ranking.
        times: int64 [B, n], the time of each position; None where the dataset has no times.
    """

    users: Tensor
    inputs: Tensor
    lengths: Tensor
    present: Tensor
    targets: Tensor | None = None
    times: Tensor | None = None

    @property
    def positions(self) -> int:
        """Positions that exist."""
        return int(self.lengths.sum())

    @property
    def packed_targets(self) -> Tensor:
        """The targets of the positions that exist, [T]."""
        assert self.targets is not None
        return self.targets[self.present]

    def newest(self, hidden: Tensor) -> Tensor:
        """Return what belongs to the newest positions, [B, ...], of what belongs to all, [B, n, ...]."""
        return hidden[torch.arange(len(self.lengths), device=hidden.device), self.lengths - 1]


def make_batch(part: Part, users: npt.NDArray[np.int32], device: torch.device) -> Batch:
    """Return what the model sees of some users: training sequences with targets, or contexts to continue."""
    chosen: Sequence[int] = users.tolist()
    matrix, lengths = padded(part.histories(chosen))
    times = part.histories_times(chosen)
    moments = None
    if times is not None:
        moments = np.zeros(matrix.shape, dtype=np.int64)
        moments[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate(times)
    targets = None
    if part.name == "train":
        matrix, targets, lengths = matrix[:, :-1], matrix[:, 1:], lengths - 1
        moments = None if moments is None else moments[:, :-1]
    present = np.arange(matrix.shape[1]) < lengths[:, None]

    def tensor(array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Batch(
        users=tensor(users.astype(np.int64)),
        inputs=tensor((matrix * present).astype(np.int64)),
        lengths=tensor(lengths),
        present=tensor(present),
        targets=None if targets is None else tensor((targets * present).astype(np.int64)),
        times=None if moments is None else tensor(moments),
    )
