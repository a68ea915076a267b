"""Small trials for the runner of RecBole's models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from plaw.runner import Trial, corpus_bytes

ITEMS = 50
TIMES = ("seconds", "tokensPerSecond", "secondsPerEpoch", "secondsPerValidation", "peakMemoryBytes")

STANDARD: dict[str, Any] = {
    "learningRate": 0.004, "weightDecay": 0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clipNorm": 0,
    "batchUsers": 16, "dropout": 0.3, "negatives": 2, "maxEpochs": 2, "patience": 3, "stopMetric": "ndcg@10",
    "widthRule": "root", "initialisation": "residual", "averaging": 0.1, "itemRate": 8, "warmupSteps": 10,
    "itemUpdate": "sparse", "recipe": "standard",
}  # fmt: skip


class Folder:
    """Makes trials of a corpus in which an item is mostly followed by the one after it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        random = np.random.default_rng(5)
        histories = []
        for _ in range(120):
            items = [int(random.integers(ITEMS))]
            for _ in range(int(random.integers(1, 18))):
                items.append((items[-1] + 1) % ITEMS if random.random() < 0.8 else int(random.integers(ITEMS)))
            histories.append(items)
        self.histories = histories
        (path / "data.corpus").write_bytes(corpus_bytes(histories, ITEMS))
        (path / "attributes.json").write_text(json.dumps({str(item): [item % 5, item % 7 + 10] for item in range(40)}))

    def trial(self, name: str, backbone: str, options: dict[str, Any] | None = None, **members: Any) -> Path:
        """Write a specification and return the trial's directory; `configuration` changes single members."""
        directory = self.path / name
        directory.mkdir()
        configuration = {
            "backbone": backbone, "layers": 1, "dim": 16, "heads": 2, "maxLength": 10, "loss": "cce",
            **members.pop("configuration", {}),
        }  # fmt: skip
        spec = {
            "corpus": "../data.corpus", "configuration": configuration, "options": {**STANDARD, **(options or {})},
            "seed": 3, "userFraction": 1, "mask": "full", "checkpointSeconds": 10, **members,
        }  # fmt: skip
        (directory / "spec.json").write_text(json.dumps(spec))
        return directory

    def open(self, name: str, backbone: str, options: dict[str, Any] | None = None, **members: Any) -> Trial:
        """Write a specification and open the trial in this process."""
        return Trial(self.trial(name, backbone, options, **members))


def untimed(directory: Path) -> dict[str, Any]:
    """Return a result without what depends on the machine."""
    result: dict[str, Any] = json.loads((directory / "result.json").read_text())
    return {name: value for name, value in result.items() if name not in TIMES}
