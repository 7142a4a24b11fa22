"""urllib3 connections that watch the socket while a body is sent.

Timeouts bound the time without progress, not the whole transfer. An error response that arrives before the end of the
body is read at once, and also after a reset. The wait for the response begins when the peer has acknowledged the body:
some MB may be in the kernel's send buffer when the last `send` returns, which is minutes on a slow line.
"""

from __future__ import annotations

import fcntl
import http.client
import io
import re
import select
import socket
import ssl
import struct
import termios
import time
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection

CONNECT_SECONDS, SILENCE_SECONDS = 5.0, 30.0
_SLICE, _SMALL_BODY = 256 << 10, 16 << 10
_POLL_SECONDS = 0.5
_READ = 64 << 10
_MAX_EARLY = 1 << 20
_INTERIM = re.compile(rb"HTTP/1\.[01] 1.*?\r\n\r\n", re.DOTALL)
_ERROR_STATUS = re.compile(rb"HTTP/1\.[01] [345]")
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def is_error_response(received: bytes) -> bool:
    """Return whether an early response (3xx, 4xx, 5xx) makes the rest of the body pointless."""
    start = 0
    while interim := _INTERIM.match(received, start):
        start = interim.end()
    return _ERROR_STATUS.match(received, start) is not None


def unacknowledged(sock: socket.socket) -> int:
    """Return the bytes that the TCP peer has not acknowledged; 0 if the system can't tell (SIOCOUTQ is Linux's)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def wait_for(sock: socket.socket, events: int, seconds: float) -> int:
    """Return the ready poll events; 0 after `seconds` without data, space or acknowledgement."""
    poller = select.poll()
    poller.register(sock, events)
    queued, deadline = unacknowledged(sock), time.monotonic() + seconds
    while True:
        if ready := poller.poll(1000 * min(_POLL_SECONDS, seconds)):
            return ready[0][1]
        left, now = unacknowledged(sock), time.monotonic()
        if left < queued:
            deadline = now + seconds
        elif now >= deadline:
            return 0
        queued = left


class _Prefixed(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: io.RawIOBase) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._first:
            return cast("int | None", self._rest.readinto(buffer))
        taken = self._first[: len(buffer)]
        buffer[: len(taken)], self._first = taken, self._first[len(taken) :]
        return len(taken)

    def close(self) -> None:
        self._rest.close()
        super().close()


class _CompleteLines:
    """Raises if a response head is truncated: http.client would accept it as complete."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(limit)
        if len(line) < limit and not line.endswith(b"\n"):
            raise ConnectionError("the connection ended inside the response head")
        return line

    def close(self) -> None:
        self._stream.close()


class _Response(http.client.HTTPResponse):
    """Requires a complete head, skips all interim responses, and can close its connection."""

    truncated = False
    """The request was not sent to its end: the connection can't be reused."""

    def begin(self) -> None:
        stream = self.fp
        self.fp = cast("io.BufferedReader", _CompleteLines(stream))
        try:
            super().begin()
        finally:
            self.fp = stream if self.fp else None  # type: ignore[assignment]

    def _read_status(self) -> tuple[str, int, str]:
        while 100 < (found := super()._read_status())[1] < 200:  # type: ignore[misc]
            http.client.parse_headers(self.fp)
        return cast("tuple[str, int, str]", found)

    def _check_close(self) -> bool:
        return self.truncated or bool(super()._check_close())  # type: ignore[misc]


class _WatchingConnection(HTTPConnection):
    """Sends a body in slices and checks for an early response between them."""

    _early, _truncated = b"", False
    """Bytes read while the body was sent; whether the rest of the body was not sent."""

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(SILENCE_SECONDS)
        if len(data) <= _SMALL_BODY:
            super().send(data)
        elif isinstance(self.sock, socket.socket):
            self._send_watching(self.sock, memoryview(data))
        else:  # TLS through a TLS proxy: urllib3's own object, which can't be polled.
            for start in range(0, len(data), _SMALL_BODY):
                super().send(memoryview(data)[start : start + _SMALL_BODY])

    def getresponse(self) -> Any:
        if isinstance(self.sock, socket.socket) and not self._early and not self._truncated:
            silence = SILENCE_SECONDS if self.timeout is None else self.timeout
            if not wait_for(self.sock, select.POLLIN, silence):
                raise TimeoutError("no response")
        try:
            response = super().getresponse()
            if self._truncated and response.status < 300:
                response.close()
                raise ConnectionError("a success for a request that was not sent to its end")
            return response
        finally:
            self._early, self._truncated = b"", False

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> _Response:  # type: ignore[override]
        response = _Response(sock, *args, **kwargs)
        response.truncated = self._truncated
        if self._early:
            raw = response.fp.detach()
            response.fp = io.BufferedReader(_Prefixed(self._early, raw))
        return response

    def _send_watching(self, sock: socket.socket, rest: memoryview) -> None:
        """Send to the end, or until the peer rejects the request or closes. Raises TimeoutError."""
        sock.setblocking(False)
        try:
            while rest and not self._truncated:
                ready = wait_for(sock, select.POLLIN | select.POLLOUT, SILENCE_SECONDS)
                if not ready:
                    raise TimeoutError("the storage stopped reading")
                if ready & ~select.POLLOUT:
                    self._truncated = self._is_rejected(sock)
                else:
                    rest = rest[_send_some(sock, rest[:_SLICE]) :]
        except (ConnectionError, ssl.SSLError):
            self._truncated = True
            self._read_early(sock)
        finally:
            sock.settimeout(SILENCE_SECONDS)

    def _is_rejected(self, sock: socket.socket) -> bool:
        return self._read_early(sock) or is_error_response(self._early)

    def _read_early(self, sock: socket.socket) -> bool:
        """Read without blocking; return whether the peer has closed. Linux keeps what arrived before a reset."""
        try:
            while len(self._early) < _MAX_EARLY:
                if not (block := sock.recv(_READ)):
                    return True
                self._early += block
        except _WOULD_BLOCK:
            return False
        except OSError:
            return True
        return True


def _send_some(sock: socket.socket, data: memoryview) -> int:
    try:
        return sock.send(data)
    except _WOULD_BLOCK:
        return 0


class Connection(_WatchingConnection):
    """A connection to a storage or a proxy without TLS."""


class TLSConnection(_WatchingConnection, HTTPSConnection):
    """A connection to a storage with TLS, through the proxy's tunnel if there is one."""
