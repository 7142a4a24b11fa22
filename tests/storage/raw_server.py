"""Servers that answer byte for byte, for tests of the HTTP client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from storage.s3.http import HttpClient
from storage.s3.responses import Response
from tests.harness.tcp_server import TcpServer, read_head

OK = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 2\r\n\r\nok'

Serve = Callable[..., tuple["RawServer", HttpClient]]
"""Starts a server with these answers, and a client of it: the fixture `serve`."""


class RawServer(TcpServer):
    """Answers each request with the next of `answers`, byte for byte. None: closes the connection instead."""

    def __init__(self, *answers: bytes | None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        super().__init__(self._converse, tls=tls, host=host)

    def _converse(self, connection: socket.socket) -> None:
        while self._answers and (request := _read_request(connection)):
            self.requests.append(request)
            answer = self._answers.pop(0)
            if answer is None:
                return
            connection.sendall(answer)
            if b"close" in answer:
                return


def _read_request(connection: socket.socket) -> bytes:
    head, body = read_head(connection)
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head and head + b"\r\n\r\n" + body


class Line(TcpServer):
    """A server with a small receive buffer, as on a real network, and a script for what follows the head.

    Up to 4096 bytes of the body may be read with the head.
    """

    def __init__(self, script: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        def serve(connection: socket.socket) -> None:
            read_head(connection, 4096)
            script(connection)

        super().__init__(serve, tls=tls, receive_buffer=16384)


def ask(client: HttpClient, method: str = "PUT", body: bytes = b"", attempts: int = 5) -> Response:
    """Send one request to `/bucket/key`."""
    return client.request(method, "/bucket/key", lambda: {"X-Signed": "yes"}, body, attempts)
