"""One Ferry, as Python sees it."""

from __future__ import annotations

import os
import time
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
from ferry_client.bodies import Body, Progress, opened
from ferry_client.errors import FerryError, TimedOut
from ferry_client.files import File, Link, Mode, Status
from ferry_client.local_names import local_name
from ferry_client.problems import NotFound
from ferry_client.rate_limit import RateLimit
from ferry_client.retries import may_pass, repeated
from ferry_client.wire import NOT_MODIFIED, Answer, Wire, json_of, not_ferry, retry_after

_LONGEST_WAIT = 30
"""Seconds that one request of wait() lasts. Proxies often end what says nothing for a minute."""

_MOST_IDS = 100


class Ferry:
    """The service at `url`, for any number of threads. `with` closes its connections.

    Every method raises FerryError. What may pass (no connection, 408, 425, 429, 502, 503, 504) is tried again with
    growing pauses, of at most `patience` seconds together; places that other uploads hold (429) are waited for longer.
    An address at which nothing has answered yet and no pause helps (unknown host, connection refused, TLS that fails)
    raises WrongAddress at once.

    The proxy variables of the environment count as in curl (http_proxy, https_proxy, all_proxy, no_proxy), but not for
    addresses of this machine.
    """

    def __init__(
        self, url: str, key: str | None = None, *, patience: float = 60.0, limit_rate: float | None = None
    ) -> None:
        """Connects to nothing yet. `limit_rate` bounds all uploads and downloads together, in bytes per second.

        Uploads slower than the server's MIN_UPLOAD_RATE (10,000) fail: it answers 408 after half a minute.
        Raises ValueError for a malformed address or key, an unusable proxy variable or SSL_CERT_FILE, and for a rate
        that is not positive.
        """
        self._limit = None if limit_rate is None else RateLimit(limit_rate)
        self._wire, self._patience = Wire(url, key), patience

    def upload(
        self, source: str | os.PathLike[str] | BinaryIO, *, mode: Mode = "normal", name: str | None = None,
        content_type: str | None = None, expires_in: int | None = None, on_progress: Progress | None = None,
    ) -> File:  # fmt: skip
        """Send a file, or a binary stream from where it stands, in flat memory. It expires after as many seconds.

        `normal` returns when it is stored, `async` and `celery` when it is safe; wait() then tells when it is stored.
        However often it has to be sent, the server makes one file of it. A stream that can't be rewound is sent once.
        A file that grows meanwhile is sent in the size it had. Raises OSError if it can't be read, and FileChanged if
        it becomes shorter.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        with opened(source, name, content_type, on_progress, self._limit) as body:
            params = {"name": body.name} | ({} if expires_in is None else {"expires_in": str(expires_in)})

            def send() -> Answer:
                return self._send(f"/{mode}_upload", params, headers, body)

            try:
                return _file(repeated(send, self._patience, lambda: body.can_be_sent))
            except FerryError as error:
                if may_pass(error) and not body.can_be_sent:
                    error.detail += " It came from a pipe, which can't be read again: send it from a file."
                raise

    def status(self, id: str) -> File:
        """The file as it is now. Raises NotFound."""
        return _file(self._ask("GET", _path(id)))

    def statuses(self, ids: Sequence[str]) -> tuple[Sequence[File], Sequence[str]]:
        """The files of any number of ids, in their order; and the ids that are unknown."""
        found, unknown = self._in_batches("/files/status", ids, "files")
        return [File.from_json(each) for each in found], unknown

    def wait(self, id: str, *, timeout: float | None = None, on_change: Callable[[File], object] | None = None) -> File:
        """The file once its status is COMPLETE or ERROR. Raises TimedOut after `timeout` seconds; None: never.

        `on_change` is called with the file as it is at first and whenever its status is another.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        file: File | None = None
        known: dict[str, str] = {}
        while True:
            left = _LONGEST_WAIT if deadline is None else deadline - time.monotonic()
            asked, began, before = max(1, min(_LONGEST_WAIT, int(left))), time.monotonic(), file
            # What changed since the last answer, and before this question, is news too: hence the condition.
            answer = self._ask("GET", _path(id), params={"wait": asked} if before else None, headers=known)
            if before and answer.status_code == NOT_MODIFIED:
                file = before
            else:
                file = _file(answer)
                known = {"If-None-Match": answer.headers["ETag"]} if "ETag" in answer.headers else {}
            if on_change and (before is None or file.status != before.status):
                on_change(file)
            if file.ended:
                return file
            if deadline is not None and time.monotonic() >= deadline:
                raise TimedOut(f"{file.name} is still {file.status} after {timeout:g} s.")
            if file == before and time.monotonic() - began < asked / 2:
                # The server had no place for waiting, or is of a version that knows none.
                time.sleep(min(retry_after(answer.headers) or 1, max(left, 0)))

    def download(
        self, id: str | File, to: str | os.PathLike[str] = ".", *, on_progress: Progress | None = None
    ) -> Path:
        """Bring a file to the path `to`, or under its own name into the folder `to`. Returns its path.

        A path that ends with a slash is a folder, which is made if it is not there; so is one where a folder is. The
        name is made portable: Windows, macOS and Linux can all hold it.
        What is there already is replaced, but only when all bytes have come and their SHA-256 is right. A download that
        was cut leaves `.<id>.ferry-part` in that folder, which the next one of the same file continues under whatever
        name. Two at once are not in each other's way. Raises NotReady unless the file is COMPLETE.
        """
        file = self.status(id) if isinstance(id, str) else id
        path = Path(to)
        if means_folder(to):
            path.mkdir(parents=True, exist_ok=True)
            path /= local_name(file)
        downloads.fetch(self._wire, file, path, self._patience, on_progress, self._limit)
        return path

    def download_into(self, id: str | File, stream: BinaryIO, *, on_progress: Progress | None = None) -> File:
        """Write the bytes of a file to a buffered binary stream, from where it stands. Returns the file.

        Its SHA-256 is known only when all is written: use nothing of it before this returns. Raises Damaged; NotReady
        unless the file is COMPLETE; and CutShort after a break where what was written can't be continued.
        """
        file = self.status(id) if isinstance(id, str) else id
        downloads.pour(self._wire, file, stream, self._patience, on_progress, self._limit)
        return file

    def link(self, id: str, *, expires_in: int | None = None) -> Link:
        """An address at the storage that gives a COMPLETE file to anyone who has it, without a key.

        `expires_in`: seconds until it ends, 1 to 900; None: 300. Raises NotFound, and NotReady unless the file is
        COMPLETE. Only as good as the storage's address (S3_ENDPOINT_URL) is for those who get the link.
        """
        answer = self._ask("GET", f"{_path(id)}/link", params=None if expires_in is None else {"expires": expires_in})
        try:
            said = json_of(answer)
            return Link(str(said["url"]), datetime.fromisoformat(said["expires_at"]))
        except (KeyError, TypeError, ValueError):
            raise not_ferry(answer) from None

    def list(
        self, *, status: Status | None = None, mode: Mode | None = None, prefix: str = "",
        created_after: datetime | None = None, created_before: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[File]:  # fmt: skip
        """Files, newest first, page by page as they are read: those that meet every condition, at most `limit`.

        `prefix` starts their name. It is compared in NFC, as the server keeps names.
        """
        prefix = unicodedata.normalize("NFC", prefix)
        prefix = _printable(prefix)
        params: dict[str, Any] = {
            "limit": _MOST_IDS if limit is None else min(limit, _MOST_IDS),
            "status": status, "mode": mode, "prefix": prefix or None,
            "created_after": created_after and created_after.isoformat(),
            "created_before": created_before and created_before.isoformat(),
        }  # fmt: skip
        given = {name: value for name, value in params.items() if value is not None}
        return islice((file for file in self._listed(given) if file.name.startswith(prefix)), limit)

    def delete(self, id: str) -> None:
        """Delete a file. Raises NotFound, unless it is an answer that was lost that makes us ask again."""
        tries = count()

        def once() -> None:
            again = next(tries) > 0
            try:
                self._wire.ask("DELETE", _path(id))
            except NotFound:
                if not again:
                    raise

        repeated(once, self._patience)

    def delete_all(self, ids: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Delete the files of any number of ids. Returns the ids that were deleted, and those that are unknown."""
        return self._in_batches("/files/delete", ids, "deleted")

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def __enter__(self) -> Ferry:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _listed(self, params: dict[str, Any]) -> Iterator[File]:
        while True:
            files, next = _page(self._ask("GET", "/files", params=params))
            yield from files
            if next is None:
                return
            params["cursor"] = next

    def _send(self, path: str, params: dict[str, str], headers: dict[str, str], body: Body) -> Answer:
        return self._wire.ask("POST", path, params=params, headers=headers | body.headers, content=body.content())

    def _ask(self, method: str, path: str, **request: Any) -> Answer:
        return repeated(lambda: self._wire.ask(method, path, **request), self._patience)

    def _in_batches(self, path: str, ids: Sequence[str], member: str) -> tuple[Sequence[Any], Sequence[str]]:
        found: Sequence[Any] = []
        unknown: Sequence[str] = []
        for start in range(0, len(ids), _MOST_IDS):
            some = [_printable(id) for id in ids[start : start + _MOST_IDS]]
            answer = self._ask("POST", path, json={"ids": some})
            said = json_of(answer)
            try:
                found, unknown = [*found, *said[member]], [*unknown, *said["unknown"]]
            except (KeyError, TypeError):
                raise not_ferry(answer) from None
        return found, unknown


def means_folder(to: str | os.PathLike[str]) -> bool:
    """Whether a download's target is a folder: one that is there, or a path that ends with a slash, as for cp."""
    return os.fspath(to).endswith(("/", os.sep)) or Path(to).is_dir()


def _file(answer: Answer) -> File:
    """The file in an answer. Raises FerryError for an answer that is not Ferry's."""
    try:
        return File.from_json(json_of(answer))
    except (TypeError, ValueError, AttributeError):
        raise not_ferry(answer) from None


def _page(answer: Answer) -> tuple[Sequence[File], str | None]:
    """The files and the next cursor in an answer. Raises FerryError for an answer that is not Ferry's."""
    try:
        page = json_of(answer)
        return [File.from_json(each) for each in page["files"]], page["next"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise not_ferry(answer) from None


def _path(id: str) -> str:
    return f"/files/{quote(_printable(id), safe='')}"


def _printable(text: str) -> str:
    """A word from a shell may hold bytes that are not UTF-8: no request can carry them, and no id has them.

    In names they became question marks when the file was sent.
    """
    return text.encode(errors="replace").decode()
