"""The byte budget of a spool: counts uploads while they arrive and shares the space between clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from problems import SpoolLimitReached

_RESERVATION_STEP = 1 << 20
"""Bytes reserved ahead of those received: uploads of other processes are counted once a second only."""

_REFRESH_SECONDS = 1.0
"""How long the measured size of the other files is used."""


@dataclass(eq=False)
class _Upload:
    """A file that is being received."""

    client: str
    max_bytes: int | None
    """Its declared size, or another upper bound; None if unknown."""
    received: int = 0
    reserved: int = 0


class SpoolBudget:
    """The budget of one process. A declared size reserves nothing: a client may declare much and send nothing.

    The concurrent uploads of one client may hold half of the budget, so that other clients have space. Its oldest
    upload is limited by the whole budget only: otherwise a file larger than half of it could never be received.
    """

    def __init__(
        self, limit: int, measure: Callable[[Collection[str]], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit`: the maximum of spooled bytes. `measure(ids)`: the size of all spooled files except these."""
        self._limit, self._measure, self._clock = limit, measure, clock
        self._step = min(_RESERVATION_STEP, limit // 16)
        self._lock = threading.Lock()
        self._uploads: dict[str, _Upload] = {}
        self._other_bytes, self._measured_at = 0, -_REFRESH_SECONDS

    def begin(self, id: str, client: str, max_bytes: int | None) -> None:
        """Register an upload. Raises SpoolLimitReached if its `max_bytes` exceed the space available now."""
        with self._lock:
            upload = _Upload(client, max_bytes)
            if (max_bytes or 0) > self._available(upload):
                raise SpoolLimitReached
            self._uploads[id] = upload

    def record(self, id: str, received: int) -> None:
        """Set the bytes received of an upload. Raises SpoolLimitReached if they exceed the space available to it."""
        with self._lock:
            upload = self._uploads[id]
            upload.received = received
            if received <= upload.reserved:
                return
            space = self._available(upload)
            if received > space:
                raise SpoolLimitReached
            ahead = received + self._step
            wanted = ahead if upload.max_bytes is None else min(ahead, upload.max_bytes)
            upload.reserved = max(received, min(wanted, space))

    def end(self, id: str, *, spooled: bool) -> None:
        """Remove an upload; its bytes count as another file's if it is `spooled`. A second call does nothing."""
        with self._lock:
            upload = self._uploads.pop(id, None)
            self._other_bytes += upload.received if upload and spooled else 0

    def _available(self, upload: _Upload) -> int:
        if self._clock() - self._measured_at > _REFRESH_SECONDS:
            self._other_bytes, self._measured_at = self._measure(self._uploads), self._clock()
        concurrent = [each for each in self._uploads.values() if each is not upload]
        own = [each.reserved for each in concurrent if each.client == upload.client]
        oldest = next((each for each in self._uploads.values() if each.client == upload.client), upload)
        used = self._other_bytes + sum(each.reserved for each in concurrent)
        return available(self._limit, used, sum(own), oldest=oldest is upload)


def available(limit: int, used: int, own: int, *, oldest: bool) -> int:
    """The bytes that one upload may use.

    `used`: bytes of all other files, `own` of them reserved by uploads of the same client; `oldest`: whether it is the
    client's oldest upload.
    """
    left = limit - used
    return left if oldest else min(left, limit // 2 - own)
