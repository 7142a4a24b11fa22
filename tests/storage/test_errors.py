"""Error responses of a storage: their StorageError, the shown part of the message, the advice."""

from __future__ import annotations

import re
from email.utils import formatdate

import pytest

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
from storage.s3.errors import advice, clock_skew, error_class, printable, storage_error

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", StorageMissing),
        (404, "", StorageMissing),
        (404, "NoSuchBucket", StorageNoBucket),
        (404, "NoSuchUpload", StorageNoUpload),
        (400, "InvalidPart", StorageNoUpload),
        (403, "AccessDenied", StorageDenied),
        (400, "AccessDenied", StorageDenied),
        (403, "", StorageDenied),
        (403, "InvalidAccessKeyId", StorageDenied),
        (403, "SignatureDoesNotMatch", StorageDenied),
        (401, "Unauthorized", StorageDenied),
        (403, "QuotaExceeded", StorageQuotaExceeded),
        (400, "XMinioAdminBucketQuotaExceeded", StorageQuotaExceeded),
        (507, "XMinioStorageFull", StorageQuotaExceeded),
        (507, "", StorageQuotaExceeded),
        (403, "RequestTimeTooSkewed", StorageClockSkew),
        (403, "RequestExpired", StorageClockSkew),
        (301, "PermanentRedirect", StorageWrongRegion),
        (301, "", StorageWrongRegion),
        (307, "TemporaryRedirect", StorageWrongRegion),
        (400, "AuthorizationHeaderMalformed", StorageWrongRegion),
        (400, "IllegalLocationConstraintException", StorageWrongRegion),
        (501, "NotImplemented", StorageUnsupported),
        (501, "", StorageUnsupported),
        (403, "SecondLevelDomainForbidden", StorageUnsupported),
        (400, "RequestTimeout", StorageUnavailable),
        (400, "BadDigest", StorageUnavailable),
        (400, "SlowDown", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (503, "ServiceUnavailable", StorageUnavailable),
        (400, "ExpiredToken", StorageUnavailable),
        (429, "", StorageUnavailable),
        (408, "", StorageUnavailable),
        (500, "InternalError", StorageUnavailable),
        (200, "InternalError", StorageUnavailable),
        (400, "EntityTooLarge", StorageRejected),
        (413, "", StorageRejected),
        (400, "", StorageRejected),
        (502, "", StorageUnavailable),
    ],
)
def test_the_error_class_follows_the_code_and_then_the_status(status: int, code: str, kind: type[StorageError]) -> None:
    assert error_class(status, code) is kind
    assert type(storage_error(status, code)) is kind


def test_errors_that_the_operator_can_fix_are_retried() -> None:
    assert not StorageQuotaExceeded.permanent
    assert not StorageClockSkew.permanent
    assert StorageUnsupported.permanent
    assert StorageWrongRegion.permanent


def test_the_storages_code_is_in_the_detail_and_its_message_is_not() -> None:
    error = storage_error(403, "QuotaExceeded", "You have used 20 MB of 20 MB.")

    assert error.detail == "The storage answered QuotaExceeded."
    assert error.cause == "QuotaExceeded: You have used 20 MB of 20 MB."
    assert storage_error(500, "").detail == "The storage answered 500."
    assert storage_error(500, "").cause == "500"
    assert StorageUnavailable("The storage does not respond.").cause == "The storage does not respond."
    assert StorageUnavailable().cause == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("A header x-amz-checksum-crc32 is not implemented", "A header x-amz-checksum-crc32 is not implemented"),
        ("two\r\nlines\x00\x1b[2J", "two  lines  [2J"),
        ("x" * 300, "x" * 200),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key … is unknown"),
        ("Signature=" + "0123456789abcdef" * 4, "…"),
        ("secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret …"),
        ("the region 'us-east-1' is wrong; expecting 'eu-central-1'",) * 2,
        ("", ""),
    ],
)
def test_a_vendors_message_is_short_and_contains_no_key(said: str, shown: str) -> None:
    assert printable(said) == shown


@pytest.mark.parametrize(
    ("status", "code", "minutes", "said"),
    [
        (403, "RequestTimeTooSkewed", 20, "20 minutes apart"),
        (403, "RequestTimeTooSkewed", -60, "60 minutes apart"),
        (403, "RequestTimeTooSkewed", None, "too far apart"),
        (403, "", 60, "60 minutes apart"),
        (400, "AccessDenied", 60, "60 minutes apart"),
        (403, "SignatureDoesNotMatch", -16, "16 minutes apart"),
    ],
)
def test_a_denial_with_clock_skew_names_the_minutes(status: int, code: str, minutes: int | None, said: str) -> None:
    headers = {} if minutes is None else {"date": formatdate(NOW + 60 * minutes, usegmt=True)}
    error = storage_error(status, code, headers=headers, now=NOW)

    assert type(error) is StorageClockSkew
    assert error.detail is not None
    assert said in error.detail


@pytest.mark.parametrize(
    ("status", "code", "minutes"), [(403, "AccessDenied", 14), (404, "NoSuchKey", 60), (500, "", 60)]
)
def test_other_errors_are_not_reported_as_clock_skew(status: int, code: str, minutes: int) -> None:
    headers = {"date": formatdate(NOW + 60 * minutes, usegmt=True)}

    assert not isinstance(storage_error(status, code, headers=headers, now=NOW), StorageClockSkew)


def test_a_malformed_date_gives_no_skew() -> None:
    assert clock_skew("", NOW) is clock_skew("yesterday", NOW) is None
    assert clock_skew(formatdate(NOW, usegmt=True), NOW - 5) == 5


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        (403, "SecondLevelDomainForbidden", "S3_ADDRESSING"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "QuotaExceeded", "quota"),
        (301, "PermanentRedirect", "AWS_DEFAULT_REGION"),
        (404, "NoSuchBucket", "S3_BUCKET_NAME"),
        (503, "SlowDown", "S3_ENDPOINT_URL"),
        (403, "AccessDenied", "otherwise"),
    ],
)
def test_advice_depends_on_the_code(status: int, code: str, word: str) -> None:
    assert word in advice(storage_error(status, code), "otherwise")


def test_a_redirect_names_the_bucket_region() -> None:
    assert "eu-west-3" in str(
        storage_error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-3"}).detail
    )


@pytest.mark.parametrize("cls", [StorageError, *StorageError.__subclasses__(), *StorageUnavailable.__subclasses__()])
def test_problem_pages_name_no_python_attribute(cls: type[StorageError]) -> None:
    """The docstring is what `/problems/<slug>` says to users of the API."""
    assert set(re.findall("`(.*?)`", cls.__doc__ or "")) <= {"flask doctor"}
