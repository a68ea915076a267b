"""A real daemon for the tests. Its programs are those of PLAW_BIN, else of .build/release or .build/debug."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import plaw

ROOT = Path(__file__).resolve().parents[3]
Rows = list[tuple[str, str, int]]


def programs() -> Path | None:
    """Return the folder of the programs, if they are built."""
    given = os.environ.get("PLAW_BIN")
    folders = [Path(given)] if given else [ROOT / ".build/release", ROOT / ".build/debug"]
    return next((f for f in folders if (f / "plawd").exists() and (f / "plaw-trial").exists()), None)


def pytest_report_header() -> str:
    return (
        f"programs of plawd: {programs() or 'NONE FOUND, tests of the daemon are skipped; build them or set PLAW_BIN'}"
    )


class Daemon:
    """A private plawd."""

    def __init__(self) -> None:
        folder = programs()
        if folder is None:
            pytest.skip("no plawd in PLAW_BIN, .build/release or .build/debug: build it first")
        self.programs = folder
        self._folder = tempfile.TemporaryDirectory(prefix="plaw-python-")
        self.folder = Path(self._folder.name)
        self.socket = str(self.folder / "s")
        self.start()

    def start(self) -> None:
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [self.programs / "plawd", "--state-directory", self.folder / "state", "--socket", self.socket],
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                with plaw.Client(self.socket) as client:
                    client.info()
                return
            except plaw.DaemonNotRunningError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
        raise AssertionError("plawd does not answer")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def plaw(self, *arguments: str) -> str:
        """Run `plaw`, and return what it prints."""
        program = self.programs / "plaw"
        if not program.exists():
            pytest.skip(f"no plaw in {self.programs}: build it first")
        environment = os.environ | {"PLAW_SOCKET": self.socket}
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._folder.cleanup()


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
def own_daemon() -> Iterator[Daemon]:
    """A daemon that a test may kill."""
    daemon = Daemon()
    yield daemon
    if daemon.process.poll() is None:
        daemon.close()


@pytest.fixture(scope="session")
def client(daemon: Daemon) -> Iterator[plaw.Client]:
    with plaw.Client(daemon.socket) as client:
        yield client


def interactions(users: int = 300, items: int = 60, seed: int = 1) -> Rows:
    """Return interactions in which the next item follows from the one before, most of the time."""
    random_ = random.Random(seed)
    rows = []
    for user in range(users):
        item = random_.randrange(items)
        for place in range(random_.randrange(5, 16)):
            rows.append((f"u{user}", f"i{item}", 1_600_000_000 + user * 37 + place * 3600))
            item = (item * 7 + 3) % items if random_.random() < 0.8 else random_.randrange(items)
    return rows


@pytest.fixture(scope="session")
def rows() -> Rows:
    return interactions()


@pytest.fixture(scope="session")
def shop(client: plaw.Client, rows: Rows) -> str:
    """The name of a dataset with laws."""
    client.register("shop", rows, names=("user_id", "item_id", "timestamp"))
    client.calibrate("shop", budget="5m", layers=[1, 2], dims=[8, 16, 32], max_epochs=8, progress=None)
    return "shop"
