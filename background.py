"""Background threads of the web process, for work after the response. Each job runs inside an app context.

A job may be refused or cancelled, or fail: it holds no bytes, only ids, and the sweep finds its work in the database.
Bytes that a worker has requested over the relay are the exception: without them the attempt of the worker fails.
The threads start with the first job, which is after the server's fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from logs import bound
from problems import Problem

log = logging.getLogger("ferry.pool")


MAX_PENDING = 1000
"""Most pending jobs of a pool."""


class BackgroundPool:
    """Runs at most `size` jobs at once; further ones wait in order."""

    def __init__(self, app: Flask, name: str, size: int) -> None:
        self._app, self._name, self._size = app, name, size
        # Reentrant: the callback of a job that ended already runs in the submitting thread.
        self._lock = threading.RLock()
        self._threads: ThreadPoolExecutor | None = None
        self._keys: set[Hashable] = set()
        """Keys of the jobs that are pending or running."""

    def submit(self, key: Hashable, job: Callable[[], object], *, file_id: str | None = None) -> bool:
        """Run `job()` soon. Returns False if a job with this key is pending or running, or the pool is full.

        An exception is logged. `file_id`: the file that the log lines of the job name.
        """
        with self._lock:
            if key in self._keys or len(self._keys) >= self._size + MAX_PENDING:
                return False
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._size, self._name)
            self._keys.add(key)
            try:
                future = self._threads.submit(self._run, job, file_id)
            except RuntimeError:  # The system can't start a thread. The job may be queued nevertheless.
                self._keys.discard(key)
                return False
            future.add_done_callback(lambda _: self._done(key))
            return True

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when running jobs have ended, and pending ones too unless they are cancelled.

        The next job starts new threads.
        """
        with self._lock:
            threads, self._threads = self._threads, None
        if threads:
            threads.shutdown(wait=True, cancel_futures=cancel_pending)

    def _done(self, key: Hashable) -> None:
        with self._lock:
            self._keys.discard(key)

    def _run(self, job: Callable[[], object], file_id: str | None) -> None:
        with bound(file_id=file_id):
            try:
                with self._app.app_context():
                    job()
            except Problem as problem:
                log.warning("background.failed: %s", problem.slug())
            except Exception:
                log.exception("background.failed")
