"""The budget of a spool: how many bytes may wait, counted as they come and shared between clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from problems import TooMuchWaiting

_STEP = 1 << 20
"""Bytes that are counted ahead of those that have come: what other processes receive is seen once a second only."""

_LOOK_EVERY = 1.0
"""Seconds for which the sum of the other files' sizes is believed."""


@dataclass(eq=False)
class _Upload:
    """A file on its way. `came`: its bytes so far; `counted`: those and a step."""

    client: str
    bound: int | None
    came: int = 0
    counted: int = 0


class SpoolBudget:
    """The budget of one process. Announcing takes nothing of it: a client that announces much may send nothing.

    One client's uploads may have half of it together, so that there is room for another. The oldest of them is bounded
    by the whole budget alone, or no file larger than half could ever come.
    """

    def __init__(
        self, limit: int, others: Callable[[Collection[str]], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit`: the most bytes that may be kept. `others(ids)`: the bytes of all files but these."""
        self._limit, self._look, self._clock = limit, others, clock
        self._step = min(_STEP, limit // 16)
        self._lock = threading.Lock()
        self._uploads: dict[str, _Upload] = {}
        self._others, self._looked = 0, -_LOOK_EVERY

    def begin(self, id: str, client: str, bound: int | None) -> None:
        """Let a file begin, of at most `bound` bytes if known. Raises TooMuchWaiting where they don't fit now."""
        with self._lock:
            upload = _Upload(client, bound)
            if (bound or 0) > self._room(upload):
                raise TooMuchWaiting
            self._uploads[id] = upload

    def record(self, id: str, came: int) -> None:
        """Count what has come of a file that has begun. Raises TooMuchWaiting where that is too much."""
        with self._lock:
            upload = self._uploads[id]
            upload.came = came
            if came <= upload.counted:
                return
            room = self._room(upload)
            if came > room:
                raise TooMuchWaiting
            ahead = came + self._step if upload.bound is None else min(came + self._step, upload.bound)
            upload.counted = max(came, min(ahead, room))

    def end(self, id: str, *, kept: bool) -> None:
        """Forget a file that has come, or not: what is kept of it counts among the others. Once more does nothing."""
        with self._lock:
            upload = self._uploads.pop(id, None)
            self._others += upload.came if upload and kept else 0

    def _room(self, upload: _Upload) -> int:
        if self._clock() - self._looked > _LOOK_EVERY:
            self._others, self._looked = self._look(self._uploads), self._clock()
        beside = [each for each in self._uploads.values() if each is not upload]
        own = [each.counted for each in beside if each.client == upload.client]
        oldest = next((each for each in self._uploads.values() if each.client == upload.client), upload)
        waiting = self._others + sum(each.counted for each in beside)
        return available(self._limit, waiting, sum(own), oldest=oldest is upload)


def available(limit: int, waiting: int, own: int, *, oldest: bool) -> int:
    """How many bytes one upload may have.

    `waiting`: bytes beside it, `own` of them are on their way from the same client; `oldest`: it has begun no other
    before.
    """
    left = limit - waiting
    return left if oldest else min(left, limit // 2 - own)
