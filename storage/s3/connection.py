"""urllib3's connections, made to see what happens while a body is sent.

Time without progress is bounded, not the whole transfer. A refusal that comes before the end of the body is read at
once, and after a reset too. The wait for an answer begins when the peer has acknowledged the bytes: some MB of them
may lie in the kernel when the last `send` returns, which is minutes on a slow line.
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
_SLICE, _AT_ONCE = 256 << 10, 16 << 10
_LOOK_SECONDS = 0.5
_READ = 64 << 10
_MOST_EARLY = 1 << 20
_INTERIM = re.compile(rb"HTTP/1\.[01] 1.*?\r\n\r\n", re.DOTALL)
_REFUSAL = re.compile(rb"HTTP/1\.[01] [345]")
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def is_refusal(received: bytes) -> bool:
    """Whether an answer that begins before the end of the body makes the rest pointless: 3xx, 4xx, 5xx."""
    start = 0
    while interim := _INTERIM.match(received, start):
        start = interim.end()
    return _REFUSAL.match(received, start) is not None


def unacknowledged(sock: socket.socket) -> int:
    """Bytes of a TCP socket that the peer has not acknowledged; 0 where the system can't say (SIOCOUTQ is Linux's)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def wait_for(sock: socket.socket, events: int, seconds: float) -> int:
    """The poll events that are ready; 0 after `seconds` in which nothing came and nothing was acknowledged."""
    poller = select.poll()
    poller.register(sock, events)
    queued, until = unacknowledged(sock), time.monotonic() + seconds
    while True:
        if found := poller.poll(1000 * min(_LOOK_SECONDS, seconds)):
            return found[0][1]
        left, now = unacknowledged(sock), time.monotonic()
        if left < queued:
            until = now + seconds
        elif now >= until:
            return 0
        queued = left


class _Prefixed(io.RawIOBase):
    """A stream whose first bytes have been read already."""

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


class _WholeLines:
    """A stream whose end in the middle of a head is an error: http.client takes what came for all of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(limit)
        if len(line) < limit and not line.endswith(b"\n"):
            raise ConnectionError("the connection ended before the answer's head did")
        return line

    def close(self) -> None:
        self._stream.close()


class _Response(http.client.HTTPResponse):
    """Wants a whole head, skips interim answers of every kind, and can end its connection."""

    cut = False
    """Whether the request was not sent whole: nothing can follow it on its connection."""

    def begin(self) -> None:
        stream = self.fp
        self.fp = cast("io.BufferedReader", _WholeLines(stream))
        try:
            super().begin()
        finally:
            self.fp = stream if self.fp else None  # type: ignore[assignment]

    def _read_status(self) -> tuple[str, int, str]:
        while 100 < (found := super()._read_status())[1] < 200:  # type: ignore[misc]
            http.client.parse_headers(self.fp)
        return cast("tuple[str, int, str]", found)

    def _check_close(self) -> bool:
        return self.cut or bool(super()._check_close())  # type: ignore[misc]


class _Watchful(HTTPConnection):
    """Sends a body in slices, and looks for the answer between them."""

    _early, _cut = b"", False
    """What was read while the body was sent; whether the rest of the body stayed here."""

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(SILENCE_SECONDS)
        if len(data) <= _AT_ONCE:
            super().send(data)
        elif isinstance(self.sock, socket.socket):
            self._send_watching(self.sock, memoryview(data))
        else:  # TLS through a proxy that is spoken to in TLS itself: urllib3's own object, which can't be polled.
            for start in range(0, len(data), _AT_ONCE):
                super().send(memoryview(data)[start : start + _AT_ONCE])

    def getresponse(self) -> Any:
        if isinstance(self.sock, socket.socket) and not self._early and not self._cut:
            silence = SILENCE_SECONDS if self.timeout is None else self.timeout
            if not wait_for(self.sock, select.POLLIN, silence):
                raise TimeoutError("no answer")
        try:
            response = super().getresponse()
            if self._cut and response.status < 300:
                response.close()
                raise ConnectionError("a success of a request that was not sent whole")
            return response
        finally:
            self._early, self._cut = b"", False

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> _Response:  # type: ignore[override]
        response = _Response(sock, *args, **kwargs)
        response.cut = self._cut
        if self._early:
            raw = response.fp.detach()
            response.fp = io.BufferedReader(_Prefixed(self._early, raw))
        return response

    def _send_watching(self, sock: socket.socket, rest: memoryview) -> None:
        """Send until the end, or until the peer refuses the request or closes. Raises TimeoutError."""
        sock.setblocking(False)
        try:
            while rest and not self._cut:
                ready = wait_for(sock, select.POLLIN | select.POLLOUT, SILENCE_SECONDS)
                if not ready:
                    raise TimeoutError("the storage takes no more bytes")
                if ready & ~select.POLLOUT:
                    self._cut = self._is_refused(sock)
                else:
                    rest = rest[_sent(sock, rest[:_SLICE]) :]
        except (ConnectionError, ssl.SSLError):
            self._cut = True
            self._read_what_came(sock)
        finally:
            sock.settimeout(SILENCE_SECONDS)

    def _is_refused(self, sock: socket.socket) -> bool:
        return self._read_what_came(sock) or is_refusal(self._early)

    def _read_what_came(self, sock: socket.socket) -> bool:
        """Read without waiting. Returns whether the peer has closed: Linux keeps what came before its reset."""
        try:
            while len(self._early) < _MOST_EARLY:
                if not (block := sock.recv(_READ)):
                    return True
                self._early += block
        except _NOT_NOW:
            return False
        except OSError:
            return True
        return True


def _sent(sock: socket.socket, piece: memoryview) -> int:
    try:
        return sock.send(piece)
    except _NOT_NOW:
        return 0


class Connection(_Watchful):
    """To a storage or a proxy, without TLS."""


class TLSConnection(_Watchful, HTTPSConnection):
    """To a storage, with TLS; through a proxy's tunnel where there is one."""
