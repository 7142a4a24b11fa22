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
from ferry_client import Ferry, FerryError, FileChanged, Unreachable
from ferry_client.bodies import Body
from ferry_client.problems import InternalError, TooLarge, TooManyUploads

from dev.process import free_port
from tests.client.conftest import environment
from tests.client.fake import Fake, Handler, hang_up, refuse
from tests.stack import Stack

MODES = ("normal", "async", "celery")


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
def test_a_file_is_stored_as_it_is(real: Ferry, tmp_path: Path, mode: str, name: str) -> None:
    body = os.urandom(3_000_000)
    (tmp_path / name).write_bytes(body)

    file = real.wait(real.upload(tmp_path / name, mode=mode).id, timeout=30)  # type: ignore[arg-type]

    assert (file.status, file.name, file.size, file.mode) == ("COMPLETE", name, len(body), mode)
    assert file.content_type == ("application/json" if name.endswith("json") else _type(name))


def test_the_type_of_what_is_packed_is_not_that_of_what_is_inside(fake: Fake, ferry: Ferry) -> None:
    for name in ("a.txt", "a.txt.gz", "a"):
        ferry.upload(io.BytesIO(b"x"), name=name)

    types = [seen.headers["Content-Type"] for seen in fake.seen]
    assert types == ["text/plain", "application/octet-stream", "application/octet-stream"]


