"""The spool on real disks: the order of fsync and rename, full disks, disks without fsync of folders."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from problems import SpoolDiskFull
from spool import Spool
from tests.fakes import ID, breaking, chunks, unread


def test_bytes_reach_the_disk_before_the_name_does_and_the_name_before_the_return(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rename, sync = Path.rename, os.fsync

    def record_rename(self: Path, target: Path) -> Path:
        seen.append("rename")
        return rename(self, target)

    def record_sync(fd: int) -> None:
        seen.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "fsync file")
        sync(fd)

    monkeypatch.setattr(Path, "rename", record_rename)
    monkeypatch.setattr(os, "fsync", record_sync)
    spool.write(ID, chunks(5))

    assert seen == ["fsync file", "rename", "fsync folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_raises_storage_full_and_leaves_nothing(spool: Spool, code: int) -> None:
    with pytest.raises(SpoolDiskFull):
        spool.write(ID, breaking(b"half", OSError(code, "full")))

    assert list(spool.folder.iterdir()) == []


def test_a_really_full_disk_raises_storage_full_and_leaves_nothing(spool: Spool) -> None:
    """A file-size limit gives EFBIG where a full disk gives ENOSPC; in a child, because it can't be undone."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            spool.write(ID, chunks(60_000, 60_000))
        except SpoolDiskFull:
            os._exit(0 if list(spool.folder.iterdir()) == [] else 2)
        os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_larger_than_the_disk_is_rejected_unread(spool: Spool) -> None:
    with pytest.raises(SpoolDiskFull):
        spool.write(ID, unread(), max_bytes=1 << 60)

    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_folder_sync_is_usable(spool: Spool, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "fsync", unsynced_folders(code))
    spool.write(ID, iter([b"x"]))

    assert b"".join(spool.open(ID)) == b"x"
    assert len(spool.identity) == 36


def test_a_failed_folder_sync_is_raised(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", unsynced_folders(errno.EIO))
    with pytest.raises(OSError, match="5"):
        spool.write(ID, iter([b"x"]))

    assert list(spool.folder.iterdir()) == []


def unsynced_folders(code: int) -> Callable[[int], None]:
    sync = os.fsync

    def only_files(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(code, os.strerror(code))
        sync(fd)

    return only_files
