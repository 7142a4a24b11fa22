"""Many connections of clients that send nothing: the worker survives them."""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from contextlib import ExitStack

from tests.bad_input.conftest import RAW, STALL, Ferry
from tests.harness.raw_client import RawClient, get, post


def test_more_connections_than_open_files_are_survived(ferry: Ferry) -> None:
    """Open connections are served, new ones wait."""
    assert ferry.ask(get("/healthz")).status == 200
    [worker] = ferry.web_workers()
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    with RawClient(ferry.ports.web) as connected, ExitStack() as stack:
        connected.send(get("/healthz"))
        assert connected.reply().status == 200
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{worker}/fd")) + 20, before[1]))
        wires = [stack.enter_context(RawClient(ferry.ports.web)) for _ in range(50)]
        for each in wires:
            each.send(b"G")
        time.sleep(STALL / 4)
        connected.send(get("/healthz"))
        assert connected.reply().status == 200
    resource.prlimit(worker, resource.RLIMIT_NOFILE, before)

    assert ferry.web_workers() == [worker]


def test_a_thousand_disconnects_are_survived(ferry: Ferry) -> None:
    half = post("/normal_upload?name=a", b"half", RAW, length=8)
    for number in range(1000):
        with RawClient(ferry.ports.web) as client:
            if number % 3:
                client.send(b"GET / HTTP" if number % 2 else half[:-10])
            if number % 5 == 0:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    began = time.monotonic()
    assert ferry.ask(get("/healthz")).status == 200
    assert time.monotonic() - began < STALL
