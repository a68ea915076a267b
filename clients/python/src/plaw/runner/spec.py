"""The specification of a trial: `spec.json` as typed values."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from plaw.runner.errors import Refused

MASKS = ("none", "window", "full")
LOSSES = ("bce", "bpr", "top1", "bpr-max", "top1-max", "ce", "cce", "gbce", "sampled-softmax")


@dataclass(frozen=True)
class Configuration:
    """The model to train."""

    backbone: str
    """Name of the model: `sasrec`, `gru4rec`, or any name that the runner knows."""
    layers: int
    """Depth N: how many blocks."""
    dim: int
    """Width d: the dimension of item embeddings and hidden states."""
    heads: int = 1
    """Attention heads, where the model has any."""
    max_length: int = 50
    """The most recent items that the model sees, L."""
    loss: str = "cce"
    """The training objective."""
    feed_forward_factor: float | None = None
    """Inner width of the feed-forward layers as a multiple of d; None for the model's own."""


@dataclass(frozen=True)
class Options:
    """Hyperparameters of the training; the defaults are those of the recipe `published`."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    clip_norm: float = 0.0
    """Largest norm of the gradient of all parameters; 0 clips nothing."""
    batch_users: int = 256
    """Users of an optimiser step; each gives one sequence."""
    dropout: float = 0.5
    negatives: int = 1
    """Negatives of a position, or of a batch for `sampled-softmax`."""
    max_epochs: int = 200
    patience: int = 10
    """Validations without an improvement after which training stops, at least."""
    stop_metric: str = "ndcg@10"
    """Validation metric that early stopping maximises."""
    warmup: float = 0.0
    """Share of the expected steps over which the learning rate rises from 0."""
    schedule: str = "constant"
    """`constant`, or `cosine`: half a cosine to a tenth of the rate."""
    schedule_epochs: int = 0
    """Epochs that warm-up and schedule count by; 0 for `max_epochs`."""
    width_rule: str = "plain"
    """How rate, dropout, initial values and scores change with d: `plain`, `mup` or `root`."""
    item_update: str = "dense"
    """`dense`, or `sparse`: rows without a gradient are updated when they are next read, with the same result."""
    calibration: float = 0.75
    """t of `gbce`, from 0 to 1."""
    sampling: str = "popularity"
    """Where `sampled-softmax` draws its negatives from: `popularity` or `uniform`."""
    initial_deviation: float = 0.02
    """Standard deviation of initial weights and embeddings."""
    initialisation: str = "plain"
    """`plain`, or `residual`: projections onto the residual begin smaller by the root of 2 N."""
    averaging: float = 0.0
    """Mean age of the averaged parameters as a share of the steps so far; 0 averages nothing."""
    item_rate: float = 1.0
    """Factor of the learning rate of item embeddings."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises, where `warmup` does not say more."""
    patience_steps: int = 0
    """Optimiser steps without an improvement that training goes on for, at least."""
    patience_share: float = 0.0
    """The same as a share of the validations before."""
    least_gain: float = 0.0
    """Relative gain from which on a validation counts as an improvement to the stopping rule."""
    recipe: str = "published"
    """The recipe that these options began as."""


