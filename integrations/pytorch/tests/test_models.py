"""Every model: learns, stops and goes on exactly, sees no future, says what it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_folder import ITEMS, Folder, untimed

from plaw.runner import Interrupted, Ranks, Refused, Trial
from plaw_pytorch import MODELS, describe, train
from plaw_pytorch.batch import make_batch
from plaw_pytorch.losses import catalogue_loss
from plaw_pytorch.models import mamba
from plaw_pytorch.training import build

CPU = torch.device("cpu")
SEQUENTIAL = [name for name in MODELS if name != "lightgcn"]


def stopped_after(trial: Trial, steps: int) -> None:
    """Let SIGTERM come after some steps."""
    count = trial.step

    def step(loss: float | None, tokens: int) -> None:
        count(loss, tokens)
        if trial.position.step == steps:
            trial.is_terminated = True

    trial.step = step  # type: ignore[method-assign]


@pytest.mark.parametrize("backbone", MODELS)
@pytest.mark.parametrize("steps", [1, 19])
def test_a_stopped_training_goes_on_exactly(folder: Folder, backbone: str, steps: int) -> None:
    whole = folder.open("whole", backbone)
    train(whole, CPU)
    first = folder.open("parts", backbone)
    stopped_after(first, steps)
    with pytest.raises(Interrupted):
        train(first, CPU)
    torch.manual_seed(1)
    train(Trial(first.directory), CPU)
    assert untimed(first.directory) == untimed(whole.directory)
    assert (first.directory / "ranks.bin").read_bytes() == (whole.directory / "ranks.bin").read_bytes()


@pytest.mark.parametrize("backbone", MODELS)
def test_models_learn_more_than_popularity(folder: Folder, backbone: str) -> None:
    epochs = {"bert4rec": 30, "gru4rec": 12, "srgnn": 8}.get(backbone, 6)
    trial = folder.open("trial", backbone, {"maxEpochs": epochs, "patience": epochs, "dropout": 0.1})
    train(trial, CPU)
    result = untimed(trial.directory)
    if backbone == "lightgcn":  # the order of a history is all that this corpus has
        assert result["test"]["ndcg@10"]["value"] > result["popularity"]
    else:
        assert result["test"]["ndcg@10"]["value"] > 2 * result["popularity"], result["curve"]


@pytest.mark.parametrize("backbone", MODELS)
def test_describe_knows_the_parameters(folder: Folder, backbone: str) -> None:
    trial = folder.open("trial", backbone)
    described = describe(trial)
    model = build(trial.split, CPU)
    assert described.parameters == sum(p.numel() for p in model.parameters())
    assert described.flops_per_token > 6 * 16 and described.memory_bytes > 1e7 and described.checkpoint


@pytest.mark.parametrize("backbone", SEQUENTIAL)
def test_a_position_does_not_see_what_comes_after(folder: Folder, backbone: str) -> None:
    trial = folder.open("trial", backbone)
    model = build(trial.split, CPU)
    model.initialise(trial.spec.options, 1, 1.0)
    model.eval()
    batch = make_batch(trial.test, trial.test.users[:20], CPU)
    with torch.no_grad():
        together = model.newest(batch)
        alone = torch.cat([model.newest(make_batch(trial.test, trial.test.users[i : i + 1], CPU)) for i in range(20)])
        assert torch.allclose(together, alone, atol=1e-5)
        if backbone == "bert4rec":  # looks both ways, at a masked item
            return
        before = model(batch)
        row = int(batch.lengths.argmax())
        last = int(batch.lengths[row]) - 1
        batch.inputs[row, last] = (batch.inputs[row, last] + 7) % ITEMS
        if batch.times is not None:
            batch.times[row, last] += 1_000_000
        after = model(batch)
    assert torch.allclose(before[row, :last], after[row, :last], atol=1e-6)
    assert not torch.allclose(before[row, last], after[row, last], atol=1e-4)


@pytest.mark.parametrize("loss", ["ce", "bce", "gbce", "bpr", "top1", "bpr-max", "top1-max", "sampled-softmax"])
@pytest.mark.parametrize("backbone", ["bert4rec", "gru4rec", "srgnn", "lightgcn", "mamba"])
def test_every_loss_that_a_model_has_trains(folder: Folder, backbone: str, loss: str) -> None:
    trial = folder.open("trial", backbone, {"maxEpochs": 1}, configuration={"loss": loss, "layers": 1})
    if loss not in MODELS[backbone].losses:
        with pytest.raises(Refused, match="loss"):
            train(trial, CPU)
        return
    train(trial, CPU)
    assert untimed(trial.directory)["users"] == len(trial.test.users)


@pytest.mark.parametrize(
    ("backbone", "members", "words"),
    [
        ("ncf", {}, "backbone"),
        ("bert4rec", {"configuration": {"loss": "bce"}}, "loss"),
        ("hstu", {"configuration": {"feedForwardFactor": 2}}, "feedForwardFactor"),
        ("lightgcn", {"userFraction": 0.5}, "userFraction"),
        ("sasrec", {"configuration": {"heads": 3}}, "heads"),
        ("llama", {"configuration": {"heads": 16}}, "heads"),
        ("sasrec", {"options": {"labelSmoothing": 0.1}}, "labelSmoothing"),
        ("sasrec", {"configuration": {"layers": 0}}, "layers"),
    ],
)
def test_what_cannot_be_trained_is_refused(folder: Folder, backbone: str, members: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        build(folder.open("trial", backbone, **members).split, CPU)


def test_the_scan_equals_a_loop() -> None:
    for n in (1, 2, 7, 16, 50):
        a, b = torch.rand(3, n, 4, 2), torch.randn(3, n, 4, 2)
        a[:, n // 2] = 0
        h, expected = torch.zeros(3, 4, 2), []
        for t in range(n):
            h = a[:, t] * h + b[:, t]
            expected.append(h)
        assert torch.allclose(mamba.scan(a, b), torch.stack(expected, 1), atol=1e-5)


def test_the_loss_over_all_items_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    h, items = torch.randn(20, 4, requires_grad=True), torch.randn(30, 4, requires_grad=True)
    targets = torch.randint(30, (20,))
    whole = catalogue_loss(h, targets, items)
    whole.backward()  # type: ignore[no-untyped-call]
    slopes = h.grad, items.grad
    h.grad = items.grad = None
    monkeypatch.setattr("plaw_pytorch.losses._SCORES", 90)
    parts = catalogue_loss(h, targets, items)
    parts.backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(whole, parts)
    for found, wanted in zip((h.grad, items.grad), slopes, strict=True):
        assert found is not None and wanted is not None and torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("mask", ["none", "full"])
@pytest.mark.parametrize("drawn", [None, 12])
def test_ranks_on_the_device_equal_those_of_scores(folder: Folder, mask: str, drawn: int | None) -> None:
    members: dict[str, Any] = {} if drawn is None else {"sampledRanking": drawn}
    trial = folder.open("trial", "gpt", mask=mask, **members)
    train(trial, CPU)
    ranks = Ranks.read(trial.directory / "ranks.bin")
    again = folder.open("again", "gpt", mask=mask, **members)
    from plaw_pytorch.training import _Training

    run = _Training(again, CPU)
    run.model.eval()

    def score(users: np.ndarray[tuple[int], np.dtype[np.int32]]) -> torch.Tensor:
        with torch.no_grad():
            return run.model.newest(make_batch(again._part, users, CPU)) @ run.model.item.T

    own = again.ranking.ranks(again.test, lambda users: _on_test(again, score, users))
    assert len(own) == len(ranks.test)
    assert (own == run.ranks(again.test, lambda: None)).all()


@pytest.mark.parametrize("backbone", MODELS)
def test_the_way_of_a_gpu_trains(folder: Folder, backbone: str) -> None:
    """Bfloat16 as on a GPU; with PLAW_LONG_TESTS=1 also a compiled loss, whose back end needs no C++ compiler."""
    from plaw_pytorch.training import _Training

    run = _Training(folder.open("trial", backbone, {"maxEpochs": 1}), CPU)
    run.autocast = lambda: torch.autocast("cpu", torch.bfloat16)  # type: ignore[method-assign]
    if os.environ.get("PLAW_LONG_TESTS") == "1":
        torch.compiler.reset()
        run.compute_loss = torch.compile(run.loss, dynamic=True, backend="eager")
    run.train()
    assert untimed(run.trial.directory)["status"] != "diverged"


@pytest.mark.parametrize("mask", ["none", "window", "full"])
@pytest.mark.parametrize("backbone", ["gru4rec", "lightgcn"])
def test_scores_are_those_behind_the_ranks(
    folder: Folder, backbone: str, mask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = folder.open("trial", backbone, mask=mask)
    path = folder.path / "scores.bin"
    monkeypatch.setenv("PLAW_SCORES", str(path))
    train(trial, CPU)
    part = trial.test
    # Of the test targets alone, though validation targets are ranked with the same function.
    scores = np.fromfile(path, dtype="<f4").reshape(len(part.users), ITEMS)
    again = trial.ranking.of_scores(part, part.users, part.targets, scores)
    assert (again == Ranks.read(trial.directory / "ranks.bin").test).all()


CHECKED = ["sasrec", *(["gru4rec", "lightgcn"] if os.environ.get("PLAW_LONG_TESTS") == "1" else [])]


@pytest.mark.parametrize("backbone", CHECKED)
def test_the_runner_keeps_the_contract(folder: Folder, plaw: str, backbone: str) -> None:
    """All ten checks of `plaw runner check`; gru4rec and lightgcn with PLAW_LONG_TESTS=1."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [plaw, "runner", "check", "--backbone", backbone, "--", sys.executable, "-m", "plaw_pytorch"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok      ") == 10 and "not checked" not in done.stdout, done.stdout


