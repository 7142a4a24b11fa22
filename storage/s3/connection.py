"""One connection to the storage: sends a request, watches the socket meanwhile, and receives the response.

Timeouts bound the time without progress, not the whole transfer. An error response that arrives before the end of the
body is read at once, and also after a reset. The wait for the response begins when the peer has acknowledged the body:
some MB may be in the kernel's send buffer when the last `send` returns, which is minutes on a slow line.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import sys
import termios
import time
from contextlib import suppress

from urllib3.connection import HTTPConnection

from storage.s3.responses import MAX_BODY, Response, ResponseParser

CONNECT_SECONDS, SILENCE_SECONDS = 5.0, 30.0
_SMALL_BODY = 16 << 10
_POLL_SECONDS = 0.5
_READ = 64 << 10
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def unacknowledged(sock: socket.socket) -> int:
    """Return the bytes that the TCP peer has not acknowledged; 0 if the system can't tell (SIOCOUTQ is Linux's)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def wait_for(sock: socket.socket, events: int, seconds: float) -> int:
    """Return the ready poll events; 0 after `seconds` without data, space or acknowledgement.

    Acknowledgements count from the first poll on, which spares most calls the ioctl: a timeout may last 0.5 s longer.
    """
    poller = select.poll()
    poller.register(sock, events)
    queued, deadline = sys.maxsize, 0.0
    while True:
        if ready := poller.poll(1000 * min(_POLL_SECONDS, seconds)):
            return ready[0][1]
        left, now = unacknowledged(sock), time.monotonic()
        if left < queued:
            deadline = now + seconds
        elif now >= deadline:
            return 0
        queued = left


class Connection:
    """A connected socket, for one request at a time. Requests raise OSError; the connection must be closed then."""

    def __init__(self, connected: HTTPConnection) -> None:
        """`connected`: urllib3's connection; it made the socket, with TLS and the proxy's tunnel where needed."""
        self._connected = connected
        self._sock: socket.socket = connected.sock
        # TLS inside the TLS of a proxy is urllib3's own object, which can't be polled: it blocks instead.
        self._polls = isinstance(connected.sock, socket.socket)
        self._parser, self._truncated = ResponseParser(""), False
        """The response in progress; whether the peer ended its request early."""
        self._sent = False
        """Whether that request was sent to its end. If not, the peer would read the next one as the rest of it."""
        self._set_silence(SILENCE_SECONDS)
        if self._polls:
            self._sock.setblocking(False)

    @property
    def is_reusable(self) -> bool:
        """Whether the request was sent and the response received to the end, and the peer keeps the connection open."""
        return self._sent and self._parser.is_complete and self._parser.keeps_alive

    def is_idle(self) -> bool:
        """Return whether the connection is still open, and the peer has sent nothing unasked."""
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        return not poller.poll(0)

    def exchange(self, method: str, head: bytes, body: memoryview, silence: float) -> ResponseParser:
        """Send a request and receive the head of its response, or more. `silence`: timeout in seconds without a byte.

        Raises TimeoutError or another OSError.
        """
        self._parser, self._truncated, self._sent = ResponseParser(method), False, False
        self._set_silence(SILENCE_SECONDS)
        self._send(memoryview(b"".join((head, body[:_SMALL_BODY]))))
        self._send(body[_SMALL_BODY:])
        self._sent = not self._truncated
        self._set_silence(silence)
        if not self._truncated and not self._parser.status:
            self._wait(select.POLLIN)
        while not self._parser.status:
            self._receive()
        if self._truncated and self._parser.status < 300:
            raise ConnectionError("a success for a request that was not sent to its end")
        return self._parser

    def read(self) -> Response:
        """Receive the rest of the response, at most MAX_BODY bytes. An error response may be truncated."""
        try:
            while not self._parser.is_complete and len(self._parser.body) < MAX_BODY:
                self._receive()
        except OSError:
            # The request may have been truncated too.
            if self._parser.status < 300:
                raise
        return self._parser.response()

    def recv(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end of the connection. Raises TimeoutError."""
        while True:
            try:
                return self._sock.recv(size)
            except _WOULD_BLOCK:
                self._wait(select.POLLIN)

    def close(self) -> None:
        """Disconnect. May be called again."""
        self._connected.close()

    def _set_silence(self, seconds: float) -> None:
        self._silence = seconds
        if not self._polls:
            self._sock.settimeout(seconds)

    def _receive(self) -> None:
        if data := self.recv(_READ):
            self._parser.feed(data)
        else:
            self._parser.end()

    def _wait(self, events: int) -> int:
        """Return the ready events. Raises TimeoutError."""
        if not self._polls:
            return select.POLLOUT
        if ready := wait_for(self._sock, events, self._silence):
            return ready
        raise TimeoutError("no progress")

    def _send(self, rest: memoryview) -> None:
        """Send to the end, or until the peer rejects the request or closes. Raises TimeoutError."""
        # One call sends what fits into the buffer. A blocking one gets little: its timeout bounds the whole call.
        size = len(rest) if self._polls else _SMALL_BODY
        try:
            while rest and not self._truncated:
                rest = rest[_send_some(self._sock, rest[:size]) :]
                if rest and self._wait(select.POLLIN | select.POLLOUT) & ~select.POLLOUT:
                    self._truncated = self._is_rejected()
        except (ConnectionError, ssl.SSLError):
            self._truncated = True
            with suppress(OSError):
                self._is_rejected()

    def _is_rejected(self) -> bool:
        """Read without blocking. Return whether the peer has closed, or has sent an error response."""
        try:
            while len(self._parser.body) < MAX_BODY and (data := self._sock.recv(_READ)):
                self._parser.feed(data)
        except _WOULD_BLOCK:
            return self._parser.status >= 300
        return True


def _send_some(sock: socket.socket, data: memoryview) -> int:
    try:
        return sock.send(data)
    except _WOULD_BLOCK:
        return 0