@dataclass(frozen=True)
class Spec:
    """What the daemon asks a runner to train."""

    corpus: str
    """Path of the corpus file, from the trial's directory where it does not begin with `/`."""
    configuration: Configuration
    options: Options
    seed: int
    """Seed of everything random, 64 bits."""
    user_fraction: float
    """Share of the users that train; every evaluated user is ranked regardless."""
    mask: str
    """Earlier items of the user that are left out of the candidates: `none`, `window` or `full`."""
    checkpoint_seconds: float = 10.0
    """Seconds between two checkpoints."""
    corpus_hash: str | None = None
    """Content hash that the corpus file must have."""
    max_seconds: float | None = None
    """Seconds of training, over all runs, after which the trial is ranked as it is."""
    sampled_ranking: int | None = None
    """Drawn items that each target is ranked against instead of all."""
    most_heads: int | None = None
    """Heads asked for, where `configuration.heads` is the most of at most these that divide d."""
    executor: str | None = None
    """Name of the executor of the daemon's configuration that runs the trial."""
    trainer: str | None = None
    """Whose trainings this is one of; none for those of plawd's core."""
    source: str | None = None
    """What the observation says of its origin, if the trainings count as those of plawd's core."""
    unknown: tuple[str, ...] = field(default=(), compare=False)
    """Members of the file that this version does not know, such as `options.labelSmoothing`."""

    @property
    def max_epochs(self) -> int:
        """Most epochs of the training."""
        return self.options.max_epochs

    @staticmethod
    def read(path: str | Path) -> Spec:
        """Read `spec.json`.

        Raises:
            Refused: The file is no specification, or one of its numbers is out of range.
        """
        try:
            value = json.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise Refused(f"{path}: cannot be read: {error}") from error
        try:
            spec = Spec.of(value)
        except Refused as error:
            raise Refused(f"{path}: {error}") from error
        return spec

    @staticmethod
    def of(value: object) -> Spec:
        """Return the specification that a JSON object describes.

        Raises:
            Refused: A member is missing, of another type, or out of range.
        """
        if not isinstance(value, dict):
            raise Refused("found no object, expected a specification")
        unknown: list[str] = []
        members = dict(value)
        configuration = _decode(Configuration, members.pop("configuration", None), "configuration.", unknown)
        options = _decode(Options, members.pop("options", None), "options.", unknown, required=_REQUIRED_OPTIONS)
        spec = _decode(
            Spec, members, "", unknown, given={"configuration": configuration, "options": options},
            required={"seed", "userFraction", "mask", "corpus", "checkpointSeconds"},
        )  # fmt: skip
        spec = dataclasses.replace(spec, unknown=tuple(unknown))
        if problem := _problem(spec):
            raise Refused(problem)
        return spec


_REQUIRED_OPTIONS = {
    "learningRate", "weightDecay", "beta1", "beta2", "epsilon", "clipNorm", "batchUsers", "dropout", "negatives",
    "maxEpochs", "patience", "stopMetric",
}  # fmt: skip

_Value = TypeVar("_Value")


