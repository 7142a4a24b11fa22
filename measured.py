"""A stream whose size and SHA-256 are taken as it passes, and compared at its end with what they should be."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from lease import Hold
from problems import BytesDamaged

_WORTH_A_THREAD = 256 << 10
"""Bytes of a chunk below which handing it to a thread costs more than hashing it."""


_CHUNKS_BEHIND = 2
"""Chunks of up to 1 MiB that may wait for it: enough that neither side waits for the other all the time."""


class Measured:
    """A stream of chunks. `size` (bytes) and `sha256` (hex) are those of all that has passed.

    At the end, what does not have the expected size and digest raises BytesDamaged, before the consumer hears that
    this was all: wrong bytes never become an object. A lost hold raises LeaseLost at the next chunk.
    """

    def __init__(
        self, stream: Iterator[bytes], size: int | None = None, sha256: str | None = None, hold: Hold | None = None
    ) -> None:
        self._stream, self._hold = stream, hold
        self._expected = (size, sha256)
        self._digest = _Digest()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                if self._hold:
                    self._hold.check()
                self._digest.update(chunk)
                self.size += len(chunk)
                yield chunk
        finally:
            self._digest.close()
        if self._expected not in ((None, None), (self.size, self.sha256)):
            raise BytesDamaged

    @property
    def sha256(self) -> str:
        return self._digest.hex()


class _Digest:
    """SHA-256, the most expensive thing that happens to a byte here, on a thread of its own.

    It works on a chunk while the consumer sends or writes the same, and the next ones arrive.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def update(self, chunk: bytes) -> None:
        if len(chunk) < _WORTH_A_THREAD:
            self._settle(0)
            self._digest.update(chunk)
        else:
            self._settle(_CHUNKS_BEHIND - 1)
            self._thread = self._thread or ThreadPoolExecutor(1, "ferry-digest")
            self._pending.append(self._thread.submit(self._digest.update, chunk))

    def hex(self) -> str:
        self._settle(0)
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread, once it has finished."""
        if self._thread:
            self._thread.shutdown()

    def _settle(self, left: int) -> None:
        """Return when no more than `left` chunks wait."""
        while len(self._pending) > left:
            self._pending.popleft().result()
