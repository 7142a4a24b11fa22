"""How a file goes, and all that there is of it."""

from __future__ import annotations

import logging
from contextlib import suppress

from flask import Flask, current_app

import lookups
import moves
import spool
import storage
from database import AWAY, reason
from logs import about
from models import File, UploadStatus
from pool import Pool
from problems import Problem
from storage.base import StorageError

log = logging.getLogger("ferry.file")

_THREADS = 2
_STORED_AT_ONCE = 2


def delete(row: File) -> bool:
    """Delete a file: gone for everybody at once, its bytes as soon as nobody can be at work on it.

    False: somebody else has deleted it. A thread removes what there is, so that nobody waits for a storage that hangs;
    whatever can't be removed now is left to the sweep.
    """
    if not moves.delete(row):
        return False
    log.info("deleted", extra=about(row.id))
    if row.upload_status != UploadStatus.PROCESSING and spool.of().may_be_here(row.spool):
        current_app.extensions["removals"].submit(_remove_deleted, row.id)
    return True


def discard(row: File, error: Problem) -> None:
    """End the attempt of a file whose request is invalid, and delete the file: no client has its id.

    A thread removes its parts. If the database is away, the sweep ends the file as ERROR when its lease has run out.
    """
    try:
        done = moves.discard(row, error.reason)
    except AWAY as away:
        log.warning("upload.refused: %s, not discarded: %s", error.slug(), reason(away), extra=about(row.id))
        return
    log.info("upload.refused: %s", error.slug(), extra=about(row.id))
    if done:
        current_app.extensions["removals"].submit(_remove_deleted, row.id)


def remove(row: File) -> None:
    """Remove all that there is of a deleted file: object, parts of one, bytes in the spool; then its row.

    May be repeated after a death at any point. A holder that stood still until now may still bring an object in: it
    belongs to no file then, and the sweep finds it.
    """
    storage.of().delete(row.key, row.version_id)
    # Being deleted counts as an attempt. Of a COMPLETE file only one that failed can have left parts.
    if row.upload_status != UploadStatus.COMPLETE or row.attempt > _STORED_AT_ONCE:
        for begun in storage.of().begun(row.key):
            storage.of().abort(begun)
    spool.of().discard(row.id)
    moves.forget(row)


def init_app(app: Flask) -> None:
    """Give the app the threads that remove what was deleted."""
    app.extensions["removals"] = Pool(app, "ferry-remove", _THREADS)


def _remove_deleted(id: str) -> None:
    row = lookups.among([id]).get(id)
    if row is not None and row.deleted_at is not None:
        with suppress(StorageError, OSError, *AWAY):
            remove(row)
