"""A failing `flask` command prints one line with a remedy; tracebacks are for bugs in Ferry."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from cli.failures import explain
from config import ConfigError
from dev import parts
from storage.base import StorageDenied

MIGRATE = "The database has no schema, or an old one. Run: flask db upgrade"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError("PORT=x: must be a number"), "PORT=x: must be a number"),
        (OperationalError("", None, sqlite3.OperationalError("no such table: files")), MIGRATE),
        (OperationalError("", None, sqlite3.OperationalError("no such column: files.x")), MIGRATE),
        (ProgrammingError("", None, Exception('relation "files" does not exist')), MIGRATE),
        (
            OperationalError("SELECT 'x'", None, sqlite3.OperationalError("unable to open database file")),
            "The database failed: OperationalError: unable to open database file. Look closer with: flask doctor",
        ),
        (StorageDenied(), "Storage access denied (storage-denied). Look closer with: flask doctor"),
        (OSError(errno.EROFS, "Read-only", "/x"), "Read-only: /x. Look closer with: flask doctor"),
        (IntegrityError("", None, Exception("x")), None),
        (OSError(errno.EPIPE, "Broken pipe"), None),
        (KeyError("x"), None),
    ],
)
def test_failures_outside_of_ferry_are_explained(error: Exception, expected: str | None) -> None:
    assert explain(error) == expected


@pytest.mark.parametrize(
    ("argv", "setting", "message"),
    [
        (["db", "upgrade"], {"MAX_FILE_SIZE": "ten"}, "MAX_FILE_SIZE=ten: must be a size in bytes"),
        (["keys", "list"], {}, MIGRATE),
    ],
)
def test_a_failing_command_prints_one_line_and_exits_with_1(
    tmp_path: Path, argv: list[str], setting: dict[str, str], message: str
) -> None:
    env = os.environ | {"FERRY_DATA": str(tmp_path), "STORAGE": "memory", "FLASK_APP": "app"} | setting
    ran = subprocess.run(
        [str(parts.BIN / "flask"), *argv], cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30
    )

    assert (ran.returncode, message in ran.stderr, "Traceback" in ran.stderr) == (1, True, False), ran.stderr
