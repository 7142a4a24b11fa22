"""A deletion that fails or is interrupted is finished by the sweep."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

import file
from database import engine
from lifecycle import deletion, queries, transitions
from models import FileRow
from services import current_services
from storage.base import MultipartUpload, StorageDenied, StorageUnavailable
from tests.conftest import drain
from tests.harness.factories import pending_file, reload
from tests.lifecycle.deletion_helpers import remaining, sweep


@pytest.mark.parametrize("step", ["storage", "spool", "row"])
def test_a_crash_at_any_step_leaves_it_to_the_sweep(app: Flask, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    row = pending_file()
    file.upload_file(row.id)
    row = reload(row)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    target = {
        "storage": (current_services().storage, "delete"),
        "spool": (current_services().spool, "delete"),
        "row": (transitions, "delete_row"),
    }[step]
    with monkeypatch.context() as broken:
        broken.setattr(*target, crash)
        assert deletion.delete(row)
        drain(app)
    assert queries.get(row.id) is None

    assert sweep().counts["removed"] == 1
    assert remaining() == (0, 0, 0)


def test_an_unavailable_storage_delays_the_removal(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pending_file()

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
    denied, other, asked = pending_file(), pending_file(), []
    remove = current_services().storage.delete

    def refuse(key: str, *version: Any) -> None:
        asked.append(key)
        if key == denied.key:
            raise StorageDenied
        remove(key, *version)

    monkeypatch.setattr(current_services().storage, "delete", refuse)
    for row in (denied, other):
        transitions.mark_deleted(row)
    assert sweep().counts["removed"] == 1
    assert sweep().counts["removed"] == 0
    assert asked == [denied.key, other.key]
    assert 50 < due_in(denied) < 70

    engine.execute(text("UPDATE files SET deleted_at = deleted_at - 7200, due_at = due_at - 7200"))
    assert sweep().counts["removed"] == 0
    assert 7000 < due_in(denied) < 7400


def due_in(row: FileRow) -> float:
    return (queries.get_many([row.id])[row.id].due_at or 0) - engine.now()


def test_multipart_uploads_of_a_deleted_file_are_aborted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pending_file()
    aborted: list[MultipartUpload] = []
    monkeypatch.setattr(
        current_services().storage, "multipart_uploads", lambda prefix: iter([MultipartUpload(prefix, "1")])
    )
    monkeypatch.setattr(current_services().storage, "abort_multipart_upload", aborted.append)
    deletion.delete(row)
    drain(app)

    assert aborted == [MultipartUpload(row.key, "1")]


def test_bytes_in_another_hosts_spool_are_left_to_it_for_the_grace_period(app: Flask) -> None:
    row = pending_file()
    transitions.mark_deleted(row)

    assert queries.deleted("another", 9, 3600) == []
    assert [one.id for one in queries.deleted("another", 9, -1)] == [row.id]
    assert [one.id for one in queries.deleted(current_services().spool.identity, 9, 3600)] == [row.id]
