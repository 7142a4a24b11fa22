"""State transitions of a file. Every race between workers is decided here.

A transition is one conditional UPDATE, and therefore atomic. It returns False, and changes nothing, if another worker
moved the file first; on success it updates the `File` value passed in as well.
"""

from __future__ import annotations

from lifecycle.transitions.claims import (
    claim,
    heartbeat,
    insert,
    progress,
    reclaim,
    reserve_bytes,
)
from lifecycle.transitions.outcomes import complete, discard, fail, fail_abandoned, requeue, retry, set_error
from lifecycle.transitions.ownership import assign_owner
from lifecycle.transitions.removal import defer_deletion, delete, delete_failed, purge, purge_failed
from lifecycle.transitions.scheduling import defer, make_due, reserve_dispatch

__all__ = [
    "assign_owner",
    "claim",
    "complete",
    "defer",
    "defer_deletion",
    "delete",
    "delete_failed",
    "discard",
    "fail",
    "fail_abandoned",
    "heartbeat",
    "insert",
    "make_due",
    "progress",
    "purge",
    "purge_failed",
    "reclaim",
    "requeue",
    "reserve_bytes",
    "reserve_dispatch",
    "retry",
    "set_error",
]
