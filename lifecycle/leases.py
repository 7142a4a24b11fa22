"""Leases: one thread a process that keeps renewing the claim on every file the process works on.

It also writes how far each file is, so that nobody who carries bytes ever waits for the database to say so. One thread,
and not one a file, because a small file is stored in less time than a thread takes to start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import Flask

from lifecycle import transitions
from logs import for_file
from models import File
from problems import LeaseLost

log = logging.getLogger("ferry.lease")


_WRITE_INTERVAL = 0.25
"""Seconds between two words to the database about one file's bytes. A file that is stored sooner costs none."""


class Renewable(Protocol):
    """Something other than a file that is lost unless it is renewed in time."""

    @property
    def id(self) -> str: ...

    def heartbeat(self, seconds: float) -> bool:
        """Keep it for so long from now on. False: it is lost."""


class Lease:
    """The right to work on one file, for as long as nobody has taken it over; and the bytes that were worked on."""

    def __init__(self) -> None:
        self._lost = threading.Event()
        self._lock = threading.Lock()
        self.received = self.stored = 0
        self.last_written, self.last_written_at, self.failed = (0, 0), time.monotonic(), False
        """For the keeper: what it has written last, when it last tried to, and whether it could not."""

    def add_stored(self, size: int) -> None:
        """So many more bytes are stored."""
        with self._lock:
            self.stored += size

    def counts(self) -> tuple[int, int]:
        """The bytes received and those of them that are stored."""
        stored = self.stored  # First: what is received meanwhile must not be missing.
        return self.received, stored

    def revoke(self) -> None:
        self._lost.set()

    def check(self) -> None:
        """Raises LeaseLost when somebody else has the file."""
        if self._lost.is_set():
            raise LeaseLost


def is_due(silent: float, every: float, lease: float, *, changed: bool) -> bool:
    """Whether to write now what was last written `silent` seconds ago, by one who looks each `every` seconds.

    A lease is renewed at the latest when a third of it is over. `news`: there is something to say about the bytes.
    """
    return silent + every > lease / 3 or (changed and silent >= _WRITE_INTERVAL)


class LeaseRenewer:
    """Renews the leases of all that this process holds, and tells of their bytes."""

    def __init__(self, app: Flask, seconds: float) -> None:
        self._app, self.seconds = app, seconds
        self._every = min(_WRITE_INTERVAL, seconds / 6)
        self._lock = threading.Lock()
        self._held: dict[Lease, File | Renewable] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewing(self, row: File | Renewable) -> Iterator[Lease]:
        """Keep the claim on `row`, which the caller has taken, until the block ends."""
        hold = Lease()
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

    def revoke_all(self) -> list[File]:
        """Lose every hold. The files are the caller's to hand back; whoever worked on them stops at the next chunk."""
        with self._lock:
            held = list(self._held.items())
        for hold, _ in held:
            hold.revoke()
        return [row for _, row in held if isinstance(row, File)]

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._every)
            with self._lock:
                held = list(self._held.items())
                if not held:
                    self._thread = None
                    return
            with self._app.app_context():
                for hold, row in held:
                    self._look(hold, row)

    def _look(self, hold: Lease, row: File | Renewable) -> None:
        now, counts = time.monotonic(), hold.counts()
        # Where the last try failed, the lease alone is reason enough for another.
        changed = counts != hold.last_written and not hold.failed
        if is_due(now - hold.last_written_at, self._every, self.seconds, changed=changed):
            hold.last_written_at = now
            self._renew(hold, row, counts)

    def _renew(self, hold: Lease, row: File | Renewable, counts: tuple[int, int]) -> None:
        hold.failed = True
        try:
            if not isinstance(row, File):
                kept = row.heartbeat(self.seconds)
            elif counts != hold.last_written:
                kept = transitions.progress(row, self.seconds, *counts)
            else:
                kept = transitions.heartbeat(row, self.seconds)
            hold.last_written, hold.failed = counts, False
            if not kept:
                hold.revoke()
        except Exception:
            # A database that is away for a moment costs nothing: the fence decides at the end.
            log.warning("the lease could not be renewed", exc_info=True, extra=for_file(row.id))
