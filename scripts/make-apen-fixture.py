#!/usr/bin/env python3
"""Writes Tests/SequenceEntropyTests/Fixtures/published-apen.json: per-user ApEn by Benchmarks/peers/published_apen.py (numpy).

Made-up sequences: no repeats, some, many, one item only, few templates, numbers far apart, negative and of 64 bits.
"""
import importlib.util, json, os, random

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
spec = importlib.util.spec_from_file_location("peer", os.path.join(root, "Benchmarks/peers/published_apen.py"))
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)

random.seed(20)
sequences = [
    [5], [5, 5], [5, 6, 7], [7] * 12, [1, 2] * 9, [1, 2, 3, 1, 2, 4, 1, 2, 3], list(range(0, 300, 7)),
    [random.randrange(3) for _ in range(40)], [random.randrange(12) for _ in range(60)],
    [random.randrange(100_000) for _ in range(50)], [random.randrange(-20, 20) for _ in range(30)],
    [2**63 - 1, -(2**63), 0, 2**63 - 1, -(2**63), 1, 2**63 - 2],
]
cases = []
for m in (1, 2, 4, 8):
    for r in (-1, 0, 0.1, 0.2, 1, 2, 50.5):
        cases.append({"m": m, "r": r, "values": [peer.approximate_entropy(s, m, r) for s in sequences]})
path = os.path.join(root, "Tests/SequenceEntropyTests/Fixtures/published-apen.json")
with open(path, "w") as file:
    rows = ",\n    ".join(json.dumps(case) for case in cases)
    file.write('{\n  "sequences": ' + json.dumps(sequences) + ',\n  "cases": [\n    ' + rows + "\n  ]\n}\n")
