"""Retry policy: which errors are retried, and after which delay."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ferry_client.errors import ConnectionFailed, FerryError, WrongAddress

log = logging.getLogger("ferry_client")
Result = TypeVar("Result")

RETRY_STATUSES = (408, 425, 429, 502, 503, 504)
"""408 (RFC 9110 §15.5.9) and 425 (RFC 8470 §5.2) allow a repeated request. 500 is excluded: Ferry sends it for its own
bugs, which a repeated request would hit again. So is 507: only the user may repeat the request (RFC 4918 §11.5).
"""
_PERMANENT_SLUGS = (
    "storage-denied", "storage-no-bucket", "storage-rejected", "storage-missing", "storage-unsupported",
    "storage-wrong-region",
)  # fmt: skip
"""Ferry's 502s that need the operator. Any other 502 is a proxy's, or temporary."""

_FIRST_DELAY, _MAX_DELAY = 0.5, 30.0
RATE_LIMIT_FACTOR = 20
"""Multiple of `max_retry_seconds` for 429: slots are freed by this client's other transfers, not by a repair."""


def is_retryable(error: FerryError) -> bool:
    """Return whether a repeated request may succeed."""
    if isinstance(error, ConnectionFailed):
        return not isinstance(error, WrongAddress)
    in_use = error.slug == "idempotency-key-in-use"  # The server still processes the first request, whose client left.
    return in_use or (error.status in RETRY_STATUSES and error.slug not in _PERMANENT_SLUGS)


def retry_delay(
    error: FerryError, failures: int, elapsed: float, max_retry_seconds: float, jitter: float
) -> float | None:
    """Return the seconds before the next try after the `failures`th failure, or None to give up.

    The delay doubles with each failure and is never below Retry-After (RFC 9110 §10.2.3). `jitter`, 0 to 1, spreads
    clients that failed at the same time. `elapsed`: seconds of earlier delays and of
    failed tries that count (ConnectionFailed.idle); the sum with the next delay is at most `max_retry_seconds`.
    """
    if not is_retryable(error):
        return None
    delay = min(_FIRST_DELAY * 2 ** (failures - 1), _MAX_DELAY) * (0.5 + jitter / 2)
    if error.retry_after is not None:
        delay = error.retry_after + delay / 2
    limit = max_retry_seconds * (RATE_LIMIT_FACTOR if error.status == 429 else 1)
    return delay if elapsed + delay <= limit else None


def with_retries(
    call: Callable[[], Result], max_retry_seconds: float, can_retry: Callable[[], bool] = lambda: True
) -> Result:
    """Return the result of `call`, repeated while its FerryError is retryable and `can_retry` returns True."""
    failures, elapsed = 0, 0.0
    while True:
        try:
            return call()
        except FerryError as error:
            failures += 1
            idle = error.idle if isinstance(error, ConnectionFailed) else 0.0
            delay = retry_delay(error, failures, elapsed + idle, max_retry_seconds, random.random())  # noqa: S311
            if delay is None or not can_retry():
                raise
            log.info("%s; again in %.1f s", error, delay)
        time.sleep(delay)
        elapsed += delay + idle
