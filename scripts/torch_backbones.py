#!/usr/bin/env python3
"""The four backbones of plawd in plain PyTorch, and its weights files (safetensors) in plain Python.

    from torch_backbones import load
    model = load('W.safetensors')                 # an nn.Module in double precision, evaluation mode
    hidden = model([[3, 1, 4], [1, 5]])           # item numbers, oldest first: one [length, dim] tensor a sequence
    scores = hidden[0][-1] @ model.item.T         # what comes after 3, 1, 4

    torch_backbones.py W.safetensors '[[3, 1, 4]]' ['[[10, 20, 40]]']     # prints the hidden states as JSON

Written from the papers and docs/contributors/training.md, not from the Swift code: sequences are padded on the left and masked.
read() and write() need no torch.
"""
import json
import math
import struct
import sys

METADATA = ('backbone', 'layers', 'dim', 'heads', 'maxLength', 'items')


def read(path):
    """The metadata, and {name: (shape, floats)}."""
    data = open(path, 'rb').read()
    size = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop('__metadata__')
    tensors = {}
    for name, entry in header.items():
        assert entry['dtype'] == 'F32', name
        begin, end = entry['data_offsets']
        tensors[name] = (entry['shape'], struct.unpack(f'<{(end - begin) // 4}f', data[8 + size + begin:8 + size + end]))
    return metadata, tensors


def write(path, metadata, tensors):
    """tensors: [(name, shape, floats)], laid out in this order."""
    header, at = {'__metadata__': metadata}, 0
    for name, shape, values in tensors:
        header[name] = dict(dtype='F32', shape=list(shape), data_offsets=[at, at + 4 * len(values)])
        at += 4 * len(values)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for _, _, values in tensors:
            f.write(struct.pack(f'<{len(values)}f', *values))


try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    torch = None

