"""One check of `flask doctor`: the error message of what failed, and advice for it."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

from sqlalchemy.exc import DBAPIError

import config
from content import redaction
from database import engine
from problems import Problem
from storage import Check

Advice = Sequence[tuple[str, str]]
"""Patterns of error messages and the advice for each. The first match counts; the last one matches everything."""

_MAX_LENGTH = 400
_MIN_PASSWORD_LENGTH = 4
"""Shorter passwords are not removed from messages: they occur inside other words."""


def run_check(subject: str, check: Callable[[], Check], advice: Advice) -> Check:
    """The result of `check`. An exception becomes a failed check with its message and the advice for it."""
    try:
        return check()
    except Exception as error:
        message = message_of(error)
        remedy = next(remedy for pattern, remedy in advice if re.search(pattern, message))
        return Check(subject, False, f"{message}. {remedy}")


def message_of(error: Exception) -> str:
    """The error message on one line, without secrets; the server's own message if it has one."""
    if isinstance(error, DBAPIError):
        message = engine.describe(error)
    elif isinstance(error, Problem):
        message = error.detail or error.title
    elif isinstance(error, OSError) and (name := errno.errorcode.get(error.errno or 0)):
        message = f"{error.strerror} ({name})" + (f": {error.filename}" if error.filename else "")
    else:
        message = f"{type(error).__name__}: {error}"
    return _redact(" ".join(message.split()))[:_MAX_LENGTH].rstrip(" .:")


def _redact(text: str) -> str:
    """`text` without secrets, as in logs, and without the passwords in this service's settings."""
    settings = config.current()
    for url in (settings.sqlalchemy_database_uri, settings.celery_broker_url):
        password = urlsplit(url).password or ""
        for variant in {password, unquote(password)}:
            if len(variant) >= _MIN_PASSWORD_LENGTH:
                text = text.replace(variant, "…")
    return redaction.redact_secrets(text)
