"""Amounts as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import plaw
from plaw._quantities import choices, count, duration, number, shape, share, size, whole


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (count, "2M", 2_000_000), (count, "500k", 500_000), (count, "5e12", 5e12), (count, 2_000_000, 2_000_000),
        (count, "1_000", 1000), (count, "1.5 G", 1.5e9), (count, "2T", 2e12), (count, "3B", 3e9), (count, None, None),
        (size, "200MB", 2e8), (size, "1GiB", 2**30), (size, "1.5 KiB", 1536), (size, 7, 7),
        (duration, "10m", 600), (duration, "5ms", 0.005), (duration, "90", 90), (duration, "2h", 7200),
        (duration, timedelta(minutes=1), 60), (duration, "1e2s", 100), (duration, "20us", 2e-5),
        (share, "1%", 0.01), (share, 0.5, 0.5),
        (choices, [4, 2, 2], [2, 4]), (choices, "2,4..6,16..64:16", [2, 4, 5, 6, 16, 32, 48, 64]), (choices, 3, [3]),
        (choices, range(1, 4), [1, 2, 3]), (choices, "2", [2]),
        (shape, "4x128", {"layers": 4, "dim": 128}), (shape, (4, 128), {"layers": 4, "dim": 128}),
        (whole, 3, 3), (number, 3, 3.0),
    ],
)  # fmt: skip
def test_reads(function: Any, value: object, expected: object) -> None:
    assert function("x", value) == (pytest.approx(expected) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (count, "2 monkeys"), (count, 0), (count, -1), (count, "-2M"), (count, ""), (count, "M"), (count, True),
        (count, float("nan")), (count, float("inf")), (count, "2MB"), (count, timedelta(1)), (count, [1]),
        (size, "10m"), (duration, "10MB"), (duration, "ten"), (share, 1.5), (share, "150%"),
        (choices, []), (choices, "2.."), (choices, "5..2"), (choices, "0"), (choices, [0]), (choices, [1.5]),
        (choices, "1..5000"), (choices, "2..8:0"), (choices, 2.5), (choices, "a"), (choices, range(1, 5000)),
        (shape, "4"), (shape, (1, 2, 3)), (shape, 4), (whole, 2.0), (whole, True), (number, "1"), (number, float("nan")),
    ],
)  # fmt: skip
def test_refuses_with_the_name(function: Any, value: object) -> None:
    with pytest.raises(plaw.InvalidArgumentError, match=r"^budget: found .*, expected "):
        function("budget", value)


def test_numbers_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    assert count("x", numpy.int64(5)) == 5 and count("x", numpy.float32(2)) == 2
    assert choices("x", numpy.arange(1, 4)) == [1, 2, 3]
    assert whole("x", numpy.int32(4)) == 4 and number("x", numpy.float64(0.5)) == 0.5
