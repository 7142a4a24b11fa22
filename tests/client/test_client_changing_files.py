"""Files that report a wrong size, or change it during the upload."""

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
    """sysfs reports 4096 for every file."""
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not path.exists():
        pytest.skip("no sysfs here")
    ferry.upload(path)

    assert fake.requests[0].body == path.read_bytes()


class MisreportingFile(io.BytesIO):
    """Reports `reported_size` as its size, like a large file in /proc."""

    reported_size = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.reported_size if whence == os.SEEK_END else super().seek(offset, whence)


@pytest.mark.parametrize("reported_size", [0, 4096])
def test_a_large_file_of_unknown_size_is_sent_chunked(fake: FakeServer, ferry: Ferry, reported_size: int) -> None:
    stream = MisreportingFile(b"x" * 3_000_000)
    stream.reported_size = reported_size
    fake.overrides = [respond_problem(503, "storage-unavailable", Retry_After="0")]

    ferry.upload(stream, name="a")

    assert [(len(request.body), "Content-Length" in request.headers) for request in fake.requests] == [
        (3_000_000, False)
    ] * 2


def test_an_empty_file_has_content_length_0(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ferry.upload(tmp_path / "empty")

    assert (fake.requests[0].body, fake.requests[0].headers["Content-Length"]) == (b"", "0")


def test_a_small_file_keeps_its_content_from_opening(tmp_path: Path) -> None:
    """Retries of an upload send the same bytes, even if the file changes."""
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
