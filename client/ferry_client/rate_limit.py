"""A bound on bytes per second that any number of transfers share: a token bucket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST_SECONDS = 0.25
"""Idle time that can be made up for: a disk that pauses does not slow the line."""

_PIECES_PER_SECOND = 8
_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 10, 1 << 20


class RateLimit:
    """Lets `bytes_per_second` pass in all, whichever thread they belong to. `clock` and `sleep` are in seconds."""

    def __init__(
        self, bytes_per_second: float, *, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        """Raises ValueError unless the rate is positive."""
        if not bytes_per_second > 0:
            raise ValueError(f"{bytes_per_second!r} bytes per second: a rate is more than 0")
        self._rate, self._clock, self._sleep = bytes_per_second, clock, sleep
        self._lock = threading.Lock()
        self._free_from = clock()

    @property
    def piece(self) -> int:
        """Bytes to take at a time: an eighth of a second's, so that a slow line is steady and never looks stalled."""
        return int(min(max(self._rate / _PIECES_PER_SECOND, _SMALLEST_PIECE), _LARGEST_PIECE))

    def take(self, size: int) -> None:
        """Wait until `size` more bytes are within the rate. Threads pass in the order in which they ask."""
        with self._lock:
            now = self._clock()
            self._free_from = max(self._free_from, now - _BURST_SECONDS) + size / self._rate
            pause = self._free_from - now
        if pause > 0:
            self._sleep(pause)
