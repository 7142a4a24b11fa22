"""How errors of Redis are raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from problems import RelayLost


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise RelayLost instead of Redis's errors."""
    try:
        yield
    except redis.RedisError as error:
        raise RelayLost from error
