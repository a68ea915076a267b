#!/usr/bin/env python3
"""Per-user approximate entropy as the public code of the performance law computes it (arXiv 2412.00430): the peer of ours.

Written from the description of that algorithm: templates as Python lists, the largest absolute difference as distance, every
pair compared, 1e-10 where nothing matches, the absolute value of the difference, the mean over users of the most recent L
items. Items are numbers.

    Benchmarks/peers/published_apen.py lastfm.txt --m 2 --r 0.2 --max-length 50 --seconds 5

prints one JSON line with the mean over the users reached within --seconds (whole where it says so), the CPU seconds, and each
user's value with --values.
"""
import argparse, gzip, json, time

import numpy as np


def phi(sequence, m, r):
    """Mean of ln C over the templates of length m."""
    n = len(sequence) - m + 1
    templates = [[sequence[j] for j in range(i, i + m)] for i in range(n)]

    def distance(a, b):
        return max([abs(x - y) for x, y in zip(a, b)])

    shares = [len([1 for b in templates if distance(a, b) <= r]) / n for a in templates]
    return np.sum(np.log([share if share > 0 else 1e-10 for share in shares])) / n


def approximate_entropy(sequence, m, r):
    """0 for a sequence without a template of length m + 1."""
    if len(sequence) < m + 1:
        return 0.0
    return float(abs(phi(sequence, m, r) - phi(sequence, m + 1, r)))


def read(path):
    """Histories of a file of `user item item ...` lines, or of `user item` lines, in the order of the file."""
    opener = gzip.open if path.endswith(".gz") else open
    histories = {}
    with opener(path, "rt") as file:
        for line in file:
            user, *items = line.split()
            histories.setdefault(user, []).extend(int(item) for item in items)
    return list(histories.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--m", type=int, default=2)
    parser.add_argument("--r", type=float, default=0.2)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--values", action="store_true")
    a = parser.parse_args()
    histories = [history[-a.max_length:] for history in read(a.data)]
    values = []
    begin = time.process_time()
    for history in histories:
        values.append(approximate_entropy(history, a.m, a.r))
        if time.process_time() - begin > a.seconds:
            break
    line = {"users": len(values), "whole": len(values) == len(histories), "mean": sum(values) / len(values),
            "seconds": time.process_time() - begin}
    if a.values:
        line["values"] = values
    print(json.dumps(line))
