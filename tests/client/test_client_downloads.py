"""Downloads: verified, resumed, and confined to their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ferry_client import ChecksumMismatch, ConnectionFailed, Ferry, File
from ferry_client.problems import FerryError

from tests.client.fake_server import FakeServer

BODY = os.urandom(3_000_000)
PARTIAL = ".id-0.ferry-part"
"""The partial download of the first file."""


def range_headers(fake: FakeServer) -> list[str | None]:
    return [request.headers.get("Range") for request in fake.requests if request.path.endswith("/content")]


def test_a_download_has_the_bytes_of_the_file(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    reported: list[tuple[int, int | None]] = []
    id = fake.add(BODY, "photo.jpg")

    path = ferry.download(id, tmp_path, on_progress=lambda *now: reported.append(now))

    assert path == tmp_path / "photo.jpg"
    assert path.read_bytes() == BODY
    assert reported[-1] == (len(BODY), len(BODY))
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_downloaded(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    assert ferry.download(fake.add(b""), tmp_path / "a").read_bytes() == b""


def test_an_interrupted_download_is_resumed(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    fake.truncate_content_at = [1_000_000, 500_000]

    path = ferry.download(fake.add(BODY), tmp_path / "a")

    assert path.read_bytes() == BODY
    assert range_headers(fake) == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_partial_file_is_resumed(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(BODY[:2_000_000])

    path = ferry.download(fake.add(BODY), tmp_path / "a")

    assert path.read_bytes() == BODY
    assert range_headers(fake) == ["bytes=2000000-"]


@pytest.mark.parametrize("partial", [b"x" * 2_000_000, b"x" * 3_000_000, b"x" * 4_000_000])
def test_a_partial_file_that_does_not_match_is_discarded(
    fake: FakeServer, ferry: Ferry, tmp_path: Path, partial: bytes
) -> None:
    (tmp_path / PARTIAL).write_bytes(partial)

    assert ferry.download(fake.add(BODY), tmp_path / "a").read_bytes() == BODY


def test_a_complete_partial_file_is_not_requested_again(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(BODY)

    assert ferry.download(fake.add(BODY), tmp_path / "a").read_bytes() == BODY
    assert range_headers(fake) == []


def test_a_200_to_a_range_request_restarts_the_download(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(BODY[:1000])
    id = fake.add(BODY)
    fake.overrides = [lambda handler: handler.json(200, fake.files[id]), lambda handler: handler.respond(200, BODY)]

    assert ferry.download(id, tmp_path / "a").read_bytes() == BODY


def test_a_checksum_mismatch_keeps_the_target(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    id = fake.add(BODY)
    fake.contents[id] = b"x" + BODY[1:]
    (tmp_path / "a").write_bytes(b"existing")

    with pytest.raises(ChecksumMismatch):
        ferry.download(id, tmp_path / "a")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"existing"]


def test_a_download_without_progress_fails(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    fake.truncate_content_at = [1000] + [0] * 20

    with pytest.raises(ConnectionFailed):
        ferry.download(fake.add(BODY), tmp_path / "a")
    assert (tmp_path / PARTIAL).read_bytes() == BODY[:1000]


def test_a_pending_file_is_not_ready(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    with pytest.raises(FerryError) as raised:
        ferry.download(fake.add(BODY, status="PENDING"), tmp_path / "a")
    assert (raised.value.slug, raised.value.fields["status"]) == ("not-ready", "PENDING")
    assert list(tmp_path.iterdir()) == []


def test_an_id_cannot_leave_the_folder(fake: FakeServer, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = File("../../out", "..", "COMPLETE", "normal", 1)
    fake.overrides = [lambda handler: handler.respond(200, b"x")]

    path = ferry.download(file, tmp_path / "in")

    assert [*tmp_path.rglob("*")] == [tmp_path / "in", path]


@pytest.mark.parametrize(
    "name", ["../out", "/out", "..\\out", "..", ".", "", "a/../../out", ".id-0.ferry-part", ".id-9.FERRY-PART"]
)
def test_a_name_cannot_leave_the_folder(fake: FakeServer, ferry: Ferry, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()

    path = ferry.download(fake.add(b"x", name), tmp_path / "in")

    assert path.parent == tmp_path / "in"
    assert path.name not in (PARTIAL, ".id-9.FERRY-PART")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
