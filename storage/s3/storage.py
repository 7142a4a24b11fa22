"""Objects in S3 and in everything that speaks S3.

What is asked once in an upload or less is asked by boto3. The bytes themselves, and the question whether they
arrived, go over `storage.http`.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape, unescape
from itertools import chain, count, islice
from typing import Any
from urllib.parse import quote

from storage.base import (
    Check,
    MultipartUpload,
    Stat,
    Storage,
    StorageError,
    StorageMismatch,
    StorageMissing,
    StorageNoUpload,
    StorageUnavailable,
    Stream,
)
from storage.parts import Buffers, Observer, Part, part_sizes, split
from storage.s3.checksums import (
    Digests,
    UploadedPart,
    check_response,
    expected_etags,
    expected_object,
    is_md5_etag,
    md5,
    mismatch,
)
from storage.s3.client import UNSIGNED, S3Client, map_botocore_errors, proxy_in_use
from storage.s3.diagnosis import diagnose
from storage.s3.errors import storage_error
from storage.s3.http import HttpClient, Response, StreamingResponse
from storage.s3.options import SSE, SSE_KEY, Checksums, S3Options
from storage.s3.part_uploader import PartUploader, retry_mismatch
from storage.s3.resume import ListedPart, is_resumable, reusable_part
from storage.s3.retries import ATTEMPTS, pause

_BOTO3 = {
    "Content-Type": "ContentType",
    "Content-Disposition": "ContentDisposition",
    SSE: "ServerSideEncryption",
    SSE_KEY: "SSEKMSKeyId",
}
"""Headers by the names that boto3 has for them."""

_MOST_LEFT = 5
"""Uploads of one key that are looked at for parts of an earlier attempt."""

COMPLETE_SECONDS = 600.0
"""Seconds that a storage may be silent about a CompleteMultipartUpload: it puts the parts together meanwhile."""

_COMPLETE_ATTEMPTS = 2 * ATTEMPTS
"""The more was sent, the more a Complete that fails costs. Each attempt is followed by a HEAD."""


@dataclass(frozen=True)
class _Made:
    """What a process makes once, after the fork."""

    client: S3Client
    http: HttpClient
    sender: PartUploader


class S3Storage(Storage):
    """One bucket. Client, connections and threads are made at first use: after the server's fork."""

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint: str = "",
        part_threads: int = 4,
        sign_payload: bool = False,
        base_url: str = "",
        dialect: S3Options | None = None,
        **client: Any,
    ) -> None:
        """`base_url`: where a CDN has the bucket.

        `client` goes to boto3 as it is: credentials for tests, say. Elsewhere boto3's own chain finds them.
        """
        self.bucket, self.prefix, self.endpoint = bucket, prefix, endpoint
        self._parts_at_once, self._sign_payload = part_threads, sign_payload
        self._base_url, self._dialect = base_url, dialect or S3Options()
        self._checksums = Checksums(self._dialect.checksum)
        self._options = client
        self._lock = threading.Lock()
        self._made_once: _Made | None = None
        self.buffers = Buffers()

    def put(
        self,
        key: str,
        stream: Iterator[bytes],
        *,
        max_bytes: int | None = None,
        content_type: str,
        disposition: str | None = None,
        observer: Observer | None = None,
        attempt: int = 0,
    ) -> Stat:
        headers = {"Content-Type": content_type} | ({"Content-Disposition": disposition} if disposition else {})
        headers |= self._dialect.encrypted
        parts = split(stream, part_sizes(max_bytes), self.buffers, observer)
        first = next(parts)
        try:
            if first.last:
                stored = self._put_whole(key, first, headers)
                _notify(observer, stored.size)
                return stored
            target, left = self._left(key) if attempt > 1 else ({}, {})
            target = target or self._begin(key, headers)
            return self._put_parts(target, chain((first,), parts), observer, left, keep=attempt > 0)
        finally:
            first.release()
            parts.close()

    def stat(self, key: str) -> Stat:
        return self._stat(key, ATTEMPTS)

    def open(self, key: str, start: int = 0, length: int | None = None, *, size: int | None = None) -> Stream:
        if length == 0:
            _compare(self.stat(key).size, size)
            nothing: tuple[bytes, ...] = ()
            return (piece for piece in nothing)
        last = "" if length is None else start + length - 1
        span = {} if start == 0 and length is None else {"Range": f"bytes={start}-{last}"}
        target, signed = self._addressed("GET", key, headers=span)
        found = self._made.http.open(target, signed)
        if isinstance(found, Response):
            raise _error(found)
        try:
            _compare(_object_size(found, start if span else None), size)
        except BaseException:
            found.body.close()
            raise
        return found.body

    def delete(self, key: str, version: str | None = None) -> None:
        which = {"VersionId": version} if version else {}
        with suppress(StorageMissing), map_botocore_errors():
            self._s3.delete_object(Bucket=self.bucket, Key=key, **which)

    def list_objects(self, prefix: str = "") -> Iterator[Stat]:
        with map_botocore_errors():
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Stat(item["Key"], item["Size"], item["ETag"].strip('"'))

    def matches(self, key: str, size: int, stream: Iterator[bytes]) -> Stat | None:
        try:
            found = self.stat(key)
        except StorageMissing:
            return None
        if found.size != size or not is_md5_etag(found.etag):
            return None
        parts = split(stream, part_sizes(size), self.buffers)
        return found if found.etag in expected_etags(parts) else None

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        # rclone's word for "none at all, in the whole bucket".
        with suppress(StorageNoUpload), map_botocore_errors():
            for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Uploads", ()):
                    yield MultipartUpload(item["Key"], item["UploadId"])

    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        with suppress(StorageNoUpload), map_botocore_errors():
            self._s3.abort_multipart_upload(Bucket=self.bucket, Key=upload.key, UploadId=upload.id)

    def url(self, key: str) -> str:
        client = self._made.client
        return f"{self._base_url}/{key}" if self._base_url else f"{client.scheme}://{client.netloc}{client.path}{key}"

    def presigned_url(self, key: str, expires: int, *, content_type: str, disposition: str) -> str:
        given = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        with map_botocore_errors():
            params = {"Bucket": self.bucket, "Key": key, **given}
            return str(self._s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires))

    def diagnose(self) -> Iterator[Check]:
        return diagnose(self, lambda: self._s3)

    def describe_proxy(self) -> str:
        """What doctor says of a proxy between this host and the storage; empty where no variable names one."""
        client = self._made.client
        return proxy_in_use(f"{client.scheme}://{client.netloc}", client.proxy)

    def describe(self) -> str:
        """How the storage is spoken to."""
        client, style = self._made.client, self._dialect.style(self.bucket, self.endpoint)
        place = f"region {client.region}, {style} addressing at {client.scheme}://{client.netloc}{client.path}"
        encryption = f", encryption {self._dialect.encryption}" if self._dialect.encryption else ""
        return f"{place}, checksums {self._checksums.kind}{encryption}"

    def close(self) -> None:
        with self._lock:
            made, self._made_once = self._made_once, None
        if made:
            made.sender.close()
            made.http.close()
            made.client.boto.close()

    def _put_whole(self, key: str, part: Part, headers: Mapping[str, str]) -> Stat:
        try:
            return retry_mismatch(lambda: self._verified(key, self._send(key, part, headers=headers)))
        except StorageUnavailable:
            # An answer that was lost says nothing about the object: it may be there all the same.
            with suppress(StorageError):
                return self._verified(key, UploadedPart(len(part.body), md5(part.body), computed=True), lost=True)
            raise

    def _begin(self, key: str, headers: Mapping[str, str]) -> dict[str, str]:
        """What names a new multipart upload in every request about it."""
        target = {"Bucket": self.bucket, "Key": key}
        named = {_BOTO3[name]: value for name, value in headers.items()}

        def create(kind: str) -> str:
            digest = {"ChecksumAlgorithm": "CRC32"} if kind == "crc32" else {}
            with map_botocore_errors():
                return str(self._s3.create_multipart_upload(**target, **named, **digest)["UploadId"])

        return {**target, "UploadId": self._checksums.sent(create)}

    def _left(self, key: str) -> tuple[dict[str, str], dict[int, ListedPart]]:
        """The upload that an earlier attempt has left with the most parts, and these by number. Nothing: begin anew."""
        found: tuple[dict[str, str], dict[int, ListedPart]] = {}, {}
        with suppress(StorageError):
            for upload in islice((upload for upload in self.multipart_uploads(key) if upload.key == key), _MOST_LEFT):
                parts = self._parts(upload)
                if len(parts) > len(found[1]):
                    found = {"Bucket": self.bucket, "Key": key, "UploadId": upload.id}, parts
        return found

    def _parts(self, upload: MultipartUpload) -> dict[int, ListedPart]:
        listing, target = {}, {"Bucket": self.bucket, "Key": upload.key, "UploadId": upload.id}
        with suppress(StorageNoUpload), map_botocore_errors():
            for page in self._s3.get_paginator("list_parts").paginate(**target):
                for item in page.get("Parts", ()):
                    left = ListedPart(item["Size"], item["ETag"].strip('"'), item.get("ChecksumCRC32"))
                    listing[int(item["PartNumber"])] = left
        return listing

    def _put_parts(
        self,
        target: dict[str, str],
        parts: Iterator[Part],
        observer: Observer | None,
        left: Mapping[int, ListedPart],
        *,
        keep: bool,
    ) -> Stat:
        key, upload = target["Key"], quote(target["UploadId"], safe="")

        def send(number: int, part: Part) -> UploadedPart:
            query = f"partNumber={number}&uploadId={upload}"
            if number in left:
                landed = self._resumed(key, part, query, left[number])
            else:
                landed = retry_mismatch(lambda: self._send(key, part, query=query))
            _notify(observer, landed.size)
            return landed

        try:
            landed = self._made.sender.upload(parts, send)
        except BaseException as error:
            if not (keep and is_resumable(error)):
                self._give_up(target)
            raise
        try:
            return self._complete(target, landed)
        except StorageError as error:
            # Without an answer the storage may still be putting the parts together: the sweep looks much later.
            if not isinstance(error, StorageUnavailable):
                self._give_up(target)
            raise

    def _resumed(self, key: str, part: Part, query: str, left: ListedPart) -> UploadedPart:
        """The part that an earlier attempt has left, sent again if it is another."""
        if landed := reusable_part(left, Digests(part.body)):
            return landed
        try:
            return retry_mismatch(lambda: self._send(key, part, query=query))
        except StorageError as error:
            # Some storages have no part replaced: the next attempt begins anew.
            if error.permanent:
                raise StorageNoUpload from error
            raise

    def _give_up(self, target: dict[str, str]) -> None:
        """Abort an upload. If this fails too, the sweep finds it by its key; the first failure is the one to tell."""
        with suppress(StorageError):
            self.abort_multipart_upload(MultipartUpload(target["Key"], target["UploadId"]))

    def _complete(self, target: dict[str, str], parts: list[UploadedPart]) -> Stat:
        key = target["Key"]
        body = _complete_body(parts)
        first, began = None, time.monotonic()
        for attempt in count(1):
            try:
                answer = self._request(
                    "POST", key, query=f"uploadId={quote(target['UploadId'], safe='')}", body=body,
                    attempts=1, silence=COMPLETE_SECONDS,
                )  # fmt: skip
                etag = _element("ETag", answer.body.decode(errors="replace")).strip('"')
                return self._verified(key, expected_object(etag, parts), of_parts=True)
            except StorageUnavailable as error:
                # A lost answer, or the NoSuchUpload after one: the object may be there all the same.
                with suppress(StorageError):
                    return self._verified(key, expected_object("", parts), of_parts=True, lost=True)
                is_final = type(error) is not StorageUnavailable and first is None
                first = first or error
                if is_final or attempt >= _COMPLETE_ATTEMPTS or time.monotonic() - began >= COMPLETE_SECONDS:
                    raise first from error
            time.sleep(pause(attempt))
        raise AssertionError

    def _verified(self, key: str, sent: UploadedPart, *, of_parts: bool = False, lost: bool = False) -> Stat:
        """What the storage says it holds, if that is what was sent. `lost`: it has not answered, and is asked once.

        Raises StorageMismatch; of wrong bytes that have a version of their own that version is removed.
        """
        try:
            found = self._stat(key, 1 if lost else ATTEMPTS)
        except StorageMissing as error:
            raise StorageMismatch("What was sent is not there.") from error
        if wrong := mismatch(sent, found, of_parts=of_parts, lost=lost):
            self._remove_version(key, None if lost else found.version)
            raise StorageMismatch(wrong)
        return found

    def _remove_version(self, key: str, version: str | None) -> None:
        """Remove wrong bytes. Without a version, what is under the key by now may be right."""
        if version:
            with suppress(StorageError):
                self.delete(key, version)

    def _stat(self, key: str, attempts: int) -> Stat:
        headers = self._request("HEAD", key, attempts=attempts).headers
        return Stat(key, int(headers["content-length"]), headers.get("etag", "").strip('"'), _version(headers))

    def _send(self, key: str, part: Part, *, query: str = "", headers: Mapping[str, str] | None = None) -> UploadedPart:
        """Send a part with its digest, and compare what the storage says of it."""
        digests, given = Digests(part.body), dict(headers or {})
        answer = self._checksums.sent(
            lambda kind: self._request("PUT", key, query=query, headers=given | digests.header(kind), body=part.body)
        )
        try:
            return check_response(digests, {**self._dialect.encrypted, **answer.headers})
        except StorageMismatch:
            self._remove_version(key, _version(answer.headers))
            raise

    def _request(
        self,
        method: str,
        key: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview | None = None,
        attempts: int = ATTEMPTS,
        silence: float | None = None,
    ) -> Response:
        """One signed request about an object. Raises what an answer other than a success means."""
        is_signed = body is not None and (self._sign_payload or method == "POST")
        payload = hashlib.sha256(body).hexdigest() if body is not None and is_signed else UNSIGNED
        target, signed = self._addressed(method, key, query=query, headers=headers, payload=payload)
        answer = self._made.http.request(method, target, signed, b"" if body is None else body, attempts, silence)
        if answer.status in (200, 204):
            return answer
        raise _error(answer)

    def _addressed(
        self,
        method: str,
        key: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        payload: str = UNSIGNED,
    ) -> tuple[str, Callable[[], Mapping[str, str]]]:
        """Where a request about an object goes, and what signs its headers anew for every attempt."""
        client, headers = self._made.client, dict(headers or {})
        target = f"{client.path}{quote(key, safe='/~')}" + (f"?{query}" if query else "")
        return target, lambda: client.signed(method, target, headers, payload)

    @property
    def _s3(self) -> Any:
        return self._made.client.boto

    @property
    def _made(self) -> _Made:
        with self._lock:
            if self._made_once is None:
                self._made_once = self._make()
            return self._made_once

    def _make(self) -> _Made:
        client = S3Client(self.bucket, self.endpoint, self._dialect, **self._options)
        http = HttpClient(client.scheme, client.netloc, client.ca_bundle, client.proxy)
        return _Made(client, http, PartUploader(self._parts_at_once))


