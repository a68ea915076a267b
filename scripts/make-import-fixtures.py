#!/usr/bin/env python3
"""Writes Tests/ObservationsTests/Fixtures: tables of trainings as Optuna and MLflow write them.

The values are a made-up surface; the files, with their columns, words and numbers, are what the libraries write.

    pip install optuna mlflow-skinny pandas
    scripts/make-import-fixtures.py
"""
import logging, math, os, tempfile, warnings

warnings.filterwarnings("ignore")
logging.disable(logging.INFO)
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow, optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Tests/ObservationsTests/Fixtures")
os.makedirs(target, exist_ok=True)
layers, dims = [1, 2, 4], [16, 32, 64]


def quality(n, d):
    return round(0.06 - 0.002 * math.log(n / 2.5) ** 2 - 0.003 * math.log(d / 40) ** 2, 6)


def search(directions, name):
    """A grid search; one training fails, one is pruned, and the learning rate is varied."""
    grid = {"n_layers": layers, "hidden_size": dims, "lr": [0.001]}
    study = optuna.create_study(directions=directions, sampler=optuna.samplers.GridSampler(grid, seed=1))

    def objective(trial):
        n, d = trial.suggest_int("n_layers", 1, 4), trial.suggest_int("hidden_size", 16, 64)
        trial.suggest_float("lr", 1e-4, 1e-2)
        trial.set_user_attr("n_params", 1000 * d + n * (12 * d * d + 13 * d))
        if (n, d) == (4, 64):
            raise RuntimeError("out of memory")
        if (n, d) == (1, 16) and len(directions) == 1:
            raise optuna.TrialPruned()
        value = quality(n, d)
        return value if len(directions) == 1 else (value, round(1.7 * value, 6))

    study.optimize(objective, n_trials=9, catch=(RuntimeError,))
    study.trials_dataframe().to_csv(os.path.join(target, name), index=False)


search(["maximize"], "optuna.csv")
search(["maximize", "maximize"], "optuna-two.csv")

with tempfile.TemporaryDirectory() as folder:
    mlflow.set_tracking_uri("file://" + folder)
    mlflow.set_experiment("grid")
    for n in layers:
        for d in dims:
            with mlflow.start_run():
                mlflow.log_params({"model": "GRU4Rec", "n_layers": n, "embedding_size": d, "seed": 7})
                mlflow.log_metrics({"ndcg_10": quality(n, d), "hr_10": round(1.7 * quality(n, d), 6), "val_ndcg_10": 0.9 * quality(n, d)})
    try:
        with mlflow.start_run():
            mlflow.log_params({"model": "GRU4Rec", "n_layers": 8, "embedding_size": 64, "seed": 7})
            raise RuntimeError("diverged")
    except RuntimeError:
        pass
    table = mlflow.search_runs()
    # Where the runs were made says nothing about them.
    table = table.drop(columns=[c for c in table if c.startswith("tags.") or c == "artifact_uri"])
    table.to_csv(os.path.join(target, "mlflow.csv"), index=False)
