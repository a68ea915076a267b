"""Pictures of laws, by matplotlib."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._wire import LawFitPoint
    from .answers import Law, Prediction

MOST_CURVES = 6


def plot(law: Law, kind: str, along: str, file: str | os.PathLike[str] | None) -> tuple[Axes, ...]:
    """Draw a law: `Law.plot` says how."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError("a plot needs matplotlib: python3 -m pip install 'plaw[plot]'") from error
    if kind not in ("both", "surface", "slices"):
        raise InvalidArgumentError(f'kind: found {kind!r}, expected "both", "surface" or "slices"')
    if along not in ("dim", "layers"):
        raise InvalidArgumentError(f'along: found {along!r}, expected "dim" or "layers"')
    if not law.surface:
        raise InvalidArgumentError(
            "this law has no surface to draw; get it with client.law(...), without surface=False"
        )
    count = 2 if kind == "both" else 1
    figure, axes = matplotlib.pyplot.subplots(1, count, figsize=(6.4 * count, 4.8), squeeze=False, layout="constrained")
    figure.suptitle(f"{law.dataset}: {law.metric}, {law.key.backbone or 'a model'}, law {law.id}")
    drawn: list[Axes] = list(axes[0])
    if kind != "slices":
        _surface(drawn[0], law)
    if kind != "surface":
        _slices(drawn[-1], law, along)
    if file is not None:
        figure.savefig(file)
    return tuple(drawn)


def _whole(law: Law) -> list[LawFitPoint]:
    """Return the observations of all the data: those of shares of the users lie on another surface."""
    most = max(point.effective_tokens for point in law.fit.points)
    return [point for point in law.fit.points if point.effective_tokens > 0.99 * most]


def _surface(axes: Axes, law: Law) -> None:
    import numpy

    cells = {(p.configuration.layers, p.configuration.dim): p.predicted.get(law.metric) for p in law.surface}
    layers, dims = sorted({n for n, _ in cells}), sorted({d for _, d in cells})
    values = numpy.array([[cells.get((n, d)) for d in dims] for n in layers], dtype=float)
    points = _whole(law)
    shown = [*values[numpy.isfinite(values)].tolist(), *(point.observed for point in points)]
    low, high = min(shown), max(shown)
    picture = axes.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=high)
    axes.figure.colorbar(picture, ax=axes, label=law.metric)
    axes.set_xticks(range(len(dims)), [str(d) for d in dims])
    axes.set_yticks(range(len(layers)), [str(n) for n in layers])
    axes.scatter(
        numpy.interp(numpy.log([p.dim for p in points]), numpy.log(dims), range(len(dims))),
        numpy.interp(numpy.log([p.layers for p in points]), numpy.log(layers), range(len(layers))),
        c=[p.observed for p in points],
        cmap="viridis",
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidths=1.5,
        label="observed",
    )
    axes.set(xlabel="dim", ylabel="layers", title="expected, and observed (circles)")


def _slices(axes: Axes, law: Law, along: str) -> None:
    def place(prediction: Prediction) -> tuple[int, int]:
        c = prediction.configuration
        return (c.layers, c.dim) if along == "dim" else (c.dim, c.layers)

    levels = sorted({place(prediction)[0] for prediction in law.surface})
    points = _whole(law)
    observed = {point.layers if along == "dim" else point.dim for point in points}
    if len(levels) > MOST_CURVES:
        levels = [level for level in levels if level in observed][:MOST_CURVES] or levels[:MOST_CURVES]
    other = "layers" if along == "dim" else "dim"
    for number, level in enumerate(levels):
        color = f"C{number}"
        curve = sorted((p for p in law.surface if place(p)[0] == level), key=place)
        places = [place(p)[1] for p in curve]
        axes.plot(places, [p.predicted[law.metric] for p in curve], color=color, label=f"{other} {level}")
        bands = [(place(p)[1], p.interval[law.metric]) for p in curve if law.metric in p.interval]
        axes.fill_between(
            [x for x, _ in bands], [b.low for _, b in bands], [b.high for _, b in bands], color=color, alpha=0.15
        )
        own = [p for p in points if (p.layers if along == "dim" else p.dim) == level]
        axes.plot([p.dim if along == "dim" else p.layers for p in own], [p.observed for p in own], "o", color=color)
    ticks = sorted({place(p)[1] for p in law.surface})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel=along, ylabel=law.metric, title="expected with 90 % intervals, and observed (dots)")
    axes.legend()
