"""Find local files: links, special files, partial downloads."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ferry_client.cli.local_files import IgnoredEntry, LocalFile, find_files

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")

    labels = [
        entry.label if isinstance(entry, LocalFile) else type(entry)
        for entry in find_files([str(folder)], recursive=True)
    ]

    assert labels == [
        "folder/a.txt", "folder/b.txt", FileNotFoundError, IgnoredEntry, "folder/link.txt", IgnoredEntry,
        "folder/deep/b.txt", "folder/deep/er/c.csv",
    ]  # fmt: skip


def test_special_files_are_named_and_ignored(fake: FakeServer, command: Run, folder: Path) -> None:
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


def test_a_partial_download_is_not_sent_with_its_folder(fake: FakeServer, command: Run, folder: Path) -> None:
    unfinished = folder / ".0198f3c2.ferry-part"
    unfinished.write_text("x")

    ran = command(fake.url, "upload", "-r", folder)
    assert "ferry: folder/.0198f3c2.ferry-part: ignored: an unfinished download\n" in ran.stderr
    assert (ran.returncode, ran.stdout.count("sent")) == (0, 4)
    assert command(fake.url, "upload", unfinished).stdout.startswith("sent")


def test_a_manifest_lists_ignored_entries_and_download_skips_them(
    fake: FakeServer, command: Run, folder: Path, tmp_path: Path
) -> None:
    os.mkfifo(folder / "pipe")
    sent = command(fake.url, "upload", "-r", folder, "--json")
    (tmp_path / "sent.jsonl").write_text(sent.stdout)

    back = command(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", tmp_path / "back")

    assert {"outcome": "ignored", "path": "folder/pipe", "reason": "a named pipe"} in json_lines(sent)
    assert (back.returncode, back.stderr.split(";")[0]) == (0, "4 fetched, 0 skipped, 0 failed")
