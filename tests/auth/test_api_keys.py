"""API keys: only the right token opens, for as long as it may; and what the operator sees of them."""

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


def made(owner: str = "alice", seconds: float | None = None) -> tuple[str, str]:
    """A new key's id and token."""
    token = api_keys.create(owner, ["read"], seconds)
    return token.split("_")[1], token


def is_good(id: str, token: str) -> bool:
    key = api_keys.get_live(id)
    return key is not None and key.verify(token)


def test_a_token_opens_its_key_and_no_other(app: Flask) -> None:
    id, token = made()
    _, other = made()

    assert is_good(id, token)
    assert not is_good(id, token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert not is_good(id, other)


def test_only_a_digest_of_the_token_is_kept(app: Flask) -> None:
    _, token = made()

    with connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert token not in kept
    assert token.split("_", 2)[2] not in kept


def test_a_key_that_has_expired_or_was_revoked_is_none(app: Flask) -> None:
    expired, _ = made(seconds=-1)
    revoked, _ = made()
    api_keys.revoke(revoked)

    assert (api_keys.get_live(expired), api_keys.get_live(revoked), api_keys.get_live("0" * 12)) == (None, None, None)


def test_a_rotated_key_has_a_new_token_and_keeps_the_old_one_for_a_while(app: Flask) -> None:
    id, old = made()

    new = api_keys.rotate(id, 60)
    assert new is not None
    assert is_good(id, new)
    assert is_good(id, old)
    newest = api_keys.rotate(id, -1)
    assert newest is not None
    assert [is_good(id, token) for token in (old, new, newest)] == [False, False, True]


def test_what_has_ended_can_be_neither_rotated_nor_revoked(app: Flask) -> None:
    id, _ = made()
    api_keys.revoke(id)

    assert (api_keys.rotate(id, 0), api_keys.revoke(id)) == (None, False)


@pytest.mark.parametrize(
    "token",
    ["", "ferry_", "ferry_0123456789ab_" + "a" * 42, "ferry_0123456789ab_" + "a" * 44, "ferry_0123456789AB_" + "a" * 43,
     "ferry_0123456789ab_" + "ä" * 43, "xferry_0123456789ab_" + "a" * 43, "ferry_0123456789ab_" + "a" * 43 + "\n"],
)  # fmt: skip
def test_what_does_not_look_like_a_token_is_none(token: str) -> None:
    assert api_keys.key_id_in_token(token) is None


def test_a_key_is_made_in_the_shell_and_shown_once(shell: FlaskCliRunner) -> None:
    made = shell.invoke(args=["keys", "create", "--owner", "alice", "--scopes", "upload,read", "--quota", "2GiB"])
    token = made.output.strip()
    assert re.fullmatch(r"ferry_[0-9a-f]{12}_[\w-]{43}", token)

    listed = shell.invoke(args=["keys", "list"]).output
    assert token.split("_")[1] in listed
    assert "alice" in listed
    assert "upload,read" in listed
    assert "0 (2147483648)" in listed
    assert token not in listed


def test_a_key_is_rotated_and_revoked_in_the_shell(shell: FlaskCliRunner) -> None:
    id, old = made()

    new = shell.invoke(args=["keys", "rotate", id, "--keep", "1h"]).output.strip()
    assert is_good(id, new)
    assert is_good(id, old)
    assert shell.invoke(args=["keys", "revoke", id]).exit_code == 0
    assert api_keys.get_live(id) is None
    assert "revoked" in shell.invoke(args=["keys", "list"]).output
    assert shell.invoke(args=["keys", "revoke", id]).exit_code == 1
    assert shell.invoke(args=["keys", "rotate", id]).exit_code == 1


def test_a_quota_is_changed_and_taken_away_in_the_shell(shell: FlaskCliRunner) -> None:
    id, _ = made()

    assert shell.invoke(args=["keys", "quota", "alice", "--quota", "5", "--quota-uploads", "3"]).exit_code == 0
    key = api_keys.get_live(id)
    assert key is not None
    assert (key.quota_bytes, key.quota_files, key.quota_uploads) == (5, None, 3)
    shell.invoke(args=["keys", "quota", "alice", "--quota", "none"])
    key = api_keys.get_live(id)
    assert key is not None
    assert (key.quota_bytes, key.quota_uploads) == (None, 3)
    assert shell.invoke(args=["keys", "quota", "nobody", "--quota", "5"]).exit_code == 1


def test_a_key_has_a_bound_of_its_own_and_loses_it_in_the_shell(shell: FlaskCliRunner) -> None:
    args = ["keys", "create", "--owner", "alice", "--uploads-at-once", "13"]
    id = shell.invoke(args=args).output.split("_")[1]

    def bound() -> int | None:
        key = api_keys.get_live(id)
        assert key is not None
        return key.uploads_at_once

    assert bound() == 13
    assert re.search(r"AT ONCE.*\n.*  13 ", shell.invoke(args=["keys", "list"]).output)
    assert shell.invoke(args=["keys", "change", id, "--uploads-at-once", "9"]).exit_code == 0
    assert bound() == 9
    api_keys.rotate(id, 0)
    assert bound() == 9
    assert shell.invoke(args=["keys", "change", id, "--uploads-at-once", "none"]).exit_code == 0
    assert bound() is None


def test_a_bound_that_is_not_granted_is_said(shell: FlaskCliRunner) -> None:
    made = shell.invoke(args=["keys", "create", "--owner", "alice", "--uploads-at-once", "100"])

    assert made.stdout.startswith("ferry_")
    assert made.stderr == "With WEB_THREADS=16 it has 14 at once: raise WEB_THREADS.\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [(["0" * 12, "--uploads-at-once", "3"], 1), (["x", "--uploads-at-once", "0"], 2),
     (["x", "--uploads-at-once", "a"], 2), (["x"], 2)],
)  # fmt: skip
def test_nonsense_changes_no_key(shell: FlaskCliRunner, args: list[str], code: int) -> None:
    assert shell.invoke(args=["keys", "change", *args]).exit_code == code


@pytest.mark.parametrize(
    "args",
    [["--owner", "a b"], ["--owner", "a" * 65], ["--owner", "a", "--scopes", "admin"], ["--owner", "a", "--scopes", ""],
     ["--owner", "a", "--expires", "soon"], ["--owner", "a", "--quota", "-1"],
     ["--owner", "a", "--uploads-at-once", "0"], ["--owner", "a", "--uploads-at-once", "none"],
     ["--owner", "a", "--quota", "9999999999TiB"], []],
)  # fmt: skip
def test_nonsense_makes_no_key(shell: FlaskCliRunner, args: list[str]) -> None:
    assert shell.invoke(args=["keys", "create", *args]).exit_code == 2
    assert not api_keys.any_exists()
