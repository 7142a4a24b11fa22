"""What `flask doctor` says of the disk: the spool by the spool's own way of writing, and who else may read."""

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
from cli.checks import Advice, attempt
from problems import BytesLost
from services import current_services
from storage import Check

_BYTES = b"ferry"
_MOST_FILES = 1000
_IDENTITY_LENGTH = 36

_ADVICE: Advice = (
    ("EROFS", "SPOOL_DIR is mounted read-only. Mount it writable, or name another folder."),
    ("EACCES|EPERM", "Run this as the user that Ferry runs as, and let that user write to SPOOL_DIR."),
    ("ENOSPC|EDQUOT|no room|No room", "The disk of SPOOL_DIR is full: make room, or name another folder."),
    ("Too much is waiting", "SPOOL_MAX_BYTES is used up: see why files wait, or raise it."),
    ("ENOTDIR|EEXIST|ELOOP|ENAMETOOLONG", "SPOOL_DIR has to be the path of a folder."),
    ("ENOLCK|ENOSYS|ENOTSUP", "The file system has neither hard links nor file locks: keep SPOOL_DIR on a local disk."),
    ("EIO", "The disk of SPOOL_DIR fails: look into the kernel's log."),
    ("", "Check SPOOL_DIR: the folder must exist or be creatable, writable and have room."),
)
_LOCK_ADVICE: Advice = (
    ("EACCES|EPERM|EROFS", "Run this as the user that Ferry runs as, and let that user write to FERRY_DATA."),
    ("", "The file system of FERRY_DATA needs file locks (fcntl): keep it on a local disk."),
)


def spool_checks() -> Iterator[Check]:
    """A write as an upload makes it, the locks, and the permissions. Leaves nothing behind."""
    settings = config.current()
    yield attempt(f"spool {settings.spool_dir}", _write, _ADVICE)
    yield attempt(f"locks {settings.ferry_data}", _lock, _LOCK_ADVICE)
    yield attempt("permissions", _permissions, _ADVICE)


def _write() -> Check:
    here, id = current_services().spool, str(uuid.uuid4())
    subject, status = f"spool {here.folder}", _status(here.folder)
    if status is not None and status.st_uid != os.geteuid():
        # What another user writes here Ferry could not read.
        raise PermissionError(errno.EPERM, f"It belongs to user {status.st_uid}", str(here.folder))
    if len(here.identity) != _IDENTITY_LENGTH:
        return Check(
            subject, False, f"{here.folder}/.identity is damaged. Its text is what `spool` says in its files' rows."
        )
    here.write(id, iter([_BYTES]))
    try:
        if b"".join(here.open(id)) != _BYTES:
            raise BytesLost
    finally:
        here.delete(id)
    room = os.statvfs(here.folder)
    said = f"written, read and removed; {room.f_bavail * room.f_frsize // 10**6} MB free"
    if not spool.sync_folder(here.folder):
        said += "; this file system can't force a folder's entries to disk: a power cut may lose accepted files"
    return Check(subject, True, said)


def _lock() -> Check:
    with current_services().transfers.acquire("doctor", 8):
        return Check(f"locks {config.current().ferry_data}", True, "taken and given back")


def _permissions() -> Check:
    """Whether another user of the machine owns, or can read or change, what Ferry keeps."""
    me, data = os.geteuid(), config.current().ferry_data
    found = {path: status for path in _kept() if (status := _status(path)) is not None}
    foreign = [path for path, status in found.items() if status.st_uid != me]
    above = _status(data)
    # A volume's own folder may belong to another user, and to a group that Ferry's user is in.
    wide = [data] if above is not None and above.st_mode & 0o007 else []
    wide += [path for path, status in found.items() if status.st_mode & 0o077]
    if foreign:
        owner = found[foreign[0]].st_uid
        said = f"{_some(foreign)} of user {owner}, this runs as user {me}. Run it as the user that Ferry runs as"
        return Check("permissions", False, f"{said}; or: chown -R {me} {_roots(foreign)}")
    if wide:
        said = f"{_some(wide)} open to other users. Run: chmod -R go= {_roots(wide)}"
        return Check("permissions", False, f"{said} (a disk that keeps no permissions: mount it with umask=077)")
    return Check("permissions", True, "only this user can read what Ferry keeps")


def _kept() -> Iterator[Path]:
    """The folders and files that Ferry writes itself, whether they are there or not."""
    settings = config.current()
    yield settings.ferry_data / "slots"
    yield settings.spool_dir
    if settings.spool_dir.is_dir() and os.access(settings.spool_dir, os.R_OK | os.X_OK):
        yield from islice(settings.spool_dir.iterdir(), _MOST_FILES)
    database = make_url(settings.sqlalchemy_database_uri)
    if database.get_backend_name() == "sqlite" and database.database:
        yield from (Path(f"{database.database}{end}") for end in ("", "-wal", "-shm", "-turn"))


def _status(path: Path) -> os.stat_result | None:
    """What the system says of it; None where it is not there, or was removed just now."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _some(paths: list[Path]) -> str:
    return f"{paths[0]} is" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more are"


def _roots(paths: list[Path]) -> str:
    """The paths without those that lie in another of them."""
    return " ".join(str(path) for path in paths if not set(path.parents) & set(paths))
