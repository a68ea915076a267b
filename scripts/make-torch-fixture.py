#!/usr/bin/env python3
"""Writes Tests/TransformerTests/Fixtures/sasrec.json: a small SASRec in PyTorch, with its weights, losses and gradients.

Independent of the Swift code: plain torch.nn, padded on the left, masks as in the public code of arXiv 2301.00979.
Needs torch; run from anywhere. Weights are stored [in, out], as the Swift code keeps them.
"""
import json
import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
V, D, H, L, N = 37, 16, 2, 8, 2
SEQUENCES = [[3, 9, 1, 4], [5, 5, 2], [30, 12, 7, 8, 36, 0, 1, 2, 11, 3], [6, 20], [14, 2, 9, 9, 9, 21], [1, 2, 3, 4, 5, 6, 7, 8]]
NEGATIVES = [[(7 * i + 3 * j + 1) % V for j in range(min(len(s) - 1, L))] for i, s in enumerate(SEQUENCES)]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.queryKeyValue = nn.Linear(D, 3 * D)
        self.output = nn.Linear(D, D)
        self.norm1 = nn.LayerNorm(D, eps=1e-5)
        self.expand = nn.Linear(D, 4 * D)
        self.contract = nn.Linear(4 * D, D)
        self.norm2 = nn.LayerNorm(D, eps=1e-5)

    def forward(self, x, mask):
        B, T, _ = x.shape
        q, k, v = (t.view(B, T, H, D // H).transpose(1, 2) for t in self.queryKeyValue(x).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(D // H) + mask
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, D)
        x = self.norm1(x + self.output(y))
        return self.norm2(x + self.contract(F.gelu(self.expand(x))))


class SASRec(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Parameter(torch.randn(V, D) * 0.3)
        self.position = nn.Parameter(torch.randn(L, D) * 0.3)
        self.inputNorm = nn.LayerNorm(D, eps=1e-5)
        self.blocks = nn.ModuleList([Block() for _ in range(N)])
        for p in self.parameters():
            with torch.no_grad():
                p.copy_(p + 0.1 * torch.randn_like(p))

    def forward(self, inputs, present):
        x = self.inputNorm(self.item[inputs] + self.position)
        causal = torch.ones(L, L, dtype=torch.bool).tril()
        allowed = causal[None] & present[:, None, :]
        mask = torch.where(allowed, 0.0, -1e9)[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return x


def batch():
    inputs = torch.zeros(len(SEQUENCES), L, dtype=torch.long)
    targets, negatives = inputs.clone(), inputs.clone()
    present = torch.zeros(len(SEQUENCES), L, dtype=torch.bool)
    for r, s in enumerate(SEQUENCES):
        n = min(len(s) - 1, L)
        inputs[r, L - n:] = torch.tensor(s[-n - 1:-1])
        targets[r, L - n:] = torch.tensor(s[-n:])
        negatives[r, L - n:] = torch.tensor(NEGATIVES[r])
        present[r, L - n:] = True
    return inputs, targets, negatives, present


def loss_of(model, kind):
    inputs, targets, negatives, present = batch()
    h = model(inputs, present)[present]
    t, n = targets[present], negatives[present]
    if kind == 'cce':
        return F.cross_entropy(h @ model.item.T, t), h
    positive, negative = (h * model.item[t]).sum(-1), (h * model.item[n]).sum(-1)
    return (F.softplus(-positive) + F.softplus(negative)).mean(), h


def export(tensors):
    out = {}
    for name, value in tensors:
        out[name] = (value.T if value.dim() == 2 and name.startswith('blocks') else value).contiguous().flatten().tolist()
    return out


def rounded(x):
    return {k: [float(f'{v:.9g}') for v in values] for k, values in x.items()}


fixture = dict(items=V, dim=D, heads=H, maxLength=L, layers=N, sequences=SEQUENCES, negatives=sum(NEGATIVES, []))
start = SASRec().state_dict()
fixture['parameters'] = rounded(export(start.items()))
for kind in ('cce', 'bce'):
    model = SASRec()
    model.load_state_dict(start)
    loss, hidden = loss_of(model, kind)
    loss.backward()
    fixture['hidden'] = [float(f'{v:.9g}') for v in hidden.detach().flatten().tolist()]
    result = dict(loss=loss.item(), gradients=rounded(export((k, p.grad) for k, p in model.named_parameters())))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.05)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss, _ = loss_of(model, kind)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    result['losses'] = losses
    fixture[kind] = result

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
path = os.path.join(root, 'Tests', 'TransformerTests', 'Fixtures', 'sasrec.json')
with open(path, 'w') as f:
    json.dump(fixture, f, separators=(',', ':'))
print(path, os.path.getsize(path), 'bytes')
