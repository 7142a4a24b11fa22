"""kombu's Redis transport, but for one thing: a message that is done with never keeps its prefetch slot.

kombu frees the slot after Redis has confirmed the acknowledgement. Where Redis is away just then, Celery logs the error
and goes on, and the slot is lost for as long as the connection lives. A worker that has lost all its slots sends no
BRPOP any more, and so never notices that its connection is broken.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

from relay.task_messages import is_task, is_unacknowledged

log = logging.getLogger("ferry.broker")


class QoS(redis.QoS):
    """The unacknowledged messages of a channel; as many as the prefetch count are slots."""

    taken = 0
    """Messages that this process has taken from its queues so far, over all channels."""

    def append(self, message: object, delivery_tag: str) -> None:
        """Note a message that was taken from a queue."""
        QoS.taken += 1
        super().append(message, delivery_tag)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message. Its slot is free even where Redis raises: the message may come again, that is all."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Queue an unacknowledged message again. One that is malformed is dropped: kombu would log all of it."""
        with self.channel.conn_or_acquire(client) as found:
            entry = found.hget(self.unacked_key, tag)
            if entry and not is_unacknowledged(entry):
                self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]
                log.warning("queue.unacknowledged_malformed: a message of %d bytes is dropped", len(entry))
                return
        super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message. Its slot is free even where Redis raises."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)


class _Client(redis.PrefixedStrictRedis):
    """Redis, as a channel talks to it. A message that is no task of Ferry's is logged and dropped as it comes."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """The answer of Redis; None, as if no message had come, in place of a malformed one."""
        found = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and found and not is_task(found[1]):
            log.warning("queue.message_malformed: a message of %d bytes is dropped", len(found[1]))
            return None
        return found


class Channel(redis.Channel):
    """A channel whose slots are always freed, and that takes nothing but tasks out of its queues."""

    QoS = QoS

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[no-untyped-call]
        return partial(_Client, global_keyprefix=self.global_keyprefix)


class Transport(redis.Transport):
    """What `redis://` and `rediss://` addresses stand for in this process, once `register` was called."""

    Channel = Channel


def register() -> None:
    """Have kombu use this transport for Redis. Its name stays, by which kombu decides about TLS."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
