"""The example, on a tiny frame and a real daemon, with each trainer that some Python can import."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import plaw

from .conftest import ROOT, Daemon, interactions

EXAMPLE = ROOT / "clients/python/examples/recommend.py"


def python_with(module: str, variable: str) -> str:
    """Return a Python that has a module: the one that a variable names, else this one."""
    if given := os.environ.get(variable):
        return given
    if importlib.util.find_spec(module) is None:
        pytest.skip(
            f"NO {module.upper()}: the example's training by it is NOT TESTED. To test it: {variable}=/path/to/python, "
            f"one that can import {module} and pandas"
        )
    return sys.executable


def run(daemon: Daemon, folder: Path, python: str, train: str, *words: str) -> subprocess.CompletedProcess[str]:
    if not (folder / "shop.csv").exists():
        rows = "\n".join(",".join(map(str, row)) for row in interactions(150, 40, seed=7))
        (folder / "shop.csv").write_text("user_id,item_id,timestamp\n" + rows + "\n")
    paths = [ROOT / "clients/python/src", ROOT / "integrations/pytorch"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)), "PLAW_BIN": str(daemon.programs), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [
        python, str(EXAMPLE), "shop.csv", "--name", f"example-{train}", "--train", train, "--budget", "2m",
        "--layers", "1,2", "--dims", "8,16", "--max-epochs", "3", "--socket", daemon.socket, *words,
    ]  # fmt: skip
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("train", "module", "variable"),
    [("pytorch", "torch", "PLAW_TORCH_PYTHON"), ("recbole", "recbole", "PLAW_RECBOLE_PYTHON"), ("no", "pandas", "")],
)
def test_the_example_runs(daemon: Daemon, tmp_path: Path, train: str, module: str, variable: str) -> None:
    done = run(daemon, tmp_path, python_with(module, variable), train, "--directory", "training")
    assert done.returncode == 0, done.stdout + done.stderr
    shape = re.search(r"recommended: (\d+) x (\d+)", done.stdout)
    assert shape and "90 % of trainings between" in done.stdout
    with plaw.Client(daemon.socket) as client:
        name = f"example-{train}"
        answer = client.recommend(name, backbone="sasrec").configuration
        assert (answer.layers, answer.dim) == tuple(map(int, shape.groups()))
        if train != "no":
            trained = re.search(r"trained: +ndcg@10 ([0-9.]+), hr@10 ([0-9.]+)", done.stdout)
            # Far more than an order by chance has among 40 items.
            assert trained and 0.15 < float(trained[1]) < float(trained[2]) <= 1
        if train == "pytorch":
            # What was trained is the recommendation, on the interactions as the daemon has read them.
            spec = json.loads((tmp_path / "training/spec.json").read_text())
            assert (spec["configuration"]["layers"], spec["configuration"]["dim"]) == (answer.layers, answer.dim)
            result = json.loads((tmp_path / "training/result.json").read_text())
            assert result["tokens"] == client.dataset(name).raw["entropy"]["tokens"]
        client.remove(name)


def test_the_example_says_where_plaw_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = runpy.run_path(str(EXAMPLE))
    monkeypatch.setenv("PLAW_BIN", str(tmp_path))
    with pytest.raises(SystemExit, match="found no program plaw in .*: set PLAW_BIN"):
        names["emitted"](plaw.Client(tmp_path / "s"), "shop", "json")
