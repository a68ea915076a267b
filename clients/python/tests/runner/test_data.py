"""Corpus, split, share of users and negatives, each against a naive twin."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runner_folder import Folder

from plaw.runner import Corpus, CorpusError, Negatives, Refused, SharedNegatives, Spec, Split, corpus_bytes
from plaw.runner.randomness import Purpose, Stream, in_share, mix, shuffled

MASK = 2**64 - 1


def split_of(folder: Folder, **members: Any) -> Split:
    directory = folder.trial(f"trial{len(list(folder.path.iterdir()))}", **members)
    return Split(Corpus(folder.path / "data.corpus"), Spec.read(directory / "spec.json"))


def test_corpus_is_what_was_written(folder: Folder) -> None:
    corpus = Corpus(folder.path / "data.corpus")
    corpus.verify(corpus.content_hash)
    assert corpus.user_count == 80 and corpus.item_count == 40
    assert [corpus.history(user).tolist() for user in range(80)] == folder.histories
    times = corpus.history_times(3)
    assert times is not None and times.tolist() == [
        100 * i + len(folder.histories[3]) for i in range(len(folder.histories[3]))
    ]
    assert corpus.item_name(12) == "12" and corpus.user_name(79) == "79" and corpus.item_name(0) == "0"
    # The arrays are views of the file, not copies.
    assert isinstance(corpus.items.base, np.memmap) or isinstance(corpus.items, np.memmap)


@pytest.mark.parametrize("place", [0, 8, 16, 130, 1_000, -9])
def test_damage_is_refused(folder: Folder, place: int) -> None:
    content = bytearray((folder.path / "data.corpus").read_bytes())
    content[place] ^= 0xFF
    path = folder.path / "damaged.corpus"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"damaged\.corpus"):
        Corpus(path).verify()


def test_every_cut_is_refused(folder: Folder) -> None:
    content = (folder.path / "data.corpus").read_bytes()
    path = folder.path / "cut.corpus"
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(CorpusError):
            Corpus(path)


def test_another_hash_is_refused(folder: Folder) -> None:
    with pytest.raises(CorpusError, match="registered"):
        Corpus(folder.path / "data.corpus").verify(hashlib.sha256(b"").hexdigest())


@pytest.mark.parametrize("longest", [1, 5, 50])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_split_is_leave_two_out(folder: Folder, longest: int, share: float) -> None:
    split = split_of(folder, configuration={"maxLength": longest}, userFraction=share)
    tokens, training = 0, []
    for user, items in enumerate(folder.histories):
        trained = items[:-2] if len(items) >= 3 else items
        positions = min(len(trained) - 1, longest)
        # The hash of the contract, with Python's integers.
        if positions > 0 and (mix(user) >> 11) / 2**53 < share:
            training.append(user)
            tokens += positions
            assert split.train.histories([user])[0].tolist() == trained[-longest - 1 :]
        if len(items) >= 3:
            assert split.validation.histories([user])[0].tolist() == items[:-2][-longest:]
            assert split.test.histories([user])[0].tolist() == items[:-1][-longest:]
    evaluated = [user for user, items in enumerate(folder.histories) if len(items) >= 3]
    assert split.train.users.tolist() == training and split.tokens == tokens
    assert split.test.users.tolist() == split.validation.users.tolist() == evaluated
    assert split.test.targets.tolist() == [folder.histories[user][-1] for user in evaluated]
    assert split.validation.targets.tolist() == [folder.histories[user][-2] for user in evaluated]
    times = split.test.histories_times(evaluated)
    assert times is not None and [len(t) for t in times] == [len(h) for h in split.test.histories()]


def test_smaller_shares_lie_inside_larger_ones() -> None:
    users = np.arange(5_000)
    smaller, larger = in_share(users, 0.2), in_share(users, 0.5)
    assert not (smaller & ~larger).any() and 900 < smaller.sum() < 1_100


def test_random_numbers_are_those_of_the_contract() -> None:
    stream = Stream(MASK, Purpose.NEGATIVES, 12)
    key = mix((mix((mix(MASK) + 4) & MASK) + 12) & MASK)
    numbers = [mix((key + c * 0x9E37_79B9_7F4A_7C15) & MASK) for c in range(1, 6)]
    assert stream.peek(5).tolist() == numbers
    bounds = np.array([1, 2, 1_000, 2**31, 2**32 - 1])
    assert stream.below(bounds).tolist() == [n * int(b) >> 64 for n, b in zip(numbers, bounds, strict=True)]
    # The first number of SplitMix64 with the seed 0, as its authors publish it.
    assert mix(0) == 0xE220_A839_7B1D_CDAF
    order = shuffled(np.arange(100, dtype=np.int32), Stream(1, Purpose.ORDER, 0))
    assert sorted(order.tolist()) == list(range(100)) and order.tolist() != list(range(100))


@pytest.mark.parametrize("items", [3, 15, 40])
def test_negatives_are_drawn_again_while_in_the_history(tmp_path: Path, items: int) -> None:
    random = np.random.default_rng(4)
    rows = [random.integers(items, size=size).tolist() for size in (6, 12, 30)]
    rows.append(list(range(items)) * 2)  # everything is in this history: the hundredth draw stands
    (tmp_path / "data.corpus").write_bytes(corpus_bytes(rows, items))
    spec = Spec.of(json.loads(Path(_spec(tmp_path)).read_text()))
    split = Split(Corpus(tmp_path / "data.corpus"), spec)
    stream = Stream(spec.seed, Purpose.NEGATIVES, 5)
    expected = []
    for user in range(4):
        for _ in range(len(split.train.histories([user])[0]) - 1):
            for _ in range(3):
                for _ in range(100):
                    item = int(stream.below(np.array([items]))[0])
                    if item not in rows[user]:
                        break
                expected.append(item)
    assert Negatives(split).draw(range(4), 5).reshape(-1).tolist() == expected


def _spec(tmp_path: Path) -> str:
    folder = Folder.__new__(Folder)
    folder.path = tmp_path
    return str(folder.trial() / "spec.json")


@pytest.mark.parametrize("sampling", ["uniform", "popularity"])
def test_shared_negatives_follow_their_distribution(folder: Folder, sampling: str) -> None:
    split = split_of(folder, options={"sampling": sampling, "negatives": 60_000})
    source = SharedNegatives(split)
    shares = np.bincount(source.draw(0), minlength=40) / 60_000
    assert abs(source.probabilities.sum() - 1) < 1e-12
    assert np.abs(shares - source.probabilities).max() < 0.005
    if sampling == "popularity":
        counts = np.ones(40)
        for user in split.train.users:
            np.add.at(counts, split.train.histories([user])[0][1:], 1)
        assert np.allclose(source.probabilities, counts / counts.sum())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask": "some"}, "mask"),
        ({"userFraction": 0}, "userFraction"),
        ({"options": {"dropout": 1}}, "dropout"),
        ({"options": {"stopMetric": "auc"}}, "stopMetric"),
        ({"options": {"learningRate": "fast"}}, "learningRate"),
        ({"configuration": {"dim": 0}}, "dim"),
        ({"configuration": {"loss": None}}, "loss"),
        ({"seed": -1}, "seed"),
    ],
)
def test_specifications_that_cannot_be_trained_are_refused(folder: Folder, change: dict[str, Any], words: str) -> None:
    directory = folder.trial(**change)
    if words == "loss":
        spec = json.loads((directory / "spec.json").read_text())
        spec["configuration"]["loss"] = "hinge"
        (directory / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(Refused, match=words):
        Spec.read(directory / "spec.json")


def test_members_that_are_not_known_are_told(folder: Folder) -> None:
    directory = folder.trial(options={"labelSmoothing": 0.1}, taste="sweet")
    assert set(Spec.read(directory / "spec.json").unknown) == {"options.labelSmoothing", "taste"}
