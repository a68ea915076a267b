"""When a training ends: the patience rule of plaw-trial."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from plaw.runner.spec import Options

CLEARLY_BETTER = 1.25
"""How many times better than ranking by popularity is no accident."""

RISING = 1.02
"""A training still rises if its best value is this many times that before the last quarter of its validations."""

DIVERGED = 20.0
"""A loss this many times that of the first step has diverged; the first counts as at least 1."""


def patience(options: Options, steps: int, done: int, stale: int, best: float, popularity: float) -> int:
    """Return how many validations without an improvement end a training.

    Args:
        options: The training options.
        steps: Optimiser steps of an epoch.
        done: Validations so far.
        stale: Validations since the last improvement.
        best: Best value of the stopping metric; 0 before the first validation.
        popularity: The stopping metric of ranking by popularity.
    """
    steps = max(1, steps)
    validations = max(
        options.patience,
        -(-options.patience_steps // steps),
        math.ceil(options.patience_share * (done - stale)),
    )
    # Before a model is better than ranking by popularity it has not begun to learn.
    factor = 1 if best > CLEARLY_BETTER * popularity else 5 if options.recipe == "published" else 2
    return validations * factor


@dataclass
class Position:
    """Where a training stands; a checkpoint keeps it beside the trainer's own state.

    Attributes:
        epoch: Epochs completed.
        step_in_epoch, step: Optimiser steps done, in the epoch in progress and in all.
        best_epoch, best_value: The best validation so far; epochs count from 1.
        reference, stale: The last value that was an improvement, and validations since.
        curve: The stopping metric at each validation.
        loss_sum, loss_tokens: Loss of the epoch in progress times positions, and positions.
        first_loss: Loss of the first step.
        seconds, training_seconds, validation_seconds: Over all runs of the trial.
        tokens_seen: Training positions over all runs.
        last_validation: Metrics of the last validation.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float | None = None
    reference: float | None = None
    stale: int = 0
    curve: list[float] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_tokens: int = 0
    first_loss: float | None = None
    seconds: float = 0.0
    training_seconds: float = 0.0
    validation_seconds: float = 0.0
    tokens_seen: int = 0
    last_validation: dict[str, float] | None = None

    def add(self, value: float, least_gain: float) -> bool:
        """Count a validation of the epoch in progress, which ends with it.

        Returns:
            Whether the value is the best so far, so that the model should be kept.
        """
        self.epoch += 1
        self.step_in_epoch = 0
        is_best = value > (-1 if self.best_value is None else self.best_value)
        if is_best:
            self.best_value = value
            self.best_epoch = self.epoch
        self.curve.append(value)
        if value > (1 + least_gain) * (-1 if self.reference is None else self.reference):
            self.reference = value
            self.stale = 0
        else:
            self.stale += 1
        return is_best

    @property
    def is_rising(self) -> bool:
        """Whether the best value is clearly above that before the last quarter of the validations."""
        before = max(self.curve[: 3 * len(self.curve) // 4], default=0.0)
        return (self.best_value or 0.0) > RISING * before
