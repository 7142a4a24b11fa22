"""Clients that take connections and do nothing with them: they take each other's places, not those of others."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from dev.parts import ROOT
from server.eviction import index_to_evict
from server.min_rate import MinRate
from server.outgoing import ResponseSocket, SendSlots
from tests.bad_input.conftest import Ferry, settings
from tests.bad_input.wire import Wire, get

PLACES, STALL = 60, 6


@pytest.mark.parametrize(
    ("clients", "goes"),
    [
        ("a", 0),
        ("aa", 0),
        ("ab", 0),
        ("abb", 1),
        ("abab", 0),
        ("babaa", 1),
        ("abcabcc", 2),
    ],
)
def test_the_client_that_has_most_loses_its_oldest(clients: str, goes: int) -> None:
    assert index_to_evict(list(clients)) == goes


@pytest.fixture(scope="module")
def small_ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ferry]:
    env = {"BODY_TIMEOUT": str(STALL), "GUNICORN_CMD_ARGS": f"--worker-connections {PLACES}"}
    with Ferry(tmp_path_factory.mktemp("small"), settings(4) | env) as ferry:
        yield ferry


HALF = get("/healthz")[:-2]
OPENINGS = {
    "half a head": HALF,
    "an idle connection": get("/healthz"),
    "an answer that is not read": get("/unknown", "Content-Length: 9"),
}


def test_one_clients_connections_keep_no_other_out(small_ferry: Ferry) -> None:
    """A client with one slow head of its own is not hurt either."""
    for number, opening in enumerate(OPENINGS.values(), 2):
        with ExitStack() as stack:
            slow = stack.enter_context(Wire(small_ferry.ports.web))
            slow.send(HALF)
            many = [stack.enter_context(opened(small_ferry, f"127.0.0.{number}", opening)) for _ in range(3 * PLACES)]
            began = time.monotonic()
            assert [small_ferry.ask(get("/healthz")).status for _ in range(5)] == [200] * 5
            slow.send(b"\r\n")
            assert slow.reply().status == 200
            assert time.monotonic() - began < STALL / 2
            assert sum(not is_closed(wire) for wire in many) <= PLACES

    log = (small_ferry.data / "log" / "web.log").read_text()
    assert re.search(r"connections\.evicted: \d+ of 127\.0\.0\.2 closed", log)
    assert not re.search(r"of 127\.0\.0\.1 closed|Traceback", log)
    assert len(os.listdir(f"/proc/{small_ferry.web_workers()[0]}/fd")) < 2 * PLACES


def test_one_clients_unread_answers_never_take_all_threads(small_ferry: Ferry) -> None:
    """Without a key too. The segments of a real network: on the loopback interface the kernel takes whole answers."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(small_ferry.ports.web, receive_buffer=2048, segment=1400)) for _ in range(12)]
        for wire in wires:
            wire.send(get("/openapi.json"))
        began = time.monotonic()
        assert [small_ferry.ask(get("/healthz")).status for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < STALL / 2
        style = requests.get(f"{small_ferry.url}/static/docs.css", timeout=5)
        assert style.content == (ROOT / "static" / "docs.css").read_bytes()
        patient = Wire(small_ferry.ports.web, receive_buffer=2048, segment=1400, source="127.0.0.9")
        stack.enter_context(patient).send(get("/openapi.json"))
        assert patient.reply().json["openapi"].startswith("3.1")


def test_send_slots_are_limited_by_network_and_released() -> None:
    slots = SendSlots(2)
    with slots.acquire("a"), slots.acquire("a"), slots.acquire("b"), pytest.raises(ConnectionResetError):
        slots.acquire("a").__enter__()
    with pytest.raises(RuntimeError), slots.acquire("a"):
        raise RuntimeError

    with slots.acquire("a"), slots.acquire("a"):
        pass
    assert not slots._held


class Reader:
    """A socket whose other end takes `taken` bytes at a time, or none for a while where that is 0."""

    def __init__(self, *taken: int) -> None:
        self._taken, self.sent = iter(taken), b""

    def send(self, data: bytes, flags: int = 0) -> int:
        if not (some := next(self._taken)):
            raise BlockingIOError
        self.sent += bytes(data[:some])
        return min(some, len(data))


def outgoing(reader: Reader, most: int, stall: float = 60) -> ResponseSocket:
    return ResponseSocket(reader, "a", SendSlots(most), MinRate(stall, 10))  # type: ignore[arg-type]


def test_what_the_kernel_takes_at_once_needs_no_place() -> None:
    reader = Reader(100)
    outgoing(reader, most=0).sendall(b"1" * 100)
    assert len(reader.sent) == 100

    with pytest.raises(ConnectionResetError, match="too many"):
        outgoing(Reader(99), most=0).sendall(b"1" * 100)


def test_all_of_it_is_sent_in_its_order_however_little_is_taken_at_a_time() -> None:
    reader = Reader(0, 3, 0, 0, 1, 100)
    outgoing(reader, most=1).sendall(b"0123456789")

    assert reader.sent == b"0123456789"


def test_who_does_not_read_is_cut() -> None:
    with pytest.raises(ConnectionResetError, match="slowly"):
        outgoing(Reader(5, *[0] * 10), most=1, stall=0).sendall(b"0123456789")


def opened(ferry: Ferry, source: str, opening: bytes) -> Wire:
    wire = Wire(ferry.ports.web, source=source)
    wire.send(opening)
    return wire


def is_closed(wire: Wire) -> bool:
    """Whether the server has ended the connection, with an answer or without."""
    wire.socket.settimeout(0.01)
    try:
        while select.select([wire.socket], [], [], 0)[0]:
            if not wire.socket.recv(65536):
                return True
    except OSError:
        return True
    return False
