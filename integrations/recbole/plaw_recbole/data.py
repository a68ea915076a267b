"""What RecBole gets to see of a corpus: its training part as a data set, and batches of it as interactions."""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from plaw.runner import Refused, Split
from plaw.runner.randomness import Purpose, Stream
from plaw_recbole.settings import ATTRIBUTES, Found, settings

Integers = npt.NDArray[np.int64]

_NAME = "plaw"


def read_attributes(path: Path) -> dict[str, list[str]]:
    """Return the attributes of each item, by its name in the corpus.

    Raises:
        Refused: The file is no JSON object of lists.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        value = json.loads(content)
        return {str(item): [str(attribute) for attribute in found] for item, found in value.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Refused(f"--attributes {path}: expected a JSON object of lists by item name: {error}") from error


def trained(split: Split) -> tuple[Integers, Integers]:
    """Return user and item of every training interaction of the training users; of the rest nothing is shown."""
    corpus = split.corpus
    lengths = corpus.lengths.astype(np.int64)
    count = np.where(lengths >= 3, lengths - 2, lengths)
    shown = np.zeros(corpus.user_count, dtype=np.bool_)
    shown[split.train.users] = True
    if split.spec.user_fraction >= 1:
        # Too short to have a position, but an edge of the graph all the same.
        shown[:] = True
    user = np.repeat(np.arange(corpus.user_count), lengths)
    place = np.arange(corpus.interaction_count) - corpus.offsets[:-1].astype(np.int64)[user]
    chosen = shown[user] & (place < count[user])
    return user[chosen], corpus.items[chosen].astype(np.int64)


def make_dataset(found: Found, split: Split, attributes: dict[str, list[str]] | None) -> tuple[Any, Any]:
    """Return RecBole's configuration and its data set of the training part.

    The data set has all users and items of the corpus, so that items without a training interaction can be ranked.

    Args:
        found: The model.
        split: The split.
        attributes: Attributes by item name, for models that need them.
    """
    from recbole.config import Config
    from recbole.data import dataset as datasets

    corpus = split.corpus
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="plaw-recbole-") as folder:
        files = Path(folder) / _NAME
        files.mkdir()
        users, items = trained(split)
        lines = "\n".join(f"{user}\t{item}" for user, item in zip(users.tolist(), items.tolist(), strict=True))
        (files / f"{_NAME}.inter").write_text(f"user_id:token\titem_id:token\n{lines}\n")
        lines = "\n".join(map(str, range(corpus.user_count)))
        (files / f"{_NAME}.user").write_text(f"user_id:token\n{lines}\n")
        load = {"inter": ["user_id", "item_id"], "user": ["user_id"], "item": ["item_id"]}
        if found.needs_attributes and attributes is not None:
            load["item"].append(ATTRIBUTES)
            numbers: dict[str, int] = {}
            rows = []
            for item in range(corpus.item_count):
                own = dict.fromkeys(attributes.get(corpus.item_name(item), []))
                rows.append(f"{item}\t" + " ".join(str(numbers.setdefault(each, len(numbers))) for each in own))
            (files / f"{_NAME}.item").write_text(f"item_id:token\t{ATTRIBUTES}:token_seq\n" + "\n".join(rows) + "\n")
        else:
            lines = "\n".join(map(str, range(corpus.item_count)))
            (files / f"{_NAME}.item").write_text(f"item_id:token\n{lines}\n")
        # It looks for property files in the working folder, and would read its cached data sets there.
        config = Config(
            model=found.name, dataset=_NAME,
            config_dict={
                **settings(found, split.spec), "data_path": folder, "checkpoint_dir": folder, "load_col": load,
                "use_gpu": False, "metrics": ["NDCG"], "topk": [10], "valid_metric": "NDCG@10",
                "train_batch_size": max(1, len(users) // split.steps), "state": "CRITICAL", "show_progress": False,
                "worker": 0, "benchmark_filename": None,
                "eval_args": {"split": {"RS": [1, 0, 0]}, "order": "RO", "group_by": None, "mode": "full"},
            },
        )  # fmt: skip
        kind = datasets.SequentialDataset if found.is_sequential else datasets.Dataset
        data = kind(config)
        # Not build(), which would split the data again and make prefixes of the histories.
        datasets.Dataset._change_feat_format(data)
        if found.is_sequential:
            data.field2seqlen["item_id_list"] = split.spec.configuration.max_length
    return config, data


def numbers_of(data: Any, field: str, count: int) -> Integers:
    """Return RecBole's number of each user or item of the corpus."""
    table = data.field2token_id[field]
    return np.array([table[str(number)] for number in range(count)], dtype=np.int64)


