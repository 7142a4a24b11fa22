"""HTTP over a plain socket: requests that no library sends, and unprocessed responses."""

from __future__ import annotations

import json
import select
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any

_TIMEOUT = 15


@dataclass(frozen=True)
class Reply:
    """One response. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]

    @property
    def outcome(self) -> tuple[int, str, str]:
        """Status, type, and slug of a problem."""
        slug = self.json["type"].removeprefix("/problems/")
        return self.status, self.headers["content-type"], slug


class RawClient:
    """One connection, without Nagle's algorithm."""

    def __init__(self, port: int, receive_buffer: int = 0, source: str = "", segment: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(_TIMEOUT)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if segment:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()
        self.socket.close()

    def use(self, tls: ssl.SSLContext) -> None:
        """Start TLS."""
        self._file.close()
        self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self._file = self.socket.makefile("rb")

    def send(self, request: bytes, *, end: bool = False) -> None:
        """Send all of it without reading. `end`: close the sending side."""
        self.socket.sendall(request)
        if end:
            self.socket.shutdown(socket.SHUT_WR)

    def reply(self) -> Reply:
        """The next response."""
        line = self._file.readline()
        assert line, "the server closed the connection"
        headers: dict[str, str] = {}
        while header := self._file.readline().strip():
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Reply(int(line.split()[1]), headers, self._file.read(int(headers.get("content-length", 0))))

    def ended(self) -> bool:
        """Whether the server closes the connection without further bytes."""
        return self._file.read(1) == b""

    def trickle(self, content: bytes, every: float) -> None:
        """Send these bytes one by one, until the server responds."""
        for byte in content:
            self.socket.sendall(bytes([byte]))
            if select.select([self.socket], [], [], every)[0]:
                return


def post(path: str, body: bytes, *headers: str, length: int | None = -1) -> bytes:
    """A request with this body. `length`: the Content-Length, by default the right one; None: no such header."""
    declared = [] if length is None else [f"Content-Length: {len(body) if length == -1 else length}"]
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, *declared, "", ""]
    return "\r\n".join(head).encode() + body


def get(path: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", "Host: localhost", *headers, "", ""]).encode()


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end
