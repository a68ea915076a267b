"""Names of RecBole's models, and what a specification means in RecBole's settings."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import recbole
import yaml

from plaw.runner import Refused, Spec

ATTRIBUTES = "attributes"
"""Field of the items' attributes."""

_FAMILIES = ("sequential_recommender", "general_recommender")

_OWN_TRAINER = "RecBole trains it with a trainer of its own, which this runner does not have"
_REFUSED = {
    "RecVAE": _OWN_TRAINER,
    "RaCT": _OWN_TRAINER,
    "NCL": _OWN_TRAINER,
    "LDiffRec": "it clusters items by embeddings that it reads from a file",
    "GRU4RecKG": "it needs a knowledge graph, and a corpus has none",
    "KSR": "it needs a knowledge graph, and a corpus has none",
    "DIEN": "it needs drawn histories beside the real ones, which RecBole's own data set makes",
    "Random": "it learns nothing",
    "NCEPLRec": "it has no layers, no dimension and no epochs",
}

_DEPTH = ("n_layers", "num_layers", "step", "block_num")
"""Settings that count layers; the first that a model has is its depth."""

_DEPTH_LISTS: dict[str, dict[str, int | None]] = {
    # Widths of hidden layers, repeated for each layer; None is the dimension.
    "NGCF": {"hidden_size_list": None},
    "DMF": {"user_hidden_size_list": None, "item_hidden_size_list": None},
    "NeuMF": {"mlp_hidden_size": None},
    "NNCF": {"mlp_hidden_size": None},
    "DIN": {"mlp_hidden_size": 256},
    "MultiVAE": {"mlp_hidden_size": 600},
    "MultiDAE": {"mlp_hidden_size": 600},
    "MacridVAE": {"encoder_hidden_size": 600},
    "DiffRec": {"dims_dnn": None},
}

_WIDTHS = (
    "embedding_size", "hidden_size", "latent_dimension", "mf_embedding_size", "mlp_embedding_size",
    "user_embedding_size", "item_embedding_size", "ui_embedding_size", "neigh_embedding_size", "weight_size",
)  # fmt: skip
_RATES = (
    "dropout_prob", "hidden_dropout_prob", "attn_dropout_prob", "dropout", "message_dropout", "sess_dropout",
    "item_dropout",
)  # fmt: skip
_ATTRIBUTE_SETTINGS = ("selected_features", "item_attribute")

_CE_LOSSES = {"RepeatNet": ("ce",), "GRU4RecCPR": ("ce",), "SASRecCPR": ("ce",), "CORE": ("ce", "cce")}
"""Losses of models whose default is RecBole's CE and that have not all of `ce`, `bpr` and `cce`."""

USER_WISE = frozenset({"MultiDAE", "MultiVAE", "MacridVAE", "CDAE", "ENMF", "DiffRec"})
"""Models that train on all items of a user at once, with a loss of their own over them."""

DOT_PRODUCT = frozenset({"BPR", "LightGCN", "NGCF", "SGL", "DGCF", "SpectralCF"})
"""General models whose scores are inner products of a user's and an item's embedding."""


@dataclass(frozen=True)
class Found:
    """A model of RecBole.

    Attributes:
        name: Its class's name.
        is_sequential: Whether it sees the order of a history.
        defaults: RecBole's settings of the model.
        losses: Losses that it may train with.
    """

    name: str
    kind: type
    is_sequential: bool
    defaults: dict[str, Any]
    losses: tuple[str, ...]

    @property
    def depth(self) -> str | None:
        """The setting that counts layers; None where the model has no depth."""
        return next((name for name in _DEPTH if isinstance(self.defaults.get(name), int)), None)

    @property
    def needs_attributes(self) -> bool:
        """Whether it reads the items' attributes."""
        return any(name in self.defaults for name in _ATTRIBUTE_SETTINGS)


def names() -> dict[str, str]:
    """Return the module of each sequential and general model by its name in lower case."""
    found = {}
    for family in _FAMILIES:
        package = importlib.import_module(f"recbole.model.{family}")
        for module in pkgutil.iter_modules(package.__path__):
            found[module.name] = f"{package.__name__}.{module.name}"
    return found


