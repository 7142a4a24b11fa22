"""`ferry upload`: folders, single files, and their output."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer, respond_problem
from tests.harness.stack import Stack


def test_a_stored_folder_is_skipped(stack: Stack, command: Run, folder: Path) -> None:
    first = command(stack.url, "upload", "-r", folder)
    (folder / "new.txt").write_text("new")
    second = command(stack.url, "upload", "-r", folder)

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.startswith("4 sent, 0 skipped, 0 failed; 10 B in ")
    assert second.stderr.startswith("1 sent, 4 skipped, 0 failed; 3 B in ")
    assert sorted(line.split()[0] for line in second.stdout.splitlines()) == ["sent", *["skipped"] * 4]


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_upload_accepts_each_mode(stack: Stack, command: Run, folder: Path, mode: str) -> None:
    ran = command(stack.url, "upload", folder / "a.txt", "--mode", mode, "--json")
    [line] = json_lines(ran)

    assert line["outcome"] == "sent"
    assert line["file"]["mode"] == mode  # type: ignore[index]
    assert command(stack.url, "status", line["file"]["id"], "--watch").returncode == 0  # type: ignore[index]


def test_a_changed_file_is_sent_again(fake: FakeServer, command: Run, folder: Path) -> None:
    command(fake.url, "upload", "-r", folder)
    (folder / "a.txt").write_text("b")

    assert command(fake.url, "upload", "-r", folder).stderr.startswith("1 sent, 3 skipped")


def test_a_file_that_is_not_complete_is_sent_again(fake: FakeServer, command: Run, folder: Path) -> None:
    command(fake.url, "upload", "-r", folder)
    for status, id in zip(("PENDING", "ERROR"), fake.files, strict=False):
        fake.set_status(id, status)

    assert command(fake.url, "upload", "-r", folder).stderr.startswith("2 sent, 2 skipped")


def test_a_key_without_read_scope_sends_everything(fake: FakeServer, command: Run, folder: Path) -> None:
    fake.overrides = [respond_problem(403, "scope-missing")]

    ran = command(fake.url, "upload", "-r", folder)

    assert ran.returncode == 0
    assert "lacks the scope read" in ran.stderr
    assert "4 sent, 0 skipped" in ran.stderr


def test_single_files_are_never_skipped(fake: FakeServer, command: Run, folder: Path) -> None:
    for _ in range(2):
        assert command(fake.url, "upload", folder / "a.txt").stderr.startswith("1 sent")
    assert [request.method for request in fake.requests] == ["POST", "POST"]


def test_a_name_that_is_not_utf8_is_sent_with_replacements(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "folder") + b"/a\xff.txt")).write_text("x")

    assert command(fake.url, "upload", "-r", tmp_path / "folder").returncode == 0
    assert fake.requests[-1].query["name"] == "a?.txt"
    assert command(fake.url, "upload", "-r", tmp_path / "folder").stderr.startswith("0 sent, 1 skipped")


def test_expires_in_is_sent_in_seconds(fake: FakeServer, command: Run, folder: Path) -> None:
    command(fake.url, "upload", folder / "a.txt", "--expires-in", "7d")

    assert fake.requests[0].query["expires_in"] == "604800"


def test_a_failure_does_not_stop_the_other_files(fake: FakeServer, command: Run, folder: Path) -> None:
    fake.overrides = [respond_problem(413, "too-large")]

    ran = command(fake.url, "upload", folder / "a.txt", folder / "b.txt", folder / "none", folder, "--jobs", 1)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[:3] == [
        f"ferry: {folder / 'none'}: No such file or directory",
        f"ferry: {folder}: is a folder: --recursive sends what is in it",
        "ferry: a.txt: too-large (too-large)",
    ]
    assert ran.stderr.splitlines()[3].startswith("1 sent, 0 skipped, 3 failed")


def test_an_unknown_problem_shows_the_servers_detail(fake: FakeServer, command: Run, folder: Path) -> None:
    reason = "The file was deleted while it was uploaded."
    problem = {"type": "/problems/of-a-later-version", "title": "Gone", "status": 409, "detail": reason}
    fake.overrides = [lambda handler: handler.json(409, problem)]

    ran = command(fake.url, "upload", folder / "a.txt")

    assert (ran.returncode, len(fake.requests)) == (1, 1)
    assert ran.stderr.splitlines()[0] == f"ferry: a.txt: {reason} (of-a-later-version)"


def test_json_output_contains_the_problem(fake: FakeServer, command: Run, folder: Path) -> None:
    fake.overrides = [respond_problem(413, "too-large")]

    [line] = json_lines(command(fake.url, "upload", folder / "a.txt", "--json"))

    assert line == {
        "outcome": "failed", "path": "a.txt", "problem": {"slug": "too-large", "status": 413, "detail": "too-large"}
    }  # fmt: skip
