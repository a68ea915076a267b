"""What the daemon answers, with what can be done with it.

Every class has the members that `protos/plaw.openrpc.json` describes, in the spelling of Python, and `raw`: the JSON as
it came.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import _wire
from ._values import Table, flat, frame
from ._wire import (
    AnswerWarning,
    Candidate,
    Configuration,
    Cost,
    DatasetSummary,
    DeclaredConfiguration,
    Imported,
    Inspection,
    Interval,
    LawKey,
    Lever,
    Measurement,
    PlannedTrial,
    Removed,
    ServerInfo,
    ServerMetrics,
    Trial,
    UserSequence,
)
from .progress import seconds

if TYPE_CHECKING:
    import os

    import pandas
    from matplotlib.axes import Axes

__all__ = [
    "AnswerWarning",
    "Candidate",
    "Change",
    "Configuration",
    "Cost",
    "Dataset",
    "DatasetSummary",
    "Entropy",
    "Front",
    "Imported",
    "Inspection",
    "Interval",
    "Job",
    "Law",
    "LawKey",
    "Lever",
    "Measurement",
    "Observation",
    "Observations",
    "Plan",
    "PlannedTrial",
    "Potential",
    "Prediction",
    "Recommendation",
    "Removed",
    "Report",
    "Sequences",
    "ServerInfo",
    "ServerMetrics",
    "Started",
    "Table",
    "Trial",
    "UserSequence",
]  # fmt: skip


def _expected(predicted: Mapping[str, float], interval: Mapping[str, Interval], metric: str | None = None) -> str:
    parts = []
    for name, value in predicted.items():
        if metric is None or name == metric:
            found = interval.get(name)
            parts.append(f"{name} {value:.4g}" + (f" [{found.low:.4g}, {found.high:.4g}]" if found else ""))
    return ", ".join(parts)


def _shape(configuration: Configuration | DeclaredConfiguration) -> str:
    layers = configuration.layers
    model = f"{configuration.backbone} " if configuration.backbone else ""
    return f"{model}{layers} layer{'s' if layers != 1 else ''} x dim {configuration.dim}"


def _warned(warnings: tuple[AnswerWarning, ...]) -> str:
    return f", warnings: {', '.join(w.code for w in warnings)}" if warnings else ""


class Dataset(_wire.Dataset):
    """A registered dataset."""

    _shown = ("name", "users", "items", "interactions", "mask", "file_name", "created_at", "version")

    @property
    def dropped(self) -> dict[str, int]:
        """Rows that were left out, counted by their reason."""
        return {row.reason: row.count for row in self.statistics.dropped} if self.statistics else {}


class Registered(_wire.Registered):
    """How a file was read, and the dataset that was made of it."""


class Entropy(_wire.Entropy):
    """How surprising the next item of a dataset is, by several measures."""

    @property
    def apen(self) -> float:
        """Pooled ApEn for m = 1 in nats, which D' is made of."""
        return next(found.value for found in self.entropy.pooled_apen if found.m == 1)

    @property
    def effective_tokens(self) -> float:
        """D': training positions over ApEn."""
        return self.entropy.effective_tokens

    def to_frame(self) -> pandas.DataFrame:
        """Return how the measures move with the share of users and with the length of histories."""
        return frame([flat(point) for point in (*self.movement.by_user_fraction, *self.movement.by_max_length)])

    def __repr__(self) -> str:
        return (
            f"Entropy({self.name}: ApEn {self.apen:.4g}, {self.entropy.tokens} tokens, D' {self.effective_tokens:.4g})"
        )


class Job(_wire.Job):
    """A calibration that waits, runs or has ended."""

    _shown = ("id", "dataset", "state", "finished_trials", "trial_count", "active_seconds", "laws", "message")

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in ("finished", "failed", "cancelled")

    def to_frame(self) -> pandas.DataFrame:
        """Return the trials as a pandas DataFrame."""
        return frame([flat(trial) for trial in self.trials or ()])


class Plan(_wire.Plan):
    """The trials that a calibration would train, with their price."""

    _shown = ("dataset", "workers", "budget_seconds", "predicted_seconds", "notes")

    def to_frame(self) -> pandas.DataFrame:
        """Return the trials as a pandas DataFrame."""
        return frame([flat(trial) for trial in self.trials])


