"""The sweep over the storage and the spool: what is there without a file, and files without what should be there.

Without a row only what Ferry has named itself is touched, under a prefix that has been marked as this database's own,
and only when it is old enough. Listings come in the order of the keys, which is that of the rows' ids.
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
from sweep.rules import created_at, id_in, is_orphan_object, is_orphan_spool_file, is_orphan_upload

T = TypeVar("T")

log = logging.getLogger("ferry.sweep")

OWNER_MARKER = "ferry-owner"
"""Name, under the prefix, of the object that says whose the prefix is."""

_PAGE = 500
_LATELY = 3 * 3600.0
"""Seconds for which an ended file's key is asked about where no list has uploads: some looks at the default pause."""

_FIRST, _LAST = "", "g"
"""Below and above every id."""


def sweep_uploads(report: Report) -> None:
    """Abort the uploads in parts under our prefix that nobody will end."""
    prefix = config.current().s3_prefix
    grace = _grace(prefix, report)
    for page in _pages(begun for begun in _uploads(prefix) if id_in(begun.key, prefix)):
        ids = {begun: id_in(begun.key, prefix) or "" for begun in page}
        rows, now = queries.get_many(list(ids.values())), _now()
        for begun, id in ids.items():
            row = rows.get(id)
            quiet = 0.0 if row is None else now - row.updated_at
            if is_orphan_upload(row, now - created_at(id), grace, quiet):
                report.act("uploads_aborted", begun.key, current_services().storage.abort_multipart_upload, begun)


def _uploads(prefix: str) -> Iterator[MultipartUpload]:
    """Uploads in parts that have not ended; more than those under the prefix, where none are listed there.

    MinIO lists those of one whole key, and in later versions of a whole bucket, but none of a prefix.
    """
    found = False
    for begun in current_services().storage.multipart_uploads(prefix):
        found = True
        yield begun
    if found:
        return
    if prefix:
        # The credentials may be for the prefix alone.
        with suppress(StorageDenied):
            for begun in current_services().storage.multipart_uploads():
                found = True
                yield begun
    if not found:
        for row in queries.recently_ended(_LATELY, _PAGE):
            yield from current_services().storage.multipart_uploads(row.key)


def sweep_objects(report: Report) -> None:
    """Remove the objects under our prefix that belong to no file; flag the COMPLETE files that have none."""
    prefix = config.current().s3_prefix
    grace = _grace(prefix, report)
    after = _FIRST
    for page in _pages(stat for stat in current_services().storage.list_objects(prefix) if id_in(stat.key, prefix)):
        found = {id_in(stat.key, prefix) or "": stat for stat in page}
        _delete_orphans(report, found, grace)
        to = max(found)
        _flag_missing(report, found, after, to)
        after = to
    _flag_missing(report, {}, after, _LAST)


def _grace(prefix: str, report: Report) -> float:
    """Seconds before what has no row is removed: never, where it may be another database's."""
    return config.current().orphan_grace if _prefix_is_ours(prefix, report) else float("inf")


def _now() -> float:
    """The time that ids are held against, by the slower of two clocks: an id has that of the host that made it."""
    return min(time.time(), engine.now())


def _prefix_is_ours(prefix: str, report: Report) -> bool:
    """Whether everything under the prefix was put there by services of this database; claims a prefix of nobody."""
    locks.acquire("installation", str(uuid.uuid4()), 1e12)
    me = (locks.current_holder("installation") or "").encode()
    try:
        owner = b"".join(current_services().storage.open(prefix + OWNER_MARKER))
    except StorageMissing:
        # Where somebody of this database is just marking it, it is ours.
        if report.dry or not locks.acquire("mark", str(uuid.uuid4()), 60):
            return True
        current_services().storage.put(prefix + OWNER_MARKER, iter([me]), content_type="text/plain")
        return True
    if owner != me:
        log.warning("the prefix %r belongs to another database: objects without a row stay", prefix)
    return owner == me


def _delete_orphans(report: Report, found: dict[str, Stat], grace: float) -> None:
    rows, now = queries.get_many(list(found)), _now()
    for id, stat in found.items():
        row = rows.get(id)
        can_retry = row is not None and current_services().spool.may_hold(id, row.spool)
        if is_orphan_object(row, now - created_at(id), grace, can_retry=can_retry):
            report.act("objects_removed", stat.key, current_services().storage.delete, stat.key)


def _flag_missing(report: Report, found: dict[str, Stat], after: str, to: str) -> None:
    """Flag the COMPLETE files between two ids that are not `found`, and unflag those that are again."""
    while rows := queries.completed_between(after, to, _PAGE):
        for row in rows:
            if row.id in found and row.error is not None:
                report.act("objects_back", row.id, transitions.set_error, row, None)
            elif row.id not in found and row.error is None and not _is_there(row.key):
                report.act("objects_missing", row.id, transitions.set_error, row, ObjectMissing.slug())
        after = rows[-1].id


def _is_there(key: str) -> bool:
    """The listing may be older than the row, or of another prefix."""
    try:
        current_services().storage.stat(key)
    except StorageMissing:
        return False
    return True


def sweep_spool(report: Report) -> None:
    """Look through the spool of this host."""
    settings, now = config.current(), engine.now()
    for page in _pages(current_services().spool.files()):
        rows = queries.get_many([kept.id for kept in page])
        for kept in page:
            row = rows.get(kept.id)
            ended = 0.0 if row is None else now - row.updated_at
            if is_orphan_spool_file(row, kept.age, settings.orphan_grace, ended, settings.failed_retention):
                report.act("spool_removed", kept.id, current_services().spool.delete_entry, kept)


def _pages(things: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(things)
    while page := list(islice(iterator, _PAGE)):
        yield page
