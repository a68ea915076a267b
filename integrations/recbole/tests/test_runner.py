"""The runner: learns, stops and goes on exactly, shows nothing but the training part, ranks as plawd does, refuses."""

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
from recbole.data.interaction import Interaction
from recbole_folder import ITEMS, Folder, untimed
from torch.nn import functional as F

from plaw.runner import Interrupted, Ranks, Refused, Trial
from plaw_recbole import Arguments
from plaw_recbole.data import numbers_of, trained
from plaw_recbole.flops import Flops
from plaw_recbole.model import Model
from plaw_recbole.optimiser import Optimiser
from plaw_recbole.training import describe, train

STOPPED = [
    ("gru4rec", "cce"), ("sasrec", "ce"), ("srgnn", "cce"), ("bert4rec", "cce"), ("narm", "bpr"), ("shan", "ce"),
    ("lightgcn", "bpr"), ("bpr", "cce"), ("sgl", "bpr"), ("multivae", "ce"), ("neumf", "bce"), ("s3rec", "cce"),
]  # fmt: skip


def with_loss(loss: str) -> dict[str, Any]:
    return {"configuration": {"loss": loss}}


def stopped_after(trial: Trial, steps: int) -> None:
    """Let SIGTERM come after some steps."""
    count = trial.step

    def step(loss: float | None, tokens: int) -> None:
        count(loss, tokens)
        if trial.position.step == steps:
            trial.is_terminated = True

    trial.step = step  # type: ignore[method-assign]


@pytest.mark.parametrize(("backbone", "loss"), STOPPED)
def test_a_stopped_training_goes_on_exactly(folder: Folder, backbone: str, loss: str) -> None:
    arguments = Arguments(attributes=folder.path / "attributes.json", pretraining=1)
    whole = folder.open("whole", backbone, **with_loss(loss))
    train(whole, arguments)
    first = folder.open("parts", backbone, **with_loss(loss))
    stopped_after(first, 9)
    with pytest.raises(Interrupted):
        train(first, arguments)
    torch.manual_seed(1)
    train(Trial(first.directory), arguments)
    assert untimed(first.directory) == untimed(whole.directory)
    assert (first.directory / "ranks.bin").read_bytes() == (whole.directory / "ranks.bin").read_bytes()


def test_the_first_stage_of_s3rec_goes_on_exactly(folder: Folder) -> None:
    arguments = Arguments(attributes=folder.path / "attributes.json", pretraining=2)
    whole = folder.open("whole", "s3rec")
    train(whole, arguments)
    first = folder.open("parts", "s3rec")
    told = first.progress

    def progress() -> None:
        told()
        first.is_terminated = True

    first.progress = progress  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted):
        train(first, arguments)
    train(Trial(first.directory), arguments)
    assert untimed(first.directory) == untimed(whole.directory)
    none = folder.open("none", "s3rec")
    train(none, Arguments(attributes=folder.path / "attributes.json", pretraining=0))
    assert untimed(none.directory)["curve"] != untimed(whole.directory)["curve"]


@pytest.mark.parametrize(
    ("backbone", "loss", "epochs"),
    [
        ("GRU4Rec", "cce", 8), ("gru4rec", "bpr", 8), ("srgnn", "ce", 5), ("sasrec", "cce", 3), ("fdsa", "cce", 3),
        ("lightgcn", "bpr", 3), ("bpr", "cce", 4), ("bert4rec", "ce", 14), ("din", "bce", 5),
    ],
)  # fmt: skip
def test_models_learn_more_than_popularity(folder: Folder, backbone: str, loss: str, epochs: int) -> None:
    trial = folder.open("trial", backbone, {"maxEpochs": epochs, "dropout": 0.1}, **with_loss(loss))
    train(trial, Arguments(attributes=folder.path / "attributes.json"))
    result = untimed(trial.directory)
    assert result["test"]["ndcg@10"]["value"] > 1.5 * result["popularity"], result["curve"]


def naive_rank(scores: Any, target: int, hidden: set[int]) -> int:
    """Count a rank item by item."""
    rank = 1
    for item in range(ITEMS):
        if item != target and item not in hidden and scores[item] >= scores[target]:
            rank += 1
    return rank


