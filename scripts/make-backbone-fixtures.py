#!/usr/bin/env python3
"""Writes Tests/TransformerTests/Fixtures/<backbone>.safetensors, -gradients.safetensors and -expected.json for the four backbones:
two-layer models in PyTorch with their hidden states, cce loss, gradients, and the losses of 20 AdamW steps.

Needs torch; run from anywhere. The models are those of torch_backbones.py.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch
import torch.nn.functional as F
from torch_backbones import Model, load, save, write

SEQUENCES = [[3, 9, 1, 4], [5, 5, 2], [20, 12, 7, 8, 22, 0, 1, 2, 11, 3], [6, 20], [14, 2, 9, 9, 9, 21]]
# Seconds: some at the same time, some years apart.
TIMES = [[100, 160, 160, 4000], [0, 1, 86400], [10**9 + (i * i * 7919) ** 2 for i in range(10)], [5, 6],
         [1, 2, 3, 5, 8, 40000000]]
L = 8
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
folder = os.path.join(root, 'Tests', 'TransformerTests', 'Fixtures')


def rounded(values):
    return [float(f'{v:.8g}') for v in values]


for number, backbone in enumerate(('sasrec', 'gpt', 'llama', 'hstu')):
    torch.manual_seed(number)
    path = os.path.join(folder, backbone)
    start = Model(dict(backbone=backbone, layers=2, dim=12, heads=2, maxLength=L, items=23))
    with torch.no_grad():
        for p in start.parameters():
            p.copy_(p + 0.25 * torch.randn_like(p))
    save(start, path + '.safetensors')
    # From here on with the numbers as the file keeps them, in single precision.
    model = load(path + '.safetensors').train()

    def states(timed=True):
        times = [t[:-1][-L:] for t in TIMES] if timed else None
        return torch.cat(model([s[:-1][-L:] for s in SEQUENCES], times))

    def loss():
        targets = sum((s[1:][-L:] for s in SEQUENCES), [])
        return F.cross_entropy(states() @ model.item.T, torch.tensor(targets))

    result = dict(sequences=SEQUENCES, times=TIMES, maxLength=L, hidden=rounded(states().flatten().tolist()))
    if backbone == 'hstu':
        result['hiddenWithoutTimes'] = rounded(states(False).flatten().tolist())
    loss().backward()
    write(path + '-gradients.safetensors', {},
          [(k, p.shape, p.grad.flatten().tolist()) for k, p in model.named_parameters()])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.05)
    result['losses'] = []
    for _ in range(20):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        result['losses'].append(value.item())
    with open(path + '-expected.json', 'w') as f:
        json.dump(result, f, separators=(',', ':'))
    print(backbone, result['losses'][0], result['losses'][-1])