def test_a_stream_brings_its_name(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with (tmp_path / "a.txt").open("rb") as stream:
        ferry.upload(stream)

    assert fake.seen[0].query["name"] == "a.txt"


def test_an_empty_file_is_a_file(real: Ferry, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()

    assert real.upload(tmp_path / "empty.txt").size == 0


def test_a_stream_of_unknown_length_is_sent_in_chunks(real: Ferry) -> None:
    file = real.upload(Pipe(b"x" * 2_500_000), name="pipe.bin")  # type: ignore[arg-type]

    assert (file.status, file.size) == ("COMPLETE", 2_500_000)


def test_a_stream_is_sent_from_where_it_stands(fake: Fake, ferry: Ferry) -> None:
    stream = io.BytesIO(b"headbody")
    stream.seek(4)

    ferry.upload(stream, name="a", expires_in=60)

    assert fake.seen[-1].body == b"body"
    assert fake.seen[-1].query == {"name": "a", "expires_in": "60"}
    assert not stream.closed


@pytest.mark.parametrize("trouble", [refuse(503, "storage-unavailable", Retry_After="0"), refuse(502, "x"), hang_up])
def test_what_may_pass_is_sent_again_from_its_start_with_the_same_key(fake: Fake, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.instead = [trouble, trouble]

    ferry.upload(io.BytesIO(b"x" * 2_000_000), name="a")

    assert [len(seen.body) for seen in fake.seen] == [2_000_000] * 3
    assert len({seen.headers["Idempotency-Key"] for seen in fake.seen}) == 1


def test_two_uploads_have_two_keys(fake: Fake, ferry: Ferry) -> None:
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x"), name="a")

    assert len({seen.headers["Idempotency-Key"] for seen in fake.seen}) == 2


@pytest.mark.parametrize("trouble", [refuse(503, "storage-unavailable", Retry_After="0"), hang_up])
def test_a_stream_that_was_read_is_not_sent_again(fake: Fake, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.instead = [trouble]

    with pytest.raises(FerryError):
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert len(fake.seen) == 1


def test_a_stream_that_nobody_read_is_sent_again(real: Ferry, stack: Stack) -> None:
    """No connection, so no byte went."""
    body = Body(Pipe(b"x"), "a", None, None)  # type: ignore[arg-type]

    assert body.can_be_sent
    assert b"".join(body.content()) == b"x"  # type: ignore[arg-type]
    assert not body.can_be_sent


def test_what_will_not_pass_is_raised_at_once(fake: Fake, ferry: Ferry) -> None:
    for slug, status, kind in (("too-large", 413, TooLarge), ("internal-error", 500, InternalError)):
        fake.instead = [refuse(status, slug)]
        with pytest.raises(kind):
            ferry.upload(io.BytesIO(b"x"), name="a")
    assert len(fake.seen) == 2


def test_a_conflict_of_a_later_version_is_raised_at_once(fake: Fake, ferry: Ferry) -> None:
    fake.instead = [refuse(409, "of-a-later-version", Retry_After="0")]

    with pytest.raises(FerryError) as raised:
        ferry.upload(io.BytesIO(b"x"), name="a")
    assert (type(raised.value), raised.value.slug, raised.value.status) == (FerryError, "of-a-later-version", 409)
    assert len(fake.seen) == 1


def test_an_answer_that_asks_for_too_long_a_pause_is_the_last(fake: Fake, ferry: Ferry) -> None:
    fake.instead = [refuse(429, "too-many-uploads", Retry_After="3600")]

    with pytest.raises(TooManyUploads) as raised:
        ferry.upload(io.BytesIO(b"x"), name="a")
    assert raised.value.retry_after == 3600


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with Ferry(f"http://127.0.0.1:{free_port()}", patience=0) as ferry, pytest.raises(Unreachable):
        ferry.upload(io.BytesIO(b"x"), name="a")


@pytest.mark.parametrize("url", ["", "localhost:5000", "ftp://a", "http://[", "http://a:b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Ferry(url)


def test_a_file_that_becomes_shorter_is_not_taken_for_whole(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    with pytest.raises(FileChanged):
        ferry.upload(path, on_progress=lambda done, _: os.truncate(path, 2_000_000))
    assert fake.files == {}


def test_a_file_that_grows_is_sent_as_it_was(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    def grow(done: int, _: int | None) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")

    assert ferry.upload(path, on_progress=grow).size == 3_000_000


def test_progress_goes_from_nothing_to_all(ferry: Ferry, tmp_path: Path) -> None:
    path, told = tmp_path / "a", []
    path.write_bytes(b"x" * 2_500_000)

    ferry.upload(path, on_progress=lambda done, total: told.append((done, total)))

    assert told == [(done, 2_500_000) for done in (0, 1 << 20, 2 << 20, 2_500_000)]


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


def test_an_upload_on_a_connection_that_the_server_closed_is_sent_again(fake: Fake, ferry: Ferry) -> None:
    """A load balancer ends an idle connection just as the next request is on its way: no byte of an answer came."""
    on: list[tuple[str, int]] = []

    def answer(handler: Handler) -> None:
        on.append(handler.client_address)
        handler.upload(handler.fake.seen[-1], "normal")

    def close(handler: Handler) -> None:
        on.append(handler.client_address)
        hang_up(handler)

    fake.instead = [answer, close, answer]
    for _ in range(2):
        ferry.upload(io.BytesIO(b"x" * 3_000_000), name="a")

    first, lost, again = fake.seen
    assert on[0] == on[1] != on[2]
    assert [len(seen.body) for seen in fake.seen] == [3_000_000] * 3
    assert lost.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] != first.headers["Idempotency-Key"]


def test_an_upload_after_the_server_ended_an_idle_connection_needs_no_second_try(
    fake: Fake, ferry: Ferry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", lambda _: pytest.fail("a pause"))
    closed = threading.Event()

    def answer_and_close(handler: Handler) -> None:
        handler.upload(handler.fake.seen[-1], "normal")
        handler.close_connection = True  # Without a word in the answer.
        handler.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    fake.instead = [answer_and_close]
    ferry.upload(io.BytesIO(b"x"), name="a")
    assert closed.wait(10)
    ferry.upload(io.BytesIO(b"x"), name="a")

    assert len(fake.seen) == 2


@pytest.mark.parametrize("trouble", [refuse(408, "request-timeout"), refuse(425, "x"), refuse(503, "x"), hang_up])
def test_a_pipe_that_can_not_be_sent_again_says_so(fake: Fake, ferry: Ferry, trouble) -> None:  # type: ignore[no-untyped-def]
    fake.instead = [trouble]

    with pytest.raises(FerryError, match="It came from a pipe, which can't be read again: send it from a file"):
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert len(fake.seen) == 1


def test_a_pipe_that_is_refused_for_good_says_nothing_of_pipes(fake: Fake, ferry: Ferry) -> None:
    fake.instead = [refuse(413, "too-large")]

    with pytest.raises(TooLarge) as caught:
        ferry.upload(Pipe(b"x"), name="a")  # type: ignore[arg-type]
    assert "pipe" not in str(caught.value)
