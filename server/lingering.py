"""The end of a connection whose client may still be sending (RFC 9112 §9.6).

Closing a socket with unread bytes resets the connection, and the client would lose the response. Instead only the
sending side is closed, and bytes are discarded until the client closes, within limits of time and size.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any

from server.waiting_connections import WaitingConnections

LINGER_BYTES = 256 << 20
"""Bytes discarded of one connection before it is reset."""

_RECV_BYTES = 256 << 10


class LingeringClose:
    """Connections that are closed once their clients have closed them. Used by one thread only."""

    def __init__(self, poller: selectors.BaseSelector, timeout: float, close: Callable[[Any], None]) -> None:
        self._waiting, self._close = WaitingConnections(poller, timeout), close
        self._bytes_left: dict[Any, int] = {}

    def add(self, conn: Any) -> None:
        """Close the sending side of a connection and discard what its client sends."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self._waiting.add(conn, self._discard)
            self._bytes_left[conn] = LINGER_BYTES
        except OSError:
            self._close(conn)

    def remove(self, conn: Any) -> None:
        """Stop waiting for a connection, which stays open."""
        self._waiting.remove(conn)
        self._bytes_left.pop(conn, None)

    def __iter__(self) -> Iterator[Any]:
        """All lingering connections, oldest first."""
        return iter(self._waiting)

    def shorten(self, timeout: float) -> None:
        """Reduce the time-out from now on."""
        self._waiting.shorten(timeout)

    def close_overdue(self) -> None:
        """Close the connections whose clients did not close them in time."""
        for conn in self._waiting.overdue():
            self._bytes_left.pop(conn, None)
            self._close(conn)

    def _discard(self, conn: Any, sock: socket.socket) -> None:
        try:
            size = len(sock.recv(_RECV_BYTES))
        except BlockingIOError:
            return
        except OSError:
            size = 0
        self._bytes_left[conn] -= size
        if not size or self._bytes_left[conn] <= 0:
            self.remove(conn)
            self._close(conn)
