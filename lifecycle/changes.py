"""Who waits for what becomes of a file: one thread a process looks all of them up together, four times a second.

A waiting request costs a thread of the server. So there are few places, most of them for others than any one caller,
and nobody who uploads ever waits for one who only looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flask import Flask

from database.engine import UNAVAILABLE, reason
from lifecycle import queries
from models import File, UploadStatus
from problems import TooManyWatchers

log = logging.getLogger("ferry.watching")

_POLL_INTERVAL = 0.25


def has_ended(row: File) -> bool:
    """Whether nothing more will become of the file by itself."""
    return row.upload_status in (UploadStatus.COMPLETE, UploadStatus.ERROR)


def has_capacity(taken: int, mine: int, places: int) -> bool:
    """Whether there is a place for one who has `mine` of those that are taken. One caller never has more than half."""
    return taken < places and mine < max(1, places // 2)


def state(row: File | None) -> object:
    """What tells two looks at a file apart. Its time alone would not: two moves may share a millisecond."""
    return row and (row.upload_status, row.attempt, row.error, row.received_bytes, row.stored_bytes, row.updated_at)


class Subscription:
    """A place, and the file that is watched from it: `row` as it was seen last, None once it was deleted."""

    over = False
    """Whether nobody waits here any longer: the client has left, or the process is being stopped."""

    def __init__(self, row: File, caller: str, has_left: Callable[[], bool]) -> None:
        self.id, self.caller, self.has_left = row.id, caller, has_left
        self.row: File | None = row
        self._news = threading.Event()

    def until(self, done: Callable[[File | None], bool], seconds: float) -> File | None:
        """The file as soon as it is `done`, or as it is after `seconds` or when waiting is over."""
        deadline = time.monotonic() + seconds
        while not done(self.row) and not self.over and (left := deadline - time.monotonic()) > 0:
            self._news.wait(left)
            self._news.clear()
        return self.row

    def show(self, row: File | None) -> None:
        """Tell what was seen."""
        if state(row) != state(self.row):
            self.row = row
            self._news.set()

    def finish(self) -> None:
        """Let nobody wait here any longer."""
        self.over = True
        self._news.set()


class ChangePoller:
    """The places of one process, and the thread that looks for those who have them. It runs while there are any."""

    def __init__(self, app: Flask, places: int) -> None:
        self._app, self._places = app, places
        self._lock = threading.Lock()
        self._watches: list[Subscription] = []
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def begin(self, row: File, caller: str, has_left: Callable[[], bool] = lambda: False) -> Subscription:
        """Take a place to watch a file from, until `end`. Raises TooManyWatchers.

        `has_left` says whether the client is gone; it is asked by the thread that looks.
        """
        with self._lock:
            mine = sum(watch.caller == caller for watch in self._watches)
            if self._stopped.is_set() or not has_capacity(len(self._watches), mine, self._places):
                raise TooManyWatchers
            watch = Subscription(row, caller, has_left)
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ferry-watch", daemon=True)
                self._thread.start()
            return watch

    def end(self, watch: Subscription) -> None:
        """Give a place back. Once too often does no harm."""
        with self._lock:
            if watch in self._watches:
                self._watches.remove(watch)

    @contextmanager
    def watch(self, row: File, caller: str, has_left: Callable[[], bool] = lambda: False) -> Iterator[Subscription]:
        """A place for the length of a block. Raises TooManyWatchers."""
        watch = self.begin(row, caller, has_left)
        try:
            yield watch
        finally:
            self.end(watch)

    def stop(self) -> None:
        """Let nobody wait any longer. May be called by a signal's handler."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(_POLL_INTERVAL):
            with self._lock:
                watches = list(self._watches)
                if not watches:
                    self._thread = None
                    return
            self._look(watches)
        with self._lock:
            for watch in self._watches:
                watch.finish()

    def _look(self, watches: Sequence[Subscription]) -> None:
        for watch in watches:
            if watch.has_left():
                watch.finish()
        try:
            with self._app.app_context():
                found = queries.get_many(list({watch.id for watch in watches}))
        except UNAVAILABLE as error:
            log.warning("the watched files could not be looked up: %s", reason(error))
            return
        except Exception:  # Without this thread nobody would ever hear anything again.
            log.exception("the watched files could not be looked up")
            return
        for watch in watches:
            row = found.get(watch.id)
            watch.show(row if row and row.deleted_at is None else None)
