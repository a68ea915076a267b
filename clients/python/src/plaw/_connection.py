"""One connection to the daemon: frames, ids, answers, notifications."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import struct
from collections.abc import Mapping
from typing import Any

from ._methods import PARAMETERS
from .errors import ConnectionLostError, DaemonNotRunningError, InvalidArgumentError, ProtocolError, RefusedError

REQUEST_BYTES = 4 << 20
RESPONSE_BYTES = 16 << 20
SYSTEM_SOCKET = "/run/plawd/plawd.sock"


def socket_path(explicit: str | os.PathLike[str] | None = None) -> str:
    """Return the daemon's socket as `plaw` finds it.

    That is the given path, else `$PLAW_SOCKET`, else the system's where it exists, else the user's own.
    """
    if explicit is not None:
        return os.fspath(explicit)
    if path := os.environ.get("PLAW_SOCKET"):
        return path
    if os.path.exists(SYSTEM_SOCKET):
        return SYSTEM_SOCKET
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return runtime + "/plawd/plawd.sock"
    return os.environ.get("HOME", "/root") + "/.local/state/plawd/plawd.sock"


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as a frame. Equal parameters make equal bytes, so that the daemon's cache knows them.

    Raises:
        InvalidArgumentError: The message is larger than the daemon reads, or no JSON.
    """
    try:
        text = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        body = text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{message.get('method')}: the arguments cannot be sent as JSON: {error}") from None
    if len(body) > REQUEST_BYTES:
        raise InvalidArgumentError(f"the request has {len(body)} bytes, expected at most {REQUEST_BYTES}")
    return struct.pack(">I", len(body)) + body


class Connection:
    """A connection, on the event loop that opened it."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self.loop = asyncio.get_running_loop()
        self.notifications: set[asyncio.Queue[Mapping[str, Any] | None]] = set()
        """Queues that get the params of every `job.progress`, and None when the connection ends."""
        self._writer = writer
        self._pending: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._last = 0
        self._lost: Exception | None = None
        self._task = self.loop.create_task(self._receive(reader))

    @classmethod
    async def open(cls, path: str) -> Connection:
        """Connect to the daemon.

        Raises:
            DaemonNotRunningError: Nobody answers, or this user may not connect.
        """
        try:
            return cls(path, *await asyncio.open_unix_connection(path))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise DaemonNotRunningError(
                    f"{path}: permission denied; the socket's owner and group may connect (`ls -l` shows them)"
                ) from None
            long = len(os.fsencode(path)) > 107
            reason = "longer than 107 bytes" if long else os.strerror(error.errno) if error.errno else str(error)
            raise DaemonNotRunningError(
                f"no daemon answers at {path} ({reason}); start it with `systemctl start plawd` or "
                "`plawd --state-directory DIR` (`plawd --help`), or name its socket: Client(socket) or $PLAW_SOCKET"
            ) from None

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._lost is None

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Send a request and return its result. Cancelling the task cancels the request in the daemon too.

        Raises:
            RefusedError: The daemon refused the request.
            ConnectionLostError: The daemon went away.
        """
        if self._lost:
            raise self._lost
        self._last += 1
        number = self._last
        frame = encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        answer: asyncio.Future[Mapping[str, Any]] = self.loop.create_future()
        self._pending[number] = answer
        try:
            self._writer.write(frame)
            with contextlib.suppress(ConnectionError):  # The reader's task knows why.
                await self._writer.drain()
            message = await answer
        except asyncio.CancelledError:
            if not self._lost:
                self._writer.write(encode({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": number}}))
            raise
        finally:
            self._pending.pop(number, None)
        if "error" in message:
            raise refused(message["error"], method)
        return message.get("result")

    async def close(self) -> None:
        """End the connection. Requests that are in progress raise `ConnectionLostError`."""
        self._end(ConnectionLostError(f"the connection to {self.path} was closed"))
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await self._writer.wait_closed()

    def _end(self, reason: Exception) -> None:
        if self._lost:
            return
        self._lost = reason
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(reason)
        for queue in self.notifications:
            queue.put_nowait(None)
        self._writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                if not 0 < length <= RESPONSE_BYTES:
                    raise ProtocolError(f"{self.path}: found a frame of {length} bytes; is this the socket of plawd?")
                self._deliver(json.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            self._end(ConnectionLostError(f"the daemon at {self.path} closed the connection"))
        except (ProtocolError, RefusedError) as error:
            self._end(error)
        except ValueError as error:
            self._end(ProtocolError(f"{self.path}: found a message that is no JSON: {error}"))
        finally:
            self._end(ConnectionLostError(f"the connection to {self.path} was closed"))

    def _deliver(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise ProtocolError(f"{self.path}: found a message that is no object")
        if message.get("method") == "job.progress":
            for queue in self.notifications:
                queue.put_nowait(message.get("params"))
        elif isinstance(number := message.get("id"), int):
            answer = self._pending.get(number)
            if answer and not answer.done():
                answer.set_result(message)
        elif "error" in message:
            # An error without an id concerns the connection: it was idle too long, or there are too many.
            raise refused(message["error"], "the connection")


def refused(error: Any, method: str) -> RefusedError:
    """Return the exception of an error object, with the argument's name as Python has it."""
    try:
        code, message, data = int(error["code"]), str(error["message"]), dict(error.get("data") or {})
    except (KeyError, TypeError, ValueError):
        raise ProtocolError(f"{method}: found an error that is none: {error!r}") from None
    remote = data.get("field")
    field = None
    if isinstance(remote, str):
        name, bracket, place = remote.removeprefix("options.").partition("[")
        field = PARAMETERS.get(name, OPTIONS.get(name, name)) + bracket + place
        if message.startswith(remote):
            message = field + message[len(remote) :]
    return RefusedError(code, message, data, method, field)


OPTIONS = {"kCore": "k_core", "statusOk": "status_ok", "columns": "columns"}
"""Names of members of `options`, which no generated method has."""
