"""Tables of other tools: files that the libraries wrote, beside the libraries' own view of them, and what is refused."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import plaw
from plaw import importers

from .conftest import Daemon
from .importers.make_fixtures import View, plain, write_mlflow, write_optuna

FILES = Path(__file__).with_name("importers")
GRID = "grid: # \u00e9"


def needs(library: str) -> pytest.MarkDecorator:
    """Skip where a library that writes the files cannot be imported."""
    return pytest.mark.skipif(
        importlib.util.find_spec(library) is None,
        reason=f"{library.upper()} CANNOT BE IMPORTED: only its committed file is read. "
        "To run this: python3 -m pip install './clients/python[libraries]'",
    )


@pytest.fixture(scope="session")
def expected() -> dict[str, dict[str, View]]:
    found: dict[str, dict[str, View]] = json.loads((FILES / "expected.json").read_text())
    return found


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    path = tmp_path / "study.db"
    path.write_bytes(gzip.decompress((FILES / "optuna.db.gz").read_bytes()))
    return path


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of an archive into a folder."""
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            target = folder / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif (file := content.extractfile(member)) is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    unpack(FILES / "mlruns.tar.gz", tmp_path)
    return tmp_path / "mlruns"


def records(table: Any, key: str) -> dict[Any, dict[str, Any]]:
    """Return rows by their key, without cells that hold nothing."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return {row[key]: {name: plain(v) for name, v in row.items() if plain(v) is not None} for row in rows}


def same_as_optuna(path: Path, views: dict[str, View]) -> None:
    for name, wanted in views.items():
        objectives = ["values_0", "values_1"] if name == "two" else None
        table = importers.optuna(path, name, objectives=objectives)
        seen = {column.removeprefix("values_") if name == "named" else column: v for column, v in wanted.items()}
        # An objective that nobody has reached has a column, as in the library's view.
        assert set(table) == set(seen)
        found, theirs = records(table, "number"), records(seen, "number")
        assert found.keys() == theirs.keys()
        for number, row in found.items():
            assert row.pop("duration", 0) == pytest.approx(theirs[number].pop("duration", 0), abs=1e-6)
            assert row == theirs[number], number


def same_as_mlflow(path: Path, views: dict[str, View]) -> None:
    for name, wanted in views.items():
        table = importers.mlflow(path, name, nested="all")
        assert set(table) == set(wanted)
        assert records(table, "run_id") == records(wanted, "run_id")


def test_a_study_is_read_as_optuna_reads_it(storage: Path, expected: dict[str, dict[str, View]]) -> None:
    same_as_optuna(storage, expected["optuna"])
    # Types are those of the suggestions, where a DataFrame has floats in columns with gaps.
    table = importers.optuna(f"sqlite:///{storage}", "grid")
    assert {type(value) for value in table["params_n_layers"]} == {int, type(None)}
    assert table.file == "study.db" and table["number"] == list(range(12))


@needs("optuna")
def test_a_study_that_optuna_writes_now_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    views = write_optuna(tmp_path / "now.db")
    same_as_optuna(tmp_path / "now.db", views)


def test_a_store_is_read_as_mlflow_reads_it(store: Path, expected: dict[str, dict[str, View]]) -> None:
    same_as_mlflow(store, expected["mlflow"])
    assert importers.mlflow(store, GRID).left_out == {"deleted": 1}


@needs("mlflow")
@pytest.mark.filterwarnings("ignore")
def test_a_store_that_mlflow_writes_now_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    views = write_mlflow(tmp_path / "mlruns")
    same_as_mlflow(tmp_path / "mlruns", views)


def test_nested_runs(store: Path) -> None:
    def layers(nested: str) -> list[str | None]:
        table = importers.mlflow(store, "nested", nested=nested)
        return sorted(table.get("params.n_layers", [None] * len(table["run_id"])), key=str)

    assert layers("children") == ["1", "1", "2"]
    assert layers("parents") == ["1", None]
    assert layers("all") == ["1", "1", "2", None]
    with pytest.raises(plaw.InvalidArgumentError, match="nested: found 'some', expected"):
        importers.mlflow(store, "nested", nested="some")


def test_an_experiment_is_found_by_folder_url_and_number(store: Path) -> None:
    table = importers.mlflow(store, GRID)
    (folder,) = [f for f in store.iterdir() if (f / table["run_id"][0]).exists()]
    for place, name in ((folder, None), (store, folder.name), (store.as_uri(), GRID), (folder.as_uri(), None)):
        assert records(importers.mlflow(place, name), "run_id") == records(table, "run_id")
    shutil.rmtree(folder)
    assert len(importers.mlflow(store)["run_id"]) == 3


def test_a_metric_is_its_last_value(store: Path) -> None:
    table = importers.mlflow(store, GRID)
    (file,) = store.glob(f"*/{table['run_id'][0]}/metrics/hr_10")
    for text, wanted in [
        ("1 0.5 1\n3 0.25 1\n2 0.75 1\n", 0.25), ("1 0.5 2\n9 0.25 1\n", 0.5), ("1 0.5\n2 0.75\n", 0.75),
        ("1 0.5 7 data d1\n2 0.25 0 data d1\n", 0.25),
    ]:  # fmt: skip
        file.write_text(text)
        assert importers.mlflow(store, GRID)["metrics.hr_10"][0] == wanted
    file.write_text("1 nan 1\n")
    assert math.isnan(importers.mlflow(store, GRID)["metrics.hr_10"][0])


# What is refused: each message names the file, what was found and what was expected.


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(plaw.InvalidArgumentError) as caught:
        read()
    assert "expected" in str(caught.value) or "no such file" in str(caught.value)
    return str(caught.value)


def test_storages_that_cannot_be_read_are_refused(storage: Path, tmp_path: Path) -> None:
    def of(content: bytes) -> str:
        (tmp_path / "x.db").write_bytes(content)
        message = refusal(lambda: importers.optuna(tmp_path / "x.db"))
        assert message.startswith(f"storage: {tmp_path / 'x.db'}: found")
        return message

    whole = storage.read_bytes()
    assert "an empty file" in of(b"")
    assert "another kind" in of(b"number,value\n0,0.1\n")
    assert "a journal of Optuna" in of(b'{"op_code": 0, "worker_id": "w"}\n')
    assert "damaged" in of(whole[: len(whole) // 2])
    assert "damaged" in of(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "no such file" in refusal(lambda: importers.optuna(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()
    assert "a folder" in refusal(lambda: importers.optuna(tmp_path))
    assert "a URL of mysql" in refusal(lambda: importers.optuna("mysql+pymysql://host/db"))
    assert "sqlite:///FILE" in refusal(lambda: importers.optuna("sqlite://"))


def test_databases_of_others_are_refused(storage: Path, tmp_path: Path) -> None:
    def of(*statements: str, path: Path | None = None) -> str:
        path = path or tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        with closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()
        return refusal(lambda: importers.optuna(path, "grid"))

    assert "other tables (cats)" in of("CREATE TABLE cats (name)")
    tables = ("experiments", "runs", "latest_metrics")
    assert "a database of MLflow" in of(*(f"CREATE TABLE {name} (x)" for name in tables))
    kept = storage.read_bytes()
    old = of("ALTER TABLE trial_values DROP COLUMN value_type", path=storage)
    assert "without trial_values.value_type" in old and "optuna storage upgrade" in old
    storage.write_bytes(kept)
    assert "expected JSON" in of("UPDATE trial_params SET distribution_json = '{'", path=storage)
    storage.write_bytes(kept)
    assert "outside of its distribution" in of(
        "UPDATE trial_params SET param_value = 9 WHERE param_name = 'loss'", path=storage
    )
    storage.write_bytes(kept)
    assert "the time" in of("UPDATE trials SET datetime_start = 'soon'", path=storage)
    storage.write_bytes(kept)
    assert "objective 5" in of("UPDATE trial_values SET objective = objective + 5", path=storage)
    storage.write_bytes(kept)
    assert "found no study, expected" in of("DELETE FROM studies", path=storage)


def test_a_locked_storage_is_refused_and_a_busy_one_read(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importers, "_LOCK_SECONDS", 0.2)
    with closing(sqlite3.connect(storage, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert importers.optuna(storage, "grid")["number"]
        other.execute("ROLLBACK")
        other.execute("BEGIN EXCLUSIVE")
        assert "locked by another process" in refusal(lambda: importers.optuna(storage, "grid"))


def test_studies_that_cannot_be_read_are_refused(storage: Path) -> None:
    assert "found 4 studies ('grid', 'two', 'named', 'empty')" in refusal(lambda: importers.optuna(storage))
    assert "found no study 'gird', expected one of 'grid'" in refusal(lambda: importers.optuna(storage, "gird"))
    assert "found no trials in the study 'empty'" in refusal(lambda: importers.optuna(storage, "empty"))
    two = refusal(lambda: importers.optuna(storage, "two"))
    assert "found 2 objectives (maximize, maximize)" in two and 'objectives=["ndcg@10", "hr@10"]' in two
    one = refusal(lambda: importers.optuna(storage, "grid", objectives=["ndcg@10", "hr@10"]))
    assert "expected 1 different names" in one
    assert set(importers.optuna(storage, "grid", objectives="ndcg@10")) >= {"ndcg@10", "state"}


def test_stores_that_cannot_be_read_are_refused(store: Path, storage: Path, tmp_path: Path) -> None:
    assert "no such file or folder" in refusal(lambda: importers.mlflow(tmp_path / "none"))
    assert "found a file" in refusal(lambda: importers.mlflow(storage))
    assert "a URL of https" in refusal(lambda: importers.mlflow("https://host"))
    (tmp_path / "empty").mkdir()
    assert "found no experiments" in refusal(lambda: importers.mlflow(tmp_path / "empty"))
    several = refusal(lambda: importers.mlflow(store))
    assert "found 2 experiments with runs" in several and "'nested'" in several and "Default" not in several
    assert "found no experiment 'gone'" in refusal(lambda: importers.mlflow(store, "gone"))
    assert "found no runs, expected one or more" in refusal(lambda: importers.mlflow(store, "Default"))
    run = next(store.glob("[0-9]*/*/meta.yaml")).parent
    assert "found a run of MLflow" in refusal(lambda: importers.mlflow(run))
    name = importers._meta(run.parent)["name"]
    text = (run / "meta.yaml").read_text()
    for change, words in [
        ("", "found no run_id"), ("{]\n" + text, "found the line '{]'"), (None, "No such file or directory"),
    ]:  # fmt: skip
        (run / "meta.yaml").write_text(change) if change is not None else (run / "meta.yaml").unlink()
        message = refusal(lambda: importers.mlflow(store, name))
        assert words in message and str(run / "meta.yaml") in message
    (run / "meta.yaml").write_text(text)
    for file in (run / "metrics").rglob("*_10"):
        file.write_text("soon\n")
    assert "expected: time value step" in refusal(lambda: importers.mlflow(store, name, nested="all"))
    for file in store.glob("[0-9]*/*/meta.yaml"):
        file.write_text(file.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))
    assert "found no runs but 11 deleted ones" in refusal(lambda: importers.mlflow(store, GRID))


def test_values_of_yaml() -> None:
    assert importers._unescaped('"a \\xe9 \\U0001F600 \\t"') == "a \u00e9 \U0001f600 \t"
    assert importers._unescaped('"a \\_"') == "a \\_"


def test_files_that_the_daemon_reads_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    for content, words in [
        (b"", "an empty file"), (b"a,b\n1,2\n", "without Name"), (b"Name,ID\nx,y\n", "without State"),
        (b"Name,State\n", "a header without rows"), (b"\xff\xfe\x00", "no text"),
    ]:  # fmt: skip
        file.write_bytes(content)
        assert words in refusal(lambda: importers.wandb(file))
    file.write_text("\ufeffName,State,n_layers\nx,finished,1\n", encoding="utf-8")
    assert importers.wandb(file) == file
    assert "found no test result" in refusal(lambda: importers.recbole(file))
    assert "a folder" in refusal(lambda: importers.recbole(tmp_path))
    log = (FILES / "recbole.log").read_text()
    file.write_text(log + log)
    assert importers.recbole(file) == file
    file.write_text(log[: log.index("test result")])
    assert "found no test result" in refusal(lambda: importers.recbole(file))


# Through a real daemon.


def test_a_study_goes_to_its_law(client: plaw.Client, storage: Path) -> None:
    table = importers.optuna(storage, "grid")
    options: dict[str, Any] = {"create": True, "constants": {"backbone": "gru4rec"}, "map": {"params_lr": "policy"}}
    with pytest.raises(plaw.RefusedError, match=r'study\.db, line 1: found an unknown column "value"'):
        client.import_observations("optuna", table, **options)
    options["map"] = {"value": "ndcg@10", "params_lr": "policy"}
    found = client.import_observations("optuna", table, **options, source="a search")
    # Nine trials, of which one failed and one was pruned; one without a finite value; one that runs, one that waits.
    assert found.rows == 12 and found.failed == 2 and found.imported + found.skipped == 12
    assert sum(key.converged for key in found.keys) == 7 and found.laws
    answer = client.recommend("optuna")
    assert (answer.configuration.layers, answer.configuration.backbone) == (2, "gru4rec")
    seen = client.observations("optuna").to_frame()
    assert set(seen["source"]) == {"a search"} and (seen["status"] == "PRUNED").sum() == 1
    named = client.import_observations("named", importers.optuna(storage, "named"), create=True, ignore=["params_lr"])
    assert named.failed == 1 and sum(key.converged for key in named.keys) == 8
    for name in ("optuna", "named"):
        client.remove(name)


def test_a_store_goes_to_its_law(client: plaw.Client, store: Path) -> None:
    with pytest.raises(
        plaw.RefusedError, match=r'^grid: # \u00e9, line 1: found an unknown column "params.opt/embedding_size"'
    ):
        client.import_observations("mlflow", importers.mlflow(store, GRID), create=True)
    dim = {"params.opt/embedding_size": "dim"}
    found = client.import_observations("mlflow", importers.mlflow(store, GRID), create=True, map=dim)
    assert found.rows == 10 and found.failed == 1 and sum(key.converged for key in found.keys) == 9 and found.laws
    assert client.recommend("mlflow").configuration.backbone == "gru4rec"
    # One training is no law.
    first = {name: values[:1] for name, values in importers.mlflow(store, "nested").items()}
    assert client.import_observations("nested", first, create=True, map=dim).laws == ()
    with pytest.raises(plaw.RefusedError, match="law"):
        client.recommend("nested")
    for name in ("mlflow", "nested"):
        client.remove(name)


@needs("optuna")
def test_a_storage_is_imported_as_the_csv_of_its_dataframe(
    client: plaw.Client, daemon: Daemon, storage: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    import optuna  # type: ignore[import-not-found,unused-ignore]

    frame = optuna.load_study(study_name="grid", storage=f"sqlite:///{storage}").trials_dataframe()
    frame.to_csv(tmp_path / "study.csv", index=False)
    daemon.plaw(
        "import", "by-csv", str(tmp_path / "study.csv"), "--create", "--map", "value=ndcg@10", "--ignore", "params_lr"
    )
    client.import_observations(
        "by-storage", importers.optuna(storage, "grid"), create=True, map={"value": "ndcg@10"}, ignore=["params_lr"]
    )
    first, second = (client.observations(name).to_frame() for name in ("by-csv", "by-storage"))
    assert first.drop(columns="created_at", errors="ignore").equals(second.drop(columns="created_at", errors="ignore"))


def test_files_of_recbole_and_wandb_go_to_the_daemon(client: plaw.Client, tmp_path: Path) -> None:
    found = client.import_observations(
        "recbole", importers.recbole(FILES / "recbole-search.txt"), create=True, constants={"backbone": "SASRec"}
    )
    assert found.imported == 3
    by_log = client.import_observations("recbole", importers.recbole(FILES / "recbole.log"))
    assert by_log.imported == 1
    shapes = {(o.configuration.layers, o.configuration.dim) for o in client.observations("recbole")}
    assert shapes == {(1, 16), (1, 32), (2, 16)}
    file = tmp_path / "runs.csv"
    file.write_text(
        '"Name","State","Runtime","n_layers","hidden_size","test/ndcg@10"\n'
        + "".join(f'"run-{n}-{d}","finished","61","{n}","{d}","0.{n}{d}"\n' for n in (1, 2) for d in (16, 32))
        + '"run-x","crashed","9","2","64",""\n'
    )
    runs = client.import_observations("wandb", importers.wandb(file), create=True)
    assert (runs.rows, runs.failed) == (5, 1)
    for name in ("recbole", "wandb"):
        client.remove(name)
