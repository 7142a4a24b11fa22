"""When a request to the storage is repeated: one policy for all calls, boto3's included. Pure rules."""

from __future__ import annotations

import random
from enum import Enum

ATTEMPTS = 5
RETRY_DEADLINE = 45.0
"""Seconds of silence and pauses after which a request is not repeated. Time in which bytes move does not count."""

RETRY_STATUSES = frozenset((408, 429, 500, 502, 503, 504))
RETRY_CODES = frozenset(
    (
        "BadDigest",
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    )
)
"""S3 error codes that are retried whatever their status: most come with 400, after damage or a stall in transit."""

_FIRST_PAUSE, _MAX_PAUSE = 0.2, 5.0


class Failure(Enum):
    """Why a request got no response. The value completes "The storage …" in logs and problems."""

    UNREACHABLE = "can't be reached"
    LOST = "closed the connection"
    SILENT = "does not respond"
    UNTRUSTED = "has no certificate that is trusted: check AWS_CA_BUNDLE"
    PROXY = "can't be reached through the proxy: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


def should_retry(
    attempt: int,
    waited: float,
    *,
    status: int = 0,
    code: str = "",
    failure: Failure | None = None,
    attempts: int = ATTEMPTS,
    retry_silence: bool = True,
) -> bool:
    """Return whether to repeat the request after attempt number `attempt`, which got a response or a `failure`.

    `waited`: seconds of silence and pauses so far. `retry_silence`: whether a silent storage is retried.
    """
    if attempt >= attempts or waited > RETRY_DEADLINE:
        return False
    if failure is not None:
        return failure is not Failure.UNTRUSTED and (retry_silence or failure is not Failure.SILENT)
    return status in RETRY_STATUSES or code in RETRY_CODES


def pause(attempt: int) -> float:
    """Return the seconds to wait after attempt number `attempt`, with jitter against simultaneous retries."""
    return random.uniform(0.5, 1) * min(_FIRST_PAUSE * 2.0 ** min(attempt, 30), _MAX_PAUSE)  # noqa: S311
