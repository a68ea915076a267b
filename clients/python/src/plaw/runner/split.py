"""The split of a corpus into training, validation and test, and what is drawn from it.

Leave-two-out: of 3 or more interactions the last is the test target, the one before it the validation target, and the
rest trains. Shorter histories only train. The context of a target is everything before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plaw.runner.corpus import Corpus
from plaw.runner.randomness import Purpose, Stream, in_share, shuffled, to_below, to_uniform
from plaw.runner.spec import Spec


@dataclass(frozen=True)
class Part:
    """One part of the split: training, validation or test.

    Attributes:
        name: `train`, `validation` or `test`.
        users: int32, the users of the part in file order: for `train` those with a training position in the share of
            the users, otherwise all users with targets.
        targets: int32, the target of each user; empty for `train`.
    """

    name: str
    users: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    corpus: Corpus
    max_length: int

    def _end(self, length: int) -> int:
        if self.name == "test":
            return length - 1
        return length - 2 if length >= 3 else length

    def history(self, user: int) -> npt.NDArray[np.int32]:
        """Return a view of all items before the user's target, oldest first; for `train` the training items."""
        items = self.corpus.history(user)
        return items[: self._end(len(items))]

    def times(self, user: int) -> npt.NDArray[np.int64] | None:
        """Return a view of the times of `history`; None where the dataset has no times."""
        times = self.corpus.history_times(user)
        return None if times is None else times[: self._end(len(times))]

    def histories(self, users: Iterable[int] | None = None) -> list[npt.NDArray[np.int32]]:
        """Return the most recent items of each user that the model may see, as views.

        For `train` these are L + 1 items at most: position i predicts item i + 1. Otherwise they are L items at most.
        """
        wanted = self.users.tolist() if users is None else users
        return [self.history(int(user))[-self._visible :] for user in wanted]

    def histories_times(self, users: Iterable[int] | None = None) -> list[npt.NDArray[np.int64]] | None:
        """Return the times of `histories`; None where the dataset has no times."""
        if self.corpus.times is None:
            return None
        found = []
        for user in self.users.tolist() if users is None else users:
            times = self.times(int(user))
            assert times is not None
            found.append(times[-self._visible :])
        return found

    @property
    def _visible(self) -> int:
        return self.max_length + (self.name == "train")


