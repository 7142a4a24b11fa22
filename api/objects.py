"""Objects of COMPLETE files that something else has removed: the row says so at once, until the object is back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

import storage
from auth.transfer_slots import download_slot
from database.engine import UNAVAILABLE
from lifecycle import transitions
from logs import for_file
from models import File
from services import current_services
from storage.base import ObjectMissing, StorageMissing

log = logging.getLogger("ferry.downloads")


def open_object(objects: storage.Storage, row: File, wanted: tuple[int, int] | None = None) -> storage.Stream:
    """The bytes of a file, or those from `wanted`'s first to before its end. Raises ObjectMissing, and StorageError."""
    first, end = wanted or (0, None)
    try:
        return objects.open(row.key, first, end and end - first, size=row.size)
    except StorageMissing as error:
        _note(row, ObjectMissing.slug())
        raise ObjectMissing(ids=[row.id]) from error


def require_object(row: File) -> None:
    """Ask the storage for the object of a file. Raises ObjectMissing, and StorageError.

    It holds a download's slot: a silent storage keeps it waiting for as long as one. Raises TooManyDownloads.
    """
    try:
        with download_slot():
            current_services().storage.stat(row.key)
    except StorageMissing as error:
        _note(row, ObjectMissing.slug())
        raise ObjectMissing(ids=[row.id]) from error
    _note(row, None)


def recheck_missing(rows: Sequence[File]) -> None:
    """Ask the storage for those objects that were found gone before. Raises ObjectMissing, which names them (`ids`)."""
    gone = []
    for row in rows:
        try:
            if row.error is not None:  # Of a COMPLETE file it is never anything else.
                require_object(row)
        except ObjectMissing:
            gone.append(row.id)
    if gone:
        raise ObjectMissing(ids=gone)


def _note(row: File, reason: str | None) -> None:
    """Have the row say it. What the client is answered does not depend on whether it can be written."""
    if row.error == reason:
        return
    with suppress(*UNAVAILABLE):
        if transitions.set_error(row, reason):
            log.warning("the object is gone" if reason else "the object is back", extra=for_file(row.id))
