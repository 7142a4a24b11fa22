"""Uploads of parts: bounded memory, results in order, no buffer lost after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import TypeVar

import pytest

from dev.polling import eventually
from storage.parts import Buffers, Part, split
from storage.s3.part_uploader import PartThreads, PartUploader

T = TypeVar("T")


@pytest.fixture
def threads() -> Iterator[PartThreads]:
    threads = PartThreads(4)
    yield threads
    threads.close()


def test_no_part_is_taken_if_a_thread_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job stays in the queue of an executor that could not start its thread."""
    start, started = threading.Thread.start, []

    def fail_third(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_third)
    with pytest.raises(RuntimeError, match="can't start"):
        PartThreads(4)

    assert not any(thread.is_alive() for thread in started)


class Gate:
    """Blocks the sending of parts until it is opened; counts those that wait."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.waiting = 0
        self.most = 0
        self._lock = threading.Lock()

    def send(self, number: int, part: Part) -> int:
        with self._lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        assert self.open.wait(10)
        with self._lock:
            self.waiting -= 1
        return number


def upload(threads: PartThreads, buffers: Buffers, number: int, send: Callable[[int, Part], T]) -> list[T]:
    uploader = PartUploader(threads, send)
    try:
        for part in split(iter([b"x" * 10] * number), repeat(10), buffers):
            uploader.write(part)
        return uploader.results()
    finally:
        uploader.wait()


def test_results_come_in_the_order_of_the_parts(threads: PartThreads) -> None:
    gate = Gate()
    gate.open.set()

    assert upload(threads, Buffers(), 20, gate.send) == list(range(1, 21))


def test_memory_is_bounded(threads: PartThreads) -> None:
    """One upload: three parts being sent and one being filled. Many: four being sent, and one being filled for each."""
    buffers, gate = Buffers(), Gate()

    with ThreadPoolExecutor(8) as clients:
        try:
            uploads = [clients.submit(upload, threads, buffers, 20, gate.send)]
            assert eventually(lambda: (gate.waiting, buffers.made) == (3, 4))
            uploads += [clients.submit(upload, threads, buffers, 20, gate.send) for _ in range(7)]
            assert eventually(lambda: gate.waiting == 4)
        finally:
            gate.open.set()
        assert [len(upload.result(10)) for upload in uploads] == [20] * 8

    assert gate.most == 4
    assert buffers.made <= 4 + 8
    assert buffers.free == buffers.made


def test_a_failing_part_stops_the_others_and_is_raised(threads: PartThreads) -> None:
    buffers, sent = Buffers(), []

    def send(number: int, part: Part) -> None:
        sent.append(number)
        raise OSError(f"part {number}")

    with pytest.raises(OSError, match="part 1"):
        upload(threads, buffers, 100, send)
    assert len(sent) < 10
    assert buffers.free == buffers.made
