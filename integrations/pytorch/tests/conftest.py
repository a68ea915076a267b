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


@pytest.fixture
def plaw_trial() -> str:
    """The core's worker: PLAW_TRIAL, a build of this repository, or the PATH."""
    built = REPOSITORY / ".build" / "release" / "plaw-trial"
    found = os.environ.get("PLAW_TRIAL") or (str(built) if built.exists() else shutil.which("plaw-trial"))
    if not found:
        pytest.skip("no plaw-trial: set PLAW_TRIAL or build it")
    return found
