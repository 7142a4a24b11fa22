"""How `flask doctor` looks at a part: what failed, in that part's own words, and what to do about this failure."""

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
"""A pattern of a message and what to do then. The first that is found counts; the last is for all else."""

_MOST_LETTERS = 400
_LEAST_LETTERS = 4
"""Of a password: a shorter one would be found in every word."""


def attempt(subject: str, look: Callable[[], Check], advice: Advice) -> Check:
    """What `look` finds. Any failure becomes the words of what failed, and the advice for it."""
    try:
        return look()
    except Exception as error:
        words = words_of(error)
        cure = next(cure for pattern, cure in advice if re.search(pattern, words))
        return Check(subject, False, f"{words}. {cure}")


def words_of(error: Exception) -> str:
    """What went wrong, on one line, without secrets: the server's own message where there is one."""
    if isinstance(error, DBAPIError):
        words = engine.reason(error)
    elif isinstance(error, Problem):
        words = error.detail or error.title
    elif isinstance(error, OSError) and (name := errno.errorcode.get(error.errno or 0)):
        words = f"{error.strerror} ({name})" + (f": {error.filename}" if error.filename else "")
    else:
        words = f"{type(error).__name__}: {error}"
    return _without_secrets(" ".join(words.split()))[:_MOST_LETTERS].rstrip(" .:")


def _without_secrets(text: str) -> str:
    """`text` as a log may hold it, and without the passwords of this service's settings wherever they stand."""
    settings = config.current()
    for url in (settings.sqlalchemy_database_uri, settings.celery_broker_url):
        password = urlsplit(url).password or ""
        for spelling in {password, unquote(password)}:
            if len(spelling) >= _LEAST_LETTERS:
                text = text.replace(spelling, "…")
    return redaction.redact_secrets(text)
