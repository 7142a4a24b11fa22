"""Lines of 20 and 100 kB/s with the real time-outs: a part is stored and sent once. `make long` runs it."""

from __future__ import annotations

import socket
import time

import pytest

from storage.s3.http import HttpClient
from tests.storage.raw_server import OK, Line, ask

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("rate", "size"), [(20_000, 2 << 20), (100_000, 8 << 20)])
def test_a_part_over_a_slow_line_is_stored_and_sent_once(rate: int, size: int) -> None:
    """The upload takes several times the 30 seconds that may pass without progress."""
    got = [0]

    def drip(line: socket.socket) -> None:
        # Up to 4096 bytes of the body were read with the head.
        while got[0] < size - 4096 and (block := line.recv(16 << 10)):
            got[0] += len(block)
            time.sleep(len(block) / rate)
        line.sendall(OK)

    line = Line(drip)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    assert ask(client, body=bytes(size)).status == 200
    assert time.monotonic() - began > 60
    assert line.connections == 1
    assert got[0] <= size
    client.close()
    line.close()
