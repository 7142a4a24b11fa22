"""Responses that a client reads slowly: they take a send slot, and are cut below the minimum rate."""

from __future__ import annotations

import pytest

from server.min_rate import MinRate
from server.outgoing import ResponseSocket, SendSlots


def test_send_slots_are_limited_by_network() -> None:
    slots = SendSlots(2)
    with slots.acquire("a"), slots.acquire("a"), slots.acquire("b"), pytest.raises(ConnectionResetError):
        slots.acquire("a").__enter__()


class Reader:
    """A socket whose send accepts `taken` bytes in turn; 0: it would block."""

    def __init__(self, *taken: int) -> None:
        self._taken, self.sent = iter(taken), b""

    def send(self, data: bytes, flags: int = 0) -> int:
        if not (some := next(self._taken)):
            raise BlockingIOError
        self.sent += bytes(data[:some])
        return min(some, len(data))


def outgoing(reader: Reader, most: int, stall: float = 60) -> ResponseSocket:
    return ResponseSocket(reader, "a", SendSlots(most), MinRate(stall, 10))  # type: ignore[arg-type]


def test_a_response_that_is_sent_at_once_needs_no_slot() -> None:
    reader = Reader(100)
    outgoing(reader, most=0).sendall(b"1" * 100)
    assert len(reader.sent) == 100

    with pytest.raises(ConnectionResetError, match="too many"):
        outgoing(Reader(99), most=0).sendall(b"1" * 100)


def test_a_response_sent_in_small_pieces_is_complete_and_in_order() -> None:
    reader = Reader(0, 3, 0, 0, 1, 100)
    outgoing(reader, most=1).sendall(b"0123456789")

    assert reader.sent == b"0123456789"


def test_a_client_that_does_not_read_is_disconnected() -> None:
    with pytest.raises(ConnectionResetError, match="slowly"):
        outgoing(Reader(5, *[0] * 10), most=1, stall=0).sendall(b"0123456789")
