"""Idempotency keys: which are valid, and when one is free again."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lifecycle.idempotency import delete_expired, idempotent, key_state
from models import FileRow
from problems import IdempotencyKeyInUse
from tests.harness.factories import file_value, unsaved_file
from tests.lifecycle.idempotent_uploads import files, send, shift


@pytest.mark.parametrize("key", ["", " a", "a ", "a" * 256, "a\tb", "\u00e9"])
def test_an_invalid_key_is_refused(client: FlaskClient, key: str) -> None:
    answer = send(client, "async", key=key)

    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/idempotency-key-invalid")
    assert files() == 0


@pytest.mark.parametrize("key", ["a", '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a" * 255, "a b"])
def test_any_other_key_is_accepted(client: FlaskClient, key: str) -> None:
    assert send(client, "async", key=key).status_code == 202


@pytest.mark.parametrize(
    ("row", "live", "expired", "expected"),
    [
        (None, True, False, "busy"),
        (None, False, False, "free"),
        (None, True, True, "free"),
        (file_value("PROCESSING", mode="normal"), False, False, "busy"),
        (file_value("COMPLETE", mode="normal"), False, False, "done"),
        (file_value("ERROR", mode="normal"), True, False, "free"),
        (file_value("PENDING", mode="async"), True, False, "done"),
        (file_value("PROCESSING", mode="async"), False, False, "done"),
        (file_value("ERROR", mode="celery"), False, False, "done"),
        (file_value("COMPLETE", mode="celery"), False, True, "free"),
    ],
)
def test_the_state_of_a_used_key(row: FileRow | None, live: bool, expired: bool, expected: str) -> None:
    assert key_state(row, live=live, expired=expired) == expected


def test_a_key_of_a_crashed_process_is_free_once_its_lease_has_expired(app: Flask, client: FlaskClient) -> None:
    crashed = idempotent("k-1", unsaved_file())
    crashed.__enter__()
    assert send(client, "async").status_code == 409
    shift("lease_until", -1000)
    assert send(client, "async").status_code == 202
    assert not crashed.__exit__(RuntimeError, RuntimeError(), None)
    assert send(client, "async").status_code == 202
    assert files() == 1, "the crashed request must not free the key of another"


def test_an_abandoned_key_is_taken_over_once(app: Flask) -> None:
    idempotent("k-1", unsaved_file()).__enter__()
    shift("lease_until", -1000)
    with idempotent("k-1", unsaved_file()), pytest.raises(IdempotencyKeyInUse):
        idempotent("k-1", unsaved_file()).__enter__()


def test_a_key_is_kept_for_a_day(app: Flask, client: FlaskClient) -> None:
    first = send(client, "async").get_json()["id"]
    shift("created_at", -23 * 3600)
    assert delete_expired() == 0
    assert send(client, "async").get_json()["id"] == first
    shift("created_at", -3700)
    assert send(client, "async").get_json()["id"] != first
    shift("created_at", -25 * 3600)
    assert delete_expired() == 1
