"""AdamW with the rates, the schedule, the width rule and the average of plawd's recipes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from plaw.runner import Options
from plaw_pytorch.model import SequenceModel

_BASE = 64.0
"""The dimension at which width rules change nothing."""
_FLOOR = 0.1
"""What a cosine ends at, as a share of the rate."""


class Width:
    """How rates, dropout, initial values and scores follow the dimension.

    `mup` is maximal update parametrisation for Adam (arXiv 2203.03466, table 8). `root` multiplies every rate by the
    root of 64 / d, and below d = 64 dropout by (d / 64)^(2/3).
    """

    def __init__(self, rule: str, dim: int) -> None:
        narrowness = _BASE / dim
        ratio = narrowness if rule == "mup" else 1.0
        self.rate = math.sqrt(narrowness) if rule == "root" else 1.0
        self.dropout = max(1.0, narrowness) ** (-2 / 3) if rule == "root" else 1.0
        self.hidden_rate = ratio
        self.hidden_scale = math.sqrt(ratio)
        self.scores = ratio


class LearningRate:
    """The learning rate of each step: warm-up, then the schedule."""

    def __init__(self, options: Options, dim: int, steps: int) -> None:
        """Prepare the rates; `steps` are those of an epoch."""
        epochs = options.schedule_epochs or options.max_epochs
        self._base = options.learning_rate * Width(options.width_rule, dim).rate
        self._expected = float(epochs * steps)
        self._warmup = max(math.ceil(options.warmup * self._expected), options.warmup_steps)
        self._schedule = options.schedule

    def __call__(self, step: int) -> float:
        """Return the rate of a step, which counts from 1."""
        if step < self._warmup:
            return self._base * step / self._warmup
        if self._schedule == "constant":
            return self._base
        gone = min(1.0, (step - self._warmup) / max(1.0, self._expected - self._warmup))
        return self._base * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * gone)))


class AdamW:
    """AdamW with decoupled decay on every parameter. Factors of the rate leave rate times decay as it is."""

    def __init__(self, model: SequenceModel, options: Options, steps: int) -> None:
        """Prepare the optimiser; `steps` are those of an epoch."""
        self.options = options
        self.rate = LearningRate(options, model.configuration.dim, steps)
        hidden = Width(options.width_rule, model.configuration.dim).hidden_rate
        self.parameters: list[nn.Parameter] = []
        groups: dict[float, list[int]] = {}
        for name, parameter in model.named_parameters():
            is_matrix = model.kind(name, parameter) in ("linear", "residual")
            factor = options.item_rate if name in model.embeddings else hidden if is_matrix else 1.0
            groups.setdefault(factor, []).append(len(self.parameters))
            self.parameters.append(parameter)
        self._groups = list(groups.items())
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, number: int) -> None:
        """Update the parameters by their gradients; `number` counts steps from 1."""
        o = self.options
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        if o.clip_norm > 0:
            norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))
            if norm > o.clip_norm:
                torch._foreach_mul_(gradients, o.clip_norm / norm)
        root = math.sqrt(1 - o.beta2**number)
        for factor, places in self._groups:
            rate = self.rate(number) * factor
            p = [self.parameters[i].data for i in places]
            g = [gradients[i] for i in places]
            m = [self.first[i] for i in places]
            v = [self.second[i] for i in places]
            torch._foreach_lerp_(m, g, 1 - o.beta1)
            torch._foreach_mul_(v, o.beta2)
            torch._foreach_addcmul_(v, g, g, 1 - o.beta2)
            below = torch._foreach_sqrt(v)
            torch._foreach_div_(below, root)
            torch._foreach_add_(below, o.epsilon)
            if o.weight_decay:
                torch._foreach_mul_(p, 1 - rate * o.weight_decay / factor)
            torch._foreach_addcdiv_(p, m, below, -rate / (1 - o.beta1**number))
        for parameter in self.parameters:
            parameter.grad = None


class Average:
    """A running mean of the parameters, which is ranked and kept in their place.

    Weights grow as a power of the step (arXiv 2312.02696), so that the mean age of what is averaged is a constant share
    of the training so far.
    """

    def __init__(self, optimiser: AdamW, steps: int, scores_catalogue: bool) -> None:
        o = optimiser.options
        self.parameters = optimiser.parameters
        self.mean = [torch.zeros_like(p) for p in self.parameters] if o.averaging > 0 else []
        # plaw-trial takes fewer averages where it updates rows of items on their own, so this does too.
        is_sparse = o.item_update == "sparse" and not scores_catalogue and o.beta1 / o.beta2 < 0.997
        self.interval = max(4, steps // 8) if is_sparse else 4
        self._exponent = 1 / o.averaging - 1 if o.averaging > 0 else 0.0

    @torch.no_grad()
    def add(self, step: int) -> None:
        """Take in the parameters of a step, if it is the turn of that step."""
        if self.mean and step % self.interval == 0:
            weight = 1 - (1 - self.interval / step) ** self._exponent
            torch._foreach_lerp_(self.mean, [p.data for p in self.parameters], weight)

    @contextmanager
    def swapped_in(self, step: int) -> Iterator[None]:
        """Let the model have the mean of the parameters, if there is one after `step`."""
        with swapped(self.parameters, self.mean if self.mean and step >= self.interval else []):
            yield


@contextmanager
def swapped(parameters: list[nn.Parameter], values: list[Tensor]) -> Iterator[None]:
    """Let parameters have other values in a `with` block; no values leave them as they are."""
    kept = [p.data for p in parameters]
    try:
        for parameter, value in zip(parameters, values, strict=False):
            parameter.data = value
        yield
    finally:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.data = value
