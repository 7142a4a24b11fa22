"""Servers that answer byte for byte, for tests of the HTTP client."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from storage.s3.http import HttpClient
from storage.s3.responses import Response

OK = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 2\r\n\r\nok'

Serve = Callable[..., tuple["RawServer", HttpClient]]
"""Starts a server with these answers, and a client of it: the fixture `serve`."""


class RawServer:
    """Answers each request with the next of `answers`, byte for byte. None: closes the connection instead."""

    def __init__(self, *answers: bytes | None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._answers, self._tls = list(answers), tls
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as peer:
                    self._serve(peer)
            except OSError:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        while self._answers and (request := self._request(connection)):
            self.requests.append(request)
            answer = self._answers.pop(0)
            if answer is None:
                return
            connection.sendall(answer)
            if b"close" in answer:
                return

    def _request(self, connection: socket.socket) -> bytes:
        got = b""
        while b"\r\n\r\n" not in got:
            block = connection.recv(65536)
            if not block:
                return b""
            got += block
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._listener.close()


class Line:
    """A listener with a small receive buffer, as on a real network, and a script for each connection."""

    def __init__(self, script: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls, self.connections = script, tls, 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection, suppress(OSError):
            _read_until(connection, b"\r\n\r\n")
            self._script(connection)

    def close(self) -> None:
        self._listener.close()


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got and (block := connection.recv(4096)):
        got += block
    return got


def ask(client: HttpClient, method: str = "PUT", body: bytes = b"", attempts: int = 5) -> Response:
    """Send one request to `/bucket/key`."""
    return client.request(method, "/bucket/key", lambda: {"X-Signed": "yes"}, body, attempts)
