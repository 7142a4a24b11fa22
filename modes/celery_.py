"""Mode `celery`: the bytes are spooled, the client gets its response, and a task of a Celery worker stores the file."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

import config
import file
import tasks
from lifecycle import attempts, queries, transitions
from lifecycle.upload_source import UploadSource
from models import FileRow, NewFile
from problems import RelayLost
from services import current_services

log = logging.getLogger("ferry.celery")

DISPATCH_THREADS = 2
"""Threads that queue tasks."""


def accept(new: NewFile, source: UploadSource, client: str) -> FileRow:
    """Spool the file and dispatch it; on return the row is PENDING. A thread uses Redis later, so it may be down."""
    row = file.receive(new, source.stream, source.max_bytes, client)
    dispatch(row)
    return row


def dispatch(row: FileRow) -> bool:
    """Have a thread queue a task for a PENDING file. Returns False if the pool is full or has the file already."""
    return current_services().dispatch_pool.submit(row.id, partial(enqueue, row.id), file_id=row.id)


def enqueue(id: str) -> None:
    """Queue a task for a PENDING file, unless one is queued.

    Two files get no task: if an earlier attempt has stored the object, the file ends as COMPLETE here; if its bytes are
    gone from the spool, it ends as ERROR. If the task can't be queued, the file is due again within a lease, and the
    error is raised.
    """
    row = queries.get(id)
    if row is None or row.size is None or attempts.recover_if_stored(row):
        return
    if not current_services().spool.has(id):
        _record_lost_bytes(id)
        return
    try:
        if (queued_at := current_services().relay.mark_task_queued(id)) is not None:
            _queue(id, row.size, queued_at)
    except Exception:
        with suppress(RelayLost):
            current_services().relay.unmark_task_queued(id)
        transitions.defer(row, min(current_services().leases.seconds, config.current().retry_delay))
        raise


def _record_lost_bytes(id: str) -> None:
    """End the file as ERROR: an attempt without spooled bytes fails with BytesLost, and no other follows."""
    file.upload_file(id)


def waiting() -> tuple[int, float]:
    """The number of files that have waited for a worker for over two leases, and the longest wait in seconds.

    Then no worker runs, all are busy or have lost Redis, or they read another queue.
    """
    return queries.waiting_for_workers(2 * current_services().leases.seconds, attempts.MAX_RETRY_DELAY)


def requeue_lost_tasks() -> None:
    """Have PENDING files queued again whose tasks Redis has lost, without waiting for `due_at`."""
    current_services().dispatch_pool.submit("lost tasks", _requeue_lost_tasks)


def _requeue_lost_tasks() -> None:
    services = current_services()
    if services.relay.is_queue_empty_or_lost() and (count := transitions.make_due(2 * services.leases.seconds)):
        log.warning("tasks.lost: %d files are queued again, Redis has no task for some of them", count)
    services.relay.set_loss_marker()


def _queue(id: str, size: int, queued_at: int) -> None:
    if current_services().relay.fits_in_message(size):
        tasks.send_inline(id, queued_at)
    else:
        current_services().relay_server.start()
        tasks.send_relayed(id, queued_at)
