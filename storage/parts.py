"""Splitting a stream into the parts of an upload, and the buffers that hold them."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from itertools import chain

MIB = 1 << 20
MIN_PART, DEFAULT_PART = 5 * MIB, 8 * MIB
"""The part sizes of S3's plan. Buffers have the larger one."""


class Buffers:
    """Reused memory for parts: freed buffers of this size would fragment the heap.

    Grows to the number needed at once: one for each upload that is receiving, one for each part in flight. Parts larger
    than 8 MiB (of files that may exceed 74 GiB) get memory of their own.
    """

    def __init__(self) -> None:
        self.made = 0
        self._free: list[bytearray] = []

    @property
    def free(self) -> int:
        return len(self._free)

    def acquire(self, size: int) -> bytearray:
        """Return a buffer of at least `size` bytes."""
        if size > DEFAULT_PART:
            return bytearray(size)
        try:
            return self._free.pop()
        except IndexError:
            self.made += 1
            return bytearray(DEFAULT_PART)

    def release(self, buffer: bytearray) -> None:
        """Return an acquired buffer."""
        if len(buffer) == DEFAULT_PART:
            self._free.append(buffer)


class Part:
    """Bytes of one part, in a buffer or, if the stream was one chunk, in that chunk.

    It has one owner, who releases it or hands it on. `retain` keeps the bytes for a second reader.
    """

    last = False
    """Whether no other part follows."""

    def __init__(self, size: int, buffers: Buffers | None = None, data: bytes = b"") -> None:
        """Create an empty part for at most `size` bytes in a buffer or, without `buffers`, a full one of `data`."""
        self._lock, self._references = threading.Lock(), 1
        self._slots: tuple[threading.Semaphore, ...] = ()
        self._buffers, self._capacity = buffers, size
        self._memory: bytearray | bytes = buffers.acquire(size) if buffers else data
        self._length = 0 if buffers else len(data)

    @property
    def full(self) -> bool:
        return self._length == self._capacity

    @property
    def body(self) -> memoryview:
        """The bytes. Invalid after `release`."""
        return memoryview(self._memory)[: self._length]

    def add(self, chunk: memoryview) -> memoryview:
        """Append as much of `chunk` as fits; return the rest."""
        assert isinstance(self._memory, bytearray)
        taken = min(len(chunk), self._capacity - self._length)
        self._memory[self._length : self._length + taken] = chunk[:taken]
        self._length += taken
        return chunk[taken:]

    def retain(self) -> None:
        """Keep the bytes beyond the owner's `release`, until a further one."""
        with self._lock:
            self._references += 1

    def occupy(self, *slots: threading.Semaphore) -> None:
        """Release these acquired slots when the memory is free. Once a part; the caller is the owner."""
        self._slots = slots

    def release(self) -> None:
        """Free the memory and the slots, or leave that to the second reader.

        Raises RuntimeError if they are free already: a further call would free the bytes of another part.
        """
        with self._lock:
            if self._references == 0:
                raise RuntimeError("the part is released already")
            self._references -= 1
            if self._references:
                return
        if self._buffers and isinstance(self._memory, bytearray):
            self._buffers.release(self._memory)
        for slot in self._slots:
            slot.release()


def split(stream: Iterator[bytes], sizes: Iterator[int], buffers: Buffers) -> Iterator[Part]:
    """Yield the stream in parts of the given sizes; the last may be shorter. At least one part, which may be empty.

    The consumer owns each yielded part.
    """
    size = next(sizes)
    first, second = next(stream, b""), next(stream, None)
    if second is None and len(first) <= size:
        part = Part(len(first), data=first)
    else:
        part = yield from _fill(chain((first, second or b""), stream), Part(size, buffers), sizes, buffers)
    part.last = True
    yield part


def _fill(stream: Iterator[bytes], part: Part, sizes: Iterator[int], buffers: Buffers) -> Generator[Part, None, Part]:
    """Yield every part that is followed by another one, and return the last."""
    filling: Part | None = part
    try:
        for chunk in stream:
            rest = memoryview(chunk)
            while rest:
                if part.full:
                    filling = None
                    yield part
                    filling = part = Part(next(sizes), buffers)
                rest = part.add(rest)
    except BaseException:
        if filling:
            filling.release()
        raise
    return part
