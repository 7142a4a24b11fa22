"""Size and digest are correct for any chunks, and wrong bytes raise before the stream ends."""

from __future__ import annotations

import hashlib
import threading
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.hashing import HashingStream
from lifecycle.leases import Lease
from problems import BytesDamaged, LeaseLost
from storage.parts import Buffers, split
from tests.fakes import breaking

SIZES = st.lists(st.sampled_from([0, 1, 1000, (256 << 10) - 1, 256 << 10, 1 << 20]), max_size=8)
RIGHT = hashlib.sha256(b"right").hexdigest()


@settings(deadline=None, max_examples=50)
@given(SIZES)
def test_chunks_are_hashed(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    hashing = HashingStream(iter(chunks))

    assert list(hashing.chunks()) == chunks
    assert (hashing.size, hashing.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())


@settings(deadline=None, max_examples=30)
@given(SIZES, st.sampled_from([1000, 300_000, 1 << 20]))
def test_an_observer_hashes_parts(sizes: list[int], part_size: int) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    buffers = Buffers()

    with HashingStream(iter(chunks)) as hashing:
        for part in split(hashing.raw(), repeat(part_size), buffers, hashing):
            part.release()

    assert (hashing.size, hashing.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())
    assert buffers.free == buffers.made


def test_a_part_is_released_only_after_it_is_hashed() -> None:
    buffers, freed = Buffers(), []
    with HashingStream(iter([bytes(500_000)] * 3)) as hashing:
        parts = split(hashing.raw(), repeat(1_000_000), buffers, hashing)
        part = next(parts)
        part.on_release(lambda: freed.append("free"))
        part.retain()
        part.release()
        assert freed == []
        part.release()
        [last] = parts
        last.release()

    assert (freed, buffers.free) == (["free"], buffers.made)


@pytest.mark.parametrize("sent", [b"", b"righ", b"right!", b"wrong"])
def test_unexpected_bytes_raise_before_the_end(sent: bytes) -> None:
    with pytest.raises(BytesDamaged):
        list(HashingStream(iter([sent]), 5, RIGHT).chunks())

    hashing = HashingStream(iter([sent]), 5, RIGHT)
    with pytest.raises(BytesDamaged):
        next(split(hashing.raw(), repeat(10), Buffers(), hashing))


def test_the_expected_bytes_pass() -> None:
    assert list(HashingStream(iter([b"right"]), 5, RIGHT).chunks()) == [b"right"]


def test_a_lost_lease_stops_the_stream() -> None:
    lease = Lease(0)
    chunks = HashingStream(iter([b"1", b"2", b"3"]), lease=lease).chunks()
    assert next(chunks) == b"1"
    lease.revoke()

    with pytest.raises(LeaseLost):
        next(chunks)


def test_progress_is_counted_in_the_lease() -> None:
    lease = Lease(0)
    hashing = HashingStream(iter([b"123", b"45"]), lease=lease)
    stream = hashing.raw()
    next(stream)
    assert lease.counts() == (3, 0)
    next(stream)
    hashing.on_stored(3)

    assert lease.counts() == (5, 3)
    HashingStream(iter([])).on_stored(1)


def test_the_thread_ends_with_the_stream() -> None:
    before = threading.active_count()
    big = bytes(1 << 20)

    list(HashingStream(iter([big, big])).chunks())
    with pytest.raises(OSError, match="broken"):
        list(HashingStream(breaking(big, OSError("broken"))).chunks())
    abandoned = HashingStream(iter([big, big])).chunks()
    next(abandoned)
    del abandoned

    assert threading.active_count() == before
