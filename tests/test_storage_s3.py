"""The S3 storage keeps the contract on moto and on a real rclone, and beyond it what only S3 has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest
import requests
from botocore.exceptions import ClientError

from dev import parts
from dev.process import free_port
from storage.base import (
    Storage,
    StorageDenied,
    StorageError,
    StorageMismatch,
    StorageMissing,
    StorageNoBucket,
    StorageRejected,
    StorageUnavailable,
)  # fmt: skip
from storage.parts import SMALL
from storage.s3 import S3Storage, error_for
from tests.fakes import breaking, chunks
from tests.storage_contract import Broken, StorageContract


def s3(endpoint: str, **options: Any) -> S3Storage:
    options = {"aws_access_key_id": parts.ACCESS_KEY, "aws_secret_access_key": parts.SECRET_KEY} | options
    return S3Storage(**{"bucket": parts.BUCKET, "endpoint": endpoint} | options)


class S3Contract(StorageContract):
    """The contract, and what holds on every S3 server."""

    def test_no_part_of_a_broken_upload_stays(self, storage: S3Storage, key: str) -> None:
        with pytest.raises(Broken):
            storage.put(key, breaking(bytes(4 * SMALL), Broken()), bound=10 * SMALL, content_type="text/plain")

        assert "Uploads" not in storage._s3.list_multipart_uploads(Bucket=parts.BUCKET)

    def test_a_list_goes_on_over_pages(self, storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(5):
            storage.put(f"{key}-{number}", iter([b"x"]), content_type="text/plain")
        listing = storage._s3.list_objects_v2
        monkeypatch.setattr(storage._s3, "list_objects_v2", lambda **more: listing(**more | {"MaxKeys": 2}))

        assert [found.key[-1] for found in storage.scan(f"{key}-")] == list("01234")

    def test_a_link_gives_the_object_to_whoever_has_it(self, storage: S3Storage, key: str) -> None:
        storage.put(key, iter([b"linked"]), content_type="text/plain")

        assert requests.get(storage.link(key, 60), timeout=10).content == b"linked"

    def test_a_bucket_that_is_not_there_is_told_apart(self, storage: S3Storage, key: str) -> None:
        lost = s3(storage.endpoint, bucket="nobody-made-this")

        with pytest.raises(StorageNoBucket):
            lost.put(key, iter([b"x"]), content_type="text/plain")
        assert [(check.subject, check.ok) for check in lost.examine()] == [
            ("storage", True),
            ("bucket nobody-made-this", False),
            ("write to nobody-made-this", False),
        ]


class TestMoto(S3Contract):
    @pytest.fixture
    def storage(self, moto: str) -> Storage:
        return s3(moto)

    def test_the_content_type_is_kept(self, storage: S3Storage, key: str) -> None:
        for body in ([b"x"], [bytes(SMALL), b"x"]):
            storage.put(key, iter(body), bound=SMALL + 1, content_type="image/png")

            assert storage._s3.head_object(Bucket=parts.BUCKET, Key=key)["ContentType"] == "image/png"


class TestRclone(S3Contract):
    @pytest.fixture
    def storage(self, rclone: str) -> Storage:
        return s3(rclone)

    def test_a_wrong_secret_is_denied(self, rclone: str, key: str) -> None:
        stranger = s3(rclone, aws_secret_access_key="guessed-secret-key")

        with pytest.raises(StorageDenied):
            stranger.put(key, iter([b"x"]), content_type="text/plain")


class Scripted:
    """A boto3 client whose named calls give these answers, or raise them, before the real one is asked."""

    def __init__(self, real: Any, **answers: Any) -> None:
        self._real, self._answers = real, answers
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            if name in self._answers:
                return self._answers[name](getattr(self._real, name), arguments)
            return getattr(self._real, name)(**arguments)

        return call


@pytest.fixture
def scripted(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Builds a storage on moto whose client is scripted."""

    def build(**answers: Any) -> tuple[S3Storage, Scripted]:
        storage = s3(moto)
        client, threads = storage._client_and_threads()
        fake = Scripted(client, **answers)
        storage._made = (fake, threads)
        return storage, fake

    return build


def lost_answer(real: Any, arguments: dict[str, Any]) -> Any:
    """The server did it; we never heard."""
    real(**arguments)
    raise botocore.exceptions.ReadTimeoutError(endpoint_url="http://s3")


def test_an_upload_whose_answer_was_lost_counts_when_the_object_is_there(scripted: Any) -> None:
    storage, _ = scripted(put_object=lost_answer)

    assert storage.put("lost-put", iter([b"here"]), content_type="text/plain").size == 4


