"""Redis is not trusted: what comes out of it reads no file but the right one, and ends no thread for good."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask
from pybase64 import b64encode

import config
import file
from database.redis_options import parse
from lifecycle import transitions
from models import File
from modes import celery as mode
from problems import RelayLost
from relay import channel
from relay.channel import PIECE
from relay.relay import Relay
from relay.requests import parse_request
from services import current_services
from tests.fakes import services_of

ID = "01a1f87c-8038-72c3-a4d1-740c5f09daa4"


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(valkey)
    client.flushall()
    yield client
    client.flushall()
    client.close()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


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


class Asked:
    """The mode's listening thread, with what it was asked for."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[str, int]] = []
        self.key = config.current().redis.key("requests", current_services().relay.name)
        monkeypatch.setattr(mode, "_PAUSE", 0.05)
        monkeypatch.setattr(channel, "PING_SECONDS", 0.2)
        monkeypatch.setattr(mode, "send_bytes", lambda id, attempt: self.requests.append((id, attempt)))
        services_of(app).relay_server.start()


@pytest.fixture
def asked(app: Flask, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(app, monkeypatch)


def test_malformed_requests_do_not_end_the_relay_thread(
    asked: Asked, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.rpush(asked.key, *MALFORMED, json.dumps([ID, 7]))

    until(lambda: asked.requests == [(ID, 7)])
    skipped = [record.getMessage() for record in caplog.records if record.name == "ferry.relay"]
    assert skipped == [f"relay.request_malformed: a message of {len(each)} bytes is skipped" for each in MALFORMED]


@pytest.mark.parametrize("kind", ["string", "hash", "set", "zset"])
def test_a_key_of_another_type_is_deleted(asked: Asked, client: redis.Redis, kind: str) -> None:
    {
        "string": lambda: client.set(asked.key, "x"),
        "hash": lambda: client.hset(asked.key, "a", "b"),
        "set": lambda: client.sadd(asked.key, "x"),
        "zset": lambda: client.zadd(asked.key, {"x": 1}),
    }[kind]()
    until(lambda: client.type(asked.key) == b"none")
    client.rpush(asked.key, json.dumps([ID, 7]))

    until(lambda: asked.requests == [(ID, 7)])


@pytest.mark.parametrize("error", [RelayLost(), RuntimeError("unexpected"), KeyError(0), MemoryError()])
def test_no_exception_ends_the_relay_thread(
    app: Flask, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    answers = iter([error, error])
    true = Relay.requests

    def demands(self: Relay) -> Iterator[tuple[str, int]]:
        for error in answers:
            raise error
        return true(self)

    monkeypatch.setattr(Relay, "requests", demands)
    asked = Asked(app, monkeypatch)
    client.rpush(asked.key, json.dumps([ID, 7]))

    until(lambda: asked.requests == [(ID, 7)])


def held(app: Flask, mode: str = "celery", body: bytes = b"body") -> File:
    """A file whose attempt is running."""
    row = file.new_file("a.txt", "text/plain", mode)  # type: ignore[arg-type]
    file.receive(row, iter([body]))
    assert transitions.claim(row, 30)
    return row


def pieces(row: File) -> str:
    return config.current().redis.key("pieces", row.id, row.attempt)


def test_the_file_of_a_running_attempt_is_sent(app: Flask, client: redis.Redis) -> None:
    row = held(app)
    mode.send_bytes(row.id, row.attempt)

    assert client.lrange(pieces(row), 0, -1) == [b64encode(b"body"), b"."]


def waiting(app: Flask) -> tuple[str, int]:
    row = file.new_file("a.txt", "text/plain", "celery")
    file.receive(row, iter([b"body"]))
    return row.id, 1


def ended(app: Flask) -> tuple[str, int]:
    row = held(app)
    assert transitions.fail(row, "storage-denied")
    return row.id, row.attempt


def of_another_attempt(step: int) -> Callable[[Flask], tuple[str, int]]:
    def build(app: Flask) -> tuple[str, int]:
        row = held(app)
        return row.id, row.attempt + step

    return build


def of_another_mode(app: Flask) -> tuple[str, int]:
    row = held(app, "async")
    return row.id, row.attempt


def of_another_spool(app: Flask) -> tuple[str, int]:
    row = held(app)
    vars(current_services().spool)["identity"] = "another"
    return row.id, row.attempt


@pytest.mark.parametrize(
    "demand",
    [
        waiting,
        ended,
        of_another_attempt(1),
        of_another_attempt(-1),
        of_another_mode,
        of_another_spool,
        lambda app: (ID, 1),
        lambda app: ("../ferry.db", 1),
        lambda app: ("/proc/self/environ", 1),
    ],
    ids=["waiting", "ended", "later", "earlier", "async", "another spool", "no row", "beside the spool", "environ"],
)
def test_nothing_else_is_sent(
    app: Flask, client: redis.Redis, demand: Callable[[Flask], tuple[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    mode.send_bytes(*demand(app))

    assert client.keys("*:pieces:*") == []
    assert "relay.request_refused" in caplog.text


def test_forged_credit_does_not_fill_redis(app: Flask, client: redis.Redis) -> None:
    row = held(app, body=bytes(9 << 20))
    client.rpush(pieces(row).replace("pieces", "credits"), *[b"1"] * 1000)
    with pytest.raises(RelayLost):
        mode.send_bytes(row.id, row.attempt)

    assert client.memory_usage(pieces(row)) <= config.current().relay_file_bytes + (2 << 20)  # type: ignore[operator]


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
def test_a_malformed_piece_ends_the_attempt_at_once(valkey: str, client: redis.Redis, pieces: list[bytes]) -> None:
    """A file of ten bytes."""
    worker = Relay(parse(valkey), 8 << 20, 64 << 20, 256 << 10)
    client.rpush(f"ferry:pieces:{ID}:1", *pieces)
    began = time.monotonic()
    with pytest.raises(RelayLost):
        list(worker.receive("web", ID, 1, 10))

    assert time.monotonic() - began < 3
    worker.close()


def test_forged_slots_are_free(valkey: str, client: redis.Redis) -> None:
    web = Relay(parse(valkey), 8 << 20, 16 << 20, 256 << 10)
    for foreign in (
        lambda: client.set("ferry:slots", "x"),
        lambda: client.zadd("ferry:slots", {"x": "+inf", "y": 4e9}),
    ):
        client.delete("ferry:slots")
        foreign()
        web.send(ID, 1, iter([b"x"]))
    assert client.zcard("ferry:slots") == 0
    web.close()
