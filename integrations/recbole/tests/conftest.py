"""Fixtures: small trials."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from recbole_folder import Folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A directory with a corpus; one thread, so that the tests can share a machine."""
    torch.set_num_threads(1)
    # RecBole reads settings from the command line of the process.
    monkeypatch.setattr(sys, "argv", ["pytest"])
    return Folder(tmp_path)
