"""Push status changes to waiting clients: one thread a process polls all watched files with one query.

A transition in the same process wakes the thread at once; changes by other processes are seen by the next poll.

A waiting request occupies a thread of the server. So capacity is small, one client gets at most half of it, and an
upload never waits for a client that only watches.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flask import Flask

from database.engine import UNAVAILABLE, describe
from lifecycle import queries
from models import FileRow, UploadStatus
from problems import TooManyWatchers

log = logging.getLogger("ferry.changes")

_POLL_INTERVAL = 0.25


def has_ended(row: FileRow) -> bool:
    """Return whether the file is COMPLETE or in ERROR, and so will not change by itself."""
    return row.upload_status in (UploadStatus.COMPLETE, UploadStatus.ERROR)


def has_capacity(subscribed: int, own: int, capacity: int) -> bool:
    """Return whether a client that has `own` of the `subscribed` subscriptions gets another.

    A client gets at most half of `capacity`.
    """
    return subscribed < capacity and own < max(1, capacity // 2)


def fingerprint(row: FileRow | None) -> object:
    """A value that differs between two states of a file. `updated_at` alone is not enough: it has milliseconds."""
    return row and (row.upload_status, row.attempt, row.error, row.received_bytes, row.stored_bytes, row.updated_at)


class Subscription:
    """A client's wait for changes of one file. `row` is its last known state, None once it is deleted."""

    closed = False
    """Whether the client has disconnected or the process is being stopped."""

    def __init__(
        self,
        row: FileRow,
        client: str,
        is_disconnected: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id, self.client, self.is_disconnected, self._clock = row.id, client, is_disconnected, clock
        self.row: FileRow | None = row
        self._changed = threading.Event()

    def wait_until(self, done: Callable[[FileRow | None], bool], seconds: float) -> FileRow | None:
        """The file once `done(file)` is true, or its state after `seconds` or when the subscription is closed."""
        deadline = self._clock() + seconds
        while not done(self.row) and not self.closed and (left := deadline - self._clock()) > 0:
            self._changed.wait(left)
            self._changed.clear()
        return self.row

    def publish(self, row: FileRow | None) -> None:
        """Wake the waiting thread if the file has changed."""
        if fingerprint(row) != fingerprint(self.row):
            self.row = row
            self._changed.set()

    def close(self) -> None:
        """End every wait, now and later."""
        self.closed = True
        self._changed.set()


class ChangePoller:
    """The subscriptions of one process, and the thread that polls for them. It runs while there are any."""

    def __init__(self, app: Flask, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._capacity, self._clock = app, capacity, clock
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._thread: threading.Thread | None = None
        self._stopped, self._woken = threading.Event(), threading.Event()

    def wake(self, id: str) -> None:
        """Poll at once if the file is watched: this process has just changed it. Call it after the commit."""
        if any(subscription.id == id for subscription in tuple(self._subscriptions)):
            self._woken.set()

    def subscribe(self, row: FileRow, client: str, is_disconnected: Callable[[], bool] = lambda: False) -> Subscription:
        """Subscribe to a file until `unsubscribe`. Raises TooManyWatchers if there is no capacity left.

        `is_disconnected` is called by the polling thread.
        """
        with self._lock:
            own = sum(subscription.client == client for subscription in self._subscriptions)
            if self._stopped.is_set() or not has_capacity(len(self._subscriptions), own, self._capacity):
                raise TooManyWatchers
            subscription = Subscription(row, client, is_disconnected, self._clock)
            self._subscriptions.append(subscription)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ferry-changes", daemon=True)
                self._thread.start()
            return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription. May be called twice."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    @contextmanager
    def subscription(
        self, row: FileRow, client: str, is_disconnected: Callable[[], bool] = lambda: False
    ) -> Iterator[Subscription]:
        """A subscription for the length of a block. Raises TooManyWatchers."""
        subscription = self.subscribe(row, client, is_disconnected)
        try:
            yield subscription
        finally:
            self.unsubscribe(subscription)

    def stop(self) -> None:
        """Close every subscription and refuse new ones. May be called by a signal handler."""
        self._stopped.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(_POLL_INTERVAL)
            self._woken.clear()
            with self._lock:
                subscriptions = list(self._subscriptions)
                if not subscriptions:
                    self._thread = None
                    return
            self._poll(subscriptions)
        with self._lock:
            for subscription in self._subscriptions:
                subscription.close()

    def _poll(self, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            if subscription.is_disconnected():
                subscription.close()
        try:
            with self._app.app_context():
                rows = queries.get_many(list({subscription.id for subscription in subscriptions}))
        except UNAVAILABLE as error:
            log.warning("changes.poll_failed: %s", describe(error))
            return
        except Exception:  # Without this thread no subscription would ever see a change again.
            log.exception("changes.poll_failed")
            return
        for subscription in subscriptions:
            row = rows.get(subscription.id)
            subscription.publish(row if row and row.deleted_at is None else None)
