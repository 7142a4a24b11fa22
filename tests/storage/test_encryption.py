"""Signed payloads and server-side encryption."""

from __future__ import annotations

from hashlib import sha256

import pytest

from dev import parts
from storage.s3.options import SSE, S3Options
from tests.storage.tampered_s3 import TamperedS3, s3, with_headers


@pytest.mark.parametrize(("sign", "payload"), [(False, "UNSIGNED-PAYLOAD"), (True, sha256(b"x").hexdigest())])
def test_the_payload_is_signed_if_required(moto: str, sign: bool, payload: str) -> None:
    storage = s3(moto, sign_payload=sign)
    seen: list[str] = []
    signed = storage._resources.get().client.signed
    storage._resources.get().client.signed = lambda *args: seen.append(args[3]) or signed(*args)  # type: ignore[func-returns-value, method-assign]
    storage.put("signed", iter([b"x"]), content_type="text/plain")

    assert seen[0] == payload


def test_encryption_is_requested_for_the_object_and_not_its_parts(moto: str) -> None:
    options = S3Options(encryption="aws:kms", kms_key="alias/ferry")
    tampered, sent = TamperedS3(moto, options=options), []
    signed = tampered.storage._resources.get().client.signed
    tampered.storage._resources.get().client.signed = lambda *args: sent.append(args) or signed(*args)  # type: ignore[func-returns-value, method-assign]
    for how in ("whole", "parts"):
        key = tampered.put(how).key
        head = tampered.boto.head_object(Bucket=parts.BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ferry")

    asked = [(method, target.partition("?")[2][:10], SSE in headers) for method, target, headers, _ in sent]
    asked = [each for each in asked if each[0] != "POST"]
    assert set(asked) == {("PUT", "", True), ("HEAD", "", False), ("PUT", "partNumber", False)}


def test_an_etag_is_not_an_md5_with_kms(moto: str) -> None:
    """Also if the response does not name the encryption."""
    opaque = with_headers(x_amz_checksum_crc32=None, etag=f'"{"0" * 32}"', x_amz_server_side_encryption=None)
    head = with_headers(etag=f'"{"0" * 32}"')
    tampered = TamperedS3(moto, PUT=opaque, HEAD=head, options=S3Options(encryption="aws:kms"))

    assert tampered.put_whole().size == 4
