"""Deletion of a file: `delete` marks its row, `purge` removes its data and then the row."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

from database.engine import UNAVAILABLE, describe
from lifecycle import queries, transitions
from logs import for_file
from models import FileRow, UploadStatus
from problems import Problem
from services import current_services
from storage.base import StorageError

log = logging.getLogger("ferry.file")

PURGE_THREADS = 2
"""Threads that purge deleted files."""

_FIRST_ATTEMPT_DELETED = 2
"""`attempt` of a deleted file that was stored at the first attempt: deleting raises it as well."""


def delete(row: FileRow) -> bool:
    """Delete a file: clients see it no longer, and it is purged once no attempt can hold it.

    Returns False if it was deleted already. A background thread purges the file, so that no request waits for a
    storage that hangs; if that fails, the sweep does it.
    """
    deleted = transitions.mark_deleted(row)
    if deleted is None:
        return False
    log.info("file.deleted", extra=for_file(row.id))
    if deleted.upload_status != UploadStatus.PROCESSING and current_services().spool.is_local(deleted.spool):
        _purge_in_background(row.id)
    return True


def delete_refused(row: FileRow, error: Problem) -> None:
    """End the attempt of an invalid request and delete its file: no client knows the id.

    A background thread purges it. If the database is unavailable, the sweep ends the file as ERROR once its lease has
    expired.
    """
    try:
        deleted = transitions.set_error_and_deleted(row, error.reason)
    except UNAVAILABLE as unavailable:
        log.warning("upload.refused: %s, not deleted: %s", error.slug(), describe(unavailable), extra=for_file(row.id))
        return
    log.info("upload.refused: %s", error.slug(), extra=for_file(row.id))
    if deleted:
        _purge_in_background(row.id)


def purge(row: FileRow) -> None:
    """Remove a deleted file's object, multipart uploads and spooled bytes; then its row.

    May be repeated after a crash at any point. An attempt that was suspended until now may still store an object (see
    `transitions.fencing`).
    """
    current_services().storage.delete(row.key, row.version_id)
    # A COMPLETE file has parts left only if an attempt failed.
    if row.upload_status != UploadStatus.COMPLETE or row.attempt > _FIRST_ATTEMPT_DELETED:
        for upload in current_services().storage.multipart_uploads(row.key):
            current_services().storage.abort_multipart_upload(upload)
    current_services().spool.delete(row.id)
    transitions.delete_row(row)


def _purge_in_background(id: str) -> None:
    current_services().purge_pool.submit(id, partial(_purge_deleted, id), file_id=id)


def _purge_deleted(id: str) -> None:
    row = queries.get_many([id]).get(id)
    if row is not None and row.deleted_at is not None:
        with suppress(StorageError, OSError, *UNAVAILABLE):
            purge(row)
