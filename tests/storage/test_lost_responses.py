"""Uploads whose response is lost: a HEAD decides whether they count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from storage.base import StorageNoUpload, StorageRejected, StorageUnavailable
from storage.parts import MIN_PART
from storage.s3.responses import Response
from tests.storage.tampered_s3 import TamperedS3, at_first, lost_response, never_sent, s3

NO_UPLOAD = Response(404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")


@pytest.fixture(autouse=True)
def aborted(moto: str) -> Iterator[None]:
    """Abort the uploads that a test leaves in the bucket: the contract's tests list all."""
    yield
    storage = s3(moto)
    for upload in list(storage.multipart_uploads()):
        storage.abort_multipart_upload(upload)


def test_an_upload_with_a_lost_response_counts_if_the_object_exists(moto: str) -> None:
    assert TamperedS3(moto, PUT=lost_response).put_whole().size == 4


def test_a_complete_with_a_lost_response_counts_if_the_object_exists(moto: str) -> None:
    tampered = TamperedS3(moto, COMPLETE=lost_response)

    assert tampered.put_parts().size == MIN_PART + 9
    assert "abort_multipart_upload" not in tampered.boto.calls


def test_an_upload_without_an_object_does_not_count(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, PUT=never_sent, COMPLETE=never_sent)

    for how in ("whole", "parts"):
        with pytest.raises(StorageUnavailable):
            tampered.put(how)


def test_an_upload_whose_complete_got_no_response_is_not_aborted(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=never_sent)

    with pytest.raises(StorageUnavailable):
        tampered.put_parts()
    assert "abort_multipart_upload" not in tampered.boto.calls


def test_a_complete_is_repeated_after_a_head(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=at_first(3, never_sent))

    assert tampered.put_parts().size == MIN_PART + 9
    assert tampered.sent == ["PART", "PART", *["COMPLETE", "HEAD"] * 4]


def test_an_object_that_appears_late_counts(moto: str, impatient: None) -> None:
    """The first Complete takes effect late; its response is lost, and until then the upload is reported missing."""
    answers: list[Any] = []

    def late(send: Any) -> Any:
        answers.append(send)
        if len(answers) == 4:
            answers[0]()
        if len(answers) < 3:
            raise StorageUnavailable
        return NO_UPLOAD

    tampered = TamperedS3(moto, COMPLETE=late)
    assert tampered.put_parts().size == MIN_PART + 9
    assert len(answers) == 4


def test_a_missing_upload_fails_at_once(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=lambda _: NO_UPLOAD)
    with pytest.raises(StorageNoUpload):
        tampered.put_parts()
    assert tampered.sent.count("HEAD") == 1


def test_an_upload_whose_complete_is_rejected_is_aborted(moto: str, impatient: None) -> None:
    too_small = Response(400, {}, b"<Error><Code>EntityTooSmall</Code></Error>")
    tampered = TamperedS3(moto, COMPLETE=lambda _: too_small)
    with pytest.raises(StorageRejected):
        tampered.put_parts()
    assert tampered.boto.calls[-1] == "abort_multipart_upload"
