"""The upload pipeline: receive into the spool, insert the row, store. Every mode ends in `store`.

Four names are the public interface, and stay. "Upload" in them means to store a file in the object storage:

- `rename_file`: the name under which a file is stored
- `process_file_to_stream`: the spooled bytes of a file, as a stream or as base64 text
- `upload_file`: store a file from the spool
- `upload_file_from_stream`: store a file from another stream, for instance from the text of a task

The pipeline knows nothing of HTTP, threads or Celery: a mode decides when it runs, and on which thread or process.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, overload

import uuid_utils
from pybase64 import b64encode_as_string

import config
from auth.authenticator import Principal
from content.filenames import safe_name
from content.hashing import Hashing
from content.policy import check_allowed
from database.engine import UNAVAILABLE, ping, was_rolled_back
from lifecycle import attempts, deletion, idempotency, queries, transitions
from lifecycle.storing import checked, hashed, store_object
from lifecycle.upload_source import Accept, UploadSource
from logs import for_file
from models import FileRow, NewFile, UploadStatus
from problems import AttemptsExhausted, LeaseLost, Problem, is_invalid_request
from quotas import storage_quota
from services import current_services

log = logging.getLogger("ferry.file")

Mode = Literal["normal", "async", "celery"]


class Outcome(enum.Enum):
    """What became of a file that was to be stored."""

    ENDED = "ended"
    """Its attempt has ended, or there was none: the file has ended before, or is unknown."""
    HELD_ELSEWHERE = "held elsewhere"
    """Another attempt holds it. That process may crash, so try again when the lease has expired."""


def rename_file(name: str, when: datetime) -> str:
    """The stored name of a file uploaded as `name`: `YYYYmmddHHMMSS--safe-name.ext`."""
    return f"{when:%Y%m%d%H%M%S}--{safe_name(name)}"


@overload
def process_file_to_stream(id: str) -> Iterator[bytes]: ...
@overload
def process_file_to_stream(id: str, *, as_text: Literal[True]) -> str: ...
def process_file_to_stream(id: str, *, as_text: bool = False) -> Iterator[bytes] | str:
    """The spooled bytes of a file as a stream; with `as_text` all at once as base64, for a JSON task."""
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
) -> NewFile:
    """A new file with its own id and key, which expires in `expires_in` seconds. Writes no row.

    The key is made of the row alone and is the same for every attempt: no two files share one, and a repeated upload
    overwrites only its own object. The id comes first, so that `list_objects(prefix + id)` finds the object.
    """
    id = str(uuid_utils.uuid7())
    return NewFile(
        id=id,
        name=name,
        key=f"{current_services().storage.prefix}{id}--{rename_file(name, datetime.now(UTC))}",
        content_type=content_type,
        detected_type=detected_type,
        owner=owner,
        ttl=expires_in,
        mode=mode,
    )


def ingest(
    source: UploadSource,
    principal: Principal,
    mode: Mode,
    accept: Accept,
    *,
    ttl: float | None = None,
    idempotency_key: str | None = None,
) -> tuple[FileRow, bool]:
    """Accept the file of `source`: every upload protocol ends here. The caller holds the client's upload slot.

    Returns its row, and whether it is that of an earlier request with the same `idempotency_key`. `ttl`: seconds to the
    file's expiry. Raises a Problem, and leaves nothing, if the file is not allowed, does not fit its owner's quota, or
    the stream raises it.
    """
    settings = config.current()
    check_allowed(source.detected_type, source.content_type, settings.allowed_types, settings.denied_types)
    new = new_file(
        source.name, source.content_type, mode,
        detected_type=source.detected_type, owner=principal.owner, expires_in=ttl,
    )  # fmt: skip
    with idempotency.idempotent(idempotency_key, new) as existing:
        if existing is not None:
            return idempotency.require_same_request(existing, new, source.stream), True
        check_quota(principal, source.min_bytes)
        return accept(new, source, principal.name), False


def check_quota(principal: Principal, min_bytes: int) -> None:
    """Raise QuotaExceeded if a file of `min_bytes` or more exceeds the quota. Reserves nothing yet."""
    key = principal.key
    if key and key.quota_bytes is not None and (quota := storage_quota.unreserved_allowance(key.owner)):
        quota.check(min_bytes)


def receive(new: NewFile, stream: Iterator[bytes], max_bytes: int | None = None, client: str = "") -> FileRow:
    """Write all bytes of a new file to the spool and commit its row as PENDING: after that it can't be lost.

    `client`: whose share of the spool the upload takes while it is received. If the database does not answer, its error
    is raised before the first byte is read; for a file without an owner, also if the database is read-only.
    If the INSERT fails, the spooled bytes are deleted, unless its answer was lost: the database may have committed the
    row. Then the bytes stay, and the sweep deletes them if there is no row.
    """
    quota, spool = None, current_services().spool
    if new.owner is None:
        ping()
    else:
        quota = storage_quota.unreserved_allowance(new.owner)
    with Hashing() as hashing:
        spool.write(new.id, hashed(stream, hashing, quota), max_bytes, client)
    size, sha256 = hashing.size, hashing.sha256
    new = replace(new, size=size, sha256=sha256, spool=spool.identity, reserved=size)
    try:
        row = transitions.insert(new, current_services().leases.seconds)
    except UNAVAILABLE as error:
        if was_rolled_back(error):
            spool.delete(new.id)
        raise
    except BaseException:
        if queries.get(new.id) is None:
            spool.delete(new.id)
        raise
    log.info("upload.accepted: %d bytes", size, extra=for_file(row.id))
    return row


def upload_file(id: str) -> None:
    """Claim a file and store it from the spool. Does nothing if another attempt holds it or it has ended."""
    row = queries.get(id)
    if row is None or attempts.recover_if_stored(row):
        return
    upload_file_from_stream(id, lambda row: process_file_to_stream(row.id))


def upload_file_from_stream(id: str, open_stream: Callable[[FileRow], Iterator[bytes]]) -> Outcome:
    """Claim a file and store the bytes of `open_stream(row)`.

    A Problem that ends the attempt is recorded in the row and logged, not raised. Any other exception is recorded,
    logged and raised.
    """
    row = queries.get(id)
    if row and attempts.is_exhausted(row.mode, row.attempts_made, config.current().max_attempts):
        # A redelivered task must not get more attempts than the sweep allows. Changes only an abandoned file.
        transitions.fail_abandoned(row, AttemptsExhausted.slug())
    claimed = row and transitions.claim(row, current_services().leases.seconds)
    if not claimed:
        log.info("attempt.skipped", extra=for_file(id))
        is_held = row is not None and row.upload_status == UploadStatus.PROCESSING
        return Outcome.HELD_ELSEWHERE if is_held else Outcome.ENDED
    with suppress(Problem):
        store(claimed, open_stream(claimed))
    return Outcome.ENDED


def insert_claimed(new: NewFile, max_bytes: int | None) -> FileRow:
    """Commit the row of a new file as PROCESSING, claimed by the caller, before its bytes are read.

    Reserves `max_bytes` of the owner's quota; if they are unknown, a first step. Raises QuotaExceeded.
    """
    step = min(storage_quota.RESERVATION_STEP, config.current().max_file_size)
    new = replace(new, reserved=step if max_bytes is None else max_bytes)
    return transitions.insert(new, current_services().leases.seconds, status=UploadStatus.PROCESSING)


def store(row: FileRow, stream: Iterator[bytes], max_bytes: int | None = None) -> FileRow:
    """Store `stream` as the bytes of `row`, which the caller has claimed, end the attempt, and return the new row.

    The row becomes COMPLETE only after the storage has confirmed the object. An exception is raised again after the row
    records it; the file of an invalid request is deleted instead.
    The stream's upper bound is `row.size` if known, else `max_bytes`, else MAX_FILE_SIZE. It decides the part size, so
    a spooled file has the same part size in every attempt.
    """
    limit = config.current().max_file_size if max_bytes is None else max_bytes
    limit = limit if row.size is None else row.size

    def reserve_more(size: int) -> None:
        nonlocal row
        reserved = transitions.reserve_bytes(row, size)
        if reserved is None:
            raise LeaseLost
        row = reserved

    quota = _allowance(row, reserve_more)
    try:
        with current_services().leases.renewing(row) as lease:
            with Hashing() as hashing:
                stored = store_object(row, checked(stream, lease, quota), limit, hashing, lease)
            lease.check()
            return attempts.complete(row, hashing.size, hashing.sha256, stored.version)
    except LeaseLost as error:
        raise attempts.lease_lost_error(row) from error
    except Exception as error:
        if row.mode == "normal" and is_invalid_request(error):
            deletion.delete_refused(row, error)
        else:
            attempts.fail(row, error)
        raise


def _allowance(row: FileRow, reserve_more: Callable[[int], None]) -> storage_quota.QuotaAllowance | None:
    """The quota that an upload of unknown size may still take."""
    if row.owner is None or row.size is not None:
        return None
    return storage_quota.QuotaAllowance(row.owner, row.reserved, reserve_more)
