"""A proxy in front of the S3 server that injects faults and counts requests.

Heads are forwarded unchanged, including Host, so that signatures stay valid. Bodies are streamed. Each request has its
own connection to the server; client connections are kept alive.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from dev.process import free_port
from tests.faults.http1 import CutOffError, Head, answer_body, read_head, request_body
from tests.faults.injected import Fault, Faults, Kind
from tests.faults.operations import ANY, operation
from tests.faults.storage_tampering import data_of, digest, yes_to
from tests.harness.tcp_server import TcpServer

_RESET = struct.pack("ii", 1, 0)
_SILENCE_SECONDS = 120


class Proxy:
    """One listener on a loopback port. Thread-safe."""

    def __init__(self, upstream: int) -> None:
        """`upstream`: the S3 server's port."""
        self.upstream, self.port = upstream, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.faults = Faults()
        self.pace = 0.0
        """Seconds by which each request is delayed: faults then hit more requests in progress."""
        self._seen: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._server: TcpServer | None = None
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Proxy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            self._server = TcpServer(self._serve, port=self.port)

    def stop(self) -> None:
        """Refuse new connections and reset open ones, as if the storage were down."""
        server, self._server = self._server, None
        if server:
            server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every open connection. New ones are accepted."""
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    _let_reset(connection)
                    connection.shutdown(socket.SHUT_RDWR)

    def inject(self, operation: str, kind: Kind, **options: Any) -> Fault:
        """Inject a fault into requests of this operation. `options`: fields of Fault (`times`, `skip`, `after` …)."""
        return self.faults.add(Fault(operation, kind, **options))

    def heal(self) -> None:
        """Remove all faults, release hanging requests, listen."""
        self.faults.clear()
        self.start()

    def seen(self, operation: str = ANY) -> int:
        """Requests of this operation so far."""
        with self._changed:
            return self._seen[operation]

    def wait_for(self, operation: str, times: int = 1, seconds: float = 60) -> None:
        """Return after `times` requests of this operation since the proxy was made."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._seen[operation] >= times, seconds):
                raise TimeoutError(f"{operation} came {self._seen[operation]} times in {seconds} s, not {times}")

    @contextmanager
    def _watched(self, connection: socket.socket) -> Iterator[IO[bytes]]:
        """A buffered reader of a connection that `cut` may reset."""
        connection.settimeout(_SILENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._open.add(connection)
        try:
            with connection, connection.makefile("rb") as file:
                yield file
        finally:
            with self._changed:
                self._open.discard(connection)

    def _serve(self, client: socket.socket) -> None:
        """Serve all requests of one connection. An error on either side resets the client's connection."""
        with self._watched(client) as file:
            try:
                while (head := read_head(file)) and self._exchange(client, file, head):
                    pass
            except (OSError, ValueError):
                with suppress(OSError):
                    _let_reset(client)

    def _exchange(self, client: socket.socket, file: IO[bytes], head: Head) -> bool:
        """Forward one request and its response. Returns whether the connection stays open."""
        if head.get("expect"):
            head.remove("expect")
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        name = operation(head.method, head.target)
        fault = self._met(name)
        body = request_body(file, head)
        if fault and fault.kind in ("hang", "stall"):
            fault.released.wait()
        if fault and fault.kind == "hang":
            raise CutOffError
        if fault and fault.kind in ("status", "err200"):
            _swallow(body)
            client.sendall(fault.error())
            return True
        if fault and fault.kind == "nothing_kept":
            client.sendall(yes_to(name, data_of(body)))
            return True
        if fault and fault.kind == "half_kept":
            data = data_of(body)
            fault.etag = digest(data)
            head.replace("content-length", str(len(data) // 2))
            body = iter([(data[: len(data) // 2], True)])
        return self._hand_on(client, head, _broken(body, fault), fault)

    def _met(self, name: str) -> Fault | None:
        """Count a request. Returns its fault, if any."""
        fault = self.faults.strike(name)
        with self._changed:
            self._seen.update((name, ANY))
            self._changed.notify_all()
        return fault

    def _hand_on(self, client: socket.socket, head: Head, body: Iterator[bytes], fault: Fault | None) -> bool:
        time.sleep(self.pace)
        server = socket.create_connection(("127.0.0.1", self.upstream), timeout=10)
        with self._watched(server) as file:
            try:
                server.sendall(head.encoded())
                whole = _forward_body(body, server)
                answer = read_head(file)
                if answer is None:
                    raise CutOffError
                self._bring_back(client, answer, answer_body(file, answer, head.method), fault)
            except BaseException:
                _let_reset(server)
                raise
        ends = answer.get("connection").lower() == "close" or not (
            head.method == "HEAD" or answer.get("content-length") or answer.get("transfer-encoding")
            or answer.status in (204, 304)
        )  # fmt: skip
        return whole and not ends

    def _bring_back(
        self, client: socket.socket, answer: Head, body: Iterator[tuple[bytes, bool]], fault: Fault | None
    ) -> None:
        if fault and fault.kind == "lost_reply":
            _swallow(body)
            raise CutOffError
        if fault and fault.kind in ("wrong_etag", "half_kept"):
            answer.replace("etag", f'"{fault.etag}"')
        client.sendall(answer.encoded())
        for piece, _ in body:
            client.sendall(piece)


def _let_reset(connection: socket.socket) -> None:
    """Make close() send a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _swallow(body: Iterator[tuple[bytes, bool]]) -> None:
    for _ in body:
        pass


def _forward_body(body: Iterator[bytes], server: socket.socket) -> bool:
    """Forward the body. False if the server stopped reading: it may have responded early."""
    for piece in body:
        try:
            server.sendall(piece)
        except OSError:
            return False
    return True


def _broken(body: Iterator[tuple[bytes, bool]], fault: Fault | None) -> Iterator[bytes]:
    """The body as the server gets it. Raises CutOffError if the fault is a reset."""
    passed, kind = 0, fault.kind if fault else None
    for piece, is_data in body:
        if fault and kind == "reset" and passed + len(piece) > fault.after:
            yield piece[: fault.after - passed]
            break
        if kind == "corrupt" and is_data:
            piece, kind = bytes([piece[0] ^ 1]) + piece[1:], None
        passed += len(piece)
        yield piece
    if kind == "reset":
        raise CutOffError
