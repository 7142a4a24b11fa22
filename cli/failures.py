"""Errors of `flask` commands as one line: settings, the schema, the database, the storage, disks."""

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
    """Set the umask and the exception hook in a process of the `flask` command, `flask db` included."""
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # Set by Flask before it creates the app.
        os.umask(0o077)
        sys.excepthook = _report


def explain(error: BaseException) -> str | None:
    """The cause and the remedy of an error; None for an error that needs its traceback."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, DBAPIError) and _NO_SCHEMA.search(str(error.orig)):
        return "The database has no schema, or an old one. Run: flask db upgrade"
    if isinstance(error, SQLAlchemyError) and isinstance(error, engine.UNAVAILABLE):
        reason = " ".join(engine.describe(error).split()).rstrip(".")
        return f"The database failed: {reason}. Look closer with: flask doctor"
    if isinstance(error, StorageError):
        return f"{error.detail or error.title} ({error.slug()}). Look closer with: flask doctor"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}. Look closer with: flask doctor"
    return None


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    explanation = explain(error)
    if explanation is None:
        sys.__excepthook__(kind, error, trace)
    else:
        click.echo(f"Error: {redact_secrets(explanation)}", err=True)
