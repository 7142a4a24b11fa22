"""Bytes over Redis: a bounded window of base64 pieces between the spool and a worker that shares no disk with it.

The worker that has claimed a file asks the web process that keeps its bytes. That one feeds pieces into a list as long
as the worker gives credit for more; the worker takes them out as a stream. So neither Redis nor any process ever holds
the whole file. Whoever hears nothing of the other side for some seconds gives up: the attempt has failed, the spool
still has the bytes. The lists belong to one attempt, and all of them vanish by themselves. Only this file knows redis.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from uuid import uuid4

import redis
from pybase64 import b64decode, b64encode

from content.filenames import ID
from database.redis_options import RedisOptions
from problems import RelayLost

log = logging.getLogger("ferry.relay")

INLINE_BYTES = 256 << 10
"""Largest file that travels inside its task: a larger message would block Redis for the other clients."""

PIECE = 1 << 20
"""Most bytes of a file in one piece: the spool's own chunks, so that none is put together or cut on the way."""

_LONGEST_WORD = (PIECE + 2) // 3 * 4
"""Bytes of base64 text in the largest piece."""

_LONGEST_DEMAND = 64
"""Bytes: an id, the largest attempt, and JSON around them."""

_MOST_ATTEMPTS = 2**31 - 1
"""The largest attempt that a row can have."""

_PING_SECONDS, _SILENCE_SECONDS, _LIFE_SECONDS = 2, 10, 60
_CREDIT, _PING, _STOP, _END, _WAKE = b"1", b"", b"x", b".", b"null"
_ACQUIRE_SLOT = """
local now = tonumber(redis.call('TIME')[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + tonumber(ARGV[2]), '+inf')
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
return redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
"""


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
"""The queue is in the order of its tasks' turns: all that are before the oldest one's have been taken out, or lost.

A turn is the time in microseconds. A task of the last 5 seconds may still be on its way to a queue that is empty.
"""


