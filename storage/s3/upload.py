"""The handle of an upload to S3: a single PUT if there is one part, a multipart upload otherwise."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

from storage.base import MultipartUpload, Stat, StorageError, StorageUnavailable, Upload
from storage.parts import Buffers, Part
from storage.s3.checksums import UploadedPart, md5
from storage.s3.multipart import MultipartUploads
from storage.s3.object_client import ObjectClient
from storage.s3.part_sizes import part_sizes
from storage.s3.part_uploader import PartUploader, retry_mismatch
from storage.s3.resume import ListedPart, is_resumable, is_unanswered


class S3Upload(Upload):
    """Starts the multipart upload when a part is followed by another."""

    def __init__(
        self,
        objects: ObjectClient,
        multipart: MultipartUploads,
        buffers: Buffers,
        key: str,
        headers: Mapping[str, str],
        max_bytes: int | None,
        attempt: int,
    ) -> None:
        super().__init__(part_sizes(max_bytes), buffers)
        self._objects, self._multipart = objects, multipart
        self._key, self._headers, self._attempt = key, headers, attempt
        self._lock = threading.Lock()
        self._only: Part | None = None
        self._upload: MultipartUpload | None = None
        self._existing: Mapping[int, ListedPart] = {}
        self._parts: PartUploader[UploadedPart] | None = None
        self._sent = self._completed = False

    def write(self, part: Part) -> None:
        if part.last and self._parts is None:
            self._only = part
            return
        try:
            parts = self._parts = self._parts or self._start()
        except BaseException:
            part.release()
            raise
        parts.write(part)

    def complete(self) -> Stat:
        if self._parts and self._upload:
            parts = self._parts.results()
            self._sent = True
            stat = self._multipart.complete(self._upload, parts)
        else:
            assert self._only, "no part was written"
            stat = self._put(self._only)
            self._add_stored(stat.size)
        self._completed = True
        return stat

    def close(self, error: BaseException | None = None) -> None:
        if self._only:
            self._only.release()
            self._only = None
        if self._parts:
            self._parts.wait()
        if self._upload and not self._completed and not self._keeps_parts(error):
            # If this fails too, the sweep finds the upload by its key; the first failure is the one to report.
            with suppress(StorageError):
                self._multipart.abort(self._upload)

    def _keeps_parts(self, error: BaseException | None) -> bool:
        """Return whether the storage or the next attempt may need the parts of this upload, which failed."""
        if self._sent:
            return is_unanswered(error)
        return self._attempt > 0 and error is not None and is_resumable(error)

    def _start(self) -> PartUploader[UploadedPart]:
        """Continue the upload of an earlier attempt that left parts, or start a new one."""
        if self._attempt > 1:
            self._upload, self._existing = self._multipart.find_resumable(self._key)
        self._upload = self._upload or self._multipart.create(self._key, self._headers)
        return PartUploader(self._objects.resources.part_threads, self._send_part)

    def _send_part(self, number: int, part: Part) -> UploadedPart:
        assert self._upload
        uploaded = self._multipart.send_part(self._upload, number, part, self._existing.get(number))
        self._add_stored(uploaded.size)
        return uploaded

    def _add_stored(self, size: int) -> None:
        with self._lock:
            self.stored += size

    def _put(self, part: Part) -> Stat:
        """Store the object in one request and verify it."""
        try:
            return retry_mismatch(
                lambda: self._objects.verify(self._key, self._objects.put(self._key, part, headers=self._headers))
            )
        except StorageUnavailable:
            # A lost response says nothing about the object: it may exist nevertheless.
            with suppress(StorageError):
                sent = UploadedPart(len(part.body), md5(part.body), computed=True)
                return self._objects.verify(self._key, sent, lost=True)
            raise
