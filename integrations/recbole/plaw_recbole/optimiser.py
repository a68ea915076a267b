"""The optimiser that the options describe: AdamW, warm-up, schedule, clipping, and the average of the parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from plaw.runner import Options

_BASE = 64.0
"""The dimension at which the width rule changes nothing."""
_FLOOR = 0.1
"""What a cosine ends at, as a share of the rate."""
_AVERAGED = 4
"""Steps between two parameters that are averaged."""


class Optimiser:
    """AdamW with decoupled decay, as plawd's core has it; embeddings may learn at a rate of their own.

    Attributes:
        parameters: All trainable parameters.
        first, second: Moments of the gradients.
        mean: Running mean of the parameters, which is ranked in their place; empty without averaging.
    """

    def __init__(self, net: nn.Module, embeddings: set[str], options: Options, dim: int, steps: int) -> None:
        """Prepare the optimiser.

        Args:
            net: The model.
            embeddings: Names of the parameters that `item_rate` applies to.
            options: The options of the trial.
            dim: The dimension.
            steps: Steps of an epoch.
        """
        named = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
        self.options = options
        self.parameters = [p for _, p in named]
        self.factors = [options.item_rate if name in embeddings else 1.0 for name, _ in named]
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.mean = [torch.zeros_like(p) for p in self.parameters] if options.averaging > 0 else []
        self._exponent = 1 / options.averaging - 1 if options.averaging > 0 else 0.0
        self._base = options.learning_rate * (math.sqrt(_BASE / dim) if options.width_rule == "root" else 1.0)
        self._expected = float((options.schedule_epochs or options.max_epochs) * steps)
        self._warmup = max(math.ceil(options.warmup * self._expected), options.warmup_steps)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, which counts from 1."""
        if step < self._warmup:
            return self._base * step / self._warmup
        if self.options.schedule == "constant":
            return self._base
        gone = min(1.0, (step - self._warmup) / max(1.0, self._expected - self._warmup))
        return self._base * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * gone)))

    @torch.no_grad()
    def step(self, number: int) -> None:
        """Update the parameters by their gradients; `number` counts steps from 1."""
        o = self.options
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        if o.clip_norm > 0:
            norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))
            if norm > o.clip_norm:
                torch._foreach_mul_(gradients, o.clip_norm / norm)
        torch._foreach_lerp_(self.first, gradients, 1 - o.beta1)
        torch._foreach_mul_(self.second, o.beta2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1 - o.beta2)
        below = torch._foreach_sqrt(self.second)
        torch._foreach_div_(below, math.sqrt(1 - o.beta2**number))
        torch._foreach_add_(below, o.epsilon)
        rate, values = self.rate(number), [p.data for p in self.parameters]
        if o.weight_decay:
            torch._foreach_mul_(values, 1 - rate * o.weight_decay)
        changes = torch._foreach_div(self.first, below)
        torch._foreach_mul_(changes, [-rate * factor / (1 - o.beta1**number) for factor in self.factors])
        torch._foreach_add_(values, changes)
        for parameter in self.parameters:
            parameter.grad = None
        if self.mean and number % _AVERAGED == 0:
            # Weights grow as a power of the step (arXiv 2312.02696): the mean age is a constant share of the training.
            torch._foreach_lerp_(self.mean, values, 1 - (1 - _AVERAGED / number) ** self._exponent)

    def reset(self) -> None:
        """Forget the moments and the mean: another training begins."""
        for tensor in (*self.first, *self.second, *self.mean):
            tensor.zero_()

    def ranked(self, step: int) -> list[Tensor]:
        """Return the values that are ranked after a step: the mean, or the parameters."""
        return self.mean if self.mean and step >= _AVERAGED else [p.data for p in self.parameters]


@contextmanager
def swapped(parameters: list[nn.Parameter], values: list[Tensor]) -> Iterator[None]:
    """Let parameters have other values in a `with` block."""
    kept = [p.data for p in parameters]
    try:
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
        yield
    finally:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.data = value
