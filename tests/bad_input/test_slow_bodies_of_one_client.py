"""Slow bodies of one client never take all threads of a web process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bad_input.conftest import Ferry, settings
from tests.bad_input.slow import CUT, HALF_UPLOAD, THREADS
from tests.harness.raw_client import RawClient, get, post

LONG_STALL = 4
"""Seconds for which bodies stall while other requests are served: more than those take on a busy machine."""


@pytest.fixture
def careful_ferry(tmp_path: Path) -> Iterator[Ferry]:
    """A Ferry that allows each client all threads but one."""
    careful = {"MAX_TRANSFERS_PER_CLIENT": str(THREADS - 1), "BODY_TIMEOUT": str(LONG_STALL)}
    with Ferry(tmp_path, settings(THREADS) | careful) as ferry:
        yield ferry


JSON = "Content-Type: application/json"
UNREAD = {
    "GET": get("/files", JSON, "Content-Length: 60000") + b"{",
    "GET in chunks": get("/files", JSON, "Transfer-Encoding: chunked") + b"1\r\n{\r\n",
    "DELETE": get("/files/x", JSON, "Content-Length: 60000", method="DELETE") + b"{",
    "retry": post("/files/x/retry", b"{", JSON, length=60000),
    "unknown": post("/nothing", b"{", JSON, length=60000),
    "health": post("/healthz", b"{", JSON, length=60000),
}


def test_one_clients_bodies_never_take_all_threads(careful_ferry: Ferry) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(RawClient(careful_ferry.ports.web)) for _ in range(2 * THREADS)]
        for wire in wires:
            wire.send(HALF_UPLOAD)
        began = time.monotonic()
        others = [careful_ferry.ask(get("/files")).status for _ in range(20)]
        seconds = time.monotonic() - began

        assert (set(others), seconds < LONG_STALL) == ({200}, True)
        outcomes = [wire.reply().outcome for wire in wires]
        assert set(outcomes) == {CUT, (429, "application/problem+json", "too-many-uploads")}
        assert outcomes.count(CUT) == THREADS - 1


def test_one_clients_slow_json_never_takes_all_threads(careful_ferry: Ferry) -> None:
    """A body that no view reads holds no thread: the response is sent at once."""
    with ExitStack() as stack:
        wires = [stack.enter_context(RawClient(careful_ferry.ports.web)) for _ in range(3 * THREADS)]
        for number, wire in enumerate(wires):
            wire.send(post(f"/files/{'status' if number % 2 else 'delete'}", b"{", JSON, length=60000))
        began = time.monotonic()
        for request in UNREAD.values():
            assert careful_ferry.ask(request).status in (200, 404, 405)
        others = [careful_ferry.ask(get("/files")).status for _ in range(5)]
        seconds = time.monotonic() - began

        assert (set(others), seconds < LONG_STALL) == ({200}, True)
        outcomes = [wire.reply().outcome for wire in wires]
        assert set(outcomes) == {CUT, (429, "application/problem+json", "too-many-uploads")}
        assert outcomes.count(CUT) == THREADS - 1
