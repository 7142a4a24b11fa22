"""Which local files are meant, and which of them the server has."""

from __future__ import annotations

import os
from pathlib import Path

from ferry_client import Ferry
from ferry_client.shell.folders import Known, Local, found

from tests.client.fake import Fake


def test_folders_that_are_links_are_not_gone_into(folder: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")

    labels = [each.label if isinstance(each, Local) else type(each) for each in found([str(folder)], recursive=True)]

    assert labels == [
        "folder/a.txt", "folder/b.txt", FileNotFoundError, "folder/link.txt", "folder/deep/b.txt",
        "folder/deep/er/c.csv",
    ]  # fmt: skip


def test_of_twins_each_needs_one_on_the_server(fake: Fake, ferry: Ferry, folder: Path) -> None:
    fake.add(b"same", "b.txt")
    locals = [each for each in found([str(folder)], recursive=True) if isinstance(each, Local)]
    known = Known(ferry, locals)

    taken = [known.take(local) for local in locals if local.path.name == "b.txt"]

    assert [bool(each) for each in taken] == [True, False]


def test_a_large_server_is_asked_name_by_name(fake: Fake, ferry: Ferry, folder: Path) -> None:
    wanted = fake.add(b"a", "a.txt")
    for _ in range(1100):
        fake.add(b"x", "other")

    [local] = [each for each in found([str(folder / "a.txt")], recursive=True) if isinstance(each, Local)]
    file = Known(ferry, [local]).take(local)

    assert file is not None
    assert file.id == wanted
    assert fake.seen[-1].query["prefix"] == "a.txt"
    assert len(fake.seen) <= 12
