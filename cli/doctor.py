"""`flask doctor`: looks at every part that Ferry needs and says what to do about each that fails."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url

import config
import logs
import spool
import storage
from models import db, migrate
from storage import Check


@click.command()
@with_appcontext
def doctor() -> None:
    """Check the database, the broker, the storage and the spool."""
    logs.set_up(config.current().log_format, "WARNING")
    checks = [*_database(), *_broker(), *storage.of().examine(), *_spool()]
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.subject}: {check.detail}")
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def _attempt(subject: str, look: Callable[[], Check], advice: str) -> Check:
    """What `look` finds. Any failure becomes its kind and the advice: the message may hold a password."""
    try:
        return look()
    except Exception as error:
        return Check(subject, False, f"{type(error).__name__}. {advice}")


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

    yield _attempt(subject, look, "Check SQLALCHEMY_DATABASE_URI and that the database runs.")


def _broker() -> Iterator[Check]:
    celery = current_app.extensions["celery"]
    subject = f"broker {celery.connection().as_uri()}"

    def look() -> Check:
        with celery.connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
        return Check(subject, True, "reached")

    yield _attempt(subject, look, "Check CELERY_BROKER_URL and that Redis runs. Only /celery_upload needs it.")


def _spool() -> Iterator[Check]:
    folder = spool.of().folder
    subject = f"spool {folder}"

    def look() -> Check:
        id = str(uuid.uuid4())
        spool.of().keep(id, iter([b"ferry"]))
        spool.of().discard(id)
        room = os.statvfs(folder)
        return Check(subject, True, f"written and removed; {room.f_bavail * room.f_frsize // 10**6} MB free")

    yield _attempt(subject, look, "Check SPOOL_DIR: the folder must exist or be creatable, writable and have room.")
