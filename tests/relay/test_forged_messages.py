"""Forged credit, pieces and slots in Redis: memory stays bounded, and the attempt ends at once."""

from __future__ import annotations

import time

import pytest
import redis
from flask import Flask
from pybase64 import b64encode

import config
from database.redis_options import parse
from problems import RelayLost
from relay import server
from relay.channel import PIECE
from relay.relay import Relay
from tests.harness.factories import claimed_file
from tests.relay.conftest import ID, pieces_key


def test_forged_credit_does_not_fill_redis(app: Flask, redis_client: redis.Redis) -> None:
    row = claimed_file("celery", body=bytes(9 << 20))
    redis_client.rpush(pieces_key(row).replace("pieces", "credits"), *[b"1"] * 1000)
    with pytest.raises(RelayLost):
        server.send_bytes(row.id, row.attempt)

    assert redis_client.memory_usage(pieces_key(row)) <= config.current().relay_file_bytes + (2 << 20)  # type: ignore[operator]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"!!!"],
        [b"\xff\xfe"],
        [b64encode(b"x")[:3]],
        [b64encode(bytes(PIECE + 1))],
        [b"A" * (4 << 20)],
        [b64encode(b"12345"), b64encode(b"67890"), b64encode(b"!")],
        [b64encode(b"12345678901")],
        [b"1"],
        [b"x"],
    ],
    ids=["no base64", "binary", "cut", "over a piece", "huge", "one byte more", "at once", "credit", "stop"],
)
def test_a_malformed_piece_ends_the_attempt_at_once(
    valkey: str, redis_client: redis.Redis, pieces: list[bytes]
) -> None:
    """A file of ten bytes."""
    worker = Relay(parse(valkey), 8 << 20, 64 << 20, 256 << 10)
    redis_client.rpush(f"ferry:pieces:{ID}:1", *pieces)
    began = time.monotonic()
    with pytest.raises(RelayLost):
        list(worker.receive("web", ID, 1, 10))

    assert time.monotonic() - began < 3
    worker.close()


def test_forged_slots_are_free(valkey: str, redis_client: redis.Redis) -> None:
    web = Relay(parse(valkey), 8 << 20, 16 << 20, 256 << 10)
    for foreign in (
        lambda: redis_client.set("ferry:slots", "x"),
        lambda: redis_client.zadd("ferry:slots", {"x": "+inf", "y": 4e9}),
    ):
        redis_client.delete("ferry:slots")
        foreign()
        web.send(ID, 1, iter([b"x"]))
    assert redis_client.zcard("ferry:slots") == 0
    web.close()
