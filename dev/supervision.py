"""Restart parts that exit, and detect that `make` is ending."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dev.process import Process, StartError

_QUICK_SECONDS, _MAX_QUICK_ENDS, _MAX_PAUSE = 10.0, 5, 30.0
_ENDING = sum(1 << (number - 1) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


def restart_pause(quick_ends: int) -> float | None:
    """Seconds until a restart after `quick_ends` consecutive early exits; None: give up."""
    return None if quick_ends >= _MAX_QUICK_ENDS else min(_MAX_PAUSE, 0.5 * 2**quick_ends)


class Supervised:
    """A part that runs until it is stopped."""

    def __init__(self, start: Callable[[], Process], clock: Callable[[], float] = time.monotonic) -> None:
        """Start it. Call this and `restart_if_due` from a thread that lives as long as the part (`dev.process`)."""
        self._start, self._clock = start, clock
        self.process, self._started_at = start(), clock()
        self._quick_ends = 0
        self._due_at: float | None = None

    def restart_if_due(self) -> None:
        """Restart the part if it has exited and its pause is over. Raises StartError after too many early exits."""
        if self._due_at is None:
            if self.process.ended is not None:
                self._due_at = self._clock() + self._pause()
        elif self._clock() >= self._due_at:
            self.process, self._started_at, self._due_at = self._start(), self._clock(), None

    def _pause(self) -> float:
        ended = f"{self.process.name} exited with code {self.process.ended}"
        quick = self._clock() - self._started_at < _QUICK_SECONDS
        self._quick_ends = self._quick_ends + 1 if quick else 0
        pause = restart_pause(self._quick_ends)
        if pause is None:
            raise StartError(f"{ended}, {self._quick_ends} times soon after its start.{self.process.log_tail()}")
        print(f"{ended}. Restarting it in {pause:g} s.", file=sys.stderr, flush=True)
        return pause


def is_ending(pid: int) -> bool:
    """Whether `make` has received a signal to end, and waits for its child.

    It forwards SIGTERM to the child, but not SIGHUP or SIGINT. It blocks them while it handles them. Linux only.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigBlk:"):
                return bool(int(line.split()[1], 16) & _ENDING)
    return False
