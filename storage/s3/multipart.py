"""Multipart uploads: create, resume, send parts, complete, abort. boto3 sends what is needed once an upload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count, islice
from urllib.parse import quote

from storage.base import MultipartUpload, Stat, StorageError, StorageNoUpload, StorageUnavailable
from storage.parts import Part
from storage.s3.checksums import Digests, UploadedPart, expected_object
from storage.s3.client import map_botocore_errors
from storage.s3.object_client import ObjectClient
from storage.s3.options import SSE, SSE_KEY
from storage.s3.part_uploader import retry_mismatch
from storage.s3.resume import ListedPart, reusable_part
from storage.s3.retries import ATTEMPTS, pause
from storage.s3.xml import complete_body, element_text

_BOTO3_NAMES = {
    "Content-Type": "ContentType",
    "Content-Disposition": "ContentDisposition",
    SSE: "ServerSideEncryption",
    SSE_KEY: "SSEKMSKeyId",
}
"""boto3's parameter for each header."""

_MAX_RESUME_CANDIDATES = 5
"""Uploads of one key that are searched for parts of an earlier attempt."""

COMPLETE_SECONDS = 600.0
"""Seconds that a storage may be silent after CompleteMultipartUpload: it assembles the parts meanwhile."""

_COMPLETE_ATTEMPTS = 2 * ATTEMPTS
"""The more was sent, the more a failed Complete costs. Each attempt is followed by a HEAD."""


class MultipartUploads:
    """Multipart uploads to one bucket."""

    def __init__(self, objects: ObjectClient) -> None:
        self._objects = objects

    def create(self, key: str, headers: Mapping[str, str]) -> MultipartUpload:
        """Start an upload. The headers become the object's."""
        parameters = {_BOTO3_NAMES[name]: value for name, value in headers.items()}

        def send(kind: str) -> str:
            digest = {"ChecksumAlgorithm": "CRC32"} if kind == "crc32" else {}
            with map_botocore_errors():
                response = self._objects.boto.create_multipart_upload(
                    Bucket=self._objects.bucket, Key=key, **parameters, **digest
                )
            return str(response["UploadId"])

        return MultipartUpload(key, self._objects.checksums.send(send))

    def list_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        """Yield the unfinished uploads for keys that start with `prefix`."""
        # rclone answers NoSuchUpload if the bucket has no upload at all.
        with suppress(StorageNoUpload), map_botocore_errors():
            paginator = self._objects.boto.get_paginator("list_multipart_uploads")
            for page in paginator.paginate(Bucket=self._objects.bucket, Prefix=prefix):
                for item in page.get("Uploads", ()):
                    yield MultipartUpload(item["Key"], item["UploadId"])

    def find_resumable(self, key: str) -> tuple[MultipartUpload | None, dict[int, ListedPart]]:
        """Return the earlier upload of this key with the most parts, and these by number; None to start anew."""
        best: tuple[MultipartUpload | None, dict[int, ListedPart]] = None, {}
        with suppress(StorageError):
            candidates = (upload for upload in self.list_uploads(key) if upload.key == key)
            for upload in islice(candidates, _MAX_RESUME_CANDIDATES):
                parts = self._list_parts(upload)
                if len(parts) > len(best[1]):
                    best = upload, parts
        return best

    def send_part(
        self, upload: MultipartUpload, number: int, part: Part, existing: ListedPart | None = None
    ) -> UploadedPart:
        """Return the existing part if its digest matches; send the part otherwise."""
        if existing and (uploaded := reusable_part(existing, Digests(part.body))):
            return uploaded
        query = f"partNumber={number}&uploadId={quote(upload.id, safe='')}"
        try:
            return retry_mismatch(lambda: self._objects.put(upload.key, part, query=query))
        except StorageError as error:
            # Some storages refuse to replace a part: the next attempt starts anew.
            if existing and error.permanent:
                raise StorageNoUpload from error
            raise

    def complete(self, upload: MultipartUpload, parts: list[UploadedPart]) -> Stat:
        """Complete the upload and verify the object. Repeats what may pass; HEAD decides after a lost response."""
        first, began = None, time.monotonic()
        for attempt in count(1):
            try:
                return self._complete_once(upload, parts)
            except StorageUnavailable as error:
                # A lost response, or NoSuchUpload after one: the object may exist nevertheless.
                with suppress(StorageError):
                    return self._objects.verify(upload.key, expected_object("", parts), of_parts=True, lost=True)
                is_final = type(error) is not StorageUnavailable and first is None
                first = first or error
                if is_final or attempt >= _COMPLETE_ATTEMPTS or time.monotonic() - began >= COMPLETE_SECONDS:
                    raise first from error
            time.sleep(pause(attempt))
        raise AssertionError

    def abort(self, upload: MultipartUpload) -> None:
        """End the upload and remove its parts; an unknown upload is not an error."""
        with suppress(StorageNoUpload), map_botocore_errors():
            self._objects.boto.abort_multipart_upload(Bucket=self._objects.bucket, Key=upload.key, UploadId=upload.id)

    def _list_parts(self, upload: MultipartUpload) -> dict[int, ListedPart]:
        listing = {}
        with suppress(StorageNoUpload), map_botocore_errors():
            paginator = self._objects.boto.get_paginator("list_parts")
            for page in paginator.paginate(Bucket=self._objects.bucket, Key=upload.key, UploadId=upload.id):
                for item in page.get("Parts", ()):
                    part = ListedPart(item["Size"], item["ETag"].strip('"'), item.get("ChecksumCRC32"))
                    listing[int(item["PartNumber"])] = part
        return listing

    def _complete_once(self, upload: MultipartUpload, parts: list[UploadedPart]) -> Stat:
        response = self._objects.request(
            "POST",
            upload.key,
            query=f"uploadId={quote(upload.id, safe='')}",
            body=complete_body(parts),
            attempts=1,
            silence=COMPLETE_SECONDS,
        )
        etag = element_text("ETag", response.body.decode(errors="replace")).strip('"')
        return self._objects.verify(upload.key, expected_object(etag, parts), of_parts=True)