class Rows:
    """Training rows of an epoch as RecBole's interactions.

    A row of a sequential model is a prefix and the item after it; of a general model a user and an item. Rows are
    shuffled over all users, and an epoch has as many steps as a trial of plawd: `split.steps`.

    Attributes:
        user, place: User of the corpus and place of the target in its history, of each row.
    """

    def __init__(self, found: Found, split: Split, config: Any, data: Any, kind: str, mask_name: str | None) -> None:
        """Prepare the rows.

        Args:
            found: The model.
            split: The split.
            config: RecBole's configuration.
            data: RecBole's data set.
            kind: `prefixes`; `newest`, the last prefix of each user; `histories`, all items of a user as one row
                without a target; `pairs`; or `users`.
            mask_name: RecBole's transformation of a batch.
        """
        from recbole.data.transform import construct_transform

        self.split = split
        self.kind = kind
        self.is_sequential = found.is_sequential
        self.loss = split.spec.configuration.loss
        self.longest = split.spec.configuration.max_length
        self.trims = False
        """Whether columns that are padding in all rows are left out, which the model must bear."""
        self.config = config
        self.data = data
        self.items = numbers_of(data, "item_id", split.corpus.item_count)
        self.users = numbers_of(data, "user_id", split.corpus.user_count)
        self._transform = construct_transform(config)
        self._is_masked = mask_name == "mask_itemseq"
        self._pairs: Integers | None = None
        lengths = split.corpus.lengths.astype(np.int64)[split.train.users]
        count = np.where(lengths >= 3, lengths - 2, lengths)
        if kind == "prefixes":
            rows = np.minimum(count - 1, self.longest)
        elif kind == "pairs":
            rows = np.minimum(count, self.longest + 1)
        else:
            rows = np.ones(len(count), dtype=np.int64)
        self.user = np.repeat(split.train.users.astype(np.int64), rows)
        first = np.cumsum(rows) - rows
        # Oldest first.
        self.place = np.repeat(count - rows - first, rows) + np.arange(len(self.user))
        if kind == "histories":
            self.place += 1
        self._of_user = dict(
            zip(split.train.users.tolist(), zip(first.tolist(), rows.tolist(), strict=True), strict=True)
        )
        self._epoch = -1
        self._order: Integers = np.zeros(0, np.int64)

    def of_step(self, epoch: int, step: int) -> Integers:
        """Return the rows of a step of an epoch."""
        if epoch != self._epoch:
            seed = Stream(self.split.spec.seed, Purpose.ORDER, epoch).key
            self._order = np.random.Generator(np.random.Philox(seed)).permutation(len(self.user))
            self._epoch = epoch
        steps, rows = self.split.steps, len(self.user)
        return self._order[step * rows // steps : (step + 1) * rows // steps]

    def of_users(self, users: npt.NDArray[np.int32]) -> Integers:
        """Return all rows of some users."""
        ranges = [self._of_user[user] for user in users.tolist()]
        return np.concatenate([np.arange(first, first + count) for first, count in ranges])

    def histories(self, rows: Integers) -> tuple[Integers, Integers]:
        """Return what stands before the target of each row, at most L items, and how many there are."""
        users, places = self.user[rows], self.place[rows]
        lengths = np.minimum(places, self.longest)
        width = int(lengths.max(initial=1)) if self.trims else self.longest
        columns = np.arange(width)
        start = self.split.corpus.offsets[:-1].astype(np.int64)[users] + places - lengths
        exists = columns < lengths[:, None]
        found = self.split.corpus.items[np.where(exists, start[:, None] + columns, 0)]
        return np.where(exists, self.items[found], 0), lengths

    def targets(self, rows: Integers) -> Integers:
        """Return RecBole's number of the target of each row."""
        place = self.split.corpus.offsets[:-1].astype(np.int64)[self.user[rows]] + self.place[rows]
        found: Integers = self.items[self.split.corpus.items[place]]
        return found

    def batch(self, rows: Integers, seed: int) -> Any:
        """Return rows as an interaction, with negatives where the loss needs them."""
        from recbole.data.interaction import Interaction

        fields: dict[str, Integers | npt.NDArray[np.float32]] = {"user_id": self.users[self.user[rows]]}
        if self.kind == "users":
            return Interaction(_tensors(fields))
        if self.is_sequential:
            fields["item_id_list"], fields["item_length"] = self.histories(rows)
        if self.kind != "histories":
            fields["item_id"] = self.targets(rows)
            if self.loss in ("bpr", "bce"):
                self._add_negatives(fields, rows, seed)
        found = Interaction(_tensors(fields))
        return self._transform(self.data, found)

    def _add_negatives(self, fields: dict[str, Any], rows: Integers, seed: int) -> None:
        count = self.split.spec.options.negatives
        negatives = self._draw(np.tile(rows, count), np.tile(fields["item_id"], count), seed)
        if self.loss == "bpr":
            for name, value in list(fields.items()):
                fields[name] = np.concatenate([value] * count)
            fields[self.config["NEG_PREFIX"] + "item_id"] = negatives
            return
        own = fields["item_id"]
        for name, value in list(fields.items()):
            fields[name] = np.concatenate([value] * (1 + count))
        fields["item_id"] = np.concatenate([own, negatives])
        label = np.zeros(len(own) * (1 + count), dtype=np.float32)
        label[: len(own)] = 1
        fields[self.config["LABEL_FIELD"]] = label

    def _draw(self, rows: Integers, targets: Integers, seed: int) -> Integers:
        """Draw negatives as RecBole does: for general models none of the user's training items, else not the target."""
        random = np.random.Generator(np.random.Philox(seed))
        items = self.split.corpus.item_count
        users = self.users[self.user[rows]]
        drawn = random.integers(1, items + 1, len(rows))
        for _ in range(100):
            wrong = drawn == targets if self.is_sequential else self._has(users, drawn)
            if not wrong.any():
                break
            drawn[wrong] = random.integers(1, items + 1, int(wrong.sum()))
        return drawn

    def _has(self, users: Integers, items: Integers) -> npt.NDArray[np.bool_]:
        if self._pairs is None:
            own, had = trained(self.split)
            self._pairs = np.unique(self.users[own] * (len(self.items) + 1) + self.items[had])
        keys = users * (len(self.items) + 1) + items
        place = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        found: npt.NDArray[np.bool_] = self._pairs[place] == keys
        return found

    def context(self, users: npt.NDArray[np.int32], histories: list[npt.NDArray[np.int32]]) -> Any:
        """Return what the model may see of some users before their targets: their L most recent items."""
        from recbole.data.interaction import Interaction

        fields: dict[str, Any] = {"user_id": self.users[users]}
        if self.is_sequential:
            lengths = np.array([len(history) for history in histories], dtype=np.int64)
            width = int(lengths.max(initial=1)) if self.trims else self.longest
            exists = np.arange(width) < lengths[:, None]
            matrix = np.zeros((len(users), width), dtype=np.int64)
            matrix[exists] = self.items[np.concatenate(histories)]
            fields["item_id_list"], fields["item_length"] = matrix, lengths
        found = Interaction(_tensors(fields))
        return found if self._is_masked else self._transform(self.data, found)


def _tensors(fields: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in fields.items()}


def pieces(interaction: Any, size: int) -> Iterator[Any]:
    """Yield an interaction in pieces of rows."""
    for start in range(0, len(interaction), size):
        yield interaction[start : start + size]