class Started(_wire.Started):
    """A calibration that was started, and its plan."""


class Recommendation(_wire.Recommendation):
    """The best configuration within a budget.

    `interval` has 90 % prediction intervals of one new training. `indistinguishable`, `runners_up`, `cheapest` and
    `best_trained` are the alternatives.
    """

    def to_frame(self) -> pandas.DataFrame:
        """Return the recommended configuration and its alternatives as a pandas DataFrame."""
        rows = [{"choice": "recommended", **flat(Candidate.from_json({**self.raw, "trained": 0}))}]
        rows[0].pop("trained", None)
        named = [("cheapest", self.cheapest), ("best trained", self.best_trained)]
        named += [("indistinguishable", other) for other in self.indistinguishable]
        named += [("runner-up", other) for other in self.runners_up]
        return frame(rows + [{"choice": name, **flat(other)} for name, other in named if other])

    def __repr__(self) -> str:
        expected = _expected(self.predicted, self.interval, self.metric)
        return f"Recommendation({self.dataset}: {_shape(self.configuration)}, {expected}{_warned(self.warnings)})"

    def __str__(self) -> str:
        lines = [_shape(self.configuration), f"  {_expected(self.predicted, self.interval)}"]
        lines += [f"  {_cost(self.cost)}", "why", *(f"  {reason}" for reason in self.reasons)]
        lines += [f"warning ({w.code}): {w.message}" for w in self.warnings]
        return "\n".join(lines)


class Prediction(_wire.Prediction):
    """What the laws expect of one configuration, and what it costs."""

    def __repr__(self) -> str:
        expected = _expected(self.predicted, self.interval)
        return f"Prediction({self.dataset}: {_shape(self.configuration)}, {expected}{_warned(self.warnings)})"


class Front(_wire.Front):
    """The configurations that no other beats in both quality and one cost."""

    def to_frame(self) -> pandas.DataFrame:
        """Return the points as a pandas DataFrame."""
        return frame([flat(point) for point in self.points])

    def __repr__(self) -> str:
        points = f"{len(self.points)} points, {self.metric} by {self.currency}"
        return f"Front({self.dataset}: {points}{_warned(self.warnings)})"

    def _repr_html_(self) -> str:
        return Table(self.points)._repr_html_()


class Potential(_wire.Potential):
    """What each change of a configuration is expected to gain."""

    def to_frame(self) -> pandas.DataFrame:
        """Return the levers as a pandas DataFrame."""
        return frame([flat(lever) for lever in self.levers])

    def __repr__(self) -> str:
        levers = ", ".join(f"{lever.name} {lever.gain:+.4g}" for lever in self.levers)
        now = _shape(self.now.configuration)
        return f"Potential({self.dataset}: {now}, {self.metric}: {levers}{_warned(self.warnings)})"

    def _repr_html_(self) -> str:
        return Table(self.levers)._repr_html_()


class Change(_wire.Change):
    """The best configuration before and after a change."""

    def to_frame(self) -> pandas.DataFrame:
        """Return both as a pandas DataFrame."""
        return frame([{"when": "before", **flat(self.before)}, {"when": "after", **flat(self.after)}])

    def __repr__(self) -> str:
        before, after = _shape(self.before.configuration), _shape(self.after.configuration)
        gain = f"{self.metric} {self.gain:+.4g}"
        if self.interval:
            gain += f" [{self.interval.low:+.4g}, {self.interval.high:+.4g}]"
        return f"Change({self.dataset}: {before} to {after}, {gain}{_warned(self.warnings)})"


