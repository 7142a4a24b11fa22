"""Size and digest are correct for any chunks, and unexpected ones are refused."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.hashing import Hashing
from problems import BytesDamaged

SIZES = st.lists(st.sampled_from([0, 1, 1000, (256 << 10) - 1, 256 << 10, 1 << 20]), max_size=8)
RIGHT = hashlib.sha256(b"right").hexdigest()


@settings(deadline=None, max_examples=50)
@given(SIZES)
def test_chunks_are_hashed_and_freed_in_their_order(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    freed: list[int] = []
    with Hashing() as hashing:
        for number, chunk in enumerate(chunks):
            hashing.update(chunk, lambda number=number: freed.append(number))  # type: ignore[misc]

        assert (hashing.size, hashing.sha256) == (sum(sizes), hashlib.sha256(b"".join(chunks)).hexdigest())
    assert freed == list(range(len(chunks)))


def test_at_most_two_chunks_wait_for_the_thread() -> None:
    held, freed = threading.Event(), []

    def free() -> None:
        assert held.wait(10)
        freed.append(1)

    with Hashing() as hashing:
        hashing.update(bytes(1 << 20), free)
        hashing.update(bytes(1 << 20), free)
        assert freed == []
        threading.Timer(0.05, held.set).start()
        hashing.update(bytes(1 << 20), free)
        assert freed


@pytest.mark.parametrize("sent", [b"", b"righ", b"right!", b"wrong"])
def test_unexpected_bytes_are_refused(sent: bytes) -> None:
    hashing = Hashing()
    hashing.update(sent)

    with pytest.raises(BytesDamaged):
        hashing.verify(5, RIGHT)
    hashing.verify(None, None)


def test_the_expected_bytes_pass() -> None:
    hashing = Hashing()
    hashing.update(b"right")
    hashing.verify(5, RIGHT)


def test_the_thread_ends_with_the_block() -> None:
    before = threading.active_count()
    big = bytes(1 << 20)

    with Hashing() as hashing:
        hashing.update(big)
        assert threading.active_count() == before + 1

    assert threading.active_count() == before
