"""Training objectives, as plawd computes them (docs/contributors/training.md).

s is the score of an item at a position. All are means over the positions of a batch; `ce` over its sequences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from plaw.runner import Spec, Trial
from plaw_pytorch.batch import Batch

_SCORES = 1 << 26
"""Scores that are kept for the backward pass at once; more are computed twice."""


class Objective:
    """The loss of a trial, with the negatives that it draws."""

    scores_catalogue: ClassVar[frozenset[str]] = frozenset({"cce", "ce"})

    def __init__(self, trial: Trial, scale: float, device: torch.device) -> None:
        """Prepare the loss.

        Args:
            trial: The trial.
            scale: Factor of the scores (the width rule's).
            device: Where the model is.
        """
        self.name = trial.spec.configuration.loss
        self.count = trial.spec.options.negatives
        self.scale = scale
        self.device = device
        self._trial = trial
        self._shared = trial.shared_negatives() if self.name == "sampled-softmax" else None
        drawn = self.name not in (*self.scores_catalogue, "sampled-softmax")
        self._own = trial.negatives() if drawn else None
        self._corrections: Tensor | None = None
        if self._shared is not None:
            self._corrections = torch.from_numpy(self.count * self._shared.probabilities).log().float().to(device)
        self._beta = beta(trial.spec, trial.corpus.item_count)

    def negatives(self, batch: Batch, step: int) -> Tensor | None:
        """Return the negatives of a batch: [T, n] of its positions, [n] shared, or None."""
        if self._own is not None:
            drawn = self._own.draw(batch.users.tolist(), step)
        elif self._shared is not None:
            drawn = self._shared.draw(step)
        else:
            return None
        return torch.from_numpy(drawn.astype("int64")).to(self.device)

    def __call__(self, states: Tensor, targets: Tensor, items: Tensor, negatives: Tensor | None) -> Tensor:
        """Return the mean loss.

        Args:
            states: Hidden states [T, d].
            targets: Their targets [T].
            items: Item embeddings [V, d].
            negatives: What `negatives` drew for these positions.
        """
        h = states * self.scale if self.scale != 1 else states
        if self.name in self.scores_catalogue:
            return catalogue_loss(h, targets, items)
        assert negatives is not None
        own = (h * items[targets]).sum(-1).float()
        if self.name == "sampled-softmax":
            assert self._corrections is not None
            scores = (h @ items[negatives].T).float() - self._corrections[negatives]
            scores = scores.masked_fill(negatives[None] == targets[:, None], -math.inf)
            return (torch.logsumexp(torch.cat((own[:, None], scores), 1), 1) - own).mean()
        scores = (items[negatives] @ h[:, :, None]).squeeze(-1).float()
        return pair_loss(self.name, own, scores, self._beta)


def beta(spec: Spec, items: int) -> float:
    """Return the weight of the positive part of `gbce` (arXiv 2308.07192, equation 9); 1 for other losses."""
    if spec.configuration.loss != "gbce":
        return 1.0
    alpha = min(1.0, spec.options.negatives / max(1, items - 1))
    return alpha * (spec.options.calibration * (1 - 1 / alpha) + 1 / alpha)


def catalogue_loss(h: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Return the softmax cross-entropy over all items."""

    def part(states: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
        return F.cross_entropy((states @ table.T).float(), wanted, reduction="sum")

    rows = max(1, _SCORES // max(1, len(items)))
    if len(targets) <= rows:
        return part(h, targets, items) / len(targets)
    total = torch.zeros((), device=h.device)
    for states, wanted in zip(torch.split(h, rows), torch.split(targets, rows), strict=True):
        total = total + checkpoint(part, states, wanted, items, use_reentrant=False)
    return total / len(targets)


def pair_loss(name: str, own: Tensor, scores: Tensor, weight: float = 1.0) -> Tensor:
    """Return the loss of target scores [T] against those of negatives [T, n]."""
    difference = scores - own[:, None]
    losses: dict[str, Callable[[], Tensor]] = {
        "bce": lambda: F.softplus(-own) + F.softplus(scores).sum(1),
        "gbce": lambda: weight * F.softplus(-own) + F.softplus(scores).sum(1),
        "bpr": lambda: F.softplus(difference).mean(1),
        "top1": lambda: (difference.sigmoid() + scores.square().sigmoid()).mean(1),
        "bpr-max": lambda: -((scores.softmax(1) * (-difference).sigmoid()).sum(1) + 1e-24).log(),
        "top1-max": lambda: (scores.softmax(1) * (difference.sigmoid() + scores.square().sigmoid())).sum(1),
    }
    return losses[name]().mean()
