"""Tables of every library are read as the file with the same rows is."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

import plaw
from plaw._tables import ROWS, table_of, text_of

from .conftest import Daemon, Rows

NAMES = ("user_id", "item_id", "timestamp")
UTC = datetime.timezone.utc


def written(data: object, names: tuple[str, ...] | None = None) -> list[list[str]]:
    """Return the rows of the CSV of a table."""
    table = table_of(data, names)
    assert table is not None
    return list(csv.reader(io.StringIO(b"".join(table.csv()).decode(), newline="")))


@pytest.fixture
def name(client: plaw.Client) -> Iterator[str]:
    """A name for a dataset, which is removed afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    yield name
    if name in [dataset.name for dataset in client.datasets()]:
        client.remove(name)


@pytest.fixture(scope="session")
def hash_(client: plaw.Client, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of the file."""
    file = tmp_path_factory.mktemp("file") / "rows.csv"
    file.write_text(",".join(NAMES) + "\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    version = client.register("as-a-file", file).version
    client.remove("as-a-file")
    return version


def test_plaw_reads_the_same(daemon: Daemon, client: plaw.Client, rows: Rows, hash_: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(",".join(NAMES) + "\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    daemon.plaw("register", "by-plaw", str(file))
    assert client.dataset("by-plaw").version == hash_
    client.remove("by-plaw")


class Event(NamedTuple):
    user_id: str
    item_id: str
    timestamp: int


def pandas_frames(rows: Rows) -> Iterator[tuple[str, Any]]:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=list(NAMES))
    yield "numbers", frame
    times = pandas.to_datetime(frame["timestamp"], unit="s")
    yield "datetimes", frame.assign(timestamp=times)
    for unit in ("s", "ms", "us", "ns"):
        yield f"datetime64[{unit}]", frame.assign(timestamp=times.astype(f"datetime64[{unit}]"))
    yield "zone", frame.assign(timestamp=times.dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"))
    yield "objects", frame.assign(timestamp=times.astype(object))
    yield "floats", frame.assign(timestamp=frame["timestamp"].astype(float))
    yield "nullable", frame.convert_dtypes()
    yield "arrow", frame.convert_dtypes(dtype_backend="pyarrow")
    yield "arrow times", frame.assign(timestamp=times.astype("timestamp[us][pyarrow]"))
    yield (
        "arrow zone",
        frame.assign(timestamp=times.dt.tz_localize("UTC").astype("timestamp[us, America/Lima][pyarrow]")),
    )
    yield "categories", frame.astype({"user_id": "category", "item_id": "category"})
    yield "index", frame.set_index("user_id")
    yield "indices", frame.set_index(["user_id", "item_id"])
    yield "more columns", frame.assign(rating=1.5, text='a "b",\n;c', flag=True, empty=None)


def polars_frames(rows: Rows) -> Iterator[tuple[str, Any]]:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(rows, schema=list(NAMES), orient="row")
    time = polars.from_epoch("timestamp")
    yield "numbers", frame
    yield "lazy", frame.lazy()
    for unit in ("ms", "us", "ns"):
        yield f"datetimes {unit}", frame.with_columns(time.cast(polars.Datetime(unit)))
    yield "zone", frame.with_columns(time.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Kolkata"))
    yield "categories", frame.with_columns(polars.col("user_id", "item_id").cast(polars.Categorical))
    yield "floats", frame.with_columns(polars.col("timestamp").cast(polars.Float64))
    yield "more columns", frame.with_columns(rating=polars.lit(1.5), text=polars.lit('a "b",\n;c'), empty=None)


def arrow_tables(rows: Rows) -> Iterator[tuple[str, Any]]:
    arrow = pytest.importorskip("pyarrow")
    users, items, times = ([row[place] for row in rows] for place in range(3))
    table = arrow.table({"user_id": users, "item_id": items, "timestamp": times})
    yield "numbers", table
    yield "batch", table.combine_chunks().to_batches()[0]
    yield "stream", table.to_reader()
    for unit in ("s", "ms", "us", "ns"):
        cast = table["timestamp"].cast(arrow.timestamp("s")).cast(arrow.timestamp(unit))
        yield f"timestamp[{unit}]", table.set_column(2, "timestamp", cast)
    zone = table["timestamp"].cast(arrow.timestamp("s", "Asia/Kolkata"))
    yield "zone", table.set_column(2, "timestamp", zone)
    yield "dictionary", table.set_column(0, "user_id", table["user_id"].dictionary_encode())
    yield "large strings", table.set_column(0, "user_id", table["user_id"].cast(arrow.large_string()))
    yield "binary", table.set_column(0, "user_id", table["user_id"].cast(arrow.binary()))


@pytest.mark.parametrize("frames", [pandas_frames, polars_frames, arrow_tables])
def test_frames_are_read_as_the_file(client: plaw.Client, rows: Rows, hash_: str, frames: Any) -> None:
    for kind, frame in frames(rows):
        dataset = client.register("frame", frame)
        client.remove("frame")
        assert dataset.version == hash_, kind
        assert dataset.dropped == {}, kind


def test_rows_are_read_as_the_file(client: plaw.Client, rows: Rows, hash_: str, name: str, tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Berlin")
    forms: list[tuple[Any, tuple[str, ...] | None]] = [
        (rows, NAMES),
        ((row for row in rows), NAMES),
        ([dict(zip(NAMES, row, strict=True)) for row in rows], None),
        ([Event(*row) for row in rows], None),
        ([(u, i, datetime.datetime.fromtimestamp(t, zone)) for u, i, t in rows], NAMES),
        ({n: [row[place] for row in rows] for place, n in enumerate(NAMES)}, None),
    ]
    for data, names in forms:
        assert client.register(name, data, names=names).version == hash_
        client.remove(name)


def test_files(client: plaw.Client, rows: Rows, hash_: str, tmp_path: Path) -> None:
    import bz2
    import gzip
    import lzma
    import zipfile

    header, lines = ",".join(NAMES) + "\n", [f"{u},{i},{t}\n" for u, i, t in rows]
    text = (header + "".join(lines)).encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    (tmp_path / "a.bz2").write_bytes(bz2.compress(text))
    (tmp_path / "a.xz").write_bytes(lzma.compress(text))
    (tmp_path / "1.csv").write_text(header + "".join(lines[:100]))
    (tmp_path / "2.csv").write_text(header + "".join(lines[100:]))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("README.txt", "words")
        archive.writestr("rows.csv", text)
    sources: list[Any] = [tmp_path / f"a.{kind}" for kind in ("gz", "bz2", "xz", "zip")]
    sources += [str(sources[0]), [tmp_path / "1.csv", str(tmp_path / "2.csv")]]
    try:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table({n: [row[place] for row in rows] for place, n in enumerate(NAMES)})
        pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
        sources.append(tmp_path / "a.parquet")
    except ImportError:
        pass
    for source in sources:
        assert client.register("file", source).version == hash_, source
        client.remove("file")
    (tmp_path / "1.csv").chmod(0o644)
    tmp_path.chmod(0o755)
    assert client.register("file", [tmp_path / "1.csv", tmp_path / "2.csv"], server_path=True).version == hash_
    client.remove("file")


def test_files_that_cannot_be_read(client: plaw.Client, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    (tmp_path / "cut.xz").write_bytes(b"\xfd7zXZ\x00abc")
    for data, words in [
        (tmp_path / "none.csv", "none.csv: No such file"),
        (tmp_path / "two.zip", "holds 2 files"),
        (tmp_path / "cut.xz", "cut.xz"),
        (7, "found int, expected a path"),
        ([], "found no rows"),
        (b"bytes", "found bytes, expected a path"),
    ]:
        with pytest.raises(plaw.InvalidArgumentError, match=words):
            client.register("no-file", data)
    with pytest.raises(plaw.RefusedError, match="nothing|empty|no line"):
        client.register("no-file", _file(tmp_path / "empty.csv", ""))


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


HOSTILE = [
    "a,b", 'say "x"', '"', '""', "tab\there", "line\nbreak", "cr\rhere", "semi;colon", "a|b", "a::b",
    "{brace", "[list", "'single'", "ünïcode 漢字 🙂", "007", "1.0", "1e5", "-3", "true", "#hash", "a b  c", "\\n", "x" * 5000,
    "2020-01-01", "sep=;", "\u2028", "\ufeffmark", "=1+1", "%", "user_id", "\u00a0hard",
]  # fmt: skip


def test_hostile_ids_come_back_as_they_were(client: plaw.Client, name: str) -> None:
    rows = [
        (f"{user}{n}", HOSTILE[(n * 7 + place) % len(HOSTILE)]) for n, user in enumerate(HOSTILE) for place in range(9)
    ]
    dataset = client.register(name, rows, names=("user_id", "item_id"))
    assert (dataset.dropped, dataset.interactions) == ({}, len(rows))
    found = {sequence.user: list(sequence.items) for sequence in client.sequences(name)}
    expected: dict[str, list[str]] = {}
    for user, item in rows:
        expected.setdefault(user, []).append(item)
    assert found == expected


def test_columns_of_lists(client: plaw.Client, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    lists: list[list[str | None]] = [
        ["a,b", 'c"d', f"i{n % 5}", "e f", str(n % 7), 'it\'s "both"', "x\\y", "[z", "w; é\r\n"] for n in range(40)
    ]
    frame = pandas.DataFrame({"user_id": [f"u{n}" for n in range(40)], "item_list": lists})
    client.register(name, frame)
    assert [list(sequence.items) for sequence in client.sequences(name, user="u3")] == [lists[3]]
    for item in (None, ""):
        lists[6][2] = item
        with pytest.raises(plaw.InvalidArgumentError, match="item_list: row 6 has an item without text"):
            client.register("lists", frame.assign(item_list=lists))
    client.remove(name)
    client.register(name, frame.assign(tags=lists, item_list=lists[:1] * 40))


@pytest.mark.parametrize("gap", [None, float("nan"), "", "NA", "null", "  "])
def test_rows_without_an_id_are_refused(client: plaw.Client, rows: Rows, gap: object) -> None:
    data: list[list[object]] = [list(row) for row in rows]
    data[17][1] = gap
    with pytest.raises(plaw.InvalidArgumentError, match="item_id: row 17 has .*expected the item of the interaction"):
        client.register("gaps", data, names=NAMES)
    assert "gaps" not in [dataset.name for dataset in client.datasets()]


def test_gaps_of_pandas(client: plaw.Client, rows: Rows, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([(int(u[1:]), int(i[1:]), t) for u, i, t in rows], columns=list(NAMES))
    frame.loc[5, "user_id"] = None
    assert str(frame["user_id"].dtype) == "float64"
    with pytest.raises(plaw.InvalidArgumentError, match=r'user_id: row 5 has no value.*dropna\(subset=\["user_id"\]\)'):
        client.register(name, frame)
    client.register(name, frame.dropna(subset=["user_id"]))
    assert "7" in [sequence.user for sequence in client.sequences(name)]
    for kind in ("Int64", "category", "string"):
        gaps = frame.astype({"user_id": kind})
        with pytest.raises(plaw.InvalidArgumentError, match="user_id: row 5 has no value"):
            client.register("gaps", gaps)


def test_missing_times_are_told(client: plaw.Client, rows: Rows, name: str) -> None:
    data = [(u, i, None if place == 3 else t) for place, (u, i, t) in enumerate(rows)]
    with pytest.warns(plaw.DroppedRowsWarning, match="1 rows were left out: missing time") as warned:
        dataset = client.register(name, data, names=NAMES)
    assert warned[0].filename == __file__
    assert dataset.dropped == {"missing time": 1}


def test_tables_that_are_refused(client: plaw.Client) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"user_id": ["a"] * 9, "item_id": ["b"] * 9})
    numbers = pandas.DataFrame([("alice", f"thing{n}") for n in range(9)])
    for data, words in [
        (pandas.DataFrame({("a", "b"): [1]}), "several levels"),
        (pandas.concat([frame, frame], axis=1), "two columns 'user_id'"),
        (frame.rename(columns={"user_id": "a\tb"}), "expected a name without tabs"),
        (frame[["user_id"]], "expected a user and an item at least"),
        (frame.head(0), "found no rows"),
        (frame.assign(item_id="b\x00c"), "item_id: row 0 has a control character in 'b"),
        (numbers, "do not look like names"),
        ({"user_id": [1, 2], "item_id": [1]}, "columns of different lengths"),
    ]:
        with pytest.raises(plaw.InvalidArgumentError, match=words):
            client.register("refused", data)
    for rows, words in [
        ([("a", "b")], "expected dictionaries, named tuples, or tuples with names="),
        ([{"user_id": 1, "item_id": 2}, {"user_id": 1, "rating": 2}], "row 1 has 'rating'"),
        ([["a", "b"], ["a"]], "row 1 has 1 values, expected 2"),
        ([{"user_id": "a", "item_id": {"b"}}], "a set of items"),
    ]:
        names = ("user_id", "item_id") if "values" in words else None
        with pytest.raises(plaw.InvalidArgumentError, match=words):
            client.register("refused", rows, names=names)
    assert "refused" not in [dataset.name for dataset in client.datasets()]


def test_refusals_say_what_to_call(client: plaw.Client, rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(plaw.RefusedError) as refused:
        client.register("r", rows, names=("who", "what", "when"), where="who!=u1")
    expected = (
        """client.register("r", data, columns={'user': 'who', 'item': 'what', 'time': 'when'}, where=['who!=u1'])"""
    )
    assert expected in refused.value.message.replace(
        "where=['who!=u1'], columns={'user': 'who', 'item': 'what', 'time': 'when'}",
        "columns={'user': 'who', 'item': 'what', 'time': 'when'}, where=['who!=u1']",
    )
    assert refused.value.reason == "invalid-input" and refused.value.data["cause"] == "ambiguous"
    file = _file(tmp_path / "a.txt", "".join(f"u{n % 5} {n % 9} {n % 5}\n" for n in range(50)))
    with pytest.raises(plaw.RefusedError, match=r"client.inspect\(data, columns="):
        client.inspect(file)
    columns = {"user": "who", "item": "what", "time": "when"}
    inspection = client.inspect(rows, names=("who", "what", "when"), columns=columns, events=2, where=["who!=u1"])
    assert [event.user for event in inspection.events] == ["u0", "u0"]


def test_options_reach_the_daemon(client: plaw.Client, rows: Rows, name: str) -> None:
    data = [(*row, place % 3) for place, row in enumerate(rows)]
    dataset = client.register(
        name, data, names=(*NAMES, "rating"), where=["rating>=1"], order="file", k_core=2, deduplicate="pairs",
        mask="window", max_length=20,
    )  # fmt: skip
    options = dataset.options
    assert (options.where, options.order, options.k_core, options.deduplicate) == (("rating>=1",), "file", 2, "pairs")
    assert dataset.mask == "window"
    with pytest.raises(plaw.RefusedError, match="^k_core: found 0") as refused:
        client.register("other", data, names=(*NAMES, "rating"), k_core=0)
    assert refused.value.field == "k_core"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (1.0, "1"), (1.5, "1.5"), (1e22, "1e+22"), (True, "true"), (None, None), (float("nan"), None),
        ("x", "x"), (b"x", "x"), (b"\xff", "ff"), (decimal.Decimal("1.50"), "1.50"), (decimal.Decimal("NaN"), None),
        (datetime.date(2020, 1, 2), "2020-01-02"), (datetime.datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05Z"),
        (datetime.datetime(2020, 1, 2, 3, 4, 5, 600, tzinfo=UTC), "2020-01-02T03:04:05.000600Z"),
        (datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5))), "2019-12-31T18:30:00Z"),
        (["a", 1, 2.0], '["a", "1", "2"]'), (("a",), '["a"]'), (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_values_as_text(value: object, text: str | None) -> None:
    assert text_of(value) == text


def test_values_of_numpy_and_pandas() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert [text_of(numpy.int64(3)), text_of(numpy.float64(3)), text_of(numpy.str_("a"))] == ["3", "3", "a"]
    assert text_of(numpy.array(["a", "b"])) == '["a", "b"]'
    assert text_of(pandas.NA) is None and text_of(pandas.NaT) is None
    assert text_of(pandas.Timestamp("2020-01-02T03:04:05.123456789+01:00")) == "2020-01-02T02:04:05.123456789Z"
    frame = pandas.DataFrame({"a": numpy.array([4.1, 2], dtype="float32"), "b": [1, 2]})
    assert written(frame)[1:] == [["4.1", "1"], ["2", "2"]]


def test_fractions_of_seconds_are_kept() -> None:
    pandas = pytest.importorskip("pandas")
    times = pandas.to_datetime(["2020-01-01 00:00:00.25", None, "2020-01-01"], format="ISO8601")
    assert [row[1] for row in written(pandas.DataFrame({"a": [1, 2, 3], "t": times}))[1:]] == [
        "2020-01-01T00:00:00.250000Z", "", "2020-01-01T00:00:00.000000Z",
    ]  # fmt: skip


def test_many_rows_are_written_in_chunks() -> None:
    count = 2 * ROWS + 1
    data = [(n, "x,y") for n in range(count)]
    found = written(data, ("a", "b"))
    assert len(found) == count + 1 and found[-1] == [str(count - 1), "x,y"]
    table = table_of([*data, (None, "z")], ("a", "b"))
    assert table is not None and list(table.csv()) and table.missing == {"a": (count, None)}