@pytest.mark.parametrize("mask", ["none", "window", "full"])
@pytest.mark.parametrize(("backbone", "loss"), [("gru4rec", "cce"), ("lightgcn", "bpr")])
def test_ranks_are_those_of_the_scores(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, backbone: str, loss: str, mask: str
) -> None:
    monkeypatch.setenv("PLAW_SCORES", str(folder.path / "scores"))
    trial = folder.open("trial", backbone, mask=mask, configuration={"loss": loss, "maxLength": 4})
    train(trial)
    ranks = Ranks.read(trial.directory / "ranks.bin")
    scores = np.fromfile(folder.path / "scores", "<f4").reshape(-1, ITEMS)
    assert len(scores) == len(ranks.users) == sum(len(history) >= 3 for history in folder.histories)
    for user, row, rank in zip(ranks.users.tolist(), scores, ranks.test.tolist(), strict=True):
        *context, target = folder.histories[user]
        hidden = {"none": set(), "window": set(context[-4:]), "full": set(context)}[mask]
        assert rank == naive_rank(row, target, hidden)


def test_equal_scores_count_against_the_target(folder: Folder) -> None:
    trial = folder.open("trial", "bpr", **with_loss("bpr"))
    model = Model(trial.split, Arguments())
    with torch.no_grad():
        model.net.user_embedding.weight.zero_()
    ranks = trial.ranking.ranks(trial.test, lambda users: model.scores(users, trial.test.histories(users.tolist())))
    assert ranks.tolist() == [
        ITEMS - len({*folder.histories[u][:-1]} - {folder.histories[u][-1]}) for u in trial.test.users
    ]


@pytest.mark.parametrize(
    ("backbone", "loss"), [("gru4rec", "ce"), ("srgnn", "cce"), ("bert4rec", "cce"), ("bpr", "bpr")]
)
@pytest.mark.parametrize("share", [1, 0.5])
def test_only_the_training_part_is_shown(folder: Folder, backbone: str, loss: str, share: float) -> None:
    if backbone == "bpr" and share < 1:
        return
    trial = folder.open("trial", backbone, userFraction=share, **with_loss(loss))
    model = Model(trial.split, Arguments())
    seen = {u: history[:-2] if len(history) >= 3 else history for u, history in enumerate(folder.histories)}
    users, items = trained(trial.split)
    assert set(zip(users.tolist(), items.tolist(), strict=True)) <= {(u, i) for u, h in seen.items() for i in h}
    assert len(model.rows.data.inter_feat) == len(users)
    name_of = {number: item for item, number in enumerate(model.rows.items.tolist())}
    rows = np.arange(len(model.rows.user))
    if backbone == "bpr":
        targets = model.rows.targets(rows)
        for user, target in zip(model.rows.user.tolist(), targets.tolist(), strict=True):
            assert name_of[target] in seen[user]
        return
    histories, lengths = model.rows.histories(rows)
    for row, user in enumerate(model.rows.user.tolist()):
        own = [name_of[number] for number in histories[row, : lengths[row]].tolist()]
        place = int(model.rows.place[row])
        assert own == seen[user][max(0, place - 10) : place]
        if model.rows.kind == "prefixes":
            assert name_of[int(model.rows.targets(rows[row : row + 1])[0])] == seen[user][place]
    if model.rows.kind == "prefixes":
        assert len(rows) == trial.tokens


def test_an_epoch_has_every_row_once(folder: Folder) -> None:
    trial = folder.open("trial", "gru4rec", **with_loss("ce"))
    rows = Model(trial.split, Arguments()).rows
    found = [np.concatenate([rows.of_step(epoch, step) for step in range(trial.split.steps)]) for epoch in (0, 1)]
    assert all(sorted(each.tolist()) == list(range(len(rows.user))) for each in found)
    assert found[0].tolist() != found[1].tolist()


