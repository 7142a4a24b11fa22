"""Idempotency-Key: whatever a client sends again, there is one file."""

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
from tests.fakes import FORM, FailingStorage, form, part, replace_services

MODES = ["normal", "async", "celery"]


def send(client: FlaskClient, mode: str, body: bytes = b"x", name: str = "a", key: str = "k-1", query: str = "") -> Any:
    sent = form(part("file", body, name))
    return client.post(f"/{mode}_upload{query}", data=sent, content_type=FORM, headers={"Idempotency-Key": key})


def files() -> int:
    return len(queries.page(None, 100))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_request_gets_the_first_ones_answer_again(client: FlaskClient, mode: str) -> None:
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
def test_another_request_under_the_key_is_refused(client: FlaskClient, mode: str, other: dict[str, Any]) -> None:
    send(client, mode)
    drain(client.application)
    if "mode" in other:
        other = {"mode": MODES[MODES.index(mode) - 1]}
    answer = send(client, **{"mode": mode, **other})

    assert (answer.status_code, answer.get_json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert files() == 1


def test_while_the_first_is_on_its_way_the_second_is_told_to_wait(client: FlaskClient) -> None:
    def slow() -> Any:
        yield b"first half"
        answer = send(client.application.test_client(), "async")
        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/idempotency-key-in-use")
        assert int(answer.headers["Retry-After"]) > 0
        yield b"second half"

    row = file.new_file("a", "text/plain", "async")
    with idempotent("k-1", row) as before:
        assert before is None
        file.receive(row, slow())


def test_of_many_at_once_one_makes_the_file(app: Flask) -> None:
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


def test_a_request_that_failed_frees_its_key(client: FlaskClient) -> None:
    failing = FailingStorage(StorageUnavailable())
    replace_services(client.application, storage=failing)
    first = send(client, "normal")
    failing.error = None
    again = send(client, "normal")

    assert (first.status_code, again.status_code) == (503, 201)
    assert "Idempotency-Replayed" not in again.headers


def test_a_body_that_is_refused_frees_its_key(client: FlaskClient) -> None:
    large = send(client, "async", bytes(11 << 20))

    assert large.status_code == 413
    assert send(client, "async", b"other").status_code == 202


def test_a_key_whose_process_died_on_the_way_is_free_when_its_lease_ran_out(app: Flask, client: FlaskClient) -> None:
    dead = idempotent("k-1", file.new_file("a", "text/plain", "async"))
    dead.__enter__()
    assert send(client, "async").status_code == 409
    move("lease_until", -1000)
    assert send(client, "async").status_code == 202
    assert not dead.__exit__(RuntimeError, RuntimeError(), None)
    assert send(client, "async").status_code == 202
    assert files() == 1, "the dead one must not free a key that is another's by now"


def test_a_key_is_remembered_for_a_day(app: Flask, client: FlaskClient) -> None:
    first = send(client, "async").get_json()["id"]
    move("created_at", -23 * 3600)
    assert delete_expired() == 0
    assert send(client, "async").get_json()["id"] == first
    move("created_at", -3700)
    assert send(client, "async").get_json()["id"] != first
    move("created_at", -25 * 3600)
    assert delete_expired() == 1


@pytest.mark.parametrize("key", ["", " a", "a ", "a" * 256, "a\tb", "\u00e9"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    answer = send(client, "async", key=key)

    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/idempotency-key-invalid")
    assert files() == 0


@pytest.mark.parametrize("key", ["a", '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a" * 255, "a b"])
def test_any_other_key_is_taken(client: FlaskClient, key: str) -> None:
    assert send(client, "async", key=key).status_code == 202


def row_in(mode: str, status: UploadStatus) -> File:
    return File(mode=mode, upload_status=status)


@pytest.mark.parametrize(
    ("row", "live", "old", "expected"),
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
def test_what_a_used_key_means(row: File | None, live: bool, old: bool, expected: str) -> None:
    assert key_state(row, live=live, old=old) == expected


def test_two_that_find_a_dead_key_do_not_both_get_it(app: Flask) -> None:
    idempotent("k-1", file.new_file("a", "text/plain", "async")).__enter__()
    move("lease_until", -1000)
    with idempotent("k-1", file.new_file("b", "text/plain", "async")), pytest.raises(IdempotencyKeyInUse):
        idempotent("k-1", file.new_file("c", "text/plain", "async")).__enter__()


def move(column: str, seconds: float) -> None:
    engine.execute(text(f"UPDATE idempotency_keys SET {column} = {column} + {seconds}"))


@pytest.fixture(params=MODES)
def adopted(request: pytest.FixtureRequest, client: FlaskClient) -> dict[str, Any]:
    """A file that was sent without an API key, and is alice's by now. Anonymous clients may still send."""
    first = send(client, request.param).get_json()
    drain(client.application)
    api_keys.create("alice", api_keys.SCOPES, None)
    transitions.assign_owner("alice", 10)
    client.application.config["FERRY"].__dict__["allow_anonymous"] = True
    return first  # type: ignore[no-any-return]


def test_a_replay_does_not_lead_to_a_file_that_was_given_to_another_owner(
    client: FlaskClient, adopted: dict[str, Any]
) -> None:
    """Its key is in use until its first request's lease is over, and then free: as if the file had been deleted."""
    held = send(client, adopted["mode"])
    move("lease_until", -1000)
    again = send(client, adopted["mode"])
    drain(client.application)

    assert (held.status_code, again.status_code) == (409, 201 if adopted["mode"] == "normal" else 202)
    for answer in (held, again):
        assert adopted["id"] not in answer.text + str(answer.headers)
        assert "Idempotency-Replayed" not in answer.headers
    assert client.get(again.headers["Location"]).status_code == 200
    assert send(client, adopted["mode"]).get_json()["id"] == again.get_json()["id"]
    other = send(client, adopted["mode"], b"other")
    assert (other.status_code, adopted["id"] in other.text) == (422, False)


@pytest.mark.parametrize("goes", ["adopted", "deleted"])
def test_a_file_that_goes_while_a_replay_is_read_is_not_shown(client: FlaskClient, goes: str) -> None:
    id = send(client, "async").get_json()["id"]
    drain(client.application)
    before = queries.get(id)
    assert before is not None
    api_keys.create("alice", api_keys.SCOPES, None)

    def body() -> Iterator[bytes]:
        yield b"x"
        assert transitions.assign_owner("alice", 10) if goes == "adopted" else deletion.delete(before)

    again = file.new_file("a", "text/plain", "async")
    with pytest.raises(IdempotencyKeyInUse):
        require_same_request(before, again, body())


def test_a_replay_shows_the_file_as_it_is_when_all_was_read(client: FlaskClient) -> None:
    row = file.new_file("a", "text/plain", "async")
    file.receive(row, iter([b"x"]))

    def body() -> Iterator[bytes]:
        yield b"x"
        file.upload_file(row.id)

    replay = file.new_file("a", "text/plain", "async")
    assert require_same_request(row, replay, body()).upload_status == UploadStatus.COMPLETE
