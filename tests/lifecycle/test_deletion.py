"""Deleting: gone for everybody at once, its bytes as soon as may be, and never back again, whoever dies meanwhile."""

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
GONE = -1.0


def sent(client: FlaskClient, mode: str = "normal", query: str = "", headers: Any = None) -> str:
    """The address of a file that is stored."""
    data = form(part("file", b"1234", "a.txt"))
    answer = client.post(f"/{mode}_upload{query}", data=data, content_type=FORM, headers=headers)
    drain(client.application)
    return answer.headers["Location"]


def kept(mode: file.Mode = "async") -> File:
    """A file that waits, with its bytes."""
    row = file.new_file("a.txt", "text/plain", mode)
    file.receive(row, iter([b"1234"]))
    return row


def left() -> tuple[int, int, int]:
    """Objects, files in the spool, and rows of any kind, when what was deleted is removed."""
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
def test_a_deleted_file_is_gone_with_all_that_was_of_it(client: FlaskClient, mode: str) -> None:
    path = sent(client, mode)

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    assert client.get("/files").get_json()["files"] == []
    assert left() == (0, 0, 0)


@pytest.mark.parametrize("many", [False, True])
def test_nobody_waits_for_a_storage_that_hangs(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    paths, hanging = [sent(client) for _ in range(5)], threading.Event()
    monkeypatch.setattr(current_services().storage, "delete", lambda *_: hanging.wait(20))
    began = time.monotonic()
    if many:
        client.post("/files/delete", json={"ids": [path.rsplit("/", 1)[1] for path in paths]})
    else:
        assert [client.delete(path).status_code for path in paths] == [204] * 5
    took = time.monotonic() - began
    hanging.set()

    assert took < 10
    assert [client.get(path).status_code for path in paths] == [404] * 5


def test_a_file_that_waits_can_be_deleted_and_is_never_stored(app: Flask) -> None:
    row = kept()
    assert deletion.delete(row)

    file.upload_file(row.id)
    assert left() == (0, 0, 0)


def test_several_are_deleted_at_once_and_the_unknown_are_named(client: FlaskClient) -> None:
    mine = [sent(client).rsplit("/", 1)[1] for _ in range(2)]
    ids = [mine[0], "unknown", mine[1], mine[0]]

    assert client.post("/files/delete", json={"ids": ids}).get_json() == {"deleted": mine, "unknown": ["unknown"]}
    assert client.post("/files/delete", json={"ids": mine}).get_json() == {"deleted": [], "unknown": mine}
    assert left() == (0, 0, 0)


def test_deleting_counts_back_what_the_owner_had(client: FlaskClient) -> None:
    key = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None)}"}
    path = sent(client, headers=key)
    assert storage_quota.get_owner("alice").used_bytes == 4

    client.delete(path, headers=key)
    found = storage_quota.get_owner("alice")
    assert (found.used_bytes, found.used_files) == (0, 0)


def test_only_who_may_delete_deletes_and_only_what_is_theirs(client: FlaskClient) -> None:
    alice, reader, bob = (
        {"Authorization": f"Bearer {api_keys.create(owner, scopes, None)}"}
        for owner, scopes in (("alice", api_keys.SCOPES), ("alice", ["read", "upload"]), ("bob", api_keys.SCOPES))
    )
    path = sent(client, headers=alice)

    assert [client.delete(path, headers=who).status_code for who in (reader, bob, alice)] == [403, 404, 204]


class TestHeld:
    """Somebody is at work on the file while it is deleted."""

    @pytest.fixture
    def holder(self, app: Flask) -> File:
        row = kept()
        assert transitions.claim(row, LEASE)
        return row

    def test_its_holder_can_end_it_no_more(self, holder: File) -> None:
        assert deletion.delete(reload(holder))

        assert not transitions.heartbeat(holder, LEASE)
        assert not transitions.complete(holder, url="", size=4, sha256="0" * 64)
        assert not transitions.fail(holder, "storage-denied")
        assert not transitions.requeue(holder, "storage-denied", 0)
        assert not transitions.claim(holder, LEASE)

    def test_an_upload_on_its_way_stops_and_leaves_nothing(self, app: Flask) -> None:
        row = kept()
        transitions.claim(row, LEASE)

        def bytes_of_it() -> Iterator[bytes]:
            yield b"12"
            deletion.delete(reload(row))
            yield b"34"

        with pytest.raises(Deleted):
            file.store(row, bytes_of_it())
        assert queries.get(row.id) is None

    def test_its_object_goes_when_the_lease_has_run_out(self, app: Flask) -> None:
        row = kept()
        transitions.claim(row, 0.2)
        deletion.delete(reload(row))
        assert sweep().counts["removed"] == 0

        # The holder stood still, and goes on too late.
        current_services().storage.put(row.key, iter([b"1234"]), content_type="text/plain")
        while not sweep().counts["removed"]:
            pass
        assert left() == (0, 0, 0)

    def test_nobody_takes_it_up_again(self, app: Flask) -> None:
        row = kept()
        transitions.claim(row, GONE)
        deletion.delete(reload(row))
        report = Report()
        sweep_files(report, lambda row: pytest.fail("handed out"))

        assert report.found == []


