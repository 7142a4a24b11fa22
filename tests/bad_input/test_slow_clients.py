"""Slow clients: their connections are cut, and they block no other client meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from content.sniffing import SNIFF_BYTES
from tests.bad_input.conftest import RATE, RAW, STALL, Ferry, settings
from tests.bad_input.slow import CUT, HALF_UPLOAD, LATE, MODES, THREADS, Slow, all_at_once, assert_all_threads_are_free
from tests.fakes import FORM, form, part
from tests.harness.raw_client import RawClient, chunked, get, post


@pytest.fixture(scope="module")
def slow_ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ferry]:
    with Ferry(tmp_path_factory.mktemp("slow"), settings(THREADS)) as ferry:
        yield ferry


@pytest.fixture
def free_ferry(slow_ferry: Ferry) -> Iterator[Ferry]:
    """A Ferry whose threads are all free after the test."""
    yield slow_ferry
    assert_all_threads_are_free(slow_ferry)
    slow_ferry.assert_clean()


HEADS = {
    "one byte": Slow(b"G"),
    "one line": Slow(b"GET / HTTP/1.1\r\n"),
    "all but one byte": Slow(get("/")[:-1]),
    "a head of 20 KB": Slow(get("/", *[f"X: {'h' * 5000}"] * 4)[:-1]),
    "an upload's": Slow(post("/normal_upload", b"", RAW)[:-2]),
    "trickling": Slow(b"", get("/"), STALL / 5),
    "trickling fast": Slow(b"", get("/", *["X: h"] * 60)[:-1], STALL / 300),
    "the second": Slow(get("/healthz") + b"GET", answers=2),
    "nothing": Slow(b"", answers=0),
}


BODIES = {
    **{f"raw {mode}": Slow(post(f"/{mode}_upload?name=a", b"half", RAW, length=8)) for mode in MODES},
    # Only a file whose first bytes were sniffed has a row.
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
    """Twice as many heads as there are threads."""
    with ExitStack() as stack:
        wires = [stack.enter_context(RawClient(free_ferry.ports.web)) for _ in range(2 * THREADS)]
        began = time.monotonic()
        for wire in wires:
            wire.send(b"GET / HTTP/1.1\r\n")
        assert free_ferry.ask(get("/healthz")).status == 200
        assert time.monotonic() - began < STALL / 2

        outcomes = all_at_once(free_ferry, HEADS)
        assert {wire.reply().outcome for wire in wires} == {CUT}

    for name, (replies, ended, seconds) in outcomes.items():
        refused = [reply.outcome for reply in replies if reply.status != 200]
        assert refused == ([] if name == "nothing" else [CUT]), name
        assert ended, name
        # The kernel delays a connection without a byte by a second.
        assert STALL <= seconds < STALL + LATE + (name == "nothing"), name


def test_stalled_bodies_are_cut(free_ferry: Ferry) -> None:
    outcomes = all_at_once(free_ferry, BODIES)

    for name, (replies, ended, seconds) in outcomes.items():
        assert ([reply.outcome for reply in replies], ended) == ([CUT], True), name
        assert STALL <= seconds < (2 * STALL if "trickling" in name else STALL) + LATE, name
    ended_rows = free_ferry.ask(get("/files?status=ERROR")).json["files"]
    assert {file["error"] for file in ended_rows} == {"request-timeout"}
    assert {file["mode"] for file in ended_rows} == {"normal"}


def test_twice_as_many_stalled_bodies_as_threads_are_cut(free_ferry: Ferry) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(RawClient(free_ferry.ports.web)) for _ in range(2 * THREADS)]
        began = time.monotonic()
        for wire in wires:
            wire.send(HALF_UPLOAD)

        assert {wire.reply().outcome for wire in wires} == {CUT}
        assert time.monotonic() - began < 2 * STALL + LATE


def test_a_client_above_the_minimum_rate_is_served_and_one_that_does_not_read_is_cut(free_ferry: Ferry) -> None:
    def send_slowly(pieces: int = 25, every: float = 0.1) -> int:
        piece = bytes(2 * int(RATE * every))
        with RawClient(free_ferry.ports.web) as wire:
            wire.send(post("/normal_upload?name=a", b"", RAW, length=pieces * len(piece)))
            for _ in range(pieces):
                time.sleep(every)
                wire.send(piece)
            return int(free_ferry.keep(wire.reply())["size"]) - pieces * len(piece)

    def never_read() -> int:
        with RawClient(free_ferry.ports.web, receive_buffer=2048) as wire:
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
