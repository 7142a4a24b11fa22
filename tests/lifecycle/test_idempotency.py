"""Idempotency-Key: a repeated request creates no second file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import file
from lifecycle.idempotency import idempotent, require_same_request
from models import UploadStatus
from services import current_services
from storage.base import StorageUnavailable
from tests.conftest import drain
from tests.fakes import FailingStorage
from tests.harness.factories import pending_file, unsaved_file
from tests.lifecycle.idempotent_uploads import MODES, files, send


@pytest.mark.parametrize("mode", MODES)
def test_a_repeated_request_gets_the_first_answer(client: FlaskClient, mode: str) -> None:
    first = send(client, mode)
    drain(client.application)
    again = send(client, mode)

    assert again.status_code == first.status_code
    assert again.get_json()["id"] == first.get_json()["id"]
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    assert (files(), len(list(current_services().storage.list_objects()))) == (1, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "other", [{"body": b"y"}, {"body": b"xx"}, {"name": "b"}, {"mode": None}, {"query": "?expires_in=60"}]
)
def test_another_request_with_the_key_is_refused(client: FlaskClient, mode: str, other: dict[str, Any]) -> None:
    send(client, mode)
    drain(client.application)
    if "mode" in other:
        other = {"mode": MODES[MODES.index(mode) - 1]}
    answer = send(client, **{"mode": mode, **other})

    assert (answer.status_code, answer.get_json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert files() == 1


def test_a_request_is_refused_while_the_first_is_in_progress(client: FlaskClient) -> None:
    def slow() -> Any:
        yield b"first half"
        answer = send(client.application.test_client(), "async")
        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/idempotency-key-in-use")
        assert int(answer.headers["Retry-After"]) > 0
        yield b"second half"

    row = unsaved_file()
    with idempotent("k-1", row) as existing:
        assert existing is None
        file.receive(row, slow())


def test_one_of_many_concurrent_requests_creates_the_file(app: Flask) -> None:
    barrier = threading.Barrier(5)

    def run(_: int) -> int:
        client = app.test_client()
        barrier.wait(10)
        return send(client, "async").status_code

    with ThreadPoolExecutor(5) as threads:
        codes = list(threads.map(run, range(5)))

    assert codes.count(202) >= 1
    assert set(codes) <= {202, 409}
    assert files() == 1


def test_a_failed_request_frees_its_key(client: FlaskClient, storage: FailingStorage) -> None:
    storage.error = StorageUnavailable()
    first = send(client, "normal")
    storage.error = None
    again = send(client, "normal")

    assert (first.status_code, again.status_code) == (503, 201)
    assert "Idempotency-Replayed" not in again.headers


def test_a_refused_body_frees_its_key(client: FlaskClient) -> None:
    large = send(client, "async", bytes(11 << 20))

    assert large.status_code == 413
    assert send(client, "async", b"other").status_code == 202


def test_a_replay_returns_the_file_as_it_is_at_the_end_of_the_body(client: FlaskClient) -> None:
    row = pending_file(body=b"x", name="a")

    def body() -> Iterator[bytes]:
        yield b"x"
        file.upload_file(row.id)

    replay = unsaved_file(name="a")
    assert require_same_request(row, replay, body()).upload_status == UploadStatus.COMPLETE
