#!/usr/bin/env python3
"""Writes the files beside it: what Optuna, MLflow and RecBole write of a search, and how the libraries read it themselves.

The values are a made-up surface; the files, with their columns, words and numbers, are what the libraries write. Each part
is written where its library can be imported; RecBole needs an old NumPy and so an environment of its own.

    pip install optuna mlflow-skinny pandas; tests/importers/make_fixtures.py
    pip install recbole; tests/importers/make_fixtures.py
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
import logging
import math
import os
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LAYERS, DIMS = (1, 2, 4), (16, 32, 64)
View = dict[str, list[Any]]


def quality(layers: int, dim: int) -> float:
    return round(0.06 - 0.002 * math.log(layers / 2.5) ** 2 - 0.003 * math.log(dim / 40) ** 2, 6)


def plain(value: Any) -> Any:
    """Return a value of a DataFrame as JSON has it; a missing one is None."""
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    if hasattr(value, "item"):
        value = value.item()
    if value is None or type(value).__name__ == "NaTType" or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value) if value in (math.inf, -math.inf) else value


def view(frame: Any, without: tuple[str, ...]) -> View:
    """Return the columns of a DataFrame that say something of a training."""
    return {name: [plain(value) for value in frame[name].tolist()] for name in frame if not name.startswith(without)}


def write_optuna(path: Path) -> dict[str, View]:
    """Write a storage of several studies, and return the library's view of each."""
    optuna: Any = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = f"sqlite:///{path}"
    views: dict[str, View] = {}

    def search(name: str, directions: list[str], metrics: list[str] | None = None) -> Any:
        grid = {"n_layers": LAYERS, "hidden_size": DIMS, "lr": [0.001], "loss": ["cce"]}
        sampler = optuna.samplers.GridSampler(grid, seed=1)
        study = optuna.create_study(storage=storage, study_name=name, directions=directions, sampler=sampler)
        if metrics:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                study.set_metric_names(metrics)

        def objective(trial: Any) -> Any:
            n, d = trial.suggest_int("n_layers", 1, 4), trial.suggest_int("hidden_size", 16, 64, step=16)
            trial.suggest_float("lr", 1e-4, 1e-2, log=True)
            trial.suggest_categorical("loss", [None, "bce", "cce"])
            trial.set_user_attr("n_params", 1000 * d + n * (12 * d * d + 13 * d))
            trial.report(quality(n, d) / 2, 1) if len(directions) == 1 else None
            if (n, d) == (4, 64):
                raise RuntimeError("out of memory")
            if (n, d) == (1, 16) and len(directions) == 1:
                raise optuna.TrialPruned
            value = quality(n, d)
            return value if len(directions) == 1 else (value, round(1.7 * value, 6))

        study.optimize(objective, n_trials=9, catch=(RuntimeError,))
        return study

    grid = search("grid", ["maximize"])
    # A metric that diverged, a trial of a search that was stopped, and one that it has not begun.
    fixed = {"n_layers": 3, "hidden_size": 64, "lr": 0.001, "loss": "cce"}
    distributions = grid.trials[0].distributions
    create = optuna.trial.create_trial
    grid.add_trial(create(value=math.inf, params=fixed, distributions=distributions, user_attrs={"n_params": 1}))
    running = grid.ask()
    running.suggest_int("n_layers", 1, 4)
    grid.enqueue_trial(fixed)
    for study in (
        grid,
        search("two", ["maximize", "maximize"]),
        search("named", ["maximize"] * 2, ["ndcg@10", "hr@10"]),
    ):
        views[study.study_name] = view(study.trials_dataframe(), ("datetime_", "system_attrs_"))
    optuna.create_study(storage=storage, study_name="empty")
    return views


