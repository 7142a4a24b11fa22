"""Errors of boto3 and error responses become a StorageError."""

from __future__ import annotations

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from dev.process import free_port
from storage.base import (
    StorageDenied,
    StorageError,
    StorageMismatch,
    StorageMissing,
    StorageNoBucket,
    StorageQuotaExceeded,
    StorageRejected,
    StorageUnavailable,
)
from storage.s3.client import map_error
from storage.s3.responses import Response
from tests.storage.tampered_s3 import TamperedS3, s3


def client_error(status: int, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "a message"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "PutObject",
    )


def test_an_error_response_to_boto3_raises_its_storage_error() -> None:
    error = map_error(client_error(403, "QuotaExceeded"))

    assert type(error) is StorageQuotaExceeded
    assert (error.code, error.message) == ("QuotaExceeded", "a message")


def test_an_error_response_to_ferry_raises_its_storage_error(moto: str) -> None:
    body = b"<?xml version='1.0'?><Error><Code>QuotaExceeded</Code><Message>a &amp; b</Message><Key>x</Key></Error>"

    with pytest.raises(StorageQuotaExceeded) as raised:
        TamperedS3(moto, PUT=lambda send: Response(403, {}, body)).put_whole()
    assert raised.value.cause == "QuotaExceeded: a & b"


def test_an_answer_to_head_without_a_length_raises_a_storage_error(moto: str) -> None:
    """As gateways answer that send a chunked body."""
    with pytest.raises(StorageError, match="without the length"):
        TamperedS3(moto, HEAD=lambda send: Response(200, {"etag": "x"}, b"")).storage.stat("a")


def test_every_botocore_error_maps_to_a_storage_error() -> None:
    """Also the error classes of a later botocore."""
    queue: list[type[Exception]] = [botocore.exceptions.BotoCoreError]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        assert isinstance(map_error(kind.__new__(kind)), StorageError)


def test_only_errors_that_a_retry_cannot_fix_are_permanent() -> None:
    assert {kind.permanent for kind in (StorageUnavailable, StorageMismatch)} == {False}
    permanent = (StorageDenied, StorageNoBucket, StorageRejected, StorageMissing)
    assert {kind.permanent for kind in permanent} == {True}


def test_an_unreachable_storage_is_a_temporary_error() -> None:
    storage = s3(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StorageUnavailable) as failed:
        storage.stat("any")
    assert not failed.value.permanent
