"""Files of nobody, sent while there was no key, can be given to an owner: with what they count for, and no more."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

import file
from auth import api_keys
from lifecycle import transitions
from models import File
from quotas import storage_quota
from tests.fakes import found


@pytest.fixture
def shell(app: Flask) -> FlaskCliRunner:
    api_keys.create("alice", ["read"], None)
    return app.test_cli_runner()


@pytest.fixture
def sent(shell: FlaskCliRunner) -> list[File]:
    """Two stored files of nobody, one that failed, one at work."""
    rows = [file.new("a", "text/plain", "normal") for _ in range(4)]
    for row in rows:
        file.hold(row, 4)
    for row in rows[:2]:
        file.store(row, iter([b"1234"]))
    transitions.fail(rows[2], "storage-denied")
    return rows


def test_an_owner_gets_the_files_of_nobody(shell: FlaskCliRunner, sent: list[File]) -> None:
    done = shell.invoke(args=["keys", "adopt", "alice"])

    assert (done.exit_code, done.output) == (0, "3 files adopted\n")
    assert [found(row).owner for row in sent] == ["alice", "alice", "alice", None]
    assert (storage_quota.get_owner("alice").used_bytes, storage_quota.get_owner("alice").used_files) == (8, 2)
    assert shell.invoke(args=["keys", "adopt", "alice"]).output == "0 files adopted\n"


def test_who_had_looked_before_counts_right(shell: FlaskCliRunner, sent: list[File]) -> None:
    before = [found(row) for row in sent]
    shell.invoke(args=["keys", "adopt", "alice"])

    assert transitions.delete(before[0])
    assert not transitions.retry(before[2])
    assert (storage_quota.get_owner("alice").used_bytes, storage_quota.get_owner("alice").used_files) == (4, 1)


def test_not_more_than_the_quota(shell: FlaskCliRunner, sent: list[File]) -> None:
    shell.invoke(args=["keys", "quota", "alice", "--quota", "5"])
    done = shell.invoke(args=["keys", "adopt", "alice"])

    assert (done.exit_code, "0 files adopted. The next are too much" in done.output) == (1, True)
    assert {found(row).owner for row in sent} == {None}


def test_by_whom_nobody_knows(shell: FlaskCliRunner) -> None:
    assert "There is no owner 'bob'" in shell.invoke(args=["keys", "adopt", "bob"]).output
