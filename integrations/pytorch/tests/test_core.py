"""The four backbones and all losses beside plaw-trial.

Without dropout both train the same: weights, batches and negatives come from the same random numbers. What is left is the
rounding of sums.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from torch_folder import Folder

from plaw.runner import Trial
from plaw_pytorch import train

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    *((backbone, "cce", {}, {}) for backbone in ("sasrec", "gpt", "llama", "hstu")),
    *(
        ("sasrec", loss, {}, {})
        for loss in ("ce", "bce", "gbce", "bpr", "top1", "bpr-max", "top1-max", "sampled-softmax")
    ),
    ("gpt", "cce", {"widthRule": "mup", "warmup": 0.2, "schedule": "cosine", "scheduleEpochs": 4}, {}),
    ("gpt", "sampled-softmax", {"sampling": "uniform", "itemUpdate": "dense", "clipNorm": 0.5}, {}),
    ("llama", "cce", {"weightDecay": 0.05, "beta1": 0.8, "epsilon": 1e-6, "initialDeviation": 0.05}, {"heads": 4}),
    ("llama", "bce", {"leastGain": 0.1, "patience": 1, "maxEpochs": 9}, {"feedForwardFactor": 1.5}),
    (
        "sasrec", "cce",
        {
            "widthRule": "plain", "initialisation": "plain", "averaging": 0, "itemRate": 1, "warmupSteps": 0,
            "recipe": "published",
        },
        {"layers": 1, "dim": 8, "maxLength": 20},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("backbone", "loss", "options", "configuration"), CASES)
def test_training_is_that_of_the_core(
    folder: Folder, plaw_trial: str, backbone: str, loss: str, options: dict[str, Any], configuration: dict[str, Any]
) -> None:
    found = []
    for name in ("core", "torch"):
        directory = folder.trial(
            name, backbone, {"dropout": 0, "maxEpochs": 3, **options}, mask="window", userFraction=0.9,
            configuration={**configuration, "loss": loss},
        )  # fmt: skip
        if name == "core":
            subprocess.run([plaw_trial, "run", str(directory)], check=True, capture_output=True)
        else:
            with Trial(directory) as trial:
                trial.start()
                train(trial)
        found.append((json.loads((directory / "result.json").read_text()), losses(directory)))
    (core, core_losses), (torch, torch_losses) = found
    for member in ("status", "epochs", "bestEpoch", "parameters", "tokens", "users", "popularity"):
        assert torch[member] == core[member], member
    assert len(core_losses) == core["epochs"]
    assert torch_losses == pytest.approx(core_losses, rel=1e-4)
    # A score that rounds to the other side of the target's moves a rank by one.
    assert torch["curve"] == pytest.approx(core["curve"], abs=0.01)
    assert torch["test"]["ndcg@10"]["value"] == pytest.approx(core["test"]["ndcg@10"]["value"], abs=0.01)


def losses(directory: Path) -> list[float]:
    """Return the mean loss of each epoch: what stands in the lines that have seen all of its positions."""
    found: dict[float, None] = {}
    for line in (directory / "progress.jsonl").read_text().splitlines():
        update = json.loads(line)
        if update["phase"] == "training" and update["tokens"] == update["epochTokens"]:
            found[update["loss"]] = None
    return list(found)


@pytest.mark.parametrize("backbone", ["sasrec", "gpt", "llama", "hstu"])
def test_weights_of_the_core_rank_alike(folder: Folder, plaw_trial: str, backbone: str) -> None:
    """A file of weights that plaw-trial saved gives the same ranks here."""
    safetensors = pytest.importorskip("safetensors.torch")
    from plaw.runner import Ranks
    from plaw_pytorch.training import _Training

    corpus, weights, ranks = (folder.path / name for name in ("data.corpus", "w.safetensors", "ranks.bin"))
    command = [
        plaw_trial, "train", "--corpus", str(corpus), "--backbone", backbone, "--layers", "2", "--dim", "16",
        "--max-length", "10", "--epochs", "3", "--mask", "full", "--save-weights", str(weights), "--save-ranks", str(ranks),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    trial = folder.open("trial", backbone, mask="full")
    run = _Training(trial, __import__("torch").device("cpu"))
    run.model.load_state_dict(safetensors.load_file(weights))
    expected = Ranks.read(ranks)
    for part, wanted in ((trial.validation, expected.validation), (trial.test, expected.test)):
        found = run.ranks(part, lambda: None)
        assert (found != wanted).mean() < 0.02 and abs(found.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("backbone", ["sasrec", "gpt", "llama", "hstu"])
def test_dropout_is_as_strong_as_the_cores(folder: Folder, plaw_trial: str, backbone: str) -> None:
    """Dropped elements differ, so the mean over seeds is compared; its standard error is about 0.015."""
    means = []
    for name in ("core", "torch"):
        found = []
        for seed in range(1, 5):
            directory = folder.trial(
                f"{name}{seed}", backbone, {"dropout": 0.6, "widthRule": "plain", "maxEpochs": 3}, seed=seed
            )
            if name == "core":
                subprocess.run([plaw_trial, "run", str(directory)], check=True, capture_output=True)
            else:
                with Trial(directory) as trial:
                    trial.start()
                    train(trial)
            found.append(losses(directory))
        means.append([sum(epoch) / 4 for epoch in zip(*found, strict=True)])
    core, torch = means
    assert torch == pytest.approx(core, abs=0.06)
