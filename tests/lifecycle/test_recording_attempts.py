"""The end of an attempt in its row: the error and its detail, also while the database is unavailable."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import file
from lifecycle import attempts, transitions
from models import FileRow, UploadStatus
from services import current_services
from storage.base import StorageDenied, StorageUnavailable
from storage.s3.errors import storage_error
from tests.fakes import FailingStorage
from tests.harness.factories import BODY, claimed_file, reload


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_failure_that_cannot_be_recorded_is_raised_unchanged(
    app: Flask, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch, mode: file.Mode
) -> None:
    def unavailable(*_: Any, **__: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("connection refused"))

    monkeypatch.setattr(attempts, "_DATABASE_TIMEOUT", 0)
    monkeypatch.setattr(transitions, "set_error", unavailable)
    monkeypatch.setattr(transitions, "requeue", unavailable)
    storage.error = StorageUnavailable()
    row = claimed_file(mode)
    with pytest.raises(StorageUnavailable):
        file.store(row, iter([BODY]))


def test_the_end_of_an_upload_is_retried_until_the_database_is_available(
    app: Flask, pending: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, calls = transitions.set_complete, []

    def unreliable(row: FileRow, **values: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("UPDATE", {}, Exception("connection refused"))
        done = complete(row, **values)
        if len(calls) == 2:
            raise OperationalError("UPDATE", {}, Exception("the answer was lost"))
        return done

    monkeypatch.setattr(transitions, "set_complete", unreliable)
    file.upload_file(pending.id)

    assert len(calls) == 3
    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.COMPLETE, 1)
    assert list(current_services().spool.files()) == []


def test_the_row_has_the_storages_error_code_and_the_log_its_message(
    storage: FailingStorage, pending: FileRow, caplog: pytest.LogCaptureFixture
) -> None:
    storage.error = storage_error(403, "QuotaExceeded", "20 MB of 20 MB")
    file.upload_file(pending.id)

    assert reload(pending).error == "storage-quota-exceeded"
    assert reload(pending).error_detail == "The storage answered QuotaExceeded."
    assert reload(pending).upload_status == UploadStatus.PENDING
    assert "attempt.failed: storage-quota-exceeded: QuotaExceeded: 20 MB of 20 MB, attempt 1, retry in" in caplog.text


def test_a_detail_is_truncated_and_cleared_with_the_error(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = StorageUnavailable("x" * 1000)
    file.upload_file(pending.id)
    assert reload(pending).error_detail == "x" * 255

    storage.error = None
    file.upload_file(pending.id)
    assert (reload(pending).error, reload(pending).error_detail) == (None, None)


def test_a_manual_retry_clears_the_error(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = StorageDenied("The storage answered AccessDenied.")
    file.upload_file(pending.id)
    assert reload(pending).error_detail == "The storage answered AccessDenied."

    attempts.retry(reload(pending))
    assert (reload(pending).error, reload(pending).error_detail) == (None, None)
