"""A model of RecBole for a specification: how it is built, its loss of a batch, its scores of all items."""

from __future__ import annotations

import contextlib
import math
import random
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plaw.runner import Refused, Split
from plaw.runner.randomness import Purpose, Stream
from plaw.runner.split import blocks
from plaw.runner.trial import is_out_of_memory
from plaw_recbole import settings
from plaw_recbole.arguments import Arguments
from plaw_recbole.data import Rows, make_dataset, pieces, read_attributes

_CLOSE = 1e-4
_SCORED_ROWS = 256
"""Users that are scored at once, so that their states stay small."""
_CACHES = ("restore_user_e", "restore_item_e")
"""Where graph models keep propagated embeddings between two calls."""


def seed_all(key: int) -> None:
    """Seed every generator that RecBole draws from."""
    torch.manual_seed(key >> 1)
    np.random.seed(key & 0xFFFF_FFFF)
    random.seed(key)


class Model:
    """A model of RecBole, its training rows and its loss.

    Attributes:
        net: RecBole's module.
        rows: The training rows.
        way: How the loss is computed: `recbole`, its own over shuffled rows; `users`, its own over whole users;
            `positions`, the enhanced loss in one pass over each sequence; `prefixes`, the enhanced loss over all
            prefixes of whole users; `scores`, the softmax over the scores of a general model.
    """

    def __init__(self, split: Split, arguments: Arguments) -> None:
        """Build the model.

        Raises:
            Refused: There is no such model, or it cannot be trained as the specification says.
        """
        spec = split.spec
        self.split = split
        self._has_trained = False
        self.found = found = settings.find(spec.configuration.backbone)
        settings.check(found, spec, arguments.attributes is not None)
        attributes = None
        if found.needs_attributes and arguments.attributes is not None:
            attributes = read_attributes(arguments.attributes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config, data = make_dataset(found, split, attributes)
        transform = found.defaults.get("transform")
        is_enhanced = spec.configuration.loss == "cce"
        kind, self.way = "pairs", "scores" if is_enhanced else "recbole"
        if found.name in settings.USER_WISE:
            kind, self.way = "users", "users"
        elif found.is_sequential:
            if transform == "mask_itemseq" and (is_enhanced or not arguments.augmentation):
                kind, self.way = "histories", "users"
            elif is_enhanced:
                kind, self.way = "prefixes", "prefixes"
            elif not arguments.augmentation:
                kind, self.way = "newest", "users"
            else:
                kind = "prefixes"
        self.rows = Rows(found, split, config, data, kind, transform)
        seed_all(Stream(spec.seed, Purpose.WEIGHTS, 0).key)
        if found.name == "FEARec":  # looks for other histories with the same target
            data.inter_feat = self.rows.batch(np.arange(len(self.rows.user)), 0)
        try:
            # Some models print, and standard output is for lines of progress.
            with contextlib.redirect_stdout(sys.stderr):
                self.net: Any = found.kind(config, data)
        except Exception as error:
            # RecBole says in many ways that settings do not fit together, such as a kernel wider than a history.
            raise Refused(f"backbone: RecBole cannot build {found.name} with these settings: {error!r}") from error
        if (
            found.is_sequential
            and spec.user_fraction < 1
            and (hasattr(self.net, "n_users") or hasattr(self.net, "n_user"))
        ):
            raise Refused(
                f"userFraction: found {spec.user_fraction}, expected 1: {found.name} has an embedding of each user and "
                "cannot rank users who did not train"
            )
        self.is_two_staged = "train_stage" in found.defaults
        if self.is_two_staged:
            # Counted here because a checkpoint keeps the numbers of a model.
            self.net.pretrained_steps = 0
            self._pretraining = Rows(found, split, config, data, "histories", transform)
        self._begin_residuals()
        if found.is_sequential:
            with torch.random.fork_rng(), torch.no_grad():
                self.rows.trims = self._bears_trimming()
                if self.way == "prefixes" and self._has_states():
                    self.way = "positions"

    # What the model can do, found by trying

    def _probe(self, longest: int) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.int32]]]:
        """Return users with the shortest and the longest of the first histories that have at most `longest` items."""
        part = self.split.test
        users = part.users[:64]
        histories = part.histories(users.tolist())
        lengths = np.array([len(history) for history in histories])
        order = [int(place) for place in np.argsort(lengths, kind="stable") if lengths[place] <= longest]
        chosen = sorted({*order[:4], *order[-2:]})
        return users[chosen], [histories[place] for place in chosen]

    def _bears_trimming(self) -> bool:
        """Tell whether scores stay the same when columns of padding are left out, so that short batches are cheap."""
        users, histories = self._probe(max(1, self.split.test.max_length // 2))
        if len(users) == 0:
            return False
        self.net.eval()
        try:
            self.rows.trims = False
            whole = self._scores(self.rows.context(users, histories))
            self.rows.trims = True
            return torch.allclose(self._scores(self.rows.context(users, histories)), whole, atol=_CLOSE, rtol=_CLOSE)
        except Exception:
            return False
        finally:
            self.rows.trims = False

    def _has_states(self) -> bool:
        """Tell whether one pass gives the state of every position, as if what comes after it were not there.

        Scores must be inner products of the state and the item embeddings.
        """
        users, histories = self._probe(self.split.test.max_length)
        self.net.eval()
        try:
            batch = self.rows.context(users, histories)
            states = self._states(batch)
            shape = (len(users), batch["item_id_list"].shape[1], self.split.spec.configuration.dim)
            if tuple(states.shape) != shape:
                return False
            for cut in (0, 1):
                shorter = self.rows.context(users, histories)
                lengths = (shorter["item_length"] - cut).clamp(min=1)
                columns = torch.arange(shorter["item_id_list"].shape[1])
                shorter["item_id_list"] = shorter["item_id_list"] * (columns < lengths[:, None])
                shorter["item_length"] = lengths
                own = states[torch.arange(len(users)), lengths - 1] @ self._items().T
                if not torch.allclose(own, self._scores(shorter)[:, 1:], atol=_CLOSE, rtol=_CLOSE):
                    return False
            return True
        except Exception:
            return False

    def _states(self, batch: Any) -> Tensor:
        """Return the states of all positions, [B, n, d]: the model does not gather the newest ones."""
        self.net.gather_indexes = lambda output, index: output
        try:
            items = batch["item_id_list"]
            if self.is_two_staged:
                states: Tensor = self.net.forward(items, bidirectional=False)
            else:
                states = self.net.forward(items, batch["item_length"])
            return states
        finally:
            del self.net.gather_indexes

    def _items(self) -> Tensor:
        """Return the embeddings of all items, without the padding."""
        items: Tensor = self.net.item_embedding.weight[1 : self.split.corpus.item_count + 1]
        return items

    # Training

    def batch_rows(self, users: npt.NDArray[np.int32], epoch: int, step: int) -> npt.NDArray[np.int64]:
        """Return the rows of a step."""
        return self.rows.of_step(epoch, step) if self.way in ("recbole", "scores") else self.rows.of_users(users)

    def loss(self, rows: npt.NDArray[np.int64], seed: int) -> Tensor:
        """Return the mean loss of some rows.

        Args:
            rows: What `batch_rows` returned.
            seed: Seeds what the step draws.
        """
        seed_all(seed)
        if self.way == "positions":
            return self._enhanced(rows)
        batch = self.rows.batch(rows, seed)
        if self.way == "scores":
            self.forget()
            scores = self.net.full_sort_predict(batch).view(len(rows), -1)[:, 1:]
            self.forget()
            return F.cross_entropy(scores, batch["item_id"] - 1)
        try:
            found = self.net.calculate_loss(batch)
        except (IndexError, KeyError, NotImplementedError, RuntimeError, ValueError) as error:
            if self._has_trained or is_out_of_memory(error):
                raise
            raise Refused(f"backbone: RecBole cannot train {self.found.name} with these settings: {error!r}") from error
        self._has_trained = True
        total: Tensor = sum(found) if isinstance(found, tuple) else found  # type: ignore[assignment]
        return total

    def pretraining_loss(self, users: npt.NDArray[np.int32], seed: int) -> Tensor:
        """Return the loss of the first stage of a model with two, on the training items of some users."""
        seed_all(seed)
        loss: Tensor = self.net.calculate_loss(self._pretraining.batch(self._pretraining.of_users(users), seed))
        return loss / len(users)

    def end_pretraining(self) -> None:
        """Let the model train for the next item from now on."""
        from recbole.model.loss import BPRLoss

        self.net.train_stage = "finetune"
        self.net.loss_fct = BPRLoss() if self.split.spec.configuration.loss == "bpr" else nn.CrossEntropyLoss()

    def _enhanced(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return the loss of arXiv 2301.00979: the softmax cross-entropy over all items at every position."""
        is_newest = np.append(self.rows.user[rows][1:] != self.rows.user[rows][:-1], True)
        batch = self.rows.batch(rows[is_newest], 0)
        states = self._states(batch)
        targets = self.rows.targets(rows)
        # A user's rows follow each other, oldest first, and so do the positions of a sequence.
        present = torch.arange(states.shape[1]) < batch["item_length"][:, None]
        scores = states[present] @ self._items().T
        return F.cross_entropy(scores, torch.from_numpy(targets) - 1)

    def _begin_residuals(self) -> None:
        """Make projections onto the residual smaller, where the specification asks for it and the model has any."""
        if self.split.spec.options.initialisation != "residual":
            return
        factor = 1 / math.sqrt(2 * self.split.spec.configuration.layers)
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                if name.endswith(("multi_head_attention.dense.weight", "feed_forward.dense_2.weight")):
                    parameter.mul_(factor)

    def embeddings(self) -> set[str]:
        """Return the names of the parameters that are embeddings of items or users."""
        counts = {self.rows.data.num("item_id"), self.rows.data.num("item_id") + 1, self.rows.data.num("user_id")}
        return {
            f"{name}.weight"
            for name, module in self.net.named_modules()
            if isinstance(module, nn.Embedding) and module.num_embeddings in counts
        }

    # Ranking

    def forget(self) -> None:
        """Drop what the model kept of other parameters."""
        for name in _CACHES:
            if hasattr(self.net, name):
                setattr(self.net, name, None)

    @torch.no_grad()
    def scores(self, users: npt.NDArray[np.int32], histories: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.float32]:
        """Return the scores of all items for some users, [users, V].

        Args:
            users: The users.
            histories: What the model may see of each, oldest first.
        """
        found = []
        columns = torch.from_numpy(self.rows.items)
        for chosen in blocks(users, _SCORED_ROWS):
            batch = self.rows.context(users[chosen], histories[chosen])
            found.append(self._scores(batch)[:, columns].float().numpy())
        return np.concatenate(found)

    def _scores(self, batch: Any) -> Tensor:
        try:
            scores: Tensor = self.net.full_sort_predict(batch).view(len(batch), -1)
        except NotImplementedError:
            scores = torch.cat(list(self._one_by_one(batch)))
        return scores

    def _one_by_one(self, batch: Any) -> Iterator[Tensor]:
        """Score every item by itself, for models that cannot score all of them at once."""
        count = self.rows.data.num("item_id")
        for row in pieces(batch, 1):
            repeated = row.repeat(count)
            repeated.update(type(batch)({"item_id": torch.arange(count)}))
            yield self.net.predict(repeated).view(1, -1)

    # Numbers that are no parameters

    def numbers(self) -> dict[str, float]:
        """Return the counters that a model keeps beside its parameters, such as that of an annealing."""
        return {name: value for name, value in vars(self.net).items() if type(value) in (int, float)}

    def set_numbers(self, values: dict[str, float]) -> None:
        """Set what `numbers` returned."""
        for name, value in values.items():
            setattr(self.net, name, value)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the model score in a `with` block."""
        self.net.eval()
        self.forget()
        try:
            yield
        finally:
            self.forget()
