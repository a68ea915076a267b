"""Generated code, frames, and what a daemon may send."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import plaw
from plaw import _wire
from plaw._connection import encode, socket_path
from plaw._methods import PARAMETERS
from plaw._values import Value

HERE = Path(__file__).resolve().parent
DOCUMENT = json.loads((HERE / "../../../protos/plaw.openrpc.json").read_text())


def test_generated_code_is_current() -> None:
    done = subprocess.run([sys.executable, HERE / "../generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert public(plaw.Client) == public(plaw.AsyncClient)
    for name in public(plaw.Client) - {"socket", "close"}:
        ours, theirs = getattr(plaw.Client, name), getattr(plaw.AsyncClient, name)
        assert inspect.signature(ours) == inspect.signature(theirs), name
        assert ours.__doc__ == theirs.__doc__ and ours.__doc__, name


# Methods of the wire that several methods of Python use, or none as they are.
ELSEWHERE = {
    "rpc.discover": None,
    "dataset.upload": None,
    "store.backup": None,
    "job.subscribe": None,
    "dataset.inspect": "inspect",
    "dataset.register": "register",
    "dataset.list": "datasets",
    "dataset.sequences": "sequences",
    "job.list": "jobs",
    "observation.import": "import_observations",
    "observation.list": "observations",
    "law.fit": "fit",
    "law.list": "laws",
    "law.get": "law",
}
HIDDEN = {
    "uploadId", "uploading", "path", "paths", "fileName", "fileNames", "container", "dryRun", "after", "before",
    "limit", "text",
}  # fmt: skip
RENAMED = {("observation.import", "columns"): "constants", ("law.get", "id"): "law"}


@pytest.mark.parametrize("method", DOCUMENT["methods"], ids=lambda method: method["name"])
def test_every_parameter_of_the_wire_can_be_given(method: dict[str, Any]) -> None:
    remote = method["name"]
    names = {"what_if" if remote == "advisor.whatIf" else remote.rpartition(".")[2]}
    names |= {"server.info": {"info"}, "metrics.get": {"metrics"}, "report.render": {"report"}}.get(remote, set())
    name = ELSEWHERE.get(remote, next((n for n in sorted(names) if hasattr(plaw.Client, n)), None))
    if remote.startswith(("dataset.get", "job.get")):
        name = remote.partition(".")[0]
    if name is None:
        assert remote in ELSEWHERE
        return
    known = set(inspect.signature(getattr(plaw.Client, name)).parameters)
    for param in (p["name"] for p in method["params"] if p["name"] not in HIDDEN):
        if param == "options":
            assert {"columns", "where", "order", "dates", "k_core", "deduplicate"} <= known
            continue
        if name == "laws" and param in ("law", "family"):
            continue
        ours = RENAMED.get((remote, param), PARAMETERS.get(param, re.sub("([A-Z])", r"_\1", param).lower()))
        ours = "job" if param == "id" and remote.startswith("job.") else ours
        assert ours in known, f"{remote}: {param}"


def test_examples_of_the_document_are_read() -> None:
    kinds = {
        "#/components/schemas/" + schema: getattr(_wire, schema, None) for schema in DOCUMENT["components"]["schemas"]
    }
    sys.path.insert(0, str(HERE / ".."))
    import generate

    read = 0
    for method in DOCUMENT["methods"]:
        reference = method["result"]["schema"].get("$ref", "")
        schema = reference.rpartition("/")[2]
        kind = getattr(_wire, generate.CLASSES.get(schema, schema), kinds.get(reference))
        for example in method["examples"]:
            if kind is not None and "result" in example:
                value = kind.from_json(example["result"]["value"])
                assert isinstance(value, Value) and value.raw == example["result"]["value"] and repr(value)
                read += 1
    assert read > 30


def test_unknown_members_are_left_to_raw() -> None:
    interval = plaw.Interval.from_json({"low": 1, "high": 2.5, "median": 2})
    assert (interval.low, interval.high, interval.raw["median"]) == (1, 2.5, 2)
    assert interval == plaw.Interval(low=1, high=2.5)
    with pytest.raises(AttributeError):
        interval.low = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("json_", "words"),
    [
        ({"low": 1}, "Interval: found no high"),
        ({"low": 1, "high": "2"}, "high: found '2', expected float"),
        ({"low": True, "high": 2}, "low: found True"),
        ([1, 2], "Interval: found [1, 2], expected an object"),
    ],
)
def test_answers_of_another_form_are_refused(json_: object, words: str) -> None:
    with pytest.raises(plaw.ProtocolError, match=re.escape(words)):
        plaw.Interval.from_json(json_)


def test_equal_requests_are_equal_bytes() -> None:
    assert encode({"b": 1, "a": "é"}) == encode({"a": "é", "b": 1}) == b'\x00\x00\x00\x10{"a":"\xc3\xa9","b":1}'
    with pytest.raises(plaw.InvalidArgumentError, match="at most 4194304"):
        encode({"a": "x" * 5_000_000})
    with pytest.raises(plaw.InvalidArgumentError, match="cannot be sent as JSON"):
        encode({"a": float("nan")})


def test_the_socket_is_found_as_plaw_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAW_SOCKET", "/given")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert socket_path("/mine") == "/mine"
    assert socket_path() == "/given"
    monkeypatch.delenv("PLAW_SOCKET")
    monkeypatch.setattr("os.path.exists", lambda path: path == "/run/plawd/plawd.sock")
    assert socket_path() == "/run/plawd/plawd.sock"
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert socket_path() == "/run/user/7/plawd/plawd.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("HOME", "/home/me")
    assert socket_path() == "/home/me/.local/state/plawd/plawd.sock"


Serve = Callable[[Callable[[socket.socket, dict[str, Any]], None]], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A server that answers every request with a function."""
    listener = socket.socket(socket.AF_UNIX)

    def begin(answer: Callable[[socket.socket, dict[str, Any]], None]) -> str:
        path = str(tmp_path / "s")
        listener.bind(path)
        listener.listen()

        def run() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, peer.makefile("rb") as stream:
                    while header := stream.read(4):
                        answer(peer, json.loads(stream.read(*struct.unpack(">I", header))))

        threading.Thread(target=run, daemon=True).start()
        return path

    yield begin
    listener.close()


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    ("bytes_", "error", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", plaw.ProtocolError, "is this the socket of plawd"),
        (b"\x00\x00\x00\x00", plaw.ProtocolError, "frame of 0 bytes"),
        (framed(b"{"), plaw.ProtocolError, "no JSON"),
        (framed(b"[1]"), plaw.ProtocolError, "no object"),
        (framed(b'{"id":1,"error":{"code":"x"}}'), plaw.ProtocolError, "an error that is none"),
        (
            framed(b'{"id":null,"error":{"code":-32020,"message":"idle","data":{"reason":"timed-out"}}}'),
            plaw.RefusedError,
            "idle",
        ),
    ],
)
def test_what_is_no_answer(serve: Serve, bytes_: bytes, error: type[Exception], words: str) -> None:
    path = serve(lambda peer, _: peer.sendall(bytes_))
    with plaw.Client(path) as client, pytest.raises(error, match=words):
        client.call("server.info")


