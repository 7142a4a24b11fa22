"""A key's own limit of concurrent transfers in a real web process: it never occupies the last thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from auth import api_keys
from content.sniffing import SNIFF_BYTES
from dev import parts
from dev.polling import eventually
from dev.process import free_port
from tests.harness.raw_client import RawClient, post

THREADS = 8
DEFAULT_SLOTS, MAX_SLOTS = 6, 7
"""Of eight threads: without a limit of its own, and with the highest."""


@pytest.fixture
def env(settings: dict[str, str]) -> dict[str, str]:
    """The environment of a service of one process that stores objects in memory."""
    process = {
        "PORT": str(free_port()),
        "WEB_WORKERS": "1",
        "WEB_THREADS": str(THREADS),
        "MAX_TRANSFERS_PER_CLIENT": "",
    }
    return settings | process | {"FLASK_APP": "app", "PATH": os.environ["PATH"]}


@pytest.fixture
def port(env: dict[str, str], tmp_path: Path) -> Iterator[int]:
    with parts.web(env, tmp_path / "web.log") as web:
        web.wait_for(int(env["PORT"]))
        yield int(env["PORT"])


def start_upload(port: int, token: str) -> RawClient:
    """A connection on which all bytes of an upload but the last are sent."""
    client, body = RawClient(port), bytes(SNIFF_BYTES + 1)
    client.send(post("/normal_upload?name=a", body, f"Authorization: Bearer {token}", length=len(body) + 1))
    return client


def finish_upload(client: RawClient) -> int:
    """Send the last byte and return the status."""
    client.send(b"x")
    return client.reply().status


def upload(port: int, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    return requests.post(f"http://127.0.0.1:{port}/normal_upload?name=a", data=b"x", headers=headers, timeout=10)


@contextmanager
def slow_uploads(port: int, token: str, count: int) -> Iterator[list[RawClient]]:
    """Uploads that occupy a thread each."""
    query = {"url": f"http://127.0.0.1:{port}/files?status=PROCESSING", "headers": {"Authorization": f"Bearer {token}"}}
    with ExitStack() as held:
        uploads = [held.enter_context(start_upload(port, token)) for _ in range(count)]
        assert eventually(lambda: len(requests.get(**query, timeout=10).json()["files"]) == count)
        yield uploads
        assert {finish_upload(upload) for upload in uploads} == {201}


def test_a_keys_own_limit_is_larger_and_leaves_a_thread(app: Flask, port: int) -> None:
    default = api_keys.create("alice", api_keys.SCOPES, None)
    large = api_keys.create("alice", api_keys.SCOPES, None, max_transfers=100)
    with slow_uploads(port, default, DEFAULT_SLOTS):
        refused = upload(port, default).json()
        assert (refused["type"], refused["most"]) == ("/problems/too-many-uploads", DEFAULT_SLOTS)
        assert "flask keys change, --max-transfers" in refused["detail"]
        assert upload(port, large).status_code == 201

    with slow_uploads(port, large, DEFAULT_SLOTS):
        assert upload(port, large).status_code == 201
    with slow_uploads(port, large, MAX_SLOTS):
        refused = upload(port, large).json()
        assert (refused["type"], refused["most"]) == ("/problems/too-many-uploads", MAX_SLOTS)
        assert "WEB_THREADS" in refused["detail"]
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200


@pytest.mark.long
def test_a_changed_limit_takes_effect_in_the_running_service(app: Flask, port: int) -> None:
    token = api_keys.create("alice", api_keys.SCOPES, None)
    with slow_uploads(port, token, DEFAULT_SLOTS):
        assert upload(port, token).status_code == 429
        args = ["keys", "change", token.split("_")[1], "--max-transfers", str(MAX_SLOTS)]
        assert app.test_cli_runner().invoke(args=args).exit_code == 0
        assert eventually(lambda: upload(port, token).status_code == 201)
