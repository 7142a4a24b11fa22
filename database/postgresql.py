"""PostgreSQL: connections with time limits, also through a pooler, and the meaning of its errors.

A pooler in transaction mode (PgBouncer, Neon's, RDS Proxy …) runs each transaction in another session. It rejects or
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
from sqlalchemy import Engine, event, exc
from sqlalchemy.engine import ExceptionContext

T = TypeVar("T")

log = logging.getLogger("ferry.database")

_RESPONSE_TIMEOUT = 10
"""Seconds; longer than any statement may take. The only protection from a suspended server: its kernel still
acknowledges bytes, so no TCP time-out expires, and the server's own statement_timeout does not run either."""

_LIMITS = {"statement_timeout": "8s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}
_SET_TRANSACTION_LIMITS = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _LIMITS.items()
)

OPTIONS = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 10}
"""Defaults of libpq's connection parameters (PostgreSQL manual, §32.1.2). They are not sent to a pooler."""

_READ_ONLY = "25006"
_RAISE_READ_ONLY = f"DO $$ BEGIN RAISE 'the server is read-only' USING ERRCODE = '{_READ_ONLY}'; END $$"
_PREPARED_STATEMENT = ("26000", "42P05", "0A000")
"""SQLSTATEs of a prepared statement that is unknown, exists already, or predates a migration."""

_UNUSABLE = (_READ_ONLY, "25P03", "25P04", *_PREPARED_STATEMENT)
_UNUSABLE_CLASSES = ("08", "57P")
_MAX_RETRIES = {"40001": 4, "40P01": 4, _READ_ONLY: 1} | dict.fromkeys(_PREPARED_STATEMENT, 1)


def sqlstate(error: BaseException) -> str | None:
    """The server's code of an error (PostgreSQL manual, appendix A); None if the error is not the server's."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None)


def is_unusable(code: str | None) -> bool:
    """Return whether a connection must be discarded after this SQLSTATE.

    25006: the server was demoted and is read-only. 08, 57P, 25P03, 25P04: the session has ended or is about to.
    26000, 42P05, 0A000: behind a pooler, the session is another one.
    """
    return code is not None and (code in _UNUSABLE or code.startswith(_UNUSABLE_CLASSES))


def max_retries(error: BaseException) -> int:
    """How often to retry at once a transaction that the server rolled back with this error.

    A new connection may lead to the new primary, or has no stale prepared statements. A deadlock or serialization
    conflict is over as soon as one of the two transactions is rolled back.
    """
    return _MAX_RETRIES.get(sqlstate(error) or "", 0)


def was_rolled_back(error: BaseException) -> bool:
    """Return whether the server reports that it changed nothing. 40003: it does not know."""
    code = sqlstate(error)
    return code is not None and not code.startswith(_UNUSABLE_CLASSES) and code != "40003"


def refuses_options(text: str) -> bool:
    """Return whether a connection may have been refused for its start-up options, and should be retried without them.

    PgBouncer says "unsupported startup parameter", RDS Proxy "doesn't support command-line options".
    """
    return re.search(r"startup parameter|\boptions?\b", text, re.IGNORECASE) is not None


def is_pooled(connection: Checkout) -> bool:
    """Return whether a connection goes through a pooler, and so has no session of its own."""
    return getattr(connection.connection.dbapi_connection, "is_pooled", False)


class _TimeoutConnection(Connection[Any]):
    """A connection that closes itself if the server does not answer in time."""

    is_pooled = False

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, timeout or _RESPONSE_TIMEOUT)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # A late answer would be read as that of the next statement.
                self.pgconn.finish()
            raise


class Connections:
    """Opens the connections of one engine, and handles their errors."""

    def __init__(self) -> None:
        self._accepts_options = self._prepares = True

    def listen(self, engine: Engine) -> None:
        """Open every connection of an engine, and handle its errors."""
        event.listen(engine, "do_connect", self.connect)
        event.listen(engine, "begin", self.set_limits)
        event.listen(engine, "handle_error", self.handle_error)

    def connect(
        self, dialect: object, record: object, arguments: Sequence[Any], options: dict[str, Any]
    ) -> Connection[Any]:
        """SQLAlchemy's `do_connect`: a new connection, with time limits if it has a session of its own."""
        options = OPTIONS | options
        options.pop("prepare_threshold", None)  # In a URI it is text; set below instead.
        if self._accepts_options:
            try:
                return self._with_limits(arguments, options)
            except OperationalError as error:
                if not refuses_options(str(error)):
                    raise
        connection = _mark_pooled(_TimeoutConnection.connect(*arguments, **options))
        if self._accepts_options:
            self._accepts_options = False
            log.info("database.pooler: start-up options are refused, time limits are set in each transaction")
        return connection

    def _with_limits(self, arguments: Sequence[Any], options: dict[str, Any]) -> Connection[Any]:
        marker = uuid.uuid4().hex
        settings = {"ferry.session": marker, **_LIMITS}
        text = " ".join([options.get("options", ""), *(f"-c {name}={value}" for name, value in settings.items())])
        connection = _TimeoutConnection.connect(*arguments, **options | {"options": text.strip()})
        connection.autocommit = True
        found = connection.execute("SELECT current_setting('ferry.session', true)").fetchone()
        connection.autocommit = False
        if found != (marker,):  # Accepted but dropped: PgBouncer's ignore_startup_parameters.
            return _mark_pooled(connection)
        if not self._prepares:
            connection.prepare_threshold = None
        return connection

    def set_limits(self, connection: Checkout) -> None:
        """SQLAlchemy's `begin`: set the time limits of a transaction through a pooler."""
        session = connection.connection.dbapi_connection
        if is_pooled(connection) and not getattr(session, "autocommit", True):
            connection.exec_driver_sql(_SET_TRANSACTION_LIMITS)

    def handle_error(self, context: ExceptionContext) -> exc.OperationalError | None:
        """SQLAlchemy's `handle_error`: discard an unusable connection, and all that are as old.

        Returns an OperationalError then, so that the database counts as unavailable whatever the driver's class is.
        """
        code = sqlstate(context.original_exception)
        if not is_unusable(code):
            return None
        self._prepares = self._prepares and code not in _PREPARED_STATEMENT
        context.is_disconnect = True
        return exc.OperationalError(
            context.statement, None, context.original_exception, hide_parameters=True, connection_invalidated=True
        )


def check(connection: Checkout) -> None:
    """Raises OperationalError if the server is read-only: a standby, or a demoted primary."""
    if connection.exec_driver_sql("SELECT current_setting('transaction_read_only')").scalar_one() == "on":
        # Raised by the server, it is handled as for any write: all connections are discarded.
        connection.exec_driver_sql(_RAISE_READ_ONLY)


def _mark_pooled(connection: _TimeoutConnection) -> _TimeoutConnection:
    connection.is_pooled, connection.prepare_threshold = True, None
    return connection
