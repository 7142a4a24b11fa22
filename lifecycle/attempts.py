"""How an attempt at storing a file ends, and whether another follows."""

from __future__ import annotations

import logging
import random
from contextlib import suppress

import config
from database import engine
from database.engine import UNAVAILABLE, retry_while_unavailable
from lifecycle import queries, transitions
from logs import for_file
from models import File, UploadStatus
from problems import BytesGone, BytesLost, Deleted, LeaseLost, NotFailed, Problem, ServerStopped
from services import current_services
from storage.base import StorageError, StorageMismatch

log = logging.getLogger("ferry.file")

_MAX_PAUSE = 900.0
_MIN_JITTER, _MAX_JITTER = 0.75, 1.25
MAX_RETRY_DELAY = _MAX_JITTER * _MAX_PAUSE
"""Seconds after a failed attempt in which the next is due, whatever has failed."""
_MAX_DETAIL = 255
_DATABASE_SECONDS = 75.0
"""How long the end of an attempt waits for a database that is away. The lease may run out: the fence knows."""


def complete(row: File, size: int, sha256: str, version: str | None = None) -> None:
    """End a stored file. Raises LeaseLost where somebody else has it."""
    url = current_services().storage.url(row.key)
    done = retry_while_unavailable(
        lambda: transitions.complete(row, url=url, size=size, sha256=sha256, version_id=version), _DATABASE_SECONDS
    )
    if not done:
        # The answer to our own move may have been lost.
        now = queries.get(row.id)
        if now is None or (now.upload_status, now.attempt) != (UploadStatus.COMPLETE, row.attempt):
            raise LeaseLost
    _delete_spooled(row)
    log.info("complete, %d bytes, attempt %d", size, row.attempt, extra=for_file(row.id))


def fail(row: File, error: Exception) -> None:
    """End an attempt that `error` has ended: the file waits for the next, or ends as ERROR."""
    reason, detail, cause = _reason(error)
    settings = config.current()
    pause = retry_delay(row.mode, error, row.attempts, settings.max_attempts, settings.retry_delay)
    if pause is None and isinstance(error, StorageMismatch):
        _delete_mismatched(row)
    # Spread, so that what failed together does not come back together.
    later = random.uniform(_MIN_JITTER, _MAX_JITTER) * (pause or 0)  # noqa: S311
    try:
        # Nobody waits for this but in normal mode, and there the sweep ends the file as well.
        patience = 0 if row.mode == "normal" else _DATABASE_SECONDS
        kept = retry_while_unavailable(
            lambda: (
                transitions.fail(row, reason, detail)
                if pause is None
                else transitions.requeue(row, reason, later, detail)
            ),
            patience,
        )
    except UNAVAILABLE as away:
        log.warning(
            "attempt %d failed (%s), the database is not available: %s",
            row.attempt, cause, engine.reason(away), extra=for_file(row.id),
        )  # fmt: skip
        return
    log.warning(
        "attempt %d failed (%s), %s", row.attempt, cause,
        "overtaken" if not kept else "ended" if pause is None else f"again in {later:.0f} s",
        exc_info=not isinstance(error, Problem), extra=for_file(row.id),
    )  # fmt: skip
    if kept and pause is None and row.mode != "normal":
        _abort_uploads(row)


def _reason(error: Exception) -> tuple[str, str | None, str]:
    """The reason and its detail for the row, and the cause for the log, which has the storage's own words as well."""
    if not isinstance(error, Problem):
        return Problem.slug(), None, Problem.slug()
    said = error.cause if isinstance(error, StorageError) else ""
    detail = error.detail[:_MAX_DETAIL] if error.detail else None
    return error.reason, detail, f"{error.reason}: {said}" if said else error.reason


def lease_lost_error(row: File) -> Problem:
    """What to say of a file that we do not hold any more."""
    with suppress(*UNAVAILABLE):
        now = queries.get_many([row.id]).get(row.id)
        if now is None or now.deleted_at is not None:
            log.info("deleted during attempt %d", row.attempt, extra=for_file(row.id))
            return Deleted()
    log.warning("attempt %d was overtaken", row.attempt, extra=for_file(row.id))
    return LeaseLost()


def retry_delay(mode: str, error: Exception, attempt: int, most: int, first_pause: float) -> float | None:
    """What the failed attempt number `attempt` means: the pause in seconds before the next, None where there is none.

    In normal mode the bytes are gone with the request. Elsewhere only what can't pass ends a file at once.
    """
    final = (isinstance(error, StorageError) and error.permanent) or isinstance(error, BytesLost)
    if mode == "normal" or final or attempt >= most:
        return None
    return min(first_pause * 2.0 ** min(attempt - 1, 30), _MAX_PAUSE)


def recover_if_stored(row: File) -> bool:
    """End a file as COMPLETE whose object an earlier attempt has left whole: it may have died just before it said so.

    Its bytes are in the spool, and are compared with what the storage says of the object. Where that can't be asked,
    the attempt that follows finds out why, and is counted.
    """
    if row.attempt == 0 or row.size is None or row.sha256 is None or not current_services().spool.has(row.id):
        return False
    try:
        found = current_services().storage.matches(row.key, row.size, current_services().spool.open(row.id))
    except StorageError:
        return False
    if not found or not transitions.claim(row, current_services().leases.seconds):
        return False
    complete(row, row.size, row.sha256, found.version)
    return True


def requeue_in_flight() -> None:
    """Give up all that this process works on, because it is about to be stopped.

    Files whose bytes are kept wait for the next to take them; the others end with their requests.
    """
    for row in current_services().leases.revoke_all():
        reason = ServerStopped.slug()
        moved = transitions.fail(row, reason) if row.mode == "normal" else transitions.requeue(row, reason, 0)
        log.warning("handed back" if moved else "had ended", extra=for_file(row.id))


def retry(row: File) -> None:
    """Let a file that ended as ERROR have as many attempts again as it had at first.

    Raises NotFailed or, where its bytes are known to be gone, BytesGone.
    """
    if row.upload_status != UploadStatus.ERROR:
        raise NotFailed
    if not current_services().spool.may_hold(row.id, row.spool):
        raise BytesGone
    if not transitions.retry(row):
        raise NotFailed


def _delete_mismatched(row: File) -> None:
    """Remove an object of other bytes, before the row says that the file has ended: until then no attempt follows.

    What can't be removed now is left to the sweep.
    """
    with suppress(StorageError, *UNAVAILABLE):
        if transitions.heartbeat(row, current_services().leases.seconds):
            current_services().storage.delete(row.key)


def _abort_uploads(row: File) -> None:
    """Abort what earlier attempts left for the next, which there is not. What is left even then the sweep finds."""
    with suppress(StorageError):
        for begun in current_services().storage.multipart_uploads(row.key):
            current_services().storage.abort_multipart_upload(begun)


def _delete_spooled(row: File) -> None:
    """Remove what the spool keeps of a file that is stored. What stays behind is untidy, but it is not a failure."""
    try:
        if row.mode != "normal":
            current_services().spool.delete(row.id)
    except OSError:
        log.warning("its bytes could not be removed from the spool", exc_info=True, extra=for_file(row.id))
