"""Partial files: their names, and the lock for one download at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ferry_client import ConnectionFailed, Ferry
from ferry_client.partial_file import open_partial

from tests.client.fake_server import FakeServer, Handler
from tests.client.test_client_downloads import BODY, PARTIAL, range_headers


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.fixture(params=[None, no_locks], ids=["no fcntl", "no locks"])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr("ferry_client.partial_file.fcntl.flock", request.param)
    else:
        monkeypatch.setattr("ferry_client.partial_file.fcntl", None)


def test_similar_names_of_other_files_are_not_touched(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("a.part", ".a.part", ".a.ferry-part", ".ferry-part")]
    for path in others:
        path.write_bytes(b"others")

    ferry.download(fake.add(BODY, "a"), tmp_path)

    assert [path.read_bytes() for path in others] == [b"others"] * 4
    assert len([*tmp_path.iterdir()]) == 5


@pytest.mark.parametrize("bytes", [251, 255])
def test_a_name_of_maximum_length_is_downloaded(fake: FakeServer, ferry: Ferry, tmp_path: Path, bytes: int) -> None:
    name = "é" * (bytes // 2) + "e" * (bytes % 2)

    assert ferry.download(fake.add(BODY, name), tmp_path) == tmp_path / name
    assert (tmp_path / name).read_bytes() == BODY


def test_a_download_is_resumed_under_another_name(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    id = fake.add(BODY)
    fake.truncate_content_at = [1_000_000] + [0] * 20
    with pytest.raises(ConnectionFailed):
        ferry.download(id, tmp_path / "a")
    fake.truncate_content_at, fake.requests = [], []

    assert ferry.download(id, tmp_path / "b").read_bytes() == BODY
    assert range_headers(fake) == ["bytes=1000000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a")])
def test_concurrent_downloads_of_a_file_are_both_complete(
    fake: FakeServer, ferry: Ferry, tmp_path: Path, names: tuple[str, str]
) -> None:
    id, started, resume = fake.add(BODY), threading.Event(), threading.Event()
    file = ferry.status(id)
    fake.overrides = [_two_parts(started, resume)]
    first = threading.Thread(target=ferry.download, args=[file, tmp_path / names[0]])

    first.start()
    assert started.wait(10)
    second = ferry.download(file, tmp_path / names[1])
    received = second.read_bytes()
    resume.set()
    first.join(20)

    assert received == BODY
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(names, BODY)


def test_a_failed_concurrent_download_deletes_its_own_partial_file(tmp_path: Path) -> None:
    with open_partial(tmp_path, "id-0") as first:
        first.stream.write(b"first")
        with suppress(KeyError), open_partial(tmp_path, "id-0") as second:
            second.stream.write(b"second")
            raise KeyError
        assert [path.name for path in tmp_path.iterdir()] == [PARTIAL]


def test_a_partial_file_renamed_before_the_lock_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between open() and flock() the first download was committed: the opened file is its target."""
    (tmp_path / PARTIAL).write_bytes(b"whole")
    flock = fcntl.flock
    steps: list[Callable[[], Any]] = [lambda: os.replace(tmp_path / PARTIAL, tmp_path / "target"), lambda: None]

    def late(stream: Any, how: int) -> None:
        steps.pop(0)()
        flock(stream, how)

    monkeypatch.setattr("ferry_client.partial_file.fcntl.flock", late)
    with open_partial(tmp_path, "id-0") as second:
        second.stream.truncate(0)
        second.stream.write(b"new")

    assert (tmp_path / "target").read_bytes() == b"whole"
    assert (tmp_path / PARTIAL).read_bytes() == b"new"


@pytest.mark.usefixtures("without_locks")
def test_downloads_without_locks_start_from_zero_and_leave_nothing(
    fake: FakeServer, ferry: Ferry, tmp_path: Path
) -> None:
    fake.truncate_content_at = [1000] + [0] * 20
    id = fake.add(BODY)
    with pytest.raises(ConnectionFailed):
        ferry.download(id, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    fake.truncate_content_at, fake.requests = [1000], []

    assert ferry.download(id, tmp_path / "a").read_bytes() == BODY
    assert range_headers(fake) == [None, "bytes=1000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _two_parts(started: threading.Event, resume: threading.Event) -> Callable[[Handler], None]:
    """Send the first bytes, and the rest after `resume`."""

    def respond(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        handler.wfile.write(BODY[:1000])
        started.set()
        resume.wait(20)
        handler.wfile.write(BODY[1000:])

    return respond
