"""HSTU of arXiv 2402.17152 as plawd trains it: pointwise attention with relative biases, gated."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.attention import merge_heads, split_heads
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel, check_heads

BUCKETS = 129
"""Numbers of the time bias: 128 buckets, and one for all that is longer."""


class Block(nn.Module):
    """Gate, value, query and key are SiLU of one linear layer; weights are SiLU(q k + bias) / L."""

    def __init__(self, c: Configuration) -> None:
        super().__init__()
        d = c.dim
        self.heads = c.heads
        self.positionBias = nn.Parameter(torch.empty(c.max_length))
        self.timeBias = nn.Parameter(torch.empty(BUCKETS))
        self.norm1 = nn.LayerNorm(d, eps=1e-6)
        self.gateValueQueryKey = nn.Linear(d, 4 * d)
        self.norm2 = nn.LayerNorm(d, eps=1e-6)
        self.output = nn.Linear(d, d)

    def forward(self, x: Tensor, model: SequenceModel, distances: Tensor, buckets: Tensor | None) -> Tensor:
        """Return the residual after the block, [B, n, d].

        Args:
            x: The residual.
            model: For its dropout.
            distances: i - j of positions, [n, n]; below 0 where j comes later.
            buckets: Buckets of the distances in time, [B, n, n]; None where there are no times.
        """
        u, v, q, k = nn.functional.silu(self.gateValueQueryKey(self.norm1(x))).chunk(4, -1)
        q, k, v = (split_heads(t, self.heads) for t in (q, k, v))
        bias = self.positionBias[distances.clamp(min=0)][None]
        if buckets is not None:
            bias = bias + self.timeBias[buckets]
        weights = nn.functional.silu(q @ k.transpose(-1, -2) + bias[:, None]) / len(self.positionBias)
        attended = merge_heads((weights * (distances >= 0)) @ v)
        return x + self.output(model.drop(self.norm2(attended) * u))  # type: ignore[no-any-return]


class HSTU(SequenceModel):
    """Item embeddings, blocks, a norm at the end."""

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        check_heads(configuration)
        self.blocks = nn.ModuleList([Block(configuration) for _ in range(configuration.layers)])
        self.outputNorm = nn.LayerNorm(configuration.dim, eps=1e-6)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        x = self.drop(self.item[batch.inputs])
        places = torch.arange(x.shape[1], device=x.device)
        distances = places[:, None] - places[None]
        buckets = None
        if batch.times is not None:
            gaps = (batch.times[:, :, None] - batch.times[:, None, :]).abs().clamp(min=1)
            buckets = (gaps.double().log() / 0.301).long().clamp(max=BUCKETS - 1)
        for block in self.blocks:
            x = block(x, self, distances, buckets)
        return self.outputNorm(x)  # type: ignore[no-any-return]
