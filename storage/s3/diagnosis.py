"""What `flask doctor` asks of a storage in S3: each finding names the cause and, by the storage's code, the cure."""

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
_REACH = "Check S3_ENDPOINT_URL, the network and the credentials."
_BUCKET = "The credentials need s3:ListBucket on the bucket, or S3_BUCKET_NAME names another owner's."
_MOST_SKEW = 300
"""Seconds that a clock may be off before doctor says so: S3 itself puts up with 15 minutes."""


class DiagnosedStorage(Protocol):
    """What the examination needs of S3Storage."""

    bucket: str
    prefix: str

    def put(self, key: str, stream: Iterator[bytes], *, max_bytes: int | None = None, content_type: str) -> Stat: ...

    def open(self, key: str) -> Stream: ...

    def delete(self, key: str, version: str | None = None) -> None: ...

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]: ...

    def describe(self) -> str: ...

    def describe_proxy(self) -> str: ...


def diagnose(storage: DiagnosedStorage, boto: Callable[[], Any]) -> Iterator[Check]:
    """Look at reach, clock, bucket, rights and how the storage is spoken to. Leaves nothing behind."""
    bucket = storage.bucket
    dates: list[str] = []
    # A proxy variable that can't be read stops the client from being made, which the next line tells.
    with suppress(StorageError):
        if proxied := storage.describe_proxy():
            yield Check("proxy", True, proxied)
    yield _check("storage", lambda: _visible_buckets(boto(), dates), _REACH)
    if dates:
        yield clock(dates[-1], time.time())
    yield _check(f"bucket {bucket}", lambda: _find_bucket(boto(), bucket), _BUCKET)
    yield _check(f"write to {bucket}", lambda: _write(storage), "")
    yield _check("endpoint", storage.describe, _REACH)


def clock(date: str, now: float) -> Check:
    """What the storage's Date header says of this host's clock."""
    ahead = clock_skew(date, now)
    if ahead is None:
        return Check("clock", True, "the storage does not tell its time")
    if abs(ahead) <= _MOST_SKEW:
        return Check("clock", True, "agrees with the storage's")
    far = f"{round(abs(ahead) / 60)} minutes {'behind' if ahead > 0 else 'ahead of'} the storage's"
    return Check("clock", False, f"this host's is {far}. Set it, with NTP best.")


def _check(subject: str, look: Callable[[], str], otherwise: str) -> Check:
    try:
        with map_botocore_errors():
            return Check(subject, True, look())
    except StorageError as error:
        words = f"{error.title}. {error.detail or ''} {error.message} {advice(error, otherwise)}"
        return Check(subject, False, " ".join(words.split()))


def _visible_buckets(boto: Any, dates: list[str]) -> str:
    try:
        with map_botocore_errors():
            answer = boto.list_buckets()
    except StorageError as error:
        dates.append(_date(getattr(error.__cause__, "response", {})))
        if isinstance(error, StorageDenied) and not advice(error, ""):
            return "reached; the credentials may not list buckets, which Ferry does not need"
        raise
    dates.append(_date(answer))
    names = [bucket["Name"] for bucket in answer["Buckets"]]
    return f"reached; buckets to be seen: {', '.join(names) or 'none'}"


def _date(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


def _find_bucket(boto: Any, bucket: str) -> str:
    try:
        with map_botocore_errors():
            boto.head_bucket(Bucket=bucket)
    except StorageError:
        # An answer to HEAD has no body, and so no code. This has one, unless listing is allowed and HEAD is not.
        boto.list_objects_v2(Bucket=bucket, MaxKeys=1)
    return "exists"


def _write(storage: DiagnosedStorage) -> str:
    """Store, read and remove an object in one piece, and one in two parts."""
    key = storage.prefix + _KEY
    for body in (b"ferry", os.urandom(MIN_PART + 1)):
        with _needing("s3:PutObject and s3:GetObject"):
            stored = storage.put(key, iter([body]), max_bytes=len(body), content_type="text/plain")
        try:
            with _needing("s3:GetObject"):
                _compare(storage.open(key), body)
        except StorageError:
            # What went wrong first is the one to tell.
            with suppress(StorageError):
                storage.delete(key, stored.version)
            raise
        with _needing("s3:DeleteObjectVersion" if stored.version else "s3:DeleteObject"):
            storage.delete(key, stored.version)
    with _needing("s3:ListBucketMultipartUploads"):
        list(storage.multipart_uploads(key))
    return "written in one piece and in two parts, read and deleted"


@contextmanager
def _needing(right: str) -> Iterator[None]:
    """Name the right in a denial that is about rights: one of a wrong key is not."""
    try:
        yield
    except StorageDenied as error:
        if advice(error, ""):
            raise
        needed = f"{error.detail or ''} The credentials need {right} on the bucket."
        raise StorageDenied(needed.strip(), code=error.code, message=error.message) from error


def _compare(stream: Stream, body: bytes) -> None:
    found = hashlib.sha256()
    for chunk in stream:
        found.update(chunk)
    if found.digest() != hashlib.sha256(body).digest():
        raise StorageMismatch("What was read is not what was written.")
