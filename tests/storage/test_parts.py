"""Splitting a stream into parts, and the buffers of the parts."""

from __future__ import annotations

from itertools import chain, islice, repeat
from threading import BoundedSemaphore

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.parts import DEFAULT_PART, MIB, MIN_PART, Buffers, Part, split
from storage.s3.part_sizes import part_sizes
from tests.fakes import breaking, chunks

TIB = 1 << 40


@pytest.mark.parametrize(
    ("max_bytes", "size"),
    [
        (0, MIN_PART),
        (10_000_000, MIN_PART),
        (256 * MIB - 1, MIN_PART),
        (256 * MIB, DEFAULT_PART),
        (10 << 30, DEFAULT_PART),
        (5 * TIB, 552 * MIB),
    ],
)
def test_a_known_length_has_parts_of_one_size(max_bytes: int, size: int) -> None:
    assert set(islice(part_sizes(max_bytes), 100)) == {size}


@pytest.mark.parametrize("max_bytes", [64 * MIB, 78 << 30, 79 << 30, TIB, 5 * TIB])
def test_no_length_needs_more_than_ten_thousand_parts(max_bytes: int) -> None:
    assert max_bytes / next(part_sizes(max_bytes)) <= 10_000


def test_an_unknown_length_has_parts_of_one_size_too() -> None:
    """Cloudflare R2 rejects parts of different sizes."""
    assert set(islice(part_sizes(None), 10_000)) == {DEFAULT_PART}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)), st.integers(1, 40))
def test_splitting_preserves_the_bytes(stream: list[bytes], size: int) -> None:
    whole, buffers = b"".join(stream), Buffers()

    parts = []
    for part in split(iter(stream), repeat(size), buffers):
        parts.append((bytes(part.body), part.last))
        part.release()

    assert b"".join(body for body, _ in parts) == whole
    assert [len(body) for body, _ in parts[:-1]] == [size] * (len(parts) - 1)
    assert len(parts) == max(1, -(-len(whole) // size))
    assert [last for _, last in parts] == [False] * (len(parts) - 1) + [True]


def test_a_small_file_needs_no_buffer() -> None:
    buffers = Buffers()

    assert [bytes(part.body) for part in split(iter([b"small"]), repeat(MIN_PART), buffers)] == [b"small"]
    assert buffers.made == 0


def test_buffers_are_reused() -> None:
    buffers = Buffers()
    for part in split(chunks(*[MIB] * 40), repeat(DEFAULT_PART), buffers):
        part.release()

    assert (buffers.made, buffers.free) == (1, 1)


def test_a_part_is_released_once_by_each_holder() -> None:
    buffers, slots = Buffers(), BoundedSemaphore(1)
    part = Part(MIN_PART, buffers)
    part.retain()
    slots.acquire()
    part.occupy(slots)

    part.release()
    assert (buffers.free, slots.acquire(blocking=False)) == (0, False)
    part.release()
    assert (buffers.free, slots.acquire(blocking=False)) == (1, True)
    with pytest.raises(RuntimeError):
        part.release()
    assert (buffers.free, slots.acquire(blocking=False)) == (1, False)


@pytest.mark.parametrize("breaks_after", [0, 1, 7, 8, 9, 20])
def test_a_failing_stream_returns_all_buffers(breaks_after: int) -> None:
    buffers = Buffers()
    stream = chain(chunks(*[MIB] * breaks_after), breaking(b"x", OSError("broken")))

    with pytest.raises(OSError, match="broken"):
        [part.release() for part in split(stream, repeat(DEFAULT_PART), buffers)]

    assert buffers.free == buffers.made


def test_closing_early_returns_all_buffers() -> None:
    buffers = Buffers()
    parts = split(chunks(*[MIB] * 40), repeat(DEFAULT_PART), buffers)
    first, second = next(parts), next(parts)
    parts.close()
    assert buffers.free == 0
    first.release()
    second.release()

    assert (buffers.made, buffers.free) == (2, 2)


def test_a_part_larger_than_a_buffer_has_its_own_memory() -> None:
    buffers = Buffers()
    [part] = split(chunks(MIB, MIB), repeat(DEFAULT_PART + 1), buffers)
    part.release()

    assert (buffers.made, buffers.free) == (0, 0)
