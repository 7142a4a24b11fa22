"""Idle connections occupy no thread, delay no shutdown, and are closed only if no request has arrived on them."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from dev import parts
from dev.process import Process, free_port
from server.eviction import EvictionLog
from server.worker import Worker
from tests.harness.raw_client import RawClient, get

IDLE = 200
REQUEST = get("/healthz")


@pytest.fixture
def web(settings: dict[str, str], tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """A web process with two threads, and its port."""
    port = free_port()
    env = settings | {"PORT": str(port), "WEB_WORKERS": "1", "WEB_THREADS": "2", "SHUTDOWN_TIMEOUT": "30"}
    with parts.web(env, tmp_path / "web.log") as process:
        process.wait_for(port)
        yield process, port


def test_idle_connections_occupy_no_thread_and_delay_no_shutdown(web: tuple[Process, int]) -> None:
    process, port = web
    with ExitStack() as clients:
        idle = [clients.enter_context(RawClient(port)) for _ in range(IDLE)]
        for client in idle:
            client.send(REQUEST)
            assert client.reply().status == 200
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200
        idle[0].send(REQUEST)
        assert idle[0].reply().status == 200

        started = time.monotonic()
        assert process.stop(20) == 0
        assert time.monotonic() - started < 10
        assert all(client.ended() for client in idle)


class Conn:
    """A connection of gunicorn's; `peer` is its client's end."""

    def __init__(self, timeout: float) -> None:
        self.sock, self.peer = socket.socketpair()
        self.timeout = timeout
        self.is_closed = False
        self.client = ("127.0.0.1", 1)

    def close(self) -> None:
        self.is_closed = True
        self.sock.close()


def call(method: str, *conns: Conn) -> Any:
    """Call a method of a worker with these idle connections, and record those that it would serve."""
    with selectors.DefaultSelector() as poller:
        worker: Any = Worker.__new__(Worker)
        worker.served = []
        vars(worker).update(
            keepalived_conns=deque(conns), pending_conns=deque(), _heads=(), _lingering=(),
            _evictions=EvictionLog(lambda *_: None),
            poller=poller, nr_conns=len(conns), enqueue_req=worker.served.append,
        )  # fmt: skip
        for conn in conns:
            poller.register(conn.sock, selectors.EVENT_READ)
        getattr(worker, method)()
        for conn in conns:
            conn.sock.close()
            conn.peer.close()
        return SimpleNamespace(served=worker.served, idle=list(worker.keepalived_conns), count=worker.nr_conns)


def test_an_overdue_connection_with_a_request_is_served() -> None:
    """Otherwise a proxy would have to answer that request with 502."""
    past, future = time.monotonic() - 1, time.monotonic() + 60
    idle, late, also_idle, recent = Conn(past), Conn(past), Conn(past), Conn(future)
    late.peer.send(REQUEST)
    after = call("murder_keepalived", idle, late, also_idle, recent)

    assert [conn.is_closed for conn in (idle, late, also_idle, recent)] == [True, False, True, False]
    assert (after.served, after.idle, after.count) == ([late], [recent], 2)


def test_evicted_connections_are_logged_once_a_second() -> None:
    now, lines = [1000.0], list[tuple[object, ...]]()
    evictions = EvictionLog(lambda *line: lines.append(line[1:]), lambda: now[0])
    for _ in range(100):
        evictions.record("192.0.2.1")
        evictions.flush()
    assert lines == [(1, "192.0.2.1")]

    now[0] += 1
    evictions.flush()
    assert lines[1:] == [(99, "192.0.2.1")]


@pytest.mark.parametrize("has_request", [True, False])
def test_a_full_process_serves_an_idle_connection_that_has_a_request(*, has_request: bool) -> None:
    oldest, recent = Conn(time.monotonic() + 60), Conn(time.monotonic() + 60)
    if has_request:
        oldest.peer.send(REQUEST)
    after = call("_evict", oldest, recent)

    assert oldest.is_closed is not has_request
    assert (after.served, after.idle, after.count) == ([oldest] if has_request else [], [recent], 1 + has_request)
