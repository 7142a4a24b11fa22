"""Requests for bytes, read from Redis: malformed ones are skipped, and none ends the relay thread."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from flask import Flask

import config
from dev.polling import eventually
from problems import RelayLost
from relay import channel, server
from relay.relay import Relay
from relay.requests import parse_request
from services import current_services
from tests.fakes import services_of
from tests.relay.conftest import ID

MALFORMED: list[bytes] = [
    b"",
    b" ",
    b"not json",
    b"\xff\xfe\x00",
    b"\xed\xa0\x80",
    b"0",
    b"null ",
    b"true",
    b'"text"',
    b'{"id":1}',
    b"[]",
    b"[[]]",
    b"[" * 60,
    f'["{ID}"]'.encode(),
    f'["{ID}",1,2]'.encode(),
    f'[1,"{ID}"]'.encode(),
    f'["{ID}","1"]'.encode(),
    f'["{ID}",true]'.encode(),
    f'["{ID}",null]'.encode(),
    f'["{ID}",1.0]'.encode(),
    f'["{ID}",NaN]'.encode(),
    f'["{ID}",1e3]'.encode(),
    f'["{ID}",0]'.encode(),
    f'["{ID}",-1]'.encode(),
    f'["{ID}",2147483648]'.encode(),
    f'["{ID}",{"9" * 5000}]'.encode(),
    f'["{ID}\\n",1]'.encode(),
    f'["{ID.upper()}",1]'.encode(),
    b'["../ferry.db",1]',
    b'["/proc/self/environ",1]',
    b'["..",1]',
    b'["",1]',
    b'["\\u0000",1]',
    b'["\\ud800",1]',
    b"x" * (1 << 20),
]


@pytest.mark.parametrize("message", MALFORMED, ids=lambda message: message[:24].decode("latin-1"))
def test_a_malformed_request_is_rejected(message: bytes) -> None:
    assert parse_request(message) is None


@pytest.mark.parametrize("attempt", [1, 20, 2**31 - 1])
def test_a_request_is_parsed(attempt: int) -> None:
    assert parse_request(json.dumps([ID, attempt]).encode()) == (ID, attempt)


class RelayThread:
    """The relay thread of the web service; `requests` are those that it accepts."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[str, int]] = []
        self.key = config.current().redis.key("requests", current_services().relay.web_process_id)
        monkeypatch.setattr(server, "_RETRY_SECONDS", 0.05)
        monkeypatch.setattr(channel, "PING_SECONDS", 0.2)
        monkeypatch.setattr(server, "send_bytes", lambda id, attempt: self.requests.append((id, attempt)))
        services_of(app).relay_server.start()


@pytest.fixture
def thread(app: Flask, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> RelayThread:
    return RelayThread(app, monkeypatch)


def test_malformed_requests_do_not_end_the_relay_thread(
    thread: RelayThread, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_client.rpush(thread.key, *MALFORMED, json.dumps([ID, 7]))

    assert eventually(lambda: thread.requests == [(ID, 7)], seconds=10)
    skipped = [record.getMessage() for record in caplog.records if record.name == "ferry.relay"]
    assert skipped == [f"relay.request_malformed: a message of {len(each)} bytes is skipped" for each in MALFORMED]


@pytest.mark.parametrize("kind", ["string", "hash", "set", "zset"])
def test_a_key_of_another_type_is_deleted(thread: RelayThread, redis_client: redis.Redis, kind: str) -> None:
    {
        "string": lambda: redis_client.set(thread.key, "x"),
        "hash": lambda: redis_client.hset(thread.key, "a", "b"),
        "set": lambda: redis_client.sadd(thread.key, "x"),
        "zset": lambda: redis_client.zadd(thread.key, {"x": 1}),
    }[kind]()
    assert eventually(lambda: redis_client.type(thread.key) == b"none", seconds=10)
    redis_client.rpush(thread.key, json.dumps([ID, 7]))

    assert eventually(lambda: thread.requests == [(ID, 7)], seconds=10)


@pytest.mark.parametrize("error", [RelayLost(), RuntimeError("unexpected"), KeyError(0), MemoryError()])
def test_no_exception_ends_the_relay_thread(
    app: Flask, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors = iter([error, error])
    requests = Relay.requests

    def failing_twice(self: Relay) -> Iterator[tuple[str, int]]:
        for error in errors:
            raise error
        return requests(self)

    monkeypatch.setattr(Relay, "requests", failing_twice)
    thread = RelayThread(app, monkeypatch)
    redis_client.rpush(thread.key, json.dumps([ID, 7]))

    assert eventually(lambda: thread.requests == [(ID, 7)], seconds=10)