def _error(answer: Response) -> StorageError:
    """What an answer other than a success means."""
    text = answer.body.decode(errors="replace")
    return storage_error(answer.status, _element("Code", text), _element("Message", text), answer.headers, text=text)


def _complete_body(parts: list[UploadedPart]) -> bytes:
    """The XML of CompleteMultipartUpload."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag>"
        + (f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32>" if part.crc32 else "")
        + "</Part>"
        for number, part in enumerate(parts, 1)
    )
    return (
        f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listed}</CompleteMultipartUpload>'
    ).encode()


def _element(name: str, text: str) -> str:
    """The text of the first such element of an XML answer; empty where there is none."""
    found = re.search(f"<{name}>([^<]*)</{name}>", text)
    return unescape(found[1]) if found else ""


def _version(headers: Mapping[str, str]) -> str | None:
    """The version that an answer is about. "null" is what S3 calls an object from before its bucket kept versions."""
    version = headers.get("x-amz-version-id", "null")
    return None if version == "null" else version


def _object_size(found: StreamingResponse, start: int | None) -> int:
    """The size of the whole object, of which a range from `start` on was asked for, or all (None).

    rclone answers a range with 200, and whoever does not know ranges answers so too: Content-Range tells them apart.
    """
    if start is None:
        return int(found.headers["content-length"])
    match = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+)", found.headers.get("content-range", ""))
    if match is None or int(match[1]) != start:
        raise StorageError("The storage answered with another range than it was asked for.")
    return int(match[2])


def _compare(found: int, size: int | None) -> None:
    if size not in (None, found):
        raise StorageMismatch(f"The object has {found} bytes instead of {size}.")


def _notify(observer: Observer | None, size: int) -> None:
    if observer:
        observer.on_stored(size)
