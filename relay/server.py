"""The web process's thread that answers requests of workers for bytes."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import partial

from flask import Flask

from background import BackgroundPool
from lifecycle import queries
from logs import for_file
from models import FileRow, UploadStatus
from problems import RelayLost
from services import current_services

log = logging.getLogger("ferry.celery")

_RELAY_THREADS = 16
"""Threads that send bytes to workers. They mostly wait for credit."""

_RETRY_SECONDS = 1.0
"""Seconds between attempts to read requests while Redis is unavailable."""


def is_running_attempt(row: FileRow | None, attempt: int, spool_id: str) -> bool:
    """Return whether `attempt` is the running one of this file, and its bytes are in the spool `spool_id`."""
    if row is None or row.mode != "celery" or row.upload_status != UploadStatus.PROCESSING:
        return False
    return row.attempt == attempt and row.spool in (None, spool_id)


def send_bytes(id: str, attempt: int) -> None:
    """Send the bytes of a file to the worker that requested them.

    Redis is not trusted: only the file of a running attempt is sent, and only from this spool.
    """
    if not is_running_attempt(queries.get(id), attempt, current_services().spool.identity):
        log.warning("relay.request_refused: attempt %d of this file is not running", attempt, extra=for_file(id))
        return
    current_services().relay.send(id, attempt, current_services().spool.open(id))


class RelayServer:
    """A thread that reads the workers' requests to this process. It starts when the first relayed file is queued."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = BackgroundPool(app, "ferry-relay", _RELAY_THREADS)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._lock:
            if self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="ferry-relay-requests", daemon=True)
                self._thread.start()

    def drain(self, *, cancel_pending: bool) -> None:
        """Accept no more requests, and wait for the running ones."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            self._stop.set()
            with suppress(RelayLost), self._app.app_context():
                current_services().relay.wake()
            thread.join()
        self._pool.drain(cancel_pending=cancel_pending)

    def _run(self) -> None:
        is_down = False
        with self._app.app_context():
            while not self._stop.is_set():
                try:
                    for id, attempt in current_services().relay.requests():
                        self._pool.submit((id, attempt), partial(send_bytes, id, attempt), file_id=id)
                    is_down = False
                except RelayLost as error:
                    if not is_down:
                        log.warning("relay.requests_failed: %s, retried until it works", type(error.__cause__).__name__)
                    is_down = True
                    self._stop.wait(_RETRY_SECONDS)
                except Exception:  # Workers would get no bytes of this process any more without this thread.
                    log.exception("relay.requests_failed")
                    self._stop.wait(_RETRY_SECONDS)
