"""`flask doctor`: looks at every part that Ferry needs and says what to do about each that fails."""

from __future__ import annotations

from collections.abc import Iterator

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url

import config
import logs
import storage
import window
from cli.checks import Advice, attempt, without_secrets
from cli.spool_checks import spool_checks
from models import db, migrate
from storage import Check

_DATABASE_ADVICE: Advice = (
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


@click.command()
@with_appcontext
def doctor() -> None:
    """Check the database, the broker, the storage and the spool."""
    logs.set_up(config.current().log_format, "WARNING")
    checks = [*_database(), *_broker(), *storage.of().examine(), *spool_checks()]
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {without_secrets(f'{check.subject}: {check.detail}')}")
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def _database() -> Iterator[Check]:
    url = make_url(config.current().sqlalchemy_database_uri).render_as_string(hide_password=True)
    subject = f"database {url}"

    def look() -> Check:
        with db.engine.connect() as connection:
            here = MigrationContext.configure(connection).get_current_heads()
        wanted = ScriptDirectory.from_config(migrate.get_config()).get_heads()
        if set(here) == set(wanted):
            return Check(subject, True, "reached, schema up to date")
        return Check(subject, False, "the schema is not up to date. Run: flask db upgrade")

    yield attempt(subject, look, _DATABASE_ADVICE)


def _broker() -> Iterator[Check]:
    redis = config.current().redis
    subject = f"broker {redis.shown}"

    def look() -> Check:
        window.of().ping()
        with current_app.extensions["celery"].connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
        return Check(subject, True, f"reached; queue {redis.queue}, which must be the worker's too")

    yield attempt(subject, look, _BROKER_ADVICE)
