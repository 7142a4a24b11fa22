"""What a storage's refusal means: which StorageError it is, what of its own words may be repeated, what to do about it.

Pure rules over status, code, message and headers. Sources: "Error responses" of the Amazon S3 API, and the codes of
MinIO, Ceph's radosgw and Alibaba's OSS.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from storage.base import (
    StorageClockSkew,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageNoBucket,
    StorageNoUpload,
    StorageQuotaExceeded,
    StorageRejected,
    StorageUnavailable,
    StorageUnsupported,
    StorageWrongRegion,
)
from storage.s3.retries import RETRY_CODES

_KINDS: dict[str, type[StorageError]] = {
    **dict.fromkeys(("404", "NoSuchKey", "NoSuchVersion"), StorageMissing),
    **dict.fromkeys(("NoSuchBucket", "InvalidBucketName"), StorageNoBucket),
    **dict.fromkeys(("NoSuchUpload", "InvalidPart", "InvalidPartOrder"), StorageNoUpload),
    **dict.fromkeys(
        (
            "301",
            "307",
            "308",
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ),
        StorageWrongRegion,
    ),
    **dict.fromkeys(("501", "NotImplemented", "SecondLevelDomainForbidden"), StorageUnsupported),
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), StorageClockSkew),
    **dict.fromkeys((*RETRY_CODES, "408", "429", "ExpiredToken"), StorageUnavailable),
    "507": StorageQuotaExceeded,
    **dict.fromkeys(("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"), StorageDenied),
}
"""By code, else by status. A part that was damaged on its way (BadDigest) is worth another try."""

_FULL = re.compile(r"quota|storage_?(full|cap)|insufficient_?storage|no_?space", re.IGNORECASE)
_OVER_THE_CLOCK = (StorageDenied, StorageClockSkew)
_MOST_SKEW = 15 * 60
"""Seconds that S3 lets a signature's time be off."""

_LONGEST = 200
_SECRET = re.compile(r"(?=[A-Za-z0-9+/=]*[0-9])[A-Za-z0-9+/=]{16,}")
"""What keys and signatures look like, and words do not."""

_KEY_ADVICE = "The key is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_REGION_ADVICE = "Set AWS_DEFAULT_REGION to the bucket's region."
_ADVICE = {
    "InvalidAccessKeyId": _KEY_ADVICE,
    "SignatureDoesNotMatch": _KEY_ADVICE,
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the key.",
    "ExpiredToken": "The session token has ended: get new credentials.",
    "NoSuchBucket": "Create the bucket, or set S3_BUCKET_NAME and AWS_DEFAULT_REGION to those of one that exists.",
    "SecondLevelDomainForbidden": "Set S3_ADDRESSING=virtual.",
}
_ADVICE_OF: dict[type[StorageError], str] = {
    StorageClockSkew: "Set this host's clock, with NTP best.",
    StorageQuotaExceeded: "Raise the storage's quota or make room there: waiting files are tried again.",
    StorageWrongRegion: _REGION_ADVICE,
    StorageUnavailable: "Check S3_ENDPOINT_URL, S3_BUCKET_NAME, the network and proxy variables.",
}


def error_class(status: int, code: str) -> type[StorageError]:
    """Our error for an answer's status and code. An unknown one may pass: attempts are bounded anyway."""
    if _FULL.search(code):
        return StorageQuotaExceeded
    refused = StorageRejected if 400 <= status < 500 else StorageUnavailable
    return _KINDS.get(code) or _KINDS.get(str(status)) or refused


def storage_error(
    status: int,
    code: str,
    message: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    text: str = "",
    now: float | None = None,
) -> StorageError:
    """The error for an answer, with what may be repeated of it. `text` is all of it, `now` seconds since the epoch.

    A denial by a storage whose clock is more than 15 minutes away is one of the clock: rclone says AccessDenied to a
    signature from the past.
    """
    headers, kind = headers or {}, error_class(status, code)
    apart = clock_skew(headers.get("date", ""), time.time() if now is None else now)
    denied = issubclass(kind, _OVER_THE_CLOCK) or code == "AccessDenied"
    if kind is StorageClockSkew or (denied and apart is not None and abs(apart) > _MOST_SKEW):
        return StorageClockSkew(_apart(apart), code=code, message=printable(message))
    region = headers.get("x-amz-bucket-region", "")
    hint = (
        f" The bucket is in {region}." if kind is StorageWrongRegion and re.fullmatch("[a-z0-9-]{1,30}", region) else ""
    )
    said = printable(code) or str(status)
    return kind(f"The storage answered {said}.{hint}", code=said, message=printable(message), text=text or message)


def clock_skew(date: str, now: float) -> float | None:
    """Seconds by which the clock that wrote this Date header is ahead of `now`. None: there is no such header."""
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (TypeError, ValueError):
        return None


def printable(text: str) -> str:
    """At most 200 characters of a vendor's words, on one line, without what may be a key or a signature."""
    line = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _LONGEST])
    return _SECRET.sub("…", line).strip()[:_LONGEST]


def advice(error: StorageError, otherwise: str) -> str:
    """What to do about a refusal, by its code or kind."""
    return _ADVICE.get(error.code) or _ADVICE_OF.get(type(error)) or otherwise


def _apart(seconds: float | None) -> str:
    much = "too far" if seconds is None else f"{round(abs(seconds) / 60)} minutes"
    return f"The clocks of this host and of the storage are {much} apart."
