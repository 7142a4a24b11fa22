"""The disk checks of `flask doctor`: a write through the spool, with the system's own error messages."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from cli import spool_checks
from cli.checks import message_of
from problems import Problem, SpoolDiskFull, SpoolLimitReached
from services import current_services
from storage import Check

Function = Callable[..., object]


def failing(code: int) -> Function:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def checks_by_name() -> dict[str, Check]:
    return {check.subject.split()[0]: check for check in spool_checks.spool_checks()}


def test_a_healthy_disk_passes_and_no_file_stays(app: Flask) -> None:
    assert all(check.ok for check in checks_by_name().values())
    assert [path.name for path in current_services().spool.folder.iterdir()] == [".identity"]


@pytest.mark.parametrize(
    ("code", "remedy"),
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
def test_a_failing_step_is_reported_with_a_remedy(
    app: Flask, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str, step: str
) -> None:
    """At each step of a spool write; the identity exists already."""
    assert current_services().spool.identity
    with monkeypatch.context() as patched:
        patched.setattr(Path if step == "rename" else os, step, failing(code))
        check = checks_by_name()["spool"]

    assert (check.ok, remedy in check.detail) == (False, True), check.detail
    assert [path.name for path in current_services().spool.folder.iterdir()] == [".identity"]


@pytest.mark.parametrize(("problem", "remedy"), [(SpoolDiskFull, "is full"), (SpoolLimitReached, "SPOOL_MAX_BYTES")])
def test_a_refused_write_is_reported_with_a_remedy(
    app: Flask, monkeypatch: pytest.MonkeyPatch, problem: type[Problem], remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(type(current_services().spool), "write", refuse)
    check = checks_by_name()["spool"]

    assert (check.ok, remedy in check.detail) == (False, True), check.detail


def test_a_file_system_without_links_and_locks_is_reported(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))

    assert "neither hard links nor file locks" in checks_by_name()["spool"].detail


def test_a_disk_without_file_locks_is_reported(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "fcntl", failing(errno.ENOLCK))

    check = checks_by_name()["locks"]
    assert (check.ok, "ENOLCK" in check.detail, "FERRY_DATA" in check.detail) == (False, True, True)


def test_a_file_system_that_can_not_sync_folders_is_reported(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def only_files(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(fd)

    monkeypatch.setattr(os, "fsync", only_files)
    check = checks_by_name()["spool"]
    assert (check.ok, "a power cut may lose" in check.detail) == (True, True)


@pytest.mark.parametrize("place", ["spool", "spool/.identity", "slots", "ferry.db", "."])
def test_files_that_others_can_read_are_reported(app: Flask, tmp_path: Path, place: str) -> None:
    assert checks_by_name()["permissions"].ok
    (tmp_path / place).chmod(0o705 if (tmp_path / place).is_dir() else 0o604)

    check = checks_by_name()["permissions"]
    assert (check.ok, f"chmod -R go= {tmp_path / place}" in check.detail) == (False, True), check.detail


def test_a_folder_of_another_user_is_reported_and_not_written_to(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    current_services().spool._create_folder()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    checks = checks_by_name()
    assert "this runs as user 4711" in checks["permissions"].detail
    assert "It belongs to user" in checks["spool"].detail
    assert list(current_services().spool.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system (EROFS): /x"),
        (SpoolDiskFull(), "Spool disk is full"),
        (ValueError("two\n lines. "), "ValueError: two lines"),
        (ValueError("x" * 9999), f"ValueError: {'x' * 388}"),
        (ConnectionError("redis://:hunter2@h:1/0 is away"), "ConnectionError: redis://…@h:1/0 is away"),
    ],
)
def test_an_error_message_is_one_line(app: Flask, error: Exception, message: str) -> None:
    assert message_of(error) == message


def test_passwords_of_the_settings_are_removed(settings: dict[str, str]) -> None:
    uri = {"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://me:p%2Fw0rd@h/n"}
    with create_app(settings | uri).app_context():
        assert message_of(ValueError("missing = after p/w0rd or p%2Fw0rd")) == "ValueError: missing = after … or …"
