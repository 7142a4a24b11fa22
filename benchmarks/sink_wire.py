"""HTTP/1.1 bodies off a socket: framing, digests, pace. What the sink needs below S3; no verb of S3 enters here.

A body is read as views of one reused buffer, so a byte is copied once: by the kernel. recv, crc32 and the hashes all
release the GIL for blocks of this size, which is what lets several connections run side by side.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Protocol

from isal import isal_zlib as zlib

BUFFER = 1 << 20
CHECKS = ("crc32", "md5", "sha256")
_EMPTY = memoryview(b"")
_CRC = "x-amz-checksum-crc32"
_UNCHECKED = tuple(f"x-amz-checksum-{name}" for name in ("crc32c", "crc64nvme", "sha1", "sha256"))
"""Digests that the sink does not compute. It rejects them, so that no benchmark relies on unchecked digests."""


class Pace:
    """One link shared by all connections: together they get `rate` bytes per second (0: no limit)."""

    def __init__(self, rate: float) -> None:
        self._rate, self._lock, self._free_at = rate, threading.Lock(), 0.0

    def take(self, size: int) -> None:
        """Return when `size` more bytes would have come through the link."""
        if not self._rate:
            return
        with self._lock:
            # 10 ms of credit make up for a sleep that ended late; an idle link saves up no more than that.
            self._free_at = max(self._free_at, time.monotonic() - 0.01) + size / self._rate
            pause = self._free_at - time.monotonic()
        if pause > 0:
            time.sleep(pause)


class Source(Protocol):
    """Bytes in order."""

    def some(self, limit: int) -> memoryview:
        """1 to `limit` bytes, empty at the end. The view is valid until the next call of anything here."""

    def until(self, mark: bytes) -> bytes:
        """All bytes before the next `mark`, which is taken too. Raises EOFError if it never comes."""


class Wire:
    """A connection's incoming bytes. Its end is never expected: EOFError, wherever it comes."""

    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        self._connection, self._pace = connection, pace
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def some(self, limit: int) -> memoryview:
        if self._start == self._end:
            self._start = self._end = 0
            # Waiting for the whole block means one wake-up and one turn of the GIL per MiB, however small the packets.
            self._receive(self._view[: min(limit, BUFFER)], socket.MSG_WAITALL)
        taken = self._view[self._start : min(self._end, self._start + limit)]
        self._start += len(taken)
        return taken

    def until(self, mark: bytes) -> bytes:
        while (found := self._buffer.find(mark, self._start, self._end)) < 0:
            self._buffer[: self._end - self._start] = self._buffer[self._start : self._end]
            self._start, self._end = 0, self._end - self._start
            if self._end == BUFFER:
                raise EOFError("No end of a line or head within the buffer.")
            self._receive(self._view[self._end :], 0)
        taken = bytes(self._view[self._start : found])
        self._start = found + len(mark)
        return taken

    def _receive(self, space: memoryview, flags: int) -> None:
        size = self._connection.recv_into(space, len(space), flags)
        if not size:
            raise EOFError("The client went away.")
        self._end += size
        self._pace.take(size)


class _Framed:
    """A stretch of another source. Lines inside it are rare and short, so they are read byte by byte."""

    def some(self, limit: int) -> memoryview:
        raise NotImplementedError

    def until(self, mark: bytes) -> bytes:
        taken = bytearray()
        while not taken.endswith(mark):
            byte = self.some(1)
            if not byte:
                raise EOFError("The body ended within a line.")
            taken += byte
        return bytes(taken[: -len(mark)])


class Sized(_Framed):
    """The next `size` bytes."""

    def __init__(self, source: Source, size: int) -> None:
        self._source, self._left = source, size

    def some(self, limit: int) -> memoryview:
        if not self._left:
            return _EMPTY
        taken = self._source.some(min(limit, self._left))
        self._left -= len(taken)
        return taken


class Chunked(_Framed):
    """`size[;extension] CRLF bytes CRLF … 0 CRLF trailers CRLF`: the framing of HTTP and, inside it, of aws-chunked."""

    def __init__(self, source: Source) -> None:
        self._source, self._left, self._begun, self._ended = source, 0, False, False
        self.trailers: dict[str, str] = {}

    def some(self, limit: int) -> memoryview:
        if not self._left and not self._ended:
            self._next()
        if self._ended:
            return _EMPTY
        taken = self._source.some(min(limit, self._left))
        self._left -= len(taken)
        return taken

    def _next(self) -> None:
        if self._begun:
            self._source.until(b"\r\n")
        self._begun = True
        self._left = int(self._source.until(b"\r\n").split(b";")[0], 16)
        self._ended = not self._left
        while self._ended and (line := self._source.until(b"\r\n")):
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()


class Body:
    """The body of one request: its bytes without any framing, digested while they are read."""

    def __init__(self, wire: Wire, headers: Mapping[str, str], checks: tuple[str, ...] = CHECKS) -> None:
        self.size = self.crc = 0
        self._headers, self._checks = headers, checks
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self._outer: Source = Chunked(wire) if chunked else Sized(wire, int(headers.get("content-length", "0")))
        self._hex = headers.get("x-amz-content-sha256", "")
        self._inner = Chunked(self._outer) if self._hex.startswith("STREAMING-") else None
        self._sha = hashlib.sha256() if len(self._hex) == 64 and "sha256" in checks else None
        self._md5 = hashlib.md5(usedforsecurity=False) if "content-md5" in headers and "md5" in checks else None

    def blocks(self) -> Iterator[memoryview]:
        """Every block of the content, once; then whatever framing is left is read off the connection."""
        source = self._inner or self._outer
        while block := source.some(BUFFER):
            self.size += len(block)
            self.crc = zlib.crc32(block, self.crc)
            for digest in (self._sha, self._md5):
                if digest is not None:
                    digest.update(block)
            yield block
        while self._outer.some(BUFFER):
            pass

    def drain(self) -> None:
        """Read the body away. Doing it twice is harmless."""
        for _ in self.blocks():
            pass

    @property
    def claimed_crc(self) -> str | None:
        """The CRC32 that the client sent, in a header or a trailer: base64 of 4 bytes, big-endian."""
        trailers = self._inner.trailers if self._inner else {}
        return self._headers.get(_CRC) or trailers.get(_CRC)

    def claims(self) -> dict[str, bool]:
        """Every claim of the client that is checked, and whether it is true; call when all blocks have been read."""
        found = {name: False for name in _UNCHECKED if name in self._headers}
        if "crc32" in self._checks and self.claimed_crc is not None:
            found[_CRC] = self.claimed_crc == b64encode(self.crc.to_bytes(4, "big")).decode()
        if self._sha is not None:
            found["x-amz-content-sha256"] = self._sha.hexdigest() == self._hex
        if self._md5 is not None:
            found["content-md5"] = b64encode(self._md5.digest()).decode() == self._headers["content-md5"]
        length = self._headers.get("x-amz-decoded-content-length")
        if length is not None:
            found["x-amz-decoded-content-length"] = length == str(self.size)
        return found
