"""A runner for tests: counts which item follows which, a batch at a time, with checkpoints."""

from __future__ import annotations

import os
import time
from typing import BinaryIO

import numpy as np

from plaw.runner import Description, Trial


def describe(trial: Trial) -> Description:
    """Describe a table of V x V numbers."""
    items = trial.corpus.item_count
    return Description(parameters=items * items, flops_per_token=1, memory_bytes=8 * items * items)


with Trial.open(describe=describe) as trial:
    if os.environ.get("BIGRAM_ENDS") == "memory":
        raise MemoryError("no 8 GiB left")
    counts = np.zeros((trial.corpus.item_count, trial.corpus.item_count))

    def save(file: BinaryIO) -> None:
        """Write the table."""
        file.write(counts.tobytes())

    def load(file: BinaryIO) -> None:
        """Read the table."""
        counts[...] = np.frombuffer(file.read()).reshape(counts.shape)

    trial.checkpoints(save, load)
    for _ in trial.epochs():
        for users in trial.batches():
            positions = 0
            for items in trial.histories(users):
                np.add.at(counts, (items[:-1], items[1:]), 1)
                positions += len(items) - 1
            trial.step(
                float("nan") if os.environ.get("BIGRAM_ENDS") == "nan" else 1 / (1 + trial.position.step), positions
            )
            time.sleep(float(os.environ.get("BIGRAM_PAUSE", "0")))
        trial.validate(lambda users: np.stack([counts[items[-1]] for items in trial.histories(users)]))
    trial.finish(
        lambda users: np.stack([counts[items[-1]] for items in trial.histories(users)]), parameters=counts.size
    )
