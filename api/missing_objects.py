"""Objects of COMPLETE files that were deleted outside Ferry: the row records `object-missing` until one is back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from auth.transfer_slots import download_slot
from database.engine import UNAVAILABLE
from lifecycle import transitions
from logs import for_file
from models import FileRow
from services import current_services
from storage import Storage, Stream
from storage.base import ObjectMissing, StorageMissing

log = logging.getLogger("ferry.downloads")


def open_object(storage: Storage, row: FileRow, byte_range: tuple[int, int] | None = None) -> Stream:
    """Open the object of a file, or the bytes [first, end) of `byte_range`. Raises ObjectMissing, StorageError."""
    first, end = byte_range or (0, None)
    try:
        return storage.open(row.key, first, end and end - first, size=row.size)
    except StorageMissing as error:
        _record(row, ObjectMissing.slug())
        raise ObjectMissing(ids=[row.id]) from error


def require_object(row: FileRow) -> None:
    """Check that the storage has the object of a file. Raises ObjectMissing, StorageError, TooManyDownloads.

    Takes a download slot: a storage that does not respond blocks the request for as long as a download.
    """
    try:
        with download_slot():
            current_services().storage.stat(row.key)
    except StorageMissing as error:
        _record(row, ObjectMissing.slug())
        raise ObjectMissing(ids=[row.id]) from error
    _record(row, None)


def recheck_missing(rows: Sequence[FileRow]) -> None:
    """Check again the objects that were missing before. Raises ObjectMissing with their ids (`ids`)."""
    missing = []
    for row in rows:
        try:
            if row.error is not None:  # A COMPLETE file has no other error than object-missing.
                require_object(row)
        except ObjectMissing:
            missing.append(row.id)
    if missing:
        raise ObjectMissing(ids=missing)


def _record(row: FileRow, reason: str | None) -> None:
    """Set the row's `error`. The response does not depend on it, so an unavailable database is ignored."""
    if row.error == reason:
        return
    with suppress(*UNAVAILABLE):
        if transitions.set_object_error(row, reason):
            log.warning("object.missing" if reason else "object.restored", extra=for_file(row.id))
