"""Parts that are started again when they end by themselves, and the end of the process that runs us."""

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
    """Seconds until a part is started again that ended soon after its start so many times in a row; None: never."""
    return None if quick_ends >= _MAX_QUICK_ENDS else min(_MAX_PAUSE, 0.5 * 2**quick_ends)


class Supervised:
    """One part that is to run until it is stopped."""

    def __init__(self, start: Callable[[], Process], clock: Callable[[], float] = time.monotonic) -> None:
        """Start it. To be called, as `look`, by a thread that lives as long as the part."""
        self._start, self._clock = start, clock
        self.process, self._started_at = start(), clock()
        self._quick_ends = 0
        self._due_at: float | None = None

    def look(self) -> None:
        """Start the part again if it has ended and its pause is over. Raises StartError where that is no use."""
        if self._due_at is None:
            if self.process.ended is not None:
                self._due_at = self._clock() + self._pause()
        elif self._clock() >= self._due_at:
            self.process, self._started_at, self._due_at = self._start(), self._clock(), None

    def _pause(self) -> float:
        ended = f"{self.process.name} ended by itself with code {self.process.ended}"
        quick = self._clock() - self._started_at < _QUICK_SECONDS
        self._quick_ends = self._quick_ends + 1 if quick else 0
        pause = restart_pause(self._quick_ends)
        if pause is None:
            raise StartError(f"{ended}, {self._quick_ends} times soon after its start.{self.process.last_words()}")
        print(f"{ended}. It is started again in {pause:g} s.", file=sys.stderr, flush=True)
        return pause


def is_ending(pid: int) -> bool:
    """Whether a `make` has got a signal to end, and waits for its child.

    It passes SIGTERM on to the child, but not SIGHUP or SIGINT. They are blocked while it handles them. Linux only.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigBlk:"):
                return bool(int(line.split()[1], 16) & _ENDING)
    return False
