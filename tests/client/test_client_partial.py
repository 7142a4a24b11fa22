"""What a download leaves when it is cut: under a name that nobody else uses, for one download at a time."""

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
from ferry_client import Ferry, Unreachable
from ferry_client.partial import partial

from tests.client.fake import Fake, Handler
from tests.client.test_client_downloads import BODY, LEFT, ranges


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.fixture(params=[None, no_locks], ids=["no fcntl", "no locks"])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr("ferry_client.partial.fcntl.flock", request.param)
    else:
        monkeypatch.setattr("ferry_client.partial.fcntl", None)


def test_what_lies_there_under_the_names_of_others_stays(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    mine = [tmp_path / name for name in ("a.part", ".a.part", ".a.ferry-part", ".ferry-part")]
    for path in mine:
        path.write_bytes(b"mine")

    ferry.download(fake.add(BODY, "a"), tmp_path)

    assert [path.read_bytes() for path in mine] == [b"mine"] * 4
    assert len([*tmp_path.iterdir()]) == 5


@pytest.mark.parametrize("bytes", [251, 255])
def test_a_name_as_long_as_a_disk_takes_comes(fake: Fake, ferry: Ferry, tmp_path: Path, bytes: int) -> None:
    name = "é" * (bytes // 2) + "e" * (bytes % 2)

    assert ferry.download(fake.add(BODY, name), tmp_path) == tmp_path / name
    assert (tmp_path / name).read_bytes() == BODY


def test_a_download_goes_on_under_another_name(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    id = fake.add(BODY)
    fake.cut_content_at = [1_000_000] + [0] * 20
    with pytest.raises(Unreachable):
        ferry.download(id, tmp_path / "a")
    fake.cut_content_at, fake.seen = [], []

    assert ferry.download(id, tmp_path / "b").read_bytes() == BODY
    assert ranges(fake) == ["bytes=1000000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a")])
def test_two_downloads_of_a_file_at_once_are_both_whole(
    fake: Fake, ferry: Ferry, tmp_path: Path, names: tuple[str, str]
) -> None:
    id, begun, go_on = fake.add(BODY), threading.Event(), threading.Event()
    file = ferry.status(id)
    fake.instead = [_held(begun, go_on)]
    first = threading.Thread(target=ferry.download, args=[file, tmp_path / names[0]])

    first.start()
    assert begun.wait(10)
    second = ferry.download(file, tmp_path / names[1])
    came = second.read_bytes()
    go_on.set()
    first.join(20)

    assert came == BODY
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(names, BODY)


def test_the_second_of_two_that_is_cut_leaves_nothing_but_the_first_ones(tmp_path: Path) -> None:
    with partial(tmp_path, "id-0") as first:
        first.stream.write(b"first")
        with suppress(KeyError), partial(tmp_path, "id-0") as second:
            second.stream.write(b"second")
            raise KeyError
        assert [path.name for path in tmp_path.iterdir()] == [LEFT]


def test_who_opens_what_another_is_about_to_rename_takes_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between open() and flock() the first has come to its end: the bytes opened are the target's by now."""
    (tmp_path / LEFT).write_bytes(b"whole")
    flock = fcntl.flock
    steps: list[Callable[[], Any]] = [lambda: os.replace(tmp_path / LEFT, tmp_path / "target"), lambda: None]

    def late(stream: Any, how: int) -> None:
        steps.pop(0)()
        flock(stream, how)

    monkeypatch.setattr("ferry_client.partial.fcntl.flock", late)
    with partial(tmp_path, "id-0") as second:
        second.stream.truncate(0)
        second.stream.write(b"new")

    assert (tmp_path / "target").read_bytes() == b"whole"
    assert (tmp_path / LEFT).read_bytes() == b"new"


@pytest.mark.usefixtures("without_locks")
def test_where_nothing_can_be_locked_downloads_begin_anew_and_leave_nothing(
    fake: Fake, ferry: Ferry, tmp_path: Path
) -> None:
    fake.cut_content_at = [1000] + [0] * 20
    id = fake.add(BODY)
    with pytest.raises(Unreachable):
        ferry.download(id, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    fake.cut_content_at, fake.seen = [1000], []

    assert ferry.download(id, tmp_path / "a").read_bytes() == BODY
    assert ranges(fake) == [None, "bytes=1000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _held(begun: threading.Event, go_on: threading.Event) -> Callable[[Handler], None]:
    """Gives the first bytes, and the rest when told to."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        handler.wfile.write(BODY[:1000])
        begun.set()
        go_on.wait(20)
        handler.wfile.write(BODY[1000:])

    return answer
