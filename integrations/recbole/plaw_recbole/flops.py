"""Counts the FLOPs of what torch computes: products of matrices, also of sparse ones, and convolutions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts in a `with` block; a multiply-add is 2."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation and run it."""
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        tensors = [a for a in args if isinstance(a, Tensor)]
        if name in ("mm", "addmm", "bmm", "baddbmm", "_sparse_mm", "_sparse_addmm", "mv"):
            left, right = tensors[-2:]
            inner = float(right.shape[-1]) if right.dim() > 1 else 1.0
            self.total += 2 * inner * (left._nnz() if left.layout != torch.strided else float(left.numel()))
        elif name == "convolution":
            self.total += 2.0 * result.numel() * math.prod(tensors[1].shape[1:])
        elif name == "convolution_backward":
            # Once for the input and once for the weights.
            self.total += 4.0 * tensors[0].numel() * math.prod(tensors[2].shape[1:])
        elif name in ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math"):
            q, k = tensors[:2]
            self.total += 4.0 * q.numel() * k.shape[-2]
        return result
