#!/usr/bin/env python3
"""Train a grid of layers and dimensions of models of RecBole, as observations that `plaw import` reads.

laws.py --data lastfm.txt --directory /tmp/laws --output laws.csv
plaw import lastfm laws.csv --create --set mask=full --set split=leave-two-out --ignore best_epoch
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trials import append, make_corpus, recipe, row, run

LOSS = {"lightgcn": "bpr", "ngcf": "bpr", "sgl": "bpr"}
"""The loss of a model where it is not `cce`."""


def trainings(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train the grid of each model."""
    corpus = arguments.directory / f"{arguments.data.name.split('.')[0]}.corpus"
    make_corpus(arguments.data, corpus)
    options = {**recipe("standard", corpus, arguments.max_length), "maxEpochs": arguments.epochs}
    for model in arguments.model:
        for layers, dim in itertools.product(arguments.layers, arguments.dims):
            configuration = {
                "backbone": model, "layers": layers, "dim": dim, "heads": 2, "maxLength": arguments.max_length,
                "loss": LOSS.get(model, "cce"),
            }  # fmt: skip
            directory = arguments.directory / f"{corpus.stem}-{model}-{layers}x{dim}-{arguments.seed}"
            result = run(directory, corpus, arguments.runner, configuration, options, arguments.seed, None)
            found = row(configuration, options, arguments.seed, result)
            del found["dropout"]
            yield {
                **found, "negatives": options["negatives"], "tokens": result["tokens"], "mask": "full",
                "split": "leave-two-out", "candidates": "all", "policy": "recipe=standard",
            }  # fmt: skip


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, help="lines of a user and its items")
    parser.add_argument("--model", nargs="+", default=["gru4rec", "lightgcn", "ngcf"])
    parser.add_argument("--layers", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--dims", nargs="+", type=int, default=[8, 16, 32])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--runner", default=f"{sys.executable} -m plaw_recbole")
    parser.add_argument("--directory", type=Path, required=True, help="where the trials' directories are made")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    append(arguments.output, trainings(arguments))


if __name__ == "__main__":
    main()
