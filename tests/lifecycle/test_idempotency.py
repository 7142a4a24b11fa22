"""Idempotency-Key: a repeated request creates no second file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import file
from auth import api_keys
from database import engine
from lifecycle import deletion, queries, transitions
from lifecycle.idempotency import delete_expired, idempotent, key_state, require_same_request
from models import File, UploadStatus
from problems import IdempotencyKeyInUse
from services import current_services
from storage.base import StorageUnavailable
from tests.conftest import drain
from tests.fakes import FORM, FailingStorage, form, part

MODES = ["normal", "async", "celery"]


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"ALLOW_ANONYMOUS": "1"}


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def services(storage: FailingStorage) -> dict[str, Any]:
    return {"storage": storage}


def send(client: FlaskClient, mode: str, body: bytes = b"x", name: str = "a", key: str = "k-1", query: str = "") -> Any:
    sent = form(part("file", body, name))
    return client.post(f"/{mode}_upload{query}", data=sent, content_type=FORM, headers={"Idempotency-Key": key})


def files() -> int:
    return len(queries.page(None, 100))


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

    row = file.new_file("a", "text/plain", "async")
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


def test_a_key_of_a_crashed_process_is_free_once_its_lease_has_expired(app: Flask, client: FlaskClient) -> None:
    crashed = idempotent("k-1", file.new_file("a", "text/plain", "async"))
    crashed.__enter__()
    assert send(client, "async").status_code == 409
    shift("lease_until", -1000)
    assert send(client, "async").status_code == 202
    assert not crashed.__exit__(RuntimeError, RuntimeError(), None)
    assert send(client, "async").status_code == 202
    assert files() == 1, "the crashed request must not free the key of another"


def test_a_key_is_kept_for_a_day(app: Flask, client: FlaskClient) -> None:
    first = send(client, "async").get_json()["id"]
    shift("created_at", -23 * 3600)
    assert delete_expired() == 0
    assert send(client, "async").get_json()["id"] == first
    shift("created_at", -3700)
    assert send(client, "async").get_json()["id"] != first
    shift("created_at", -25 * 3600)
    assert delete_expired() == 1


@pytest.mark.parametrize("key", ["", " a", "a ", "a" * 256, "a\tb", "\u00e9"])
def test_an_invalid_key_is_refused(client: FlaskClient, key: str) -> None:
    answer = send(client, "async", key=key)

    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/idempotency-key-invalid")
    assert files() == 0


@pytest.mark.parametrize("key", ["a", '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a" * 255, "a b"])
def test_any_other_key_is_accepted(client: FlaskClient, key: str) -> None:
    assert send(client, "async", key=key).status_code == 202


def row_in(mode: str, status: UploadStatus) -> File:
    return File(mode=mode, upload_status=status)


@pytest.mark.parametrize(
    ("row", "live", "expired", "expected"),
    [
        (None, True, False, "busy"),
        (None, False, False, "free"),
        (None, True, True, "free"),
        (row_in("normal", UploadStatus.PROCESSING), False, False, "busy"),
        (row_in("normal", UploadStatus.COMPLETE), False, False, "done"),
        (row_in("normal", UploadStatus.ERROR), True, False, "free"),
        (row_in("async", UploadStatus.PENDING), True, False, "done"),
        (row_in("async", UploadStatus.PROCESSING), False, False, "done"),
        (row_in("celery", UploadStatus.ERROR), False, False, "done"),
        (row_in("celery", UploadStatus.COMPLETE), False, True, "free"),
    ],
)
def test_the_state_of_a_used_key(row: File | None, live: bool, expired: bool, expected: str) -> None:
    assert key_state(row, live=live, expired=expired) == expected


def test_an_abandoned_key_is_taken_over_once(app: Flask) -> None:
    idempotent("k-1", file.new_file("a", "text/plain", "async")).__enter__()
    shift("lease_until", -1000)
    with idempotent("k-1", file.new_file("b", "text/plain", "async")), pytest.raises(IdempotencyKeyInUse):
        idempotent("k-1", file.new_file("c", "text/plain", "async")).__enter__()


def shift(column: str, seconds: float) -> None:
    engine.execute(text(f"UPDATE idempotency_keys SET {column} = {column} + {seconds}"))


@pytest.fixture(params=MODES)
def adopted(request: pytest.FixtureRequest, client: FlaskClient) -> dict[str, Any]:
    """An anonymous upload that was then assigned to alice. Anonymous uploads are still allowed."""
    first = send(client, request.param).get_json()
    drain(client.application)
    api_keys.create("alice", api_keys.SCOPES, None)
    transitions.assign_owner("alice", 10)
    return first  # type: ignore[no-any-return]


def test_a_replay_does_not_return_a_file_that_was_assigned_to_another_owner(
    client: FlaskClient, adopted: dict[str, Any]
) -> None:
    """Its key is in use until the first request's lease expires, and then free: as if the file had been deleted."""
    refused = send(client, adopted["mode"])
    shift("lease_until", -1000)
    again = send(client, adopted["mode"])
    drain(client.application)

    assert (refused.status_code, again.status_code) == (409, 201 if adopted["mode"] == "normal" else 202)
    for answer in (refused, again):
        assert adopted["id"] not in answer.text + str(answer.headers)
        assert "Idempotency-Replayed" not in answer.headers
    assert client.get(again.headers["Location"]).status_code == 200
    assert send(client, adopted["mode"]).get_json()["id"] == again.get_json()["id"]
    other = send(client, adopted["mode"], b"other")
    assert (other.status_code, adopted["id"] in other.text) == (422, False)


@pytest.mark.parametrize("event", ["adopted", "deleted"])
def test_a_file_that_is_adopted_or_deleted_during_a_replay_is_not_returned(client: FlaskClient, event: str) -> None:
    id = send(client, "async").get_json()["id"]
    drain(client.application)
    existing = queries.get(id)
    assert existing is not None
    api_keys.create("alice", api_keys.SCOPES, None)

    def body() -> Iterator[bytes]:
        yield b"x"
        assert transitions.assign_owner("alice", 10) if event == "adopted" else deletion.delete(existing)

    again = file.new_file("a", "text/plain", "async")
    with pytest.raises(IdempotencyKeyInUse):
        require_same_request(existing, again, body())


def test_a_replay_returns_the_file_as_it_is_at_the_end_of_the_body(client: FlaskClient) -> None:
    row = file.new_file("a", "text/plain", "async")
    file.receive(row, iter([b"x"]))

    def body() -> Iterator[bytes]:
        yield b"x"
        file.upload_file(row.id)

    replay = file.new_file("a", "text/plain", "async")
    assert require_same_request(row, replay, body()).upload_status == UploadStatus.COMPLETE
