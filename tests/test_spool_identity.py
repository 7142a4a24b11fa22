"""The identity of a spool: one per folder, also on a disk without hard links."""

from __future__ import annotations

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from spool import Spool


def test_a_spool_has_one_permanent_identity(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: Spool(tmp_path / "spool").identity, range(50)))

    assert len(names) == 1
    assert len(names.pop()) == 36
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [".identity"]


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK])
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk like vfat: os.link is refused."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_a_disk_without_hard_links_has_one_identity(tmp_path: Path) -> None:
    """All threads and processes read the whole identity, in any order."""
    read, write = os.pipe()
    children = [os.fork() or _write_identity(tmp_path / "spool", write) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: Spool(tmp_path / "spool").identity, range(50)))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    os.close(write)
    with os.fdopen(read) as reader:
        names |= set(reader.read().split())

    assert len(names) == 1
    assert len(names.pop()) == 36
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == [".identity", ".identity.lock"]


def _write_identity(folder: Path, write: int) -> NoReturn:
    try:
        os.write(write, f"{Spool(folder).identity}\n".encode())
    finally:
        os._exit(0 if sys.exc_info()[0] is None else 1)


def test_a_failed_identity_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        _ = spool.identity

    assert list(spool.folder.iterdir()) == []
