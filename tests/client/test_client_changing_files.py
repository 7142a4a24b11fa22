"""Files that do not know their size, or change it while they are sent."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from ferry_client import Ferry, FileChanged
from ferry_client.request_body import RequestBody

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer, respond_problem


def test_a_file_that_reports_size_0_is_read(fake: FakeServer, command: Run) -> None:
    path = Path("/proc/self/environ")
    assert path.stat().st_size == 0

    ran = command(fake.url, "upload", path, "--json")

    assert ran.returncode == 0
    assert fake.requests[0].body == path.read_bytes() != b""
    assert fake.requests[0].headers["Content-Length"] == str(len(fake.requests[0].body))
    assert json_lines(ran)[0]["file"]["size"] == len(fake.requests[0].body)  # type: ignore[index]


def test_a_file_that_reports_more_than_it_has_is_sent_in_its_real_size(fake: FakeServer, ferry: Ferry) -> None:
    """sysfs says 4096 of every file."""
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not path.exists():
        pytest.skip("no sysfs here")
    ferry.upload(path)

    assert fake.requests[0].body == path.read_bytes()


class Liar(io.BytesIO):
    """Ends, if it is asked, at `said`; like a large file in /proc."""

    said = 0

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        return self.said if whence == os.SEEK_END else super().seek(to, whence)


@pytest.mark.parametrize("said", [0, 4096])
def test_a_large_file_of_unknown_size_is_sent_chunked_and_retried(fake: FakeServer, ferry: Ferry, said: int) -> None:
    stream = Liar(b"x" * 3_000_000)
    stream.said = said
    fake.overrides = [respond_problem(503, "storage-unavailable", Retry_After="0")]

    ferry.upload(stream, name="a")

    assert [(len(seen.body), "Content-Length" in seen.headers) for seen in fake.requests] == [(3_000_000, False)] * 2


def test_an_empty_file_has_content_length_0(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ferry.upload(tmp_path / "empty")

    assert (fake.requests[0].body, fake.requests[0].headers["Content-Length"]) == (b"", "0")


def test_a_small_file_keeps_its_content_from_opening(tmp_path: Path) -> None:
    """However often it is sent, and whatever becomes of it: one upload has one content."""
    (tmp_path / "log").write_bytes(b"begin")
    with (tmp_path / "log").open("rb", buffering=0) as stream:
        body = RequestBody(stream, "log", None, None)
        (tmp_path / "log").write_bytes(b"")

        assert (body.size, body.content(), body.content()) == (5, b"begin", b"begin")


def test_file_changed_reports_both_sizes(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_000)

    with pytest.raises(FileChanged, match="became shorter while it was sent: 2000000 of 3000000 bytes came"):
        ferry.upload(path, on_progress=lambda done, _: os.truncate(path, 2_000_000))
