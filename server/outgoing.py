"""Responses to clients that read slowly: each occupies a thread, and one network must not occupy all of them."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import AbstractContextManager, suppress

from problems import RequestTimeout
from server.min_rate import MinRate
from server.slots import ProcessSlots


class SendSlots:
    """Threads of this process that may wait until a client of one network reads."""

    def __init__(self, limit: int) -> None:
        self._limit, self._slots = limit, ProcessSlots()

    def acquire(self, client: str) -> AbstractContextManager[None]:
        """Hold a slot. Raises ConnectionResetError if the client holds all of its slots."""
        return self._slots.acquire(client, self._limit, _reset("too many of its responses are unread"))


class ResponseSocket:
    """A plain socket as gunicorn writes to it. Bytes beyond the kernel's buffer need a slot and a minimum rate."""

    def __init__(self, raw: socket.socket, client: str, slots: SendSlots, min_rate: MinRate) -> None:
        self.raw = raw
        self._client, self._slots, self._min_rate = client, slots, min_rate

    def sendall(self, data: bytes) -> None:
        """Send all bytes. Raises ConnectionResetError if the client does not read, or too slowly."""
        unsent = memoryview(data)
        with suppress(BlockingIOError):
            unsent = unsent[self.raw.send(unsent, socket.MSG_DONTWAIT) :]
        if unsent:
            with self._slots.acquire(self._client):
                self._send_with_min_rate(unsent)

    def _send_with_min_rate(self, unsent: memoryview) -> None:
        while unsent:
            started, size = time.monotonic(), 0
            with suppress(BlockingIOError):
                size = self.raw.send(unsent)
            try:
                self._min_rate.record(size, time.monotonic() - started)
            except RequestTimeout as error:
                raise _reset("it reads too slowly") from error
            unsent = unsent[size:]


def _reset(reason: str) -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, reason)
