"""Which tasks are in Celery's queue: at most one a file, and whether Redis may have lost them."""

from __future__ import annotations

import redis

from broker.errors import redis_errors
from database.redis_options import RedisOptions

_MARK_QUEUED = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local oldest = redis.call('LINDEX', KEYS[1], -1)
if oldest then
    local read, message = pcall(cjson.decode, oldest)
    local headers = read and type(message) == 'table' and message.headers
    local queued_at = type(headers) == 'table' and headers.ferry_turn
    if type(queued_at) == 'number' then
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', queued_at))
    end
else
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 5000000)
end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
redis.call('ZADD', KEYS[2], now, ARGV[1])
return now
"""
"""The queue is ordered by the times at which its tasks were queued: a task older than the oldest was taken or lost.

Times are microseconds. A task of the last 5 seconds may not have reached an empty queue yet.
"""


class TaskQueue:
    """The files whose tasks are in the queue. They are recorded in the same Redis, which loses both or neither."""

    def __init__(self, client: redis.Redis, options: RedisOptions) -> None:
        self._redis = client
        self._queue = options.key(options.queue)
        self._queued, self._loss_marker = options.key("queued"), options.key("memory")

    def length(self) -> int:
        """Return the number of queued tasks."""
        with redis_errors():
            return int(self._redis.llen(self._queue))

    def mark_queued(self, id: str) -> int | None:
        """Record that the caller queues a task for this file; return the time, for the task's header `ferry_turn`.

        Returns None if a task of the file is queued already.
        """
        with redis_errors():
            queued_at = self._redis.eval(_MARK_QUEUED, 2, self._queue, self._queued, id)
        return None if queued_at is None else int(queued_at)

    def unmark_queued(self, id: str) -> None:
        """Forget a task that could not be queued."""
        with redis_errors():
            self._redis.zrem(self._queued, id)

    def is_empty_or_lost(self) -> bool:
        """Return whether the queue is empty, or Redis has lost its data since `set_loss_marker`."""
        with redis_errors():
            return int(self._redis.llen(self._queue)) == 0 or not self._redis.exists(self._loss_marker)

    def set_loss_marker(self) -> None:
        """Set a key that is gone if Redis loses its data."""
        with redis_errors():
            self._redis.set(self._loss_marker, 1)
