"""The spool: bytes appear whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
import uuid_utils

from problems import BytesLost, StorageFull, TooMuchWaiting
from spool import CHUNK, Spool
from tests.fakes import breaking, chunks

ID = "01990000-0000-7000-8000-00000000000a"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_spooled_bytes_can_be_read_back(spool: Spool, size: int) -> None:
    body = os.urandom(size)
    spool.write(ID, iter([body[:7], body[7:]]))

    assert b"".join(spool.open(ID)) == body


def test_a_failing_stream_leaves_nothing(spool: Spool) -> None:
    with pytest.raises(ConnectionError):
        spool.write(ID, breaking(b"half", ConnectionError()))

    assert list(spool.folder.iterdir()) == []


def test_a_file_appears_only_when_complete(spool: Spool) -> None:
    def watched():  # type: ignore[no-untyped-def]
        yield b"first"
        assert not spool.path(ID).exists()
        yield b"second"

    spool.write(ID, watched())

    assert spool.path(ID).read_bytes() == b"firstsecond"


def test_bytes_reach_the_disk_before_the_name_does_and_the_name_before_the_return(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rename, sync = Path.rename, os.fsync

    def told_rename(self: Path, target: Path) -> Path:
        seen.append("rename")
        return rename(self, target)

    def told_sync(fd: int) -> None:
        seen.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "fsync file")
        sync(fd)

    monkeypatch.setattr(Path, "rename", told_rename)
    monkeypatch.setattr(os, "fsync", told_sync)
    spool.write(ID, chunks(5))

    assert seen == ["fsync file", "rename", "fsync folder"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_raises_storage_full_and_leaves_nothing(spool: Spool, code: int) -> None:
    with pytest.raises(StorageFull):
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
        except StorageFull:
            os._exit(0 if list(spool.folder.iterdir()) == [] else 2)
        os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_missing_file_raises_bytes_lost(spool: Spool) -> None:
    with pytest.raises(BytesLost):
        next(spool.open(ID))


NOT_IDS = [
    "",
    ".",
    "..",
    "../ferry.db",
    "/proc/self/environ",
    ".identity",
    "doctor",
    f"{ID}\n",
    f"{ID}.unfinished",
    f"{ID}/../../ferry.db",
    f"../spool/{ID}",
    f"x{ID}",
    ID.upper(),
    ID[:-1],
    ID.replace("-", ""),
    f"{ID}\0",
]


@pytest.mark.parametrize("id", NOT_IDS)
def test_only_an_id_has_a_path(spool: Spool, id: str) -> None:
    """Whatever asks for it: an id may come out of Redis."""
    outside = spool.folder.parent / "ferry.db"
    outside.write_bytes(b"secret")
    spool.folder.mkdir()
    for use in (
        spool.path,
        spool.has,
        spool.delete,
        lambda id: spool.write(id, chunks(5)),
        lambda id: [*spool.open(id)],
    ):
        with pytest.raises(ValueError, match="not the id of a file"):
            use(id)

    assert outside.read_bytes() == b"secret"
    assert list(spool.folder.iterdir()) == []


def test_spool_delete_is_idempotent(spool: Spool) -> None:
    spool.write(ID, chunks(5))
    spool.delete(ID)
    spool.delete(ID)

    assert list(spool.folder.iterdir()) == []


def test_a_file_larger_than_the_disk_is_rejected_unread(spool: Spool) -> None:
    with pytest.raises(StorageFull):
        spool.write(ID, unread(), max_bytes=1 << 60)

    assert list(spool.folder.iterdir()) == []


class TestBudget:
    """At most 100 bytes may wait."""

    @pytest.fixture
    def spool(self, tmp_path: Path) -> Spool:
        return Spool(tmp_path / "spool", 100)

    def test_a_file_beyond_the_budget_is_rejected_unread(self, spool: Spool) -> None:
        spool.write(ids[0], iter([bytes(60)]), max_bytes=60)
        with pytest.raises(TooMuchWaiting):
            spool.write(ids[1], unread(), max_bytes=41)
        spool.write(ids[2], iter([bytes(40)]), max_bytes=40)

        assert {kept.id for kept in spool.files()} == {ids[0], ids[2]}

    def test_deleted_files_free_the_budget(self, spool: Spool) -> None:
        spool.write(ids[0], iter([bytes(60)]), max_bytes=60)
        spool.delete(ids[0])
        forget_sizes(spool)
        spool.write(ids[1], iter([bytes(60)]), max_bytes=60)

    def test_files_of_other_processes_count(self, spool: Spool) -> None:
        Spool(spool.folder).write(ids[0], iter([bytes(60)]))
        with pytest.raises(TooMuchWaiting):
            spool.write(ids[1], unread(), max_bytes=41)

    def test_a_stream_of_unknown_length_is_stopped_at_the_budget(self, spool: Spool) -> None:
        with pytest.raises(TooMuchWaiting):
            spool.write(ids[0], chunks(60, 60))
        assert list(spool.files()) == []
        spool.write(ids[0], chunks(60, 40))

    def test_a_running_upload_counts_by_received_bytes(self, spool: Spool) -> None:
        """And a step, of 6 bytes here."""

        def watched() -> Iterator[bytes]:
            yield bytes(30)
            with pytest.raises(TooMuchWaiting):
                spool.write(ids[1], unread(), max_bytes=65, client="b")
            spool.write(ids[1], iter([bytes(64)]), max_bytes=64, client="b")
            yield bytes(7)

        with pytest.raises(TooMuchWaiting):
            spool.write(ids[0], watched(), max_bytes=100, client="a")
        assert [(kept.id, kept.size, kept.complete) for kept in spool.files()] == [(ids[1], 64, True)]

    def test_one_client_leaves_half_the_budget_to_others(self, spool: Spool) -> None:
        def watched() -> Iterator[bytes]:
            yield bytes(30)
            with pytest.raises(TooMuchWaiting):
                spool.write(ids[1], unread(), max_bytes=15, client="a")
            with pytest.raises(TooMuchWaiting):
                spool.write(ids[1], chunks(10, 10), client="a")
            spool.write(ids[1], iter([bytes(50)]), max_bytes=50, client="b")

        spool.write(ids[0], watched(), max_bytes=100, client="a")
        assert {(kept.id, kept.size) for kept in spool.files()} == {(ids[0], 30), (ids[1], 50)}

    def test_a_file_larger_than_half_the_budget_is_accepted_alone(self, spool: Spool) -> None:
        def watched() -> Iterator[bytes]:
            yield bytes(40)
            spool.write(ids[1], iter([b"x"]), max_bytes=1, client="a")
            yield bytes(59)

        spool.write(ids[0], watched(), max_bytes=99, client="a")

    def test_a_failed_upload_frees_its_budget(self, spool: Spool) -> None:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                spool.write(ids[0], breaking(b"half", ConnectionError()), max_bytes=90)
            forget_sizes(spool)
        spool.write(ids[1], iter([bytes(100)]), max_bytes=100)


def test_a_spool_has_one_permanent_identity(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: Spool(tmp_path / "spool").identity, range(50)))

    assert len(names) == 1
    assert len(names.pop()) == 36
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [".identity"]


def forget_sizes(spool: Spool) -> None:
    """Have the folder looked at again, as after a second."""
    assert spool._budget
    spool._budget._measured_at = -10


def unread() -> Iterator[bytes]:
    raise AssertionError("the stream was read")
    yield b""


ids = [str(uuid_utils.uuid7()) for _ in range(3)]


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK])
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk like vfat: os.link is refused."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_a_disk_without_hard_links_has_one_identity(tmp_path: Path) -> None:
    """All threads and processes read the whole identity, in whatever order they ask."""
    read, write = os.pipe()
    children = [os.fork() or _tell_identity(tmp_path / "spool", write) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: Spool(tmp_path / "spool").identity, range(50)))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    os.close(write)
    with os.fdopen(read) as told:
        names |= set(told.read().split())

    assert len(names) == 1
    assert len(names.pop()) == 36
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == [".identity", ".identity.lock"]


def _tell_identity(folder: Path, write: int) -> NoReturn:
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


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_folder_sync_is_usable(spool: Spool, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "fsync", unsynced_folders(code))
    spool.write(ids[0], iter([b"x"]))

    assert b"".join(spool.open(ids[0])) == b"x"
    assert len(spool.identity) == 36


def test_a_failed_folder_sync_is_raised(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", unsynced_folders(errno.EIO))
    with pytest.raises(OSError, match="5"):
        spool.write(ids[0], iter([b"x"]))

    assert list(spool.folder.iterdir()) == []


def unsynced_folders(code: int) -> Callable[[int], None]:
    sync = os.fsync

    def only_files(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(code, os.strerror(code))
        sync(fd)

    return only_files


def test_the_spool_is_private_to_its_user(spool: Spool) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        spool.write(ids[0], iter([b"x"]))
        assert spool.identity
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (spool.folder, *spool.folder.iterdir())}
    assert modes == {"spool": 0o700, ids[0]: 0o600, ".identity": 0o600}
