"""Fixtures: small trials, and the programs that they are held against."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from runner_folder import REPOSITORY, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A directory with a corpus."""
    return Folder(tmp_path)


@pytest.fixture
def plaw_trial() -> str:
    """The core's worker: PLAW_TRIAL, that of PLAW_BIN, a build of this repository, or the PATH."""
    built = Path(os.environ.get("PLAW_BIN") or REPOSITORY / ".build" / "release") / "plaw-trial"
    found = os.environ.get("PLAW_TRIAL") or (str(built) if built.exists() else shutil.which("plaw-trial"))
    if not found:
        pytest.skip("no plaw-trial: set PLAW_TRIAL or build it")
    return found


@pytest.fixture
def schemas() -> dict[str, Any]:
    """Validators of the contract's schemas that also refuse members which the schemas do not name."""
    jsonschema = pytest.importorskip("jsonschema")
    found = {}
    for name in ("spec", "progress", "result", "describe"):
        schema = json.loads((REPOSITORY / "protos" / "trial" / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        found[name] = jsonschema.Draft202012Validator(_closed(schema))
    return found


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    copy = {key: _closed(value) for key, value in schema.items()}
    if copy.get("type") == "object" and "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy
