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
from datetime import UTC, datetime
from functools import partial
from typing import Literal, overload

import uuid_utils
from pybase64 import b64encode_as_string

import config
from content.filenames import safe_name
from content.hashing import Hashing
from content.policy import safe_headers
from database.engine import UNAVAILABLE, ping, was_rolled_back
from lifecycle import attempts, deletion, queries, transitions
from lifecycle.leases import Lease
from logs import for_file
from models import File, UploadStatus
from problems import AttemptsExhausted, LeaseLost, Problem, is_invalid_request
from quotas import storage_quota
from services import current_services
from storage import Stat

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
) -> File:
    """A new file with its own id and key, which expires in `expires_in` seconds. Writes no row.

    The key is made of the row alone and is the same for every attempt: no two files share one, and a repeated upload
    overwrites only its own object. The id comes first, so that `list_objects(prefix + id)` finds the object.
    Times are by this host's clock until `transitions.insert` replaces them with the database's.
    """
    now = datetime.now(UTC)
    id = str(uuid_utils.uuid7())
    return File(
        id=id,
        name=name,
        key=f"{current_services().storage.prefix}{id}--{rename_file(name, now)}",
        content_type=content_type,
        detected_type=detected_type,
        owner=owner,
        reserved=0,
        expires_at=expires_in and now.timestamp() + expires_in,
        mode=mode,
        created_at=now.timestamp(),
    )


def receive(row: File, stream: Iterator[bytes], max_bytes: int | None = None, client: str = "") -> None:
    """Write all bytes of a new file to the spool and commit its row as PENDING: after that it can't be lost.

    `client`: whose share of the spool the upload takes while it is received. If the database does not answer, its error
    is raised before the first byte is read; for a file without an owner, also if the database is read-only.
    If the INSERT fails, the spooled bytes are deleted, unless its answer was lost: the database may have committed the
    row. Then the bytes stay, and the sweep deletes them if there is no row.
    """
    quota = None
    if row.owner is None:
        ping()
    else:
        quota = storage_quota.unreserved_allowance(row.owner)
    with Hashing() as hashing:
        current_services().spool.write(row.id, _hashed(stream, hashing, quota), max_bytes, client)
    row.size, row.sha256, row.spool = hashing.size, hashing.sha256, current_services().spool.identity
    row.reserved = hashing.size
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
    log.info("upload.accepted: %d bytes", row.size, extra=for_file(row.id))


def _hashed(stream: Iterator[bytes], hashing: Hashing, quota: storage_quota.QuotaAllowance | None) -> Iterator[bytes]:
    for chunk in stream:
        hashing.update(chunk)
        if quota:
            quota.check(hashing.size)
        yield chunk


def upload_file(id: str) -> None:
    """Claim a file and store it from the spool. Does nothing if another attempt holds it or it has ended."""
    row = queries.get(id)
    if row is None or attempts.recover_if_stored(row):
        return
    upload_file_from_stream(id, lambda row: process_file_to_stream(row.id))


def upload_file_from_stream(id: str, open_stream: Callable[[File], Iterator[bytes]]) -> Outcome:
    """Claim a file and store the bytes of `open_stream(row)`.

    A Problem that ends the attempt is recorded in the row and logged, not raised. Any other exception is recorded,
    logged and raised.
    """
    row = queries.get(id)
    if row and attempts.is_exhausted(row.mode, row.attempts_made, config.current().max_attempts):
        # A redelivered task must not get more attempts than the sweep allows. Changes only an abandoned file.
        transitions.fail_abandoned(row, AttemptsExhausted.slug())
    if row is None or not transitions.claim(row, current_services().leases.seconds):
        log.info("attempt.skipped", extra=for_file(id))
        is_held = row is not None and row.upload_status == UploadStatus.PROCESSING
        return Outcome.HELD_ELSEWHERE if is_held else Outcome.ENDED
    with suppress(Problem):
        store(row, open_stream(row))
    return Outcome.ENDED


def insert_claimed(row: File, max_bytes: int | None) -> None:
    """Commit the row of a new file as PROCESSING, claimed by the caller, before its bytes are read.

    Reserves `max_bytes` of the owner's quota; if they are unknown, a first step. Raises QuotaExceeded.
    """
    step = min(storage_quota.RESERVATION_STEP, config.current().max_file_size)
    row.reserved = step if max_bytes is None else max_bytes
    transitions.insert(row, current_services().leases.seconds, status=UploadStatus.PROCESSING)


def store(row: File, stream: Iterator[bytes], max_bytes: int | None = None) -> None:
    """Store `stream` as the bytes of `row`, which the caller has claimed, and end the attempt.

    The row becomes COMPLETE only after the storage has confirmed the object. An exception is raised again after the row
    records it; the file of an invalid request is deleted instead.
    The stream's upper bound is `row.size` if known, else `max_bytes`, else MAX_FILE_SIZE. It decides the part size, so
    a spooled file has the same part size in every attempt.
    """
    limit = config.current().max_file_size if max_bytes is None else max_bytes
    limit = limit if row.size is None else row.size
    try:
        with current_services().leases.renewing(row) as lease:
            with Hashing() as hashing:
                stored = _send(row, _checked(stream, lease, _reservation(row)), limit, hashing, lease)
            lease.check()
            attempts.complete(row, hashing.size, hashing.sha256, stored.version)
    except LeaseLost as error:
        raise attempts.lease_lost_error(row) from error
    except Exception as error:
        if row.mode == "normal" and is_invalid_request(error):
            deletion.delete_refused(row, error)
        else:
            attempts.fail(row, error)
        raise


def _send(row: File, stream: Iterator[bytes], max_bytes: int, hashing: Hashing, lease: Lease) -> Stat:
    """Store the stream part by part; verify size and digest, if the row has them, before the last part is sent."""
    content_type, disposition = safe_headers(row.name, row.detected_type)
    with current_services().storage.upload(
        row.key,
        content_type=content_type,
        disposition=disposition,
        max_bytes=max_bytes,
        attempt=0 if row.mode == "normal" else row.attempt,
    ) as upload:
        lease.upload = upload
        for part in upload.split(stream):
            try:
                part.retain()
                hashing.update(part.body, part.release)
                if part.last:
                    hashing.verify(row.size, row.sha256)
            except BaseException:
                part.release()
                raise
            upload.write(part)
        return upload.complete()


def _checked(stream: Iterator[bytes], lease: Lease, quota: storage_quota.QuotaAllowance | None) -> Iterator[bytes]:
    """The stream, until the lease is lost or the quota exhausted."""
    for chunk in stream:
        lease.check()
        lease.received += len(chunk)
        if quota:
            quota.check(lease.received)
        yield chunk


def _reservation(row: File) -> storage_quota.QuotaAllowance | None:
    """The quota reservation of an upload of unknown size."""
    if row.owner is None or row.size is not None:
        return None
    return storage_quota.QuotaAllowance(row.owner, row.reserved, partial(_reserve_bytes, row))


def _reserve_bytes(row: File, size: int) -> None:
    if not transitions.reserve_bytes(row, size):
        raise LeaseLost
