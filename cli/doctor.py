"""`flask doctor`: checks every service that Ferry needs and gives advice for each failure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import config
import logs
from cli.checks import Advice, run_check
from cli.spool_checks import spool_checks
from content.redaction import redact_secrets
from database import engine, postgresql
from models import db, migrate
from modes import celery_ as celery_mode
from services import current_services
from storage import Check

_DATABASE_ADVICE: Advice = (
    (
        "25006|session is read-only",
        "A standby. Name the primary in SQLALCHEMY_DATABASE_URI; or all and target_session_attrs=read-write.",
    ),
    (
        "pooler|pgbouncer|server_login|query_wait_timeout|max_client_conn|startup parameter",
        "A connection pooler says so, not the database: look at its log, its limits and its users.",
    ),
    (
        "too many (clients|connections)|connection slots",
        "Raise max_connections of the server, put a pooler in front of it, or lower WEB_WORKERS and WEB_THREADS.",
    ),
    (
        "authentication failed|no password supplied|role .* does not exist",
        "User or password in SQLALCHEMY_DATABASE_URI is wrong.",
    ),
    ("database .* does not exist", "Create the database, or name another in SQLALCHEMY_DATABASE_URI."),
    ("(?i)resolve|translate host name|name or service", "SQLALCHEMY_DATABASE_URI names a host that is not known here."),
    ("refused|timed? ?out|timeout|closed the connection", "Check that the database of SQLALCHEMY_DATABASE_URI runs."),
    (
        "unable to open|readonly|EACCES|ENOTDIR|EROFS",
        "The folder and file of SQLALCHEMY_DATABASE_URI must be writable for this user.",
    ),
    ("", "Check SQLALCHEMY_DATABASE_URI and that the database runs."),
)
_BROKER_ADVICE: Advice = (
    ("(?i)auth|password|NOPERM", "User or password in CELERY_BROKER_URL is wrong. Only /celery_upload needs Redis."),
    ("(?i)certificate|ssl", "Check the TLS settings in CELERY_BROKER_URL. Only /celery_upload needs Redis."),
    ("", "Check CELERY_BROKER_URL and that Redis runs. Only /celery_upload needs it."),
)
_MAX_CLOCK_SKEW = 30.0
"""Seconds between two clocks above which the check fails."""


@click.command()
@with_appcontext
def doctor() -> None:
    """Check the database, the broker, the storage and the spool."""
    logs.configure(config.current().log_format, "WARNING")
    checks = [
        *_database(),
        *_broker(),
        *_workers(),
        *current_services().storage.diagnose(),
        *spool_checks(),
    ]
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {redact_secrets(f'{check.subject}: {check.detail}')}")
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def _database() -> Iterator[Check]:
    url = make_url(config.current().sqlalchemy_database_uri).difference_update_query(["password", "sslpassword"])
    subject = f"database {url.render_as_string(hide_password=True)}"
    yield run_check(subject, lambda: _schema(subject), _DATABASE_ADVICE)
    with suppress(SQLAlchemyError):
        yield from _database_clock()


def _schema(subject: str) -> Check:
    with db.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_heads()
        pooler = ", through a connection pooler" if postgresql.is_pooled(connection) else ""
    expected = ScriptDirectory.from_config(migrate.get_config()).get_heads()
    if set(current) != set(expected):
        return Check(subject, False, "the schema is not up to date. Run: flask db upgrade")
    engine.ping()
    return Check(subject, True, f"reached{pooler}, schema up to date")


def _database_clock() -> Iterator[Check]:
    skew = engine.now() - time.time()
    if abs(skew) > _MAX_CLOCK_SKEW:
        offset = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this host's"
        yield Check("clock", False, f"the database's is {offset}. Set both by NTP: links are signed by this host's.")


def _broker() -> Iterator[Check]:
    redis = config.current().redis
    subject = f"broker {redis.safe_url}"

    def check() -> Check:
        current_services().relay.ping()
        with current_services().celery.connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
        return Check(subject, True, f"reached; queue {redis.queue}, which must be the worker's too")

    yield run_check(subject, check, _BROKER_ADVICE)


def _workers() -> Iterator[Check]:
    """Files that wait for a Celery worker. A database error is reported by the database check."""
    with suppress(SQLAlchemyError):
        count, seconds = celery_mode.waiting()
        yield Check("workers", True, "no file has waited long for one") if count == 0 else Check(
            "workers", False,
            f"{count} files wait for one, the longest for {seconds:.0f} s. Check that one runs, with this database and "
            "CELERY_QUEUE; that its log has no worker.stalled again and again; and that there are enough.",
        )  # fmt: skip
