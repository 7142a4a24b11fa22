"""The exit codes of the command, and their meanings for `ferry --help`."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """All codes with which the command ends by itself. A signal other than Ctrl-C ends it with the shell's 128 + N."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "all of it was done",
    Exit.FAILED: "something failed: each failure is a line on stderr",
    Exit.USAGE: "wrong usage, a malformed address, key or proxy variable",
    Exit.INTERRUPTED: "Ctrl-C; what was done stays done: run it again",
}
