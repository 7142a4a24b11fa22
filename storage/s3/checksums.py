"""What a storage's answer proves about the bytes it was sent. Pure rules over digests.

A storage that knows CRC32 has compared it itself and repeats it. Of the others many give the MD5 of what they hold
as ETag. One that does neither (encrypted with a key of its own, say) proves its size alone.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from isal import isal_zlib

from storage.base import Stat, StorageMismatch
from storage.parts import Part
from storage.s3.options import SSE, SSE_KEY

CRC32 = "x-amz-checksum-crc32"


@dataclass(frozen=True)
class UploadedPart:
    """A piece that has arrived: its bytes, the storage's ETag for it, its CRC32 if the storage confirmed that.

    `computed`: the storage gave no ETag, this is the MD5 that it should be. `opaque`: the storage encrypts with a key
    of its own, so that the ETag is no MD5, whatever it looks like.
    """

    size: int
    etag: str
    crc32: str | None = None
    computed: bool = False
    opaque: bool = False


class Digests:
    """What is computed of a body, once and when it is asked for: each is a pass over memory that no cache holds."""

    def __init__(self, body: bytes | memoryview) -> None:
        self.size = len(body)
        self._body = body

    @cached_property
    def crc32(self) -> str:
        """The CRC32 as S3 writes it: four bytes, big-endian, in base64."""
        return b64encode(isal_zlib.crc32(self._body).to_bytes(4, "big")).decode()

    @cached_property
    def md5(self) -> str:
        """The MD5 in hexadecimal."""
        return md5(self._body)

    def header(self, kind: str) -> dict[str, str]:
        """The header that the body is sent with, where S3_CHECKSUM is `kind`."""
        if kind == "crc32":
            return {CRC32: self.crc32}
        return {"Content-MD5": b64encode(bytes.fromhex(self.md5)).decode()} if kind == "md5" else {}


def md5(body: bytes | memoryview) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def check_response(sent: Digests, headers: Mapping[str, str]) -> UploadedPart:
    """What landed, by the headers of the answer. Raises StorageMismatch where they prove other bytes."""
    etag, opaque, crc32 = headers.get("etag", "").strip('"'), is_opaque(headers), headers.get(CRC32)
    if crc32 is not None:
        _same("CRC32", sent.crc32, crc32)
    elif re.fullmatch(r"[0-9a-f]{32}", etag) and not opaque:
        _same("MD5", sent.md5, etag)
    if etag or opaque:
        return UploadedPart(sent.size, etag, crc32, opaque=opaque)
    return UploadedPart(sent.size, sent.md5, crc32, computed=True)


def is_opaque(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that the object is encrypted with a key of KMS or of the customer."""
    return headers.get(SSE, "").startswith("aws:kms") or SSE_KEY in headers or f"{SSE}-customer-algorithm" in headers


def mismatch(sent: UploadedPart, found: Stat, *, of_parts: bool = False, lost: bool = False) -> str:
    """What proves that the object found is not what was sent; empty where nothing does.

    Where ETags can't be compared, the size decides; not so where the answer was lost, which proves nothing by itself.
    rclone answers Complete with an ETag of parts and HEAD with the MD5 of the whole, which nothing here has computed;
    each part's own MD5 has been compared already.
    """
    if found.size != sent.size:
        return f"Sent {sent.size} bytes, the storage has {found.size}."
    if found.etag == sent.etag or (of_parts and "-" in sent.etag and "-" not in found.etag):
        return ""
    comparable = sent.etag and (is_md5_etag(found.etag) if sent.computed else found.etag)
    if not comparable and not lost:
        return ""
    return f"Sent {sent.size} bytes with the ETag {_short(sent.etag)}, the storage has {_short(found.etag)}."


def expected_object(etag: str, parts: Sequence[UploadedPart]) -> UploadedPart:
    """The object that Complete has answered with `etag`. radosgw leaves it empty: then what the parts prove."""
    return UploadedPart(sum(part.size for part in parts), etag or multipart_etag(parts), computed=not etag)


def multipart_etag(parts: Sequence[UploadedPart]) -> str:
    """The ETag that S3 gives an object of these parts: the MD5 of their MD5s and their number. Empty where unknown."""
    if any(part.opaque or not re.fullmatch(r"[0-9a-f]{32}", part.etag) for part in parts):
        return ""
    return f"{md5(b''.join(bytes.fromhex(part.etag) for part in parts))}-{len(parts)}"


def _same(digest: str, sent: str, found: str) -> None:
    if sent != found:
        raise StorageMismatch(f"Sent bytes with the {digest} {sent}, the storage has {_short(found)}.")


def _short(etag: str) -> str:
    return etag[:100] or "none"


def is_md5_etag(etag: str) -> bool:
    """Whether an ETag looks like an MD5 or the MD5 of parts' MD5s. One of an encrypted object may, and is neither."""
    return bool(re.fullmatch(r"[0-9a-f]{32}(-[0-9]{1,5})?", etag))


def expected_etags(parts: Iterable[Part]) -> set[str]:
    """The ETags that an object of these parts may have: the MD5 of the whole, or S3's own of parts. Releases them."""
    whole, digests = hashlib.md5(usedforsecurity=False), []
    for part in parts:
        whole.update(part.body)
        digests.append(UploadedPart(len(part.body), md5(part.body)))
        part.release()
    return {whole.hexdigest(), multipart_etag(digests)}
