"""A null S3: answers like one, verifies every byte it gets and keeps none. It stands in for a storage far away.

    python benchmarks/sink.py --port 9100 [--rate 50e6] [--latency 20] [--check crc32,md5]

Path-style PutObject, HeadObject, DeleteObject, CreateMultipartUpload, UploadPart, ListParts, CompleteMultipartUpload,
AbortMultipartUpload, ListMultipartUploads, ListObjects, HeadBucket, CreateBucket. Every bucket exists; signatures are
not checked. GetObject works for objects of at most 4 KiB. `GET /_stats` tells as JSON what came in, `POST /_reset`
forgets it.

A storage far away costs the measured machine no CPU. Checking SHA-256 here would cost about 0.5 s per GiB, and only
for clients that sign their payload: so a benchmark of time leaves it out with `--check crc32,md5`.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from sink_request import Answer, Request
from sink_store import Store
from sink_wire import CHECKS, Body, Pace, Wire


class Sink:
    """One listening socket, one thread per connection."""

    def __init__(self, port: int, *, rate: float = 0.0, latency: float = 0.0, checks: tuple[str, ...] = CHECKS) -> None:
        """Listen on 127.0.0.1:`port` (0: any). `rate` in bytes/s for all connections together, `latency` in seconds."""
        self._store, self._pace = Store(), Pace(rate)
        self._latency, self._checks = latency, checks
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._socket.getsockname()[1]

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(connection, self._pace)
        with connection, suppress(EOFError, OSError):
            while True:
                head = wire.until(b"\r\n\r\n")
                try:
                    self._exchange(connection, wire, head.decode("latin-1"))
                except EOFError:
                    self._store.truncated()
                    raise

    def _exchange(self, connection: socket.socket, wire: Wire, head: str) -> None:
        line, *rest = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        body = Body(wire, headers, self._checks)
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        answer = self._admin(method, target) or self._store.serve(_request(method, target, headers, body))
        body.drain()
        time.sleep(self._latency)
        connection.sendall(_wire_format(answer, method))

    def _admin(self, method: str, target: str) -> Answer | None:
        if (method, target) == ("GET", "/_stats"):
            return Answer(self._store.stats(), headers={"Content-Type": "application/json"})
        if (method, target) == ("POST", "/_reset"):
            self._store.reset()
            return Answer(status=204)
        return None


def _request(method: str, target: str, headers: dict[str, str], body: Body) -> Request:
    parts = urlsplit(target)
    _, _, path = unquote(parts.path).partition("/")
    bucket, _, key = path.partition("/")
    return Request(method, bucket, key, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


def _wire_format(answer: Answer, method: str) -> bytes:
    length = len(answer.body) if answer.length is None else answer.length
    headers = {"Server": "ferry-sink", "x-amz-request-id": "sink", "Content-Length": str(length), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else answer.body)


def _checks(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    if unknown := set(names) - set(CHECKS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


def main() -> None:
    """Read the command line and serve; the first line on stdout tells the address."""
    parser = argparse.ArgumentParser(description="A null S3 that verifies what it gets.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--rate", type=float, default=0.0, help="bytes per second over all connections; 0: no limit")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before each answer")
    parser.add_argument("--check", type=_checks, default=CHECKS, help="of crc32,md5,sha256 (default: all)")
    options = parser.parse_args()
    sink = Sink(options.port, rate=options.rate, latency=options.latency / 1000, checks=options.check)
    print(f"http://127.0.0.1:{sink.port}", flush=True)
    sink.run()


if __name__ == "__main__":
    main()
