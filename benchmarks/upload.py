"""Uploads from a client that costs little itself: the file goes from the page cache to the socket by sendfile."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BOUNDARY = "ferry-benchmark-7d1f0a"
_FORM = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TIMEOUT = 600.0
"""Seconds. More than any measurement should take: it ends a hang, not a slow run."""


@dataclass(frozen=True)
class Reply:
    """An answer, and the seconds from before the connection was made until the answer had come whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """The body's JSON. Raises RuntimeError unless the status says success."""
        if not 200 <= self.status < 300:
            raise RuntimeError(f"{self.status}: {self.body[:500]!r}")
        return json.loads(self.body)


def upload_form(
    port: int, target: str, file: Path, *, rate: float = 0.0, name: str = "", key: Mapping[str, str] | None = None
) -> Reply:
    """POST `file` as the form field `file`. `rate` limits the client, in bytes per second (0: no limit)."""
    before, after = _around(name or file.name)
    return send_file(port, "POST", target, file, headers=_FORM | dict(key or {}), before=before, after=after, rate=rate)


def upload_tus(port: int, target: str, file: Path, *, rate: float = 0.0) -> Reply:
    """Create a tus upload at `target` and send the whole file with one PATCH; the seconds are those of both."""
    length = {"Tus-Resumable": "1.0.0", "Upload-Length": str(file.stat().st_size)}
    created = ask(port, "POST", target, headers=length)
    place = "/" + created.headers["location"].removeprefix("http://").partition("/")[2]
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = send_file(port, "PATCH", place, file, headers=headers, rate=rate)
    return Reply(sent.status, sent.headers, sent.body, created.seconds + sent.seconds)


def ask(port: int, method: str, target: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """One request without a body, on a connection of its own."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.sendall(_head(method, target, 0, headers or {}))
        return _reply(connection, began)


def send_file(
    port: int, method: str, target: str, file: Path, *,
    headers: Mapping[str, str], before: bytes = b"", after: bytes = b"", rate: float = 0.0,
) -> Reply:  # fmt: skip
    """Send `before`, the file and `after` as one body."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection, file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        # A server that refuses may answer, and close, before it has read everything: its answer is what counts.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(_head(method, target, len(before) + size + len(after), headers) + before)
            _paced(connection, opened.fileno(), size, rate)
            connection.sendall(after)
        return _reply(connection, began)


def get_request(target: str, key: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a whole GET."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (key or {}).items())
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()


def form_request(target: str, content: bytes, name: str = "small.bin") -> bytes:
    """The bytes of a whole POST of a form with the field `file`."""
    before, after = _around(name)
    body = before + content + after
    return _head("POST", target, len(body), _FORM) + body


def _around(name: str) -> tuple[bytes, bytes]:
    """What a form has before and after the bytes of its one file."""
    before = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return before.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()


def _head(method: str, target: str, length: int, headers: Mapping[str, str]) -> bytes:
    fields = {"Host": "127.0.0.1", "Content-Length": str(length), **headers}
    return "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]).encode()


def _paced(connection: socket.socket, file: int, size: int, rate: float) -> None:
    connection.setblocking(True)  # os.sendfile knows nothing of Python's time-outs, only of the kernel's.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(TIMEOUT), 0))
    step = max(16 << 10, int(rate / 100)) if rate else 1 << 30
    began, sent = time.perf_counter(), 0
    while sent < size:
        sent += os.sendfile(connection.fileno(), file, sent, min(step, size - sent))
        if rate:
            time.sleep(max(0.0, began + sent / rate - time.perf_counter()))
    connection.settimeout(TIMEOUT)


def _reply(connection: socket.socket, began: float) -> Reply:
    answer = Answer()
    while not answer.whole:
        block = connection.recv(1 << 16)
        if not block:
            raise ConnectionError("The server closed the connection without a whole answer.")
        answer.add(block)
    return Reply(answer.status, answer.headers, answer.body, time.perf_counter() - began)


class Answer:
    """An answer as it comes in. The body of one that comes in chunks keeps its framing, which no benchmark reads."""

    def __init__(self) -> None:
        self._data, self._head, self._length, self._chunked = b"", 0, 0, False

    def add(self, block: bytes) -> None:
        """Take what has arrived. `100 Continue` is passed over."""
        self._data += block
        while not self._head and (end := self._data.find(b"\r\n\r\n")) >= 0:
            if self._data[9:12] == b"100":
                self._data = self._data[end + 4 :]
                continue
            self._head = end + 4
            length = _LENGTH.search(self._data, 0, self._head)
            self._length = int(length[1]) if length else 0
            self._chunked = length is None and "transfer-encoding" in self.headers

    @property
    def whole(self) -> bool:
        """Whether all of it is here; the rest is meaningful only then."""
        if self._chunked:
            return self._data.endswith(b"\r\n0\r\n\r\n") or self._data[self._head :] == b"0\r\n\r\n"
        return bool(self._head) and len(self._data) >= self._head + self._length

    @property
    def status(self) -> int:
        return int(self._data[9:12])

    @property
    def headers(self) -> dict[str, str]:
        lines = self._data[: self._head - 4].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def body(self) -> bytes:
        return self._data[self._head :]


def together(calls: Sequence[Callable[[], Reply]]) -> tuple[float, list[Reply]]:
    """Run all calls at once, a thread each. Returns the seconds until the last ended, and the replies in order."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as threads:
        replies = [future.result() for future in [threads.submit(call) for call in calls]]
    return time.perf_counter() - began, replies
