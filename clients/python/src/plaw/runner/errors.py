"""Errors of a trial, each with the exit status that tells the daemon what happened."""

from __future__ import annotations

REFUSED = 65
OUT_OF_MEMORY = 71
INTERRUPTED = 75


class RunnerError(Exception):
    """An error that ends the trial; `status` is the exit status of the process."""

    status = 1


class Refused(RunnerError):
    """This runner cannot train the specification, now or later. The daemon does not try again."""

    status = REFUSED


class CorpusError(Refused):
    """The corpus file is foreign, damaged, cut short, or not the one that was registered."""


class Interrupted(RunnerError):
    """SIGTERM asked the trial to stop. It goes on from its checkpoint later."""

    status = INTERRUPTED


class Diverged(RunnerError):
    """A loss or a score is not finite, or the loss is far above that of the first step.

    `Trial` catches it and writes a result with the status `diverged`.
    """
