"""SASRec as plawd trains it: the public code of arXiv 2301.00979, with LayerNorm's epsilon of 1e-5."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.attention import attend, merge_heads, newest_aligned, split_heads
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel, check_heads, feed_forward


class Block(nn.Module):
    """Attention and feed-forward layers with a norm after each residual."""

    def __init__(self, c: Configuration) -> None:
        super().__init__()
        d, f = c.dim, feed_forward(c)
        self.heads = c.heads
        self.queryKeyValue = nn.Linear(d, 3 * d)
        self.output = nn.Linear(d, d)
        self.norm1 = nn.LayerNorm(d, eps=1e-5)
        self.expand = nn.Linear(d, f)
        self.contract = nn.Linear(f, d)
        self.norm2 = nn.LayerNorm(d, eps=1e-5)

    def attended(self, x: Tensor, model: SequenceModel, mask: Tensor | None = None) -> Tensor:
        """Return what attention adds to the residual."""
        q, k, v = (split_heads(t, self.heads) for t in self.queryKeyValue(x).chunk(3, -1))
        found = merge_heads(attend(q, k, v, model.dropout if model.training else 0.0, mask))
        return model.drop(self.output(found))

    def forward(self, x: Tensor, model: SequenceModel, mask: Tensor | None = None) -> Tensor:
        """Return the residual after the block, [B, n, d]."""
        x = self.norm1(x + self.attended(x, model, mask))
        inner = nn.functional.gelu(self.expand(x))
        return self.norm2(x + model.drop(self.contract(inner)))  # type: ignore[no-any-return]


class SASRec(SequenceModel):
    """Learned positions, a norm on the input, post-norm blocks."""

    has_feed_forward: ClassVar[bool] = True
    block: ClassVar[type[nn.Module]] = Block
    has_input_norm: ClassVar[bool] = True

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        check_heads(configuration)
        d = configuration.dim
        self.position = nn.Parameter(torch.empty(configuration.max_length, d))
        if self.has_input_norm:
            self.inputNorm = nn.LayerNorm(d, eps=1e-5)
        self.blocks = nn.ModuleList([self.block(configuration) for _ in range(configuration.layers)])

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        x = self.item[batch.inputs] + newest_aligned(self.position, batch.lengths, batch.inputs.shape[1])
        if self.has_input_norm:
            x = self.inputNorm(x)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, self)
        return x
