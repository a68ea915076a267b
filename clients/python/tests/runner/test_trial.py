"""A runner as a process: its files, its statuses, stopping and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runner_folder import Folder

from plaw.runner import Part, Ranks, Trial
from plaw.runner.ranking import measure_all

RUNNER = Path(__file__).with_name("bigram_runner.py")
TIMES = ("seconds", "tokensPerSecond", "secondsPerEpoch", "secondsPerValidation", "peakMemoryBytes")


def start(*words: object, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(RUNNER), *map(str, words)], env={**os.environ, **variables}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(*words: object, **variables: str) -> tuple[int, str, str]:
    process = start(*words, **variables)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def untimed(path: Path) -> dict[str, Any]:
    return {name: value for name, value in json.loads((path / "result.json").read_text()).items() if name not in TIMES}


def test_files_are_those_of_the_contract(folder: Folder, schemas: dict[str, Any]) -> None:
    directory = folder.trial(mask="full")
    status, output, errors = run(directory)
    assert (status, errors) == (0, "")
    lines = (directory / "progress.jsonl").read_text().splitlines()
    assert output.splitlines() == lines
    phases = [json.loads(line)["phase"] for line in lines]
    assert phases[0] == "starting" and phases[-1] == "finished" and "testing" in phases
    assert sum("validation" in line and json.loads(line)["phase"] == "training" for line in lines) >= 3
    schemas["spec"].validate(json.loads((directory / "spec.json").read_text()))
    for line in lines:
        schemas["progress"].validate(json.loads(line))
    result = json.loads((directory / "result.json").read_text())
    schemas["result"].validate(result)
    assert result["epochs"] == 3 and result["parameters"] == 1_600 and len(result["curve"]) == 3
    assert result["test"]["ndcg@10"]["value"] > 1.5 * result["popularity"]
    assert not list(directory.glob("*.partial"))


def test_a_finished_trial_ends_at_once(folder: Folder) -> None:
    directory = folder.trial()
    assert run(directory)[0] == 0
    before = (directory / "result.json").stat().st_mtime_ns
    assert run(directory)[:2] == (0, "")
    assert (directory / "result.json").stat().st_mtime_ns == before
    (directory / "result.json").write_text("{")
    assert run(directory)[0] == 0 and untimed(directory)["status"] in ("converged", "stoppedRising")


@pytest.mark.parametrize("pause", [0.12, 0.4])
def test_a_stopped_trial_goes_on_to_the_same_result(folder: Folder, pause: float) -> None:
    whole, stopped = folder.trial("whole"), folder.trial("stopped", checkpointSeconds=0)
    assert run(whole)[0] == 0
    process = start(stopped, BIGRAM_PAUSE="0.05")
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(pause)
    # A daemon that stops closes the pipe first.
    process.stdout.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 75
    assert (stopped / "checkpoint").exists() and not (stopped / "result.json").exists()
    assert run(stopped)[0] == 0
    assert untimed(stopped) == untimed(whole)
    assert (stopped / "ranks.bin").read_bytes() == (whole / "ranks.bin").read_bytes()


def test_a_checkpoint_of_another_trial_is_not_used(folder: Folder) -> None:
    first, second = folder.trial("first"), folder.trial("second", seed=8)
    (first / "checkpoint").write_bytes(b"nothing of use")
    status, _, errors = run(first)
    assert status == 0 and "training begins anew" in errors
    process = start(folder.trial("third"), BIGRAM_PAUSE="0.2")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 75
    process.communicate()
    (second / "checkpoint").write_bytes((folder.path / "third" / "checkpoint").read_bytes())
    status, _, errors = run(second)
    assert status == 0 and "another trial" in errors


def test_time_that_is_over_ends_training(folder: Folder) -> None:
    directory = folder.trial(options={"maxEpochs": 1_000, "patience": 1_000})
    assert run(directory, PLAW_SECONDS_LEFT="0.3", BIGRAM_PAUSE="0.02")[0] == 0
    result = untimed(directory)
    assert result["status"] == "stoppedByBudget" and 0 < result["epochs"] < 100
    none = folder.trial("none")
    assert run(none, PLAW_SECONDS_LEFT="0")[0] == 0
    assert untimed(none)["status"] == "stoppedByBudget"


@pytest.mark.parametrize(
    ("members", "variables", "expected", "words"),
    [
        ({"mask": "some"}, {}, 65, "mask"),
        ({"corpus": "gone.corpus"}, {}, 65, "gone.corpus"),
        ({"corpusHash": "0" * 64}, {}, 65, "registered"),
        ({"sampledRanking": 41}, {}, 65, "sampledRanking"),
        ({}, {"PLAW_SECONDS_LEFT": "soon"}, 65, "PLAW_SECONDS_LEFT"),
        ({}, {"BIGRAM_ENDS": "memory"}, 71, "out of memory"),
    ],
)
def test_statuses(
    folder: Folder, members: dict[str, Any], variables: dict[str, str], expected: int, words: str
) -> None:
    status, _, errors = run(folder.trial(**members), **variables)
    assert status == expected and words in errors and "Traceback" not in errors


def test_a_trial_that_diverges_says_so(folder: Folder, schemas: dict[str, Any]) -> None:
    directory = folder.trial()
    status, _, _ = run(directory, BIGRAM_ENDS="nan")
    result = json.loads((directory / "result.json").read_text())
    schemas["result"].validate(result)
    assert status == 0 and result["status"] == "diverged" and "step 1" in result["message"]


def test_describe_prints_one_line(folder: Folder, schemas: dict[str, Any]) -> None:
    directory = folder.trial()
    status, output, _ = run("describe", directory / "spec.json")
    assert status == 0 and len(output.splitlines()) == 1
    schemas["describe"].validate(json.loads(output))
    assert not (directory / "progress.jsonl").exists()
    assert run("describe", folder.path / "none.json")[0] == 65
    assert run()[0] == 64


def test_describe_takes_several_specifications(folder: Folder, schemas: dict[str, Any]) -> None:
    specs = [folder.trial(name, seed=seed) / "spec.json" for name, seed in (("a", 1), ("b", 2), ("c", 3))]
    status, output, errors = run("describe", *specs)
    assert (status, errors, len(output.splitlines())) == (0, "", 3)
    for line in output.splitlines():
        schemas["describe"].validate(json.loads(line))
    # What was said before a specification that cannot be read stays.
    status, output, errors = run("describe", specs[0], folder.path / "none.json", specs[1])
    assert status == 65 and len(output.splitlines()) == 1 and "none.json" in errors


@pytest.mark.parametrize("own", [False, True])
def test_scores_of_the_test_targets_are_written_where_they_are_wanted(
    folder: Folder, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the runner returns scores, or counts ranks itself and says the scores."""
    trial = Trial(folder.trial(mask="full"))
    path = folder.path / "scores.bin"
    table = np.random.default_rng(3).random((trial.corpus.user_count, trial.corpus.item_count))
    wanted = []

    def ranks(part: Part, advanced: Callable[[], None]) -> np.ndarray[Any, np.dtype[np.uint32]]:
        wanted.append(trial.wants_scores)
        found = [np.zeros(0, np.uint32)]
        for chosen in (slice(0, 7), slice(7, None)):
            users = part.users[chosen]
            trial.write_scores(table[users])
            found.append(trial.ranking.of_scores(part, users, part.targets[chosen], table[users]))
        return np.concatenate(found)

    chosen: dict[str, Any] = {"ranks": ranks} if own else {"score": lambda users: table[users]}
    trial.validate(**chosen)
    assert not path.exists()
    monkeypatch.setenv("PLAW_SCORES", str(path))
    trial.validate(**chosen)
    assert not path.exists()
    trial.finish(**chosen)
    part = trial.test
    scores = np.fromfile(path, dtype="<f4").reshape(len(part.users), -1)
    assert (scores == table[part.users].astype("<f4")).all()
    again = trial.ranking.of_scores(part, part.users, part.targets, scores)
    assert (again == Ranks.read(trial.directory / "ranks.bin").test).all()
    assert wanted == ([False, False, False, True] if own else [])


