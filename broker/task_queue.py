"""Which tasks are in Celery's queue: at most one a file, and whether Redis may have lost them."""

from __future__ import annotations

import redis

from broker.errors import redis_errors
from database.redis_options import RedisOptions

_RESERVE_TASK = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local oldest = redis.call('LINDEX', KEYS[1], -1)
if oldest then
    local read, message = pcall(cjson.decode, oldest)
    local turn = read and type(message) == 'table' and type(message.headers) == 'table' and message.headers.ferry_turn
    if type(turn) == 'number' then redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', turn)) end
else
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 5000000)
end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
redis.call('ZADD', KEYS[2], now, ARGV[1])
return now
"""
"""The queue is ordered by turn: tasks with a turn before the oldest queued one were taken out or lost.

A turn is the time in microseconds. A task of the last 5 seconds may still be on its way to an empty queue.
"""


class TaskQueue:
    """The turns of the tasks in the queue. They live in the same Redis: if it loses the queue, it loses them too."""

    def __init__(self, client: redis.Redis, options: RedisOptions) -> None:
        self._redis = client
        self._queue = options.key(options.queue)
        self._turns, self._marker = options.key("queued"), options.key("memory")

    def length(self) -> int:
        """Return the number of queued tasks."""
        with redis_errors():
            return int(self._redis.llen(self._queue))

    def reserve(self, id: str) -> int | None:
        """Return a turn for this file's task, for its header `ferry_turn`; None if a task of the file is queued."""
        with redis_errors():
            turn = self._redis.eval(_RESERVE_TASK, 2, self._queue, self._turns, id)
        return None if turn is None else int(turn)

    def release(self, id: str) -> None:
        """Forget the turn of a task that could not be queued."""
        with redis_errors():
            self._redis.zrem(self._turns, id)

    def is_empty_or_lost(self) -> bool:
        """Return whether the queue is empty, or Redis has lost its data since `set_marker`."""
        with redis_errors():
            return int(self._redis.llen(self._queue)) == 0 or not self._redis.exists(self._marker)

    def set_loss_marker(self) -> None:
        """Set a key that is gone if Redis loses its data."""
        with redis_errors():
            self._redis.set(self._marker, 1)
