"""HTTP/1.1 for the proxy (RFC 9112): heads are parsed, bodies are passed on in pieces with their framing unchanged.

No body is held whole, and nothing is rewritten unasked: signatures cover what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_PIECE = 256 << 10
_LONGEST_LINE = 65536


class CutOffError(ConnectionError):
    """The peer closed the connection in the middle of a message."""


@dataclass
class Head:
    """The first line of a message and its headers, in order."""

    line: bytes
    headers: list[tuple[bytes, bytes]]

    @property
    def status(self) -> int:
        return int(self.line.split()[1])

    @property
    def method(self) -> str:
        return self.line.split()[0].decode()

    @property
    def target(self) -> str:
        return self.line.split()[1].decode()

    def get(self, name: str) -> str:
        """The value of a header, by its lower-case name, or ''."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name.encode()), "")

    def replace(self, name: str, value: str) -> None:
        """Replace the value of a header, by its lower-case name, if present."""
        self.headers = [(k, value.encode() if k.lower() == name.encode() else v) for k, v in self.headers]

    def remove(self, name: str) -> None:
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name.encode()]

    def encoded(self) -> bytes:
        lines = [self.line, *(key + b": " + value for key, value in self.headers)]
        return b"\r\n".join([*lines, b"", b""])


def read_head(file: IO[bytes]) -> Head | None:
    """The next message's head, or None at the end of the connection."""
    line = file.readline(_LONGEST_LINE)
    if not line:
        return None
    headers = []
    while header := _line(file).rstrip(b"\r\n"):
        key, _, value = header.partition(b":")
        headers.append((key, value.strip()))
    return Head(line.rstrip(b"\r\n"), headers)


def request_body(file: IO[bytes], head: Head) -> Iterator[tuple[bytes, bool]]:
    """The body of a request in pieces, each with a flag: data, or framing."""
    if "chunked" in head.get("transfer-encoding").lower():
        return _chunked(file)
    return _sized(file, int(head.get("content-length") or 0))


def answer_body(file: IO[bytes], head: Head, method: str) -> Iterator[tuple[bytes, bool]]:
    """The body of a response to a request of this method, in the same form."""
    if method == "HEAD" or head.status in (204, 304):
        return iter(())
    if head.get("transfer-encoding") or head.get("content-length"):
        return request_body(file, head)
    return ((piece, True) for piece in iter(lambda: file.read(_PIECE), b""))


def _sized(file: IO[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    while size:
        piece = file.read1(min(size, _PIECE))  # type: ignore[attr-defined]
        if not piece:
            raise CutOffError
        size -= len(piece)
        yield piece, True


def _chunked(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    while True:
        line = _line(file)
        yield line, False
        size = int(line.partition(b";")[0], 16)
        yield from _sized(file, size)
        if size:
            yield _line(file), False
        else:
            break
    while line := _line(file):
        yield line, False
        if line == b"\r\n":
            return


def _line(file: IO[bytes]) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise CutOffError
    return line
