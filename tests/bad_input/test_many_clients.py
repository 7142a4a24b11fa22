"""Many connections of one client: they displace its own connections, not those of others."""

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
from tests.bad_input.conftest import Ferry, settings
from tests.harness.raw_client import RawClient, get

PLACES, STALL = 60, 6


@pytest.mark.parametrize(
    ("clients", "evicted"),
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
def test_the_client_with_most_connections_loses_its_oldest(clients: str, evicted: int) -> None:
    assert index_to_evict(list(clients)) == evicted


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


def test_one_clients_connections_block_no_other_client(small_ferry: Ferry) -> None:
    """A client with one slow head is served too."""
    for number, opening in enumerate(OPENINGS.values(), 2):
        with ExitStack() as stack:
            slow = stack.enter_context(RawClient(small_ferry.ports.web))
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


def test_one_clients_unread_responses_never_take_all_threads(small_ferry: Ferry) -> None:
    """Also without a key. Segments are as in a real network: on the loopback interface the kernel buffers more."""
    with ExitStack() as stack:
        wires = [
            stack.enter_context(RawClient(small_ferry.ports.web, receive_buffer=2048, segment=1400)) for _ in range(12)
        ]
        for wire in wires:
            wire.send(get("/openapi.json"))
        began = time.monotonic()
        assert [small_ferry.ask(get("/healthz")).status for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < STALL / 2
        style = requests.get(f"{small_ferry.url}/static/docs.css", timeout=5)
        assert style.content == (ROOT / "static" / "docs.css").read_bytes()
        patient = RawClient(small_ferry.ports.web, receive_buffer=2048, segment=1400, source="127.0.0.9")
        stack.enter_context(patient).send(get("/openapi.json"))
        assert patient.reply().json["openapi"].startswith("3.1")


def opened(ferry: Ferry, source: str, opening: bytes) -> RawClient:
    wire = RawClient(ferry.ports.web, source=source)
    wire.send(opening)
    return wire


def is_closed(wire: RawClient) -> bool:
    """Whether the server has closed the connection, with a response or without."""
    wire.socket.settimeout(0.01)
    try:
        while select.select([wire.socket], [], [], 0)[0]:
            if not wire.socket.recv(65536):
                return True
    except OSError:
        return True
    return False
