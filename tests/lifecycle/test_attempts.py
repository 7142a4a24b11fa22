"""How an attempt ends: the state of the row, and whether another attempt follows."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import file
from lifecycle import attempts, transitions
from lifecycle.attempts import retry_delay
from models import File, UploadStatus
from problems import BytesDamaged, BytesLost, IncompleteBody, LeaseLost, Problem
from services import current_services
from storage.base import Stat, StorageDenied, StorageMismatch, StorageNoBucket, StorageRejected, StorageUnavailable
from storage.memory import MemoryStorage
from storage.s3.errors import storage_error
from tests.fakes import FailingStorage, breaking, reload

BODY = b"what was sent"


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def services(storage: MemoryStorage) -> dict[str, Any]:
    return {"storage": storage}


@pytest.fixture
def pending(app: Flask) -> File:
    """A spooled file of mode `async`."""
    row = file.new_file("a.txt", "text/plain", "async")
    file.receive(row, iter([BODY[:4], BODY[4:]]))
    return row


@pytest.fixture
def claimed(app: Flask) -> File:
    """A file of mode `normal`, claimed by this test."""
    row = file.new_file("a.txt", "text/plain", "normal")
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    return row


def test_a_missing_spool_file_ends_the_file(pending: File) -> None:
    current_services().spool.delete(pending.id)
    file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.ERROR, "bytes-lost")


def test_a_transient_failure_keeps_the_file_pending_with_its_bytes(storage: FailingStorage, pending: File) -> None:
    storage.error = StorageUnavailable()
    file.upload_file(pending.id)
    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.PENDING, "storage-unavailable")
    assert current_services().spool.path(pending.id).exists()

    storage.error = None
    file.upload_file(pending.id)
    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.COMPLETE, 2)


def test_a_permanent_failure_ends_the_file_with_its_reason(storage: FailingStorage, pending: File) -> None:
    storage.error = StorageDenied()
    file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.ERROR, "storage-denied")


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_failure_that_cannot_be_recorded_is_raised_unchanged(
    app: Flask, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch, mode: file.Mode
) -> None:
    def unavailable(*_: Any, **__: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("connection refused"))

    monkeypatch.setattr(attempts, "_DATABASE_TIMEOUT", 0)
    monkeypatch.setattr(transitions, "fail", unavailable)
    monkeypatch.setattr(transitions, "requeue", unavailable)
    storage.error = StorageUnavailable()
    row = file.new_file("a.txt", "text/plain", mode)
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    with pytest.raises(StorageUnavailable):
        file.store(row, iter([BODY]))


def test_the_end_of_an_upload_is_retried_until_the_database_is_available(
    app: Flask, pending: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, calls = transitions.complete, []

    def unreliable(row: File, **values: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("UPDATE", {}, Exception("connection refused"))
        done = complete(row, **values)
        if len(calls) == 2:
            raise OperationalError("UPDATE", {}, Exception("the answer was lost"))
        return done

    monkeypatch.setattr(transitions, "complete", unreliable)
    file.upload_file(pending.id)

    assert len(calls) == 3
    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.COMPLETE, 1)
    assert list(current_services().spool.files()) == []


def test_attempts_are_bounded(storage: FailingStorage, pending: File) -> None:
    storage.error = StorageUnavailable()
    for _ in range(7):
        file.upload_file(pending.id)

    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.ERROR, 5)


def test_an_unexpected_exception_keeps_the_file_and_hides_its_text(storage: FailingStorage, pending: File) -> None:
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
    storage: FailingStorage, claimed: File, error: Exception | None, kind: type[Problem], reason: str
) -> None:
    storage.error = error
    stream = iter([BODY]) if error else breaking(b"half", IncompleteBody())
    with pytest.raises(kind):
        file.store(claimed, stream)

    assert (reload(claimed).upload_status, reload(claimed).error) == (UploadStatus.ERROR, reason)
    assert list(storage.list_objects()) == []


def test_the_row_has_the_storages_error_code_and_the_log_its_message(
    storage: FailingStorage, pending: File, caplog: pytest.LogCaptureFixture
) -> None:
    storage.error = storage_error(403, "QuotaExceeded", "20 MB of 20 MB")
    file.upload_file(pending.id)

    assert reload(pending).error == "storage-quota-exceeded"
    assert reload(pending).error_detail == "The storage answered QuotaExceeded."
    assert reload(pending).upload_status == UploadStatus.PENDING
    assert "attempt.failed: storage-quota-exceeded: QuotaExceeded: 20 MB of 20 MB, attempt 1, retry in" in caplog.text


def test_a_detail_is_truncated_and_cleared_with_the_error(storage: FailingStorage, pending: File) -> None:
    storage.error = StorageUnavailable("x" * 1000)
    file.upload_file(pending.id)
    assert reload(pending).error_detail == "x" * 255

    storage.error = None
    file.upload_file(pending.id)
    assert (reload(pending).error, reload(pending).error_detail) == (None, None)


def test_a_manual_retry_clears_the_error(storage: FailingStorage, pending: File) -> None:
    storage.error = StorageDenied("The storage answered AccessDenied.")
    file.upload_file(pending.id)
    assert reload(pending).error_detail == "The storage answered AccessDenied."

    attempts.retry(reload(pending))
    assert (reload(pending).error, reload(pending).error_detail) == (None, None)


class CorruptingStorage(MemoryStorage):
    """Stores other bytes than it is given, and detects it."""

    def put(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        super().put(key, iter([b"".join(stream)[::-1]]), content_type="text/plain")
        raise StorageMismatch


class TestWrongBytes:
    @pytest.fixture
    def storage(self) -> CorruptingStorage:
        return CorruptingStorage()

    def test_they_are_deleted_if_no_attempt_follows(self, storage: CorruptingStorage, claimed: File) -> None:
        with pytest.raises(StorageMismatch):
            file.store(claimed, iter([BODY]))

        assert reload(claimed).upload_status == UploadStatus.ERROR
        assert list(storage.list_objects()) == []

    def test_they_stay_for_the_next_attempt_and_are_deleted_after_the_last(
        self, storage: CorruptingStorage, pending: File
    ) -> None:
        for attempt in range(1, 6):
            file.upload_file(pending.id)
            assert len(list(storage.list_objects())) == (1 if attempt < 5 else 0)

        assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.ERROR, 5)

    def test_a_worker_that_lost_its_claim_deletes_no_object(self, storage: CorruptingStorage, claimed: File) -> None:
        """The object may be the correct one of the next attempt by now."""
        storage._objects[claimed.key] = BODY
        stale = copy(claimed)
        transitions.fail(claimed, "server-stopped")
        attempts.fail(stale, StorageMismatch())

        assert [stat.key for stat in storage.list_objects()] == [claimed.key]


@pytest.mark.parametrize(("mode", "status"), [("normal", UploadStatus.ERROR), ("async", UploadStatus.PENDING)])
def test_files_in_flight_are_requeued_at_shutdown(app: Flask, mode: file.Mode, status: str) -> None:
    row = file.new_file("a.txt", "text/plain", mode)
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    with current_services().leases.renewing(row) as lease:
        attempts.requeue_in_flight()
        with pytest.raises(LeaseLost):
            lease.check()

    assert (reload(row).upload_status, reload(row).error) == (status, "server-stopped")


def test_a_spool_file_that_cannot_be_deleted_does_not_fail_the_upload(
    pending: File, monkeypatch: pytest.MonkeyPatch
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
