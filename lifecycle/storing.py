"""The bytes of an attempt on their way to the storage: checked as they arrive, hashed and sent part by part."""

from __future__ import annotations

from collections.abc import Iterator

from content.hashing import Hashing
from content.policy import safe_headers
from lifecycle.leases import Lease
from models import FileRow
from quotas.storage_quota import QuotaAllowance
from services import current_services
from storage import Stat


def checked(stream: Iterator[bytes], lease: Lease, quota: QuotaAllowance | None) -> Iterator[bytes]:
    """Yield the stream. Raises LeaseLost or QuotaExceeded at the first chunk after the lease or the quota is lost."""
    for chunk in stream:
        lease.check()
        lease.received += len(chunk)
        if quota:
            quota.check(lease.received)
        yield chunk


def hashed(stream: Iterator[bytes], hashing: Hashing, quota: QuotaAllowance | None) -> Iterator[bytes]:
    """Yield the stream and hash it. Raises QuotaExceeded at the first chunk beyond the quota."""
    for chunk in stream:
        hashing.update(chunk)
        if quota:
            quota.check(hashing.size)
        yield chunk


def store_object(row: FileRow, stream: Iterator[bytes], max_bytes: int, hashing: Hashing, lease: Lease) -> Stat:
    """Store the stream as the object of `row`, and return what the storage has confirmed.

    If the row has a size and a digest, both are verified before the last part is sent: wrong bytes never become an
    object.
    """
    content_type, disposition = safe_headers(row.name, row.detected_type)
    with current_services().storage.upload(
        row.key,
        content_type=content_type,
        disposition=disposition,
        max_bytes=max_bytes,
        attempt=0 if row.mode == "normal" else row.attempt,
    ) as upload:
        lease.upload = upload
        for part in upload.split(stream):
            try:
                part.retain()
                hashing.update(part.body, part.release)
                if part.last:
                    hashing.verify(row.size, row.sha256)
            except BaseException:
                part.release()
                raise
            upload.write(part)
        return upload.complete()
