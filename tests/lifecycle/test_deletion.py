"""Deletion, by request or once the TTL has passed: a file is invisible at once, its bytes go in the background."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

import file
from app import create_app
from auth import api_keys
from lifecycle import deletion, queries, transitions
from models import UploadStatus
from quotas import storage_quota
from services import current_services
from tests.fakes import FORM, form, part
from tests.harness.factories import pending_file
from tests.lifecycle.deletion_helpers import remaining, sweep, upload


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_deleted_file_leaves_nothing_behind(client: FlaskClient, mode: str) -> None:
    path = upload(client, mode)

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    assert client.get("/files").get_json()["files"] == []
    assert remaining() == (0, 0, 0)


@pytest.mark.parametrize("many", [False, True])
def test_deleting_does_not_wait_for_a_storage_that_hangs(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    paths, hanging = [upload(client) for _ in range(5)], threading.Event()
    monkeypatch.setattr(current_services().storage, "delete", lambda *_: hanging.wait(20))
    began = time.monotonic()
    if many:
        client.post("/files/delete", json={"ids": [path.rsplit("/", 1)[1] for path in paths]})
    else:
        assert [client.delete(path).status_code for path in paths] == [204] * 5
    elapsed = time.monotonic() - began
    hanging.set()

    assert elapsed < 10
    assert [client.get(path).status_code for path in paths] == [404] * 5


def test_a_deleted_pending_file_is_never_stored(app: Flask) -> None:
    row = pending_file()
    assert deletion.delete(row)

    file.upload_file(row.id)
    assert remaining() == (0, 0, 0)


def test_a_batch_deletes_known_files_and_lists_unknown_ids(client: FlaskClient) -> None:
    known = [upload(client).rsplit("/", 1)[1] for _ in range(2)]
    ids = [known[0], "unknown", known[1], known[0]]

    assert client.post("/files/delete", json={"ids": ids}).get_json() == {"deleted": known, "unknown": ["unknown"]}
    assert client.post("/files/delete", json={"ids": known}).get_json() == {"deleted": [], "unknown": known}
    assert remaining() == (0, 0, 0)


def test_deleting_frees_the_owners_quota(client: FlaskClient) -> None:
    key = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None)}"}
    path = upload(client, headers=key)
    assert storage_quota.get_owner("alice").used_bytes == 4

    client.delete(path, headers=key)
    found = storage_quota.get_owner("alice")
    assert (found.used_bytes, found.used_files) == (0, 0)


def test_deleting_needs_the_scope_and_the_owner(client: FlaskClient) -> None:
    alice, reader, bob = (
        {"Authorization": f"Bearer {api_keys.create(owner, scopes, None)}"}
        for owner, scopes in (("alice", api_keys.SCOPES), ("alice", ["read", "upload"]), ("bob", api_keys.SCOPES))
    )
    path = upload(client, headers=alice)

    assert [client.delete(path, headers=headers).status_code for headers in (reader, bob, alice)] == [403, 404, 204]


def test_deleting_does_not_change_the_status(app: Flask) -> None:
    row = pending_file()
    transitions.mark_deleted(row)

    assert queries.get_many([row.id])[row.id].upload_status == UploadStatus.PENDING


def test_a_file_expires_after_its_ttl(client: FlaskClient) -> None:
    path = upload(client, query="?expires_in=3600")
    soon = client.get(path).get_json()
    assert soon["expires_at"] > soon["created_at"]
    assert sweep().counts["expired"] == 0

    row = pending_file(expires_in=-5)
    report = sweep()
    assert (report.counts["expired"], queries.get(row.id)) == (1, None)
    sweep()
    assert client.get(path).status_code == 200


def test_without_a_ttl_a_file_stays(client: FlaskClient) -> None:
    assert client.get(upload(client)).get_json()["expires_at"] is None


def test_the_default_ttl_is_a_setting(settings: dict[str, str]) -> None:
    client = create_app(settings | {"DEFAULT_TTL": "60"}).test_client()

    assert client.get(upload(client)).get_json()["expires_at"] is not None


@pytest.mark.parametrize("ttl", ["0", "-1", "1.5", "soon", "315360001", "9" * 20, ""])
def test_an_invalid_ttl_is_refused_and_stores_nothing(client: FlaskClient, ttl: str) -> None:
    data = form(part("file", b"1", "a"))
    answer = client.post(f"/normal_upload?expires_in={ttl}", data=data, content_type=FORM)

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "expires_in")
    assert remaining() == (0, 0, 0)
