"""State transitions of a file. Every race between attempts is decided here.

A transition is one conditional UPDATE, and therefore atomic. It returns the new row; None, and changes nothing, if
another transition came first.
A transition changes the row only: `attempts` and `deletion` handle bytes, log lines and threads.
"""

from __future__ import annotations

from lifecycle.transitions.claims import (
    claim,
    heartbeat,
    insert,
    progress,
    release_abandoned,
    reserve_bytes,
)
from lifecycle.transitions.deletion import (
    defer_purge,
    delete_failed_rows,
    delete_row,
    mark_deleted,
    mark_failed_deleted,
)
from lifecycle.transitions.outcomes import (
    fail_abandoned,
    requeue,
    set_complete,
    set_error,
    set_error_and_deleted,
    set_object_error,
    set_pending,
)
from lifecycle.transitions.ownership import assign_owner
from lifecycle.transitions.scheduling import defer, make_due, mark_dispatched

__all__ = [
    "assign_owner",
    "claim",
    "defer",
    "defer_purge",
    "delete_failed_rows",
    "delete_row",
    "fail_abandoned",
    "heartbeat",
    "insert",
    "make_due",
    "mark_deleted",
    "mark_dispatched",
    "mark_failed_deleted",
    "progress",
    "release_abandoned",
    "requeue",
    "reserve_bytes",
    "set_complete",
    "set_error",
    "set_error_and_deleted",
    "set_object_error",
    "set_pending",
]
