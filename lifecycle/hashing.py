"""Size and SHA-256 of a stream, taken as it passes, and compared at its end with what they should be.

SHA-256 is the most expensive thing that happens to a byte here. It is taken on a thread of its own, in pieces as large
as there are: Python's threads run side by side only inside such calls, and each new call waits for its turn.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from lifecycle.leases import Lease
from problems import BytesDamaged
from quotas.storage_quota import QuotaReservation
from storage.parts import Part

_WORTH_A_THREAD = 256 << 10
"""Bytes below which handing them to a thread costs more than hashing them."""

_PIECES_BEHIND = 2
"""Pieces that may wait for the digest: enough that neither side waits for the other all the time."""


class HashingStream:
    """A stream whose `size` (bytes) and `sha256` (hex) are known once it has passed.

    Its chunks are digested as they go by or, where it also is the witness of a storage, part by part. What does not
    have the expected size and digest at the end raises BytesDamaged, before the consumer hears that this was all:
    wrong bytes never become an object. A lost hold raises LeaseLost at the next chunk, too little room QuotaExceeded.
    """

    def __init__(
        self,
        stream: Iterator[bytes],
        size: int | None = None,
        sha256: str | None = None,
        *,
        hold: Lease | None = None,
        room: QuotaReservation | None = None,
    ) -> None:
        self._stream, self._hold, self._room = stream, hold, room
        self._expected = (size, sha256)
        self._digest = _Digest()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hex()

    def chunks(self) -> Iterator[bytes]:
        """The stream, digested as it goes by."""
        with self:
            for chunk in self.raw():
                self._digest.update(chunk, lambda: None)
                yield chunk
            self.verify()

    def raw(self) -> Iterator[bytes]:
        """The stream, for a consumer that has us for its witness."""
        for chunk in self._stream:
            self.size += len(chunk)
            if self._hold:
                self._hold.check()
                self._hold.received = self.size
            if self._room:
                self._room.check(self.size)
            yield chunk

    def on_part(self, part: Part) -> None:
        """Digest a part while it is being sent."""
        part.retain()
        self._digest.update(part.body, part.release)

    def verify(self) -> None:
        """Raises BytesDamaged where this is not what was expected."""
        if self._expected not in ((None, None), (self.size, self.sha256)):
            raise BytesDamaged

    def on_stored(self, size: int) -> None:
        """Count bytes that are in the storage."""
        if self._hold:
            self._hold.add_stored(size)

    def __enter__(self) -> HashingStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.close()


class _Digest:
    """SHA-256 of pieces in their order. `done` is called when one has been digested and its memory is free."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def update(self, piece: bytes | memoryview, done: Callable[[], None]) -> None:
        if len(piece) < _WORTH_A_THREAD:
            self._drain(0)
            self._work(piece, done)
        else:
            self._drain(_PIECES_BEHIND - 1)
            self._thread = self._thread or ThreadPoolExecutor(1, "ferry-digest")
            self._pending.append(self._thread.submit(self._work, piece, done))

    def hex(self) -> str:
        self._drain(0)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Return when the thread has ended."""
        if self._thread:
            self._thread.shutdown()

    def _work(self, piece: bytes | memoryview, done: Callable[[], None]) -> None:
        try:
            self._digest.update(piece)
        finally:
            done()

    def _drain(self, left: int) -> None:
        """Return when no more than `left` pieces wait."""
        while len(self._pending) > left:
            self._pending.popleft().result()
