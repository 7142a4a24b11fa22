"""Parts on their way, side by side: how many at once, and what happens to the others when one fails or is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from storage.base import StorageError, StorageMismatch
from storage.parts import Part

T = TypeVar("T")

MAX_PARTS_PER_UPLOAD = 3
"""Parts of one upload that are on their way at once. More would not make it faster, only larger."""

_SENDS = 3
"""How often bytes are sent that arrive as others, while they are in memory."""


def retry_mismatch(send: Callable[[], T]) -> T:
    """What `send` returns, called again (twice at most) while it raises StorageMismatch.

    Raises the first of them where it does not end well: some storages refuse to have a part replaced.
    """
    try:
        return send()
    except StorageMismatch as first:
        for _ in range(_SENDS - 1):
            try:
                return send()
            except StorageMismatch:
                continue
            except StorageError:
                break
        raise first


class PartUploader:
    """Threads that send parts, shared by all uploads of the process. A part waits for its turn where it was filled."""

    def __init__(self, at_once: int) -> None:
        """`at_once`: parts on their way at the same time, over all uploads. One counts until its memory is free."""
        self._threads = ThreadPoolExecutor(at_once, "ferry-part")
        self._turns = threading.Semaphore(at_once)

    def upload(self, parts: Iterator[Part], send: Callable[[int, Part], T]) -> list[T]:
        """`send(number, part)` for each part, numbers from 1 on; returns what it returned, in the order of the parts.

        Every part is released. Raises what `parts` or the first failing `send` raises, once nothing is under way.
        """
        running: list[Future[T]] = []
        mine, failed = threading.Semaphore(MAX_PARTS_PER_UPLOAD), threading.Event()

        def work(number: int, part: Part) -> T:
            try:
                return send(number, part)
            except BaseException:
                failed.set()
                raise
            finally:
                part.release()

        def free() -> None:
            self._turns.release()
            mine.release()

        try:
            for number, part in enumerate(parts, 1):
                mine.acquire()
                self._turns.acquire()
                part.on_release(free)
                running.append(self._threads.submit(work, number, part))
                if failed.is_set():
                    break
            return [future.result() for future in running]
        finally:
            wait(running)

    def close(self) -> None:
        """Return when the threads have ended."""
        self._threads.shutdown()
