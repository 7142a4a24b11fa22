"""When a request to the storage is sent again: one policy for every call, boto3's included. Pure rules."""

from __future__ import annotations

import random
from enum import Enum

ATTEMPTS = 5
RETRY_DEADLINE = 45.0
"""Seconds of silence and pauses after which a request is not sent again. Time in which bytes move does not count."""

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
"""S3 error codes that may pass, whatever their status: most come with 400, after damage or a stall on the way."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Failure(Enum):
    """Why a request has no answer. The value is the cause for logs and problems."""

    UNREACHABLE = "can't be reached"
    LOST = "ended the connection"
    SILENT = "is silent"
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
    """Whether to send again after attempt number `attempt`, which brought an answer or a `failure`.

    `waited`: seconds of silence and pauses so far. `retry_silence`: whether a storage that said nothing is asked again.
    """
    if attempt >= attempts or waited > RETRY_DEADLINE:
        return False
    if failure is not None:
        return failure is not Failure.UNTRUSTED and (retry_silence or failure is not Failure.SILENT)
    return status in RETRY_STATUSES or code in RETRY_CODES


def pause(attempt: int) -> float:
    """Seconds to wait after attempt number `attempt`. Spread, so that what failed together does not come together."""
    return random.uniform(0.5, 1) * min(_FIRST_PAUSE * 2.0 ** min(attempt, 30), _LONGEST_PAUSE)  # noqa: S311
