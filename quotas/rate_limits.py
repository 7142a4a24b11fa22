"""Rate limits by fixed windows, counted in Redis for all processes; by each process alone while Redis is down.

A process reserves hits in Redis in batches and spends them locally: with a round trip for each request a check takes
five times the CPU. The limit is never exceeded; hits that are reserved and not spent are lost when the window ends, and
so is what remains of a limit that is no multiple of its batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

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

_EXHAUSTED = -1


@dataclass
class _Window:
    """One action's current window in this process."""

    number: int
    left: dict[str, int] = field(default_factory=dict)
    """Hits left of each client's batch; `_EXHAUSTED` until the window ends if the limit is reached."""
    uncounted: Counter[str] = field(default_factory=Counter)
    """Hits that each client got while Redis was down."""


class RateLimiter:
    """The rate limits of one process."""

    def __init__(self, redis: RedisOptions, clock: Callable[[], float] = time.time) -> None:
        self._shared, self._clock = _redis_limiter(redis), clock
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self._windows: dict[str, _Window] = {}

    def hit(self, action: str, rate: Rate, client: str) -> None:
        """Count one `action` of `client`. Raises TooManyRequests if `rate` is exceeded."""
        now = self._clock()
        number = int(now // rate.seconds)
        with self._lock:
            window = self._current_window(action, number)
            left = window.left.get(client, 0) or self._reserve(window, rate, action, client)
            window.left[client] = max(left - 1, _EXHAUSTED)
        if left == _EXHAUSTED:
            raise TooManyRequests(f"At most {rate.limit} in {rate.seconds} s.", (number + 1) * rate.seconds - now)

    def _current_window(self, action: str, number: int) -> _Window:
        """The action's window. The previous one is dropped with all its clients, which costs no request extra time."""
        window = self._windows.get(action)
        if window is None or window.number != number or len(window.left) >= _MAX_CLIENTS:
            window = self._windows[action] = _Window(number)
        return window

    def _reserve(self, window: _Window, rate: Rate, action: str, client: str) -> int:
        """The size of the client's next batch, or `_EXHAUSTED`."""
        batch = batch_size(rate.limit)
        if self._clock() >= self._retry_at:
            try:
                item = RateLimitItemPerSecond(rate.limit, rate.seconds)
                granted = self._shared.hit(item, action, client, str(window.number), cost=batch)
                return batch if granted else _EXHAUSTED
            except StorageError as error:
                self._retry_at = self._clock() + _RETRY_PAUSE
                cause = type(error.args[0]).__name__
                log.warning("rate_limits.redis_unavailable: %s, this process counts alone", cause)
        window.uncounted[client] += batch
        return batch if window.uncounted[client] <= rate.limit else _EXHAUSTED


def batch_size(limit: int) -> int:
    """How many hits a process reserves at a time: a hundredth of the limit."""
    return max(1, limit // 100)


def _redis_limiter(redis: RedisOptions) -> FixedWindowRateLimiter:
    """Connects to nothing yet. Raises StorageError for every error of Redis."""
    storage = RedisStorage(
        redis.url,
        key_prefix=redis.key("rates"),
        wrap_exceptions=True,
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
        **redis.tls,
    )
    return FixedWindowRateLimiter(storage)
