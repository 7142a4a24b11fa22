"""Clients that take connections and do nothing with them: they take each other's places, not those of others."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from server.waiting import crowding
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
    assert crowding(list(clients)) == goes


@pytest.fixture
def small_ferry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ferry]:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--worker-connections {PLACES}")
    with Ferry(tmp_path, settings(4) | {"STALL_SECONDS": str(STALL)}) as ferry:
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
    assert re.search(r"connections nearly full: \d+ of 127\.0\.0\.2 closed", log)
    assert not re.search(r"of 127\.0\.0\.1 closed|Traceback", log)
    assert len(os.listdir(f"/proc/{small_ferry.web_workers()[0]}/fd")) < 2 * PLACES


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
