"""A key's own bound of transfers at once, in a real web process: it comes at once, and never takes the last thread."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from auth import api_keys
from content.sniffing import SNIFF_BYTES
from dev import parts
from dev.process import free_port
from tests.fakes import eventually

THREADS = 8
USUAL, GRANTED = 6, 7
"""Of eight threads: without a bound of its own, and with the largest."""


@pytest.fixture
def env(settings: dict[str, str]) -> dict[str, str]:
    """Of one process that keeps objects in memory."""
    own = {"PORT": str(free_port()), "WEB_WORKERS": "1", "WEB_THREADS": str(THREADS), "UPLOADS_AT_ONCE": ""}
    return settings | own | {"FLASK_APP": "app", "PATH": os.environ["PATH"]}


@pytest.fixture
def port(env: dict[str, str], tmp_path: Path) -> Iterator[int]:
    web = parts.web(env, tmp_path / "web.log")
    try:
        web.wait_for(int(env["PORT"]))
        yield int(env["PORT"])
    finally:
        web.kill()


def begun(port: int, token: str) -> socket.socket:
    """A connection on which all of an upload but its last byte has come."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    head = f"POST /normal_upload?name=a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}"
    connection.sendall(f"{head}\r\nContent-Length: {SNIFF_BYTES + 2}\r\n\r\n".encode() + bytes(SNIFF_BYTES + 1))
    return connection


def ended(connection: socket.socket) -> bytes:
    """The status line, once the last byte is sent."""
    connection.sendall(b"x")
    return connection.recv(12)


def sent(port: int, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    return requests.post(f"http://127.0.0.1:{port}/normal_upload?name=a", data=b"x", headers=headers, timeout=10)


@contextmanager
def slow(port: int, token: str, many: int) -> Iterator[list[socket.socket]]:
    """So many uploads that hold a thread each."""
    ask = {"url": f"http://127.0.0.1:{port}/files?status=PROCESSING", "headers": {"Authorization": f"Bearer {token}"}}
    with ExitStack() as held:
        uploads = [held.enter_context(begun(port, token)) for _ in range(many)]
        assert eventually(lambda: len(requests.get(**ask, timeout=10).json()["files"]) == many)
        yield uploads
        assert {ended(upload) for upload in uploads} == {b"HTTP/1.1 201"}


def test_a_key_with_a_bound_of_its_own_has_more_and_never_the_last_thread(app: Flask, port: int) -> None:
    usual = api_keys.create("alice", api_keys.SCOPES, None)
    large = api_keys.create("alice", api_keys.SCOPES, None, uploads_at_once=100)
    with slow(port, usual, USUAL):
        refused = sent(port, usual).json()
        assert (refused["type"], refused["most"]) == ("/problems/too-many-uploads", USUAL)
        assert "flask keys change, --uploads-at-once" in refused["detail"]
        assert sent(port, large).status_code == 201

    with slow(port, large, USUAL):
        assert sent(port, large).status_code == 201
    with slow(port, large, GRANTED):
        refused = sent(port, large).json()
        assert (refused["type"], refused["most"]) == ("/problems/too-many-uploads", GRANTED)
        assert "WEB_THREADS" in refused["detail"]
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200


@pytest.mark.long
def test_a_changed_bound_reaches_the_running_service(app: Flask, port: int) -> None:
    token = api_keys.create("alice", api_keys.SCOPES, None)
    with slow(port, token, USUAL):
        assert sent(port, token).status_code == 429
        args = ["keys", "change", token.split("_")[1], "--uploads-at-once", str(GRANTED)]
        assert app.test_cli_runner().invoke(args=args).exit_code == 0
        assert eventually(lambda: sent(port, token).status_code == 201)
