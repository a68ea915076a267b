"""How a calibration shows its progress."""

from __future__ import annotations

import html
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO, Union

if TYPE_CHECKING:
    from .answers import Job

Progress = Union[Literal["auto"], Callable[["Job"], object], None]
"""`"auto"`, a function that gets every new state of the job, or None for nothing."""


class Display(Protocol):
    """What shows the states of a job."""

    def show(self, job: Job) -> None:
        """Show a state."""

    def close(self) -> None:
        """Leave the last state behind, or nothing."""


def seconds(value: float) -> str:
    """Return seconds in the unit that fits."""
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    for unit, size, most in (("s", 1.0, 120.0), ("min", 60.0, 7200.0), ("h", 3600.0, 172800.0)):
        if value < most:
            return f"{value / size:.3g} {unit}"
    return f"{value / 86400:.3g} d"


def share(job: Job) -> float:
    """Return how much of the expected time is spent: trials differ too much in size to be counted."""
    left = job.remaining_seconds
    if left is None:
        left = max(0.0, job.budget_seconds - job.active_seconds)
    total = job.active_seconds + left
    return 1.0 if job.is_final else min(1.0, max(0.0, job.active_seconds / total if total > 0 else 0.0))


def line(job: Job) -> str:
    """Return where a job stands, in a line."""
    if job.state == "queued":
        return f"job {job.id}: waiting for the job before"
    text = f"{job.finished_trials} of {job.trial_count} trials, {seconds(job.active_seconds)}"
    if job.remaining_seconds is not None and not job.is_final:
        text += f", about {seconds(job.remaining_seconds)} left"
    running = [trial for trial in job.trials or () if trial.state == "running"]
    if running:
        shown = running[0]
        text += f"; {shown.configuration.layers} x {shown.configuration.dim}"
        if shown.progress:
            text += f" epoch {shown.progress.epoch}"
        if len(running) > 1:
            text += f" and {len(running) - 1} more"
    return text


class Terminal:
    """A bar that is drawn over itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, job: Job) -> None:
        """Draw the bar."""
        filled = int(share(job) * 24)
        text = f"[{'#' * filled}{'.' * (24 - filled)}] {line(job)}"
        width = max(20, shutil.get_terminal_size().columns - 1)
        self._stream.write(f"\r\x1b[K{text[:width]}")
        self._stream.flush()

    def close(self) -> None:
        """Remove the bar."""
        self._stream.write("\r\x1b[K")
        self._stream.flush()


class Notebook:
    """A bar below a notebook's cell."""

    def __init__(self, display: Callable[..., Any], wrap: Callable[[str], Any]) -> None:
        self._display = display
        self._wrap = wrap
        self._handle: Any = None

    def show(self, job: Job) -> None:
        """Draw the bar."""
        picture = self._wrap(f"<progress value='{share(job):.3f}' max='1'></progress> {html.escape(line(job))}")
        if self._handle is None:
            self._handle = self._display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def close(self) -> None:
        """Leave the last state below the cell."""


class Silent:
    """Shows nothing."""

    def show(self, job: Job) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Calls:
    """Hands every state to a function."""

    def __init__(self, function: Callable[[Job], object]) -> None:
        self._function = function

    def show(self, job: Job) -> None:
        """Call the function."""
        self._function(job)

    def close(self) -> None:
        """Do nothing."""


def display_of(progress: Progress) -> Display:
    """Return what shows progress: in a notebook, in a terminal, by a function, or not at all."""
    if callable(progress):
        return Calls(progress)
    if progress is None:
        return Silent()
    shell = sys.modules.get("IPython")
    if shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell":
        from IPython.display import HTML, display  # type: ignore[import-not-found, unused-ignore]

        return Notebook(display, HTML)
    return Terminal(sys.stderr) if sys.stderr.isatty() else Silent()
