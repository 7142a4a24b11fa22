"""The minimum rate of a body."""

from __future__ import annotations

import pytest

from problems import RequestTimeout
from server.min_rate import MinRate

TIMEOUT, RATE = 10, 100


def accepted(*chunks: tuple[int, float]) -> int:
    """How many chunks (bytes, seconds waited for them) are accepted."""
    min_rate = MinRate(TIMEOUT, RATE)
    for number, (size, waited) in enumerate(chunks):
        try:
            min_rate.record(size, waited)
        except RequestTimeout:
            return number
    return len(chunks)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([(0, 9.9), (1, 0)], 2),
        ([(0, 5), (0, 4.9), (1, 9.9), (0, 0.1)], 4),
        ([(0, 5), (0, 5)], 1),
        ([(1000, 0), (0, 10)], 1),
        ([(1, 9)] * 3, 2),
        ([(900, 9)] * 20, 20),
        ([(2000, 0), (1, 9), (1, 9), (1, 2)], 4),
        ([(1999, 0), (0, 9), (1, 9), (0, 2)], 4),
        ([(1998, 0), (0, 9), (1, 9), (0, 2)], 3),
        ([(1 << 30, 20), (1, 9), (1, 9), (1, 2)], 3),
        ([(0, 0)] * 1000, 1000),
        ([(1, 0)] * 1000, 1000),
    ],
    ids=[
        "silent, not long enough", "silence ends with a byte", "silent", "a lot, then silent",
        "too slow", "just fast enough", "all at first", "exactly the rate", "a byte too few",
        "an earlier fast part does not count for ever", "no waiting", "no waiting for single bytes",
    ],
)  # fmt: skip
def test_a_slow_body_is_refused(chunks: list[tuple[int, float]], expected: int) -> None:
    assert accepted(*chunks) == expected
