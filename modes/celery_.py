"""Mode `celery`: the bytes are spooled, the client gets its response, and a task of a Celery worker stores the file."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import partial

from flask import Flask

import config
import file
import tasks
from api.upload_request import IncomingFile
from background import BackgroundPool
from lifecycle import attempts, queries, transitions
from logs import for_file
from models import File, UploadStatus
from problems import RelayLost
from services import current_services

log = logging.getLogger("ferry.celery")

DISPATCH_THREADS = 2
"""Threads that queue tasks."""

_RELAY_THREADS = 16
"""Threads that send bytes to workers. They mostly wait for credit."""

_RETRY_SECONDS = 1.0
"""Seconds between attempts to read requests while Redis is unavailable."""


def upload(row: File, incoming: IncomingFile) -> None:
    """Spool the file and dispatch it; on return the row is PENDING. A thread uses Redis later, so it may be down."""
    file.receive(row, incoming.stream, incoming.max_bytes, incoming.client)
    dispatch(row)


def dispatch(row: File) -> bool:
    """Have a thread queue a task for a PENDING file. Returns False if the pool is full or has the file already."""
    return current_services().dispatch_pool.submit(row.id, partial(enqueue, row.id), file_id=row.id)


def enqueue(id: str) -> None:
    """Queue a task for a PENDING file, unless one is queued.

    Two files get no task: if an earlier attempt has stored the object, the file ends as COMPLETE here; if its bytes are
    gone from the spool, it ends as ERROR. If the task can't be queued, the file is due again within a lease, and the
    error is raised.
    """
    row = queries.get(id)
    if row is None or row.size is None or attempts.recover_if_stored(row):
        return
    if not current_services().spool.has(id):
        _record_lost_bytes(id)
        return
    try:
        if (turn := current_services().relay.mark_task_queued(id)) is not None:
            _queue(id, row.size, turn)
    except Exception:
        with suppress(RelayLost):
            current_services().relay.unmark_task_queued(id)
        transitions.defer(row, min(current_services().leases.seconds, config.current().retry_delay))
        raise


def _record_lost_bytes(id: str) -> None:
    """End the file as ERROR: an attempt without spooled bytes fails with BytesLost, and no other follows."""
    file.upload_file(id)


def waiting() -> tuple[int, float]:
    """The number of files that have waited for a worker for over two leases, and the longest wait in seconds.

    Then no worker runs, all are busy or have lost Redis, or they read another queue.
    """
    return queries.waiting_for_workers(2 * current_services().leases.seconds, attempts.MAX_RETRY_DELAY)


def requeue_lost_tasks() -> None:
    """Have PENDING files queued again whose tasks Redis has lost, without waiting for `due_at`."""
    current_services().dispatch_pool.submit("lost tasks", _requeue_lost_tasks)


def _requeue_lost_tasks() -> None:
    services = current_services()
    if services.relay.is_queue_empty_or_lost() and (count := transitions.make_due(2 * services.leases.seconds)):
        log.warning("tasks.lost: %d files are queued again, Redis has no task for some of them", count)
    services.relay.set_loss_marker()


def _queue(id: str, size: int, turn: int) -> None:
    if current_services().relay.fits_in_message(size):
        tasks.send_inline(id, turn)
    else:
        current_services().relay_server.start()
        tasks.send_relayed(id, turn)


def is_running_attempt(row: File | None, attempt: int, spool: str) -> bool:
    """Whether `attempt` is the running one of this file, and its bytes are in the spool with the identity `spool`."""
    if row is None or row.mode != "celery" or row.upload_status != UploadStatus.PROCESSING:
        return False
    return row.attempt == attempt and row.spool in (None, spool)


def send_bytes(id: str, attempt: int) -> None:
    """Send the bytes of a file to the worker that requested them.

    Redis is not trusted: only the file of a running attempt is sent, and only from this spool.
    """
    if not is_running_attempt(queries.get(id), attempt, current_services().spool.identity):
        log.warning("relay.request_refused: attempt %d of this file is not running", attempt, extra=for_file(id))
        return
    current_services().relay.send(id, attempt, file.process_file_to_stream(id))


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
