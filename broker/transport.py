"""kombu's Redis transport, with two differences: it always frees prefetch slots, and it drops malformed messages.

kombu frees a slot after Redis has confirmed the acknowledgement. If Redis is down at that moment, Celery logs the error
and continues, and the slot is lost until the connection closes. A worker without slots sends no BRPOP, and so never
notices that its connection is broken.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from kombu.transport import redis

from broker.task_messages import is_task, is_unacknowledged

log = logging.getLogger("ferry.broker")


class QoS(redis.QoS):
    """The unacknowledged messages of a channel; the prefetch count is the number of slots."""

    taken = 0
    """Messages that this process has taken from its queues, over all channels."""

    def append(self, message: object, delivery_tag: str) -> None:
        """Record a message that was taken from a queue."""
        QoS.taken += 1
        super().append(message, delivery_tag)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message. Frees its slot even if Redis raises: at worst the message is delivered again."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Requeue an unacknowledged message. Drops a malformed one: kombu would log all of it."""
        with self.channel.conn_or_acquire(client) as found:
            entry = found.hget(self.unacked_key, tag)
            if entry and not is_unacknowledged(entry):
                self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]
                log.warning("queue.unacknowledged_malformed: a message of %d bytes is dropped", len(entry))
                return
        super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message. Frees its slot even if Redis raises."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)


class _Client(redis.PrefixedStrictRedis):
    """A channel's Redis client. Logs and drops a message that is not one of Ferry's tasks."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Return Redis's reply; None, as if no message had arrived, instead of a malformed one."""
        found = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and found and not is_task(found[1]):
            log.warning("queue.message_malformed: a message of %d bytes is dropped", len(found[1]))
            return None
        return found


class TaskChannel(redis.Channel):
    """A channel that always frees its slots and takes only Ferry's tasks from its queues."""

    QoS = QoS

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[no-untyped-call]
        return partial(_Client, global_keyprefix=self.global_keyprefix)


class Transport(redis.Transport):
    """The transport for `redis://` and `rediss://` URLs in this process, after `patches.use_transport`."""

    Channel = TaskChannel
