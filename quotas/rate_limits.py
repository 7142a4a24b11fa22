"""Rate limits by fixed windows, counted in Redis for all processes; by each process alone while Redis is down.

A process reserves hits in Redis in batches of a hundredth of the limit and spends them locally: a round trip for each
request would cost a third of the time of a status query. The limit is never exceeded; hits that a process has reserved
and not spent are lost when the window ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits.errors import StorageError
from limits.storage import RedisStorage

from config_types import Rate
from database.redis_options import RedisOptions
from problems import TooManyRequests

log = logging.getLogger("ferry.rate_limits")

_REDIS_TIMEOUT = 0.5
"""Seconds that Redis has to answer. A request waits for it."""

_RETRY_PAUSE = 10.0
"""Seconds without another attempt after Redis did not answer."""

_MAX_CLIENTS = 100_000
"""Clients of one window that a process remembers. With more it forgets all of them; Redis keeps counting."""


@dataclass
class _Window:
    """One client's rate-limit window in this process."""

    remaining: int = 0
    """Hits left of the current batch."""
    local: int = 0
    """Hits reserved while Redis was down, which it does not count."""
    exhausted: bool = False
    """Whether the limit is reached. Stays so until the next window."""


class RateLimiter:
    """The rate limits of one process."""

    def __init__(self, redis: RedisOptions, clock: Callable[[], float] = time.time) -> None:
        self._options, self._clock = redis, clock
        self._lock = threading.Lock()
        self._redis: RedisStorage | None = None
        self._retry_at = 0.0
        self._windows: dict[str, tuple[int, dict[str, _Window]]] = {}

    def hit(self, action: str, rate: Rate, client: str) -> None:
        """Count one `action` of `client`. Raises TooManyRequests if `rate` is exceeded."""
        now = self._clock()
        number = int(now // rate.seconds)
        with self._lock:
            window = self._current_windows(action, number).setdefault(client, _Window())
            if window.remaining == 0 and not window.exhausted:
                self._reserve(window, f"{action}/{client}/{number}", rate)
            if window.remaining == 0:
                raise TooManyRequests(f"At most {rate.limit} in {rate.seconds} s.", (number + 1) * rate.seconds - now)
            window.remaining -= 1

    def _reserve(self, window: _Window, key: str, rate: Rate) -> None:
        batch = batch_size(rate.limit)
        count = self._shared_count(key, rate.seconds, batch)
        if count is None:
            window.local += batch
            count = window.local
        window.remaining = allowed(rate.limit, count, batch)
        window.exhausted = window.remaining == 0

    def _shared_count(self, key: str, seconds: int, batch: int) -> int | None:
        """The hits that all processes have reserved, this batch included; None while Redis is down."""
        if self._clock() < self._retry_at:
            return None
        try:
            self._redis = self._redis or RedisStorage(
                self._options.url,
                key_prefix=self._options.key("rates"),
                wrap_exceptions=True,
                socket_timeout=_REDIS_TIMEOUT,
                socket_connect_timeout=_REDIS_TIMEOUT,
                **self._options.tls,
            )
            return self._redis.incr(key, seconds, batch)
        except StorageError as error:
            self._retry_at = self._clock() + _RETRY_PAUSE
            cause = type(error.args[0]).__name__
            log.warning("rate_limits.redis_unavailable: %s, this process counts alone", cause)
            return None

    def _current_windows(self, action: str, number: int) -> dict[str, _Window]:
        """The windows of all clients. The previous ones are dropped as a whole, which costs no request extra time."""
        current, windows = self._windows.get(action, (number, {}))
        if current != number or len(windows) >= _MAX_CLIENTS:
            windows = {}
        self._windows[action] = number, windows
        return windows


def batch_size(limit: int) -> int:
    """How many hits a process reserves at a time."""
    return max(1, limit // 100)


def allowed(limit: int, count: int, batch: int) -> int:
    """How many hits of a `batch` may be spent if `count` are reserved by all processes, the batch included."""
    return max(0, min(batch, limit - (count - batch)))
