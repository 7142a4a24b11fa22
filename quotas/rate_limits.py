"""Rates: how often somebody may do something, counted in Redis for all processes; without Redis, for each by itself.

A process takes hits from Redis a hundredth of the limit at a time and spends them here: a round trip for each request
would cost a status lookup a third of its time. Never is more let through than the limit; what a process has taken and
not spent is lost when the window ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits.errors import StorageError
from limits.storage import RedisStorage

from config import Rate
from database.redis_options import RedisOptions
from problems import TooManyRequests

log = logging.getLogger("ferry.rates")

_PATIENCE = 0.5
"""Seconds that Redis has to answer. A request waits for it."""

_AWAY = 10.0
"""Seconds for which Redis is not asked again after it did not answer."""


_MOST = 100_000
"""Callers of one window that a process remembers. With more it forgets them all, and Redis goes on counting."""


@dataclass
class _Window:
    """What this process has taken of somebody's window: `left` can still be spent, `here` Redis knows nothing of.

    `over`: the window has no more. That does not change before the next one.
    """

    left: int = 0
    here: int = 0
    over: bool = False


class RateLimiter:
    """The rates of one process. `redis` counts for all."""

    def __init__(self, redis: RedisOptions, clock: Callable[[], float] = time.time) -> None:
        self._options, self._clock = redis, clock
        self._lock = threading.Lock()
        self._redis: RedisStorage | None = None
        self._away_until = 0.0
        self._windows: dict[str, tuple[int, dict[str, _Window]]] = {}

    def hit(self, what: str, rate: Rate, name: str) -> None:
        """Count one more time that `name` does `what`. Raises TooManyRequests where that is more than `rate`."""
        now = self._clock()
        window = int(now // rate.seconds)
        with self._lock:
            taken = self._taken_in(what, window).setdefault(name, _Window())
            if taken.left == 0 and not taken.over:
                self._take(taken, f"{what}/{name}/{window}", rate)
            if taken.left == 0:
                raise TooManyRequests(f"At most {rate.most} in {rate.seconds} s.", (window + 1) * rate.seconds - now)
            taken.left -= 1

    def _take(self, taken: _Window, key: str, rate: Rate) -> None:
        some = batch_size(rate.most)
        counted = self._counted(key, rate.seconds, some)
        if counted is None:
            taken.here += some
            counted = taken.here
        taken.left = allowed(rate.most, counted, some)
        taken.over = taken.left == 0

    def _counted(self, key: str, seconds: int, some: int) -> int | None:
        """What all processes have taken, these included. None: Redis can't be asked."""
        if self._clock() < self._away_until:
            return None
        try:
            self._redis = self._redis or RedisStorage(
                self._options.url,
                key_prefix=self._options.key("rates"),
                wrap_exceptions=True,
                socket_timeout=_PATIENCE,
                socket_connect_timeout=_PATIENCE,
                **self._options.tls,
            )
            return self._redis.incr(key, seconds, some)
        except StorageError as error:
            self._away_until = self._clock() + _AWAY
            log.warning("Redis does not answer (%s): this process counts by itself", type(error.args[0]).__name__)
            return None

    def _taken_in(self, what: str, window: int) -> dict[str, _Window]:
        """What each caller has taken in this window. The window before goes as a whole: no caller pays for others."""
        now, taken = self._windows.get(what, (window, {}))
        if now != window or len(taken) >= _MOST:
            taken = {}
        self._windows[what] = window, taken
        return taken


def batch_size(most: int) -> int:
    """How many hits are taken at once, where `most` are allowed."""
    return max(1, most // 100)


def allowed(most: int, counted: int, some: int) -> int:
    """How many of `some` hits may be spent, where `counted` are taken now, these included, and `most` are allowed."""
    return max(0, min(some, most - (counted - some)))
