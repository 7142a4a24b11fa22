"""The web process's side of the relay: it sends a spooled file as base64 pieces, as fast as the worker gives credit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from pybase64 import b64encode

from problems import RelayLost
from relay.channel import CREDIT, END, TTL_SECONDS, Channel

_ACQUIRE_SLOT = """
local now = tonumber(redis.call('TIME')[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + tonumber(ARGV[2]), '+inf')
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
return redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
"""
"""Removes expired slots, and slots with an impossible expiry, before it counts."""


class SlotLimiter:
    """Concurrent relays over all processes, as a sorted set of slots that expire unless they are renewed."""

    def __init__(self, client: redis.Redis, key: str, limit: int) -> None:
        self._redis, self._key, self._limit = client, key, limit

    @contextmanager
    def slot(self, channel: Channel, member: str) -> Iterator[None]:
        """Hold a slot; wait for a free one. The channel pings the worker meanwhile."""
        while not self._redis.eval(_ACQUIRE_SLOT, 1, self._key, self._limit, TTL_SECONDS, member):
            channel.receive(seconds=0.1)
        try:
            yield
        finally:
            self._redis.zrem(self._key, member)

    def renew(self, member: str) -> None:
        """Postpone the expiry of a slot."""
        self._redis.zadd(self._key, {member: self._redis.time()[0] + TTL_SECONDS}, xx=True)


def send_pieces(channel: Channel, stream: Iterator[bytes], slots: SlotLimiter, member: str, credit: int) -> None:
    """Send the stream's chunks as pieces in a slot of the budget. `credit`: pieces that may wait in Redis.

    Raises RelayLost if the worker is gone; also if more pieces wait than the credit allows, because credit was forged.
    """
    initial = credit
    with slots.slot(channel, member):
        for piece in stream:
            while credit == 0:
                credit += channel.receive() == CREDIT
                slots.renew(member)
            if channel.send(b64encode(piece)) > initial + channel.pings:
                raise RelayLost
            credit -= 1
        channel.send(END)
