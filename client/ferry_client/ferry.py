"""`Ferry`: the Python interface to one server."""

from __future__ import annotations

import os
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import quote

from ferry_client import downloads
from ferry_client.errors import FerryError
from ferry_client.files import File, Link, Mode, Status
from ferry_client.http import HttpClient, Response
from ferry_client.local_names import local_name
from ferry_client.polling import wait_until_final
from ferry_client.problems import NotFound
from ferry_client.rate_limit import RateLimit
from ferry_client.request_body import ProgressCallback, open_body
from ferry_client.responses import parse_batch, parse_file, parse_link, parse_page
from ferry_client.retries import is_retryable, with_retries

_MAX_IDS = 100
"""Ids or files in one request: the server's limit."""


class Ferry:
    """The service at `url`. Thread-safe; `with` closes its connections.

    Every method raises FerryError. Temporary failures (no connection, 408, 425, 429, 502, 503, 504) are retried with
    growing delays. `max_retry_seconds` bounds the delays and failed connection attempts of one request, and for a
    request without a file also the waiting for a response that did not come. The time of sending a file, or of waiting
    for the response to an upload, does not count; a download starts anew after each received byte; 429 is retried for
    twenty times as long. An address that has not answered yet and fails for good (unknown host, connection refused,
    failed TLS) raises WrongAddress at once.

    The proxy variables count as in curl (http_proxy, https_proxy, all_proxy, no_proxy), except for loopback addresses.

    >>> with Ferry("http://127.0.0.1:5000") as ferry:
    ...     file = ferry.upload("photo.jpg")
    """

    def __init__(
        self, url: str, key: str | None = None, *, max_retry_seconds: float = 60.0, limit_rate: float | None = None
    ) -> None:
        """Does not connect yet. `limit_rate`: bytes per second of all uploads and downloads together.

        Uploads slower than the server's MIN_UPLOAD_RATE (10,000) fail: it answers 408 after half a minute.
        Raises ValueError for a malformed address or key, an unusable proxy variable or SSL_CERT_FILE, and for a rate
        that is not positive.
        """
        self._limit = None if limit_rate is None else RateLimit(limit_rate)
        self._http, self._max_retry_seconds = HttpClient(url, key), max_retry_seconds

    def upload(
        self, source: str | os.PathLike[str] | BinaryIO, *, mode: Mode = "normal", name: str | None = None,
        content_type: str | None = None, expires_in: int | None = None, on_progress: ProgressCallback | None = None,
    ) -> File:  # fmt: skip
        """Upload a file, or a binary stream from its position, in constant memory. `expires_in`: seconds.

        `normal` returns when the file is stored, `async` and `celery` when it is accepted: wait() for the storage.
        Retries send the same Idempotency-Key, so that they create one file. A stream that can't be rewound is not
        retried once a byte was read. A growing file is sent in its initial size. Raises OSError if the file can't be
        read, FileChanged if it becomes shorter.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        with open_body(source, name, content_type, on_progress, self._limit) as body:
            params = {"name": body.name} | ({} if expires_in is None else {"expires_in": str(expires_in)})

            def send() -> Response:
                return self._http.request(
                    "POST", f"/{mode}_upload", params=params, headers=headers | body.headers, content=body.content()
                )

            try:
                return parse_file(with_retries(send, self._max_retry_seconds, lambda: body.is_replayable))
            except FerryError as error:
                if is_retryable(error) and not body.is_replayable:
                    error.detail += " It came from a pipe, which can't be read again: send it from a file."
                raise

    def status(self, id: str) -> File:
        """Return the current state of a file. Raises NotFound."""
        return parse_file(self._request("GET", _path(id)))

    def statuses(self, ids: Sequence[str]) -> tuple[Sequence[File], Sequence[str]]:
        """Return the files of any number of ids, in their order, and the unknown ids."""
        files, unknown = self._in_batches("/files/status", ids, "files")
        return [File.from_json(members) for members in files], unknown

    def wait(self, id: str, *, timeout: float | None = None, on_change: Callable[[File], object] | None = None) -> File:
        """Return the file once its status is COMPLETE or ERROR. Raises WaitTimeout after `timeout` seconds, if given.

        `on_change` is called with the first file and after each change of its status.
        """
        path = _path(id)
        return wait_until_final(
            lambda params, headers: self._request("GET", path, params=params, headers=headers), timeout, on_change
        )

    def download(
        self, id: str | File, to: str | os.PathLike[str] = ".", *, on_progress: ProgressCallback | None = None
    ) -> Path:
        """Download a file to the path `to`, or under its own name into the folder `to`. Returns the path.

        A path that ends with a slash is a folder, which is created if it is missing; so is an existing folder. The name
        is made valid on Windows, macOS and Linux.
        An existing target is replaced only after all bytes were received and their SHA-256 verified. An interrupted
        download leaves `.<id>.ferry-part` in that folder, which the next download of the same file resumes under any
        name. Concurrent downloads do not disturb each other. Raises NotReady unless the file is COMPLETE.
        """
        file = self.status(id) if isinstance(id, str) else id
        path = Path(to)
        if is_folder_target(to):
            path.mkdir(parents=True, exist_ok=True)
            path /= local_name(file)
        downloads.fetch(self._http, file, path, self._max_retry_seconds, on_progress, self._limit)
        return path

    def download_into(self, id: str | File, stream: BinaryIO, *, on_progress: ProgressCallback | None = None) -> File:
        """Write the bytes of a file to a buffered binary stream, at its position. Returns the file.

        The SHA-256 is verified at the end: use none of the bytes before this returns. Raises ChecksumMismatch, NotReady
        unless the file is COMPLETE, and DownloadInterrupted after a break that can't be resumed.
        """
        file = self.status(id) if isinstance(id, str) else id
        downloads.stream_to(self._http, file, stream, self._max_retry_seconds, on_progress, self._limit)
        return file

    def link(self, id: str, *, expires_in: int | None = None) -> Link:
        """Return a presigned URL of a COMPLETE file, which needs no key.

        `expires_in`: 1 to 900 seconds; None: 300. Raises NotFound, and NotReady unless the file is COMPLETE. The URL
        works only where the storage's address (S3_ENDPOINT_URL) can be reached.
        """
        params = None if expires_in is None else {"expires": expires_in}
        return parse_link(self._request("GET", f"{_path(id)}/link", params=params))

    def list(
        self, *, status: Status | None = None, mode: Mode | None = None, prefix: str = "",
        created_after: datetime | None = None, created_before: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[File]:  # fmt: skip
        """Yield the files that meet every condition, newest first, at most `limit`. Pages are requested as needed.

        `prefix` is the beginning of the name, compared in NFC, the form in which the server stores names.
        """
        prefix = _encodable(unicodedata.normalize("NFC", prefix))
        params: dict[str, Any] = {
            "limit": _MAX_IDS if limit is None else min(limit, _MAX_IDS),
            "status": status, "mode": mode, "prefix": prefix or None,
            "created_after": created_after and created_after.isoformat(),
            "created_before": created_before and created_before.isoformat(),
        }  # fmt: skip
        given = {name: value for name, value in params.items() if value is not None}
        return islice((file for file in self._pages(given) if file.name.startswith(prefix)), limit)

    def delete(self, id: str) -> None:
        """Delete a file. Raises NotFound, except after a lost response: the first request has deleted the file then."""
        attempts = count(1)

        def send() -> None:
            attempt = next(attempts)
            try:
                self._http.request("DELETE", _path(id))
            except NotFound:
                if attempt == 1:
                    raise

        with_retries(send, self._max_retry_seconds)

    def delete_many(self, ids: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Delete the files of any number of ids. Returns the deleted and the unknown ids."""
        return self._in_batches("/files/delete", ids, "deleted")

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Ferry:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _pages(self, params: dict[str, Any]) -> Iterator[File]:
        while True:
            files, next = parse_page(self._request("GET", "/files", params=params))
            yield from files
            if next is None:
                return
            params["cursor"] = next

    def _request(self, method: str, path: str, **options: Any) -> Response:
        return with_retries(lambda: self._http.request(method, path, **options), self._max_retry_seconds)

    def _in_batches(self, path: str, ids: Sequence[str], member: str) -> tuple[Sequence[Any], Sequence[str]]:
        items: Sequence[Any] = []
        unknown: Sequence[str] = []
        for start in range(0, len(ids), _MAX_IDS):
            batch = [_encodable(id) for id in ids[start : start + _MAX_IDS]]
            more_items, more_unknown = parse_batch(self._request("POST", path, json={"ids": batch}), member)
            items, unknown = [*items, *more_items], [*unknown, *more_unknown]
        return items, unknown


def is_folder_target(to: str | os.PathLike[str]) -> bool:
    """Return whether a download's target is a folder: an existing one, or a path with a trailing slash, as for cp."""
    return os.fspath(to).endswith(("/", os.sep)) or Path(to).is_dir()


def _path(id: str) -> str:
    return f"/files/{quote(_encodable(id), safe='')}"


def _encodable(text: str) -> str:
    """Replace bytes that are not UTF-8 by question marks, as uploads do with names: no request can carry them."""
    return text.encode(errors="replace").decode()
