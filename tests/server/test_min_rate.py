"""How slowly a body may come."""

from __future__ import annotations

import pytest

from problems import RequestTimeout
from server.min_rate import MinRate

STALL, RATE = 10, 100


def survived(*pieces: tuple[int, float]) -> int:
    """How many pieces (bytes, seconds waited for them) pass."""
    pace = MinRate(STALL, RATE)
    for number, (size, waited) in enumerate(pieces):
        try:
            pace.record(size, waited)
        except RequestTimeout:
            return number
    return len(pieces)


@pytest.mark.parametrize(
    ("pieces", "passing"),
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
        "what was fast once does not count for ever", "nobody waited", "nobody waited for single bytes",
    ],
)  # fmt: skip
def test_what_comes_too_slowly_is_given_up(pieces: list[tuple[int, float]], passing: int) -> None:
    assert survived(*pieces) == passing
