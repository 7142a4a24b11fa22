"""The relay: a file of any size passes through bounded memory in Redis, and a dead process is detected."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
import redis

from database.redis_options import parse
from dev.process import free_port
from problems import RelayLost
from relay import channel
from relay.channel import PIECE
from relay.relay import Relay
from tests.fakes import breaking
from tests.relay.conftest import ID

MIB = 1 << 20


@pytest.fixture
def make(valkey: str, redis_client: redis.Redis) -> Iterator[type[Relay]]:
    """Creates relays on valkey: 8 MiB a file, 64 MiB in total, 256 KiB inside a task."""
    made: list[Relay] = []

    def build(size: int = 8 * MIB, budget: int = 64 * MIB, inline_max: int = 256 << 10) -> Relay:
        made.append(Relay(parse(valkey), size, budget, inline_max))
        return made[-1]

    yield build  # type: ignore[misc]
    for each in made:
        each.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "PING_SECONDS", 0.2)
    monkeypatch.setattr(channel, "SILENCE_SECONDS", 1)


def carried(web: Relay, worker: Relay, body: bytes) -> bytes:
    """Send `body` through a relay; return what the worker receives."""

    def feed() -> None:
        for id, attempt in web.requests():
            web.send(id, attempt, (body[at : at + 700_001] for at in range(0, len(body), 700_001)))
            return

    with ThreadPoolExecutor(1) as threads:
        fed = threads.submit(feed)
        out = b"".join(worker.receive(web.web_process_id, ID, 1))
        fed.result(5)
    return out


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, 8 * MIB + 1, 30 * MIB])
def test_bytes_arrive_unchanged(make: type[Relay], redis_client: redis.Redis, size: int) -> None:
    body = os.urandom(size)

    assert carried(make(), make(), body) == body
    assert [key for key in redis_client.scan_iter() if not key.startswith(b"ferry:credits")] == []
    assert all(0 < redis_client.ttl(key) <= 60 for key in redis_client.scan_iter())


def test_redis_never_holds_more_than_the_relay_size(make: type[Relay], redis_client: redis.Redis) -> None:
    """The worker receives no more than its own memory holds."""
    web, worker = make(), make()
    stream = worker.receive(web.web_process_id, ID, 1)
    held = threading.Event()

    def body() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(PIECE)
            waiting = sum(redis_client.memory_usage(key) or 0 for key in redis_client.keys("ferry:pieces:*"))
            assert waiting <= 8 * MIB + 2 * MIB
        held.set()

    with ThreadPoolExecutor(1) as threads:
        fed = threads.submit(lambda: [web.send(id, attempt, body()) for id, attempt in web.requests()])
        first = next(stream)
        assert not held.wait(1), "only the relay size limits the sender"
        assert sum(map(len, stream)) + len(first) == 40 * PIECE
        web.wake()
        fed.result(10)


@pytest.mark.usefixtures("impatient")
def test_a_missing_web_process_is_noticed(make: type[Relay]) -> None:
    with pytest.raises(RelayLost):
        next(make().receive("stopped", ID, 1))


@pytest.mark.usefixtures("impatient")
def test_a_web_process_that_dies_during_the_relay_is_noticed(make: type[Relay]) -> None:
    web, worker = make(), make()

    def feed() -> None:
        for id, attempt in web.requests():
            with pytest.raises(OSError, match="gone"):
                web.send(id, attempt, chain([bytes(PIECE)] * 2, breaking(bytes(PIECE), OSError("gone"))))
            return

    with ThreadPoolExecutor(1) as threads:
        fed = threads.submit(feed)
        with pytest.raises(RelayLost):
            list(worker.receive(web.web_process_id, ID, 1))
        fed.result(5)


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_dies_during_the_relay_is_noticed(make: type[Relay]) -> None:
    with pytest.raises(RelayLost):
        make().send(ID, 1, iter([bytes(PIECE)] * 40))


def test_a_worker_that_stops_notifies_the_web_process(make: type[Relay]) -> None:
    web, worker = make(), make()
    stream = worker.receive(web.web_process_id, ID, 1)

    def feed() -> None:
        for id, attempt in web.requests():
            with pytest.raises(RelayLost):
                web.send(id, attempt, iter([bytes(PIECE)] * 40))
            return

    with ThreadPoolExecutor(1) as threads:
        fed = threads.submit(feed)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        fed.result(5)


@pytest.mark.usefixtures("impatient")
def test_a_slow_worker_does_not_time_out(make: type[Relay]) -> None:
    web, worker = make(), make()
    pause = threading.Event()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: [web.send(*asked, iter([bytes(PIECE)] * 20)) for asked in web.requests()])
        stream = worker.receive(web.web_process_id, ID, 1)
        taken = len(next(stream))
        pause.wait(2.5)
        assert taken + sum(map(len, stream)) == 20 * PIECE
        web.wake()


def test_two_attempts_never_mix(make: type[Relay], redis_client: redis.Redis) -> None:
    web, worker = make(), make()
    redis_client.rpush(f"ferry:pieces:{ID}:1", b"b2xk")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: [web.send(*asked, iter([b"new"])) for asked in web.requests()])
        assert b"".join(worker.receive(web.web_process_id, ID, 2)) == b"new"
        web.wake()


@pytest.mark.usefixtures("impatient")
def test_relays_wait_for_a_slot(make: type[Relay], redis_client: redis.Redis) -> None:
    web = make(size=8 * MIB, budget=16 * MIB)
    redis_client.zadd("ferry:slots", {"another:1": redis_client.time()[0] + 60})

    with pytest.raises(RelayLost):
        web.send(ID, 1, iter([b"x"]))
    redis_client.delete("ferry:slots")
    web.send(ID, 1, iter([b"x"]))
    assert redis_client.lrange(f"ferry:pieces:{ID}:1", 0, -1)[-2:] == [b"eA==", b"."]


def test_the_slot_of_a_dead_process_expires(make: type[Relay], redis_client: redis.Redis) -> None:
    redis_client.zadd("ferry:slots", {"dead:1": redis_client.time()[0] - 1})
    make(size=8 * MIB, budget=16 * MIB).send(ID, 1, iter([b"x"]))

    assert redis_client.zcard("ferry:slots") == 0


def test_small_files_go_inside_their_tasks_until_too_many_wait(make: type[Relay], redis_client: redis.Redis) -> None:
    web = make(budget=4 * MIB)

    assert web.fits_in_message(256 << 10)
    assert not web.fits_in_message((256 << 10) + 1)
    redis_client.rpush("ferry:ferry", *[b"task"] * 6)
    assert not web.fits_in_message(1)


def test_an_unreachable_redis_raises_relay_lost() -> None:
    away = Relay(parse(f"redis://127.0.0.1:{free_port()}/0"), 8 * MIB, 64 * MIB, 256 << 10)

    with pytest.raises(RelayLost):
        away.fits_in_message(1)
    with pytest.raises(RelayLost):
        next(away.receive("web", ID, 1))
    with pytest.raises(RelayLost):
        away.send(ID, 1, iter([b"x"]))
    away.close()
