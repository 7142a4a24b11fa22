"""Signatures of requests: botocore's own signer is the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import auth
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from storage.s3.pool import host_header
from storage.s3.signing import UNSIGNED, Signer

NOW = datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)
TARGETS = [
    "/ferry/key",
    "/",
    "/ferry/a%20b/%C3%A4~-_.%2B%27%28%29.txt",
    "/ferry//a/../b",
    "/ferry/key?partNumber=12&uploadId=a%2Bb%3D%3D",
    "/ferry/key?uploadId=x&partNumber=1",
    "/ferry/key?uploads",
    "/ferry/key?a-b=2&a=1&a=0",
    "/ferry/key?prefix=a?b",
]
HEADERS: list[Mapping[str, str]] = [
    {},
    {"Content-Type": "text/plain; charset=utf-8", "x-amz-checksum-crc32": "y/Q5Jg==", "Range": "bytes=0-5"},
    {"Content-Disposition": "attachment;  filename*=UTF-8''%C3%A4  b.txt ", "X-Amz-Meta-Name": "\täöü"},
]


def signed_by_botocore(
    monkeypatch: pytest.MonkeyPatch, url: str, method: str, headers: Mapping[str, str], payload: str, token: str | None
) -> dict[str, str]:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW)

    class Given(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            return payload

    request = AWSRequest(method, url, dict(headers))
    Given(ReadOnlyCredentials("AKID", "secret/+", token), "s3", "eu-central-1").add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize(("token", "payload"), [(None, UNSIGNED), ("session/token==", "0" * 64)])
def test_a_signature_equals_botocores(
    monkeypatch: pytest.MonkeyPatch, target: str, headers: Mapping[str, str], token: str | None, payload: str
) -> None:
    signer = Signer("127.0.0.1:9000", "eu-central-1")
    credentials = ReadOnlyCredentials("AKID", "secret/+", token)
    url = f"http://127.0.0.1:9000{target}"

    for method in ("PUT", "GET"):
        signed = signer.sign(credentials, method, target, headers, payload, NOW.timestamp())
        assert signed == signed_by_botocore(monkeypatch, url, method, headers, payload, token)


@pytest.mark.parametrize(
    ("scheme", "netloc"),
    [
        ("https", "ferry.s3.amazonaws.com"),
        ("https", "S3.Example.com:443"),
        ("http", "s3:443"),
        ("http", "s3:80"),
        ("http", "[::1]:9000"),
        ("https", "[::1]"),
    ],
)
def test_the_signed_host_equals_botocores(monkeypatch: pytest.MonkeyPatch, scheme: str, netloc: str) -> None:
    signer = Signer(host_header(scheme, netloc), "eu-central-1")
    credentials = ReadOnlyCredentials("AKID", "secret/+", None)

    signed = signer.sign(credentials, "PUT", "/key", {}, UNSIGNED, NOW.timestamp())
    assert signed == signed_by_botocore(monkeypatch, f"{scheme}://{netloc}/key", "PUT", {}, UNSIGNED, None)


def test_the_key_changes_with_the_day_and_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer("s3", "eu-central-1")
    day = 24 * 3600

    signatures = [
        signer.sign(ReadOnlyCredentials("AKID", secret, None), "PUT", "/key", {}, UNSIGNED, now)
        for secret, now in (("one", 0), ("one", day), ("two", day), ("one", 0))
    ]
    fresh = [
        Signer("s3", "eu-central-1").sign(ReadOnlyCredentials("AKID", secret, None), "PUT", "/key", {}, UNSIGNED, now)
        for secret, now in (("one", 0), ("one", day), ("two", day), ("one", 0))
    ]
    assert signatures == fresh
    assert len({each["Authorization"] for each in signatures}) == 3
