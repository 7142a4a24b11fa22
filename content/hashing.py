"""Size and SHA-256 of bytes that pass by.

SHA-256 costs more than anything else done to a byte here. It runs on its own thread, in chunks as large as they come:
hashlib releases the GIL for the length of such a call only, and each new call waits for it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from problems import BytesDamaged

_THREAD_MIN_BYTES = 256 << 10
"""Below this, passing a chunk to the thread costs more than hashing it."""

_MAX_PENDING = 2
"""Chunks that may wait for the hashing thread: enough that neither side always waits for the other."""


class Hashing:
    """SHA-256 of chunks in their order. Leaving the `with` block ends the thread, if there is one."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    @property
    def sha256(self) -> str:
        """The digest of all chunks, in hexadecimal. Waits for the thread."""
        self._drain(0)
        return self._digest.hexdigest()

    def update(self, chunk: bytes | memoryview, free: Callable[[], None] | None = None) -> None:
        """Add a chunk. `free` is called, maybe by the thread, when its memory may be reused."""
        self.size += len(chunk)
        if len(chunk) < _THREAD_MIN_BYTES:
            self._drain(0)
            self._hash(chunk, free)
        else:
            self._drain(_MAX_PENDING - 1)
            self._thread = self._thread or ThreadPoolExecutor(1, "ferry-hash")
            self._pending.append(self._thread.submit(self._hash, chunk, free))

    def verify(self, size: int | None, sha256: str | None) -> None:
        """Raise BytesDamaged if the bytes so far have another size or digest than expected. None, None: not known."""
        expected = size, sha256
        if expected != (None, None) and expected != (self.size, self.sha256):
            raise BytesDamaged

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._thread.shutdown()

    def _hash(self, chunk: bytes | memoryview, free: Callable[[], None] | None) -> None:
        try:
            self._digest.update(chunk)
        finally:
            if free:
                free()

    def _drain(self, max_pending: int) -> None:
        """Wait until at most `max_pending` chunks are left to hash."""
        while len(self._pending) > max_pending:
            self._pending.popleft().result()
