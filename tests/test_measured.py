"""Size and digest are right whatever the chunks, and wrong bytes never get to the end."""

from __future__ import annotations

import hashlib
import threading
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lease import Hold
from measured import Measured
from problems import BytesDamaged, LeaseLost
from storage.parts import Buffers, cut
from tests.fakes import breaking

SIZES = st.lists(st.sampled_from([0, 1, 1000, (256 << 10) - 1, 256 << 10, 1 << 20]), max_size=8)
RIGHT = hashlib.sha256(b"right").hexdigest()


@settings(deadline=None, max_examples=50)
@given(SIZES)
def test_what_passes_is_measured(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    measured = Measured(iter(chunks))

    assert list(measured.chunks()) == chunks
    assert (measured.size, measured.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())


@settings(deadline=None, max_examples=30)
@given(SIZES, st.sampled_from([1000, 300_000, 1 << 20]))
def test_a_witness_measures_the_parts_it_sees(sizes: list[int], part_size: int) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    buffers = Buffers()

    with Measured(iter(chunks)) as measured:
        for part in cut(measured.unseen(), repeat(part_size), buffers, measured):
            part.release()

    assert (measured.size, measured.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())
    assert buffers.free == buffers.made


def test_a_part_is_not_free_before_it_was_digested() -> None:
    buffers, freed = Buffers(), []
    with Measured(iter([bytes(500_000)] * 3)) as measured:
        parts = cut(measured.unseen(), repeat(1_000_000), buffers, measured)
        part = next(parts)
        part.when_free(lambda: freed.append("free"))
        part.share()
        part.release()
        assert freed == []
        part.release()
        [last] = parts
        last.release()

    assert (freed, buffers.free) == (["free"], buffers.made)


@pytest.mark.parametrize("sent", [b"", b"righ", b"right!", b"wrong"])
def test_other_bytes_than_expected_are_told_before_the_end(sent: bytes) -> None:
    with pytest.raises(BytesDamaged):
        list(Measured(iter([sent]), 5, RIGHT).chunks())

    measured = Measured(iter([sent]), 5, RIGHT)
    with pytest.raises(BytesDamaged):
        next(cut(measured.unseen(), repeat(10), Buffers(), measured))


def test_the_expected_bytes_pass() -> None:
    assert list(Measured(iter([b"right"]), 5, RIGHT).chunks()) == [b"right"]


def test_a_lost_hold_stops_the_stream() -> None:
    hold = Hold()
    chunks = Measured(iter([b"1", b"2", b"3"]), hold=hold).chunks()
    assert next(chunks) == b"1"
    hold.lose()

    with pytest.raises(LeaseLost):
        next(chunks)


def test_a_hold_knows_how_far_the_bytes_are() -> None:
    hold = Hold()
    measured = Measured(iter([b"123", b"45"]), hold=hold)
    stream = measured.unseen()
    next(stream)
    assert hold.counts() == (3, 0)
    next(stream)
    measured.landed(3)

    assert hold.counts() == (5, 3)
    Measured(iter([])).landed(1)


def test_no_thread_stays_however_the_stream_ends() -> None:
    before = threading.active_count()
    big = bytes(1 << 20)

    list(Measured(iter([big, big])).chunks())
    with pytest.raises(OSError, match="broken"):
        list(Measured(breaking(big, OSError("broken"))).chunks())
    abandoned = Measured(iter([big, big])).chunks()
    next(abandoned)
    del abandoned

    assert threading.active_count() == before
