"""Which local files are meant, and which of them the server has."""

from __future__ import annotations

import os
from pathlib import Path

from ferry_client.shell.folders import Local, found


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
