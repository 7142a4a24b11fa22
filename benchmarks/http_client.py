"""What the HTTP client to the storage costs: Ferry's, urllib3 as it comes, and a bare socket, one connection each."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import urllib3
from lab import Lab
from measure import by_turns, ratio
from rows import MIB, Row, median

from storage.s3.http import HttpClient

PUTS = {4096: 1000, 8 * MIB: 40}
"""How many objects of each size one turn sends."""


class BareSocket:
    """A kept-alive connection that sends a head and a body, and reads no more than the answer's head."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def put(self, target: str, body: memoryview) -> int:
        head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._socket.sendall(body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        return int(answer.split(b" ", 2)[1])


def http_client(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """The same objects by each client in turn: seconds of CPU of the thread that sends."""
    port = lab.sink().port
    ferry, bare = HttpClient("http", f"127.0.0.1:{port}"), BareSocket(port)
    plain = urllib3.HTTPConnectionPool("127.0.0.1", port)
    puts: dict[str, Callable[[str, memoryview], int]] = {
        "Ferry": lambda target, body: ferry.request("PUT", target, dict, body).status,
        "urllib3": lambda target, body: plain.urlopen("PUT", target, bytes(body), retries=False).status,
        "a bare socket": bare.put,
    }
    rows = []
    for size, times in PUTS.items():
        body = memoryview(os.urandom(size))
        found = by_turns({name: _turn(put, body, times) for name, put in puts.items()}, rounds)
        for name in ("Ferry", "urllib3"):
            each = [f"{median(found, one) / times * 1e6:.0f} µs" for one in (name, "a bare socket")]
            against = ratio(found, name, "a bare socket")
            label = f"{name}, {'4 KB' if size < MIB else '8 MiB'}"
            rows.append(Row(label, f"{each[0]} of CPU against {each[1]}, ratio {against}", against.median))
    return {"HTTP to the storage: one PUT ÷ the same over a bare socket": rows}


def _turn(put: Callable[[str, memoryview], int], body: memoryview, times: int) -> Callable[[], float]:
    def run() -> float:
        began = time.thread_time()
        for number in range(times):
            if put(f"/ferry/object-{number}", body) != 200:
                raise RuntimeError("a PUT failed")
        return time.thread_time() - began

    return run
