"""Behaviors, values and domains: counted by a real daemon, and read from its corpus file as they were written."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import plaw
from plaw.runner import Corpus, CorpusError

from .conftest import Daemon

Event = tuple[str, str, int, str, str, str]


def events(count: int = 900) -> list[Event]:
    """Return rows of a log, in order of time; a few without a behavior or a value."""
    chance = random.Random(7)
    return [
        (
            f"u{chance.randrange(30)}",
            f"i{chance.randrange(25)}",
            1_500_000_000 + place,
            chance.choice(["view", "view", "cart", "buy", ""]),
            chance.choice(["", "1", "2.5", "5"]),
            chance.choice(["food", "kitchen"]),
        )
        for place in range(count)
    ]


def written(path: Path, rows: list[Event]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "timestamp", "event_type", "rating", "domain"])
        writer.writerows(rows)
    return path


def test_events_are_kept(own_daemon: Daemon, tmp_path: Path) -> None:
    rows = events()
    path = written(tmp_path / "log.csv", rows)
    with plaw.Client(own_daemon.socket) as client:
        dataset = client.register("log", path)
        assert dataset.statistics is not None
        said = dataset.statistics.events
        assert said is not None
        for groups, column in ((said.behaviors, 3), (said.domains, 5)):
            assert groups is not None
            assert {group.name: group.interactions for group in groups} == Counter(row[column] for row in rows)
        assert said.values is not None and (said.values.least, said.values.most) == (1, 5)
        assert said.values.missing == sum(row[4] == "" for row in rows)

    shown = own_daemon.plaw("show", "log")
    assert "(none)" in shown and "  kitchen" in shown and "values" in shown

    (file,) = (own_daemon.folder / "state" / "corpora").glob("log*.corpus")
    corpus = Corpus(file)
    corpus.verify()
    assert corpus.behaviors is not None and corpus.domains is not None and corpus.values is not None
    found = []
    for user in range(corpus.user_count):
        for place in range(int(corpus.offsets[user]), int(corpus.offsets[user + 1])):
            value = float(corpus.values[place])
            assert corpus.times is not None
            found.append(
                (
                    corpus.user_name(user),
                    corpus.item_name(int(corpus.items[place])),
                    int(corpus.times[place]),
                    corpus.behaviors.names[int(corpus.behaviors.codes[place])],
                    "" if np.isnan(value) else f"{value:g}",
                    corpus.domains.names[int(corpus.domains.codes[place])],
                )
            )
    assert sorted(found) == sorted(rows)

    # Whatever byte is damaged, nothing is read that was not written.
    content = file.read_bytes()
    damaged = tmp_path / "damaged.corpus"
    for back in range(1, 1_200, 37):
        other = bytearray(content)
        other[-back] ^= 0x41
        damaged.write_bytes(other)
        with pytest.raises(CorpusError):
            Corpus(damaged).verify()
    for length in range(len(content) - 1_200, len(content), 41):
        damaged.write_bytes(content[:length])
        with pytest.raises(CorpusError):
            Corpus(damaged)
