"""Observers are notified of bytes that the storage confirmed, and of no others."""

from __future__ import annotations

from typing import Any

import pytest

from dev import parts
from storage.base import StorageError
from storage.parts import MIN_PART
from tests.fakes import chunks
from tests.storage.observers import RecordingObserver
from tests.storage.tampered_s3 import TamperedS3, lost_response, never_sent, s3, with_headers


@pytest.mark.parametrize(
    ("how", "verbs"),
    [
        ("whole", {"PUT": never_sent}),
        ("whole", {"HEAD": with_headers(content_length="3")}),
        ("parts", {"PART": never_sent}),
        ("parts", {"PART": with_headers(x_amz_checksum_crc32="AAAAAA==")}),
    ],
)
def test_unconfirmed_bytes_are_not_reported_as_stored(moto: str, how: str, verbs: dict[str, Any]) -> None:
    observer = RecordingObserver()
    with pytest.raises(StorageError):
        TamperedS3(moto, **verbs).put(how, observer)

    assert observer.heard == []


def test_reported_bytes_never_exceed_the_listed_parts(moto: str) -> None:
    storage = s3(moto)
    reported: list[tuple[int, int]] = []

    class Auditor(RecordingObserver):
        def on_stored(self, size: int) -> None:
            super().on_stored(size)
            [upload] = storage.multipart_uploads("audited")
            listed = storage._boto.list_parts(Bucket=parts.BUCKET, Key="audited", UploadId=upload.id)["Parts"]
            reported.append((sum(self.heard), sum(part["Size"] for part in listed)))

    storage.put(
        "audited", chunks(*[MIN_PART] * 4), max_bytes=5 * MIN_PART, content_type="text/plain", observer=Auditor()
    )

    assert len(reported) == 4
    assert all(heard <= listed for heard, listed in reported)


def test_an_object_with_a_lost_response_is_reported_as_stored(moto: str) -> None:
    observer = RecordingObserver()
    TamperedS3(moto, PUT=lost_response).put("whole", observer)

    assert observer.heard == [4]
