"""Responses that come before the request body is sent."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.base import StorageUnavailable
from storage.s3 import connection
from storage.s3.http import HttpClient
from tests.storage.raw_server import Line, ask

pytestmark = pytest.mark.usefixtures("impatient", "short_silence")

REFUSED = b"HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 23\r\n\r\n<Code>AccessDenied</Code"


def refuse_and_reset(connection: socket.socket) -> None:
    connection.sendall(REFUSED)
    time.sleep(0.05)


def refuse_and_wait(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
    time.sleep(0.05)
    connection.sendall(REFUSED)
    connection.recv(1)
    time.sleep(2)


def refuse_in_mid_body(connection: socket.socket) -> None:
    for _ in range(20):
        connection.recv(4096)
    refuse_and_reset(connection)


@pytest.mark.parametrize("script", [refuse_and_reset, refuse_and_wait, refuse_in_mid_body])
@pytest.mark.parametrize("size", [1000, 300_000, 8 << 20])
def test_an_early_error_response_is_returned(script: Callable[[socket.socket], None], size: int) -> None:
    line = Line(script if size > 1000 else refuse_and_reset)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    assert ask(client, body=bytes(size)).status == 403
    assert ask(client, body=bytes(size)).status == 403, "the connection is not used again"
    assert line.connections == 2
    assert time.monotonic() - began < 1.5
    client.close()
    line.close()


def test_a_connection_that_was_not_sent_its_whole_body_is_not_reused() -> None:
    """The peer keeps it open, and would read the next request as the rest of the body."""

    def refuse_and_keep(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        time.sleep(1)

    line = Line(refuse_and_keep)
    client = HttpClient("http", f"127.0.0.1:{line.port}")

    assert [ask(client, body=bytes(8 << 20), attempts=1).status for _ in range(2)] == [403, 403]
    assert line.connections == 2
    client.close()
    line.close()


def test_a_connection_with_a_response_but_a_body_that_stalls_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the body is not sent: the peer would read the next request as it."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    ended = threading.Event()

    def accept_and_stall(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        ended.wait(30)

    line = Line(accept_and_stall)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            ask(client, body=bytes(16 << 20), attempts=1)

    assert line.connections == 2
    ended.set()
    client.close()
    line.close()


@pytest.mark.parametrize(
    ("answer", "status"), [(REFUSED, 403), (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None)]
)
def test_after_a_failed_send_only_an_error_response_counts(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, status: int | None
) -> None:
    """The peer's reset arrives between the check for a response and the next send."""
    send = connection._send_some

    def reset(sock: socket.socket, piece: memoryview) -> int:
        if bytes(piece[:3]) == b"PUT":
            return send(sock, piece)
        time.sleep(0.2)
        raise ConnectionResetError

    line = Line(lambda peer: peer.sendall(answer))
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    monkeypatch.setattr(connection, "wait_for", lambda sock, events, seconds: select.POLLOUT)
    monkeypatch.setattr(connection, "_send_some", reset)
    if status:
        assert ask(client, body=bytes(300_000), attempts=1).status == status
    else:
        with pytest.raises(StorageUnavailable):
            ask(client, body=bytes(300_000), attempts=1)
    client.close()
    line.close()


def test_an_early_error_response_is_seen_through_tls(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    line = Line(refuse_and_wait, tls)
    client = HttpClient("https", f"127.0.0.1:{line.port}", str(certificate))
    began = time.monotonic()

    assert ask(client, body=bytes(8 << 20)).status == 403
    assert time.monotonic() - began < 1.5
    client.close()
    line.close()


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 40", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\x00" * 99])
def test_a_connection_closed_in_mid_body_is_no_response(early: bytes) -> None:
    def end(connection: socket.socket) -> None:
        connection.sendall(early)
        time.sleep(0.05)

    line = Line(end)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    with pytest.raises(StorageUnavailable):
        ask(client, body=bytes(8 << 20), attempts=2)
    assert line.connections == 2
    client.close()
    line.close()
