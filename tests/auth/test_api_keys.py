"""API keys: tokens, rotation, expiry, and the `flask keys` commands."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import text

from auth import api_keys
from database.engine import connect


@pytest.fixture
def shell(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def create_key(owner: str = "alice", ttl: float | None = None) -> tuple[str, str]:
    """A new key's id and token."""
    token = api_keys.create(owner, ["read"], ttl)
    return token.split("_")[1], token


def is_accepted(id: str, token: str) -> bool:
    key = api_keys.get_live(id)
    return key is not None and key.verify(token)


def test_a_token_is_accepted_for_its_own_key_only(app: Flask) -> None:
    id, token = create_key()
    _, other = create_key()

    assert is_accepted(id, token)
    assert not is_accepted(id, token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert not is_accepted(id, other)


def test_only_a_digest_of_the_token_is_stored(app: Flask) -> None:
    _, token = create_key()

    with connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert token not in stored
    assert token.split("_", 2)[2] not in stored


def test_expired_revoked_and_unknown_keys_are_not_found(app: Flask) -> None:
    expired, _ = create_key(ttl=-1)
    revoked, _ = create_key()
    api_keys.revoke(revoked)

    assert (api_keys.get_live(expired), api_keys.get_live(revoked), api_keys.get_live("0" * 12)) == (None, None, None)


def test_a_rotated_key_accepts_both_tokens_for_the_overlap(app: Flask) -> None:
    id, old = create_key()

    new = api_keys.rotate(id, 60)
    assert new is not None
    assert is_accepted(id, new)
    assert is_accepted(id, old)
    newest = api_keys.rotate(id, -1)
    assert newest is not None
    assert [is_accepted(id, token) for token in (old, new, newest)] == [False, False, True]


def test_a_revoked_key_can_be_neither_rotated_nor_revoked(app: Flask) -> None:
    id, _ = create_key()
    api_keys.revoke(id)

    assert (api_keys.rotate(id, 0), api_keys.revoke(id)) == (None, False)


@pytest.mark.parametrize(
    "token",
    ["", "ferry_", "ferry_0123456789ab_" + "a" * 42, "ferry_0123456789ab_" + "a" * 44, "ferry_0123456789AB_" + "a" * 43,
     "ferry_0123456789ab_" + "ä" * 43, "xferry_0123456789ab_" + "a" * 43, "ferry_0123456789ab_" + "a" * 43 + "\n"],
)  # fmt: skip
def test_a_malformed_token_has_no_key_id(token: str) -> None:
    assert api_keys.key_id_in_token(token) is None


def test_keys_create_prints_the_token_once(shell: FlaskCliRunner) -> None:
    created = shell.invoke(args=["keys", "create", "--owner", "alice", "--scopes", "upload,read", "--quota", "2GiB"])
    token = created.output.strip()
    assert re.fullmatch(r"ferry_[0-9a-f]{12}_[\w-]{43}", token)

    listed = shell.invoke(args=["keys", "list"]).output
    assert token.split("_")[1] in listed
    assert "alice" in listed
    assert "upload,read" in listed
    assert "0 (2147483648)" in listed
    assert token not in listed


def test_keys_rotate_and_keys_revoke(shell: FlaskCliRunner) -> None:
    id, old = create_key()

    new = shell.invoke(args=["keys", "rotate", id, "--keep", "1h"]).output.strip()
    assert is_accepted(id, new)
    assert is_accepted(id, old)
    assert shell.invoke(args=["keys", "revoke", id]).exit_code == 0
    assert api_keys.get_live(id) is None
    assert "revoked" in shell.invoke(args=["keys", "list"]).output
    assert shell.invoke(args=["keys", "revoke", id]).exit_code == 1
    assert shell.invoke(args=["keys", "rotate", id]).exit_code == 1


def test_keys_quota_sets_and_removes_quotas(shell: FlaskCliRunner) -> None:
    id, _ = create_key()

    assert shell.invoke(args=["keys", "quota", "alice", "--quota", "5", "--quota-uploads", "3"]).exit_code == 0
    key = api_keys.get_live(id)
    assert key is not None
    assert (key.quota_bytes, key.quota_files, key.max_uploads_per_host) == (5, None, 3)
    shell.invoke(args=["keys", "quota", "alice", "--quota", "none"])
    key = api_keys.get_live(id)
    assert key is not None
    assert (key.quota_bytes, key.max_uploads_per_host) == (None, 3)
    assert shell.invoke(args=["keys", "quota", "unknown", "--quota", "5"]).exit_code == 1


def test_keys_change_sets_and_removes_the_transfer_limit(shell: FlaskCliRunner) -> None:
    args = ["keys", "create", "--owner", "alice", "--max-transfers", "13"]
    id = shell.invoke(args=args).output.split("_")[1]

    def limit() -> int | None:
        key = api_keys.get_live(id)
        assert key is not None
        return key.max_transfers

    assert limit() == 13
    assert re.search(r"AT ONCE.*\n.*  13 ", shell.invoke(args=["keys", "list"]).output)
    assert shell.invoke(args=["keys", "change", id, "--max-transfers", "9"]).exit_code == 0
    assert limit() == 9
    api_keys.rotate(id, 0)
    assert limit() == 9
    assert shell.invoke(args=["keys", "change", id, "--max-transfers", "none"]).exit_code == 0
    assert limit() is None


def test_a_limit_above_the_threads_prints_a_warning(shell: FlaskCliRunner) -> None:
    created = shell.invoke(args=["keys", "create", "--owner", "alice", "--max-transfers", "100"])

    assert created.stdout.startswith("ferry_")
    assert created.stderr == "With WEB_THREADS=16 it has 14 at once: raise WEB_THREADS.\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [(["0" * 12, "--max-transfers", "3"], 1), (["x", "--max-transfers", "0"], 2),
     (["x", "--max-transfers", "a"], 2), (["x"], 2)],
)  # fmt: skip
def test_invalid_arguments_change_no_key(shell: FlaskCliRunner, args: list[str], code: int) -> None:
    assert shell.invoke(args=["keys", "change", *args]).exit_code == code


@pytest.mark.parametrize(
    "args",
    [["--owner", "a b"], ["--owner", "a" * 65], ["--owner", "a", "--scopes", "admin"], ["--owner", "a", "--scopes", ""],
     ["--owner", "a", "--expires", "soon"], ["--owner", "a", "--quota", "-1"],
     ["--owner", "a", "--max-transfers", "0"], ["--owner", "a", "--max-transfers", "none"],
     ["--owner", "a", "--quota", "9999999999TiB"], []],
)  # fmt: skip
def test_invalid_arguments_create_no_key(shell: FlaskCliRunner, args: list[str]) -> None:
    assert shell.invoke(args=["keys", "create", *args]).exit_code == 2
    assert not api_keys.any_exists()
