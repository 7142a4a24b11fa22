"""Parts that an earlier attempt at the same bytes has left, and whether they can be used again. Pure rules.

Both attempts cut the stream alike: the sizes of the parts follow from the length, which is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.base import StorageError, StorageMismatch, StorageNoUpload
from storage.s3.checksums import Digests, UploadedPart


@dataclass(frozen=True)
class ListedPart:
    """A part as the storage lists it."""

    size: int
    etag: str
    crc32: str | None = None


def reusable_part(left: ListedPart | None, sent: Digests) -> UploadedPart | None:
    """The part, if the storage's own digest proves that it is what would be sent. None: it has to be sent."""
    if left is None or left.size != sent.size:
        return None
    same = left.crc32 == sent.crc32 if left.crc32 else left.etag == sent.md5
    return UploadedPart(left.size, left.etag, left.crc32) if same else None


def is_resumable(error: BaseException) -> bool:
    """Whether the next attempt can go on with the parts that this one leaves behind, which `error` has ended."""
    if not isinstance(error, StorageError):
        return True
    return not error.permanent and not isinstance(error, (StorageMismatch, StorageNoUpload))
