"""Answers on their way to clients that do not read them: each holds a thread, and one address never all of them."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from problems import RequestTimeout
from server.min_rate import MinRate


class SendSlots:
    """Threads of a process that may wait for the clients of one network to read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a place. Raises ConnectionResetError where the client's others hold all that it may have."""
        with self._lock:
            if self._taken[client] >= self._most:
                raise _reset("too many of its answers wait to be read")
            self._taken[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[client] -= 1
                if not self._taken[client]:
                    del self._taken[client]


class ResponseSocket:
    """A plain socket as gunicorn writes to it. What the kernel does not take at once needs a place and keeps a pace."""

    def __init__(self, straight: socket.socket, client: str, places: SendSlots, pace: MinRate) -> None:
        self.straight = straight
        self._client, self._places, self._pace = client, places, pace

    def sendall(self, data: bytes) -> None:
        """Send all of it. Raises ConnectionResetError for a client that does not read, or too slowly."""
        rest = memoryview(data)
        with suppress(BlockingIOError):
            rest = rest[self.straight.send(rest, socket.MSG_DONTWAIT) :]
        if rest:
            with self._places.take(self._client):
                self._send_patiently(rest)

    def _send_patiently(self, rest: memoryview) -> None:
        while rest:
            began, taken = time.monotonic(), 0
            with suppress(BlockingIOError):
                taken = self.straight.send(rest)
            try:
                self._pace.record(taken, time.monotonic() - began)
            except RequestTimeout as error:
                raise _reset("it reads too slowly") from error
            rest = rest[taken:]


def _reset(why: str) -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, why)
