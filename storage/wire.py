"""HTTP/1.1 to the storage for the bytes themselves: kept-alive connections, bodies sent from where they lie, retries.

boto3 spends several times the CPU on a call and copies what it sends, and the standard library's client still spends
a seventh of a small upload on parsing the answers' headers as if they were an e-mail's. Requests come in signed. A body
is memory that can be sent again, so that every request may be repeated.
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, TypeVar
from urllib.parse import urlsplit

from storage.base import StorageUnavailable
from storage.incoming import Incoming

ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PATIENCE = 45
"""Seconds after which nothing is tried again: somebody waits for most of what is sent here."""

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 30
_SUCCESSES = (200, 206)
_WORTH_REPEATING = (429, 500, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}
_LONGEST_LINE, _MOST_HEADERS = 65536, 100

Body = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers with names in lower case, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Opened:
    """A success whose body is still coming in. It has to be read to its end, or closed."""

    status: int
    headers: Mapping[str, str]
    body: Incoming


Got = TypeVar("Got", bound=Answer | Opened)


class Wire:
    """Connections to one address. May be used from any thread; each request has a connection for itself."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None = None) -> None:
        place, usual = urlsplit(f"//{netloc}"), _PORTS[scheme]
        self._host, self._port = place.hostname or "", place.port or usual
        self._header = self._host if self._port == usual else f"{self._host}:{self._port}"
        self._tls = ssl.create_default_context(cafile=ca_bundle) if scheme == "https" else None
        self._idle: deque[_Connection] = deque()

    def request(
        self,
        method: str,
        target: str,
        signed: Callable[[], Mapping[str, str]],
        body: Body = b"",
        attempts: int = ATTEMPTS,
    ) -> Answer:
        """Send and return what the storage answers, whatever its status, after repeating what may pass.

        `signed` gives the headers, anew for every attempt: a signature ages. Raises StorageUnavailable when the last
        attempt got no answer; whether the storage did what it was asked is not known then.
        """
        return self._repeated(lambda: self._once(method, target, signed(), body), attempts)

    def open(self, target: str, signed: Callable[[], Mapping[str, str]], attempts: int = ATTEMPTS) -> Answer | Opened:
        """GET, as `request` does, but without the body of a success: that is for the caller to read or to close."""
        return self._repeated(lambda: self._open_once(target, signed()), attempts)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _repeated(self, once: Callable[[], Got], attempts: int) -> Got:
        began = time.monotonic()
        for attempt in range(1, attempts + 1):
            last = attempt == attempts or time.monotonic() - began > _PATIENCE
            try:
                answer = once()
                if answer.status not in _WORTH_REPEATING or last:
                    return answer
            except OSError as error:
                if last:
                    raise StorageUnavailable from error
            time.sleep(random.uniform(0.5, 1) * min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))  # noqa: S311
        raise StorageUnavailable

    def _once(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> Answer:
        connection = self._connected()
        try:
            connection.send(method, target, {"Host": self._header, **headers}, body)
            answer = connection.receive(method)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    def _open_once(self, target: str, headers: Mapping[str, str]) -> Answer | Opened:
        connection = self._connected()
        try:
            connection.send("GET", target, {"Host": self._header, **headers}, b"")
            status, headers = connection.head()
            if status in _SUCCESSES:
                return Opened(status, headers, connection.incoming(headers, self._give_back))
            answer = Answer(status, headers, connection.body(headers))
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    def _give_back(self, connection: _Connection) -> None:
        if connection.ends:
            connection.close()
        else:
            self._idle.append(connection)

    def _connected(self) -> _Connection:
        """An idle connection that the other side has not closed meanwhile, or a new one."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.is_open():
                return connection
            connection.close()
        return _Connection(self._host, self._port, self._tls)


class _Connection:
    """One connection. What does not look like HTTP is an OSError, like everything else that ends it."""

    ends = False
    """Whether it can't be used for another request."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._socket = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if tls:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
            self._socket.settimeout(_ANSWER_SECONDS)
            self._file: IO[bytes] = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> None:
        length = {"Content-Length": str(len(body))} if body or method == "PUT" else {}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**headers, **length}.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if body:
            self._socket.sendall(body)

    def receive(self, method: str) -> Answer:
        status, headers = self.head()
        empty = method == "HEAD" or status in (204, 304)
        return Answer(status, headers, b"" if empty else self.body(headers))

    def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers, once they are the last ones."""
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        self.ends = headers.get("connection", "").lower() == "close"
        return status, headers

    def body(self, headers: Mapping[str, str]) -> bytes:
        """The body by RFC 9112 §6.3: in chunks, of a known length, or all until the connection ends."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return b"".join(self._chunks())
        if "content-length" in headers:
            return self._exactly(headers["content-length"], 10)
        self.ends = True
        return self._file.read()

    def incoming(self, headers: Mapping[str, str], give_back: Callable[[_Connection], None]) -> Incoming:
        """The body, to be read bit by bit. Of an object every storage says how long it is."""
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise ConnectionError("not a length")
        return Incoming(self._file, int(length), lambda whole: give_back(self) if whole else self.close())

    def is_open(self) -> bool:
        """An idle connection has nothing to read; one that has was closed by the storage."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(_ANSWER_SECONDS)
        return False

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _head(self) -> tuple[int, dict[str, str]]:
        version, _, rest = self._line().partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise ConnectionError("not an HTTP answer")
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            if not (line := self._line()):
                return int(rest[:3]), headers
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        raise ConnectionError("too many headers")

    def _chunks(self) -> list[bytes]:
        chunks = []
        while chunk := self._exactly(self._line().partition(";")[0], 16):
            chunks.append(chunk)
            self._line()
        while self._line():
            pass
        return chunks

    def _exactly(self, length: str, base: int) -> bytes:
        try:
            size = int(length, base)
        except ValueError:
            raise ConnectionError("not a length") from None
        body = self._file.read(size)
        if len(body) != size:
            raise ConnectionError("the answer ended too early")
        return body

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection ended" if len(line) < _LONGEST_LINE else "a header is too long")
        return line.decode("latin-1").rstrip("\r\n")
