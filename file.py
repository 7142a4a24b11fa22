"""The road of one upload: received, accepted, carried to the storage. All three modes come down to `store`.

Nothing here knows HTTP, threads or Celery: who calls, and when, is the mode's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Literal, overload

import uuid_utils
from pybase64 import b64encode_as_string

import config
from content.filenames import safe_name
from content.policy import safe_headers
from database.engine import UNAVAILABLE, ping, was_rolled_back
from lifecycle import attempts, deletion, queries, transitions
from lifecycle.hashing import HashingStream
from logs import for_file
from models import File, UploadStatus
from problems import AttemptsExhausted, LeaseLost, Problem, is_invalid_request
from quotas import storage_quota
from services import current_services

log = logging.getLogger("ferry.file")

Mode = Literal["normal", "async", "celery"]


def rename_file(name: str, when: datetime) -> str:
    """`YYYYmmddHHMMSS--safe-name.ext`: the name under which a file that was sent as `name` is kept."""
    return f"{when:%Y%m%d%H%M%S}--{safe_name(name)}"


@overload
def process_file_to_stream(id: str) -> Iterator[bytes]: ...
@overload
def process_file_to_stream(id: str, *, as_text: Literal[True]) -> str: ...
def process_file_to_stream(id: str, *, as_text: bool = False) -> Iterator[bytes] | str:
    """The spooled bytes of a file as a stream or, where a JSON task will carry them, all at once as base64 text."""
    stream = current_services().spool.open(id)
    return b64encode_as_string(b"".join(stream)) if as_text else stream


def new_file(
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
    Times are by this host's clock until `moves.accept` puts the database's in their place.
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


def receive(row: File, stream: Iterator[bytes], bound: int | None = None, client: str = "") -> None:
    """Keep all bytes of a new file in the spool and commit its row as PENDING: from here on it can't be lost.

    `client` is whose share of the spool they take while they come.

    Whether the row was committed is not known when the database falls silent just then: the bytes stay, and the sweep
    removes them if it turns out that it was not. One that is away already is found out before the bytes are read.
    One that refuses the row (it is read-only, say) leaves nothing.
    """
    room = None
    if row.owner is None:
        ping()
    else:
        room = storage_quota.remaining(row.owner)
    measured = HashingStream(stream, room=room)
    current_services().spool.write(row.id, measured.chunks(), bound, client)
    row.size, row.sha256, row.spool = measured.size, measured.sha256, current_services().spool.identity
    row.reserved = measured.size
    try:
        transitions.insert(row, current_services().leases.seconds)
    except UNAVAILABLE as error:
        if was_rolled_back(error):
            current_services().spool.delete(row.id)
        raise
    except BaseException:
        if queries.get(row.id) is None:
            current_services().spool.delete(row.id)
        raise
    log.info("accepted, %d bytes", row.size, extra=for_file(row.id))


def upload_file(id: str) -> None:
    """Claim a file and store it from the spool. Does nothing where somebody else has it, or it has ended."""
    row = queries.get(id)
    if row is None or attempts.recover_if_stored(row):
        return
    upload_file_from_stream(id, lambda row: process_file_to_stream(row.id))


def upload_file_from_stream(id: str, stream_of: Callable[[File], Iterator[bytes]]) -> bool:
    """Claim a file and store what `stream_of(row)` yields as its bytes.

    A failure is written to the row and logged, not raised: the row is what everybody looks at. Returns whether
    somebody else holds the file, so that it may have to be asked for again; it may also have ended, or be unknown.
    """
    row = queries.get(id)
    if row and row.attempts >= config.current().max_attempts:
        # A task that comes again and again must not outrun the sweep. Does nothing where the file is not abandoned.
        transitions.fail_abandoned(row, AttemptsExhausted.slug())
    if row is None or not transitions.claim(row, current_services().leases.seconds):
        log.info("nothing to do", extra=for_file(id))
        return row is not None and row.upload_status == UploadStatus.PROCESSING
    with suppress(Problem):
        store(row, stream_of(row))
    return False


def insert_claimed(row: File, bound: int | None) -> None:
    """Commit the row of a new file as held by us, before its bytes are read: up to `bound` of them, where known."""
    row.reserved = min(storage_quota.RESERVATION_STEP, config.current().max_file_size) if bound is None else bound
    transitions.insert(row, current_services().leases.seconds, status=UploadStatus.PROCESSING)


def _reserve(row: File, size: int) -> None:
    if not transitions.reserve_bytes(row, size):
        raise LeaseLost


def store(row: File, stream: Iterator[bytes], bound: int | None = None) -> None:
    """Carry `stream` to the storage as the bytes of `row`, which the caller holds, and end the row's attempt.

    The row becomes COMPLETE only after the storage has been asked for the object. Raises what went wrong, as a
    Problem, after the row says so too; deletes the row of an invalid request. `bound` is the most bytes that can come,
    where that is known and the row does not know; MAX_FILE_SIZE elsewhere, so that parts are of one size in any case.
    """
    most = config.current().max_file_size if bound is None else bound
    bound = most if row.size is None else row.size
    room = (
        storage_quota.QuotaReservation(row.owner, row.reserved, partial(_reserve, row))
        if row.owner and row.size is None
        else None
    )
    try:
        kind, shown = safe_headers(row.name, row.detected_type)
        with current_services().leases.renewing(row) as hold:
            with HashingStream(stream, row.size, row.sha256, hold=hold, room=room) as measured:
                stored = current_services().storage.put(
                    row.key, measured.raw(), max_bytes=bound, content_type=kind, disposition=shown, observer=measured,
                    attempt=0 if row.mode == "normal" else row.attempt,
                )  # fmt: skip
            hold.check()
            attempts.complete(row, measured.size, measured.sha256, stored.version)
    except LeaseLost as error:
        raise attempts.lease_lost_error(row) from error
    except Exception as error:
        if row.mode == "normal" and is_invalid_request(error):
            deletion.discard(row, error)
        else:
            attempts.fail(row, error)
        raise
