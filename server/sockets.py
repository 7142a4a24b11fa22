"""Socket options and states that the worker needs."""

from __future__ import annotations

import select
import socket
import struct

TICK = 0.5
"""Seconds after which a read without a byte returns, to be repeated: the precision of the body time-out."""


def defer_accept(listener: socket.socket) -> None:
    """Have the kernel hold each new connection until its first bytes arrive, mostly the whole request head."""
    if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)


def set_timeouts(sock: socket.socket, body_timeout: float) -> None:
    """Bound every blocking read and write of a connection.

    Not set on the listener: connections made before that would not inherit it.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(TICK))
    # send() reports a time-out only if it sent nothing. After a partial send the next call waits again: two halves
    # make one time-out.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(body_timeout / 2))


def is_readable(sock: socket.socket) -> bool:
    """Whether bytes or the end of the stream can be read without blocking."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def is_disconnected(connection: socket.socket | None) -> bool:
    """Whether the client has closed its connection. False over TLS, where it can't be determined by peeking."""
    if type(connection) is not socket.socket:
        return False
    try:
        return is_readable(connection) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
