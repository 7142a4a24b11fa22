"""Exit codes of the command, and their descriptions for `ferry --help`."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """All codes that the command returns. A signal other than Ctrl-C ends it with the shell's 128 + N."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "all of it was done",
    ExitCode.FAILED: "something failed: each failure is a line on stderr",
    ExitCode.USAGE: "wrong usage, a malformed address, key or proxy variable",
    ExitCode.INTERRUPTED: "Ctrl-C; what was done stays done: run it again",
}
