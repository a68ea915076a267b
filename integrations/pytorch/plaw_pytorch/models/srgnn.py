"""SR-GNN of arXiv 1811.00855: gated propagation over the graph of a session, and attention from its newest item.

The graph of a prefix has a node for each of its items and an edge from each item to the next. Every prefix of a history
is a session of its own, so a position costs a graph: expect a multiple of the time of the other models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from plaw.runner import Configuration, Split
from plaw_pytorch.batch import Batch
from plaw_pytorch.model import SequenceModel

_NODE_FLOATS = 1 << 22
"""Floats of node states that are kept for the backward pass at once; more are computed twice."""


class SRGNN(SequenceModel):
    """`layers` steps of propagation with shared weights. Dropout is on the embeddings and on the result."""

    def __init__(self, configuration: Configuration, split: Split, dropout: float) -> None:
        super().__init__(configuration, split, dropout)
        d = configuration.dim
        self.edgesIn = nn.Linear(d, d)
        self.edgesOut = nn.Linear(d, d)
        self.gates = nn.Linear(2 * d, 3 * d)
        self.gatesOfState = nn.Linear(d, 3 * d)
        self.ofNewest = nn.Linear(d, d)
        self.ofEach = nn.Linear(d, d)
        self.weight = nn.Linear(d, 1, bias=False)
        self.combine = nn.Linear(2 * d, d, bias=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return the hidden states of all positions, [B, n, d]; those that do not exist are 0."""
        rows, places = batch.present.nonzero(as_tuple=True)
        found = self.prefixes(batch, rows, places)
        hidden = torch.zeros(*batch.inputs.shape, self.configuration.dim, device=found.device, dtype=found.dtype)
        return hidden.index_put((rows, places), found)

    def newest(self, batch: Batch) -> Tensor:
        """Return the hidden states of whole histories, [B, d]."""
        rows = torch.arange(len(batch.lengths), device=batch.lengths.device)
        return self.prefixes(batch, rows, batch.lengths - 1)

    def prefixes(self, batch: Batch, rows: Tensor, places: Tensor) -> Tensor:
        """Return the hidden states of prefixes, [P, d]: of rows of the batch up to and including places."""
        inputs = batch.inputs
        n = inputs.shape[1]
        # The node of a position is the first position of its item; positions that do not exist are nodes of nothing.
        same = inputs[:, :, None] == inputs[:, None, :]
        node = same.int().argmax(2)
        # The position at which an edge is first there; n for an edge that never is.
        source, target = node[:, :-1], node[:, 1:]
        since = torch.full((len(inputs), n * n), n, device=inputs.device)
        steps = torch.arange(1, n, device=inputs.device).expand(len(inputs), -1)
        since = since.scatter_reduce(1, source * n + target, steps, "amin").view(-1, n, n)
        embedded = self.drop(self.item[inputs])
        size = max(1, _NODE_FLOATS // (n * self.configuration.dim))
        if len(rows) <= size:
            return self.drop(self._session(embedded, node, since, rows, places))
        parts = []
        for chosen, until in zip(torch.split(rows, size), torch.split(places, size), strict=True):
            parts.append(checkpoint(self._session, embedded, node, since, chosen, until, use_reentrant=False))
        return self.drop(torch.cat(parts))

    def _session(self, embedded: Tensor, node: Tensor, since: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        state = embedded[rows]
        edges = (since[rows] <= places[:, None, None]).to(state.dtype)
        outgoing = edges / edges.sum(2, keepdim=True).clamp(min=1)
        incoming = edges.transpose(1, 2)
        incoming = incoming / incoming.sum(2, keepdim=True).clamp(min=1)
        for _ in range(self.configuration.layers):
            seen = torch.cat((incoming @ self.edgesIn(state), outgoing @ self.edgesOut(state)), -1)
            reset, update, fresh = self.gates(seen).chunk(3, -1)
            reset_of, update_of, fresh_of = self.gatesOfState(state).chunk(3, -1)
            candidate = torch.tanh(fresh + torch.sigmoid(reset + reset_of) * fresh_of)
            state = candidate + torch.sigmoid(update + update_of) * (state - candidate)
        nodes = node[rows]
        each = state.gather(1, nodes[..., None].expand(-1, -1, state.shape[2]))
        newest = each[torch.arange(len(rows), device=rows.device), places]
        weights = self.weight(torch.sigmoid(self.ofNewest(newest)[:, None] + self.ofEach(each)))
        is_seen = torch.arange(each.shape[1], device=rows.device) <= places[:, None]
        whole = (weights * each * is_seen[..., None]).sum(1)
        return self.combine(torch.cat((newest, whole), -1))  # type: ignore[no-any-return]

    def products(self) -> float:
        """Multiply-adds of one position: those of the nodes of its graph, about as many as half the longest history."""
        d, c = self.configuration.dim, self.configuration
        return c.max_length / 2 * (11 * d * d * c.layers + 2 * d * d) + 3 * d * d

    def attention_products(self, context: float) -> float:
        """Multiply-adds of the edges of one position's graph."""
        return self.configuration.layers * self.configuration.dim * context * context / 2

    def floats_per_position(self, context: float) -> float:
        """Floats that a training keeps of one position; graphs are computed twice where they are many."""
        return 16.0 * self.configuration.dim