def test_a_complete_whose_answer_was_lost_counts_when_the_object_is_there(scripted: Any) -> None:
    storage, client = scripted(complete_multipart_upload=lost_answer)

    put = storage.put("lost-complete", chunks(SMALL, 9), bound=SMALL + 9, content_type="text/plain")

    assert put.size == SMALL + 9
    assert "abort_multipart_upload" not in client.calls


def test_an_upload_that_never_happened_does_not_count(scripted: Any) -> None:
    def nothing(real: Any, arguments: dict[str, Any]) -> Any:
        raise botocore.exceptions.ReadTimeoutError(endpoint_url="http://s3")

    storage, _ = scripted(put_object=nothing, complete_multipart_upload=nothing)

    with pytest.raises(StorageError):
        storage.put("never", iter([b"x"]), content_type="text/plain")
    with pytest.raises(StorageUnavailable):
        storage.put("never", chunks(SMALL, 9), bound=SMALL + 9, content_type="text/plain")


def test_success_is_not_believed_without_looking(scripted: Any) -> None:
    """The HEAD after an upload finds another size, or nothing at all."""

    def short(real: Any, arguments: dict[str, Any]) -> Any:
        return real(**arguments) | {"ContentLength": 3}

    storage, _ = scripted(head_object=short)

    with pytest.raises(StorageMismatch):
        storage.put("short", iter([b"four"]), content_type="text/plain")
    with pytest.raises(StorageMismatch):
        storage.put("short", chunks(SMALL, 9), bound=SMALL + 9, content_type="text/plain")


def test_a_digest_of_other_bytes_is_noticed(scripted: Any) -> None:
    def damaged(real: Any, arguments: dict[str, Any]) -> Any:
        answer = real(**arguments)
        answer.pop("ChecksumCRC32", None)
        return answer | {"ETag": '"' + "0" * 32 + '"'}

    storage, _ = scripted(put_object=damaged, upload_part=damaged)

    with pytest.raises(StorageMismatch):
        storage.put("damaged", iter([b"four"]), content_type="text/plain")
    with pytest.raises(StorageMismatch):
        storage.put("damaged", chunks(SMALL, 9), bound=SMALL + 9, content_type="text/plain")


def test_a_failing_part_ends_the_upload_and_aborts_it(scripted: Any) -> None:
    def refused(real: Any, arguments: dict[str, Any]) -> Any:
        raise client_error(500, "InternalError")

    storage, client = scripted(upload_part=refused)

    with pytest.raises(StorageUnavailable):
        storage.put("refused", chunks(*[SMALL] * 30), bound=40 * SMALL, content_type="text/plain")
    assert client.calls[-1] == "abort_multipart_upload"
    assert client.calls.count("upload_part") < 30


def test_a_storage_that_is_not_there_may_come_back() -> None:
    storage = s3(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StorageUnavailable) as failed:
        storage.stat("any")
    assert not failed.value.permanent


def client_error(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", StorageMissing),
        (404, "404", StorageMissing),
        (404, "NoSuchBucket", StorageNoBucket),
        (404, "NoSuchUpload", StorageUnavailable),
        (403, "AccessDenied", StorageDenied),
        (403, "SignatureDoesNotMatch", StorageDenied),
        (403, "RequestTimeTooSkewed", StorageUnavailable),
        (401, "Unauthorized", StorageDenied),
        (400, "EntityTooLarge", StorageRejected),
        (400, "RequestTimeout", StorageUnavailable),
        (400, "BadDigest", StorageUnavailable),
        (409, "OperationAborted", StorageUnavailable),
        (429, "TooManyRequests", StorageUnavailable),
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (507, "InsufficientStorage", StorageUnavailable),
        (200, "InternalError", StorageUnavailable),
    ],
)
def test_an_answer_of_the_storage_becomes_our_error(status: int, code: str, kind: type[StorageError]) -> None:
    assert type(error_for(client_error(status, code))) is kind


def test_every_error_of_botocore_becomes_ours() -> None:
    """Also those that a later botocore invents."""
    queue: list[type[Exception]] = [botocore.exceptions.BotoCoreError]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        assert isinstance(error_for(kind.__new__(kind)), StorageError)


def test_what_cannot_pass_is_permanent_and_what_can_is_not() -> None:
    assert {kind.permanent for kind in (StorageUnavailable, StorageMismatch)} == {False}
    permanent = (StorageDenied, StorageNoBucket, StorageRejected, StorageMissing)
    assert {kind.permanent for kind in permanent} == {True}
