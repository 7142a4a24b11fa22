"""Long polling: wait until a file is COMPLETE or ERROR."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ferry_client.errors import WaitTimeout
from ferry_client.files import File
from ferry_client.http import NOT_MODIFIED, Response
from ferry_client.response_errors import parse_retry_after
from ferry_client.responses import parse_file

MAX_WAIT = 30
"""Seconds that one request may last. Many proxies close a connection after a minute without bytes."""

Get = Callable[[Mapping[str, Any] | None, Mapping[str, str]], Response]
"""GET of the file, with query parameters and headers."""


def wait_until_final(get: Get, timeout: float | None, on_change: Callable[[File], object] | None) -> File:
    """Return the file once its status is COMPLETE or ERROR. Raises WaitTimeout after `timeout` seconds; None: never.

    `on_change` is called with the first file and after each change of its status.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    poll, status = _LongPoll(get), None
    while True:
        remaining = MAX_WAIT if deadline is None else deadline - time.monotonic()
        file, pause = poll.next(max(1, min(MAX_WAIT, int(remaining))))
        if on_change and file.status != status:
            on_change(file)
        status = file.status
        if file.is_final:
            return file
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(f"{file.name} is still {file.status} after {timeout:g} s.")
        time.sleep(min(pause, max(remaining, 0)))


class _LongPoll:
    """Requests for one file that the server delays until the file changes."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._file: File | None = None
        self._etag: dict[str, str] = {}

    def next(self, wait: int) -> tuple[File, float]:
        """Return the file, and the seconds to pause before the next request: 0 if the server delayed this one.

        The first request is not delayed. Later ones are conditional, so that a change between two requests is not
        missed.
        """
        started, previous = time.monotonic(), self._file
        response = self._get({"wait": wait} if previous else None, self._etag)
        if previous and response.status_code == NOT_MODIFIED:
            file = previous
        else:
            file = self._file = parse_file(response)
            self._etag = {"If-None-Match": response.headers["ETag"]} if "ETag" in response.headers else {}
        if file != previous or time.monotonic() - started >= wait / 2:
            return file, 0.0
        # The server has no free wait slot, or is of a version without `wait`.
        return file, parse_retry_after(response.headers) or 1.0
