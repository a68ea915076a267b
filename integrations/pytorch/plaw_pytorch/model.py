"""What all models share: tied item embeddings, seeded beginnings, costs."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Options, Refused, Split
from plaw.runner.randomness import Purpose, Stream
from plaw.runner.spec import LOSSES
from plaw_pytorch.batch import Batch


class SequenceModel(nn.Module):
    """A model that scores item i as < x, item[i] >, x the hidden state of a position.

    A subclass defines `forward`. Models that plawd has too name their parameters as its files of weights do.
    """

    has_feed_forward: ClassVar[bool] = False
    """Whether `feedForwardFactor` means anything."""
    needs_all_users: ClassVar[bool] = False
    """Whether the model has parameters of users, so that it cannot rank users who did not train."""

    losses: ClassVar[tuple[str, ...]] = LOSSES
    """The losses that the model can be trained with."""
    embeddings: ClassVar[tuple[str, ...]] = ("item",)
    """Parameters that learn at the rate of item embeddings."""

    item: nn.Parameter
    """Item embeddings [V, d]."""

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__()
        self.configuration = configuration
        self.dropout = dropout
        self.item = nn.Parameter(torch.empty(split.corpus.item_count, configuration.dim))

    def prepare(self) -> None:
        """Compute what a training step or a ranking needs once, before anything else is asked for."""

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]; a position sees itself and what came before."""
        raise NotImplementedError

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the hidden states that the loss counts, [T, d], and their targets, [T]; `ce` counts the newest."""
        hidden: Tensor = self(batch)
        if self.configuration.loss == "ce":
            assert batch.targets is not None
            return batch.newest(hidden), batch.newest(batch.targets)
        return hidden[batch.present], batch.packed_targets

    def newest(self, batch: Batch) -> Tensor:
        """Return the hidden states from which the next items are ranked, [B, d]."""
        return batch.newest(self(batch))

    def items(self) -> Tensor:
        """Return the embeddings that hidden states are multiplied by, [V, d]."""
        return self.item

    def drop(self, x: Tensor) -> Tensor:
        """Drop elements while training."""
        return nn.functional.dropout(x, self.dropout, self.training)

    # Beginning

    def initialise(self, options: Options, seed: int, scale: float) -> None:
        """Set all parameters as the options say, from the random numbers of plaw-trial.

        Args:
            options: `initial_deviation` and `initialisation`.
            seed: Seed of the trial.
            scale: Factor of the matrices of linear layers (the width rule's).
        """
        with torch.no_grad():
            for index, (name, parameter) in enumerate(self.named_parameters()):
                kind = self.kind(name, parameter)
                deviation = options.initial_deviation
                stream = Stream(seed, Purpose.WEIGHTS, index)
                if kind == "own":
                    values = self.own_values(name, parameter, stream)
                    parameter.copy_(torch.from_numpy(values.astype(np.float32)))
                    continue
                if kind == "scale":
                    parameter.fill_(1)
                    continue
                if kind == "bias" or (kind == "shift" and options.initialisation == "plain"):
                    parameter.zero_()
                    continue
                if kind == "residual" and options.initialisation == "residual":
                    deviation /= math.sqrt(2 * max(1, self.configuration.layers))
                values = deviation * stream.normal(parameter.numel())
                drawn = torch.from_numpy(values.astype(np.float32))
                if kind in ("linear", "residual"):
                    # plawd keeps matrices as [in, out], torch as [out, in].
                    drawn = drawn.view(parameter.shape[1], parameter.shape[0]).t() * scale
                parameter.copy_(drawn.reshape(parameter.shape))

    def kind(self, name: str, parameter: nn.Parameter) -> str:
        """Return what a parameter is, which decides how it begins and at which rate it learns.

        `embedding`, `linear` (a matrix), `residual` (a matrix whose output is added to the residual), `scale`
        and `shift` of a norm, `bias` of a linear layer, `relative` (added to attention scores), or `own` (which
        `own_values` begins).
        """
        *path, last = name.split(".")
        owner = path[-1] if path else ""
        if "norm" in owner.lower():
            return "scale" if last == "weight" else "shift"
        if not path:
            return "embedding"
        if last in ("positionBias", "timeBias"):
            return "relative"
        if parameter.dim() == 2:
            return "residual" if owner in ("output", "contract") else "linear"
        return "bias"

    def own_values(self, name: str, parameter: nn.Parameter, stream: Stream) -> npt.NDArray[np.float64]:
        """Return how a parameter of the kind `own` begins, from the random numbers of a stream."""
        raise NotImplementedError

    # Costs

    def products(self) -> float:
        """Multiply-adds of all blocks for one position, without attention and item scores."""
        return float(
            sum(p.numel() for name, p in self.named_parameters() if self.kind(name, p) in ("linear", "residual"))
        )

    def attention_products(self, context: float) -> float:
        """Multiply-adds of all attention layers for one position that attends to `context` / 2 positions."""
        return self.configuration.layers * self.configuration.dim * context

    def floats_per_position(self, context: float) -> float:
        """Floats that a training keeps of one position for the backward pass, roughly."""
        c = self.configuration
        return c.layers * (20 * c.dim + 3 * feed_forward(c) + 3 * c.heads * context)


def feed_forward(c: Configuration, factor: float = 4.0) -> int:
    """Return the inner width of feed-forward layers: `factor` times d, unless the configuration says otherwise."""
    return max(1, math.ceil(c.dim * (c.feed_forward_factor or factor)))


def check_heads(c: Configuration, even: bool = False) -> None:
    """Refuse heads that do not divide the dimension."""
    if c.heads < 1 or c.dim % c.heads:
        raise Refused(f"heads: found {c.heads}, expected a divisor of dim {c.dim}")
    if even and c.dim // c.heads % 2:
        raise Refused(
            f"heads: found {c.heads}, expected a divisor of dim {c.dim} that leaves an even number of columns a head"
        )
