"""Retried uploads: the same body and Idempotency-Key, and pipes, which can be read once."""

from __future__ import annotations

import io
import socket
import threading

import pytest
from ferry_client import ConnectionFailed, Ferry, FerryError
from ferry_client.problems import InternalError, TooLarge, TooManyUploads
from ferry_client.request_body import RequestBody

from dev.process import free_port
from tests.client.fake_server import FakeServer, Handler, disconnect, respond_problem


class Pipe(io.RawIOBase):
    """A stream that can't be rewound."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def readable(self) -> bool:
        return True

    def readinto(self, space: memoryview) -> int:  # type: ignore[override]
        return self._body.readinto(space)


@pytest.mark.parametrize(
    "failure", [respond_problem(503, "storage-unavailable", Retry_After="0"), respond_problem(502, "x"), disconnect]
)
def test_a_retry_sends_the_whole_body_with_the_same_idempotency_key(fake: FakeServer, ferry: Ferry, failure) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [failure, failure]

    ferry.upload(io.BytesIO(b"x" * 2_000_000), name="a")

    assert [len(request.body) for request in fake.requests] == [2_000_000] * 3
    assert len({request.headers["Idempotency-Key"] for request in fake.requests}) == 1


def test_two_uploads_have_different_idempotency_keys(fake: FakeServer, ferry: Ferry) -> None:
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x"), name="a")

    assert len({request.headers["Idempotency-Key"] for request in fake.requests}) == 2


@pytest.mark.parametrize("failure", [respond_problem(503, "storage-unavailable", Retry_After="0"), disconnect])
def test_a_pipe_that_was_read_is_not_retried(fake: FakeServer, ferry: Ferry, failure) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [failure]

    with pytest.raises(FerryError):
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert len(fake.requests) == 1


def test_a_pipe_that_was_not_read_is_retried(fake: FakeServer, ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first connection times out, before a byte of the body is read."""
    connect, failures = socket.create_connection, [TimeoutError("timed out")]

    def fail_once(*argv: object, **options: object) -> socket.socket:
        if failures:
            raise failures.pop()
        return connect(*argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", fail_once)
    ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]

    assert not failures
    assert [request.body for request in fake.requests] == [b"x"]


def test_a_pipe_is_replayable_until_it_is_read() -> None:
    body = RequestBody(Pipe(b"x"), "a", None, None)  # type: ignore[arg-type]

    assert body.is_replayable
    assert b"".join(body.content()) == b"x"  # type: ignore[arg-type]
    assert not body.is_replayable


def test_a_permanent_problem_is_raised_at_once(fake: FakeServer, ferry: Ferry) -> None:
    for slug, status, error_class in (("too-large", 413, TooLarge), ("internal-error", 500, InternalError)):
        fake.overrides = [respond_problem(status, slug)]
        with pytest.raises(error_class):
            ferry.upload(io.BytesIO(b"x"), name="a")
    assert len(fake.requests) == 2


def test_an_unknown_conflict_is_raised_at_once(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [respond_problem(409, "of-a-later-version", Retry_After="0")]

    with pytest.raises(FerryError) as raised:
        ferry.upload(io.BytesIO(b"x"), name="a")
    assert (type(raised.value), raised.value.slug, raised.value.status) == (FerryError, "of-a-later-version", 409)
    assert len(fake.requests) == 1


def test_a_retry_after_beyond_the_limit_is_raised(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [respond_problem(429, "too-many-uploads", Retry_After="3600")]

    with pytest.raises(TooManyUploads) as raised:
        ferry.upload(io.BytesIO(b"x"), name="a")
    assert raised.value.retry_after == 3600


def test_a_closed_port_is_a_connection_failed() -> None:
    with Ferry(f"http://127.0.0.1:{free_port()}", max_retry_seconds=0) as ferry, pytest.raises(ConnectionFailed):
        ferry.upload(io.BytesIO(b"x"), name="a")


def test_an_upload_on_a_just_closed_connection_is_retried(fake: FakeServer, ferry: Ferry) -> None:
    """A load balancer closes an idle connection while the next request is on its way: no byte of a response."""
    on: list[tuple[str, int]] = []

    def respond(handler: Handler) -> None:
        on.append(handler.client_address)
        handler.upload(handler.fake.requests[-1], "normal")

    def close(handler: Handler) -> None:
        on.append(handler.client_address)
        disconnect(handler)

    fake.overrides = [respond, close, respond]
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x" * 3_000_000), name="a")

    first, lost, again = fake.requests
    assert on[0] == on[1] != on[2]
    assert [len(request.body) for request in fake.requests] == [3_000_000] * 3
    assert lost.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] != first.headers["Idempotency-Key"]


def test_an_upload_after_an_idle_close_needs_no_retry(
    fake: FakeServer, ferry: Ferry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", lambda _: pytest.fail("a pause"))
    closed = threading.Event()

    def answer_and_close(handler: Handler) -> None:
        handler.upload(handler.fake.requests[-1], "normal")
        handler.close_connection = True  # Without Connection: close.
        handler.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    fake.overrides = [answer_and_close]
    ferry.upload(io.BytesIO(b"x"), name="a")
    assert closed.wait(10)
    ferry.upload(io.BytesIO(b"x"), name="a")

    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    "failure",
    [respond_problem(408, "request-timeout"), respond_problem(425, "x"), respond_problem(503, "x"), disconnect],
)
def test_an_upload_from_a_pipe_advises_a_file(fake: FakeServer, ferry: Ferry, failure) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [failure]

    with pytest.raises(FerryError, match="It came from a pipe, which can't be read again: send it from a file"):
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert len(fake.requests) == 1


def test_a_permanent_problem_of_a_pipe_gives_no_advice(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [respond_problem(413, "too-large")]

    with pytest.raises(TooLarge) as caught:
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert "pipe" not in str(caught.value)


def test_an_upload_is_not_retried_after_its_client_was_closed(ferry: Ferry, caplog: pytest.LogCaptureFixture) -> None:
    """As after Ctrl-C, while a thread still sends."""

    class Closing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 1_000_000:
                ferry.close()
            return super().read(size)

    caplog.set_level("INFO", "ferry_client")
    with pytest.raises(FerryError) as raised:
        ferry.upload(Closing(b"x" * 5_000_000), name="a")

    assert raised.value.slug == "client-closed"
    assert caplog.messages == []
