"""Leases: one thread a process renews the lease of every file that the process is working on.

It also records the progress of each file, so that a thread that moves bytes never waits for the database. One thread
for all files: a small file is stored in less time than a thread takes to start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import Flask

from lifecycle import transitions
from logs import for_file
from models import FileRow
from problems import LeaseLost
from storage.base import Upload

log = logging.getLogger("ferry.lease")


PROGRESS_INTERVAL = 0.25
"""Seconds between two updates of a file's progress. A file that is stored sooner costs none."""


class Renewable(Protocol):
    """A claim on something other than a file."""

    @property
    def id(self) -> str: ...

    def heartbeat(self, seconds: float) -> bool:
        """Renew it to `seconds` from now. False: it is lost."""


class Lease:
    """An attempt's claim on one file, until it is revoked, and the progress of its upload in bytes."""

    def __init__(self, now: float) -> None:
        """`now`: seconds of the renewer's clock."""
        self._lost = threading.Event()
        self.received = 0
        """Bytes of the upload that have arrived here."""
        self.upload: Upload | None = None
        """The handle that knows how many are stored."""
        self.last_written = (0, 0)
        """Progress that the row has."""
        self.last_written_at = now
        """When the renewer last tried to write."""
        self.failed = False
        """Whether that failed."""

    def counts(self) -> tuple[int, int]:
        """Bytes received, and bytes stored."""
        stored = self.upload.stored if self.upload else 0  # Read first: it must never exceed `received`.
        return self.received, stored

    def revoke(self) -> None:
        """Mark the claim as lost."""
        self._lost.set()

    def check(self) -> None:
        """Raises LeaseLost once the claim is lost."""
        if self._lost.is_set():
            raise LeaseLost


def is_due(elapsed: float, interval: float, lease_seconds: float, *, changed: bool) -> bool:
    """Return whether to write a lease that was last written `elapsed` seconds ago; checked every `interval` seconds.

    A lease is renewed before a third of its `lease_seconds` is over, and earlier if the progress has `changed`.
    """
    return elapsed + interval > lease_seconds / 3 or (changed and elapsed >= PROGRESS_INTERVAL)


class LeaseRenewer:
    """Renews the leases of all files that this process works on, and records their progress."""

    def __init__(self, app: Flask, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self.seconds, self._clock = app, seconds, clock
        self._interval = min(PROGRESS_INTERVAL, seconds / 6)
        self._lock = threading.Lock()
        self._leases: dict[Lease, FileRow | Renewable] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewing(self, row: FileRow | Renewable) -> Iterator[Lease]:
        """Renew the caller's claim on `row` until the block ends."""
        lease = Lease(self._clock())
        with self._lock:
            self._leases[lease] = row
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ferry-lease", daemon=True)
                self._thread.start()
        try:
            yield lease
        finally:
            with self._lock:
                del self._leases[lease]

    def revoke_all(self) -> list[FileRow]:
        """Revoke every lease and return the files, for the caller to requeue. Their uploads stop at the next chunk."""
        with self._lock:
            leases = list(self._leases.items())
        for lease, _ in leases:
            lease.revoke()
        return [row for _, row in leases if isinstance(row, FileRow)]

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._interval)
            with self._lock:
                leases = list(self._leases.items())
                if not leases:
                    self._thread = None
                    return
            with self._app.app_context():
                for lease, row in leases:
                    self._renew_if_due(lease, row)

    def _renew_if_due(self, lease: Lease, row: FileRow | Renewable) -> None:
        now, counts = self._clock(), lease.counts()
        # After a failed try, progress alone is no reason for another: the lease is.
        changed = counts != lease.last_written and not lease.failed
        if is_due(now - lease.last_written_at, self._interval, self.seconds, changed=changed):
            lease.last_written_at = now
            self._renew(lease, row, counts)

    def _renew(self, lease: Lease, row: FileRow | Renewable, counts: tuple[int, int]) -> None:
        lease.failed = True
        try:
            if not isinstance(row, FileRow):
                renewed = row.heartbeat(self.seconds)
            elif counts != lease.last_written:
                renewed = transitions.progress(row, self.seconds, *counts)
            else:
                renewed = transitions.heartbeat(row, self.seconds)
            lease.last_written, lease.failed = counts, False
            if not renewed:
                lease.revoke()
        except Exception:
            # A short outage of the database costs nothing: the fencing token decides at the end.
            log.warning("lease.renewal_failed", exc_info=True, extra=for_file(row.id))
