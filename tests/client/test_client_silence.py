"""A server that lets a request wait is named long before the time-out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import pytest
from ferry_client import Ferry
from ferry_client.silence import Silence

from tests.client.conftest import Shell
from tests.client.fake import Fake, Handler

_LINE = "has not answered for 0 s; waiting, 120"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines of the client's log so far."""
    log = logging.getLogger("ferry_client")
    log.propagate = True
    caplog.set_level(logging.INFO, "ferry_client")
    return lambda: [record.getMessage() for record in caplog.records]


def _soon(seen: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not seen() and time.monotonic() < deadline:
        time.sleep(0.01)
    return seen()


def test_a_silent_server_is_named_once(logged: Callable[[], list[str]]) -> None:
    with Silence("http://a", 0.01, 120):
        assert _soon(lambda: bool(logged()))
        time.sleep(0.05)

    assert logged() == [f"http://a {_LINE} s at most"]


def test_neither_a_body_that_is_made_slowly_nor_an_answer_is_silence(logged: Callable[[], list[str]]) -> None:
    def slow() -> Iterator[bytes]:
        time.sleep(0.4)
        yield b"a"

    with Silence("http://a", 0.3, 120) as silence:
        assert list(silence.sent(slow())) == [b"a"]
    time.sleep(0.4)

    assert logged() == []


@pytest.mark.parametrize(
    "argv", [("ls",), ("upload", __file__), ("download", "id-0", "--to", "-")], ids=lambda argv: argv[0]
)
def test_the_command_tells_of_a_silent_server(
    fake: Fake, shell: Shell, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.setattr("ferry_client.wire.QUIET_SECONDS", 0.02)

    def late(handler: Handler) -> None:
        time.sleep(0.15)
        handler.answer(500, b"")

    fake.add(b"x")
    fake.instead = [late]
    _, _, err = shell(*argv, "--url", fake.url)

    assert err.startswith(f"ferry: {fake.url} {_LINE} s at most\n")


def test_an_answer_that_may_come_late_has_that_much_longer(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet: list[float] = []

    def watch(place: object, seconds: float, most: float) -> Silence:
        quiet.append(seconds)
        return Silence(place, seconds, most)

    monkeypatch.setattr("ferry_client.wire.Silence", watch)
    id = fake.add(b"x", status="PENDING")
    with Ferry(fake.url) as ferry:
        ferry.wait(id, on_change=lambda _: fake.become(id, "COMPLETE"))

    assert quiet == [10, 40]
