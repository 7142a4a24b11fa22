"""Uploads: flat memory, once however often they are sent, and given up where they can't be sent again."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ferry_client import ConnectionFailed, Ferry, FerryError, FileChanged
from ferry_client.problems import InternalError, TooLarge, TooManyUploads
from ferry_client.request_body import RequestBody

from dev.process import free_port
from tests.client.conftest import environment
from tests.client.fake_server import FakeServer, Handler, disconnect, respond_problem
from tests.stack import Stack

MODES = ("normal", "async", "celery")
RAW_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x")


class Pipe(io.RawIOBase):
    """A stream that can be read once."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def readable(self) -> bool:
        return True

    def readinto(self, space: memoryview) -> int:  # type: ignore[override]
        return self._body.readinto(space)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["a.bin", "größe 1.json", "a+b&c=d?.txt", 'quo"te.json'])
def test_a_file_is_stored_unchanged(real: Ferry, tmp_path: Path, mode: str, name: str) -> None:
    body = os.urandom(3_000_000)
    (tmp_path / name).write_bytes(body)

    file = real.wait(real.upload(tmp_path / name, mode=mode).id, timeout=30)  # type: ignore[arg-type]

    assert (file.status, file.name, file.size, file.mode) == ("COMPLETE", name, len(body), mode)
    assert file.content_type == ("application/json" if name.endswith("json") else _type(name))


@pytest.mark.parametrize("content_type", RAW_TYPES)
def test_a_body_of_any_type_but_form_data_is_sent_raw(fake: FakeServer, ferry: Ferry, content_type: str) -> None:
    ferry.upload(io.BytesIO(b"{}"), name="a", content_type=content_type)

    assert (fake.requests[0].body, fake.requests[0].headers["Content-Type"]) == (b"{}", content_type)


@pytest.mark.parametrize("content_type", [*RAW_TYPES, "multipart/form-data; boundary=x", "Multipart/Form-Data"])
def test_a_file_of_any_type_is_stored_unchanged(real: Ferry, content_type: str) -> None:
    stream = io.BytesIO()

    file = real.upload(io.BytesIO(b"a=1&b=2"), name="größe.txt", content_type=content_type)
    real.download_into(file, stream)

    assert (file.name, file.content_type) == ("größe.txt", content_type.partition(";")[0].lower())
    assert stream.getvalue() == b"a=1&b=2"


def test_a_compressed_file_does_not_have_the_type_of_its_content(fake: FakeServer, ferry: Ferry) -> None:
    for name in ("a.txt", "a.txt.gz", "a"):
        ferry.upload(io.BytesIO(b"x"), name=name)

    types = [seen.headers["Content-Type"] for seen in fake.requests]
    assert types == ["text/plain", "application/octet-stream", "application/octet-stream"]


