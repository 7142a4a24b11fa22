"""Abandoned files whose object is already stored: the next attempt completes them without an upload."""

from __future__ import annotations

import pytest
from flask import Flask

import file
from lifecycle import attempts
from models import UploadStatus
from services import current_services
from storage.base import Stat, StorageUnavailable
from tests.fakes import FailingStorage
from tests.harness.factories import BODY, EXPIRED, claimed_file, pending_file, reload
from tests.sweep.conftest import sweep


def test_a_file_whose_object_exists_is_completed_without_another_upload(app: Flask) -> None:
    row = claimed_file("async", EXPIRED)
    current_services().storage.put(row.key, iter([BODY]), content_type="text/plain")
    current_services().storage.put = None  # type: ignore[assignment, method-assign]
    sweep(lambda row: file.upload_file(row.id))

    assert (reload(row).upload_status, reload(row).size, reload(row).sha256) == ("COMPLETE", row.size, row.sha256)
    assert list(current_services().spool.files()) == []


def test_the_version_of_the_object_is_recorded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = claimed_file("async", EXPIRED)
    monkeypatch.setattr(current_services().storage, "matches", lambda key, size, _: Stat(key, size, "", "v7"))
    sweep(lambda row: file.upload_file(row.id))

    assert (reload(row).upload_status, reload(row).version_id) == ("COMPLETE", "v7")


@pytest.mark.parametrize("there", [b"", b"what was sEnt", BODY + b"!"])
def test_an_object_with_other_bytes_is_replaced(app: Flask, there: bytes) -> None:
    row = claimed_file("async", EXPIRED)
    current_services().storage.put(row.key, iter([there]), content_type="text/plain")
    sweep(lambda row: file.upload_file(row.id))

    assert reload(row).upload_status == UploadStatus.COMPLETE
    assert b"".join(current_services().storage.open(row.key)) == BODY


def test_an_unavailable_storage_costs_an_attempt(
    app: Flask, objects: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = claimed_file("async", EXPIRED)
    objects.error = StorageUnavailable()
    monkeypatch.setattr(objects, "matches", lambda *_: (_ for _ in ()).throw(StorageUnavailable()))
    sweep(lambda row: file.upload_file(row.id))

    assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 2)
    assert reload(row).error == "storage-unavailable"


def test_a_file_without_an_attempt_is_not_looked_up(app: Flask) -> None:
    assert not attempts.recover_if_stored(pending_file())
