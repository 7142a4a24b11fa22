"""Process sessions: a part is stopped, frozen and killed with its descendants, always by pid."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from dev.polling import eventually, wait_until
from dev.process import Process

_THREADS = 17
"""Index of num_threads after the name in /proc/<pid>/stat, see proc(5)."""


def children(pid: int) -> list[int]:
    """The running child processes of a process."""
    try:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [child for child in found if not has_ended(child)]


def members(leader: int) -> list[int]:
    """The leader, its descendants, and the rest of its session. PostgreSQL's children have their own sessions."""
    table = {int(entry.name): _fields(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    found = {pid for pid, fields in table.items() if fields and int(fields[3]) == leader}
    queue = [leader]
    while queue:
        above = queue.pop()
        below = {pid for pid, fields in table.items() if fields and int(fields[1]) == above} - found
        queue += below
        found |= below
    return sorted(found)


def tell(leader: int, number: int) -> None:
    """Send a signal to all processes of a session."""
    for pid in members(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def end(process: Process, seconds: float = 0) -> int:
    """Wait `seconds` for the leader, then SIGKILL the rest of its session. Returns the leader's exit code."""
    eventually(lambda: has_ended(process.pid), seconds=seconds, every=0.02)
    while left := [pid for pid in members(process.pid) if not has_ended(pid)]:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    return process.kill()


def has_ended(pid: int) -> bool:
    """Whether the process has ended; it may still be a zombie.

    A zombie with threads that are still exiting has not ended: its sockets may still listen.
    """
    fields = _fields(pid)
    return not fields or (fields[0] in "ZX" and int(fields[_THREADS]) <= 1)


def state(pid: int) -> str:
    """The state of a process as in proc(5): T if stopped. Empty if there is none."""
    return "".join(_fields(pid)[:1])


def wait_until_ended(pid: int, seconds: float = 60) -> None:
    """Raises TimeoutError if the process still runs after `seconds`."""
    wait_until(lambda: has_ended(pid), seconds, f"the end of process {pid}")


def _fields(pid: int) -> list[str]:
    """State, parent, group, session … of /proc/<pid>/stat; the name before them may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
