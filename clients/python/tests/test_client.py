"""The client against a real daemon."""

from __future__ import annotations

import asyncio
import gc
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plaw
from plaw import progress

from .conftest import Daemon, Rows

# Longer than any test waits: such a calibration ends because it is cancelled.
LONG: dict[str, Any] = {"budget": "10m", "max_epochs": 10_000, "patience": 10_000, "layers": [2], "dims": [64]}


def test_from_rows_to_a_recommendation(client: plaw.Client, shop: str) -> None:
    dataset = client.dataset(shop)
    assert (dataset.users, dataset.items) == (300, 60) and dataset.created_at.tzinfo is not None
    assert shop in [d.name for d in client.datasets()]
    answer = client.recommend(shop, max_params="2M", max_latency="1s", max_train_time="2h", max_memory="1GiB")
    assert answer.configuration.layers >= 1 and answer.configuration.dim >= 4
    interval = answer.interval["ndcg@10"]
    assert 0 < interval.low < answer.predicted["ndcg@10"] < interval.high < 1
    assert answer.warnings[0].code and answer.reasons and answer.cost.parameters
    assert repr(answer).startswith(f"Recommendation(shop: sasrec {answer.configuration.layers} layer")
    assert "why" in str(answer) and "parameters" in str(answer)
    assert answer.raw["configuration"]["layers"] == answer.configuration.layers
    few = client.recommend(shop, layers=[2], dims="8,16", metric="hr@10")
    assert few.configuration.layers == 2 and few.configuration.dim in (8, 16) and few.metric == "hr@10"


def test_questions(client: plaw.Client, shop: str) -> None:
    prediction = client.predict(shop, 2, 16)
    assert prediction.grade == "inside" and prediction.predicted["ndcg@10"] > 0
    several = client.predictions(shop, "1..2", [8, 16])
    assert [(p.configuration.layers, p.configuration.dim) for p in several] == [(1, 8), (1, 16), (2, 8), (2, 16)]
    assert several[3].predicted == prediction.predicted
    front = client.pareto(shop, currency="latencySeconds")
    assert front.currency == "latencySeconds" and len(front.points) > 1
    potential = client.potential(shop, layers=1, dim=16)
    assert potential.now.configuration.dim == 16 and potential.levers
    change = client.what_if(shop, latency_x=0.5)
    assert change.before.cost.latency_seconds and change.after.cost.latency_seconds
    assert change.after.cost.latency_seconds < change.before.cost.latency_seconds
    entropy = client.entropy(shop)
    assert entropy.apen > 0 and entropy.effective_tokens > 0
    plan = client.plan(shop, "60s", layers=[1], dims=[8, 16], current=None)
    assert plan.budget_seconds == 60 and plan.workers >= 1
    assert "<html" in client.report(shop).html
    assert client.info().name == "plawd" and client.metrics().counters
    assert client.call("server.info")["datasets"] >= 1


def test_frames_of_answers(client: plaw.Client, shop: str) -> None:
    pytest.importorskip("pandas")
    assert list(client.recommend(shop).to_frame()["choice"][:2]) == ["recommended", "cheapest"]
    front = client.pareto(shop).to_frame()
    assert {"layers", "dim", "ndcg@10", "ndcg@10_low", "parameters"} <= set(front.columns)
    assert len(client.potential(shop).to_frame()) and len(client.what_if(shop, latency_x=0.5).to_frame()) == 2
    assert list(client.law(shop).to_frame()["layers"]) == [1, 1, 1, 2, 2, 2]
    assert len(client.job(1).to_frame()) == 6 and len(client.plan(shop, "5m", layers=[1], dims=[8, 16]).to_frame()) == 2
    assert list(client.datasets().to_frame()["name"]) == [d.name for d in client.datasets()]
    assert list(client.jobs(shop).to_frame()["state"]) == ["finished"]
    assert list(client.sequences(shop, user="u0").to_frame().columns) == ["user", "place", "item"]
    assert len(client.entropy(shop).to_frame()) > 3


