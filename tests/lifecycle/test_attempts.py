"""How an attempt ends: what the row says of it, and whether another follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from tests.fakes import breaking, failing, reload, replace_services

BODY = b"what was sent"


@pytest.fixture
def waiting(app: Flask) -> File:
    """A file whose bytes are in the spool."""
    row = file.new_file("a.txt", "text/plain", "async")
    file.receive(row, iter([BODY[:4], BODY[4:]]))
    return row


@pytest.fixture
def held(app: Flask) -> File:
    """A file of normal mode that this test holds."""
    row = file.new_file("a.txt", "text/plain", "normal")
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    return row


def test_a_spool_file_that_is_gone_ends_the_file(waiting: File) -> None:
    current_services().spool.delete(waiting.id)
    file.upload_file(waiting.id)

    assert (reload(waiting).upload_status, reload(waiting).error) == (UploadStatus.ERROR, "bytes-lost")


def test_a_failure_that_may_pass_lets_the_file_wait_with_its_bytes(app: Flask, waiting: File) -> None:
    broken = failing(app, StorageUnavailable())
    file.upload_file(waiting.id)
    assert (reload(waiting).upload_status, reload(waiting).error) == (UploadStatus.PENDING, "storage-unavailable")
    assert current_services().spool.path(waiting.id).exists()

    broken.error = None
    file.upload_file(waiting.id)
    assert (reload(waiting).upload_status, reload(waiting).attempt) == (UploadStatus.COMPLETE, 2)


def test_a_failure_that_cannot_pass_ends_the_file_and_says_why(app: Flask, waiting: File) -> None:
    failing(app, StorageDenied())
    file.upload_file(waiting.id)

    assert (reload(waiting).upload_status, reload(waiting).error) == (UploadStatus.ERROR, "storage-denied")


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_failure_is_told_as_it_was_when_its_row_can_not_be(
    app: Flask, monkeypatch: pytest.MonkeyPatch, mode: file.Mode
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("connection refused"))

    monkeypatch.setattr(attempts, "_DATABASE_SECONDS", 0)
    monkeypatch.setattr(transitions, "fail", away)
    monkeypatch.setattr(transitions, "requeue", away)
    failing(app, StorageUnavailable())
    row = file.new_file("a.txt", "text/plain", mode)
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    with pytest.raises(StorageUnavailable):
        file.store(row, iter([BODY]))


def test_the_end_of_an_upload_outlasts_a_database_that_is_away(
    app: Flask, waiting: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, calls = transitions.complete, []

    def sometimes(row: File, **what: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("UPDATE", {}, Exception("connection refused"))
        done = complete(row, **what)
        if len(calls) == 2:
            raise OperationalError("UPDATE", {}, Exception("the answer was lost"))
        return done

    monkeypatch.setattr(transitions, "complete", sometimes)
    file.upload_file(waiting.id)

    assert len(calls) == 3
    assert (reload(waiting).upload_status, reload(waiting).attempt) == (UploadStatus.COMPLETE, 1)
    assert list(current_services().spool.files()) == []


def test_attempts_are_bounded(app: Flask, waiting: File) -> None:
    failing(app, StorageUnavailable())
    for _ in range(7):
        file.upload_file(waiting.id)

    assert (reload(waiting).upload_status, reload(waiting).attempt) == (UploadStatus.ERROR, 5)


def test_a_defect_of_ours_is_not_told_to_the_client_and_loses_nothing(app: Flask, waiting: File) -> None:
    failing(app, ZeroDivisionError("secret"))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        file.upload_file(waiting.id)

    assert (reload(waiting).upload_status, reload(waiting).error) == (UploadStatus.PENDING, "internal-error")


@pytest.mark.parametrize(
    ("break_it", "kind", "reason"),
    [
        (lambda app: failing(app, StorageUnavailable()), StorageUnavailable, "storage-unavailable"),
        (lambda app: failing(app, StorageDenied()), StorageDenied, "storage-denied"),
        (lambda app: None, IncompleteBody, "client-disconnected"),
    ],
)
def test_normal_mode_ends_with_its_request(
    app: Flask, held: File, break_it: Callable[[Flask], None], kind: type[Problem], reason: str
) -> None:
    break_it(app)
    stream = breaking(b"half", IncompleteBody()) if kind is IncompleteBody else iter([BODY])
    with pytest.raises(kind):
        file.store(held, stream)

    assert (reload(held).upload_status, reload(held).error) == (UploadStatus.ERROR, reason)
    assert list(current_services().storage.list_objects()) == []


def test_the_storages_code_is_in_the_row_and_its_words_are_in_the_log(
    app: Flask, waiting: File, caplog: pytest.LogCaptureFixture
) -> None:
    failing(app, storage_error(403, "QuotaExceeded", "20 MB of 20 MB"))
    file.upload_file(waiting.id)

    assert reload(waiting).error == "storage-quota-exceeded"
    assert reload(waiting).error_detail == "The storage answered QuotaExceeded."
    assert reload(waiting).upload_status == UploadStatus.PENDING
    assert "attempt 1 failed (storage-quota-exceeded: QuotaExceeded: 20 MB of 20 MB), again in" in caplog.text


def test_a_detail_is_bounded_and_goes_with_the_error(app: Flask, waiting: File) -> None:
    broken = failing(app, StorageUnavailable("x" * 1000))
    file.upload_file(waiting.id)
    assert reload(waiting).error_detail == "x" * 255

    broken.error = None
    file.upload_file(waiting.id)
    assert (reload(waiting).error, reload(waiting).error_detail) == (None, None)


def test_a_file_that_is_tried_again_by_hand_forgets_why_it_failed(app: Flask, waiting: File) -> None:
    failing(app, StorageDenied("The storage answered AccessDenied."))
    file.upload_file(waiting.id)
    assert reload(waiting).error_detail == "The storage answered AccessDenied."

    attempts.retry(reload(waiting))
    assert (reload(waiting).error, reload(waiting).error_detail) == (None, None)


class Damaging(MemoryStorage):
    """Keeps other bytes than it is given, and is found out."""

    def put(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        super().put(key, iter([b"".join(stream)[::-1]]), content_type="text/plain")
        raise StorageMismatch


def damaging(app: Flask) -> Damaging:
    made = Damaging()
    replace_services(app, storage=made)
    return made


def test_wrong_bytes_go_with_an_attempt_that_no_other_follows(app: Flask, held: File) -> None:
    objects = damaging(app)
    with pytest.raises(StorageMismatch):
        file.store(held, iter([BODY]))

    assert reload(held).upload_status == UploadStatus.ERROR
    assert list(objects.list_objects()) == []


def test_wrong_bytes_stay_for_the_next_attempt_to_replace_and_go_after_the_last(app: Flask, waiting: File) -> None:
    objects = damaging(app)
    for attempt in range(1, 6):
        file.upload_file(waiting.id)
        assert len(list(objects.list_objects())) == (1 if attempt < 5 else 0)

    assert (reload(waiting).upload_status, reload(waiting).attempt) == (UploadStatus.ERROR, 5)


def test_who_has_lost_the_file_removes_no_object(app: Flask, held: File) -> None:
    """It may be the right one of the next holder by now."""
    objects = damaging(app)
    objects._objects[held.key] = BODY
    late = copy(held)
    transitions.fail(held, "server-stopped")
    attempts.fail(late, StorageMismatch())

    assert [stat.key for stat in objects.list_objects()] == [held.key]


@pytest.mark.parametrize(("mode", "status"), [("normal", UploadStatus.ERROR), ("async", UploadStatus.PENDING)])
def test_what_is_in_hand_at_the_end_of_the_process_is_handed_back(app: Flask, mode: file.Mode, status: str) -> None:
    row = file.new_file("a.txt", "text/plain", mode)
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    with current_services().leases.renewing(row) as hold:
        attempts.requeue_in_flight()
        with pytest.raises(LeaseLost):
            hold.check()

    assert (reload(row).upload_status, reload(row).error) == (status, "server-stopped")


def test_a_spool_that_cannot_be_tidied_makes_no_failure_of_a_success(
    app: Flask, waiting: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(id: str) -> None:
        raise PermissionError

    monkeypatch.setattr(current_services().spool, "delete", broken)
    file.upload_file(waiting.id)

    assert reload(waiting).upload_status == UploadStatus.COMPLETE


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
def test_the_verdict_on_a_failed_attempt(mode: file.Mode, error: Exception, attempt: int, pause: float | None) -> None:
    assert retry_delay(mode, error, attempt, most=5, first_pause=5) == pause


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    assert retry_delay("async", StorageUnavailable(), 40, most=99, first_pause=5) == 900
