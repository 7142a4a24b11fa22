"""Deletion: the file is invisible at once, its bytes follow, and no crash brings it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import text

import file
from app import create_app
from auth import api_keys
from database import engine
from lifecycle import deletion, queries, transitions
from models import File, UploadStatus
from problems import Deleted
from quotas import storage_quota
from services import current_services
from storage.base import MultipartUpload, StorageDenied, StorageUnavailable
from sweep.reclaim import sweep_deleted, sweep_files
from sweep.report import Report
from tests.conftest import drain
from tests.fakes import FORM, form, part, reload

LEASE = 30.0
EXPIRED = -1.0


def upload(client: FlaskClient, mode: str = "normal", query: str = "", headers: Any = None) -> str:
    """The path of a stored file."""
    data = form(part("file", b"1234", "a.txt"))
    answer = client.post(f"/{mode}_upload{query}", data=data, content_type=FORM, headers=headers)
    drain(client.application)
    return answer.headers["Location"]


def pending(mode: file.Mode = "async") -> File:
    """A spooled file."""
    row = file.new_file("a.txt", "text/plain", mode)
    file.receive(row, iter([b"1234"]))
    return row


def remaining() -> tuple[int, int, int]:
    """Number of objects, of spooled files and of rows, once the background removal has ended."""
    drain(current_app)
    rows = queries.deleted("", 99, -1e9)
    return (
        len(list(current_services().storage.list_objects())),
        len(list(current_services().spool.files())),
        len(queries.page(None, 99)) + len(rows),
    )


def sweep() -> Report:
    drain(current_app)
    report = Report()
    sweep_deleted(report)
    return report


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
    row = pending()
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


class TestClaimed:
    """Deleting a file that a worker has claimed."""

    @pytest.fixture
    def claimed(self, app: Flask) -> File:
        row = pending()
        assert transitions.claim(row, LEASE)
        return row

    def test_its_worker_can_no_longer_end_it(self, claimed: File) -> None:
        assert deletion.delete(reload(claimed))

        assert not transitions.heartbeat(claimed, LEASE)
        assert not transitions.complete(claimed, url="", size=4, sha256="0" * 64)
        assert not transitions.fail(claimed, "storage-denied")
        assert not transitions.requeue(claimed, "storage-denied", 0)
        assert not transitions.claim(claimed, LEASE)

    def test_an_upload_in_progress_stops_and_leaves_nothing(self, app: Flask) -> None:
        row = pending()
        transitions.claim(row, LEASE)

        def body() -> Iterator[bytes]:
            yield b"12"
            deletion.delete(reload(row))
            yield b"34"

        with pytest.raises(Deleted):
            file.store(row, body())
        assert queries.get(row.id) is None

    def test_its_object_is_removed_once_the_lease_has_expired(self, app: Flask) -> None:
        row = pending()
        transitions.claim(row, 0.2)
        deletion.delete(reload(row))
        assert sweep().counts["removed"] == 0

        # The worker was suspended, and resumes too late.
        current_services().storage.put(row.key, iter([b"1234"]), content_type="text/plain")
        while not sweep().counts["removed"]:
            pass
        assert remaining() == (0, 0, 0)

    def test_the_sweep_does_not_reclaim_it(self, app: Flask) -> None:
        row = pending()
        transitions.claim(row, EXPIRED)
        deletion.delete(reload(row))
        report = Report()
        sweep_files(report, lambda row: pytest.fail("dispatched"))

        assert report.found == []


@pytest.mark.parametrize("step", ["storage", "spool", "row"])
def test_a_crash_at_any_step_leaves_it_to_the_sweep(app: Flask, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    row = pending()
    file.upload_file(row.id)
    row = reload(row)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    target = {
        "storage": (current_services().storage, "delete"),
        "spool": (current_services().spool, "delete"),
        "row": (transitions, "purge"),
    }[step]
    with monkeypatch.context() as broken:
        broken.setattr(*target, crash)
        assert deletion.delete(row)
        drain(app)
    assert queries.get(row.id) is None

    assert sweep().counts["removed"] == 1
    assert remaining() == (0, 0, 0)


def test_an_unavailable_storage_delays_the_removal(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pending()

    def unavailable(*_: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(current_services().storage, "delete", unavailable)
        assert deletion.delete(row)
        drain(app)
        assert sweep().counts["removed"] == 0
    assert sweep().counts["removed"] == 1


def test_an_object_that_cannot_be_deleted_is_retried_less_and_less_often_and_delays_no_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied, other, asked = pending(), pending(), []
    remove = current_services().storage.delete

    def refuse(key: str, *version: Any) -> None:
        asked.append(key)
        if key == denied.key:
            raise StorageDenied
        remove(key, *version)

    monkeypatch.setattr(current_services().storage, "delete", refuse)
    for row in (denied, other):
        transitions.delete(row)
    assert sweep().counts["removed"] == 1
    assert sweep().counts["removed"] == 0
    assert asked == [denied.key, other.key]
    assert 50 < due_in(denied) < 70

    engine.execute(text("UPDATE files SET deleted_at = deleted_at - 7200, due_at = due_at - 7200"))
    assert sweep().counts["removed"] == 0
    assert 7000 < due_in(denied) < 7400


def due_in(row: File) -> float:
    return (queries.get_many([row.id])[row.id].due_at or 0) - engine.now()


def test_multipart_uploads_of_a_deleted_file_are_aborted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pending()
    aborted: list[MultipartUpload] = []
    monkeypatch.setattr(
        current_services().storage, "multipart_uploads", lambda prefix: iter([MultipartUpload(prefix, "1")])
    )
    monkeypatch.setattr(current_services().storage, "abort_multipart_upload", aborted.append)
    deletion.delete(row)
    drain(app)

    assert aborted == [MultipartUpload(row.key, "1")]


def test_bytes_in_another_hosts_spool_are_left_to_it_for_the_grace_period(app: Flask) -> None:
    row = pending()
    transitions.delete(row)

    assert queries.deleted("another", 9, 3600) == []
    assert [one.id for one in queries.deleted("another", 9, -1)] == [row.id]
    assert [one.id for one in queries.deleted(current_services().spool.identity, 9, 3600)] == [row.id]


def test_a_file_expires_after_its_ttl(client: FlaskClient) -> None:
    path = upload(client, query="?expires_in=3600")
    soon = client.get(path).get_json()
    assert soon["expires_at"] > soon["created_at"]
    assert sweep().counts["expired"] == 0

    row = file.new_file("b.txt", "text/plain", "async", expires_in=-5)
    file.receive(row, iter([b"1"]))
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


def test_deleting_does_not_change_the_status(app: Flask) -> None:
    row = pending()
    transitions.delete(row)

    assert queries.get_many([row.id])[row.id].upload_status == UploadStatus.PENDING
