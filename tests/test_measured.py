"""Size and digest are right whatever the chunks, and wrong bytes never get to the end."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lease import Hold
from measured import Measured
from problems import BytesDamaged, LeaseLost
from tests.fakes import breaking

SIZES = st.lists(st.sampled_from([0, 1, 1000, (256 << 10) - 1, 256 << 10, 1 << 20]), max_size=8)


@settings(deadline=None, max_examples=50)
@given(SIZES)
def test_what_passes_is_measured(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    measured = Measured(iter(chunks))

    assert list(measured) == chunks
    assert (measured.size, measured.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())


@pytest.mark.parametrize("sent", [b"", b"righ", b"right!", b"wrong"])
def test_other_bytes_than_expected_are_told_before_the_end(sent: bytes) -> None:
    measured = Measured(iter([sent]), 5, hashlib.sha256(b"right").hexdigest())

    with pytest.raises(BytesDamaged):
        list(measured)


def test_a_lost_hold_stops_the_stream() -> None:
    hold = Hold()
    chunks = iter(Measured(iter([b"1", b"2", b"3"]), hold=hold))
    assert next(chunks) == b"1"
    hold.lose()

    with pytest.raises(LeaseLost):
        next(chunks)


def test_no_thread_stays_however_the_stream_ends() -> None:
    before = threading.active_count()
    big = bytes(1 << 20)

    list(Measured(iter([big, big])))
    with pytest.raises(OSError):
        list(Measured(breaking(big, OSError())))
    abandoned = iter(Measured(iter([big, big])))
    next(abandoned)
    del abandoned

    assert threading.active_count() == before
