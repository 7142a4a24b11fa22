"""The bytes that a connection receives: request heads without waiting, bodies with a minimum rate."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from typing_extensions import override

from server.min_rate import MinRate

_HEAD_END = b"\r\n\r\n"


class Unreader(SocketUnreader):  # type: ignore[misc]
    """gunicorn's reader of a connection, with a minimum rate. Its reads raise RequestTimeout if it is not reached.

    A read of a plain socket returns after a while without a byte (SO_RCVTIMEO) and is repeated within the minimum rate.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.min_rate = MinRate(math.inf, 0)
        self.scanned = 0
        """Bytes of the next head that `head_state` has found to be incomplete."""
        self._partial_head = bytearray()

    def read_head(self) -> bytearray | None:
        """The received bytes of the next request head, without waiting; None if the client disconnected before its end.

        The result grows with the next call: a head that arrives byte by byte is neither copied nor searched again.
        """
        if self.buf.getbuffer().nbytes != len(self._partial_head):
            self._partial_head = bytearray(self.buf.getvalue())
            if _HEAD_END in self._partial_head:
                return self._take_head()
        try:
            received = self.sock.recv(self.mxchunk, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self._partial_head
        except OSError:
            return None
        if not received:
            return None
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(received)
        is_complete = _HEAD_END in self._partial_head[-3:] + received
        self._partial_head += received
        return self._take_head() if is_complete else self._partial_head

    def _take_head(self) -> bytearray:
        """The complete head. It is forgotten here: the bytes after it belong to another one."""
        head, self._partial_head = self._partial_head, bytearray()
        return head

    @override
    def chunk(self, size_hint: int | None = None) -> bytes:
        return self._recv_with_deadline(super().chunk, size_hint)

    def recv_full(self, size: int) -> bytes:
        """`size` bytes, or those that arrived before the read timed out; empty at the end of the stream."""
        return self._recv_with_deadline(self.sock.recv, size, socket.MSG_WAITALL)

    def _recv_with_deadline(self, recv: Callable[..., bytes], *args: Any) -> bytes:
        while True:
            started, data = time.monotonic(), None
            with suppress(BlockingIOError, TimeoutError):
                data = recv(*args)
            self.min_rate.record(len(data or b""), time.monotonic() - started)
            if data is not None:
                return data
