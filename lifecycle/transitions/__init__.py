"""The moves of a file's life. Every race between holders is decided in here.

A move is one conditional UPDATE, and so a transaction in itself; whoever's UPDATE changes no row has lost and must
touch nothing. The value in hand changes with the row.
"""

from __future__ import annotations

from lifecycle.transitions.claims import (
    claim,
    complete,
    discard,
    fail,
    heartbeat,
    insert_row,
    progress,
    requeue,
    reserve,
)
from lifecycle.transitions.outcomes import (
    assign_owner,
    defer,
    defer_deletion,
    delete,
    delete_failed,
    fail_abandoned,
    purge,
    purge_failed,
    recall,
    reclaim,
    reserve_dispatch,
    retry,
    set_error,
)  # fmt: skip

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
    "insert_row",
    "progress",
    "purge",
    "purge_failed",
    "recall",
    "reclaim",
    "requeue",
    "reserve",
    "reserve_dispatch",
    "retry",
    "set_error",
]  # fmt: skip
