"""Signed requests for single objects over Ferry's own HTTP: PUT with a digest, GET, HEAD and verification."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from storage.base import Stat, StorageError, StorageMismatch, StorageMissing, Stream
from storage.parts import Part
from storage.s3.body_reader import StreamingResponse
from storage.s3.checksum_negotiation import ChecksumNegotiation
from storage.s3.checksums import Digests, UploadedPart, check_response, mismatch
from storage.s3.client import map_botocore_errors
from storage.s3.errors import storage_error
from storage.s3.options import S3Options
from storage.s3.resources import LazyResources, Resources
from storage.s3.responses import Response
from storage.s3.retries import ATTEMPTS
from storage.s3.signing import UNSIGNED
from storage.s3.xml import element_text


class ObjectClient:
    """Requests for the objects of one bucket, shared by single PUTs and multipart uploads."""

    def __init__(self, bucket: str, resources: LazyResources, options: S3Options, *, sign_payload: bool) -> None:
        self.bucket, self.options = bucket, options
        self.checksums = ChecksumNegotiation(options.checksum)
        self._lazy, self._sign_payload = resources, sign_payload

    @property
    def resources(self) -> Resources:
        return self._lazy.get()

    @property
    def boto(self) -> Any:
        return self.resources.client.boto

    def put(self, key: str, part: Part, *, query: str = "", headers: Mapping[str, str] | None = None) -> UploadedPart:
        """PUT an object or a part with its digest. Raises StorageMismatch if the response proves other bytes."""
        digests, given = Digests(part.body), dict(headers or {})
        response = self.checksums.send(
            lambda kind: self.request("PUT", key, query=query, headers=given | digests.header(kind), body=part.body)
        )
        try:
            return check_response(digests, {**self.options.encryption_headers, **response.headers})
        except StorageMismatch:
            self._delete_version(key, _version(response.headers))
            raise

    def verify(self, key: str, sent: UploadedPart, *, of_parts: bool = False, lost: bool = False) -> Stat:
        """HEAD the object and compare it with what was sent. `lost`: the upload got no response; ask once only.

        Raises StorageMismatch; a wrong object that has a version of its own is deleted first.
        """
        try:
            found = self.stat(key, 1 if lost else ATTEMPTS)
        except StorageMissing as error:
            raise StorageMismatch("What was sent is not there.") from error
        if wrong := mismatch(sent, found, of_parts=of_parts, lost=lost):
            self._delete_version(key, None if lost else found.version)
            raise StorageMismatch(wrong)
        return found

    def stat(self, key: str, attempts: int = ATTEMPTS) -> Stat:
        """HEAD the object. Raises StorageMissing."""
        headers = self.request("HEAD", key, attempts=attempts).headers
        return Stat(key, _length(headers), headers.get("etag", "").strip('"'), _version(headers))

    def open(self, key: str, start: int, length: int | None, size: int | None) -> Stream:
        """GET the object or a range of it. `size`: the expected size of the whole object."""
        last = "" if length is None else start + length - 1
        is_range = start > 0 or length is not None
        target, sign = self._target("GET", key, headers={"Range": f"bytes={start}-{last}"} if is_range else {})
        response = self.resources.http.open(target, sign)
        if isinstance(response, Response):
            raise _error(response)
        try:
            check_size(_object_size(response, start if is_range else None), size)
        except BaseException:
            response.body.close()
            raise
        return response.body

    def delete(self, key: str, version: str | None = None) -> None:
        """Delete the object or a version of it; a missing one is not an error."""
        which = {"VersionId": version} if version else {}
        with suppress(StorageMissing), map_botocore_errors():
            self.boto.delete_object(Bucket=self.bucket, Key=key, **which)

    def request(
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
        """Send one signed request about an object. Raises the StorageError that a failed response stands for."""
        is_signed = body is not None and (self._sign_payload or method == "POST")
        payload = hashlib.sha256(body).hexdigest() if body is not None and is_signed else UNSIGNED
        target, sign = self._target(method, key, query=query, headers=headers, payload=payload)
        response = self.resources.http.request(method, target, sign, b"" if body is None else body, attempts, silence)
        if response.status in (200, 204):
            return response
        raise _error(response)

    def _target(
        self,
        method: str,
        key: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        payload: str = UNSIGNED,
    ) -> tuple[str, Callable[[], Mapping[str, str]]]:
        """Return the request target and a function that signs its headers anew for every attempt."""
        client, headers = self.resources.client, dict(headers or {})
        target = f"{client.path}{quote(key, safe='/~')}" + (f"?{query}" if query else "")
        return target, lambda: client.signed(method, target, headers, payload)

    def _delete_version(self, key: str, version: str | None) -> None:
        """Delete wrong bytes. Without a version another writer may have replaced them by the right ones."""
        if version:
            with suppress(StorageError):
                self.delete(key, version)


def check_size(found: int, expected: int | None) -> None:
    """Raise StorageMismatch if an object has not its expected size."""
    if expected not in (None, found):
        raise StorageMismatch(f"The object has {found} bytes instead of {expected}.")


def _error(response: Response) -> StorageError:
    text = response.body.decode(errors="replace")
    code, message = element_text("Code", text), element_text("Message", text)
    return storage_error(response.status, code, message, response.headers, text=text)


def _version(headers: Mapping[str, str]) -> str | None:
    """Return the object's version. S3 calls an object "null" that is older than the bucket's versioning."""
    version = headers.get("x-amz-version-id", "null")
    return None if version == "null" else version


def _length(headers: Mapping[str, str]) -> int:
    """Return the Content-Length. Raises StorageError without one: a gateway may answer with a chunked body."""
    if "content-length" not in headers:
        raise StorageError("The storage answered without the length of the object.")
    return int(headers["content-length"])


def _object_size(response: StreamingResponse, start: int | None) -> int:
    """Return the size of the whole object; `start`: where the requested range begins, None without one.

    rclone answers a range with 200, as servers without range support do: Content-Range tells them apart.
    """
    if start is None:
        return _length(response.headers)
    match = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+)", response.headers.get("content-range", ""))
    if match is None or int(match[1]) != start:
        raise StorageError("The storage answered with another range than the requested one.")
    return int(match[2])
