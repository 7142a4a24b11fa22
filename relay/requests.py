"""Requests of workers for the bytes of a file: `["<id>", <attempt>]` on a list of the web process that spooled it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import cast

import redis

from broker.errors import redis_errors
from content.filenames import ID
from relay import channel
from relay.channel import push

log = logging.getLogger("ferry.relay")

_MAX_REQUEST = 64
"""Bytes: an id, the largest attempt, and JSON around them."""

_MAX_ATTEMPT = 2**31 - 1
"""The largest attempt that a row can have."""

_WAKE = b"null"


def send_request(client: redis.Redis, key: str, id: str, attempt: int) -> None:
    """Request the bytes of a file for an attempt."""
    push(client, key, json.dumps([id, attempt]))


def receive_requests(client: redis.Redis, key: str) -> Iterator[tuple[str, int]]:
    """Yield requests (id, attempt) until none arrives for some seconds, or `wake`. Malformed ones are logged, skipped.

    A key of another type is deleted: no other process uses this name.
    """
    with redis_errors():
        try:
            while (found := client.blpop([key], timeout=channel.PING_SECONDS)) and found[1] != _WAKE:
                message = cast(bytes, found[1])
                if request := parse_request(message):
                    yield request
                else:
                    log.warning("relay.request_malformed: a message of %d bytes is skipped", len(message))
        except redis.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                client.delete(key)
            raise


def wake(client: redis.Redis, key: str) -> None:
    """End `receive_requests` now."""
    with redis_errors():
        push(client, key, _WAKE)


def parse_request(message: bytes) -> tuple[str, int] | None:
    """Return the requested id and attempt; None if the message is malformed."""
    if len(message) > _MAX_REQUEST:
        return None
    try:
        request = json.loads(message)
    except ValueError:
        return None
    match request:
        case [str(id), int(attempt)] if ID.fullmatch(id) and type(attempt) is int and 1 <= attempt <= _MAX_ATTEMPT:
            return id, attempt
    return None
