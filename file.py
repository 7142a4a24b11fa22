"""The life of one upload: accepted, carried to the storage, ended. All three modes come down to `store`.

Nothing here knows HTTP, threads or Celery: who calls, and when, is the mode's business.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, overload

import uuid_utils
from pybase64 import b64encode_as_string

import config
import lease
import lookups
import moves
import owners
import spool
import storage
from content import served
from database import AWAY, insist, ping
from logs import about
from measured import Measured
from models import File, UploadStatus
from names import safe_name
from problems import (
    AttemptsExhausted,
    BytesGone,
    BytesLost,
    IdempotencyKeyReused,
    LeaseLost,
    NotFailed,
    Problem,
    ServerStopped,
)
from storage.base import StorageError

log = logging.getLogger("ferry.file")

Mode = Literal["normal", "async", "celery"]
_LONGEST_PAUSE = 900.0
_DATABASE_SECONDS = 75.0
"""How long the end of an attempt waits for a database that is away. The lease may run out: the fence knows."""


def rename_file(name: str, when: datetime) -> str:
    """`YYYYmmddHHMMSS--safe-name.ext`: the name under which a file that was sent as `name` is kept."""
    return f"{when:%Y%m%d%H%M%S}--{safe_name(name)}"


@overload
def process_file_to_stream(id: str) -> Iterator[bytes]: ...
@overload
def process_file_to_stream(id: str, *, as_text: Literal[True]) -> str: ...
def process_file_to_stream(id: str, *, as_text: bool = False) -> Iterator[bytes] | str:
    """The spooled bytes of a file as a stream or, where a JSON task will carry them, all at once as base64 text."""
    stream = spool.of().open(id)
    return b64encode_as_string(b"".join(stream)) if as_text else stream


def new(
    name: str,
    content_type: str,
    mode: Mode,
    *,
    detected_type: str | None = None,
    owner: str | None = None,
    expires_in: float | None = None,
) -> File:
    """A new file with an id and a key of its own, that goes by itself in `expires_in` seconds. No row is written yet.

    The key comes from the row alone and is the same for every attempt: two files never meet, and doing an upload
    again overwrites only itself. The id leads, so that `scan(prefix + id)` finds the object.
    """
    settings, now = config.current(), datetime.now(UTC)
    id = str(uuid_utils.uuid7())
    return File(
        id=id,
        name=name,
        key=f"{settings.s3_prefix}{id}--{rename_file(name, now)}",
        content_type=content_type,
        detected_type=detected_type,
        owner=owner,
        reserved=0,
        expires_at=expires_in and now.timestamp() + expires_in,
        mode=mode,
        created_at=now.timestamp(),
    )


def receive(row: File, stream: Iterator[bytes], bound: int | None = None) -> None:
    """Keep all bytes of a new file in the spool and commit its row as PENDING: from here on it can't be lost.

    Whether the row was committed is not known when the database falls silent just then: the bytes stay, and the sweep
    removes them if it turns out that it was not. One that is away already is found out before the bytes are read.
    """
    room = None
    if row.owner is None:
        ping()
    else:
        room = owners.room(row.owner)
    measured = Measured(stream, room=room)
    spool.of().keep(row.id, measured.chunks(), bound)
    row.size, row.sha256, row.spool = measured.size, measured.sha256, spool.of().identity
    row.reserved = measured.size
    try:
        moves.accept(row, lease.keeper().seconds)
    except AWAY:
        raise
    except BaseException:
        if lookups.find(row.id) is None:
            spool.of().discard(row.id)
        raise
    log.info("accepted, %d bytes", row.size, extra=about(row.id))


def compare(before: File, again: File, stream: Iterator[bytes]) -> None:
    """Read a request that came again to its end. Raises IdempotencyKeyReused where it is not the one before."""
    measured = Measured(stream)
    for _ in measured.chunks():
        pass
    if (before.mode, before.name, before.size, before.sha256) != (
        again.mode, again.name, measured.size, measured.sha256
    ):  # fmt: skip
        raise IdempotencyKeyReused


def upload_file(id: str) -> None:
    """Claim a file and store it from the spool. Does nothing where somebody else has it, or it has ended."""
    row = lookups.find(id)
    if row is None or already_stored(row):
        return
    upload_file_from_stream(id, lambda row: process_file_to_stream(row.id))


def upload_file_from_stream(id: str, stream_of: Callable[[File], Iterator[bytes]]) -> bool:
    """Claim a file and store what `stream_of(row)` yields as its bytes.

    A failure is written to the row and logged, not raised: the row is what everybody looks at. Returns whether
    somebody else holds the file, so that it may have to be asked for again; it may also have ended, or be unknown.
    """
    row = lookups.find(id)
    if row and row.attempts >= config.current().max_attempts:
        # A task that comes again and again must not outrun the sweep. Does nothing where the file is not abandoned.
        moves.drop(row, AttemptsExhausted.slug())
    if row is None or not moves.claim(row, lease.keeper().seconds):
        log.info("nothing to do", extra=about(id))
        return row is not None and row.upload_status == UploadStatus.PROCESSING
    with suppress(Problem):
        store(row, stream_of(row))
    return False


def already_stored(row: File) -> bool:
    """End a file as COMPLETE whose object an earlier attempt has left whole: it may have died just before it said so.

    Its bytes are in the spool, and are compared with what the storage says of the object. Where that can't be asked,
    the attempt that follows finds out why, and is counted.
    """
    if row.attempt == 0 or row.size is None or row.sha256 is None or not spool.of().has(row.id):
        return False
    try:
        found = storage.of().holds(row.key, row.size, process_file_to_stream(row.id))
    except StorageError:
        return False
    if not found or not moves.claim(row, lease.keeper().seconds):
        return False
    _complete(row, row.size, row.sha256)
    return True


def try_again(row: File) -> None:
    """Let a file that ended as ERROR have as many attempts again as it had at first.

    Raises NotFailed or, where its bytes are known to be gone, BytesGone.
    """
    if row.upload_status != UploadStatus.ERROR:
        raise NotFailed
    if not spool.of().may_have(row.id, row.spool):
        raise BytesGone
    if not moves.retry(row):
        raise NotFailed


def delete(row: File) -> bool:
    """Delete a file: gone for everybody at once, its bytes as soon as nobody can be at work on it.

    False: somebody else has deleted it. Whatever can't be removed now is left to the sweep.
    """
    if not moves.delete(row):
        return False
    log.info("deleted", extra=about(row.id))
    if row.upload_status != UploadStatus.PROCESSING and spool.of().may_be_here(row.spool):
        with suppress(StorageError, OSError, *AWAY):
            remove(row)
    return True


def remove(row: File) -> None:
    """Remove all that there is of a deleted file: object, parts of one, bytes in the spool; then its row.

    May be repeated after a death at any point. A holder that stood still until now may still bring an object in: it
    belongs to no file then, and the sweep finds it.
    """
    storage.of().delete(row.key, row.version_id)
    if row.upload_status != UploadStatus.COMPLETE:
        for begun in storage.of().begun(row.key):
            storage.of().abort(begun)
    spool.of().discard(row.id)
    moves.forget(row)


def hand_back() -> None:
    """Give up all that this process works on, because it is about to be stopped.

    Files whose bytes are kept wait for the next to take them; the others end with their requests.
    """
    for row in lease.keeper().release_all():
        reason = ServerStopped.slug()
        moved = moves.fail(row, reason) if row.mode == "normal" else moves.give_back(row, reason, 0)
        log.warning("handed back" if moved else "had ended", extra=about(row.id))


def hold(row: File, bound: int | None) -> None:
    """Commit the row of a new file as held by us, before its bytes are read: up to `bound` of them, where known."""
    row.reserved = config.current().max_file_size if bound is None else bound
    moves.accept(row, lease.keeper().seconds, held=True)


def store(row: File, stream: Iterator[bytes], bound: int | None = None) -> None:
    """Carry `stream` to the storage as the bytes of `row`, which the caller holds, and end the row's attempt.

    The row becomes COMPLETE only after the storage has been asked for the object. Raises what went wrong, as a
    Problem, after the row says so too. `bound` is the most bytes that can come, where the row does not know.
    """
    bound = bound if row.size is None else row.size
    room = owners.Room(row.owner, row.reserved, reserved=True) if row.owner and row.size is None else None
    try:
        content_type, disposition = served(row.name, row.detected_type)
        with lease.keeper().hold(row) as hold:
            with Measured(stream, row.size, row.sha256, hold=hold, room=room) as measured:
                stored = storage.of().put(
                    row.key,
                    measured.unseen(),
                    bound=bound,
                    content_type=content_type,
                    disposition=disposition,
                    witness=measured,
                )
            hold.check()
            _complete(row, measured.size, measured.sha256, stored.version)
    except Exception as error:
        _end_attempt(row, error)
        raise


def _complete(row: File, size: int, sha256: str, version: str | None = None) -> None:
    """End a stored file. Raises LeaseLost where somebody else has it."""
    url = f"{config.current().public_base_url}/{row.key}"
    done = insist(lambda: moves.complete(row, url=url, size=size, sha256=sha256, version_id=version), _DATABASE_SECONDS)
    if not done:
        # The answer to our own move may have been lost.
        now = lookups.find(row.id)
        if now is None or (now.upload_status, now.attempt) != (UploadStatus.COMPLETE, row.attempt):
            raise LeaseLost
    _forget_bytes(row)
    log.info("complete, %d bytes, attempt %d", size, row.attempt, extra=about(row.id))


def _forget_bytes(row: File) -> None:
    """Remove what the spool keeps of a file that is stored. What stays behind is untidy, but it is not a failure."""
    try:
        if row.mode != "normal":
            spool.of().discard(row.id)
    except OSError:
        log.warning("its bytes could not be removed from the spool", exc_info=True, extra=about(row.id))


def verdict(mode: str, error: Exception, attempt: int, most: int, first_pause: float) -> float | None:
    """What the failed attempt number `attempt` means: the pause in seconds before the next, None where there is none.

    In normal mode the bytes are gone with the request. Elsewhere only what can't pass ends a file at once.
    """
    final = (isinstance(error, StorageError) and error.permanent) or isinstance(error, BytesLost)
    if mode == "normal" or final or attempt >= most:
        return None
    return min(first_pause * 2.0 ** min(attempt - 1, 30), _LONGEST_PAUSE)


def _end_attempt(row: File, error: Exception) -> None:
    if isinstance(error, LeaseLost):
        log.warning("attempt %d was overtaken", row.attempt, extra=about(row.id))
        return
    reason = error.reason if isinstance(error, Problem) else Problem.slug()
    settings = config.current()
    pause = verdict(row.mode, error, row.attempts, settings.max_attempts, settings.retry_seconds)
    # Spread, so that what failed together does not come back together.
    later = random.uniform(0.75, 1.25) * (pause or 0)  # noqa: S311
    try:
        # Nobody waits for this but in normal mode, and there the sweep ends the file as well.
        patience = 0 if row.mode == "normal" else _DATABASE_SECONDS
        kept = insist(
            lambda: moves.fail(row, reason) if pause is None else moves.give_back(row, reason, later), patience
        )
    except AWAY:
        log.warning("attempt %d failed (%s), its row could not be told", row.attempt, reason, extra=about(row.id))
        return
    log.warning(
        "attempt %d failed (%s), %s", row.attempt, reason,
        "overtaken" if not kept else "ended" if pause is None else f"again in {later:.0f} s",
        exc_info=not isinstance(error, Problem), extra=about(row.id),
    )  # fmt: skip