class Report(_wire.Report):
    """The report of a dataset as a page of HTML."""

    _shown = ("dataset",)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the page into a file."""
        with open(file, "w", encoding="utf-8") as out:
            out.write(self.html)

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True, kw_only=True, repr=False)
class Law(_wire.Law):
    """A law of one metric. `client.law` gives it a surface, which `plot` draws."""

    surface: tuple[Prediction, ...] = field(default=(), compare=False, metadata={"wire": ""})
    """What the law expects of a grid of configurations."""

    @property
    def metric(self) -> str:
        """The metric of the law."""
        return self.fit.metric

    def to_frame(self) -> pandas.DataFrame:
        """Return the observations with what was fitted to them as a pandas DataFrame."""
        return frame([flat(point) for point in self.fit.points])

    def plot(
        self,
        kind: Literal["both", "surface", "slices"] = "both",
        *,
        along: Literal["dim", "layers"] = "dim",
        file: str | os.PathLike[str] | None = None,
    ) -> tuple[Axes, ...]:
        """Draw the law with matplotlib.

        Args:
            kind: `surface` is a heat map of layers by dimension with the observed points, `slices` are curves with
                90 % intervals and the observed points; `both` are both, side by side.
            along: Axis of the slices.
            file: A file to write the picture into, such as `law.png`.

        Returns:
            The axes; `axes[0].figure` is the figure.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from ._plot import plot

        return plot(self, kind, along, file)

    def __repr__(self) -> str:
        fit = self.fit
        return (
            f"Law({self.id}, {self.dataset}: {fit.metric}, {self.key.backbone or 'undeclared'} {self.key.loss or ''}, "
            f"{fit.leading}, {len(fit.points)} observations, layers {fit.layers_range[0]} to {fit.layers_range[1]}, "
            f"dim {fit.dim_range[0]} to {fit.dim_range[1]})"
        )

    def _repr_html_(self) -> str:
        points: Table[_wire.LawFitPoint] = Table(self.fit.points)
        return f"<p>{html.escape(repr(self))}</p>{points._repr_html_()}"


class Observation(_wire.Observation):
    """What a training measured."""

    _shown = ("id", "configuration", "metrics", "user_fraction", "seed", "converged", "status")

    def to_row(self) -> dict[str, Any]:
        """Return the columns of the table that `import_observations` and `plaw import` read."""
        key, c = self.key, self.configuration
        raw = self.raw.get("key", {})
        status = self.status or ("converged" if self.converged else "stoppedByBudget")
        row: dict[str, Any] = {
            "backbone": c.backbone, "loss": c.loss, "layers": c.layers, "dim": c.dim, "heads": c.heads,
            "max_length": c.max_length, "tokens": self.tokens, "apen": self.apen, "seed": self.seed,
            "split": key.split, "mask": key.mask, "users": self.users or None, "user_fraction": self.user_fraction,
            "negatives": key.negatives, "candidates": key.candidates, "filter": key.filter, "policy": key.policy,
            "code_version": key.code_version, "dataset_version": raw.get("datasetVersion"),
            "parameters": self.parameters, "flops": self.training_flops, "memory_bytes": self.memory_bytes,
            "latency_seconds": self.latency_seconds, "epochs": self.epochs, "best_epoch": self.best_epoch,
            "seconds": self.seconds, "status": status, "source": self.source,
        }  # fmt: skip
        for name in self.key.undeclared or ():
            row[name] = None
        for name, measured in self.metrics.items():
            row[name] = measured.value
            if measured.standard_error is not None:
                row[f"{name}_se"] = measured.standard_error
        return row


class Observations(Table[Observation]):
    """Observations, oldest first."""

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with the columns that `import_observations` and `plaw import` read."""
        rows = [observation.to_row() for observation in self]
        kept = [
            name for name in dict.fromkeys(n for row in rows for n in row) if any(r.get(name) is not None for r in rows)
        ]
        return frame([{name: row.get(name) for name in kept} for row in rows])


class Sequences(Table[UserSequence]):
    """The sequences of users."""

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each interaction: user, place in the sequence, item."""
        return frame(
            [{"user": s.user, "place": place, "item": item} for s in self for place, item in enumerate(s.items)]
        )


def _cost(cost: Cost) -> str:
    parts = []
    if cost.parameters is not None:
        parts.append(f"{cost.parameters:,.0f} parameters")
    if cost.training_seconds is not None:
        parts.append(f"{seconds(cost.training_seconds)} of training on one core")
    if cost.latency_seconds is not None:
        parts.append(f"{seconds(cost.latency_seconds)} a request")
    if cost.memory_bytes is not None:
        parts.append(f"{cost.memory_bytes / 1e6:.3g} MB to train")
    return ", ".join(parts) or "costs unknown"
