#!/usr/bin/env python3
"""Train models of RecBole with their own loss and with the enhanced loss of arXiv 2301.00979, and write a CSV.

    enhanced_loss.py --data lastfm.txt --directory /tmp/enhanced --output enhanced_loss.csv

Trials that are in the directory with their results are not trained again; an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trials import append, make_corpus, recipe, row, run

LAYERS = {"gru4rec": 1, "srgnn": 1, "sasrec": 2, "bert4rec": 2, "narm": 1}
DROPOUT = {"gru4rec": 0.3, "srgnn": 0.0, "sasrec": 0.5, "bert4rec": 0.2, "narm": 0.25}
"""RecBole's own rates; SR-GNN has none."""

OBJECTIVES = {
    "newest": ("ce", "--no-augmentation"),
    "enhanced": ("cce", ""),
    "recbole": ("ce", ""),
}
"""Loss of the specification and arguments of the runner: cross-entropy at the newest position of each user, at all
positions, and at a prefix for every position as RecBole does."""


def trainings(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train everything that is asked for."""
    for data in arguments.data:
        corpus = arguments.directory / f"{data.name.split('.')[0]}.corpus"
        make_corpus(data, corpus)
        for objective in arguments.objective:
            loss, words = OBJECTIVES[objective]
            for model in arguments.model:
                for seed in arguments.seed:
                    configuration = {
                        "backbone": model, "layers": LAYERS[model], "dim": arguments.dim, "heads": 2,
                        "maxLength": arguments.max_length, "loss": loss,
                    }  # fmt: skip
                    options = {**recipe(arguments.recipe, corpus, arguments.max_length), "dropout": DROPOUT[model]}
                    name = f"{corpus.stem}-{model}-{objective}-{arguments.dim}-{seed}-{arguments.recipe}"
                    result = run(
                        arguments.directory / name, corpus, f"{arguments.runner} {words}", configuration, options, seed,
                        arguments.seconds,
                    )  # fmt: skip
                    found = row(configuration, options, seed, result)
                    yield {"data": corpus.stem, "objective": objective, "recipe": arguments.recipe, **found}


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", required=True, type=Path, help="lines of a user and its items")
    parser.add_argument("--model", nargs="+", default=["gru4rec", "srgnn", "sasrec", "bert4rec"], choices=list(LAYERS))
    parser.add_argument("--objective", nargs="+", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    parser.add_argument("--seed", nargs="+", type=int, default=[1])
    parser.add_argument("--recipe", default="standard", choices=["published", "standard"])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--seconds", type=float, help="most seconds of a training, which is then ranked as it is")
    parser.add_argument("--runner", default=f"{sys.executable} -m plaw_recbole")
    parser.add_argument("--directory", type=Path, required=True, help="where the trials' directories are made")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    append(arguments.output, trainings(arguments))


if __name__ == "__main__":
    main()
