"""The storage checks of `flask doctor`, by fault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from storage.base import Check, Stat, StorageDenied, StorageError, StorageMismatch
from storage.memory import MemoryStorage
from storage.s3.diagnosis import check_clock, diagnose
from storage.s3.errors import storage_error

NOW = 1_800_000_000.0


def client_error(status: int, code: str, ahead: float = 0) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": {"date": formatdate(time.time() + ahead, usegmt=True)}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": meta}, "Any")


class Boto:
    """Returns the configured response of each call, or raises it if it is an error."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {"list_buckets": {"Buckets": [{"Name": "ferry"}]}} | answers

    def __getattr__(self, name: str) -> Any:
        answer = self._answers.get(name, {})

        def call(**_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Objects(MemoryStorage):
    """Objects in memory, with one method that fails."""

    bucket, prefix = "ferry", "up/"

    def __init__(self, fails: str = "", error: StorageError | None = None) -> None:
        super().__init__()
        self.fails, self.error = fails, error or StorageError()
        self.removed: list[tuple[str, str | None]] = []

    def put(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        self._fail("put")
        stored = super().put(key, stream, **options)
        return Stat(key, stored.size, stored.etag, f"v{len(self.removed)}")

    def open(self, key: str, *span: Any, **options: Any) -> Any:
        self._fail("open")
        return super().open(key, *span, **options)

    def delete(self, key: str, version: str | None = None) -> None:
        self._fail("delete")
        self.removed.append((key, version))
        super().delete(key)

    def describe_region(self) -> str:
        return ""

    def describe_proxy(self) -> str:
        return ""

    def describe(self) -> str:
        return "region x"

    def _fail(self, name: str) -> None:
        if name == self.fails:
            raise self.error


def checks(storage: Objects | None = None, **answers: Any) -> dict[str, Check]:
    return {check.subject: check for check in diagnose(storage or Objects(), lambda: Boto(**answers))}


def test_all_checks_pass_and_written_versions_are_deleted() -> None:
    storage = Objects()
    found = checks(storage)

    assert all(check.ok for check in found.values())
    assert list(found) == ["storage", "clock", "bucket ferry", "write to ferry", "endpoint"]
    assert storage.removed == [("up/ferry-doctor", "v0"), ("up/ferry-doctor", "v1")]


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_wrong_key_is_distinguished_from_a_missing_permission(code: str) -> None:
    found = checks(list_buckets=client_error(403, code), head_bucket=client_error(403, "403"),
                   list_objects_v2=client_error(403, code))  # fmt: skip

    for subject in ("storage", "bucket ferry"):
        assert not found[subject].ok
        assert code in found[subject].detail
        assert "The key is wrong" in found[subject].detail
        assert "Create" not in found[subject].detail


def test_a_missing_permission_is_named() -> None:
    denied = client_error(403, "AccessDenied")
    assert checks(list_buckets=denied)["storage"].ok

    no_list = checks(head_bucket=client_error(403, "403"), list_objects_v2=denied)["bucket ferry"]
    assert not no_list.ok
    assert "AccessDenied" in no_list.detail
    assert "s3:ListBucket" in no_list.detail
    for step, right in (("put", "s3:PutObject"), ("open", "s3:GetObject"), ("delete", "s3:DeleteObject")):
        said = checks(Objects(step, StorageDenied("The storage answered AccessDenied.", code="AccessDenied")))
        assert right in said["write to ferry"].detail
        assert said["bucket ferry"].ok


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "NoSuchBucket", ("Bucket not found", "Create")),
        (301, "PermanentRedirect", ("region", "AWS_DEFAULT_REGION")),
    ],
)
def test_a_failed_head_is_explained_by_a_listing(status: int, code: str, words: tuple[str, ...]) -> None:
    head, listing = client_error(status, str(status)), client_error(status, code)
    found = checks(head_bucket=head, list_objects_v2=listing)["bucket ferry"]

    assert not found.ok
    assert all(word in found.detail for word in (*words, code))


def test_a_full_quota_is_not_reported_as_a_missing_permission() -> None:
    said = checks(Objects("put", storage_error(403, "QuotaExceeded")))["write to ferry"].detail

    assert "quota" in said
    assert "credentials" not in said


def test_an_unreachable_storage_and_a_wrong_read_fail() -> None:
    away = EndpointConnectionError(endpoint_url="http://s3")
    assert "EndpointConnectionError" in checks(list_buckets=away)["storage"].detail

    broken = Objects("open", StorageMismatch("Other bytes."))
    assert "Other bytes." in checks(broken)["write to ferry"].detail
    assert list(broken.list_objects()) == []


def test_clock_skew_is_reported_in_minutes() -> None:
    found = checks(list_buckets=client_error(403, "RequestTimeTooSkewed", 20 * 60 + 5))

    assert "20 minutes behind" in found["clock"].detail
    assert "20 minutes apart" in found["storage"].detail


@pytest.mark.parametrize(
    ("ahead", "ok", "said"),
    [(0, True, "agrees"), (299, True, "agrees"), (-299, True, "agrees"), (600, False, "10 minutes behind"),
     (-3600, False, "60 minutes ahead of")],
)  # fmt: skip
def test_the_clocks_are_compared(ahead: float, ok: bool, said: str) -> None:
    check = check_clock(formatdate(NOW + ahead, usegmt=True), NOW)

    assert check.ok is ok
    assert said in check.detail
    assert check_clock("", NOW).ok