def test_observations_go_out_and_in(client: plaw.Client, shop: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    observations = client.observations(shop)
    assert len(observations) == 6 and observations[0].metrics["ndcg@10"].standard_error
    frame = observations.to_frame()
    again = client.import_observations(shop, frame)
    assert (again.rows, again.duplicates, again.imported) == (6, 6, 0)
    frame.to_csv(tmp_path / "grid.csv", index=False)
    made = client.import_observations("copy", tmp_path / "grid.csv", create=True, source="a test", items=60)
    assert made.created and made.imported == 6 and len(made.laws) >= 2
    copies = client.observations("copy")
    assert [o.metrics for o in copies] == [o.metrics for o in observations] and copies[0].source == "a test"
    assert client.recommend("copy").configuration.layers >= 1
    few = pandas.DataFrame({"n": [1, 1, 2], "hidden": [8, 16, 8], "score": [0.1, 0.12, 0.11]})
    renamed = client.import_observations(
        "few", few, create=True, map={"n": "layers", "hidden": "dim", "score": "ndcg@10"}, constants={"mask": "full"}
    )
    assert renamed.imported == 3 and renamed.keys[0].key.mask == "full" and renamed.warnings
    for name in ("copy", "few"):
        assert client.remove(name).name == name


def test_observations_are_those_of_plaw(client: plaw.Client, shop: str, daemon: Daemon, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (tmp_path / "grid.csv").write_text(daemon.plaw("export", shop))
    theirs, ours = pandas.read_csv(tmp_path / "grid.csv"), client.observations(shop).to_frame()
    assert set(theirs.columns) <= set(ours.columns)
    for name in set(theirs.columns) - {"code_version"}:
        assert list(theirs[name]) == list(ours[name]), name


def test_laws(client: plaw.Client, shop: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("agg")
    law = client.law(shop)
    assert law.metric == "ndcg@10" and len(law.surface) >= 6 and len(law.fit.points) == 6
    assert [found.metric for found in client.laws(shop, metric="hr@10")] == ["hr@10"]
    assert client.law(law=law, surface=False) == law and client.law(law=law.id).id == law.id
    for number, options in enumerate([{}, {"kind": "slices", "along": "layers"}]):
        file = tmp_path / f"{number}.png"
        axes = law.plot(**options, file=file)  # type: ignore[arg-type]
        assert len(axes) == (1 if options else 2) and axes[0].has_data()
        assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 10_000
        assert _colors(file) > 10
    with pytest.raises(plaw.InvalidArgumentError, match="no surface"):
        client.laws(shop)[0].plot()
    with pytest.raises(plaw.InvalidArgumentError, match="^kind: found 'x'"):
        law.plot("x")  # type: ignore[arg-type]
    assert client.fit(shop, metrics=["ndcg@10"])[0].metric == "ndcg@10"


def _colors(file: Path) -> int:
    import matplotlib.image

    return len({tuple(pixel) for pixel in matplotlib.image.imread(file).reshape(-1, 4)[::97].tolist()})


def test_notebooks(client: plaw.Client, shop: str) -> None:
    values: list[Any] = [
        client.recommend(shop), client.predict(shop, 1, 8), client.pareto(shop), client.potential(shop),
        client.what_if(shop, latency_x=0.5), client.law(shop), client.datasets(), client.jobs(), client.job(1),
        client.dataset(shop), client.observations(shop), client.entropy(shop), client.info(), client.report(shop),
        client.sequences(shop),
    ]  # fmt: skip
    for value in values:
        page = value._repr_html_()
        assert page.startswith("<") and page.count("<table") == page.count("</table>")
        assert isinstance(value, tuple) or len(repr(value)) < 500, repr(value)
    hostile = plaw.AnswerWarning(code="<script>", message="<b>&")
    assert "<script>" not in hostile._repr_html_() and "&lt;script&gt;" in hostile._repr_html_()
    assert "&lt;b&gt;" in plaw.Table([hostile])._repr_html_()


def test_refusals(client: plaw.Client, shop: str) -> None:
    with pytest.raises(plaw.RefusedError) as unknown:
        client.recommend("nothing")
    assert (unknown.value.code, unknown.value.reason) == (-32000, "dataset-unknown")
    assert unknown.value.message == str(unknown.value) and unknown.value.method == "advisor.recommend"
    with pytest.raises(plaw.RefusedError) as infeasible:
        client.recommend(shop, max_latency="0.1us")
    assert infeasible.value.reason == "infeasible" and infeasible.value.data["cheapest"] > 0
    with pytest.raises(plaw.RefusedError, match=r"^max_length: found 5000") as refused:
        client.plan(shop, max_length=5000)
    assert refused.value.field == "max_length"
    with pytest.raises(plaw.RefusedError, match="^budget: found 0.5"):
        client.calibrate(shop, 0.5)
    with pytest.raises(plaw.InvalidArgumentError, match="^max_params: found '2 m', expected a number above 0"):
        client.recommend(shop, max_params="2 m")
    with pytest.raises(plaw.InvalidArgumentError, match=r"^layers: found \[1.5\]"):
        client.recommend(shop, layers=[1.5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="max_parms"):
        client.recommend(shop, max_parms=3)  # type: ignore[call-arg]
    with pytest.raises(plaw.RefusedError, match="already named"):
        client.register(shop, [("a", "b")], names=("user_id", "item_id"))


@pytest.fixture(scope="session")
def runs(client: plaw.Client, rows: Rows) -> str:
    """The name of a dataset for jobs that nobody asks."""
    return client.register("runs", rows, names=("user_id", "item_id", "timestamp")).name


def test_progress_is_a_function_of_the_caller(client: plaw.Client, runs: str) -> None:
    seen: list[tuple[plaw.Job, int, int]] = []

    def show(job: plaw.Job) -> None:
        # A function may call the client itself.
        seen.append((job, threading.get_ident(), client.job(job.id).id))

    job = client.calibrate(runs, budget="5m", layers=[1], dims=[8, 16], max_epochs=3, progress=show)
    assert job.state == "finished" and job.is_final and job.finished_trials == 2
    assert seen[-1][0].is_final and {number for _, _, number in seen} == {job.id}
    assert {thread for _, thread, _ in seen} == {threading.get_ident()}
    assert client.watch(job, progress=None).id == job.id

    failures: list[int] = []

    def fail(job: plaw.Job) -> None:
        failures.append(job.id)
        raise KeyError("told")

    with pytest.raises(KeyError, match="told"):
        client.calibrate(runs, progress=fail, **LONG)
    _ends(client, runs, "cancelled")
    assert len(failures) == 1


def _ends(client: plaw.Client, name: str, state: str) -> None:
    for _ in range(200):
        job = client.jobs(name)[0]
        if job.is_final:
            break
        time.sleep(0.05)
    assert job.state == state


def test_ctrl_c_cancels_the_job(client: plaw.Client, runs: str) -> None:
    main = threading.main_thread().ident
    assert main is not None
    sent: list[int] = []

    def show(job: plaw.Job) -> None:
        if job.state == "running" and not sent:
            sent.append(job.id)
            threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        client.calibrate(runs, progress=show, **LONG)
    _ends(client, runs, "cancelled")
    started = client.start(runs, **LONG)
    threading.Timer(0.5, lambda: client.cancel(started.job)).start()
    with pytest.raises(plaw.JobFailedError, match=f"job {started.job.id} was cancelled") as failed:
        client.watch(started.job.id, progress=None)
    assert failed.value.job.state == "cancelled"


def test_threads_share_a_client(client: plaw.Client, shop: str) -> None:
    expected = {dim: client.predict(shop, 1, dim).predicted for dim in range(8, 33, 8)}
    found: list[bool] = []

    def ask(dim: int) -> None:
        for _ in range(50):
            found.append(client.predict(shop, 1, dim).predicted == expected[dim])

    threads = [threading.Thread(target=ask, args=(dim,)) for dim in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 200


def test_a_child_of_a_fork_connects_itself(client: plaw.Client) -> None:
    pid = client.info().pid
    child = os.fork()
    if child == 0:
        os._exit(0 if client.info().pid == pid else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.info().pid == pid


def test_a_client_ends_its_thread(daemon: Daemon) -> None:
    def threads() -> int:
        return sum(thread.name == "plaw" for thread in threading.enumerate())

    before = threads()
    client = plaw.Client(daemon.socket)
    client.info()
    assert threads() == before + 1
    client.close()
    assert threads() == before
    assert client.info().name == "plawd"
    del client
    gc.collect()
    assert threads() == before
    script = f"import plaw; c = plaw.Client({daemon.socket!r}); print(c.info().name)"
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", script], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "plawd\n", "")


def test_a_daemon_that_is_killed(own_daemon: Daemon, rows: Rows) -> None:
    with plaw.Client(own_daemon.socket) as client:
        client.register("shop", rows, names=("user_id", "item_id", "timestamp"))
        killed: list[int] = []

        def kill(job: plaw.Job) -> None:
            if job.state == "running" and not killed:
                killed.append(job.id)
                own_daemon.kill()

        with pytest.raises(plaw.ConnectionLostError, match=r"job 1 goes on when it is back: client.watch\(1\)") as lost:
            client.calibrate("shop", progress=kill, **LONG)
        assert lost.value.job == 1
        with pytest.raises(plaw.DaemonNotRunningError, match=f"no daemon answers at {own_daemon.socket}"):
            client.datasets()
        own_daemon.start()
        assert [d.name for d in client.datasets()] == ["shop"]
        assert client.job(1).state in ("queued", "running")
        client.cancel(1)
        with pytest.raises(plaw.JobFailedError, match="was cancelled"):
            client.watch(1, progress=None)


def test_a_bar_in_a_terminal(daemon: Daemon, runs: str) -> None:
    script = (
        f"import plaw, sys\nclient = plaw.Client({daemon.socket!r})\nseed = int(sys.argv[1])\n"
        f"print(client.calibrate({runs!r}, '5m', layers=[1], dims=[8, 16], max_epochs=3, seed=seed).state)\n"
    )
    parent, child = pty.openpty()
    with open(child, "wb") as terminal:
        process = subprocess.Popen([sys.executable, "-c", script, "11"], stdout=subprocess.PIPE, stderr=terminal)
        drawn = b""
        reader = threading.Thread(target=lambda: drawing.append(_all(parent)))
        drawing: list[bytes] = []
        reader.start()
        assert process.communicate(timeout=200)[0] == b"finished\n"
    reader.join(10)
    drawn = drawing[0]
    assert re.search(rb"\r\x1b\[K\[[#.]{24}\] \d of 2 trials", drawn) and drawn.endswith(b"\r\x1b[K")
    silent = subprocess.run([sys.executable, "-c", script, "12"], capture_output=True, timeout=200)
    assert silent.stderr == b""


def _all(descriptor: int) -> bytes:
    found = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return found
        if not piece:
            return found
        found += piece


def test_a_bar_in_a_notebook(client: plaw.Client, shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []

    class Handle:
        def update(self, page: str) -> None:
            pages.append(page)

    def display(page: str, display_id: bool) -> Handle:
        pages.append(page)
        return Handle()

    bar = progress.Notebook(display, str)
    job = client.job(1)
    bar.show(job)
    bar.show(job)
    bar.close()
    assert len(pages) == 2 and pages[1].startswith("<progress value='1.000'") and "6 of 6 trials" in pages[1]


Body = Callable[[plaw.AsyncClient], Any]


def run(daemon: Daemon, body: Body) -> Any:
    async def main() -> Any:
        async with plaw.AsyncClient(daemon.socket) as client:
            return await body(client)

    return asyncio.run(main())


def test_async_calls_run_side_by_side(daemon: Daemon, shop: str) -> None:
    async def body(client: plaw.AsyncClient) -> None:
        answers = await asyncio.gather(*(client.recommend(shop, max_params=10_000 * n) for n in range(1, 9)))
        assert len(answers) == 8 and all(answer.metric == "ndcg@10" for answer in answers)
        law = await client.law(shop)
        assert len(law.surface) >= 6

    run(daemon, body)


def test_async_cancellation(daemon: Daemon, client: plaw.Client, runs: str) -> None:

    async def body(client: plaw.AsyncClient) -> None:
        running = asyncio.Event()

        def show(job: plaw.Job) -> None:
            if job.state == "running":
                running.set()

        task = asyncio.create_task(client.calibrate(runs, progress=show, **LONG))
        await asyncio.wait_for(running.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # A request that only waits is given up, and its connection goes on.
        started = await client.start(runs, **LONG)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.wait(started.job, timeout="1h"), 0.3)
        watching = asyncio.create_task(client.watch(started.job, progress=None))
        await asyncio.sleep(0.3)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        assert not (await client.job(started.job.id)).is_final
        assert (await client.cancel(started.job)).id == started.job.id

    run(daemon, body)
    _ends(client, runs, "cancelled")
    assert [job.state for job in client.jobs(runs)[:2]] == ["cancelled", "cancelled"]


def test_an_async_client_follows_its_loop(daemon: Daemon) -> None:
    client = plaw.AsyncClient(daemon.socket)

    async def ask() -> str:
        return (await client.info()).name

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["plawd", "plawd"]


def test_a_backup(client: plaw.Client, shop: str, tmp_path: Path) -> None:
    import tarfile

    size = client.backup(tmp_path / "state.tar")
    assert size == (tmp_path / "state.tar").stat().st_size
    with tarfile.open(tmp_path / "state.tar") as archive:
        assert any(name.endswith("plawd.sqlite") for name in archive.getnames())


def test_a_large_upload_goes_in_pieces(client: plaw.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 60_000
    data = {
        "user_id": [f"user-{n % 7000:040}" for n in range(count)],
        "item_id": [f"item-{n * 7919 % 900:040}" for n in range(count)],
    }
    sent: list[str] = []
    call = plaw.AsyncClient.call

    async def counted(self: plaw.AsyncClient, method: str, params: Any = None) -> Any:
        sent.append(method)
        return await call(self, method, params)

    monkeypatch.setattr(plaw.AsyncClient, "call", counted)
    dataset = client.register("large", data)
    assert dataset.interactions == count and sent.count("dataset.upload") > 5
    client.remove("large")
