"""Trains a trial from its specification to its ranks."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plaw.runner import Description, Diverged, Part, Refused, Split, Trial
from plaw.runner.files import peak_memory_bytes
from plaw.runner.randomness import Purpose, Stream
from plaw.runner.split import blocks
from plaw_pytorch.batch import make_batch
from plaw_pytorch.losses import Objective
from plaw_pytorch.model import SequenceModel
from plaw_pytorch.models import MODELS
from plaw_pytorch.optimiser import AdamW, Average, Width, swapped

_SCRATCH_BYTES = 40_000_000
"""Resident bytes that torch's kernels and allocator take beside tensors, measured on Linux with torch 2.15 on a CPU."""

_RANKED_POSITIONS = 8_192
"""Positions of the histories that are ranked at once on a CPU."""


def build(split: Split, device: torch.device) -> SequenceModel:
    """Return the model of a specification, not yet initialised.

    Raises:
        Refused: There is no such model, or it cannot be trained as the specification says.
    """
    spec = split.spec
    c, o = spec.configuration, spec.options
    if c.backbone not in MODELS:
        raise Refused(f'backbone: found "{c.backbone}", expected one of {", ".join(MODELS)}')
    kind = MODELS[c.backbone]
    if c.layers < 1:
        raise Refused(f"layers: found {c.layers}, expected 1 or more")
    if c.feed_forward_factor is not None and not kind.has_feed_forward:
        raise Refused(
            f"feedForwardFactor: found {c.feed_forward_factor}, expected none: {c.backbone} has no feed-forward layers"
        )
    if kind.needs_all_users and spec.user_fraction < 1:
        raise Refused(
            f"userFraction: found {spec.user_fraction}, expected 1: {c.backbone} has an embedding of each user and "
            "cannot rank users who did not train"
        )
    if c.loss not in kind.losses:
        raise Refused(f'loss: found "{c.loss}", expected one of {", ".join(kind.losses)}, which {c.backbone} has')
    for member in spec.unknown:
        if member.startswith(("options.", "configuration.")):
            raise Refused(f"{member}: found a member that this runner does not know; update the runner")
    with device:
        return kind(c, split, o.dropout * Width(o.width_rule, c.dim).dropout)


def describe(trial: Trial) -> Description:
    """Say what a training would cost, without training."""
    split = trial.split
    spec = trial.spec
    c, o = spec.configuration, spec.options
    model = build(split, torch.device("meta"))
    parameters = sum(p.numel() for p in model.parameters())
    lengths = split.corpus.lengths[split.train.users]
    positions = np.minimum(np.where(lengths >= 3, lengths - 2, lengths) - 1, c.max_length).astype(np.float64)
    context = float((positions**2).sum() / max(1, split.tokens))
    items = split.corpus.item_count
    scored = float(items)
    if c.loss == "ce":
        scored = items * min(1.0, len(positions) / max(1, split.tokens))
    elif c.loss != "cce":
        scored = 1.0 + o.negatives
    products = scored * c.dim + model.products() + model.attention_products(context)
    batch = min(float(split.tokens), o.batch_users * float(positions.mean()) * 1.25)
    drawn = 0 if c.loss in Objective.scores_catalogue or c.loss == "sampled-softmax" else batch * o.negatives * c.dim
    users = min(_block(trial.ranking.block, c.max_length, torch.device("cpu")), len(split.test.users))
    seen = float(np.minimum(split.corpus.lengths[split.test.users] - 1, c.max_length).mean())
    ranked = users * (2 * items + seen * model.floats_per_position(context) / c.layers)
    trained = batch * (model.floats_per_position(context) + 3 * min(scored, items)) + 3 * drawn
    floats = (6 + (o.averaging > 0)) * parameters + max(trained, ranked)
    # This process has loaded what the training loads.
    memory = peak_memory_bytes() + _SCRATCH_BYTES + 4 * floats + 12 * split.corpus.interaction_count
    return Description(parameters, 6 * products, memory)


