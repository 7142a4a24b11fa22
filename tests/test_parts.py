"""How a stream is cut into parts."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.parts import MIB, SMALL, USUAL, cut, part_sizes

TIB = 1 << 40


@pytest.mark.parametrize(
    ("bound", "size"),
    [
        (0, SMALL),
        (10_000_000, SMALL),
        (64 * MIB - 1, SMALL),
        (64 * MIB, USUAL),
        (10 << 30, USUAL),
        (5 * TIB, 552 * MIB),
    ],
)
def test_a_known_length_has_parts_of_one_size(bound: int, size: int) -> None:
    assert set(islice(part_sizes(bound), 100)) == {size}


@pytest.mark.parametrize("bound", [64 * MIB, 78 << 30, 79 << 30, TIB, 5 * TIB])
def test_no_length_needs_more_than_ten_thousand_parts(bound: int) -> None:
    assert bound / next(part_sizes(bound)) <= 10_000


def test_an_unknown_length_has_room_for_the_largest_object_of_s3() -> None:
    sizes = list(part_sizes(None))

    assert len(sizes) == 10_000
    assert sum(sizes) > 5 * TIB
    assert sizes[:1000] == [USUAL] * 1000
    assert max(sizes) < 5 << 30


@given(st.lists(st.binary(max_size=50)), st.integers(1, 40))
def test_cutting_loses_and_moves_nothing(stream: list[bytes], size: int) -> None:
    whole = b"".join(stream)

    parts = list(cut(iter(stream), iter(lambda: size, 0)))

    assert b"".join(parts) == whole
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert len(parts) == max(1, -(-len(whole) // size))
