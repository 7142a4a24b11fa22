"""What a storage's answers prove, and what they leave open."""

from __future__ import annotations

import pytest

from storage.base import Stat, StorageMismatch
from storage.evidence import CRC32, Digests, Landed, confirmed, difference, expected, is_opaque, md5

BODY = memoryview(b"the bytes")
CRC, CRC_OF_OTHER = Digests(BODY).crc32, Digests(b"?").crc32
MD5, OTHER = md5(BODY), md5(b"other bytes")
KMS = {"x-amz-server-side-encryption": "aws:kms"}
KEY = {"x-amz-server-side-encryption-aws-kms-key-id": "a-key"}
CUSTOMER = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}


@pytest.mark.parametrize(
    ("headers", "landed"),
    [
        ({"etag": f'"{MD5}"'}, Landed(9, MD5)),
        ({"etag": MD5, CRC32: CRC}, Landed(9, MD5, CRC)),
        ({"etag": '"opaque"'}, Landed(9, "opaque")),
        ({}, Landed(9, MD5, computed=True)),
        ({"etag": '""'}, Landed(9, MD5, computed=True)),
        ({"etag": OTHER} | KMS, Landed(9, OTHER, opaque=True)),
        ({"etag": OTHER} | KEY, Landed(9, OTHER, opaque=True)),
        ({"etag": OTHER} | CUSTOMER, Landed(9, OTHER, opaque=True)),
        (KMS, Landed(9, "", opaque=True)),
    ],
)
def test_what_has_landed_is_known_by_its_digests(headers: dict[str, str], landed: Landed) -> None:
    assert confirmed(Digests(BODY), headers) == landed


@pytest.mark.parametrize(
    "headers", [{"etag": OTHER}, {CRC32: CRC_OF_OTHER}, {"etag": MD5, CRC32: CRC_OF_OTHER}, {"etag": OTHER} | {
        "x-amz-server-side-encryption": "AES256"}]
)  # fmt: skip
def test_other_bytes_are_named_by_both_digests(headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch) as raised:
        confirmed(Digests(BODY), headers)

    mine, found = (CRC, CRC_OF_OTHER) if CRC32 in headers else (MD5, OTHER)
    assert mine in str(raised.value)
    assert found in str(raised.value)


def stat(etag: str, size: int = 9) -> Stat:
    return Stat("k", size, etag)


PARTS = f"{MD5}-2"


@pytest.mark.parametrize(
    ("sent", "found", "options", "differs"),
    [
        (Landed(9, MD5), stat(MD5), {}, False),
        (Landed(9, MD5), stat(OTHER), {}, True),
        (Landed(9, MD5), stat(MD5, 8), {}, True),
        (Landed(9, MD5), stat(PARTS), {}, True),
        (Landed(9, MD5), stat(""), {}, False),
        (Landed(9, "opaque"), stat("another"), {}, True),
        (Landed(9, "", opaque=True), stat(OTHER), {}, False),
        (Landed(9, "", opaque=True), stat(OTHER, 8), {}, True),
        (Landed(9, MD5, computed=True), stat(OTHER), {}, True),
        (Landed(9, MD5, computed=True), stat("opaque"), {}, False),
        # Parts: rclone's HEAD has the MD5 of the whole, radosgw's Complete has nothing.
        (Landed(9, PARTS), stat(PARTS), {"of_parts": True}, False),
        (Landed(9, PARTS), stat(f"{OTHER}-2"), {"of_parts": True}, True),
        (Landed(9, PARTS), stat(OTHER), {"of_parts": True}, False),
        (Landed(9, PARTS, computed=True), stat(f"{OTHER}-2"), {"of_parts": True}, True),
        (Landed(9, "", computed=True), stat(PARTS), {"of_parts": True}, False),
        # An answer that was lost proves nothing, so that the object has to.
        (Landed(9, MD5, computed=True), stat(MD5), {"lost": True}, False),
        (Landed(9, MD5, computed=True), stat("opaque"), {"lost": True}, True),
        (Landed(9, "", computed=True), stat(PARTS), {"lost": True, "of_parts": True}, True),
    ],
)
def test_an_object_differs_where_that_can_be_proven(
    sent: Landed, found: Stat, options: dict[str, bool], differs: bool
) -> None:
    said = difference(sent, found, **options)

    assert bool(said) == differs
    if differs and sent.size == found.size:
        assert found.etag in said


def test_an_empty_answer_to_complete_is_filled_by_what_the_parts_prove() -> None:
    parts = [Landed(5, MD5), Landed(1, OTHER)]
    proven = md5(bytes.fromhex(MD5 + OTHER)) + "-2"

    assert expected("", parts) == Landed(6, proven, computed=True)
    assert expected("x-2", parts) == Landed(6, "x-2")
    assert expected("", [*parts, Landed(1, MD5, opaque=True)]).etag == ""
    assert expected("", [*parts, Landed(1, "opaque")]).etag == ""


def test_an_etag_is_an_md5_where_the_storage_keeps_the_key() -> None:
    assert not is_opaque({"x-amz-server-side-encryption": "AES256"})
    assert not is_opaque({})


def test_the_header_of_a_digest_is_as_s3_writes_it() -> None:
    digests = Digests(b"123456789")

    assert digests.header("crc32") == {CRC32: "y/Q5Jg=="}
    assert digests.header("md5") == {"Content-MD5": "JfnnlDI7RTiF9RgfG2JNCw=="}
    assert digests.header("none") == {}
