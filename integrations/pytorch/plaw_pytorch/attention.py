"""Attention and norms that several models use."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + epsilon) * weight."""

    def __init__(self, width: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Norm the last axis."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Return [B, heads, n, d / heads] of [B, n, d]."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Return [B, n, d] of [B, heads, n, d / heads]."""
    return x.transpose(1, 2).flatten(2)


def attend(q: Tensor, k: Tensor, v: Tensor, dropout: float, mask: Tensor | None = None) -> Tensor:
    """Return softmax attention of heads: causal, or over what a mask allows.

    The padding stands at the end of a row, so a causal mask hides it from all positions that exist.
    """
    return nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=mask is None
    )


def rotate(x: Tensor) -> Tensor:
    """Turn columns c and c + w / 2 of position p by the angle p / 10000^(2 c / w); x is [B, heads, n, w]."""
    n, width = x.shape[-2:]
    columns = torch.arange(0, width, 2, device=x.device, dtype=torch.float32)
    places = torch.arange(n, device=x.device, dtype=torch.float32)
    angle = places[:, None] * 10_000.0 ** (-columns / width)
    a, b = x.float().chunk(2, -1)
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat((a * cosine - b * sine, a * sine + b * cosine), -1).to(x.dtype)


def newest_aligned(positions: Tensor, lengths: Tensor, n: int) -> Tensor:
    """Return the position embeddings of rows whose newest item has the last one, [B, n, d].

    Args:
        positions: Embeddings [L, d].
        lengths: Positions of each row, at most L.
        n: Columns of the batch.
    """
    first = len(positions) - lengths
    places = (first[:, None] + torch.arange(n, device=lengths.device)).clamp(max=len(positions) - 1)
    return positions[places]
