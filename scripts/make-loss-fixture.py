#!/usr/bin/env python3
"""Writes Tests/TransformerTests/Fixtures/losses.json: every loss in PyTorch, with its gradients by autograd.

Independent of the Swift code: each loss is its published formula over hidden states, item embeddings, targets and negatives.
Needs torch; run from anywhere.
"""
import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
V, D, N, SHARED = 23, 12, 5, 18
LENGTHS = [4, 1, 3]
T = sum(LENGTHS)
hidden = torch.randn(T, D) * 0.9
items = torch.randn(V, D) * 0.7
targets = torch.randint(V, (T,))
negatives = torch.randint(V, (T, N))
weights = torch.randint(1, 9, (V,)).double()
shared = torch.multinomial(weights, SHARED, replacement=True)
shared[3], shared[17] = targets[0], targets[5]  # accidental hits
calibration = 0.6


def loss_of(name, h, e):
    positive = (h * e[targets]).sum(-1)
    negative = (h[:, None] * e[negatives]).sum(-1)
    below = positive[:, None] - negative
    if name == 'cce':
        return F.cross_entropy(h @ e.T, targets)
    if name == 'ce':
        last = torch.tensor(LENGTHS).cumsum(0) - 1
        return F.cross_entropy(h[last] @ e.T, targets[last])
    if name in ('bce', 'gbce'):
        alpha = N / (V - 1)
        beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha) if name == 'gbce' else 1
        # The published -ln(σ^beta(s+)) - Σ ln(1 - σ(s-)), without its division by n + 1.
        return (-torch.log(torch.sigmoid(positive) ** beta) - torch.log(1 - torch.sigmoid(negative)).sum(-1)).mean()
    if name == 'bpr':
        return -F.logsigmoid(below).mean()
    if name == 'top1':
        return (torch.sigmoid(-below) + torch.sigmoid(negative ** 2)).mean()
    softmax = negative.softmax(-1)
    if name == 'bpr-max':
        return -torch.log((softmax * torch.sigmoid(below)).sum(-1) + 1e-24).mean()
    if name == 'top1-max':
        return (softmax * (torch.sigmoid(-below) + torch.sigmoid(negative ** 2))).sum(-1).mean()
    assert name == 'sampled-softmax'
    q = weights / weights.sum()
    logits = h @ e[shared].T - torch.log(SHARED * q[shared])
    logits = logits.masked_fill(shared[None] == targets[:, None], -torch.inf)
    return (torch.logsumexp(torch.cat([positive[:, None], logits], 1), 1) - positive).mean()


def numbers(x):
    return [float(f'{v:.8g}') for v in x.detach().flatten().tolist()]


names = ['bce', 'bpr', 'top1', 'bpr-max', 'top1-max', 'ce', 'cce', 'gbce', 'sampled-softmax']
fixture = dict(
    items=V, dim=D, negativesPerRow=N, lengths=LENGTHS, calibration=calibration, hidden=numbers(hidden),
    embeddings=numbers(items), targets=targets.tolist(), negatives=negatives.flatten().tolist(), shared=shared.tolist(),
    weights=weights.tolist(), losses={})
for name in names:
    h, e = hidden.clone().requires_grad_(), items.clone().requires_grad_()
    loss = loss_of(name, h, e)
    loss.backward()
    fixture['losses'][name] = dict(loss=loss.item(), dHidden=numbers(h.grad), dItems=numbers(e.grad))

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
path = os.path.join(root, 'Tests', 'TransformerTests', 'Fixtures', 'losses.json')
with open(path, 'w') as f:
    json.dump(fixture, f, separators=(',', ':'))
print(path, os.path.getsize(path), 'bytes')
