"""A clock that passes for `time.monotonic` or `time.time`, and for `time.sleep`."""

from __future__ import annotations


class Clock:
    """Shows `now`, which a test sets, and which `sleep` advances at once."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
