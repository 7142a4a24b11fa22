"""S3 error responses: their StorageError, the part of the message that may be shown, and the advice for operators.

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

_CLASSES: dict[str, type[StorageError]] = {
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
"""By code, else by status. A part damaged in transit (BadDigest) is retried."""

_QUOTA = re.compile(r"quota|storage_?(full|cap)|insufficient_?storage|no_?space", re.IGNORECASE)
_MAYBE_CLOCK_SKEW = (StorageDenied, StorageClockSkew)
_MAX_SKEW = 15 * 60
"""Seconds of clock skew that S3 accepts in a signature."""

_MAX_SHOWN = 200
_SECRET = re.compile(r"(?=[A-Za-z0-9+/=]*[0-9])[A-Za-z0-9+/=]{16,}")
"""Matches keys and signatures, not words."""

_KEY_ADVICE = "The key is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_REGION_ADVICE = "Set AWS_DEFAULT_REGION to the bucket's region."
_ADVICE_BY_CODE = {
    "InvalidAccessKeyId": _KEY_ADVICE,
    "SignatureDoesNotMatch": _KEY_ADVICE,
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the key.",
    "ExpiredToken": "The session token has expired: get new credentials.",
    "NoSuchBucket": "Create the bucket, or set S3_BUCKET_NAME and AWS_DEFAULT_REGION to those of an existing one.",
    "SecondLevelDomainForbidden": "Set S3_ADDRESSING=virtual.",
}
_ADVICE_BY_CLASS: dict[type[StorageError], str] = {
    StorageClockSkew: "Set this host's clock, best with NTP.",
    StorageQuotaExceeded: "Raise the storage's quota or free space there: waiting files are retried.",
    StorageWrongRegion: _REGION_ADVICE,
    StorageUnavailable: "Check S3_ENDPOINT_URL, S3_BUCKET_NAME, the network and proxy variables.",
}


def error_class(status: int, code: str) -> type[StorageError]:
    """Return the StorageError class for a status and an S3 code. Unknown 5xx are retried: attempts are bounded."""
    if _QUOTA.search(code):
        return StorageQuotaExceeded
    fallback = StorageRejected if 400 <= status < 500 else StorageUnavailable
    return _CLASSES.get(code) or _CLASSES.get(str(status)) or fallback


def storage_error(
    status: int,
    code: str,
    message: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    text: str = "",
    now: float | None = None,
) -> StorageError:
    """Return the error for a response. `text`: the whole body; `now`: seconds since the epoch.

    A denial counts as clock skew if the storage's clock differs by more than 15 minutes: rclone answers AccessDenied to
    a signature from the past.
    """
    headers, cls = headers or {}, error_class(status, code)
    skew = clock_skew(headers.get("date", ""), time.time() if now is None else now)
    denied = issubclass(cls, _MAYBE_CLOCK_SKEW) or code == "AccessDenied"
    if cls is StorageClockSkew or (denied and skew is not None and abs(skew) > _MAX_SKEW):
        return StorageClockSkew(_skew_detail(skew), code=code, message=printable(message))
    region = headers.get("x-amz-bucket-region", "")
    has_region = cls is StorageWrongRegion and re.fullmatch("[a-z0-9-]{1,30}", region)
    hint = f" The bucket is in {region}." if has_region else ""
    shown = printable(code) or str(status)
    return cls(f"The storage answered {shown}.{hint}", code=shown, message=printable(message), text=text or message)


def clock_skew(date: str, now: float) -> float | None:
    """Return the seconds by which a Date header is ahead of `now`; None if it is missing or malformed."""
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (TypeError, ValueError):
        return None


def printable(text: str) -> str:
    """Return at most 200 characters of a vendor's message, on one line, without possible keys and signatures."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * _MAX_SHOWN])
    return _SECRET.sub("…", line).strip()[:_MAX_SHOWN]


def advice(error: StorageError, default: str) -> str:
    """Return what an operator can do about an error, by its code or class."""
    return _ADVICE_BY_CODE.get(error.code) or _ADVICE_BY_CLASS.get(type(error)) or default


def _skew_detail(seconds: float | None) -> str:
    skew = "too far" if seconds is None else f"{round(abs(seconds) / 60)} minutes"
    return f"The clocks of this host and of the storage are {skew} apart."
