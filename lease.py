"""Leases: one thread a process that keeps renewing the claim on every file the process works on.

One thread, and not one a file, because a small file is stored in less time than a thread takes to start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import Flask, current_app

from logs import about
from models import File
from problems import LeaseLost

log = logging.getLogger("ferry.lease")


class Leased(Protocol):
    """Something that is lost unless it is renewed in time."""

    @property
    def id(self) -> str: ...

    def heartbeat(self, seconds: float) -> bool:
        """Keep it for so long from now on. False: it is lost."""


class Hold:
    """The right to work on one file, for as long as nobody has taken it over."""

    def __init__(self) -> None:
        self._lost = threading.Event()

    def lose(self) -> None:
        self._lost.set()

    def check(self) -> None:
        """Raises LeaseLost when somebody else has the file."""
        if self._lost.is_set():
            raise LeaseLost


class Keeper:
    """Renews the leases of all that this process holds, every third of a lease."""

    def __init__(self, app: Flask, seconds: float) -> None:
        self._app, self.seconds = app, seconds
        self._lock = threading.Lock()
        self._held: dict[Hold, Leased] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, row: Leased) -> Iterator[Hold]:
        """Keep the claim on `row`, which the caller has taken, until the block ends."""
        hold = Hold()
        with self._lock:
            self._held[hold] = row
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ferry-lease", daemon=True)
                self._thread.start()
        try:
            yield hold
        finally:
            with self._lock:
                del self._held[hold]

    def release_all(self) -> list[File]:
        """Lose every hold. The files are the caller's to hand back; whoever worked on them stops at the next chunk."""
        with self._lock:
            held = list(self._held.items())
        for hold, _ in held:
            hold.lose()
        return [row for _, row in held if isinstance(row, File)]

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self.seconds / 3)
            with self._lock:
                held = list(self._held.items())
                if not held:
                    self._thread = None
                    return
            with self._app.app_context():
                for hold, row in held:
                    self._renew(hold, row)

    def _renew(self, hold: Hold, row: Leased) -> None:
        try:
            if not row.heartbeat(self.seconds):
                hold.lose()
        except Exception:
            # A database that is away for a moment costs nothing: the fence decides at the end.
            log.warning("the lease could not be renewed", exc_info=True, extra=about(row.id))


def init_app(app: Flask, seconds: float) -> None:
    """Give the app its keeper of leases that last `seconds`. Starts no thread yet."""
    app.extensions["lease"] = Keeper(app, seconds)


def keeper() -> Keeper:
    """The current app's keeper. Needs an app context."""
    found: Keeper = current_app.extensions["lease"]
    return found
