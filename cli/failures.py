"""What a `flask` command prints when a setting, the schema, the database, the storage or a disk fails it: one line."""

from __future__ import annotations

import os
import re
import sys
from types import TracebackType

import click
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from config import ConfigError
from content.redaction import redact_secrets
from database import engine
from storage.base import StorageError

_NO_SCHEMA = re.compile(r"no such (table|column)|relation .* does not exist|column .* does not exist|42P01|42703")


def prepare_process() -> None:
    """In a process of the command `flask`, `flask db` too: files for its own user alone, failures on a line."""
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # Flask sets it before it makes the app.
        os.umask(0o077)
        sys.excepthook = _report


def explained(error: BaseException) -> str | None:
    """What is wrong and what to do about it; None for what only a traceback can explain."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, DBAPIError) and _NO_SCHEMA.search(str(error.orig)):
        return "The database has no schema, or an old one. Run: flask db upgrade"
    if isinstance(error, SQLAlchemyError) and isinstance(error, engine.UNAVAILABLE):
        reason = " ".join(engine.reason(error).split()).rstrip(".")
        return f"The database failed: {reason}. Look closer with: flask doctor"
    if isinstance(error, StorageError):
        return f"{error.detail or error.title} ({error.slug()}). Look closer with: flask doctor"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}. Look closer with: flask doctor"
    return None


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    said = explained(error)
    if said is None:
        sys.__excepthook__(kind, error, trace)
    else:
        click.echo(f"Error: {redact_secrets(said)}", err=True)