class Split:
    """The three parts of a corpus for a specification.

    Attributes:
        train, validation, test: The parts.
        tokens: Training positions of an epoch, after truncation to L and the share of the users.
        steps: Optimiser steps of an epoch.
    """

    def __init__(self, corpus: Corpus, spec: Spec) -> None:
        self.corpus = corpus
        self.spec = spec
        longest = spec.configuration.max_length
        lengths = corpus.lengths
        is_evaluated = lengths >= 3
        trained = np.where(is_evaluated, lengths - 2, lengths)
        positions = np.minimum(np.maximum(trained - 1, 0), longest)
        trains = (positions > 0) & in_share(np.arange(corpus.user_count), spec.user_fraction)
        self.tokens = int(positions[trains].sum())
        users = np.flatnonzero(trains).astype(np.int32)
        evaluated = np.flatnonzero(is_evaluated).astype(np.int32)
        ends = corpus.offsets[1:][is_evaluated].astype(np.int64)
        self.train = Part("train", users, np.zeros(0, np.int32), corpus, longest)
        self.validation = Part("validation", evaluated, corpus.items[ends - 2], corpus, longest)
        self.test = Part("test", evaluated, corpus.items[ends - 1], corpus, longest)
        self.steps = -(-len(users) // spec.options.batch_users)

    def order(self, epoch: int) -> npt.NDArray[np.int32]:
        """Return the training users in the order of an epoch, counted from 0: that of plaw-trial."""
        return shuffled(self.train.users, Stream(self.spec.seed, Purpose.ORDER, epoch))

    def counts(self, targets_only: bool = False) -> npt.NDArray[np.int64]:
        """Count how often each item occurs in the training items, int64 [V].

        Args:
            targets_only: Count training targets alone: without the first item, and of the L most recent positions.
        """
        corpus = self.corpus
        lengths = corpus.lengths
        trained = np.where(lengths >= 3, lengths - 2, lengths)
        trains = np.zeros(corpus.user_count, dtype=np.bool_)
        trains[self.train.users] = True
        user = np.repeat(np.arange(corpus.user_count), lengths)
        place = np.arange(corpus.interaction_count) - corpus.offsets[:-1].astype(np.int64)[user]
        counted = trains[user] & (place < trained[user])
        if targets_only:
            counted &= place >= np.maximum(1, trained[user] - self.spec.configuration.max_length)
        counts: npt.NDArray[np.int64] = np.bincount(corpus.items[counted], minlength=corpus.item_count)
        return counts


class Negatives:
    """Draws negatives of training positions as plaw-trial does: uniformly, from outside the user's whole history."""

    _ATTEMPTS = 100

    def __init__(self, split: Split) -> None:
        self._split = split
        self._seen = np.zeros(split.corpus.item_count, dtype=np.bool_)

    def draw(self, users: Iterable[int], step: int, count: int | None = None) -> npt.NDArray[np.int32]:
        """Return the negatives of a batch, int32 [positions of all users, count].

        Args:
            users: Users of the batch, in order.
            step: Optimiser steps done before this one; names the random numbers.
            count: Negatives of a position; by default the option `negatives`.
        """
        spec = self._split.spec
        wanted = spec.options.negatives if count is None else count
        stream = Stream(spec.seed, Purpose.NEGATIVES, step)
        rows = []
        for user in users:
            positions = len(self._split.train.history(int(user))[-spec.configuration.max_length - 1 :]) - 1
            rows.append(self._of_user(int(user), max(0, positions) * wanted, stream))
        drawn: npt.NDArray[np.int32] = np.concatenate(rows or [np.zeros(0, np.int32)]).reshape(-1, wanted)
        return drawn

    def _of_user(self, user: int, count: int, stream: Stream) -> npt.NDArray[np.int32]:
        history = self._split.corpus.history(user)
        items = self._split.corpus.item_count
        self._seen[history] = True
        try:
            found: list[npt.NDArray[np.int64]] = []
            missing = count
            failures = 0
            while missing > 0:
                drawn = to_below(stream.peek(missing + missing // 4 + 8), items)
                is_last = ~self._seen[drawn]
                if failures or not is_last.all():
                    is_last = self._with_failures(is_last, failures)
                places = np.flatnonzero(is_last)[:missing]
                found.append(drawn[places])
                missing -= len(places)
                used = int(places[-1]) + 1 if missing == 0 else len(drawn)
                stream.counter += used
                failures = used - 1 - int(places[-1]) if len(places) else failures + used
            return np.concatenate(found or [np.zeros(0, np.int64)]).astype(np.int32)
        finally:
            self._seen[history] = False

    def _with_failures(self, is_free: npt.NDArray[np.bool_], failures: int) -> npt.NDArray[np.bool_]:
        """Let the 100th draw in a row stand although it is in the history: that may hold nearly every item."""
        if failures == 0 and _longest_run(~is_free) < self._ATTEMPTS:
            return is_free
        stands: npt.NDArray[np.bool_] = is_free.copy()
        run = failures
        for place, free in enumerate(is_free.tolist()):
            run += 1
            if free or run == self._ATTEMPTS:
                stands[place] = True
                run = 0
        return stands


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


class SharedNegatives:
    """Draws negatives that a whole batch shares, for `sampled-softmax`, with replacement from a distribution Q.

    Walker's alias method; the draws are those of plaw-trial.
    """

    def __init__(self, split: Split) -> None:
        self._spec = split.spec
        self._items = split.corpus.item_count
        self._keep: npt.NDArray[np.float32] | None = None
        self.probabilities: npt.NDArray[np.float64]
        if split.spec.options.sampling == "uniform":
            self.probabilities = np.full(self._items, 1 / self._items, dtype=np.float64)
            return
        weights = 1.0 + split.counts(targets_only=True).astype(np.float64)
        total = float(np.add.accumulate(weights)[-1])
        self.probabilities = weights / total
        share = (weights * self._items / total).tolist()
        keep = [1.0] * self._items
        alias = list(range(self._items))
        small = [i for i, value in enumerate(share) if value < 1]
        large = [i for i, value in enumerate(share) if value >= 1]
        while small:
            low = small.pop()
            if not large:
                break
            high = large[-1]
            keep[low] = share[low]
            alias[low] = high
            share[high] -= 1 - share[low]
            if share[high] < 1:
                small.append(large.pop())
        self._keep = np.array(keep, dtype=np.float32)
        self._alias = np.array(alias, dtype=np.int32)

    def draw(self, step: int, count: int | None = None) -> npt.NDArray[np.int32]:
        """Return the negatives of a batch, int32 [count], by default the option `negatives`."""
        wanted = self._spec.options.negatives if count is None else count
        stream = Stream(self._spec.seed, Purpose.NEGATIVES, step)
        if self._keep is None:
            return to_below(stream.next(wanted), self._items).astype(np.int32)
        numbers = stream.next(2 * wanted)
        items = to_below(numbers[::2], self._items)
        kept = to_uniform(numbers[1::2]) < self._keep[items].astype(np.float64)
        drawn: npt.NDArray[np.int32] = np.where(kept, items, self._alias[items]).astype(np.int32)
        return drawn


class Candidates:
    """Items that targets are ranked against when these are not all: drawn, and the same for a seed at every ranking.

    Metrics against drawn items do not order models as a full ranking does (Krichene and Rendle 2020).
    """

    def __init__(self, split: Split, count: int) -> None:
        self.count = count
        self._split = split

    def of(self, user: int) -> npt.NDArray[np.int64]:
        """Return at most `count` items outside the user's history, without repetition."""
        corpus = self._split.corpus
        items = corpus.item_count
        taken = np.zeros(items, dtype=np.bool_)
        taken[corpus.history(user)] = True
        left = items - int(taken.sum())
        if left <= self.count:
            return np.flatnonzero(~taken)
        stream = Stream(self._split.spec.seed, Purpose.CANDIDATES, user)
        drawn: list[int] = []
        while len(drawn) < self.count:
            for item in to_below(stream.next(2 * self.count), items).tolist():
                if not taken[item]:
                    taken[item] = True
                    drawn.append(item)
                    if len(drawn) == self.count:
                        break
        return np.array(drawn, dtype=np.int64)


def blocks(users: npt.NDArray[np.int32], size: int) -> Iterator[slice]:
    """Yield slices of at most `size` users."""
    for start in range(0, len(users), size):
        yield slice(start, min(start + size, len(users)))
