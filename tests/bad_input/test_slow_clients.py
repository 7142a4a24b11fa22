"""Clients that take their time: they are cut, and nobody waits for them meanwhile.

They are slow side by side, so that the tests are not.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from content.sniffing import SNIFF_BYTES
from tests.bad_input.conftest import RATE, RAW, STALL, Ferry, settings
from tests.bad_input.wire import Reply, Wire, chunked, get, post
from tests.fakes import FORM, form, part

CUT = (408, "application/problem+json", "request-timeout")
MODES = ("normal", "async", "celery")
THREADS = 12
LATE = 1.5
"""Seconds after which the precision of the clock is no excuse."""

LONG_STALL = 4
"""Seconds for which bodies stand still where others are served meanwhile: more than they take on a busy machine."""


@pytest.fixture(scope="module")
def slow_ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ferry]:
    with Ferry(tmp_path_factory.mktemp("slow"), settings(THREADS)) as ferry:
        yield ferry


@pytest.fixture
def careful_ferry(tmp_path: Path) -> Iterator[Ferry]:
    """It keeps one thread from each caller's uploads."""
    careful = {"MAX_TRANSFERS_PER_CLIENT": str(THREADS - 1), "BODY_TIMEOUT": str(LONG_STALL)}
    with Ferry(tmp_path, settings(THREADS) | careful) as ferry:
        yield ferry


@pytest.fixture
def free_ferry(slow_ferry: Ferry) -> Iterator[Ferry]:
    """After the test all of its threads are free."""
    yield slow_ferry
    assert_all_threads_are_free(slow_ferry)
    slow_ferry.assert_clean()


def assert_all_threads_are_free(ferry: Ferry) -> None:
    """Each takes a client that asks before it sends, and tells it to go on."""
    asking = post("/normal_upload?name=a", b"", RAW, "Expect: 100-continue", length=1)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(ferry.ports.web)) for _ in range(THREADS)]
        for wire in wires:
            wire.send(asking)
        assert [wire.reply().status for wire in wires] == [100] * THREADS
        for wire in wires:
            wire.send(b"x")
        for wire in wires:
            ferry.keep(wire.reply())


@dataclass(frozen=True)
class Slow:
    """What a client sends at once, and what it sends byte by byte afterwards."""

    first: bytes
    then: bytes = b""
    every: float = STALL / 20
    answers: int = 1

    def run(self, ferry: Ferry) -> tuple[list[Reply], bool, float]:
        """The answers, whether the connection ended then, and how long it took."""
        began = time.monotonic()
        with Wire(ferry.ports.web) as wire:
            wire.send(self.first)
            wire.trickle(self.then, self.every)
            replies = [wire.reply() for _ in range(self.answers)]
            return replies, wire.ended(), time.monotonic() - began


def all_at_once(ferry: Ferry, cases: dict[str, Slow]) -> dict[str, tuple[list[Reply], bool, float]]:
    with ThreadPoolExecutor(len(cases)) as threads:
        running = {name: threads.submit(case.run, ferry) for name, case in cases.items()}
        return {name: case.result() for name, case in running.items()}


HEADS = {
    "one byte": Slow(b"G"),
    "one line": Slow(b"GET / HTTP/1.1\r\n"),
    "all but one byte": Slow(get("/")[:-1]),
    "a head of 20 KB": Slow(get("/", *[f"X: {'h' * 5000}"] * 4)[:-1]),
    "an upload's": Slow(post("/normal_upload", b"", RAW)[:-2]),
    "trickling": Slow(b"", get("/"), STALL / 5),
    "trickling fast": Slow(b"", get("/", *["X: h"] * 60)[:-1], STALL / 300),
    "the second": Slow(get("/healthz") + b"GET", answers=2),
    "none": Slow(b"", answers=0),
}
BODIES = {
    **{f"raw {mode}": Slow(post(f"/{mode}_upload?name=a", b"half", RAW, length=8)) for mode in MODES},
    # Only a file whose first bytes have been looked at has a row.
    "after its head": Slow(post("/normal_upload?name=a", bytes(2 * SNIFF_BYTES), RAW, length=9 * SNIFF_BYTES)),
    **{
        f"chunked {mode}": Slow(
            post(
                f"/{mode}_upload?name=a",
                chunked(b"x", end=b"8\r\nhalf"),
                RAW,
                "Transfer-Encoding: chunked",
                length=None,
            )
        )
        for mode in MODES
    },
    **{
        f"form {mode}": Slow(
            post(f"/{mode}_upload", form(part("file", b"x", "a"))[:-5], f"Content-Type: {FORM}", length=999)
        )
        for mode in MODES
    },
    "trickling": Slow(post("/async_upload?name=a", b"", RAW, length=9999), b"x" * 9999),
    "trickling chunks": Slow(
        post("/normal_upload?name=a", b"", RAW, "Transfer-Encoding: chunked", length=None), b"1\r\nx\r\n1;" + b"x" * 999
    ),
}