def test_a_stream_provides_its_name(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with (tmp_path / "a.txt").open("rb") as stream:
        ferry.upload(stream)

    assert fake.requests[0].query["name"] == "a.txt"


def test_an_empty_file_is_uploaded(real: Ferry, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()

    assert real.upload(tmp_path / "empty.txt").size == 0


def test_a_stream_of_unknown_length_is_sent_chunked(real: Ferry) -> None:
    file = real.upload(Pipe(b"x" * 2_500_000), name="pipe.bin")  # type: ignore[arg-type]

    assert (file.status, file.size) == ("COMPLETE", 2_500_000)


def test_a_stream_is_sent_from_its_position(fake: FakeServer, ferry: Ferry) -> None:
    stream = io.BytesIO(b"headbody")
    stream.seek(4)

    ferry.upload(stream, name="a", expires_in=60)

    assert fake.requests[-1].body == b"body"
    assert fake.requests[-1].query == {"name": "a", "expires_in": "60"}
    assert not stream.closed


@pytest.mark.parametrize(
    "trouble", [respond_problem(503, "storage-unavailable", Retry_After="0"), respond_problem(502, "x"), disconnect]
)
def test_a_retry_sends_the_whole_body_with_the_same_idempotency_key(fake: FakeServer, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [trouble, trouble]

    ferry.upload(io.BytesIO(b"x" * 2_000_000), name="a")

    assert [len(seen.body) for seen in fake.requests] == [2_000_000] * 3
    assert len({seen.headers["Idempotency-Key"] for seen in fake.requests}) == 1


def test_two_uploads_have_different_idempotency_keys(fake: FakeServer, ferry: Ferry) -> None:
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x"), name="a")

    assert len({seen.headers["Idempotency-Key"] for seen in fake.requests}) == 2


@pytest.mark.parametrize("trouble", [respond_problem(503, "storage-unavailable", Retry_After="0"), disconnect])
def test_a_pipe_that_was_read_is_not_retried(fake: FakeServer, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [trouble]

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
    for slug, status, kind in (("too-large", 413, TooLarge), ("internal-error", 500, InternalError)):
        fake.overrides = [respond_problem(status, slug)]
        with pytest.raises(kind):
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


@pytest.mark.parametrize("url", ["", "localhost:5000", "ftp://a", "http://[", "http://a:b"])
def test_an_unusable_address_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Ferry(url)


def test_a_file_that_becomes_shorter_raises_file_changed(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    with pytest.raises(FileChanged):
        ferry.upload(path, on_progress=lambda done, _: os.truncate(path, 2_000_000))
    assert fake.files == {}


def test_a_growing_file_is_sent_in_its_initial_size(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    def grow(done: int, _: int | None) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")

    assert ferry.upload(path, on_progress=grow).size == 3_000_000


def test_progress_runs_from_0_to_the_size(ferry: Ferry, tmp_path: Path) -> None:
    path, reported = tmp_path / "a", []
    path.write_bytes(b"x" * 2_500_000)

    ferry.upload(path, on_progress=lambda done, total: reported.append((done, total)))

    assert reported == [(done, 2_500_000) for done in (0, 1 << 20, 2 << 20, 2_500_000)]


def test_a_large_file_takes_no_more_memory_than_a_small_one(stack: Stack, tmp_path: Path) -> None:
    grown = [_peak(stack.url, _sparse(tmp_path / "a.bin", size)) for size in (4 << 20, 200 << 20)]

    assert grown[1] - grown[0] < 16 << 10


def _peak(url: str, path: Path) -> int:
    """KiB."""
    script = f"""
import resource, ferry_client
ferry_client.Ferry({url!r}).upload({str(path)!r}, mode="async")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"""
    ran = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, check=True, timeout=60)
    return int(ran.stdout)


def _sparse(path: Path, size: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def _type(name: str) -> str:
    return "text/plain" if name.endswith(".txt") else "application/octet-stream"


def test_an_upload_on_a_just_closed_connection_is_retried(fake: FakeServer, ferry: Ferry) -> None:
    """A load balancer ends an idle connection just as the next request is on its way: no byte of an answer came."""
    on: list[tuple[str, int]] = []

    def answer(handler: Handler) -> None:
        on.append(handler.client_address)
        handler.upload(handler.fake.requests[-1], "normal")

    def close(handler: Handler) -> None:
        on.append(handler.client_address)
        disconnect(handler)

    fake.overrides = [answer, close, answer]
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x" * 3_000_000), name="a")

    first, lost, again = fake.requests
    assert on[0] == on[1] != on[2]
    assert [len(seen.body) for seen in fake.requests] == [3_000_000] * 3
    assert lost.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] != first.headers["Idempotency-Key"]


def test_an_upload_after_an_idle_close_needs_no_retry(
    fake: FakeServer, ferry: Ferry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", lambda _: pytest.fail("a pause"))
    closed = threading.Event()

    def answer_and_close(handler: Handler) -> None:
        handler.upload(handler.fake.requests[-1], "normal")
        handler.close_connection = True  # Without a word in the answer.
        handler.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    fake.overrides = [answer_and_close]
    ferry.upload(io.BytesIO(b"x"), name="a")
    assert closed.wait(10)
    ferry.upload(io.BytesIO(b"x"), name="a")

    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    "trouble",
    [respond_problem(408, "request-timeout"), respond_problem(425, "x"), respond_problem(503, "x"), disconnect],
)
def test_an_upload_from_a_pipe_advises_a_file(fake: FakeServer, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.overrides = [trouble]

    with pytest.raises(FerryError, match="It came from a pipe, which can't be read again: send it from a file"):
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert len(fake.requests) == 1


def test_a_permanent_problem_of_a_pipe_gives_no_advice(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [respond_problem(413, "too-large")]

    with pytest.raises(TooLarge) as caught:
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert "pipe" not in str(caught.value)
