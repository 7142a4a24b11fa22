"""Background threads of the web process, for work after the response. Each job runs inside an app context.

A pending job holds an id, never bytes, and its row is PENDING: a job refused by a full pool is left to the sweep. The
threads start with the first job, which is after the server's fork.
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
"""Most pending jobs of a pool."""


class BackgroundPool:
    """Runs at most `size` jobs at once; further ones wait in order."""

    def __init__(self, app: Flask, name: str, size: int) -> None:
        self._app, self._name, self._size = app, name, size
        self._lock = (
            threading.RLock()
        )  # Reentrant: the callback of a job that ended already runs in the submitting thread.
        self._threads: ThreadPoolExecutor | None = None
        self._jobs: set[tuple[str, Any]] = set()

    def submit(self, job: Callable[..., None], id: str, *args: Any) -> None:
        """Run `job(id, *args)` soon. Ignored if the same job is pending or running, or the pool is full.

        An exception is logged; the file stays PENDING, for the sweep.
        """
        with self._lock:
            if (id, args) in self._jobs or len(self._jobs) >= self._size + MAX_PENDING:
                return
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._size, self._name)
            self._jobs.add((id, args))
            self._threads.submit(self._run, job, id, *args).add_done_callback(lambda _: self._done(id, args))

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when running jobs have ended, and pending ones too unless they are cancelled.

        A cancelled job loses nothing: its row is PENDING. The next job starts new threads.
        """
        with self._lock:
            threads, self._threads = self._threads, None
        if threads:
            threads.shutdown(wait=True, cancel_futures=cancel_pending)

    def _done(self, id: str, args: Any) -> None:
        with self._lock:
            self._jobs.discard((id, args))

    def _run(self, job: Callable[..., None], id: str, *args: Any) -> None:
        try:
            with file_context(id), self._app.app_context():
                job(id, *args)
        except Problem as problem:
            log.warning("background.failed: %s", problem.slug(), extra=for_file(id))
        except Exception:
            log.exception("background.failed", extra=for_file(id))
