"""Two Redis lists as a message channel with heartbeats between the spool's web process and a worker.

A side that receives nothing for some seconds raises RelayLost: the attempt has failed, and the spool still has the
bytes. The lists belong to one attempt, and every key expires after a minute.
"""

from __future__ import annotations

import time
from typing import cast

import redis

from problems import RelayLost

PIECE = 1 << 20
"""Maximum bytes of a file in one message: the spool's own chunk, so that none is joined or split."""

PING_SECONDS, SILENCE_SECONDS, TTL_SECONDS = 2, 10, 60
CREDIT, PING, STOP, END = b"1", b"", b"x", b"."


class Channel:
    """One end: a list to send to, a list to receive from. While it waits it pings the other end."""

    def __init__(self, client: redis.Redis, outgoing: str, incoming: str) -> None:
        self._redis, self._outgoing, self._incoming = client, outgoing, incoming
        self._received_at = self._sent_at = time.monotonic()
        self.pings = 0
        """Pings sent by this end."""

    def send(self, message: bytes) -> int:
        """Append a message; return how many wait for the other end now."""
        self._sent_at = time.monotonic()
        self.pings += message == PING
        return push(self._redis, self._outgoing, message)

    def receive(self, seconds: float | None = None) -> bytes | None:
        """Return the next message; None if it is a ping, or none arrives within `seconds`.

        Raises RelayLost if the other end is gone.
        """
        found = self._redis.blpop([self._incoming], timeout=PING_SECONDS if seconds is None else seconds)
        if found:
            self._received_at = time.monotonic()
            if found[1] == STOP:
                raise RelayLost
            return cast(bytes, found[1]) if found[1] != PING else None
        if time.monotonic() - self._received_at > SILENCE_SECONDS:
            raise RelayLost
        if time.monotonic() - self._sent_at >= PING_SECONDS:
            self.send(PING)
        return None

    def clear(self) -> None:
        """Delete the messages that were not received."""
        self._redis.delete(self._incoming)


def push(client: redis.Redis, key: str, message: bytes | str) -> int:
    """Append to a list that expires if neither end uses it; return its length."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.rpush(key, message)
        pipeline.expire(key, TTL_SECONDS)
        return int(pipeline.execute()[0])
