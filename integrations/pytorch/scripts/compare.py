#!/usr/bin/env python3
"""Train the same specifications with several runners, and print their test metrics beside each other as Markdown.

    compare.py --inter ml-100k.inter --runner 'plaw-trial run' --runner 'python3 -m plaw_pytorch' \
        --backbone sasrec --shape 1x32 --shape 2x64 --seed 1 --seed 2

A runner is a command, to which the trial's directory is added. The file is RecBole's `.inter`; `--corpus` names a
corpus file instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from plaw.runner import Corpus, corpus_bytes

STANDARD = {
    "learningRate": 0.002, "weightDecay": 0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clipNorm": 0,
    "dropout": 0.5, "negatives": 1, "maxEpochs": 200, "patience": 4, "stopMetric": "ndcg@10", "widthRule": "root",
    "initialisation": "residual", "averaging": 0.1, "itemRate": 8, "warmupSteps": 100, "patienceSteps": 300,
    "patienceShare": 0.3, "leastGain": 0.005, "itemUpdate": "sparse", "recipe": "standard",
}  # fmt: skip


def read_inter(path: Path) -> bytes:
    """Return the corpus file of a `.inter` file: identifiers numbered as they first occur in it, users in its order."""
    users: dict[str, list[tuple[float, int, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        names = [column.split(":")[0] for column in next(rows)]
        user, item, time = (names.index(name) for name in ("user_id", "item_id", "timestamp"))
        for place, row in enumerate(rows):
            users.setdefault(row[user], []).append((float(row[time]), place, row[item]))
    items: dict[str, int] = {}
    histories, times = [], []
    for events in users.values():
        events.sort(key=lambda event: event[:2])
        histories.append([items.setdefault(name, len(items)) for _, _, name in events])
        times.append([int(moment) for moment, _, _ in events])
    return corpus_bytes(histories, len(items), times)


def batch_users(corpus: Corpus, longest: int) -> int:
    """Return the users of a batch by the recipe `standard`."""
    lengths = corpus.lengths
    positions = np.clip(np.where(lengths >= 3, lengths - 2, lengths) - 1, 0, longest)
    users = int((positions > 0).sum())
    wanted = min(users * 1_500 / int(positions.sum()), users / 24)
    return max(1, min(65_536, math.floor(wanted + 0.5)))


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--inter", type=Path)
    source.add_argument("--corpus", type=Path)
    parser.add_argument("--runner", action="append", required=True, help="a command; may be given several times")
    parser.add_argument("--backbone", action="append", required=True)
    parser.add_argument("--shape", action="append", required=True, help="LAYERSxDIM")
    parser.add_argument("--seed", action="append", type=int, required=True)
    parser.add_argument("--loss", default="cce")
    parser.add_argument("--mask", default="full")
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--directory", type=Path, required=True, help="where the trials' directories are made")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    path = arguments.corpus
    if path is None:
        path = arguments.directory / "data.corpus"
        path.write_bytes(read_inter(arguments.inter))
    corpus = Corpus(path)
    options = {**STANDARD, "batchUsers": batch_users(corpus, arguments.max_length), "maxEpochs": arguments.epochs}
    for shape in arguments.shape:
        for backbone in arguments.backbone:
            for seed in arguments.seed:
                for place, runner in enumerate(arguments.runner):
                    layers, dim = (int(part) for part in shape.split("x"))
                    directory = arguments.directory / f"{backbone}-{shape}-{seed}-{place}"
                    directory.mkdir(exist_ok=True)
                    spec = {
                        "corpus": str(path.resolve()), "seed": seed, "userFraction": 1,
                        "mask": arguments.mask, "checkpointSeconds": 10, "options": options,
                        "configuration": {
                            "backbone": backbone, "layers": layers, "dim": dim, "heads": 2,
                            "maxLength": arguments.max_length, "loss": arguments.loss,
                        },
                    }  # fmt: skip
                    (directory / "spec.json").write_text(json.dumps(spec))
                    run = subprocess.run([*shlex.split(runner), str(directory)], stdout=subprocess.DEVNULL, check=False)
                    if run.returncode != 0:
                        sys.exit(f"{runner} {directory} ended with status {run.returncode}")
                    result = json.loads((directory / "result.json").read_text())
                    test = {name: result["test"][name]["value"] for name in ("ndcg@10", "hr@10")}
                    name = runner.split()[0].split("/")[-1]
                    print(
                        f"| {backbone} | {shape} | {seed} | `{name}` | {test['ndcg@10']:.4f} "
                        f"| {test['hr@10']:.4f} | {result['epochs']} | {result['seconds']:.0f} |", flush=True,
                    )  # fmt: skip


if __name__ == "__main__":
    main()