def test_progress_is_at_most_twice_a_second(folder: Folder) -> None:
    lines: list[str] = []
    trial = Trial(folder.trial(options={"maxEpochs": 50, "patience": 50}), say=lines.append)
    for epoch in range(50):
        for place in range(100):
            trial.progress(epoch=epoch, loss=1 / (1 + place))
    assert len(lines) <= 3
    trial.progress(epoch=3, loss=0.5, validation={"ndcg@10": 0.25})
    assert json.loads(lines[-1])["validation"] == {"ndcg@10": 0.25} and json.loads(lines[-1])["epoch"] == 5
    assert trial.position.best_value == 0.25


def test_histories_follow_what_is_ranked(folder: Folder) -> None:
    trial = Trial(folder.trial())
    seen: dict[str, list[int]] = {"train": [], "validation": [], "test": []}

    def score(users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen[trial._part.name] += [len(items) for items in trial.histories(users)]
        return np.ones((len(users), 40))

    trial.validate(score)
    assert seen["test"] == [] and seen["validation"] == [len(h) for h in trial.validation.histories()]
    assert [h.tolist() for h in trial.histories([5])] == [h.tolist() for h in trial.train.histories([5])]
    measured = trial.finish(score)
    assert seen["test"] == [len(h) for h in trial.test.histories()]
    assert measured == measure_all(np.full(len(trial.test.users), 40, np.uint32), "ndcg@10")


def test_a_core_trial_and_its_files_follow_the_schemas(
    folder: Folder, plaw_trial: str, schemas: dict[str, Any]
) -> None:
    directory = folder.trial(options={"averaging": 0.1, "recipe": "standard"})
    subprocess.run([plaw_trial, "run", str(directory)], check=True, capture_output=True)
    for line in (directory / "progress.jsonl").read_text().splitlines():
        schemas["progress"].validate(json.loads(line))
    schemas["result"].validate(json.loads((directory / "result.json").read_text()))


def test_a_loop_of_ones_own_is_enough(folder: Folder, schemas: dict[str, Any]) -> None:
    with Trial(folder.trial(mask="full")) as trial:
        for epoch in range(trial.spec.max_epochs):
            trial.progress(epoch=epoch, loss=1 / (1 + epoch), tokens=trial.tokens)
            if trial.should_stop():
                break
        trial.finish(score=lambda users: np.random.default_rng(1).random((len(users), 40)))
    result = json.loads((trial.directory / "result.json").read_text())
    schemas["result"].validate(result)
    assert result["epochs"] == 3 and result["status"] == "converged" and result["curve"] == []
