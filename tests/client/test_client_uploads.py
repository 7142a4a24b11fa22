"""Uploads: names, types, sizes, memory, errors."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ferry_client import Ferry, FileChanged

from tests.client.conftest import environment
from tests.client.fake_server import FakeServer
from tests.client.test_client_upload_retries import Pipe
from tests.harness.stack import Stack

MODES = ("normal", "async", "celery")
RAW_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x")


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

    types = [request.headers["Content-Type"] for request in fake.requests]
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
    """Return the peak memory of an upload in KiB."""
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
