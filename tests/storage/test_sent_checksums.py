"""Checksums sent with uploads: the configured one, and the next if the storage rejects it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from storage.base import StorageError, StorageMismatch, StorageUnsupported
from storage.parts import MIN_PART
from storage.s3.checksums import CRC32
from storage.s3.options import S3Options
from storage.s3.responses import Response
from tests.storage.tampered_s3 import WRONG, Intercepted, TamperedS3, s3


class RejectingS3:
    """A storage that rejects requests with certain headers; records the checksum headers of each PUT."""

    def __init__(self, moto: str, refused: str, answer: Response, **options: str) -> None:
        self.storage = s3(moto, options=S3Options(**options))
        made, self.seen = self.storage._resources.get(), list[str]()
        self._refused, self._answer = refused, answer
        self.multipart_uploads: list[dict[str, Any]] = []
        made.client.boto = Intercepted(made.client.boto, create_multipart_upload=self._create)
        self.storage._resources._resources = replace(made, http=Intercepted(made.http, request=self._request))

    def _request(self, send: Any, method: str, target: str, signed: Any, *rest: Any) -> Any:
        headers = [name.lower() for name in signed()]
        self.seen += [name for name in headers if name in (CRC32, "content-md5")] if method == "PUT" else []
        refused = method == "PUT" and any(re.search(self._refused, name) for name in headers)
        return self._answer if refused else send(method, target, signed, *rest)

    def _create(self, send: Any, **given: Any) -> Any:
        self.multipart_uploads.append(given)
        if re.search(self._refused, "x-amz-checksum") and "ChecksumAlgorithm" in given:
            raise ClientError({"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}, "C")
        return send(**given)


NAMED = Response(400, {}, b"<Error><Code>InvalidArgument</Code><Message>Unsupported header</Message>"
               b"<ArgumentName>x-amz-checksum-crc32</ArgumentName></Error>")  # fmt: skip

NOT_IMPLEMENTED = Response(501, {}, b"<Error><Code>NotImplemented</Code><Message>A header</Message></Error>")


def test_a_part_is_sent_with_its_crc32(moto: str) -> None:
    seen: list[str] = []
    storage = s3(moto)
    send = storage._resources.get().http.request

    def request(method: str, target: str, signed: Any, *rest: Any) -> Response:
        seen.append(signed().get(CRC32, ""))
        return send(method, target, signed, *rest)

    http = Intercepted(storage._resources.get().http, request=lambda _, *rest: request(*rest))
    storage._resources._resources = replace(storage._resources.get(), http=http)
    storage.put("crc", iter([b"123456789"]), content_type="text/plain")

    assert seen == ["y/Q5Jg==", ""]


@pytest.mark.parametrize(
    ("checksum", "header", "algorithm"),
    [("crc32", [CRC32], {"ChecksumAlgorithm": "CRC32"}), ("md5", ["content-md5"], {}), ("none", [], {})],
)
def test_the_configured_checksum_is_sent(
    moto: str, checksum: str, header: list[str], algorithm: dict[str, str]
) -> None:
    rejecting = RejectingS3(moto, "nothing", NAMED, checksum=checksum)
    rejecting.storage.put("set", iter([bytes(MIN_PART + 1)]), max_bytes=MIN_PART + 1, content_type="text/plain")

    assert rejecting.seen == header * 2
    assert {name: value for name, value in rejecting.multipart_uploads[0].items() if "Checksum" in name} == algorithm


@pytest.mark.parametrize("answer", [NAMED, NOT_IMPLEMENTED, Response(501, {}, b"")])
@pytest.mark.parametrize("size", [4, MIN_PART + 1], ids=["whole", "in parts"])
def test_a_rejected_checksum_is_no_longer_sent(
    moto: str, caplog: pytest.LogCaptureFixture, answer: Response, size: int
) -> None:
    rejecting = RejectingS3(moto, "x-amz-checksum", answer)
    for _ in range(2):
        assert rejecting.storage.put("key", iter([bytes(size)]), max_bytes=size, content_type="text/plain").size == size

    assert rejecting.seen.count(CRC32) <= 1
    assert rejecting.seen[-1] == "content-md5"
    [warning] = [record.message for record in caplog.records if "checksum_rejected" in record.message]
    assert "S3_CHECKSUM=crc32" in warning
    assert "checksums md5" in rejecting.storage.describe()


def test_without_any_accepted_checksum_the_etag_is_still_compared(moto: str) -> None:
    rejecting = RejectingS3(moto, "x-amz-checksum|content-md5", NOT_IMPLEMENTED)

    assert rejecting.storage.put("key", iter([b"four"]), content_type="text/plain").size == 4
    assert "checksums none" in rejecting.storage.describe()
    tampered = TamperedS3(moto, PUT=WRONG["md5"], options=S3Options(checksum="none"))
    with pytest.raises(StorageMismatch):
        tampered.put_whole()


def test_a_rejection_that_no_checksum_avoids_is_raised_and_not_remembered(moto: str) -> None:
    rejecting = RejectingS3(moto, "content-type", NOT_IMPLEMENTED)

    with pytest.raises(StorageUnsupported, match="NotImplemented"):
        rejecting.storage.put("key", iter([b"four"]), content_type="text/plain")
    assert rejecting.seen == [CRC32, "content-md5"]
    assert "checksums crc32" in rejecting.storage.describe()


@pytest.mark.parametrize(
    "answer", [Response(403, {}, b"<Code>AccessDenied</Code>"), Response(400, {}, b"<Code>EntityTooLarge</Code>")]
)
def test_another_rejection_does_not_change_the_checksum(moto: str, answer: Response) -> None:
    rejecting = RejectingS3(moto, "content-type", answer)

    with pytest.raises(StorageError):
        rejecting.storage.put("key", iter([b"four"]), content_type="text/plain")
    assert rejecting.seen == [CRC32]