def test_answers_in_pieces_and_out_of_order(serve: Serve) -> None:
    asked: list[int] = []

    def answer(peer: socket.socket, message: dict[str, Any]) -> None:
        asked.append(message["id"])
        if len(asked) < 3:
            return
        for number in reversed(asked):
            for byte in framed(json.dumps({"jsonrpc": "2.0", "id": number, "result": number}).encode()):
                peer.sendall(bytes([byte]))

    async def run() -> list[int]:
        async with plaw.AsyncClient(serve(answer)) as client:
            return list(await asyncio.gather(*(client.call(str(number)) for number in range(3))))

    assert asyncio.run(run()) == [1, 2, 3]


def test_a_closed_connection_is_opened_again(serve: Serve) -> None:
    calls: list[str] = []

    def answer(peer: socket.socket, message: dict[str, Any]) -> None:
        calls.append(message["method"])
        if message["method"] == "end":
            peer.shutdown(socket.SHUT_RDWR)
        else:
            peer.sendall(framed(json.dumps({"id": message["id"], "result": 7}).encode()))

    with plaw.Client(serve(answer)) as client:
        assert client.call("a") == 7
        with pytest.raises(plaw.ConnectionLostError, match="closed the connection"):
            client.call("end")
        assert client.call("b") == 7
    assert calls == ["a", "end", "b"]


def test_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(plaw.DaemonNotRunningError, match=f"{path} .*systemctl start plawd.*plawd --help"):
        plaw.Client(path).info()
    with pytest.raises(plaw.DaemonNotRunningError, match="longer than 107 bytes"):
        plaw.Client("/tmp/" + "x" * 200).info()