if torch:
    torch.set_default_dtype(torch.float64)

    class RMSNorm(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(width))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight

    def heads_of(x, heads):
        return x.unflatten(-1, (heads, -1)).transpose(-2, -3)

    def softmax_attention(q, k, v, allowed):
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return (scores.masked_fill(~allowed, -1e30).softmax(-1) @ v).transpose(-2, -3).flatten(-2)

    def rotate(x):
        """Columns c and c + width / 2 of position p turn by p / 10000^(2 c / width)."""
        n, width = x.shape[-2:]
        angle = torch.arange(n)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
        turned = torch.view_as_complex(torch.stack(x.chunk(2, -1), -1)) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat((turned.real, turned.imag), -1)

    class SASRecBlock(nn.Module):
        def __init__(self, c, norm=lambda d: nn.LayerNorm(d, eps=1e-5)):
            super().__init__()
            d, self.heads = c['dim'], c['heads']
            self.queryKeyValue, self.output, self.norm1 = nn.Linear(d, 3 * d), nn.Linear(d, d), norm(d)
            self.expand, self.contract, self.norm2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), norm(d)

        def attend(self, x, allowed):
            q, k, v = (heads_of(t, self.heads) for t in self.queryKeyValue(x).chunk(3, -1))
            return self.output(softmax_attention(q, k, v, allowed))

        def forward(self, x, allowed, times):
            x = self.norm1(x + self.attend(x, allowed))
            return self.norm2(x + self.contract(F.gelu(self.expand(x))))

    class GPTBlock(SASRecBlock):
        def forward(self, x, allowed, times):
            x = x + self.attend(self.norm1(x), allowed)
            return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate='tanh'))

    class LlamaBlock(nn.Module):
        def __init__(self, c):
            super().__init__()
            d, self.heads = c['dim'], c['heads']
            f = math.ceil(8 * d / 3)
            self.queryKeyValue, self.output = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.norm1 = RMSNorm(d)
            self.expand, self.contract = nn.Linear(d, 2 * f, bias=False), nn.Linear(f, d, bias=False)
            self.norm2 = RMSNorm(d)

        def forward(self, x, allowed, times):
            q, k, v = (heads_of(t, self.heads) for t in self.queryKeyValue(self.norm1(x)).chunk(3, -1))
            x = x + self.output(softmax_attention(rotate(q), rotate(k), v, allowed))
            gate, up = self.expand(self.norm2(x)).chunk(2, -1)
            return x + self.contract(F.silu(gate) * up)

    class HSTUBlock(nn.Module):
        def __init__(self, c):
            super().__init__()
            d, self.heads = c['dim'], c['heads']
            self.positionBias = nn.Parameter(torch.randn(c['maxLength']) * 0.02)
            self.timeBias = nn.Parameter(torch.randn(129) * 0.02)
            self.norm1, self.gateValueQueryKey = nn.LayerNorm(d, eps=1e-6), nn.Linear(d, 4 * d)
            self.norm2, self.output = nn.LayerNorm(d, eps=1e-6), nn.Linear(d, d)

        def forward(self, x, allowed, times):
            n = x.shape[1]
            u, v, q, k = F.silu(self.gateValueQueryKey(self.norm1(x))).chunk(4, -1)
            q, k, v = (heads_of(t, self.heads) for t in (q, k, v))
            place = torch.arange(n)
            bias = self.positionBias[(place[:, None] - place[None]).clamp(min=0)][None]
            if times is not None:
                distance = (times[:, :, None] - times[:, None, :]).abs().clamp(min=1)
                bias = bias + self.timeBias[(distance.double().log() / 0.301).long().clamp(max=128)]
            weights = F.silu(q @ k.transpose(-1, -2) + bias[:, None]) / len(self.positionBias)
            attended = ((weights * allowed) @ v).transpose(-2, -3).flatten(-2)
            return x + self.output(self.norm2(attended) * u)

    class Model(nn.Module):
        def __init__(self, configuration):
            super().__init__()
            self.configuration = c = configuration
            self.item = nn.Parameter(torch.randn(c['items'], c['dim']) * 0.02)
            kind = c['backbone']
            if kind in ('sasrec', 'gpt'):
                self.position = nn.Parameter(torch.randn(c['maxLength'], c['dim']) * 0.02)
            if kind == 'sasrec':
                self.inputNorm = nn.LayerNorm(c['dim'], eps=1e-5)
            block = dict(sasrec=SASRecBlock, gpt=GPTBlock, llama=LlamaBlock, hstu=HSTUBlock)[kind]
            self.blocks = nn.ModuleList([block(c) for _ in range(c['layers'])])
            if kind != 'sasrec':
                self.outputNorm = (RMSNorm(c['dim']) if kind == 'llama'
                                   else nn.LayerNorm(c['dim'], eps=1e-5 if kind == 'gpt' else 1e-6))

        def padded(self, inputs, present, times=None):
            """Hidden states of rows of L items, padded on the left."""
            x = self.item[inputs]
            if hasattr(self, 'position'):
                x = x + self.position
            if hasattr(self, 'inputNorm'):
                x = self.inputNorm(x)
            n = inputs.shape[1]
            allowed = (torch.ones(n, n, dtype=torch.bool).tril() & present[:, None, :])[:, None]
            for block in self.blocks:
                x = block(x, allowed, times)
            return self.outputNorm(x) if hasattr(self, 'outputNorm') else x

        def forward(self, sequences, times=None):
            L = self.configuration['maxLength']
            rows = [list(s)[-L:] for s in sequences]
            pad = lambda values: torch.tensor([[0] * (L - len(r)) + list(r)[-L:] for r in values])
            present = torch.tensor([[i >= L - len(r) for i in range(L)] for r in rows])
            hidden = self.padded(pad(rows), present, None if times is None else pad([t[-L:] for t in times]))
            return [hidden[i, L - len(r):] for i, r in enumerate(rows)]

    def load(path):
        metadata, tensors = read(path)
        model = Model({k: metadata[k] if k == 'backbone' else int(metadata[k]) for k in METADATA})
        model.load_state_dict({k: torch.tensor(values).double().view(shape) for k, (shape, values) in tensors.items()})
        return model.eval()

    def save(model, path):
        c = model.configuration
        write(path, {'format': 'pt', 'plaw': '1', **{k: str(c[k]) for k in METADATA}},
              [(k, p.shape, p.detach().flatten().tolist()) for k, p in model.named_parameters()])

if __name__ == '__main__':
    states = load(sys.argv[1])(*(json.loads(a) for a in sys.argv[2:4]))
    print(json.dumps([s.tolist() for s in states]))
