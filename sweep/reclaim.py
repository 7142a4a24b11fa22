"""The sweep over rows: files whose holder fell silent, and files that wait for somebody to take them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import config
from lifecycle import deletion, queries, transitions
from logs import for_file
from models import File
from problems import AttemptsExhausted, ServerStopped
from services import current_services
from storage.base import StorageError
from sweep.report import Report
from sweep.rules import is_exhausted

log = logging.getLogger("ferry.sweep")

_AT_ONCE = 200
"""Files of one look. The next look comes in a few seconds."""

_MOST_FAILED = 1000
"""Files in ERROR without bytes that an owner may have. Each costs its client a moment: it breaks an upload off."""


def sweep_files(report: Report, hand_out: Callable[[File], None]) -> None:
    """Take files from holders that are gone, and hand out those of our spool that are due."""
    settings = config.current()
    for row in queries.abandoned(_AT_ONCE):
        if is_exhausted(row, settings.max_attempts):
            reason = ServerStopped if row.mode == "normal" else AttemptsExhausted
            report.act("ended", row.id, transitions.fail_abandoned, row, reason.slug())
        else:
            report.act("taken_back", row.id, transitions.reclaim, row)
    for row in queries.due(current_services().spool.identity, _AT_ONCE):
        report.act("handed_out", row.id, _hand_out, row, hand_out)


def sweep_deleted(report: Report) -> None:
    """Delete the files whose time is over; remove what there is of those that are deleted."""
    settings = config.current()
    for row in queries.expired(_AT_ONCE):
        report.act("expired", row.id, transitions.delete, row)
    for row in queries.failed(_AT_ONCE, settings.failed_row_retention, settings.failed_retention):
        report.act("failed_removed", row.id, transitions.delete_failed, row)
    for row in queries.deleted(current_services().spool.identity, _AT_ONCE, settings.orphan_grace):
        try:
            report.act("removed", row.id, deletion.purge, row)
        except StorageError as error:
            log.warning("not removed: %s", error.slug(), extra=for_file(row.id))
            if not error.permanent:
                return
            transitions.defer_deletion(row)


def sweep_failed(report: Report) -> None:
    """Forget the oldest files in ERROR of owners that have too many: they come faster than one by one could go."""
    kept = config.current().failed_retention
    for owner in queries.failed_over_limit(_MOST_FAILED, kept):
        report.act("failed_forgotten", owner or "without an owner", transitions.purge_failed, owner, _MOST_FAILED, kept)


def _hand_out(row: File, hand_out: Callable[[File], None]) -> bool:
    if not transitions.reserve_dispatch(row, current_services().leases.seconds):
        return False
    hand_out(row)
    return True
