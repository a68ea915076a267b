"""Ranks, metrics and `ranks.bin`, against naive twins and against plaw-trial."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from runner_folder import Folder

from plaw.runner import Corpus, Diverged, Part, Ranking, Ranks, Spec, Split, Trial, measure, padded, patience
from plaw.runner.ranking import measure_all
from plaw.runner.spec import Options


def coarse(users: npt.NDArray[np.int32], items: int) -> npt.NDArray[np.float32]:
    """Scores with many ties, a function of user and item."""
    table = (np.arange(items)[None] * 7 + np.asarray(users)[:, None] * 3) % 11
    return table.astype(np.float32)


def naive_rank(split: Split, part: Part, user: int, target: int, scores: npt.NDArray[np.float32]) -> int:
    context = part.history(user).tolist()
    spec = split.spec
    seen = {"none": [], "window": context[-part.max_length :], "full": context}[spec.mask]
    rank = 1
    for item in range(len(scores)):
        if item != target and item not in seen and scores[item] >= scores[target]:
            rank += 1
    return rank


@pytest.mark.parametrize("mask", ["none", "window", "full"])
@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize("block", [1, 7, None])
def test_ranks_equal_a_naive_count(folder: Folder, mask: str, name: str, block: int | None) -> None:
    spec = Spec.read(folder.trial(mask=mask) / "spec.json")
    split = Split(Corpus(folder.path / "data.corpus"), spec)
    part = split.validation if name == "validation" else split.test
    found = Ranking(split, block).ranks(part, lambda users: coarse(users, 40))
    expected = [
        naive_rank(split, part, user, target, coarse(np.array([user]), 40)[0])
        for user, target in zip(part.users.tolist(), part.targets.tolist(), strict=True)
    ]
    assert found.tolist() == expected
    flat = Ranking(split).ranks(part, lambda users: np.zeros((len(users), 40)))
    if mask == "none":
        assert set(flat.tolist()) == {40}


def test_scores_that_are_not_finite_or_of_another_shape_are_refused(folder: Folder) -> None:
    spec = Spec.read(folder.trial() / "spec.json")
    split = Split(Corpus(folder.path / "data.corpus"), spec)
    scores = np.zeros((100, 40))
    scores[3, 2] = -np.inf
    with pytest.raises(Diverged):
        Ranking(split).ranks(split.test, lambda users: scores[: len(users)])
    with pytest.raises(ValueError, match=r"\[users, items\]"):
        Ranking(split).ranks(split.test, lambda users: scores[:2])


def test_metrics_are_means_with_standard_errors() -> None:
    ranks = np.array([1, 2, 3, 11, 400, 1], dtype=np.uint32)
    gains = [1, 1 / math.log2(3), 0.5, 0, 0, 1]
    found = measure("ndcg@10", ranks)
    assert found.value == pytest.approx(np.mean(gains)) and found.standard_error == pytest.approx(
        np.std(gains, ddof=1) / math.sqrt(6)
    )
    assert measure("hr@1", ranks).value == pytest.approx(2 / 6)
    assert measure("mrr@10", ranks).value == pytest.approx((1 + 0.5 + 1 / 3 + 1) / 6)
    assert measure("hr@5", np.zeros(0, np.uint32)).value == 0
    assert "standardError" not in measure("ndcg@10", np.full(4, 3, np.uint32)).json()


def test_ranks_file_is_that_of_the_contract(tmp_path: Path) -> None:
    ranks = Ranks(*(np.array(values, dtype=np.uint32) for values in ([0, 5], [1, 2], [3, 70_000])))
    ranks.write(tmp_path / "ranks.bin")
    content = (tmp_path / "ranks.bin").read_bytes()
    assert content[:16].hex() == "504c415752414e4b0100000002000000" and len(content) == 24 + 24
    assert content[16:40].hex() == "00000000050000000100000002000000" + "0300000070110100"
    assert Ranks.read(tmp_path / "ranks.bin").test.tolist() == [3, 70_000]
    for place in (0, 9, 20, 47):
        damaged = bytearray(content)
        damaged[place] ^= 1
        (tmp_path / "damaged.bin").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged\.bin"):
            Ranks.read(tmp_path / "damaged.bin")


def test_padding_stands_at_the_end() -> None:
    matrix, lengths = padded([np.array([4, 5], np.int32), np.array([6], np.int32)], fill=-1)
    assert matrix.tolist() == [[4, 5], [6, -1]] and lengths.tolist() == [2, 1]


def test_patience_is_that_of_the_recipes() -> None:
    standard = Options(patience=4, patience_steps=300, patience_share=0.3, recipe="standard")
    assert patience(standard, steps=24, done=10, stale=0, best=0.5, popularity=0.1) == 13
    assert patience(standard, steps=300, done=10, stale=0, best=0.5, popularity=0.1) == 4
    assert patience(standard, steps=300, done=40, stale=10, best=0.5, popularity=0.1) == 9
    assert patience(standard, steps=300, done=0, stale=0, best=0.0, popularity=0.1) == 8
    assert patience(Options(), steps=5, done=3, stale=3, best=0.11, popularity=0.1) == 50


@pytest.mark.parametrize("mask", ["none", "window", "full"])
@pytest.mark.parametrize("drawn", [None, 9])
def test_everything_countable_equals_the_core(folder: Folder, plaw_trial: str, mask: str, drawn: int | None) -> None:
    members: dict[str, Any] = {} if drawn is None else {"sampledRanking": drawn}
    directory = folder.trial(
        mask=mask, userFraction=0.6, options={"stopMetric": "mrr@7"}, configuration={"loss": "gbce"}, **members
    )
    subprocess.run([plaw_trial, "run", str(directory)], check=True, capture_output=True)
    result = json.loads((directory / "result.json").read_text())
    trial = Trial(directory)
    ranks = Ranks.read(directory / "ranks.bin")
    assert ranks.bytes() == (directory / "ranks.bin").read_bytes()
    assert ranks.users.tolist() == trial.test.users.tolist() and result["users"] == len(ranks.users)
    assert trial.tokens == result["tokens"]
    assert trial.popularity == result["popularity"]
    for name, found in (("validation", ranks.validation), ("test", ranks.test)):
        assert {key: m.json() for key, m in measure_all(found, "mrr@7").items()} == result[name]
