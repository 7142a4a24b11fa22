"""How a file goes, and all that there is of it."""

from __future__ import annotations

import logging
from contextlib import suppress

from database.engine import UNAVAILABLE, reason
from lifecycle import queries, transitions
from logs import for_file
from models import File, UploadStatus
from problems import Problem
from services import current_services
from storage.base import StorageError

log = logging.getLogger("ferry.file")

THREADS = 2
_STORED_AT_ONCE = 2


def delete(row: File) -> bool:
    """Delete a file: gone for everybody at once, its bytes as soon as nobody can be at work on it.

    False: somebody else has deleted it. A thread removes what there is, so that nobody waits for a storage that hangs;
    whatever can't be removed now is left to the sweep.
    """
    if not transitions.delete(row):
        return False
    log.info("deleted", extra=for_file(row.id))
    if row.upload_status != UploadStatus.PROCESSING and current_services().spool.is_local(row.spool):
        current_services().removal_pool.submit(_remove_deleted, row.id)
    return True


def discard(row: File, error: Problem) -> None:
    """End the attempt of a file whose request is invalid, and delete the file: no client has its id.

    A thread removes its parts. If the database is away, the sweep ends the file as ERROR when its lease has run out.
    """
    try:
        done = transitions.discard(row, error.reason)
    except UNAVAILABLE as away:
        log.warning("upload.refused: %s, not discarded: %s", error.slug(), reason(away), extra=for_file(row.id))
        return
    log.info("upload.refused: %s", error.slug(), extra=for_file(row.id))
    if done:
        current_services().removal_pool.submit(_remove_deleted, row.id)


def purge(row: File) -> None:
    """Remove all that there is of a deleted file: object, parts of one, bytes in the spool; then its row.

    May be repeated after a death at any point. A holder that stood still until now may still bring an object in: it
    belongs to no file then, and the sweep finds it.
    """
    current_services().storage.delete(row.key, row.version_id)
    # Being deleted counts as an attempt. Of a COMPLETE file only one that failed can have left parts.
    if row.upload_status != UploadStatus.COMPLETE or row.attempt > _STORED_AT_ONCE:
        for begun in current_services().storage.multipart_uploads(row.key):
            current_services().storage.abort_multipart_upload(begun)
    current_services().spool.delete(row.id)
    transitions.purge(row)


def _remove_deleted(id: str) -> None:
    row = queries.get_many([id]).get(id)
    if row is not None and row.deleted_at is not None:
        with suppress(StorageError, OSError, *UNAVAILABLE):
            purge(row)
