"""Objects in S3 and in everything that speaks S3. The only file that knows boto3 and botocore."""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)  # fmt: skip

from storage.base import (
    Check,
    Stat,
    Storage,
    StorageDenied,
    StorageError,
    StorageMismatch,
    StorageMissing,
    StorageNoBucket,
    StorageRejected,
    StorageUnavailable,
)  # fmt: skip
from storage.parts import cut, part_sizes

_UPLOAD_THREADS = 4
_WINDOW = 4
"""Parts of one upload that are in memory at once, beside the one that is being filled."""

_CHUNK = 1 << 20
_BUCKET_ADVICE = "Create the bucket, or set S3_BUCKET_NAME to one that exists and that the credentials may use."
_WRITE_ADVICE = "The credentials need s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload."
_ERRORS: dict[str, type[StorageError]] = {
    "404": StorageMissing,
    "NoSuchKey": StorageMissing,
    "NoSuchBucket": StorageNoBucket,
    "NoSuchUpload": StorageUnavailable,
    "RequestTimeTooSkewed": StorageUnavailable,
    "ExpiredToken": StorageUnavailable,
    "RequestTimeout": StorageUnavailable,
    "OperationAborted": StorageUnavailable,
    "ConditionalRequestConflict": StorageUnavailable,
    "BadDigest": StorageUnavailable,
    "401": StorageDenied,
    "403": StorageDenied,
}
"""Codes that say more than their HTTP status does. A part damaged on its way (BadDigest) is worth another try."""


