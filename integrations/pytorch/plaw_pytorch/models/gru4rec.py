"""GRU4Rec of arXiv 1511.06939 with tied item embeddings: recurrent layers of width d, and a dense layer."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw.runner.randomness import Stream
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel


class GRU4Rec(SequenceModel):
    """Item embeddings, `layers` gated recurrent layers, a dense layer; dropout on the embeddings and between layers."""

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        d, layers = configuration.dim, configuration.layers
        self.gru = nn.GRU(d, d, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dense = nn.Linear(d, d)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        x, _ = self.gru(self.drop(self.item[batch.inputs]))
        return self.dense(x)  # type: ignore[no-any-return]

    def kind(self, name: str, parameter: nn.Parameter) -> str:
        """Return what a parameter is; recurrent weights begin as PyTorch's do, which 0.02 would keep from learning."""
        return "own" if name.startswith("gru.") else super().kind(name, parameter)

    def own_values(self, name: str, parameter: nn.Parameter, stream: Stream) -> npt.NDArray[np.float64]:
        """Return uniform numbers up to 1 / sqrt(d)."""
        uniform = stream.uniform(parameter.numel()).reshape(parameter.shape)
        return (2 * uniform - 1) / math.sqrt(self.configuration.dim)

    def products(self) -> float:
        """Multiply-adds of the recurrent and the dense layers for one position."""
        d = self.configuration.dim
        return 6 * d * d * self.configuration.layers + d * d

    def attention_products(self, context: float) -> float:
        """There is no attention."""
        return 0.0

    def floats_per_position(self, context: float) -> float:
        """Floats that a training keeps of one position."""
        return 12.0 * self.configuration.dim * self.configuration.layers
