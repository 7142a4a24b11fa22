"""Whether the parts of an earlier attempt can be reused. Pure rules.

All attempts split the stream alike: part sizes follow from the length, which is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.base import StorageError, StorageMismatch, StorageNoUpload, StorageUnavailable
from storage.s3.checksums import Digests, UploadedPart


@dataclass(frozen=True)
class ListedPart:
    """A part as ListParts returns it."""

    size: int
    etag: str
    crc32: str | None = None


def reusable_part(listed: ListedPart | None, sent: Digests) -> UploadedPart | None:
    """Return the part if the storage's own digest equals that of the bytes; None if they must be sent."""
    if listed is None or listed.size != sent.size:
        return None
    same = listed.crc32 == sent.crc32 if listed.crc32 else listed.etag == sent.md5
    return UploadedPart(listed.size, listed.etag, listed.crc32) if same else None


def is_resumable(error: BaseException) -> bool:
    """Return whether the next attempt can reuse the parts of the one that `error` ended."""
    if not isinstance(error, StorageError):
        return True
    return not error.permanent and not isinstance(error, (StorageMismatch, StorageNoUpload))


def is_unanswered(error: BaseException | None) -> bool:
    """Return whether the storage may still be assembling the parts: the sweep aborts such an upload much later."""
    return not isinstance(error, StorageError) or isinstance(error, StorageUnavailable)
