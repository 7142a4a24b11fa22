"""Damaged or lost bytes: the storage's digests and a HEAD show them, and they are sent again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from storage.base import StorageMismatch
from storage.parts import MIN_PART
from storage.s3.responses import Response
from tests.storage.tampered_s3 import WRONG, TamperedS3, at_first, with_headers


@pytest.mark.parametrize("how", ["whole", "parts"])
@pytest.mark.parametrize(
    "headers", [{"x_amz_checksum_crc32": "AAAAAA=="}, {"x_amz_checksum_crc32": None, "etag": '"' + "0" * 32 + '"'}]
)
def test_a_digest_of_other_bytes_is_noticed(moto: str, how: str, headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch):
        TamperedS3(moto, PUT=with_headers(**headers), PART=with_headers(**headers)).put(how)


@pytest.mark.parametrize("how", ["whole", "parts"])
@pytest.mark.parametrize("headers", [{"content_length": "3"}, {"etag": '"' + "0" * 32 + '-9"'}])
def test_a_success_counts_only_after_a_head(moto: str, how: str, headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch):
        TamperedS3(moto, HEAD=with_headers(**headers)).put(how)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("how", "verb"), [("whole", "PUT"), ("parts", "PART")])
def test_damaged_bytes_are_sent_again_from_memory(moto: str, how: str, verb: str, wrong: str) -> None:
    tampered = TamperedS3(moto, **{verb: at_first(2, WRONG[wrong])})

    assert tampered.put(how).size == tampered.upload.stored
    assert tampered.sent.count(verb) == {"whole": 3, "parts": 4}[how]
    assert tampered.storage.buffers.free == tampered.storage.buffers.made


@pytest.mark.parametrize("wrong", [{"content_length": "3"}, {"etag": f'"{"0" * 32}"'}])
def test_a_wrong_object_is_sent_again(moto: str, wrong: dict[str, str]) -> None:
    tampered = TamperedS3(moto, HEAD=at_first(2, with_headers(**wrong)))

    assert tampered.put_whole().size == 4
    assert tampered.sent == ["PUT", "HEAD"] * 3


def test_an_object_missing_after_put_is_sent_again(moto: str) -> None:
    def gone(send: Any) -> Response:
        return Response(404, {}, b"")

    assert TamperedS3(moto, HEAD=at_first(1, gone)).put_whole().size == 4


def test_resends_of_damaged_bytes_are_bounded_and_the_digests_reported(moto: str) -> None:
    for how, verb, most in (("whole", "PUT", 3), ("parts", "PART", 6)):
        tampered = TamperedS3(moto, **{verb: WRONG["md5"]})
        with pytest.raises(StorageMismatch, match="0" * 32):
            tampered.put(how)
        assert 3 <= tampered.sent.count(verb) <= most


def test_the_first_mismatch_is_raised_if_parts_cannot_be_replaced(moto: str) -> None:
    answers = [WRONG["md5"]]

    def wrong_then_unsupported(send: Any) -> Response:
        return answers.pop()(send) if answers else Response(501, {}, b"<Code>NotImplemented</Code>")

    tampered = TamperedS3(moto, PUT=wrong_then_unsupported)
    with pytest.raises(StorageMismatch):
        tampered.put_whole()
    assert "checksums crc32" in tampered.storage.describe()


def completed(etag: str | None) -> Any:
    """An answer to Complete with this ETag; None: without one."""

    def tamper(send: Any) -> Response:
        answer: Response = send()
        element = b"" if etag is None else f"<ETag>{etag}</ETag>".encode()
        body = re.sub(rb"<ETag>.*?</ETag>", element, answer.body)
        assert body != answer.body
        return replace(answer, body=body)

    return tamper


@pytest.mark.parametrize("etag", ["", '""', None])
def test_a_complete_without_an_etag_is_verified_by_its_parts(moto: str, etag: str | None) -> None:
    """radosgw answers so."""
    assert TamperedS3(moto, COMPLETE=completed(etag)).put_parts(3).size == 2 * MIN_PART + 9

    other = with_headers(etag=f'"{"0" * 32}-3"')
    with pytest.raises(StorageMismatch, match=f"{'0' * 32}-3"):
        TamperedS3(moto, COMPLETE=completed(etag), HEAD=other).put_parts(3)


def test_without_a_comparable_digest_the_size_decides(moto: str) -> None:
    """The responses have no CRC32 and no MD5 of the parts, and no ETag of the whole object."""
    opaque = with_headers(x_amz_checksum_crc32=None, x_amz_server_side_encryption="aws:kms")
    verbs = {"COMPLETE": completed(""), "PART": opaque}

    assert TamperedS3(moto, **verbs).put_parts(3).size == 2 * MIN_PART + 9
    with pytest.raises(StorageMismatch, match="3"):
        TamperedS3(moto, **verbs, HEAD=with_headers(content_length="3")).put_parts(3)
