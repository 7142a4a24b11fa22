"""Size and digest are right whatever the chunks, and wrong bytes never get to the end."""

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
def test_what_passes_is_measured(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    measured = HashingStream(iter(chunks))

    assert list(measured.chunks()) == chunks
    assert (measured.size, measured.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())


@settings(deadline=None, max_examples=30)
@given(SIZES, st.sampled_from([1000, 300_000, 1 << 20]))
def test_a_witness_measures_the_parts_it_sees(sizes: list[int], part_size: int) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    buffers = Buffers()

    with HashingStream(iter(chunks)) as measured:
        for part in split(measured.raw(), repeat(part_size), buffers, measured):
            part.release()

    assert (measured.size, measured.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())
    assert buffers.free == buffers.made


def test_a_part_is_not_free_before_it_was_digested() -> None:
    buffers, freed = Buffers(), []
    with HashingStream(iter([bytes(500_000)] * 3)) as measured:
        parts = split(measured.raw(), repeat(1_000_000), buffers, measured)
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
def test_other_bytes_than_expected_are_told_before_the_end(sent: bytes) -> None:
    with pytest.raises(BytesDamaged):
        list(HashingStream(iter([sent]), 5, RIGHT).chunks())

    measured = HashingStream(iter([sent]), 5, RIGHT)
    with pytest.raises(BytesDamaged):
        next(split(measured.raw(), repeat(10), Buffers(), measured))


def test_the_expected_bytes_pass() -> None:
    assert list(HashingStream(iter([b"right"]), 5, RIGHT).chunks()) == [b"right"]


def test_a_lost_hold_stops_the_stream() -> None:
    hold = Lease()
    chunks = HashingStream(iter([b"1", b"2", b"3"]), hold=hold).chunks()
    assert next(chunks) == b"1"
    hold.revoke()

    with pytest.raises(LeaseLost):
        next(chunks)


def test_a_hold_knows_how_far_the_bytes_are() -> None:
    hold = Lease()
    measured = HashingStream(iter([b"123", b"45"]), hold=hold)
    stream = measured.raw()
    next(stream)
    assert hold.counts() == (3, 0)
    next(stream)
    measured.on_stored(3)

    assert hold.counts() == (5, 3)
    HashingStream(iter([])).on_stored(1)


def test_no_thread_stays_however_the_stream_ends() -> None:
    before = threading.active_count()
    big = bytes(1 << 20)

    list(HashingStream(iter([big, big])).chunks())
    with pytest.raises(OSError, match="broken"):
        list(HashingStream(breaking(big, OSError("broken"))).chunks())
    abandoned = HashingStream(iter([big, big])).chunks()
    next(abandoned)
    del abandoned

    assert threading.active_count() == before
