#!/usr/bin/env python3
"""From a DataFrame to a recommendation to a training of what was recommended.

    python examples/recommend.py shop.csv --budget 10m --train pytorch
    python examples/recommend.py shop.csv --budget 10m --train recbole

Registers the interactions of a CSV (columns such as user_id, item_id, timestamp), calibrates, asks for the best
configuration, lets `plaw recommend --emit` write it for a trainer, and trains it: with `plaw_pytorch`
(integrations/pytorch) or with RecBole, where one of them can be imported. Needs pandas, a running plawd, and `plaw` on
the PATH or in PLAW_BIN.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import plaw


def recommend(client: plaw.Client, name: str, frame: Any, budget: str, **calibration: Any) -> plaw.Recommendation:
    """Register a DataFrame, calibrate, and return the best configuration of `sasrec`.

    Args:
        client: The client.
        name: Name that the dataset gets.
        frame: Interactions; `max_params` of the answer and more limits are arguments of `client.recommend`.
        budget: Time for the calibration.
        calibration: More arguments of `client.calibrate`.
    """
    client.register(name, frame)
    client.calibrate(name, budget=budget, **calibration)
    return client.recommend(name, backbone="sasrec")


def emitted(client: plaw.Client, name: str, form: str) -> str:
    """Return the same recommendation as a configuration for a trainer: `json`, `pytorch` or `recbole`.

    The command writes it, from the law that answers; the client has no second writer of these formats.
    """
    folder = os.environ.get("PLAW_BIN")
    program = str(Path(folder) / "plaw") if folder else shutil.which("plaw")
    if not program or not Path(program).exists():
        raise SystemExit(f"found no program plaw in {folder or 'the PATH'}: set PLAW_BIN to the folder that has it")
    command = [program, "recommend", name, "--backbone", "sasrec", "--emit", form, "--socket", client.socket]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def histories(client: plaw.Client, name: str) -> list[tuple[str, list[str]]]:
    """Return the items of each user as the daemon has read them, oldest first: filters and duplicates are settled."""
    return [(row.user, list(row.items)) for row in client.sequences(name)]


def train_pytorch(client: plaw.Client, name: str, directory: Path, seed: int = 1) -> dict[str, float]:
    """Train the recommendation with plaw_pytorch, as a runner of the daemon would, and return its test metrics.

    Args:
        client: The client.
        name: Name of the dataset.
        directory: A folder for the trial; a training that was stopped there goes on.
        seed: Seed of everything random.
    """
    import plaw.runner

    plaw_pytorch: Any = importlib.import_module("plaw_pytorch")
    directory.mkdir(parents=True, exist_ok=True)
    rows = histories(client, name)
    numbers = {item: number for number, item in enumerate(sorted({item for _, items in rows for item in items}))}
    corpus = plaw.runner.corpus_bytes([[numbers[item] for item in items] for _, items in rows], len(numbers))
    (directory / "data.corpus").write_bytes(corpus)
    said = json.loads(emitted(client, name, "json"))
    if "options" not in said:
        raise SystemExit(f"{name} has no law of its own yet, so nobody knows how to train: calibrate with more time")
    spec = {
        "corpus": "data.corpus", "corpusHash": plaw.runner.Corpus(directory / "data.corpus").content_hash,
        "configuration": said["configuration"], "seed": seed, "userFraction": 1,
        "mask": said["mask"], "checkpointSeconds": 10,
        "options": said["options"],
    }  # fmt: skip
    text = json.dumps(spec, indent=2)
    place, result = directory / "spec.json", directory / "result.json"
    # A result of this very training is the answer; one of another data set or configuration is not.
    if not (result.exists() and place.exists() and place.read_text() == text):
        result.unlink(missing_ok=True)
        place.write_text(text)
        with plaw.runner.Trial(directory) as trial:
            trial.start()
            plaw_pytorch.train(trial)
    test = json.loads(result.read_text())["test"]
    return {metric: measured["value"] for metric, measured in test.items()}


def train_recbole(client: plaw.Client, name: str, directory: Path) -> dict[str, float]:
    """Train the recommendation with RecBole, and return its test metrics.

    RecBole has no enhanced loss: `cce` of the law becomes cross-entropy, and its recipe is RecBole's own. Expect the
    shape to be right and the metric to differ.

    Args:
        client: The client.
        name: Name of the dataset.
        directory: A folder for RecBole's file of interactions, its configuration and its model.
    """
    # RecBole keeps its configuration beside the weights, which newer versions of torch read only if they are told to.
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    quick_start: Any = importlib.import_module("recbole.quick_start")
    (directory / name).mkdir(parents=True, exist_ok=True)
    with open(directory / name / f"{name}.inter", "w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, items in histories(client, name):
            file.writelines(f"{user}\t{item}\t{place}\n" for place, item in enumerate(items))
    configuration = directory / f"{name}.yaml"
    configuration.write_text(emitted(client, name, "recbole"))
    here = {
        "data_path": str(directory), "checkpoint_dir": str(directory / "saved"), "show_progress": False,
    }  # fmt: skip
    # RecBole reads the command line as settings.
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        result = quick_start.run_recbole(config_file_list=[str(configuration)], config_dict=here)
    finally:
        sys.argv = arguments
    return {metric.replace("hit@", "hr@"): float(value) for metric, value in result["test_result"].items()}


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="interactions, a CSV with a header")
    parser.add_argument("--name", default="example", help="name of the dataset; default: example")
    parser.add_argument("--budget", default="10m", help="time for the calibration; default: 10m")
    parser.add_argument("--layers", help="layers to train, such as 1,2 or 1..4")
    parser.add_argument("--dims", help="dimensions to train, such as 16,32")
    parser.add_argument("--max-epochs", type=int, help="most epochs of a training")
    parser.add_argument(
        "--train", choices=["pytorch", "recbole", "no"], default="pytorch", help="who trains; no: nobody"
    )
    parser.add_argument("--directory", type=Path, default=Path("example"), help="folder for the training")
    parser.add_argument("--socket", help="the daemon's socket")
    given = parser.parse_args()

    import pandas as pd

    with plaw.Client(given.socket) as client:
        answer = recommend(
            client, given.name, pd.read_csv(given.file), given.budget, layers=given.layers, dims=given.dims,
            max_epochs=given.max_epochs,
        )  # fmt: skip
        shape = answer.configuration
        value, interval = answer.predicted["ndcg@10"], answer.interval["ndcg@10"]
        print(f"recommended: {shape.layers} x {shape.dim} (layers x dim)")
        print(f"expected:    ndcg@10 {value:.4f}, 90 % of trainings between {interval.low:.4f} and {interval.high:.4f}")
        if given.train == "no":
            return
        train = train_pytorch if given.train == "pytorch" else train_recbole
        found = train(client, given.name, given.directory.absolute())
        print(f"trained:     ndcg@10 {found['ndcg@10']:.4f}, hr@10 {found['hr@10']:.4f}")


if __name__ == "__main__":
    main()
