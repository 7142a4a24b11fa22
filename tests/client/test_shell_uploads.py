"""`ferry upload`: folders that are sent once, single files, and what it says of each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client.conftest import Run, lines
from tests.client.fake import Fake, refuse
from tests.stack import Stack


def test_a_folder_is_sent_once(stack: Stack, command: Run, folder: Path) -> None:
    first = command(stack.url, "upload", "-r", folder)
    (folder / "new.txt").write_text("new")
    second = command(stack.url, "upload", "-r", folder)

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.startswith("4 sent, 0 skipped, 0 failed; 10 B in ")
    assert second.stderr.startswith("1 sent, 4 skipped, 0 failed; 3 B in ")
    assert sorted(line.split()[0] for line in second.stdout.splitlines()) == ["sent", *["skipped"] * 4]


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_each_mode_can_be_asked_for(stack: Stack, command: Run, folder: Path, mode: str) -> None:
    ran = command(stack.url, "upload", folder / "a.txt", "--mode", mode, "--json")
    [line] = lines(ran)

    assert line["outcome"] == "sent"
    assert line["file"]["mode"] == mode  # type: ignore[index]
    assert command(stack.url, "status", line["file"]["id"], "--watch").returncode == 0  # type: ignore[index]


def test_a_changed_file_is_sent_again(fake: Fake, command: Run, folder: Path) -> None:
    command(fake.url, "upload", "-r", folder)
    (folder / "a.txt").write_text("b")

    assert command(fake.url, "upload", "-r", folder).stderr.startswith("1 sent, 3 skipped")


def test_what_the_server_does_not_have_whole_is_sent_again(fake: Fake, command: Run, folder: Path) -> None:
    command(fake.url, "upload", "-r", folder)
    for status, id in zip(("PENDING", "ERROR"), fake.files, strict=False):
        fake.become(id, status)

    assert command(fake.url, "upload", "-r", folder).stderr.startswith("2 sent, 2 skipped")


def test_a_key_that_may_only_upload_sends_everything(fake: Fake, command: Run, folder: Path) -> None:
    fake.instead = [refuse(403, "scope-missing")]

    ran = command(fake.url, "upload", "-r", folder)

    assert ran.returncode == 0
    assert "may not read" in ran.stderr
    assert "4 sent, 0 skipped" in ran.stderr


def test_single_files_are_sent_as_often_as_asked(fake: Fake, command: Run, folder: Path) -> None:
    for _ in range(2):
        assert command(fake.url, "upload", folder / "a.txt").stderr.startswith("1 sent")
    assert [seen.method for seen in fake.seen] == ["POST", "POST"]


def test_a_name_on_disk_that_is_no_text_is_sent_all_the_same(fake: Fake, command: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "folder") + b"/a\xff.txt")).write_text("x")

    assert command(fake.url, "upload", "-r", tmp_path / "folder").returncode == 0
    assert fake.seen[-1].query["name"] == "a?.txt"
    assert command(fake.url, "upload", "-r", tmp_path / "folder").stderr.startswith("0 sent, 1 skipped")


def test_how_long_a_file_lives_can_be_said(fake: Fake, command: Run, folder: Path) -> None:
    command(fake.url, "upload", folder / "a.txt", "--expires-in", "7d")

    assert fake.seen[0].query["expires_in"] == "604800"


def test_one_that_fails_does_not_keep_the_others(fake: Fake, command: Run, folder: Path) -> None:
    fake.instead = [refuse(413, "too-large")]

    ran = command(fake.url, "upload", folder / "a.txt", folder / "b.txt", folder / "none", folder, "--jobs", 1)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[:3] == [
        f"ferry: {folder / 'none'}: No such file or directory",
        f"ferry: {folder}: is a folder: --recursive sends what is in it",
        "ferry: a.txt: too-large (too-large)",
    ]
    assert ran.stderr.splitlines()[3].startswith("1 sent, 0 skipped, 3 failed")


def test_a_problem_of_a_later_version_is_shown_in_the_servers_words(fake: Fake, command: Run, folder: Path) -> None:
    reason = "The file was deleted while it was uploaded."
    answer = {"type": "/problems/of-a-later-version", "title": "Gone", "status": 409, "detail": reason}
    fake.instead = [lambda handler: handler.json(409, answer)]

    ran = command(fake.url, "upload", folder / "a.txt")

    assert (ran.returncode, len(fake.seen)) == (1, 1)
    assert ran.stderr.splitlines()[0] == f"ferry: a.txt: {reason} (of-a-later-version)"


def test_a_script_gets_the_problem(fake: Fake, command: Run, folder: Path) -> None:
    fake.instead = [refuse(413, "too-large")]

    [line] = lines(command(fake.url, "upload", folder / "a.txt", "--json"))

    assert line == {
        "outcome": "failed", "path": "a.txt", "problem": {"slug": "too-large", "status": 413, "detail": "too-large"}
    }  # fmt: skip
