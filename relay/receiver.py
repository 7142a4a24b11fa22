"""The worker's side of the relay: a thread that receives and decodes pieces while the storage is busy."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator

import redis
from pybase64 import b64decode

from broker.errors import redis_errors
from problems import RelayLost
from relay import channel
from relay.channel import CREDIT, END, PIECE, PING, STOP, Channel

log = logging.getLogger("ferry.relay")

_MAX_ENCODED = (PIECE + 2) // 3 * 4
"""Bytes of base64 text in the largest piece."""


class Receiver:
    """Receives one file ahead of its consumer, by one piece, and pings the web process while the storage is slow."""

    def __init__(self, channel: Channel, size: int | None) -> None:
        """`size`: bytes of the file; more than that is an error."""
        self._channel, self._remaining = channel, size
        self._pieces: queue.Queue[bytes | RelayLost | None] = queue.Queue(1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ferry-relay", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pieces(self) -> Iterator[bytes]:
        """Yield the decoded pieces. Raises RelayLost if they stop arriving or are malformed."""
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, RelayLost):
                raise piece
            yield piece

    def stop(self) -> None:
        """Stop the thread, notify the web process, leave nothing in Redis."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._channel.send(STOP)
            self._channel.clear()
        except redis.RedisError as error:
            log.info("relay.close_failed: %s, the keys expire", type(error).__name__)

    def _run(self) -> None:
        try:
            with redis_errors():
                while not self._stopped.is_set() and (message := self._channel.receive()) != END:
                    if message is not None:
                        self._channel.send(CREDIT)
                        self._put(self._decode(message))
            self._put(None)
        except (RelayLost, ValueError) as error:
            self._put(error if isinstance(error, RelayLost) else RelayLost())

    def _decode(self, message: bytes) -> bytes:
        """Decode a piece. Raises ValueError if it is malformed, empty, too large, or more than the file has."""
        piece = b64decode(message, validate=True) if len(message) <= _MAX_ENCODED else b""
        if not piece:
            raise ValueError("a piece is too large or empty")
        if self._remaining is not None:
            self._remaining -= len(piece)
            if self._remaining < 0:
                raise ValueError("more bytes than the file has")
        return piece

    def _put(self, piece: bytes | RelayLost | None) -> None:
        while not self._stopped.is_set():
            try:
                return self._pieces.put(piece, timeout=channel.PING_SECONDS)
            except queue.Full:
                with redis_errors():
                    self._channel.send(PING)
        return None
