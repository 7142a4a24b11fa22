"""A slow response is logged long before the timeout."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import pytest
from ferry_client import Ferry
from ferry_client.watchdog import ResponseWatchdog

from dev.polling import eventually
from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer, Handler

_LINE = "has not answered for 0 s; waiting, 120"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return the log lines so far."""
    log = logging.getLogger("ferry_client")
    log.propagate = True
    caplog.set_level(logging.INFO, "ferry_client")
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_slow_response_is_logged_once(logged: Callable[[], list[str]]) -> None:
    with ResponseWatchdog("http://a", 0.01, 120):
        assert eventually(lambda: bool(logged()))
        time.sleep(0.05)

    assert logged() == [f"http://a {_LINE} s at most"]


def test_a_slow_body_and_a_response_are_not_logged(logged: Callable[[], list[str]]) -> None:
    def slow() -> Iterator[bytes]:
        time.sleep(0.4)
        yield b"a"

    with ResponseWatchdog("http://a", 0.3, 120) as watchdog:
        assert list(watchdog.exclude_reads(slow())) == [b"a"]
    time.sleep(0.4)

    assert logged() == []


@pytest.mark.parametrize(
    "argv", [("ls",), ("upload", __file__), ("download", "id-0", "--to", "-")], ids=lambda argv: argv[0]
)
def test_the_command_reports_a_slow_response(
    fake: FakeServer, shell: Shell, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.setattr("ferry_client.http.WARN_AFTER_SECONDS", 0.02)

    def late(handler: Handler) -> None:
        time.sleep(0.15)
        handler.respond(500, b"")

    fake.add(b"x")
    fake.overrides = [late]
    _, _, err = shell(*argv, "--url", fake.url)

    assert err.startswith(f"ferry: {fake.url} {_LINE} s at most\n")


def test_a_long_poll_is_given_its_wait_time(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds: list[float] = []

    def watch(endpoint: object, seconds: float, timeout: float) -> ResponseWatchdog:
        thresholds.append(seconds)
        return ResponseWatchdog(endpoint, seconds, timeout)

    monkeypatch.setattr("ferry_client.http.ResponseWatchdog", watch)
    id = fake.add(b"x", status="PENDING")
    with Ferry(fake.url) as ferry:
        ferry.wait(id, on_change=lambda _: fake.set_status(id, "COMPLETE"))

    assert thresholds == [10, 40]
