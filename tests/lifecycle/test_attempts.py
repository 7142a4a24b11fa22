"""How an attempt ends: the state of the row, whether another attempt follows, and after which pause."""

from __future__ import annotations

import pytest
from flask import Flask

import file
from lifecycle import attempts
from lifecycle.attempts import retry_delay
from models import FileRow, UploadStatus
from problems import BytesDamaged, BytesLost, IncompleteBody, LeaseLost, Problem
from services import current_services
from storage.base import StorageDenied, StorageMismatch, StorageNoBucket, StorageRejected, StorageUnavailable
from tests.fakes import FailingStorage, breaking
from tests.harness.factories import BODY, claimed_file, reload


def test_a_missing_spool_file_ends_the_file(pending: FileRow) -> None:
    current_services().spool.delete(pending.id)
    file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.ERROR, "bytes-lost")


def test_a_transient_failure_keeps_the_file_pending_with_its_bytes(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = StorageUnavailable()
    file.upload_file(pending.id)
    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.PENDING, "storage-unavailable")
    assert current_services().spool.path(pending.id).exists()

    storage.error = None
    file.upload_file(pending.id)
    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.COMPLETE, 2)


def test_a_permanent_failure_ends_the_file_with_its_reason(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = StorageDenied()
    file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.ERROR, "storage-denied")


def test_attempts_are_bounded(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = StorageUnavailable()
    for _ in range(7):
        file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.ERROR, 5)


def test_an_unexpected_exception_keeps_the_file_and_hides_its_text(storage: FailingStorage, pending: FileRow) -> None:
    storage.error = ZeroDivisionError("secret")
    with pytest.raises(ZeroDivisionError):
        file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.PENDING, "internal-error")


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (StorageUnavailable(), StorageUnavailable, "storage-unavailable"),
        (StorageDenied(), StorageDenied, "storage-denied"),
        (None, IncompleteBody, "client-disconnected"),
    ],
)
def test_normal_mode_fails_with_its_request(
    storage: FailingStorage, claimed: FileRow, error: Exception | None, kind: type[Problem], reason: str
) -> None:
    storage.error = error
    stream = iter([BODY]) if error else breaking(b"half", IncompleteBody())
    with pytest.raises(kind):
        file.store(claimed, stream)

    assert (reload(claimed).upload_status, reload(claimed).error) == (UploadStatus.ERROR, reason)
    assert list(storage.list_objects()) == []


@pytest.mark.parametrize(("mode", "status"), [("normal", UploadStatus.ERROR), ("async", UploadStatus.PENDING)])
def test_files_in_flight_are_requeued_at_shutdown(app: Flask, mode: file.Mode, status: str) -> None:
    row = claimed_file(mode)
    with current_services().leases.renewing(row) as lease:
        attempts.end_in_flight()
        with pytest.raises(LeaseLost):
            lease.check()

    assert (reload(row).upload_status, reload(row).error) == (status, "server-stopped")


def test_a_spool_file_that_cannot_be_deleted_does_not_fail_the_upload(
    pending: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(id: str) -> None:
        raise PermissionError

    monkeypatch.setattr(current_services().spool, "delete", broken)
    file.upload_file(pending.id)

    assert reload(pending).upload_status == UploadStatus.COMPLETE


@pytest.mark.parametrize(
    ("mode", "error", "attempt", "pause"),
    [
        ("normal", StorageUnavailable(), 1, None),
        ("async", StorageUnavailable(), 1, 5),
        ("async", StorageUnavailable(), 2, 10),
        ("celery", StorageMismatch(), 3, 20),
        ("celery", BytesDamaged(), 1, 5),
        ("async", ValueError(), 4, 40),
        ("async", StorageUnavailable(), 5, None),
        ("async", StorageUnavailable(), 6, None),
        ("async", StorageDenied(), 1, None),
        ("celery", StorageNoBucket(), 1, None),
        ("async", StorageRejected(), 1, None),
        ("async", BytesLost(), 1, None),
    ],
)
def test_the_pause_after_a_failed_attempt(mode: file.Mode, error: Exception, attempt: int, pause: float | None) -> None:
    assert retry_delay(mode, error, attempt, max_attempts=5, base_delay=5) == pause


def test_pauses_grow_to_15_minutes() -> None:
    assert retry_delay("async", StorageUnavailable(), 40, max_attempts=99, base_delay=5) == 900