def train(trial: Trial, device: torch.device | None = None) -> None:
    """Train a trial, going on from its checkpoint, and write its result.

    Args:
        trial: The trial.
        device: Where to train; by default a GPU if torch finds one.

    Raises:
        Refused: The specification cannot be trained here.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(trial.threads)
    if device.type == "cpu":
        # Not use_deterministic_algorithms, which imports a compiler of 160 MB.
        torch.set_deterministic_debug_mode("warn")
    run = _Training(trial, device)
    run.train()


def _block(block: int, longest: int, device: torch.device) -> int:
    """Return how many users are ranked at once: on a CPU few enough that their states stay small."""
    return block if device.type != "cpu" else max(1, min(block, _RANKED_POSITIONS // longest))


class _Training:
    """Model, optimiser, average and the best parameters so far."""

    def __init__(self, trial: Trial, device: torch.device) -> None:
        spec = trial.spec
        width = Width(spec.options.width_rule, spec.configuration.dim)
        self.trial = trial
        self.device = device
        self.model = build(trial.split, device)
        self.model.initialise(spec.options, spec.seed, width.hidden_scale)
        self.objective = Objective(trial, width.scores, device)
        self.optimiser = AdamW(self.model, spec.options, trial.split.steps)
        is_catalogue = spec.configuration.loss in Objective.scores_catalogue
        self.average = Average(self.optimiser, trial.split.steps, is_catalogue)
        self.best = [p.detach().clone() for p in self.optimiser.parameters]
        self.compute_loss: Callable[..., Tensor] = self.loss
        if device.type == "cuda":
            self.compute_loss = torch.compile(self.loss, dynamic=True)

    def loss(self, batch: object, negatives: Tensor | None) -> Tensor:
        """Return the mean loss of a batch, for which the model is prepared."""
        states, targets = self.model.states(batch)  # type: ignore[arg-type]
        return self.objective(states, targets, self.model.items(), negatives)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Compute in bfloat16 on a GPU, in float32 elsewhere."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def train(self) -> None:
        """Train, rank and write the result."""
        trial, model = self.trial, self.model
        trial.checkpoints(self.save, self.load)
        for _ in trial.epochs():
            model.train()
            for users in trial.batches():
                step = trial.position.step
                batch = make_batch(trial.train, users, self.device)
                negatives = self.objective.negatives(batch, step)
                # Every step has random numbers of its own, so a checkpoint needs no state of a generator.
                torch.manual_seed(Stream(trial.spec.seed, Purpose.DROPOUT, step).key >> 1)
                with self.autocast():
                    model.prepare()
                    loss = self.compute_loss(batch, negatives)
                loss.backward()  # type: ignore[no-untyped-call]
                value = float(loss.detach())
                self.optimiser.step(step + 1)
                self.average.add(step + 1)
                trial.step(value, batch.positions)
            with self.average.swapped_in(trial.position.step):
                if trial.validate(ranks=self.ranks).is_best:
                    torch._foreach_copy_(self.best, [p.data for p in self.optimiser.parameters])
        with swapped(self.optimiser.parameters, self.best):
            trial.finish(ranks=self.ranks, parameters=sum(p.numel() for p in self.optimiser.parameters))

    @torch.no_grad()
    def ranks(self, part: Part, advanced: Callable[[], None]) -> npt.NDArray[np.uint32]:
        """Rank the targets of a part on the device."""
        ranking = self.trial.ranking
        self.model.eval()
        self.model.prepare()
        items = self.model.items().float()
        found = [np.zeros(0, np.uint32)]
        for chosen in blocks(part.users, _block(ranking.block, part.max_length, self.device)):
            users, targets = part.users[chosen], part.targets[chosen]
            with self.autocast():
                states = self.model.newest(make_batch(part, users, self.device))
            scores = states.float() @ items.T
            if not bool(torch.isfinite(scores).all()):
                raise Diverged(f"a score is not finite after step {self.trial.position.step}: training has diverged")
            if ranking.candidates is not None:
                found.append(ranking.of_scores(part, users, targets, scores.cpu().numpy()))
            else:
                found.append(self._counted(part, users, targets, scores))
            if self.trial.wants_scores:
                self.trial.write_scores(scores.cpu().numpy())
            advanced()
        return np.concatenate(found)

    def _counted(
        self, part: Part, users: npt.NDArray[np.int32], targets: npt.NDArray[np.int32], scores: Tensor
    ) -> npt.NDArray[np.uint32]:
        own = scores.gather(1, torch.from_numpy(targets.astype(np.int64)).to(self.device)[:, None])
        counts = (scores >= own).sum(1)
        rows, items = (torch.from_numpy(x).to(self.device) for x in self.trial.ranking.masked(part, users, targets))
        hidden = scores[rows, items] >= own[rows, 0]
        counts -= torch.bincount(rows[hidden], minlength=len(users))
        ranks: npt.NDArray[np.uint32] = counts.cpu().numpy().astype(np.uint32)
        return ranks

    # The checkpoint: tensors one after the other, and a checksum

    def _state(self) -> list[Tensor]:
        o = self.optimiser
        return [*(p.data for p in o.parameters), *self.best, *o.first, *o.second, *self.average.mean]

    def save(self, file: BinaryIO) -> None:
        """Write all tensors."""
        check = 0
        for tensor in self._state():
            content = tensor.cpu().contiguous().numpy().data.cast("B")
            check = zlib.crc32(content, check)
            file.write(content)
        file.write(struct.pack("<I", check))

    def load(self, file: BinaryIO) -> None:
        """Read all tensors; a damaged file changes nothing."""
        check = 0
        found = []
        for tensor in self._state():
            content = file.read(4 * tensor.numel())
            check = zlib.crc32(content, check)
            if len(content) != 4 * tensor.numel():
                raise ValueError("the checkpoint is cut short")
            found.append(torch.frombuffer(bytearray(content), dtype=torch.float32).view(tensor.shape))
        if struct.unpack("<I", file.read(4))[0] != check or file.read(1):
            raise ValueError("the checksum does not fit: the checkpoint is damaged")
        for tensor, value in zip(self._state(), found, strict=True):
            tensor.copy_(value)
