"""How an attempt to store a file ends, and whether another follows.

`retry_delay` decides whether a failed attempt is retried, and when; the row's `due_at` records it. The sweep dispatches
due files. If a process dies, the leases of its files expire: the sweep then puts them back to PENDING, and Celery
redelivers the task of a dead worker. `is_exhausted` limits the attempts in each of these cases.
An HTTP request to the storage has retries of its own, within one attempt.
"""

from __future__ import annotations

import logging
import random
from contextlib import suppress

import config
from database import engine
from database.engine import UNAVAILABLE, retry_while_unavailable
from lifecycle import queries, transitions
from logs import for_file
from models import FileRow, UploadStatus
from problems import BytesGone, BytesLost, Deleted, LeaseLost, NotFailed, Problem, ServerStopped
from services import current_services
from storage.base import StorageError, StorageMismatch

log = logging.getLogger("ferry.file")

_MAX_DELAY = 900.0
_MIN_JITTER, _MAX_JITTER = 0.75, 1.25
"""Files that failed together must not come back together."""
MAX_RETRY_DELAY = _MAX_JITTER * _MAX_DELAY
"""Most seconds between a failed attempt and the next."""
_MAX_DETAIL = 255
_DATABASE_TIMEOUT = 75.0
"""Seconds for which the end of an attempt is retried while the database is unavailable. The lease may expire: then the
fencing token decides."""


def complete(row: FileRow, size: int, sha256: str, version: str | None = None) -> FileRow:
    """End a stored file as COMPLETE, and return the new row. Raises LeaseLost if another attempt has it."""
    url = current_services().storage.url(row.key)
    completed = retry_while_unavailable(
        lambda: transitions.set_complete(row, url=url, size=size, sha256=sha256, version_id=version), _DATABASE_TIMEOUT
    )
    if completed is None:
        # An earlier try may have succeeded, and its answer been lost.
        completed = queries.get(row.id)
        if completed is None or (completed.upload_status, completed.attempt) != (UploadStatus.COMPLETE, row.attempt):
            raise LeaseLost
    _delete_spooled(row)
    log.info("attempt.complete: %d bytes, attempt %d", size, row.attempt, extra=for_file(row.id))
    return completed


def fail(row: FileRow, error: Exception) -> None:
    """End an attempt that raised `error`: back to PENDING if another may follow, ERROR if not."""
    reason, detail, cause = _reason(error)
    settings = config.current()
    jitter = random.uniform(_MIN_JITTER, _MAX_JITTER)  # noqa: S311
    delay = retry_delay(row.mode, error, row.attempts_made, settings.max_attempts, settings.retry_delay, jitter)
    if delay is None and isinstance(error, StorageMismatch):
        _delete_mismatched(row)
    try:
        updated = _update_failed(row, reason, detail, delay)
    except UNAVAILABLE as unavailable:
        log.warning(
            "attempt.failed: %s, attempt %d, not recorded: %s",
            cause, row.attempt, engine.describe(unavailable), extra=for_file(row.id),
        )  # fmt: skip
        return
    log.warning(
        "attempt.failed: %s, attempt %d, %s", cause, row.attempt,
        "lease lost" if not updated else "no retry" if delay is None else f"retry in {delay:.0f} s",
        exc_info=not isinstance(error, Problem), extra=for_file(row.id),
    )  # fmt: skip
    if updated and delay is None and row.mode != "normal":
        _abort_multipart_uploads(row)


def _update_failed(row: FileRow, reason: str, detail: str | None, delay: float | None) -> FileRow | None:
    # In normal mode the client waits, and the sweep ends the file as well.
    timeout = 0 if row.mode == "normal" else _DATABASE_TIMEOUT
    if delay is None:
        return retry_while_unavailable(lambda: transitions.set_error(row, reason, detail), timeout)
    return retry_while_unavailable(lambda: transitions.requeue(row, reason, delay, detail), timeout)


def _reason(error: Exception) -> tuple[str, str | None, str]:
    """Reason and detail for the row; and the cause for the log, which includes the storage's message."""
    if not isinstance(error, Problem):
        return Problem.slug(), None, Problem.slug()
    message = error.cause if isinstance(error, StorageError) else ""
    detail = error.detail[:_MAX_DETAIL] if error.detail else None
    return error.reason, detail, f"{error.reason}: {message}" if message else error.reason


