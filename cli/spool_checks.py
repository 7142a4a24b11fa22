"""The disk checks of `flask doctor`: a write through the spool, file locks, and permissions."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy.engine import make_url

import config
import spool
from cli.checks import Advice, run_check
from problems import BytesLost, SpoolDiskFull, SpoolLimitReached
from services import current_services
from storage import Check

_CONTENT = b"ferry"
_MAX_FILES = 1000
_IDENTITY_LENGTH = 36

_ADVICE: Advice = (
    ("EROFS", "SPOOL_DIR is mounted read-only. Mount it writable, or name another folder."),
    ("EACCES|EPERM", "Run this as the user that Ferry runs as, and let that user write to SPOOL_DIR."),
    (f"ENOSPC|EDQUOT|{SpoolDiskFull.title}", "The disk of SPOOL_DIR is full: free space, or name another folder."),
    (SpoolLimitReached.title, "SPOOL_MAX_BYTES is used up: find out why files wait, or raise it."),
    ("ENOTDIR|EEXIST|ELOOP|ENAMETOOLONG", "SPOOL_DIR has to be the path of a folder."),
    ("ENOLCK|ENOSYS|ENOTSUP", "The file system has neither hard links nor file locks: keep SPOOL_DIR on a local disk."),
    ("EIO", "The disk of SPOOL_DIR fails: see the kernel's log."),
    ("", "Check SPOOL_DIR: the folder must exist or be creatable, writable and have free space."),
)
_LOCK_ADVICE: Advice = (
    ("EACCES|EPERM|EROFS", "Run this as the user that Ferry runs as, and let that user write to FERRY_DATA."),
    ("", "The file system of FERRY_DATA needs file locks (fcntl): keep it on a local disk."),
)


def spool_checks() -> Iterator[Check]:
    """Check a write as in an upload, the locks and the permissions. Leaves no file behind."""
    settings = config.current()
    yield run_check(f"spool {settings.spool_dir}", _write, _ADVICE)
    yield run_check(f"locks {settings.ferry_data}", _lock, _LOCK_ADVICE)
    yield run_check("permissions", _permissions, _ADVICE)


def _write() -> Check:
    spooler, id = current_services().spool, str(uuid.uuid4())
    subject, status = f"spool {spooler.folder}", _status(spooler.folder)
    if status is not None and status.st_uid != os.geteuid():
        # Ferry could not read files that this user would create here.
        raise PermissionError(errno.EPERM, f"It belongs to user {status.st_uid}", str(spooler.folder))
    if len(spooler.identity) != _IDENTITY_LENGTH:
        return Check(
            subject,
            False,
            f"{spooler.folder}/.identity is damaged. Its text is the value of `spool` in its files' rows.",
        )
    spooler.write(id, iter([_CONTENT]))
    try:
        if b"".join(spooler.open(id)) != _CONTENT:
            raise BytesLost
    finally:
        spooler.delete(id)
    disk = os.statvfs(spooler.folder)
    result = f"written, read and removed; {disk.f_bavail * disk.f_frsize // 10**6} MB free"
    if not spool.sync_folder(spooler.folder):
        result += "; this file system can't force a folder's entries to disk: a power cut may lose accepted files"
    return Check(subject, True, result)


def _lock() -> Check:
    with current_services().host_slots.acquire("doctor", 8, BlockingIOError("8 checks hold them")):
        return Check(f"locks {config.current().ferry_data}", True, "acquired and released")


def _permissions() -> Check:
    """Check that no other user of the machine owns, or can read or change, Ferry's files."""
    me, data = os.geteuid(), config.current().ferry_data
    found = {path: status for path in _data_paths() if (status := _status(path)) is not None}
    foreign = [path for path, status in found.items() if status.st_uid != me]
    data_status = _status(data)
    # The folder of a volume may belong to another user and to a group of Ferry's user.
    wide = [data] if data_status is not None and data_status.st_mode & 0o007 else []
    wide += [path for path, status in found.items() if status.st_mode & 0o077]
    if foreign:
        owner = found[foreign[0]].st_uid
        problem = f"{_summary(foreign)} of user {owner}, this runs as user {me}. Run it as the user that Ferry runs as"
        return Check("permissions", False, f"{problem}; or: chown -R {me} {_roots(foreign)}")
    if wide:
        problem = f"{_summary(wide)} open to other users. Run: chmod -R go= {_roots(wide)}"
        return Check("permissions", False, f"{problem} (a disk that keeps no permissions: mount it with umask=077)")
    return Check("permissions", True, "only this user can read Ferry's files")


def _data_paths() -> Iterator[Path]:
    """The folders and files that Ferry itself writes, existing or not."""
    settings = config.current()
    yield settings.ferry_data / "slots"
    yield settings.spool_dir
    if settings.spool_dir.is_dir() and os.access(settings.spool_dir, os.R_OK | os.X_OK):
        yield from islice(settings.spool_dir.iterdir(), _MAX_FILES)
    database = make_url(settings.sqlalchemy_database_uri)
    if database.get_backend_name() == "sqlite" and database.database:
        yield from (Path(f"{database.database}{end}") for end in ("", "-wal", "-shm", "-turn"))


def _status(path: Path) -> os.stat_result | None:
    """The status of a path; None if it does not exist."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _summary(paths: list[Path]) -> str:
    return f"{paths[0]} is" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more are"


def _roots(paths: list[Path]) -> str:
    """The paths that are not inside another of them."""
    return " ".join(str(path) for path in paths if not set(path.parents) & set(paths))
