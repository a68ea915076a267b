"""Llama's blocks over items: RMSNorm before each branch, rotary positions, SwiGLU, no biases; with dropout."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.attention import RMSNorm, attend, merge_heads, rotate, split_heads
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel, check_heads, feed_forward


class Block(nn.Module):
    """Rotary attention and a gated feed-forward layer."""

    def __init__(self, c: Configuration) -> None:
        super().__init__()
        d = c.dim
        f = feed_forward(c) if c.feed_forward_factor else (8 * d + 2) // 3
        self.heads = c.heads
        self.queryKeyValue = nn.Linear(d, 3 * d, bias=False)
        self.output = nn.Linear(d, d, bias=False)
        self.norm1 = RMSNorm(d)
        self.expand = nn.Linear(d, 2 * f, bias=False)
        self.contract = nn.Linear(f, d, bias=False)
        self.norm2 = RMSNorm(d)

    def forward(self, x: Tensor, model: SequenceModel) -> Tensor:
        """Return the residual after the block, [B, n, d]."""
        q, k, v = (split_heads(t, self.heads) for t in self.queryKeyValue(self.norm1(x)).chunk(3, -1))
        found = merge_heads(attend(rotate(q), rotate(k), v, model.dropout if model.training else 0.0))
        x = x + model.drop(self.output(found))
        gate, up = self.expand(self.norm2(x)).chunk(2, -1)
        return x + model.drop(self.contract(nn.functional.silu(gate) * up))


class Llama(SequenceModel):
    """Item embeddings, blocks, a norm at the end; positions are in the attention alone."""

    has_feed_forward: ClassVar[bool] = True

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        check_heads(configuration, even=True)
        self.blocks = nn.ModuleList([Block(configuration) for _ in range(configuration.layers)])
        self.outputNorm = RMSNorm(configuration.dim)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        x = self.drop(self.item[batch.inputs])
        for block in self.blocks:
            x = block(x, self)
        return self.outputNorm(x)  # type: ignore[no-any-return]
