"""The sweep over rows: release abandoned files, dispatch due ones, delete expired and failed ones."""

from __future__ import annotations

import logging
from collections.abc import Callable

import config
from lifecycle import attempts, deletion, queries, transitions
from logs import for_file
from models import FileRow
from problems import AttemptsExhausted, ServerStopped
from services import current_services
from storage.base import StorageError
from sweep.report import Report

log = logging.getLogger("ferry.sweep")

_BATCH = 200
"""Files of one query. The next sweep follows in a few seconds."""

_MAX_FAILED = 1000
"""Files in ERROR without bytes that an owner may have. A client creates one cheaply, by aborting an upload."""


def sweep_files(report: Report, dispatch: Callable[[FileRow], object]) -> None:
    """Release abandoned files, or end those that are out of attempts; dispatch the due files of this host's spool.

    `dispatch` returns False if it did not dispatch the file.
    """
    settings = config.current()
    for row in queries.abandoned(_BATCH):
        if attempts.is_exhausted(row.mode, row.attempts_made, settings.max_attempts):
            reason = ServerStopped if row.mode == "normal" else AttemptsExhausted
            report.act_if_due("ended", row.id, transitions.fail_abandoned, row, reason.slug())
        else:
            report.act_if_due("reclaimed", row.id, transitions.release_abandoned, row)
    for row in queries.due(current_services().spool.identity, _BATCH):
        report.act_if_due("dispatched", row.id, _dispatch_once, row, dispatch)


def sweep_deleted(report: Report) -> None:
    """Delete expired and old failed files; purge deleted ones."""
    settings = config.current()
    for row in queries.expired(_BATCH):
        report.act_if_due("expired", row.id, transitions.mark_deleted, row)
    for row in queries.failed(_BATCH, settings.failed_row_retention, settings.failed_retention):
        report.act_if_due("failed_removed", row.id, transitions.mark_failed_deleted, row)
    for row in queries.deleted(current_services().spool.identity, _BATCH, settings.orphan_grace):
        try:
            report.act("removed", row.id, deletion.purge, row)
        except StorageError as error:
            log.warning("sweep.removal_failed: %s", error.slug(), extra=for_file(row.id))
            if not error.permanent:
                return
            transitions.defer_purge(row)


def sweep_failed(report: Report) -> None:
    """Delete the rows of the oldest files in ERROR of owners over the limit, in bulk: one by one would be too slow."""
    retention = config.current().failed_retention
    for owner in queries.failed_over_limit(_MAX_FAILED, retention):
        subject = owner or "without an owner"
        report.act_if_due("failed_purged", subject, transitions.delete_failed_rows, owner, _MAX_FAILED, retention)


def _dispatch_once(row: FileRow, dispatch: Callable[[FileRow], object]) -> bool:
    marked = transitions.mark_dispatched(row, current_services().leases.seconds)
    return marked is not None and dispatch(marked) is not False
