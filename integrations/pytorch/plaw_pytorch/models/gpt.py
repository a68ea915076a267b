"""GPT-2's blocks over items: a norm before each branch and at the end, tanh-GELU, learned positions."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel
from plaw_pytorch.models import sasrec


class Block(sasrec.Block):
    """Attention and feed-forward layers with a norm before each branch."""

    def forward(self, x: Tensor, model: SequenceModel, mask: Tensor | None = None) -> Tensor:
        """Return the residual after the block, [B, n, d]."""
        x = x + self.attended(self.norm1(x), model, mask)
        inner = nn.functional.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return x + model.drop(self.contract(inner))


class GPT(sasrec.SASRec):
    """Learned positions aligned to the newest item, pre-norm blocks, a norm at the end."""

    block: ClassVar[type[nn.Module]] = Block
    has_input_norm: ClassVar[bool] = False

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        self.outputNorm = nn.LayerNorm(configuration.dim, eps=1e-5)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]."""
        return self.outputNorm(super().forward(batch))  # type: ignore[no-any-return]
