"""Fixtures: small trials, and the programs that they are held against."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from torch_folder import REPOSITORY, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A directory with a corpus; one thread, so that the tests can share a machine."""
    torch.set_num_threads(1)
    return Folder(tmp_path)


def program(name: str, variable: str) -> str:
    """Return a program: what a variable names, that of PLAW_BIN, a build of this repository, or that of the PATH."""
    places = [os.environ.get(variable), *(Path(f) / name for f in (os.environ.get("PLAW_BIN"),) if f)]
    places.append(REPOSITORY / ".build" / "release" / name)
    found = next((str(place) for place in places if place and Path(place).exists()), None) or shutil.which(name)
    if not found:
        pytest.skip(f"no {name}: set PLAW_BIN or build it")
    return found


@pytest.fixture
def plaw_trial() -> str:
    """The core's worker."""
    return program("plaw-trial", "PLAW_TRIAL")


@pytest.fixture
def plaw() -> str:
    """The command that checks runners."""
    return program("plaw", "PLAW")
