"""Many small requests, from one polling loop in a process of its own, so that the client takes little of the machine.

The process is this file: `python load.py PORT CONNECTIONS REQUESTS`, one whole HTTP request on stdin, a Load as JSON
on stdout.
"""

from __future__ import annotations

import json
import select
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass

from upload import TIMEOUT, Answer


@dataclass(frozen=True)
class Load:
    """What a closed loop found: rate, times from sending to the whole answer, and answers that were not 2xx."""

    requests_per_second: float
    median_seconds: float
    p99_seconds: float
    failed: int


def closed_loop(port: int, request: bytes, *, connections: int, requests: int) -> Load:
    """Send `request` `requests` times over `connections` kept-alive connections, each as soon as it has its answer."""
    command = [sys.executable, __file__, str(port), str(connections), str(requests)]
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
    return Load(**json.loads(done.stdout))


class _Loop:
    """The closed loop itself. Sending blocks, since small requests fit the sockets' buffers; answers are polled for."""

    def __init__(self, port: int, request: bytes, requests: int) -> None:
        self._port, self._request, self._left = port, request, requests
        self._reconnects = requests
        self._poll = select.epoll()
        self._waiting: dict[int, tuple[socket.socket, Answer, float]] = {}
        self.times: list[float] = []
        self.failed = 0

    def run(self, connections: int) -> Load:
        began = time.perf_counter()
        for _ in range(min(connections, self._left)):
            self._left -= 1
            self._connect()
        while self._waiting:
            ready = self._poll.poll(TIMEOUT)
            if not ready:
                raise TimeoutError("No answer.")
            for fileno, _ in ready:
                self._readable(*self._waiting[fileno])
        seconds = time.perf_counter() - began
        self.times.sort()
        p99 = self.times[int(len(self.times) * 0.99)]
        return Load(len(self.times) / seconds, statistics.median(self.times), p99, self.failed)

    def _connect(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(connection, select.EPOLLIN)
        self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        self._waiting[connection.fileno()] = (connection, Answer(), time.perf_counter())
        with suppress(BrokenPipeError, ConnectionResetError):  # Reading finds out, and connects again.
            connection.sendall(self._request)

    def _readable(self, connection: socket.socket, answer: Answer, began: float) -> None:
        try:
            block = connection.recv(1 << 16)
        except ConnectionResetError:
            block = b""
        if not block:
            self._again(connection)
            return
        answer.add(block)
        if answer.whole:
            self.times.append(time.perf_counter() - began)
            self.failed += not 200 <= answer.status < 300
            self._next(connection)

    def _next(self, connection: socket.socket) -> None:
        if self._left:
            self._left -= 1
            self._send(connection)
        else:
            self._drop(connection)

    def _again(self, connection: socket.socket) -> None:
        """A server may close a kept-alive connection at any time; the request then goes out on a new one."""
        self._drop(connection)
        self._reconnects -= 1
        if self._reconnects < 0:
            raise ConnectionError("The server closes every connection.")
        self._connect()

    def _drop(self, connection: socket.socket) -> None:
        del self._waiting[connection.fileno()]
        self._poll.unregister(connection)
        connection.close()


def main() -> None:
    """Run one closed loop and print what it found."""
    port, connections, requests = (int(value) for value in sys.argv[1:4])
    print(json.dumps(asdict(_Loop(port, sys.stdin.buffer.read(), requests).run(connections))))


if __name__ == "__main__":
    main()
