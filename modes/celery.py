"""Mode `celery`: the bytes are safe in the spool, the client is answered, a task of a Celery worker stores them."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

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

DISPATCHERS = 2
"""Threads that queue tasks."""

_RELAYS = 16
"""Threads that send bytes to workers. Such a thread mostly waits for its worker."""

_PAUSE = 1.0
"""Seconds before demands are read again after that has failed."""


def upload(row: File, sent: IncomingFile) -> None:
    """Keep `sent`; the row is PENDING on return. Redis is spoken to after the answer: without it the file waits."""
    file.receive(row, sent.stream, sent.max_bytes, sent.client)
    dispatch(row)


def dispatch(row: File) -> None:
    """Have a worker store a waiting file."""
    current_services().dispatch_pool.submit(enqueue, row.id)


def enqueue(id: str) -> None:
    """Queue a task for a waiting file, unless one is queued, its object is there already or its bytes are gone."""
    row = queries.get(id)
    if row is None or row.size is None or attempts.recover_if_stored(row):
        return
    if not current_services().spool.has(id):
        file.upload_file(id)
        return
    try:
        if (turn := current_services().relay.reserve_task(id)) is not None:
            _queue(id, row.size, turn)
    except Exception:
        with suppress(RelayLost):
            current_services().relay.release_task(id)
        transitions.defer(row, min(current_services().leases.seconds, config.current().retry_delay))
        raise


def waiting() -> tuple[int, float]:
    """How many files have waited for a worker for more than two leases, and for how many seconds the longest.

    None runs, or all are busy, or deaf, or have another queue.
    """
    return queries.waiting_for_workers(2 * current_services().leases.seconds, attempts.MAX_RETRY_DELAY)


def requeue_lost_tasks() -> None:
    """Have waiting files queued again that Redis has lost the tasks of, however far off their next turn is."""
    current_services().dispatch_pool.submit(_requeue_lost_tasks, "recall")


def _requeue_lost_tasks(_: str) -> None:
    services = current_services()
    if services.relay.may_have_lost_tasks() and (found := transitions.make_due(2 * services.leases.seconds)):
        log.warning("tasks.lost: Redis has no task for some of %d waiting files; they are queued again", found)
    services.relay.set_marker()


def _queue(id: str, size: int, turn: int) -> None:
    if current_services().relay.fits_in_message(size):
        tasks.send_inline(id, turn)
    else:
        current_services().relay_server.start()
        tasks.send_relayed(id, turn)


def is_running_attempt(row: File | None, attempt: int, here: str) -> bool:
    """Whether a worker that asks for a file in its attempt `attempt` holds it. `here`: the identity of this spool."""
    if row is None or row.mode != "celery" or row.upload_status != UploadStatus.PROCESSING:
        return False
    return row.attempt == attempt and row.spool in (None, here)


def send_bytes(id: str, attempt: int) -> None:
    """Send the bytes of a file to the worker that has asked for them.

    Who can write to Redis can ask for anything: nothing but the file of a running attempt in this spool is sent.
    """
    if not is_running_attempt(queries.get(id), attempt, current_services().spool.identity):
        log.warning("relay.request_refused: attempt %d of this file is not running", attempt, extra=for_file(id))
        return
    current_services().relay.send(id, attempt, file.process_file_to_stream(id))


class RelayServer:
    """Hears what workers ask this process for, on a thread of its own from the first time that they may ask."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = BackgroundPool(app, "ferry-feed", _RELAYS)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to hear, if we do not yet."""
        with self._lock:
            if self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="ferry-feeder", daemon=True)
                self._thread.start()

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when nobody is fed any more. Nobody new is."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            self._stop.set()
            with suppress(RelayLost), self._app.app_context():
                current_services().relay.wake()
            thread.join()
        self._pool.drain(cancel_pending=cancel_pending)

    def _run(self) -> None:
        away = False
        with self._app.app_context():
            while not self._stop.is_set():
                try:
                    for id, attempt in current_services().relay.requests():
                        self._pool.submit(send_bytes, id, attempt)
                    away = False
                except RelayLost as error:
                    if not away:
                        log.warning(
                            "relay.requests_failed: %s, asked again until it works", type(error.__cause__).__name__
                        )
                    away = True
                    self._stop.wait(_PAUSE)
                except Exception:  # Without this thread no worker would ever get bytes of this process again.
                    log.exception("relay.requests_failed")
                    self._stop.wait(_PAUSE)
