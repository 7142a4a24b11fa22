"""Which local files are meant, and what is said of what is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ferry_client.shell.folders import Ignored, Local, found

from tests.client.conftest import Run, lines
from tests.client.fake import Fake


def test_folders_that_are_links_are_not_gone_into(folder: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")

    labels = [each.label if isinstance(each, Local) else type(each) for each in found([str(folder)], recursive=True)]

    assert labels == [
        "folder/a.txt", "folder/b.txt", FileNotFoundError, Ignored, "folder/link.txt", Ignored, "folder/deep/b.txt",
        "folder/deep/er/c.csv",
    ]  # fmt: skip


def test_what_has_no_bytes_is_named_and_is_no_failure(fake: Fake, command: Run, folder: Path) -> None:
    os.mkfifo(folder / "deep" / "pipe")
    (folder / "null").symlink_to("/dev/null")
    (folder / "circle").symlink_to(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        ran = command(fake.url, "upload", "-r", folder)

    assert ran.returncode == 0
    assert ran.stderr.splitlines()[:4] == [
        "ferry: folder/circle: ignored: a link to a folder",
        "ferry: folder/null: ignored: a device",
        "ferry: folder/socket: ignored: a socket",
        "ferry: folder/deep/pipe: ignored: a named pipe",
    ]
    assert ran.stderr.splitlines()[4].startswith("4 sent, 0 skipped, 0 failed, 4 ignored; 10 B in ")
    assert "pipe" not in ran.stdout


def test_a_download_that_was_cut_is_not_sent_with_its_folder(fake: Fake, command: Run, folder: Path) -> None:
    unfinished = folder / ".0198f3c2.ferry-part"
    unfinished.write_text("x")

    ran = command(fake.url, "upload", "-r", folder)
    assert "ferry: folder/.0198f3c2.ferry-part: ignored: an unfinished download\n" in ran.stderr
    assert (ran.returncode, ran.stdout.count("sent")) == (0, 4)
    assert command(fake.url, "upload", unfinished).stdout.startswith("sent")


def test_what_was_ignored_is_in_the_manifest_and_not_asked_for(
    fake: Fake, command: Run, folder: Path, tmp_path: Path
) -> None:
    os.mkfifo(folder / "pipe")
    sent = command(fake.url, "upload", "-r", folder, "--json")
    (tmp_path / "sent.jsonl").write_text(sent.stdout)

    back = command(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", tmp_path / "back")

    assert {"outcome": "ignored", "path": "folder/pipe", "reason": "a named pipe"} in lines(sent)
    assert (back.returncode, back.stderr.split(";")[0]) == (0, "4 fetched, 0 skipped, 0 failed")