@pytest.mark.parametrize(
    ("backbone", "way"),
    [
        ("gru4rec", "positions"), ("sasrec", "positions"), ("fdsa", "positions"), ("sasrecf", "positions"), ("s3rec", "positions"),
        ("srgnn", "prefixes"), ("narm", "prefixes"), ("lightsans", "prefixes"), ("hgn", "prefixes"), ("bpr", "scores"),
    ],
)  # fmt: skip
def test_the_enhanced_loss_is_the_cross_entropy_at_every_position(folder: Folder, backbone: str, way: str) -> None:
    trial = folder.open("trial", backbone, {"dropout": 0})
    arguments = Arguments(attributes=folder.path / "attributes.json")
    model = Model(trial.split, arguments)
    assert model.way == way
    model.net.eval()
    if model.is_two_staged:
        model.end_pretraining()
    users = trial.split.train.users[:20]
    if way == "scores":
        return
    with torch.no_grad():
        found = float(model.loss(model.rows.of_users(users), 1))
        losses = []
        for user in users.tolist():
            history = folder.histories[user]
            history = history[: len(history) - 2 if len(history) >= 3 else len(history)]
            # One pass sees the L most recent positions; RecBole's prefixes reach back L items from each of them.
            begin = max(0, len(history) - 11)
            for place in range(max(1, len(history) - 10), len(history)):
                prefix = history[begin if way == "positions" else max(0, place - 10) : place]
                if not prefix:
                    continue
                items = torch.zeros(1, 10, dtype=torch.long)
                items[0, : len(prefix)] = torch.from_numpy(model.rows.items[prefix])
                fields = {"item_id_list": items, "item_length": torch.tensor([len(prefix)])}
                fields["user_id"] = torch.tensor([model.rows.users[user]])
                scores = model.net.full_sort_predict(Interaction(fields)).view(1, -1)
                target = int(model.rows.items[history[place]])
                first = 1 if way == "positions" else 0  # RecBole's own loss has its padding among the items
                losses.append(float(F.cross_entropy(scores[:, first:], torch.tensor([target - first]))))
    assert found == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize(
    ("backbone", "loss"), [("sasrec", "cce"), ("stamp", "ce"), ("caser", "ce"), ("bert4rec", "cce")]
)
def test_scores_do_not_depend_on_who_is_scored_beside(folder: Folder, backbone: str, loss: str) -> None:
    trial = folder.open("trial", backbone, **with_loss(loss))
    model = Model(trial.split, Arguments())
    model.net.eval()
    users = trial.test.users[:12]
    histories = trial.test.histories(users.tolist())
    together = model.scores(users, histories)
    alone = np.concatenate([model.scores(users[i : i + 1], histories[i : i + 1]) for i in range(len(users))])
    assert np.allclose(together, alone, atol=1e-4)


def test_negatives_of_general_models_are_no_training_items(folder: Folder) -> None:
    trial = folder.open("trial", "bpr", **with_loss("bpr"))
    model = Model(trial.split, Arguments())
    batch = model.rows.batch(np.arange(len(model.rows.user)), 7)
    assert len(batch) == 2 * len(model.rows.user)
    users, items = trained(trial.split)
    pairs = set(zip(model.rows.users[users].tolist(), model.rows.items[items].tolist(), strict=True))
    drawn = set(zip(batch["user_id"].tolist(), batch["neg_item_id"].tolist(), strict=True))
    assert not pairs & drawn
    assert set(zip(batch["user_id"].tolist(), batch["item_id"].tolist(), strict=True)) <= pairs


def test_the_data_set_has_all_users_and_items(folder: Folder) -> None:
    model = Model(folder.open("trial", "lightgcn", **with_loss("bpr")).split, Arguments())
    assert model.rows.data.num("item_id") == ITEMS + 1
    assert sorted(numbers_of(model.rows.data, "item_id", ITEMS).tolist()) == list(range(1, ITEMS + 1))
    assert sorted(model.rows.users.tolist()) == list(range(1, len(folder.histories) + 1))


