"""Trainings that other tools have recorded, as tables for `import_observations`.

    table = plaw.importers.optuna("study.db")
    client.import_observations("shop", table, create=True, map={"value": "ndcg@10"})

Optuna's SQLite storages and MLflow's file stores are read here, with nothing but the standard library; neither tool
has to be installed. What the daemon reads itself (exports of Weights & Biases, files of RecBole) is checked here and
sent as it is. Columns have the names that the tools give them in their own tables, so the daemon reads both alike.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    import sqlite3

    from typing_extensions import Self

__all__ = ["ForeignTable", "mlflow", "optuna", "recbole", "wandb"]

PathLike = str | os.PathLike[str]

_LOCK_SECONDS = 5.0
"""How long a database that another process is writing is waited for."""
_LOOK = 1 << 18
"""Bytes at both ends of a file in which the daemon looks for RecBole's words."""


class ForeignTable(dict[str, list[Any]]):
    """Columns by their names, all of one length: what `import_observations` and `pandas.DataFrame` take.

    Attributes:
        file: Name of the file or experiment that was read; refusals of the daemon name it.
        left_out: How many records were left out, by the reason.
    """

    def __init__(self, file: str, columns: dict[str, list[Any]], left_out: dict[str, int] | None = None) -> None:
        super().__init__(columns)
        self.file = file
        self.left_out = left_out or {}

    @classmethod
    def of(cls, file: str, rows: Sequence[dict[str, Any]], names: Sequence[str], left_out: dict[str, int]) -> Self:
        """Return rows as columns; a value that a row lacks is None."""
        return cls(file, {name: [row.get(name) for row in rows] for name in names}, left_out)


# Optuna.

_OPTUNA: dict[str, set[str]] = {
    "version_info": {"schema_version"},
    "studies": {"study_id", "study_name"},
    "study_directions": {"study_id", "direction", "objective"},
    "study_system_attributes": {"study_id", "key", "value_json"},
    "trials": {"trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"},
    "trial_params": {"trial_id", "param_name", "param_value", "distribution_json"},
    "trial_values": {"trial_id", "objective", "value", "value_type"},
    "trial_user_attributes": {"trial_id", "key", "value_json"},
}
"""What is read of the schema, which Optuna has had since 3.0."""


def optuna(
    storage: PathLike, study: str | None = None, *, objectives: str | Sequence[str] | None = None
) -> ForeignTable:
    """Read the trials of a study from Optuna's SQLite storage.

    The columns are those of `study.trials_dataframe()`: `number`, `value`, `duration` (in seconds), `params_...`,
    `user_attrs_...` and `state`. Trials that were pruned, failed or are still running are rows too; the daemon keeps
    them apart. The storage is opened read-only and read in one transaction, so a study may go on meanwhile.

    Args:
        storage: The file, or its URL: `sqlite:///study.db`.
        study: Name of the study; may be left out where the storage has one.
        objectives: What the objective is, `"ndcg@10"`, or each of several. The names that `study.set_metric_names`
            gave are taken unless given. Without either the column is `value`, which `map={"value": "ndcg@10"}` of
            the import settles; a study of several objectives is refused.

    Raises:
        InvalidArgumentError: The storage is missing, locked, damaged or of another kind; it has no such study, several
            studies and none was named, or a study without trials.
    """
    path = _sqlite_path(storage)
    with _database(path) as database:
        _check_optuna(path, database)
        number, name = _study(path, database, study)
        attributes = dict(
            database.execute("SELECT key, value_json FROM study_system_attributes WHERE study_id = ?", (number,))
        )
        directions = [
            str(direction).lower()
            for (direction,) in database.execute(
                "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (number,)
            )
        ]
        told = attributes.get("study:metric_names")
        columns = _objectives(path, name, directions, objectives, None if told is None else _json(path, told, name))
        trials = _trials(path, database, number, columns)
    if not trials:
        raise _refused("storage", path, f"found no trials in the study {name!r}, expected one or more")

    def named(prefix: str) -> list[str]:
        return sorted({column for row in trials for column in row if column.startswith(prefix)})

    names = ["number", *columns, "duration", *named("params_"), *named("user_attrs_"), "state"]
    return ForeignTable.of(path.name, trials, names, {})


