"""What can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Job


class PlawError(Exception):
    """The base of all errors of this package."""


class InvalidArgumentError(PlawError, ValueError):
    """An argument was refused before the daemon was asked. The message begins with the argument's name."""


class DaemonNotRunningError(PlawError, ConnectionError):
    """No daemon answers at the socket."""


class ConnectionLostError(PlawError, ConnectionError):
    """The daemon went away before it answered. The next call connects again.

    Attributes:
        job: Number of the job that was followed, if any. It goes on when the daemon is back; `watch` follows it.
    """

    def __init__(self, message: str, job: int | None = None) -> None:
        super().__init__(message)
        self.job = job


class ProtocolError(PlawError):
    """The daemon sent what this version of the package does not understand."""


class RefusedError(PlawError):
    """The daemon refused a request.

    Attributes:
        code: The JSON-RPC code, such as -32000.
        reason: The word that stays the same, such as `dataset-unknown`.
        message: What was found and what was expected.
        data: All that the daemon said about it.
        method: The method that was called.
        field: The argument that is to blame, if one is.
    """

    def __init__(self, code: int, message: str, data: Mapping[str, Any], method: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = str(data.get("reason", ""))
        self.message = message
        self.data = data
        self.method = method
        self.field = field


class JobFailedError(PlawError):
    """A job failed, was cancelled, or ended without a law.

    Attributes:
        job: The job with its trials.
    """

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


class DroppedRowsWarning(UserWarning):
    """Rows of a dataset were left out, because they could not be used."""