def write_mlflow(folder: Path) -> dict[str, View]:
    """Write a store of several experiments, and return the library's view of each."""
    # Newer versions read file stores only where they are told to.
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow: Any = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(folder.as_uri())

    def run(layers: int, dim: int, nested: bool = False) -> str:
        with mlflow.start_run(nested=nested, run_name=f"it's {layers} x {dim}: \u00e9 # \U0001f600") as active:
            mlflow.log_params({"model": "GRU4Rec", "n_layers": layers, "opt/embedding_size": dim, "seed": 7})
            mlflow.set_tag("mlflow.note.content", "two\nlines: of text")
            for step, share in ((1, 0.5), (3, 1.0), (2, 0.9)):
                mlflow.log_metric("test/ndcg_10", share * quality(layers, dim), step=step)
            mlflow.log_metrics(
                {"hr_10": round(1.7 * quality(layers, dim), 6), "val_ndcg_10": 0.9 * quality(layers, dim)}
            )
            return str(active.info.run_id)

    mlflow.set_experiment("grid: # \u00e9")
    for n in LAYERS:
        for d in DIMS:
            run(n, d)
    with contextlib.suppress(RuntimeError), mlflow.start_run():
        mlflow.log_params({"model": "GRU4Rec", "n_layers": 8, "opt/embedding_size": 64, "seed": 7})
        mlflow.log_metric("test/ndcg_10", float("nan"))
        raise RuntimeError("diverged")
    mlflow.delete_run(run(3, 48))
    mlflow.set_experiment("nested")
    with mlflow.start_run(run_name="search"):
        mlflow.log_param("best", "2 x 32")
        for n, d in ((1, 16), (2, 32)):
            run(n, d, nested=True)
    run(1, 32)
    mlflow.set_experiment("gone")
    run(1, 16)
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    return {
        name: view(
            mlflow.search_runs(experiment_names=[name]), ("tags.", "artifact_uri", "start_", "end_", "experiment_id")
        )
        for name in ("grid: # \u00e9", "nested")
    }


def write_recbole(folder: Path) -> None:
    """Write the log of a run and the result file of a search."""
    quick_start: Any = importlib.import_module("recbole.quick_start")
    trainer: Any = importlib.import_module("recbole.trainer")
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        data = Path("toy")
        data.mkdir()
        rows = [f"{user}\t{(user * 7 + place * 3) % 20}\t{place}" for user in range(60) for place in range(8)]
        (data / "toy.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\n" + "\n".join(rows) + "\n")
        options = {
            "data_path": ".", "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "epochs": 2, "n_layers": 1,
            "hidden_size": 16, "inner_size": 32, "n_heads": 2, "train_neg_sample_args": None, "show_progress": False,
            "use_gpu": False, "metrics": ["Hit", "NDCG", "Recall"], "topk": [10], "valid_metric": "NDCG@10",
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        }  # fmt: skip
        arguments, sys.argv = sys.argv, ["run.py"]
        results = []
        for layers, dim in ((1, 16), (1, 32), (2, 16)):
            shape = {"n_layers": layers, "hidden_size": dim}
            # Else all runs of the process go into the log of the first.
            logging.getLogger().handlers.clear()
            results.append((shape, quick_start.run_recbole("SASRec", "toy", config_dict=options | shape, saved=False)))
        sys.argv = arguments
        log = sorted(Path("log").rglob("*.log"))[0].read_text().replace(name, "/data")
        (folder / "recbole.log").write_text(log)
        search = trainer.HyperTuning.__new__(trainer.HyperTuning)
        search.params2result = {trainer.HyperTuning.params2str(shape): result for shape, result in results}
        search.export_result(str(folder / "recbole-search.txt"))
        os.chdir(before)


def packed(folder: Path) -> bytes:
    """Return a store as an archive, without what names the machine that wrote it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.name in ("mlflow.user", "mlflow.source.name"):
                continue
            entry = archive.gettarinfo(file, f"mlruns/{file.relative_to(folder)}")
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            text = file.read_bytes().replace(str(folder).encode(), b"/mlruns") if file.is_file() else b""
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return gzip.compress(content.getvalue(), mtime=0)


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    place = HERE / "expected.json"
    views = json.loads(place.read_text()) if place.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for library in ("optuna", "mlflow", "recbole"):
            try:
                importlib.import_module(library)
            except ImportError:
                print(f"{library} cannot be imported: its files stay as they are")
                continue
            if library == "optuna":
                views[library] = write_optuna(folder / "study.db")
                (HERE / "optuna.db.gz").write_bytes(gzip.compress((folder / "study.db").read_bytes(), mtime=0))
            elif library == "mlflow":
                views[library] = write_mlflow(folder / "mlruns")
                (HERE / "mlruns.tar.gz").write_bytes(packed(folder / "mlruns"))
            else:
                logging.disable(logging.NOTSET)
                write_recbole(HERE)
    place.write_text(json.dumps(views, indent=1) + "\n")


if __name__ == "__main__":
    main()