def camel(name: str) -> str:
    """Return the JSON name of a Python name: `max_length` is `maxLength`."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _decode(
    kind: type[_Value],
    value: object,
    prefix: str,
    unknown: list[str],
    given: dict[str, object] | None = None,
    required: set[str] | None = None,
) -> _Value:
    """Return the dataclass that an object holds; members that it lacks get their defaults unless they are required."""
    if not isinstance(value, dict):
        raise Refused(f"{prefix.rstrip('.')}: found {json.dumps(value)[:40]}, expected an object")
    hints = get_type_hints(kind)
    arguments: dict[str, Any] = dict(given or {})
    names = {camel(f.name): f for f in dataclasses.fields(kind) if f.name not in arguments and f.name != "unknown"}  # type: ignore[arg-type]
    for name, entry in names.items():
        if value.get(name) is None:
            is_required = name in (required or ()) or (
                entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
            )
            if is_required:
                raise Refused(f"{prefix}{name}: found nothing, expected it")
            continue
        arguments[entry.name] = _checked(hints[entry.name], value[name], prefix + name)
    unknown += [prefix + name for name in value if name not in names]
    return kind(**arguments)


def _checked(hint: Any, value: object, name: str) -> object:
    wanted = next(a for a in get_args(hint) if a is not type(None)) if get_origin(hint) in _UNIONS else hint
    if wanted is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, wanted) and not isinstance(value, bool):
        return value
    expected = {int: "an integer", float: "a number", str: "a text"}[wanted]
    raise Refused(f"{name}: found {json.dumps(value)[:40]}, expected {expected}")


_UNIONS = (Union, type(int | None))

_MOST = 1_000_000_000


def _problem(spec: Spec) -> str | None:
    """Say which member is out of range; the ranges are those of plaw-trial."""
    o, c = spec.options, spec.configuration
    integers: list[tuple[str, int | None, int, int]] = [
        ("layers", c.layers, 0, 128), ("dim", c.dim, 1, 4_096), ("heads", c.heads, 1, 4_096),
        ("maxLength", c.max_length, 1, 4_096), ("patience", o.patience, 1, _MOST),
        ("maxEpochs", o.max_epochs, 1, _MOST), ("batchUsers", o.batch_users, 1, 65_536),
        ("negatives", o.negatives, 1, 65_536), ("scheduleEpochs", o.schedule_epochs, 0, _MOST),
        ("patienceSteps", o.patience_steps, 0, _MOST), ("warmupSteps", o.warmup_steps, 0, _MOST),
        ("sampledRanking", spec.sampled_ranking, 1, 2**31 - 1),
        ("seed", spec.seed, 0, 2**64 - 1), ("mostHeads", spec.most_heads, 1, 4_096),
    ]  # fmt: skip
    for name, found, least, most in integers:
        if found is not None and not least <= found <= most:
            return f"{name}: found {found}, expected {least} to {most}"
    inf = math.inf
    rates: list[tuple[str, float | None, bool, str]] = [
        ("dropout", o.dropout, 0 <= o.dropout < 1, "0 or more, less than 1"),
        ("learningRate", o.learning_rate, 0 < o.learning_rate <= 1e30, "more than 0, at most 1e30"),
        ("weightDecay", o.weight_decay, 0 <= o.weight_decay <= 1e30, "0 to 1e30"),
        ("clipNorm", o.clip_norm, 0 <= o.clip_norm <= 1e30, "0 to 1e30"),
        ("beta1", o.beta1, 0 <= o.beta1 < 1, "0 or more, less than 1"),
        ("beta2", o.beta2, 0 < o.beta2 < 1, "more than 0, less than 1"),
        ("epsilon", o.epsilon, 0 < o.epsilon <= 1e30, "more than 0, at most 1e30"),
        ("warmup", o.warmup, 0 <= o.warmup <= 1, "0 to 1"),
        ("initialDeviation", o.initial_deviation, 0 < o.initial_deviation <= 1, "more than 0, at most 1"),
        ("averaging", o.averaging, 0 <= o.averaging <= 0.5, "0 to 0.5"),
        ("patienceShare", o.patience_share, 0 <= o.patience_share <= 100, "0 to 100"),
        ("leastGain", o.least_gain, 0 <= o.least_gain <= 1, "0 to 1"),
        ("itemRate", o.item_rate, 0 < o.item_rate <= 1_000, "more than 0, at most 1000"),
        ("calibration", o.calibration, 0 <= o.calibration <= 1, "0 to 1"),
        ("userFraction", spec.user_fraction, 0 < spec.user_fraction <= 1, "more than 0, at most 1"),
        ("checkpointSeconds", spec.checkpoint_seconds, 0 <= spec.checkpoint_seconds <= inf, "0 or more"),
    ]
    for name, value, holds, expected in rates:
        if not holds:
            return f"{name}: found {value}, expected {expected}"
    if spec.max_seconds is not None and not spec.max_seconds >= 0:
        return f"maxSeconds: found {spec.max_seconds}, expected 0 or more"
    if not spec.corpus or "\0" in spec.corpus:
        return "corpus: found no path, expected one without NUL"
    choices = [
        ("mask", spec.mask, MASKS), ("loss", c.loss, LOSSES), ("schedule", o.schedule, ("constant", "cosine")),
        ("widthRule", o.width_rule, ("plain", "mup", "root")), ("itemUpdate", o.item_update, ("dense", "sparse")),
        ("sampling", o.sampling, ("uniform", "popularity")),
        ("initialisation", o.initialisation, ("plain", "residual")),
    ]  # fmt: skip
    for name, word, words in choices:
        if word not in words:
            return f'{name}: found "{word}", expected one of {", ".join(words)}'
    if not re.fullmatch(r"(hr|ndcg|mrr)@[1-9][0-9]{0,6}", o.stop_metric):
        return f'stopMetric: found "{o.stop_metric}", expected a metric such as hr@10, ndcg@10 or mrr@10'
    return None
