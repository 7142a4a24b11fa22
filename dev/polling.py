"""Wait for conditions that no event announces."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def eventually(
    read: Callable[[], T], until: Callable[[T], object] = bool, *, seconds: float = 8, every: float = 0.01
) -> T:
    """The first value of `read()` for which `until` is true; after `seconds` the last one, whatever it is.

    Example: `assert eventually(lambda: log.read_text().count("ready") == 2)`
    """
    deadline = time.monotonic() + seconds
    while not until(value := read()) and time.monotonic() < deadline:
        time.sleep(every)
    return value


def wait_until(done: Callable[[], Any], seconds: float = 60, what: str = "", *, every: float = 0.02) -> None:
    """Return once `done()` is true. Raises TimeoutError, with `what` in its message, after `seconds`."""
    if not eventually(done, seconds=seconds, every=every):
        raise TimeoutError(f"not within {seconds:.0f} s: {what or done}")
