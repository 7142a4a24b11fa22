"""PostgreSQL errors: their meaning by SQLSTATE, and their text in the log."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import exc

from database import postgresql
from database.engine import UNAVAILABLE, describe, was_rolled_back
from database.postgresql import Connections

UNUSABLE = (
    "25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P04", "57P05",
    "08000", "08001", "08003", "08004", "08006", "08007", "08P01", "26000", "42P05", "0A000",
)  # fmt: skip
TRANSIENT = ("53000", "53100", "53200", "53300", "53400", "40001", "40003", "40P01", "55P03", "57014", "58030", "58P01")
PROGRAMMING_ERRORS = ("23505", "22P02", "42501", "42P01", "42601", "XX000", "25P02")


def raised(code: str, text: str = "message") -> Any:
    """The exception that SQLAlchemy raises for a SQLSTATE, and whether it discards the connection."""
    cause = errors.lookup(code)(text)
    wrapped = exc.DBAPIError.instance("INSERT", {"a": 1}, cause, psycopg.Error, hide_parameters=True)
    context = SimpleNamespace(original_exception=cause, statement="INSERT", is_disconnect=False)
    return Connections().handle_error(context) or wrapped, context.is_disconnect  # type: ignore[arg-type]


@pytest.mark.parametrize("code", UNUSABLE)
def test_an_unusable_connection_is_discarded_and_the_database_unavailable(code: str) -> None:
    error, discarded = raised(code)

    assert (isinstance(error, UNAVAILABLE), discarded, error.connection_invalidated) == (True, True, True)
    assert describe(error) == f"{code}: message"


@pytest.mark.parametrize("code", TRANSIENT)
def test_a_transient_error_keeps_the_connection(code: str) -> None:
    error, discarded = raised(code)

    assert (isinstance(error, UNAVAILABLE), discarded) == (True, False)


@pytest.mark.parametrize("code", PROGRAMMING_ERRORS)
def test_a_programming_error_is_not_an_unavailable_database(code: str) -> None:
    error, discarded = raised(code)

    assert (isinstance(error, UNAVAILABLE), discarded) == (False, False)


@pytest.mark.parametrize(
    ("code", "times"),
    [("40001", 4), ("40P01", 4), ("25006", 1), ("26000", 1), ("42P05", 1), ("57P01", 0), ("08006", 0), ("23505", 0)],
)
def test_how_often_a_rolled_back_transaction_is_retried(code: str, times: int) -> None:
    error, _ = raised(code)

    assert postgresql.max_retries(error) == times
    assert was_rolled_back(error) is (not code.startswith(("57P", "08")))


def test_a_lost_answer_may_hide_a_commit() -> None:
    lost = exc.OperationalError("INSERT", {}, psycopg.OperationalError("server closed the connection unexpectedly"))

    assert not was_rolled_back(lost)
    assert not was_rolled_back(raised("40003")[0])
    assert was_rolled_back(exc.TimeoutError("QueuePool limit of size 5 overflow 8 reached"))


@pytest.mark.parametrize(
    ("name", "rolled_back"), [("SQLITE_READONLY", True), ("SQLITE_BUSY", True), ("SQLITE_IOERR", False)]
)
def test_sqlite_errors_are_classified_by_name(name: str, rolled_back: bool) -> None:
    cause = sqlite3.OperationalError("message")
    cause.sqlite_errorname = name
    error = exc.OperationalError("INSERT", {}, cause)

    assert (describe(error), was_rolled_back(error)) == (f"{name}: message", rolled_back)


def test_only_the_first_line_of_an_error_is_logged() -> None:
    assert (
        describe(raised("40001", "could not serialize\nDETAIL:  Key (name)=(secret)")[0])
        == "40001: could not serialize"
    )


def test_a_failed_connection_is_logged_for_each_host() -> None:
    error = exc.OperationalError(None, None, psycopg.OperationalError("no.\nAll failures were:\n- a: no\n- b: no"))

    assert describe(error) == "OperationalError: no.; All failures were:; - a: no; - b: no"
    assert len(describe(exc.OperationalError(None, None, psycopg.OperationalError("x" * 9999)))) == 500
    assert describe(exc.OperationalError(None, None, psycopg.OperationalError(""))) == "OperationalError: "


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("connection failed: FATAL:  unsupported startup parameter: options", True),
        ("FATAL:  unsupported startup parameter in options: ferry.session", True),
        ("FATAL:  Feature not supported: RDS Proxy currently doesn\u2019t support command-line options.", True),
        ('FATAL:  password authentication failed for user "ferry"', False),
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  sorry, too many clients already", False),
        ("server login has been failing, try again later (server_login_retry)", False),
        ("no more connections allowed (max_client_conn)", False),
        ("connection refused", False),
    ],
)
def test_refused_options_are_distinguished_from_other_refusals(text: str, refused: bool) -> None:
    assert postgresql.refuses_options(text) is refused
