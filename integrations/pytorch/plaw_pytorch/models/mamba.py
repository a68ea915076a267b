"""Mamba4Rec of arXiv 2403.03900: selective state spaces (Mamba, arXiv 2312.00752) over items, in plain PyTorch."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw.runner.randomness import Stream
from plaw_pytorch.attention import RMSNorm
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel

EXPANSION = 2
STATES = 16
WINDOW = 4


def scan(a: Tensor, b: Tensor) -> Tensor:
    """Return h with h[t] = a[t] h[t - 1] + b[t] and h[-1] = 0; all are [B, n, ...].

    The sequence is cut into about sqrt(n) chunks, which are scanned beside each other. Then their ends are carried from
    one to the next. So the loops take about 2 sqrt(n) turns instead of n, and nothing is divided by a product that may
    vanish.
    """
    n = a.shape[1]
    size = max(1, math.isqrt(n))
    chunks = -(-n // size)
    missing = chunks * size - n
    if missing:
        a = torch.cat((a, torch.ones_like(a[:, :1]).expand(-1, missing, *a.shape[2:])), 1)
        b = torch.cat((b, torch.zeros_like(b[:, :1]).expand(-1, missing, *b.shape[2:])), 1)
    a = a.reshape(len(a), chunks, size, *a.shape[2:])
    b = b.reshape(len(b), chunks, size, *b.shape[2:])
    states, products = [b[:, :, 0]], [a[:, :, 0]]
    for t in range(1, size):
        states.append(a[:, :, t] * states[-1] + b[:, :, t])
        products.append(a[:, :, t] * products[-1])
    before = [torch.zeros_like(states[-1][:, 0])]
    for k in range(chunks - 1):
        before.append(states[-1][:, k] + products[-1][:, k] * before[-1])
    carried = torch.stack(before, 1)[:, :, None]
    h = torch.stack(states, 2) + torch.stack(products, 2) * carried
    return h.flatten(1, 2)[:, :n]


class Block(nn.Module):
    """A selective state space of 16 numbers for each of 2 d channels, after a convolution of width 4, gated."""

    def __init__(self, c: Configuration) -> None:
        super().__init__()
        d, e = c.dim, EXPANSION * c.dim
        self.rank = math.ceil(d / 16)
        self.norm = RMSNorm(d)
        self.expand = nn.Linear(d, 2 * e, bias=False)
        self.convolution = nn.Parameter(torch.empty(e, WINDOW))
        self.convolutionBias = nn.Parameter(torch.empty(e))
        self.select = nn.Linear(e, self.rank + 2 * STATES, bias=False)
        self.timeStep = nn.Linear(self.rank, e)
        self.decay = nn.Parameter(torch.empty(e, STATES))
        self.skip = nn.Parameter(torch.empty(e))
        self.output = nn.Linear(e, d, bias=False)

    def forward(self, x: Tensor, model: SequenceModel) -> Tensor:
        """Return the residual after the block, [B, n, d]."""
        u, gate = self.expand(self.norm(x)).chunk(2, -1)
        past = nn.functional.pad(u, (0, 0, WINDOW - 1, 0)).unfold(1, WINDOW, 1)
        u = nn.functional.silu((past * self.convolution).sum(-1) + self.convolutionBias)
        rank, write, read = self.select(u).split((self.rank, STATES, STATES), -1)
        step = nn.functional.softplus(self.timeStep(rank)).float()
        a = torch.exp(-step[..., None] * self.decay.exp())
        b = (step * u)[..., None] * write[:, :, None, :]
        y = (scan(a, b) * read[:, :, None, :]).sum(-1) + self.skip * u
        return x + model.drop(self.output((y * nn.functional.silu(gate)).to(x.dtype)))


class Mamba(SequenceModel):
    """Item embeddings, blocks with a norm before each, a norm at the end."""

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        self.blocks = nn.ModuleList([Block(configuration) for _ in range(configuration.layers)])
        self.outputNorm = RMSNorm(configuration.dim)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        x = self.drop(self.item[batch.inputs])
        for block in self.blocks:
            x = block(x, self)
        return self.outputNorm(x)  # type: ignore[no-any-return]

    def kind(self, name: str, parameter: nn.Parameter) -> str:
        """Return what a parameter is; those of the state space begin as in Mamba's public code."""
        if name.rsplit(".", 1)[-1] == "convolutionBias":
            return "bias"
        is_own = any(word in name for word in (".convolution", ".decay", ".skip", ".timeStep"))
        return "own" if is_own else super().kind(name, parameter)

    def own_values(self, name: str, parameter: nn.Parameter, stream: Stream) -> npt.NDArray[np.float64]:
        """Return how a parameter of the state space begins."""
        uniform = stream.uniform(parameter.numel()).reshape(parameter.shape)
        word = name.split(".", 2)[2]
        if word == "convolution":
            return (2 * uniform - 1) / math.sqrt(WINDOW)
        if word == "decay":
            return np.broadcast_to(np.log(np.arange(1.0, STATES + 1)), parameter.shape)
        if word == "skip":
            return np.ones(parameter.shape)
        if word == "timeStep.weight":
            return (2 * uniform - 1) / math.sqrt(parameter.shape[1])
        # Softplus of the bias is between 0.001 and 0.1.
        step = np.exp(math.log(1e-3) + uniform * math.log(100))
        return step + np.log(-np.expm1(-step))

    def attention_products(self, context: float) -> float:
        """Multiply-adds of the convolutions and the scans of one position."""
        return self.configuration.layers * EXPANSION * self.configuration.dim * (WINDOW + 4 * STATES)

    def floats_per_position(self, context: float) -> float:
        """Floats that a training keeps of one position: the scan keeps some ten states of each channel."""
        return self.configuration.layers * EXPANSION * self.configuration.dim * (12.0 * STATES + 12)
