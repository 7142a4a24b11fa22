"""Size and SHA-256 of a stream, computed while it is read, and verified at its end.

SHA-256 costs more than anything else done to a byte here. It runs on its own thread, in chunks as large as they come:
hashlib releases the GIL for the length of such a call only, and each new call waits for it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from lifecycle.leases import Lease
from problems import BytesDamaged
from quotas.storage_quota import QuotaAllowance
from storage.parts import Part

_THREAD_MIN_BYTES = 256 << 10
"""Below this, passing a chunk to the thread costs more than hashing it."""

_MAX_PENDING = 2
"""Chunks that may wait for the hashing thread: enough that neither side always waits for the other."""


class HashingStream:
    """A stream whose `size` (bytes) and `sha256` (hex) are known once it is read.

    Read it with `chunks()`; or read `raw()` and pass it to a storage as observer, which hashes part by part. A stream
    of another size or digest than expected raises BytesDamaged before it ends: wrong bytes never become an object.
    A lost lease raises LeaseLost at the next chunk, an exhausted quota QuotaExceeded.
    """

    def __init__(
        self,
        stream: Iterator[bytes],
        size: int | None = None,
        sha256: str | None = None,
        *,
        lease: Lease | None = None,
        quota: QuotaAllowance | None = None,
    ) -> None:
        self._stream, self._lease, self._quota = stream, lease, quota
        self._expected = (size, sha256)
        self._digest = _Digest()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hex()

    def chunks(self) -> Iterator[bytes]:
        """The stream, hashed chunk by chunk."""
        with self:
            for chunk in self.raw():
                self._digest.update(chunk, lambda: None)
                yield chunk
            self.verify()

    def raw(self) -> Iterator[bytes]:
        """The stream, for a consumer that calls `on_part` and `verify`."""
        for chunk in self._stream:
            self.size += len(chunk)
            if self._lease:
                self._lease.check()
                self._lease.received = self.size
            if self._quota:
                self._quota.check(self.size)
            yield chunk

    def on_part(self, part: Part) -> None:
        """Hash a part while it is being sent."""
        part.retain()
        self._digest.update(part.body, part.release)

    def verify(self) -> None:
        """Raises BytesDamaged if size or digest differ from the expected ones."""
        if self._expected not in ((None, None), (self.size, self.sha256)):
            raise BytesDamaged

    def on_stored(self, size: int) -> None:
        """Add bytes that the storage has acknowledged to the lease's progress."""
        if self._lease:
            self._lease.add_stored(size)

    def __enter__(self) -> HashingStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.close()


class _Digest:
    """SHA-256 of chunks in their order. `done` is called when a chunk is hashed and its memory may be reused."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def update(self, chunk: bytes | memoryview, done: Callable[[], None]) -> None:
        if len(chunk) < _THREAD_MIN_BYTES:
            self._drain(0)
            self._hash(chunk, done)
        else:
            self._drain(_MAX_PENDING - 1)
            self._thread = self._thread or ThreadPoolExecutor(1, "ferry-hash")
            self._pending.append(self._thread.submit(self._hash, chunk, done))

    def hex(self) -> str:
        self._drain(0)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Wait for the thread to end."""
        if self._thread:
            self._thread.shutdown()

    def _hash(self, chunk: bytes | memoryview, done: Callable[[], None]) -> None:
        try:
            self._digest.update(chunk)
        finally:
            done()

    def _drain(self, max_pending: int) -> None:
        """Wait until at most `max_pending` chunks are left to hash."""
        while len(self._pending) > max_pending:
            self._pending.popleft().result()
