"""Work after the answer: threads of the web process, each job inside an app context.

What waits is an id, never bytes, and the row knows it too: what finds no room here is found by the sweep. The threads
are made at the first job, which is after the server's fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from logs import file_context, for_file
from problems import Problem

log = logging.getLogger("ferry.pool")


MAX_PENDING = 1000
"""Jobs that may wait in one pool."""


class BackgroundPool:
    """At most `size` jobs at once; the others wait in their order."""

    def __init__(self, app: Flask, name: str, size: int) -> None:
        self._app, self._name, self._size = app, name, size
        self._lock = threading.RLock()  # A job may be done before it is noted, and say so in the same thread.
        self._threads: ThreadPoolExecutor | None = None
        self._jobs: set[tuple[str, Any]] = set()

    def submit(self, job: Callable[..., None], id: str, *more: Any) -> None:
        """Have `job(id, *more)` done soon. Not twice at the same time, and not where too many wait already.

        A job that raises is logged: its file is PENDING, and will be found.
        """
        with self._lock:
            if (id, more) in self._jobs or len(self._jobs) >= self._size + MAX_PENDING:
                return
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._size, self._name)
            self._jobs.add((id, more))
            self._threads.submit(self._run, job, id, *more).add_done_callback(lambda _: self._done(id, more))

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when the work that has begun is done, and all that waits too, unless it is dropped.

        What is dropped loses nothing: its rows are PENDING. The next job makes new threads.
        """
        with self._lock:
            threads, self._threads = self._threads, None
        if threads:
            threads.shutdown(wait=True, cancel_futures=cancel_pending)

    def _done(self, id: str, more: Any) -> None:
        with self._lock:
            self._jobs.discard((id, more))

    def _run(self, job: Callable[..., None], id: str, *more: Any) -> None:
        try:
            with file_context(id), self._app.app_context():
                job(id, *more)
        except Problem as problem:
            log.warning("%s", problem.slug(), extra=for_file(id))
        except Exception:
            log.exception("background work failed", extra=for_file(id))
