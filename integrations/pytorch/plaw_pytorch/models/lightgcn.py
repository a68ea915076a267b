"""LightGCN of arXiv 2002.02126: embeddings of users and items, smoothed over the graph of who had what.

It looks at no order: the score of an item is the same whatever the user had last, also after the validation item.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from plaw.runner import Configuration, Split
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel


class LightGCN(SequenceModel):
    """The mean of the embeddings after 0 to `layers` propagations. Dropout is on the edges of the graph.

    Training positions are (user, item) pairs: of a user's L + 1 most recent training items all but the first. The graph
    has all training items.
    """

    needs_all_users: ClassVar[bool] = True
    embeddings: ClassVar[tuple[str, ...]] = ("item", "user")

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        corpus = split.corpus
        self.user = nn.Parameter(torch.empty(corpus.user_count, configuration.dim))
        lengths = corpus.lengths
        trained = np.where(lengths >= 3, lengths - 2, lengths)
        row_of = np.repeat(np.arange(corpus.user_count), lengths)
        place = np.arange(corpus.interaction_count) - corpus.offsets[:-1].astype(np.int64)[row_of]
        trains = place < trained[row_of]
        pairs = np.unique(row_of[trains] * corpus.item_count + corpus.items[trains])
        self._users, self._items = np.divmod(pairs, corpus.item_count)
        self._graph: tuple[Tensor, Tensor] | None = None
        self._propagated: tuple[Tensor, Tensor] | None = None
        self._steps_per_token = split.steps / max(1, split.tokens)

    def _edges(self) -> tuple[Tensor, Tensor]:
        """Return both directions of all edges, [2, 2 E], and their weights 1 / sqrt(degrees), [2 E]."""
        if self._graph is None:
            users, items = self._users, self._items + len(self.user)
            ends = np.stack((np.concatenate((users, items)), np.concatenate((items, users))))
            degrees = np.bincount(ends[0], minlength=len(self.user) + len(self.item)).astype(np.float64)
            weights = 1 / np.sqrt(degrees[ends[0]] * degrees[ends[1]])
            device = self.item.device
            self._graph = (torch.from_numpy(ends).to(device), torch.from_numpy(weights.astype(np.float32)).to(device))
        return self._graph

    def prepare(self) -> None:
        """Propagate the embeddings once for a step or a ranking."""
        # Products of sparse matrices have no bfloat16.
        with torch.autocast(self.item.device.type, enabled=False):
            self._propagated = self._propagate()

    def _propagate(self) -> tuple[Tensor, Tensor]:
        ends, weights = self._edges()
        count = len(self.user) + len(self.item)
        graph = torch.sparse_coo_tensor(
            ends, self.drop(weights), (count, count), is_coalesced=True, check_invariants=False
        )
        state = torch.cat((self.user, self.item))
        total = state
        for _ in range(self.configuration.layers):
            state = torch.sparse.mm(graph, state)
            total = total + state
        mean = total / (self.configuration.layers + 1)
        return mean[: len(self.user)], mean[len(self.user) :]

    def _tables(self) -> tuple[Tensor, Tensor]:
        if self._propagated is None:
            self.prepare()
        assert self._propagated is not None
        return self._propagated

    def forward(self, batch: Batch) -> Tensor:
        """Return the embedding of the user at all positions, [B, n, d]."""
        return self._tables()[0][batch.users][:, None].expand(-1, batch.inputs.shape[1], -1)

    def newest(self, batch: Batch) -> Tensor:
        """Return the embeddings of the users, [B, d]."""
        return self._tables()[0][batch.users]

    def items(self) -> Tensor:
        """Return the propagated embeddings of the items, [V, d]."""
        return self._tables()[1]

    def products(self) -> float:
        """Multiply-adds of the propagations, shared among the positions of a step."""
        edges = 2 * len(self._users) * self.configuration.dim
        return self.configuration.layers * edges * self._steps_per_token

    def attention_products(self, context: float) -> float:
        """There is no attention."""
        return 0.0

    def floats_per_position(self, context: float) -> float:
        """Floats that a training keeps of one position."""
        return 4.0 * self.configuration.dim
