"""PostgreSQL's connections: bounded in time, so that a server that is frozen costs seconds and not for ever."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from psycopg.pq import TransactionStatus

T = TypeVar("T")

_STATEMENT_SECONDS = 8
_SILENCE_SECONDS = 10
"""Longer than any statement may take. Only this helps against a stopped server: its kernel still acknowledges bytes,
so that no time-out of TCP ever comes, and the server's own statement_timeout does not run either."""

OPTIONS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "options": (
        f"-c statement_timeout={_STATEMENT_SECONDS * 1000} -c lock_timeout=5000"
        " -c idle_in_transaction_session_timeout=30000"
    ),
}
"""libpq's connection parameters (PostgreSQL manual, §32.1.2)."""


class _Bounded(Connection[Any]):
    """A connection that is closed when the server does not answer in time."""

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, timeout or _SILENCE_SECONDS)
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # Its answer may still come, and would be taken for that of the next statement.
                self.pgconn.finish()
            raise


def connect(dialect: object, record: object, arguments: Sequence[Any], options: dict[str, Any]) -> Connection[Any]:
    """SQLAlchemy's `do_connect`: a new connection."""
    return _Bounded.connect(*arguments, **options)
