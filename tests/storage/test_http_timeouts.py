"""Time-outs of the HTTP client: they measure silence, not the duration of a transfer."""

from __future__ import annotations

import socket
import time

import pytest

from storage.base import StorageUnavailable
from storage.s3 import connection
from storage.s3.http import HttpClient
from tests.storage.raw_server import OK, Line, Serve, ask

pytestmark = pytest.mark.usefixtures("impatient", "short_silence")


def test_a_silent_storage_times_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.1)
    _, client = serve(b"HTTP/1.1 200")

    with pytest.raises(StorageUnavailable):
        ask(client, attempts=1)


@pytest.mark.parametrize("seconds", [0.02, 0.05])
def test_a_slow_line_is_not_a_silent_one(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The upload, and even the send buffer alone, takes longer than the time that may pass without progress."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.4)
    monkeypatch.setattr(connection, "_POLL_SECONDS", 0.05)
    size, got = 2 << 20, []

    def drip(line: socket.socket) -> None:
        while sum(got) < size - 4096:
            got.append(len(line.recv(64 << 10)))
            time.sleep(seconds * got[-1] / (64 << 10))
        line.sendall(OK)

    line = Line(drip)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    assert ask(client, body=bytes(size), attempts=1).status == 200
    assert time.monotonic() - began > 0.6
    client.close()
    line.close()


def test_a_connection_without_progress_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    line = Line(lambda _: time.sleep(1))
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    with pytest.raises(StorageUnavailable, match="does not respond"):
        ask(client, body=bytes(8 << 20), attempts=1)
    assert 0.2 <= time.monotonic() - began < 0.9
    client.close()
    line.close()
