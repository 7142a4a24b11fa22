"""What a process knows of API keys, so that a request costs no look into the database for its key."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from auth import api_keys
from auth.api_keys import Key

TTL = 5.0
"""Seconds for which what was read is believed: how long a revoked key may still be good for."""

NEGATIVE_TTL = 1.0
"""Seconds between two looks at a key that a token did not fit. It may have a new token; or somebody is guessing."""

_MOST = 10_000


@dataclass
class _Known:
    """A key as it was at `read_at`. `doubted_at`: when it was last read and did not fit."""

    key: Key
    read_at: float
    doubted_at: float


class KeyCache:
    """The keys that one process has read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._any: bool | None = None
        self._looked_at = 0.0

    def lookup(self, token: str) -> Key | None:
        """The key that `token` stands for. A new token is good at once, one that has ended may be for FRESH seconds.

        That it was used is noted, to ten minutes.
        """
        id = api_keys.key_id_in_token(token)
        if id is None:
            return None
        known = self._known.get(id)
        if known is None or not self._is_fresh(known, token):
            known = self._read(id, token)
        if known is None or not known.key.verify(token):
            return None
        if not known.key.use_recorded:
            known.key = replace(known.key, use_recorded=True)
            api_keys.record_use(id)
        return known.key

    def any_exists(self) -> bool:
        """Whether a key was ever made. That never changes back, and is seen within FRESH seconds."""
        if not self._any and (self._any is None or self._clock() >= self._looked_at + TTL):
            self._any, self._looked_at = api_keys.any_exists(), self._clock()
        return bool(self._any)

    def _is_fresh(self, known: _Known, token: str) -> bool:
        """Whether what is known will do. Guessing costs no more than a look for each _DOUBTED seconds."""
        now = self._clock()
        if now >= known.read_at + TTL:
            return False
        return known.key.verify(token) or now < known.doubted_at + NEGATIVE_TTL

    def _read(self, id: str, token: str) -> _Known | None:
        now, key, before = self._clock(), api_keys.get_live(id), self._known.pop(id, None)
        if key is None:
            return None
        if len(self._known) >= _MOST:
            self._known.clear()
        doubted_at = before.doubted_at if before else -math.inf
        self._known[id] = known = _Known(key, now, doubted_at if key.verify(token) else now)
        return known
