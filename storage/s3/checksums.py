"""What a storage's response proves about the bytes sent to it. Pure rules over digests.

A storage that knows CRC32 has verified it and returns it. Many others return the MD5 of the stored bytes as ETag. One
that does neither (because it encrypts with a key of its own, for example) proves the size only.
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
_MD5 = "[0-9a-f]{32}"


@dataclass(frozen=True)
class UploadedPart:
    """A part or an object that the storage has acknowledged."""

    size: int
    etag: str
    """The storage's, or the expected one if `computed`."""
    crc32: str | None = None
    """Only if the storage confirmed it."""
    computed: bool = False
    """The storage returned no ETag: this is the MD5 that it should be."""
    opaque: bool = False
    """The storage encrypts with a key of its own: the ETag is not an MD5, even if it looks like one."""


class Digests:
    """Digests of a body, computed lazily and once: each is a pass over memory that does not fit into a cache."""

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
        """Return the checksum header of a body for S3_CHECKSUM=`kind`."""
        if kind == "crc32":
            return {CRC32: self.crc32}
        return {"Content-MD5": b64encode(bytes.fromhex(self.md5)).decode()} if kind == "md5" else {}


def md5(body: bytes | memoryview) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def check_response(sent: Digests, headers: Mapping[str, str]) -> UploadedPart:
    """Return the acknowledged part. Raises StorageMismatch if the response headers prove other bytes."""
    etag, opaque, crc32 = headers.get("etag", "").strip('"'), is_opaque(headers), headers.get(CRC32)
    if crc32 is not None:
        _require_same("CRC32", sent.crc32, crc32)
    elif re.fullmatch(_MD5, etag) and not opaque:
        _require_same("MD5", sent.md5, etag)
    if etag or opaque:
        return UploadedPart(sent.size, etag, crc32, opaque=opaque)
    return UploadedPart(sent.size, sent.md5, crc32, computed=True)


def is_opaque(headers: Mapping[str, str]) -> bool:
    """Return whether the headers say that the object is encrypted with a KMS key or a customer key."""
    return headers.get(SSE, "").startswith("aws:kms") or SSE_KEY in headers or f"{SSE}-customer-algorithm" in headers


def mismatch(sent: UploadedPart, found: Stat, *, of_parts: bool = False, lost: bool = False) -> str:
    """Return why the object found is not the one sent; empty if nothing proves that.

    If ETags can't be compared, the size decides, unless the upload's response was lost. rclone answers Complete with a
    multipart ETag and HEAD with the MD5 of the whole object, which Ferry has not computed; each part's MD5 has been
    compared already.
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
    """Return the object that Complete answered with `etag`. radosgw leaves it empty: the parts give it then."""
    return UploadedPart(sum(part.size for part in parts), etag or multipart_etag(parts), computed=not etag)


def multipart_etag(parts: Sequence[UploadedPart]) -> str:
    """Return S3's ETag for an object of these parts: the MD5 of their MD5s, and their number. Empty if unknown."""
    if any(part.opaque or not re.fullmatch(_MD5, part.etag) for part in parts):
        return ""
    return f"{md5(b''.join(bytes.fromhex(part.etag) for part in parts))}-{len(parts)}"


def is_md5_etag(etag: str) -> bool:
    """Return whether an ETag looks like an MD5 or a multipart MD5; that of an encrypted object may, and is neither."""
    return bool(re.fullmatch(f"{_MD5}(-[0-9]{{1,5}})?", etag))


def expected_etags(parts: Iterable[Part]) -> set[str]:
    """Return the ETags that an object of these parts may have: its MD5, or the multipart ETag. Releases the parts."""
    whole, digests = hashlib.md5(usedforsecurity=False), []
    for part in parts:
        whole.update(part.body)
        digests.append(UploadedPart(len(part.body), md5(part.body)))
        part.release()
    return {whole.hexdigest(), multipart_etag(digests)}


def _require_same(digest: str, sent: str, found: str) -> None:
    if sent != found:
        raise StorageMismatch(f"Sent bytes with the {digest} {sent}, the storage has {_short(found)}.")


def _short(etag: str) -> str:
    return etag[:100] or "none"
