"""Connections that wait in the poller and hold no thread."""

from __future__ import annotations

import select
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any


class Deadlines:
    """Connections of which each waits equally long, so that the oldest is the next to be overdue. One thread's own."""

    def __init__(self, poller: selectors.BaseSelector, seconds: float) -> None:
        self._poller, self._seconds = poller, seconds
        self._deadlines: dict[Any, float] = {}

    def add(self, conn: Any, woken: Callable[[Any, socket.socket], None]) -> None:
        """Have `woken(conn, socket)` called whenever there is something to read. Once more changes nothing."""
        if conn not in self._deadlines:
            self._deadlines[conn] = time.monotonic() + self._seconds
            self._poller.register(conn.sock, selectors.EVENT_READ, partial(woken, conn))

    def remove(self, conn: Any) -> None:
        """Wait no longer, where it does at all."""
        if self._deadlines.pop(conn, None):
            self._poller.unregister(conn.sock)

    def __iter__(self) -> Iterator[Any]:
        """All that wait, oldest first."""
        return iter(self._deadlines)

    def __contains__(self, conn: Any) -> bool:
        return conn in self._deadlines

    def overdue(self) -> Iterator[Any]:
        """Let go of those whose time is up, and yield them."""
        while self._deadlines:
            conn, deadline = next(iter(self._deadlines.items()))
            if deadline > time.monotonic():
                return
            self.remove(conn)
            yield conn

    def shorten(self, seconds: float) -> None:
        """Let nobody wait longer than so from now on."""
        self._seconds = min(self._seconds, seconds)
        latest = time.monotonic() + seconds
        self._deadlines = {conn: min(deadline, latest) for conn, deadline in self._deadlines.items()}


def is_readable(sock: socket.socket) -> bool:
    """Whether bytes, or the end, have come on a connection."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def index_to_evict(clients: Sequence[str]) -> int:
    """Which of the connections of these clients, oldest first, is to go: the oldest of the client that has the most."""
    counts = Counter(clients)
    return clients.index(max(counts, key=counts.__getitem__))
