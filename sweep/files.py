"""The sweep over rows: files whose holder fell silent, and files that wait for somebody to take them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import config
import lease
import spool
from models import File
from problems import AttemptsExhausted, ServerStopped
from sweep.report import Report
from sweep.rules import is_spent

log = logging.getLogger("ferry.sweep")

_AT_ONCE = 200
"""Files of one look. The next look comes in a few seconds."""


def sweep_files(report: Report, hand_out: Callable[[File], None]) -> None:
    """Take files from holders that are gone, and hand out those of our spool that are due."""
    settings = config.current()
    for row in File.abandoned(_AT_ONCE):
        if is_spent(row, settings.max_attempts):
            reason = ServerStopped if row.mode == "normal" else AttemptsExhausted
            report.act("ended", row.id, row.drop, reason.slug())
        else:
            report.act("taken_back", row.id, row.release)
    for row in File.due(spool.of().identity, _AT_ONCE):
        report.act("handed_out", row.id, _hand_out, row, hand_out)


def _hand_out(row: File, hand_out: Callable[[File], None]) -> bool:
    if not row.hand_out(lease.keeper().seconds):
        return False
    hand_out(row)
    return True
