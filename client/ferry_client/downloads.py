"""Downloads with resume and SHA-256 verification. A target path is replaced only after the verification."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from ferry_client.errors import ChecksumMismatch, DownloadInterrupted, FerryError
from ferry_client.files import File
from ferry_client.http import HttpClient
from ferry_client.partial_file import open_partial
from ferry_client.rate_limit import RateLimit
from ferry_client.request_body import CHUNK_BYTES, ProgressCallback
from ferry_client.retries import with_retries


def fetch(
    http: HttpClient, file: File, target: Path, max_retry_seconds: float, on_progress: ProgressCallback | None,
    limit: RateLimit | None,
) -> None:  # fmt: skip
    """Download a COMPLETE `file` to `target`, from where an earlier call was interrupted.

    Raises FerryError. ChecksumMismatch is raised only for bytes that this call received in full: a partial download
    that does not match is discarded and started again.
    """
    with open_partial(target.parent, file.id) as partial:
        download = _Download(http, file, partial.stream, on_progress, limit)
        download.resume()
        while not download.run(max_retry_seconds):
            resumed_from = download.resumed_from
            download.restart()
            if not resumed_from:
                raise ChecksumMismatch(f"The bytes of {file.name} do not have the SHA-256 {file.sha256}.")
        partial.commit(target)


def stream_to(
    http: HttpClient, file: File, stream: BinaryIO, max_retry_seconds: float, on_progress: ProgressCallback | None,
    limit: RateLimit | None,
) -> None:  # fmt: skip
    """Write the bytes of a COMPLETE `file` to `stream`, which cannot be rewound.

    Resumes only if the server confirms, by If-Range, that the bytes are the same. Raises DownloadInterrupted if it does
    not, and ChecksumMismatch if the written bytes differ from the file.
    """
    download = _StreamDownload(http, file, stream, on_progress, limit)
    download.report_progress()
    if not download.run(max_retry_seconds):
        raise ChecksumMismatch(f"What was written of {file.name} does not have the SHA-256 {file.sha256}.")


class _Download:
    """The received part of one file, and its SHA-256."""

    def __init__(
        self, http: HttpClient, file: File, stream: BinaryIO, on_progress: ProgressCallback | None,
        limit: RateLimit | None,
    ) -> None:  # fmt: skip
        self._http, self._file, self._stream, self._on_progress, self._limit = http, file, stream, on_progress, limit
        self._digest, self._offset, self.resumed_from = hashlib.sha256(), 0, 0

    def resume(self) -> None:
        """Hash the bytes that the stream already holds."""
        self._stream.seek(0)
        while chunk := self._stream.read(CHUNK_BYTES):
            self._count(chunk)
        self.resumed_from = self._offset
        self.report_progress()

    def restart(self) -> None:
        """Discard all received bytes."""
        self._stream.seek(0)
        self._stream.truncate()
        self._digest, self._offset, self.resumed_from = hashlib.sha256(), 0, 0
        self.report_progress()

    def run(self, max_retry_seconds: float) -> bool:
        """Read to the end; return whether the SHA-256 matches. The retry time starts anew after each received byte."""
        while self._file.size is None or self._offset < self._file.size:
            start = self._offset
            try:
                with_retries(self._read, max_retry_seconds, lambda start=start: self._offset <= start)  # type: ignore[misc]
            except FerryError:
                if self._offset <= start:
                    raise
                continue
            break
        return self._file.sha256 in (None, self._digest.hexdigest())

    def _read(self) -> None:
        """Read one response. With If-Range (RFC 9110 §13.1.5) the server sends the whole file if it has changed."""
        headers = {}
        if self._offset:
            headers = {"Range": f"bytes={self._offset}-", "If-Range": f'"{self._file.sha256}"'}
        with self._http.stream(f"/files/{self._file.id}/content", headers) as response:
            if response.status_code == 200 and self._offset:
                self.restart()
            try:
                for (
                    chunk
                ) in response.iter_raw():  # Of any size: bytes collected for a larger chunk are lost on a break.
                    self._stream.write(chunk)
                    self._count(chunk)
                    self.report_progress()
                    if self._limit:
                        self._limit.acquire(len(chunk))
            finally:
                self._stream.flush()

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._offset += len(chunk)

    def report_progress(self) -> None:
        """Call `on_progress` with the number of received bytes."""
        if self._on_progress:
            self._on_progress(self._offset, self._file.size)


class _StreamDownload(_Download):
    """A download whose written bytes cannot be discarded."""

    def restart(self) -> None:
        raise DownloadInterrupted(
            f"The server did not resume {self._file.name} after the break: only its beginning was received."
        )
