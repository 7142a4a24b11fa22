"""`flask keys adopt` assigns files without an owner to an owner, and counts them towards its quota."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from auth import api_keys
from lifecycle import transitions
from models import FileRow
from quotas import storage_quota
from tests.harness.factories import failed_file, reload, stored_file, uploading_file


@pytest.fixture
def shell(app: Flask) -> FlaskCliRunner:
    api_keys.create("alice", ["read"], None)
    return app.test_cli_runner()


@pytest.fixture
def unowned(shell: FlaskCliRunner) -> list[FileRow]:
    """Four files without an owner: two stored, one failed, one being processed."""
    return [stored_file(b"1234"), stored_file(b"1234"), failed_file(), uploading_file(4)]


def test_the_owner_gets_all_ended_files(shell: FlaskCliRunner, unowned: list[FileRow]) -> None:
    result = shell.invoke(args=["keys", "adopt", "alice"])

    assert (result.exit_code, result.output) == (0, "3 files adopted\n")
    assert [reload(row).owner for row in unowned] == ["alice", "alice", "alice", None]
    assert (storage_quota.get_owner("alice").used_bytes, storage_quota.get_owner("alice").used_files) == (8, 2)
    assert shell.invoke(args=["keys", "adopt", "alice"]).output == "0 files adopted\n"


def test_rows_read_before_the_adoption_are_counted_for_the_owner(shell: FlaskCliRunner, unowned: list[FileRow]) -> None:
    stale = [reload(row) for row in unowned]
    shell.invoke(args=["keys", "adopt", "alice"])

    assert transitions.mark_deleted(stale[0])
    assert not transitions.set_pending(stale[2])
    assert (storage_quota.get_owner("alice").used_bytes, storage_quota.get_owner("alice").used_files) == (4, 1)


def test_the_quota_is_not_exceeded(shell: FlaskCliRunner, unowned: list[FileRow]) -> None:
    shell.invoke(args=["keys", "quota", "alice", "--quota", "5"])
    result = shell.invoke(args=["keys", "adopt", "alice"])

    assert (result.exit_code, "0 files adopted. The next are too much" in result.output) == (1, True)
    assert {reload(row).owner for row in unowned} == {None}


def test_an_unknown_owner_is_an_error(shell: FlaskCliRunner) -> None:
    assert "There is no owner 'bob'" in shell.invoke(args=["keys", "adopt", "bob"]).output
