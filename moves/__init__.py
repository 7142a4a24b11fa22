"""The moves of a file's life. Every race between holders is decided in here.

A move is one conditional UPDATE, and so a transaction in itself; whoever's UPDATE changes no row has lost and must
touch nothing. The value in hand changes with the row.
"""

from __future__ import annotations

from moves.holder import accept, claim, complete, discard, fail, give_back, heartbeat, progress, reserve
from moves.others import (
    adopt,
    delete,
    delete_failed,
    drop,
    flag,
    forget,
    forget_failed,
    hand_out,
    put_off,
    put_off_removal,
    recall,
    release,
    retry,
)  # fmt: skip

__all__ = [
    "accept", "adopt", "claim", "complete", "delete", "delete_failed", "discard", "drop", "fail", "flag", "forget",
    "forget_failed", "give_back", "hand_out", "heartbeat", "progress", "put_off", "put_off_removal", "recall",
    "release", "reserve", "retry",
]  # fmt: skip