@pytest.mark.parametrize(
    ("backbone", "loss", "layers", "parameters"),
    [
        # item embeddings with a padding, 3 gates of 16 x 16 twice, dense
        ("gru4rec", "cce", 1, 51 * 16 + 2 * 3 * 16 * 16 + 16 * 16 + 16),
        ("gru4rec", "cce", 3, 51 * 16 + 6 * 3 * 16 * 16 + 16 * 16 + 16),
        ("lightgcn", "bpr", 3, 51 * 16 + 121 * 16),
        ("bpr", "bpr", 1, 51 * 16 + 121 * 16),
    ],
)
def test_describe_counts_the_parameters(folder: Folder, backbone: str, loss: str, layers: int, parameters: int) -> None:
    trial = folder.open("trial", backbone, configuration={"loss": loss, "layers": layers})
    found = describe(trial)
    assert found.parameters == parameters
    assert found.flops_per_token >= 6 * 16 and found.memory_bytes > 1e7 and found.checkpoint


def test_flops_are_counted() -> None:
    a, b = torch.randn(3, 4, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    with Flops() as flops:
        (a @ b).sum().backward()  # type: ignore[no-untyped-call]
    assert flops.total == 3 * 2 * 3 * 4 * 5
    graph = torch.eye(4).to_sparse()
    with Flops() as flops:
        torch.sparse.mm(graph, b.detach())
    assert flops.total == 2 * 4 * 5


def test_the_optimiser_is_adamw(folder: Folder) -> None:
    options = folder.open("trial", "gru4rec", {"weightDecay": 0.1, "widthRule": "plain", "averaging": 0, "itemRate": 1, "warmupSteps": 0}).spec.options  # fmt: skip
    ours, theirs = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    optimiser = Optimiser(ours, set(), options, 16, 1)
    other = torch.optim.AdamW(theirs.parameters(), lr=options.learning_rate, weight_decay=0.1)
    for step in range(1, 6):
        x = torch.randn(7, 4)
        ours(x).square().mean().backward()
        other.zero_grad()
        theirs(x).square().mean().backward()
        optimiser.step(step)
        other.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)


@pytest.mark.parametrize(
    ("backbone", "members", "words"),
    [
        ("ncf", {}, 'backbone: found "ncf"'),
        ("pop", {}, "no epochs"),
        ("recvae", {}, "trainer of its own"),
        ("ksr", {}, "knowledge graph"),
        ("fdsa", {}, "--attributes"),
        ("bpr", with_loss("gbce"), 'loss: found "gbce", expected bpr or cce'),
        ("simplex", {}, 'loss: found "cce", expected bpr'),
        ("gru4rec", with_loss("sampled-softmax"), "loss"),
        ("stamp", {"configuration": {"layers": 2}}, "layers"),
        ("gru4rec", {"configuration": {"layers": 0}}, "layers"),
        ("gru4rec", {"configuration": {"feedForwardFactor": 2}}, "feedForwardFactor"),
        ("sasrec", {"configuration": {"heads": 3}}, "heads"),
        ("lightgcn", {"userFraction": 0.5, **with_loss("bpr")}, "userFraction"),
        ("hgn", {"userFraction": 0.5, **with_loss("ce")}, "userFraction"),
        ("gru4rec", {"options": {"widthRule": "mup"}}, "widthRule"),
        ("gru4rec", {"options": {"labelSmoothing": 0.1}}, "labelSmoothing"),
        ("convncf", with_loss("bpr"), "RecBole cannot train ConvNCF"),
    ],
)
def test_what_cannot_be_trained_is_refused(folder: Folder, backbone: str, members: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        train(folder.open("trial", backbone, **members))


def test_the_command_follows_the_contract(folder: Folder) -> None:
    directory = folder.trial("trial", "fdsa")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    attributes = ["--attributes", str(folder.path / "attributes.json")]

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "plaw_recbole", *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder.path)

    described = run(*attributes, "describe", directory / "spec.json")
    assert described.returncode == 0 and json.loads(described.stdout)["parameters"] > 0, described.stderr
    done = run(*attributes, directory)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["phase"] for line in done.stdout.splitlines()][-1] == "finished"
    refused = run(directory.parent / "other")
    assert refused.returncode == 65
    refused = run("describe", folder.trial("unknown", "ncf") / "spec.json")
    assert refused.returncode == 65 and "backbone" in refused.stderr
    assert run("--faster", directory).returncode == 64
    # It leaves nothing in the working folder.
    assert {path.name for path in folder.path.iterdir()} == {"data.corpus", "attributes.json", "trial", "unknown"}
