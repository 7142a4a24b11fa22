"""The thread that sweeps, in every process of the web service. One of them has the turn at a time."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable

from flask import Flask

from database import locks
from database.engine import UNAVAILABLE, reason
from lifecycle.idempotency import delete_expired
from models import File
from services import current_services
from storage.base import StorageError
from sweep.orphans import sweep_objects, sweep_spool, sweep_uploads
from sweep.reclaim import sweep_deleted, sweep_failed, sweep_files
from sweep.report import Report

log = logging.getLogger("ferry.sweep")


_SPOOL_EVERY = 60
"""Seconds between two looks into the spool. It costs no request, and keeps what workers elsewhere have stored."""


class Sweeper:
    """Sweeps rows every `every` seconds, uploads in parts every `uploads_every`, all objects every `objects_every`.

    Objects are listed seldom: a large bucket takes thousands of requests, and what is found there has no hurry.
    """

    def __init__(
        self,
        app: Flask,
        hand_out: Callable[[File], None],
        *,
        every: float,
        uploads_every: float,
        objects_every: float,
        recall: Callable[[], None],
        recall_every: float,
    ) -> None:
        """`recall` sees to files that wait for something which is lost, every `recall_every` seconds."""
        self._app, self._hand_out, self._every = app, hand_out, every
        self._rounds = [
            ("spool {here}", min(uploads_every, _SPOOL_EVERY), sweep_spool),
            ("uploads", uploads_every, sweep_uploads),
            ("objects", objects_every, sweep_objects),
            ("tasks", recall_every, lambda _: recall()),
            ("idempotency keys", objects_every, lambda _: delete_expired()),
        ]
        self._me = str(uuid.uuid4())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sweep from now on. To be called after the server's fork."""
        self._thread = threading.Thread(target=self._run, name="ferry-sweep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand out nothing more. May be called by a signal's handler."""
        self._stop.set()

    def run_once(self) -> None:
        """Do what is due, if no other process does. The turn at rows is kept; the others come round for everybody."""
        here = current_services().spool.identity
        if locks.acquire(f"sweep {here}", self._me, 2 * self._every):
            sweep_files(Report(), self._unless_stopped)
            sweep_failed(Report())
            sweep_deleted(Report())
        for name, every, sweep in self._rounds:
            if locks.acquire(name.format(here=here), str(uuid.uuid4()), every):
                sweep(Report())

    def _unless_stopped(self, row: File) -> None:
        if not self._stop.is_set():
            self._hand_out(row)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._app.app_context():
                    self.run_once()
            except UNAVAILABLE as error:
                log.warning("a sweep was cut short, the database is not available: %s", reason(error))
            except StorageError as error:
                log.warning("a sweep was cut short: %s", type(error).__name__)
            except Exception:
                log.exception("a sweep was cut short")
            self._stop.wait(max(0.1, self._every - (time.monotonic() - began)))