def error_for(error: BotoCoreError | ClientError) -> StorageError:
    """Ours for botocore's. What nobody has heard of counts as passing: attempts are bounded anyway."""
    if isinstance(error, NoCredentialsError):
        return StorageDenied("No credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if isinstance(error, ParamValidationError):
        return StorageRejected("The request to the storage would not be valid.")
    if not isinstance(error, ClientError):
        return StorageUnavailable()
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    kind = _ERRORS.get(code) or _ERRORS.get(str(status))
    if kind is None:
        kind = StorageRejected if 400 <= status < 500 and status != 429 else StorageUnavailable
    return kind()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise error_for(error) from error


class S3Storage(Storage):
    """One bucket. The client and the threads that send parts are made at first use: after the server's fork."""

    def __init__(self, *, bucket: str, prefix: str = "", endpoint: str = "", **client: Any) -> None:
        """`client` goes to boto3 as it is: credentials for tests, say. Elsewhere boto3's own chain finds them."""
        self.bucket, self.prefix, self.endpoint = bucket, prefix, endpoint
        self._options = client
        self._lock = threading.Lock()
        self._made: tuple[Any, ThreadPoolExecutor] | None = None

    def put(self, key: str, stream: Iterator[bytes], *, bound: int | None = None, content_type: str) -> Stat:
        parts = cut(stream, part_sizes(bound))
        first = next(parts)
        second = next(parts, None)
        if second is None:
            return self._put_whole(key, first, content_type)
        return self._put_parts(key, chain((first, second), parts), content_type)

    def stat(self, key: str) -> Stat:
        with _translated():
            head = self._s3.head_object(Bucket=self.bucket, Key=key)
        return Stat(key, head["ContentLength"], head["ETag"].strip('"'))

    def open(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            self.stat(key)
            return iter(())
        last = "" if length is None else start + length - 1
        span = {"Range": f"bytes={start}-{last}"} if start or last else {}
        with _translated():
            body = self._s3.get_object(Bucket=self.bucket, Key=key, **span)["Body"]
        return self._chunks(body)

    def delete(self, key: str) -> None:
        with suppress(StorageMissing), _translated():
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def scan(self, prefix: str = "") -> Iterator[Stat]:
        with _translated():
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Stat(item["Key"], item["Size"], item["ETag"].strip('"'))

    def link(self, key: str, expires: int) -> str:
        with _translated():
            params = {"Bucket": self.bucket, "Key": key}
            return str(self._s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires))

    def examine(self) -> Iterator[Check]:
        yield self._check("storage", self._visible_buckets, "Check S3_ENDPOINT_URL, the network and the credentials.")
        yield self._check(f"bucket {self.bucket}", self._find_bucket, _BUCKET_ADVICE)
        yield self._check(f"write to {self.bucket}", self._try_a_write, _WRITE_ADVICE)

    @property
    def _s3(self) -> Any:
        return self._client_and_threads()[0]

    def _client_and_threads(self) -> tuple[Any, ThreadPoolExecutor]:
        with self._lock:
            if self._made is None:
                self._made = (self._client(), ThreadPoolExecutor(_UPLOAD_THREADS, "ferry-part"))
            return self._made

    def _client(self) -> Any:
        session = boto3.session.Session()
        settings = BotoConfig(
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=50,
            tcp_keepalive=True,
            # Several S3-likes refuse aws-chunked trailers, and ranged reads fail where the whole object's
            # checksum comes with a range. Every part carries its CRC32 anyway, put there by us.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if self.endpoint else "auto", "payload_signing_enabled": False},
        )
        region = {"region_name": session.region_name or "us-east-1"}
        with _translated():
            return session.client("s3", endpoint_url=self.endpoint or None, config=settings, **region | self._options)

    def _put_whole(self, key: str, body: bytearray, content_type: str) -> Stat:
        with _translated():
            try:
                answer = self._s3.put_object(
                    Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, ChecksumCRC32=_crc32(body)
                )
            except (EndpointConnectionError, ConnectTimeoutError):
                raise
            except BotoCoreError:
                # No answer says nothing about the object. This is the same question as after a success.
                return self._verified(key, len(body), hashlib.md5(body, usedforsecurity=False).hexdigest())
        _compare(body, answer)
        return self._verified(key, len(body), answer["ETag"].strip('"'))

    def _put_parts(self, key: str, parts: Iterator[bytearray], content_type: str) -> Stat:
        with _translated():
            upload = self._s3.create_multipart_upload(
                Bucket=self.bucket, Key=key, ContentType=content_type, ChecksumAlgorithm="CRC32"
            )["UploadId"]
        target = {"Bucket": self.bucket, "Key": key, "UploadId": upload}
        try:
            sent, size = self._send(target, parts)
            return self._complete(target, sent, size)
        except BaseException:
            # If this fails too, the sweep finds the upload by its key; the first failure is the one to tell.
            with suppress(BotoCoreError, ClientError):
                self._s3.abort_multipart_upload(**target)
            raise

    def _send(self, target: dict[str, str], parts: Iterator[bytearray]) -> tuple[list[dict[str, Any]], int]:
        """Send the parts side by side. Returns what Complete wants to know of them, and their bytes together."""
        _, threads = self._client_and_threads()
        running: list[Future[dict[str, Any]]] = []
        window, failed, size = threading.Semaphore(_WINDOW), threading.Event(), 0

        def landed(part: Future[dict[str, Any]]) -> None:
            if part.cancelled() or part.exception():
                failed.set()
            window.release()

        try:
            for number, body in enumerate(parts, 1):
                window.acquire()
                if failed.is_set():
                    break
                size += len(body)
                running.append(threads.submit(self._send_part, target, number, body))
                running[-1].add_done_callback(landed)
            return [future.result() for future in running], size
        finally:
            for future in running:
                future.cancel()
            wait(running)

    def _send_part(self, target: dict[str, str], number: int, body: bytearray) -> dict[str, Any]:
        crc = _crc32(body)
        with _translated():
            answer = self._s3.upload_part(**target, PartNumber=number, Body=body, ChecksumCRC32=crc)
        _compare(body, answer)
        confirmed = {"ChecksumCRC32": crc} if "ChecksumCRC32" in answer else {}
        return {"PartNumber": number, "ETag": answer["ETag"], **confirmed}

    def _complete(self, target: dict[str, str], sent: list[dict[str, Any]], size: int) -> Stat:
        key = target["Key"]
        try:
            with _translated():
                answer = self._s3.complete_multipart_upload(**target, MultipartUpload={"Parts": sent})
        except StorageUnavailable:
            # A lost answer, or the retry's NoSuchUpload after it: the object may be there all the same.
            with suppress(StorageError):
                return self._verified(key, size, _etag_of_parts(sent))
            raise
        return self._verified(key, size, answer["ETag"].strip('"'), answered=True)

    def _verified(self, key: str, size: int, etag: str, *, answered: bool = False) -> Stat:
        """What the storage says it holds, if that is what was sent.

        rclone answers Complete with an ETag of parts and HEAD with the MD5 of the whole, which nobody has computed:
        there the size decides, and each part's own MD5 has been compared already.
        """
        found = self.stat(key)
        other_kind = answered and "-" in etag and "-" not in found.etag
        if found.size != size or (found.etag != etag and not other_kind):
            raise StorageMismatch(f"Sent {size} bytes, the storage has {found.size}.")
        return found

    def _chunks(self, body: Any) -> Iterator[bytes]:
        with _translated():
            try:
                yield from body.iter_chunks(_CHUNK)
            finally:
                body.close()

    def _check(self, subject: str, look: Callable[[], str], advice: str) -> Check:
        try:
            with _translated():
                return Check(subject, True, look())
        except StorageError as error:
            return Check(subject, False, f"{error.title}. {error.detail or advice}")

    def _visible_buckets(self) -> str:
        try:
            with _translated():
                names = [bucket["Name"] for bucket in self._s3.list_buckets()["Buckets"]]
        except StorageDenied:
            return "reached; the credentials may not list buckets, which Ferry does not need"
        return f"reached; buckets to be seen: {', '.join(names) or 'none'}"

    def _find_bucket(self) -> str:
        self._s3.head_bucket(Bucket=self.bucket)
        return "exists"

    def _try_a_write(self) -> str:
        key = f"{self.prefix}ferry-doctor"
        self.put(key, iter([b"ferry"]), content_type="text/plain")
        if b"".join(self.open(key)) != b"ferry":
            raise StorageMismatch
        self.delete(key)
        return "written, read and deleted"


def _crc32(body: bytearray) -> str:
    return b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _compare(body: bytearray, answer: dict[str, Any]) -> None:
    """A storage that knows CRC32 has checked it itself and says so. Of the others many give an MD5 as ETag."""
    etag = answer["ETag"].strip('"')
    if "ChecksumCRC32" in answer or not re.fullmatch(r"[0-9a-f]{32}", etag) or "SSEKMSKeyId" in answer:
        return
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != etag:
        raise StorageMismatch("The storage's digest of a part is not that of the bytes sent.")


def _etag_of_parts(sent: list[dict[str, Any]]) -> str:
    """The ETag that S3 gives an object of these parts: the MD5 of their MD5s, and their number."""
    digests = b"".join(bytes.fromhex(part["ETag"].strip('"')) for part in sent)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(sent)}"
