"""Bytes over Redis: base64 pieces of a spooled file, sent to a worker that shares no disk with the spool.

The worker that has claimed a file requests it from the web process that spooled it. That process sends pieces while the
worker gives credit for more; the worker reads them as a stream. So neither Redis nor a process holds the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import redis

from broker.errors import redis_errors
from broker.task_queue import TaskQueue
from database.redis_options import RedisOptions
from relay import requests
from relay.channel import PIECE, Channel
from relay.receiver import Receiver
from relay.sender import SlotLimiter, send_pieces

INLINE_BYTES = 256 << 10
"""Largest file that travels inside its task; larger ones are relayed in pieces."""


class Relay:
    """The relay over one Redis. Half of `budget` (bytes) is for pieces, half for tasks that contain their file."""

    def __init__(self, options: RedisOptions, size: int, budget: int, inline_max: int) -> None:
        """`size`: bytes of base64 text that one file may have in Redis; `inline_max`: largest file inside a task."""
        self._redis = redis.Redis.from_url(
            options.url,
            socket_timeout=15,
            socket_connect_timeout=3,
            health_check_interval=10,
            socket_read_size=1 << 20,
            **options.tls,
        )
        self._key = options.key
        self._tasks = TaskQueue(self._redis, options)
        self._slots = SlotLimiter(self._redis, options.key("slots"), max(1, budget // 2 // size))
        self._credit = max(1, size // (PIECE * 4 // 3))
        self._inline_max, self._max_queued = inline_max, max(1, budget // 2 // (inline_max * 4 // 3))
        self.web_process_id = str(uuid4())
        """The id by which workers address this web process."""

    def fits_in_message(self, size: int) -> bool:
        """Return whether a file of `size` bytes may travel inside its task: it is small, and the queue is short."""
        with redis_errors():
            return size <= self._inline_max and self._tasks.length() < self._max_queued

    def mark_task_queued(self, id: str) -> int | None:
        """Record that a task for this file is queued now; return the time, None if one is queued already."""
        return self._tasks.mark_queued(id)

    def unmark_task_queued(self, id: str) -> None:
        """Forget a task that could not be queued."""
        self._tasks.unmark_queued(id)

    def is_queue_empty_or_lost(self) -> bool:
        """Return whether no task is queued, or Redis has lost its data since `set_loss_marker`."""
        return self._tasks.is_empty_or_lost()

    def set_loss_marker(self) -> None:
        """Set a key that is gone if Redis loses its data."""
        self._tasks.set_loss_marker()

    def requests(self) -> Iterator[tuple[str, int]]:
        """Yield the files (id, attempt) that workers request from this process. Ends after some idle seconds."""
        return requests.receive_requests(self._redis, self._key("requests", self.web_process_id))

    def wake(self) -> None:
        """End `requests` now."""
        requests.wake(self._redis, self._key("requests", self.web_process_id))

    def send(self, id: str, attempt: int, stream: Iterator[bytes]) -> None:
        """Send the stream to the worker of this attempt, as fast as it reads. Chunks have at most PIECE bytes.

        Raises RelayLost if the worker is gone.
        """
        channel = Channel(self._redis, self._key("pieces", id, attempt), self._key("credits", id, attempt))
        with redis_errors():
            send_pieces(channel, stream, self._slots, f"{id}:{attempt}", self._credit)

    def receive(self, web_process_id: str, id: str, attempt: int, size: int | None = None) -> Iterator[bytes]:
        """Request a file from a web process and yield its bytes.

        Raises RelayLost if they stop arriving, are malformed, or exceed `size`.
        """
        channel = Channel(self._redis, self._key("credits", id, attempt), self._key("pieces", id, attempt))
        receiver = Receiver(channel, size)
        try:
            with redis_errors():
                requests.send_request(self._redis, self._key("requests", web_process_id), id, attempt)
            receiver.start()
            yield from receiver.pieces()
        finally:
            receiver.stop()

    def ping(self) -> None:
        """PING Redis. Raises the connection's own errors, for `flask doctor` to show."""
        self._redis.ping()

    def close(self) -> None:
        """Close idle connections."""
        self._redis.close()