class Relay:
    """The ways through one Redis. Half of `budget` (bytes) is for windows, half for tasks that carry their file."""

    def __init__(self, options: RedisOptions, size: int, budget: int, inline_max: int) -> None:
        """`size`: bytes of base64 text that one upload may have in Redis; `inline_max`: those of a file in a task."""
        self._redis = redis.Redis.from_url(
            options.url,
            socket_timeout=15,
            socket_connect_timeout=3,
            health_check_interval=10,
            socket_read_size=1 << 20,
            **options.tls,
        )
        self._key = options.key
        self._queued, self._memory = options.key("queued"), options.key("memory")
        self._queue, self._taken_places = options.key(options.queue), options.key("slots")
        self._credits = max(1, size // (PIECE * 4 // 3))
        self._places = max(1, budget // 2 // size)
        self._messages = max(1, budget // 2 // (inline_max * 4 // 3))
        self._inline_max = inline_max
        self.name = str(uuid4())

    def fits_in_message(self, size: int) -> bool:
        """Whether a file of `size` bytes may travel inside its task: it is small, and not too many wait already."""
        with _redis_errors():
            return size <= self._inline_max and int(self._redis.llen(self._queue)) < self._messages

    def reserve_task(self, id: str) -> int | None:
        """The turn of a task for this file that is to be queued now; None where the queue has one already.

        The task has to carry it as its header `ferry_turn`. Redis has all that is known of turns: where it forgets its
        queue, it forgets them too.
        """
        with _redis_errors():
            turn = self._redis.eval(_RESERVE_TASK, 2, self._queue, self._queued, id)
        return None if turn is None else int(turn)

    def release_task(self, id: str) -> None:
        """Forget the turn of a task that could not be queued."""
        with _redis_errors():
            self._redis.zrem(self._queued, id)

    def may_have_lost_tasks(self) -> bool:
        """Whether no task is queued, or Redis does not know any more what `remember` has told it."""
        with _redis_errors():
            return int(self._redis.llen(self._queue)) == 0 or not self._redis.exists(self._memory)

    def set_marker(self) -> None:
        """Leave a sign that goes when Redis forgets everything."""
        with _redis_errors():
            self._redis.set(self._memory, 1)

    def requests(self) -> Iterator[tuple[str, int]]:
        """The files (id, attempt) that workers ask this process for. Ends after some seconds without any.

        A malformed message is logged and skipped. A key of another type is removed: no other process has this name.
        """
        key = self._key("requests", self.name)
        with _redis_errors():
            try:
                while (found := self._redis.blpop([key], timeout=_PING_SECONDS)) and found[1] != _WAKE:
                    message = cast(bytes, found[1])
                    if demand := parse_request(message):
                        yield demand
                    else:
                        log.warning("relay.request_malformed: a message of %d bytes is skipped", len(message))
            except redis.ResponseError as error:
                if str(error).startswith("WRONGTYPE"):
                    self._redis.delete(key)
                raise

    def ping(self) -> None:
        """Ask Redis whether it is there. Raises what the connection raises, for `flask doctor` to show."""
        self._redis.ping()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._redis.close()

    def wake(self) -> None:
        """End `demands` now."""
        with _redis_errors():
            _push(self._redis, self._key("requests", self.name), _WAKE)

    def send(self, id: str, attempt: int, stream: Iterator[bytes]) -> None:
        """Put the stream into the window of an attempt, as fast as the worker takes it out. Raises RelayLost.

        Its chunks are the pieces: none of them may be larger than PIECE. Credit does not count alone: where more waits
        in Redis than the window has room for, something else than the worker has given it.
        """
        line = _Channel(self._redis, self._key("pieces", id, attempt), self._key("credits", id, attempt))
        member, credit = f"{id}:{attempt}", self._credits
        with _redis_errors(), self._slot(line, member):
            for piece in stream:
                while credit == 0:
                    credit += line.hear() == _CREDIT
                    self._hold_slot(member)
                if line.say(b64encode(piece)) > self._credits + line.pings:
                    raise RelayLost
                credit -= 1
            line.say(_END)

    def receive(self, web: str, id: str, attempt: int, size: int | None = None) -> Iterator[bytes]:
        """Ask the web process `web` for a file and yield its bytes.

        Raises RelayLost when they stop coming, are malformed, or are more than `size`.
        """
        line = _Channel(self._redis, self._key("credits", id, attempt), self._key("pieces", id, attempt))
        taken = _Receiver(line, size)
        try:
            with _redis_errors():
                _push(self._redis, self._key("requests", web), json.dumps([id, attempt]))
            taken.start()
            yield from taken.pieces()
        finally:
            taken.stop()

    @contextmanager
    def _slot(self, line: _Channel, member: str) -> Iterator[None]:
        """One of the places of the budget, over all processes, once there is a free one."""
        while not self._redis.eval(_ACQUIRE_SLOT, 1, self._taken_places, self._places, _LIFE_SECONDS, member):
            line.hear(seconds=0.1)
        try:
            yield
        finally:
            self._redis.zrem(self._taken_places, member)

    def _hold_slot(self, member: str) -> None:
        self._redis.zadd(self._taken_places, {member: self._redis.time()[0] + _LIFE_SECONDS}, xx=True)


class _Channel:
    """One side of a conversation: a list to say into, a list to hear from. Waiting says that we are still there."""

    def __init__(self, client: redis.Redis, say: str, hear: str) -> None:
        self._redis, self._say, self._hear = client, say, hear
        self._heard_at = self._said_at = time.monotonic()
        self.pings = 0
        """Words that this side has said without a content."""

    def say(self, word: bytes) -> int:
        """Returns how many words wait for the other side now."""
        self._said_at = time.monotonic()
        self.pings += word == _PING
        return _push(self._redis, self._say, word)

    def hear(self, seconds: float = _PING_SECONDS) -> bytes:
        """The next word, or a ping where none came within `seconds`. Raises RelayLost when the other side is gone."""
        found = self._redis.blpop([self._hear], timeout=seconds)
        if found:
            self._heard_at = time.monotonic()
            if found[1] == _STOP:
                raise RelayLost
            return cast(bytes, found[1])
        if time.monotonic() - self._heard_at > _SILENCE_SECONDS:
            raise RelayLost
        if time.monotonic() - self._said_at >= _PING_SECONDS:
            self.say(_PING)
        return _PING

    def forget(self) -> None:
        """Remove what the other side has said and nobody will hear."""
        self._redis.delete(self._hear)


class _Receiver:
    """The worker's side: a thread that takes pieces out while the storage is busy with the ones before.

    It also says that we are still there when the storage is slow, and decodes.
    """

    def __init__(self, line: _Channel, size: int | None) -> None:
        self._line, self._left = line, size
        self._taken: queue.Queue[bytes | RelayLost | None] = queue.Queue(1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ferry-window", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pieces(self) -> Iterator[bytes]:
        while (piece := self._taken.get()) is not None:
            if isinstance(piece, RelayLost):
                raise piece
            yield piece

    def stop(self) -> None:
        """End the thread, tell the other side, leave nothing in Redis."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._line.say(_STOP)
            self._line.forget()
        except redis.RedisError:
            log.info("a window could not be closed: it vanishes by itself")

    def _run(self) -> None:
        try:
            with _redis_errors():
                while not self._stopped.is_set() and (word := self._line.hear()) != _END:
                    if word != _PING:
                        self._line.say(_CREDIT)
                        self._hand_over(self._decoded(word))
            self._hand_over(None)
        except (RelayLost, ValueError) as error:
            self._hand_over(error if isinstance(error, RelayLost) else RelayLost())

    def _decoded(self, word: bytes) -> bytes:
        """The bytes of a piece. Raises ValueError where it can't be one of the file's."""
        piece = b64decode(word, validate=True) if len(word) <= _LONGEST_WORD else b""
        if not piece:
            raise ValueError("a piece is too large or empty")
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError("more comes than the file has")
        return piece

    def _hand_over(self, piece: bytes | RelayLost | None) -> None:
        while not self._stopped.is_set():
            try:
                return self._taken.put(piece, timeout=_PING_SECONDS)
            except queue.Full:
                with _redis_errors():
                    self._line.say(_PING)
        return None


def _push(client: redis.Redis, key: str, value: bytes | str) -> int:
    """Append to a list that does not outlive both sides. Returns its length."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.rpush(key, value)
        pipeline.expire(key, _LIFE_SECONDS)
        return int(pipeline.execute()[0])


def parse_request(message: bytes) -> tuple[str, int] | None:
    """The id and the attempt that a worker asks for; None where the message is anything but `["<id>", <attempt>]`."""
    if len(message) > _LONGEST_DEMAND:
        return None
    try:
        demand = json.loads(message)
    except ValueError:
        return None
    match demand:
        case [str(id), int(attempt)] if ID.fullmatch(id) and type(attempt) is int and 1 <= attempt <= _MOST_ATTEMPTS:
            return id, attempt
    return None


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise RelayLost from error
