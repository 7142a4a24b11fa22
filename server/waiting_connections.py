"""Connections that wait in the poller and occupy no thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any


class WaitingConnections:
    """Waiting connections with one time-out for all, so that the oldest expires first. Used by one thread only."""

    def __init__(self, poller: selectors.BaseSelector, timeout: float) -> None:
        self._poller, self._timeout = poller, timeout
        self._deadlines: dict[Any, float] = {}

    def add(self, conn: Any, on_readable: Callable[[Any, socket.socket], None]) -> None:
        """Call `on_readable(conn, socket)` whenever bytes can be read. Has no effect for a connection added before."""
        if conn not in self._deadlines:
            self._deadlines[conn] = time.monotonic() + self._timeout
            self._poller.register(conn.sock, selectors.EVENT_READ, partial(on_readable, conn))

    def remove(self, conn: Any) -> None:
        """Remove a connection if it is waiting."""
        if self._deadlines.pop(conn, None):
            self._poller.unregister(conn.sock)

    def __iter__(self) -> Iterator[Any]:
        """All waiting connections, oldest first."""
        return iter(self._deadlines)

    def __contains__(self, conn: Any) -> bool:
        return conn in self._deadlines

    def overdue(self) -> Iterator[Any]:
        """Remove and yield the expired connections."""
        while self._deadlines:
            conn, deadline = next(iter(self._deadlines.items()))
            if deadline > time.monotonic():
                return
            self.remove(conn)
            yield conn

    def shorten(self, timeout: float) -> None:
        """Reduce the time-out from now on, for waiting connections too."""
        self._timeout = min(self._timeout, timeout)
        latest = time.monotonic() + timeout
        self._deadlines = {conn: min(deadline, latest) for conn, deadline in self._deadlines.items()}
