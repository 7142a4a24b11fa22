"""Fixtures of the relay's tests: an empty Redis, a file whose attempt is running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

import config
from models import FileRow

ID = "01a1f87c-8038-72c3-a4d1-740c5f09daa4"


@pytest.fixture
def redis_client(valkey: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = redis.Redis.from_url(valkey)
    client.flushall()
    yield client
    client.flushall()
    client.close()


def pieces_key(row: FileRow) -> str:
    """The Redis key of the pieces that are sent to the attempt."""
    return config.current().redis.key("pieces", row.id, row.attempt)
