"""Files that do not know their size, or change it while they are sent."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from ferry_client import Ferry, FileChanged
from ferry_client.bodies import Body

from tests.client.conftest import Run, lines
from tests.client.fake import Fake, refuse


def test_a_file_that_says_it_is_empty_is_read(fake: Fake, command: Run) -> None:
    path = Path("/proc/self/environ")
    assert path.stat().st_size == 0

    ran = command(fake.url, "upload", path, "--json")

    assert ran.returncode == 0
    assert fake.seen[0].body == path.read_bytes() != b""
    assert fake.seen[0].headers["Content-Length"] == str(len(fake.seen[0].body))
    assert lines(ran)[0]["file"]["size"] == len(fake.seen[0].body)  # type: ignore[index]


def test_a_file_that_announces_more_than_it_has_is_sent_as_it_is(fake: Fake, ferry: Ferry) -> None:
    """sysfs says 4096 of every file."""
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not path.exists():
        pytest.skip("no sysfs here")
    ferry.upload(path)

    assert fake.seen[0].body == path.read_bytes()


class Liar(io.BytesIO):
    """Ends, if it is asked, at `said`; like a large file in /proc."""

    said = 0

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        return self.said if whence == os.SEEK_END else super().seek(to, whence)


@pytest.mark.parametrize("said", [0, 4096])
def test_a_large_file_that_does_not_know_its_size_goes_in_chunks_as_often_as_needed(
    fake: Fake, ferry: Ferry, said: int
) -> None:
    stream = Liar(b"x" * 3_000_000)
    stream.said = said
    fake.instead = [refuse(503, "storage-unavailable", Retry_After="0")]

    ferry.upload(stream, name="a")

    assert [(len(seen.body), "Content-Length" in seen.headers) for seen in fake.seen] == [(3_000_000, False)] * 2


def test_an_empty_file_has_a_length(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ferry.upload(tmp_path / "empty")

    assert (fake.seen[0].body, fake.seen[0].headers["Content-Length"]) == (b"", "0")


def test_a_small_file_is_sent_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    """However often it is sent, and whatever becomes of it: one upload has one content."""
    (tmp_path / "log").write_bytes(b"begin")
    with (tmp_path / "log").open("rb", buffering=0) as stream:
        body = Body(stream, "log", None, None)
        (tmp_path / "log").write_bytes(b"")

        assert (body.size, body.content(), body.content()) == (5, b"begin", b"begin")


def test_how_much_a_file_lost_while_it_was_sent_is_said(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    with pytest.raises(FileChanged, match="became shorter while it was sent: 2000000 of 3000000 bytes came"):
        ferry.upload(path, on_progress=lambda done, _: os.truncate(path, 2_000_000))
