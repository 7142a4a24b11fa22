"""Token bucket: a limit on bytes per second, shared by all transfers of a client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST_SECONDS = 0.25
"""Idle time that may be caught up, so that a slow disk read does not lower the rate."""

_CHUNKS_PER_SECOND = 8
_MIN_CHUNK, _MAX_CHUNK = 1 << 10, 1 << 20


class RateLimit:
    """Allows `bytes_per_second` over all threads together. `clock` and `sleep` take seconds."""

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
    def chunk_bytes(self) -> int:
        """Bytes to acquire at once: 1/8 s worth, so that a slow transfer stays steady and never looks stalled."""
        return int(min(max(self._rate / _CHUNKS_PER_SECOND, _MIN_CHUNK), _MAX_CHUNK))

    def acquire(self, size: int) -> None:
        """Sleep until `size` more bytes are within the rate. Threads are served in the order of their calls."""
        with self._lock:
            now = self._clock()
            self._free_from = max(self._free_from, now - _BURST_SECONDS) + size / self._rate
            delay = self._free_from - now
        if delay > 0:
            self._sleep(delay)
