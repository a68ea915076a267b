"""A trial in its directory: what a trainer reads, tells, keeps and leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from plaw.runner import stopping
from plaw.runner.corpus import Corpus
from plaw.runner.errors import OUT_OF_MEMORY, Diverged, Interrupted, Refused, RunnerError
from plaw.runner.files import fnv1a, peak_memory_bytes, replace_file, write_atomically
from plaw.runner.ranking import Measurement, Ranking, Ranks, Score, measure, measure_all
from plaw.runner.spec import Spec
from plaw.runner.split import Negatives, Part, SharedNegatives, Split
from plaw.runner.stopping import Position

RankPart = Callable[[Part, Callable[[], None]], npt.NDArray[np.uint32]]
"""Ranks the targets of a part itself, for example on a GPU. It calls its second argument after each block of users."""

_PROGRESS_SECONDS = 0.5
_CHECKPOINT = b"PLAWRUN1"


@dataclass(frozen=True)
class Description:
    """What a runner says of a specification before it trains: the line that `describe` prints."""

    parameters: int
    """Trainable parameters."""
    flops_per_token: float
    """FLOPs of a training position, forward and backward; a multiply-add counts 2."""
    memory_bytes: float
    """Predicted peak memory of the training."""
    checkpoint: bool = True
    """Whether a stopped training goes on from a checkpoint."""
    latency_seconds: float | None = None
    """Seconds to rank all items for one user; None where it is not known."""

    def json(self) -> dict[str, float | int | bool]:
        """Return the JSON object."""
        said: dict[str, float | int | bool] = {
            "checkpoint": self.checkpoint,
            "flopsPerToken": self.flops_per_token,
            "memoryBytes": self.memory_bytes,
            "parameters": self.parameters,
        }
        return said if self.latency_seconds is None else said | {"latencySeconds": self.latency_seconds}


@dataclass(frozen=True)
class Validation:
    """Metrics on the validation targets after an epoch."""

    metrics: dict[str, float]
    """Keyed `ndcg@10`."""
    value: float
    """The stopping metric."""
    is_best: bool
    """Whether it is the best so far: keep this model."""


class Trial:
    """A trial in its directory.

    A runner in fifteen lines; `model` is yours:

        from plaw.runner import Trial

        with Trial.open() as trial:
            model = Model(trial.spec, trial.corpus.item_count)
            best = model.state()
            for _ in trial.epochs():
                for users in trial.batches():
                    loss, positions = model.step(trial.histories(users))
                    trial.step(loss, positions)
                if trial.validate(model.scores).is_best:
                    best = model.state()
            model.restore(best)
            trial.finish(score=model.scores, parameters=model.parameters)

    `Trial.open` reads `sys.argv`; leaving the `with` block ends the process with the status that the contract asks for.

    Attributes:
        directory: The trial's directory.
        spec: What to train.
        corpus: The interactions.
        split: Training users, targets, order of epochs.
        position: Where the training stands.
        threads: Threads that the training may use.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        spec: Spec | None = None,
        seconds_left: float | None = None,
        threads: int | None = None,
        verify: bool = True,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare a trial; `open` does so from the command line and the environment.

        Args:
            directory: The trial's directory.
            spec: The specification; by default that of the directory.
            seconds_left: Training time that is left to this run.
            threads: Threads that the training may use; 1 by default.
            verify: Whether to compare the content of the corpus with its hash.
            say: Called with each line of progress; None says nothing.

        Raises:
            Refused: The specification or the corpus cannot be used.
        """
        self._started = time.monotonic()
        self.directory = Path(directory)
        self.spec = spec or Spec.read(self.directory / "spec.json")
        self.threads = threads or 1
        self.position = Position()
        self.is_terminated = False
        self.is_out_of_time = False
        self.is_finished = False
        self._say = say
        self._log: Any = None
        self._last_report = -math.inf
        self._last_checkpoint = self._started
        self._training_since: float | None = None
        self._epochs = 0
        self._save: Callable[[BinaryIO], None] | None = None
        self._seconds_left = math.inf if seconds_left is None else seconds_left
        self._handlers: dict[int, Any] = {}
        self.corpus = Corpus(self.corpus_path)
        if verify:
            self.corpus.verify(self.spec.corpus_hash, should_stop=lambda: self.is_terminated)
        self.split = Split(self.corpus, self.spec)
        if len(self.split.train.users) == 0:
            raise Refused("the corpus has no user with 4 or more interactions to train on, in this share of the users")
        if len(self.split.validation.users) == 0:
            raise Refused("the corpus has no user with 3 or more interactions to rank")
        drawn = self.spec.sampled_ranking
        if drawn is not None and drawn > self.corpus.item_count:
            raise Refused(f"sampledRanking: found {drawn}, expected 1 to {self.corpus.item_count} items")
        self.ranking = Ranking(self.split)
        self._popularity: float | None = None
        self._part = self.split.train
        self._scores: BinaryIO | None = None

    # Opening and closing

    @classmethod
    def open(
        cls,
        arguments: Sequence[str] | None = None,
        *,
        describe: Callable[[Trial], Description] | None = None,
    ) -> Trial:
        """Open the trial that the command line names: `RUNNER DIRECTORY` or `RUNNER describe SPEC.json ...`.

        Ends the process with status 0 if the trial has a result, and after printing descriptions; with status 65 if
        the specification or the corpus cannot be used.

        Args:
            arguments: The command line without the program; by default that of the process.
            describe: Answers `RUNNER describe SPEC.json ...`. It gets each trial, whose corpus is read.
        """
        words = list(sys.argv[1:] if arguments is None else arguments)
        try:
            if len(words) >= 2 and words[0] == "describe":
                if describe is None:
                    raise Refused("describe: this runner does not describe its trials")
                for path in map(Path, words[1:]):
                    trial = cls(path.parent, spec=Spec.read(path), verify=False)
                    print(json.dumps(describe(trial).json(), sort_keys=True), flush=True)
                raise SystemExit(0)
            if len(words) != 1:
                program = Path(sys.argv[0]).name
                print(f"usage: {program} DIRECTORY | {program} describe SPEC.json ...", file=sys.stderr)
                raise SystemExit(64)
            directory = Path(words[0])
            if _has_result(directory):
                raise SystemExit(0)
            trial = cls(
                directory,
                seconds_left=_number("PLAW_SECONDS_LEFT"),
                threads=None if (threads := _number("PLAW_THREADS")) is None else max(1, int(threads)),
                say=_print_line,
            )
        except RunnerError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            raise SystemExit(error.status) from error
        trial.start()
        return trial

    @property
    def corpus_path(self) -> Path:
        """The corpus file: from the trial's directory, also when the state directory has been moved."""
        path = Path(self.spec.corpus)
        if not path.is_absolute():
            return self.directory / path
        moved = self.directory / ".." / ".." / "corpora" / path.name
        return moved if not path.exists() and moved.exists() else path

    def start(self) -> None:
        """Listen for SIGTERM and SIGINT, open `progress.jsonl`, and say that the trial starts."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):  # not the main thread
                self._handlers[number] = signal.signal(number, self._terminate)
        with contextlib.suppress(OSError):
            self._log = (self.directory / "progress.jsonl").open("a", encoding="utf-8")
        self._report("starting", force=True)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.is_terminated = True

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process with the status of an error that the contract knows."""
        try:
            if error is None:
                return
            if isinstance(error, Diverged):
                self._write_diverged(str(error))
                raise SystemExit(0) from error
            if isinstance(error, RunnerError):
                if error.status != Interrupted.status:
                    print(f"error: {error}", file=sys.stderr, flush=True)
                raise SystemExit(error.status) from error
            if is_out_of_memory(error):
                print(
                    f"out of memory: {str(error).splitlines()[0] if str(error) else kind}", file=sys.stderr, flush=True
                )
                raise SystemExit(OUT_OF_MEMORY) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close `progress.jsonl` and give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        if self._log is not None:
            self._log.close()
            self._log = None

    # What there is to train on

    @property
    def train(self) -> Part:
        """Users that train, and their training items."""
        return self.split.train

    @property
    def validation(self) -> Part:
        """Users with targets, and what comes before the validation targets."""
        return self.split.validation

    @property
    def test(self) -> Part:
        """Users with targets, and what comes before the test targets."""
        return self.split.test

    @property
    def tokens(self) -> int:
        """Training positions of an epoch."""
        return self.split.tokens

    @property
    def popularity(self) -> float:
        """The stopping metric of ranking by popularity, on the validation targets."""
        if self._popularity is None:
            ranks = self.ranking.by_popularity(self.validation)
            self._popularity = measure(self.spec.options.stop_metric, ranks).value
        return self._popularity

    def histories(self, users: Iterable[int] | None = None, part: Part | None = None) -> list[npt.NDArray[np.int32]]:
        """Return the items of each user that the model may see, oldest first, as views of the corpus.

        Which ones follows from where it is called: the training items (L + 1 at most) while training, what comes before
        the target (L at most) in the function that `validate` or `finish` calls to score.

        Args:
            users: The users; by default all of the part.
            part: `train`, `validation` or `test`, if it is to be another one.
        """
        return (part or self._part).histories(users)

    def times(self, users: Iterable[int] | None = None, part: Part | None = None) -> list[npt.NDArray[np.int64]] | None:
        """Return the times of `histories`; None where the dataset has no times."""
        return (part or self._part).histories_times(users)

    def negatives(self) -> Negatives:
        """Return the source of seeded negatives of training positions."""
        return Negatives(self.split)

    def shared_negatives(self) -> SharedNegatives:
        """Return the source of seeded negatives that a batch shares, for `sampled-softmax`."""
        return SharedNegatives(self.split)

    # Training

    @property
    def seconds(self) -> float:
        """Active seconds of the trial, over all its runs."""
        return self.position.seconds + time.monotonic() - self._started

    @property
    def patience(self) -> int:
        """Validations without an improvement that end the training now."""
        p = self.position
        return stopping.patience(
            self.spec.options, self.split.steps, len(p.curve), p.stale, p.best_value or 0.0, self.popularity
        )

    def should_stop(self) -> bool:
        """Whether training must end: by SIGTERM, or because the time is over."""
        if not self.is_out_of_time:
            limit = math.inf if self.spec.max_seconds is None else self.spec.max_seconds
            self.is_out_of_time = self.seconds >= min(limit, self.position.seconds + self._seconds_left)
        return self.is_terminated or self.is_out_of_time

    def epochs(self) -> Iterator[int]:
        """Yield epochs, counted from 0, until patience, the most epochs or the time end the training.

        Goes on from `position.epoch`. The body trains the epoch (see `batches`) and calls `validate`. Without
        validations there is no patience, and the body gets every epoch up to the last.

        Raises:
            Interrupted: SIGTERM asked to stop; the checkpoint is written, if there is a way to (see `checkpoints`).
        """
        p = self.position
        while p.epoch < self.spec.options.max_epochs and p.stale < self.patience:
            if self.should_stop():
                self._raise_if_terminated()
                if p.step_in_epoch == 0 and p.epoch > 0:
                    return
            epoch = p.epoch
            self._training_since = time.monotonic()
            yield epoch
            self._end_training_time()
            if p.epoch == epoch:
                p.epoch += 1
                p.step_in_epoch = 0
                p.loss_sum, p.loss_tokens = 0.0, 0
            if self.is_out_of_time:
                return

    def batches(self) -> Iterator[npt.NDArray[np.int32]]:
        """Yield the users of each batch that the epoch still has, shuffled as plaw-trial shuffles them.

        Ends early when the time is over. Writes a checkpoint when one is due. The body calls `step` once.

        Raises:
            Interrupted: SIGTERM asked to stop; the checkpoint is written, if there is a way to (see `checkpoints`).
        """
        p = self.position
        size = self.spec.options.batch_users
        order = self.split.order(p.epoch)
        while p.step_in_epoch < self.split.steps:
            if self.should_stop():
                self._raise_if_terminated()
                return
            if self.is_checkpoint_due():
                self.save()
            start = p.step_in_epoch * size
            done = p.step
            yield order[start : start + size]
            if p.step == done:
                self.step(None, 0)

    def step(self, loss: float | None, tokens: int) -> None:
        """Count an optimiser step, and say how training goes, at most twice a second.

        Args:
            loss: Mean loss of the batch; None where there is none.
            tokens: Training positions of the batch.

        Raises:
            Diverged: The loss is not finite, or far above that of the first step.
        """
        p = self.position
        if loss is not None:
            self._check(loss, p.step + 1)
            p.loss_sum += loss * tokens
            p.loss_tokens += tokens
        p.step += 1
        p.step_in_epoch += 1
        p.tokens_seen += tokens
        self._report("training")

    def progress(
        self,
        *,
        epoch: int | None = None,
        loss: float | None = None,
        validation: dict[str, float] | None = None,
        tokens: int | None = None,
    ) -> None:
        """Say how training goes, for trainers with loops of their own. Written at most twice a second.

        Args:
            epoch: The epoch, counted from 0 as by `range`.
            loss: Mean loss of the epoch so far.
            validation: Metrics of the validation that ends the epoch, keyed `ndcg@10`; always written, and counted by
                the patience rule.
            tokens: Training positions of the epoch so far.

        Raises:
            Diverged: The loss is not finite.
        """
        p = self.position
        if epoch is not None:
            p.epoch = epoch
            self._epochs = epoch + 1
        if loss is not None and not math.isfinite(loss):
            raise Diverged(f"the loss is not finite at step {p.step}: training has diverged")
        if tokens is not None:
            p.tokens_seen += max(0, tokens - p.loss_tokens)
            p.loss_tokens = tokens
        if loss is not None:
            p.loss_tokens = max(1, p.loss_tokens)
            p.loss_sum = loss * p.loss_tokens
        if validation is not None:
            self._end_training_time()
            p.last_validation = dict(validation)
            p.add(validation[self.spec.options.stop_metric], self.spec.options.least_gain)
        self._report("training", force=validation is not None)
        if validation is not None:
            p.loss_sum, p.loss_tokens = 0.0, 0

    def _check(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise Diverged(f"the loss is not finite at step {step}: training has diverged")
        p = self.position
        if p.first_loss is None:
            p.first_loss = loss
        if loss > stopping.DIVERGED * max(1.0, p.first_loss):
            raise Diverged(
                f"the loss is {loss:.4g} at step {step}, more than {stopping.DIVERGED:.0f} times the "
                f"{p.first_loss:.4g} of the first step: training has diverged"
            )

    def validate(self, score: Score | None = None, *, ranks: RankPart | None = None) -> Validation:
        """Rank the validation targets, which ends the epoch, and count the result for the patience rule.

        Args:
            score: Returns the scores of all items for some users, [users, V].
            ranks: Returns the ranks of a part instead.

        Raises:
            Diverged: A score is not finite.
        """
        self._end_training_time()
        self._report("validating")
        began = time.monotonic()
        found = self._ranks(self.validation, score, ranks, "validating")
        options = self.spec.options
        p = self.position
        p.last_validation = {name: m.value for name, m in measure_all(found, options.stop_metric).items()}
        value = p.last_validation[options.stop_metric]
        is_best = p.add(value, options.least_gain)
        p.validation_seconds += time.monotonic() - began
        self._report("training", force=True)
        p.loss_sum, p.loss_tokens = 0.0, 0
        return Validation(p.last_validation, value, is_best)

    # Checkpoints

    @property
    def checkpoint_path(self) -> Path:
        """Where the checkpoint lies. `save` replaces it atomically."""
        return self.directory / "checkpoint"

    def checkpoints(self, save: Callable[[BinaryIO], None], load: Callable[[BinaryIO], None]) -> bool:
        """Say how the trainer's state is saved and loaded, and go on from the checkpoint if there is one.

        From then on `batches` writes checkpoints when they are due and when SIGTERM asks to stop. The position of the
        trial is kept beside the trainer's state.

        Args:
            save: Writes the state to an open file.
            load: Reads it from an open file.

        Returns:
            Whether the training goes on from a checkpoint.
        """
        self._save = save
        try:
            file = self.checkpoint_path.open("rb")
        except FileNotFoundError:
            return False
        began = dataclasses.replace(self.position)
        with file:
            try:
                head = file.read(len(_CHECKPOINT) + 16)
                if head[: len(_CHECKPOINT)] != _CHECKPOINT or len(head) < len(_CHECKPOINT) + 16:
                    raise ValueError("found no checkpoint of this runner")
                identity, length = struct.unpack("<QQ", head[len(_CHECKPOINT) :])
                if identity != self.identity:
                    raise ValueError("it belongs to another trial")
                self.position = Position(**json.loads(file.read(length)))
                load(file)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                self.position = began
                print(f"{self.checkpoint_path}: {error}; training begins anew", file=sys.stderr, flush=True)
                return False
        return True

    @property
    def identity(self) -> int:
        """What of the specification a checkpoint must agree with: everything but paths, limits and threads."""
        value = dataclasses.asdict(self.spec)
        for name in (
            "corpus",
            "corpus_hash",
            "max_seconds",
            "checkpoint_seconds",
            "executor",
            "trainer",
            "source",
            "unknown",
        ):
            del value[name]
        return fnv1a(json.dumps(value, sort_keys=True).encode())

    def is_checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than the specification asks for."""
        return self._save is not None and time.monotonic() - self._last_checkpoint >= self.spec.checkpoint_seconds

    def save(self) -> None:
        """Write a checkpoint atomically, if `checkpoints` said how."""
        save = self._save
        if save is None:
            return
        self._end_training_time(restart=True)
        position = json.dumps(dataclasses.asdict(dataclasses.replace(self.position, seconds=self.seconds))).encode()

        def write(file: BinaryIO) -> None:
            file.write(_CHECKPOINT + struct.pack("<QQ", self.identity, len(position)) + position)
            save(file)

        replace_file(self.checkpoint_path, write)
        self._last_checkpoint = time.monotonic()

    def interrupt(self) -> None:
        """Write a checkpoint and end the trial so that it goes on later.

        Raises:
            Interrupted: Always.
        """
        self.save()
        raise Interrupted("stopped before the end of the training")

    def _raise_if_terminated(self) -> None:
        if self.is_terminated:
            self.interrupt()

    # The end

    def finish(
        self,
        score: Score | None = None,
        *,
        ranks: RankPart | None = None,
        parameters: int = 0,
        memory_bytes: int | None = None,
    ) -> dict[str, Measurement]:
        """Rank the targets of all evaluated users and write `ranks.bin`, then `result.json`.

        Args:
            score: Returns the scores of all items for some users, [users, V]. It is called for the validation targets
                and then for the test targets; `histories` follows.
            ranks: Returns the ranks of a part instead.
            parameters: Trainable parameters of the model.
            memory_bytes: Peak memory of the training; by default that of this process.

        Returns:
            The test metrics.

        Raises:
            Interrupted: SIGTERM asked to stop before the training was over.
            Diverged: A score is not finite.
        """
        self._end_training_time()
        if self.is_terminated:
            self.interrupt()
        self._report("testing", force=True)
        validation = self._ranks(self.validation, score, ranks, "testing")
        test = self._ranks(self.test, score, ranks, "testing")
        Ranks(self.validation.users.astype(np.uint32), validation, test).write(self.directory / "ranks.bin")
        metric = self.spec.options.stop_metric
        measured = measure_all(test, metric)
        status = (
            "stoppedByBudget" if self.is_out_of_time else "stoppedRising" if self.position.is_rising else "converged"
        )
        result = self._result(status, parameters, memory_bytes)
        result["users"] = len(test)
        result["validation"] = {name: m.json() for name, m in measure_all(validation, metric).items()}
        result["test"] = {name: m.json() for name, m in measured.items()}
        self._report("finished", force=True)
        self._write_result(result)
        return measured

    def _ranks(self, part: Part, score: Score | None, ranks: RankPart | None, phase: str) -> npt.NDArray[np.uint32]:
        def advanced() -> None:
            self._report(phase)

        before, self._part = self._part, part
        path = os.environ.get("PLAW_SCORES") if phase == "testing" and part is self.test else None
        try:
            with open(path, "wb") if path else contextlib.nullcontext() as self._scores:
                if ranks is not None:
                    found = np.asarray(ranks(part, advanced), dtype=np.uint32)
                    if found.shape != part.users.shape:
                        raise ValueError(f"found ranks of shape {found.shape}, expected {part.users.shape}")
                    return found
                if score is None:
                    raise ValueError("found neither score nor ranks, expected one of them")
                return self.ranking.ranks(part, self._written(score) if path else score, advanced)
        finally:
            self._part, self._scores = before, None

    @property
    def wants_scores(self) -> bool:
        """Whether the scores behind the ranks that are being counted are wanted: `plaw runner check` counts again."""
        return self._scores is not None

    def write_scores(self, scores: Any) -> None:
        """Write scores of all items for some users, [users, V], to the file that `PLAW_SCORES` names.

        A runner that counts ranks itself calls it in the function that it gives to `finish`, for each block of users in
        their order, where `wants_scores` holds. Elsewhere it does nothing. Scores that a runner returns are written
        without it.
        """
        if self._scores is not None:
            self._scores.write(np.asarray(scores, dtype="<f4").tobytes())

    def _written(self, score: Score) -> Score:
        def scores(users: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
            found = np.asarray(score(users), dtype="<f4")
            self.write_scores(found)
            return found

        return scores

    def _write_diverged(self, message: str) -> None:
        self._end_training_time()
        Ranks(*(np.zeros(0, np.uint32) for _ in range(3))).write(self.directory / "ranks.bin")
        result = self._result("diverged", 0, None)
        result["message"] = f"{message} in epoch {self.position.epoch + 1}; a smaller learning rate may help"
        self._write_result(result)

    def _result(self, status: str, parameters: int, memory_bytes: int | None) -> dict[str, Any]:
        p = self.position
        epochs = max(1.0, p.tokens_seen / max(1, self.tokens))
        result: dict[str, Any] = {
            "status": status,
            # A trainer with a loop of its own says which epoch it is in, and need not validate.
            "epochs": max(p.epoch, self._epochs),
            "bestEpoch": p.best_epoch,
            "seconds": self.seconds,
            "tokensPerSecond": p.tokens_seen / max(1e-9, p.training_seconds),
            "tokens": self.tokens,
            "parameters": parameters,
            "peakMemoryBytes": peak_memory_bytes() if memory_bytes is None else memory_bytes,
            "users": 0,
            "validation": {},
            "test": {},
            "secondsPerEpoch": p.training_seconds / epochs,
            "secondsPerValidation": p.validation_seconds / max(1, len(p.curve)),
            "curve": p.curve,
            "popularity": self.popularity,
        }
        if self.spec.sampled_ranking is not None:
            result["sampledRanking"] = self.spec.sampled_ranking
        return result

    def _write_result(self, result: dict[str, Any]) -> None:
        text = json.dumps(result, sort_keys=True, indent=2, allow_nan=False)
        write_atomically(self.directory / "result.json", text.encode())
        self.is_finished = True

    # Progress

    def _end_training_time(self, restart: bool = False) -> None:
        """Add the time since training began to that of the trial."""
        if self._training_since is None:
            return
        now = time.monotonic()
        self.position.training_seconds += now - self._training_since
        self._training_since = now if restart else None

    def _report(self, phase: str, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._last_report < _PROGRESS_SECONDS:
            return
        self._last_report = now
        p = self.position
        training = p.training_seconds + (now - self._training_since if self._training_since is not None else 0)
        line: dict[str, Any] = {
            "phase": phase,
            "epoch": min(p.epoch + 1, self.spec.options.max_epochs),
            "tokens": p.loss_tokens,
            "epochTokens": self.tokens,
            "tokensPerSecond": p.tokens_seen / max(1e-9, training),
            "popularity": self.popularity,
            "seconds": self.seconds,
        }
        if p.loss_tokens > 0:
            line["loss"] = p.loss_sum / p.loss_tokens
        if p.last_validation is not None:
            line["validation"] = p.last_validation
        if p.best_value is not None:
            line["best"] = p.best_value
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        if self._say is not None:
            self._say(text)
        if self._log is not None:
            try:
                self._log.write(text + "\n")
                self._log.flush()
            except OSError:
                self._log = None


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory was refused: by Python, by NumPy, or by torch on a CPU or a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _has_result(directory: Path) -> bool:
    path = directory / "result.json"
    if not path.exists():
        return False
    try:
        return "status" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        # Written whole or not at all: the disk lost it. What it says can be had again.
        print(f"{path}: {error}; trained anew", file=sys.stderr, flush=True)
        return False


def _number(name: str) -> float | None:
    text = os.environ.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise Refused(f'{name}: found "{text}", expected a number') from error
    if not value >= 0:
        raise Refused(f'{name}: found "{text}", expected 0 or more')
    return value


def _print_line(text: str) -> None:
    """Print a line; a daemon that stops closes the pipe first, and the checkpoint must still be written."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
