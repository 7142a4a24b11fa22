"""Digests in the storage's responses: a match, a mismatch, or not comparable."""

from __future__ import annotations

import pytest

from storage.base import Stat, StorageMismatch
from storage.s3.checksums import CRC32, Digests, UploadedPart, check_response, expected_object, is_opaque, md5, mismatch

BODY = memoryview(b"the bytes")
CRC, CRC_OF_OTHER = Digests(BODY).crc32, Digests(b"?").crc32
MD5, OTHER = md5(BODY), md5(b"other bytes")
KMS = {"x-amz-server-side-encryption": "aws:kms"}
KEY = {"x-amz-server-side-encryption-aws-kms-key-id": "a-key"}
CUSTOMER = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}


@pytest.mark.parametrize(
    ("headers", "landed"),
    [
        ({"etag": f'"{MD5}"'}, UploadedPart(9, MD5)),
        ({"etag": MD5, CRC32: CRC}, UploadedPart(9, MD5, CRC)),
        ({"etag": '"opaque"'}, UploadedPart(9, "opaque")),
        ({}, UploadedPart(9, MD5, computed=True)),
        ({"etag": '""'}, UploadedPart(9, MD5, computed=True)),
        ({"etag": OTHER} | KMS, UploadedPart(9, OTHER, opaque=True)),
        ({"etag": OTHER} | KEY, UploadedPart(9, OTHER, opaque=True)),
        ({"etag": OTHER} | CUSTOMER, UploadedPart(9, OTHER, opaque=True)),
        (KMS, UploadedPart(9, "", opaque=True)),
    ],
)
def test_a_stored_part_is_verified_by_its_digests(headers: dict[str, str], landed: UploadedPart) -> None:
    assert check_response(Digests(BODY), headers) == landed


@pytest.mark.parametrize(
    "headers", [{"etag": OTHER}, {CRC32: CRC_OF_OTHER}, {"etag": MD5, CRC32: CRC_OF_OTHER}, {"etag": OTHER} | {
        "x-amz-server-side-encryption": "AES256"}]
)  # fmt: skip
def test_a_mismatch_names_both_digests(headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch) as raised:
        check_response(Digests(BODY), headers)

    mine, found = (CRC, CRC_OF_OTHER) if CRC32 in headers else (MD5, OTHER)
    assert mine in str(raised.value)
    assert found in str(raised.value)


def stat(etag: str, size: int = 9) -> Stat:
    return Stat("k", size, etag)


PARTS = f"{MD5}-2"


@pytest.mark.parametrize(
    ("sent", "found", "options", "differs"),
    [
        (UploadedPart(9, MD5), stat(MD5), {}, False),
        (UploadedPart(9, MD5), stat(OTHER), {}, True),
        (UploadedPart(9, MD5), stat(MD5, 8), {}, True),
        (UploadedPart(9, MD5), stat(PARTS), {}, True),
        (UploadedPart(9, MD5), stat(""), {}, False),
        (UploadedPart(9, "opaque"), stat("another"), {}, True),
        (UploadedPart(9, "", opaque=True), stat(OTHER), {}, False),
        (UploadedPart(9, "", opaque=True), stat(OTHER, 8), {}, True),
        (UploadedPart(9, MD5, computed=True), stat(OTHER), {}, True),
        (UploadedPart(9, MD5, computed=True), stat("opaque"), {}, False),
        # Parts: rclone's HEAD has the MD5 of the whole, radosgw's Complete has nothing.
        (UploadedPart(9, PARTS), stat(PARTS), {"of_parts": True}, False),
        (UploadedPart(9, PARTS), stat(f"{OTHER}-2"), {"of_parts": True}, True),
        (UploadedPart(9, PARTS), stat(OTHER), {"of_parts": True}, False),
        (UploadedPart(9, PARTS, computed=True), stat(f"{OTHER}-2"), {"of_parts": True}, True),
        (UploadedPart(9, "", computed=True), stat(PARTS), {"of_parts": True}, False),
        # An answer that was lost proves nothing, so that the object has to.
        (UploadedPart(9, MD5, computed=True), stat(MD5), {"lost": True}, False),
        (UploadedPart(9, MD5, computed=True), stat("opaque"), {"lost": True}, True),
        (UploadedPart(9, "", computed=True), stat(PARTS), {"lost": True, "of_parts": True}, True),
    ],
)
def test_an_object_differs_only_if_digests_prove_it(
    sent: UploadedPart, found: Stat, options: dict[str, bool], differs: bool
) -> None:
    said = mismatch(sent, found, **options)

    assert bool(said) == differs
    if differs and sent.size == found.size:
        assert found.etag in said


def test_an_empty_complete_response_is_completed_from_the_parts() -> None:
    parts = [UploadedPart(5, MD5), UploadedPart(1, OTHER)]
    proven = md5(bytes.fromhex(MD5 + OTHER)) + "-2"

    assert expected_object("", parts) == UploadedPart(6, proven, computed=True)
    assert expected_object("x-2", parts) == UploadedPart(6, "x-2")
    assert expected_object("", [*parts, UploadedPart(1, MD5, opaque=True)]).etag == ""
    assert expected_object("", [*parts, UploadedPart(1, "opaque")]).etag == ""


def test_an_etag_is_an_md5_with_storage_managed_keys() -> None:
    assert not is_opaque({"x-amz-server-side-encryption": "AES256"})
    assert not is_opaque({})


def test_checksum_headers_have_the_format_of_s3() -> None:
    digests = Digests(b"123456789")

    assert digests.header("crc32") == {CRC32: "y/Q5Jg=="}
    assert digests.header("md5") == {"Content-MD5": "JfnnlDI7RTiF9RgfG2JNCw=="}
    assert digests.header("none") == {}
