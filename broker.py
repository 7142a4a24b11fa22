"""kombu's Redis transport, but for one thing: a message that is done with never keeps its prefetch slot.

kombu frees the slot after Redis has confirmed the acknowledgement. Where Redis is away just then, Celery logs the error
and goes on, and the slot is lost for as long as the connection lives. A worker that has lost all its slots sends no
BRPOP any more, and so never notices that its connection is broken.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES, redis


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

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message. Its slot is free even where Redis raises."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)


class Channel(redis.Channel):
    """A channel whose slots are always freed."""

    QoS = QoS


class Transport(redis.Transport):
    """What `redis://` and `rediss://` addresses stand for in this process, once `register` was called."""

    Channel = Channel


def register() -> None:
    """Have kombu use this transport for Redis. Its name stays, by which kombu decides about TLS."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
