"""Deletion: a file is invisible at once, and its bytes are removed in the background."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

import file
from auth import api_keys
from lifecycle import deletion, queries, transitions
from models import UploadStatus
from quotas import storage_quota
from services import current_services
from tests.harness.factories import pending_file
from tests.lifecycle.deletion_helpers import remaining, upload


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
