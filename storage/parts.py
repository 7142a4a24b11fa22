"""How a stream is cut into the parts of a multipart upload, and the memory that they are collected in.

Source of the limits: "Amazon S3 multipart upload limits": 10,000 parts, 5 MiB to 5 GiB a part, the last one free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from itertools import chain, repeat
from typing import Protocol

MIB = 1 << 20
MIN_PART, DEFAULT_PART = 5 * MIB, 8 * MIB
_OVERLAP_BELOW = 256 * MIB
_AIMED_PARTS = 9_500


def part_sizes(max_bytes: int | None) -> Iterator[int]:
    """The size in bytes of each part in turn, for a stream of at most `bound` bytes (None: unknown).

    All but the last are of one size, as R2 insists. Small below 256 MiB: nothing leaves before the first part is full,
    so its size is what sending lags behind receiving; larger than usual only where 10,000 would not do. Without a
    bound there is room for 78 GiB.
    """
    if max_bytes is None:
        return repeat(DEFAULT_PART)
    if max_bytes < _OVERLAP_BELOW:
        return repeat(MIN_PART)
    return repeat(max(DEFAULT_PART, -(-max_bytes // _AIMED_PARTS // MIB) * MIB))


class Buffers:
    """The process's memory for parts, used again and again: a freed one would leave holes that nobody can use.

    As many are made as were needed at once: one for each upload that is being filled, one for each part that is
    being sent. Larger parts than usual (of files that may have more than 74 GiB) get memory of their own.
    """

    def __init__(self) -> None:
        self.made = 0
        self._free: list[bytearray] = []

    @property
    def free(self) -> int:
        return len(self._free)

    def acquire(self, size: int) -> bytearray:
        """Memory for at least `size` bytes."""
        if size > DEFAULT_PART:
            return bytearray(size)
        try:
            return self._free.pop()
        except IndexError:
            self.made += 1
            return bytearray(DEFAULT_PART)

    def release(self, buffer: bytearray) -> None:
        """Put memory back that was taken."""
        if len(buffer) == DEFAULT_PART:
            self._free.append(buffer)


class Part:
    """Bytes of one part: in a buffer, or where they came from if nothing had to be put together."""

    last = False
    """Whether the stream has ended with this part."""

    def __init__(self, size: int, buffers: Buffers | None = None, whole: bytes = b"") -> None:
        """An empty part for at most `size` bytes in a buffer or, without buffers, the one that is `whole`."""
        self._lock, self._users = threading.Lock(), 1
        self._then: Callable[[], None] | None = None
        self._buffers, self._room = buffers, size
        self._memory: bytearray | bytes = buffers.acquire(size) if buffers else whole
        self._length = 0 if buffers else len(whole)

    @property
    def full(self) -> bool:
        return self._length == self._room

    @property
    def body(self) -> memoryview:
        """The bytes. Not to be used after `release`."""
        return memoryview(self._memory)[: self._length]

    def add(self, chunk: memoryview) -> memoryview:
        """Take as much of `chunk` as there is room for; return the rest."""
        assert isinstance(self._memory, bytearray)
        taken = min(len(chunk), self._room - self._length)
        self._memory[self._length : self._length + taken] = chunk[:taken]
        self._length += taken
        return chunk[taken:]

    def retain(self) -> None:
        """One more will call `release`."""
        with self._lock:
            self._users += 1

    def on_release(self, call: Callable[[], None]) -> None:
        """Call this once everybody has released the part. Only one can ask, and only who has not released it yet."""
        self._then = call

    def release(self) -> None:
        """Give the buffer back when everybody has called this. Once too often does no harm."""
        with self._lock:
            self._users -= 1
            if self._users != 0:
                return
        if self._buffers and isinstance(self._memory, bytearray):
            self._buffers.release(self._memory)
        if self._then:
            self._then()


class Observer(Protocol):
    """Somebody who looks at every byte, and has the last word."""

    def on_part(self, part: Part) -> None:
        """Look at a full part, in its turn. Shares the part if it takes longer."""

    def verify(self) -> None:
        """All parts have been seen. Raises what keeps them from becoming an object."""

    def on_stored(self, size: int) -> None:
        """So many more bytes are in the storage, by its own word. Called from any thread, in any order."""


def split(
    stream: Iterator[bytes], sizes: Iterator[int], buffers: Buffers, observer: Observer | None = None
) -> Generator[Part, None, None]:
    """Yield the stream in parts of the given sizes; the last is shorter. At least one part, which may be empty.

    The witness sees each part before it is given away, and vouches for all before the last one is. Whoever is given a
    part releases it; one that is not given away is released here, whatever happens.
    """
    size = next(sizes)
    first, second = next(stream, b""), next(stream, None)
    if second is None and len(first) <= size:
        only = Part(len(first), whole=first)
        _seen(observer, only, last=True)
        yield only
        return
    part: Part | None = Part(size, buffers)
    try:
        for chunk in chain((first, second or b""), stream):
            rest = memoryview(chunk)
            while rest:
                if part and part.full:
                    _seen(observer, part)
                    full, part = part, None
                    yield full
                part = part or Part(next(sizes), buffers)
                rest = part.add(rest)
        if part:
            _seen(observer, part, last=True)
            last, part = part, None
            yield last
    finally:
        if part:
            part.release()


def _seen(observer: Observer | None, part: Part, *, last: bool = False) -> None:
    part.last = last
    if observer:
        observer.on_part(part)
        if last:
            observer.verify()
