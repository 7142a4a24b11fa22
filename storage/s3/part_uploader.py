"""Parallel part uploads: how many run at once, and what happens to the others if one fails or is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from storage.base import StorageError, StorageMismatch
from storage.parts import Part

T = TypeVar("T")

MAX_PARTS_PER_UPLOAD = 3
"""Parts of one upload in flight. More cost memory and gain no speed."""

_MAX_SENDS = 3
"""Attempts to send bytes that arrive damaged, while they are in memory."""


def retry_mismatch(send: Callable[[], T]) -> T:
    """Return `send()`, called up to three times while it raises StorageMismatch.

    Raises the first mismatch if no call succeeds: some storages refuse to replace a part.
    """
    try:
        return send()
    except StorageMismatch as first:
        for _ in range(_MAX_SENDS - 1):
            try:
                return send()
            except StorageMismatch:
                continue
            except StorageError:
                break
        raise first


class PartThreads:
    """Threads that send parts, shared by all uploads of the process."""

    def __init__(self, threads: int) -> None:
        """`threads`: parts in flight over all uploads. A part holds its slot until its memory is free.

        Raises RuntimeError if the system can't start so many threads.
        """
        self._threads = ThreadPoolExecutor(threads, "ferry-part")
        self._start(threads)
        self.slots = threading.Semaphore(threads)
        self.submit = self._threads.submit

    def close(self) -> None:
        """Wait for the threads to end."""
        self._threads.shutdown()

    def _start(self, threads: int) -> None:
        """Start every thread now. A `submit` that can't start one raises, but its job stays queued without its part."""
        started = threading.Barrier(threads)
        try:
            for _ in range(threads):
                self._threads.submit(started.wait)
        except RuntimeError:
            started.abort()
            self.close()
            raise


class PartUploader(Generic[T]):
    """Sends the parts of one upload in parallel."""

    def __init__(self, threads: PartThreads, send: Callable[[int, Part], T]) -> None:
        """`send(number, part)` is called for each part, with numbers from 1 on."""
        self._threads, self._send = threads, send
        self._slots = threading.Semaphore(MAX_PARTS_PER_UPLOAD)
        self._failed = threading.Event()
        self._running: list[Future[T]] = []

    def write(self, part: Part) -> None:
        """Send the part and release it. Blocks while too many are in flight. Raises what `results` raises."""
        self._slots.acquire()
        self._threads.slots.acquire()
        part.occupy(self._slots, self._threads.slots)
        try:
            if self._failed.is_set():
                self.results()
            self._running.append(self._threads.submit(self._run, len(self._running) + 1, part))
        except BaseException:
            part.release()
            raise

    def results(self) -> list[T]:
        """Return the results in the order of the parts, or raise the first failure, once no part is in flight."""
        self.wait()
        return [future.result() for future in self._running]

    def wait(self) -> None:
        """Wait until no part is in flight."""
        wait(self._running)

    def _run(self, number: int, part: Part) -> T:
        try:
            return self._send(number, part)
        except BaseException:
            self._failed.set()
            raise
        finally:
            part.release()