def find(backbone: str) -> Found:
    """Return the model of a name, which may be written in any case.

    Raises:
        Refused: RecBole has no such model, or this runner cannot train it.
    """
    modules = names()
    name = backbone.lower()
    if name not in modules:
        raise Refused(
            f'backbone: found "{backbone}", expected a sequential or general model of RecBole 1.2.1, '
            f"one of {', '.join(sorted(modules))}"
        )
    module = importlib.import_module(modules[name])
    kind = next(value for key, value in vars(module).items() if key.lower() == name and isinstance(value, type))
    if reason := _REFUSED.get(kind.__name__):
        raise Refused(f"backbone: {kind.__name__} cannot be trained here: {reason}")
    from recbole.utils import InputType, ModelType

    if kind.type == ModelType.TRADITIONAL:  # type: ignore[attr-defined]
        raise Refused(f"backbone: {kind.__name__} cannot be trained here: it has no layers, no dimension and no epochs")
    path = Path(recbole.__file__).parent / "properties" / "model" / f"{kind.__name__}.yaml"
    defaults = yaml.safe_load(path.read_text()) or {}
    is_sequential = kind.type == ModelType.SEQUENTIAL  # type: ignore[attr-defined]
    losses: tuple[str, ...]
    if kind.__name__ in USER_WISE:
        losses = ("ce",)
    elif is_sequential and defaults.get("loss_type") == "CE":
        losses = _CE_LOSSES.get(kind.__name__, ("ce", "bpr", "cce"))
    elif getattr(kind, "input_type", None) == InputType.POINTWISE:
        losses = ("bce",)
    else:
        losses = ("bpr", "cce") if kind.__name__ in DOT_PRODUCT else ("bpr",)
    return Found(kind.__name__, kind, is_sequential, defaults, losses)


def check(found: Found, spec: Spec, has_attributes: bool) -> None:
    """Refuse what the model or this runner cannot do.

    Raises:
        Refused: With the member, what was found and what was expected.
    """
    c, o, name = spec.configuration, spec.options, found.name
    if c.loss not in found.losses:
        raise Refused(f'loss: found "{c.loss}", expected {" or ".join(found.losses)}, which {name} has')
    if c.layers < 1:
        raise Refused(f"layers: found {c.layers}, expected 1 or more")
    if c.layers > 1 and found.depth is None and name not in _DEPTH_LISTS:
        raise Refused(f"layers: found {c.layers}, expected 1: {name} has no depth")
    if c.feed_forward_factor is not None and "inner_size" not in found.defaults:
        raise Refused(
            f"feedForwardFactor: found {c.feed_forward_factor}, expected none: {name} has no feed-forward layers"
        )
    if "n_heads" in found.defaults and (c.heads < 1 or c.dim % c.heads):
        raise Refused(f"heads: found {c.heads}, expected a divisor of dim {c.dim}")
    if not found.is_sequential and spec.user_fraction < 1:
        raise Refused(
            f"userFraction: found {spec.user_fraction}, expected 1: {name} has an embedding of each user and cannot "
            "rank users who did not train"
        )
    if o.width_rule == "mup":
        raise Refused("widthRule: found mup, expected plain or root: RecBole's models have initial values of their own")
    if found.needs_attributes and not has_attributes:
        raise Refused(
            f"backbone: {name} needs the attributes of items: give the runner --attributes FILE before the trial"
        )
    for member in spec.unknown:
        if member.startswith(("options.", "configuration.")):
            raise Refused(f"{member}: found a member that this runner does not know; update the runner")


def dropout(spec: Spec) -> float:
    """Return the dropout rate after the width rule."""
    narrow = max(1.0, 64 / spec.configuration.dim) ** (-2 / 3) if spec.options.width_rule == "root" else 1.0
    return spec.options.dropout * narrow


def settings(found: Found, spec: Spec) -> dict[str, Any]:
    """Return what the specification means in RecBole's settings of the model."""
    c, has = spec.configuration, found.defaults
    values: dict[str, Any] = {name: c.dim for name in _WIDTHS if name in has}
    if (depth := found.depth) is not None:
        values[depth] = c.layers
    for name, width in _DEPTH_LISTS.get(found.name, {}).items():
        values[name] = [c.dim if width is None else width] * c.layers
    values |= {name: dropout(spec) for name in _RATES if name in has}
    if "dropout_probs" in has:
        values["dropout_probs"] = [dropout(spec)] * len(has["dropout_probs"])
    if "n_heads" in has:
        values["n_heads"] = c.heads
    if "inner_size" in has:
        values["inner_size"] = max(1, round(c.dim * (c.feed_forward_factor or 4.0)))
    if "initializer_range" in has:
        values["initializer_range"] = spec.options.initial_deviation
    if "loss_type" in has and found.name not in USER_WISE:
        values["loss_type"] = "BPR" if c.loss == "bpr" else "CE"
    if "train_stage" in has:
        values["train_stage"] = "pretrain"
    if "selected_features" in has:
        values["selected_features"] = [ATTRIBUTES]
    if "item_attribute" in has:
        values["item_attribute"] = ATTRIBUTES
    values["MAX_ITEM_LIST_LENGTH"] = c.max_length
    values["train_neg_sample_args"] = (
        None
        if c.loss in ("ce", "cce") and found.is_sequential
        else {"distribution": "uniform", "sample_num": spec.options.negatives, "dynamic": False, "candidate_num": 0}
    )
    values["seed"] = spec.seed % 2**31
    return values
