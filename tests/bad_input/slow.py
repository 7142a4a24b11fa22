"""Slow clients, which run side by side to save time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bad_input.conftest import RAW, STALL, Ferry
from tests.harness.raw_client import RawClient, Reply, post

CUT = (408, "application/problem+json", "request-timeout")
MODES = ("normal", "async", "celery")
THREADS = 12
HALF_UPLOAD = post("/async_upload?name=a", b"half", RAW, length=8)
"""An upload whose body stalls."""

LATE = 1.5
"""Seconds by which a timeout may be late."""


def assert_all_threads_are_free(ferry: Ferry) -> None:
    """Each thread answers one client with 100 Continue at the same time."""
    asking = post("/normal_upload?name=a", b"", RAW, "Expect: 100-continue", length=1)
    with ExitStack() as stack:
        wires = [stack.enter_context(RawClient(ferry.ports.web)) for _ in range(THREADS)]
        for wire in wires:
            wire.send(asking)
        assert [wire.reply().status for wire in wires] == [100] * THREADS
        for wire in wires:
            wire.send(b"x")
        for wire in wires:
            ferry.keep(wire.reply())


@dataclass(frozen=True)
class Slow:
    """A client that sends `first` at once and then `then` byte by byte, with pauses of `every` seconds."""

    first: bytes
    then: bytes = b""
    every: float = STALL / 20
    answers: int = 1

    def run(self, ferry: Ferry) -> tuple[list[Reply], bool, float]:
        """The responses, whether the connection was closed then, and the seconds it took."""
        began = time.monotonic()
        with RawClient(ferry.ports.web) as wire:
            wire.send(self.first)
            wire.trickle(self.then, self.every)
            replies = [wire.reply() for _ in range(self.answers)]
            return replies, wire.ended(), time.monotonic() - began


def all_at_once(ferry: Ferry, cases: dict[str, Slow]) -> dict[str, tuple[list[Reply], bool, float]]:
    """The results of `Slow.run`, with all cases at the same time."""
    with ThreadPoolExecutor(len(cases)) as threads:
        running = {name: threads.submit(case.run, ferry) for name, case in cases.items()}
        return {name: case.result() for name, case in running.items()}
