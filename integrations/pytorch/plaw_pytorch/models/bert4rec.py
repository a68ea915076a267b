"""BERT4Rec of arXiv 1904.06690: attention in both directions, trained to fill in masked items."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.attention import newest_aligned
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel, check_heads
from plaw_pytorch.models.sasrec import Block

MASKED = 0.2
"""Share of the items that a training step masks."""


class BERT4Rec(SequenceModel):
    """Learned positions, SASRec's post-norm blocks without the causal mask, then a dense layer with GELU and a norm.

    A step masks each item of a training history with the probability 0.2, and the newest if that masked none. `ce`
    masks the newest alone. For ranking, a mask follows the newest item.
    """

    has_feed_forward: ClassVar[bool] = True
    losses: ClassVar[tuple[str, ...]] = ("cce", "ce", "sampled-softmax")

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        check_heads(configuration)
        d = configuration.dim
        self.position = nn.Parameter(torch.empty(configuration.max_length, d))
        self.mask = nn.Parameter(torch.empty(d))
        self.inputNorm = nn.LayerNorm(d, eps=1e-5)
        self.blocks = nn.ModuleList([Block(configuration) for _ in range(configuration.layers)])
        self.dense = nn.Linear(d, d)
        self.outputNorm = nn.LayerNorm(d, eps=1e-5)

    def hidden(self, items: Tensor, lengths: Tensor, masked: Tensor) -> Tensor:
        """Return the hidden states of all positions, [B, n, d].

        Args:
            items: int64 [B, n].
            lengths: Positions of each row.
            masked: bool [B, n], where the mask stands instead of the item.
        """
        n = items.shape[1]
        x = torch.where(masked[..., None], self.mask, self.item[items])
        x = self.drop(self.inputNorm(x + newest_aligned(self.position, lengths, n)))
        allowed = (torch.arange(n, device=items.device) < lengths[:, None])[:, None, None, :]
        for block in self.blocks:
            x = block(x, self, allowed)
        return self.outputNorm(nn.functional.gelu(self.dense(x)))  # type: ignore[no-any-return]

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the hidden states of the masked positions, [T, d], and the items that were there, [T]."""
        assert batch.targets is not None
        items = torch.cat((batch.inputs[:, :1], batch.targets), 1)
        items, lengths = _newest_columns(items, batch.lengths + 1, self.configuration.max_length)
        places = torch.arange(items.shape[1], device=items.device)
        is_newest = places == lengths[:, None] - 1
        if self.configuration.loss == "ce":
            masked = is_newest
        else:
            masked = (torch.rand(items.shape, device=items.device) < MASKED) & (places < lengths[:, None])
            masked = masked | (is_newest & ~masked.any(1, keepdim=True))
        return self.hidden(items, lengths, masked)[masked], items[masked]

    def newest(self, batch: Batch) -> Tensor:
        """Return the hidden state of a mask after the newest item, [B, d]."""
        items = nn.functional.pad(batch.inputs, (0, 1))
        items, lengths = _newest_columns(items, batch.lengths + 1, self.configuration.max_length)
        masked = torch.arange(items.shape[1], device=items.device) == lengths[:, None] - 1
        hidden = self.hidden(items, lengths, masked)
        return hidden[torch.arange(len(lengths), device=items.device), lengths - 1]


def _newest_columns(items: Tensor, lengths: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """Return the newest `longest` items of each row, and how many there are; rows have one more at most."""
    if items.shape[1] <= longest:
        return items, lengths
    first = (lengths - longest).clamp(min=0)
    places = first[:, None] + torch.arange(longest, device=items.device)
    return items.gather(1, places), lengths.clamp(max=longest)
