"""API keys that this process has read, so that a request needs no database query to authenticate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from auth import api_keys
from auth.api_keys import LiveApiKey

TTL = 5.0
"""Seconds for which an entry is used without another query: a revoked key may be accepted for as long."""

NEGATIVE_TTL = 1.0
"""Seconds between two queries for a key whose token did not match: the key was rotated, or a client guesses tokens."""

_MAX_KEYS = 10_000


@dataclass
class _Entry:
    """A key as it was read from the database."""

    key: LiveApiKey
    read_at: float
    mismatched_at: float
    """When it was last read and the client's token did not match."""


class KeyCache:
    """The API keys that one process has read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._any: bool | None = None
        self._any_read_at = 0.0

    def lookup(self, token: str) -> LiveApiKey | None:
        """The key that `token` belongs to; None for an unknown one.

        Accepts a new token at once, and one that was revoked or has expired for up to TTL seconds. Records the use of
        the key, at most every ten minutes.
        """
        id = api_keys.key_id_in_token(token)
        if id is None:
            return None
        entry = self._entries.get(id)
        if entry is None or not self._is_fresh(entry, token):
            entry = self._read(id, token)
        if entry is None or not entry.key.verify(token):
            return None
        if not entry.key.use_recorded:
            entry.key = replace(entry.key, use_recorded=True)
            api_keys.record_use(id)
        return entry.key

    def any_exists(self) -> bool:
        """Whether a key was ever created. Noticed within TTL seconds; never changes back."""
        if not self._any and (self._any is None or self._clock() >= self._any_read_at + TTL):
            self._any, self._any_read_at = api_keys.any_exists(), self._clock()
        return bool(self._any)

    def _is_fresh(self, entry: _Entry, token: str) -> bool:
        """Whether no query is needed. Guessing tokens of one key costs one query per NEGATIVE_TTL seconds."""
        now = self._clock()
        if now >= entry.read_at + TTL:
            return False
        return entry.key.verify(token) or now < entry.mismatched_at + NEGATIVE_TTL

    def _read(self, id: str, token: str) -> _Entry | None:
        now, key, previous = self._clock(), api_keys.get_live(id), self._entries.pop(id, None)
        if key is None:
            return None
        if len(self._entries) >= _MAX_KEYS:
            self._entries.clear()
        mismatched_at = previous.mismatched_at if previous else -math.inf
        self._entries[id] = entry = _Entry(key, now, mismatched_at if key.verify(token) else now)
        return entry
