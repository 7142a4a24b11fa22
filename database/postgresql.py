"""PostgreSQL: connections that are bounded in time, also through a pooler, and what its failures mean.

A pooler in transaction mode (PgBouncer, Neon's, RDS Proxy …) hands each transaction to another session. It refuses or
drops what belongs to a session: start-up options and prepared statements.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection as Checkout
from sqlalchemy import exc
from sqlalchemy.engine import ExceptionContext

T = TypeVar("T")

log = logging.getLogger("ferry.database")

_SILENCE_SECONDS = 10
"""Longer than any statement may take. Only this helps against a stopped server: its kernel still acknowledges bytes,
so that no time-out of TCP ever comes, and the server's own statement_timeout does not run either."""

_LIMITS = {"statement_timeout": "8s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}
_LIMIT_THIS_TRANSACTION = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _LIMITS.items()
)

OPTIONS = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 10}
"""libpq's connection parameters (PostgreSQL manual, §32.1.2), where the URI names no others. No pooler sees them."""

_READ_ONLY = "25006"
_SAY_READ_ONLY = f"DO $$ BEGIN RAISE 'the server is read-only' USING ERRCODE = '{_READ_ONLY}'; END $$"
_UNPREPARED = ("26000", "42P05", "0A000")
"""A prepared statement is unknown, known already, or of before a migration."""

_USELESS = (_READ_ONLY, "25P03", "25P04", *_UNPREPARED)
_USELESS_CLASSES = ("08", "57P")
_REPEATS = {"40001": 4, "40P01": 4, _READ_ONLY: 1} | dict.fromkeys(_UNPREPARED, 1)


def sqlstate(error: BaseException) -> str | None:
    """The server's code for a failure (PostgreSQL manual, appendix A); None where it did not say one."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None)


def is_unusable(code: str | None) -> bool:
    """Whether a connection on which this SQLSTATE came can't be used for anything more.

    25006: the server was demoted, and takes no changes. The session is about to end, or ended (08, 57P, 25P03, 25P04).
    It is another one than it was, behind a pooler.
    """
    return code is not None and (code in _USELESS or code.startswith(_USELESS_CLASSES))


def max_retries(error: BaseException) -> int:
    """How often it makes sense to do again at once what failed so, and was undone by the server.

    Another connection may lead to the new primary, or have its statements prepared. A deadlock, or a conflict of
    serializable transactions, is over as soon as one of the two gives way.
    """
    return _REPEATS.get(sqlstate(error) or "", 0)


def was_rolled_back(error: BaseException) -> bool:
    """Whether the server says that it changed nothing. An answer that was lost says nothing."""
    code = sqlstate(error)
    return code is not None and not code.startswith(_USELESS_CLASSES) and code != "40003"


def refuses_options(text: str) -> bool:
    """Whether a connection may have been refused for its start-up options. To be tried without them is all it means.

    PgBouncer says "unsupported startup parameter", RDS Proxy "doesn't support command-line options".
    """
    return re.search(r"startup parameter|\boptions?\b", text, re.IGNORECASE) is not None


def is_pooled(connection: Checkout) -> bool:
    """Whether a connection goes through a pooler that gives it no session of its own."""
    return getattr(connection.connection.dbapi_connection, "is_pooled", False)


class _Bounded(Connection[Any]):
    """A connection that is closed when the server does not answer in time."""

    is_pooled = False

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, timeout or _SILENCE_SECONDS)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # Its answer may still come, and would be taken for that of the next statement.
                self.pgconn.finish()
            raise


class Connections:
    """Makes the connections of one engine, and looks at how they fail."""

    def __init__(self) -> None:
        self._takes_options = self._prepares = True

    def connect(
        self, dialect: object, record: object, arguments: Sequence[Any], options: dict[str, Any]
    ) -> Connection[Any]:
        """SQLAlchemy's `do_connect`: a new connection, with the limits of its session where it has one of its own."""
        options = OPTIONS | options
        options.pop("prepare_threshold", None)  # From the URI it comes as text, and is decided here.
        if self._takes_options:
            try:
                return self._with_limits(arguments, options)
            except OperationalError as error:
                if not refuses_options(str(error)):
                    raise
        connection = _pooled(_Bounded.connect(*arguments, **options))
        if self._takes_options:
            self._takes_options = False
            log.info("the database takes no start-up options, so it is behind a pooler: limits go with transactions")
        return connection

    def _with_limits(self, arguments: Sequence[Any], options: dict[str, Any]) -> Connection[Any]:
        mark = uuid.uuid4().hex
        asked = {"ferry.session": mark, **_LIMITS}
        text = " ".join([options.get("options", ""), *(f"-c {name}={value}" for name, value in asked.items())])
        connection = _Bounded.connect(*arguments, **options | {"options": text.strip()})
        connection.autocommit = True
        found = connection.execute("SELECT current_setting('ferry.session', true)").fetchone()
        connection.autocommit = False
        if found != (mark,):  # Taken and dropped: PgBouncer's ignore_startup_parameters.
            return _pooled(connection)
        if not self._prepares:
            connection.prepare_threshold = None
        return connection

    def limit(self, connection: Checkout) -> None:
        """SQLAlchemy's `begin`: a transaction through a pooler has the limits for itself."""
        session = connection.connection.dbapi_connection
        if is_pooled(connection) and not getattr(session, "autocommit", True):
            connection.exec_driver_sql(_LIMIT_THIS_TRANSACTION)

    def failed(self, context: ExceptionContext) -> exc.OperationalError | None:
        """SQLAlchemy's `handle_error`: throw away what is useless, with all connections that are as old.

        Then the database counts as away, whatever class of errors the driver has for it.
        """
        code = sqlstate(context.original_exception)
        if not is_unusable(code):
            return None
        self._prepares = self._prepares and code not in _UNPREPARED
        context.is_disconnect = True
        return exc.OperationalError(
            context.statement, None, context.original_exception, hide_parameters=True, connection_invalidated=True
        )


def check(connection: Checkout) -> None:
    """Raises OperationalError where the server takes no changes: a standby, or one that was demoted."""
    if connection.exec_driver_sql("SELECT current_setting('transaction_read_only')").scalar_one() == "on":
        # Said by the server, it is met like the failure of any change: all connections go.
        connection.exec_driver_sql(_SAY_READ_ONLY)


def _pooled(connection: _Bounded) -> _Bounded:
    connection.is_pooled, connection.prepare_threshold = True, None
    return connection
