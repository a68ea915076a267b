"""Trials that the scripts of this folder train one after the other with the runner, and their results as rows."""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plaw.runner import Corpus, corpus_bytes

PUBLISHED: dict[str, Any] = {
    "learningRate": 0.001, "weightDecay": 0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clipNorm": 0,
    "batchUsers": 256, "dropout": 0.5, "negatives": 1, "maxEpochs": 200, "patience": 10, "stopMetric": "ndcg@10",
    "recipe": "published",
}  # fmt: skip

STANDARD = {
    **PUBLISHED, "learningRate": 0.002, "patience": 4, "widthRule": "root", "initialisation": "residual",
    "averaging": 0.1, "itemRate": 8, "warmupSteps": 100, "patienceSteps": 300, "patienceShare": 0.3,
    "leastGain": 0.005, "itemUpdate": "sparse", "recipe": "standard",
}  # fmt: skip


def _batch_users(corpus: Corpus, longest: int) -> int:
    """Return the users of a batch by the recipe `standard`."""
    lengths = corpus.lengths
    positions = np.clip(np.where(lengths >= 3, lengths - 2, lengths) - 1, 0, longest)
    users = int((positions > 0).sum())
    wanted = min(users * 1_500 / int(positions.sum()), users / 24)
    return max(1, min(65_536, math.floor(wanted + 0.5)))


def recipe(name: str, corpus: Path, longest: int) -> dict[str, Any]:
    """Return the options of a recipe of plawd, `published` or `standard`, for a corpus."""
    if name == "published":
        return dict(PUBLISHED)
    return {**STANDARD, "batchUsers": _batch_users(Corpus(corpus), longest)}


def make_corpus(data: Path, corpus: Path) -> None:
    """Write the corpus file of a text with a user and its items, oldest first, on each line."""
    if corpus.exists():
        return
    text = gzip.decompress(data.read_bytes()) if data.suffix == ".gz" else data.read_bytes()
    items: dict[str, int] = {}
    histories = []
    for line in text.decode().splitlines():
        _, *history = line.split()
        histories.append([items.setdefault(name, len(items)) for name in history])
    corpus.write_bytes(corpus_bytes(histories, len(items)))


def run(
    directory: Path, corpus: Path, runner: str, configuration: dict[str, Any], options: dict[str, Any],
    seed: int, seconds: float | None,
) -> dict[str, Any]:  # fmt: skip
    """Train a trial, or go on with it, and return its result; a trial that has its result is not trained again."""
    directory.mkdir(parents=True, exist_ok=True)
    spec: dict[str, Any] = {
        "corpus": str(corpus.resolve()), "seed": seed, "userFraction": 1, "mask": "full", "checkpointSeconds": 30,
        "options": options, "configuration": configuration,
    }  # fmt: skip
    if seconds is not None:
        spec["maxSeconds"] = seconds
    if not (directory / "spec.json").exists():
        (directory / "spec.json").write_text(json.dumps(spec))
    # One thread: the machine may have other work.
    environment = {**os.environ, "PLAW_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (directory / "worker.log").open("w") as log:
        done = subprocess.run(
            [*shlex.split(runner), str(directory)], stdout=subprocess.DEVNULL, stderr=log, env=environment, check=False
        )
    if done.returncode != 0:
        sys.exit(f"{directory}: ended with {done.returncode}: {(directory / 'worker.log').read_text()[-500:]}")
    result: dict[str, Any] = json.loads((directory / "result.json").read_text())
    return result


def row(configuration: dict[str, Any], options: dict[str, Any], seed: int, result: dict[str, Any]) -> dict[str, Any]:
    """Return a training as a row of observations, as `plaw import` reads them, with more columns at its end."""
    test = result["test"]
    return {
        "backbone": configuration["backbone"], "layers": configuration["layers"], "dim": configuration["dim"],
        "heads": configuration["heads"], "max_length": configuration["maxLength"], "loss": configuration["loss"],
        "seed": seed, "users": result["users"], "hr@10": round(test["hr@10"]["value"], 6),
        "ndcg@10": round(test["ndcg@10"]["value"], 6), "parameters": result["parameters"],
        "epochs": result["epochs"], "best_epoch": result["bestEpoch"], "seconds": round(result["seconds"], 1),
        "dropout": options["dropout"], "status": result["status"],
        "hr@10_se": round(test["hr@10"].get("standardError", 0), 6),
        "ndcg@10_se": round(test["ndcg@10"].get("standardError", 0), 6),
    }  # fmt: skip


def append(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as CSV, one as soon as it is there."""
    found: list[dict[str, Any]] = []
    for each in rows:
        found.append(each)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
        print(" ".join(f"{key}={value}" for key, value in each.items()), flush=True)
