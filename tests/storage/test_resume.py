"""A failed attempt keeps its parts, and the next one sends only the missing ones."""

from __future__ import annotations

import os
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest

import file
from app import create_app
from models import UploadStatus
from problems import LeaseLost
from storage.base import (
    Stat,
    StorageDenied,
    StorageError,
    StorageMismatch,
    StorageNoUpload,
    StorageUnavailable,
    StorageUnsupported,
)
from storage.parts import MIN_PART
from storage.s3.checksums import Digests, UploadedPart
from storage.s3.responses import Response
from storage.s3.resume import ListedPart, is_resumable, reusable_part
from storage.s3.storage import S3Storage
from storage.upload_contract import Broken, pieces
from tests.fakes import breaking
from tests.harness.factories import pending_file, reload
from tests.storage.tampered_s3 import TamperedS3, never_sent

BODY = os.urandom(3 * MIN_PART + 9)
SENT = Digests(b"123456789")


@pytest.mark.parametrize(
    ("left", "landed"),
    [
        (None, None),
        (ListedPart(9, SENT.md5), UploadedPart(9, SENT.md5)),
        (ListedPart(9, SENT.md5, SENT.crc32), UploadedPart(9, SENT.md5, SENT.crc32)),
        (ListedPart(9, "opaque", SENT.crc32), UploadedPart(9, "opaque", SENT.crc32)),
        (ListedPart(9, SENT.md5, "AAAAAA=="), None),
        (ListedPart(9, "0" * 32), None),
        (ListedPart(9, "opaque"), None),
        (ListedPart(9, ""), None),
        (ListedPart(8, SENT.md5), None),
    ],
)
def test_a_part_is_reused_only_if_a_digest_proves_it(left: ListedPart | None, landed: UploadedPart | None) -> None:
    assert reusable_part(left, SENT) == landed


@pytest.mark.parametrize(
    ("error", "resumable"),
    [
        (StorageUnavailable(), True),
        (LeaseLost(), True),
        (Broken(), True),
        (StorageDenied(), False),
        (StorageUnsupported(), False),
        (StorageMismatch(), False),
        (StorageNoUpload(), False),
    ],
)
def test_temporary_failures_keep_parts(error: Exception, resumable: bool) -> None:
    assert is_resumable(error) is resumable


class Cut(TamperedS3):
    """A storage that loses the parts from the `first_lost`th on, until `heal`."""

    def __init__(self, endpoint: str, first_lost: int = 3, lost: Any = never_sent) -> None:
        self.key, self._first_lost, self._lost = str(uuid4()), first_lost, lost
        super().__init__(endpoint, PART=self._part)

    def _part(self, send: Any) -> Any:
        return self._lost(send) if self._first_lost and self.sent.count("PART") >= self._first_lost else send()

    def heal(self) -> None:
        self._first_lost = 0
        self.sent.clear()

    def attempt(self, number: int, body: bytes = BODY) -> Stat:
        return self.send(self.key, pieces(body), max_bytes=len(body), attempt=number)

    @property
    def multipart_uploads(self) -> int:
        return len(list(self.storage.multipart_uploads(self.key)))


@pytest.fixture(params=["moto", "rclone"])
def cut(request: pytest.FixtureRequest) -> Cut:
    return Cut(request.getfixturevalue(request.param))


def read(storage: S3Storage, key: str) -> bytes:
    return b"".join(storage.open(key))


def test_the_next_attempt_sends_only_what_is_missing(cut: Cut) -> None:
    with pytest.raises(StorageUnavailable):
        cut.attempt(1)
    assert cut.multipart_uploads == 1
    arrived = cut.sent.count("PART") - 2
    assert arrived <= 2

    cut.heal()
    assert cut.attempt(2).size == len(BODY) == cut.upload.stored
    assert cut.sent.count("PART") == 2
    assert cut.multipart_uploads == 0
    assert read(cut.storage, cut.key) == BODY
    assert cut.storage.buffers.free == cut.storage.buffers.made


def test_a_single_attempt_leaves_nothing(cut: Cut) -> None:
    with pytest.raises(StorageUnavailable):
        cut.attempt(0)

    assert cut.multipart_uploads == 0


def test_a_failing_stream_keeps_its_parts_too(cut: Cut) -> None:
    stream = chain(pieces(BODY[: 2 * MIN_PART + 1]), breaking(b"", Broken()))
    with pytest.raises(Broken):
        cut.storage.put(cut.key, stream, max_bytes=len(BODY), content_type="text/plain", attempt=1)
    cut.heal()

    assert cut.attempt(2).size == len(BODY)
    assert cut.sent.count("PART") == 2
    assert read(cut.storage, cut.key) == BODY


def test_parts_of_other_bytes_are_not_used(cut: Cut) -> None:
    """rclone does not replace parts: there the third attempt starts a new upload."""
    other = BODY[:5] + b"?" + BODY[6:]
    with pytest.raises(StorageUnavailable):
        cut.attempt(1, other)
    cut.heal()
    try:
        cut.attempt(2)
    except StorageNoUpload:
        assert cut.multipart_uploads == 0
        cut.attempt(3)

    assert read(cut.storage, cut.key) == BODY
    assert cut.multipart_uploads == 0


def test_a_missing_or_unlisted_upload_is_started_anew(cut: Cut) -> None:
    with pytest.raises(StorageUnavailable):
        cut.attempt(1)
    for begun in list(cut.storage.multipart_uploads(cut.key)):
        cut.storage.abort_multipart_upload(begun)
    cut.heal()

    assert cut.attempt(2).size == len(BODY)
    assert cut.sent.count("PART") == 4


def test_a_failed_listing_does_not_fail_the_upload(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> Any:
        raise StorageDenied

    cut.heal()
    monkeypatch.setattr(cut.storage._multipart, "list_uploads", denied)

    assert cut.attempt(2).size == len(BODY)


@pytest.mark.parametrize("answer", [b"<Code>AccessDenied</Code>", b"<Code>NoSuchUpload</Code>"])
def test_an_upload_that_cannot_be_resumed_is_aborted(moto: str, answer: bytes) -> None:
    cut = Cut(moto, lost=lambda send: Response(403, {}, answer))
    with pytest.raises(StorageError):
        cut.attempt(1)

    assert cut.multipart_uploads == 0


def test_the_first_attempt_lists_nothing(moto: str) -> None:
    cut = Cut(moto, first_lost=0)
    cut.attempt(1)

    assert "get_paginator" not in cut.boto.calls


def test_a_pending_file_keeps_its_parts_and_an_ended_one_does_not(settings: dict[str, str], moto: str) -> None:
    cut = Cut(moto)
    with create_app(settings, {"storage": cut.storage}).app_context():
        row = pending_file(body=pieces(BODY))
        cut.key = row.key
        for attempt in range(1, 6):
            file.upload_file(row.id)
            ended = attempt == 5
            assert reload(row).upload_status == (UploadStatus.ERROR if ended else UploadStatus.PENDING)
            assert cut.multipart_uploads == (0 if ended else 1)


def test_a_file_is_stored_by_two_attempts_that_share_the_work(settings: dict[str, str], moto: str) -> None:
    cut = Cut(moto)
    with create_app(settings, {"storage": cut.storage}).app_context():
        row = pending_file(body=pieces(BODY))
        file.upload_file(row.id)
        cut.heal()
        file.upload_file(row.id)

        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.COMPLETE, 2)
        assert cut.sent.count("PART") == 2
        assert read(cut.storage, row.key) == BODY
