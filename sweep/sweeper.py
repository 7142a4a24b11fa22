"""The sweeping thread. Every process of the web service has one; locks let one of them sweep at a time."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable

from flask import Flask

from database import locks
from database.engine import UNAVAILABLE, describe
from lifecycle.idempotency import delete_expired
from models import FileRow
from services import current_services
from storage.base import StorageError
from sweep.orphans import sweep_multipart_uploads, sweep_objects, sweep_spool
from sweep.report import Report
from sweep.rows import sweep_deleted, sweep_failed, sweep_files

log = logging.getLogger("ferry.sweep")


_SPOOL_INTERVAL = 60
"""Seconds between two sweeps of the spool, which cost no request. They remove what workers on other hosts stored."""


class Sweeper:
    """Sweeps rows every `every` seconds, multipart uploads every `multipart_every`, objects every `objects_every`.

    Objects are listed rarely: a large bucket takes thousands of requests, and its orphans are not urgent.
    """

    def __init__(
        self,
        app: Flask,
        dispatch: Callable[[FileRow], object],
        *,
        every: float,
        multipart_every: float,
        objects_every: float,
        requeue_lost: Callable[[], None],
        requeue_lost_every: float,
    ) -> None:
        """`dispatch` has a file stored; it returns False if it did not.

        `requeue_lost` requeues files whose task the broker has lost; it is called every `requeue_lost_every` seconds.
        """
        self._app, self._dispatch, self._every = app, dispatch, every
        self._jobs = [
            ("spool {spool}", min(multipart_every, _SPOOL_INTERVAL), sweep_spool),
            ("uploads", multipart_every, sweep_multipart_uploads),
            ("objects", objects_every, sweep_objects),
            ("tasks", requeue_lost_every, lambda _: requeue_lost()),
            ("idempotency keys", objects_every, lambda _: delete_expired()),
        ]
        """Lock, interval in seconds and function of each job."""
        self._id = str(uuid.uuid4())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Call it after the server's fork."""
        self._thread = threading.Thread(target=self._run, name="ferry-sweep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Dispatch nothing more. May be called by a signal handler."""
        self._stop.set()

    def run_once(self) -> None:
        """Run each job that no process has run within its interval.

        One process sweeps the rows: it renews its lock at each run, until it ends.
        """
        spool_id = current_services().spool.identity
        if locks.acquire(f"sweep {spool_id}", self._id, 2 * self._every):
            sweep_files(Report(), self._dispatch_unless_stopped)
            sweep_failed(Report())
            sweep_deleted(Report())
            current_services().outbox.deliver_due()
        for name, interval, job in self._jobs:
            if locks.first_within(name.format(spool=spool_id), interval):
                job(Report())

    def _dispatch_unless_stopped(self, row: FileRow) -> object:
        return not self._stop.is_set() and self._dispatch(row)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._app.app_context():
                    self.run_once()
            except UNAVAILABLE as error:
                log.warning("sweep.interrupted: the database is not available: %s", describe(error))
            except StorageError as error:
                log.warning("sweep.interrupted: %s", error.slug())
            except Exception:
                log.exception("sweep.interrupted")
            self._stop.wait(max(0.1, self._every - (time.monotonic() - began)))
