"""Round trips with a real Ferry: upload, wait, list, link, download, delete."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from ferry_client import Ferry
from ferry_client.problems import InvalidParameter, NotFound, NotReady

from tests.client.conftest import Run
from tests.harness.stack import Stack


def write_files(folder: Path, count: int = 12) -> dict[str, bytes]:
    """Write files into subfolders. Returns their content by path."""
    files = {f"{n % 3}/{folder.name}-{n}.bin": os.urandom(1 + 1000 * n) for n in range(count)}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return files


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_folder_round_trips_through_a_manifest(run: Run, stack: Stack, tmp_path: Path, mode: str) -> None:
    files = write_files(tmp_path / mode)

    sent = run(stack.url, "upload", "--recursive", tmp_path / mode, "--mode", mode, "--json")
    ids = [json.loads(line)["file"]["id"] for line in sent.stdout.splitlines()]
    (tmp_path / "sent.jsonl").write_text(sent.stdout)
    for id in ids:
        assert stack.ended(id)["status"] == "COMPLETE"
    back = run(stack.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", tmp_path / "copy")

    assert (sent.returncode, back.returncode) == (0, 0), sent.stderr + back.stderr
    assert sorted(read_files(tmp_path / "copy").values()) == sorted(files.values())


def test_an_interrupted_folder_upload_skips_stored_files(run: Run, stack: Stack, tmp_path: Path) -> None:
    write_files(tmp_path / "some")
    first = next((tmp_path / "some").rglob("some-5.bin"))
    assert run(stack.url, "upload", first).returncode == 0

    again = run(stack.url, "upload", "--recursive", tmp_path / "some")
    assert again.returncode == 0, again.stderr
    assert "11 sent" in again.stdout + again.stderr
    assert "1 skipped" in again.stdout + again.stderr


def test_a_file_is_waited_for_listed_downloaded_and_deleted(real: Ferry, tmp_path: Path) -> None:
    (tmp_path / "round.txt").write_bytes(b"there and back")
    file = real.upload(tmp_path / "round.txt", mode="async", expires_in=3600)
    file = real.wait(file.id, timeout=30)

    assert (file.status, file.size) == ("COMPLETE", 14)
    assert file.id in [one.id for one in real.list(prefix="round")]
    real.download(file.id, tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_bytes() == b"there and back"
    real.delete(file.id)
    with pytest.raises(NotFound):
        real.status(file.id)


def test_a_link_downloads_the_file_without_a_key(real: Ferry, stack: Stack, run: Run) -> None:
    file = real.upload(io.BytesIO(b"by a link"), name="link.txt")
    link = real.link(file.id, expires_in=60)
    ran, reported = run(stack.url, "link", file.id), run(stack.url, "link", file.id, "--expires-in", "15m", "--json")

    assert requests.get(link.url, timeout=10).content == b"by a link"
    assert 30 < (link.expires_at - datetime.now(UTC)).total_seconds() <= 60
    assert (ran.returncode, requests.get(ran.stdout.strip(), timeout=10).content) == (0, b"by a link")
    assert json.loads(reported.stdout).keys() == {"id", "url", "expires_at"}
    with pytest.raises(InvalidParameter):
        real.link(file.id, expires_in=901)


def test_a_link_to_an_unknown_file_fails_with_one_line(run: Run, stack: Stack) -> None:
    ran = run(stack.url, "link", "unknown")

    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert "not-found" in ran.stderr


def test_a_file_that_is_not_stored_is_not_ready(real: Ferry, stack: Stack, tmp_path: Path) -> None:
    stack.stop("s3")
    try:
        file = real.upload(__file__, mode="async")
        with Ferry(stack.url, max_retry_seconds=0) as impatient, pytest.raises(NotReady):
            impatient.download(file.id, tmp_path / "none")
    finally:
        stack.start("s3")
    assert real.wait(file.id, timeout=60).status == "COMPLETE"
