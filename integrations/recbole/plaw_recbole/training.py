"""Trains a trial from its specification to its ranks."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plaw.runner import Description, Trial
from plaw.runner.files import peak_memory_bytes
from plaw.runner.randomness import Purpose, Stream
from plaw_recbole.arguments import Arguments
from plaw_recbole.flops import Flops
from plaw_recbole.model import Model, seed_all
from plaw_recbole.optimiser import Optimiser, swapped


def describe(trial: Trial, arguments: Arguments | None = None) -> Description:
    """Say what a training would cost: by building the model and taking one step and one block of the ranking."""
    _prepare(trial)
    # The peak of this process from here on: it may have described a larger model before.
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    model = Model(trial.split, arguments or Arguments())
    parameters = sum(p.numel() for p in model.net.parameters() if p.requires_grad)
    model.net.train()
    if model.is_two_staged:
        model.end_pretraining()
    users = trial.split.order(0)[: trial.spec.options.batch_users]
    with Flops() as flops:
        model.loss(model.batch_rows(users, 0, 0), _seed(trial, 0)).backward()  # type: ignore[no-untyped-call]
    with model.evaluating():
        users = trial.test.users[: trial.ranking.block]
        model.scores(users, trial.test.histories(users.tolist()))
    # The step had the gradients; moments, the best and the mean come beside them.
    kept = 3 + (trial.spec.options.averaging > 0)
    # Models that multiply embeddings element by element have few products of matrices, or none.
    least = 6.0 * trial.spec.configuration.dim * (1 + trial.spec.options.negatives)
    per_token = max(least, flops.total / max(1, _positions(trial, 0)))
    return Description(parameters, per_token, peak_memory_bytes() + 4.0 * kept * parameters)


def train(trial: Trial, arguments: Arguments | None = None) -> None:
    """Train a trial, going on from its checkpoint, and write its result.

    Raises:
        Refused: The specification cannot be trained here.
    """
    _prepare(trial)
    arguments = arguments or Arguments()
    _Training(trial, Model(trial.split, arguments), arguments.pretraining).train()


def _prepare(trial: Trial) -> None:
    # RecBole's sparse tensors and pandas warn of what is as it should be.
    warnings.simplefilter("ignore")
    torch.set_num_threads(trial.threads)


def _seed(trial: Trial, step: int) -> int:
    return Stream(trial.spec.seed, Purpose.DROPOUT, step).key


def _positions(trial: Trial, step_in_epoch: int) -> int:
    """Return the training positions of a step: its share of those of the epoch."""
    tokens, steps = trial.tokens, trial.split.steps
    return tokens * (step_in_epoch + 1) // steps - tokens * step_in_epoch // steps


class _Training:
    """Model, optimiser and the best parameters so far."""

    def __init__(self, trial: Trial, model: Model, pretraining: int) -> None:
        options = trial.spec.options
        self.trial = trial
        self.pretraining = pretraining if model.is_two_staged else 0
        self.model = model
        self.optimiser = Optimiser(
            model.net, model.embeddings(), options, trial.spec.configuration.dim, trial.split.steps
        )
        self.buffers = [buffer for buffer in model.net.buffers() if buffer.layout == torch.strided]
        self.best = [p.detach().clone() for p in self.optimiser.parameters]
        self.best_buffers = [buffer.detach().clone() for buffer in self.buffers]

    def train(self) -> None:
        """Train, rank and write the result."""
        trial, model = self.trial, self.model
        trial.checkpoints(self.save, self.load)
        if model.is_two_staged:
            self._pretrain()
        for epoch in trial.epochs():
            # Models that sample a graph for an epoch do so here; the seed is the epoch's, so that a resumed one has it.
            seed_all(Stream(trial.spec.seed, Purpose.WEIGHTS, epoch + 1).key)
            model.net.train()
            for users in trial.batches():
                place, step = trial.position.step_in_epoch, trial.position.step
                loss = model.loss(model.batch_rows(users, epoch, place), _seed(trial, step))
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimiser.step(step + 1)
                trial.step(float(loss.detach()), _positions(trial, place))
            ranked = self.optimiser.ranked(trial.position.step)
            with swapped(self.optimiser.parameters, ranked), model.evaluating():
                is_best = trial.validate(self.scores).is_best
            if is_best:
                torch._foreach_copy_(self.best, ranked)
                for kept, buffer in zip(self.best_buffers, self.buffers, strict=True):
                    kept.copy_(buffer)
        for kept, buffer in zip(self.best_buffers, self.buffers, strict=True):
            buffer.copy_(kept)
        with swapped(self.optimiser.parameters, self.best), model.evaluating():
            trial.finish(self.scores, parameters=sum(p.numel() for p in self.optimiser.parameters))

    def _pretrain(self) -> None:
        """Train the first stage, or what a checkpoint says is left of it; its time counts, its epochs do not."""
        trial, model, steps = self.trial, self.model, self.trial.split.steps
        size = trial.spec.options.batch_users
        model.net.train()
        while model.net.pretrained_steps < self.pretraining * steps and trial.position.step == 0:
            step = model.net.pretrained_steps
            if trial.is_terminated:
                trial.interrupt()
            if trial.should_stop():
                break
            if trial.is_checkpoint_due():
                trial.save()
            order = trial.split.order(step // steps)
            users = order[step % steps * size :][:size]
            # The second stage has the seeds from 0 on.
            loss = model.pretraining_loss(users, Stream(trial.spec.seed, Purpose.SYNTHETIC, step).key)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step(step + 1)
            model.net.pretrained_steps = step + 1
            # Without the loss, which is of another kind.
            trial.progress()
            if step + 1 == self.pretraining * steps:
                self.optimiser.reset()
        model.end_pretraining()

    def scores(self, users: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Return the scores of all items for some users of the part that is ranked."""
        return self.model.scores(users, self.trial.histories(users.tolist()))

    # The checkpoint: tensors one after the other, counters, and a checksum. No pickle.

    def _state(self) -> list[Tensor]:
        o = self.optimiser
        return [
            *(p.data for p in o.parameters), *self.best, *o.first, *o.second, *o.mean, *self.buffers,
            *self.best_buffers,
        ]  # fmt: skip

    def save(self, file: BinaryIO) -> None:
        """Write all tensors."""
        numbers = json.dumps(self.model.numbers()).encode()
        file.write(struct.pack("<I", len(numbers)) + numbers)
        check = zlib.crc32(numbers)
        for tensor in self._state():
            content = tensor.contiguous().numpy().tobytes()
            check = zlib.crc32(content, check)
            file.write(content)
        file.write(struct.pack("<I", check))

    def load(self, file: BinaryIO) -> None:
        """Read all tensors; a damaged file changes nothing."""
        (length,) = struct.unpack("<I", file.read(4))
        numbers = file.read(length)
        check = zlib.crc32(numbers)
        found = []
        for tensor in self._state():
            size = tensor.numel() * tensor.element_size()
            content = file.read(size)
            check = zlib.crc32(content, check)
            if len(content) != size:
                raise ValueError("the checkpoint is cut short")
            empty = torch.zeros(0, dtype=tensor.dtype)
            found.append(
                (torch.frombuffer(bytearray(content), dtype=tensor.dtype) if size else empty).view(tensor.shape)
            )
        if struct.unpack("<I", file.read(4))[0] != check or file.read(1):
            raise ValueError("the checksum does not fit: the checkpoint is damaged")
        for tensor, value in zip(self._state(), found, strict=True):
            tensor.copy_(value)
        self.model.set_numbers(json.loads(numbers))
