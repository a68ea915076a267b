"""The package builds, and installs into an environment that has nothing."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def test_the_wheel_installs_into_an_empty_environment(tmp_path: Path) -> None:
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(HERE.parent)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {"plaw/py.typed", "plaw/_wire.py"} <= set(archive.namelist())
        assert not [name for name in archive.namelist() if "test" in name or "generate" in name]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    script = "import plaw, sys; print(plaw.__version__, sorted({'pandas', 'polars', 'pyarrow', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "0.1.0 []\n", done.stderr
    frame = "import plaw; plaw.Table([plaw.Interval(low=1, high=2)]).to_frame()"
    done = subprocess.run([python, "-c", frame], capture_output=True, text=True, cwd=tmp_path)
    assert "a DataFrame needs pandas: python3 -m pip install 'plaw[pandas]'" in done.stderr
