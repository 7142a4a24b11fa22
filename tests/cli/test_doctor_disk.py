"""`flask doctor` on the disk: it writes as an upload does, and says what is wrong in the disk's own words."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from cli import checks, spool_checks
from cli.checks import words_of
from problems import StorageFull
from services import current_services
from storage import Check

Broken = Callable[..., object]


def refusing(code: int) -> Broken:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def said() -> dict[str, Check]:
    return {check.subject.split()[0]: check for check in spool_checks.spool_checks()}


def test_a_healthy_disk_is_well_and_nothing_stays(app: Flask) -> None:
    assert all(check.ok for check in said().values())
    assert [path.name for path in current_services().spool.folder.iterdir()] == [".identity"]


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "as the user that Ferry runs as"),
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EIO, "kernel's log"),
        (errno.ENXIO, "Check SPOOL_DIR"),
    ],
)
@pytest.mark.parametrize("step", ["open", "rename", "fsync"])
def test_a_step_that_fails_is_told_with_its_cure(
    app: Flask, monkeypatch: pytest.MonkeyPatch, code: int, cure: str, step: str
) -> None:
    """At each step of the spool's own way of writing; the identity is there already."""
    assert current_services().spool.identity
    with monkeypatch.context() as broken:
        broken.setattr(Path if step == "rename" else os, step, refusing(code))
        check = said()["spool"]

    assert (check.ok, cure in check.detail) == (False, True), check.detail
    assert [path.name for path in current_services().spool.folder.iterdir()] == [".identity"]


def test_without_links_and_locks_it_says_so(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refusing(errno.EPERM))
    monkeypatch.setattr(fcntl, "flock", refusing(errno.ENOLCK))

    assert "neither hard links nor file locks" in said()["spool"].detail


def test_a_disk_without_file_locks_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "fcntl", refusing(errno.ENOLCK))

    check = said()["locks"]
    assert (check.ok, "ENOLCK" in check.detail, "FERRY_DATA" in check.detail) == (False, True, True)


def test_a_folder_that_can_not_be_forced_to_disk_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def only_files(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(fd)

    monkeypatch.setattr(os, "fsync", only_files)
    check = said()["spool"]
    assert (check.ok, "a power cut may lose" in check.detail) == (True, True)


@pytest.mark.parametrize("place", ["spool", "spool/.identity", "slots", "ferry.db", "."])
def test_doctor_complains_of_what_others_can_read(app: Flask, tmp_path: Path, place: str) -> None:
    assert said()["permissions"].ok
    (tmp_path / place).chmod(0o705 if (tmp_path / place).is_dir() else 0o604)

    check = said()["permissions"]
    assert (check.ok, f"chmod -R go= {tmp_path / place}" in check.detail) == (False, True), check.detail


def test_what_belongs_to_another_user_is_told_and_not_written_to(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    current_services().spool._make_folder()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    found = said()
    assert "this runs as user 4711" in found["permissions"].detail
    assert "It belongs to user" in found["spool"].detail
    assert list(current_services().spool.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system (EROFS): /x"),
        (StorageFull(), "Spool disk is full"),
        (ValueError("two\n lines. "), "ValueError: two lines"),
        (ValueError("x" * 9999), f"ValueError: {'x' * 388}"),
        (ConnectionError("redis://:hunter2@h:1/0 is away"), "ConnectionError: redis://…@h:1/0 is away"),
    ],
)
def test_what_went_wrong_is_said_on_a_line(app: Flask, error: Exception, words: str) -> None:
    assert words_of(error) == words


def test_a_password_of_the_settings_is_left_out_wherever_it_stands(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = checks.config.current()
    monkeypatch.setattr(type(settings), "sqlalchemy_database_uri", "postgresql://me:p%2Fw0rd@h/n", raising=False)
    object.__setattr__(settings, "sqlalchemy_database_uri", "postgresql://me:p%2Fw0rd@h/n")

    assert words_of(ValueError("missing = after p/w0rd or p%2Fw0rd")) == "ValueError: missing = after … or …"
