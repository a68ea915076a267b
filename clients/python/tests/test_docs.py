"""Every Python block of the guide and of the README runs, in order, against a real daemon."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest

import plaw

from .conftest import Daemon, Rows, interactions
from .test_importers import unpack

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shop_rows() -> Rows:
    return interactions(users=250, items=50, seed=3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("page", ["docs/users/python.md", "clients/python/README.md"])
def test_blocks_run(
    page: str, own_daemon: Daemon, shop_rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAW_SOCKET", own_daemon.socket)
    frame = pandas.DataFrame(shop_rows, columns=["user_id", "item_id", "timestamp"])
    frame["rating"] = [1 + place % 5 for place in range(len(frame))]
    frame.to_csv("shop.csv", index=False)
    # What the importers of the guide read.
    files = Path(__file__).with_name("importers")
    Path("study.db").write_bytes(gzip.decompress((files / "optuna.db.gz").read_bytes()))
    unpack(files / "mlruns.tar.gz", tmp_path)
    shutil.copy(files / "recbole.log", "recbole.log")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    # A calibration of the page's kind, that is over in seconds.
    calibrate = plaw.Client.calibrate

    def short(self: plaw.Client, name: str, budget: str, **options: object) -> plaw.Job:
        quick = {"layers": [1, 2], "dims": [16, 32], "max_epochs": 3}
        return calibrate(self, name, budget, **quick | options)  # type: ignore[arg-type]

    monkeypatch.setattr(plaw.Client, "calibrate", short)
    names: dict[str, object] = {"frame": frame}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page}, block {number}", "exec"), names)
    client = names["client"]
    assert isinstance(client, plaw.Client)
    client.close()


def test_every_method_is_in_the_guide() -> None:
    page = (ROOT / "docs/users/python.md").read_text()
    table = page[page.index("| task | methods |") :]
    listed = set(re.findall(r"`([a-z_]+)`", table))
    assert listed == {name for name in dir(plaw.Client) if not name.startswith("_")} - {"socket"}
