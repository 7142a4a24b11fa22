"""Slots of a web process: how many of its threads one client may hold."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class ProcessSlots:
    """The slots of one process. A name without a slot takes no memory."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may close an abandoned response in the thread that has the lock.
        self._lock = threading.RLock()
        self._held: Counter[str] = Counter()

    @contextmanager
    def acquire(self, name: str, limit: int, error: Exception) -> Iterator[None]:
        """Hold one of the `limit` slots of `name`. Raises `error` if all are held.

        with slots.acquire("alice", 4, TooManyUploads()):
            receive()
        """
        with self._lock:
            if self._held[name] >= limit:
                raise error
            self._held[name] += 1
        try:
            yield
        finally:
            self._release(name)

    def _release(self, name: str) -> None:
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]
