"""The clients: `AsyncClient` has the methods, `Client` runs them for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import functools
import os
import queue
import re
import shlex
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from . import _wire
from ._connection import Connection, socket_path
from ._methods import Methods
from ._quantities import Choices, JobLike, LawLike, choices, number_of, whole
from ._tables import PIECE, Source, file_source, table_of
from ._values import Table, Value
from .answers import (
    Dataset,
    DatasetSummary,
    Imported,
    Inspection,
    Job,
    Law,
    Observation,
    Observations,
    Prediction,
    Registered,
    Sequences,
    Started,
)
from .errors import (
    ConnectionLostError,
    DroppedRowsWarning,
    InvalidArgumentError,
    JobFailedError,
    ProtocolError,
    RefusedError,
)
from .progress import Progress, display_of

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V", bound=Value)

Data = Any
"""A path, several paths, a pandas or Polars DataFrame, an Arrow table, a mapping of columns, or rows."""

# Runs a function on the thread that waits for a call of `Client`: functions of users run where users called.
_at_caller: contextvars.ContextVar[Callable[[Callable[[], object]], None] | None]
_at_caller = contextvars.ContextVar("_at_caller", default=None)


class AsyncClient(Methods):
    """A client for asynchronous code. It connects with the first call, and again after the daemon was restarted.

        async with plaw.AsyncClient() as client:
            answer = await client.recommend("shop", max_params="2M")

    A client belongs to the event loop that uses it; its calls may run side by side. Cancelling a call cancels the
    request, and the job of `calibrate`.

    Args:
        socket: The daemon's socket. Unless given: `$PLAW_SOCKET`, else `/run/plawd/plawd.sock` where it exists,
            else the user's own.
    """

    def __init__(self, socket: str | os.PathLike[str] | None = None) -> None:
        self._socket = socket
        self._connection: Connection | None = None
        self._opening: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def socket(self) -> str:
        """The socket that the next connection goes to."""
        return socket_path(self._socket)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.socket!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. A later call opens another."""
        connection, self._connection = self._connection, None
        if connection and connection.loop is asyncio.get_running_loop():
            await connection.close()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._opening is None:
            self._loop, self._opening, self._connection = loop, asyncio.Lock(), None
        async with self._opening:
            if self._connection is None or not self._connection.is_open:
                self._connection = await Connection.open(self.socket)
            return self._connection

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call any method of the daemon by its name on the wire, and return its result as JSON.

        Args:
            method: Such as `server.info`.
            params: Its parameters. Those that are None are left out.

        Raises:
            RefusedError: The daemon refused the request.
        """
        connection = await self._connected()
        return await connection.call(method, {k: v for k, v in (params or {}).items() if v is not None})

    async def _ask(self, method: str, kind: type[V], params: Mapping[str, Any] | None = None) -> V:
        return kind.from_json(await self.call(method, params))

    # Datasets.

    async def register(
        self,
        name: str,
        data: Data,
        *,
        columns: Mapping[str, str | int] | None = None,
        where: str | Iterable[str] | None = None,
        order: str | None = None,
        dates: str | None = None,
        k_core: int | None = None,
        deduplicate: str | None = None,
        mask: str | None = None,
        max_length: int | None = None,
        names: Sequence[str] | None = None,
        server_path: bool = False,
    ) -> Dataset:
        """Register interactions as a dataset.

        Args:
            name: Name the dataset gets: 1 to 64 letters, digits, `-`, `_` and `.`.
            data: A path or several, a pandas or Polars DataFrame, an Arrow table, a mapping of columns, or an iterable
                of rows: dictionaries, named tuples, or tuples with `names`.
            columns: Which column holds what, such as `{"user": "uid", "item": "sku", "time": "ts"}`. A role that is
                left out is found by the names of columns. `items` names a column of lists.
            where: Read only rows that meet a condition, or all of several: `"behavior=buy"`, `"rating>=4"`.
            order: `"file"` leaves times unread and takes interactions in the order of the rows. Default: by time.
            dates: `"dmy"` or `"mdy"`: what comes first in dates such as 01/12/2010.
            k_core: Keep users and items with at least this many interactions, until stable.
            deduplicate: Keep the first of equal `"pairs"` of user and item, or of equal `"rows"`.
            mask: Items left out of the ranking: `"none"`, `"window"` or `"full"`. Unless given the share of
                repeats decides.
            max_length: Longest sequence, for tokens and per-user entropy. Default: 50.
            names: Names of the columns of rows that are tuples.
            server_path: Let the daemon open the paths itself.

        Raises:
            InvalidArgumentError: A row has no user or no item, or `data` cannot be read here.
            RefusedError: The daemon cannot read the interactions; `data["cause"]` says why.

        Warns:
            DroppedRowsWarning: Rows were left out; `dropped` of the dataset has their reasons.
        """
        options = _options(columns, where, order, dates, k_core, deduplicate)
        params = {"name": name, "options": options, "mask": mask, "maxLength": whole("max_length", max_length)}
        sources = _sources(data, names, server_path)
        with _pythonic(f'client.register("{name}", data', options):
            async with self._source(sources, data, name) as source:
                if table := sources and sources[0].table:
                    found = await self._ask("dataset.register", Registered, {**params, **source, "dryRun": True})
                    _check(found.decision, table.names)
                    table.check_ids(found.decision.columns)
                registered = await self._ask("dataset.register", Registered, {**params, **source})
        if registered.dataset is None:
            raise ProtocolError("dataset.register: found no dataset, expected one")
        dataset = Dataset.from_json(registered.dataset.raw)
        if dataset.dropped:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in dataset.dropped.items())
            count = sum(dataset.dropped.values())
            warning = DroppedRowsWarning(f"{name}: {count} rows were left out: {reasons}")
            # Five calls below the code of the user where that waits for it.
            level = 2 if _at_caller.get() is None else 5
            await self._told(lambda: warnings.warn(warning, stacklevel=level))
        return dataset

    async def inspect(
        self,
        data: Data,
        *,
        events: int | None = None,
        columns: Mapping[str, str | int] | None = None,
        where: str | Iterable[str] | None = None,
        order: str | None = None,
        dates: str | None = None,
        k_core: int | None = None,
        deduplicate: str | None = None,
        names: Sequence[str] | None = None,
        server_path: bool = False,
    ) -> Inspection:
        """Show how interactions would be read. Nothing is stored.

        Args:
            data: As of `register`, and so are the arguments below but `events`.
            events: First interactions to show. Default: 10.
            columns: Which column holds what.
            where: Conditions that rows must meet.
            order: `"file"` leaves times unread.
            dates: `"dmy"` or `"mdy"`.
            k_core: Keep users and items with at least this many interactions.
            deduplicate: `"pairs"` or `"rows"`.
            names: Names of the columns of rows that are tuples.
            server_path: Let the daemon open the paths itself.
        """
        options = _options(columns, where, order, dates, k_core, deduplicate)
        with _pythonic("client.inspect(data", options):
            async with self._source(_sources(data, names, server_path), data, None) as source:
                params = {**source, "options": options, "events": whole("events", events)}
                return await self._ask("dataset.inspect", Inspection, params)

    @contextlib.asynccontextmanager
    async def _source(self, sources: list[Source], data: Data, name: str | None) -> AsyncIterator[dict[str, Any]]:
        """Upload what is to be read, and give the parameters that name it. What is left of the upload is given up."""
        if not sources:
            yield {"paths": [os.path.abspath(path) for path in _paths(data)]}
            return
        upload = await self._upload(sources, name)
        names = [source.name for source in sources]
        found = {"uploadId": upload, "container": sources[0].container}
        try:
            yield found | ({"fileName": names[0]} if len(names) == 1 else {"fileNames": names})
        except BaseException:
            await self._discard(upload)
            raise
        if name is None:
            await self._discard(upload)

    async def _discard(self, upload: str) -> None:
        # The daemon has ended it already where it refused the content.
        with contextlib.suppress(RefusedError, ConnectionError):
            await self.call("dataset.upload", {"uploadId": upload, "discard": True})

    async def _upload(self, sources: list[Source], name: str | None = None) -> str:
        upload = str((await self.call("dataset.upload", {"name": name}))["uploadId"])
        try:
            for number, source in enumerate(sources):
                sent = 0
                pieces = source.pieces()
                # Reading a file and writing a table take their time; the loop has other work.
                while (piece := await asyncio.to_thread(next, pieces, None)) is not None or (not sent and number):
                    for start in range(0, len(piece or b"") or 1, PIECE):
                        data = base64.b64encode((piece or b"")[start : start + PIECE]).decode()
                        params = {"uploadId": upload, "offset": sent, "data": data, "file": number or None}
                        sent = (await self.call("dataset.upload", params))["received"]
                    if piece is None:
                        break
        except BaseException:
            await self._discard(upload)
            raise
        return upload

    async def datasets(self) -> Table[DatasetSummary]:
        """Return all datasets, by name."""
        return Table(await self._pages("dataset.list", _wire.DatasetPage, "datasets", "after", {}, DatasetSummary))

    async def sequences(self, name: str, *, user: str | None = None) -> Sequences:
        """Return the sequences of all users as they were read, or of one.

        Args:
            name: Name of the dataset.
            user: The user's name.
        """
        params = {"name": name, "user": user}
        page = _wire.SequencePage
        return Sequences(await self._pages("dataset.sequences", page, "sequences", "after", params, _wire.UserSequence))

    async def _pages(
        self, method: str, page: type[Value], member: str, next_name: str, params: Mapping[str, Any], kind: type[V]
    ) -> list[V]:
        rows: list[V] = []
        place: object = None
        while True:
            found = page.from_json(await self.call(method, {**params, next_name: place}))
            rows += (kind.from_json(row) for row in found.raw[member])
            place = getattr(found, "next", None)
            if place is None:
                return rows

    # Jobs.

    async def jobs(self, name: str | None = None) -> Table[Job]:
        """Return all jobs, newest first, or those of one dataset.

        Args:
            name: Name of the dataset.
        """
        params = {"name": name, "limit": 1000}
        return Table(await self._pages("job.list", _wire.JobPage, "jobs", "before", params, Job))

    async def watch(self, job: JobLike, *, progress: Progress = "auto") -> Job:
        """Follow a job until it has ended, and return it. Ctrl-C, or the cancellation of the task, leaves it running.

        Args:
            job: The job or its number.
            progress: As of `calibrate`.

        Raises:
            JobFailedError: The job failed, was cancelled, or ended without a law.
            ConnectionLostError: The daemon went away; the job goes on when it is back.
        """
        number = number_of("job", job) or 0
        display = display_of(progress)
        states: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
        connection = await self._connected()
        connection.notifications.add(states)
        try:
            last = Job.from_json(await connection.call("job.subscribe", {"id": number}))
            await self._told(functools.partial(display.show, last))
            while not last.is_final:
                state = await states.get()
                if state is None:
                    raise ConnectionLostError(
                        f"the daemon at {self.socket} went away; job {number} goes on when it is back: "
                        f"client.watch({number})",
                        number,
                    )
                # A slow display skips to the latest state.
                if state.get("id") == number and (states.empty() or state.get("state") in _FINAL):
                    last = Job.from_json(state)
                    await self._told(functools.partial(display.show, last))
        finally:
            connection.notifications.discard(states)
            with contextlib.suppress(Exception):
                await self._told(display.close)
        last = await self._ask("job.get", Job, {"id": number})
        if last.state == "finished" and (last.laws or not last.finished_trials):
            return last
        ended = "finished without a law" if last.state == "finished" else last.state
        why = f": {last.message}" if last.message else ""
        raise JobFailedError(f"job {number} {'was cancelled' if ended == 'cancelled' else ended}{why}", last)

    async def _told(self, tell: Callable[[], object]) -> None:
        """Run a function of the user on the thread that called."""
        run = _at_caller.get()
        if run is None:
            tell()
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle() -> None:
            if not done.done():
                done.set_result(None)

        def shown() -> None:
            # Where it fails nobody goes on: the call is cancelled.
            tell()
            done.get_loop().call_soon_threadsafe(settle)

        run(shown)
        await done

    async def _calibrate(self, progress: Progress, params: Mapping[str, Any]) -> Job:
        started = await self._ask("calibration.start", Started, params)
        try:
            return await self.watch(started.job.id, progress=progress)
        except (ConnectionLostError, JobFailedError, RefusedError, ProtocolError, GeneratorExit):
            raise
        except BaseException:
            # Cancelled, or the function that shows progress failed: nobody waits for the job any more.
            await self._give_up(started.job.id)
            raise

    async def _give_up(self, job: int) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asyncio.shield(self.call("job.cancel", {"id": job})), 10)

    # Laws and answers.

    async def fit(
        self,
        name: str,
        *,
        loss: str | None = None,
        metrics: Iterable[str] | None = None,
        estimator: str | None = None,
        p: float | None = None,
    ) -> Table[Law]:
        """Fit the laws of a dataset anew, and return them.

        Args:
            name: Name of the dataset.
            loss: Only laws of this loss.
            metrics: Such as `["ndcg@10", "hr@10"]`, which is the default.
            estimator: `"huber"`, the default, or `"least-squares"`.
            p: Fixed factor p of the performance law. Unless given it is profiled.
        """
        params = {"name": name, "loss": loss, "metrics": _texts(metrics), "estimator": estimator, "p": p}
        page = await self._ask("law.fit", _wire.LawPage, params)
        return Table(Law.from_json(law) for law in page.raw["laws"])

    async def laws(
        self,
        name: str | None = None,
        *,
        metric: str | None = None,
        loss: str | None = None,
        backbone: str | None = None,
    ) -> Table[Law]:
        """Return the laws that are being served, newest first; they have no surface.

        Args:
            name: Name of the dataset. Default: all.
            metric: Only laws of this metric.
            loss: Only laws of this loss.
            backbone: Only laws of this model.
        """
        params = {"name": name, "metric": metric, "loss": loss, "backbone": backbone}
        return Table(await self._pages("law.list", _wire.LawPage, "laws", "before", params, Law))

    async def law(
        self,
        name: str | None = None,
        *,
        metric: str | None = None,
        loss: str | None = None,
        law: LawLike | None = None,
        surface: bool = True,
    ) -> Law:
        """Return a law: by the name of its dataset, or by its number.

        Args:
            name: Name of the dataset.
            metric: Its metric. Default: ndcg@10.
            loss: Its loss. Default: that of the law with most evidence.
            law: The law's number.
            surface: Ask also what the law expects of a grid of configurations, which `plot` draws.
        """
        found = await self._ask(
            "law.get", Law, {"id": number_of("law", law), "name": name, "metric": metric, "loss": loss}
        )
        if not surface:
            return found
        layers, dims = _grid(found)
        predictions = await self.predictions(found.dataset, layers, dims, law=found.id, skip=True)
        return Law(**found.to_dict() | {"raw": found.raw, "surface": tuple(predictions)})

    async def predictions(
        self,
        name: str,
        layers: Choices,
        dims: Choices,
        *,
        loss: str | None = None,
        backbone: str | None = None,
        law: LawLike | None = None,
        force: bool | None = None,
        skip: bool = False,
    ) -> Table[Prediction]:
        """Predict the quality and cost of all combinations of layers and dimensions.

        Args:
            name: Name of the dataset.
            layers: Numbers of layers, such as `[1, 2, 4]` or `"1..4"`.
            dims: Dimensions, such as `[32, 64]` or `"16..64:16"`.
            loss: Laws of this loss.
            backbone: Only this model.
            law: Ask the key of this law alone.
            force: Answer also more than 2 e-folds outside the observations.
            skip: Leave out combinations that are refused, since they cannot be trained or lie too far from the
                observations.
        """
        shapes = [(n, d) for n in choices("layers", layers) or () for d in choices("dims", dims) or ()]
        turns = asyncio.Semaphore(32)

        async def one(shape: tuple[int, int]) -> Prediction | None:
            async with turns:
                try:
                    return await self.predict(
                        name, shape[0], shape[1], loss=loss, backbone=backbone, law=law, force=force
                    )
                except RefusedError as error:
                    if skip and error.reason in ("outside-domain", "invalid-params"):
                        return None
                    raise

        found = await asyncio.gather(*map(one, shapes))
        return Table(prediction for prediction in found if prediction is not None)

    # Observations.

    async def observations(self, name: str) -> Observations:
        """Return all observations of a dataset, oldest first. `to_frame` has the columns of `import_observations`.

        Args:
            name: Name of the dataset.
        """
        page = _wire.ObservationPage
        rows = await self._pages("observation.list", page, "observations", "after", {"name": name}, Observation)
        return Observations(rows)

    async def import_observations(
        self,
        name: str,
        data: Data,
        *,
        create: bool = False,
        source: str | None = None,
        constants: Mapping[str, object] | None = None,
        map: Mapping[str, str] | None = None,
        ignore: Iterable[str] | None = None,
        status_ok: Iterable[str] | None = None,
        users: int | None = None,
        items: int | None = None,
        interactions: int | None = None,
        names: Sequence[str] | None = None,
    ) -> Imported:
        """Import observations of trainings that were made elsewhere, and fit their laws. All rows are taken, or none.

        Args:
            name: Name of the dataset.
            data: A CSV file, or a table as of `register`.
            create: Make the dataset, of these observations alone.
            source: Where the figures come from, kept with every observation.
            constants: Values for all rows of columns that the table lacks, such as `{"mask": "full"}`.
            map: What columns of the table are: `{"hidden_size": "dim", "value": "ndcg@10"}`.
            ignore: Columns to leave out.
            status_ok: Words of the column `status` of trainings that ended well.
            users: With `create`: users of the dataset.
            items: With `create`: items, for the count of parameters.
            interactions: With `create`: interactions of the dataset.
            names: Names of the columns of rows that are tuples.
        """
        sources = _sources(data, names, False)
        if len(sources) != 1:
            raise InvalidArgumentError(f"data: found {len(sources)} files, expected one table")
        params = {
            "name": name, "fileName": sources[0].name, "create": create or None, "source": source,
            "columns": {key: str(value) for key, value in constants.items()} if constants else None,
            "map": dict(map) if map else None, "ignore": _texts(ignore), "statusOk": _texts(status_ok),
            "users": whole("users", users), "items": whole("items", items),
            "interactions": whole("interactions", interactions),
        }  # fmt: skip
        upload = await self._upload(sources)
        try:
            return await self._ask("observation.import", Imported, {**params, "uploadId": upload})
        except BaseException:
            await self._discard(upload)
            raise

    async def backup(self, file: str | os.PathLike[str]) -> int:
        """Write a consistent copy of the daemon's state into a tar archive, and return its bytes.

        Args:
            file: The archive to write.
        """
        begun = await self.call("store.backup")
        offset, size = 0, int(begun["bytes"])
        with open(file, "wb") as out:
            while offset < size:
                piece = await self.call("store.backup", {"backupId": begun["backupId"], "offset": offset})
                data = base64.b64decode(piece["data"])
                await asyncio.to_thread(out.write, data)
                offset += len(data)
        return size


_FINAL = ("finished", "failed", "cancelled")


def _texts(values: Iterable[str] | str | None) -> list[str] | None:
    return None if values is None else [values] if isinstance(values, str) else [str(value) for value in values]


def _options(
    columns: Mapping[str, str | int] | None,
    where: str | Iterable[str] | None,
    order: str | None,
    dates: str | None,
    k_core: int | None,
    deduplicate: str | None,
) -> dict[str, Any] | None:
    """Return `options` of the wire, without what was not given."""
    if isinstance(columns, str):
        raise InvalidArgumentError(f'columns: found {columns!r}, expected a dictionary such as {{"user": "uid"}}')
    options = {
        "columns": {role: str(column) for role, column in columns.items()} if columns else None,
        "where": _texts(where),
        "order": order,
        "dates": dates,
        "kCore": whole("k_core", k_core),
        "deduplicate": deduplicate,
    }
    return {name: value for name, value in options.items() if value is not None} or None


def _paths(data: Data) -> list[str]:
    paths = [data] if isinstance(data, (str, os.PathLike)) else data
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, (str, os.PathLike)) for path in paths):
        raise InvalidArgumentError(f"data: found {type(data).__name__}, expected a path or a list of paths")
    return [os.fspath(path) for path in paths]


def _sources(data: Data, names: Sequence[str] | None, server_path: bool) -> list[Source]:
    """Return what is uploaded; nothing where the daemon opens the paths itself."""
    if server_path:
        return []
    if isinstance(data, (str, os.PathLike)):
        return [file_source(data)]
    if isinstance(data, (list, tuple)) and data and all(isinstance(path, (str, os.PathLike)) for path in data):
        return [file_source(path) for path in data]
    table = table_of(data, names)
    if table is None:
        raise InvalidArgumentError(
            f"data: found {type(data).__name__}, expected a path, a pandas or Polars DataFrame, an Arrow table, "
            "a mapping of columns, or rows"
        )
    return [Source(table.kind, table.csv, table=table)]


def _check(decision: _wire.FormatDecision, names: Sequence[str]) -> None:
    """Refuse a table that the daemon would read as something else, such as one whose names look like data."""
    if decision.format in ("csv", "inter") and decision.has_header:
        return
    raise InvalidArgumentError(
        f"data: the names of the columns, {', '.join(map(repr, names[:8]))}, do not look like names to the daemon; "
        f'say what they hold: columns={{"user": {names[0]!r}, "item": {names[1]!r}}}, or rename numbers'
    )


@contextlib.contextmanager
def _pythonic(call: str, options: Mapping[str, Any] | None) -> Iterator[None]:
    """Turn commands in refusals into calls of Python."""
    try:
        yield
    except RefusedError as error:
        error.message = re.sub(
            r"plaw (?:register|inspect) (?:(?!  | -).)*((?: --(?:(?!  ).)*)?)",
            lambda found: _call(call, options, found[1]) or found[0],
            error.message,
        )
        error.args = (error.message,)
        raise


def _call(call: str, options: Mapping[str, Any] | None, words: str) -> str | None:
    arguments: dict[str, Any] = {"k_core" if name == "kCore" else name: v for name, v in (options or {}).items()}
    try:
        parts = shlex.split(words)
        for option, value in zip(parts[::2], parts[1::2], strict=True):
            name = option.removeprefix("--").replace("-", "_")
            if name == "columns":
                arguments[name] = dict(pair.split("=", 1) for pair in value.split(","))
            elif name == "where":
                arguments[name] = [*arguments.get(name, []), value]
            else:
                arguments[name] = value
    except ValueError:
        return None
    return f"{call}{''.join(f', {name}={value!r}' for name, value in arguments.items())})"


def _grid(law: Law) -> tuple[list[int], list[int]]:
    """Return layers and dimensions that cover what was observed, eight of each at most and those that were trained."""

    def spread(low: int, high: int, trained: set[int], step: int) -> list[int]:
        if len(trained) >= 8:
            return sorted(trained)
        ratios = [low * (high / low) ** (place / 7) for place in range(8)]
        return sorted(trained | {min(high, max(low, round(value / step) * step)) for value in ratios})

    fit = law.fit
    layers = spread(fit.layers_range[0], fit.layers_range[1], {point.layers for point in fit.points}, 1)
    dims = {point.dim for point in fit.points}
    return layers, spread(fit.dim_range[0], fit.dim_range[1], dims, 4 if all(dim % 4 == 0 for dim in dims) else 1)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, process: int) -> None:
    """End the thread of a client that is gone."""
    if process != os.getpid() or loop.is_closed():
        return

    async def end() -> None:
        others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # The transport of a connection closes in a later turn of the loop.
        await asyncio.sleep(0)
        loop.call_soon(loop.stop)

    loop.call_soon_threadsafe(lambda: _keep(loop.create_task(end())))
    if thread is not threading.current_thread():
        thread.join(5)
        if not thread.is_alive():
            loop.close()


_tasks: set[asyncio.Task[Any]] = set()
"""Tasks of all clients: a loop does not keep its tasks alive."""


def _keep(task: asyncio.Task[Any]) -> None:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Client, P], T]:
    """Return a method of `Client` that runs one of `AsyncClient` and waits for it."""

    @functools.wraps(method)
    def blocking(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(method, *args, **kwargs)

    return blocking


class Client:
    """A client. It connects with the first call, and again after the daemon was restarted.

        client = plaw.Client()
        client.register("shop", frame)
        client.calibrate("shop", budget="10m")
        answer = client.recommend("shop", max_params="2M")

    Threads may share a client: their calls run side by side. Ctrl-C cancels the call, and the job of `calibrate`. The
    methods are those of `AsyncClient`, which run on an event loop in a thread of the client.

    Args:
        socket: The daemon's socket. Unless given: `$PLAW_SOCKET`, else `/run/plawd/plawd.sock` where it exists,
            else the user's own.
    """

    def __init__(self, socket: str | os.PathLike[str] | None = None) -> None:
        self._async = AsyncClient(socket)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._end: Callable[[], object] = lambda: None

    @property
    def socket(self) -> str:
        """The socket that the next connection goes to."""
        return self._async.socket

    def __repr__(self) -> str:
        return f"Client({self.socket!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. A later call opens another."""
        if self._loop and self._process == os.getpid():
            self._run(AsyncClient.close)
            with self._starting:
                self._loop = None
                self._end()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            # A child of a fork has no thread and shares the socket with its parent: it begins anew.
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                thread = threading.Thread(target=_serve, args=(self._loop,), name="plaw", daemon=True)
                self._end = weakref.finalize(self, _stop, self._loop, thread, os.getpid())
                thread.start()
            return self._loop

    def _run(
        self, method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = self._started()
        # Wrong arguments raise here.
        coroutine = method(self._async, *args, **kwargs)
        work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = loop.create_task(coroutine)
            tasks.append(task)
            _keep(task)
            task.add_done_callback(lambda _: work.put(None))

        context = contextvars.copy_context()
        context.run(_at_caller.set, work.put)
        loop.call_soon_threadsafe(begin, context=context)
        try:
            while (function := work.get()) is not None:
                function()
        except BaseException:
            # Ctrl-C, or a function of the user failed: the call is cancelled, and what it began is given up first.
            loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            while (function := work.get()) is not None:
                with contextlib.suppress(Exception):
                    function()
            raise
        return tasks[0].result()

    call = _blocking(AsyncClient.call)
    info = _blocking(AsyncClient.info)
    metrics = _blocking(AsyncClient.metrics)
    register = _blocking(AsyncClient.register)
    inspect = _blocking(AsyncClient.inspect)
    datasets = _blocking(AsyncClient.datasets)
    dataset = _blocking(AsyncClient.dataset)
    remove = _blocking(AsyncClient.remove)
    entropy = _blocking(AsyncClient.entropy)
    sequences = _blocking(AsyncClient.sequences)
    plan = _blocking(AsyncClient.plan)
    start = _blocking(AsyncClient.start)
    calibrate = _blocking(AsyncClient.calibrate)
    watch = _blocking(AsyncClient.watch)
    jobs = _blocking(AsyncClient.jobs)
    job = _blocking(AsyncClient.job)
    wait = _blocking(AsyncClient.wait)
    cancel = _blocking(AsyncClient.cancel)
    fit = _blocking(AsyncClient.fit)
    laws = _blocking(AsyncClient.laws)
    law = _blocking(AsyncClient.law)
    predict = _blocking(AsyncClient.predict)
    predictions = _blocking(AsyncClient.predictions)
    recommend = _blocking(AsyncClient.recommend)
    pareto = _blocking(AsyncClient.pareto)
    potential = _blocking(AsyncClient.potential)
    what_if = _blocking(AsyncClient.what_if)
    report = _blocking(AsyncClient.report)
    observations = _blocking(AsyncClient.observations)
    import_observations = _blocking(AsyncClient.import_observations)
    backup = _blocking(AsyncClient.backup)
