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

from isal import isal_zlib

from storage.base import StorageMismatch
from storage.parts import Part

CRC32 = "x-amz-checksum-crc32"


@dataclass(frozen=True)
class Landed:
    """A piece that has arrived: its bytes, the storage's ETag for it, its CRC32 if the storage confirmed that."""

    size: int
    etag: str
    crc32: str | None


def crc32(body: bytes | memoryview) -> str:
    """The CRC32 as S3 writes it: four bytes, big-endian, in base64."""
    return b64encode(isal_zlib.crc32(body).to_bytes(4, "big")).decode()


def md5(body: bytes | memoryview) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def confirmed(body: memoryview, crc: str, headers: Mapping[str, str]) -> Landed:
    """What landed of `body`, whose CRC32 is `crc`, by the headers of the answer.

    Raises StorageMismatch where they prove other bytes.
    """
    etag = headers.get("etag", "").strip('"')
    if CRC32 in headers:
        if headers[CRC32] != crc:
            raise StorageMismatch("The storage's CRC32 is not that of the bytes sent.")
        return Landed(len(body), etag, headers[CRC32])
    is_md5 = re.fullmatch(r"[0-9a-f]{32}", etag) and "x-amz-server-side-encryption-aws-kms-key-id" not in headers
    if is_md5 and md5(body) != etag:
        raise StorageMismatch("The storage's MD5 is not that of the bytes sent.")
    return Landed(len(body), etag, None)


def etag_of(parts: Sequence[Landed]) -> str:
    """The ETag that S3 gives an object of these parts: the MD5 of their MD5s and their number. Empty where unknown."""
    if not all(re.fullmatch(r"[0-9a-f]{32}", part.etag) for part in parts):
        return ""
    return f"{md5(b''.join(bytes.fromhex(part.etag) for part in parts))}-{len(parts)}"


def may_be_md5(etag: str) -> bool:
    """Whether an ETag looks like an MD5 or the MD5 of parts' MD5s. One of an encrypted object may, and is neither."""
    return bool(re.fullmatch(r"[0-9a-f]{32}(-[0-9]{1,5})?", etag))


def etags(parts: Iterable[Part]) -> set[str]:
    """The ETags that an object of these parts may have: the MD5 of the whole, or S3's own of parts. Releases them."""
    whole, digests = hashlib.md5(usedforsecurity=False), []
    for part in parts:
        whole.update(part.body)
        digests.append(Landed(len(part.body), md5(part.body), None))
        part.release()
    return {whole.hexdigest(), etag_of(digests)}
