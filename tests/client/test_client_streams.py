"""Downloads to a stream, which cannot be rewound: resumed only if the file is the same."""

from __future__ import annotations

import io
import os

import pytest
from ferry_client import ChecksumMismatch, ConnectionFailed, DownloadInterrupted, Ferry
from ferry_client.problems import NotReady
from ferry_client.request_body import RequestBody

from tests.client.fake_server import FakeServer
from tests.client.test_client_downloads import BODY, range_headers


def test_the_file_is_written_at_the_streams_position(fake: FakeServer, ferry: Ferry) -> None:
    stream, reported = io.BytesIO(b"head"), []
    stream.seek(4)

    file = ferry.download_into(fake.add(BODY), stream, on_progress=lambda *now: reported.append(now))

    assert stream.getvalue() == b"head" + BODY
    assert (file.size, reported[-1]) == (len(BODY), (len(BODY), len(BODY)))


def test_an_interrupted_stream_download_is_resumed(fake: FakeServer, ferry: Ferry) -> None:
    fake.truncate_content_at, stream = [1_000_000, 0, 500_000], io.BytesIO()
    id = fake.add(BODY)

    ferry.download_into(id, stream)

    assert stream.getvalue() == BODY
    assert range_headers(fake) == [None, "bytes=1000000-", "bytes=1000000-", "bytes=1500000-"]
    assert fake.requests[-1].headers["If-Range"] == f'"{fake.files[id]["sha256"]}"'


def test_a_stream_download_of_a_changed_file_is_interrupted(fake: FakeServer, ferry: Ferry) -> None:
    """The server responds with 200 to the range request, because the file has changed."""
    fake.truncate_content_at, stream = [1000], io.BytesIO()
    id = fake.add(BODY)
    file = ferry.status(id)
    fake.files[id]["sha256"] = "another"

    with pytest.raises(DownloadInterrupted):
        ferry.download_into(file, stream)
    assert stream.getvalue() == BODY[:1000]


def test_a_stream_download_without_progress_fails(fake: FakeServer, ferry: Ferry) -> None:
    fake.truncate_content_at, stream = [1000] + [0] * 20, io.BytesIO()

    with pytest.raises(ConnectionFailed):
        ferry.download_into(fake.add(BODY), stream)
    assert stream.getvalue() == BODY[:1000]


def test_a_checksum_mismatch_in_a_stream_is_raised(fake: FakeServer, ferry: Ferry) -> None:
    id = fake.add(BODY)
    fake.contents[id] = b"x" + BODY[1:]

    with pytest.raises(ChecksumMismatch):
        ferry.download_into(id, io.BytesIO())


def test_nothing_is_written_of_a_pending_file(fake: FakeServer, ferry: Ferry) -> None:
    stream = io.BytesIO()

    with pytest.raises(NotReady):
        ferry.download_into(fake.add(BODY, status="PENDING"), stream)
    assert stream.getvalue() == b""


def test_a_character_device_has_no_size() -> None:
    """It reports that it is seekable and empty."""
    with open("/dev/zero", "rb", buffering=0) as stream:
        body = RequestBody(stream, "zero", None, None)

        assert body.size is None
        assert next(iter(body.content())) == bytes(1 << 20)


def test_a_non_blocking_stream_without_bytes_raises(fake: FakeServer, ferry: Ferry) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"beginning")

    with open(reader, "rb", buffering=0) as stream, open(writer, "wb"), pytest.raises(BlockingIOError):
        ferry.upload(stream, name="a")
    assert fake.files == {}