def lease_lost_error(row: FileRow) -> Problem:
    """Return the error for a lost claim: Deleted if the file was deleted, else LeaseLost."""
    with suppress(*UNAVAILABLE):
        current = queries.get_many([row.id]).get(row.id)
        if current is None or current.deleted_at is not None:
            log.info("attempt.file_deleted: attempt %d", row.attempt, extra=for_file(row.id))
            return Deleted()
    log.warning("attempt.lease_lost: attempt %d", row.attempt, extra=for_file(row.id))
    return LeaseLost()


def is_exhausted(mode: str, attempts_made: int, max_attempts: int) -> bool:
    """Return whether a file gets no further attempt. In normal mode its bytes are gone with the request."""
    return mode == "normal" or attempts_made >= max_attempts


def retry_delay(
    mode: str, error: Exception, attempts_made: int, max_attempts: int, base_delay: float, jitter: float = 1
) -> float | None:
    """Return the seconds before the attempt that follows a failed one; None if none follows.

    The delay is `base_delay` after the first attempt and doubles each time, up to 15 minutes; then it is multiplied by
    `jitter`. No attempt follows a permanent error.
    """
    permanent = (isinstance(error, StorageError) and error.permanent) or isinstance(error, BytesLost)
    if permanent or is_exhausted(mode, attempts_made, max_attempts):
        return None
    return jitter * min(base_delay * 2.0 ** min(attempts_made - 1, 30), _MAX_DELAY)


def recover_if_stored(row: FileRow) -> bool:
    """Complete a file whose object an earlier attempt has stored: it may have crashed before it updated the row.

    Compares the spooled bytes with the storage's evidence of the object. If the storage can't answer, returns False:
    the attempt that follows reports the error, and is counted.
    """
    spool = current_services().spool
    if row.attempt == 0 or row.size is None or row.sha256 is None or not spool.has(row.id):
        return False
    try:
        stat = current_services().storage.matches(row.key, row.size, spool.open(row.id))
    except StorageError:
        return False
    claimed = stat and transitions.claim(row, current_services().leases.seconds)
    if not stat or not claimed:
        return False
    complete(claimed, row.size, row.sha256, stat.version)
    return True


def end_in_flight() -> None:
    """End every attempt of this process: a file of normal mode ends as ERROR, any other is PENDING again, due now."""
    revoked = current_services().leases.revoke_all()
    # Read again: the bytes that they reserve may have grown.
    rows = queries.get_many([row.id for row in revoked])
    for row in (rows[row.id] for row in revoked if row.id in rows and rows[row.id].attempt == row.attempt):
        reason = ServerStopped.slug()
        updated = transitions.set_error(row, reason) if row.mode == "normal" else transitions.requeue(row, reason, 0)
        log.warning("attempt.interrupted" if updated else "attempt.already_ended", extra=for_file(row.id))


def retry(row: FileRow) -> FileRow:
    """Retry a file in ERROR by request, with the full number of attempts, and return the new row.

    Raises NotFailed, or BytesGone if its bytes are known to be gone.
    """
    if row.upload_status != UploadStatus.ERROR:
        raise NotFailed
    if not current_services().spool.may_hold(row.id, row.spool):
        raise BytesGone
    retried = transitions.set_pending(row)
    if retried is None:
        raise NotFailed
    return retried


def _delete_mismatched(row: FileRow) -> None:
    """Delete an object with wrong bytes, before the row is in ERROR: until then no other attempt can start.

    If that fails, the sweep deletes it.
    """
    with suppress(StorageError, *UNAVAILABLE):
        if transitions.heartbeat(row, current_services().leases.seconds):
            current_services().storage.delete(row.key)


def _abort_multipart_uploads(row: FileRow) -> None:
    """Abort the multipart uploads that earlier attempts left for a next one. If that fails, the sweep does."""
    with suppress(StorageError):
        for upload in current_services().storage.multipart_uploads(row.key):
            current_services().storage.abort_multipart_upload(upload)


def _delete_spooled(row: FileRow) -> None:
    """Delete the spooled bytes of a stored file. A failure is only logged: the sweep deletes them."""
    try:
        if row.mode != "normal":
            current_services().spool.delete(row.id)
    except OSError:
        log.warning("spool.delete_failed", exc_info=True, extra=for_file(row.id))
