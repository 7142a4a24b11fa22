"""The proxy injects the requested faults, and no others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from dev import parts
from storage.base import StorageError, StorageMismatch, StorageUnavailable
from storage.s3.storage import S3Storage
from tests.faults.operations import operation
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.faults

MIB = 1 << 20
_NAMES = [
    ("PUT", "/ferry/a", "put_object"),
    ("PUT", "/ferry/a/b?partNumber=1&uploadId=x", "upload_part"),
    ("POST", "/ferry/a?uploads", "create_multipart"),
    ("POST", "/ferry/a?uploadId=x", "complete_multipart"),
    ("DELETE", "/ferry/a?uploadId=x", "abort_multipart"),
    ("DELETE", "/ferry/a", "delete_object"),
    ("HEAD", "/ferry/a", "head_object"),
    ("GET", "/ferry/a", "get_object"),
    ("GET", "/ferry/a?uploadId=x", "other"),
    ("GET", "/ferry?list-type=2&prefix=", "list_objects"),
    ("GET", "/ferry/?uploads", "list_uploads"),
    ("GET", "/", "other"),
]


@pytest.mark.parametrize(("method", "target", "name"), _NAMES)
def test_an_operation_is_known_by_its_request(method: str, target: str, name: str) -> None:
    assert operation(method, target) == name


@pytest.fixture(params=["rclone", "moto"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    address = request.getfixturevalue(request.param)
    with Proxy(int(address.rsplit(":", 1)[1])) as proxy:
        yield proxy


@pytest.fixture
def storage(proxy: Proxy) -> Iterator[S3Storage]:
    keys: Any = {"aws_access_key_id": parts.ACCESS_KEY, "aws_secret_access_key": parts.SECRET_KEY}
    storage = S3Storage(bucket=parts.BUCKET, endpoint=proxy.url, **keys)
    yield storage
    storage.close()


def put(storage: S3Storage, size: int = 1000) -> tuple[str, bytes]:
    key, body = str(uuid4()), os.urandom(size)
    storage.put(key, (body[at : at + MIB] for at in range(0, size, MIB)), max_bytes=size, content_type="text/plain")
    return key, body


@pytest.mark.parametrize("size", [0, 1000, 20 * MIB + 1])
def test_without_faults_the_proxy_is_transparent(proxy: Proxy, storage: S3Storage, size: int) -> None:
    """Signatures too: rclone verifies them."""
    key, body = put(storage, size)

    assert b"".join(storage.open(key)) == body
    assert [found.key for found in storage.list_objects(key)] == [key]
    storage.delete(key)
    assert proxy.seen("head_object") == 1
    assert proxy.seen("put_object" if size < MIB else "complete_multipart") == 1


@pytest.mark.parametrize("kind", ["status", "reset", "lost_reply"])
@pytest.mark.parametrize("operation", ["put_object", "upload_part", "head_object"])
def test_one_failure_is_retried(proxy: Proxy, storage: S3Storage, operation: str, kind: Any) -> None:
    fault = proxy.inject(operation, kind, after=500)

    key, body = put(storage, 6 * MIB * (operation == "upload_part") or 1000)

    assert fault.triggered == 1
    assert b"".join(storage.open(key)) == body


def test_a_permanent_failure_is_raised(proxy: Proxy, storage: S3Storage) -> None:
    fault = proxy.inject("put_object", "status", times=None)

    with pytest.raises(StorageUnavailable):
        put(storage)
    assert fault.triggered == proxy.seen("put_object") == 5


def test_a_complete_that_fails_with_status_200_is_retried(proxy: Proxy, storage: S3Storage) -> None:
    proxy.inject("complete_multipart", "err200", code="InternalError")

    key, body = put(storage, 9 * MIB)

    assert proxy.seen("complete_multipart") == 2
    assert b"".join(storage.open(key)) == body


@pytest.mark.parametrize("kind", ["corrupt", "wrong_etag"])
def test_a_damaged_body_is_detected(proxy: Proxy, storage: S3Storage, kind: Any) -> None:
    proxy.inject("put_object", kind, times=None)

    with pytest.raises((StorageMismatch, StorageError)):
        put(storage)


def test_a_part_is_damaged_in_transit_only(proxy: Proxy, storage: S3Storage) -> None:
    fault = proxy.inject("upload_part", "corrupt", skip=1)

    # It is sent again, but rclone can't replace a part.
    with suppress(StorageMismatch):
        key, body = put(storage, 20 * MIB)
        assert b"".join(storage.open(key)) == body
    assert fault.triggered == 1


def test_a_hanging_request_is_released(proxy: Proxy, storage: S3Storage) -> None:
    fault = proxy.inject("put_object", "hang")
    with ThreadPoolExecutor(1) as threads:
        going = threads.submit(put, storage)
        proxy.wait_for("put_object")
        assert not going.done()
        fault.released.set()
        key, body = going.result(10)

    assert b"".join(storage.open(key)) == body


def test_a_storage_that_was_down_serves_at_its_old_address(proxy: Proxy, storage: S3Storage) -> None:
    key, body = put(storage)
    proxy.stop()
    with pytest.raises(StorageUnavailable):
        storage.stat(key)
    began = time.monotonic()
    proxy.heal()

    assert b"".join(storage.open(key)) == body
    assert time.monotonic() - began < 3
