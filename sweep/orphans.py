"""The sweep over storage and spool: remove orphans, flag COMPLETE files whose object is missing.

Something without a row is removed only if Ferry made its name, the prefix is marked as this database's own, and it is
older than the grace period. Listings are in order of the keys, which is that of the ids.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

import config
from database import engine, locks
from lifecycle import queries, transitions
from services import current_services
from storage.base import MultipartUpload, ObjectMissing, Stat, StorageDenied, StorageMissing
from sweep.report import Report
from sweep.rules import created_at, is_orphan_multipart_upload, is_orphan_object, is_orphan_spool_file, parse_file_id

T = TypeVar("T")

log = logging.getLogger("ferry.sweep")

OWNER_MARKER = "ferry-owner"
"""Key, under the prefix, of the object that names the database the prefix belongs to."""

_PAGE = 500
_RECENT = 3 * 3600.0
"""If the listing by prefix is empty, the multipart uploads of files that ended in the last `_RECENT` seconds are listed
by key. That is long enough for several sweeps."""

_BEFORE_ALL_IDS, _AFTER_ALL_IDS = "", "g"


def sweep_multipart_uploads(report: Report) -> None:
    """Abort orphaned multipart uploads under the prefix."""
    prefix = current_services().storage.prefix
    grace = _grace(prefix, report)
    abort = current_services().storage.abort_multipart_upload
    for page in _pages(upload for upload in _multipart_uploads(prefix) if parse_file_id(upload.key, prefix)):
        ids = {upload: parse_file_id(upload.key, prefix) or "" for upload in page}
        rows, now = queries.get_many(list(ids.values())), _now()
        for upload, id in ids.items():
            row = rows.get(id)
            unchanged = 0.0 if row is None else now - row.updated_at
            if is_orphan_multipart_upload(row, now - created_at(id), grace, unchanged):
                report.act("uploads_aborted", upload.key, abort, upload)


def _multipart_uploads(prefix: str) -> Iterator[MultipartUpload]:
    """Multipart uploads in progress; also of other prefixes if the listing of this one is empty.

    MinIO lists them for one full key, and in later versions for a whole bucket, but not for a prefix.
    """
    storage = current_services().storage
    empty = True
    for upload in storage.multipart_uploads(prefix):
        empty = False
        yield upload
    if not empty:
        return
    if prefix:
        # The credentials may be limited to the prefix.
        with suppress(StorageDenied):
            for upload in storage.multipart_uploads():
                empty = False
                yield upload
    if empty:
        for row in queries.recently_ended(_RECENT, _PAGE):
            yield from storage.multipart_uploads(row.key)


def sweep_objects(report: Report) -> None:
    """Remove orphaned objects under the prefix; flag COMPLETE files whose object is missing."""
    prefix = current_services().storage.prefix
    grace = _grace(prefix, report)
    after = _BEFORE_ALL_IDS
    stats = current_services().storage.list_objects(prefix)
    for page in _pages(stat for stat in stats if parse_file_id(stat.key, prefix)):
        objects = {parse_file_id(stat.key, prefix) or "": stat for stat in page}
        _delete_orphans(report, objects, grace)
        to = max(objects)
        _flag_missing(report, objects, after, to)
        after = to
    _flag_missing(report, {}, after, _AFTER_ALL_IDS)


def _grace(prefix: str, report: Report) -> float:
    """Seconds after which something without a row is removed; infinite if it may belong to another database."""
    return config.current().orphan_grace if _owns_prefix(prefix, report) else float("inf")


def _now() -> float:
    """The time that ids are compared with, by the slower clock: an id has the time of the host that made it."""
    return min(time.time(), engine.now())


def _owns_prefix(prefix: str, report: Report) -> bool:
    """Return whether the prefix belongs to this database; marks an unmarked one."""
    locks.acquire("installation", str(uuid.uuid4()), 1e12)
    installation = (locks.current_holder("installation") or "").encode()
    try:
        owner = b"".join(current_services().storage.open(prefix + OWNER_MARKER))
    except StorageMissing:
        # Otherwise another process of this database is marking the prefix.
        if report.dry or not locks.first_within("mark", 60):
            return True
        current_services().storage.put(prefix + OWNER_MARKER, iter([installation]), content_type="text/plain")
        return True
    if owner != installation:
        log.warning("sweep.foreign_prefix: %r belongs to another database, orphans without a row stay", prefix)
    return owner == installation


def _delete_orphans(report: Report, objects: dict[str, Stat], grace: float) -> None:
    rows, now = queries.get_many(list(objects)), _now()
    for id, stat in objects.items():
        row = rows.get(id)
        can_retry = row is not None and current_services().spool.may_hold(id, row.spool)
        if is_orphan_object(row, now - created_at(id), grace, can_retry=can_retry):
            report.act("objects_removed", stat.key, current_services().storage.delete, stat.key)


def _flag_missing(report: Report, objects: dict[str, Stat], after: str, to: str) -> None:
    """Flag COMPLETE files with `after` < id <= `to` whose object is not listed; clear the flag of the others."""
    while rows := queries.completed_between(after, to, _PAGE):
        for row in rows:
            if row.id in objects and row.error is not None:
                report.act_if_due("objects_back", row.id, transitions.set_object_error, row, None)
            elif row.id not in objects and row.error is None and not _exists(row.key):
                report.act_if_due("objects_missing", row.id, transitions.set_object_error, row, ObjectMissing.slug())
        after = rows[-1].id


def _exists(key: str) -> bool:
    """HEAD: the listing may be older than the row, or the key have another prefix."""
    try:
        current_services().storage.stat(key)
    except StorageMissing:
        return False
    return True


def sweep_spool(report: Report) -> None:
    """Remove orphaned files from this host's spool."""
    settings, now = config.current(), engine.now()
    for page in _pages(current_services().spool.files()):
        rows = queries.get_many([spooled.id for spooled in page])
        for spooled in page:
            row = rows.get(spooled.id)
            unchanged = 0.0 if row is None else now - row.updated_at
            if is_orphan_spool_file(row, spooled.age, settings.orphan_grace, unchanged, settings.failed_retention):
                report.act("spool_removed", spooled.id, current_services().spool.delete_entry, spooled)


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while page := list(islice(iterator, _PAGE)):
        yield page