def test_unfinished_heads_block_no_other_client(free_ferry: Ferry) -> None:
    """Twice as many as there are threads."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(free_ferry.ports.web)) for _ in range(2 * THREADS)]
        began = time.monotonic()
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\n")
        assert free_ferry.ask(get("/healthz")).status == 200
        assert time.monotonic() - began < STALL / 2

        outcomes = all_at_once(free_ferry, HEADS)
        assert {wire.reply().outcome for wire in wires} == {CUT}

    for name, (replies, ended, seconds) in outcomes.items():
        told = [reply.outcome for reply in replies if reply.status != 200]
        assert told == ([] if name == "none" else [CUT]), name
        assert ended, name
        # The kernel keeps a connection without a byte for itself for a second.
        assert STALL <= seconds < STALL + LATE + (name == "none"), name


def test_bodies_that_do_not_come_are_cut(free_ferry: Ferry) -> None:
    outcomes = all_at_once(free_ferry, BODIES)

    for name, (replies, ended, seconds) in outcomes.items():
        assert ([reply.outcome for reply in replies], ended) == ([CUT], True), name
        assert STALL <= seconds < (2 * STALL if "trickling" in name else STALL) + LATE, name
    ended_rows = free_ferry.ask(get("/files?status=ERROR")).json["files"]
    assert {file["error"] for file in ended_rows} == {"request-timeout"}
    assert {file["mode"] for file in ended_rows} == {"normal"}


def test_twice_as_many_bodies_as_threads_are_cut_in_their_turn(free_ferry: Ferry) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(free_ferry.ports.web)) for _ in range(2 * THREADS)]
        began = time.monotonic()
        for wire in wires:
            wire.send(BODIES["raw async"].first)

        assert {wire.reply().outcome for wire in wires} == {CUT}
        assert time.monotonic() - began < 2 * STALL + LATE


def test_one_callers_bodies_never_take_all_threads(careful_ferry: Ferry) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(careful_ferry.ports.web)) for _ in range(2 * THREADS)]
        for wire in wires:
            wire.send(BODIES["raw async"].first)
        began = time.monotonic()
        others = [careful_ferry.ask(get("/files")).status for _ in range(20)]
        took = time.monotonic() - began

        assert (set(others), took < LONG_STALL) == ({200}, True)
        told = [wire.reply().outcome for wire in wires]
        assert set(told) == {CUT, (429, "application/problem+json", "too-many-uploads")}
        assert told.count(CUT) == THREADS - 1


JSON = "Content-Type: application/json"
UNREAD = {
    "GET": get("/files", JSON, "Content-Length: 60000") + b"{",
    "GET in chunks": get("/files", JSON, "Transfer-Encoding: chunked") + b"1\r\n{\r\n",
    "DELETE": get("/files/x", JSON, "Content-Length: 60000", method="DELETE") + b"{",
    "retry": post("/files/x/retry", b"{", JSON, length=60000),
    "unknown": post("/nothing", b"{", JSON, length=60000),
    "health": post("/healthz", b"{", JSON, length=60000),
}


def test_one_callers_slow_json_never_takes_all_threads(careful_ferry: Ferry) -> None:
    """Nor does a body that no door reads: it is answered at once, whatever comes of it."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(careful_ferry.ports.web)) for _ in range(3 * THREADS)]
        for number, wire in enumerate(wires):
            wire.send(post(f"/files/{'status' if number % 2 else 'delete'}", b"{", JSON, length=60000))
        began = time.monotonic()
        for request in UNREAD.values():
            assert careful_ferry.ask(request).status in (200, 404, 405)
        others = [careful_ferry.ask(get("/files")).status for _ in range(5)]
        took = time.monotonic() - began

        assert (set(others), took < LONG_STALL) == ({200}, True)
        told = [wire.reply().outcome for wire in wires]
        assert set(told) == {CUT, (429, "application/problem+json", "too-many-uploads")}
        assert told.count(CUT) == THREADS - 1


def test_slow_clients_that_keep_the_pace_are_served_and_those_that_do_not_read_are_cut(free_ferry: Ferry) -> None:
    def send_slowly(pieces: int = 25, every: float = 0.1) -> int:
        piece = bytes(2 * int(RATE * every))
        with Wire(free_ferry.ports.web) as wire:
            wire.send(post("/normal_upload?name=a", b"", RAW, length=pieces * len(piece)))
            for _ in range(pieces):
                time.sleep(every)
                wire.send(piece)
            return int(free_ferry.keep(wire.reply())["size"]) - pieces * len(piece)

    def never_read() -> int:
        with Wire(free_ferry.ports.web, receive_buffer=2048) as wire:
            wire.send(get("/files?limit=100") * 600)
            time.sleep(STALL + LATE)
            for number in range(600):
                try:
                    wire.reply()
                except (AssertionError, OSError, ValueError):
                    return number
        return 600

    for _ in range(3):
        assert_all_threads_are_free(free_ferry)
    with ThreadPoolExecutor(2) as threads:
        difference, read = threads.submit(send_slowly), threads.submit(never_read)

    assert difference.result() == 0
    assert read.result() < 600


def test_more_clients_than_files_may_be_opened_hurt_nobody(ferry: Ferry) -> None:
    """The worker lives on: those who are there are served, the others wait."""
    assert ferry.ask(get("/healthz")).status == 200
    [worker] = ferry.web_workers()
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    with Wire(ferry.ports.web) as kept, ExitStack() as stack:
        kept.send(get("/healthz"))
        assert kept.reply().status == 200
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{worker}/fd")) + 20, before[1]))
        wires = [stack.enter_context(Wire(ferry.ports.web)) for _ in range(50)]
        for each in wires:
            each.send(b"G")
        time.sleep(STALL / 4)
        kept.send(get("/healthz"))
        assert kept.reply().status == 200
    resource.prlimit(worker, resource.RLIMIT_NOFILE, before)

    assert ferry.web_workers() == [worker]


def test_a_thousand_clients_that_leave_at_once_hurt_nobody(ferry: Ferry) -> None:
    half = post("/normal_upload?name=a", b"half", RAW, length=8)
    for number in range(1000):
        with socket.create_connection(("127.0.0.1", ferry.ports.web)) as client:
            if number % 3:
                client.sendall(b"GET / HTTP" if number % 2 else half[:-10])
            if number % 5 == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    began = time.monotonic()
    assert ferry.ask(get("/healthz")).status == 200
    assert time.monotonic() - began < STALL
