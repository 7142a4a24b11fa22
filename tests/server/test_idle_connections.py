"""Connections between two requests: they cost no thread, delay no stop, and end only when nothing has come on them."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from dev import parts
from dev.process import Process, free_port
from server.worker import Worker

IDLE = 200
ASKED = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def web(settings: dict[str, str], tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """A process with two threads, and its port."""
    port = free_port()
    env = settings | {"PORT": str(port), "WEB_WORKERS": "1", "WEB_THREADS": "2", "SHUTDOWN_TIMEOUT": "30"}
    process = parts.web(env, tmp_path / "web.log")
    try:
        process.wait_for(port)
        yield process, port
    finally:
        process.kill()


def test_idle_connections_hold_no_thread_and_delay_no_stop(web: tuple[Process, int]) -> None:
    process, port = web
    with ExitStack() as clients:
        idle = [clients.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(IDLE)]
        for client in idle:
            client.sendall(ASKED)
            assert client.recv(999).startswith(b"HTTP/1.1 200 ")
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200
        idle[0].sendall(ASKED)
        assert idle[0].recv(999).startswith(b"HTTP/1.1 200 ")

        began = time.monotonic()
        assert process.stop(20) == 0
        assert time.monotonic() - began < 10
        assert {client.recv(1) for client in idle} == {b""}


class Conn:
    """A connection as gunicorn keeps it; `other` is its client's end."""

    def __init__(self, timeout: float) -> None:
        self.sock, self.other = socket.socketpair()
        self.timeout = timeout
        self.is_closed = False
        self.client = ("127.0.0.1", 1)

    def close(self) -> None:
        self.is_closed = True
        self.sock.close()


def worker(work: str, *conns: Conn) -> Any:
    """One that keeps these connections, and notes those that it would serve. Its method `work` is called once."""
    with selectors.DefaultSelector() as poller:
        made: Any = Worker.__new__(Worker)
        made.served = []
        vars(made).update(
            keepalived_conns=deque(conns), pending_conns=deque(), _heads=(), _lingering=(), _crowded_out=Counter(),
            poller=poller, nr_conns=len(conns), enqueue_req=made.served.append,
        )  # fmt: skip
        for conn in conns:
            poller.register(conn.sock, selectors.EVENT_READ)
        getattr(made, work)()
        for conn in conns:
            conn.sock.close()
            conn.other.close()
        return SimpleNamespace(served=made.served, kept=list(made.keepalived_conns), number=made.nr_conns)


def test_a_connection_ends_only_when_it_is_overdue_and_nothing_has_come_on_it() -> None:
    """A request that came at the last moment is answered: its proxy would have to answer 502."""
    past, future = time.monotonic() - 1, time.monotonic() + 60
    silent, late, also_silent, young = Conn(past), Conn(past), Conn(past), Conn(future)
    late.other.send(ASKED)
    after = worker("murder_keepalived", silent, late, also_silent, young)

    assert [conn.is_closed for conn in (silent, late, also_silent, young)] == [True, False, True, False]
    assert (after.served, after.kept, after.number) == ([late], [young], 2)


def test_connections_that_are_closed_to_make_room_are_logged_once_a_second() -> None:
    made: Any = Worker.__new__(Worker)
    lines: list[tuple[object, ...]] = []
    log = SimpleNamespace(warning=lambda *line: lines.append(line[1:]))
    vars(made).update(_crowded_out=Counter(), _reported=0.0, log=log)
    for _ in range(100):
        made._crowded_out["192.0.2.1"] += 1
        made._report()
    assert lines == [(1, "192.0.2.1")]

    made._reported -= 1
    made._report()
    assert lines[1:] == [(99, "192.0.2.1")]


@pytest.mark.parametrize("asks", [True, False])
def test_a_full_process_closes_no_connection_whose_next_request_has_just_come(*, asks: bool) -> None:
    oldest, other = Conn(time.monotonic() + 60), Conn(time.monotonic() + 60)
    if asks:
        oldest.other.send(ASKED)
    after = worker("_make_room", oldest, other)

    assert oldest.is_closed is not asks
    assert (after.served, after.kept, after.number) == ([oldest] if asks else [], [other], 1 + asks)
