"""Which waiting connection is closed when a process has almost as many as it can serve."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

HIGH_WATER = 0.9
"""Share of gunicorn's `worker_connections` above which a waiting connection is closed for each new one."""

_LOG_INTERVAL = 1.0


def index_to_evict(clients: Sequence[str]) -> int:
    """The index of the oldest connection of the client that has the most. `clients`: by connection, oldest first."""
    counts = Counter(clients)
    return clients.index(max(counts, key=counts.__getitem__))


class EvictionLog:
    """Counts closed connections by client and logs them once a second, so that a flood does not flood the log."""

    def __init__(self, warn: Callable[..., None], clock: Callable[[], float] = time.monotonic) -> None:
        self._warn, self._clock = warn, clock
        self._evicted: Counter[str] = Counter()
        self._logged_at = -_LOG_INTERVAL

    def record(self, client: str) -> None:
        """Count a connection that was closed."""
        self._evicted[client] += 1

    def flush(self) -> None:
        """Log what was counted, unless that was done less than a second ago."""
        if self._evicted and self._clock() >= self._logged_at + _LOG_INTERVAL:
            self._logged_at = self._clock()
            for client, count in self._evicted.items():
                self._warn(
                    "connections.evicted: %d of %s closed, the process has nearly worker_connections",
                    count,
                    client or "a Unix socket",
                )
            self._evicted.clear()
