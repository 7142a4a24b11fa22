"""Parallel part uploads: how many run at once, and what happens to the others if one fails or is damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

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


class PartUploader:
    """Threads that send parts, shared by all uploads of the process."""

    def __init__(self, threads: int) -> None:
        """`threads`: parts in flight over all uploads. A part holds its slot until its memory is free."""
        self._threads = ThreadPoolExecutor(threads, "ferry-part")
        self._slots = threading.Semaphore(threads)

    def upload(self, parts: Iterator[Part], send: Callable[[int, Part], T]) -> list[T]:
        """Call `send(number, part)` for each part, numbers from 1 on; return the results in the order of the parts.

        Releases every part. Raises what `parts` or the first failed `send` raises, once no other is running.
        """
        running: list[Future[T]] = []
        upload_slots, failed = threading.Semaphore(MAX_PARTS_PER_UPLOAD), threading.Event()

        def run(number: int, part: Part) -> T:
            try:
                return send(number, part)
            except BaseException:
                failed.set()
                raise
            finally:
                part.release()

        def free_slots() -> None:
            self._slots.release()
            upload_slots.release()

        try:
            for number, part in enumerate(parts, 1):
                upload_slots.acquire()
                self._slots.acquire()
                part.on_release(free_slots)
                running.append(self._submit(run, number, part))
                if failed.is_set():
                    break
            return [future.result() for future in running]
        finally:
            wait(running)

    def close(self) -> None:
        """Wait for the threads to end."""
        self._threads.shutdown()

    def _submit(self, run: Callable[[int, Part], T], number: int, part: Part) -> Future[T]:
        try:
            return self._threads.submit(run, number, part)
        except BaseException:
            part.release()
            raise
