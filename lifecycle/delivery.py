"""Delivery of the outbox: calls the subscribers of COMPLETE files, at least once each, until they return.

The process that completes a file calls them at once. The sweep repeats failed calls, and those of a process that died.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy import Row

from background import BackgroundPool
from lifecycle import outbox, queries
from logs import for_file
from models import FileRow

log = logging.getLogger("ferry.outbox")

Subscriber = Callable[[FileRow], None]
"""Called with a COMPLETE file, in an app context. Idempotent; it has CLAIM_SECONDS. Any exception is a failure."""

MAX_ATTEMPTS = 20
THREADS = 2

_FIRST_DELAY, _MAX_DELAY = 5.0, 900.0
_BATCH = 200
_RETENTION = 7 * 86400.0
"""Seconds that an entry which was given up is kept for the operator."""


def retry_delay(attempt: int) -> float | None:
    """Return the seconds before the call after the failed one with number `attempt`; None if no other follows."""
    return None if attempt >= MAX_ATTEMPTS else min(_FIRST_DELAY * 2.0 ** min(attempt - 1, 30), _MAX_DELAY)


class Outbox:
    """The subscribers of one app, and the threads that call them."""

    def __init__(self, app: Flask) -> None:
        self._subscribers: dict[str, Subscriber] = {}
        self._pool = BackgroundPool(app, "ferry-outbox", THREADS)

    def register(self, name: str, subscriber: Subscriber) -> None:
        """Call `subscriber` for every file that becomes COMPLETE from now on. `create_app` registers all.

        `name`: how its entries call it in the database. It must not change, and be registered in every process.
        """
        self._subscribers[name] = subscriber

    @property
    def subscribers(self) -> Iterable[str]:
        """The names of all subscribers. Without any, a COMPLETE file costs no entry."""
        return self._subscribers

    def deliver(self, ids: Iterable[str]) -> None:
        """Call the subscribers of these entries soon, on another thread. If this process dies, the sweep does it."""
        for id in ids:
            self._pool.submit(id, partial(self._deliver, id))

    def deliver_due(self) -> None:
        """Call the subscribers of entries that are due, and delete old entries that were given up."""
        if self._subscribers:
            self.deliver(outbox.due(self._subscribers, _BATCH))
            outbox.prune(_RETENTION)

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when running calls have ended, and pending ones too unless they are cancelled."""
        self._pool.drain(cancel_pending=cancel_pending)

    def _deliver(self, id: str) -> None:
        entry = outbox.claim(id)
        if entry is None:
            return
        if entry.attempt > MAX_ATTEMPTS:  # The last call ended its process.
            _give_up(id, entry)
            return
        try:
            row = queries.get(entry.file_id)
            if row is not None:  # None: it was deleted meanwhile.
                self._subscribers[entry.subscriber](row)
        except Exception:
            log.warning(
                "outbox.failed: %s, attempt %d", entry.subscriber, entry.attempt,
                exc_info=True, extra=for_file(entry.file_id),
            )  # fmt: skip
            _record_failure(id, entry)
        else:
            outbox.remove(id, entry.attempt)


def _record_failure(id: str, entry: Row[Any]) -> None:
    delay = retry_delay(entry.attempt)
    if delay is None:
        _give_up(id, entry)
    else:
        outbox.defer(id, entry.attempt, delay)


def _give_up(id: str, entry: Row[Any]) -> None:
    log.error("outbox.given_up: %s", entry.subscriber, extra=for_file(entry.file_id))
    outbox.give_up(id, entry.attempt)
