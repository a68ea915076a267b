"""Small trials, and the programs that they are held against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from plaw.runner import corpus_bytes

REPOSITORY = Path(__file__).resolve().parents[4]

OPTIONS: dict[str, Any] = {
    "learningRate": 0.002, "weightDecay": 0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clipNorm": 0,
    "batchUsers": 16, "dropout": 0.2, "negatives": 3, "maxEpochs": 3, "patience": 3, "stopMetric": "ndcg@10",
}  # fmt: skip


def histories(users: int = 80, items: int = 40, seed: int = 1) -> list[list[int]]:
    """Return histories of 1 to 14 items that often repeat the item before, or the one after it."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(users):
        history = [int(random.integers(items))]
        for _ in range(int(random.integers(14))):
            near = (history[-1] + int(random.integers(2))) % items
            history.append(near if random.random() < 0.7 else int(random.integers(items)))
        found.append(history)
    return found


class Folder:
    """Makes trials in a temporary directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.histories = histories()
        moments = [[100 * place + len(row) for place in range(len(row))] for row in self.histories]
        (path / "data.corpus").write_bytes(corpus_bytes(self.histories, 40, moments))

    def trial(self, name: str = "trial", options: dict[str, Any] | None = None, **members: Any) -> Path:
        """Write a specification and return the trial's directory; `configuration` changes single members."""
        directory = self.path / name
        directory.mkdir()
        configuration = {
            "backbone": "sasrec", "layers": 1, "dim": 8, "heads": 2, "maxLength": 5, "loss": "cce",
            **members.pop("configuration", {}),
        }  # fmt: skip
        spec = {
            "corpus": "../data.corpus", "configuration": configuration, "options": {**OPTIONS, **(options or {})},
            "seed": 7, "userFraction": 1, "mask": "none", "checkpointSeconds": 10, **members,
        }  # fmt: skip
        (directory / "spec.json").write_text(json.dumps(spec))
        return directory