def _on_test(trial: Trial, score, users):  # type: ignore[no-untyped-def]
    trial._part = trial.test
    return score(users)


def test_the_command_follows_the_contract(folder: Folder) -> None:
    directory = folder.trial("trial", "gpt")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "plaw_pytorch", *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    described = run("describe", directory / "spec.json")
    assert described.returncode == 0 and json.loads(described.stdout)["parameters"] > 0
    specs = [folder.trial(f"d{dim}", "gru4rec", configuration={"dim": dim}) / "spec.json" for dim in (8, 32)]
    several = run("describe", *specs, directory / "spec.json")
    lines = [json.loads(line) for line in several.stdout.splitlines()]
    # In the order of the specifications, each with its own model.
    assert several.returncode == 0 and lines[0]["parameters"] < lines[1]["parameters"]
    assert lines[2]["parameters"] == json.loads(described.stdout)["parameters"] and len(lines) == 3
    # One that cannot be trained ends the command; what was said before it stays.
    cut = run("describe", specs[0], folder.trial("unknown", "ncf") / "spec.json", specs[1])
    assert cut.returncode == 65 and len(cut.stdout.splitlines()) == 1 and "backbone" in cut.stderr
    done = run(directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["phase"] for line in done.stdout.splitlines()][-1] == "finished"
    refused = run(folder.trial("other", "ncf"))
    assert refused.returncode == 65 and "backbone" in refused.stderr
