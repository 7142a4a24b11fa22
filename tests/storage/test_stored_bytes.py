"""An upload counts the bytes that the storage confirmed, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from dev import parts
from storage.base import StorageError
from storage.parts import MIN_PART
from tests.fakes import chunks
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
    tampered = TamperedS3(moto, **verbs)
    with pytest.raises(StorageError):
        tampered.put(how)

    assert tampered.upload.stored == 0


def test_reported_bytes_never_exceed_the_listed_parts(moto: str) -> None:
    storage = s3(moto)
    reported: list[tuple[int, int]] = []

    def listed(id: str) -> int:
        found = storage._boto.list_parts(Bucket=parts.BUCKET, Key="audited", UploadId=id)
        return sum(part["Size"] for part in found.get("Parts", ()))

    with storage.upload("audited", max_bytes=5 * MIN_PART, content_type="text/plain") as upload:
        for part in upload.split(chunks(*[MIN_PART] * 4)):
            upload.write(part)
            [found] = storage.multipart_uploads("audited")
            stored = upload.stored
            reported.append((stored, listed(found.id)))
        upload.complete()

    assert len(reported) == 4
    assert all(stored <= arrived for stored, arrived in reported)
    assert upload.stored == 4 * MIN_PART


def test_an_object_with_a_lost_response_is_reported_as_stored(moto: str) -> None:
    tampered = TamperedS3(moto, PUT=lost_response)
    tampered.put("whole")

    assert tampered.upload.stored == 4