@pytest.mark.parametrize("step", ["storage", "spool", "row"])
def test_a_death_at_any_step_leaves_it_to_the_sweep(app: Flask, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    row = kept()
    file.upload_file(row.id)
    row = reload(row)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    place = {
        "storage": (current_services().storage, "delete"),
        "spool": (current_services().spool, "delete"),
        "row": (transitions, "purge"),
    }[step]
    with monkeypatch.context() as broken:
        broken.setattr(*place, die)
        assert deletion.delete(row)
        drain(app)
    assert queries.get(row.id) is None

    assert sweep().counts["removed"] == 1
    assert left() == (0, 0, 0)


def test_a_storage_that_is_away_delays_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kept()

    def away(*_: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(current_services().storage, "delete", away)
        assert deletion.delete(row)
        drain(app)
        assert sweep().counts["removed"] == 0
    assert sweep().counts["removed"] == 1


def test_what_the_storage_will_not_let_go_is_asked_for_more_and_more_seldom_and_holds_nobody_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_back, other, asked = kept(), kept(), []
    remove = current_services().storage.delete

    def refuse(key: str, *version: Any) -> None:
        asked.append(key)
        if key == kept_back.key:
            raise StorageDenied
        remove(key, *version)

    monkeypatch.setattr(current_services().storage, "delete", refuse)
    for row in (kept_back, other):
        transitions.delete(row)
    assert sweep().counts["removed"] == 1
    assert sweep().counts["removed"] == 0
    assert asked == [kept_back.key, other.key]
    assert 50 < due_in(kept_back) < 70

    engine.execute(text("UPDATE files SET deleted_at = deleted_at - 7200, due_at = due_at - 7200"))
    assert sweep().counts["removed"] == 0
    assert 7000 < due_in(kept_back) < 7400


def due_in(row: File) -> float:
    return (queries.get_many([row.id])[row.id].due_at or 0) - engine.now()


def test_parts_of_an_upload_that_was_cut_are_aborted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = kept()
    aborted: list[MultipartUpload] = []
    monkeypatch.setattr(
        current_services().storage, "multipart_uploads", lambda prefix: iter([MultipartUpload(prefix, "1")])
    )
    monkeypatch.setattr(current_services().storage, "abort_multipart_upload", aborted.append)
    deletion.delete(row)
    drain(app)

    assert aborted == [MultipartUpload(row.key, "1")]


def test_the_bytes_of_another_host_are_left_to_it_for_a_while(app: Flask) -> None:
    row = kept()
    transitions.delete(row)

    assert queries.deleted("another", 9, 3600) == []
    assert [one.id for one in queries.deleted("another", 9, -1)] == [row.id]
    assert [one.id for one in queries.deleted(current_services().spool.identity, 9, 3600)] == [row.id]


def test_a_file_goes_by_itself_when_its_time_is_over(client: FlaskClient) -> None:
    path = sent(client, query="?expires_in=3600")
    soon = client.get(path).get_json()
    assert soon["expires_at"] > soon["created_at"]
    assert sweep().counts["expired"] == 0

    row = file.new_file("b.txt", "text/plain", "async", expires_in=-5)
    file.receive(row, iter([b"1"]))
    report = sweep()
    assert (report.counts["expired"], queries.get(row.id)) == (1, None)
    sweep()
    assert client.get(path).status_code == 200


def test_a_life_that_is_not_asked_for_is_the_settings(client: FlaskClient) -> None:
    assert client.get(sent(client)).get_json()["expires_at"] is None
    vars(client.application.config["FERRY"])["default_ttl"] = 60

    assert client.get(sent(client)).get_json()["expires_at"] is not None


@pytest.mark.parametrize("life", ["0", "-1", "1.5", "soon", "315360001", "9" * 20, ""])
def test_a_life_that_makes_no_sense_is_refused_and_costs_nothing(client: FlaskClient, life: str) -> None:
    data = form(part("file", b"1", "a"))
    answer = client.post(f"/normal_upload?expires_in={life}", data=data, content_type=FORM)

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "expires_in")
    assert left() == (0, 0, 0)


def test_the_status_of_a_deleted_row_stays_what_it_was(app: Flask) -> None:
    row = kept()
    transitions.delete(row)

    assert queries.get_many([row.id])[row.id].upload_status == UploadStatus.PENDING
