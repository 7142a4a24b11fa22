"""The S3 checks of `flask doctor`: each names the cause and, by the storage's error code, the remedy."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from storage.base import Check, MultipartUpload, Stat, StorageDenied, StorageError, StorageMismatch, Stream
from storage.parts import MIN_PART
from storage.s3.client import map_botocore_errors
from storage.s3.errors import advice, clock_skew

_KEY = "ferry-doctor"
_CHECK_ENDPOINT = "Check S3_ENDPOINT_URL, the network and the credentials."
_CHECK_BUCKET = "The credentials need s3:ListBucket on the bucket, or S3_BUCKET_NAME names another owner's."
_MAX_SKEW = 300
"""Seconds of clock skew before doctor reports it; S3 itself accepts 15 minutes."""


class DiagnosedStorage(Protocol):
    """What the checks need of S3Storage."""

    bucket: str
    prefix: str

    def put(self, key: str, stream: Iterator[bytes], *, max_bytes: int | None = None, content_type: str) -> Stat: ...

    def open(self, key: str) -> Stream: ...

    def delete(self, key: str, version: str | None = None) -> None: ...

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]: ...

    def describe(self) -> str: ...

    def describe_region(self) -> str: ...

    def describe_proxy(self) -> str: ...


def diagnose(storage: DiagnosedStorage, boto: Callable[[], Any]) -> Iterator[Check]:
    """Check reachability, clock, bucket and permissions, and describe the endpoint. Leaves nothing behind."""
    bucket = storage.bucket
    dates: list[str] = []
    if region := storage.describe_region():
        yield Check("region", True, region)
    # A malformed proxy variable keeps the client from being created, which the next check reports.
    with suppress(StorageError):
        if proxy := storage.describe_proxy():
            yield Check("proxy", True, proxy)
    yield _check("storage", lambda: _list_buckets(boto(), dates), _CHECK_ENDPOINT)
    if dates:
        yield check_clock(dates[-1], time.time())
    yield _check(f"bucket {bucket}", lambda: _find_bucket(boto(), bucket), _CHECK_BUCKET)
    yield _check(f"write to {bucket}", lambda: _write(storage), "")
    yield _check("endpoint", storage.describe, _CHECK_ENDPOINT)


def check_clock(date: str, now: float) -> Check:
    """Compare this host's clock with the storage's Date header."""
    ahead = clock_skew(date, now)
    if ahead is None:
        return Check("clock", True, "the storage sends no Date header")
    if abs(ahead) <= _MAX_SKEW:
        return Check("clock", True, "agrees with the storage's")
    skew = f"{round(abs(ahead) / 60)} minutes {'behind' if ahead > 0 else 'ahead of'} the storage's"
    return Check("clock", False, f"this host's is {skew}. Set it, best with NTP.")


def _check(subject: str, check: Callable[[], str], default_advice: str) -> Check:
    try:
        with map_botocore_errors():
            return Check(subject, True, check())
    except StorageError as error:
        text = f"{error.title}. {error.detail or ''} {error.message} {advice(error, default_advice)}"
        return Check(subject, False, " ".join(text.split()))


def _list_buckets(boto: Any, dates: list[str]) -> str:
    try:
        with map_botocore_errors():
            response = boto.list_buckets()
    except StorageError as error:
        dates.append(_date(getattr(error.__cause__, "response", {})))
        if isinstance(error, StorageDenied) and not advice(error, ""):
            return "reached; the credentials may not list buckets, which Ferry does not need"
        raise
    dates.append(_date(response))
    names = [bucket["Name"] for bucket in response["Buckets"]]
    return f"reached; visible buckets: {', '.join(names) or 'none'}"


def _date(response: Mapping[str, Any]) -> str:
    return str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


def _find_bucket(boto: Any, bucket: str) -> str:
    try:
        with map_botocore_errors():
            boto.head_bucket(Bucket=bucket)
    except StorageError:
        # The response to HEAD has no body and so no code. This one has, unless listing is allowed and HEAD is not.
        boto.list_objects_v2(Bucket=bucket, MaxKeys=1)
    return "exists"


def _write(storage: DiagnosedStorage) -> str:
    """Store, read and delete an object in one request and one in two parts."""
    key = storage.prefix + _KEY
    for body in (b"ferry", os.urandom(MIN_PART + 1)):
        with _requires("s3:PutObject and s3:GetObject"):
            stored = storage.put(key, iter([body]), max_bytes=len(body), content_type="text/plain")
        try:
            with _requires("s3:GetObject"):
                _compare(storage.open(key), body)
        except StorageError:
            # The first failure is the one to report.
            with suppress(StorageError):
                storage.delete(key, stored.version)
            raise
        with _requires("s3:DeleteObjectVersion" if stored.version else "s3:DeleteObject"):
            storage.delete(key, stored.version)
    with _requires("s3:ListBucketMultipartUploads"):
        list(storage.multipart_uploads(key))
    return "written in one request and in two parts, read and deleted"


@contextmanager
def _requires(permission: str) -> Iterator[None]:
    """Name the missing permission in a denial, unless it is about a wrong key."""
    try:
        yield
    except StorageDenied as error:
        if advice(error, ""):
            raise
        detail = f"{error.detail or ''} The credentials need {permission} on the bucket."
        raise StorageDenied(detail.strip(), code=error.code, message=error.message) from error


def _compare(stream: Stream, body: bytes) -> None:
    digest = hashlib.sha256()
    for chunk in stream:
        digest.update(chunk)
    if digest.digest() != hashlib.sha256(body).digest():
        raise StorageMismatch("The bytes read differ from the bytes written.")