def _sqlite_path(storage: PathLike) -> Path:
    text = os.fspath(storage)
    scheme = re.match(r"([a-z0-9+]+)://", text)
    if scheme is None:
        return _existing("storage", Path(text))
    if scheme[1].partition("+")[0] != "sqlite":
        raise InvalidArgumentError(
            f"storage: found a URL of {scheme[1]}, expected a SQLite file or sqlite:///FILE; to get one: "
            'optuna.copy_study(from_study_name=NAME, from_storage=URL, to_storage="sqlite:///study.db")'
        )
    # sqlite:///study.db is a relative path, sqlite:////data/study.db an absolute one.
    path = text[scheme.end() :].partition("?")[0]
    if not path.startswith("/") or path == "/":
        raise InvalidArgumentError(f"storage: found {text!r}, expected sqlite:///FILE")
    return _existing("storage", Path(path[1:]))


def _existing(argument: str, path: Path) -> Path:
    if not path.exists():
        raise _refused(argument, path, "found no such file or folder")
    return path


def _refused(argument: str, path: Path, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{argument}: {path}: {message}")


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an Optuna storage read-only, in one transaction; what SQLite says becomes a refusal that names the file."""
    import sqlite3

    expected = "expected a SQLite file that Optuna wrote"
    if path.is_dir():
        raise _refused("storage", path, f"found a folder, {expected}")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise _refused("storage", path, f"{error.strerror}, {expected}") from None
    if not head:
        raise _refused("storage", path, f"found an empty file, {expected}")
    if head.startswith(b'{"op_code"'):
        raise _refused(
            "storage", path, f"found a journal of Optuna, {expected}; to get one: "
            'optuna.copy_study(from_study_name=NAME, from_storage=JOURNAL, to_storage="sqlite:///study.db")'
        )  # fmt: skip
    if head != b"SQLite format 3\0":
        raise _refused("storage", path, f"found a file of another kind, {expected}")
    try:
        # Never made where it is missing, and never written to.
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_LOCK_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN")
            yield database
    except sqlite3.Error as error:
        if re.search("locked|busy", str(error)):
            raise _refused(
                "storage", path, f"found it locked by another process for {_LOCK_SECONDS:.0f} s, expected to read it; "
                "try again later, or read a copy"
            ) from None  # fmt: skip
        raise _refused("storage", path, f"found a damaged database ({error}), {expected}") from None


def _check_optuna(path: Path, database: sqlite3.Connection) -> None:
    tables = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    expected = "expected one that Optuna wrote"
    if {"experiments", "runs", "latest_metrics"} <= tables:
        raise _refused(
            "storage", path, f"found a database of MLflow, {expected}; to import it: "
            'client.import_observations(NAME, mlflow.search_runs(experiment_names=["..."]))'
        )  # fmt: skip
    if not {"studies", "trials", "version_info"} <= tables:
        shown = ", ".join(sorted(tables)[:6]) or "none"
        raise _refused("storage", path, f"found a database with other tables ({shown}), {expected}")
    for table, columns in _OPTUNA.items():
        missing = columns - {str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")}
        if missing:
            versions = database.execute("SELECT * FROM version_info").fetchone() or ()
            raise _refused(
                "storage", path, f"found a storage of another version of Optuna ({', '.join(map(str, versions[1:]))}) "
                f"without {table}.{min(missing)}, expected one of 3.0 or newer; to update it: "
                f"optuna storage upgrade --storage sqlite:///{path.name}"
            )  # fmt: skip


def _study(path: Path, database: sqlite3.Connection, study: str | None) -> tuple[int, str]:
    rows = database.execute("SELECT study_id, study_name FROM studies ORDER BY study_id")
    studies = {str(name): int(number) for number, name in rows}
    if not studies:
        raise _refused("storage", path, "found no study, expected one or more")
    shown = ", ".join(repr(name) for name in list(studies)[:8]) + (", ..." if len(studies) > 8 else "")
    if study is None:
        if len(studies) > 1:
            raise InvalidArgumentError(
                f"study: {path}: found {len(studies)} studies ({shown}), expected the name of one: "
                f"study={next(iter(studies))!r}"
            )
        study = next(iter(studies))
    if study not in studies:
        raise InvalidArgumentError(f"study: {path}: found no study {study!r}, expected one of {shown}")
    return studies[study], study


def _objectives(
    path: Path, study: str, directions: Sequence[str], given: str | Sequence[str] | None, told: Any
) -> list[str]:
    """Return the columns of the objectives."""
    count = len(directions)
    if given is not None:
        names = [given] if isinstance(given, str) else [str(name) for name in given]
        if len(names) != count or len(set(names)) != count:
            raise InvalidArgumentError(
                f"objectives: {path}: found {names}, expected {count} different names: the study {study!r} has "
                f"{count} objectives ({', '.join(directions)})"
            )
        return names
    if isinstance(told, list) and len(told) == count and len(set(told)) == count:
        return [str(name) for name in told]
    if count != 1:
        raise InvalidArgumentError(
            f"objectives: {path}: found {count} objectives ({', '.join(directions)}) in the study {study!r}, expected "
            'the name of each: objectives=["ndcg@10", "hr@10"], or those of study.set_metric_names'
        )
    return ["value"]


def _trials(path: Path, database: sqlite3.Connection, study: int, columns: Sequence[str]) -> list[dict[str, Any]]:
    trials: dict[int, dict[str, Any]] = {}
    for trial, number, state, start, end in database.execute(
        "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE study_id = ? "
        "ORDER BY number",
        (study,),
    ):
        row: dict[str, Any] = {"number": number, "state": str(state)}
        if start and end:
            row["duration"] = (_moment(path, end) - _moment(path, start)).total_seconds()
        trials[trial] = row
    of_study = "JOIN trials USING (trial_id) WHERE study_id = ?"
    for trial, objective, value, kind in database.execute(
        f"SELECT trial_id, objective, value, value_type FROM trial_values {of_study}", (study,)
    ):
        if objective not in range(len(columns)):
            raise _refused(
                "storage", path, f"found a value of objective {objective}, expected {len(columns)} objectives"
            )
        infinite = {"INF_POS": math.inf, "INF_NEG": -math.inf}
        trials[trial][columns[objective]] = infinite.get(kind, value)
    distributions: dict[str, Any] = {}
    for trial, name, value, text in database.execute(
        f"SELECT trial_id, param_name, param_value, distribution_json FROM trial_params {of_study}", (study,)
    ):
        if text not in distributions:
            distributions[text] = _json(path, text, name)
        trials[trial][f"params_{name}"] = _parameter(path, name, value, distributions[text])
    for trial, name, text in database.execute(
        f"SELECT trial_id, key, value_json FROM trial_user_attributes {of_study}", (study,)
    ):
        trials[trial][f"user_attrs_{name}"] = _json(path, text, name)
    return list(trials.values())


def _parameter(path: Path, name: str, value: float, distribution: Any) -> object:
    """Return a parameter as it was suggested: Optuna stores a number, for a choice its place among the choices."""
    try:
        kind = str(distribution["name"])
        if kind.startswith("Categorical"):
            choices: list[object] = distribution["attributes"]["choices"]
            return choices[int(value)]
    except (KeyError, IndexError, TypeError, ValueError):
        raise _refused(
            "storage", path, f"found the value {value!r} of the parameter {name!r} outside of its distribution "
            f"{distribution}, expected one that Optuna wrote"
        ) from None  # fmt: skip
    return int(value) if kind.startswith("Int") else value


def _moment(path: Path, text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise _refused("storage", path, f"found the time {text!r} of a trial, expected 2026-01-31 12:00:00") from None


def _json(path: Path, text: object, name: str) -> Any:
    try:
        return json.loads(str(text))
    except ValueError:
        raise _refused("storage", path, f"found {str(text)[:60]!r} at {name!r}, expected JSON") from None


# MLflow.

_STATES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_RESERVED = {"tags", "datasets", "traces", "models"}
"""Folders of an experiment that are no runs."""


def mlflow(folder: PathLike, experiment: str | None = None, *, nested: str = "children") -> ForeignTable:
    """Read the runs of an experiment from MLflow's file store.

    The columns are those of `mlflow.search_runs()`: `run_id`, `status`, `metrics.NAME` (the last value) and
    `params.NAME`. Runs that failed, were killed or are still running are rows too; the daemon keeps them apart. Deleted
    runs and experiments are left out.

    Args:
        folder: The store, usually `mlruns`, or one experiment in it; a `file:` URL also.
        experiment: Name or number of the experiment; may be left out where one has runs.
        nested: Which runs are trainings, where runs have runs inside: `"children"`, those without runs inside, as in a
            search that is a run of its own; `"parents"`, the outermost, as in a cross-validation; or `"all"`.

    Raises:
        InvalidArgumentError: The folder is missing, damaged or of another kind; it has no such experiment, several and
            none was named, or none with runs.
    """
    if nested not in ("children", "parents", "all"):
        raise InvalidArgumentError(f'nested: found {nested!r}, expected "children", "parents" or "all"')
    path = _store_path(folder)
    path = path if _is_experiment(path) else _experiment(path, experiment)
    runs: dict[str, dict[str, Any]] = {}
    parents: dict[str, str] = {}
    left_out = {"deleted": 0, "nested": 0}
    for run in sorted(_folders(path)):
        if run.name in _RESERVED:
            continue
        meta = _meta(run)
        if "run_id" not in meta and "run_uuid" not in meta:
            raise _refused("folder", run / "meta.yaml", "found no run_id, expected a run of MLflow")
        if meta.get("lifecycle_stage", "active") == "deleted":
            left_out["deleted"] += 1
            continue
        row, parent = _run(run, meta)
        runs[row["run_id"]] = row | {"": meta.get("start_time", "")}
        if parent:
            parents[row["run_id"]] = parent
    # A run whose parent was deleted is on its own.
    inside = {run: parent for run, parent in parents.items() if parent in runs}
    out = {"children": set(inside.values()), "parents": set(inside), "all": set[str]()}[nested]
    left_out["nested"] = len(out)
    rows = sorted((row for name, row in runs.items() if name not in out), key=lambda row: (row[""], row["run_id"]))
    if not rows:
        deleted = f" but {left_out['deleted']} deleted ones" if left_out["deleted"] else ""
        raise _refused("folder", path, f"found no runs{deleted}, expected one or more")
    names = {name: None for row in rows for name in row}
    ordered = ["run_id", "status", *sorted(n for n in names if n.startswith(("metrics.", "params.")))]
    title = _meta(path).get("name", "").replace("/", " ") or path.name
    return ForeignTable.of(title, rows, ordered, {reason: n for reason, n in left_out.items() if n})


def _store_path(folder: PathLike) -> Path:
    text = os.fspath(folder)
    scheme = re.match(r"([a-z][a-z0-9+]+):", text)
    if scheme and scheme[1] != "file":
        raise InvalidArgumentError(
            f"folder: found a URL of {scheme[1]}, expected the folder of a file store; to import runs of a server or a "
            'database: client.import_observations(NAME, mlflow.search_runs(experiment_names=["..."]))'
        )
    path = _existing("folder", Path(unquote(urlsplit(text).path)) if scheme else Path(text))
    if not path.is_dir():
        raise _refused(
            "folder", path, "found a file, expected the folder of a file store, such as mlruns; to import runs of a "
            'database: client.import_observations(NAME, mlflow.search_runs(experiment_names=["..."]))'
        )  # fmt: skip
    return path


def _folders(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise _refused("folder", path, f"{error.strerror}, expected to read it") from None


def _is_experiment(path: Path) -> bool:
    """Tell an experiment from a store, which has no `meta.yaml` of its own."""
    if not (path / "meta.yaml").exists():
        return False
    meta = _meta(path)
    if "run_id" in meta or "run_uuid" in meta:
        raise _refused("folder", path, "found a run of MLflow, expected a store or an experiment: the folder above")
    if "experiment_id" not in meta:
        raise _refused("folder", path / "meta.yaml", "found no experiment_id, expected an experiment of MLflow")
    return True


def _experiment(path: Path, experiment: str | None) -> Path:
    found: dict[str, Path] = {}
    for folder in sorted(_folders(path)):
        # The registry of models lies beside the experiments.
        if (folder / "meta.yaml").exists() and folder.name != "models":
            meta = _meta(folder)
            if "experiment_id" not in meta:
                raise _refused("folder", folder / "meta.yaml", "found no experiment_id, expected a store of MLflow")
            if meta.get("lifecycle_stage", "active") != "deleted":
                found[meta.get("name", folder.name)] = folder
    if not found:
        raise _refused("folder", path, "found no experiments, expected a store of MLflow, such as mlruns")
    shown = ", ".join(repr(name) for name in list(found)[:8]) + (", ..." if len(found) > 8 else "")
    if experiment is not None:
        for name, folder in found.items():
            if experiment in (name, folder.name):
                return folder
        raise InvalidArgumentError(f"experiment: {path}: found no experiment {experiment!r}, expected one of {shown}")
    # Every store has an experiment Default, which is mostly empty.
    used = {name: folder for name, folder in found.items() if any(f.name not in _RESERVED for f in _folders(folder))}
    if not used:
        raise _refused("folder", path, f"found no runs in its experiments ({shown}), expected one or more")
    if len(used) > 1:
        shown = ", ".join(repr(name) for name in list(used)[:8]) + (", ..." if len(used) > 8 else "")
        raise InvalidArgumentError(
            f"experiment: {path}: found {len(used)} experiments with runs ({shown}), expected the name of one: "
            f"experiment={next(iter(used))!r}"
        )
    return next(iter(used.values()))


def _meta(folder: Path) -> dict[str, str]:
    """Return the members of a `meta.yaml`: MLflow writes one `name: value` a line.

    Quotes are removed. Values that go over several lines, as long names do, keep the first: they are not needed.
    """
    found: dict[str, str] = {}
    for line in _text(folder / "meta.yaml").splitlines():
        member = re.match(r"([a-z_]+):(?: (.*))?$", line)
        if member is None:
            if line[:1] not in ("", " ", "-", "#"):
                raise _refused("folder", folder / "meta.yaml", f"found the line {line[:60]!r}, expected name: value")
            continue
        value = (member[2] or "").strip()
        if len(value) > 1 and value[0] == value[-1] == "'":
            value = value[1:-1].replace("''", "'")
        elif len(value) > 1 and value[0] == value[-1] == '"':
            value = _unescaped(value)
        found[member[1]] = value
    return found


def _unescaped(value: str) -> str:
    """Return a text in double quotes; YAML's short escapes are those of JSON, but for `\\x41` and `\\U0001F600`."""
    codes = re.sub(r"\\x([0-9A-Fa-f]{2})", r"\\u00\1", value)
    codes = re.sub(r"\\U([0-9A-Fa-f]{8})", lambda code: json.dumps(chr(int(code[1], 16)))[1:-1], codes)
    try:
        return str(json.loads(codes))
    except ValueError:
        return value[1:-1]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise _refused("folder", file, f"{error.strerror}, expected a file of MLflow") from None
    except UnicodeDecodeError:
        raise _refused("folder", file, "found bytes that are no text, expected UTF-8") from None


def _run(folder: Path, meta: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return a run as a row, and the run that it is nested in."""
    status = meta.get("status", "")
    row: dict[str, Any] = {"run_id": meta.get("run_id") or meta["run_uuid"], "status": _STATES.get(status, status)}
    # Names with slashes are folders.
    for kind, read in (("metrics", _metric), ("params", _text)):
        readers: Callable[[Path], Any] = read
        for file in sorted(entry for entry in (folder / kind).rglob("*") if entry.is_file()):
            row[f"{kind}.{file.relative_to(folder / kind).as_posix()}"] = readers(file)
    parent = folder / "tags" / "mlflow.parentRunId"
    return row, _text(parent).strip() if parent.exists() else None


def _metric(file: Path) -> float:
    """Return the last value of a metric: that of the largest step, and of the latest time at that step.

    A line is `time value` or `time value step`. Where two words of a dataset follow, MLflow does not read the step.
    """
    values: list[tuple[int, int, float]] = []
    for line in _text(file).splitlines():
        words = line.split()
        try:
            if len(words) not in (2, 3, 5):
                raise ValueError
            values.append((int(words[2]) if len(words) == 3 else 0, int(words[0]), float(words[1])))
        except ValueError:
            raise _refused("folder", file, f"found the line {line[:60]!r}, expected: time value step") from None
    if not values:
        raise _refused("folder", file, "found nothing, expected the values of a metric")
    return max(values)[2]


# What the daemon reads itself.


def wandb(file: PathLike) -> Path:
    """Check that a file is the export of a table of runs of Weights & Biases, which the daemon reads itself.

    Args:
        file: The CSV that the table of runs exports, or `api.runs(...)` as a CSV with `Name` and `State`.

    Returns:
        The path, for `import_observations`.

    Raises:
        InvalidArgumentError: The file is missing or empty, or another kind of file.
    """
    path = _plain("file", file)
    expected = "expected the CSV that the table of runs exports, with the columns Name and State"
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            head = next(rows, [])
            has_rows = next(rows, None) is not None
    except (UnicodeDecodeError, csv.Error):
        raise _refused("file", path, f"found a file that is no text, {expected}") from None
    missing = [name for name in ("Name", "State") if name not in head]
    if missing:
        shown = ", ".join(head[:6]) or "none"
        raise _refused("file", path, f"found the columns {shown} without {missing[0]}, {expected}")
    if not has_rows:
        raise _refused("file", path, "found a header without rows, expected runs below it")
    return path


def recbole(file: PathLike) -> Path:
    """Check that a file is a log of RecBole or the result of its search, which the daemon reads itself.

    Args:
        file: A log, also of several runs, or the file that `HyperTuning.export_result` wrote.

    Returns:
        The path, for `import_observations`.

    Raises:
        InvalidArgumentError: The file is missing or empty, another kind of file, or has no test result.
    """
    path = _plain("file", file)
    with path.open("rb") as content:
        ends = content.read(_LOOK)
        content.seek(max(0, path.stat().st_size - _LOOK))
        ends += b"\n" + content.read(_LOOK)
    # The daemon decides with these words what it reads as RecBole's.
    if b"test result" not in ends.lower():
        raise _refused(
            "file", path, "found no test result, expected the log of a run that has ended, or the file that "
            "HyperTuning.export_result wrote"
        )  # fmt: skip
    return path


def _plain(argument: str, file: PathLike) -> Path:
    path = _existing(argument, Path(file))
    if path.is_dir():
        raise _refused(argument, path, "found a folder, expected a file")
    try:
        with path.open("rb") as content:
            if not content.read(1):
                raise _refused(argument, path, "found an empty file, expected one with trainings")
    except OSError as error:
        raise _refused(argument, path, f"{error.strerror}, expected to read it") from None
    return path
